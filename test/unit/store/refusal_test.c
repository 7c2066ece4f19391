/*
 * Databases that refuse, of versions that will not do, or that answer nothing sensible: a server
 * made here, which says what a test wants. What is told of it, and whether it may get better.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "fixture.h"

/* ---- the server ------------------------------------------------------------------------------ */

struct server {
    int fd;
    int port;
    pthread_t thread;
    char first[512]; /* what it says to whoever connects */
    size_t first_len;
    char second[512]; /* what it says to the first question; nothing: it hangs up */
    size_t second_len;
};

static void serve(const struct server *server, int fd)
{
    char ignored[8192];

    if (recv(fd, ignored, sizeof(ignored), 0) <= 0 ||
        send(fd, server->first, server->first_len, MSG_NOSIGNAL) < 0)
        return;
    if (recv(fd, ignored, sizeof(ignored), 0) <= 0 || server->second_len == 0 ||
        send(fd, server->second, server->second_len, MSG_NOSIGNAL) < 0)
        return;
    while (recv(fd, ignored, sizeof(ignored), 0) > 0)
        continue;
}

static void *server_main(void *context)
{
    const struct server *server = context;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        serve(server, fd);
        close(fd);
    }
    return NULL;
}

static void start_server(struct server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);

    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
}

static void stop_server(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

/* ---- its words ------------------------------------------------------------------------------- */

/* A message of PostgreSQL's protocol, version 3: a letter, a length, and what is said. */
static void say(struct buffer *to, char letter, struct str content)
{
    uint32_t len = htonl((uint32_t)(content.len + 4));

    buffer_append_byte(to, letter);
    buffer_append_str(to, (struct str){ (const char *)&len, 4 });
    buffer_append_str(to, content);
    assert_false(to->overflow);
}

static void add_field(struct buffer *to, char letter, const char *text)
{
    if (text == NULL)
        return;
    buffer_append_byte(to, letter);
    buffer_append_str(to, str_of(text));
    buffer_append_byte(to, '\0');
}

/* 'E' an error or 'N' a notice; NULL leaves a field out. */
static void say_failure(struct buffer *to, char letter, const char *severity, const char *code,
                        const char *words)
{
    char bytes[256];
    struct buffer content = buffer_over(bytes, sizeof(bytes));

    add_field(&content, 'S', severity);
    add_field(&content, 'V', severity);
    add_field(&content, 'C', code);
    add_field(&content, 'M', words);
    buffer_append_byte(&content, '\0');
    say(to, letter, buffer_str(&content));
}

static void say_status(struct buffer *to, const char *name, const char *value)
{
    char bytes[128];
    struct buffer content = buffer_over(bytes, sizeof(bytes));

    buffer_append_str(&content, str_of(name));
    buffer_append_byte(&content, '\0');
    buffer_append_str(&content, str_of(value));
    buffer_append_byte(&content, '\0');
    say(to, 'S', buffer_str(&content));
}

/* Lets whoever connects in. */
static void say_welcome(struct buffer *to, const char *version, const char *encoding)
{
    say(to, 'R', (struct str){ "\0\0\0\0", 4 });
    say_status(to, "server_version", version);
    if (encoding != NULL)
        say_status(to, "server_encoding", encoding);
    say_status(to, "default_transaction_read_only", "off");
    say_status(to, "in_hot_standby", "off");
    say(to, 'K', (struct str){ "\0\0\0\1\0\0\0\1", 8 });
    say(to, 'Z', STR("I"));
}

/* ---- what is told of it ---------------------------------------------------------------------- */

static enum rc try_open(struct fixture *fixture, const char *database)
{
    struct store_config config = { .database = str_of(database) };
    struct buffer error = buffer_over(fixture->error, sizeof(fixture->error) - 1);

    memset(fixture->error, 0, sizeof(fixture->error));
    return store_open(&config, &fixture->store, &error);
}

static enum rc ask_server(struct fixture *fixture, struct server *server)
{
    char database[160];
    enum rc rc;

    start_server(server);
    snprintf(database, sizeof(database),
             "host=127.0.0.1 port=%d user=u dbname=d sslmode=disable gssencmode=disable",
             server->port);
    rc = try_open(fixture, database);
    stop_server(server);
    return rc;
}

static void expect_told(const struct fixture *fixture, const char *code, enum rc rc,
                        enum rc expected, const char *words)
{
    if (rc != expected || strstr(fixture->error, words) == NULL)
        fail_msg("%s: %s; %s", code == NULL ? "no code" : code, rc_words(rc), fixture->error);
}

static void test_refusal_says_what_to_do(void **state)
{
    static const struct {
        const char *code;
        enum rc rc;
        const char *advice;
    } cases[] = {
        { "08P01", RC_INVALID, "pooler takes no options" },
        { "28P01", RC_INVALID, "--database-password-file" },
        { "28000", RC_INVALID, "pg_hba.conf" },
        { "3D000", RC_INVALID, "how it is made" },
        { "42501", RC_INVALID, "which rights" },
        { "53300", RC_UNAVAILABLE, "max_connections" },
        { "57P03", RC_UNAVAILABLE, "on its way up" },
        { "XX000", RC_UNAVAILABLE, "can be reached" },
        /* What is no code is a part of the words, which decide nothing here. */
        { "28p01", RC_UNAVAILABLE, "28p01: refused" },
        { "28!01", RC_UNAVAILABLE, "28!01: refused" },
        { "28[01", RC_UNAVAILABLE, "28[01: refused" },
        { "280001", RC_UNAVAILABLE, "280001: refused" },
        { NULL, RC_UNAVAILABLE, "refused" },
    };
    struct fixture *fixture = *state;
    size_t index;

    for (index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct server server = { .port = 0 };
        struct buffer first = buffer_over(server.first, sizeof(server.first));

        say_failure(&first, 'E', "FATAL", cases[index].code, "refused by the test");
        server.first_len = first.len;
        expect_told(fixture, cases[index].code, ask_server(fixture, &server), cases[index].rc,
                    cases[index].advice);
        assert_non_null(strstr(fixture->error, "refused by the test"));
    }
}

/* A pooler that takes no options is asked again without them. */
static void test_pooler_is_asked_without_options(void **state)
{
    struct fixture *fixture = *state;
    struct server server = { .port = 0 };
    struct buffer first = buffer_over(server.first, sizeof(server.first));

    say_failure(&first, 'E', "FATAL", "08P01", "unsupported startup parameter: options");
    server.first_len = first.len;
    expect_told(fixture, "08P01", ask_server(fixture, &server), RC_INVALID, "leave them out");
}

static void test_server_of_another_kind_will_not_do(void **state)
{
    static const struct {
        const char *version;
        const char *encoding;
        const char *words;
    } cases[] = {
        { "9.6.24", "UTF8", "PostgreSQL 13" },
        { "12.9", "UTF8", "PostgreSQL 13" },
        { "15.0", "LATIN1", "UTF8" },
    };
    struct fixture *fixture = *state;
    size_t index;

    for (index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct server server = { .port = 0 };
        struct buffer first = buffer_over(server.first, sizeof(server.first));

        say_welcome(&first, cases[index].version, cases[index].encoding);
        server.first_len = first.len;
        expect_told(fixture, cases[index].version, ask_server(fixture, &server), RC_INVALID,
                    cases[index].words);
    }
}

static void test_failure_is_of_the_class_that_its_code_says(void **state)
{
    static const struct {
        const char *code;
        enum rc rc;
    } cases[] = {
        { "23505", RC_EXISTS },      { "40001", RC_BUSY },        { "40P01", RC_BUSY },
        { "55P03", RC_BUSY },        { "22003", RC_INVALID },     { "54000", RC_INVALID },
        { "XX001", RC_CORRUPT },     { "XX002", RC_CORRUPT },     { "XX000", RC_UNAVAILABLE },
        { "25006", RC_UNAVAILABLE }, { "26000", RC_UNAVAILABLE }, { "0A000", RC_UNAVAILABLE },
        { "08006", RC_UNAVAILABLE }, { "57014", RC_UNAVAILABLE }, { NULL, RC_UNAVAILABLE },
    };
    struct fixture *fixture = *state;
    size_t index;

    for (index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct server server = { .port = 0 };
        struct buffer first = buffer_over(server.first, sizeof(server.first));
        struct buffer second = buffer_over(server.second, sizeof(server.second));

        say_welcome(&first, "15.0", index % 2 == 0 ? "UTF8" : NULL);
        server.first_len = first.len;
        /* What it tells beside is not why it failed. */
        say_failure(&second, 'N', "NOTICE", "00000", "by the way");
        say_failure(&second, 'N', "WARNING", "01000", index % 2 == 0 ? "beware" : NULL);
        say_failure(&second, 'N', NULL, "01000", "of some kind");
        say_failure(&second, 'E', "ERROR", cases[index].code, "failed by the test");
        say(&second, 'Z', STR("I"));
        server.second_len = second.len;
        expect_told(fixture, cases[index].code, ask_server(fixture, &server), cases[index].rc,
                    "failed by the test");
        assert_null(strstr(fixture->error, "beware"));
    }
}

static void test_server_that_hangs_up_is_unavailable(void **state)
{
    struct fixture *fixture = *state;
    struct server server = { .port = 0 };
    struct buffer first = buffer_over(server.first, sizeof(server.first));

    say_welcome(&first, "15.0", "UTF8");
    server.first_len = first.len;
    expect_told(fixture, "hung up", ask_server(fixture, &server), RC_UNAVAILABLE, "closed");
}

/* Where a host, a port, or as many of them as there are hosts, is not said. */
static void test_places_that_are_half_said_are_unavailable(void **state)
{
    static const char *const databases[] = {
        "host=127.0.0.1,127.0.0.1 port=1 user=u dbname=d",
        "host=127.0.0.1,127.0.0.1 port=1,1 user=u dbname=d",
        "hostaddr=127.0.0.1 port=1 user=u dbname=d",
        "host=/nonexistent user=u dbname=d",
        "port=1 user=u dbname=d",
    };
    struct fixture *fixture = *state;
    size_t index;

    for (index = 0; index < sizeof(databases) / sizeof(databases[0]); index++)
        expect_told(fixture, databases[index], try_open(fixture, databases[index]), RC_UNAVAILABLE,
                    "can be reached");
}

/* ---- the module ------------------------------------------------------------------------------ */

static const char nowhere[] = "host=/nonexistent port=1 user=u dbname=d";

/* This program in a folder of its own, where it opens a database and nothing else. */
static int run_elsewhere(const char *dir)
{
    char path[192];
    struct stat status;
    off_t offset = 0;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to;
    int state;
    pid_t child;

    snprintf(path, sizeof(path), "%s/alone", dir);
    to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(from >= 0 && to >= 0 && fstat(from, &status) == 0);
    while (offset < status.st_size)
        assert_true(sendfile(to, from, &offset, (size_t)(status.st_size - offset)) > 0);
    assert_true(close(from) == 0 && close(to) == 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(path, path, "alone", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &state, 0), child);
    assert_true(WIFEXITED(state));
    return WEXITSTATUS(state);
}

static int open_alone(void)
{
    struct fixture fixture = { .now = 0 };
    enum rc rc = try_open(&fixture, nowhere);

    if (rc != RC_INVALID)
        return 1;
    return strstr(fixture.error, "is not where jeton is") != NULL ? 10
           : strstr(fixture.error, "cannot load") != NULL         ? 11
                                                                  : 2;
}

static void test_module_that_is_missing_or_none_is_told(void **state)
{
    struct fixture *fixture = *state;
    char path[192];
    int fd;

    assert_int_equal(run_elsewhere(fixture->dir), 10);
    snprintf(path, sizeof(path), "%s/jeton-postgres.so", fixture->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, "none", 4) == 4 && close(fd) == 0);
    assert_int_equal(run_elsewhere(fixture->dir), 11);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_refusal_says_what_to_do),
        IN_FOLDER(test_pooler_is_asked_without_options),
        IN_FOLDER(test_server_of_another_kind_will_not_do),
        IN_FOLDER(test_failure_is_of_the_class_that_its_code_says),
        IN_FOLDER(test_server_that_hangs_up_is_unavailable),
        IN_FOLDER(test_places_that_are_half_said_are_unavailable),
        IN_FOLDER(test_module_that_is_missing_or_none_is_told),
    };

    if (count > 1 && strcmp(words[1], "alone") == 0)
        return open_alone();
    if (fixture_is_shared())
        return FIXTURE_SKIPPED; /* the server is its own */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
