#include "http/server.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/random.h"
#include "http/handed.h"

enum {
    HASH_NICE = 10, /* measured: keeps the fast lane's p99 while jobs still finish */
    /* Descriptors that are not connections: listeners, loops, the store, logs, and some to spare.
     */
    OTHER_DESCRIPTOR_COUNT = 128,
    SAY_FULL_MS = 60 * 1000
};

static unsigned or_default(unsigned setting, unsigned otherwise)
{
    return setting != 0 ? setting : otherwise;
}

static unsigned core_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count > 0 ? (unsigned)count : 1;
}

/* At most as many connections as there are descriptors for. */
static unsigned fit_descriptors(unsigned connection_count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= (rlim_t)connection_count + OTHER_DESCRIPTOR_COUNT)
        return connection_count;
    return limit.rlim_cur > 2 * OTHER_DESCRIPTOR_COUNT
               ? (unsigned)limit.rlim_cur - OTHER_DESCRIPTOR_COUNT
               : (unsigned)limit.rlim_cur / 2;
}

static void fill_in_defaults(struct http_config *config)
{
    unsigned cores = core_count();

    config->loop_count = or_default(config->loop_count, cores > 3 ? cores / 2 : 1);
    config->work_thread_count = or_default(config->work_thread_count, LANE_WORK_THREAD_COUNT);
    config->hash_thread_count = or_default(config->hash_thread_count, cores > 1 ? cores - 1 : 1);
    config->connection_count_max =
        fit_descriptors(or_default(config->connection_count_max, HTTP_CONNECTION_COUNT_MAX));
    config->connection_per_address_max =
        or_default(config->connection_per_address_max, HTTP_CONNECTION_PER_ADDRESS_MAX);
    config->handshake_timeout_ms =
        or_default(config->handshake_timeout_ms, HTTP_HANDSHAKE_TIMEOUT_MS);
    config->head_timeout_ms = or_default(config->head_timeout_ms, HTTP_HEAD_TIMEOUT_MS);
    config->body_timeout_ms = or_default(config->body_timeout_ms, HTTP_BODY_TIMEOUT_MS);
    config->write_timeout_ms = or_default(config->write_timeout_ms, HTTP_WRITE_TIMEOUT_MS);
    config->idle_timeout_ms = or_default(config->idle_timeout_ms, HTTP_IDLE_TIMEOUT_MS);
    config->drain_timeout_ms = or_default(config->drain_timeout_ms, HTTP_DRAIN_TIMEOUT_MS);
}

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count + 1, bytes); /* never of size 0 */

    ASSERT(memory != NULL);
    return memory;
}

static char *copy_text(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);

    ASSERT(text == NULL || copy != NULL);
    return copy;
}

/* Hands an exchange back that its lane could not take, or not in time. */
static void refuse_on_lane(void *job)
{
    struct exchange *exchange = job;

    exchange->lane_was_full = true;
    loop_complete(exchange->loop, exchange);
}

/* Runs on a thread of a lane. */
static void serve_on_lane(void *job)
{
    struct exchange *exchange = job;
    const struct http_server *server = exchange->loop->server;
    const struct http_config *config = &server->config;
    enum http_verdict verdict = config->serve(config->context, &exchange->public);
    enum lane lane = verdict == HTTP_TO_WORK ? LANE_WORK : LANE_HASH;

    if (verdict == HTTP_ANSWERED) {
        loop_complete(exchange->loop, exchange);
        return;
    }
    ASSERT(lane != exchange->public.lane);
    exchange->public.lane = lane;
    if (lane_push(server->lanes[lane], exchange) != RC_OK)
        refuse_on_lane(exchange);
}

static enum rc open_lanes(struct http_server *server, struct buffer *out_error)
{
    const struct lane_options work = {
        .name = "work",
        .capacity = server->config.connection_count_max, /* each has one request at most */
        .thread_count = server->config.work_thread_count,
        .budget_ms = LANE_WORK_BUDGET_MS,
        .run = serve_on_lane,
        .refuse = refuse_on_lane,
    };
    const struct lane_options hash = {
        .name = "hash",
        .capacity = LANE_HASH_QUEUE_MAX,
        .thread_count = server->config.hash_thread_count,
        .nice = HASH_NICE,
        .budget_ms = LANE_HASH_BUDGET_MS,
        .run = serve_on_lane,
        .refuse = refuse_on_lane,
    };

    if (lane_open(&work, &server->lanes[LANE_WORK]) != RC_OK ||
        lane_open(&hash, &server->lanes[LANE_HASH]) != RC_OK) {
        BUFFER_APPEND_LITERAL(out_error, "cannot start the worker threads");
        return RC_SYSTEM;
    }
    return RC_OK;
}

static enum rc new_tls(const struct http_server *server, struct tls_context **out_context,
                       struct buffer *out_error)
{
    enum rc rc =
        tls_context_new(server->certificate_file, server->key_file, out_context, out_error);

    if (rc == RC_OK && server->config.client_trust != NULL)
        tls_context_trust(*out_context, server->config.client_trust);
    return rc;
}

/* Notes of the context what can be asked without its lock. */
static enum rc take_tls(struct http_server *server, enum rc rc)
{
    if (rc == RC_OK)
        atomic_store(&server->certificate_expires_at, tls_context_expires_at(server->tls));
    return rc;
}

static enum rc open_tls(struct http_server *server, struct buffer *out_error)
{
    bool is_needed = false;

    for (size_t i = 0; i < server->config.listener_count; i++)
        is_needed = is_needed || server->listeners[i].is_tls;
    if (!is_needed)
        return RC_OK;
    if (server->certificate_file == NULL || server->key_file == NULL) {
        BUFFER_APPEND_LITERAL(out_error, "TLS: a certificate file and a key file are needed");
        return RC_INVALID;
    }
    return take_tls(server, new_tls(server, &server->tls, out_error));
}

/* What the program before this one left, and is configured still. The rest is closed, for it may
 * be in the way of a new address. */
static void adopt_listeners(struct http_server *server, const struct http_listener *settings)
{
    struct handed handed;

    handed_read(&handed);
    for (size_t i = 0; i < server->config.listener_count; i++) {
        int fd = handed_take(&handed, settings[i].address);

        if (fd >= 0 && listener_adopt(&settings[i], fd, &server->listeners[i]) != RC_OK)
            continue; /* it is opened anew */
    }
    handed_close(&handed);
}

static enum rc open_listeners(struct http_server *server, const struct http_listener *settings,
                              struct buffer *out_error)
{
    for (size_t i = 0; i < server->config.listener_count; i++)
        server->listeners[i].fd = -1;
    adopt_listeners(server, settings);
    for (size_t i = 0; i < server->config.listener_count; i++) {
        enum rc rc = RC_OK;

        if (server->listeners[i].fd < 0)
            rc = listener_open(&settings[i], &server->listeners[i], out_error);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc open_loops(struct http_server *server, struct buffer *out_error)
{
    for (unsigned i = 0; i < server->config.loop_count; i++) {
        if (loop_init(&server->loops[i], server, i) != RC_OK) {
            BUFFER_APPEND_LITERAL(out_error, "cannot make an event loop: no descriptors");
            return RC_SYSTEM;
        }
    }
    return RC_OK;
}

static struct http_server *server_new(const struct http_config *config)
{
    struct http_server *server = allocate(1, sizeof(*server));

    server->config = *config;
    fill_in_defaults(&server->config);
    server->listeners = allocate(config->listener_count, sizeof(*server->listeners));
    server->networks = allocate(config->trusted_proxy_count, sizeof(*server->networks));
    for (size_t i = 0; i < config->trusted_proxy_count; i++)
        server->networks[i] = config->trusted_proxies[i];
    server->certificate_file = copy_text(config->tls_certificate_file);
    server->key_file = copy_text(config->tls_key_file);
    if (config->certificate_header.len > 0)
        server->certificate_header =
            strndup(config->certificate_header.at, config->certificate_header.len);
    server->config.certificate_header.at = server->certificate_header;
    server->config.listeners = NULL; /* what they became stands in listeners */
    server->config.trusted_proxies = server->networks;
    server->config.tls_certificate_file = server->certificate_file;
    server->config.tls_key_file = server->key_file;
    server->loops = allocate(server->config.loop_count, sizeof(*server->loops));
    server->caps =
        caps_new(server->config.connection_count_max, server->config.connection_per_address_max);
    random_bytes(&server->id_base, sizeof(server->id_base));
    pthread_mutex_init(&server->tls_mutex, NULL);
    atomic_store(&server->listening_count, server->config.loop_count);
    return server;
}

enum rc http_server_open(const struct http_config *config, struct http_server **out_server,
                         struct buffer *out_error)
{
    struct http_server *server;
    enum rc rc;

    ASSERT(config->serve != NULL);
    if (config->listener_count == 0) {
        BUFFER_APPEND_LITERAL(out_error, "no address to listen on");
        return RC_INVALID;
    }
    /* The TLS library writes without MSG_NOSIGNAL. */
    signal(SIGPIPE, SIG_IGN);
    server = server_new(config);
    rc = open_listeners(server, config->listeners, out_error);
    if (rc == RC_OK)
        rc = open_tls(server, out_error);
    if (rc == RC_OK)
        rc = open_loops(server, out_error);
    if (rc == RC_OK)
        rc = open_lanes(server, out_error);
    if (rc != RC_OK) {
        http_server_close(server);
        return rc;
    }
    *out_server = server;
    return RC_OK;
}

static void *loop_thread(void *context)
{
    loop_run(context);
    return NULL;
}

/* Starts the loops beside loop 0; how many came up. */
static unsigned start_loops(struct http_server *server, pthread_t *threads)
{
    sigset_t all;
    sigset_t before;
    unsigned count = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 1; i < server->config.loop_count; i++) {
        if (pthread_create(&threads[count], NULL, loop_thread, &server->loops[i]) == 0)
            count++;
        else
            server_loop_has_stopped_listening(server);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return count;
}

/* No thread of a lane is left afterwards, and no job. */
static void stop_lanes(struct http_server *server)
{
    for (size_t lane = LANE_WORK; lane <= LANE_HASH; lane++)
        if (server->lanes[lane] != NULL)
            lane_stop(server->lanes[lane]);
    for (size_t lane = LANE_WORK; lane <= LANE_HASH; lane++) {
        struct exchange *exchange;

        if (server->lanes[lane] == NULL)
            continue;
        while ((exchange = lane_take_back(server->lanes[lane])) != NULL)
            exchange_free(exchange);
    }
}

enum rc http_server_check(const struct http_config *config, struct buffer *out_error)
{
    struct http_server *server = server_new(config);
    enum rc rc = RC_OK;

    for (size_t i = 0; rc == RC_OK && i < config->listener_count; i++) {
        server->listeners[i] = (struct listener){ .fd = -1, .is_tls = config->listeners[i].is_tls };
        rc = listener_check(&config->listeners[i], out_error);
    }
    if (rc == RC_OK)
        rc = open_tls(server, out_error);
    http_server_close(server);
    return rc;
}

void http_server_run(struct http_server *server)
{
    pthread_t *threads = allocate(server->config.loop_count, sizeof(*threads));
    unsigned count = start_loops(server, threads);

    loop_run(&server->loops[0]);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    stop_lanes(server);
}

void http_server_hand_over(struct http_server *server)
{
    atomic_store(&server->hands_over, true);
    http_server_stop(server);
}

enum rc http_server_leave_listeners(struct http_server *server, struct buffer *to)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; rc == RC_OK && i < server->config.listener_count; i++)
        rc = listener_leave(&server->listeners[i], to);
    return rc;
}

void http_server_stop(struct http_server *server)
{
    atomic_store(&server->is_stopping, true);
    for (unsigned i = 0; i < server->config.loop_count; i++)
        loop_wake(&server->loops[i]);
}

void server_say_full(struct http_server *server, bool waits, int64_t now_ms)
{
    const char *why = waits ? "no descriptor is left"
                      : atomic_load(&server->connection_count) < server->config.connection_count_max
                          ? "the cap of one address"
                          : "the cap of all";
    int64_t again_ms = atomic_load(&server->say_full_again_ms);

    if (now_ms < again_ms || !atomic_compare_exchange_strong(&server->say_full_again_ms, &again_ms,
                                                             now_ms + SAY_FULL_MS))
        return;
    log_event(LOG_WARN, "connections_full", LOG_TEXT("why", why),
              LOG_INT("open", atomic_load(&server->connection_count)));
}

void server_loop_has_stopped_listening(struct http_server *server)
{
    if (atomic_fetch_sub(&server->listening_count, 1) != 1 || atomic_load(&server->hands_over))
        return;
    for (size_t i = 0; i < server->config.listener_count; i++)
        listener_close(&server->listeners[i]);
}

struct tls_stream *server_tls_stream_new(struct http_server *server,
                                         const struct listener *listener, int fd)
{
    struct tls_stream *stream = NULL;
    enum rc rc;

    pthread_mutex_lock(&server->tls_mutex);
    rc = tls_stream_new(server->tls, fd, &stream);
    pthread_mutex_unlock(&server->tls_mutex);
    if (rc != RC_OK)
        return NULL;
    if (listener->asks_certificate)
        tls_stream_ask_certificate(stream);
    return stream;
}

enum rc http_server_reload_tls(struct http_server *server, struct buffer *out_error)
{
    struct tls_context *fresh = NULL;
    struct tls_context *stale;
    bool is_needed;
    enum rc rc;

    pthread_mutex_lock(&server->tls_mutex);
    is_needed = server->tls != NULL;
    pthread_mutex_unlock(&server->tls_mutex);
    if (!is_needed)
        return RC_OK;
    rc = new_tls(server, &fresh, out_error);
    if (rc != RC_OK)
        return rc;
    pthread_mutex_lock(&server->tls_mutex);
    stale = server->tls;
    server->tls = fresh;
    rc = take_tls(server, RC_OK);
    pthread_mutex_unlock(&server->tls_mutex);
    tls_context_free(stale);
    return rc;
}

unsigned http_server_port(const struct http_server *server, size_t listener_index)
{
    ASSERT(listener_index < server->config.listener_count);
    return server->listeners[listener_index].port;
}

void http_server_close(struct http_server *server)
{
    if (server == NULL)
        return;
    stop_lanes(server);
    for (unsigned i = 0; i < server->config.loop_count; i++)
        loop_deinit(&server->loops[i]);
    lane_close(server->lanes[LANE_WORK]);
    lane_close(server->lanes[LANE_HASH]);
    for (size_t i = 0; i < server->config.listener_count; i++)
        listener_close(&server->listeners[i]);
    free(server->certificate_header);
    tls_context_free(server->tls);
    pthread_mutex_destroy(&server->tls_mutex);
    caps_free(server->caps);
    free(server->loops);
    free(server->certificate_file);
    free(server->key_file);
    free(server->networks);
    free(server->listeners);
    free(server);
}

static uint64_t read_count(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

void http_server_counts(const struct http_server *server, struct http_counts *out_counts)
{
    struct http_counts sum = { .connections_open = atomic_load(&server->connection_count) };

    for (unsigned i = 0; i < server->config.loop_count; i++) {
        const struct loop_counts *counts = &server->loops[i].counts;

        sum.connections_accepted += read_count(&counts->connections_accepted);
        sum.connections_refused += read_count(&counts->connections_refused);
        sum.requests += read_count(&counts->requests);
        sum.requests_malformed += read_count(&counts->requests_malformed);
        sum.timeouts += read_count(&counts->timeouts);
        for (size_t lane = 0; lane < 3; lane++)
            sum.queue_refusals[lane] += read_count(&counts->queue_refusals[lane]);
        sum.tls_handshakes += read_count(&counts->tls_handshakes);
        sum.tls_handshake_failures += read_count(&counts->tls_handshake_failures);
    }
    for (size_t lane = LANE_WORK; lane <= LANE_HASH; lane++)
        sum.queue_depth[lane] = lane_depth(server->lanes[lane]);
    sum.certificate_expires_at = atomic_load(&server->certificate_expires_at);
    *out_counts = sum;
}
