/*
 * http/handed.h: listening sockets from one program to the next in the same process.
 *
 * A server that makes room for another program leaves its sockets open over exec(3) and says which
 * is which in the environment: "PID", then for each a line with its descriptor and its address as
 * it was configured. The next program takes those that it is configured for too, and closes the
 * others. As with sd_listen_fds(3), PID keeps what was meant for one process from its children.
 */
#ifndef JETON_HTTP_HANDED_H
#define JETON_HTTP_HANDED_H

#include "http/http.h"

enum { HANDED_COUNT_MAX = 64 };

struct handed {
    size_t count;
    struct handed_socket {
        int fd; /* -1: taken */
        struct str address;
    } sockets[HANDED_COUNT_MAX];
};

/* What the environment says to this process; it refers to the environment. */
void handed_read(struct handed *out_handed);

/* The socket for an address, which is the caller's from now on; -1: there is none. */
int handed_take(struct handed *handed, struct str address);

/* Closes those that nobody took. */
void handed_close(struct handed *handed);

/* Keeps a socket open over exec, and notes it for the program that comes. An inherited one ("fd:3")
 * keeps its number and needs no note. */
enum rc handed_leave(int fd, struct str address, struct buffer *to) MUST_CHECK;

#endif
