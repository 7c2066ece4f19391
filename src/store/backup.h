/*
 * store/backup.h: all that a store holds, as it is at one moment, read while servers write.
 *
 * It is one reading transaction: SQLite's readers see what was committed when they began, and on
 * PostgreSQL it is a snapshot (REPEATABLE READ). Nobody waits for it. What a server keeps meanwhile
 * is told by docs/backup.md: SQLite's log grows, and PostgreSQL removes no dead rows.
 *
 * It is a move of which there is a source only: after backup_open come move_find_sealed_value and
 * move_read_some of MOVE_SOURCE (store/move.h), and move_close.
 */
#ifndef JETON_STORE_BACKUP_H
#define JETON_STORE_BACKUP_H

#include "store/move.h"

/*
 * Opens the store and begins the transaction. All that was committed before this call is seen.
 *
 * Answers: RC_OK · RC_INVALID there is no store, it has another schema than this program's, it is
 * being moved.  Faults: RC_UNAVAILABLE, RC_CORRUPT.  One line in out_error
 */
enum rc backup_open(const struct move_place *from, struct move **out_move,
                    struct buffer *out_error) MUST_CHECK;

/* The schema of this program, which is that of every backup that it writes. */
int backup_schema(void);

/* What the rows of a table of a backup are: "id, name" and a letter for each. */
struct str backup_columns(unsigned table);
struct str backup_types(unsigned table);

#endif
