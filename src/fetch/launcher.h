/*
 * fetch/launcher.h: a small process that starts jeton-fetch, so that the server itself need not be
 * able to run a program.
 *
 * It is forked before any secret is read and before there is a second thread, has no descriptor of
 * the server's but its socket and standard error, runs one program only, and ends with the server,
 * as do the helpers that it started. Without it helper.h starts the program itself.
 *
 * Threads: launcher_run and launcher_end may be called from any.
 */
#ifndef JETON_FETCH_LAUNCHER_H
#define JETON_FETCH_LAUNCHER_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Forks. In the new process out_is_child is true: it confines itself and calls launcher_main.
 * False: there is none.
 */
bool launcher_fork(bool *out_is_child);

/* Serves until the server is gone. */
_Noreturn void launcher_main(void);

bool launcher_is_there(void);

/* Starts jeton-fetch with this end of a socket; 0: it could not be started. */
pid_t launcher_run(int fd);

/* Kills what launcher_run has started, and waits for its end. */
void launcher_end(pid_t pid);

/* Ends the launcher and all that it started. */
void launcher_close(void);

/* Where the program is: beside our own, in its libexec folder, or in the folder of a build. */
bool launcher_find_program(char out_path[static PATH_MAX]);

/* Starts the program from this process. */
pid_t launcher_spawn(const char *program, int fd);

#endif
