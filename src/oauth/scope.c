#include "oauth/scope.h"

static const struct str service_prefix = { SCOPE_SERVICE_PREFIX, sizeof(SCOPE_SERVICE_PREFIX) - 1 };

/* Which words may be granted. */
enum rule {
    RULE_CLIENT,        /* what the client is registered for */
    RULE_SERVICE,       /* services that allow passwords, as a whole */
    RULE_SERVICE_WORDS, /* and single words of theirs */
};

/* A permission as it grows, word by word. */
struct builder {
    struct oauth_call *call;
    const struct client *client; /* RULE_CLIENT */
    enum rule rule;
    bool has_person;      /* OpenID Connect's words may be granted */
    bool may_administer;  /* scope_demand */
    bool leaves_out;      /* likewise */
    struct str resources; /* services, by id: no other one is granted anything; empty: any */
    struct buffer scope;
    struct buffer audience;
    size_t word_count;
    size_t service_count;
    struct permission permission;
};

bool scope_contains(struct str whole, struct str part)
{
    struct str word;

    while (str_next_word(&part, &word))
        if (!str_has_word(whole, word))
            return false;
    return true;
}

/* RFC 6749 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
enum rc scope_list_offered(struct oauth_call *call, struct buffer *out_words)
{
    return catalog_list_scopes(call->oauth->catalog, call->may_block, out_words);
}

bool scope_is_sound(struct str scope)
{
    bool was_space = true;

    if (scope.len > SCOPE_BYTES_MAX)
        return false;
    for (size_t i = 0; i < scope.len; i++) {
        char c = scope.at[i];

        if (c == ' ' ? was_space : (c < 0x21 || c > 0x7e || c == '"' || c == '\\'))
            return false;
        was_space = c == ' ';
    }
    return scope.len == 0 || !was_space;
}

static enum rc refuse_scope(struct oauth_call *call, const char *description, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_SCOPE, description, why);
}

static enum rc refuse_word(struct oauth_call *call, struct str word, const char *why)
{
    enum rc rc = oauth_refuse_for(call, OAUTH_INVALID_SCOPE, REASON_SCOPE_UNKNOWN,
                                  "a requested scope is unknown or not permitted", why);

    call->refusal.word = word;
    return rc;
}

/* Adds a service to the audience; the shape becomes what suits all services of it. */
static void add_audience(struct builder *builder, const struct service *service)
{
    struct token_shape *shape = &builder->permission.shape;
    struct token_shape own = { .format = service->format,
                               .alg = service->alg,
                               .lifetime_s = service->lifetime_s };

    if (str_has_word(buffer_str(&builder->audience), service->service_id))
        return;
    if (builder->service_count++ > 0)
        buffer_append_byte(&builder->audience, ' ');
    buffer_append_str(&builder->audience, service->service_id);
    if (builder->service_count == 1) {
        *shape = own;
        builder->permission.expires_in_as_string = service->expires_in_as_string;
        return;
    }
    /* Several services that want different formats get what all can check: an opaque token. */
    if (shape->format != own.format || shape->alg != own.alg)
        shape->format = TOKEN_OPAQUE;
    if (own.lifetime_s < shape->lifetime_s)
        shape->lifetime_s = own.lifetime_s;
}

/* Whether a word of a service, or the service as a whole, may be granted. */
static bool is_permitted(const struct builder *builder, const struct service *service,
                         struct str word, bool is_whole)
{
    if (service->is_disabled)
        return false;
    if (builder->rule != RULE_CLIENT)
        return service->allows_password && (is_whole || builder->rule == RULE_SERVICE_WORDS);
    return str_has_word(builder->client->service_ids, service->service_id) ||
           (!is_whole && str_has_word(builder->client->scope, word));
}

static enum rc find_service_of_word(struct builder *builder, struct str word, bool is_whole,
                                    struct catalog_service **out_service)
{
    struct catalog *catalog = builder->call->oauth->catalog;

    if (is_whole)
        return catalog_find_service(catalog, str_from(word, service_prefix.len),
                                    builder->call->may_block, out_service);
    return catalog_find_owner(catalog, word, builder->call->may_block, out_service);
}

/* OpenID Connect Core 5.4, 11. */
static bool is_openid_word(struct str word)
{
    return str_has_word(STR("openid profile email address phone offline_access"), word);
}

bool scope_is_admin_word(struct str word)
{
    return str_equal(word, STR(SCOPE_ADMIN_WORD)) || str_equal(word, STR(SCOPE_ADMIN_READ_WORD));
}

/* out_is_kept   false: of a service that is not among the resources that were named */
static enum rc permit_word(struct builder *builder, struct str word, bool *out_is_kept)
{
    bool is_whole = str_starts_with(word, service_prefix);
    struct catalog_service *entry;
    bool is_allowed;
    enum rc rc = find_service_of_word(builder, word, is_whole, &entry);

    *out_is_kept = true;
    if (rc == RC_NOT_FOUND && !is_whole && builder->rule == RULE_CLIENT &&
        str_has_word(builder->client->scope, word) &&
        (builder->has_person || !is_openid_word(word)) &&
        (builder->may_administer || !scope_is_admin_word(word)))
        return RC_OK; /* nobody's word, registered for this client: the issuer's */
    if (rc == RC_NOT_FOUND)
        return refuse_word(builder->call, word,
                           is_whole ? "unknown service" : "unknown scope word");
    if (rc != RC_OK)
        return rc;
    is_allowed = is_permitted(builder, &entry->service, word, is_whole);
    *out_is_kept =
        builder->resources.len == 0 || str_has_word(builder->resources, entry->service.service_id);
    if (is_allowed && *out_is_kept)
        add_audience(builder, &entry->service);
    catalog_service_put(entry);
    if (!is_allowed)
        return refuse_word(builder->call, word, "scope not permitted");
    return RC_OK;
}

static enum rc permit_words(struct builder *builder, struct str words)
{
    struct str word;

    while (str_next_word(&words, &word)) {
        bool is_kept;
        enum rc rc;

        if (str_has_word(buffer_str(&builder->scope), word))
            continue;
        if (++builder->word_count > SCOPE_WORD_COUNT_MAX)
            return refuse_scope(builder->call, "too many scope values", NULL);
        rc = permit_word(builder, word, &is_kept);
        if (rc != RC_OK)
            return rc;
        if (!is_kept)
            continue;
        if (builder->scope.len > 0)
            buffer_append_byte(&builder->scope, ' ');
        buffer_append_str(&builder->scope, word);
    }
    return RC_OK;
}

static void append_word(struct buffer *words, struct str prefix, struct str word)
{
    if (words->len > 0)
        buffer_append_byte(words, ' ');
    buffer_append_str(words, prefix);
    buffer_append_str(words, word);
}

/* The client's own words, without those of services that are disabled. */
static enum rc append_own_words(struct builder *builder, struct buffer *words)
{
    struct oauth_call *call = builder->call;
    struct str rest = builder->client->scope;
    struct str word;

    while (str_next_word(&rest, &word)) {
        struct catalog_service *owner;
        bool is_disabled = false;
        enum rc rc = catalog_find_owner(call->oauth->catalog, word, call->may_block, &owner);

        if (rc == RC_OK) {
            is_disabled = owner->service.is_disabled;
            catalog_service_put(owner);
        } else if (rc != RC_NOT_FOUND) {
            return rc;
        }
        if (!is_disabled && (builder->has_person || !is_openid_word(word)) &&
            !scope_is_admin_word(word))
            append_word(words, STR(""), word);
    }
    return RC_OK;
}

/* The words of its services; a service that has none is asked for as a whole, one that is disabled
 * or gone grants nothing. */
static enum rc append_service_words(struct builder *builder, struct buffer *words)
{
    struct oauth_call *call = builder->call;
    struct str services = builder->client->service_ids;
    struct str service_id;

    while (str_next_word(&services, &service_id)) {
        struct catalog_service *entry;
        enum rc rc =
            catalog_find_service(call->oauth->catalog, service_id, call->may_block, &entry);

        if (rc == RC_NOT_FOUND)
            continue;
        if (rc != RC_OK)
            return rc;
        if (!entry->service.is_disabled && entry->service.scope.len > 0)
            append_word(words, STR(""), entry->service.scope);
        else if (!entry->service.is_disabled)
            append_word(words, service_prefix, service_id);
        catalog_service_put(entry);
    }
    return RC_OK;
}

/* What a client is registered for. */
static enum rc default_scope(struct builder *builder, struct str *out_scope)
{
    struct buffer words =
        buffer_over(arena_alloc(builder->call->arena, 2 * SCOPE_BYTES_MAX), 2 * SCOPE_BYTES_MAX);
    enum rc rc = append_own_words(builder, &words);

    if (rc == RC_OK)
        rc = append_service_words(builder, &words);
    if (rc != RC_OK)
        return rc;
    if (words.overflow || words.len > SCOPE_BYTES_MAX)
        return refuse_scope(builder->call, "the client's whole scope is too long: ask for a part",
                            NULL);
    *out_scope = buffer_str(&words);
    return RC_OK;
}

/* ---- resource indicators (RFC 8707) ---------------------------------------------------------- */

static enum rc refuse_target(struct oauth_call *call, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_TARGET,
                        "a resource is unknown, malformed or not for this client", why);
}

/* The service that a resource indicator names: as it is, or without what makes a URI of it. */
static enum rc find_resource(struct oauth_call *call, struct str resource,
                             struct catalog_service **out_service)
{
    const struct str scheme = STR("https://");
    enum rc rc = catalog_find_service(call->oauth->catalog, resource, call->may_block, out_service);

    if (rc != RC_NOT_FOUND || !str_starts_with(resource, scheme))
        return rc;
    resource = str_from(resource, scheme.len);
    if (str_ends_with(resource, STR("/")))
        resource.len--;
    return catalog_find_service(call->oauth->catalog, resource, call->may_block, out_service);
}

/* The ids of the services that were named, each once. */
static enum rc resolve_resources(struct oauth_call *call, struct str resources,
                                 struct str *out_service_ids)
{
    struct buffer ids = buffer_over(arena_alloc(call->arena, SCOPE_BYTES_MAX), SCOPE_BYTES_MAX);
    struct str resource;

    while (str_next_word(&resources, &resource)) {
        struct catalog_service *entry;
        enum rc rc = find_resource(call, resource, &entry);

        if (rc == RC_NOT_FOUND)
            return refuse_target(call, "unknown resource");
        if (rc != RC_OK)
            return rc;
        if (!str_has_word(buffer_str(&ids), entry->service.service_id))
            append_word(&ids, STR(""), entry->service.service_id);
        catalog_service_put(entry);
    }
    if (ids.overflow)
        return refuse_target(call, "too many resources");
    *out_service_ids = buffer_str(&ids);
    return RC_OK;
}

enum rc scope_check_resources(struct oauth_call *call, struct str audience, struct str resources)
{
    struct str service_ids;
    enum rc rc = resolve_resources(call, resources, &service_ids);

    if (rc == RC_OK && !scope_contains(audience, service_ids))
        rc = refuse_target(call, "resource not granted");
    return rc;
}

/* A service that was named and of which no word was granted: it is for clients that may have it as
 * a whole. */
static enum rc permit_resources(struct builder *builder)
{
    struct oauth_call *call = builder->call;
    struct str rest = builder->resources;
    struct str service_id;

    while (str_next_word(&rest, &service_id)) {
        struct catalog_service *entry;
        bool is_allowed;
        enum rc rc =
            catalog_find_service(call->oauth->catalog, service_id, call->may_block, &entry);

        if (rc == RC_NOT_FOUND)
            return refuse_target(call, "resource gone");
        if (rc != RC_OK)
            return rc;
        is_allowed = str_has_word(buffer_str(&builder->audience), service_id) ||
                     is_permitted(builder, &entry->service, service_id, true);
        if (is_allowed)
            add_audience(builder, &entry->service);
        catalog_service_put(entry);
        if (!is_allowed && !builder->leaves_out)
            return refuse_target(call, "resource not permitted");
    }
    return RC_OK;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* A builder of what the words ask for. */
static struct builder builder_of(struct oauth_call *call, enum rule rule,
                                 const struct client *client)
{
    return (struct builder){
        .call = call,
        .client = client,
        .rule = rule,
        .scope = buffer_over(arena_alloc(call->arena, SCOPE_BYTES_MAX), SCOPE_BYTES_MAX),
        .audience = buffer_over(arena_alloc(call->arena, SCOPE_BYTES_MAX), SCOPE_BYTES_MAX),
        .permission = { .shape = { .format = TOKEN_OPAQUE,
                                   .alg = ALG_ES256,
                                   .lifetime_s = OAUTH_LIFETIME_DEFAULT_S } },
    };
}

static enum rc build(struct builder *builder, struct str words, struct permission *out_permission)
{
    enum rc rc;

    if (!scope_is_sound(words))
        return refuse_scope(builder->call, "the scope is malformed", NULL);
    if (builder->rule != RULE_CLIENT && words.len == 0)
        return refuse_scope(builder->call, "scope is missing: service_id=SERVICE", NULL);
    rc = permit_words(builder, words);
    if (rc == RC_OK)
        rc = permit_resources(builder);
    if (rc == RC_OK && (builder->scope.overflow || builder->audience.overflow))
        rc = refuse_scope(builder->call, "too many services in one scope", NULL);
    if (rc != RC_OK)
        return rc;
    builder->permission.scope = buffer_str(&builder->scope);
    builder->permission.audience = buffer_str(&builder->audience);
    *out_permission = builder->permission;
    return RC_OK;
}

enum rc scope_permit(struct oauth_call *call, const struct client *client, bool by_service,
                     const struct str *requested, struct permission *out_permission)
{
    struct builder builder = builder_of(call, by_service ? RULE_SERVICE : RULE_CLIENT, client);
    struct str words = STR("");
    enum rc rc = RC_OK;

    if (requested != NULL)
        words = *requested;
    else if (!by_service)
        rc = default_scope(&builder, &words);
    return rc == RC_OK ? build(&builder, words, out_permission) : rc;
}

enum rc scope_permit_demand(struct oauth_call *call, const struct client *client,
                            const struct scope_demand *demand, struct permission *out_permission)
{
    struct builder builder = builder_of(call, RULE_CLIENT, client);
    struct str words = STR("");
    enum rc rc = RC_OK;

    builder.has_person = demand->has_person;
    builder.may_administer = demand->may_administer;
    builder.leaves_out = demand->leaves_out;
    if (demand->resources.len > 0)
        rc = resolve_resources(call, demand->resources, &builder.resources);
    if (rc == RC_OK && demand->scope != NULL)
        words = *demand->scope;
    else if (rc == RC_OK)
        rc = default_scope(&builder, &words);
    return rc == RC_OK ? build(&builder, words, out_permission) : rc;
}

enum rc scope_permit_owner(struct oauth_call *call, struct str requested,
                           struct permission *out_permission)
{
    struct builder builder = builder_of(call, RULE_SERVICE_WORDS, NULL);

    return build(&builder, requested, out_permission);
}

static size_t count_words(struct str words)
{
    struct str word;
    size_t count = 0;

    while (str_next_word(&words, &word))
        count++;
    return count;
}

enum rc scope_permit_all(struct oauth_call *call, const struct client *client,
                         struct permission *out_permission)
{
    struct buffer words;
    struct str list;
    enum rc rc;

    if (client->scope.len > 0 || client->service_ids.len > 0)
        return scope_permit(call, client, false, NULL, out_permission);
    words = buffer_over(arena_alloc(call->arena, SCOPE_BYTES_MAX), SCOPE_BYTES_MAX);
    rc = catalog_list_password_services(call->oauth->catalog, call->may_block, &words);
    if (rc != RC_OK)
        return rc;
    list = buffer_str(&words);
    if (words.overflow || count_words(list) > SCOPE_WORD_COUNT_MAX)
        return refuse_scope(call, "too many services in one scope",
                            "too many services allow passwords: register the client for some");
    return scope_permit(call, client, list.len > 0, &list, out_permission);
}

enum rc scope_permit_allowed(struct oauth_call *call, const struct client *client,
                             const struct scope_allowed *allowed, struct permission *out_whole,
                             struct permission *out_access)
{
    struct scope_demand demand = { .scope = &allowed->scope,
                                   .resources = allowed->audience,
                                   .has_person = true };
    enum rc rc = scope_permit_demand(call, client, &demand, out_whole);

    if (rc == RC_REFUSED || (rc == RC_OK && (!str_equal(out_whole->scope, allowed->scope) ||
                                             !str_equal(out_whole->audience, allowed->audience))))
        return RC_NOT_FOUND;
    if (rc == RC_OK && allowed->resources.len == 0)
        *out_access = *out_whole;
    if (rc != RC_OK || allowed->resources.len == 0)
        return rc;
    rc = scope_check_resources(call, out_whole->audience, allowed->resources);
    demand.resources = allowed->resources;
    return rc == RC_OK ? scope_permit_demand(call, client, &demand, out_access) : rc;
}

/* ---- for people and programs that look --------------------------------------------------------
 */

enum rc scope_name_owner(struct oauth_call *call, struct str word, struct str *out_name)
{
    struct catalog_service *entry;
    struct str name;
    enum rc rc = catalog_find_owner(call->oauth->catalog, word, call->may_block, &entry);

    if (rc == RC_NOT_FOUND) {
        *out_name = STR("");
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    name = entry->service.name.len > 0 ? entry->service.name : entry->service.service_id;
    *out_name = arena_copy(call->arena, name);
    catalog_service_put(entry);
    return RC_OK;
}

enum rc scope_find_service(struct oauth_call *call, struct str service_id,
                           struct service *out_service)
{
    struct catalog_service *entry;
    enum rc rc = catalog_find_service(call->oauth->catalog, service_id, call->may_block, &entry);

    if (rc != RC_OK)
        return rc;
    if (entry->service.is_disabled) {
        rc = RC_NOT_FOUND;
    } else {
        *out_service = entry->service;
        out_service->service_id = arena_copy(call->arena, entry->service.service_id);
        out_service->name = arena_copy(call->arena, entry->service.name);
        out_service->scope = arena_copy(call->arena, entry->service.scope);
        out_service->secret_hash = STR("");
    }
    catalog_service_put(entry);
    return rc;
}
