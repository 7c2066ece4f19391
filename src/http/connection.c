#include "http/connection.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http/address.h"
#include "http/certificate.h"
#include "http/io.h"
#include "http/server.h"

/* Asks epoll for other events; no system call when they are the same. */
static void arm(struct http_loop *loop, struct connection *connection, uint32_t events)
{
    struct epoll_event event = {
        .events = events,
        .data.u64 = (uint64_t)connection->generation << 32 | connection->index,
    };

    if (connection->armed == events)
        return;
    ASSERT(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) == 0);
    connection->armed = events;
}

static void release_exchange(struct http_loop *loop, struct connection *connection)
{
    if (connection->exchange != NULL)
        loop_give_back_exchange(loop, connection->exchange);
    connection->exchange = NULL;
}

static void call_done(struct http_loop *loop, struct exchange *exchange)
{
    const struct http_config *config = &loop->server->config;

    if (config->done != NULL)
        config->done(config->context, &exchange->public);
}

void connection_close(struct http_loop *loop, struct connection *connection)
{
    ASSERT(connection->state != CONNECTION_CLOSED);
    if (connection->timer.class == TIMER_REFUSAL)
        call_done(loop, connection->exchange);
    timer_stop(&connection->timer);
    release_exchange(loop, connection);
    if (connection->tls != NULL) {
        tls_shutdown(connection->tls);
        tls_stream_free(connection->tls);
        connection->tls = NULL;
    }
    close(connection->fd);
    if (connection->is_counted)
        caps_give_back(loop->server->caps, &connection->peer);
    atomic_fetch_sub(&loop->server->connection_count, 1);
    connection->state = CONNECTION_CLOSED;
    connection->generation++;
    connection->next_free = loop->free_connections;
    loop->free_connections = connection;
    loop->connection_count--;
}

/* RFC 9112 9.6: half-close and read on, so that no reset overtakes the answer. */
static void linger(struct http_loop *loop, struct connection *connection)
{
    release_exchange(loop, connection);
    if (connection->tls != NULL) {
        tls_shutdown(connection->tls);
        tls_stream_free(connection->tls);
        connection->tls = NULL;
    }
    if (shutdown(connection->fd, SHUT_WR) != 0) {
        connection_close(loop, connection);
        return;
    }
    connection->state = CONNECTION_LINGERING;
    timer_start(&loop->timers, &connection->timer, TIMER_LINGER, loop->now_ms);
    arm(loop, connection, EPOLLIN);
}

static void discard(struct http_loop *loop, struct connection *connection)
{
    char bytes[16 * 1024];
    ssize_t len = recv(connection->fd, bytes, sizeof(bytes), 0);

    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
        connection_close(loop, connection);
}

/* True when all is sent. Otherwise the connection waits until it can go on, or is closed. */
static bool flush(struct http_loop *loop, struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    while (exchange->output.len > 0) {
        size_t len = 0;
        enum io io = io_write(connection->fd, connection->tls, exchange->output, &len);

        if (io == IO_ENDED) {
            connection_close(loop, connection);
            return false;
        }
        if (io != IO_DONE) {
            if (connection->timer.class != TIMER_WRITE)
                timer_start(&loop->timers, &connection->timer, TIMER_WRITE, loop->now_ms);
            arm(loop, connection, io == IO_WAITS_TO_READ ? EPOLLIN : EPOLLOUT);
            return false;
        }
        exchange->output = str_from(exchange->output, len);
    }
    return true;
}

/* The answer is out: to the next request, or to the end. */
static void finish_answer(struct http_loop *loop, struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (exchange->lingers) {
        linger(loop, connection);
    } else if (exchange->closes) {
        connection_close(loop, connection);
    } else {
        timer_stop(&connection->timer);
        arm(loop, connection, EPOLLIN);
        exchange_next(exchange);
        connection->state = CONNECTION_READING;
    }
}

/* Sends what stands in the response. */
static void send_answer(struct http_loop *loop, struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct http_response *response = &exchange->public.response;
    enum message_connection says = MESSAGE_KEEPS_ALIVE_SILENTLY;

    exchange->lingers = response->close || loop->is_draining;
    exchange->closes = exchange->lingers || !request_parser_keeps_alive(&exchange->parser);
    if (exchange->closes)
        says = MESSAGE_CLOSES;
    else if (exchange->parser.is_http_1_0)
        says = MESSAGE_KEEPS_ALIVE;
    message_format(response, loop->date, exchange->public.request.method == HTTP_HEAD, says,
                   &exchange->output);
    connection->state = CONNECTION_WRITING;
    if (flush(loop, connection))
        finish_answer(loop, connection);
}

/* The answer to a whole request, from serve() or in its place. */
static void answer(struct http_loop *loop, struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct http_response *response = &exchange->public.response;

    ASSERT(response->status >= 200 && response->status <= 599);
    ASSERT(response->body.at == exchange->body_memory);
    if (response->headers.overflow || response->body.overflow) {
        http_reset_response(&exchange->public);
        response->status = 500;
    }
    call_done(loop, exchange);
    send_answer(loop, connection);
}

/* Ends the connection with a plain answer; nothing that the client sent is in it. */
static void refuse(struct http_loop *loop, struct connection *connection, int status)
{
    struct exchange *exchange = connection->exchange;
    struct http_response *response = &exchange->public.response;

    response->status = status;
    response->close = true;
    http_add_header(&exchange->public, STR("Content-Type"), STR("text/plain"));
    buffer_append_str(&response->body, message_reason(status));
    buffer_append_byte(&response->body, '\n');
    send_answer(loop, connection);
}

/* What a request needs to know beside its bytes. */
static void complete_request(struct http_loop *loop, struct connection *connection)
{
    const struct http_config *config = &loop->server->config;
    struct http_exchange *exchange = &connection->exchange->public;

    loop_count(&loop->counts.requests);
    exchange->request.peer = connection->peer;
    exchange->request.is_tls = connection->listener->is_tls;
    exchange->request.listener_tag = connection->listener->tag;
    address_resolve_client(&exchange->request, config->trusted_proxies,
                           config->trusted_proxy_count);
    certificate_resolve(config, connection, &exchange->request);
    message_format_id(loop->server->id_base + loop->index +
                          loop->request_count * config->loop_count,
                      exchange->request.id);
    loop->request_count++;
    exchange->lane = LANE_LOOP;
    if (exchange->arrived_ns == 0)
        exchange->arrived_ns = loop->now_ns;
}

/* A whole request: answers it, or hands it to a lane. */
static void dispatch(struct http_loop *loop, struct connection *connection)
{
    const struct http_config *config = &loop->server->config;
    struct exchange *exchange = connection->exchange;
    enum http_verdict verdict;

    complete_request(loop, connection);
    verdict = config->serve(config->context, &exchange->public);
    if (verdict == HTTP_ANSWERED) {
        answer(loop, connection);
        return;
    }
    exchange->public.lane = verdict == HTTP_TO_WORK ? LANE_WORK : LANE_HASH;
    exchange->connection_index = connection->index;
    exchange->connection_generation = connection->generation;
    timer_stop(&connection->timer);
    connection->state = CONNECTION_ON_LANE;
    connection->exchange = NULL;
    if (lane_push(loop->server->lanes[exchange->public.lane], exchange) != RC_OK) {
        connection->exchange = exchange;
        loop_count(&loop->counts.queue_refusals[exchange->public.lane]);
        exchange_write_unavailable(exchange);
        answer(loop, connection);
    }
}

/* Who connected a moment ago is about to send a request, which is as good as under way. */
static bool is_fresh(const struct http_loop *loop, const struct connection *connection)
{
    const struct timer *timer = &connection->timer;

    if (timer->class != TIMER_HEAD && timer->class != TIMER_HANDSHAKE)
        return timer->class == TIMER_GRACE;
    return loop->now_ms < timer->deadline_ms - loop->timers.timeout_ms[timer->class] +
                              (int64_t)HTTP_DRAIN_GRACE_MS;
}

/* The server stops, and nothing is under way. */
static void end_unless_fresh(struct http_loop *loop, struct connection *connection)
{
    if (!is_fresh(loop, connection)) {
        connection_close(loop, connection);
        return;
    }
    release_exchange(loop, connection);
    if (connection->timer.class != TIMER_GRACE)
        timer_start(&loop->timers, &connection->timer, TIMER_GRACE, loop->now_ms);
}

/* Nothing is under way: an idle connection holds no exchange. */
static void rest(struct http_loop *loop, struct connection *connection)
{
    if (loop->is_draining) {
        end_unless_fresh(loop, connection);
        return;
    }
    release_exchange(loop, connection);
    if (connection->timer.class == TIMER_NONE)
        timer_start(&loop->timers, &connection->timer, TIMER_IDLE, loop->now_ms);
}

/* RFC 9110 10.1.1: before the body is read, and not when it is on its way already. */
static bool send_continue(struct http_loop *loop, struct connection *connection)
{
    const struct str bytes = STR("HTTP/1.1 100 Continue\r\n\r\n");
    struct exchange *exchange = connection->exchange;
    size_t len = 0;

    if (!exchange->parser.expects_continue || exchange->sent_continue ||
        exchange->input_len > exchange->parser.body_at)
        return true;
    exchange->sent_continue = true;
    /* Nothing else waits to be sent, so these few bytes fit, or something is wrong. */
    if (io_write(connection->fd, connection->tls, bytes, &len) == IO_DONE && len == bytes.len)
        return true;
    connection_close(loop, connection);
    return false;
}

/* A request has begun but is not whole. */
static void await_more(struct http_loop *loop, struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    enum timer_class class = TIMER_HEAD;

    ASSERT(exchange->input_len < PARSE_INPUT_BYTES_MAX);
    if (request_parser_has_head(&exchange->parser)) {
        class = TIMER_BODY;
        if (exchange->public.arrived_ns == 0)
            exchange->public.arrived_ns = loop->now_ns;
        if (!send_continue(loop, connection))
            return;
    }
    if (connection->timer.class != class)
        timer_start(&loop->timers, &connection->timer, class, loop->now_ms);
}

/* Goes on with what has been read, until more is needed or something has to be waited for. */
static void advance(struct http_loop *loop, struct connection *connection)
{
    while (connection->state == CONNECTION_READING) {
        struct exchange *exchange = connection->exchange;

        if (exchange->input_len == 0) {
            rest(loop, connection);
            return;
        }
        switch (request_parse(&exchange->parser, exchange->input, &exchange->input_len,
                              &exchange->public.request)) {
        case PARSE_NEED_MORE:
            await_more(loop, connection);
            return;
        case PARSE_DONE:
            dispatch(loop, connection);
            break;
        case PARSE_REFUSED:
        default:
            loop_count(&loop->counts.requests_malformed);
            refuse(loop, connection, exchange->parser.status);
            break;
        }
    }
}

static bool has_unread(const struct connection *connection)
{
    return connection->state == CONNECTION_READING && connection->tls != NULL &&
           tls_has_pending(connection->tls);
}

/* Reads once, and again only for what the TLS library keeps to itself: epoll tells the rest. */
static void receive(struct http_loop *loop, struct connection *connection)
{
    do {
        struct exchange *exchange = connection->exchange;
        size_t len = 0;
        enum io io;

        if (exchange == NULL)
            exchange = connection->exchange = loop_take_exchange(loop);
        if (exchange == NULL) {
            loop_count(&loop->counts.connections_refused);
            connection_close(loop, connection);
            return;
        }
        io = io_read(connection->fd, connection->tls, exchange->input + exchange->input_len,
                     PARSE_INPUT_BYTES_MAX - exchange->input_len, &len);
        if (io == IO_ENDED) {
            connection_close(loop, connection);
            return;
        }
        if (io != IO_DONE) {
            if (exchange->input_len == 0)
                rest(loop, connection);
            return;
        }
        exchange->input_len += len;
        if (exchange->input_high < exchange->input_len)
            exchange->input_high = exchange->input_len;
        advance(loop, connection);
    } while (has_unread(connection));
}

/* After an answer that did not leave at once: what came in behind the request. */
static void go_on(struct http_loop *loop, struct connection *connection)
{
    advance(loop, connection);
    if (has_unread(connection))
        receive(loop, connection);
}

/* Many who are refused come back at once all the same: not so soon that it takes others' time. */
static bool has_waited(const struct http_loop *loop, const struct exchange *exchange)
{
    return loop->now_ns - exchange->public.arrived_ns >= (int64_t)LANE_REFUSAL_MS * 1000000;
}

void connection_complete(struct http_loop *loop, struct exchange *exchange)
{
    struct connection *connection = &loop->connections[exchange->connection_index];
    bool is_refused = exchange->lane_was_full;

    if (is_refused) {
        loop_count(&loop->counts.queue_refusals[exchange->public.lane]);
        exchange_write_unavailable(exchange);
    }
    exchange->public.lane = LANE_LOOP;
    if (connection->generation != exchange->connection_generation) {
        call_done(loop, exchange); /* the client has gone, the work was done */
        loop_give_back_exchange(loop, exchange);
        return;
    }
    ASSERT(connection->state == CONNECTION_ON_LANE);
    connection->exchange = exchange;
    if (is_refused && !has_waited(loop, exchange)) {
        timer_start(&loop->timers, &connection->timer, TIMER_REFUSAL, loop->now_ms);
    } else {
        answer(loop, connection);
        go_on(loop, connection);
    }
}

static void shake_hands(struct http_loop *loop, struct connection *connection)
{
    enum io io = io_of_tls(tls_handshake(connection->tls));

    if (io == IO_ENDED) {
        loop_count(&loop->counts.tls_handshake_failures);
        connection_close(loop, connection);
        return;
    }
    arm(loop, connection, io == IO_WAITS_TO_WRITE ? EPOLLOUT : EPOLLIN);
    if (io != IO_DONE)
        return;
    loop_count(&loop->counts.tls_handshakes);
    connection->state = CONNECTION_READING;
    timer_start(&loop->timers, &connection->timer, loop->is_draining ? TIMER_GRACE : TIMER_HEAD,
                loop->now_ms);
    if (has_unread(connection))
        receive(loop, connection);
}

void connection_handle(struct http_loop *loop, struct connection *connection, uint32_t events)
{
    switch (connection->state) {
    case CONNECTION_HANDSHAKE:
        shake_hands(loop, connection);
        return;
    case CONNECTION_READING:
        receive(loop, connection);
        return;
    case CONNECTION_ON_LANE:
        if ((events & (EPOLLHUP | EPOLLERR)) != 0)
            connection_close(loop, connection);
        else
            arm(loop, connection, 0); /* the next request waits in the kernel */
        return;
    case CONNECTION_WRITING:
        if (flush(loop, connection)) {
            finish_answer(loop, connection);
            go_on(loop, connection);
        }
        return;
    case CONNECTION_LINGERING:
        discard(loop, connection);
        return;
    case CONNECTION_CLOSED:
    default:
        ASSERT(false);
    }
}

/* Drops the answer as well: the kernel need not keep it for a client that reads no more. */
static void reset(struct http_loop *loop, struct connection *connection)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    connection_close(loop, connection);
}

void connection_expire(struct http_loop *loop, struct connection *connection)
{
    enum timer_class class = connection->timer.class;

    if (class == TIMER_REFUSAL) {
        timer_stop(&connection->timer);
        answer(loop, connection);
        go_on(loop, connection);
        return;
    }
    if (class != TIMER_LINGER && class != TIMER_IDLE && class != TIMER_GRACE)
        loop_count(&loop->counts.timeouts);
    if (class == TIMER_WRITE)
        reset(loop, connection);
    else if ((class == TIMER_HEAD || class == TIMER_BODY) && connection->exchange != NULL)
        refuse(loop, connection, 408); /* RFC 9110 15.5.9 */
    else
        connection_close(loop, connection);
}

void connection_drain(struct http_loop *loop, struct connection *connection)
{
    /* A request that is in the kernel already is under way; resting closes. */
    if (connection->state == CONNECTION_HANDSHAKE)
        end_unless_fresh(loop, connection);
    else if (connection->state == CONNECTION_READING)
        receive(loop, connection);
}

static struct connection *connection_new(struct http_loop *loop)
{
    struct connection *connection = loop->free_connections;

    if (connection != NULL) {
        loop->free_connections = connection->next_free;
    } else {
        connection = &loop->connections[loop->connection_fresh];
        connection->index = loop->connection_fresh++;
        connection->timer.class = TIMER_NONE;
    }
    loop->connection_count++;
    return connection;
}

/* False when a cap is reached; otherwise the socket is counted. */
static bool is_admitted(struct http_server *server, const struct http_address *peer,
                        bool *out_is_counted)
{
    const struct http_config *config = &server->config;
    /* A trusted proxy brings many clients, so the cap of one address is not for it. */
    bool is_counted =
        !address_is_trusted(peer, config->trusted_proxies, config->trusted_proxy_count);

    if (atomic_fetch_add(&server->connection_count, 1) < config->connection_count_max &&
        (!is_counted || caps_take(server->caps, peer))) {
        *out_is_counted = is_counted;
        return true;
    }
    atomic_fetch_sub(&server->connection_count, 1);
    return false;
}

void connection_accept(struct http_loop *loop, const struct listener *listener, int fd,
                       const struct http_address *peer)
{
    struct http_server *server = loop->server;
    struct connection *connection;
    struct epoll_event event = { .events = EPOLLIN };
    bool is_counted;

    if (!is_admitted(server, peer, &is_counted)) {
        loop_count(&loop->counts.connections_refused);
        server_say_full(server, false, loop->now_ms);
        close(fd);
        return;
    }
    loop_count(&loop->counts.connections_accepted);
    connection = connection_new(loop);
    connection->fd = fd;
    connection->peer = *peer;
    connection->listener = listener;
    connection->is_counted = is_counted;
    connection->armed = EPOLLIN;
    connection->state = listener->is_tls ? CONNECTION_HANDSHAKE : CONNECTION_READING;
    event.data.u64 = (uint64_t)connection->generation << 32 | connection->index;
    if (listener->is_tls)
        connection->tls = server_tls_stream_new(server, listener, fd);
    if ((listener->is_tls && connection->tls == NULL) ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        connection_close(loop, connection);
        return;
    }
    timer_start(&loop->timers, &connection->timer, listener->is_tls ? TIMER_HANDSHAKE : TIMER_HEAD,
                loop->now_ms);
}
