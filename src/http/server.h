/*
 * http/server.h: what loops and lanes of one server share. For src/http only.
 */
#ifndef JETON_HTTP_SERVER_H
#define JETON_HTTP_SERVER_H

#include "crypto/tls.h"
#include "http/caps.h"
#include "http/lane.h"
#include "http/listener.h"
#include "http/loop.h"

struct http_server {
    struct http_config config; /* a copy; its pointers lead into the server's own memory */
    struct listener *listeners;
    struct http_network *networks;
    char *certificate_file;
    char *key_file;
    char *certificate_header;
    struct caps *caps;
    struct http_loop *loops;
    unsigned started_loop_count;
    struct worker_lane *lanes[3]; /* by enum lane; the loop has none */
    uint64_t id_base;             /* random: ids of two processes do not meet */
    pthread_mutex_t tls_mutex;
    struct tls_context *tls;
    _Atomic int64_t certificate_expires_at; /* of tls */
    _Atomic unsigned connection_count;
    _Atomic unsigned listening_count;  /* loops that accept */
    _Atomic int64_t say_full_again_ms; /* monotonic; until then it is not told again */
    _Atomic bool is_stopping;
    _Atomic bool hands_over; /* when it stops, its listeners stay open */
};

/* A stream made from the certificate that is current now; NULL when that fails. */
struct tls_stream *server_tls_stream_new(struct http_server *server,
                                         const struct listener *listener, int fd);

/* Logs that a connection was turned away at a cap, or has to wait for a descriptor; what follows
 * within a minute is not told. */
void server_say_full(struct http_server *server, bool waits, int64_t now_ms);

/* The loop has stopped accepting; the last one closes the listeners, if they are not handed over.
 */
void server_loop_has_stopped_listening(struct http_server *server);

#endif
