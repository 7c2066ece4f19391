/* Ways in: TCP, Unix sockets, inherited descriptors, and what is refused. */
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[] = "/tmp/jeton-listener-XXXXXX";

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

static void assert_refused(const char *address, enum rc expected, const char *words)
{
    struct http_listener listener = { .address = str_of(address) };
    struct http_config config = plain_config();
    struct http_server *server = NULL;
    char memory[256] = { 0 };
    struct buffer error = buffer_over(memory, sizeof(memory) - 1);

    config.listeners = &listener;
    config.serve = handler_serve;
    assert_int_equal(http_server_open(&config, &server, &error), expected);
    assert_null(server);
    if (strstr(memory, words) == NULL || strstr(memory, address) == NULL)
        print_error("%s: %s\n", address, memory);
    assert_non_null(strstr(memory, words));
    assert_non_null(strstr(memory, address));
}

static void test_what_is_no_address(void **state)
{
    static const char *const ADDRESSES[] = {
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "::1:8080",
        "[::1]",
        "[::1:8080",
        "[127.0.0.1]:1",
        "a.example:80",
        "unix:",
        "unix:relative",
        "fd:",
        "fd:x",
        "fd:2",
        "*",
        "[*]:80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ADDRESSES) / sizeof(ADDRESSES[0]); i++)
        assert_refused(ADDRESSES[i], RC_INVALID, "listen ");
    assert_refused("fd:999", RC_SYSTEM, "inherited");
    assert_refused("unix:/nowhere/at/all", RC_SYSTEM, "No such file");
    assert_refused("203.0.113.1:1", RC_SYSTEM, "Cannot assign");
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = prepare_client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void test_unix_socket(void **state)
{
    struct http_network unix_network;
    struct http_config config = plain_config();
    struct http_listener listener = { .tag = 3 };
    struct running running;
    struct stat status;
    char address[128];
    char *path = address + 5;
    int fd;

    (void)state;
    listener.address = (struct str){ address, (size_t)snprintf(address, sizeof(address),
                                                               "unix:%s/socket", folder) };
    config.listeners = &listener;
    assert_int_equal(http_network_parse(STR("unix"), &unix_network), RC_OK);
    config.trusted_proxies = &unix_network;
    config.trusted_proxy_count = 1;
    start(&running, &config);
    assert_int_equal(http_server_port(running.server, 0), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0660);
    fd = connect_unix(path);
    client_get(fd, "/client");
    assert_body(STR("unix trusted 3"));
    client_send(fd, STR("GET /client HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"));
    client_read(fd, true);
    assert_body(STR("192.0.2.7 trusted 3"));
    /* Somebody listens there: a second server leaves it alone. */
    assert_refused(address, RC_SYSTEM, "in use");
    client_get(fd, "/fast");
    close(fd);
    stop(&running);
    assert_int_equal(stat(path, &status), -1);
}

/* A file that a killed server left behind is replaced; any other file is not. */
static void test_stale_unix_socket(void **state)
{
    struct sockaddr_un socket_address = { .sun_family = AF_UNIX };
    struct http_config config = plain_config();
    struct http_listener listener = { .tag = 0 };
    struct running running;
    struct stat status;
    char address[128];
    char *path = address + 5;
    int fd;

    (void)state;
    listener.address = (struct str){ address, (size_t)snprintf(address, sizeof(address),
                                                               "unix:%s/socket", folder) };
    memcpy(socket_address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&socket_address, sizeof(socket_address)), 0);
    close(fd);
    config.listeners = &listener;
    start(&running, &config);
    fd = connect_unix(path);
    client_get(fd, "/fast");
    assert_int_equal(answer.status, 200);
    close(fd);
    stop(&running);

    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_refused(address, RC_SYSTEM, "in use");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_inherited_descriptor(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    struct http_config config = plain_config();
    struct http_listener listener = { .tag = 1 };
    struct running running;
    char text[16];
    int client;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    listener.address = (struct str){ text, (size_t)snprintf(text, sizeof(text), "fd:%d", fd) };
    assert_refused(text, RC_INVALID, "does not listen");
    assert_int_equal(listen(fd, 10), 0);
    config.listeners = &listener;
    start(&running, &config);
    assert_int_not_equal(http_server_port(running.server, 0), 0);
    client = client_connect(&running);
    client_get(client, "/client");
    assert_body(STR("127.0.0.1 1"));
    close(client);
    stop(&running);
}

/* sd_listen_fds(3): the variables are for the process that they name. */
static void test_inherited_count(void **state)
{
    char pid[24];

    (void)state;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    assert_int_equal(http_inherited_count(), 0);
    snprintf(pid, sizeof(pid), "%d", getpid());
    setenv("LISTEN_PID", pid, 1);
    assert_int_equal(http_inherited_count(), 0);
    setenv("LISTEN_FDS", "x", 1);
    assert_int_equal(http_inherited_count(), 0);
    setenv("LISTEN_FDS", "0", 1);
    assert_int_equal(http_inherited_count(), 0);
    assert_int_equal(dup2(1, 3), 3);
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(http_inherited_count(), 1);
    assert_int_equal(fcntl(3, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(3);
    setenv("LISTEN_PID", "1", 1);
    assert_int_equal(http_inherited_count(), 0);
}

/* "*" is both families where there are both; "[::1]" is only itself. */
static void test_both_families(void **state)
{
    static const struct http_listener LISTENERS[] = {
        { .address = { "*:0", 3 }, .tag = 1 },
        { .address = { "localhost:0", 11 }, .is_tls = false, .tag = 2 }
    };
    struct http_config config = plain_config();
    struct running running;
    int fd;

    (void)state;
    config.listeners = LISTENERS;
    config.listener_count = 2;
    start(&running, &config);
    fd = client_connect_port(http_server_port(running.server, 0));
    client_get(fd, "/client");
    assert_body(STR("127.0.0.1 1"));
    close(fd);
    fd = client_connect_port(http_server_port(running.server, 1));
    client_get(fd, "/client");
    assert_body(STR("127.0.0.1 2"));
    close(fd);
    stop(&running);
}

static void test_port_in_use(void **state)
{
    struct running running;
    char text[32];

    (void)state;
    start_plain(&running);
    snprintf(text, sizeof(text), "127.0.0.1:%u", http_server_port(running.server, 0));
    assert_refused(text, RC_SYSTEM, "in use");
    stop(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inherited_count),      cmocka_unit_test(test_what_is_no_address),
        cmocka_unit_test(test_unix_socket),          cmocka_unit_test(test_stale_unix_socket),
        cmocka_unit_test(test_inherited_descriptor), cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_port_in_use),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
