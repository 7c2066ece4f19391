/*
 * daemon/backup_trail.h: an audit trail that is newer than a backup: what it says was ended since
 * is ended again in the restored store.
 *
 * Its lines are those of `jeton audit export`. Applied are ends of tokens and grants, accounts that
 * were disabled, locked or erased, and passwords that were changed, whose accounts are without one
 * until a new one is set. When in doubt more is ended: an end of grants without a token ends all of
 * its account.
 */
#ifndef JETON_DAEMON_BACKUP_TRAIL_H
#define JETON_DAEMON_BACKUP_TRAIL_H

#include "store/restore.h"

/*
 * path      a file of lines, in any order
 * since     events before that are passed over
 *
 * Answers: RC_OK · RC_INVALID a line that is none of an export, with a line in out_error.
 * Faults: the store's
 */
enum rc backup_trail_apply(const char *path, int64_t since, int64_t now, struct restore *restore,
                           uint64_t *out_count, struct buffer *out_error) MUST_CHECK;

#endif
