/*
 * store/backup_form.h: tables and rows as a backup has them, read with suspicion.
 *
 * A backup says of each of its tables which columns it has, so that it can be restored by a program
 * that knows more of them: what is missing is 0 or empty, which is what steps of the schema give to
 * rows that are there (docs/DATA.md). What this program does not know is refused. Rows come in the
 * form of store/copy.h.
 */
#ifndef JETON_STORE_BACKUP_FORM_H
#define JETON_STORE_BACKUP_FORM_H

#include "store/copy.h"

/*
 * A backup is a row of records: a letter, the length of what follows in four bytes, the highest
 * first, and that. H the head, then for each table T its names, P pages of rows (their count in
 * four bytes), S their count in all and their digest; E the end.
 */
enum {
    BACKUP_RECORD_HEAD_BYTES = 5,
    BACKUP_RECORD_BYTES_MAX = COPY_PAGE_BYTES + 4,
    BACKUP_KEY_BYTES = 32,
    BACKUP_DIGEST_BYTES = 32,
    BACKUP_NAMES_BYTES_MAX = 4096 /* of a record that is no page */
};

/* Texts point into the record. */
struct backup_head {
    int64_t schema;
    int64_t taken_at;
    struct str version; /* of the program */
    struct str origin;  /* a value that the store's master key sealed: the store is known by it */
    struct str master_key; /* BACKUP_KEY_BYTES; empty: it is not in it */
};

struct backup_table {
    struct str name, columns, types;
};

struct backup_sum {
    int64_t row_count;
    struct str digest; /* BACKUP_DIGEST_BYTES; of the end: empty */
};

void backup_head_format(const struct backup_head *head, struct buffer *to);
void backup_table_format(const struct backup_table *table, struct buffer *to);
void backup_sum_format(const struct backup_sum *sum, struct buffer *to);

/* What stands behind the letter and the length; RC_INVALID when it has another form. */
enum rc backup_head_parse(struct str record, struct backup_head *out_head) MUST_CHECK;
enum rc backup_table_parse(struct str record, struct backup_table *out_table) MUST_CHECK;
enum rc backup_sum_parse(struct str record, struct backup_sum *out_sum) MUST_CHECK;

/* The length in the head of a record. RC_INVALID: longer than any of this letter. */
enum rc backup_length_parse(struct str head, size_t *out_len) MUST_CHECK;

/* Which column of ours each column of a backup's table is. */
struct backup_map {
    enum copy_table table;
    unsigned column_count;
    unsigned char to[STORE_PARAM_COUNT_MAX];
};

/*
 * columns   "id, name"
 * types     a letter for each, as in tables.def
 *
 * Answers: RC_OK · RC_NOT_FOUND no such table · RC_INVALID a column that we do not have, or twice,
 * or of another type, or not all of the key's
 */
enum rc backup_map_make(struct str name, struct str columns, struct str types,
                        struct backup_map *out_map) MUST_CHECK;

/*
 * Reads the rows of a page.
 *
 * rows       must be exactly row_count rows; the page's parameters point into it
 * out_page   what copy_write takes; its bytes stay empty
 *
 * Answers: RC_OK · RC_INVALID (the page is worthless then)
 */
enum rc backup_rows_parse(const struct backup_map *map, struct str rows, unsigned row_count,
                          struct copy_page *out_page) MUST_CHECK;

#endif
