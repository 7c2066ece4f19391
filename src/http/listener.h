/*
 * http/listener.h: sockets that connections come in by.
 *
 * "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "*:8080" (IPv6 and IPv4 on one socket, IPv4
 * alone where there is no IPv6), "unix:/path" (mode 0660; a socket file that nobody listens on is
 * removed first), "fd:3" (inherited, sd_listen_fds(3)).
 */
#ifndef JETON_HTTP_LISTENER_H
#define JETON_HTTP_LISTENER_H

#include <sys/types.h>

#include "http/http.h"

struct listener {
    int fd; /* -1 when closed                                  */
    bool is_tls;
    bool asks_certificate;
    int tag;
    unsigned port;     /* 0 for a Unix socket                             */
    char *address;     /* as it was configured                            */
    char *unix_path;   /* to be removed in the end; NULL when not ours    */
    dev_t unix_device; /* and only if it is still the file that we made   */
    ino_t unix_inode;
};

/*
 * Opens one socket, non-blocking and listening.
 *
 * out_error  on any code but RC_OK: one line that names the address
 *
 * Answers: RC_OK · RC_INVALID the address is not one of the forms above
 * Faults:  RC_SYSTEM it cannot be bound
 */
enum rc listener_open(const struct http_listener *setting, struct listener *out_listener,
                      struct buffer *out_error) MUST_CHECK;

/* The same without opening anything: RC_OK or RC_INVALID. */
enum rc listener_check(const struct http_listener *setting, struct buffer *out_error) MUST_CHECK;

/*
 * Makes a listener of a socket that listens at its address already.
 *
 * Answers: RC_OK · RC_NOT_FOUND it does not, or nobody can reach it: the socket is closed
 */
enum rc listener_adopt(const struct http_listener *setting, int fd,
                       struct listener *out_listener) MUST_CHECK;

/* Leaves the socket, and its file, to the next program (http/handed.h). */
enum rc listener_leave(struct listener *listener, struct buffer *to) MUST_CHECK;

void listener_close(struct listener *listener);

#endif
