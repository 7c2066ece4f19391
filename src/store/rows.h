/*
 * store/rows.h: how a query becomes nouns; what the files that read share.
 *
 * A query is a statement, its parameters, and a loader that turns the row under the cursor into one
 * noun. It runs on a session of the pool, for as long as it takes, on the caller's thread.
 */
#ifndef JETON_STORE_ROWS_H
#define JETON_STORE_ROWS_H

#include "store/room.h"

/* What a loader sees of the row under the cursor. */
struct row {
    const struct driver *driver;
    struct driver_session *session;
};

struct query {
    enum statement statement;
    /* Fills the noun; RC_CORRUPT when a column is not what was written. */
    enum rc (*load)(const struct row *row, struct arena *arena, void *out);
    unsigned param_count;
    struct store_param params[10];
};

/* Where rows go, one behind the other. */
struct page {
    struct arena *arena; /* of their strings; NULL: they have none */
    void *rows;
    size_t row_bytes;
    size_t max;
};

/* The columns of a row. A text is copied to the arena; RC_CORRUPT when a blob is not that long. */
int64_t row_int(const struct row *row, unsigned column);
struct str row_text(const struct row *row, unsigned column, struct arena *arena);
enum rc row_fixed(const struct row *row, unsigned column, void *out_bytes, size_t len) MUST_CHECK;

/* Whether all texts of the row would fit. */
bool arena_has_room(const struct arena *arena, const struct row *row);

/* A page ends early, but never empty, when the arena has no room for one row more. */
enum rc rows_list(struct store *store, const struct query *query, const struct page *page,
                  size_t *out_count) MUST_CHECK;

/* The one row of a query; RC_NOT_FOUND. */
enum rc rows_find(struct store *store, const struct query *query, struct arena *arena,
                  void *out) MUST_CHECK;

/* The two columns of a binding: its kind and its thumbprint, which is NULL without one. */
enum rc row_binding(const struct row *row, unsigned column, struct binding *out_binding) MUST_CHECK;

/* read.c: the columns of every query for grants; for events. */
enum rc load_grant(const struct row *row, struct arena *arena, void *out) MUST_CHECK;
enum rc load_event(const struct row *row, struct arena *arena, void *out) MUST_CHECK;

struct store_param int_param(int64_t number);
struct store_param text_param(struct str text);
struct store_param digest_param(const unsigned char digest[static DIGEST_BYTES]);

/* The next rows behind (or before) an id; $1 and $2 of every list. */
struct query page_query(enum statement statement,
                        enum rc (*load)(const struct row *, struct arena *, void *), int64_t id,
                        size_t max);

#endif
