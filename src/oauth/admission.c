#include "oauth/admission.h"

#include "codec/json.h"
#include "oauth/fetcher.h"
#include "store/newcomers.h"

_Static_assert(6 * ADMISSION_URIS_BYTES_MAX + CLIENT_METADATA_BYTES_MAX + 8 * 1024 <=
                   HTTP_ANSWER_BYTES_MAX,
               "an answer has room for what is registered");

enum {
    REFRESH_LIFETIME_S = 30 * 24 * 3600,
    REFRESH_IDLE_LIFETIME_S = 14 * 24 * 3600,
    SWEEP_COUNT_MAX = 4, /* clients that leave for each that comes */
    SECTOR_AGE_S_MAX = 300
};

/* Where a person is asked each time anew. */
static const unsigned admitted_grant_types = 1u << GRANT_TYPE_AUTHORIZATION_CODE |
                                             1u << GRANT_TYPE_REFRESH_TOKEN |
                                             1u << GRANT_TYPE_DEVICE_CODE;

static const struct str admitted_words = { "openid profile email offline_access", 35 };

static enum rc refuse(struct metadata_problem *problem, struct str member, const char *sentence)
{
    *problem = (struct metadata_problem){ .error = OAUTH_INVALID_CLIENT_METADATA,
                                          .member = member,
                                          .sentence = str_of(sentence) };
    return RC_REFUSED;
}

/* ---- what it may be -------------------------------------------------------------------------- */

/* RC_OK, or RC_NOT_FOUND: the word belongs to no service that such clients may be for. */
static enum rc find_word(struct oauth_call *call, struct str word)
{
    struct catalog_service *service;
    bool is_admitted;
    enum rc rc;

    if (str_has_word(admitted_words, word))
        return RC_OK;
    rc = catalog_find_owner(call->oauth->catalog, word, true, &service);
    if (rc != RC_OK)
        return rc;
    is_admitted = str_has_word(call->oauth->admission->service_ids, service->service.service_id);
    catalog_service_put(service);
    return is_admitted ? RC_OK : RC_NOT_FOUND;
}

/* One that names no scope may be granted all that there is for such clients (RFC 7591 2). */
static enum rc check_scope(struct oauth_call *call, struct client *client,
                           struct metadata_problem *problem)
{
    struct str rest = client->scope;
    struct str word;

    if (rest.len == 0) {
        client->scope = admitted_words;
        client->service_ids = call->oauth->admission->service_ids;
        return RC_OK;
    }
    while (str_next_word(&rest, &word)) {
        enum rc rc = find_word(call, word);

        if (rc == RC_NOT_FOUND) /* AZ-18 */
            return refuse(problem, STR("scope"), "one of the words is not for such clients");
        if (rc != RC_OK)
            return rc;
    }
    client->service_ids = STR("");
    return RC_OK;
}

/* The URIs, one a line, that are not in the document: the first of them, or nothing. */
static bool has_all(const struct json_value *array, struct str uris)
{
    while (uris.len > 0) {
        size_t len = str_index_of(uris, '\n');
        struct str uri = { uris.at, len };
        struct str text;
        bool is_there = false;

        for (size_t i = 0; i < json_count(array) && !is_there; i++)
            is_there = json_get_string(json_item(array, i), &text) == RC_OK && str_equal(text, uri);
        if (!is_there)
            return false;
        uris = str_from(uris, len < uris.len ? len + 1 : len);
    }
    return true;
}

/* A code for a foreign redirect URI reaches nobody who asked for it. Where none is needed, that a
 * host is one's sector has to be shown. */
static enum rc check_host(const struct client *client, struct metadata_problem *problem)
{
    if ((client->policy & CLIENT_IS_PAIRWISE) == 0 || client->redirect_uris.len == 0 ||
        (client->grant_types & 1u << GRANT_TYPE_DEVICE_CODE) == 0)
        return RC_OK;
    return refuse(problem, STR("subject_type"),
                  "pairwise subjects for the device grant need a sector_identifier_uri");
}

/* OpenID Connect Registration 1.0 5: whoever names a sector has to be in its document; else one
 * would learn the subjects that another sector's clients know. */
static enum rc check_sector(struct oauth_call *call, const struct client *client,
                            struct arena *arena, struct metadata_problem *problem)
{
    struct json_document *document = NULL;
    struct client_metadata metadata;
    struct str body;
    bool is_member = false;
    enum rc rc = client_metadata_read(client, arena, &metadata);

    if (rc == RC_OK && metadata.sector_identifier_uri.len == 0)
        return check_host(client, problem);
    if (rc != RC_OK)
        return rc;
    rc = fetcher_get(call->oauth->fetcher, metadata.sector_identifier_uri, SECTOR_AGE_S_MAX,
                     call->now, arena, &body);
    if (rc == RC_OK)
        rc = json_parse(body, &document);
    if (rc == RC_OK)
        is_member = json_is_array(json_root(document)) &&
                    has_all(json_root(document), client->redirect_uris);
    json_document_free(document);
    if (rc_is_fault(rc) || is_member)
        return rc;
    return refuse(problem, STR("sector_identifier_uri"),
                  "its document cannot be had, or lacks a redirect URI");
}

/* The draft's own rule: no secret is shared with whoever can read a document (4.1). */
static enum rc check_document(const struct client *client, struct metadata_problem *problem)
{
    if (client->type == CLIENT_PUBLIC || client->auth_method == AUTH_PRIVATE_KEY_JWT)
        return RC_OK;
    return refuse(problem, STR("token_endpoint_auth_method"), "it must be none or private_key_jwt");
}

enum rc admission_judge(struct oauth_call *call, struct str json, enum client_policy policy,
                        struct arena *arena, struct client *client,
                        struct metadata_problem *out_problem)
{
    bool is_document = policy == CLIENT_IS_DOCUMENT;
    /* From nothing: what an operator gave it meanwhile does not outlive its own change. */
    struct client draft = { .id = client->id,
                            .client_id = client->client_id,
                            .name = client->client_id,
                            .type = is_document ? CLIENT_PUBLIC : CLIENT_CONFIDENTIAL,
                            .auth_method = AUTH_SECRET_BASIC, /* RFC 7591 2 */
                            .policy = policy,
                            .refresh_lifetime_s = REFRESH_LIFETIME_S,
                            .refresh_idle_lifetime_s = REFRESH_IDLE_LIFETIME_S,
                            .secret_hash = client->secret_hash,
                            .registration_digest = client->registration_digest,
                            .is_disabled = client->is_disabled,
                            .created_at = client->created_at };
    enum rc rc = client_metadata_apply(json, false, arena, &draft, out_problem);

    if (rc == RC_OK && (draft.grant_types & ~admitted_grant_types) != 0)
        rc = refuse(out_problem, STR("grant_types"), "only an operator may give one of them");
    if (rc == RC_OK && draft.redirect_uris.len > ADMISSION_URIS_BYTES_MAX) {
        rc = refuse(out_problem, STR("redirect_uris"), "they are too long together");
        out_problem->error = OAUTH_INVALID_REDIRECT_URI;
    }
    if (rc == RC_OK && is_document)
        rc = check_document(&draft, out_problem);
    if (rc == RC_OK)
        rc = check_scope(call, &draft, out_problem);
    if (rc == RC_OK)
        rc = check_sector(call, &draft, arena, out_problem);
    if (rc == RC_OK)
        *client = draft;
    return rc;
}

/* ---- the store ------------------------------------------------------------------------------- */

static void add_event(struct oauth_call *call, const struct client *client, struct str detail,
                      struct store_unit *unit)
{
    struct event event = { .kind = EVENT_CLIENT_CHANGED,
                           .client_id = client->id,
                           .detail = detail };

    oauth_add_event(call, event, unit);
}

/* Clients that nobody has used make room. */
static enum rc sweep(struct oauth_call *call, int64_t idle_s)
{
    const unsigned policies = CLIENT_IS_REGISTERED | CLIENT_IS_DOCUMENT;
    struct store *store = call->oauth->store;
    enum rc rc = RC_OK;

    for (size_t i = 0; rc == RC_OK && i < SWEEP_COUNT_MAX; i++) {
        struct client idle = { .id = 0 };
        struct store_unit unit;

        rc = store_find_idle_client(store, policies, call->now - idle_s, &idle.id);
        if (rc != RC_OK)
            break;
        store_unit_init(&unit);
        store_expect_idle_client(&unit, idle.id);
        store_delete_client(&unit, idle.id);
        add_event(call, &idle, STR("removed, as nobody used it"), &unit);
        rc = store_commit(store, &unit);
    }
    return rc_is_fault(rc) ? rc : RC_OK;
}

static enum rc insert(struct oauth_call *call, const struct client *client, struct str detail)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_expect_client_room(&unit, CLIENT_IS_REGISTERED | CLIENT_IS_DOCUMENT,
                             call->oauth->admission->count_max);
    store_insert_client(&unit, client);
    add_event(call, client, detail, &unit);
    return store_commit(call->oauth->store, &unit);
}

enum rc admission_insert(struct oauth_call *call, struct client *client, struct str detail)
{
    enum rc rc = sweep(call, ADMISSION_IDLE_S);

    if (rc == RC_OK)
        rc = store_next_id(call->oauth->store, SEQUENCE_NOUN, &client->id);
    if (rc == RC_OK)
        rc = insert(call, client, detail);
    if (rc != RC_TOO_LARGE)
        return rc;
    rc = sweep(call, ADMISSION_UNUSED_S);
    return rc == RC_OK ? insert(call, client, detail) : rc;
}

enum rc admission_update(struct oauth_call *call, const struct client *client, struct str detail)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_expect_registration(&unit, client->id, client->registration_digest);
    store_update_client(&unit, client);
    add_event(call, client, detail, &unit);
    return store_commit(call->oauth->store, &unit);
}
