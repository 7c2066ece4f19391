/*
 * daemon/restart.h: another program in the place of this one, in the same process.
 *
 * A server that is told to restart first asks the program at its own path, which may have been
 * replaced meanwhile, whether it would start with the same words and in the same environment
 * (`serve --check`). Only then it finishes what is under way, closes the store, and becomes that
 * program; its listening sockets stay open, and who connects meanwhile waits in their queues.
 */
#ifndef JETON_DAEMON_RESTART_H
#define JETON_DAEMON_RESTART_H

#include <limits.h>

#include "base/buffer.h"
#include "base/rc.h"

struct restart {
    char program[PATH_MAX]; /* as it was started: links are followed anew each time */
    int argc;
    char *const *argv; /* of the process; argv[1] is "serve" */
};

enum { RESTART_LISTENERS_BYTES = 64 * 1024, RESTART_CHECK_TIMEOUT_MS = 30 * 1000 };

/* At the start, before the working folder could change. argv stays where it is. */
void restart_init(int argc, char *const *argv, struct restart *out_restart);

/*
 * Runs the program's check; ends it when SIGTERM or SIGINT, which are blocked, are pending.
 *
 * out_why   on any code but RC_OK: one line, the last that the check has written
 *
 * Answers: RC_OK it would start · RC_INVALID it would not, in RESTART_CHECK_TIMEOUT_MS
 * Faults:  RC_SYSTEM it cannot be run
 */
enum rc restart_check(const struct restart *restart, struct buffer *out_why) MUST_CHECK;

/*
 * Becomes the program, or, when that cannot be run any more, this one again from its beginning.
 * Nothing else may run in the process. Returns only when neither can be run.
 *
 * listeners   the value for HTTP_HANDED_VARIABLE
 */
void restart_run(const struct restart *restart, const char *listeners);

#endif
