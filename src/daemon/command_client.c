#include "base/clock.h"
#include "codec/json.h"
#include "daemon/change.h"
#include "daemon/client_options.h"
#include "oauth/client_metadata.h"

enum {
    ROW_JSON_BYTES = 1024 * 1024,
    CLIENT_ROW_COUNT = 16 /* up to 100 KiB each, most of it redirect URIs */
};

static const char *const client_type_texts[] = {
    [CLIENT_CONFIDENTIAL] = "confidential",
    [CLIENT_PUBLIC] = "public",
    [CLIENT_EMPTY_SECRET] = "empty secret",
};

/* As RFC 7591 and its extensions name them, where they do. */
static const struct {
    enum client_policy bit;
    const char *text;
} client_policy_texts[] = {
    { CLIENT_IS_TRUSTED, "trusted" },
    { CLIENT_REQUIRES_PUSHED, "require_pushed_authorization_requests" },
    { CLIENT_REQUIRES_SIGNED, "require_signed_request_object" },
    { CLIENT_BINDS_DPOP, "dpop_bound_access_tokens" },
    { CLIENT_BINDS_TLS, "tls_client_certificate_bound_access_tokens" },
    { CLIENT_IS_PAIRWISE, "pairwise" },
    { CLIENT_IS_REGISTERED, "registered_by_itself" },
    { CLIENT_IS_DOCUMENT, "metadata_document" },
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

/* ---- what a client is ---- */

static int read_type(struct command_context *context, const struct options *options,
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

static int read_grants(struct command_context *context, const struct options *options,
                       struct client *client)
{
    enum grant_type type;
    unsigned grant_types = 0;
    const char *text;

    for (size_t i = 0; (text = options_find_nth(options, "grant", i)) != NULL; i++) {
        if (grant_type_parse(str_of(text), &type) != RC_OK)
            return command_refuse(context,
                                  "the grant '%s' is not offered by this version; jeton(1) "
                                  "lists them",
                                  text);
        grant_types |= 1u << type;
    }
    if (grant_types != 0 && registry_is_built_in(client))
        return command_refuse(context, "'%.*s' is built in: it takes no --grant",
                              STR_ARGS(client->client_id));
    if (grant_types != 0)
        client->grant_types = grant_types;
    return STATUS_DONE;
}

/* Any way to send a secret: a word of ours, and what a new client has. The registered methods are
 * read with the other members of metadata. */
static int read_auth_method(struct command_context *context, const struct options *options,
                            struct client *client)
{
    const char *text = options_find(options, "auth-method");

    if (text == NULL || !str_equal(str_of(text), STR("client_secret")))
        return STATUS_DONE;
    if (client->type != CLIENT_CONFIDENTIAL)
        return command_refuse(context, "this --auth-method is for clients with a secret");
    client->auth_method = AUTH_SECRET;
    return STATUS_DONE;
}

static int read_lifetimes(struct command_context *context, const struct options *options,
                          struct client *client)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    uint64_t lifetime_s;
    uint64_t idle_lifetime_s;

    if (options_number(options, "refresh-lifetime", REFRESH_LIFETIME_S_MIN, REFRESH_LIFETIME_S_MAX,
                       (uint64_t)client->refresh_lifetime_s, &lifetime_s, &error) != RC_OK ||
        options_number(options, "refresh-idle-lifetime", REFRESH_LIFETIME_S_MIN,
                       REFRESH_LIFETIME_S_MAX, (uint64_t)client->refresh_idle_lifetime_s,
                       &idle_lifetime_s, &error) != RC_OK)
        return command_usage(context, "%.*s", STR_ARGS(buffer_str(&error)));
    client->refresh_lifetime_s = (int64_t)lifetime_s;
    client->refresh_idle_lifetime_s = (int64_t)idle_lifetime_s;
    return STATUS_DONE;
}

/* A list is replaced as a whole by the options that name its members. */
static int read_lists(struct command_context *context, const struct options *options,
                      struct client *client)
{
    int status = STATUS_DONE;

    if (options_has(options, "service") && options_has(options, "no-service"))
        return command_usage(context, "--service and --no-service exclude each other");
    if (options_has(options, "redirect-uri") && options_has(options, "no-redirect-uri"))
        return command_usage(context, "--redirect-uri and --no-redirect-uri exclude each other");
    if (options_has(options, "service") || options_has(options, "no-service"))
        status = change_option_list(context, options, "service", ' ', &client->service_ids);
    if (status == STATUS_DONE &&
        (options_has(options, "redirect-uri") || options_has(options, "no-redirect-uri")))
        status = change_option_list(context, options, "redirect-uri", '\n', &client->redirect_uris);
    return status;
}

/* What the options say; the rest stays as it is. */
static int read_options(struct command_context *context, const struct options *options,
                        struct client *client)
{
    int (*const steps[])(struct command_context *, const struct options *, struct client *) = {
        read_lifetimes,
        read_grants,
        read_auth_method,
        read_lists,
    };
    struct registry_faults faults;
    int status = STATUS_DONE;
    enum rc rc;

    for (size_t i = 0; status == STATUS_DONE && i < sizeof(steps) / sizeof(steps[0]); i++)
        status = steps[i](context, options, client);
    if (status != STATUS_DONE)
        return status;
    client->name = change_option(options, "name", client->name);
    client->scope = change_option(options, "scope", client->scope);
    status = client_options_apply(context, options, client);
    if (status != STATUS_DONE)
        return status;
    rc = registry_check_client(context->catalog, context->arena, client, &faults);
    if (rc == RC_REFUSED)
        return change_refuse_faults(context, &faults);
    return rc == RC_OK ? STATUS_DONE : command_fault(context, rc);
}

/* ---- add, set, secret ---- */

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
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    AUTO(secret) made = { 0 };
    struct client client = { .client_id = str_of(options->arguments[0]),
                             .refresh_lifetime_s = REFRESH_LIFETIME_S_DEFAULT,
                             .refresh_idle_lifetime_s = REFRESH_IDLE_LIFETIME_S_DEFAULT,
                             .created_at = admin.now };
    enum rc rc;
    int status = read_type(context, options, &client);

    if (status == STATUS_DONE && client.type == CLIENT_CONFIDENTIAL &&
        !options_has(options, "metadata")) /* it says, or has the default of RFC 7591 2 */
        client.grant_types = 1u << GRANT_TYPE_CLIENT_CREDENTIALS; /* unless the options say */
    if (status == STATUS_DONE)
        status = read_options(context, options, &client);
    if (status == STATUS_DONE && client_has_secret(&client))
        status = change_secret(context, options_has(options, "secret-stdin"), &client.secret_hash,
                               &made);
    if (status != STATUS_DONE)
        return status;
    rc = registry_next_id(context->store, &client.id);
    if (rc == RC_OK)
        rc = registry_create_client(&desk, &client);
    status = change_answer(context, rc);
    if (status != STATUS_DONE)
        return status;
    return show_done(context, &made, options->arguments[0], "added");
}

static const struct option_spec options_set[] = {
    { "name", "TEXT", "for people", false },
    { "grant", "GRANT", "what it may ask for, instead of what it could", true },
    { "scope", "WORDS", "scope words it may be granted beyond its services'", false },
    { "service", "ID", "a service whose whole scope it may be granted", true },
    { "no-service", NULL, "none", false },
    { "redirect-uri", "URI", "where its authorization responses may go", true },
    { "no-redirect-uri", NULL, "nowhere", false },
    { "refresh-lifetime", "SECONDS", "of a family of refresh tokens", false },
    { "refresh-idle-lifetime", "SECONDS", "of an unused refresh token", false },
    CLIENT_OPTIONS,
    { 0 },
};

/* What is not named stays as it is. A client that shall have a secret from now on is made one. */
static int run_set(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    AUTO(secret) made = { 0 };
    struct client before;
    struct client after;
    int status = find_client(context, options->arguments[0], &before);

    if (status != STATUS_DONE)
        return status;
    if (!options_has_any(options, options_set))
        return command_usage(context, "say what to change, with an option");
    after = before;
    status = read_options(context, options, &after);
    if (status == STATUS_DONE && client_has_secret(&after) && after.secret_hash.len == 0)
        status = change_secret(context, false, &after.secret_hash, &made);
    if (status == STATUS_DONE)
        status = change_answer(context, registry_change_client(&desk, &before, &after));
    if (status != STATUS_DONE)
        return status;
    return show_done(context, &made, options->arguments[0], "is changed");
}

static int end_overlap(struct command_context *context, const struct registry_desk *desk,
                       const struct client *client)
{
    enum rc rc = registry_end_overlap(desk, client);

    if (rc == RC_NOT_FOUND)
        return command_refuse(context, "'%.*s' has one secret only; nothing is to be ended",
                              STR_ARGS(client->client_id));
    if (rc == RC_OK)
        command_note(context, "client '%.*s': the secret before works no more",
                     STR_ARGS(client->client_id));
    return change_answer(context, rc);
}

static int rotate(struct command_context *context, const struct options *options,
                  const struct registry_desk *desk, const struct client *before)
{
    char bytes[256];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    AUTO(secret) made = { 0 };
    char at[SINK_TIME_BYTES];
    int64_t overlap_s;
    int64_t until = 0;
    struct str hash;
    enum rc rc;
    int status;

    if (change_duration_parse(change_option(options, "overlap", STR("0")), REGISTRY_OVERLAP_S_MAX,
                              &overlap_s, &error) != RC_OK)
        return command_usage(context, "--overlap: %.*s", STR_ARGS(buffer_str(&error)));
    status = change_secret(context, options_has(options, "secret-stdin"), &hash, &made);
    if (status != STATUS_DONE)
        return status;
    rc = registry_rotate_client_secret(desk, before, hash, overlap_s, &until);
    if (rc == RC_INVALID)
        return command_refuse(context, "a chosen secret cannot overlap with another chosen one; "
                                       "leave out --secret-stdin, or --overlap");
    status = change_answer(context, rc);
    if (status != STATUS_DONE)
        return status;
    sink_time_format(until, at);
    if (until != 0)
        command_note(context, "the secret before works until %s", at);
    return show_done(context, &made, options->arguments[0], "has a new secret");
}

static int run_secret(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    struct client client;
    int status = find_client(context, options->arguments[0], &client);

    if (status != STATUS_DONE)
        return status;
    if (!client_has_secret(&client))
        return command_refuse(context, "'%s' is a client without a secret (%s)",
                              options->arguments[0], client_type_texts[client.type]);
    if (!options_has(options, "end-overlap"))
        return rotate(context, options, &desk, &client);
    if (options_has(options, "overlap") || options_has(options, "secret-stdin"))
        return command_usage(context, "--end-overlap stands alone: it makes no new secret");
    return end_overlap(context, &desk, &client);
}

/* ---- disable, enable ---- */

static int run_disable(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    struct client client;
    size_t count;
    enum rc rc;
    int status = find_client(context, options->arguments[0], &client);

    if (status == STATUS_DONE)
        status = change_answer(context, registry_disable_client(&desk, &client));
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
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    struct client client;
    int status = find_client(context, options->arguments[0], &client);

    if (status == STATUS_DONE)
        status = change_answer(context, registry_enable_client(&desk, &client));
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

static struct str format_policy(struct command_context *context, const struct client *client)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, 512), 512);

    for (size_t i = 0; i < sizeof(client_policy_texts) / sizeof(client_policy_texts[0]); i++) {
        if ((client->policy & client_policy_texts[i].bit) == 0)
            continue;
        if (text.len > 0)
            buffer_append_byte(&text, ' ');
        buffer_append_str(&text, str_of(client_policy_texts[i].text));
    }
    return buffer_str(&text);
}

/* RFC 7591 2: "none" is how a public client authenticates. */
static struct str format_auth_method(const struct client *client)
{
    return client->type == CLIENT_PUBLIC ? STR("none")
                                         : client_auth_method_format(client->auth_method);
}

static void write_json(struct command_context *context, const struct client *client)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, ROW_JSON_BYTES), ROW_JSON_BYTES);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_string(&json, STR("id"), client->client_id);
    json_member_string(&json, STR("name"), client->name);
    json_member_string(&json, STR("type"), str_of(client_type_texts[client->type]));
    json_member_string(&json, STR("auth_method"), format_auth_method(client));
    json_member_words(&json, STR("policies"), format_policy(context, client));
    if (registry_overlap_until(client, clock_now_s()) != 0)
        json_member_number(&json, STR("previous_secret_until"), client->previous_secret_until);
    json_member_words(&json, STR("grants"), format_grants(context, client));
    json_member_string(&json, STR("scope"), client->scope);
    json_member_words(&json, STR("services"), client->service_ids);
    json_member_string(&json, STR("redirect_uris"), client->redirect_uris);
    json_member_number(&json, STR("refresh_lifetime"), client->refresh_lifetime_s);
    json_member_number(&json, STR("refresh_idle_lifetime"), client->refresh_idle_lifetime_s);
    if (client->metadata.len > 0) {
        json_name(&json, STR("metadata"));
        json_raw(&json, client->metadata);
    }
    json_member_bool(&json, STR("disabled"), client->is_disabled);
    json_member_number(&json, STR("created_at"), client->created_at);
    change_write_owner(context, MANAGED_CLIENT, client->id, &json);
    json_end_object(&json);
    sink_str(context->out, buffer_str(&text));
    sink_text(context->out, "\n");
}

static void write_row(struct command_context *context, const struct client *client)
{
    struct sink *out = context->out;
    struct str origin = (client->policy & CLIENT_IS_DOCUMENT) != 0     ? STR("document")
                        : (client->policy & CLIENT_IS_REGISTERED) != 0 ? STR("itself")
                                                                       : STR("operator");

    sink_column(out, client->client_id, 32);
    sink_column(out, client->is_disabled ? STR("disabled") : STR("enabled"), 10);
    sink_column(out, origin, 12);
    sink_column(out, str_of(client_type_texts[client->type]), 14);
    sink_column(out, format_auth_method(client), 28);
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
        sink_text(
            context->out,
            "ID                              STATE     MADE BY     TYPE          AUTHENTICATION"
            "              GRANTS                                  "
            "SERVICES                        SCOPE\n");
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

/* What not every client has. */
static void show_extras(struct command_context *context, const struct client *client)
{
    struct sink *out = context->out;
    struct str policy = format_policy(context, client);
    struct str owner = change_owner(context, MANAGED_CLIENT, client->id);
    int64_t until = registry_overlap_until(client, clock_now_s());
    char at[SINK_TIME_BYTES];

    sink_format(out, "authentication         %.*s\n", STR_ARGS(format_auth_method(client)));
    sink_time_format(until, at);
    if (until != 0)
        sink_format(out, "secret before until    %s\n", at);
    if (owner.len > 0)
        sink_format(out, "managed by             %.*s\n", STR_ARGS(owner));
    if (policy.len > 0)
        sink_format(out, "policies               %.*s\n", STR_ARGS(policy));
    if (client->metadata.len > 0) {
        sink_text(out, "metadata               ");
        sink_str(out, client->metadata);
        sink_text(out, "\n");
    }
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
    show_extras(context, &client);
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
    { "grant", "GRANT", "what it may ask for, such as authorization_code", true },
    { "scope", "WORDS", "scope words it may be granted beyond its services'", false },
    { "service", "ID", "a service whose whole scope it may be granted", true },
    { "redirect-uri", "URI", "where its authorization responses may go", true },
    { "refresh-lifetime", "SECONDS", "of a family of refresh tokens; 30 days if not given", false },
    { "refresh-idle-lifetime", "SECONDS", "of an unused refresh token; 14 days if not given",
      false },
    CLIENT_OPTIONS,
    { 0 },
};

static const struct option_spec options_secret[] = {
    { "secret-stdin", NULL, "read a chosen secret from standard input; else one is made", false },
    { "overlap", "DURATION", "how long the secret before works yet: 1h, 1d, 7d; 0 if not given",
      false },
    { "end-overlap", NULL, "ends the secret before, and makes no new one", false },
    { 0 },
};

static const struct option_spec options_list[] = {
    { "json", NULL, "a JSON object in each line", false },
    { 0 },
};

static const struct option_spec options_none[] = { { 0 } };

const struct command commands_client[] = {
    { "client", "add", "ID", options_add, "adds a client", true, wants_secret, run_add },
    { "client", "set", "ID", options_set, "changes what the options say", true, NULL, run_set },
    { "client", "secret", "ID", options_secret, "replaces its secret", true, wants_secret,
      run_secret },
    { "client", "disable", "ID", options_none, "no tokens for it any more; ends living grants",
      true, NULL, run_disable },
    { "client", "enable", "ID", options_none, "takes a disabling back", true, NULL, run_enable },
    { "client", "list", NULL, options_list, "lists the clients", false, NULL, run_list },
    { "client", "show", "ID", options_list, "shows one client", false, NULL, run_show },
    { 0 },
};
