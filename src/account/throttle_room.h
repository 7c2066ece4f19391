/*
 * account/throttle_room.h: what the files of the throttle share (account/throttle.h) and nobody
 * else sees.
 *
 * The rules (throttle_rules.c) are over a slot: the failures of a key in a row, and its tries under
 * way. Where one process writes to the store, slots are in its memory and ahead of their rows
 * (throttle.c), so that a try costs no commit of its own. Where several do, a slot is what the row
 * said, and the row decides whether it was still so (throttle_shared.c).
 */
#ifndef JETON_ACCOUNT_THROTTLE_ROOM_H
#define JETON_ACCOUNT_THROTTLE_ROOM_H

#include <pthread.h>

#include "account/throttle.h"
#include "store/tries.h"

/*
 * The table is sets of a few slots chosen by bits of a keyed hash, so nobody outside can aim at a
 * set; within one, the slot that was idle longest gives way. It is memory only: what must survive
 * is in the store, and is read at every try.
 */
enum { THROTTLE_WAY_COUNT = 8, THROTTLE_SET_COUNT = 1024 };

/* The keys of a try. */
enum {
    KEY_NAME,    /* failures                                */
    KEY_PAIR,    /* name and address: failures              */
    KEY_KNOWN,   /* name and address: the last success      */
    KEY_UNLOCK,  /* name: when an administrator forgave     */
    KEY_ADDRESS, /* failures within THROTTLE_ADDRESS_WINDOW_S */
    KEY_COUNT
};
_Static_assert((int)KEY_COUNT == (int)THROTTLE_KEY_COUNT, "all are read at once");

/* Failures of a charged key, ahead of their commit, and tries under way. */
struct throttle_slot {
    unsigned char key[DIGEST_BYTES];
    int64_t under_way_count;
    int64_t failure_count;
    int64_t last_failure_at;
    int64_t used_at; /* 0: free */
};

struct throttle_book {
    struct store *store;
    const struct hmac_key *key;
    struct lockout lockout;
    bool is_shared;
    struct {
        _Atomic uint64_t right, wrong, held_up, turned_away;
    } meters;
    pthread_mutex_t lock; /* over the table */
    struct throttle_slot slots[THROTTLE_SET_COUNT][THROTTLE_WAY_COUNT];
};

/* What the store says of one try. */
struct throttle_standing {
    struct throttle charged; /* the row that the try is counted in */
    int64_t unlocked_at;
};

/* The key whose failures decide on a try. */
static inline const unsigned char *throttle_charged_key(const struct throttle_try *try)
{
    return try->keys[try->is_known_address ? KEY_PAIR : KEY_NAME];
}

/* ---- throttle_rules.c ------------------------------------------------------------------------ */

bool throttle_has_lockout(const struct throttle_book *book, const struct throttle_try *try,
                          enum lockout_mode mode);

/* A timed lock has come to its end, and what led to it is forgotten. */
bool throttle_is_lock_over(const struct throttle_book *book, const struct throttle_try *try,
                           const struct throttle *row, int64_t now);

/* The slot follows the store where that knows more, and forgets what counts no more. */
void throttle_follow(const struct throttle_book *book, const struct throttle_try *try,
                     const struct throttle_standing *standing, int64_t now,
                     struct throttle_slot *slot);

/* Whether a try more may not be evaluated. */
bool throttle_is_held(const struct throttle_book *book, const struct throttle_try *try,
                      const struct throttle_slot *slot, int64_t now);

/* Whether others filled the row, up to failure_count, since the try began: whoever tries many at
 * once is told no more than whoever tries one after the other. */
bool throttle_is_late(const struct throttle_book *book, const struct throttle_try *try,
                      int64_t failure_count);

/* Whether a failure that made it so many fills the row, under LOCKOUT_DISABLE. */
bool throttle_fills_row(const struct throttle_book *book, const struct throttle_try *try,
                        int64_t failure_count);

/* ---- throttle_shared.c: for a store that other processes write to ---------------------------- */

/* Counts the try as under way in its row, by a commit. RC_SPENT: it may not be evaluated. */
enum rc throttle_shared_begin(const struct throttle_book *book,
                              const struct throttle_standing *standing, int64_t now,
                              struct throttle_try *try) MUST_CHECK;

enum throttle_outcome { OUTCOME_FAILURE, OUTCOME_SUCCESS, OUTCOME_NONE };

/* Ends it, by a commit: sets is_late and is_locked_out. RC_UNAVAILABLE: it took too long to be
 * counted, and nothing may be told of it. */
enum rc throttle_shared_end(const struct throttle_book *book, enum throttle_outcome outcome,
                            int64_t now, struct throttle_try *try) MUST_CHECK;

#endif
