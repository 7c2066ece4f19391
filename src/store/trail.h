/*
 * store/trail.h: the audit trail in the order in which it was written, and the checkpoints that
 * seal it. A part of store/store.h.
 *
 * A checkpoint is opened first: its end is fixed while nobody else writes, so that every event with
 * a smaller id is committed by then. Whoever completes it has all the time for its digest; what the
 * digest and the signature are over is the business of account/trail.h.
 */
#ifndef JETON_STORE_TRAIL_H
#define JETON_STORE_TRAIL_H

#include "store/store.h"

enum { TRAIL_KEY_BYTES = 32, TRAIL_SIGNATURE_BYTES = 64 };

struct checkpoint {
    int64_t number; /* 1 and up, without gaps; the first ones leave some time after their events */
    int64_t last_event_id;
    int64_t event_count; /* that it covers */
    int64_t at;
    bool is_open; /* its end is fixed and nothing more: what follows is zero */
    unsigned char digest[DIGEST_BYTES];
    unsigned char public_key[TRAIL_KEY_BYTES];
    unsigned char signature[TRAIL_SIGNATURE_BYTES];
    int64_t trimmed_at; /* its events were removed then; 0: they are there */
};

/* An event as its row has it, whatever that is. */
struct trail_event {
    int64_t id;
    int64_t at;
    int64_t kind;
    int64_t account_id;
    int64_t client_id;
    int64_t token_id;
    struct str address;
    struct str detail;
};

/* ---- writing -------------------------------------------------------------------------------- */

/* Work that one process of several does. The numbers are those of table `job`. */
enum store_job { STORE_JOB_SEAL = 5 };

/* Whoever has it keeps it until a moment: RC_SPENT when another process has it. One conditional
 * insert decides. */
void store_claim_job(struct store_unit *unit, const struct store *store, enum store_job job,
                     int64_t now, int64_t until);

/* Opens the next checkpoint, behind the newest event or the last of STORE_CHECKPOINT_EVENT_COUNT;
 * nothing when one is open, or no event is newer than the last. */
enum { STORE_CHECKPOINT_EVENT_COUNT = 65536 };
void store_open_checkpoint(struct store_unit *unit, int64_t at);

/* Digest, key and signature of the open one with that number: RC_SPENT when it is complete already.
 * One conditional update decides. */
void store_complete_checkpoint(struct store_unit *unit, const struct checkpoint *checkpoint);

/* Notes that the events of complete checkpoints up to this one leave. */
void store_trim_checkpoints(struct store_unit *unit, int64_t number, int64_t at);

/* Removes at most STORE_TRIM_ROW_COUNT events, the oldest first, with an id up to that; never the
 * newest of all, whose id must not be given again. */
enum { STORE_TRIM_ROW_COUNT = 200 };
void store_trim_events(struct store_unit *unit, int64_t last_event_id);

/* Removes at most STORE_TRIM_ROW_COUNT checkpoints before this one whose events leave, the oldest
 * first. This one stays: the next one's digest goes on from it. */
void store_drop_checkpoints(struct store_unit *unit, int64_t number);

/* A named value, sealed by the caller, in the place of the one before. */
void store_put_sealed_value(struct store_unit *unit, struct str name, struct str sealed);

/* ---- reading -------------------------------------------------------------------------------- */

/* In order of id, with after_id < id <= last_id. */
enum rc store_list_trail(struct store *store, int64_t after_id, int64_t last_id,
                         struct arena *arena, struct trail_event *out_rows, size_t max,
                         size_t *out_count) MUST_CHECK;

/* Which events: all that a zero says nothing of. */
struct event_filter {
    enum event_kind kind;
    int64_t account_id;
    int64_t client_id;
    bool has_address;
    unsigned char address[16];
    int64_t since, until; /* 0: from the beginning, to the end */
    int64_t after_id;     /* they have a greater id */
};

/* Those alone, newest first, with id < before_id. Every event in between is looked at: whoever asks
 * for few of many bounds them by after_id. */
enum rc store_search_events(struct store *store, const struct event_filter *filter,
                            int64_t before_id, struct arena *arena, struct event *out_rows,
                            size_t max, size_t *out_count) MUST_CHECK;

/* Number and time of the event that `count` others stand between it and before_id; RC_NOT_FOUND:
 * there are not so many. */
enum rc store_find_event_back(struct store *store, int64_t before_id, size_t count,
                              struct event *out_event) MUST_CHECK;

/* In order of number, with number > after_number. */
enum rc store_list_checkpoints(struct store *store, int64_t after_number,
                               struct checkpoint *out_rows, size_t max,
                               size_t *out_count) MUST_CHECK;

/* The last one, open or not; RC_NOT_FOUND. */
enum rc store_find_last_checkpoint(struct store *store,
                                   struct checkpoint *out_checkpoint) MUST_CHECK;

/* The last one whose events were removed; RC_NOT_FOUND. */
enum rc store_find_trimmed_checkpoint(struct store *store,
                                      struct checkpoint *out_checkpoint) MUST_CHECK;

/* The last complete one not younger than that whose events are there; RC_NOT_FOUND. */
enum rc store_find_old_checkpoint(struct store *store, int64_t at,
                                  struct checkpoint *out_checkpoint) MUST_CHECK;

#endif
