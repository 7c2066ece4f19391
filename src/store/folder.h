/*
 * store/folder.h: the data folder: who may look into it, and who holds it (LG-05).
 *
 * The folder is 0700 and its files are 0600. What others could read or write is refused rather
 * than repaired: an operator must know that it was open. One process at a time holds the folder's
 * lock file; the lock ends with the process, however it ends.
 */
#ifndef JETON_STORE_FOLDER_H
#define JETON_STORE_FOLDER_H

#include "base/buffer.h"
#include "base/rc.h"

enum { FOLDER_PATH_BYTES_MAX = 1024 };

/* Writes "DIR/NAME" and a NUL; RC_INVALID when it is too long or DIR is empty. */
enum rc folder_path(struct str dir, const char *name, char out_path[static FOLDER_PATH_BYTES_MAX],
                    struct buffer *out_error) MUST_CHECK;

/*
 * Checks the folder, and makes it when it is missing and may_make.
 *
 * Answers: RC_OK · RC_INVALID.  Faults: RC_UNAVAILABLE.  out_error: one line for the operator
 */
enum rc folder_check(struct str dir, bool may_make, struct buffer *out_error) MUST_CHECK;

/*
 * Checks one file of the folder, and makes it empty when it is missing and may_make.
 *
 * Answers: RC_OK · RC_NOT_FOUND (only when !may_make) · RC_INVALID.  Faults: RC_UNAVAILABLE
 */
enum rc folder_file_check(struct str dir, const char *name, bool may_make,
                          struct buffer *out_error) MUST_CHECK;

/* Takes the lock file; RC_EXISTS when another process has it. Closing the descriptor gives it back.
 */
enum rc folder_lock(struct str dir, int *out_fd, struct buffer *out_error) MUST_CHECK;

#endif
