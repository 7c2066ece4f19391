#include "oauth/registry_check.h"

#include "codec/uri.h"
#include "oauth/oauth.h"
#include "oauth/scope.h"

static const struct {
    enum registry_field field;
    const char *words;
} problems[REGISTRY_PROBLEM_COUNT] = {
#define REGISTRY_PROBLEM(name, its_field, its_words)                                               \
    [REGISTRY_##name] = { .field = its_field, .words = its_words },
#include "oauth/registry.def"
#undef REGISTRY_PROBLEM
};

enum registry_field registry_problem_field(enum registry_problem problem)
{
    return problems[problem].field;
}

void registry_fault_write(const struct registry_fault *fault, struct buffer *to)
{
    const struct str value = STR("{value}");
    const struct str number = STR("{number}");

    for (struct str rest = str_of(problems[fault->problem].words); rest.len > 0;) {
        if (str_starts_with(rest, value)) {
            buffer_append_str(to, fault->value);
            rest = str_from(rest, value.len);
        } else if (str_starts_with(rest, number)) {
            buffer_append_u64(to, (uint64_t)fault->number);
            rest = str_from(rest, number.len);
        } else {
            buffer_append_byte(to, rest.at[0]);
            rest = str_from(rest, 1);
        }
    }
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* One thing at a time for each field. */
static void add(struct registry_faults *faults, struct registry_fault fault)
{
    for (size_t i = 0; i < faults->count; i++)
        if (problems[faults->list[i].problem].field == problems[fault.problem].field)
            return;
    faults->list[faults->count++] = fault;
}

static void add_problem(struct registry_faults *faults, enum registry_problem problem)
{
    add(faults, (struct registry_fault){ .problem = problem });
}

static void add_bound(struct registry_faults *faults, enum registry_problem problem, int64_t bound)
{
    add(faults, (struct registry_fault){ .problem = problem, .number = bound });
}

static void add_value(struct registry_faults *faults, enum registry_problem problem,
                      struct str value)
{
    add(faults, (struct registry_fault){ .problem = problem, .value = value });
}

/* ---- words ----------------------------------------------------------------------------------- */

static void check_id(struct str id, bool may_hold_colon, struct registry_faults *faults)
{
    if (id.len == 0 || id.len > CLIENT_ID_BYTES_MAX) {
        add_problem(faults, REGISTRY_ID_LENGTH);
        return;
    }
    for (size_t i = 0; i < id.len; i++) {
        unsigned char byte = (unsigned char)id.at[i];

        /* RFC 6749 A.1 allows all of VSCHAR; a space would part an audience's words, the others a
         * header's. */
        if (byte <= 0x20 || byte > 0x7e || byte == '"' || byte == '\\' || byte == ',')
            add_problem(faults, REGISTRY_ID_MALFORMED);
        else if (byte == ':' && !may_hold_colon) /* RFC 7617 2 */
            add_problem(faults, REGISTRY_ID_COLON);
    }
}

static struct str check_name(struct str name, struct str fallback, struct registry_faults *faults)
{
    if (name.len == 0)
        return fallback;
    if (name.len > SERVICE_NAME_BYTES_MAX)
        add_bound(faults, REGISTRY_NAME_TOO_LONG, SERVICE_NAME_BYTES_MAX);
    else if (!str_is_utf8(name) || str_has_control(name))
        add_problem(faults, REGISTRY_NAME_MALFORMED);
    return name;
}

/* Words with single spaces between them, in the arena. */
static struct str check_scope(struct str text, struct arena *arena, struct registry_faults *faults)
{
    struct buffer scope;
    struct str word;
    size_t count = 0;

    if (text.len > SCOPE_BYTES_MAX) {
        add_bound(faults, REGISTRY_SCOPE_TOO_LONG, SCOPE_BYTES_MAX);
        return STR("");
    }
    scope = buffer_over(arena_alloc(arena, SCOPE_BYTES_MAX), SCOPE_BYTES_MAX);
    while (str_next_word(&text, &word)) {
        if (!scope_is_sound(word))
            add_problem(faults, REGISTRY_SCOPE_MALFORMED);
        else if (str_starts_with(word, STR(SCOPE_SERVICE_PREFIX)))
            add_problem(faults, REGISTRY_SCOPE_RESERVED);
        else if (str_has_word(buffer_str(&scope), word))
            add_value(faults, REGISTRY_SCOPE_TWICE, word);
        else if (++count > SCOPE_WORD_COUNT_MAX)
            add_bound(faults, REGISTRY_SCOPE_TOO_MANY, SCOPE_WORD_COUNT_MAX);
        if (scope.len > 0)
            buffer_append_byte(&scope, ' ');
        buffer_append_str(&scope, word);
    }
    ASSERT(!scope.overflow);
    return buffer_str(&scope);
}

/* ---- services -------------------------------------------------------------------------------- */

/* A scope word belongs to at most one service. */
static enum rc check_owners(struct catalog *catalog, const struct service *service,
                            struct registry_faults *faults)
{
    struct catalog_service *owner;
    struct str rest = service->scope;
    struct str word;

    while (str_next_word(&rest, &word)) {
        enum rc rc = catalog_find_owner(catalog, word, true, &owner);

        if (rc == RC_NOT_FOUND)
            continue;
        if (rc != RC_OK)
            return rc;
        if (owner->service.id != service->id)
            add_value(faults, REGISTRY_SCOPE_OWNED, word);
        catalog_service_put(owner);
    }
    return RC_OK;
}

enum rc registry_check_service(struct catalog *catalog, struct arena *arena,
                               struct service *service, struct registry_faults *out_faults)
{
    enum rc rc;

    out_faults->count = 0;
    if (service->id == 0)
        check_id(service->service_id, true, out_faults);
    service->name = check_name(service->name, service->service_id, out_faults);
    service->scope = check_scope(service->scope, arena, out_faults);
    if (service->lifetime_s < 1 || service->lifetime_s > SERVICE_LIFETIME_S_MAX)
        add_bound(out_faults, REGISTRY_LIFETIME_RANGE, SERVICE_LIFETIME_S_MAX);
    rc = check_owners(catalog, service, out_faults);
    if (rc != RC_OK)
        return rc;
    return out_faults->count == 0 ? RC_OK : RC_REFUSED;
}

/* ---- clients --------------------------------------------------------------------------------- */

bool registry_is_built_in(const struct client *client)
{
    return str_equal(client->client_id, STR(OAUTH_PUBLIC_CLIENT_ID)) ||
           str_equal(client->client_id, STR(OAUTH_SPECTRUM_CLIENT_ID));
}

static void check_grants(const struct client *client, struct registry_faults *faults)
{
    const unsigned credentials = 1u << GRANT_TYPE_CLIENT_CREDENTIALS;

    if (client->grant_types == 0)
        add_problem(faults, REGISTRY_GRANTS_MISSING);
    /* RFC 6749 4.4: confidential clients only. An empty secret proves nothing either. */
    else if (client->type != CLIENT_CONFIDENTIAL && (client->grant_types & credentials) != 0)
        add_problem(faults, REGISTRY_GRANTS_NEED_SECRET);
    else if (client->grant_types == 1u << GRANT_TYPE_REFRESH_TOKEN)
        add_problem(faults, REGISTRY_GRANTS_REFRESH_ALONE);
}

static enum rc check_services(struct catalog *catalog, struct arena *arena, struct client *client,
                              struct registry_faults *faults)
{
    struct buffer ids =
        buffer_over(arena_alloc(arena, CLIENT_SERVICES_BYTES_MAX), CLIENT_SERVICES_BYTES_MAX);
    struct str rest = client->service_ids;
    struct str word;

    while (str_next_word(&rest, &word) && !ids.overflow) {
        struct catalog_service *entry;
        enum rc rc;

        if (str_has_word(buffer_str(&ids), word))
            continue;
        rc = catalog_find_service(catalog, word, true, &entry);
        if (rc == RC_NOT_FOUND) {
            add_value(faults, REGISTRY_SERVICES_UNKNOWN, word);
            continue;
        }
        if (rc != RC_OK)
            return rc;
        catalog_service_put(entry);
        if (ids.len > 0)
            buffer_append_byte(&ids, ' ');
        buffer_append_str(&ids, word);
    }
    if (ids.overflow)
        add_problem(faults, REGISTRY_SERVICES_TOO_LONG);
    client->service_ids = buffer_str(&ids);
    return RC_OK;
}

static bool next_line(struct str *rest, struct str *out_line)
{
    while (rest->len > 0) {
        size_t len = str_index_of(*rest, '\n');
        struct str line = { rest->at, len };

        *rest = str_from(*rest, len < rest->len ? len + 1 : len);
        if (line.len > 0 && line.at[line.len - 1] == '\r') /* HTML 4.10.21.4: forms send both */
            line.len--;
        *out_line = str_trim(line);
        if (out_line->len > 0)
            return true;
    }
    return false;
}

static bool has_line(struct str lines, struct str line)
{
    struct str each;

    while (next_line(&lines, &each))
        if (str_equal(each, line))
            return true;
    return false;
}

static void check_redirect_uris(struct arena *arena, struct client *client,
                                struct registry_faults *faults)
{
    struct buffer uris =
        buffer_over(arena_alloc(arena, CLIENT_URIS_BYTES_MAX), CLIENT_URIS_BYTES_MAX);
    struct str rest = client->redirect_uris;
    struct str line;
    size_t count = 0;

    while (next_line(&rest, &line)) {
        if (has_line(buffer_str(&uris), line))
            continue;
        if (line.len > REDIRECT_URI_BYTES_MAX)
            add_bound(faults, REGISTRY_REDIRECT_TOO_LONG, REDIRECT_URI_BYTES_MAX);
        else if (redirect_uri_check(line) != RC_OK)
            add_value(faults, REGISTRY_REDIRECT_MALFORMED, line);
        else if (++count > REDIRECT_URI_COUNT_MAX)
            add_bound(faults, REGISTRY_REDIRECT_TOO_MANY, REDIRECT_URI_COUNT_MAX);
        else {
            if (uris.len > 0)
                buffer_append_byte(&uris, '\n');
            buffer_append_str(&uris, line);
        }
    }
    ASSERT(!uris.overflow);
    client->redirect_uris = buffer_str(&uris);
}

static void check_lifetimes(struct client *client, struct registry_faults *faults)
{
    if (client->refresh_lifetime_s < REFRESH_LIFETIME_S_MIN ||
        client->refresh_lifetime_s > REFRESH_LIFETIME_S_MAX)
        add_bound(faults, REGISTRY_REFRESH_RANGE, REFRESH_LIFETIME_S_MAX);
    if (client->refresh_idle_lifetime_s < REFRESH_LIFETIME_S_MIN ||
        client->refresh_idle_lifetime_s > REFRESH_LIFETIME_S_MAX)
        add_bound(faults, REGISTRY_REFRESH_IDLE_RANGE, REFRESH_LIFETIME_S_MAX);
    if (client->refresh_idle_lifetime_s > client->refresh_lifetime_s)
        client->refresh_idle_lifetime_s = client->refresh_lifetime_s;
}

enum rc registry_check_client(struct catalog *catalog, struct arena *arena, struct client *client,
                              struct registry_faults *out_faults)
{
    enum rc rc;

    out_faults->count = 0;
    if (client->id == 0)
        check_id(client->client_id, false, out_faults);
    client->name = check_name(client->name, client->client_id, out_faults);
    client->scope = check_scope(client->scope, arena, out_faults);
    if (registry_is_built_in(client)) {
        client->grant_types = 0; /* nobody gets a token by naming one of them */
    } else {
        check_grants(client, out_faults);
        check_lifetimes(client, out_faults);
    }
    check_redirect_uris(arena, client, out_faults);
    rc = check_services(catalog, arena, client, out_faults);
    if (rc != RC_OK)
        return rc;
    return out_faults->count == 0 ? RC_OK : RC_REFUSED;
}
