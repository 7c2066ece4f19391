/* The running server: answers, order, lanes, limits, drain. */
#include "harness.h"

static void test_answers_on_every_lane(void **state)
{
    static const char *const PATHS[] = { "/fast", "/work", "/hash", "/both" };
    struct running running;
    char first_id[17];
    int fd;

    (void)state;
    start_plain(&running);
    fd = client_connect(&running);
    for (size_t i = 0; i < 4; i++) {
        client_get(fd, PATHS[i]);
        assert_int_equal(answer.status, 200);
        assert_body(str_of(PATHS[i]));
        assert_null(answer_header("Connection").at);
        assert_int_equal(answer_header("Date").len, 29);
        handler_await(&running.handler, &running.handler.done, (unsigned)i + 1);
        assert_int_equal(strspn(running.handler.last_id, "0123456789abcdef"), 16);
        assert_true(i == 0 || strcmp(first_id, running.handler.last_id) != 0);
        memcpy(first_id, running.handler.last_id, sizeof(first_id));
    }
    assert_int_equal(counts_of(&running).requests, 4);
    assert_int_equal(counts_of(&running).connections_accepted, 1);
    close(fd);
    AWAIT(counts_of(&running).connections_open == 0);
    stop(&running);
}

/* RFC 9112 9.3.2: answers come in the order of the requests, whatever lane they take. */
static void test_pipelined_requests_stay_in_order(void **state)
{
    static const char *const PATHS[] = { "/work/1", "/2", "/hash/3", "/4", "/both", "/work/6" };
    struct running running;
    char text[8192];
    struct buffer requests = buffer_over(text, sizeof(text));
    int fd;

    (void)state;
    start_plain(&running);
    fd = client_connect(&running);
    for (size_t i = 0; i < 60; i++)
        buffer_append_format(
            &requests, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", PATHS[i % 6]);
    client_send(fd, buffer_str(&requests));
    for (size_t i = 0; i < 60; i++) {
        client_read(fd, true);
        assert_body(str_of(PATHS[i % 6]));
    }
    /* In pieces that end anywhere. */
    for (size_t at = 0; at < requests.len; at += 37)
        client_send(fd, (struct str){ text + at, requests.len - at < 37 ? requests.len - at : 37 });
    for (size_t i = 0; i < 60; i++) {
        client_read(fd, true);
        assert_body(str_of(PATHS[i % 6]));
    }
    close(fd);
    stop(&running);
}

static void test_lengths_and_bodies(void **state)
{
    struct running running;
    int fd;

    (void)state;
    start_plain(&running);
    fd = client_connect(&running);
    client_send(fd, STR("HEAD /fast HTTP/1.1\r\nHost: a\r\n\r\n"));
    client_read(fd, false); /* RFC 9110 9.3.2 */
    assert_int_equal(answer.status, 200);
    assert_true(str_equal(answer_header("Content-Length"), STR("5")));
    client_get(fd, "/204"); /* RFC 9110 8.6 */
    assert_int_equal(answer.status, 204);
    assert_null(answer_header("Content-Length").at);
    client_get(fd, "/304");
    assert_int_equal(answer.status, 304);
    assert_null(answer_header("Content-Length").at);
    client_get(fd, "/big?262144");
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body.len, HTTP_ANSWER_BYTES_MAX);
    for (size_t i = 0; i < answer.body.len; i++)
        assert_int_equal(answer.body.at[i], 'a' + i % 26);
    client_get(fd, "/big?262145"); /* more than an answer may have */
    assert_int_equal(answer.status, 500);
    assert_int_equal(answer.body.len, 0);
    client_get(fd, "/headers");
    assert_int_equal(answer.status, 500);
    assert_null(answer_header("X-Filler").at);
    client_get(fd, "/fast");
    assert_body(STR("/fast"));
    close(fd);
    stop(&running);
}

static void test_bodies_arrive(void **state)
{
    struct running running;
    char body[HTTP_BODY_BYTES_MAX];
    char head[256];
    int len;
    int fd;

    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)('A' + i % 53);
    start_plain(&running);
    fd = client_connect(&running);
    client_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nX: y\r\n\r\n"));
    client_read(fd, true);
    assert_body(STR("hello, world"));
    len = snprintf(head, sizeof(head),
                   "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", sizeof(body));
    client_send(fd, (struct str){ head, (size_t)len });
    client_send(fd, (struct str){ body, sizeof(body) });
    client_read(fd, true);
    assert_body((struct str){ body, sizeof(body) });
    close(fd);
    stop(&running);
}

/* RFC 9110 10.1.1 */
static void test_expect_continue(void **state)
{
    struct running running;
    int fd;

    (void)state;
    start_plain(&running);
    fd = client_connect(&running);
    client_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                        "Content-Length: 3\r\n\r\n"));
    client_read(fd, true);
    assert_int_equal(answer.status, 100);
    client_send(fd, STR("abc"));
    client_read(fd, true);
    assert_int_equal(answer.status, 200);
    assert_body(STR("abc"));
    /* The body came along: nobody waits for a 100. */
    client_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                        "Content-Length: 3\r\n\r\nabc"));
    client_read(fd, true);
    assert_int_equal(answer.status, 200);
    close(fd);
    stop(&running);
}

/* RFC 9112 9.3 */
static void test_who_closes(void **state)
{
    static const struct {
        struct str request;
        const char *says;
    } CASES[] = {
        { { "GET / HTTP/1.0\r\n\r\n", 18 }, "close" },
        { { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 46 }, "close" },
        { { "GET /close HTTP/1.1\r\nHost: a\r\n\r\n", 32 }, "close" },
        { { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 42 }, "keep-alive" },
    };
    struct running running;

    (void)state;
    start_plain(&running);
    for (size_t i = 0; i < 4; i++) {
        int fd = client_connect(&running);

        client_send(fd, CASES[i].request);
        client_read(fd, true);
        assert_int_equal(answer.status, 200);
        assert_true(str_equal(answer_header("Connection"), str_of(CASES[i].says)));
        if (strcmp(CASES[i].says, "close") == 0)
            assert_closed(fd);
        else
            client_get(fd, "/fast");
        close(fd);
    }
    stop(&running);
}

/* HT-01: refused, closed, nothing echoed, and what follows is never a request. */
static void test_smuggled_request_is_not_served(void **state)
{
    static const char SMUGGLE[] = "POST /canary-echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                                  "GET /canary HTTP/1.1\r\nHost: a\r\n\r\n";
    struct running running;
    int fd;

    (void)state;
    start_plain(&running);
    fd = client_connect(&running);
    client_send(fd, (struct str){ SMUGGLE, sizeof(SMUGGLE) - 1 });
    client_read(fd, true);
    assert_int_equal(answer.status, 400);
    assert_true(str_equal(answer_header("Connection"), STR("close")));
    assert_body(STR("Bad Request\n"));
    assert_closed(fd);
    close(fd);
    assert_int_equal(handler_read(&running.handler, &running.handler.served), 0);
    assert_int_equal(counts_of(&running).requests_malformed, 1);
    stop(&running);
}

/* RFC 9112 9.6: the client that is still sending can read why it was refused. */
static void test_refused_upload_is_told_why(void **state)
{
    static char megabyte[1024 * 1024];
    struct running running;
    int fd;

    (void)state;
    start_plain(&running);
    fd = client_connect(&running);
    client_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n"));
    client_send(fd, (struct str){ megabyte, sizeof(megabyte) });
    client_read(fd, true);
    assert_int_equal(answer.status, 413);
    assert_closed(fd);
    close(fd);
    stop(&running);
}

/* The exchange belongs to the lane: nobody misses the client. */
static void test_client_vanishes_on_a_lane(void **state)
{
    const struct linger at_once = { .l_onoff = 1 };
    struct running running;
    int fd;

    (void)state;
    start_plain(&running);
    for (int i = 0; i < 4; i++) {
        fd = client_connect(&running);
        client_send(fd, STR("GET /work/wait HTTP/1.1\r\nHost: a\r\n\r\n"));
        /* Half of them with a reset, half with an orderly end. */
        handler_await(&running.handler, &running.handler.waiting, (unsigned)i + 1);
        if (i % 2 == 0)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(fd);
    }
    AWAIT(counts_of(&running).connections_open == 2); /* the resets have been noticed */
    fd = client_connect(&running);
    client_get(fd, "/fast");
    assert_body(STR("/fast"));
    handler_open_gate(&running.handler);
    handler_await(&running.handler, &running.handler.done, 5);
    AWAIT(counts_of(&running).connections_open == 1);
    client_get(fd, "/work");
    assert_body(STR("/work"));
    close(fd);
    stop(&running);
}

/* What comes in behind a request on a lane waits for its answer. */
static void test_reads_no_further_while_on_a_lane(void **state)
{
    struct running running;
    int fd;

    (void)state;
    start_plain(&running);
    fd = client_connect(&running);
    client_send(fd, STR("GET /work/wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    handler_await(&running.handler, &running.handler.waiting, 1);
    client_send(fd, STR("GET /second HTTP/1.1\r\nHost: a\r\n\r\n"));
    shutdown(fd, SHUT_WR); /* a half-closed client still gets its answers */
    usleep(20 * 1000);
    assert_int_equal(handler_read(&running.handler, &running.handler.served), 0);
    handler_open_gate(&running.handler);
    client_read(fd, true);
    assert_body(STR("/work/wait"));
    client_read(fd, true);
    assert_body(STR("/second"));
    assert_closed(fd);
    close(fd);
    stop(&running);
}

/*
 * What had to wait for longer than its lane's budget is refused, a moment after its turn, and the
 * connection lives on. Who leaves in that moment is counted all the same.
 */
static void check_wait_is_answered_503(enum lane lane, struct str request, int64_t wait_ms)
{
    enum { CLIENT_COUNT = 128 };
    struct running running;
    int fds[CLIENT_COUNT];
    int refused = 0;
    int served = 0;
    int64_t sent_ms;
    int64_t opened_ms;

    start_plain(&running);
    for (int i = 0; i < CLIENT_COUNT; i++) {
        fds[i] = client_connect(&running);
        client_send(fds[i], request);
    }
    AWAIT(counts_of(&running).requests == CLIENT_COUNT);
    sent_ms = clock_monotonic_ms();
    AWAIT(clock_monotonic_ms() - sent_ms > wait_ms);
    opened_ms = clock_monotonic_ms();
    handler_open_gate(&running.handler);
    AWAIT(counts_of(&running).queue_refusals[lane] > 0);
    for (int i = 0; i < CLIENT_COUNT; i++) {
        if (i % 2 == 1) {
            close(fds[i]);
            continue;
        }
        client_read(fds[i], true);
        if (answer.status == 503) {
            if (refused == 0)
                assert_int_equal(clock_monotonic_ms() - opened_ms >= LANE_REFUSAL_MS,
                                 wait_ms < LANE_REFUSAL_MS);
            assert_true(str_equal(answer_header("Retry-After"), STR("1")));
            assert_true(str_equal(answer_header("Content-Type"), STR("application/json")));
            assert_body(STR("{\"error\":\"temporarily_unavailable\"}"));
            refused++;
        } else {
            assert_int_equal(answer.status, 200);
            served++;
        }
        client_get(fds[i], "/fast");
        assert_int_equal(answer.status, 200);
        close(fds[i]);
    }
    handler_await(&running.handler, &running.handler.done, CLIENT_COUNT + CLIENT_COUNT / 2);
    assert_true(counts_of(&running).queue_refusals[lane] > (uint64_t)refused);
    assert_true(refused > 0 && served > 0);
    assert_int_equal(counts_of(&running).queue_refusals[lane == LANE_WORK ? LANE_HASH : LANE_WORK],
                     0);
    stop(&running);
}

static void test_long_wait_for_a_hash_is_answered_503(void **state)
{
    (void)state;
    check_wait_is_answered_503(LANE_HASH, STR("GET /hash/wait HTTP/1.1\r\nHost: a\r\n\r\n"),
                               LANE_HASH_BUDGET_MS);
}

static void test_long_wait_for_work_is_answered_503(void **state)
{
    (void)state;
    check_wait_is_answered_503(LANE_WORK, STR("GET /work/wait HTTP/1.1\r\nHost: a\r\n\r\n"),
                               LANE_WORK_BUDGET_MS);
}

/* However long a request waited, its refusal comes within two seconds of it (figure 16). */
static void test_who_has_waited_long_is_refused_at_once(void **state)
{
    (void)state;
    check_wait_is_answered_503(LANE_WORK, STR("GET /work/wait HTTP/1.1\r\nHost: a\r\n\r\n"),
                               LANE_REFUSAL_MS);
}

static void test_many_connections_on_two_loops(void **state)
{
    enum { CLIENT_COUNT = 100, ROUND_COUNT = 5 };
    static const char *const PATHS[] = { "/fast", "/work", "/both" };
    struct http_config config = plain_config();
    struct running running;
    int fds[CLIENT_COUNT];

    (void)state;
    config.loop_count = 2;
    start(&running, &config);
    for (int i = 0; i < CLIENT_COUNT; i++)
        fds[i] = client_connect(&running);
    for (int round = 0; round < ROUND_COUNT; round++) {
        for (int i = 0; i < CLIENT_COUNT; i++) {
            char text[128];
            int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
                               PATHS[(i + round) % 3]);

            client_send(fds[i], (struct str){ text, (size_t)len });
        }
        for (int i = 0; i < CLIENT_COUNT; i++) {
            client_read(fds[i], true);
            assert_true(answer.status == 200 || answer.status == 503);
            if (answer.status == 200)
                assert_body(str_of(PATHS[(i + round) % 3]));
        }
    }
    assert_int_equal(counts_of(&running).requests, CLIENT_COUNT * ROUND_COUNT);
    for (int i = 0; i < CLIENT_COUNT; i++)
        close(fds[i]);
    AWAIT(counts_of(&running).connections_open == 0);
    stop(&running);
}

static void test_caps(void **state)
{
    struct http_config config = plain_config();
    struct running running;
    int fds[3];
    int fd;

    (void)state;
    config.connection_per_address_max = 3;
    start(&running, &config);
    for (int i = 0; i < 3; i++) {
        fds[i] = client_connect(&running);
        client_get(fds[i], "/fast");
    }
    fd = client_connect(&running);
    assert_closed(fd);
    close(fd);
    assert_int_equal(counts_of(&running).connections_refused, 1);
    close(fds[0]);
    AWAIT(counts_of(&running).connections_open == 2);
    fds[0] = client_connect(&running);
    client_get(fds[0], "/fast");
    assert_int_equal(answer.status, 200);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    stop(&running);

    config = plain_config();
    config.connection_count_max = 2;
    start(&running, &config);
    for (int i = 0; i < 2; i++) {
        fds[i] = client_connect(&running);
        client_get(fds[i], "/fast");
    }
    fd = client_connect(&running);
    assert_closed(fd);
    close(fd);
    close(fds[0]);
    close(fds[1]);
    stop(&running);
}

static void test_drain(void **state)
{
    struct running running;
    unsigned port;
    int on_lane;
    int idle;
    int halfway;
    int fd;
    struct sockaddr_in address = { .sin_family = AF_INET };

    (void)state;
    start_plain(&running);
    port = http_server_port(running.server, 0);
    idle = client_connect(&running);
    client_get(idle, "/fast");
    on_lane = client_connect(&running);
    client_send(on_lane, STR("GET /work/wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    handler_await(&running.handler, &running.handler.waiting, 1);
    halfway = client_connect(&running);
    client_get(halfway, "/fast");
    client_send(halfway, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"));
    http_server_stop(running.server);
    assert_closed(idle);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    client_send(halfway, STR("bc"));
    client_read(halfway, true);
    assert_body(STR("abc"));
    assert_true(str_equal(answer_header("Connection"), STR("close")));
    assert_closed(halfway);
    handler_open_gate(&running.handler);
    client_read(on_lane, true);
    assert_body(STR("/work/wait"));
    assert_true(str_equal(answer_header("Connection"), STR("close")));
    assert_closed(on_lane);
    close(fd);
    close(idle);
    close(halfway);
    close(on_lane);
    stop(&running);
}

/* A server that never ran, and one that stops before it runs. */
static void test_open_and_close(void **state)
{
    struct http_config config = plain_config();
    struct running running;
    struct http_server *server;
    char memory[256];
    struct buffer error = buffer_over(memory, sizeof(memory));

    (void)state;
    config.serve = handler_serve;
    assert_int_equal(http_server_open(&config, &server, &error), RC_OK);
    assert_int_not_equal(http_server_port(server, 0), 0);
    http_server_close(server);
    start_plain(&running);
    stop(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_on_every_lane),
        cmocka_unit_test(test_pipelined_requests_stay_in_order),
        cmocka_unit_test(test_lengths_and_bodies),
        cmocka_unit_test(test_bodies_arrive),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_who_closes),
        cmocka_unit_test(test_smuggled_request_is_not_served),
        cmocka_unit_test(test_refused_upload_is_told_why),
        cmocka_unit_test(test_client_vanishes_on_a_lane),
        cmocka_unit_test(test_reads_no_further_while_on_a_lane),
        cmocka_unit_test(test_long_wait_for_a_hash_is_answered_503),
        cmocka_unit_test(test_long_wait_for_work_is_answered_503),
        cmocka_unit_test(test_who_has_waited_long_is_refused_at_once),
        cmocka_unit_test(test_many_connections_on_two_loops),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_open_and_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
