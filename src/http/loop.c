#include "http/loop.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/address.h"
#include "http/server.h"

enum {
    EVENT_COUNT = 256,
    /* Per listener and round: connections that are there already want to be served too, and where
       there are several loops, none should take them all. */
    ACCEPT_COUNT = 64,
    ACCEPT_SHARED_COUNT = 4,
    ACCEPT_LAST_COUNT = 4096, /* before a listener is closed: what its queue may hold */
    ACCEPT_PAUSE_MS = 100,
    /* Exchanges kept for the next request, with the pages they have touched. */
    FREE_EXCHANGE_MAX = 8192,
    FREE_EXCHANGE_LOW = 16, /* left after a quiet while */
    TRIM_SHARE = 16, /* of those in excess, given back to the kernel in a second: one in 16 */
    /* Of so many connections, what they took is given back when more than half have left. */
    CROWD_COUNT = 1024
};

/* Stand in the place of a connection's index in an event. */
#define EVENT_OF_LISTENER UINT32_MAX
#define EVENT_OF_WAKE     (UINT32_MAX - 1)

enum rc loop_init(struct http_loop *loop, struct http_server *server, unsigned index)
{
    const struct http_config *config = &server->config;
    /* Edge-triggered, so that it never has to be read. */
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = EVENT_OF_WAKE };
    const unsigned timeout_ms[TIMER_NONE] = {
        [TIMER_HANDSHAKE] = config->handshake_timeout_ms,
        [TIMER_HEAD] = config->head_timeout_ms,
        [TIMER_BODY] = config->body_timeout_ms,
        [TIMER_IDLE] = config->idle_timeout_ms,
        [TIMER_WRITE] = config->write_timeout_ms,
        [TIMER_LINGER] = HTTP_LINGER_TIMEOUT_MS,
        [TIMER_REFUSAL] = LANE_REFUSAL_MS,
        [TIMER_GRACE] = HTTP_DRAIN_GRACE_MS,
    };

    *loop = (struct http_loop){ .server = server, .index = index };
    pthread_mutex_init(&loop->mutex, NULL);
    timer_lists_init(&loop->timers, timeout_ms);
    loop->connections = calloc(config->connection_count_max, sizeof(*loop->connections));
    ASSERT(loop->connections != NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0)
        return RC_SYSTEM;
    return RC_OK;
}

void loop_deinit(struct http_loop *loop)
{
    if (loop->server == NULL)
        return;
    while (loop->first_completed != NULL) {
        struct exchange *exchange = loop->first_completed;

        loop->first_completed = exchange->next;
        exchange_free(exchange);
    }
    while (loop->free_exchanges != NULL) {
        struct exchange *exchange = loop->free_exchanges;

        loop->free_exchanges = exchange->next;
        exchange_free(exchange);
    }
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    free(loop->connections);
    pthread_mutex_destroy(&loop->mutex);
}

struct exchange *loop_take_exchange(struct http_loop *loop)
{
    struct exchange *exchange = loop->free_exchanges;

    if (exchange == NULL) {
        exchange = exchange_new();
        if (exchange != NULL)
            exchange->loop = loop;
        return exchange;
    }
    loop->free_exchanges = exchange->next;
    loop->free_exchange_count--;
    if (loop->free_exchange_count < loop->free_exchange_least)
        loop->free_exchange_least = loop->free_exchange_count;
    return exchange;
}

void loop_give_back_exchange(struct http_loop *loop, struct exchange *exchange)
{
    if (loop->free_exchange_count == FREE_EXCHANGE_MAX) {
        exchange_free(exchange);
        return;
    }
    exchange_wipe(exchange);
    exchange->next = loop->free_exchanges;
    loop->free_exchanges = exchange;
    loop->free_exchange_count++;
}

void loop_wake(struct http_loop *loop)
{
    int error = errno;
    uint64_t one = 1;
    ssize_t ignored = write(loop->wake_fd, &one, sizeof(one));

    (void)ignored; /* a full counter means that the loop is awake */
    errno = error;
}

void loop_complete(struct http_loop *loop, struct exchange *exchange)
{
    bool wakes;

    exchange->next = NULL;
    pthread_mutex_lock(&loop->mutex);
    if (loop->first_completed == NULL)
        loop->first_completed = exchange;
    else
        loop->last_completed->next = exchange;
    loop->last_completed = exchange;
    wakes = loop->is_asleep;
    loop->is_asleep = false;
    pthread_mutex_unlock(&loop->mutex);
    if (wakes)
        loop_wake(loop);
}

/* Until there is none left; from then on the next one wakes the loop. */
static void take_completions(struct http_loop *loop)
{
    struct exchange *exchange;
    bool was_empty;

    do {
        pthread_mutex_lock(&loop->mutex);
        exchange = loop->first_completed;
        was_empty = exchange == NULL;
        loop->first_completed = NULL;
        loop->is_asleep = was_empty;
        pthread_mutex_unlock(&loop->mutex);
        while (exchange != NULL) {
            struct exchange *next = exchange->next;

            connection_complete(loop, exchange);
            exchange = next;
        }
    } while (!was_empty);
}

/* The listeners are shared: each connection wakes one loop (epoll_ctl(2), EPOLLEXCLUSIVE). */
static void set_listening(struct http_loop *loop, bool is_listening)
{
    struct http_server *server = loop->server;

    if (loop->is_listening == is_listening)
        return;
    for (size_t i = 0; i < server->config.listener_count; i++) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE,
                                     .data.u64 = (uint64_t)i << 32 | EVENT_OF_LISTENER };

        ASSERT(epoll_ctl(loop->epoll_fd, is_listening ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                         server->listeners[i].fd, &event) == 0);
    }
    loop->is_listening = is_listening;
}

/* False when there is none left, or no descriptor for it. */
static bool accept_one(struct http_loop *loop, const struct listener *listener)
{
    struct sockaddr_storage socket_address = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof(socket_address);
    struct http_address peer;
    int fd = accept4(listener->fd, (struct sockaddr *)&socket_address, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        peer = address_of(&socket_address);
        connection_accept(loop, listener, fd, &peer);
        return true;
    }
    if (errno == EAGAIN)
        return false;
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
        return true; /* that one connection failed, accept(2) */
    server_say_full(loop->server, true, loop->now_ms);
    loop->listen_again_ms = loop->now_ms + ACCEPT_PAUSE_MS;
    return false;
}

static void accept_up_to(struct http_loop *loop, const struct listener *listener, int count)
{
    for (int i = 0; i < count && accept_one(loop, listener); i++)
        continue;
}

static void accept_some(struct http_loop *loop, const struct listener *listener)
{
    int count = loop->server->config.loop_count > 1 ? ACCEPT_SHARED_COUNT : ACCEPT_COUNT;

    accept_up_to(loop, listener, count);
}

/* Once a second: what no request needed in the last one was for a burst, and goes back slowly. */
static void trim_exchanges(struct http_loop *loop)
{
    unsigned count = loop->free_exchange_least / TRIM_SHARE;

    for (unsigned i = 0; i < count && loop->free_exchange_least > FREE_EXCHANGE_LOW; i++)
        exchange_free(loop_take_exchange(loop));
    loop->free_exchange_least = loop->free_exchange_count;
}

static bool has_crowd_left(const struct http_loop *loop)
{
    return loop->crowd_count >= CROWD_COUNT && loop->connection_count < loop->crowd_count / 2;
}

/* Once a second. What thousands of TLS connections took stays with the allocator, in pieces, until
 * it is asked to look for whole pages; that takes some milliseconds. */
static void trim_memory(struct http_loop *loop)
{
    if (has_crowd_left(loop)) {
        malloc_trim(0);
        loop->crowd_count = 0;
    }
    if (loop->crowd_count < loop->connection_count)
        loop->crowd_count = loop->connection_count;
}

static void update_clock(struct http_loop *loop)
{
    int64_t unix_ms;

    loop->now_ns = clock_monotonic_ns();
    loop->now_ms = loop->now_ns / 1000000;
    if (loop->now_ms < loop->date_until_ms)
        return;
    unix_ms = clock_now_ms();
    message_format_date(unix_ms / 1000, loop->date);
    loop->date_until_ms = loop->now_ms + 1000 - unix_ms % 1000;
    trim_exchanges(loop);
    trim_memory(loop);
}

static int wait_ms(const struct http_loop *loop)
{
    int64_t next_ms = timer_next_ms(&loop->timers);

    if (loop->is_draining && loop->drain_until_ms < next_ms)
        next_ms = loop->drain_until_ms;
    if (loop->listen_again_ms != 0 && loop->listen_again_ms < next_ms)
        next_ms = loop->listen_again_ms;
    /* Wakes each second to trim, as long as there is something to trim. */
    if ((loop->free_exchange_count > FREE_EXCHANGE_LOW || has_crowd_left(loop)) &&
        loop->date_until_ms < next_ms)
        next_ms = loop->date_until_ms;
    if (next_ms == INT64_MAX)
        return -1;
    if (next_ms <= loop->now_ms)
        return 0;
    return next_ms - loop->now_ms > INT32_MAX ? INT32_MAX : (int)(next_ms - loop->now_ms);
}

static void handle_event(struct http_loop *loop, const struct epoll_event *event)
{
    uint32_t index = (uint32_t)event->data.u64;
    uint32_t generation = (uint32_t)(event->data.u64 >> 32);

    if (index == EVENT_OF_WAKE)
        return;
    if (index == EVENT_OF_LISTENER) {
        accept_some(loop, &loop->server->listeners[generation]);
        return;
    }
    /* Closed earlier in this batch: nobody is there, or somebody else. */
    if (loop->connections[index].generation == generation)
        connection_handle(loop, &loop->connections[index], event->events);
}

static void expire(struct http_loop *loop)
{
    struct timer *timer;

    while ((timer = timer_find_expired(&loop->timers, loop->now_ms)) != NULL)
        connection_expire(loop, (struct connection *)(void *)timer);
    if (loop->listen_again_ms != 0) {
        bool is_time = loop->listen_again_ms <= loop->now_ms;

        set_listening(loop, is_time && !loop->is_draining);
        if (is_time)
            loop->listen_again_ms = 0;
    }
}

static void begin_drain(struct http_loop *loop)
{
    struct http_server *server = loop->server;

    bool hands_over = atomic_load(&server->hands_over);

    /* Who has connected already is not turned away: another program may wait for them. */
    for (size_t i = 0; i < server->config.listener_count && !hands_over; i++)
        accept_up_to(loop, &server->listeners[i], ACCEPT_LAST_COUNT);
    set_listening(loop, false);
    server_loop_has_stopped_listening(server);
    loop->is_draining = true;
    loop->drain_until_ms = loop->now_ms + (hands_over ? (int64_t)HTTP_HAND_OVER_TIMEOUT_MS
                                                      : server->config.drain_timeout_ms);
    for (uint32_t i = 0; i < loop->connection_fresh; i++)
        if (loop->connections[i].state != CONNECTION_CLOSED)
            connection_drain(loop, &loop->connections[i]);
}

void loop_run(struct http_loop *loop)
{
    struct epoll_event events[EVENT_COUNT];

    update_clock(loop);
    set_listening(loop, true);
    while (!loop->is_draining ||
           (loop->connection_count > 0 && loop->now_ms < loop->drain_until_ms)) {
        int count;

        take_completions(loop);
        count = epoll_wait(loop->epoll_fd, events, EVENT_COUNT, wait_ms(loop));
        update_clock(loop);
        for (int i = 0; i < count; i++)
            handle_event(loop, &events[i]);
        expire(loop);
        if (!loop->is_draining &&
            atomic_load_explicit(&loop->server->is_stopping, memory_order_relaxed))
            begin_drain(loop);
    }
    for (uint32_t i = 0; i < loop->connection_fresh; i++)
        if (loop->connections[i].state != CONNECTION_CLOSED)
            connection_close(loop, &loop->connections[i]);
}
