#include "account/throttle.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"

/*
 * Both tables are sets of a few slots chosen by bits of a keyed hash, so nobody outside can aim at
 * a set; within one, the slot that was idle longest gives way. They are memory only: what must
 * survive is in the store, and is read at every try.
 */
enum {
    WAY_COUNT = 8,
    NAME_SET_COUNT = 1024,
    ADDRESS_SET_COUNT = 1024,
    KNOWN_REFRESH_S = 24 * 3600
};

/* Failures of a charged key, ahead of their commit, and tries under way. */
struct name_slot {
    unsigned char key[DIGEST_BYTES];
    unsigned in_flight;
    int64_t failure_count;
    int64_t last_failure_at;
    int64_t used_at; /* 0: free */
};

struct address_slot {
    unsigned char key[DIGEST_BYTES];
    int64_t failure_count;
    int64_t window_start; /* 0: free */
};

struct throttle_book {
    struct store *store;
    const struct hmac_key *key;
    struct lockout lockout;
    pthread_mutex_t lock; /* over both tables */
    struct name_slot names[NAME_SET_COUNT][WAY_COUNT];
    struct address_slot addresses[ADDRESS_SET_COUNT][WAY_COUNT];
};

/* What the store says of one try. */
struct standing {
    struct throttle name;
    struct throttle pair;
    int64_t known_at;
    int64_t unlocked_at;
};

struct throttle_book *throttle_book_new(struct store *store, const struct hmac_key *key)
{
    struct throttle_book *book = calloc(1, sizeof(*book));

    ASSERT(book != NULL);
    book->store = store;
    book->key = key;
    ASSERT(pthread_mutex_init(&book->lock, NULL) == 0);
    return book;
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
    name_key_of(book, name, try->name_key);
    memcpy(pair, try->name_key, DIGEST_BYTES);
    throttle_fold_address(address, pair + DIGEST_BYTES);
    hmac_sha256(book->key, STR("throttle pair:"), message, try->pair_key);
    hmac_sha256(book->key, STR("throttle known:"), message, try->known_key);
    hmac_sha256(book->key, STR("throttle unlock:"), name_part, try->unlock_key);
    hmac_sha256(book->key, STR("throttle address:"), address_part, try->address_key);
}

static size_t set_index(const unsigned char key[static DIGEST_BYTES], size_t set_count)
{
    return ((size_t)key[0] | (size_t)key[1] << 8) % set_count;
}

/* ---- the tables; all under the lock ---- */

static struct name_slot *find_name(struct throttle_book *book,
                                   const unsigned char key[static DIGEST_BYTES])
{
    struct name_slot *set = book->names[set_index(key, NAME_SET_COUNT)];

    for (size_t i = 0; i < WAY_COUNT; i++) {
        if (set[i].used_at != 0 && memcmp(set[i].key, key, DIGEST_BYTES) == 0)
            return &set[i];
    }
    return NULL;
}

/* NULL when every slot of the set has a try under way. */
static struct name_slot *obtain_name(struct throttle_book *book,
                                     const unsigned char key[static DIGEST_BYTES], int64_t now)
{
    struct name_slot *set = book->names[set_index(key, NAME_SET_COUNT)];
    struct name_slot *found = find_name(book, key);

    for (size_t i = 0; found == NULL && i < WAY_COUNT; i++) {
        if (set[i].used_at == 0)
            found = &set[i];
    }
    if (found == NULL) {
        for (size_t i = 0; i < WAY_COUNT; i++) {
            if (set[i].in_flight == 0 && (found == NULL || set[i].used_at < found->used_at))
                found = &set[i];
        }
        if (found == NULL)
            return NULL;
        found->used_at = 0;
    }
    if (found->used_at == 0) {
        *found = (struct name_slot){ 0 };
        memcpy(found->key, key, DIGEST_BYTES);
    }
    found->used_at = now > 0 ? now : 1;
    return found;
}

static struct address_slot *obtain_address(struct throttle_book *book,
                                           const unsigned char key[static DIGEST_BYTES],
                                           int64_t now)
{
    struct address_slot *set = book->addresses[set_index(key, ADDRESS_SET_COUNT)];
    struct address_slot *oldest = &set[0];

    for (size_t i = 0; i < WAY_COUNT; i++) {
        if (set[i].window_start != 0 && memcmp(set[i].key, key, DIGEST_BYTES) == 0) {
            /* Either way: a clock that went back must not keep an address waiting for it. */
            if (llabs(now - set[i].window_start) >= THROTTLE_ADDRESS_WINDOW_S) {
                set[i].window_start = now;
                set[i].failure_count = 0;
            }
            return &set[i];
        }
        if (set[i].window_start < oldest->window_start)
            oldest = &set[i];
    }
    *oldest = (struct address_slot){ .window_start = now > 0 ? now : 1 };
    memcpy(oldest->key, key, DIGEST_BYTES);
    return oldest;
}

/* ---- rules ---- */

/* How long after its last failure a key with so many of them is held. */
static int64_t delay_s(int64_t failure_count)
{
    int64_t doublings = failure_count - THROTTLE_FREE_COUNT;

    if (doublings < 0)
        return 0;
    if (doublings >= 10)
        return THROTTLE_DELAY_S_MAX;
    return (int64_t)1 << doublings < THROTTLE_DELAY_S_MAX ? (int64_t)1 << doublings
                                                          : THROTTLE_DELAY_S_MAX;
}

static bool has_lockout(const struct throttle_book *book, const struct throttle_try *try,
                        enum lockout_mode mode)
{
    return book->lockout.mode == mode && !try->is_exempt;
}

/* A timed lock has come to its end, and what led to it is forgotten. */
static bool is_lock_over(const struct throttle_book *book, const struct throttle_try *try,
                         int64_t failure_count, int64_t last_failure_at, int64_t now)
{
    return has_lockout(book, try, LOCKOUT_TIMED) && failure_count >= THROTTLE_FREE_COUNT &&
           now >= last_failure_at + book->lockout.duration_s;
}

static bool is_held(const struct throttle_book *book, const struct throttle_try *try,
                    const struct name_slot *slot, int64_t now)
{
    /* NIST SP 800-63B-4 3.2.2: no more than 100 consecutive failures, those to come included. */
    if (slot->failure_count + slot->in_flight >= THROTTLE_FAILURE_COUNT_MAX)
        return true;
    if (slot->failure_count < THROTTLE_FREE_COUNT)
        return false;
    if (has_lockout(book, try, LOCKOUT_TIMED))
        return true; /* one that is over is not counted any more */
    return slot->in_flight > 0 || now < slot->last_failure_at + delay_s(slot->failure_count);
}

static enum rc find_or_zero(struct store *store, const unsigned char key[static DIGEST_BYTES],
                            struct throttle *out_throttle)
{
    enum rc rc = store_find_throttle(store, key, out_throttle);

    if (rc == RC_NOT_FOUND) {
        *out_throttle = (struct throttle){ 0 };
        return RC_OK;
    }
    return rc;
}

static enum rc standing_read(struct store *store, const struct throttle_try *try,
                             struct standing *out_standing)
{
    struct standing standing;
    struct throttle mark;
    enum rc rc;

    rc = find_or_zero(store, try->name_key, &standing.name);
    if (rc != RC_OK)
        return rc;
    rc = find_or_zero(store, try->pair_key, &standing.pair);
    if (rc != RC_OK)
        return rc;
    rc = find_or_zero(store, try->known_key, &mark);
    if (rc != RC_OK)
        return rc;
    standing.known_at = mark.last_failure_at;
    rc = find_or_zero(store, try->unlock_key, &mark);
    if (rc != RC_OK)
        return rc;
    standing.unlocked_at = mark.last_failure_at;
    *out_standing = standing;
    return RC_OK;
}

/* Failures that count no more: an administrator forgave them, or they led to a lock that is over.
 */
static bool is_past(const struct throttle_book *book, const struct throttle_try *try,
                    int64_t failure_count, int64_t last_failure_at, int64_t unlocked_at,
                    int64_t now)
{
    return last_failure_at <= unlocked_at ||
           is_lock_over(book, try, failure_count, last_failure_at, now);
}

/* The slot follows the store where that knows more, and forgets what counts no more. */
static void slot_refresh(const struct throttle_book *book, const struct throttle_try *try,
                         struct name_slot *slot, const struct throttle *stored, int64_t unlocked_at,
                         int64_t now)
{
    if (stored->failure_count > slot->failure_count &&
        !is_past(book, try, stored->failure_count, stored->last_failure_at, unlocked_at, now)) {
        slot->failure_count = stored->failure_count;
        slot->last_failure_at = stored->last_failure_at;
    }
    if (slot->failure_count > 0 &&
        is_past(book, try, slot->failure_count, slot->last_failure_at, unlocked_at, now))
        slot->failure_count = 0;
}

/* The charged slot of the try, or NULL when the try may not be evaluated. */
static struct name_slot *slot_admit(struct throttle_book *book, struct throttle_try *try,
                                    const struct standing *standing, int64_t now)
{
    const struct throttle *stored = try->is_known_address ? &standing->pair : &standing->name;
    struct name_slot *slot =
        obtain_name(book, try->is_known_address ? try->pair_key : try->name_key, now);

    if (slot == NULL)
        return NULL;
    slot_refresh(book, try, slot, stored, standing->unlocked_at, now);
    if (is_held(book, try, slot, now))
        return NULL;
    try->begun_count = slot->failure_count;
    if (slot->failure_count > 0) {
        try->has_pair_failures |= try->is_known_address;
        try->has_name_failures |= !try->is_known_address;
    }
    return slot;
}

enum rc throttle_begin(struct throttle_book *book, struct str name,
                       const unsigned char address[static 16], bool is_exempt, int64_t now,
                       struct throttle_try *out_try, int64_t *out_wait_s)
{
    struct throttle_try try;
    struct standing standing;
    struct address_slot *from;
    struct name_slot *slot;
    enum rc rc;

    try_init(book, name, address, &try);
    rc = standing_read(book->store, &try, &standing);
    if (rc != RC_OK)
        return rc;
    /* The clock went back: a mark of a time to come must not forgive what comes until then. */
    if (standing.unlocked_at > now)
        standing.unlocked_at = 0;
    try.is_exempt = is_exempt;
    /* One counter for a name where a row of failures locks it. */
    try.is_known_address = (is_exempt || book->lockout.mode == LOCKOUT_THROTTLE) &&
                           standing.known_at > 0 &&
                           now - standing.known_at < THROTTLE_KNOWN_ADDRESS_S;
    try.is_known_stale = now - standing.known_at >= KNOWN_REFRESH_S;
    try.has_name_failures = standing.name.failure_count > 0;
    try.has_pair_failures = standing.pair.failure_count > 0;
    if (try.is_known_address)
        try.is_forgiven =
            try.has_pair_failures && standing.pair.last_failure_at <= standing.unlocked_at;
    else
        try.is_forgiven = is_lock_over(book, &try, standing.name.failure_count,
                                       standing.name.last_failure_at, now);

    pthread_mutex_lock(&book->lock);
    from = obtain_address(book, try.address_key, now);
    if (from->failure_count >= THROTTLE_ADDRESS_FREE_COUNT) {
        *out_wait_s = from->window_start + THROTTLE_ADDRESS_WINDOW_S - now;
        pthread_mutex_unlock(&book->lock);
        return RC_REFUSED;
    }
    slot = slot_admit(book, &try, &standing, now);
    if (slot == NULL) {
        from->failure_count++;
        rc = RC_SPENT;
    } else {
        slot->in_flight++;
        try.is_begun = true;
    }
    pthread_mutex_unlock(&book->lock);
    *out_try = try;
    return rc;
}

/* The charged slot, in flight since throttle_begin and so still there. */
static struct name_slot *slot_of(struct throttle_book *book, struct throttle_try *try)
{
    struct name_slot *slot;

    ASSERT(try->is_begun);
    slot = find_name(book, try->is_known_address ? try->pair_key : try->name_key);
    ASSERT(slot != NULL && slot->in_flight > 0);
    try->is_begun = false;
    /* Others filled the row meanwhile: whoever tries many at once is told no more than whoever
     * tries one after the other. */
    try->is_late = !try->is_exempt && book->lockout.mode != LOCKOUT_THROTTLE &&
                   try->begun_count < THROTTLE_FREE_COUNT &&
                   slot->failure_count >= THROTTLE_FREE_COUNT;
    return slot;
}

static void forget(struct throttle_book *book, const unsigned char key[static DIGEST_BYTES])
{
    struct name_slot *slot = find_name(book, key);

    if (slot != NULL)
        slot->failure_count = 0;
}

/* A moment kept as a row of one failure, which leaves the store as failures do. */
static void mark(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES], int64_t at)
{
    store_clear_failures(unit, key);
    store_count_failure(unit, key, at);
}

void throttle_end(struct throttle_book *book, struct throttle_try *try, bool has_succeeded,
                  int64_t now, struct store_unit *unit)
{
    struct name_slot *slot;
    bool is_first;

    pthread_mutex_lock(&book->lock);
    slot = slot_of(book, try);
    slot->in_flight--;
    is_first = slot->failure_count == 0;
    if (has_succeeded && try->is_late) {
        pthread_mutex_unlock(&book->lock);
        return;
    }
    if (has_succeeded) {
        forget(book, try->name_key);
        forget(book, try->pair_key);
    } else {
        slot->failure_count++;
        slot->last_failure_at = now;
        try->is_locked_out =
            has_lockout(book, try, LOCKOUT_DISABLE) &&
            (slot->failure_count == THROTTLE_FREE_COUNT || try->begun_count >= THROTTLE_FREE_COUNT);
        obtain_address(book, try->address_key, now)->failure_count++;
    }
    pthread_mutex_unlock(&book->lock);

    if (!has_succeeded) {
        const unsigned char *key = try->is_known_address ? try->pair_key : try->name_key;

        /* Tries that came together when the old row was past clear it once, not each other. */
        if (try->is_forgiven && is_first)
            store_clear_failures(unit, key);
        store_count_failure(unit, key, now);
        return;
    }
    if (try->has_name_failures)
        store_clear_failures(unit, try->name_key);
    if (try->has_pair_failures)
        store_clear_failures(unit, try->pair_key);
    if (try->is_known_stale)
        mark(unit, try->known_key, now);
}

void throttle_cancel(struct throttle_book *book, struct throttle_try *try)
{
    pthread_mutex_lock(&book->lock);
    slot_of(book, try)->in_flight--;
    pthread_mutex_unlock(&book->lock);
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
    store_clear_failures(unit, name_key);
    mark(unit, unlock_key, now);
}

/* ---- mails ---- */

void throttle_count_mail(struct throttle_book *book, struct str whom,
                         const unsigned char address[static 16], int64_t now,
                         struct store_unit *unit)
{
    unsigned char folded[16];
    unsigned char key[DIGEST_BYTES];

    throttle_fold_address(address, folded);
    hmac_sha256(book->key, STR("throttle mail address:"), (struct str){ (char *)folded, 16 }, key);
    store_count_mail(unit, key, THROTTLE_MAIL_ADDRESS_COUNT_MAX, THROTTLE_MAIL_S, now,
                     RC_TOO_LARGE);
    hmac_sha256(book->key, STR("throttle mail:"), whom, key);
    store_count_mail(unit, key, THROTTLE_MAIL_COUNT_MAX, THROTTLE_MAIL_S, now, RC_SPENT);
}

/* ---- user codes ---- */

void throttle_count_guess(struct throttle_book *book, struct str whose,
                          const unsigned char address[static 16], int64_t now,
                          struct store_unit *unit)
{
    unsigned char folded[16];
    unsigned char key[DIGEST_BYTES];

    hmac_sha256(book->key, STR("throttle guess:"), whose, key);
    store_count_mail(unit, key, THROTTLE_GUESS_COUNT_MAX, THROTTLE_GUESS_S, now, RC_TOO_LARGE);
    throttle_fold_address(address, folded);
    hmac_sha256(book->key, STR("throttle guess address:"), (struct str){ (char *)folded, 16 }, key);
    store_count_mail(unit, key, THROTTLE_GUESS_ADDRESS_COUNT_MAX, THROTTLE_GUESS_S, now,
                     RC_TOO_LARGE);
    hmac_sha256(book->key, STR("throttle guess overall"), STR(""), key);
    store_count_mail(unit, key, THROTTLE_GUESS_OVERALL_COUNT_MAX, THROTTLE_GUESS_S, now,
                     RC_TOO_LARGE);
}

/* ---- registrations of clients ---- */

void throttle_count_registration(struct throttle_book *book, const unsigned char address[static 16],
                                 int64_t now, struct store_unit *unit)
{
    unsigned char folded[16];
    unsigned char key[DIGEST_BYTES];

    throttle_fold_address(address, folded);
    hmac_sha256(book->key, STR("throttle registration:"), (struct str){ (char *)folded, 16 }, key);
    store_count_mail(unit, key, THROTTLE_REGISTRATION_COUNT_MAX, THROTTLE_REGISTRATION_S, now,
                     RC_TOO_LARGE);
}
