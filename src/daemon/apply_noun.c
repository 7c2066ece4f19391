#include "daemon/apply_noun.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "daemon/yaml_json.h"
#include "oauth/client_metadata.h"

enum { METADATA_BYTES_MAX = 128 * 1024 };

struct str apply_kind_format(enum managed_kind kind)
{
    static const struct str texts[MANAGED_KIND_COUNT] = { { "account", 7 },
                                                          { "service", 7 },
                                                          { "client", 6 } };

    return texts[kind];
}

/* ---- members --------------------------------------------------------------------------------- */

/* Where the member stands, or the noun itself. */
static int64_t line_of(const struct apply_noun *noun, struct str member)
{
    const struct json_value *lines = json_find(noun->object, STR(YAML_LINES));
    int64_t line = 0;
    size_t index = 0;
    struct str name;

    for (size_t i = 0; i < json_count(noun->object); i++)
        if (json_member(noun->object, i, &name) != NULL && str_equal(name, member))
            index = i + 1;
    return json_get_number(json_item(lines, index), &line) == RC_OK ? line : 0;
}

void apply_noun_refuse(struct apply_noun *noun, struct str member, const char *format, ...)
{
    char words[512];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    noun->is_bad = true;
    command_note(noun->context, "%.*s: line %lld: %.*s '%.*s': %.*s%s%s", STR_ARGS(noun->file),
                 (long long)line_of(noun, member), STR_ARGS(apply_kind_format(noun->kind)),
                 STR_ARGS(noun->id), STR_ARGS(member), member.len > 0 ? ": " : "", words);
}

static struct str take_text(struct apply_noun *noun, struct str name, struct str fallback)
{
    struct str text = fallback;

    if (json_get_string(json_find(noun->object, name), &text) == RC_INVALID)
        apply_noun_refuse(noun, name, "must be one text; quote what looks like a number");
    return text;
}

static bool take_flag(struct apply_noun *noun, struct str name, bool fallback)
{
    bool is_set = fallback;

    if (json_get_bool(json_find(noun->object, name), &is_set) == RC_INVALID)
        apply_noun_refuse(noun, name, "must be true or false");
    return is_set;
}

static int64_t take_number(struct apply_noun *noun, struct str name, int64_t fallback)
{
    int64_t number = fallback;

    if (json_get_number(json_find(noun->object, name), &number) == RC_INVALID)
        apply_noun_refuse(noun, name, "must be a whole number of seconds");
    return number;
}

/* One text of words, or a list of them; each once. */
static struct str take_words(struct apply_noun *noun, struct str name)
{
    const struct json_value *value = json_find(noun->object, name);
    size_t room = CLIENT_SERVICES_BYTES_MAX;
    struct buffer words = buffer_over(arena_alloc(noun->context->arena, room), room);
    size_t count = json_is_array(value) ? json_count(value) : (value != NULL ? 1 : 0);

    for (size_t i = 0; i < count; i++) {
        struct str rest, word;

        if (json_get_string(json_is_array(value) ? json_item(value, i) : value, &rest) != RC_OK) {
            apply_noun_refuse(noun, name, "must be texts");
            break;
        }
        while (str_next_word(&rest, &word)) {
            if (str_has_word(buffer_str(&words), word))
                continue;
            if (words.len > 0)
                buffer_append_byte(&words, ' ');
            buffer_append_str(&words, word);
        }
    }
    if (words.overflow)
        apply_noun_refuse(noun, name, "is too long");
    return buffer_str(&words);
}

static void take_secret(struct apply_noun *noun, struct str name)
{
    const struct json_value *value = json_find(noun->object, name);

    if (value == NULL)
        return;
    if (json_get_string(value, &noun->secret) == RC_OK) {
        if (noun->secret.len == 0 || noun->secret.len > SECRET_BYTES_MAX)
            apply_noun_refuse(noun, name, "must have 1 to 1024 bytes");
        return;
    }
    if (json_get_string(json_find(value, STR("hash")), &noun->password_hash) != RC_OK)
        apply_noun_refuse(noun, name, "the hash must be one text");
    else if (!password_is_known(noun->password_hash))
        apply_noun_refuse(noun, name, "this hash is of no known kind, or too dear to check");
}

void apply_noun_read_id(struct apply_noun *noun)
{
    struct str name = noun->kind == MANAGED_ACCOUNT ? STR("name") : STR("id");

    if (json_find(noun->object, name) == NULL)
        apply_noun_refuse(noun, STR(""), "'%.*s' is missing", STR_ARGS(name));
    noun->id = take_text(noun, name, STR(""));
}

/* Nothing is ignored. */
static void check_members(struct apply_noun *noun, const struct str *names)
{
    struct str name;

    for (size_t i = 0; i < json_count(noun->object); i++) {
        const struct str *known = names;

        if (json_member(noun->object, i, &name) == NULL || str_equal(name, STR(YAML_LINES)))
            continue;
        while (known->len > 0 && !str_equal(*known, name))
            known++;
        if (known->len == 0)
            apply_noun_refuse(noun, name, "unknown key");
    }
}

static bool take_disabled(struct apply_noun *noun, bool was_disabled)
{
    return take_flag(noun, STR("disabled"), noun->is_owned && was_disabled);
}

static void refuse_faults(struct apply_noun *noun, const struct registry_faults *faults)
{
    static const struct str members[REGISTRY_FIELD_COUNT] = {
        [REGISTRY_ID] = { "id", 2 },
        [REGISTRY_NAME] = { "name", 4 },
        [REGISTRY_SCOPE] = { "scope", 5 },
        [REGISTRY_LIFETIME] = { "lifetime", 8 },
        [REGISTRY_GRANTS] = { "grant", 5 },
        [REGISTRY_SERVICES] = { "service", 7 },
        [REGISTRY_REDIRECT_URIS] = { "redirect-uri", 12 },
        [REGISTRY_REFRESH_LIFETIME] = { "refresh-lifetime", 16 },
        [REGISTRY_REFRESH_IDLE_LIFETIME] = { "refresh-idle-lifetime", 21 },
    };

    for (size_t i = 0; i < faults->count; i++) {
        char bytes[REDIRECT_URI_BYTES_MAX + 256];
        struct buffer words = buffer_over(bytes, sizeof(bytes));

        registry_fault_write(&faults->list[i], &words);
        apply_noun_refuse(noun, members[registry_problem_field(faults->list[i].problem)], "%.*s",
                          STR_ARGS(buffer_str(&words)));
    }
}

/* What a check answered, as this file's functions answer. */
static enum rc judged(struct apply_noun *noun, enum rc rc, const struct registry_faults *faults)
{
    if (rc != RC_REFUSED)
        return rc;
    refuse_faults(noun, faults);
    return RC_OK;
}

/* ---- services -------------------------------------------------------------------------------- */

enum rc apply_read_service(struct apply_noun *noun, const struct service *before,
                           struct service *out_service)
{
    static const struct str names[] = {
        { "id", 2 },       { "name", 4 },
        { "scope", 5 },    { "format", 6 },
        { "alg", 3 },      { "lifetime", 8 },
        { "secret", 6 },   { "allow-password", 14 },
        { "disabled", 8 }, { "expires-in-as-string", 20 },
        { NULL, 0 },
    };
    struct service service = { .created_at = clock_now_s() };
    struct registry_faults faults;
    enum rc rc;

    if (before != NULL)
        service = *before;
    check_members(noun, names);
    service.service_id = noun->id;
    service.name = take_text(noun, STR("name"), noun->id);
    service.scope = take_words(noun, STR("scope"));
    if (token_format_parse(take_text(noun, STR("format"), STR("opaque")), &service.format) != RC_OK)
        apply_noun_refuse(noun, STR("format"), "must be opaque or jwt");
    if (signing_alg_parse(take_text(noun, STR("alg"), STR("ES256")), &service.alg) != RC_OK)
        apply_noun_refuse(noun, STR("alg"), "must be ES256, EdDSA or RS256");
    service.lifetime_s = take_number(noun, STR("lifetime"), SERVICE_LIFETIME_S_DEFAULT);
    service.allows_password = take_flag(noun, STR("allow-password"), false);
    service.expires_in_as_string = take_flag(noun, STR("expires-in-as-string"), false);
    service.is_disabled = take_disabled(noun, service.is_disabled);
    take_secret(noun, STR("secret"));
    rc = registry_check_service(noun->context->catalog, noun->context->arena, &service, &faults);
    rc = judged(noun, rc, &faults);
    if (rc == RC_OK)
        *out_service = service;
    return rc;
}

/* ---- clients --------------------------------------------------------------------------------- */

/* Options of `client add` that are members of RFC 7591 by another name. */
static const struct {
    struct str option;
    struct str member;
    bool is_list; /* one text will do for a list of one */
} aliases[] = {
    { { "name", 4 }, { "client_name", 11 }, false },
    { { "grant", 5 }, { "grant_types", 11 }, true },
    { { "redirect-uri", 12 }, { "redirect_uris", 13 }, true },
    { { "auth-method", 11 }, { "token_endpoint_auth_method", 26 }, false },
    { { "jwks-uri", 8 }, { "jwks_uri", 8 }, false },
    { { "tls-subject", 11 }, { "tls_client_auth_subject_dn", 26 }, false },
    { { "post-logout-uri", 15 }, { "post_logout_redirect_uris", 25 }, true },
    { { "back-channel-logout-uri", 23 }, { "backchannel_logout_uri", 22 }, false },
    { { "id-token-alg", 12 }, { "id_token_signed_response_alg", 28 }, false },
    { { "trusted", 7 }, { "jeton_trusted", 13 }, false },
    { { "require-pushed", 14 }, { "require_pushed_authorization_requests", 37 }, false },
    { { "require-signed", 14 }, { "require_signed_request_object", 29 }, false },
    { { "bind-dpop", 9 }, { "dpop_bound_access_tokens", 24 }, false },
    { { "bind-tls", 8 }, { "tls_client_certificate_bound_access_tokens", 42 }, false },
};

enum { ALIAS_COUNT = sizeof(aliases) / sizeof(aliases[0]) };

/* Members that are read here; "scope" is, too. */
static const struct str own_names[] = {
    { "id", 2 },
    { "public", 6 },
    { "no-secret", 9 },
    { "secret", 6 },
    { "scope", 5 },
    { "service", 7 },
    { "pairwise", 8 },
    { "disabled", 8 },
    { "refresh-lifetime", 16 },
    { "refresh-idle-lifetime", 21 },
    { YAML_LINES, sizeof(YAML_LINES) - 1 },
};

enum { OWN_COUNT = sizeof(own_names) / sizeof(own_names[0]) };

static bool is_own(struct str name)
{
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (str_equal(own_names[i], name))
            return true;
    return false;
}

/* The member that a key of the file stands for; itself, mostly. */
static struct str member_of(struct str name, bool *out_is_list)
{
    *out_is_list = false;
    for (size_t i = 0; i < ALIAS_COUNT; i++) {
        if (!str_equal(aliases[i].option, name))
            continue;
        *out_is_list = aliases[i].is_list;
        return aliases[i].member;
    }
    return name;
}

/* The key that stands for a member, for messages. */
static struct str key_of(const struct apply_noun *noun, struct str member)
{
    for (size_t i = 0; i < ALIAS_COUNT; i++)
        if (str_equal(aliases[i].member, member) &&
            json_find(noun->object, aliases[i].option) != NULL)
            return aliases[i].option;
    return member;
}

/* "client_secret" is a word of ours, and what a client has that names no method. */
static bool is_our_word(struct str name, const struct json_value *value)
{
    struct str text;

    return str_equal(name, STR("auth-method")) && json_get_string(value, &text) == RC_OK &&
           str_equal(text, STR("client_secret"));
}

static void write_member(struct apply_noun *noun, struct str name, const struct json_value *value,
                         struct json_out *json)
{
    bool is_list;
    struct str member = member_of(name, &is_list);
    struct str text = json_format(value, noun->context->arena);

    if (str_equal(member, name) && !client_metadata_knows(name)) {
        apply_noun_refuse(noun, name, "unknown key");
        return;
    }
    if (!str_equal(member, name) && json_find(noun->object, member) != NULL) {
        apply_noun_refuse(noun, name, "stands twice, as %.*s as well", STR_ARGS(member));
        return;
    }
    json_name(json, member);
    if (is_list && json_is_string(value))
        text = arena_format(noun->context->arena, "[%.*s]", STR_ARGS(text));
    json_raw(json, text);
}

static struct str write_metadata(struct apply_noun *noun, const struct client *client)
{
    struct buffer text =
        buffer_over(arena_alloc(noun->context->arena, METADATA_BYTES_MAX), METADATA_BYTES_MAX);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    for (size_t i = 0; i < json_count(noun->object); i++) {
        struct str name;
        const struct json_value *value = json_member(noun->object, i, &name);

        if (!is_own(name) && !is_our_word(name, value))
            write_member(noun, name, value, &json);
    }
    if (take_flag(noun, STR("pairwise"), false))
        json_member_string(&json, STR("subject_type"), STR("pairwise"));
    /* As `client add`: a client that names no grant is for itself. */
    if (client->type == CLIENT_CONFIDENTIAL && json_find(noun->object, STR("grant")) == NULL &&
        json_find(noun->object, STR("grant_types")) == NULL) {
        json_name(&json, STR("grant_types"));
        json_raw(&json, STR("[\"client_credentials\"]"));
    }
    json_end_object(&json);
    if (text.overflow)
        apply_noun_refuse(noun, STR(""), "there is too much of it");
    return text.overflow ? STR("{}") : buffer_str(&text);
}

static enum rc apply_metadata(struct apply_noun *noun, struct client *client)
{
    struct metadata_problem problem;
    struct str metadata = write_metadata(noun, client);
    enum rc rc;

    if (noun->is_bad)
        return RC_OK;
    rc = client_metadata_apply(metadata, true, noun->context->arena, client, &problem);
    if (rc != RC_REFUSED)
        return rc;
    apply_noun_refuse(noun, key_of(noun, problem.member), "%.*s", STR_ARGS(problem.sentence));
    return RC_OK;
}

/* Services that the same file makes are not there yet when it is looked through. */
static struct str leave_out_planned(struct apply_noun *noun, struct str service_ids)
{
    size_t room = service_ids.len + 1;
    struct buffer left = buffer_over(arena_alloc(noun->context->arena, room), room);
    struct str word;

    while (str_next_word(&service_ids, &word)) {
        bool is_planned = false;

        for (size_t i = 0; !is_planned && i < json_count(noun->planned); i++) {
            struct str id;

            is_planned =
                json_get_string(json_find(json_item(noun->planned, i), STR("id")), &id) == RC_OK &&
                str_equal(id, word);
        }
        if (is_planned)
            continue;
        if (left.len > 0)
            buffer_append_byte(&left, ' ');
        buffer_append_str(&left, word);
    }
    return buffer_str(&left);
}

static enum rc check_client(struct apply_noun *noun, struct client *client)
{
    struct str service_ids = client->service_ids;
    struct registry_faults faults;
    enum rc rc;

    if (noun->planned != NULL)
        client->service_ids = leave_out_planned(noun, service_ids);
    rc = registry_check_client(noun->context->catalog, noun->context->arena, client, &faults);
    if (noun->planned != NULL)
        client->service_ids = service_ids;
    return judged(noun, rc, &faults);
}

static void check_secret(struct apply_noun *noun, struct client *client, bool is_new)
{
    if (!client_has_secret(client)) {
        if (noun->secret.len > 0)
            apply_noun_refuse(noun, STR("secret"), "this client authenticates without one");
        client->secret_hash = STR("");
        client->previous_secret_hash = STR("");
        client->previous_secret_until = 0;
    } else if ((is_new || client->secret_hash.len == 0) && noun->secret.len == 0) {
        apply_noun_refuse(noun, STR(""),
                          "secret is missing: { file: PATH } or { env: NAME }; or name another "
                          "auth-method, or public");
    }
}

/* A new client with what has no place in a file. */
static struct client begin_client(const struct apply_noun *noun, const struct client *before)
{
    struct client client = { .client_id = noun->id, .created_at = clock_now_s() };

    if (before == NULL)
        return client;
    client.id = before->id;
    client.created_at = before->created_at;
    client.secret_hash = before->secret_hash;
    client.previous_secret_hash = before->previous_secret_hash;
    client.previous_secret_until = before->previous_secret_until;
    client.registration_digest = before->registration_digest;
    client.policy = before->policy & CLIENT_IS_REGISTERED;
    return client;
}

enum rc apply_read_client(struct apply_noun *noun, const struct client *before,
                          struct client *out_client)
{
    struct client client = begin_client(noun, before);
    bool is_public = take_flag(noun, STR("public"), false);
    bool has_no_secret = take_flag(noun, STR("no-secret"), false);
    enum rc rc;

    if (registry_is_built_in(&client))
        apply_noun_refuse(noun, STR("id"), "this client is built in");
    if (before != NULL && (before->policy & CLIENT_IS_DOCUMENT) != 0)
        apply_noun_refuse(noun, STR("id"), "this client describes itself, by a document");
    if (is_public && has_no_secret)
        apply_noun_refuse(noun, STR("no-secret"), "public and no-secret exclude each other");
    client.type =
        is_public ? CLIENT_PUBLIC : (has_no_secret ? CLIENT_EMPTY_SECRET : CLIENT_CONFIDENTIAL);
    client.name = noun->id;
    client.scope = take_words(noun, STR("scope"));
    client.service_ids = take_words(noun, STR("service"));
    client.refresh_lifetime_s =
        take_number(noun, STR("refresh-lifetime"), REFRESH_LIFETIME_S_DEFAULT);
    client.refresh_idle_lifetime_s =
        take_number(noun, STR("refresh-idle-lifetime"), REFRESH_IDLE_LIFETIME_S_DEFAULT);
    client.is_disabled = take_disabled(noun, before != NULL && before->is_disabled);
    take_secret(noun, STR("secret"));
    rc = apply_metadata(noun, &client);
    if (rc == RC_OK && !noun->is_bad)
        rc = check_client(noun, &client);
    if (rc == RC_OK && !noun->is_bad)
        check_secret(noun, &client, before == NULL);
    if (rc == RC_OK)
        *out_client = client;
    return rc;
}

/* ---- accounts -------------------------------------------------------------------------------- */

enum rc apply_read_account(struct apply_noun *noun, const struct account *before,
                           struct account *out_account)
{
    static const struct str names[] = {
        { "name", 4 },     { "full-name", 9 }, { "email", 5 }, { "admin", 5 },
        { "disabled", 8 }, { "password", 8 },  { NULL, 0 },
    };
    char bytes[256];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    struct account account = { .name = noun->id, .created_at = clock_now_s() };

    if (before != NULL)
        account = *before;
    check_members(noun, names);
    account.full_name = take_text(noun, STR("full-name"), STR(""));
    account.email = take_text(noun, STR("email"), STR(""));
    account.is_admin = take_flag(noun, STR("admin"), false);
    account.is_disabled = take_disabled(noun, account.is_disabled);
    take_secret(noun, STR("password"));
    if (account_name_check(noun->id, &error) != RC_OK)
        apply_noun_refuse(noun, STR("name"), "%.*s", STR_ARGS(buffer_str(&error)));
    error.len = 0;
    if (change_text_check(account.full_name, ACCOUNT_FULL_NAME_BYTES_MAX, &error) != RC_OK)
        apply_noun_refuse(noun, STR("full-name"), "%.*s", STR_ARGS(buffer_str(&error)));
    error.len = 0;
    if (change_email_check(account.email, &error) != RC_OK)
        apply_noun_refuse(noun, STR("email"), "%.*s", STR_ARGS(buffer_str(&error)));
    *out_account = account;
    return RC_OK;
}

/* ---- showing --------------------------------------------------------------------------------- */

static struct buffer begin_state(struct arena *arena)
{
    return buffer_over(arena_alloc(arena, APPLY_STATE_BYTES_MAX), APPLY_STATE_BYTES_MAX);
}

struct str apply_show_service(struct arena *arena, const struct service *service)
{
    struct buffer text = begin_state(arena);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_string(&json, STR("name"), service->name);
    json_member_string(&json, STR("scope"), service->scope);
    json_member_string(&json, STR("format"), token_format_format(service->format));
    json_member_string(&json, STR("alg"), signing_alg_format(service->alg));
    json_member_number(&json, STR("lifetime"), service->lifetime_s);
    json_member_bool(&json, STR("allow-password"), service->allows_password);
    json_member_bool(&json, STR("expires-in-as-string"), service->expires_in_as_string);
    json_member_bool(&json, STR("disabled"), service->is_disabled);
    json_end_object(&json);
    return buffer_str(&text);
}

struct str apply_show_client(struct arena *arena, const struct client *client)
{
    struct buffer text = begin_state(arena);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_bool(&json, STR("public"), client->type == CLIENT_PUBLIC);
    json_member_bool(&json, STR("no-secret"), client->type == CLIENT_EMPTY_SECRET);
    json_member_string(&json, STR("auth-method"), client_auth_method_format(client->auth_method));
    json_member_words(&json, STR("service"), client->service_ids);
    json_member_number(&json, STR("refresh-lifetime"), client->refresh_lifetime_s);
    json_member_number(&json, STR("refresh-idle-lifetime"), client->refresh_idle_lifetime_s);
    json_member_bool(&json, STR("disabled"), client->is_disabled);
    if (client_metadata_format(client, arena, &json) != RC_OK)
        json_member_bool(&json, STR("metadata"), false); /* unreadable: anything differs from it */
    json_end_object(&json);
    return buffer_str(&text);
}

struct str apply_show_account(struct arena *arena, const struct account *account)
{
    struct buffer text = begin_state(arena);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_string(&json, STR("full-name"), account->full_name);
    json_member_string(&json, STR("email"), account->email);
    json_member_bool(&json, STR("admin"), account->is_admin);
    json_member_bool(&json, STR("disabled"), account->is_disabled);
    json_end_object(&json);
    return buffer_str(&text);
}
