/*
 * store/tries.h: verbs of store/store.h for failures that are counted and tries under way, by a
 * keyed hash of what is throttled. The rules are the account room's (account/throttle.h): here is
 * but what one row of the table `throttle` must decide.
 *
 * Where several processes write to the store, a try is counted in its row before it is evaluated.
 * One whose process has died, or that could not be ended, is forgotten with the minute after the
 * one that it began in: so a try must not take longer than THROTTLE_TRY_S.
 */
#ifndef JETON_STORE_TRIES_H
#define JETON_STORE_TRIES_H

#include "store/store.h"

enum { THROTTLE_TRY_S = 60, THROTTLE_KEY_COUNT = 5 };

/* As long as a key has fewer failures than free_count, and with the tries under way fewer than
 * count_max, any number may be begun. */
struct try_limits {
    int64_t free_count;
    int64_t count_max;
};

/*
 * Counts a try as under way: RC_SPENT when the row is neither as it was read nor within the limits.
 * One conditional insert decides.
 *
 * read                the row, with its key; else zeros where there was none
 * counted             what still counts of it, and the minute that it is now
 * out_failure_count   the failures so far
 */
void store_begin_try(struct store_unit *unit, const struct throttle *read,
                     const struct throttle *counted, const struct try_limits *limits,
                     int64_t *out_failure_count);

/* How a try ends that began in a minute. */
struct try_end {
    int64_t minute;
    bool is_failure; /* counts as one, at `at` */
    int64_t at;
};

/* out_failure_count   the failures with this one; NULL: nobody asks */
void store_end_try(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                   const struct try_end *end, int64_t *out_failure_count);

/* Counts one failure that was not begun as a try. */
void store_count_failure(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                         int64_t at);

/* Forgets the failures of a key unless there are as many as count_max; those under way stay. */
void store_clear_failures(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                          int64_t count_max);

/* Keeps a moment, as the last_failure_at of the key. */
void store_put_mark(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                    int64_t at);

/* Counts what happens within a while: last_failure_at of the key is when the while began.
 * RC_TOO_LARGE when there were count_max in it. */
void store_count_in_window(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                           int64_t count_max, int64_t window_s, int64_t at);

enum rc store_find_throttle(struct store *store, const unsigned char key[static DIGEST_BYTES],
                            struct throttle *out_throttle) MUST_CHECK;

/* The rows of all keys at once; zeros but for the key where there is none. */
enum rc store_find_throttles(struct store *store,
                             unsigned char keys[static THROTTLE_KEY_COUNT][DIGEST_BYTES],
                             struct throttle out_rows[static THROTTLE_KEY_COUNT]) MUST_CHECK;

#endif
