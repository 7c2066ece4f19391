/*
 * daemon/input.h: the one line that a command may read from standard input: a password, a secret,
 * or a token. Secrets are never words of a command line (LG-01).
 */
#ifndef JETON_DAEMON_INPUT_H
#define JETON_DAEMON_INPUT_H

#include "base/buffer.h"
#include "base/secret.h"

/*
 * Reads standard input to its end: one line, whose LF or CRLF is taken off, and nothing after it.
 * On a terminal it asks, without echo, for one line.
 *
 * Answers: RC_OK · RC_INVALID with the reason: nothing there, more than one line, too long
 */
enum rc input_read(struct secret *out_line, struct buffer *out_error) MUST_CHECK;

#endif
