#include "store/catalog.h"

#include <pthread.h>
#include <stdlib.h>

#include "store/catalog_index.h"
#include "store/shared.h"

enum {
    NOUN_ARENA_BYTES = 256 * 1024, /* a client with all its redirect URIs has 80 KiB */
    PAGE_ROW_COUNT = 32,
    STALE_COUNT_MAX = 64 /* beyond, everything is read again */
};

/* What the feed reported and nobody has read again yet. */
struct stale_list {
    struct store_change changes[STALE_COUNT_MAX];
    size_t count;
    bool is_everything;
};

struct catalog {
    struct store *store;

    pthread_rwlock_t lock; /* of the index */
    struct catalog_index index;

    _Atomic bool is_stale; /* raised with the list, lowered when the index is true again */
    pthread_mutex_t stale_lock;
    struct stale_list stale;

    pthread_mutex_t refresh_lock; /* of the one who reads again, and of the arena */
    struct arena arena;
};

/* ---- the feed ------------------------------------------------------------------------------- */

static void mark_stale(void *context, const struct store_change *change)
{
    struct catalog *catalog = context;
    struct stale_list *stale = &catalog->stale;
    bool is_all = change->kind == CHANGE_ALL;

    if (change->kind != CHANGE_CLIENT && change->kind != CHANGE_SERVICE && !is_all)
        return;
    pthread_mutex_lock(&catalog->stale_lock);
    if (!is_all && stale->count < STALE_COUNT_MAX)
        stale->changes[stale->count++] = *change;
    else
        stale->is_everything = true;
    atomic_store(&catalog->is_stale, true);
    pthread_mutex_unlock(&catalog->stale_lock);
}

static void mark_everything_stale(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->stale_lock);
    catalog->stale.is_everything = true;
    atomic_store(&catalog->is_stale, true);
    pthread_mutex_unlock(&catalog->stale_lock);
}

/* Takes the list away; false, and the catalog is true, when it is empty. */
static bool take_stale(struct catalog *catalog, struct stale_list *out_stale)
{
    bool is_empty;

    pthread_mutex_lock(&catalog->stale_lock);
    is_empty = catalog->stale.count == 0 && !catalog->stale.is_everything;
    if (is_empty)
        atomic_store(&catalog->is_stale, false);
    *out_stale = catalog->stale;
    catalog->stale.count = 0;
    catalog->stale.is_everything = false;
    pthread_mutex_unlock(&catalog->stale_lock);
    return !is_empty;
}

/* ---- reading again; the refresh lock is held ------------------------------------------------ */

static enum rc read_services(struct catalog *catalog, struct catalog_index *index)
{
    struct service rows[PAGE_ROW_COUNT];
    int64_t after_id = 0;
    size_t count;
    size_t row;
    enum rc rc;

    do {
        arena_reset(&catalog->arena);
        count = 0;
        rc = store_list_services(catalog->store, after_id, &catalog->arena, rows, PAGE_ROW_COUNT,
                                 &count);
        for (row = 0; rc == RC_OK && row < count; row++) {
            rc = catalog_index_put_service(index, &rows[row], &catalog->index);
            after_id = rows[row].id;
        }
    } while (rc == RC_OK && count > 0);
    return rc;
}

static enum rc read_clients(struct catalog *catalog, struct catalog_index *index)
{
    struct client rows[PAGE_ROW_COUNT];
    int64_t after_id = 0;
    size_t count;
    size_t row;
    enum rc rc;

    do {
        arena_reset(&catalog->arena);
        count = 0;
        rc = store_list_clients(catalog->store, after_id, &catalog->arena, rows, PAGE_ROW_COUNT,
                                &count);
        for (row = 0; rc == RC_OK && row < count; row++) {
            rc = catalog_index_put_client(index, &rows[row], &catalog->index);
            after_id = rows[row].id;
        }
    } while (rc == RC_OK && count > 0);
    return rc;
}

/* A new index beside the old one, which goes on serving those who hold its entries. */
static enum rc read_everything(struct catalog *catalog)
{
    struct catalog_index index;
    struct catalog_index old;
    enum rc rc = catalog_index_init(&index);

    if (rc != RC_OK)
        return rc;
    rc = read_services(catalog, &index);
    if (rc == RC_OK)
        rc = read_clients(catalog, &index);
    if (rc == RC_OK)
        rc = catalog_index_make_words(&index);
    if (rc != RC_OK) {
        catalog_index_deinit(&index);
        return rc;
    }
    pthread_rwlock_wrlock(&catalog->lock);
    old = catalog->index;
    catalog->index = index;
    pthread_rwlock_unlock(&catalog->lock);
    catalog_index_deinit(&old);
    return RC_OK;
}

static enum rc read_client(struct catalog *catalog, int64_t id)
{
    struct client client;
    enum rc rc = store_find_client(catalog->store, id, &catalog->arena, &client);

    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    pthread_rwlock_wrlock(&catalog->lock);
    if (rc == RC_OK)
        rc = catalog_index_put_client(&catalog->index, &client, &catalog->index);
    else {
        catalog_index_remove(&catalog->index, id);
        rc = RC_OK;
    }
    pthread_rwlock_unlock(&catalog->lock);
    return rc;
}

static enum rc read_service(struct catalog *catalog, int64_t id)
{
    struct service service;
    enum rc rc = store_find_service(catalog->store, id, &catalog->arena, &service);

    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    pthread_rwlock_wrlock(&catalog->lock);
    if (rc == RC_OK)
        rc = catalog_index_put_service(&catalog->index, &service, &catalog->index);
    else {
        catalog_index_remove(&catalog->index, id);
        rc = RC_OK;
    }
    /* The words refer to the service that has just been replaced. */
    if (rc == RC_OK)
        rc = catalog_index_make_words(&catalog->index);
    pthread_rwlock_unlock(&catalog->lock);
    return rc;
}

static enum rc read_again(struct catalog *catalog, const struct stale_list *stale)
{
    enum rc rc = RC_OK;
    size_t change;

    if (stale->is_everything)
        return read_everything(catalog);
    for (change = 0; rc == RC_OK && change < stale->count; change++) {
        arena_reset(&catalog->arena);
        rc = stale->changes[change].kind == CHANGE_CLIENT
                 ? read_client(catalog, stale->changes[change].key)
                 : read_service(catalog, stale->changes[change].key);
    }
    return rc;
}

/*
 * What is told while an entry is being read is on the list again, whether the reading saw it or
 * not, and is read once more; only one thread reads at a time, so that nothing older comes behind.
 * So the index is true, up to what was told, whenever is_stale is low.
 */
static enum rc refresh(struct catalog *catalog)
{
    struct stale_list stale;
    enum rc rc = RC_OK;

    pthread_mutex_lock(&catalog->refresh_lock);
    while (rc == RC_OK && take_stale(catalog, &stale)) {
        rc = read_again(catalog, &stale);
        if (rc != RC_OK)
            mark_everything_stale(catalog);
    }
    arena_reset(&catalog->arena);
    pthread_mutex_unlock(&catalog->refresh_lock);
    return rc;
}

/* Locks the index for reading once it is true; RC_WOULD_BLOCK and faults leave it unlocked. */
static enum rc lock_index(struct catalog *catalog, bool may_block)
{
    enum rc rc = RC_OK;

    if (atomic_load(&catalog->is_stale))
        rc = may_block ? refresh(catalog) : RC_WOULD_BLOCK;
    /* What was not told cannot have been read again. */
    if (!store_is_trusted(catalog->store))
        rc = RC_UNAVAILABLE;
    if (rc == RC_OK)
        pthread_rwlock_rdlock(&catalog->lock);
    return rc;
}

/* ---- finding -------------------------------------------------------------------------------- */

/* Takes a reference and unlocks. */
static enum rc answer_client(struct catalog *catalog, const struct catalog_record *record,
                             struct catalog_client **out_client)
{
    struct catalog_client *client = record == NULL ? NULL : record->client;

    if (client != NULL)
        atomic_fetch_add_explicit(&client->reference_count, 1, memory_order_relaxed);
    pthread_rwlock_unlock(&catalog->lock);
    if (client == NULL)
        return RC_NOT_FOUND;
    *out_client = client;
    return RC_OK;
}

static enum rc answer_service(struct catalog *catalog, struct catalog_service *service,
                              struct catalog_service **out_service)
{
    if (service != NULL)
        atomic_fetch_add_explicit(&service->reference_count, 1, memory_order_relaxed);
    pthread_rwlock_unlock(&catalog->lock);
    if (service == NULL)
        return RC_NOT_FOUND;
    *out_service = service;
    return RC_OK;
}

enum rc catalog_find_client(struct catalog *catalog, struct str client_id, bool may_block,
                            struct catalog_client **out_client)
{
    enum rc rc = lock_index(catalog, may_block);

    if (rc != RC_OK)
        return rc;
    return answer_client(catalog, catalog_index_find(&catalog->index, client_id), out_client);
}

enum rc catalog_find_client_by_id(struct catalog *catalog, int64_t id, bool may_block,
                                  struct catalog_client **out_client)
{
    enum rc rc = lock_index(catalog, may_block);

    if (rc != RC_OK)
        return rc;
    return answer_client(catalog, catalog_index_find_by_id(&catalog->index, id), out_client);
}

enum rc catalog_find_service(struct catalog *catalog, struct str service_id, bool may_block,
                             struct catalog_service **out_service)
{
    enum rc rc = lock_index(catalog, may_block);
    struct catalog_record *record;

    if (rc != RC_OK)
        return rc;
    record = catalog_index_find(&catalog->index, service_id);
    return answer_service(catalog, record == NULL ? NULL : record->service, out_service);
}

enum rc catalog_find_owner(struct catalog *catalog, struct str scope_word, bool may_block,
                           struct catalog_service **out_service)
{
    enum rc rc = lock_index(catalog, may_block);

    if (rc != RC_OK)
        return rc;
    return answer_service(catalog, catalog_index_find_owner(&catalog->index, scope_word),
                          out_service);
}

enum rc catalog_list_scopes(struct catalog *catalog, bool may_block, struct buffer *out_words)
{
    enum rc rc = lock_index(catalog, may_block);
    bool is_first = true;
    size_t index;

    if (rc != RC_OK)
        return rc;
    for (index = 0; index < catalog->index.service_count; index++) {
        const struct service *service = &catalog->index.services[index]->service;
        struct str rest = service->scope;
        struct str word;

        while (!service->is_disabled && str_next_word(&rest, &word)) {
            if (!is_first)
                buffer_append_byte(out_words, ' ');
            buffer_append_str(out_words, word);
            is_first = false;
        }
    }
    pthread_rwlock_unlock(&catalog->lock);
    return RC_OK;
}

enum rc catalog_list_password_services(struct catalog *catalog, bool may_block,
                                       struct buffer *out_words)
{
    enum rc rc = lock_index(catalog, may_block);
    bool is_first = true;
    size_t index;

    if (rc != RC_OK)
        return rc;
    for (index = 0; index < catalog->index.service_count; index++) {
        const struct service *service = &catalog->index.services[index]->service;

        if (service->is_disabled || !service->allows_password)
            continue;
        buffer_append_str(out_words, is_first ? STR("service_id=") : STR(" service_id="));
        buffer_append_str(out_words, service->service_id);
        is_first = false;
    }
    pthread_rwlock_unlock(&catalog->lock);
    return RC_OK;
}

/* ---- life ----------------------------------------------------------------------------------- */

enum rc catalog_new(struct store *store, struct catalog **out_catalog)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));
    pthread_rwlockattr_t attributes;
    enum rc rc;

    if (catalog == NULL)
        return RC_SYSTEM;
    rc = catalog_index_init(&catalog->index);
    if (rc != RC_OK) {
        free(catalog);
        return rc;
    }
    catalog->store = store;
    catalog->stale.is_everything = true;
    atomic_init(&catalog->is_stale, true);
    /* Readers come without end; the one who brings the news must not wait for the last of them. */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&catalog->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&catalog->stale_lock, NULL);
    pthread_mutex_init(&catalog->refresh_lock, NULL);
    arena_init(&catalog->arena, NOUN_ARENA_BYTES);
    store_listen(store, mark_stale, catalog);
    rc = refresh(catalog);
    if (rc != RC_OK) {
        catalog_free(catalog);
        return rc;
    }
    *out_catalog = catalog;
    return RC_OK;
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    store_unlisten(catalog->store, catalog);
    catalog_index_deinit(&catalog->index);
    arena_deinit(&catalog->arena);
    pthread_rwlock_destroy(&catalog->lock);
    pthread_mutex_destroy(&catalog->stale_lock);
    pthread_mutex_destroy(&catalog->refresh_lock);
    free(catalog);
}
