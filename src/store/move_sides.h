/*
 * store/move_sides.h: the two stores of a move, for the files of this room that move
 * (store/move.h).
 */
#ifndef JETON_STORE_MOVE_SIDES_H
#define JETON_STORE_MOVE_SIDES_H

#include "store/copy.h"
#include "store/move_mark.h"

struct move_end {
    const struct move_place *place;
    struct store_config config; /* the place's, for a move */
    const struct driver *driver;
    struct driver_session *session;
    struct move_mark mark;
    unsigned table;            /* that is being read */
    struct copy_cursor cursor; /* of reading         */
};

struct move {
    struct move_end sides[2];
    struct copy_cursor cursor; /* of copying, in the source */
    unsigned copied_table;     /* that the cursor is of; COPY_TABLE_COUNT: none */
    unsigned checked_table;    /* of move_find_bad_text */
    unsigned checked_row, checked_column;
    struct copy_page page;
};

/* Writes one line about what a driver answered, unless there is one; answers the same. */
enum rc move_explain(const struct move_end *end, const char *what, const char *table, enum rc rc,
                     struct buffer *out_error);

#endif
