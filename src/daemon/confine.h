/*
 * daemon/confine.h: puts a server into the cage (daemon/cage.h) that its settings ask for.
 */
#ifndef JETON_DAEMON_CONFINE_H
#define JETON_DAEMON_CONFINE_H

#include "daemon/settings.h"

/*
 * Starts the launcher of jeton-fetch, before anything secret is read and while there is one thread.
 * Does not come back in the new process.
 */
void confine_launcher(void);

/*
 * Encloses the calling thread and all that it starts later.
 *
 * Answers: RC_OK, also without a cage, where none is required · RC_INVALID with one line in
 *          out_error
 */
enum rc confine_server(const struct settings *settings, struct buffer *out_error) MUST_CHECK;

/* Logs what is in force, and whether the server runs as root. */
void confine_say(const struct settings *settings);

/* Encloses the calling thread, which has to be able to run a program. */
void confine_signal_thread(const struct settings *settings);

#endif
