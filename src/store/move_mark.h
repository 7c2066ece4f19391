/*
 * store/move_mark.h: the one row of the table `moved`: that a store is the source or the target of
 * a move (store/move.h), and may not be served.
 */
#ifndef JETON_STORE_MOVE_MARK_H
#define JETON_STORE_MOVE_MARK_H

#include "store/driver.h"
#include "store/move.h"

/* As the column says. */
enum move_state {
    MOVED_NOT = 0,      /* no row */
    MOVED_LEAVING = 1,  /* it is being copied from */
    MOVED_AWAY = 2,     /* it was */
    MOVED_ARRIVING = 3, /* it is being copied into */
    MOVED_CLEARING = 4, /* likewise, and what it holds has to go first */
    MOVED_RESTORING = 5 /* a backup is being restored into it: no other side (store/restore.h) */
};

struct move_mark {
    enum move_state state;
    int64_t move_id; /* drawn for each move; the same on both sides */
    size_t origin_len;
    size_t place_len;
    char origin[MOVE_ORIGIN_BYTES_MAX]; /* of the source */
    char place[MOVE_PLACE_BYTES_MAX];   /* the other side, in words */
};

static inline struct str move_mark_origin(const struct move_mark *mark)
{
    return (struct str){ mark->origin, mark->origin_len };
}

static inline struct str move_mark_place(const struct move_mark *mark)
{
    return (struct str){ mark->place, mark->place_len };
}

/* Why a marked store is not served, and what to do. */
static inline void move_mark_explain(enum move_state state, struct str place,
                                     struct buffer *out_error)
{
    if (state == MOVED_LEAVING)
        buffer_append_format(
            out_error,
            "a move of this store to %.*s is not complete: run 'jeton move' with "
            "the same --from and --to again, or give it up with 'jeton move --undo "
            "--from' this one",
            STR_ARGS(place));
    else if (state == MOVED_AWAY)
        buffer_append_format(out_error,
                             "this store has moved to %.*s: serve that one; bring it back with "
                             "'jeton move', or lose what was written there with 'jeton move --undo "
                             "--from' this one",
                             STR_ARGS(place));
    else if (state == MOVED_RESTORING)
        buffer_append_str(out_error, STR("a restore of a backup into this store is not complete: "
                                         "run 'jeton restore' again, which begins anew"));
    else
        buffer_append_format(out_error,
                             "a move into this store from %.*s is not complete: run 'jeton move' "
                             "with the same --from and --to again",
                             STR_ARGS(place));
}

/* The texts are cut to their limits. */
void move_mark_set(struct move_mark *mark, enum move_state state, int64_t move_id,
                   struct str origin, struct str place);

/* MOVED_NOT when there is none. */
enum rc move_mark_read(const struct driver *driver, struct driver_session *session,
                       struct move_mark *out_mark) MUST_CHECK;

/* In a transaction of its own. MOVED_NOT takes the row away. */
enum rc move_mark_write(const struct driver *driver, struct driver_session *session,
                        const struct move_mark *mark) MUST_CHECK;

#endif
