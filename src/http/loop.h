/*
 * http/loop.h: one epoll loop, its connections and what lanes hand back to it.
 *
 * Everything here belongs to the loop's own thread, but loop_complete, loop_wake and the counts,
 * which are for any thread. Connections are numbered; an event or a completion names a connection
 * by index and generation, so that one for a connection that has ended reaches nobody.
 */
#ifndef JETON_HTTP_LOOP_H
#define JETON_HTTP_LOOP_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/connection.h"
#include "http/message.h"

struct http_server;

/* Written by the loop's thread only, read by any. */
struct loop_counts {
    _Atomic uint64_t connections_accepted;
    _Atomic uint64_t connections_refused;
    _Atomic uint64_t requests;
    _Atomic uint64_t requests_malformed;
    _Atomic uint64_t timeouts;
    _Atomic uint64_t queue_refusals[3];
    _Atomic uint64_t tls_handshakes;
    _Atomic uint64_t tls_handshake_failures;
};

static inline void loop_count(_Atomic uint64_t *count)
{
    /* One writer: no locked instruction is needed. */
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

struct http_loop {
    struct http_server *server;
    unsigned index;
    int epoll_fd;
    int wake_fd;    /* eventfd */
    int64_t now_ns; /* monotonic, when this batch of events was fetched */
    int64_t now_ms;
    char date[MESSAGE_DATE_BYTES];
    int64_t date_until_ms;
    uint64_t request_count; /* for ids */

    struct connection *connections; /* an array; pages are touched when used */
    uint32_t connection_fresh;      /* never used from this index on         */
    uint32_t connection_count;      /* open                                  */
    uint32_t crowd_count;           /* most that were open, seen once a second; 0 after a trim */
    struct connection *free_connections;
    struct timer_lists timers;

    struct exchange *free_exchanges;
    unsigned free_exchange_count;
    unsigned free_exchange_least; /* since the last second began */

    bool is_listening;
    bool is_draining;
    int64_t listen_again_ms; /* after running out of descriptors; 0: not waiting */
    int64_t drain_until_ms;

    pthread_mutex_t mutex; /* for the three below */
    struct exchange *first_completed;
    struct exchange *last_completed;
    bool is_asleep; /* or about to be: a completion has to wake the loop */

    struct loop_counts counts;
};

/*
 * Makes the loop ready to run.
 *
 * Faults: RC_SYSTEM no descriptors
 */
enum rc loop_init(struct http_loop *loop, struct http_server *server, unsigned index) MUST_CHECK;

/* Only when it does not run, and no lane either. */
void loop_deinit(struct http_loop *loop);

/* Serves until the server stops, then drains; in the end no connection is left. */
void loop_run(struct http_loop *loop);

/* Makes a sleeping loop look around. Safe in a signal handler. */
void loop_wake(struct http_loop *loop);

/* Hands an exchange back from a lane. */
void loop_complete(struct http_loop *loop, struct exchange *exchange);

/* An empty exchange; NULL when there is no memory for one more. */
struct exchange *loop_take_exchange(struct http_loop *loop);

/* Wipes it and keeps it for the next one. */
void loop_give_back_exchange(struct http_loop *loop, struct exchange *exchange);

#endif
