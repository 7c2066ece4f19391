/*
 * base/secret_file.h: files that hold a password.
 */
#ifndef JETON_BASE_SECRET_FILE_H
#define JETON_BASE_SECRET_FILE_H

#include "base/buffer.h"
#include "base/rc.h"

/*
 * Reads a file that others can neither read nor write.
 *
 * setting     names the file's place in the configuration, for the error
 * out_bytes   nothing in it, and one byte larger than a content may be; wiped on failure
 *
 * Answers: RC_OK · RC_INVALID, and out_error says why
 */
enum rc secret_file_read(const char *setting, const char *path, struct buffer *out_bytes,
                         struct buffer *out_error) MUST_CHECK;

/* Says what is wrong with such a file, the name of its setting first.  RC_INVALID */
enum rc secret_file_refuse(const char *setting, const char *path, const char *words,
                           struct buffer *out_error) MUST_CHECK;

#endif
