/*
 * bench/load.c: a load generator for one HTTP/1.1 server on this machine.
 *
 * One thread, epoll, keep-alive connections, one request under way on each. wrk would do for fixed
 * requests; this one also follows refresh chains (the next request carries what the last answer
 * gave), uses each line of a file once, keeps what the answers gave, and can pace its requests. It
 * costs less than wrk with a script, so that the server and not the generator is what is measured.
 *
 * The request is a file with the whole of it, head and body, in which `{value}` stands for a line
 * of the values file and `{length}` for the length of the body. The result is one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "latency.h"
#include "request.h"

enum {
    ANSWER_BYTES_MAX = 64 * 1024,
    VALUE_BYTES_MAX = 16 * 1024,
    STATUS_COUNT = 600,
    RECONNECT_COUNT_MAX = 100000,
};

static const int64_t drain_ns = 10000000000; /* for answers under way at the end */

struct connection {
    int fd;
    bool is_busy;
    int64_t sent_at_ns; /* paced: when it was due */
    int64_t left_at_ns; /* when it was written */
    size_t answer_bytes;
    size_t value_bytes;
    char *answer;
    char *value; /* chains: what the next request carries */
};

struct options {
    uint64_t port;
    uint64_t connection_count;
    double duration_s;
    double warmup_s;
    double rate;        /* requests a second, 0 for as fast as it goes */
    uint64_t count_max; /* 0 for no bound but the duration */
    uint64_t seed;
    bool once;            /* each line of the values once, in order */
    bool chain;           /* the member of an answer is the value of the next request */
    const char *member;   /* of the answer: the one to keep */
    const char *expected; /* every answer holds this */
    const char *request_path;
    const char *values_path;
    const char *save_path;
};

static struct options options = { .connection_count = 64, .duration_s = 2, .seed = 1 };

static uint64_t value_next;

static struct connection *connections;
static unsigned *idle; /* a stack of connections without a request */
static unsigned idle_count;
static int epoll_fd;
static FILE *save_file;
static char *save_path_new;

static int64_t started_at_ns;
static int64_t measured_from_ns;
static int64_t ends_at_ns;
static int64_t due_at_ns; /* paced: when the next request should leave */
static int64_t last_answer_ns;
static int64_t last_accepted_ns;

static uint64_t sent_count;
static uint64_t answer_count; /* warm-up included */
static uint64_t unexpected_count;
static uint64_t reconnect_count;
static uint64_t busy_count;
static uint64_t status_counts[STATUS_COUNT];
static struct latency latency;
static struct latency latency_accepted; /* of answers 2xx alone, since they left */
static uint64_t hasty_count;            /* 503 that do not say when to come back */
static size_t answer_bytes_last;

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64*: the same seed asks for the same tokens. */
static uint64_t random_next(void)
{
    options.seed ^= options.seed >> 12;
    options.seed ^= options.seed << 25;
    options.seed ^= options.seed >> 27;
    return options.seed * UINT64_C(2685821657736338717);
}

/* ---- sending ------------------------------------------------------------------------------ */

static void connection_open(struct connection *connection)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)options.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    int one = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        die("epoll_ctl");
    connection->answer_bytes = 0;
}

/* False when there is nothing left to ask. */
static bool value_choose(struct connection *connection, struct text *out_value)
{
    *out_value = (struct text){ "", 0 };
    if (value_count == 0)
        return true;
    if (options.chain && connection->value_bytes > 0) {
        *out_value = (struct text){ connection->value, connection->value_bytes };
    } else if (options.once || options.chain) {
        if (value_next == value_count)
            return false;
        *out_value = value_at(value_next++);
    } else {
        *out_value = value_at((uint64_t)(((__uint128_t)random_next() * value_count) >> 64));
    }
    if (options.chain && connection->value_bytes == 0) {
        if (out_value->bytes > VALUE_BYTES_MAX)
            die("a value is too long");
        memcpy(connection->value, out_value->at, out_value->bytes);
        connection->value_bytes = out_value->bytes;
    }
    return true;
}

static bool request_send(struct connection *connection, int64_t at_ns)
{
    static char request[REQUEST_BYTES_MAX];
    struct text value;
    size_t bytes;

    if (options.count_max != 0 && sent_count >= options.count_max)
        return false;
    if (!value_choose(connection, &value))
        return false;
    bytes = request_format(value, request);
    connection->sent_at_ns = at_ns;
    connection->left_at_ns = options.rate > 0 ? now_ns() : at_ns;
    /* One request fits any socket buffer, and the last one has been answered. */
    if (send(connection->fd, request, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
        close(connection->fd);
        if (++reconnect_count > RECONNECT_COUNT_MAX)
            die("the server keeps closing connections");
        connection_open(connection);
        if (send(connection->fd, request, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
            die("send");
    }
    connection->is_busy = true;
    busy_count++;
    sent_count++;
    return true;
}

/* ---- receiving ---------------------------------------------------------------------------- */

/* The length of the whole answer; 0 when that cannot be told yet. */
static size_t answer_length(struct text answer)
{
    const char *head_end = memmem(answer.at, answer.bytes, "\r\n\r\n", 4);
    const char *line = answer.at;

    if (head_end == NULL)
        return 0;
    while ((line = memchr(line, '\n', (size_t)(head_end - line))) != NULL) {
        line++;
        if ((*line | 0x20) == 'c' && strncasecmp(line, "content-length:", 15) == 0)
            return (size_t)(head_end + 4 - answer.at) + strtoul(line + 15, NULL, 10);
        if ((*line | 0x20) == 't' && strncasecmp(line, "transfer-encoding:", 18) == 0)
            return memcmp(answer.at + answer.bytes - 5, "0\r\n\r\n", 5) == 0 ? answer.bytes : 0;
    }
    return (size_t)(head_end + 4 - answer.at);
}

/* The text of a member that is a string; none when the answer has no such member. */
static struct text answer_member(struct text answer)
{
    static char quoted[256];
    static int quoted_bytes;
    const char *end = answer.at + answer.bytes;
    const char *at;
    const char *stop = NULL;

    if (quoted_bytes == 0)
        quoted_bytes = snprintf(quoted, sizeof quoted, "\"%s\"", options.member);
    at = memmem(answer.at, answer.bytes, quoted, (size_t)quoted_bytes);
    if (at != NULL)
        at = memchr(at + quoted_bytes, '"', (size_t)(end - at) - (size_t)quoted_bytes);
    if (at != NULL)
        stop = memchr(at + 1, '"', (size_t)(end - at - 1));
    return stop != NULL ? (struct text){ at + 1, (size_t)(stop - at - 1) } : (struct text){ "", 0 };
}

static void answer_count_in(struct connection *connection, int64_t now, struct text answer)
{
    unsigned status = answer.bytes >= 12 ? (unsigned)strtoul(answer.at + 9, NULL, 10) : 0;

    status_counts[status < STATUS_COUNT ? status : 0]++;
    answer_count++;
    answer_bytes_last = answer.bytes;
    last_answer_ns = now;
    if (options.expected != NULL &&
        memmem(answer.at, answer.bytes, options.expected, strlen(options.expected)) == NULL)
        unexpected_count++;
    if (status == 503 && memmem(answer.at, answer.bytes, "\r\nRetry-After: ", 15) == NULL)
        hasty_count++;
    if (now < measured_from_ns)
        return;
    latency_add(&latency, now - connection->sent_at_ns);
    if (status / 100 == 2) {
        latency_add(&latency_accepted, now - connection->left_at_ns);
        last_accepted_ns = now;
    }
}

static void line_save(struct text line)
{
    fwrite_unlocked(line.at, 1, line.bytes, save_file);
    putc_unlocked('\n', save_file);
}

static void answer_keep(struct connection *connection, struct text answer)
{
    struct text member;

    if (options.member == NULL)
        return;
    member = answer_member(answer);
    if (options.chain) {
        /* A refused refresh ends its chain; the connection goes on with a line of the file. */
        connection->value_bytes = member.bytes <= VALUE_BYTES_MAX ? member.bytes : 0;
        memcpy(connection->value, member.at, connection->value_bytes);
    } else if (save_file != NULL && member.bytes != 0) {
        line_save(member);
    }
    if (member.bytes == 0)
        unexpected_count++;
}

/* Sends what is due on connections that have nothing to do. */
static void requests_send_due(int64_t now)
{
    while (idle_count > 0 && now < ends_at_ns) {
        struct connection *connection = &connections[idle[idle_count - 1]];

        if (options.rate > 0 && due_at_ns > now)
            return;
        /* Paced, a request that had to wait for a connection counts from when it was due. */
        if (!request_send(connection, options.rate > 0 ? due_at_ns : now))
            return;
        if (options.rate > 0)
            due_at_ns += (int64_t)(1e9 / options.rate);
        idle_count--;
    }
}

static void connection_lost(struct connection *connection)
{
    close(connection->fd);
    if (++reconnect_count > RECONNECT_COUNT_MAX)
        die("the server keeps closing connections");
    connection_open(connection);
    if (connection->is_busy) {
        connection->is_busy = false;
        busy_count--;
        status_counts[0]++;
        idle[idle_count++] = (unsigned)(connection - connections);
    }
}

static void connection_read(struct connection *connection)
{
    size_t room = ANSWER_BYTES_MAX - connection->answer_bytes;
    ssize_t got = recv(connection->fd, connection->answer + connection->answer_bytes, room, 0);
    struct text answer;
    size_t length;
    int64_t now;

    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            return;
        connection_lost(connection);
        return;
    }
    connection->answer_bytes += (size_t)got;
    answer = (struct text){ connection->answer, connection->answer_bytes };
    length = answer_length(answer);
    if (length == 0 || length > connection->answer_bytes) {
        if (length > ANSWER_BYTES_MAX || connection->answer_bytes == ANSWER_BYTES_MAX)
            die("an answer is too long");
        return;
    }
    if (!connection->is_busy || length < connection->answer_bytes)
        die("an answer that nobody asked for");
    now = now_ns();
    connection->is_busy = false;
    connection->answer_bytes = 0;
    busy_count--;
    answer_count_in(connection, now, answer);
    answer_keep(connection, answer);
    idle[idle_count++] = (unsigned)(connection - connections);
    requests_send_due(now);
}

/* ---- the run ------------------------------------------------------------------------------ */

static void events_wait(int64_t now)
{
    struct epoll_event events[256];
    struct timespec timeout = { .tv_nsec = 50 * 1000 * 1000 };
    int64_t until_ns = options.rate > 0 && due_at_ns < ends_at_ns ? due_at_ns : ends_at_ns;
    int count;

    if (now < until_ns && until_ns - now < timeout.tv_nsec)
        timeout.tv_nsec = until_ns - now;
    if (options.rate > 0 && idle_count > 0 && until_ns <= now && now < ends_at_ns)
        timeout.tv_nsec = 0;
    count = epoll_pwait2(epoll_fd, events, 256, &timeout, NULL);
    if (count < 0 && errno != EINTR)
        die("epoll_pwait2");
    for (int i = 0; i < count; i++)
        connection_read(events[i].data.ptr);
}

static bool is_done(int64_t now)
{
    bool is_spent = (options.count_max != 0 && sent_count >= options.count_max) ||
                    ((options.once || options.chain) && value_next == value_count &&
                     busy_count == 0 && idle_count == options.connection_count);

    if (now >= ends_at_ns + drain_ns)
        return true;
    return busy_count == 0 && (now >= ends_at_ns || is_spent);
}

static void run(void)
{
    int64_t now;

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(options.connection_count, sizeof *connections);
    idle = calloc(options.connection_count, sizeof *idle);
    if (epoll_fd < 0 || connections == NULL || idle == NULL)
        die("start");
    for (unsigned i = (unsigned)options.connection_count; i-- > 0;) {
        connections[i].answer = malloc(ANSWER_BYTES_MAX);
        connections[i].value = malloc(VALUE_BYTES_MAX);
        if (connections[i].answer == NULL || connections[i].value == NULL)
            die("start");
        connection_open(&connections[i]);
        idle[idle_count++] = i;
    }
    started_at_ns = now_ns();
    due_at_ns = started_at_ns;
    measured_from_ns = started_at_ns + (int64_t)(options.warmup_s * 1e9);
    ends_at_ns = measured_from_ns + (int64_t)(options.duration_s * 1e9);
    for (now = started_at_ns; !is_done(now); now = now_ns()) {
        requests_send_due(now);
        events_wait(now);
    }
}

/* Where each chain stands, and the chains that no connection has begun. */
static void chains_save(void)
{
    for (unsigned i = 0; i < options.connection_count; i++)
        if (connections[i].value_bytes != 0)
            line_save((struct text){ connections[i].value, connections[i].value_bytes });
    while (value_next < value_count)
        line_save(value_at(value_next++));
}

/* Beside its place, for it may replace the file that the values come from. */
static void save_open(void)
{
    if (asprintf(&save_path_new, "%s.new", options.save_path) < 0 ||
        (save_file = fopen(save_path_new, "we")) == NULL)
        die(options.save_path);
}

static void save_close(void)
{
    if (options.chain)
        chains_save();
    if (fclose(save_file) != 0 || rename(save_path_new, options.save_path) != 0)
        die(options.save_path);
}

static void result_print(void)
{
    struct rusage usage;
    int64_t until_ns = last_answer_ns > measured_from_ns ? last_answer_ns : measured_from_ns + 1;
    double seconds = (double)(until_ns - measured_from_ns) / 1e9;
    const char *comma = "";

    getrusage(RUSAGE_SELF, &usage);
    printf("{\"answers\":%" PRIu64 ",\"measured\":%" PRIu64 ",\"seconds\":%.6f,\"rate\":%.1f,"
           "\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,"
           "\"unexpected\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",\"unanswered\":%" PRIu64
           ",\"accepted\":%" PRIu64 ",\"accepted_seconds\":%.6f,\"accepted_p99_us\":%.1f"
           ",\"hasty\":%" PRIu64
           ",\"answer_bytes\":%zu,\"cpu_s\":%.3f,\"wall_s\":%.3f,\"status\":{",
           answer_count, latency.count, seconds, (double)latency.count / seconds,
           latency_us(&latency, 0.5), latency_us(&latency, 0.9), latency_us(&latency, 0.99),
           latency_us(&latency, 0.999), (double)latency.max_ns / 1000.0, unexpected_count,
           reconnect_count, busy_count, latency_accepted.count,
           latency_accepted.count == 0 ? 0.0 : (double)(last_accepted_ns - measured_from_ns) / 1e9,
           latency_us(&latency_accepted, 0.99), hasty_count, answer_bytes_last,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           (double)(until_ns - started_at_ns) / 1e9);
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        if (status_counts[i] == 0)
            continue;
        printf("%s\"%u\":%" PRIu64, comma, i, status_counts[i]);
        comma = ",";
    }
    printf("}}\n");
}

static void setting_read(const char *name, const char *value)
{
    static const struct {
        const char *name;
        enum { WHOLE, NUMBER, TEXT } kind;
        void *at;
    } settings[] = {
        { "--port", WHOLE, &options.port },
        { "--connections", WHOLE, &options.connection_count },
        { "--count", WHOLE, &options.count_max },
        { "--seed", WHOLE, &options.seed },
        { "--seconds", NUMBER, &options.duration_s },
        { "--warmup", NUMBER, &options.warmup_s },
        { "--rate", NUMBER, &options.rate },
        { "--request", TEXT, &options.request_path },
        { "--values", TEXT, &options.values_path },
        { "--save", TEXT, &options.save_path },
        { "--member", TEXT, &options.member },
        { "--expect", TEXT, &options.expected },
    };

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcmp(name, settings[i].name) != 0)
            continue;
        if (settings[i].kind == WHOLE)
            *(uint64_t *)settings[i].at = strtoull(value, NULL, 10);
        else if (settings[i].kind == NUMBER)
            *(double *)settings[i].at = strtod(value, NULL);
        else
            *(const char **)settings[i].at = value;
        return;
    }
    die(name);
}

static void options_read(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--once") == 0) {
            options.once = true;
        } else if (strcmp(argv[i], "--chain") == 0) {
            options.chain = true;
        } else {
            setting_read(argv[i], i + 1 < argc ? argv[i + 1] : "");
            i++;
        }
    }
    if (options.port == 0 || options.request_path == NULL || options.connection_count == 0)
        die("--port, --request and --connections are needed");
    options.seed |= 1; /* the generator stands still at zero */
}

int main(int argc, char **argv)
{
    options_read(argc, argv);
    if (options.values_path != NULL)
        values_open(options.values_path);
    request_open(options.request_path);
    if (options.save_path != NULL)
        save_open();
    run();
    if (options.save_path != NULL)
        save_close();
    result_print();
    return 0;
}
