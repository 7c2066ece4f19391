#include "token/keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "jose/jose.h"
#include "store/shared.h"
#include "token/room.h"

enum {
    JWKS_BYTES_MAX = KEY_COUNT_MAX * 1024,
    LEAVING_AHEAD_S = 60, /* a key that is to be kept is so before it has left the JWKS */
    KEEP_S = 86400
};

struct ring_key {
    struct signer *signer;
    struct public_key public_key;
    enum signing_alg alg;
    char kid[KEY_ID_BYTES];
    int64_t id;
    int64_t created_at;
    int64_t signs_from;
    int64_t retires_at;
    _Atomic unsigned reference_count;
};

struct key_ring {
    struct store *store;
    const unsigned char *master_key; /* the caller's: no copy outside of its locked page */
    _Atomic uint64_t told_count;     /* how often the feed said that keys have changed */
    _Atomic uint64_t read_count;     /* of these, how many the keys here know of */
    pthread_mutex_t make_lock;       /* one thread at a time reads and makes keys */
    pthread_rwlock_t lock;           /* guards what follows             */
    struct ring_key *keys[KEY_COUNT_MAX];
    size_t key_count;
    char jwks[JWKS_BYTES_MAX];
    size_t jwks_bytes;
};

/* ---- the ring ------------------------------------------------------------------------------- */

const struct signer *ring_key_signer(const struct ring_key *key)
{
    return key->signer;
}

const struct public_key *ring_key_public(const struct ring_key *key)
{
    return &key->public_key;
}

struct str ring_key_id(const struct ring_key *key)
{
    return (struct str){ key->kid, KEY_ID_BYTES };
}

void ring_key_put(struct ring_key *key)
{
    if (atomic_fetch_sub(&key->reference_count, 1) != 1)
        return;
    signer_free(key->signer);
    free(key);
}

static enum rc unseal_key(const struct key_ring *ring, const struct key *row,
                          struct ring_key **out_key)
{
    char private_bytes[SIGNER_PRIVATE_BYTES_MAX];
    struct buffer private_key = buffer_over(private_bytes, sizeof(private_bytes));
    struct signer *signer = NULL;
    struct ring_key *key;
    enum rc rc = unseal(ring->master_key, row->kid, row->sealed, &private_key);

    if (rc == RC_OK)
        rc = signer_import_private(signer_kind_of(row->alg), buffer_str(&private_key), &signer);
    explicit_bzero(private_bytes, sizeof(private_bytes));
    if (rc != RC_OK || row->kid.len != KEY_ID_BYTES) {
        signer_free(signer);
        return RC_CORRUPT; /* the master key is another one, or the row was changed */
    }
    key = calloc(1, sizeof(*key));
    if (key == NULL) {
        signer_free(signer);
        return RC_UNAVAILABLE;
    }
    *key = (struct ring_key){ .signer = signer,
                              .alg = row->alg,
                              .id = row->id,
                              .created_at = row->created_at,
                              .signs_from = row->signs_from,
                              .retires_at = row->retires_at };
    memcpy(key->kid, row->kid.at, KEY_ID_BYTES);
    signer_public(signer, &key->public_key);
    atomic_init(&key->reference_count, 1);
    *out_key = key;
    return RC_OK;
}

static void put_all(struct ring_key **keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ring_key_put(keys[i]);
}

static size_t format_jwks(struct ring_key **keys, size_t count, int64_t now, char *out_json)
{
    struct buffer json = buffer_over(out_json, JWKS_BYTES_MAX);
    bool is_first = true;

    BUFFER_APPEND_LITERAL(&json, "{\"keys\":[");
    for (size_t i = 0; i < count; i++) {
        if (keys[i]->retires_at != 0 && keys[i]->retires_at <= now)
            continue;
        if (!is_first)
            buffer_append_byte(&json, ',');
        is_first = false;
        jwk_format_public(&keys[i]->public_key, ring_key_id(keys[i]), &json);
    }
    BUFFER_APPEND_LITERAL(&json, "]}");
    ASSERT(!json.overflow);
    return json.len;
}

static enum rc load_keys(struct key_ring *ring, struct arena *arena, struct ring_key **out_keys,
                         size_t *out_count)
{
    struct key *rows = arena_alloc(arena, KEY_COUNT_MAX * sizeof(*rows));
    size_t row_count;
    size_t count = 0;
    enum rc rc = store_list_keys(ring->store, arena, rows, KEY_COUNT_MAX, &row_count);

    while (rc == RC_OK && count < row_count) {
        rc = unseal_key(ring, &rows[count], &out_keys[count]);
        if (rc == RC_OK)
            count++;
    }
    if (rc != RC_OK) {
        put_all(out_keys, count);
        return rc;
    }
    *out_count = count;
    return RC_OK;
}

static enum rc reload(struct key_ring *ring, int64_t now)
{
    struct ring_key *keys[KEY_COUNT_MAX];
    struct ring_key *old[KEY_COUNT_MAX];
    size_t count = 0;
    size_t old_count;
    struct arena arena;
    enum rc rc;

    arena_init(&arena, KEYS_ARENA_BYTES);
    rc = load_keys(ring, &arena, keys, &count);
    arena_deinit(&arena);
    if (rc != RC_OK)
        return rc;
    pthread_rwlock_wrlock(&ring->lock);
    old_count = ring->key_count;
    memcpy(old, ring->keys, sizeof(old));
    memcpy(ring->keys, keys, count * sizeof(keys[0]));
    ring->key_count = count;
    ring->jwks_bytes = format_jwks(keys, count, now, ring->jwks);
    pthread_rwlock_unlock(&ring->lock);
    put_all(old, old_count);
    return RC_OK;
}

static bool is_stale(const struct key_ring *ring)
{
    return atomic_load(&ring->read_count) != atomic_load(&ring->told_count);
}

/* Reads the keys if they have changed; make_lock is held. What is told while they are read may have
 * been read or not, and makes them stale again. */
static enum rc refresh_locked(struct key_ring *ring, int64_t now)
{
    uint64_t told_count = atomic_load(&ring->told_count);
    enum rc rc = RC_OK;

    if (atomic_load(&ring->read_count) != told_count)
        rc = reload(ring, now);
    if (rc == RC_OK)
        atomic_store(&ring->read_count, told_count);
    return rc;
}

static enum rc refresh(struct key_ring *ring, int64_t now)
{
    enum rc rc = RC_OK;

    if (is_stale(ring)) {
        pthread_mutex_lock(&ring->make_lock);
        rc = refresh_locked(ring, now);
        pthread_mutex_unlock(&ring->make_lock);
    }
    /* A key that another process deleted signs nothing, and vouches for nothing. */
    return rc == RC_OK && !store_is_trusted(ring->store) ? RC_UNAVAILABLE : rc;
}

/* A key that is to retire signs only as long as its successor has not come (KY-02). */
static bool is_better(const struct ring_key *key, const struct ring_key *best)
{
    if (best == NULL)
        return true;
    if ((key->retires_at == 0) != (best->retires_at == 0))
        return key->retires_at == 0;
    return key->signs_from > best->signs_from;
}

/* The key that signs, or NULL; the lock is held. */
static struct ring_key *best_of(const struct key_ring *ring, enum signing_alg alg, int64_t now)
{
    struct ring_key *best = NULL;

    for (size_t i = 0; i < ring->key_count; i++) {
        struct ring_key *key = ring->keys[i];

        if (key->alg == alg && key->signs_from <= now &&
            (key->retires_at == 0 || key->retires_at > now) && is_better(key, best))
            best = key;
    }
    return best;
}

static struct ring_key *find_signing(struct key_ring *ring, enum signing_alg alg, int64_t now)
{
    struct ring_key *best;

    pthread_rwlock_rdlock(&ring->lock);
    best = best_of(ring, alg, now);
    if (best != NULL)
        atomic_fetch_add(&best->reference_count, 1);
    pthread_rwlock_unlock(&ring->lock);
    return best;
}

enum rc key_ring_list(struct key_ring *ring, int64_t now,
                      struct key_view out_rows[static KEY_COUNT_MAX], size_t *out_count)
{
    enum rc rc = refresh(ring, now);

    if (rc != RC_OK)
        return rc;
    pthread_rwlock_rdlock(&ring->lock);
    for (size_t i = 0; i < ring->key_count; i++) {
        const struct ring_key *key = ring->keys[i];

        out_rows[i] = (struct key_view){ .alg = key->alg,
                                         .created_at = key->created_at,
                                         .signs_from = key->signs_from,
                                         .retires_at = key->retires_at };
        memcpy(out_rows[i].kid, key->kid, KEY_ID_BYTES);
        out_rows[i].is_signing = key == best_of(ring, key->alg, now);
    }
    *out_count = ring->key_count;
    pthread_rwlock_unlock(&ring->lock);
    return RC_OK;
}

enum rc key_ring_rotate(struct key_ring *ring, enum signing_alg alg, struct str by,
                        const unsigned char address[static 16], int64_t now)
{
    const struct key key = { .alg = alg,
                             .created_at = now,
                             .signs_from = now + KEY_PUBLISH_LEAD_S };
    const struct key_actor actor = { .by = by, .address = address };
    char kid[KEY_ID_BYTES + 1];
    enum rc rc = key_make(ring->store, ring->master_key, key, KEY_OVERLAP_S, &actor, kid);

    if (rc != RC_OK)
        return rc;
    /* Who asked for it sees it: another thread may be reading those from before. */
    pthread_mutex_lock(&ring->make_lock);
    key_ring_mark_stale(ring);
    rc = refresh_locked(ring, now);
    pthread_mutex_unlock(&ring->make_lock);
    return rc;
}

/* When the youngest key of an algorithm was made; 0: there is none. */
static int64_t find_newest(struct key_ring *ring, enum signing_alg alg)
{
    int64_t newest = 0;

    pthread_rwlock_rdlock(&ring->lock);
    for (size_t i = 0; i < ring->key_count; i++)
        if (ring->keys[i]->alg == alg && ring->keys[i]->created_at > newest)
            newest = ring->keys[i]->created_at;
    pthread_rwlock_unlock(&ring->lock);
    return newest;
}

/* What every process would do by itself: the key of the one that is first will do for all. */
static enum rc make_next(struct key_ring *ring, enum signing_alg alg, int64_t now,
                         int64_t signs_from, int64_t newest_at)
{
    const struct key key = { .alg = alg, .created_at = now, .signs_from = signs_from };
    char kid[KEY_ID_BYTES + 1];
    enum rc rc = key_make_next(ring->store, ring->master_key, key, KEY_OVERLAP_S, newest_at, kid);

    return rc == RC_SPENT ? RC_OK : rc;
}

static enum rc make_first(struct key_ring *ring, enum signing_alg alg, int64_t now)
{
    struct ring_key *key;
    enum rc rc = RC_OK;

    pthread_mutex_lock(&ring->make_lock);
    key = find_signing(ring, alg, now);
    if (key != NULL)
        ring_key_put(key);
    else
        rc = make_next(ring, alg, now, now, find_newest(ring, alg));
    if (rc == RC_OK && key == NULL) {
        key_ring_mark_stale(ring); /* also where no feed says so */
        rc = refresh_locked(ring, now);
    }
    pthread_mutex_unlock(&ring->make_lock);
    return rc;
}

enum rc key_ring_find(struct key_ring *ring, enum signing_alg alg, int64_t now,
                      struct ring_key **out_key)
{
    struct ring_key *key;
    enum rc rc = refresh(ring, now);

    if (rc != RC_OK)
        return rc;
    key = find_signing(ring, alg, now);
    if (key == NULL) {
        rc = make_first(ring, alg, now);
        if (rc != RC_OK)
            return rc;
        key = find_signing(ring, alg, now);
    }
    if (key == NULL)
        return RC_CORRUPT;
    *out_key = key;
    return RC_OK;
}

enum rc key_ring_find_by_id(struct key_ring *ring, struct str kid, int64_t now,
                            struct ring_key **out_key)
{
    struct ring_key *found = NULL;
    enum rc rc;

    rc = refresh(ring, now);
    if (rc != RC_OK)
        return rc;
    pthread_rwlock_rdlock(&ring->lock);
    for (size_t i = 0; i < ring->key_count && found == NULL; i++)
        if (str_equal(ring_key_id(ring->keys[i]), kid))
            found = ring->keys[i];
    if (found != NULL)
        atomic_fetch_add(&found->reference_count, 1);
    pthread_rwlock_unlock(&ring->lock);
    if (found == NULL)
        return RC_NOT_FOUND;
    *out_key = found;
    return RC_OK;
}

enum rc key_ring_open(struct store *store, const unsigned char master_key[static SEAL_KEY_BYTES],
                      int64_t now, struct key_ring **out_ring)
{
    struct key_ring *ring = calloc(1, sizeof(*ring));
    enum rc rc;

    ASSERT(ring != NULL);
    ring->store = store;
    ring->master_key = master_key;
    pthread_mutex_init(&ring->make_lock, NULL);
    pthread_rwlock_init(&ring->lock, NULL);
    rc = reload(ring, now);
    if (rc == RC_OK)
        rc = make_first(ring, ALG_ES256, now);
    if (rc == RC_OK)
        rc = make_first(ring, ALG_EDDSA, now);
    if (rc != RC_OK) {
        key_ring_close(ring);
        return rc;
    }
    *out_ring = ring;
    return RC_OK;
}

void key_ring_close(struct key_ring *ring)
{
    if (ring == NULL)
        return;
    put_all(ring->keys, ring->key_count);
    pthread_mutex_destroy(&ring->make_lock);
    pthread_rwlock_destroy(&ring->lock);
    free(ring);
}

enum rc key_ring_format_jwks(struct key_ring *ring, int64_t now, bool may_block,
                             struct buffer *out_json)
{
    enum rc rc = RC_OK;

    if (is_stale(ring))
        rc = may_block ? refresh(ring, now) : RC_WOULD_BLOCK;
    if (rc == RC_WOULD_BLOCK)
        return rc;
    /* With the store away, what was known is still true: no other key signs here, and one that
     * signs elsewhere was published long before (KEY_PUBLISH_LEAD_S). It is the one thing that is
     * told out of memory then, so that others can check the tokens that they have. */
    pthread_rwlock_rdlock(&ring->lock);
    buffer_append(out_json, ring->jwks, ring->jwks_bytes);
    pthread_rwlock_unlock(&ring->lock);
    return RC_OK;
}

int64_t key_ring_age(struct key_ring *ring, enum signing_alg alg, int64_t now)
{
    const struct ring_key *key;
    int64_t age_s = -1;

    pthread_rwlock_rdlock(&ring->lock);
    key = best_of(ring, alg, now);
    if (key != NULL)
        age_s = now - key->signs_from;
    pthread_rwlock_unlock(&ring->lock);
    return age_s;
}

unsigned key_ring_algs(struct key_ring *ring)
{
    unsigned algs = 0;

    pthread_rwlock_rdlock(&ring->lock);
    for (size_t i = 0; i < ring->key_count; i++)
        algs |= 1u << ring->keys[i]->alg;
    pthread_rwlock_unlock(&ring->lock);
    return algs;
}

void key_ring_mark_stale(struct key_ring *ring)
{
    atomic_fetch_add(&ring->told_count, 1);
}

/* Makes the successor of an algorithm's newest key when that has grown old. */
static enum rc tend_alg(struct key_ring *ring, enum signing_alg alg, int64_t now)
{
    int64_t newest = find_newest(ring, alg);

    if (newest == 0 || now - newest < KEY_ROTATE_AFTER_S)
        return RC_OK;
    return make_next(ring, alg, now, now + KEY_PUBLISH_LEAD_S, newest);
}

/* A key that is about to leave the JWKS, or should have left. */
struct leaving {
    int64_t id;
    int64_t signs_from;
    int64_t signs_until; /* no longer than that */
    int64_t retires_at;
};

/* The lock is held. */
static int64_t find_end_of_signing(const struct key_ring *ring, const struct ring_key *key)
{
    int64_t end = key->retires_at;

    for (size_t i = 0; i < ring->key_count; i++) {
        const struct ring_key *next = ring->keys[i];

        if (next->alg == key->alg && next->signs_from > key->signs_from && next->signs_from < end)
            end = next->signs_from;
    }
    return end;
}

static size_t list_leaving(struct key_ring *ring, int64_t now,
                           struct leaving out_keys[static KEY_COUNT_MAX], bool *out_has_room)
{
    size_t count = 0;

    pthread_rwlock_rdlock(&ring->lock);
    *out_has_room = ring->key_count < KEY_KEPT_COUNT_MAX;
    for (size_t i = 0; i < ring->key_count; i++) {
        const struct ring_key *key = ring->keys[i];

        if (key->retires_at != 0 && key->retires_at <= now + LEAVING_AHEAD_S)
            out_keys[count++] = (struct leaving){ key->id, key->signs_from,
                                                  find_end_of_signing(ring, key), key->retires_at };
    }
    pthread_rwlock_unlock(&ring->lock);
    return count;
}

/* A permanent JWT may outlive its key by far: that stays for a day more, again and again, as long
 * as there is room for its successors. */
static enum rc let_go_or_keep(struct key_ring *ring, const struct leaving *key, bool has_room,
                              int64_t now)
{
    struct store_unit unit;
    bool is_needed = false;
    enum rc rc = RC_OK;

    if (has_room)
        rc = permanent_jwt_lives(ring->store, key->signs_from, key->signs_until, now, &is_needed);
    if (rc != RC_OK || (!is_needed && key->retires_at > now))
        return rc;
    store_unit_init(&unit);
    if (is_needed)
        store_retire_key(&unit, key->id, now + KEEP_S);
    else
        store_delete_key(&unit, key->id);
    rc = store_commit(ring->store, &unit);
    return rc == RC_NOT_FOUND ? RC_OK : rc; /* another process was quicker */
}

/* Removes the keys whose last token has expired; the feed then reports them (KY-02). */
static enum rc tend_leaving(struct key_ring *ring, int64_t now)
{
    struct leaving keys[KEY_COUNT_MAX];
    bool has_room;
    size_t count = list_leaving(ring, now, keys, &has_room);
    enum rc rc = RC_OK;

    for (size_t i = 0; i < count && rc == RC_OK; i++)
        rc = let_go_or_keep(ring, &keys[i], has_room, now);
    return rc;
}

enum rc key_ring_tend(struct key_ring *ring, int64_t now)
{
    enum rc rc = tend_leaving(ring, now);

    for (int alg = 0; alg < ALG_COUNT && rc == RC_OK; alg++)
        rc = tend_alg(ring, (enum signing_alg)alg, now);
    return rc == RC_OK ? refresh(ring, now) : rc;
}
