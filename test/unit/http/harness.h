/*
 * test/unit/http/harness.h: a running server and small clients, for the tests of src/http.
 *
 * Every wait has an end: clients give up after CLIENT_TIMEOUT_S, far beyond what a test needs. The
 * handler is one for all tests; its routes are the words of the path.
 */
#ifndef JETON_TEST_HTTP_HARNESS_H
#define JETON_TEST_HTTP_HARNESS_H

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/http.h"

enum { CLIENT_TIMEOUT_S = 20 };

/* What the handler does and has seen. */
struct handler {
    pthread_mutex_t mutex;
    pthread_cond_t has_changed;
    bool gate_is_open; /* lets /wait go on               */
    unsigned waiting;  /* requests that wait at the gate */
    unsigned served;   /* calls that answered            */
    unsigned done;     /* calls of done()                */
    char last_id[17];
};

struct running {
    struct handler handler;
    struct http_server *server;
    pthread_t thread;
};

static inline void handler_wait_at_gate(struct handler *handler)
{
    pthread_mutex_lock(&handler->mutex);
    handler->waiting++;
    pthread_cond_broadcast(&handler->has_changed);
    while (!handler->gate_is_open)
        pthread_cond_wait(&handler->has_changed, &handler->mutex);
    handler->waiting--;
    pthread_mutex_unlock(&handler->mutex);
}

static inline void handler_open_gate(struct handler *handler)
{
    pthread_mutex_lock(&handler->mutex);
    handler->gate_is_open = true;
    pthread_cond_broadcast(&handler->has_changed);
    pthread_mutex_unlock(&handler->mutex);
}

/* Until *number is at least `least`; the number belongs to the handler. */
static inline void handler_await(struct handler *handler, const unsigned *number, unsigned least)
{
    struct timespec until;
    int failed = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLIENT_TIMEOUT_S;
    pthread_mutex_lock(&handler->mutex);
    while (*number < least && failed == 0)
        failed = pthread_cond_timedwait(&handler->has_changed, &handler->mutex, &until);
    pthread_mutex_unlock(&handler->mutex);
    assert_int_equal(failed, 0);
}

static inline unsigned handler_read(struct handler *handler, const unsigned *number)
{
    unsigned value;

    pthread_mutex_lock(&handler->mutex);
    value = *number;
    pthread_mutex_unlock(&handler->mutex);
    return value;
}

static inline void handler_count(struct handler *handler, unsigned *number)
{
    pthread_mutex_lock(&handler->mutex);
    (*number)++;
    pthread_cond_broadcast(&handler->has_changed);
    pthread_mutex_unlock(&handler->mutex);
}

static inline void write_big(struct http_exchange *exchange)
{
    uint64_t bytes = 0;

    if (!str_parse_u64(exchange->request.query, UINT32_MAX, &bytes))
        return;
    for (uint64_t i = 0; i < bytes; i++)
        buffer_append_byte(&exchange->response.body, (char)('a' + i % 26));
}

static inline void write_client(struct http_exchange *exchange)
{
    char text[HTTP_ADDRESS_TEXT_BYTES];

    buffer_append_str(&exchange->response.body,
                      http_address_format(&exchange->request.client, text));
    if (exchange->request.is_from_trusted_proxy)
        BUFFER_APPEND_LITERAL(&exchange->response.body, " trusted");
    if (exchange->request.is_tls)
        BUFFER_APPEND_LITERAL(&exchange->response.body, " tls");
    buffer_append_format(&exchange->response.body, " %d", exchange->request.listener_tag);
}

static inline void answer_by_path(struct http_exchange *exchange)
{
    struct str path = exchange->request.path;
    struct http_response *response = &exchange->response;

    response->status = 200;
    if (str_equal(path, STR("/big")))
        write_big(exchange);
    else if (str_equal(path, STR("/client")))
        write_client(exchange);
    else if (str_equal(path, STR("/echo")))
        buffer_append_str(&response->body, exchange->request.body);
    else if (str_equal(path, STR("/204")))
        response->status = 204;
    else if (str_equal(path, STR("/304")))
        response->status = 304;
    else if (str_equal(path, STR("/headers")))
        for (int i = 0; i < 1000; i++)
            http_add_header(exchange, STR("X-Filler"), STR("filler"));
    else
        buffer_append_str(&response->body, exchange->request.target);
    response->close = str_equal(path, STR("/close"));
}

/* "/work…" goes to the work lane, "/hash…" to the hash lane, "/both" to one after the other. */
static inline enum http_verdict handler_serve(void *context, struct http_exchange *exchange)
{
    struct handler *handler = context;
    struct str path = exchange->request.path;

    if (exchange->lane == LANE_LOOP && str_starts_with(path, STR("/hash")))
        return HTTP_TO_HASH;
    if (exchange->lane == LANE_LOOP &&
        (str_starts_with(path, STR("/work")) || str_equal(path, STR("/both")))) {
        struct str note = arena_copy(exchange->arena, STR("noted"));

        exchange->note = memcpy(arena_alloc(exchange->arena, sizeof(note)), &note, sizeof(note));
        return HTTP_TO_WORK;
    }
    if (exchange->lane == LANE_WORK && str_equal(path, STR("/both")))
        return HTTP_TO_HASH;
    if (str_ends_with(path, STR("/wait")))
        handler_wait_at_gate(handler);
    if (exchange->note != NULL && !str_equal(*(struct str *)exchange->note, STR("noted")))
        abort();
    answer_by_path(exchange);
    handler_count(handler, &handler->served);
    return HTTP_ANSWERED;
}

static inline void handler_done(void *context, const struct http_exchange *exchange)
{
    struct handler *handler = context;

    pthread_mutex_lock(&handler->mutex);
    memcpy(handler->last_id, exchange->request.id, sizeof(handler->last_id));
    pthread_mutex_unlock(&handler->mutex);
    handler_count(handler, &handler->done);
}

static inline void *run_thread(void *context)
{
    http_server_run(context);
    return NULL;
}

/* Fills in the handler, opens and runs. The rest of the configuration is the test's. */
static inline void start(struct running *running, struct http_config *config)
{
    char memory[512];
    struct buffer error = buffer_over(memory, sizeof(memory));
    enum rc rc;

    *running = (struct running){ .server = NULL };
    pthread_mutex_init(&running->handler.mutex, NULL);
    pthread_cond_init(&running->handler.has_changed, NULL);
    config->serve = handler_serve;
    config->done = handler_done;
    config->context = &running->handler;
    rc = http_server_open(config, &running->server, &error);
    if (rc != RC_OK)
        print_error("%.*s\n", STR_ARGS(buffer_str(&error)));
    assert_int_equal(rc, RC_OK);
    assert_int_equal(pthread_create(&running->thread, NULL, run_thread, running->server), 0);
}

static const struct http_listener LOOPBACK = { .address = { "127.0.0.1:0", 11 },
                                               .is_tls = false,
                                               .tag = 7 };

/* One plain listener on the loopback, one loop, small lanes. */
static inline struct http_config plain_config(void)
{
    return (struct http_config){
        .listeners = &LOOPBACK,
        .listener_count = 1,
        .loop_count = 1,
        .work_thread_count = 4,
        .hash_thread_count = 1,
    };
}

static inline void start_plain(struct running *running)
{
    struct http_config config = plain_config();

    start(running, &config);
}

static inline void stop(struct running *running)
{
    handler_open_gate(&running->handler);
    http_server_stop(running->server);
    pthread_join(running->thread, NULL);
    http_server_close(running->server);
    pthread_cond_destroy(&running->handler.has_changed);
    pthread_mutex_destroy(&running->handler.mutex);
}

static inline struct http_counts counts_of(const struct running *running)
{
    struct http_counts counts;

    http_server_counts(running->server, &counts);
    return counts;
}

/* For states that no message announces: a connection's end is seen by the server a moment later. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t until_ms = clock_monotonic_ms() + CLIENT_TIMEOUT_S * 1000;                         \
                                                                                                   \
        while (!(condition) && clock_monotonic_ms() < until_ms)                                    \
            usleep(1000);                                                                          \
        assert_true(condition);                                                                    \
    } while (0)

static inline int prepare_client(int fd)
{
    const struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_S };

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    return fd;
}

static inline int client_connect_port(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = prepare_client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline int client_connect(const struct running *running)
{
    return client_connect_port(http_server_port(running->server, 0));
}

static inline void client_send(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t len = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);

        assert_true(len > 0);
        bytes = str_from(bytes, (size_t)len);
    }
}

/* The answer to one request, as it came. */
struct answer {
    int status;
    struct str head; /* in text */
    struct str body; /* in text */
    char text[400 * 1000];
};

static _Thread_local struct answer answer; /* of the latest client_read of this thread */

/* The value of a header in the answer, or an empty view with a NULL pointer. */
static inline struct str answer_header(const char *name)
{
    struct str rest = answer.head;

    while (rest.len > 0) {
        size_t end = str_index_of(rest, '\n');
        struct str line = str_trim((struct str){ rest.at, end });
        size_t colon = str_index_of(line, ':');

        if (colon < line.len && str_equal_nocase((struct str){ line.at, colon }, str_of(name)))
            return str_trim(str_from(line, colon + 1));
        rest = str_from(rest, end < rest.len ? end + 1 : end);
    }
    return (struct str){ NULL, 0 };
}

/* Reads exactly one answer, body as long as it says. has_body is false after HEAD. */
static inline void client_read(int fd, bool has_body)
{
    uint64_t length = 0;
    size_t len = 0;

    while (len < 4 || memcmp(answer.text + len - 4, "\r\n\r\n", 4) != 0) {
        assert_true(len < sizeof(answer.text));
        assert_int_equal(recv(fd, answer.text + len, 1, 0), 1);
        len++;
    }
    answer.head = (struct str){ answer.text, len };
    assert_memory_equal(answer.text, "HTTP/1.1 ", 9);
    answer.status =
        (answer.text[9] - '0') * 100 + (answer.text[10] - '0') * 10 + (answer.text[11] - '0');
    if (has_body && answer_header("Content-Length").at != NULL)
        assert_true(
            str_parse_u64(answer_header("Content-Length"), sizeof(answer.text) - len, &length));
    answer.body = (struct str){ answer.text + len, 0 };
    while (answer.body.len < length) {
        ssize_t got = recv(fd, answer.text + len + answer.body.len, length - answer.body.len, 0);

        assert_true(got > 0);
        answer.body.len += (size_t)got;
    }
}

static inline void assert_body(struct str expected)
{
    assert_int_equal(answer.body.len, expected.len);
    if (expected.len > 0)
        assert_memory_equal(answer.body.at, expected.at, expected.len);
}

static inline void client_get(int fd, const char *target)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);

    client_send(fd, (struct str){ text, (size_t)len });
    client_read(fd, true);
}

/* The server has closed, orderly and with nothing more to say. */
static inline void assert_closed(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

#endif
