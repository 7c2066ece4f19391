/*
 * daemon/cage.h: what a server that was taken over could still do: nearly nothing.
 *
 * Two fences of the kernel. A filter of system calls (seccomp): who tries to run a program, to look
 * into another process, to open a raw socket or to change what is mounted is killed, and what is
 * merely not needed is refused. And a list of files (Landlock): written and made is below the data
 * folder only, read is what a server has to read; nothing is run.
 *
 * Both hold for the thread that enters and for all that it starts later, and cannot be left. The
 * loose cage is for who must be able to run a program: the thread that restarts the server, and
 * the launcher (fetch/launcher.h); see decision 0016.
 *
 * Source: seccomp(2), landlock(7)
 */
#ifndef JETON_DAEMON_CAGE_H
#define JETON_DAEMON_CAGE_H

#include <stdbool.h>
#include <stddef.h>

enum sandbox { SANDBOX_ON, SANDBOX_OFF, SANDBOX_REQUIRED };

enum { CAGE_PATH_COUNT_MAX = 48 };

/* What the configuration adds to what every server reads. */
struct cage_files {
    const char *data; /* NULL: nothing may be written */
    const char *read[CAGE_PATH_COUNT_MAX];
    size_t read_count;
    const char *sockets[CAGE_PATH_COUNT_MAX]; /* folders that a socket is made in */
    size_t socket_count;
};

/* A path, or NULL or an empty one, which is passed over. */
void cage_files_add(struct cage_files *files, const char *path_or_null);

/* What is in force. */
struct cage_force {
    bool has_filter;
    int landlock_abi; /* 0: the kernel has none, or this process may not use it */
};

/* Enters the whole cage: data folder and files are there already. */
void cage_enter(const struct cage_files *files, struct cage_force *out_force);

/* Enters the loose one: a filter of what no part of Jeton ever needs. */
bool cage_enter_loose(void);

/* No file but /dev/null is written or made by this process and those that it starts. */
bool cage_enter_read_only(void);

#endif
