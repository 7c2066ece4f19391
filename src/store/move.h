/*
 * store/move.h: all that a store holds, moved to another one, of another engine or the same.
 *
 * A move takes both stores for itself: no server may run on either (the folder's lock, or the
 * engine's, proves it). It marks the source as leaving and the target as arriving (the table
 * `moved`), copies every table in the order of its keys, is verified by the caller, who reads both
 * sides in the same form (store/copy.h), and marks the source as left before it takes the target's
 * mark away. store_open refuses a marked store, so at any moment one of the two at most can be
 * served. Whatever ends a move between two commits, the next one goes on behind the last row that
 * the target has: the source cannot have changed meanwhile, for nobody could open it. Who takes the
 * source's mark back (move_undo) makes what was copied worthless; the next move finds another
 * number in the target and begins anew.
 *
 * A source is known by its origin, bytes that the caller chooses and that move with it. A store
 * that left may be moved into again by one of the same origin: that is the way back.
 *
 * Calls in this order: move_open, move_find_sealed_value, move_find_bad_text until there is none,
 * move_open_target, move_begin, then for every table move_copy_some until it copies nothing, then
 * for every table move_read_some on both sides, then move_finish or move_reject. One thread.
 */
#ifndef JETON_STORE_MOVE_H
#define JETON_STORE_MOVE_H

#include "store/store.h"

enum { MOVE_ORIGIN_BYTES_MAX = 256, MOVE_PLACE_BYTES_MAX = 320 };

enum move_side { MOVE_SOURCE, MOVE_TARGET };

/* A store and how a person calls it: no password in it, at most MOVE_PLACE_BYTES_MAX. */
struct move_place {
    struct store_config config;
    struct str words;
};

struct move;

unsigned move_table_count(void);
const char *move_table_name(unsigned table);

/*
 * Opens the source, brings its schema up to this program's, and takes it. Both places must outlive
 * the move. All calls below leave one line in out_error when they answer anything but RC_OK.
 *
 * Answers: RC_OK · RC_EXISTS somebody else uses it · RC_INVALID there is no store, a newer schema.
 * Faults:  RC_UNAVAILABLE, RC_CORRUPT
 */
enum rc move_open(const struct move_place *from, const struct move_place *to,
                  struct move **out_move, struct buffer *out_error) MUST_CHECK;

/* NULL does nothing. */
void move_close(struct move *move);

/* Appends a sealed value of the source; RC_NOT_FOUND (and no line). */
enum rc move_find_sealed_value(struct move *move, struct str name, struct buffer *out_sealed,
                               struct buffer *out_error) MUST_CHECK;

/* A text that PostgreSQL cannot hold. */
struct move_bad_text {
    const char *table;
    struct str column;
    const char *reason;
    bool has_number; /* the key is a number */
    int64_t number;
    struct str key; /* else these bytes; valid until the next call */
};

/*
 * The next text of the source that the target cannot hold. Reads only the tables that have texts,
 * and nothing when the target holds everything.
 *
 * Answers: RC_OK · RC_NOT_FOUND no further one (and no line)
 */
enum rc move_find_bad_text(struct move *move, struct move_bad_text *out_text,
                           struct buffer *out_error) MUST_CHECK;

/* Opens the target, makes its tables, and takes it; answers as move_open. */
enum rc move_open_target(struct move *move, struct buffer *out_error) MUST_CHECK;

enum move_stage {
    MOVE_NEW,
    MOVE_BACK,    /* the target held what once left it, and was emptied */
    MOVE_ANEW,    /* the target held rows that may be old, and was emptied */
    MOVE_RESUMED, /* it goes on where it was interrupted */
    MOVE_VERIFIED /* only move_finish is left */
};

/*
 * Judges both marks, and sets them.
 *
 * origin   of the source; not empty, at most MOVE_ORIGIN_BYTES_MAX
 *
 * Answers: RC_OK · RC_REFUSED the target has something else in it, the source has left or is
 * itself incomplete · RC_EXISTS somebody opened one of them meanwhile
 */
enum rc move_begin(struct move *move, struct str origin, enum move_stage *out_stage,
                   struct buffer *out_error) MUST_CHECK;

/* Copies what one transaction takes of a table; 0 rows: all are there. */
enum rc move_copy_some(struct move *move, unsigned table, uint64_t *out_row_count,
                       struct buffer *out_error) MUST_CHECK;

/*
 * Reads on through a table of one side, in the order of its keys; begins again behind the end.
 *
 * out_rows   in the form that is compared; empty: there are no more; valid until the next call
 */
enum rc move_read_some(struct move *move, enum move_side side, unsigned table, struct str *out_rows,
                       uint64_t *out_row_count, struct buffer *out_error) MUST_CHECK;

/* Both sides are the same: the target numbers on behind its rows, the source has left. */
enum rc move_finish(struct move *move, struct buffer *out_error) MUST_CHECK;

/* They are not: the next move of this source begins anew. */
enum rc move_reject(struct move *move, struct buffer *out_error) MUST_CHECK;

/*
 * Takes the mark from a store that is leaving or has left, so that it can be served again.
 *
 * Answers: RC_OK · RC_NOT_FOUND it has no mark · RC_REFUSED it is the target of a move · as
 * move_open
 */
enum rc move_undo(const struct move_place *place, bool *out_had_left,
                  struct buffer *out_error) MUST_CHECK;

#endif
