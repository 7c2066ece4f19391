#include "account/throttle_room.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/limits.h"
#include "store/shared.h"

enum { KNOWN_REFRESH_S = 24 * 3600 };

struct throttle_book *throttle_book_new(struct store *store, const struct hmac_key *key)
{
    struct throttle_book *book = calloc(1, sizeof(*book));

    ASSERT(book != NULL);
    book->store = store;
    book->key = key;
    book->is_shared = store_is_shared(store);
    ASSERT(pthread_mutex_init(&book->lock, NULL) == 0);
    return book;
}

void throttle_set_shared(struct throttle_book *book)
{
    book->is_shared = true;
}

void throttle_set_lockout(struct throttle_book *book, struct lockout lockout)
{
    book->lockout = lockout;
}

void throttle_book_free(struct throttle_book *book)
{
    if (book == NULL)
        return;
    pthread_mutex_destroy(&book->lock);
    free(book);
}

/* ---- meters ---- */

static void count(_Atomic uint64_t *meter)
{
    atomic_fetch_add_explicit(meter, 1, memory_order_relaxed);
}

void throttle_book_counts(const struct throttle_book *book, struct throttle_counts *out_counts)
{
    *out_counts = (struct throttle_counts){
        .right = atomic_load_explicit(&book->meters.right, memory_order_relaxed),
        .wrong = atomic_load_explicit(&book->meters.wrong, memory_order_relaxed),
        .held_up = atomic_load_explicit(&book->meters.held_up, memory_order_relaxed),
        .turned_away = atomic_load_explicit(&book->meters.turned_away, memory_order_relaxed),
    };
}

/* ---- keys ---- */

/* Folded as the store compares names, so that no spelling has a counter of its own. A longer name
 * is no account's. */
static void name_key_of(const struct throttle_book *book, struct str name,
                        unsigned char out_key[static DIGEST_BYTES])
{
    char folded[ACCOUNT_NAME_BYTES_MAX];

    if (name.len <= sizeof(folded)) {
        store_fold_name(name, folded);
        name = (struct str){ folded, name.len };
    }
    hmac_sha256(book->key, STR("throttle name:"), name, out_key);
}

void throttle_fold_address(const unsigned char address[static 16],
                           unsigned char out_folded[static 16])
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

    memcpy(out_folded, address, 16);
    if (memcmp(address, mapped, sizeof(mapped)) != 0)
        memset(out_folded + 8, 0, 8);
}

static void try_init(const struct throttle_book *book, struct str name,
                     const unsigned char address[static 16], struct throttle_try *try)
{
    unsigned char pair[DIGEST_BYTES + 16];
    struct str message = { (const char *)pair, sizeof(pair) };
    struct str name_part = { (const char *)pair, DIGEST_BYTES };
    struct str address_part = { (const char *)pair + DIGEST_BYTES, 16 };

    *try = (struct throttle_try){ 0 };
    name_key_of(book, name, try->keys[KEY_NAME]);
    memcpy(pair, try->keys[KEY_NAME], DIGEST_BYTES);
    throttle_fold_address(address, pair + DIGEST_BYTES);
    hmac_sha256(book->key, STR("throttle pair:"), message, try->keys[KEY_PAIR]);
    hmac_sha256(book->key, STR("throttle known:"), message, try->keys[KEY_KNOWN]);
    hmac_sha256(book->key, STR("throttle unlock:"), name_part, try->keys[KEY_UNLOCK]);
    hmac_sha256(book->key, STR("throttle address:"), address_part, try->keys[KEY_ADDRESS]);
}

/* ---- the table; all under the lock ---- */

static struct throttle_slot *set_of(struct throttle_book *book,
                                    const unsigned char key[static DIGEST_BYTES])
{
    return book->slots[((size_t)key[0] | (size_t)key[1] << 8) % THROTTLE_SET_COUNT];
}

static struct throttle_slot *find_slot(struct throttle_book *book,
                                       const unsigned char key[static DIGEST_BYTES])
{
    struct throttle_slot *set = set_of(book, key);

    for (size_t i = 0; i < THROTTLE_WAY_COUNT; i++) {
        if (set[i].used_at != 0 && memcmp(set[i].key, key, DIGEST_BYTES) == 0)
            return &set[i];
    }
    return NULL;
}

/* NULL when every slot of the set has a try under way. */
static struct throttle_slot *obtain_slot(struct throttle_book *book,
                                         const unsigned char key[static DIGEST_BYTES], int64_t now)
{
    struct throttle_slot *set = set_of(book, key);
    struct throttle_slot *found = find_slot(book, key);

    for (size_t i = 0; found == NULL && i < THROTTLE_WAY_COUNT; i++) {
        if (set[i].used_at == 0)
            found = &set[i];
    }
    if (found == NULL) {
        for (size_t i = 0; i < THROTTLE_WAY_COUNT; i++) {
            if (set[i].under_way_count == 0 && (found == NULL || set[i].used_at < found->used_at))
                found = &set[i];
        }
        if (found == NULL)
            return NULL;
        found->used_at = 0;
    }
    if (found->used_at == 0) {
        *found = (struct throttle_slot){ 0 };
        memcpy(found->key, key, DIGEST_BYTES);
    }
    found->used_at = now > 0 ? now : 1;
    return found;
}

/* ---- beginning ---- */

/* What the rows say; the try learns whether its address is known, and what there is to forget. */
static struct throttle_standing standing_of(const struct throttle_book *book,
                                            const struct throttle rows[static KEY_COUNT],
                                            int64_t now, struct throttle_try *try)
{
    struct throttle_standing standing = { .unlocked_at = rows[KEY_UNLOCK].last_failure_at };
    int64_t known_at = rows[KEY_KNOWN].last_failure_at;

    /* The clock went back: a mark of a time to come must not forgive what comes until then. */
    if (standing.unlocked_at > now)
        standing.unlocked_at = 0;
    /* One counter for a name where a row of failures locks it. */
    try->is_known_address = (try->is_exempt || book->lockout.mode == LOCKOUT_THROTTLE) &&
                            known_at > 0 && now - known_at < THROTTLE_KNOWN_ADDRESS_S;
    try->is_known_stale = now - known_at >= KNOWN_REFRESH_S;
    try->has_name_failures = rows[KEY_NAME].failure_count > 0;
    try->has_pair_failures = rows[KEY_PAIR].failure_count > 0;
    standing.charged = rows[try->is_known_address ? KEY_PAIR : KEY_NAME];
    try->is_forgiven =
        try->is_known_address
            ? try->has_pair_failures && standing.charged.last_failure_at <= standing.unlocked_at
            : throttle_is_lock_over(book, try, &standing.charged, now);
    return standing;
}

/* RC_SPENT when the try may not be evaluated. */
static enum rc own_begin(struct throttle_book *book, const struct throttle_standing *standing,
                         int64_t now, struct throttle_try *try)
{
    struct throttle_slot *slot;
    enum rc rc = RC_SPENT;

    pthread_mutex_lock(&book->lock);
    slot = obtain_slot(book, throttle_charged_key(try), now);
    if (slot != NULL) {
        throttle_follow(book, try, standing, now, slot);
        if (!throttle_is_held(book, try, slot, now)) {
            try->begun_count = slot->failure_count;
            slot->under_way_count++;
            rc = RC_OK;
        }
    }
    pthread_mutex_unlock(&book->lock);
    return rc;
}

/* RC_REFUSED: the address must wait. Either way: a clock that went back must not keep it waiting
 * for what the clock said before. */
static enum rc check_address(const struct throttle *row, int64_t now, int64_t *out_wait_s)
{
    if (row->failure_count < THROTTLE_ADDRESS_FREE_COUNT ||
        llabs(now - row->last_failure_at) >= THROTTLE_ADDRESS_WINDOW_S)
        return RC_OK;
    *out_wait_s = row->last_failure_at + THROTTLE_ADDRESS_WINDOW_S - now;
    return RC_REFUSED;
}

enum rc throttle_begin(struct throttle_book *book, struct str name,
                       const unsigned char address[static 16], bool is_exempt, int64_t now,
                       struct throttle_try *out_try, int64_t *out_wait_s)
{
    struct throttle_try try;
    struct throttle rows[KEY_COUNT];
    struct throttle_standing standing;
    enum rc rc;

    try_init(book, name, address, &try);
    try.is_exempt = is_exempt;
    rc = store_find_throttles(book->store, try.keys, rows);
    if (rc == RC_OK)
        rc = check_address(&rows[KEY_ADDRESS], now, out_wait_s);
    if (rc == RC_REFUSED)
        count(&book->meters.turned_away);
    if (rc != RC_OK)
        return rc;
    standing = standing_of(book, rows, now, &try);
    rc = book->is_shared ? throttle_shared_begin(book, &standing, now, &try)
                         : own_begin(book, &standing, now, &try);
    if (rc != RC_OK && rc != RC_SPENT)
        return rc;
    try.is_begun = rc == RC_OK;
    try.is_refused = rc == RC_SPENT;
    if (try.is_begun && try.begun_count > 0) {
        try.has_pair_failures |= try.is_known_address;
        try.has_name_failures |= !try.is_known_address;
    }
    *out_try = try;
    return rc;
}

/* ---- ending ---- */

static void forget(struct throttle_book *book, const unsigned char key[static DIGEST_BYTES])
{
    struct throttle_slot *slot = find_slot(book, key);

    if (slot != NULL)
        slot->failure_count = 0;
}

/* In memory, with what is left to do in the store. */
static void own_end(struct throttle_book *book, struct throttle_try *try,
                    enum throttle_outcome outcome, int64_t now, struct store_unit *unit)
{
    struct throttle_slot *slot;
    bool is_first;

    pthread_mutex_lock(&book->lock);
    slot = find_slot(book, throttle_charged_key(try)); /* under way, and so still there */
    ASSERT(slot != NULL && slot->under_way_count > 0);
    slot->under_way_count--;
    try->is_late = throttle_is_late(book, try, slot->failure_count);
    is_first = slot->failure_count == 0;
    if (outcome == OUTCOME_SUCCESS && !try->is_late) {
        forget(book, try->keys[KEY_NAME]);
        forget(book, try->keys[KEY_PAIR]);
    } else if (outcome == OUTCOME_FAILURE) {
        slot->failure_count++;
        slot->last_failure_at = now;
        try->is_locked_out = throttle_fills_row(book, try, slot->failure_count);
    }
    pthread_mutex_unlock(&book->lock);
    if (outcome != OUTCOME_FAILURE)
        return;
    /* Tries that came together when the old row was past clear it once, not each other. */
    if (try->is_forgiven && is_first)
        store_clear_failures(unit, throttle_charged_key(try), INT64_MAX);
    store_count_failure(unit, throttle_charged_key(try), now);
}

static enum rc end_try(struct throttle_book *book, struct throttle_try *try,
                       enum throttle_outcome outcome, int64_t now, struct store_unit *unit)
{
    ASSERT(try->is_begun);
    try->is_begun = false;
    if (book->is_shared)
        return throttle_shared_end(book, outcome, now, try);
    own_end(book, try, outcome, now, unit);
    return RC_OK;
}

/* A row that others fill at this moment stays: it locks. */
static int64_t forgettable_count(const struct throttle_book *book, const struct throttle_try *try)
{
    bool locks = !try->is_exempt && book->lockout.mode != LOCKOUT_THROTTLE;

    return book->is_shared && locks && try->begun_count < THROTTLE_FREE_COUNT ? THROTTLE_FREE_COUNT
                                                                              : INT64_MAX;
}

enum rc throttle_end(struct throttle_book *book, struct throttle_try *try, bool has_succeeded,
                     int64_t now, struct store_unit *unit)
{
    enum rc rc = RC_OK;

    ASSERT(try->is_begun || (try->is_refused && !has_succeeded));
    count(try->is_refused ? &book->meters.held_up
          : has_succeeded ? &book->meters.right
                          : &book->meters.wrong);
    if (try->is_begun)
        rc = end_try(book, try, has_succeeded ? OUTCOME_SUCCESS : OUTCOME_FAILURE, now, unit);
    try->is_refused = false;
    if (rc != RC_OK)
        return rc;
    if (!has_succeeded) {
        store_count_in_window(unit, try->keys[KEY_ADDRESS], INT64_MAX, THROTTLE_ADDRESS_WINDOW_S,
                              now);
    } else if (!try->is_late) {
        if (try->has_name_failures)
            store_clear_failures(unit, try->keys[KEY_NAME], forgettable_count(book, try));
        if (try->has_pair_failures)
            store_clear_failures(unit, try->keys[KEY_PAIR], INT64_MAX);
        if (try->is_known_stale)
            store_put_mark(unit, try->keys[KEY_KNOWN], now);
    }
    return RC_OK;
}

enum rc throttle_cancel(struct throttle_book *book, struct throttle_try *try, int64_t now)
{
    return end_try(book, try, OUTCOME_NONE, now, NULL);
}

void throttle_unlock(struct throttle_book *book, struct str name, int64_t now,
                     struct store_unit *unit)
{
    unsigned char name_key[DIGEST_BYTES];
    unsigned char unlock_key[DIGEST_BYTES];

    name_key_of(book, name, name_key);
    hmac_sha256(book->key, STR("throttle unlock:"),
                (struct str){ (const char *)name_key, DIGEST_BYTES }, unlock_key);
    pthread_mutex_lock(&book->lock);
    forget(book, name_key);
    pthread_mutex_unlock(&book->lock);
    store_clear_failures(unit, name_key, INT64_MAX);
    store_put_mark(unit, unlock_key, now);
}
