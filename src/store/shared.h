/*
 * store/shared.h: what is different where several processes write to one store.
 *
 * Each has a writer, and caches that the change feed keeps true (store/store.h). Whoever answers
 * out of memory asks whether it may be relied upon. With SQLite one process writes, and may always
 * rely on its memory.
 */
#ifndef JETON_STORE_SHARED_H
#define JETON_STORE_SHARED_H

#include "store/store.h"

/* Whether other processes may write to the same store at the same time. */
bool store_is_shared(const struct store *store);

/*
 * Whether what is kept in memory of this store may be relied upon. Always, where one process
 * writes. Where several do: as long as the feed was read to its end less than STORE_TRUST_MS ago.
 * Whoever answers out of memory asks this first, at the moment of answering, and treats a no as a
 * store that is away (RC_UNAVAILABLE). Quick; any thread.
 */
bool store_is_trusted(const struct store *store);

/*
 * Waits until all that was committed before the call, by whomever, has been told here: before
 * somebody is refused for what memory does not know. Mostly one small query. Nothing to do where
 * the store is not shared. RC_UNAVAILABLE: the feed did not come so far in STORE_TRUST_MS.
 */
enum rc store_catch_up(struct store *store) MUST_CHECK;

/* What is known of the feed of a shared store, for /readyz, the metrics and the log. */
struct store_feed_view {
    bool is_shared;
    int64_t age_ms;          /* since it was read to its end */
    int64_t clock_offset_ms; /* the engine's clock is ahead of this machine's by so much */
    uint64_t change_count;   /* rows that were read */
    uint64_t loss_count;     /* how often it was away for longer than STORE_TRUST_MS */
};
void store_view_feed(const struct store *store, struct store_feed_view *out_view);

/* Appends the engine's own words for what went wrong last, for the log; nothing if nothing did. */
void store_last_error(struct store *store, struct buffer *to);

/*
 * As store_insert_token, but RC_NOT_FOUND unless its grant lives by the time of the commit, and the
 * grant's client is there, and neither that nor a service of its audience is disabled. What this
 * process knows of them may be older.
 */
void store_insert_permitted_token(struct store_unit *unit, const struct token *token);

/* Where the store comes from a backup: when that was taken, and when it was restored. Proofs,
 * assertions and challenges that may have been used in between are no good. 0: it does not. */
struct store_restored {
    int64_t taken_at;
    int64_t at;
};
struct store_restored store_restored(const struct store *store);

/*
 * Reads all of an embedded store, which takes seconds for each GiB; a database has tools for that.
 *
 * out_words   what was found, in a line for the operator
 *
 * Answers: RC_OK.  Faults: RC_CORRUPT
 */
enum rc store_verify(struct store *store, struct buffer *out_words) MUST_CHECK;

#endif
