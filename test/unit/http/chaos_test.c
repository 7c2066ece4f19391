/*
 * Clients that do anything at any time: pipeline, cut their bytes anywhere, vanish, reset,
 * half-close, send malformed requests, over plain connections and two loops. Whoever reads gets
 * the right answers in the right order, and in the end nothing is left. The seeds are fixed.
 */
#include "harness.h"

enum { THREAD_COUNT = 6, VISIT_COUNT = 150, REQUEST_COUNT_MAX = 8 };

struct visitor {
    struct running *running;
    uint64_t random_state;
    unsigned answered;
};

static uint32_t random_below(struct visitor *visitor, uint32_t limit)
{
    visitor->random_state ^= visitor->random_state >> 12;
    visitor->random_state ^= visitor->random_state << 25;
    visitor->random_state ^= visitor->random_state >> 27;
    return (uint32_t)((visitor->random_state * UINT64_C(2685821657736338717)) >> 33) % limit;
}

static const char *const TARGETS[] = { "/fast?%u", "/work?%u", "/hash?%u", "/both?%u", "/big?%u" };

struct visit {
    char text[8192];
    struct buffer requests;
    char targets[REQUEST_COUNT_MAX][32];
    unsigned count;
    bool ends_malformed;
};

static void plan_visit(struct visitor *visitor, struct visit *visit)
{
    visit->requests = buffer_over(visit->text, sizeof(visit->text));
    visit->count = 1 + random_below(visitor, REQUEST_COUNT_MAX);
    visit->ends_malformed = random_below(visitor, 4) == 0;
    for (unsigned i = 0; i < visit->count; i++) {
        const char *target = TARGETS[random_below(visitor, 5)];
        unsigned number = random_below(visitor, 40 * 1000);

        /* The targets are a table of this file. */
        memset(visit->targets[i], 0, sizeof(visit->targets[i]));
        memcpy(visit->targets[i], target, strlen(target) - 2);
        snprintf(visit->targets[i] + strlen(target) - 2, 16, "%u", number);
        if (random_below(visitor, 2) == 0)
            buffer_append_format(&visit->requests, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
                                 visit->targets[i]);
        else
            buffer_append_format(&visit->requests,
                                 "POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nabc\r\n0\r\n\r\n",
                                 visit->targets[i]);
    }
    if (visit->ends_malformed)
        buffer_append_str(&visit->requests, STR("GET /bad HTTP/1.1\r\nHost : a\r\n\r\n"));
}

/* False when the server closed meanwhile, as it may after a malformed request. */
static bool send_in_pieces(struct visitor *visitor, int fd, struct str bytes)
{
    while (bytes.len > 0) {
        size_t len = 1 + random_below(visitor, 200);
        ssize_t sent = send(fd, bytes.at, len < bytes.len ? len : bytes.len, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes = str_from(bytes, (size_t)sent);
        if (random_below(visitor, 4) == 0)
            sched_yield();
    }
    return true;
}

static void check_answer(const char *target)
{
    uint64_t bytes;

    if (answer.status == 503) {
        assert_body(STR("{\"error\":\"temporarily_unavailable\"}"));
        return;
    }
    assert_int_equal(answer.status, 200);
    if (!str_starts_with(str_of(target), STR("/big?"))) {
        assert_body(str_of(target));
        return;
    }
    assert_true(str_parse_u64(str_of(target + 5), UINT32_MAX, &bytes));
    assert_int_equal(answer.body.len, bytes);
}

static void vanish(struct visitor *visitor, int fd)
{
    const struct linger at_once = { .l_onoff = 1 };

    if (random_below(visitor, 2) == 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

static void pay_visit(struct visitor *visitor)
{
    struct visit visit;
    int fd = client_connect(visitor->running);
    unsigned read_count;

    plan_visit(visitor, &visit);
    if (random_below(visitor, 5) == 0) {
        size_t len = random_below(visitor, (uint32_t)visit.requests.len);

        send_in_pieces(visitor, fd, (struct str){ visit.text, len });
        vanish(visitor, fd);
        return;
    }
    send_in_pieces(visitor, fd, buffer_str(&visit.requests));
    if (random_below(visitor, 4) == 0)
        shutdown(fd, SHUT_WR);
    read_count = random_below(visitor, 3) == 0 ? random_below(visitor, visit.count) : visit.count;
    for (unsigned i = 0; i < read_count; i++) {
        client_read(fd, true);
        check_answer(visit.targets[i]);
        visitor->answered++;
    }
    if (read_count == visit.count && visit.ends_malformed) {
        client_read(fd, true);
        assert_int_equal(answer.status, 400);
        assert_closed(fd);
    }
    vanish(visitor, fd);
}

static void *visitor_main(void *context)
{
    struct visitor *visitor = context;

    for (int i = 0; i < VISIT_COUNT; i++)
        pay_visit(visitor);
    return NULL;
}

static void test_visitors(void **state)
{
    struct http_config config = plain_config();
    struct visitor visitors[THREAD_COUNT];
    pthread_t threads[THREAD_COUNT];
    struct running running;
    unsigned answered = 0;
    int fd;

    (void)state;
    config.loop_count = 2;
    start(&running, &config);
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        visitors[i] = (struct visitor){ &running, 20261122 + 2 * i + 1, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, visitor_main, &visitors[i]), 0);
    }
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        pthread_join(threads[i], NULL);
        answered += visitors[i].answered;
    }
    assert_true(answered > THREAD_COUNT * VISIT_COUNT);
    AWAIT(counts_of(&running).connections_open == 0);
    AWAIT(handler_read(&running.handler, &running.handler.done) == counts_of(&running).requests);
    fd = client_connect(&running);
    client_get(fd, "/both");
    assert_body(STR("/both"));
    close(fd);
    stop(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_visitors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
