#include "base/clock.h"
#include "codec/json.h"
#include "daemon/change.h"

enum { ROW_JSON_BYTES = 64 * 1024 };

/* ---- checks ---- */

static int find_service(struct command_context *context, const char *service_id,
                        struct service *out_service)
{
    struct catalog_service *entry;
    int64_t id;
    enum rc rc;

    rc = catalog_find_service(context->catalog, str_of(service_id), true, &entry);
    if (rc == RC_OK) {
        id = entry->service.id;
        catalog_service_put(entry);
        rc = store_find_service(context->store, id, context->arena, out_service);
    }
    if (rc == RC_NOT_FOUND)
        return command_refuse(context, "there is no service '%s'; 'jeton service list' shows all",
                              service_id);
    return rc == RC_OK ? STATUS_DONE : command_fault(context, rc);
}

/* How its tokens look, where the options say so. */
static int read_shape(struct command_context *context, const struct options *options,
                      struct service *service)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    const char *format = options_find(options, "format");
    const char *alg = options_find(options, "alg");
    uint64_t lifetime_s;

    if (format != NULL && token_format_parse(str_of(format), &service->format) != RC_OK)
        return command_usage(context, "--format is 'opaque' or 'jwt'");
    if (alg != NULL && signing_alg_parse(str_of(alg), &service->alg) != RC_OK)
        return command_usage(context, "--alg is 'ES256', 'EdDSA' or 'RS256'");
    if (options_number(options, "lifetime", 1, SERVICE_LIFETIME_S_MAX,
                       (uint64_t)service->lifetime_s, &lifetime_s, &error) != RC_OK)
        return command_usage(context, "%.*s", STR_ARGS(buffer_str(&error)));
    service->lifetime_s = (int64_t)lifetime_s;
    return STATUS_DONE;
}

/* What the options say; the rest stays as it is. */
static int read_options(struct command_context *context, const struct options *options,
                        struct service *service)
{
    struct registry_faults faults;
    enum rc rc;
    int status = read_shape(context, options, service);

    if (status != STATUS_DONE)
        return status;
    service->name = change_option(options, "name", service->name);
    service->scope = change_option(options, "scope", service->scope);
    rc = registry_check_service(context->catalog, context->arena, service, &faults);
    if (rc == RC_REFUSED)
        return change_refuse_faults(context, &faults);
    return rc == RC_OK ? STATUS_DONE : command_fault(context, rc);
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
        command_note(context, "service '%s' %s; its secret is shown this once", id, what);
    } else {
        command_note(context, "service '%s' %s", id, what);
    }
    return STATUS_DONE;
}

static int run_add(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    AUTO(secret) made = { 0 };
    struct service service = { .service_id = str_of(options->arguments[0]),
                               .format = TOKEN_OPAQUE,
                               .alg = ALG_ES256,
                               .lifetime_s = SERVICE_LIFETIME_S_DEFAULT,
                               .allows_password = options_has(options, "allow-password"),
                               .expires_in_as_string = options_has(options, "expires-in-as-string"),
                               .created_at = admin.now };
    enum rc rc;
    int status = read_options(context, options, &service);

    if (status == STATUS_DONE)
        status = change_secret(context, options_has(options, "secret-stdin"), &service.secret_hash,
                               &made);
    if (status != STATUS_DONE)
        return status;
    rc = registry_next_id(context->store, &service.id);
    if (rc == RC_OK)
        rc = registry_create_service(&desk, &service);
    status = change_answer(context, rc);
    if (status != STATUS_DONE)
        return status;
    return show_done(context, &made, options->arguments[0], "added");
}

/* "yes" or "no", where the option is given. */
static int read_choice(struct command_context *context, const struct options *options,
                       const char *name, bool *out_choice)
{
    const char *text = options_find(options, name);

    if (text == NULL)
        return STATUS_DONE;
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return command_usage(context, "--%s is 'yes' or 'no'", name);
    *out_choice = strcmp(text, "yes") == 0;
    return STATUS_DONE;
}

static const struct option_spec options_set[] = {
    { "name", "TEXT", "for people", false },
    { "scope", "WORDS", "the scope words it owns, separated by spaces", false },
    { "format", "FORMAT", "of its tokens: opaque or jwt", false },
    { "alg", "ALG", "of its JWTs: ES256, EdDSA or RS256", false },
    { "lifetime", "SECONDS", "of its access tokens", false },
    { "allow-password", "yes|no", "the password grant without client authentication", false },
    { "expires-in-as-string", "yes|no", "answer expires_in as a string", false },
    { 0 },
};

static int run_set(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    struct service before;
    struct service after;
    int status = find_service(context, options->arguments[0], &before);

    if (status != STATUS_DONE)
        return status;
    if (!options_has_any(options, options_set))
        return command_usage(context, "say what to change, with an option");
    after = before;
    status = read_choice(context, options, "allow-password", &after.allows_password);
    if (status == STATUS_DONE)
        status = read_choice(context, options, "expires-in-as-string", &after.expires_in_as_string);
    if (status == STATUS_DONE)
        status = read_options(context, options, &after);
    if (status == STATUS_DONE)
        status = change_answer(context, registry_change_service(&desk, &before, &after));
    if (status == STATUS_DONE)
        command_note(context, "service '%s' is changed", options->arguments[0]);
    return status;
}

static int run_secret(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    AUTO(secret) made = { 0 };
    struct service before;
    struct str hash;
    int status = find_service(context, options->arguments[0], &before);

    if (status == STATUS_DONE)
        status = change_secret(context, options_has(options, "secret-stdin"), &hash, &made);
    if (status == STATUS_DONE)
        status = change_answer(context, registry_set_service_secret(&desk, &before, hash));
    if (status != STATUS_DONE)
        return status;
    return show_done(context, &made, options->arguments[0], "has a new secret");
}

/* ---- disable, enable ---- */

static int run_disable(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    struct service service;
    size_t count;
    enum rc rc;
    int status = find_service(context, options->arguments[0], &service);

    if (status == STATUS_DONE)
        status = change_answer(context, registry_disable_service(&desk, &service));
    if (status != STATUS_DONE)
        return status;
    rc = change_end_grants_of_service(context, service.service_id, &count);
    if (rc != RC_OK)
        return command_refuse(context,
                              "'%s' is disabled, but its living grants could not all be "
                              "ended (%s); run this again",
                              options->arguments[0], rc_words(rc));
    command_note(context, "service '%s' is disabled; grants ended: %zu", options->arguments[0],
                 count);
    return STATUS_DONE;
}

static int run_enable(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    const struct registry_desk desk = change_desk(context, &admin);
    struct service service;
    int status = find_service(context, options->arguments[0], &service);

    if (status == STATUS_DONE)
        status = change_answer(context, registry_enable_service(&desk, &service));
    if (status == STATUS_DONE)
        command_note(context, "service '%s' is enabled", options->arguments[0]);
    return status;
}

/* ---- list, show ---- */

static void write_json(struct command_context *context, const struct service *service)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, ROW_JSON_BYTES), ROW_JSON_BYTES);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_string(&json, STR("id"), service->service_id);
    json_member_string(&json, STR("name"), service->name);
    json_member_string(&json, STR("scope"), service->scope);
    json_member_string(&json, STR("format"), token_format_format(service->format));
    json_member_string(&json, STR("alg"), signing_alg_format(service->alg));
    json_member_number(&json, STR("lifetime"), service->lifetime_s);
    json_member_bool(&json, STR("allow_password"), service->allows_password);
    json_member_bool(&json, STR("expires_in_as_string"), service->expires_in_as_string);
    json_member_bool(&json, STR("has_secret"), service->secret_hash.len > 0);
    json_member_bool(&json, STR("disabled"), service->is_disabled);
    json_member_number(&json, STR("created_at"), service->created_at);
    change_write_owner(context, MANAGED_SERVICE, service->id, &json);
    json_end_object(&json);
    sink_str(context->out, buffer_str(&text));
    sink_text(context->out, "\n");
}

static void write_row(struct command_context *context, const struct service *service)
{
    struct sink *out = context->out;
    char lifetime[24];
    struct buffer digits = buffer_over(lifetime, sizeof(lifetime));

    buffer_append_u64(&digits, (uint64_t)service->lifetime_s);
    sink_column(out, service->service_id, 32);
    sink_column(out, service->is_disabled ? STR("disabled") : STR("enabled"), 10);
    sink_column(out, token_format_format(service->format), 8);
    sink_column(out, signing_alg_format(service->alg), 7);
    sink_column(out, buffer_str(&digits), 10);
    sink_column(out, service->allows_password ? STR("yes") : STR("no"), 10);
    sink_str(out, service->scope.len > 0 ? service->scope : STR("-"));
    sink_text(out, "\n");
}

static int run_list(struct command_context *context, const struct options *options)
{
    struct service *rows = arena_alloc(context->arena, COMMAND_ROW_COUNT * sizeof(*rows));
    size_t mark = context->arena->used_bytes;
    bool is_json = options_has(options, "json");
    int64_t after_id = 0;
    size_t count;
    enum rc rc;

    if (!is_json)
        sink_text(context->out, "ID                              STATE     FORMAT  ALG    "
                                "LIFETIME  PASSWORD  SCOPE\n");
    do {
        command_rewind(context, mark);
        rc = store_list_services(context->store, after_id, context->arena, rows, COMMAND_ROW_COUNT,
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
    struct service service;
    struct sink *out = context->out;
    char at[SINK_TIME_BYTES];
    struct str owner;
    int status;

    status = find_service(context, options->arguments[0], &service);
    if (status != STATUS_DONE)
        return status;
    if (options_has(options, "json")) {
        write_json(context, &service);
        return STATUS_DONE;
    }
    sink_time_format(service.created_at, at);
    sink_format(out,
                "id                    %.*s\nname                  %.*s\n"
                "scope                 %.*s\nformat                %.*s\n",
                STR_ARGS(service.service_id), STR_ARGS(service.name), STR_ARGS(service.scope),
                STR_ARGS(token_format_format(service.format)));
    sink_format(out,
                "alg                   %.*s\nlifetime              %lld\n"
                "allow password        %s\nexpires in as string  %s\n",
                STR_ARGS(signing_alg_format(service.alg)), (long long)service.lifetime_s,
                service.allows_password ? "yes" : "no",
                service.expires_in_as_string ? "yes" : "no");
    sink_format(out,
                "secret                %s\nstate                 %s\ncreated               %s\n",
                service.secret_hash.len > 0 ? "set" : "none",
                service.is_disabled ? "disabled" : "enabled", at);
    owner = change_owner(context, MANAGED_SERVICE, service.id);
    if (owner.len > 0)
        sink_format(out, "managed by            %.*s\n", STR_ARGS(owner));
    return STATUS_DONE;
}

/* ---- the table ---- */

static const struct option_spec options_add[] = {
    { "name", "TEXT", "for people; the id if not given", false },
    { "scope", "WORDS", "the scope words it owns, separated by spaces", false },
    { "format", "FORMAT", "of its tokens: opaque (default) or jwt", false },
    { "alg", "ALG", "of its JWTs: ES256 (default), EdDSA or RS256", false },
    { "lifetime", "SECONDS", "of its access tokens; 3600 if not given", false },
    { "allow-password", NULL, "the password grant without client authentication", false },
    { "expires-in-as-string", NULL, "answer expires_in as a string, as old u-Auth documents do",
      false },
    { "secret-stdin", NULL, "read a chosen secret from standard input; else one is made", false },
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

const struct command commands_service[] = {
    { "service", "add", "ID", options_add, "adds a resource server", true, wants_secret, run_add },
    { "service", "set", "ID", options_set, "changes what the options say", true, NULL, run_set },
    { "service", "secret", "ID", options_secret, "replaces its secret", true, wants_secret,
      run_secret },
    { "service", "disable", "ID", options_none, "no tokens for it any more; ends living grants",
      true, NULL, run_disable },
    { "service", "enable", "ID", options_none, "takes a disabling back", true, NULL, run_enable },
    { "service", "list", NULL, options_list, "lists the services", false, NULL, run_list },
    { "service", "show", "ID", options_list, "shows one service", false, NULL, run_show },
    { 0 },
};
