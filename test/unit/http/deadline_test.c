/* Total deadlines: one byte at a time holds no connection (HT-04). */
#include "harness.h"

#include <poll.h>
#include <sys/resource.h>

enum { SHORT_MS = 150, LONG_MS = 60 * 1000 };

static struct http_config patient_config(void)
{
    struct http_config config = plain_config();

    config.handshake_timeout_ms = config.head_timeout_ms = config.body_timeout_ms = LONG_MS;
    config.write_timeout_ms = config.idle_timeout_ms = LONG_MS;
    return config;
}

/* Sends a byte every few milliseconds until the server says something; true when it did. */
static bool drip_until_answered(int fd)
{
    int64_t until_ms = clock_monotonic_ms() + CLIENT_TIMEOUT_S * 1000;

    while (clock_monotonic_ms() < until_ms) {
        struct pollfd readable = { .fd = fd, .events = POLLIN };

        if (poll(&readable, 1, 10) > 0)
            return true;
        if (send(fd, "a", 1, MSG_NOSIGNAL) != 1)
            return true;
    }
    return false;
}

/* The deadline was kept neither much too early nor by accident of another one. */
static void assert_took_short(int64_t started_ms)
{
    int64_t took_ms = clock_monotonic_ms() - started_ms;

    assert_true(took_ms >= SHORT_MS - 10);
    assert_true(took_ms < LONG_MS / 2);
}

/* RFC 9110 15.5.9 */
static void test_slow_head(void **state)
{
    struct http_config config = patient_config();
    struct running running;
    int64_t started_ms;
    int fd;

    (void)state;
    config.head_timeout_ms = SHORT_MS;
    start(&running, &config);
    started_ms = clock_monotonic_ms();
    fd = client_connect(&running);
    client_send(fd, STR("GET / HTTP/1.1\r\nX: "));
    assert_true(drip_until_answered(fd));
    assert_took_short(started_ms);
    client_read(fd, true);
    assert_int_equal(answer.status, 408);
    assert_true(str_equal(answer_header("Connection"), STR("close")));
    close(fd);
    assert_int_equal(counts_of(&running).timeouts, 1);

    /* From the first byte of the next request on a connection that was kept. */
    fd = client_connect(&running);
    client_get(fd, "/fast");
    started_ms = clock_monotonic_ms();
    client_send(fd, STR("GET / HTTP/1.1\r\nX: "));
    assert_true(drip_until_answered(fd));
    assert_took_short(started_ms);
    client_read(fd, true);
    assert_int_equal(answer.status, 408);
    close(fd);
    stop(&running);
}

static void test_slow_body(void **state)
{
    struct http_config config = patient_config();
    struct running running;
    int64_t started_ms;
    int fd;

    (void)state;
    config.body_timeout_ms = SHORT_MS;
    start(&running, &config);
    started_ms = clock_monotonic_ms();
    fd = client_connect(&running);
    client_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n"));
    assert_true(drip_until_answered(fd));
    assert_took_short(started_ms);
    client_read(fd, true);
    assert_int_equal(answer.status, 408);
    close(fd);
    assert_int_equal(handler_read(&running.handler, &running.handler.served), 0);
    stop(&running);
}

static void test_idle(void **state)
{
    struct http_config config = patient_config();
    struct running running;
    int64_t started_ms;
    int fd;

    (void)state;
    config.idle_timeout_ms = SHORT_MS;
    start(&running, &config);
    fd = client_connect(&running);
    started_ms = clock_monotonic_ms();
    client_get(fd, "/fast");
    assert_closed(fd);
    assert_took_short(started_ms);
    close(fd);
    stop(&running);
}

/* A connection on which nothing is ever sent. */
static void test_silence(void **state)
{
    struct http_config config = patient_config();
    struct running running;
    int64_t started_ms;
    int fd;

    (void)state;
    config.head_timeout_ms = SHORT_MS;
    start(&running, &config);
    started_ms = clock_monotonic_ms();
    fd = client_connect(&running);
    assert_closed(fd);
    assert_took_short(started_ms);
    close(fd);
    stop(&running);
}

/* A request on a lane has no deadline of the connection's: it is the server that is slow. */
static void test_lane_is_not_hurried(void **state)
{
    struct http_config config = patient_config();
    struct running running;
    int fd;

    (void)state;
    config.idle_timeout_ms = config.head_timeout_ms = config.body_timeout_ms = SHORT_MS;
    config.write_timeout_ms = SHORT_MS;
    start(&running, &config);
    fd = client_connect(&running);
    client_send(fd, STR("GET /work/wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    handler_await(&running.handler, &running.handler.waiting, 1);
    usleep(2 * SHORT_MS * 1000);
    handler_open_gate(&running.handler);
    client_read(fd, true);
    assert_body(STR("/work/wait"));
    close(fd);
    stop(&running);
}

/* A client that asks for much and reads nothing. */
static void test_slow_reader(void **state)
{
    struct http_config config = patient_config();
    struct running running;
    int64_t started_ms;
    int small = 4096;
    int fd;

    (void)state;
    config.write_timeout_ms = SHORT_MS;
    start(&running, &config);
    fd = client_connect(&running);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    started_ms = clock_monotonic_ms();
    for (int i = 0; i < 100; i++)
        client_send(fd, STR("GET /big?262144 HTTP/1.1\r\nHost: a\r\n\r\n"));
    AWAIT(counts_of(&running).timeouts == 1);
    assert_took_short(started_ms);
    AWAIT(counts_of(&running).connections_open == 0);
    close(fd);

    /* One that reads slowly, but in time, gets everything. */
    config.write_timeout_ms = LONG_MS;
    stop(&running);
    start(&running, &config);
    fd = client_connect(&running);
    for (int i = 0; i < 20; i++)
        client_send(fd, STR("GET /big?262144 HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 20; i++) {
        client_read(fd, true);
        assert_int_equal(answer.body.len, HTTP_ANSWER_BYTES_MAX);
        assert_int_equal(answer.body.at[answer.body.len - 1],
                         'a' + (HTTP_ANSWER_BYTES_MAX - 1) % 26);
    }
    close(fd);
    stop(&running);
}

/* The drain waits for requests under way, but not for ever. */
static void test_drain_ends(void **state)
{
    struct http_config config = patient_config();
    struct running running;
    int64_t started_ms;
    int fd;

    (void)state;
    config.drain_timeout_ms = SHORT_MS;
    start(&running, &config);
    fd = client_connect(&running);
    client_get(fd, "/fast");
    client_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"));
    started_ms = clock_monotonic_ms();
    stop(&running);
    assert_took_short(started_ms);
    close(fd);
}

/* Out of descriptors: who has connected waits a little, and is served when there are some again. */
static void test_out_of_descriptors(void **state)
{
    struct http_config config = patient_config();
    struct sockaddr_in address = { .sin_family = AF_INET };
    struct running running;
    struct rlimit before;
    struct rlimit limit;
    int fds[6];

    (void)state;
    start(&running, &config);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)http_server_port(running.server, 0));
    fds[0] = client_connect(&running);
    client_get(fds[0], "/fast");
    for (int i = 1; i < 6; i++)
        fds[i] = prepare_client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)fds[5] + 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 1; i < 6; i++)
        assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
    AWAIT(counts_of(&running).connections_open == 3);
    client_get(fds[0], "/fast");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 6; i++) {
        client_get(fds[i], "/fast");
        assert_int_equal(answer.status, 200);
        close(fds[i]);
    }
    assert_int_equal(counts_of(&running).connections_refused, 0);
    stop(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_head),
        cmocka_unit_test(test_slow_body),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_lane_is_not_hurried),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_drain_ends),
        cmocka_unit_test(test_out_of_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
