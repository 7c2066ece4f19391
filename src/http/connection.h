/*
 * http/connection.h: one connection's way from its first byte to its last.
 *
 *     HANDSHAKE ─► READING ─► ON_LANE ─► WRITING ─► READING …   or ─► LINGERING ─► closed
 *
 * READING has an exchange from a request's first byte on; an idle connection has none, and costs
 * this struct only. ON_LANE it has none either: the exchange is away, and nothing more is read.
 * LINGERING reads and discards, so that a refused client, which may be sending still, can read why.
 */
#ifndef JETON_HTTP_CONNECTION_H
#define JETON_HTTP_CONNECTION_H

#include "http/exchange.h"
#include "http/timer.h"

struct listener;
struct tls_stream;

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_HANDSHAKE,
    CONNECTION_READING,
    CONNECTION_ON_LANE,
    CONNECTION_WRITING,
    CONNECTION_LINGERING
};

struct connection {
    struct timer timer; /* first: a timer is its connection  */
    int fd;
    uint32_t index;
    uint32_t generation; /* grows when the connection ends    */
    uint32_t armed;      /* the events epoll was asked for    */
    enum connection_state state;
    bool is_counted; /* in the caps of its address        */
    struct http_address peer;
    const struct listener *listener;
    struct tls_stream *tls; /* NULL when plain                   */
    struct exchange *exchange;
    struct connection *next_free;
};

/* Takes over an accepted socket, or closes it when a cap is reached. */
void connection_accept(struct http_loop *loop, const struct listener *listener, int fd,
                       const struct http_address *peer);

/* epoll has something to tell. */
void connection_handle(struct http_loop *loop, struct connection *connection, uint32_t events);

/* An exchange of the connection is back from its lane, with or without an answer. */
void connection_complete(struct http_loop *loop, struct exchange *exchange);

/* Its deadline has passed. */
void connection_expire(struct http_loop *loop, struct connection *connection);

/* The server stops: ends the connection at the next moment at which nothing is under way. */
void connection_drain(struct http_loop *loop, struct connection *connection);

void connection_close(struct http_loop *loop, struct connection *connection);

#endif
