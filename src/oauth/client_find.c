#include "oauth/client_find.h"

#include "codec/json.h"
#include "codec/uri.h"
#include "oauth/admission.h"
#include "oauth/fetcher.h"
#include "store/shared.h"

/* How many look at a document just now. */
static _Atomic unsigned reading_count;

/* One whose document is looked at. */
struct document_visit {
    struct oauth_call *call;
    struct str client_id;
    enum client_currency currency;
    struct catalog_client *entry; /* as it is known; NULL: it is not */
    struct arena arena;
    const char *why;
};

bool client_id_is_document(struct str client_id)
{
    char memory[CLIENT_ID_BYTES_MAX + 1];
    struct buffer canonical = buffer_over(memory, sizeof(memory));
    struct uri uri;

    /* One spelling, one client: no dot segments, no fragment or query, no userinfo (3). */
    return client_id.len <= CLIENT_ID_BYTES_MAX && str_starts_with(client_id, STR("https://")) &&
           uri_parse(client_id, &uri) == RC_OK && uri.path.len > 1 &&
           uri_normalise(client_id, &canonical) == RC_OK &&
           str_equal(buffer_str(&canonical), client_id);
}

static bool is_host_admitted(const struct client_admission *admission, struct str client_id)
{
    struct uri uri;

    return uri_parse(client_id, &uri) == RC_OK &&
           (str_has_word(admission->hosts, STR("*")) || str_has_word(admission->hosts, uri.host));
}

static enum rc refuse(struct document_visit *visit, const char *why)
{
    visit->why = why;
    return RC_NOT_FOUND;
}

/* ---- the document ---------------------------------------------------------------------------- */

/* 4.1: it names itself, and shares no secret with its readers. */
static enum rc check_members(struct document_visit *visit, struct str body)
{
    struct json_document *document = NULL;
    const struct json_value *root;
    struct str text;
    enum rc rc = json_parse(body, &document);

    if (rc_is_fault(rc))
        return rc;
    root = rc == RC_OK ? json_root(document) : NULL;
    if (root == NULL || !json_is_object(root))
        rc = refuse(visit, "document: no JSON object");
    else if (json_get_string(json_find(root, STR("client_id")), &text) != RC_OK ||
             !str_equal(text, visit->client_id))
        rc = refuse(visit, "document: its client_id is another");
    else if (json_find(root, STR("client_secret")) != NULL ||
             json_find(root, STR("client_secret_expires_at")) != NULL)
        rc = refuse(visit, "document: it holds a secret");
    json_document_free(document);
    return rc;
}

static bool is_same(const struct client *a, const struct client *b)
{
    return str_equal(a->name, b->name) && a->type == b->type && a->auth_method == b->auth_method &&
           a->grant_types == b->grant_types && a->policy == b->policy &&
           str_equal(a->scope, b->scope) && str_equal(a->service_ids, b->service_ids) &&
           str_equal(a->redirect_uris, b->redirect_uris) && str_equal(a->metadata, b->metadata);
}

/* Makes the stored client what the document says. RC_EXISTS: somebody else did. */
static enum rc follow(struct document_visit *visit, struct str body)
{
    struct client client = { .client_id = visit->client_id, .created_at = visit->call->now };
    struct metadata_problem problem;
    enum rc rc = check_members(visit, body);

    if (rc != RC_OK)
        return rc;
    if (visit->entry != NULL) {
        client.id = visit->entry->client.id;
        client.created_at = visit->entry->client.created_at;
    }
    rc = admission_judge(visit->call, body, CLIENT_IS_DOCUMENT, &visit->arena, &client, &problem);
    if (rc == RC_REFUSED)
        return refuse(visit, "document: its metadata is refused");
    if (rc != RC_OK || (visit->entry != NULL && is_same(&client, &visit->entry->client)))
        return rc;
    rc = visit->entry == NULL ? admission_insert(visit->call, &client, STR("found by its document"))
                              : admission_update(visit->call, &client, STR("as its document says"));
    if (rc == RC_TOO_LARGE)
        return refuse(visit, "document: there are too many such clients");
    return rc == RC_NOT_FOUND ? RC_EXISTS : rc;
}

static enum rc look(struct document_visit *visit)
{
    struct oauth_call *call = visit->call;
    struct str body;
    enum rc rc = fetcher_get(call->oauth->fetcher, visit->client_id, CLIENT_DOCUMENT_AGE_S_MAX,
                             call->now, &visit->arena, &body);

    if (rc == RC_OK)
        return follow(visit, body);
    if (rc != RC_NOT_FOUND)
        return rc;
    if (visit->entry != NULL && visit->currency == CLIENT_AS_KNOWN)
        return RC_OK;
    return refuse(visit, "document: it cannot be had");
}

static enum rc read_document(struct document_visit *visit)
{
    enum rc rc;

    if (atomic_fetch_add(&reading_count, 1) >= CLIENT_DOCUMENT_READ_COUNT_MAX) {
        atomic_fetch_sub(&reading_count, 1);
        return RC_BUSY;
    }
    arena_init(&visit->arena, ADMISSION_ARENA_BYTES);
    rc = look(visit);
    arena_deinit(&visit->arena);
    atomic_fetch_sub(&reading_count, 1);
    return rc;
}

/* ---- looking it up --------------------------------------------------------------------------- */

/* The client as it is known; then as its document says. */
static enum rc find_by_document(struct document_visit *visit, struct catalog_client **out_client)
{
    struct oauth_call *call = visit->call;
    enum rc rc;

    if (!is_host_admitted(call->oauth->admission, visit->client_id))
        return refuse(visit, "document: its host is not admitted");
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    /* What an operator disabled stays as it is. */
    rc = visit->entry != NULL && visit->entry->client.is_disabled ? RC_OK : read_document(visit);
    if (rc != RC_OK && rc != RC_EXISTS)
        return rc;
    return catalog_find_client(call->oauth->catalog, visit->client_id, true, out_client);
}

/* As the catalog knows it; what other nodes did until now is waited for before it is nobody. */
static enum rc find_known(struct oauth_call *call, struct str client_id,
                          struct catalog_client **out_client)
{
    struct catalog *catalog = call->oauth->catalog;
    enum rc rc = catalog_find_client(catalog, client_id, call->may_block, out_client);

    if (rc != RC_NOT_FOUND || !store_is_shared(call->oauth->store))
        return rc;
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    rc = store_catch_up(call->oauth->store);
    return rc == RC_OK ? catalog_find_client(catalog, client_id, true, out_client) : rc;
}

enum rc client_find(struct oauth_call *call, struct str client_id, enum client_currency currency,
                    struct catalog_client **out_client, const char **out_why)
{
    const struct client_admission *admission = call->oauth->admission;
    struct document_visit visit = { .call = call, .client_id = client_id, .currency = currency };
    struct catalog_client *entry = NULL;
    bool is_document;
    enum rc rc;

    *out_why = "no such client";
    rc = find_known(call, client_id, &entry);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    is_document = rc == RC_OK ? (entry->client.policy & CLIENT_IS_DOCUMENT) != 0
                              : client_id_is_document(client_id);
    if (!is_document) {
        if (rc == RC_OK)
            *out_client = entry;
        return rc;
    }
    visit.entry = entry;
    rc = admission == NULL || !admission->takes_documents
             ? refuse(&visit, "document: such clients are not taken")
             : find_by_document(&visit, out_client);
    if (entry != NULL)
        catalog_client_put(entry);
    if (rc == RC_NOT_FOUND && visit.why != NULL)
        *out_why = visit.why;
    return rc;
}
