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

/* Appends the line. RC_REFUSED */
enum rc move_refuse(struct buffer *out_error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Chooses the driver; nothing is opened yet. */
enum rc move_end_choose(struct move_end *side, const struct move_place *place,
                        struct buffer *out_error) MUST_CHECK;

/* Opens it to be read, beside whoever uses it. */
enum rc move_end_read(struct move_end *side, struct buffer *out_error) MUST_CHECK;

/* Opens it to be written to, takes it for itself, brings its schema up and reads its mark. */
enum rc move_end_open(struct move_end *side, struct buffer *out_error) MUST_CHECK;

enum rc move_end_set_mark(struct move_end *side, const struct move_mark *mark,
                          struct buffer *out_error) MUST_CHECK;

/* A table with rows, or NULL; the sequences stand in every store. */
enum rc move_end_find_row(struct move_end *side, const char **out_table,
                          struct buffer *out_error) MUST_CHECK;

/* Deletes the rows of all tables but the sequences. */
enum rc move_end_clear(struct move_end *side, struct buffer *out_error) MUST_CHECK;

/* What the engine numbers is numbered behind the rows that are there. */
enum rc move_end_number(struct move_end *side, struct buffer *out_error) MUST_CHECK;

#endif
