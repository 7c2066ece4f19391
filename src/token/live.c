#include "token/live.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/secret.h"

enum {
    SEGMENT_RECORD_COUNT = 1024,
    RING_SEGMENT_COUNT = 1 << 18, /* a window of 256 million ids in each range */
    STRIPE_COUNT = 256,
    SEGMENT_COUNT_MIN = 2,
    DROP_LOOK_COUNT = 8,   /* segments looked at for dropping when one is made */
    TEND_LOOK_COUNT = 256, /* the same when the table is tended, before others have their turn */
    PAGE_BYTES = 4096,
    /* A refresh token is used once its access token has expired, or never: after two hours a look
     * into the store is cheaper than the memory. */
    REFRESH_KEPT_S = 2 * 3600
};

enum record_state { RECORD_EMPTY, RECORD_LIVE, RECORD_REVOKED };

struct record {
    unsigned char digest[DIGEST_BYTES];
    struct live_grant *grant; /* held while RECORD_LIVE */
    int64_t issued_at;
    int64_t expires_at;
    unsigned char state;
    unsigned char kind;
    unsigned char format;
};

_Static_assert(sizeof(struct record) <= 64, "a record is one cache line");

struct segment {
    int64_t number;        /* first id / SEGMENT_RECORD_COUNT                  */
    int64_t latest_expiry; /* when its records are wanted no more; INT64_MAX: never */
    size_t live_count;
    _Alignas(64) struct record records[SEGMENT_RECORD_COUNT];
};

enum { SEGMENT_BYTES = (sizeof(struct segment) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES };

/* One range of ids: short-lived tokens and long-lived ones have a ring each. */
struct ring {
    _Atomic uint64_t epoch;
    int64_t first; /* numbers of the segments that may stand: first..end-1; by growth_lock */
    int64_t end;
    int64_t drop_cursor;                       /* goes round over first..end-1; by growth_lock   */
    struct segment *slots[RING_SEGMENT_COUNT]; /* at number % count; guarded by the slot's stripe */
};

struct stripe {
    _Alignas(64) pthread_mutex_t lock;
};

struct live_table {
    struct grant_book *grants;
    struct ring *rings[2];
    struct stripe stripes[STRIPE_COUNT];
    pthread_mutex_t growth_lock; /* taken before a stripe, never after one */
    size_t segment_count;        /* guarded by growth_lock                 */
    size_t bytes_max;            /* of segments and grants together        */
    _Atomic size_t record_count;
    _Atomic size_t segment_count_seen;
};

/* Where an id's record stands. */
struct place {
    size_t range; /* of `rings` */
    struct ring *ring;
    struct stripe *stripe;
    size_t slot;
    int64_t number;
    size_t index;
};

static struct place place_of(struct live_table *table, int64_t id)
{
    bool is_long = id >= STORE_LONG_TOKEN_FIRST;
    int64_t number = id / SEGMENT_RECORD_COUNT;
    size_t slot = (size_t)number % RING_SEGMENT_COUNT;

    return (struct place){ .range = is_long,
                           .ring = table->rings[is_long],
                           .stripe = &table->stripes[slot % STRIPE_COUNT],
                           .slot = slot,
                           .number = number,
                           .index = (size_t)id % SEGMENT_RECORD_COUNT };
}

struct live_table *live_table_new(struct grant_book *grants, size_t bytes_max)
{
    struct live_table *table = calloc(1, sizeof(*table));

    ASSERT(table != NULL);
    table->grants = grants;
    table->bytes_max = bytes_max;
    for (int i = 0; i < 2; i++) {
        table->rings[i] = calloc(1, sizeof(*table->rings[i]));
        ASSERT(table->rings[i] != NULL);
    }
    for (size_t i = 0; i < STRIPE_COUNT; i++)
        pthread_mutex_init(&table->stripes[i].lock, NULL);
    pthread_mutex_init(&table->growth_lock, NULL);
    return table;
}

/*
 * Pages of its own, all zero, which go back to the system when it is dropped. From malloc the
 * aligned blocks of one thread were not used again for those of another, nor for their own like.
 */
static struct segment *segment_new(int64_t number)
{
    struct segment *segment = (struct segment *)mmap(NULL, SEGMENT_BYTES, PROT_READ | PROT_WRITE,
                                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (segment == MAP_FAILED)
        return NULL;
    segment->number = number;
    return segment;
}

/* Frees a segment that no slot names any more, and lets go of its grants. */
static void segment_free(struct live_table *table, struct segment *segment)
{
    for (size_t i = 0; i < SEGMENT_RECORD_COUNT; i++)
        if (segment->records[i].state == RECORD_LIVE)
            grant_put(table->grants, segment->records[i].grant);
    atomic_fetch_sub(&table->record_count, segment->live_count);
    munmap(segment, SEGMENT_BYTES);
}

void live_table_free(struct live_table *table)
{
    if (table == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        for (size_t slot = 0; slot < RING_SEGMENT_COUNT; slot++)
            if (table->rings[i]->slots[slot] != NULL)
                segment_free(table, table->rings[i]->slots[slot]);
        free(table->rings[i]);
    }
    for (size_t i = 0; i < STRIPE_COUNT; i++)
        pthread_mutex_destroy(&table->stripes[i].lock);
    pthread_mutex_destroy(&table->growth_lock);
    free(table);
}

struct live_epoch live_epoch(struct live_table *table)
{
    return (struct live_epoch){ { atomic_load(&table->rings[0]->epoch),
                                  atomic_load(&table->rings[1]->epoch) } };
}

/* Whether all of a segment's tokens have expired, or all were revoked or spent and no more come. */
static bool is_over(const struct ring *ring, const struct segment *segment, int64_t now)
{
    return segment->latest_expiry <= now ||
           (segment->live_count == 0 && segment->number < ring->end - 2);
}

/* Takes a slot's segment out if it is wanted gone. The caller holds growth_lock. */
static void slot_drop(struct live_table *table, struct ring *ring, size_t slot, int64_t now,
                      bool even_if_alive)
{
    struct stripe *stripe = &table->stripes[slot % STRIPE_COUNT];
    struct segment *segment;

    pthread_mutex_lock(&stripe->lock);
    segment = ring->slots[slot];
    if (segment != NULL && (even_if_alive || is_over(ring, segment, now))) {
        ring->slots[slot] = NULL;
        atomic_fetch_add(&ring->epoch, 1);
    } else {
        segment = NULL;
    }
    pthread_mutex_unlock(&stripe->lock);
    if (segment != NULL) {
        table->segment_count--;
        segment_free(table, segment);
    }
}

/* Whether one more segment would be too much. Grants count, too: a family has one of its own. */
static bool is_full(const struct live_table *table)
{
    size_t segment_bytes = (table->segment_count + 1) * SEGMENT_BYTES;

    return table->segment_count >= SEGMENT_COUNT_MIN &&
           segment_bytes + grant_book_bytes(table->grants) > table->bytes_max;
}

/* Drops the segment under a ring's cursor if it is wanted gone, and goes on to the next. */
static void look_at_next(struct live_table *table, struct ring *ring, int64_t now,
                         bool even_if_alive)
{
    size_t slot = (size_t)ring->drop_cursor % RING_SEGMENT_COUNT;

    if (ring->first == ring->end)
        return;
    if (ring->slots[slot] != NULL)
        slot_drop(table, ring, slot, now, even_if_alive);
    ring->drop_cursor++;
    while (ring->first < ring->end && ring->slots[(size_t)ring->first % RING_SEGMENT_COUNT] == NULL)
        ring->first++;
    if (ring->drop_cursor >= ring->end || ring->drop_cursor < ring->first)
        ring->drop_cursor = ring->first;
}

/*
 * Drops segments that are over near the cursors; a full table gives up the next living one, too.
 * The caller holds growth_lock, under which alone slots change, so they may be read here.
 */
static void make_room(struct live_table *table, int64_t now)
{
    size_t looks;

    for (looks = 0; looks < DROP_LOOK_COUNT || is_full(table); looks++)
        look_at_next(table, table->rings[looks % 2], now, is_full(table));
}

void live_tend(struct live_table *table, int64_t now)
{
    for (int i = 0; i < 2; i++) {
        struct ring *ring = table->rings[i];
        int64_t looks = 0;
        int64_t wanted = 1;

        while (looks < wanted) {
            pthread_mutex_lock(&table->growth_lock);
            if (looks == 0)
                wanted = ring->end - ring->first;
            for (size_t turn = 0; turn < TEND_LOOK_COUNT && looks < wanted; turn++, looks++)
                look_at_next(table, ring, now, false);
            atomic_store(&table->segment_count_seen, table->segment_count);
            pthread_mutex_unlock(&table->growth_lock);
        }
    }
}

/* Stretches a ring's window to a segment that now stands. */
static void note_made(struct ring *ring, int64_t number)
{
    if (ring->first == ring->end) {
        ring->first = number;
        ring->end = number;
        ring->drop_cursor = number;
    }
    if (number < ring->first)
        ring->first = number;
    if (number >= ring->end)
        ring->end = number + 1;
    /* All slots are in a window as long as the ring. */
    if (ring->end - ring->first > RING_SEGMENT_COUNT)
        ring->first = ring->end - RING_SEGMENT_COUNT;
}

/* Makes the segment of a place, unless another thread has, or a newer one stands in its slot. */
static void segment_make(struct live_table *table, const struct place *place, int64_t now)
{
    struct segment *segment = NULL;
    struct segment *standing;

    pthread_mutex_lock(&table->growth_lock);
    make_room(table, now);
    standing = place->ring->slots[place->slot];
    if (standing != NULL && standing->number < place->number) {
        slot_drop(table, place->ring, place->slot, now, true);
        standing = NULL;
    }
    if (standing == NULL)
        segment = segment_new(place->number);
    /* Without memory there is none: the store knows what the table does not. */
    if (segment != NULL) {
        pthread_mutex_lock(&place->stripe->lock);
        place->ring->slots[place->slot] = segment;
        pthread_mutex_unlock(&place->stripe->lock);
        table->segment_count++;
        note_made(place->ring, place->number);
    }
    atomic_store(&table->segment_count_seen, table->segment_count);
    pthread_mutex_unlock(&table->growth_lock);
}

/* The segment of a place if it stands there. The caller holds the stripe. */
static struct segment *segment_at(const struct place *place)
{
    struct segment *segment = place->ring->slots[place->slot];

    return segment != NULL && segment->number == place->number ? segment : NULL;
}

static void record_fill(struct live_table *table, struct segment *segment, struct record *record,
                        const struct token *token, struct live_grant *grant)
{
    int64_t expiry = token->expires_at == 0 ? INT64_MAX : token->expires_at;
    int64_t kept_until = expiry;

    if (token->kind == TOKEN_REFRESH && kept_until > token->issued_at + REFRESH_KEPT_S)
        kept_until = token->issued_at + REFRESH_KEPT_S;
    memcpy(record->digest, token->digest, DIGEST_BYTES);
    record->grant = grant_hold(grant);
    record->issued_at = token->issued_at;
    record->expires_at = expiry;
    record->kind = (unsigned char)token->kind;
    record->format = (unsigned char)token->format;
    record->state = RECORD_LIVE;
    segment->live_count++;
    if (kept_until > segment->latest_expiry)
        segment->latest_expiry = kept_until;
    atomic_fetch_add_explicit(&table->record_count, 1, memory_order_relaxed);
}

void live_put(struct live_table *table, const struct token *token, struct live_grant *grant,
              struct live_epoch epoch, int64_t now)
{
    struct place place = place_of(table, token->id);
    struct segment *segment;

    if (token->is_revoked || (token->expires_at != 0 && token->expires_at <= now))
        return;
    pthread_mutex_lock(&place.stripe->lock);
    segment = segment_at(&place);
    if (segment == NULL) {
        pthread_mutex_unlock(&place.stripe->lock);
        segment_make(table, &place, now);
        pthread_mutex_lock(&place.stripe->lock);
        segment = segment_at(&place);
    }
    if (segment != NULL && segment->records[place.index].state == RECORD_EMPTY &&
        atomic_load(&place.ring->epoch) == epoch.of_range[place.range] &&
        !grant_is_forgotten(grant))
        record_fill(table, segment, &segment->records[place.index], token, grant);
    pthread_mutex_unlock(&place.stripe->lock);
}

/* A record that is not empty; the digest is looked at first. RC_OK: it is active. */
static enum rc record_check(const struct record *record, const unsigned char *digest, int64_t now,
                            enum token_inactive *out_why)
{
    /* One that was revoked unseen has no digest: no SHA-256 is all zeros. */
    if (!secret_bytes_equal(record->digest, digest, DIGEST_BYTES))
        *out_why = TOKEN_UNKNOWN;
    else if (record->state != RECORD_LIVE)
        *out_why = TOKEN_REVOKED;
    else if (record->expires_at <= now)
        *out_why = TOKEN_EXPIRED;
    else if (grant_is_ended(record->grant))
        *out_why = TOKEN_REVOKED;
    else
        return RC_OK;
    return RC_NOT_FOUND;
}

enum rc live_find(struct live_table *table, int64_t id, const unsigned char *digest, int64_t now,
                  struct live_view *out_view, enum token_inactive *out_why)
{
    struct place place = place_of(table, id);
    struct segment *segment;
    enum rc rc = RC_WOULD_BLOCK;

    pthread_mutex_lock(&place.stripe->lock);
    segment = segment_at(&place);
    if (segment != NULL && segment->records[place.index].state != RECORD_EMPTY) {
        const struct record *record = &segment->records[place.index];

        rc = record_check(record, digest, now, out_why);
        if (rc == RC_OK)
            *out_view = (struct live_view){
                .grant = grant_hold(record->grant),
                .issued_at = record->issued_at,
                .expires_at = record->expires_at == INT64_MAX ? 0 : record->expires_at,
                .kind = (enum token_kind)record->kind,
                .format = (enum token_format)record->format,
            };
    }
    pthread_mutex_unlock(&place.stripe->lock);
    /* Last, so that a process which was stopped in between does not answer as of then. */
    if (rc == RC_WOULD_BLOCK || grant_book_is_trusted(table->grants))
        return rc;
    if (rc == RC_OK)
        grant_put(table->grants, out_view->grant);
    return RC_UNAVAILABLE;
}

void live_mark_revoked(struct live_table *table, int64_t id)
{
    struct place place = place_of(table, id);
    struct live_grant *released = NULL;
    struct segment *segment;

    pthread_mutex_lock(&place.stripe->lock);
    segment = segment_at(&place);
    if (segment != NULL) {
        struct record *record = &segment->records[place.index];

        if (record->state == RECORD_LIVE) {
            released = record->grant;
            segment->live_count--;
            atomic_fetch_sub_explicit(&table->record_count, 1, memory_order_relaxed);
        }
        record->state = RECORD_REVOKED;
    } else {
        /* A reader may hold this token from the store, not yet put in: make it too late. */
        atomic_fetch_add(&place.ring->epoch, 1);
    }
    pthread_mutex_unlock(&place.stripe->lock);
    if (released != NULL)
        grant_put(table->grants, released);
}

/*
 * The epoch moves on before any segment is dropped: who reads the store now, or has, and puts in
 * what it said then, comes too late, or, if it held the stripe already, is dropped with the rest.
 */
void live_forget(struct live_table *table)
{
    size_t slot;
    int i;

    pthread_mutex_lock(&table->growth_lock);
    for (i = 0; i < 2; i++)
        atomic_fetch_add(&table->rings[i]->epoch, 1);
    for (i = 0; i < 2; i++) {
        struct ring *ring = table->rings[i];

        for (slot = 0; slot < RING_SEGMENT_COUNT; slot++)
            if (ring->slots[slot] != NULL)
                slot_drop(table, ring, slot, 0, true);
        ring->first = ring->end;
        ring->drop_cursor = ring->end;
    }
    atomic_store(&table->segment_count_seen, table->segment_count);
    pthread_mutex_unlock(&table->growth_lock);
}

void live_count(struct live_table *table, size_t *out_records, size_t *out_bytes)
{
    *out_records = atomic_load(&table->record_count);
    *out_bytes = atomic_load(&table->segment_count_seen) * SEGMENT_BYTES;
}
