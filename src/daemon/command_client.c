#include "base/clock.h"
#include "codec/json.h"
#include "codec/uri.h"
#include "daemon/change.h"

enum {
    REFRESH_LIFETIME_S_DEFAULT = 30 * 24 * 3600,
    REFRESH_IDLE_LIFETIME_S_DEFAULT = 14 * 24 * 3600,
    REFRESH_LIFETIME_S_MAX = 3660 * 24 * 3600,
    SERVICE_IDS_BYTES_MAX = 32 * 1024,
    ROW_JSON_BYTES = 1024 * 1024,
    CLIENT_ROW_COUNT = 16 /* up to 100 KiB each, most of it redirect URIs */
};

static const char *const client_type_texts[] = {
    [CLIENT_CONFIDENTIAL] = "confidential",
    [CLIENT_PUBLIC] = "public",
    [CLIENT_EMPTY_SECRET] = "empty secret",
};

static int find_client(struct command_context *context, const char *client_id,
                       struct client *out_client)
{
    struct catalog_client *entry;
    int64_t id;
    enum rc rc;

    rc = catalog_find_client(context->catalog, str_of(client_id), true, &entry);
    if (rc == RC_OK) {
        id = entry->client.id;
        catalog_client_put(entry);
        rc = store_find_client(context->store, id, context->arena, out_client);
    }
    if (rc == RC_NOT_FOUND)
        return command_refuse(context, "there is no client '%s'; 'jeton client list' shows all",
                              client_id);
    return rc == RC_OK ? STATUS_DONE : command_fault(context, rc);
}

/* ---- what a new client is ---- */

static int draft_type(struct command_context *context, const struct options *options,
                      struct client *client)
{
    bool is_public = options_has(options, "public");
    bool has_no_secret = options_has(options, "no-secret");

    if (is_public + has_no_secret + options_has(options, "secret-stdin") > 1)
        return command_usage(context,
                             "--secret-stdin, --no-secret and --public exclude each other");
    client->type =
        is_public ? CLIENT_PUBLIC : (has_no_secret ? CLIENT_EMPTY_SECRET : CLIENT_CONFIDENTIAL);
    return STATUS_DONE;
}

static int draft_grant(struct command_context *context, const char *text, struct client *client)
{
    enum grant_type type;

    if (grant_type_parse(str_of(text), &type) != RC_OK)
        return command_refuse(context,
                              "the grant '%s' is not offered by this version; there are "
                              "password, client_credentials and refresh_token",
                              text);
    client->grant_types |= 1u << type;
    return STATUS_DONE;
}

static int draft_grants(struct command_context *context, const struct options *options,
                        struct client *client)
{
    const unsigned credentials = 1u << GRANT_TYPE_CLIENT_CREDENTIALS;
    const char *text;

    for (size_t i = 0; (text = options_find_nth(options, "grant", i)) != NULL; i++) {
        int status = draft_grant(context, text, client);

        if (status != STATUS_DONE)
            return status;
    }
    if (client->grant_types == 0) {
        if (client->type != CLIENT_CONFIDENTIAL)
            return command_refuse(context, "a client without a secret needs --grant; for example "
                                           "--grant password");
        client->grant_types = credentials;
    }
    /* RFC 6749 4.4: confidential clients only. An empty secret proves nothing either. */
    if (client->type != CLIENT_CONFIDENTIAL && (client->grant_types & credentials) != 0)
        return command_refuse(context, "client_credentials is for clients with a secret; leave "
                                       "out --public and --no-secret, or choose another grant");
    if (client->grant_types == 1u << GRANT_TYPE_REFRESH_TOKEN)
        return command_refuse(context, "refresh_token alone never gives a first token; add "
                                       "another --grant");
    return STATUS_DONE;
}

static int draft_services(struct command_context *context, const struct options *options,
                          struct client *client)
{
    struct buffer ids =
        buffer_over(arena_alloc(context->arena, SERVICE_IDS_BYTES_MAX), SERVICE_IDS_BYTES_MAX);
    const char *text;

    for (size_t i = 0; (text = options_find_nth(options, "service", i)) != NULL; i++) {
        struct catalog_service *entry;
        enum rc rc = catalog_find_service(context->catalog, str_of(text), true, &entry);

        if (rc == RC_NOT_FOUND)
            return command_refuse(context,
                                  "there is no service '%s'; add it first with 'jeton "
                                  "service add'",
                                  text);
        if (rc != RC_OK)
            return command_fault(context, rc);
        if (!str_has_word(buffer_str(&ids), entry->service.service_id)) {
            if (ids.len > 0)
                buffer_append_byte(&ids, ' ');
            buffer_append_str(&ids, entry->service.service_id);
        }
        catalog_service_put(entry);
    }
    if (ids.overflow)
        return command_refuse(context, "too many services for one client");
    client->service_ids = buffer_str(&ids);
    return STATUS_DONE;
}

static int draft_redirect_uris(struct command_context *context, const struct options *options,
                               struct client *client)
{
    const size_t bytes_max = (size_t)REDIRECT_URI_COUNT_MAX * (REDIRECT_URI_BYTES_MAX + 1);
    struct buffer uris = buffer_over(arena_alloc(context->arena, bytes_max), bytes_max);
    const char *text;

    for (size_t i = 0; (text = options_find_nth(options, "redirect-uri", i)) != NULL; i++) {
        if (i >= REDIRECT_URI_COUNT_MAX)
            return command_refuse(context, "a client may have at most 32 redirect URIs");
        if (strlen(text) > REDIRECT_URI_BYTES_MAX)
            return command_refuse(context, "a redirect URI may have at most 2048 bytes");
        if (redirect_uri_check(str_of(text)) != RC_OK)
            return command_refuse(context,
                                  "'%s' is no redirect URI: it must be absolute and without a "
                                  "fragment, and https, http for a loopback address, or a scheme "
                                  "such as com.example.app",
                                  text);
        if (i > 0)
            buffer_append_byte(&uris, '\n');
        buffer_append_str(&uris, str_of(text));
    }
    ASSERT(!uris.overflow);
    client->redirect_uris = buffer_str(&uris);
    return STATUS_DONE;
}

static int draft_texts(struct command_context *context, const struct options *options,
                       struct client *client)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));

    client->client_id = str_of(options->arguments[0]);
    client->name = change_option(options, "name", client->client_id);
    if (change_id_check(client->client_id, false, &error) != RC_OK)
        return command_refuse(context, "%.*s", STR_ARGS(buffer_str(&error)));
    if (change_text_check(client->name, SERVICE_NAME_BYTES_MAX, &error) != RC_OK)
        return command_refuse(context, "--name: %.*s", STR_ARGS(buffer_str(&error)));
    if (change_scope_parse(change_option(options, "scope", STR("")), context->arena, &client->scope,
                           &error) != RC_OK)
        return command_refuse(context, "--scope: %.*s", STR_ARGS(buffer_str(&error)));
    return STATUS_DONE;
}

static int draft_lifetimes(struct command_context *context, const struct options *options,
                           struct client *client)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    uint64_t lifetime_s;
    uint64_t idle_lifetime_s;

    if (options_number(options, "refresh-lifetime", 60, REFRESH_LIFETIME_S_MAX,
                       REFRESH_LIFETIME_S_DEFAULT, &lifetime_s, &error) != RC_OK ||
        options_number(options, "refresh-idle-lifetime", 60, REFRESH_LIFETIME_S_MAX,
                       REFRESH_IDLE_LIFETIME_S_DEFAULT, &idle_lifetime_s, &error) != RC_OK)
        return command_usage(context, "%.*s", STR_ARGS(buffer_str(&error)));
    client->refresh_lifetime_s = (int64_t)lifetime_s;
    client->refresh_idle_lifetime_s =
        (int64_t)(idle_lifetime_s < lifetime_s ? idle_lifetime_s : lifetime_s);
    return STATUS_DONE;
}

static int draft(struct command_context *context, const struct options *options,
                 struct client *out_client)
{
    int (*const steps[])(struct command_context *, const struct options *, struct client *) = {
        draft_type, draft_lifetimes, draft_texts, draft_grants, draft_services, draft_redirect_uris,
    };
    int status = STATUS_DONE;

    *out_client = (struct client){ .created_at = clock_now_s() };
    for (size_t i = 0; status == STATUS_DONE && i < sizeof(steps) / sizeof(steps[0]); i++)
        status = steps[i](context, options, out_client);
    return status;
}

/* ---- add, secret ---- */

static bool wants_secret(const struct options *options)
{
    return options_has(options, "secret-stdin");
}

/* After the commit: a made secret is shown this once (CA-13). */
static int show_done(struct command_context *context, const struct secret *made, const char *id,
                     const char *what)
{
    if (made->len > 0) {
        sink_secret_line(context->out, made);
        command_note(context, "client '%s' %s; its secret is shown this once", id, what);
    } else {
        command_note(context, "client '%s' %s", id, what);
    }
    return STATUS_DONE;
}

static int run_add(struct command_context *context, const struct options *options)
{
    AUTO(secret) made = { 0 };
    struct client client;
    struct store_unit unit;
    enum rc rc;
    int status;

    status = draft(context, options, &client);
    if (status == STATUS_DONE && client.type == CLIENT_CONFIDENTIAL)
        status = change_secret(context, options_has(options, "secret-stdin"), &client.secret_hash,
                               &made);
    if (status != STATUS_DONE)
        return status;
    rc = store_next_id(context->store, SEQUENCE_NOUN, &client.id);
    store_unit_init(&unit);
    if (rc == RC_OK) {
        store_insert_client(&unit, &client);
        change_event(context, &unit, EVENT_CLIENT_CHANGED, 0, client.id, "added");
    }
    if (rc != RC_OK)
        return command_fault(context, rc);
    status = change_commit(context, &unit);
    if (status != STATUS_DONE)
        return status;
    return show_done(context, &made, options->arguments[0], "added");
}

/* Commits a changed client with its event; what failed under its old secret counts no more. */
static int update(struct command_context *context, const struct client *client, const char *act)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_update_client(&unit, client);
    change_forgive(context, client->client_id, &unit);
    change_event(context, &unit, EVENT_CLIENT_CHANGED, 0, client->id, act);
    return change_commit(context, &unit);
}

static int run_secret(struct command_context *context, const struct options *options)
{
    AUTO(secret) made = { 0 };
    struct client client;
    int status;

    status = find_client(context, options->arguments[0], &client);
    if (status != STATUS_DONE)
        return status;
    if (client.type != CLIENT_CONFIDENTIAL)
        return command_refuse(context, "'%s' is a client without a secret (%s)",
                              options->arguments[0], client_type_texts[client.type]);
    status =
        change_secret(context, options_has(options, "secret-stdin"), &client.secret_hash, &made);
    if (status == STATUS_DONE)
        status = update(context, &client, "secret replaced");
    if (status != STATUS_DONE)
        return status;
    return show_done(context, &made, options->arguments[0], "has a new secret");
}

/* ---- disable, enable ---- */

static int run_disable(struct command_context *context, const struct options *options)
{
    struct client client;
    size_t count;
    enum rc rc;
    int status;

    status = find_client(context, options->arguments[0], &client);
    if (status != STATUS_DONE)
        return status;
    client.is_disabled = true;
    status = update(context, &client, "disabled");
    if (status != STATUS_DONE)
        return status;
    rc = change_end_grants(context, 0, client.id, &count);
    if (rc != RC_OK)
        return command_refuse(context,
                              "'%s' is disabled, but its living grants could not all be "
                              "ended (%s); run this again",
                              options->arguments[0], rc_words(rc));
    command_note(context, "client '%s' is disabled; grants ended: %zu", options->arguments[0],
                 count);
    return STATUS_DONE;
}

static int run_enable(struct command_context *context, const struct options *options)
{
    struct client client;
    int status;

    status = find_client(context, options->arguments[0], &client);
    if (status != STATUS_DONE)
        return status;
    client.is_disabled = false;
    status = update(context, &client, "enabled");
    if (status == STATUS_DONE)
        command_note(context, "client '%s' is enabled", options->arguments[0]);
    return status;
}

/* ---- list, show ---- */

static struct str format_grants(struct command_context *context, const struct client *client)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, 256), 256);

    for (unsigned type = 0; type < GRANT_TYPE_COUNT; type++) {
        if ((client->grant_types & 1u << type) == 0)
            continue;
        if (text.len > 0)
            buffer_append_byte(&text, ' ');
        buffer_append_str(&text, grant_type_format((enum grant_type)type));
    }
    return buffer_str(&text);
}

static void write_json(struct command_context *context, const struct client *client)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, ROW_JSON_BYTES), ROW_JSON_BYTES);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_string(&json, STR("id"), client->client_id);
    json_member_string(&json, STR("name"), client->name);
    json_member_string(&json, STR("type"), str_of(client_type_texts[client->type]));
    json_member_words(&json, STR("grants"), format_grants(context, client));
    json_member_string(&json, STR("scope"), client->scope);
    json_member_words(&json, STR("services"), client->service_ids);
    json_member_string(&json, STR("redirect_uris"), client->redirect_uris);
    json_member_number(&json, STR("refresh_lifetime"), client->refresh_lifetime_s);
    json_member_number(&json, STR("refresh_idle_lifetime"), client->refresh_idle_lifetime_s);
    json_member_bool(&json, STR("disabled"), client->is_disabled);
    json_member_number(&json, STR("created_at"), client->created_at);
    json_end_object(&json);
    sink_str(context->out, buffer_str(&text));
    sink_text(context->out, "\n");
}

static void write_row(struct command_context *context, const struct client *client)
{
    struct sink *out = context->out;

    sink_column(out, client->client_id, 32);
    sink_column(out, client->is_disabled ? STR("disabled") : STR("enabled"), 10);
    sink_column(out, str_of(client_type_texts[client->type]), 14);
    sink_column(out, format_grants(context, client), 40);
    sink_column(out, client->service_ids.len > 0 ? client->service_ids : STR("-"), 32);
    sink_str(out, client->scope.len > 0 ? client->scope : STR("-"));
    sink_text(out, "\n");
}

static int run_list(struct command_context *context, const struct options *options)
{
    struct client *rows = arena_alloc(context->arena, CLIENT_ROW_COUNT * sizeof(*rows));
    size_t mark = context->arena->used_bytes;
    bool is_json = options_has(options, "json");
    int64_t after_id = 0;
    size_t count;
    enum rc rc;

    if (!is_json)
        sink_text(context->out, "ID                              STATE     TYPE          GRANTS"
                                "                                  SERVICES                        "
                                "SCOPE\n");
    do {
        command_rewind(context, mark);
        rc = store_list_clients(context->store, after_id, context->arena, rows, CLIENT_ROW_COUNT,
                                &count);
        if (rc != RC_OK)
            return command_fault(context, rc);
        for (size_t i = 0; i < count; i++) {
            size_t row_mark = context->arena->used_bytes;

            (is_json ? write_json : write_row)(context, &rows[i]);
            command_rewind(context, row_mark);
        }
        if (count > 0)
            after_id = rows[count - 1].id;
    } while (count > 0 && !context->out->is_closed);
    return STATUS_DONE;
}

static int run_show(struct command_context *context, const struct options *options)
{
    struct client client;
    struct sink *out = context->out;
    char at[SINK_TIME_BYTES];
    struct str uris;
    int status;

    status = find_client(context, options->arguments[0], &client);
    if (status != STATUS_DONE)
        return status;
    if (options_has(options, "json")) {
        write_json(context, &client);
        return STATUS_DONE;
    }
    sink_time_format(client.created_at, at);
    sink_format(out,
                "id                     %.*s\nname                   %.*s\n"
                "type                   %s\ngrants                 %.*s\n",
                STR_ARGS(client.client_id), STR_ARGS(client.name), client_type_texts[client.type],
                STR_ARGS(format_grants(context, &client)));
    sink_format(out, "scope                  %.*s\nservices               ",
                STR_ARGS(client.scope));
    sink_str(out, client.service_ids);
    sink_format(out, "\nrefresh lifetime       %lld\nrefresh idle lifetime  %lld\n",
                (long long)client.refresh_lifetime_s, (long long)client.refresh_idle_lifetime_s);
    sink_format(out, "state                  %s\ncreated                %s\n",
                client.is_disabled ? "disabled" : "enabled", at);
    for (uris = client.redirect_uris; uris.len > 0;) {
        size_t len = str_index_of(uris, '\n');

        sink_format(out, "redirect URI           %.*s\n", (int)len, uris.at);
        uris = str_from(uris, len < uris.len ? len + 1 : len);
    }
    return STATUS_DONE;
}

/* ---- the table ---- */

static const struct option_spec options_add[] = {
    { "name", "TEXT", "for people; the id if not given", false },
    { "secret-stdin", NULL, "read a chosen secret from standard input; else one is made", false },
    { "no-secret", NULL, "authenticates with an empty secret, as some old clients do", false },
    { "public", NULL, "a public client: only its id (RFC 6749 2.1)", false },
    { "grant", "GRANT", "password, client_credentials or refresh_token", true },
    { "scope", "WORDS", "scope words it may be granted beyond its services'", false },
    { "service", "ID", "a service whose whole scope it may be granted", true },
    { "redirect-uri", "URI", "where its authorization responses may go", true },
    { "refresh-lifetime", "SECONDS", "of a family of refresh tokens; 30 days if not given", false },
    { "refresh-idle-lifetime", "SECONDS", "of an unused refresh token; 14 days if not given",
      false },
    { 0 },
};

static const struct option_spec options_secret[] = {
    { "secret-stdin", NULL, "read a chosen secret from standard input; else one is made", false },
    { 0 },
};

static const struct option_spec options_list[] = {
    { "json", NULL, "a JSON object in each line", false },
    { 0 },
};

static const struct option_spec options_none[] = { { 0 } };

const struct command commands_client[] = {
    { "client", "add", "ID", options_add, "adds a client", true, wants_secret, run_add },
    { "client", "secret", "ID", options_secret, "replaces its secret", true, wants_secret,
      run_secret },
    { "client", "disable", "ID", options_none, "no tokens for it any more; ends living grants",
      true, NULL, run_disable },
    { "client", "enable", "ID", options_none, "takes a disabling back", true, NULL, run_enable },
    { "client", "list", NULL, options_list, "lists the clients", false, NULL, run_list },
    { "client", "show", "ID", options_list, "shows one client", false, NULL, run_show },
    { 0 },
};
