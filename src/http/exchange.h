/*
 * http/exchange.h: the memory of one request and its answer.
 *
 * One mapping holds everything: the public exchange, the bytes read, the answer and the arena. It
 * is large but its pages are touched only when used. An exchange belongs to a connection only from
 * a request's first byte to its answer's last; an idle connection has none. From the loop it may
 * go to a lane and come back, and it knows its connection by index and generation, never by
 * pointer.
 */
#ifndef JETON_HTTP_EXCHANGE_H
#define JETON_HTTP_EXCHANGE_H

#include "http/parse.h"

struct http_loop;

struct exchange {
    struct http_exchange public;
    struct exchange *next; /* in a free list or a list of completions       */
    struct http_loop *loop;
    uint32_t connection_index;
    uint32_t connection_generation;
    struct request_parser parser;
    char *input;        /* PARSE_INPUT_BYTES_MAX                            */
    size_t input_len;   /* bytes read; the request begins at the first      */
    size_t input_high;  /* most bytes ever read: what has to be wiped       */
    struct str output;  /* what is still to be sent                         */
    bool closes;        /* the connection, after the output                 */
    bool lingers;       /* and the client may not expect it                 */
    bool lane_was_full; /* of public.lane: the loop makes the answer        */
    bool sent_continue;
    struct arena arena;
    char *body_memory;
    char *certificate_memory; /* CERTIFICATE_BYTES_MAX */
};

/* Maps a new one; NULL when there is no memory. */
struct exchange *exchange_new(void);

void exchange_free(struct exchange *exchange);

/* After an answer: wipes arena and answer, and moves on to the bytes behind the request. */
void exchange_next(struct exchange *exchange);

/* Makes the answer 503: no lane had time for the request. */
void exchange_write_unavailable(struct exchange *exchange);

/* Wipes everything. */
void exchange_wipe(struct exchange *exchange);

#endif
