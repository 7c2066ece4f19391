/*
 * store/restore.h: a backup written into an empty store, and what ends with that.
 *
 * From restore_open to the last transaction of restore_finish the store is marked (the table
 * `moved`), and nobody serves it; a restore that was interrupted is begun anew. Nothing is known of
 * what happened after the backup was taken, so that whatever may have been spent, rotated or ended
 * since is not good in the restored store (docs/backup.md, decision 0015): rows of single-use
 * things are left out, refresh tokens and, unless they are kept, access tokens too; recovery codes
 * are used up, the steps of authenticators too; ids jump ahead of all that were given out since.
 *
 * Calls in this order: restore_open, then for each table of the backup restore_table and
 * restore_rows, then restore_revoke, then restore_finish. One thread.
 */
#ifndef JETON_STORE_RESTORE_H
#define JETON_STORE_RESTORE_H

#include "store/move.h"

struct restore;

/*
 * Opens the store, makes its tables, takes it, and marks it.
 *
 * keeps_access   access tokens stay good
 *
 * Answers: RC_OK · RC_EXISTS somebody else uses it · RC_REFUSED it is not empty · RC_INVALID.
 * Faults: RC_UNAVAILABLE, RC_CORRUPT.  One line in out_error but for RC_OK, here and below
 */
enum rc restore_open(const struct move_place *to, bool keeps_access, struct restore **out_restore,
                     struct buffer *out_error) MUST_CHECK;

/* The backup was bad: empties the store again, so that nothing is left of it. What fails stays
 * marked. */
void restore_give_up(struct restore *restore);

/* NULL does nothing. What was not finished stays marked. */
void restore_close(struct restore *restore);

/* Begins a table; RC_INVALID: this program does not know it, or a column of it. */
enum rc restore_table(struct restore *restore, struct str name, struct str columns,
                      struct str types, struct buffer *out_error) MUST_CHECK;

/* Writes rows of that table, in the form of store/copy.h. RC_INVALID: they have another one. */
enum rc restore_rows(struct restore *restore, struct str rows, unsigned row_count,
                     struct buffer *out_error) MUST_CHECK;

/* What a newer audit trail says that was ended after the backup was taken. */
enum restore_act {
    RESTORE_END_TOKEN,      /* id of a token: it, and what rests on its grant */
    RESTORE_END_GRANTS,     /* id of an account: all of its grants */
    RESTORE_DISABLE,        /* id of an account: it, and all of its grants */
    RESTORE_FORGET_PASSWORD /* id of an account: it signs in with a new one */
};

/* Does it again; what is not there is no answer. */
enum rc restore_revoke(struct restore *restore, enum restore_act act, int64_t id, int64_t at,
                       struct buffer *out_error) MUST_CHECK;

/* Ends what has to end, and takes the mark away. */
enum rc restore_finish(struct restore *restore, int64_t taken_at, int64_t at, struct str detail,
                       struct buffer *out_error) MUST_CHECK;

#endif
