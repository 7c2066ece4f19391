#include "oauth/client_metadata.h"
#include "web/admin_acts.h"
#include "web/api_admin.h"

/* Clients, by the administration API. */

#define FIELD(name, type, may, member)                                                             \
    {                                                                                              \
        name, type, may, offsetof(struct client, member)                                           \
    }

static const struct api_field client_rows[] = {
    FIELD("id", API_TEXT, API_MAKE, client_id),
    FIELD("name", API_TEXT, API_MAKE | API_CHANGE, name),
    FIELD("type", API_CLIENT_TYPE, API_MAKE, type),
    FIELD("auth_method", API_AUTH_METHOD, API_MAKE | API_CHANGE, auth_method),
    FIELD("grant_types", API_GRANTS, API_MAKE | API_CHANGE, grant_types),
    FIELD("scopes", API_WORDS, API_MAKE | API_CHANGE, scope),
    FIELD("services", API_WORDS, API_MAKE | API_CHANGE, service_ids),
    FIELD("redirect_uris", API_LINES, API_MAKE | API_CHANGE, redirect_uris),
    FIELD("refresh_lifetime_s", API_NUMBER, API_MAKE | API_CHANGE, refresh_lifetime_s),
    FIELD("refresh_idle_lifetime_s", API_NUMBER, API_MAKE | API_CHANGE, refresh_idle_lifetime_s),
    FIELD("disabled", API_FLAG, API_CHANGE, is_disabled),
    FIELD("created_at", API_TIME, API_READ, created_at),
};
#undef FIELD

static const struct api_fields client_fields = { client_rows,
                                                 sizeof(client_rows) / sizeof(client_rows[0]),
                                                 { "metadata", 8 } };

static enum rc format_client(struct api_admin *api, const void *noun, struct json_out *json)
{
    const struct client *client = noun;
    enum rc rc;

    api_fields_format(&client_fields, client, json);
    json_member_bool(json, STR("built_in"), registry_is_built_in(client));
    api_member_time(json, "previous_secret_until", registry_overlap_until(client, api->admin.now));
    json_name(json, STR("metadata"));
    json_begin_object(json);
    rc = client_metadata_format(client, &api->arena, json);
    json_end_object(json);
    return rc == RC_OK ? api_member_owner(api, MANAGED_CLIENT, client->id, json) : rc;
}

static enum rc list_clients(struct api_admin *api)
{
    struct client *found = arena_alloc(&api->arena, (API_ROW_COUNT_MAX + 1) * sizeof(*found));
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct api_list page;
    size_t count;
    enum rc rc;

    if (!api_list_begin(api, "clients", STR("q"), &page))
        return RC_OK;
    arena_init(&arena, (page.limit + 1) * REGISTRY_CLIENT_BYTES_MAX);
    rc = registry_search_clients(api->store, api_filter(api, STR("q")), page.before_id, &arena,
                                 found, page.limit + 1, &count);
    return rc == RC_OK ? api_list_answer(api, &page, format_client, found, sizeof(*found), count,
                                         offsetof(struct client, id))
                       : rc;
}

/* RC_NOT_FOUND: the answer is written. */
static enum rc find_client(struct api_admin *api, struct client *out_client)
{
    struct str text;
    enum rc rc = api_path_text(api, &text);

    if (rc == RC_OK)
        rc = registry_find_client_named(api->call->oauth.oauth, text, &api->arena, out_client);
    if (rc == RC_NOT_FOUND)
        (void)!api_answer_missing(api);
    return rc;
}

static enum rc answer_client(struct api_admin *api, int status, int64_t id, struct str secret)
{
    struct client client;
    enum rc rc = registry_find_client(api->store, id, &api->arena, &client);

    return rc == RC_OK ? api_answer(api, status, format_client, &client, secret) : rc;
}

/* What has no member of its own, by the names of RFC 7591, as the command line takes it. */
static enum rc apply_metadata(struct api_admin *api, struct client *client)
{
    const struct json_value *value = json_find(api->body, STR("metadata"));
    struct metadata_problem problem;
    enum rc rc;

    if (value == NULL)
        return RC_OK;
    if (!json_is_object(value)) {
        api_answer_field(api->call, "metadata", STR(""), "this has to be an object");
        return RC_REFUSED;
    }
    rc =
        client_metadata_apply(json_format(value, &api->arena), true, &api->arena, client, &problem);
    if (rc == RC_REFUSED)
        api_answer_field(api->call, "metadata", problem.member,
                         arena_format(&api->arena, "%.*s", STR_ARGS(problem.sentence)).at);
    return rc;
}

/* RC_REFUSED: the answer is written. */
static enum rc read_client(struct api_admin *api, unsigned may, struct client *client)
{
    struct registry_faults faults;
    enum rc rc;

    if (!api_fields_read(api, &client_fields, may, client))
        return RC_REFUSED;
    if (client->type != CLIENT_CONFIDENTIAL && client->auth_method != AUTH_SECRET) {
        api_answer_field(api->call, "auth_method", STR(""),
                         "such a client does not authenticate with a secret of its own");
        return RC_REFUSED;
    }
    rc = apply_metadata(api, client);
    if (rc == RC_OK) {
        rc = registry_check_client(api->call->oauth.oauth->catalog, &api->arena, client, &faults);
        if (rc == RC_REFUSED)
            (void)!api_refuse_faults(api, &faults);
    }
    return rc;
}

static enum rc create_client(struct api_admin *api)
{
    struct client client = { .refresh_lifetime_s = REFRESH_LIFETIME_S_DEFAULT,
                             .refresh_idle_lifetime_s = REFRESH_IDLE_LIFETIME_S_DEFAULT,
                             .created_at = api->admin.now };
    struct str secret = STR("");
    enum rc rc = read_client(api, API_MAKE, &client);

    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    rc = registry_next_id(api->store, &client.id);
    if (rc != RC_OK)
        return rc;
    if (client_has_secret(&client))
        secret = api_make_secret(api, &client.secret_hash);
    rc = registry_create_client(&api->desk, &client);
    if (rc == RC_EXISTS)
        return api_refuse_taken(api);
    if (rc != RC_OK)
        return rc;
    api->location = api_path_to(api, "clients", client.client_id);
    return answer_client(api, 201, client.id, secret);
}

const struct api_resource api_clients_resource = { .get = list_clients,
                                                   .post = create_client,
                                                   .bodies = METHOD_POST };

static enum rc show_client(struct api_admin *api)
{
    struct client client;
    enum rc rc = find_client(api, &client);

    if (rc == RC_OK)
        return api_answer(api, 200, format_client, &client, STR(""));
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc change_client(struct api_admin *api, const struct client *before,
                             struct client after)
{
    bool is_disabled = after.is_disabled;
    bool is_said = json_find(api->body, STR("disabled")) != NULL;
    enum rc rc = RC_OK;

    after.is_disabled = before->is_disabled;
    if (json_count(api->body) > (is_said ? 1u : 0u)) {
        rc = registry_change_client(&api->desk, before, &after);
        if (rc == RC_OK && is_said) /* the act dropped what was over */
            rc = registry_find_client(api->store, before->id, &api->arena, &after);
    }
    /* Also where it is already: a fault may have left grants that had not ended yet. */
    if (rc == RC_OK && is_disabled && is_said)
        rc = admin_act_disable_client(api->call, &api->desk, &after);
    else if (rc == RC_OK && !is_disabled && before->is_disabled)
        rc = registry_enable_client(&api->desk, &after);
    return rc;
}

static enum rc patch_client(struct api_admin *api)
{
    struct str secret = STR("");
    struct client before;
    struct client after;
    enum rc rc = find_client(api, &before);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    after = before;
    if (!api_is_match(api, format_client, &before))
        return RC_OK;
    rc = read_client(api, API_CHANGE, &after);
    if (rc == RC_REFUSED)
        return RC_OK;
    if (rc == RC_OK && client_has_secret(&after) && after.secret_hash.len == 0)
        secret = api_make_secret(api, &after.secret_hash); /* from now on it has one */
    if (rc == RC_OK)
        rc = change_client(api, &before, after);
    if (rc == RC_SPENT)
        return api_answer_overtaken(api);
    return rc == RC_OK ? answer_client(api, 200, before.id, secret) : rc;
}

const struct api_resource api_client_resource = { .get = show_client,
                                                  .patch = patch_client,
                                                  .bodies = API_METHOD_PATCH };

/* ---- its secret, and what it was granted ----------------------------------------------------- */

/* False: the answer is written. */
static bool read_overlap(struct api_admin *api, int64_t *out_s)
{
    const struct json_value *value = json_find(api->body, STR("overlap_s"));
    int64_t overlap_s = 0;

    if (!api_has_only(api->call, api->body, STR("overlap_s")))
        return false;
    if (value != NULL && (json_get_number(value, &overlap_s) != RC_OK || overlap_s < 0 ||
                          overlap_s > REGISTRY_OVERLAP_S_MAX)) {
        api_answer_field(api->call, "overlap_s", STR(""), "this has to be a number of seconds");
        return false;
    }
    *out_s = overlap_s;
    return true;
}

static enum rc renew_secret(struct api_admin *api)
{
    struct client client;
    struct str secret, hash;
    int64_t overlap_s;
    enum rc rc = find_client(api, &client);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    if (!read_overlap(api, &overlap_s))
        return RC_OK;
    if (!client_has_secret(&client))
        return api_answer_conflict(api, "this client does not authenticate with a secret");
    secret = api_make_secret(api, &hash);
    rc = registry_rotate_client_secret(&api->desk, &client, hash, overlap_s, NULL);
    ASSERT(rc != RC_INVALID); /* a made secret overlaps with any */
    if (rc == RC_SPENT)
        return api_answer_overtaken(api);
    return rc == RC_OK ? answer_client(api, 200, client.id, secret) : rc;
}

const struct api_resource api_client_secret_resource = { .post = renew_secret,
                                                         .bodies = METHOD_POST };

/* Again, or when it has ended by itself, is fine. */
static enum rc end_overlap(struct api_admin *api)
{
    struct client client;
    enum rc rc = find_client(api, &client);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    rc = registry_end_overlap(&api->desk, &client);
    if (rc == RC_SPENT)
        return api_answer_overtaken(api);
    return api_answer_done(api, rc == RC_NOT_FOUND ? RC_OK : rc);
}

const struct api_resource api_client_old_secret_resource = { .remove = end_overlap };

static enum rc end_grants(struct api_admin *api)
{
    struct grants_filter filter = { .client_id = 0 };
    struct client client;
    enum rc rc = find_client(api, &client);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    filter.client_id = client.id;
    return api_answer_done(api, admin_act_end_grants(api->call, &api->admin, &filter));
}

const struct api_resource api_client_grants_resource = { .remove = end_grants };
