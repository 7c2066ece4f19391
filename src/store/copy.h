/*
 * store/copy.h: rows of every table, out of one engine and into another.
 *
 * The list of tables is store/tables.def; statements are made from it. Rows are read in the order
 * of their keys, a page at a time, and each page is written as it is. What a page holds is also the
 * form in which two stores are compared: for each column a letter (N without a value, I integer,
 * T text, B bytes), then eight bytes, the highest first, that are the number or the length, then
 * the bytes. Equal rows have equal forms, whatever engine they are in.
 *
 * A session is used by one thread. Nothing here opens transactions.
 */
#ifndef JETON_STORE_COPY_H
#define JETON_STORE_COPY_H

#include "store/driver.h"

enum copy_table {
#define COPIED(name, key, behind, backwards, values, columns, types) COPY_##name,
#include "store/tables.def"
#undef COPIED
    COPY_TABLE_COUNT
};

enum {
    COPY_PAGE_ROW_COUNT = 1024,
    COPY_CLEAR_ROW_COUNT = 16 * 1024,
    COPY_PAGE_BYTES = 16 * 1024 * 1024, /* more than a hundred of the longest rows */
    COPY_KEY_BYTES_MAX = 1024,
    COPY_KEY_COLUMN_COUNT_MAX = 2
};

struct copy_table_spec {
    const char *name;
    const char *columns; /* "id, name" */
    const char *types;   /* a letter for each, as in tables.def */
    unsigned column_count;
    unsigned key_column_count;
    enum statement read_first, read_next, read_last, insert, clear;
};

const struct copy_table_spec *copy_table_spec(enum copy_table table);

struct str copy_column_name(const struct copy_table_spec *spec, unsigned column);

/* Whether the engine numbers rows of this table that bring no number. */
static inline bool copy_table_is_numbered(const struct copy_table_spec *spec)
{
    return spec->types[0] == 'K';
}

/* Where one has got to: the key of the last row. `= { 0 }`: before the first. Not to be copied. */
struct copy_cursor {
    bool has_key;
    struct store_param key[COPY_KEY_COLUMN_COUNT_MAX];
    char bytes[COPY_KEY_COLUMN_COUNT_MAX][COPY_KEY_BYTES_MAX];
};

struct copy_page {
    unsigned row_count;
    size_t len;
    struct store_param rows[COPY_PAGE_ROW_COUNT][STORE_PARAM_COUNT_MAX]; /* point into bytes */
    struct driver_run runs[COPY_PAGE_ROW_COUNT];
    char bytes[COPY_PAGE_BYTES]; /* the rows in the form that is compared */
};

/*
 * Reads the rows behind the cursor, and moves it to the last of them; no row: there are no more.
 *
 * Answers: RC_OK · RC_TOO_LARGE a row is larger than a page.  Faults: the driver's
 */
enum rc copy_read(const struct driver *driver, struct driver_session *session,
                  enum copy_table table, struct copy_cursor *cursor,
                  struct copy_page *out_page) MUST_CHECK;

/* Inserts the rows of a page, within a transaction. RC_EXISTS: one of them is there already. */
enum rc copy_write(const struct driver *driver, struct driver_session *session,
                   enum copy_table table, struct copy_page *page) MUST_CHECK;

/* Moves the cursor to the last row; has_key says whether there is one. */
enum rc copy_find_last(const struct driver *driver, struct driver_session *session,
                       enum copy_table table, struct copy_cursor *out_cursor) MUST_CHECK;

/* Deletes the first rows, within a transaction. */
enum rc copy_clear_some(const struct driver *driver, struct driver_session *session,
                        enum copy_table table, uint64_t *out_row_count) MUST_CHECK;

#endif
