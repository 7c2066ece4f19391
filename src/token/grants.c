#include "token/grants.h"

#include <pthread.h>
#include <stdlib.h>

#include "store/authorized.h"
#include "store/shared.h"
#include "token/room.h"

enum { FIRST_BUCKET_COUNT = 1024, LOAD_ARENA_BYTES = 256 * 1024, TRY_COUNT = 4 };

/* A row on its way from the store into the book, on the stack of who reads it. */
struct loading {
    int64_t id;
    bool has_ended; /* the feed said so since the reading began, */
    bool is_old;    /* or that all is to be forgotten */
    struct loading *next;
};

struct grant_book {
    struct store *store;
    struct catalog *catalog;
    struct str issuer;
    _Atomic size_t bytes;
    pthread_mutex_t lock; /* guards all below, and every drop of a count to zero */
    struct live_grant **by_id;
    struct live_grant **by_standing;
    size_t bucket_count; /* of both; a power of two */
    size_t count;
    struct loading *loading;
};

enum rc grant_book_new(struct store *store, struct catalog *catalog, struct str issuer,
                       struct grant_book **out_book)
{
    struct grant_book *book = calloc(1, sizeof(*book));

    ASSERT(book != NULL);
    book->store = store;
    book->catalog = catalog;
    book->issuer = issuer;
    book->bucket_count = FIRST_BUCKET_COUNT;
    book->by_id = calloc(2 * book->bucket_count, sizeof(*book->by_id));
    ASSERT(book->by_id != NULL);
    book->by_standing = book->by_id + book->bucket_count;
    pthread_mutex_init(&book->lock, NULL);
    *out_book = book;
    return RC_OK;
}

void grant_book_free(struct grant_book *book)
{
    if (book == NULL)
        return;
    ASSERT(book->count == 0);
    pthread_mutex_destroy(&book->lock);
    free(book->by_id); /* and by_standing, in the same block */
    free(book);
}

bool grant_book_is_trusted(const struct grant_book *book)
{
    return store_is_trusted(book->store);
}

static uint64_t mix(uint64_t number)
{
    number ^= number >> 33;
    number *= 0xff51afd7ed558ccdULL;
    return number ^ number >> 33;
}

static uint64_t mix_text(uint64_t seed, struct str text)
{
    uint64_t hash = seed ^ 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 0x100000001b3ULL;
    return mix(hash);
}

static size_t id_bucket(const struct grant_book *book, int64_t id)
{
    return mix((uint64_t)id) & (book->bucket_count - 1);
}

static size_t standing_bucket(const struct grant_book *book, int64_t client_id, int64_t account_id,
                              struct str scope, struct str audience)
{
    uint64_t hash = mix((uint64_t)client_id * 31 + (uint64_t)account_id);

    return mix_text(mix_text(hash, scope), audience) & (book->bucket_count - 1);
}

static size_t standing_bucket_of(const struct grant_book *book, const struct live_grant *grant)
{
    return standing_bucket(book, grant->client_id, grant->account_id, grant->scope,
                           grant->audience);
}

/* The lock is held in all of these. */
static struct live_grant *find_id(struct grant_book *book, int64_t id)
{
    struct live_grant *grant = book->by_id[id_bucket(book, id)];

    while (grant != NULL && grant->id != id)
        grant = grant->next_by_id;
    return grant;
}

static void link_grant(struct grant_book *book, struct live_grant *grant)
{
    struct live_grant **bucket = &book->by_id[id_bucket(book, grant->id)];

    grant->next_by_id = *bucket;
    *bucket = grant;
    if (!grant->is_family) {
        bucket = &book->by_standing[standing_bucket_of(book, grant)];
        grant->next_standing = *bucket;
        *bucket = grant;
    }
    book->count++;
}

static void unlink_grant(struct grant_book *book, struct live_grant *grant)
{
    struct live_grant **link = &book->by_id[id_bucket(book, grant->id)];

    if (atomic_load_explicit(&grant->is_forgotten, memory_order_relaxed))
        return;
    while (*link != grant)
        link = &(*link)->next_by_id;
    *link = grant->next_by_id;
    if (!grant->is_family) {
        link = &book->by_standing[standing_bucket_of(book, grant)];
        while (*link != grant)
            link = &(*link)->next_standing;
        *link = grant->next_standing;
    }
    book->count--;
}

static void grow(struct grant_book *book)
{
    struct live_grant **old = book->by_id;
    size_t old_count = book->bucket_count;
    struct live_grant **both = calloc(8 * old_count, sizeof(struct live_grant *));

    if (both == NULL)
        return; /* the lists become longer */
    book->bucket_count *= 4;
    book->by_id = both;
    book->by_standing = both + book->bucket_count;
    book->count = 0;
    for (size_t i = 0; i < old_count; i++)
        for (struct live_grant *next, *grant = old[i]; grant != NULL; grant = next) {
            next = grant->next_by_id;
            link_grant(book, grant);
        }
    free(old);
}

struct live_grant *grant_hold(struct live_grant *grant)
{
    atomic_fetch_add_explicit(&grant->reference_count, 1, memory_order_relaxed);
    return grant;
}

static void live_grant_free(struct grant_book *book, struct live_grant *grant)
{
    atomic_fetch_sub_explicit(&book->bytes, grant->own_bytes, memory_order_relaxed);
    free(grant);
}

void grant_put(struct grant_book *book, struct live_grant *grant)
{
    unsigned count = atomic_load_explicit(&grant->reference_count, memory_order_relaxed);
    struct live_grant *parent = NULL;

    while (count > 1)
        if (atomic_compare_exchange_weak_explicit(&grant->reference_count, &count, count - 1,
                                                  memory_order_release, memory_order_relaxed))
            return;
    /* The last reference goes under the lock, where nobody can find the grant anew. */
    pthread_mutex_lock(&book->lock);
    if (atomic_fetch_sub_explicit(&grant->reference_count, 1, memory_order_acq_rel) == 1)
        unlink_grant(book, grant);
    else
        grant = NULL;
    pthread_mutex_unlock(&book->lock);
    if (grant == NULL)
        return;
    parent = grant->parent;
    live_grant_free(book, grant);
    if (parent != NULL)
        grant_put(book, parent); /* as many levels as tokens were exchanged: a few */
}

void grant_mark_ended(struct grant_book *book, int64_t id)
{
    struct live_grant *grant;

    pthread_mutex_lock(&book->lock);
    grant = find_id(book, id);
    if (grant != NULL)
        atomic_store_explicit(&grant->is_ended, true, memory_order_release);
    /* Who reads this grant's row right now may have seen it living. */
    for (struct loading *loading = book->loading; loading != NULL; loading = loading->next)
        if (loading->id == id)
            loading->has_ended = true;
    pthread_mutex_unlock(&book->lock);
}

void grant_forget(struct grant_book *book)
{
    pthread_mutex_lock(&book->lock);
    for (size_t i = 0; i < book->bucket_count; i++) {
        for (struct live_grant *grant = book->by_id[i]; grant != NULL; grant = grant->next_by_id)
            atomic_store_explicit(&grant->is_forgotten, true, memory_order_release);
        book->by_id[i] = NULL;
        book->by_standing[i] = NULL;
    }
    book->count = 0;
    for (struct loading *loading = book->loading; loading != NULL; loading = loading->next)
        loading->is_old = true;
    pthread_mutex_unlock(&book->lock);
}

size_t grant_book_bytes(const struct grant_book *book)
{
    return atomic_load_explicit(&book->bytes, memory_order_relaxed);
}

size_t grant_book_count(struct grant_book *book)
{
    size_t count;

    pthread_mutex_lock(&book->lock);
    count = book->count;
    pthread_mutex_unlock(&book->lock);
    return count;
}

static struct str take(char **at, struct str text)
{
    struct str copy = { *at, text.len };

    if (text.len > 0)
        memcpy(*at, text.at, text.len);
    *at += text.len;
    return copy;
}

/* One allocation: the struct, what it is tied to, and all its texts. */
static struct live_grant *live_grant_new(struct grant_book *book, const struct grant *row,
                                         const struct grant_texts *texts,
                                         const struct grant_tie *tie,
                                         const struct tie_limits *limits)
{
    static const struct authorization nothing = { 0 };
    const struct authorization *authorization =
        tie->authorization == NULL ? &nothing : tie->authorization;
    size_t own_tie_bytes = tie_bytes(tie, limits);
    struct live_grant *grant;
    size_t own_bytes;
    char *at;

    own_bytes = sizeof(*grant) + own_tie_bytes + row->scope.len + row->audience.len +
                texts->client.len + texts->username.len + texts->subject.len +
                texts->introspection.len + texts->claims.len + authorization->acr.len;
    grant = malloc(own_bytes);
    if (grant == NULL)
        return NULL;
    atomic_fetch_add_explicit(&book->bytes, own_bytes, memory_order_relaxed);
    at = (char *)(grant + 1) + own_tie_bytes;
    *grant = (struct live_grant){ .id = row->id,
                                  .account_id = row->account_id,
                                  .client_id = row->client_id,
                                  .is_family = row->is_family,
                                  .created_at = row->created_at,
                                  .expires_at = row->expires_at,
                                  .own_bytes = own_bytes,
                                  .scope = take(&at, row->scope),
                                  .audience = take(&at, row->audience),
                                  .client_name = take(&at, texts->client),
                                  .username = take(&at, texts->username),
                                  .subject = take(&at, texts->subject),
                                  .claims = take(&at, texts->claims),
                                  .authorization_id = row->authorization_id,
                                  .acr = take(&at, authorization->acr),
                                  .auth_time = authorization->auth_time,
                                  .binding = row->binding,
                                  .introspection = take(&at, texts->introspection) };
    tie_init(grant, tie, limits);
    atomic_init(&grant->used_at, row->last_used_at);
    atomic_init(&grant->use_saved_at,
                row->last_used_at > row->created_at ? row->last_used_at : row->created_at);
    atomic_init(&grant->is_ended, row->ended_at != 0 || tie_is_missing(row, tie));
    atomic_init(&grant->reference_count, 1);
    return grant;
}

static void loading_begin(struct grant_book *book, struct loading *loading)
{
    pthread_mutex_lock(&book->lock);
    loading->next = book->loading;
    book->loading = loading;
    pthread_mutex_unlock(&book->lock);
}

static void loading_end(struct grant_book *book, struct loading *loading)
{
    struct loading **link = &book->loading;

    pthread_mutex_lock(&book->lock);
    while (*link != loading)
        link = &(*link)->next;
    *link = loading->next;
    pthread_mutex_unlock(&book->lock);
}

/*
 * Puts a new live_grant in the book, unless another thread was quicker: then answers that one.
 * loading is NULL for a grant that is only drafted: where its id is taken, the answer is NULL.
 *
 * One whose row, or whose parent, is from before all was forgotten is answered, but not kept: the
 * end of either may have been among what was missed.
 */
static struct live_grant *enter(struct grant_book *book, struct live_grant *grant,
                                const struct loading *loading)
{
    struct live_grant *standing;

    pthread_mutex_lock(&book->lock);
    if (loading != NULL && loading->has_ended)
        atomic_store_explicit(&grant->is_ended, true, memory_order_release);
    standing = find_id(book, grant->id);
    if (standing == NULL && ((loading != NULL && loading->is_old) || grant_is_forgotten(grant))) {
        atomic_store_explicit(&grant->is_forgotten, true, memory_order_release);
    } else if (standing == NULL) {
        if (book->count > book->bucket_count)
            grow(book);
        link_grant(book, grant);
    } else {
        grant_hold(standing);
    }
    pthread_mutex_unlock(&book->lock);
    if (standing == NULL)
        return grant;
    if (grant->parent != NULL)
        grant_put(book, grant->parent);
    live_grant_free(book, grant);
    if (loading != NULL)
        return standing;
    grant_put(book, standing);
    return NULL;
}

static enum rc make_live(struct grant_book *book, const struct grant *row,
                         const struct grant_tie *tie, const struct loading *loading,
                         struct arena *arena, struct live_grant **out_grant)
{
    struct live_grant *parent = NULL;
    struct live_grant *grant;
    const struct grant_texts_source source = { book->store, book->catalog, book->issuer };
    struct grant_texts texts;
    struct tie_limits limits;
    enum rc rc = tie_read(tie, &limits);

    if (rc == RC_OK)
        rc = grant_texts_make(&source, row, tie->authorization, arena, &texts);
    if (rc == RC_OK && row->parent_id != 0)
        rc = grant_find(book, row->parent_id, true, &parent);
    if (rc != RC_OK)
        return rc;
    grant = live_grant_new(book, row, &texts, tie, &limits);
    if (grant == NULL && parent != NULL)
        grant_put(book, parent);
    if (grant == NULL)
        return RC_UNAVAILABLE;
    grant->parent = parent;
    if (parent != NULL && grant->session == NULL)
        grant->session = parent->session; /* narrowed: the reference to the parent keeps it */
    grant = enter(book, grant, loading);
    if (grant == NULL)
        return RC_EXISTS;
    *out_grant = grant;
    return RC_OK;
}

/*
 * A grant may end between the read of its row and its entry in the book, where the feed's mark
 * would find nothing to mark. So the book knows of the reading from before it begins: an end that
 * was told before that was committed before the row is read, and one that is told later finds the
 * reading or the grant. It does not matter who tells, the writer or the feed.
 */
static enum rc load_once(struct grant_book *book, int64_t id, struct arena *arena,
                         struct live_grant **out_grant)
{
    struct loading loading = { .id = id };
    struct tie_rows rows;
    struct grant row;
    enum rc rc;

    loading_begin(book, &loading);
    rc = store_find_grant(book->store, id, arena, &row);
    if (rc == RC_OK)
        rc = tie_find(book->store, &row, arena, &rows);
    if (rc == RC_OK)
        rc = make_live(book, &row, &rows.tie, &loading, arena, out_grant);
    loading_end(book, &loading);
    return rc;
}

static enum rc load(struct grant_book *book, int64_t id, struct arena *arena,
                    struct live_grant **out_grant)
{
    enum rc rc = load_once(book, id, arena, out_grant);

    /* All was forgotten meanwhile: the row may be from before what nobody told. */
    for (int try = 1; rc == RC_OK && grant_is_forgotten(*out_grant); try++) {
        grant_put(book, *out_grant);
        arena_reset(arena);
        rc = try < TRY_COUNT ? load_once(book, id, arena, out_grant) : RC_UNAVAILABLE;
    }
    return rc;
}

/* What memory knows is as good as the feed that it heard of. */
static enum rc answer_known(struct grant_book *book, struct live_grant *grant,
                            struct live_grant **out_grant)
{
    if (grant_book_is_trusted(book)) {
        *out_grant = grant;
        return RC_OK;
    }
    grant_put(book, grant);
    return RC_UNAVAILABLE;
}

enum rc grant_find(struct grant_book *book, int64_t id, bool may_block,
                   struct live_grant **out_grant)
{
    struct live_grant *grant;
    struct arena arena;
    enum rc rc;

    pthread_mutex_lock(&book->lock);
    grant = find_id(book, id);
    if (grant != NULL)
        grant_hold(grant);
    pthread_mutex_unlock(&book->lock);
    if (grant != NULL)
        return answer_known(book, grant, out_grant);
    if (!may_block)
        return RC_WOULD_BLOCK;
    arena_init(&arena, LOAD_ARENA_BYTES);
    rc = load(book, id, &arena, out_grant);
    arena_deinit(&arena);
    return rc;
}

static struct live_grant *find_standing(struct grant_book *book, const struct grant *like)
{
    struct live_grant *grant;

    pthread_mutex_lock(&book->lock);
    grant = book->by_standing[standing_bucket(book, like->client_id, like->account_id, like->scope,
                                              like->audience)];
    while (grant != NULL &&
           (grant->client_id != like->client_id || grant->account_id != like->account_id ||
            !str_equal(grant->scope, like->scope) || !str_equal(grant->audience, like->audience) ||
            grant_is_ended(grant)))
        grant = grant->next_standing;
    if (grant != NULL)
        grant_hold(grant);
    pthread_mutex_unlock(&book->lock);
    return grant;
}

/* Makes the row. RC_EXISTS when another thread or node was quicker. */
static enum rc insert_standing(struct grant_book *book, const struct grant *like, int64_t now,
                               struct grant *out_row)
{
    struct store_unit unit;
    struct grant row = *like;
    enum rc rc = store_next_id(book->store, SEQUENCE_NOUN, &row.id);

    if (rc != RC_OK)
        return rc;
    row.created_at = now;
    store_unit_init(&unit);
    store_insert_grant(&unit, &row);
    rc = store_commit(book->store, &unit);
    if (rc == RC_OK)
        *out_row = row;
    return rc;
}

static enum rc find_or_insert_standing(struct grant_book *book, const struct grant *like,
                                       int64_t now, struct arena *arena, struct grant *out_row)
{
    enum rc rc = RC_EXISTS;

    /* What was inserted by the quicker one may have ended again when it is looked for. */
    for (int try = 0; try < TRY_COUNT && rc == RC_EXISTS; try++) {
        rc = store_find_standing_grant(book->store, like, arena, out_row);
        if (rc == RC_NOT_FOUND)
            rc = insert_standing(book, like, now, out_row);
    }
    return rc == RC_EXISTS ? RC_BUSY : rc;
}

enum rc grant_find_standing(struct grant_book *book, const struct grant *like, int64_t now,
                            struct live_grant **out_grant)
{
    struct live_grant *grant = find_standing(book, like);
    struct arena arena;
    struct grant row;
    enum rc rc;

    /* Who may use it, and what was allowed with it, nobody shares. */
    ASSERT(like->authorization_id == 0 && like->binding.kind == BINDING_NONE);
    if (grant != NULL)
        return answer_known(book, grant, out_grant);
    arena_init(&arena, LOAD_ARENA_BYTES);
    rc = find_or_insert_standing(book, like, now, &arena, &row);
    if (rc == RC_OK)
        rc = load(book, row.id, &arena, out_grant);
    arena_deinit(&arena);
    return rc;
}

/* What the row rests on: what the caller says, what the row names, or what its parent rests on. */
static enum rc find_authorization(struct grant_book *book, struct grant *row, struct arena *arena,
                                  struct authorization *own, struct grant_tie *tie)
{
    struct live_grant *parent;
    enum rc rc = RC_OK;

    if (tie->authorization != NULL) {
        row->authorization_id = tie->authorization->id;
        return RC_OK;
    }
    if (row->authorization_id == 0 && row->parent_id != 0) {
        rc = grant_find(book, row->parent_id, true, &parent);
        if (rc != RC_OK)
            return rc;
        row->authorization_id = parent->authorization_id;
        grant_put(book, parent);
    }
    if (row->authorization_id == 0)
        return RC_OK;
    rc = store_find_authorization(book->store, row->authorization_id, arena, own);
    if (rc == RC_OK)
        tie->authorization = own;
    return rc;
}

enum rc grant_draft_family(struct grant_book *book, const struct grant *like,
                           const struct grant_tie *tie, int64_t now, struct store_unit *unit,
                           struct live_grant **out_grant)
{
    struct grant_tie own = tie != NULL ? *tie : (struct grant_tie){ .session = NULL };
    struct session begun = { 0 };
    struct authorization authorization;
    struct arena arena;
    struct grant row = *like;
    enum rc rc = like->id != 0 ? RC_OK : store_next_id(book->store, SEQUENCE_NOUN, &row.id);

    ASSERT(own.session == NULL || own.permanent == NULL);
    if (rc != RC_OK)
        return rc;
    row.is_family = true;
    row.is_session = own.session != NULL;
    row.is_permanent = own.permanent != NULL;
    row.created_at = now;
    if (own.session != NULL) {
        begun = *own.session;
        begun.id = row.id;
        begun.account_id = row.account_id;
        begun.created_at = now;
        begun.last_active_at = now;
        own.session = &begun;
    }
    arena_init(&arena, LOAD_ARENA_BYTES);
    rc = find_authorization(book, &row, &arena, &authorization, &own);
    if (rc == RC_OK)
        rc = make_live(book, &row, &own, NULL, &arena, out_grant);
    arena_deinit(&arena);
    if (rc == RC_OK) {
        /* The unit's texts must outlive its commit: the live_grant's do. */
        row.scope = (*out_grant)->scope;
        row.audience = (*out_grant)->audience;
        store_insert_grant(unit, &row);
        if (own.session != NULL)
            store_insert_session(unit, &begun);
    }
    return rc;
}
