/*
 * token/live.h: the live-token table: what the fast lane knows of tokens.
 *
 * Records of 64 bytes in segments that are indexed by id: no hashing, and a segment whose tokens
 * have all expired or died is dropped whole; its memory goes back to the system. It is a cache:
 * bounded, and a miss says nothing; the caller then asks the store. What it does know is true: a
 * revocation marks the record before its commit is acknowledged, an ended grant is seen through the
 * record's grant.
 *
 * Refresh tokens stand in it as well, for two hours, so that a rotation need not read the store.
 * A spent one is marked like a revoked one. That it stands here is no permission: the store alone
 * decides who spends it.
 *
 * Putting in what was read from the store, or is being committed, races with revocations and drops.
 * Hence the epoch: take it before the store is asked, hand it to live_put, and the record is only
 * taken if nothing was dropped or revoked unseen in between. A revocation that was told before the
 * epoch was taken was committed before the store was read, which then says so; one that is told
 * later finds the record, marks its empty place, or moves the epoch on. So it is whoever tells: the
 * writer what this process commits, the feed what any does, one after the other.
 *
 * Where the store is shared, a revocation by another process is told a moment after its commit: as
 * long as the feed is read in time (store_is_trusted), else nothing is answered from here. What was
 * spent elsewhere is not told at all, so refresh tokens are not looked for here then (token_read).
 *
 * Threads: everything from any thread. Locks are held for the copy of one record.
 */
#ifndef JETON_TOKEN_LIVE_H
#define JETON_TOKEN_LIVE_H

#include "token/grants.h"
#include "token/inactive.h"

struct live_table;

/* What a record says, copied out. */
struct live_view {
    struct live_grant *grant; /* held: grant_put when done */
    int64_t issued_at;
    int64_t expires_at;
    enum token_kind kind;
    enum token_format format;
};

struct live_table *live_table_new(struct grant_book *grants, size_t bytes_max);
void live_table_free(struct live_table *table);

/* A moment in the life of the table. Each range of ids has its own: refreshes spend tokens that the
 * table does not know any more, and those have long-lived ids. */
struct live_epoch {
    uint64_t of_range[2];
};

struct live_epoch live_epoch(struct live_table *table);

/*
 * Takes a record in, with a reference of its own to the grant. Does nothing when the token has
 * expired, was revoked meanwhile, or the epoch has moved on: it is a cache.
 */
void live_put(struct live_table *table, const struct token *token, struct live_grant *grant,
              struct live_epoch epoch, int64_t now);

/*
 * Asks for a token by id and digest (32 bytes, compared in constant time).
 *
 * now      0: an expired one will do, too
 * out_why  set on RC_NOT_FOUND; nothing but TOKEN_UNKNOWN for a wrong digest, or for a token that
 *          was revoked before the table knew its digest
 *
 * Answers: RC_OK active, out_view is filled · RC_NOT_FOUND certainly not active (expired, revoked,
 * ended, wrong digest) · RC_WOULD_BLOCK not in the table
 * Faults:  RC_UNAVAILABLE what the table knows may be old, and the store that is shared away
 */
enum rc live_find(struct live_table *table, int64_t id, const unsigned char *digest, int64_t now,
                  struct live_view *out_view, enum token_inactive *out_why) MUST_CHECK;

/* The feed's word that a token was revoked or spent. Never blocks. */
void live_mark_revoked(struct live_table *table, int64_t id);

/* The feed's word that nobody knows what has changed: everything that stands here goes, and what is
 * on its way here comes too late. After grant_forget. Never blocks. */
void live_forget(struct live_table *table);

/* Drops what has ended, for times when nothing is put in, which does so as well. To be called now
 * and then, by one thread. */
void live_tend(struct live_table *table, int64_t now);

/* Records and bytes now, for the metrics. */
void live_count(struct live_table *table, size_t *out_records, size_t *out_bytes);

#endif
