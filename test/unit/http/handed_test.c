/* One server after the other on the same sockets, as when a program takes another's place. */
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "http/handed.h"

static char folder[] = "/tmp/jeton-handed-XXXXXX";
static char left[4096];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* As if this process had been started just now. */
static int forget(void **state)
{
    (void)state;
    return unsetenv(HTTP_HANDED_VARIABLE);
}

/* Drains, and leaves the sockets. */
static void hand_over(struct running *running)
{
    struct buffer text = buffer_over(left, sizeof(left) - 1);

    memset(left, 0, sizeof(left));
    http_server_hand_over(running->server);
    pthread_join(running->thread, NULL);
    assert_int_equal(http_server_leave_listeners(running->server, &text), RC_OK);
    http_server_close(running->server);
    pthread_cond_destroy(&running->handler.has_changed);
    pthread_mutex_destroy(&running->handler.mutex);
    assert_int_equal(setenv(HTTP_HANDED_VARIABLE, left, 1), 0);
}

static void test_who_connects_meanwhile_is_answered(void **state)
{
    struct http_config config = plain_config();
    struct running running;
    unsigned port;
    int early;
    int idle;
    int late;

    (void)state;
    start(&running, &config);
    port = http_server_port(running.server, 0);
    early = client_connect_port(port);
    client_send(early, STR("GET /work/wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    handler_await(&running.handler, &running.handler.waiting, 1);
    idle = client_connect_port(port);
    client_get(idle, "/fast");
    assert_null(answer_header("Connection").at);
    http_server_hand_over(running.server);
    assert_int_equal(recv(idle, left, 1, 0), 0); /* the loop has taken notice: it drains */
    late = client_connect_port(port);
    client_send(late, STR("GET /late HTTP/1.1\r\nHost: a\r\n\r\n"));
    handler_open_gate(&running.handler);
    client_read(early, true);
    assert_true(str_equal(answer_header("Connection"), STR("close")));
    hand_over(&running);
    start(&running, &config);
    assert_int_equal(http_server_port(running.server, 0), port);
    client_read(late, true);
    assert_body(STR("/late"));
    close(early);
    close(idle);
    close(late);
    stop(&running);
}

/* What is configured no more is closed, before anything new is opened. */
static void test_the_settings_have_changed_meanwhile(void **state)
{
    struct http_listener listeners[2] = { LOOPBACK, { .tag = 2 } };
    struct http_config config = plain_config();
    struct running running;
    char unix_address[128];
    char next_address[32];
    struct stat status;
    unsigned port;

    (void)state;
    snprintf(unix_address, sizeof(unix_address), "unix:%s/socket", folder);
    listeners[1].address = str_of(unix_address);
    config.listeners = listeners;
    config.listener_count = 2;
    start(&running, &config);
    port = http_server_port(running.server, 0);
    hand_over(&running);
    assert_int_equal(stat(unix_address + 5, &status), 0); /* the file stays */
    /* The port has another address now, which cannot be bound beside the old one. */
    snprintf(next_address, sizeof(next_address), "*:%u", port);
    listeners[0].address = str_of(next_address);
    start(&running, &config);
    assert_int_equal(http_server_port(running.server, 0), port);
    stop(&running);
    assert_int_equal(stat(unix_address + 5, &status), -1); /* whoever was last has removed it */
}

static void test_a_unix_socket_without_its_file_is_opened_anew(void **state)
{
    struct http_listener listener = { .tag = 2 };
    struct http_config config = plain_config();
    struct running running;
    struct stat status;
    char address[128];

    (void)state;
    snprintf(address, sizeof(address), "unix:%s/other", folder);
    listener.address = str_of(address);
    config.listeners = &listener;
    start(&running, &config);
    hand_over(&running);
    assert_int_equal(unlink(address + 5), 0);
    start(&running, &config);
    assert_int_equal(stat(address + 5, &status), 0);
    stop(&running);
}

static void test_an_inherited_socket_keeps_its_number(void **state)
{
    struct http_listener listener = { .tag = 1 };
    struct http_config config = plain_config();
    struct running running;
    char text[16];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(listen(fd, 10), 0);
    listener.address = (struct str){ text, (size_t)snprintf(text, sizeof(text), "fd:%d", fd) };
    config.listeners = &listener;
    start(&running, &config);
    hand_over(&running);
    assert_null(strstr(left, "fd:"));
    assert_int_equal(fcntl(fd, F_GETFD), 0); /* survives exec */
    start(&running, &config);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    stop(&running);
}

/* It is for the process that it names, and only sockets that listen are taken. */
static void test_what_the_environment_may_say(void **state)
{
    struct handed handed;
    char text[256];
    int pipes[2];

    (void)state;
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    handed_read(&handed);
    assert_int_equal(handed.count, 0);
    snprintf(text, sizeof(text), "%d\n%d 127.0.0.1:1\n", getpid() + 1, pipes[0]);
    setenv(HTTP_HANDED_VARIABLE, text, 1);
    handed_read(&handed);
    assert_int_equal(handed.count, 0);
    snprintf(text, sizeof(text), "%d\nx 127.0.0.1:1\n999999 127.0.0.1:2\n%d 127.0.0.1:0", getpid(),
             pipes[0]);
    setenv(HTTP_HANDED_VARIABLE, text, 1);
    handed_read(&handed);
    assert_int_equal(handed.count, 1);
    assert_int_equal(handed_take(&handed, STR("127.0.0.1:1")), -1);
    assert_int_equal(handed_take(&handed, STR("127.0.0.1:0")), pipes[0]);
    assert_int_equal(handed_take(&handed, STR("127.0.0.1:0")), -1);
    /* It is no socket: one is opened instead. */
    {
        struct http_config config = plain_config();
        struct running running;

        start(&running, &config);
        assert_int_not_equal(http_server_port(running.server, 0), 0);
        stop(&running);
    }
    assert_int_equal(fcntl(pipes[0], F_GETFD), -1); /* closed: whose it was is gone */
    close(pipes[1]);
}

/* A check binds nothing: it may be asked for while a server runs. */
static void test_check(void **state)
{
    struct http_listener listener = LOOPBACK;
    struct http_config config = plain_config();
    char memory[256] = { 0 };
    struct buffer error = buffer_over(memory, sizeof(memory) - 1);
    struct running running;
    char address[32];

    (void)state;
    start(&running, &config);
    config.serve = handler_serve;
    snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(running.server, 0));
    listener.address = str_of(address);
    config.listeners = &listener;
    assert_int_equal(http_server_check(&config, &error), RC_OK);
    listener.address = STR("127.0.0.1");
    assert_int_equal(http_server_check(&config, &error), RC_INVALID);
    assert_non_null(strstr(memory, "listen 127.0.0.1: not"));
    listener.address = STR("127.0.0.1:1");
    listener.is_tls = true;
    assert_int_equal(http_server_check(&config, &error), RC_INVALID);
    assert_non_null(strstr(memory, "a certificate file and a key file are needed"));
    stop(&running);
}

/* Who has connected and says nothing is waited for a moment, and only for that. */
static void test_a_new_connection_may_send_its_request(void **state)
{
    struct http_config config = plain_config();
    struct running running;
    int talker;
    int silent;
    int idle;

    (void)state;
    start(&running, &config);
    talker = client_connect(&running);
    silent = client_connect(&running);
    idle = client_connect(&running);
    client_get(idle, "/fast");
    AWAIT(counts_of(&running).connections_open == 3);
    http_server_stop(running.server);
    assert_int_equal(recv(idle, left, 1, 0), 0);
    client_send(talker, STR("GET /first HTTP/1.1\r\nHost: a\r\n\r\n"));
    client_read(talker, true);
    assert_body(STR("/first"));
    assert_true(str_equal(answer_header("Connection"), STR("close")));
    close(talker);
    assert_int_equal(recv(silent, left, 1, 0), 0);
    stop(&running);
    close(idle);
    close(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_who_connects_meanwhile_is_answered, forget),
        cmocka_unit_test_setup(test_the_settings_have_changed_meanwhile, forget),
        cmocka_unit_test_setup(test_a_unix_socket_without_its_file_is_opened_anew, forget),
        cmocka_unit_test_setup(test_an_inherited_socket_keeps_its_number, forget),
        cmocka_unit_test_setup(test_what_the_environment_may_say, forget),
        cmocka_unit_test_setup(test_check, forget),
        cmocka_unit_test_setup(test_a_new_connection_may_send_its_request, forget),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
