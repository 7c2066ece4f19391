#include "codec/uri.h"
#include "web/admin_acts.h"
#include "web/api_admin.h"

/* Services, by the administration API; and what clients share with them. */

enum rc api_refuse_faults(struct api_admin *api, const struct registry_faults *faults)
{
    static const char *const names[REGISTRY_FIELD_COUNT] = {
        [REGISTRY_ID] = "id",
        [REGISTRY_NAME] = "name",
        [REGISTRY_SCOPE] = "scopes",
        [REGISTRY_LIFETIME] = "lifetime_s",
        [REGISTRY_GRANTS] = "grant_types",
        [REGISTRY_SERVICES] = "services",
        [REGISTRY_REDIRECT_URIS] = "redirect_uris",
        [REGISTRY_REFRESH_LIFETIME] = "refresh_lifetime_s",
        [REGISTRY_REFRESH_IDLE_LIFETIME] = "refresh_idle_lifetime_s",
    };
    const struct registry_fault *fault = &faults->list[0];
    char memory[512];
    struct buffer words = buffer_over(memory, sizeof(memory) - 1);

    registry_fault_write(fault, &words);
    memory[words.len] = '\0';
    api_answer_field(api->call, names[registry_problem_field(fault->problem)],
                     words.overflow ? STR("") : fault->value,
                     words.overflow ? "this is not good" : memory);
    return RC_OK;
}

enum rc api_refuse_taken(struct api_admin *api)
{
    const struct registry_faults faults = { .list = { { .problem = REGISTRY_ID_TAKEN } },
                                            .count = 1 };

    return api_refuse_faults(api, &faults);
}

struct str api_path_to(struct api_admin *api, const char *section, struct str id)
{
    struct buffer path = buffer_over(arena_alloc(&api->arena, 3 * id.len + 64), 3 * id.len + 64);

    buffer_append_format(&path, "/api/v1/admin/%s/", section);
    uri_encode(id, &path);
    return buffer_str(&path);
}

/* ---- services -------------------------------------------------------------------------------- */

#define FIELD(name, type, may, member)                                                             \
    {                                                                                              \
        name, type, may, offsetof(struct service, member)                                          \
    }

static const struct api_field service_rows[] = {
    FIELD("id", API_TEXT, API_MAKE, service_id),
    FIELD("name", API_TEXT, API_MAKE | API_CHANGE, name),
    FIELD("scopes", API_WORDS, API_MAKE | API_CHANGE, scope),
    FIELD("format", API_TOKEN_FORMAT, API_MAKE | API_CHANGE, format),
    FIELD("alg", API_ALG, API_MAKE | API_CHANGE, alg),
    FIELD("lifetime_s", API_NUMBER, API_MAKE | API_CHANGE, lifetime_s),
    FIELD("allow_password", API_FLAG, API_MAKE | API_CHANGE, allows_password),
    FIELD("expires_in_as_string", API_FLAG, API_MAKE | API_CHANGE, expires_in_as_string),
    FIELD("disabled", API_FLAG, API_CHANGE, is_disabled),
    FIELD("created_at", API_TIME, API_READ, created_at),
};
#undef FIELD

static const struct api_fields service_fields = { service_rows,
                                                  sizeof(service_rows) / sizeof(service_rows[0]),
                                                  { "with_secret", 11 } };

static enum rc format_service(struct api_admin *api, const void *noun, struct json_out *json)
{
    const struct service *service = noun;

    api_fields_format(&service_fields, service, json);
    json_member_bool(json, STR("has_secret"), service->secret_hash.len > 0);
    return api_member_owner(api, MANAGED_SERVICE, service->id, json);
}

static enum rc list_services(struct api_admin *api)
{
    struct service *found = arena_alloc(&api->arena, (API_ROW_COUNT_MAX + 1) * sizeof(*found));
    struct api_list page;
    size_t count;
    enum rc rc;

    if (!api_list_begin(api, "services", STR("q"), &page))
        return RC_OK;
    rc = registry_search_services(api->store, api_filter(api, STR("q")), page.before_id,
                                  &api->arena, found, page.limit + 1, &count);
    return rc == RC_OK ? api_list_answer(api, &page, format_service, found, sizeof(*found), count,
                                         offsetof(struct service, id))
                       : rc;
}

/* RC_NOT_FOUND: the answer is written. */
static enum rc find_service(struct api_admin *api, struct service *out_service)
{
    struct str text;
    enum rc rc = api_path_text(api, &text);

    if (rc == RC_OK)
        rc = registry_find_service_named(api->call->oauth.oauth, text, &api->arena, out_service);
    if (rc == RC_NOT_FOUND)
        (void)!api_answer_missing(api);
    return rc;
}

/* The service as it is now. */
static enum rc answer_service(struct api_admin *api, int status, int64_t id, struct str secret)
{
    struct service service;
    enum rc rc = registry_find_service(api->store, id, &api->arena, &service);

    return rc == RC_OK ? api_answer(api, status, format_service, &service, secret) : rc;
}

struct str api_make_secret(struct api_admin *api, struct str *out_hash)
{
    __attribute__((cleanup(secret_cleanup))) struct secret made = { 0 };
    char *hash = arena_alloc(&api->arena, PASSWORD_HASH_BYTES_MAX);

    registry_make_secret(api->call->oauth.oauth->secrets, &made, hash);
    *out_hash = str_of(hash);
    return arena_copy(&api->arena, (struct str){ (const char *)made.bytes, made.len });
}

static enum rc create_service(struct api_admin *api)
{
    struct service service = { .lifetime_s = SERVICE_LIFETIME_S_DEFAULT,
                               .created_at = api->admin.now };
    const struct json_value *wants = json_find(api->body, STR("with_secret"));
    struct registry_faults faults;
    struct str secret = STR("");
    bool with_secret = true;
    enum rc rc;

    if (!api_fields_read(api, &service_fields, API_MAKE, &service))
        return RC_OK;
    if (wants != NULL && json_get_bool(wants, &with_secret) != RC_OK) {
        api_answer_field(api->call, "with_secret", STR(""), "this has to be true or false");
        return RC_OK;
    }
    rc = registry_check_service(api->call->oauth.oauth->catalog, &api->arena, &service, &faults);
    if (rc == RC_REFUSED)
        return api_refuse_faults(api, &faults);
    if (rc == RC_OK)
        rc = registry_next_id(api->store, &service.id);
    if (rc != RC_OK)
        return rc;
    if (with_secret)
        secret = api_make_secret(api, &service.secret_hash);
    rc = registry_create_service(&api->desk, &service);
    if (rc == RC_EXISTS)
        return api_refuse_taken(api);
    if (rc != RC_OK)
        return rc;
    api->location = api_path_to(api, "services", service.service_id);
    return answer_service(api, 201, service.id, secret);
}

const struct api_resource api_services_resource = { .get = list_services,
                                                    .post = create_service,
                                                    .bodies = METHOD_POST };

static enum rc show_service(struct api_admin *api)
{
    struct service service;
    enum rc rc = find_service(api, &service);

    if (rc == RC_OK)
        return api_answer(api, 200, format_service, &service, STR(""));
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* The texts first, then whether it is disabled: an act of its own, which ends what there is. */
static enum rc change_service(struct api_admin *api, const struct service *before,
                              struct service after)
{
    bool is_disabled = after.is_disabled;
    bool is_said = json_find(api->body, STR("disabled")) != NULL;
    enum rc rc = RC_OK;

    after.is_disabled = before->is_disabled;
    if (json_count(api->body) > (is_said ? 1u : 0u))
        rc = registry_change_service(&api->desk, before, &after);
    /* Also where it is already: a fault may have left grants that had not ended yet. */
    if (rc == RC_OK && is_disabled && is_said)
        rc = admin_act_disable_service(api->call, &api->desk, &after);
    else if (rc == RC_OK && !is_disabled && before->is_disabled)
        rc = registry_enable_service(&api->desk, &after);
    return rc;
}

static enum rc patch_service(struct api_admin *api)
{
    struct registry_faults faults;
    struct service before;
    struct service after;
    enum rc rc = find_service(api, &before);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    after = before;
    if (!api_is_match(api, format_service, &before) ||
        !api_fields_read(api, &service_fields, API_CHANGE, &after))
        return RC_OK;
    rc = registry_check_service(api->call->oauth.oauth->catalog, &api->arena, &after, &faults);
    if (rc == RC_REFUSED)
        return api_refuse_faults(api, &faults);
    if (rc == RC_OK)
        rc = change_service(api, &before, after);
    if (rc == RC_SPENT)
        return api_answer_overtaken(api);
    return rc == RC_OK ? answer_service(api, 200, before.id, STR("")) : rc;
}

const struct api_resource api_service_resource = { .get = show_service,
                                                   .patch = patch_service,
                                                   .bodies = API_METHOD_PATCH };

static enum rc renew_service_secret(struct api_admin *api)
{
    struct service service;
    struct str secret, hash;
    enum rc rc = find_service(api, &service);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    secret = api_make_secret(api, &hash);
    rc = registry_set_service_secret(&api->desk, &service, hash);
    if (rc == RC_SPENT)
        return api_answer_overtaken(api);
    return rc == RC_OK ? answer_service(api, 200, service.id, secret) : rc;
}

static enum rc remove_service_secret(struct api_admin *api)
{
    struct service service;
    enum rc rc = find_service(api, &service);

    if (rc == RC_OK)
        rc = registry_set_service_secret(&api->desk, &service, STR(""));
    if (rc == RC_SPENT)
        return api_answer_overtaken(api);
    return api_answer_done(api, rc);
}

static enum rc end_service_grants(struct api_admin *api)
{
    struct grants_filter filter = { .account_id = 0 };
    struct service service;
    enum rc rc = find_service(api, &service);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    filter.service_id = service.service_id;
    return api_answer_done(api, admin_act_end_grants(api->call, &api->admin, &filter));
}

const struct api_resource api_service_grants_resource = { .remove = end_service_grants };

const struct api_resource api_service_secret_resource = { .post = renew_service_secret,
                                                          .remove = remove_service_secret };
