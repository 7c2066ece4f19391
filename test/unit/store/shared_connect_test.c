/* Which database is reached and which will do: hosts, time-outs, roles, encodings, passwords. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "fixture.h"

enum { LATE_MS = 4000 }; /* DRIVER_CONNECT_MS, on a machine that has other things to do */

static struct store_config config_of(const char *database)
{
    return (struct store_config){ .database = str_of(database) };
}

static enum rc try_open(struct fixture *fixture, const char *database, struct store **out_store)
{
    struct store_config config = config_of(database);
    struct buffer error = buffer_over(fixture->error, sizeof(fixture->error) - 1);

    memset(fixture->error, 0, sizeof(fixture->error));
    return store_open(&config, out_store, &error);
}

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0 && options->val != NULL)
            return options->val;
    }
    return "";
}

/* The cluster's database with other hosts before its own, and more options behind them. */
static void write_database(const struct fixture *fixture, const char *hosts, const char *ports,
                           const char *more, char *out_text, size_t size)
{
    PQconninfoOption *options = PQconninfoParse(fixture->cluster.url, NULL);
    int len;

    assert_non_null(options);
    len = snprintf(out_text, size,
                   "host='%s%s' port='%s%s' user='%s' password='%s' dbname='%s' options='%s%s'",
                   hosts, option_of(options, "host"), ports, option_of(options, "port"),
                   option_of(options, "user"), option_of(options, "password"),
                   option_of(options, "dbname"), option_of(options, "options"), more);
    PQconninfoFree(options);
    assert_in_range(len, 1, size - 1);
}

/* ---- hosts ---------------------------------------------------------------------------------- */

/* A port that answers nothing; *out_fd keeps it. */
static int open_port(bool listens, int *out_fd)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);

    *out_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*out_fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(*out_fd, (struct sockaddr *)&address, &len), 0);
    if (listens)
        assert_int_equal(listen(*out_fd, 16), 0);
    return ntohs(address.sin_port);
}

static void test_host_that_refuses_or_is_silent_is_passed_over(void **state)
{
    struct fixture *fixture = *state;
    char ports[64];
    char database[1024];
    int refusing_fd;
    int silent_fd;
    int round;

    snprintf(ports, sizeof(ports), "%d,", open_port(false, &refusing_fd));
    snprintf(ports + strlen(ports), sizeof(ports) - strlen(ports), "%d,",
             open_port(true, &silent_fd));
    write_database(fixture, "127.0.0.1,127.0.0.1,", ports, "", database, sizeof(database));
    for (round = 0; round < 2; round++) {
        int64_t begun_ms = clock_monotonic_ms();

        assert_int_equal(try_open(fixture, database, &fixture->store), RC_OK);
        assert_true(clock_monotonic_ms() - begun_ms < 2 * LATE_MS);
        assert_int_equal(fixture_id(fixture, SEQUENCE_NOUN) > 0, 1);
        store_close(fixture->store);
        fixture->store = NULL;
    }
    close(refusing_fd);
    close(silent_fd);
}

static void test_silence_ends_in_time(void **state)
{
    struct fixture *fixture = *state;
    int64_t begun_ms = clock_monotonic_ms();
    char database[128];
    int fd;

    snprintf(database, sizeof(database), "postgresql://somebody:geheim@127.0.0.1:%d/nothing",
             open_port(true, &fd));
    assert_int_equal(try_open(fixture, database, &fixture->store), RC_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - begun_ms < LATE_MS);
    assert_non_null(strstr(fixture->error, "in time"));
    assert_null(strstr(fixture->error, "geheim"));
    close(fd);
}

/* ---- passwords ------------------------------------------------------------------------------ */

static void test_lg_01_password_is_in_no_error(void **state)
{
    static const struct {
        const char *database;
        enum rc rc;
    } cases[] = {
        { "postgresql://u:geheim@127.0.0.1:1/d", RC_UNAVAILABLE },
        { "postgresql://u:x@geheim@127.0.0.1:1/d", RC_INVALID },
        { "postgresql://u:x/geheim@127.0.0.1:1/d", RC_INVALID },
        { "postgresql://u:1/geheim@127.0.0.1:1/d", RC_INVALID },
        { "postgresql://u:geheim/1@127.0.0.1:1/d", RC_INVALID },
        { "postgresql://u:x%geheim@127.0.0.1:1/d", RC_INVALID },
        { "postgresql://u:x/s?geheim@127.0.0.1:1/d", RC_INVALID },
        { "postgresql://u:x?geheim@127.0.0.1:1/d", RC_UNAVAILABLE },
        { "postgresql://u:x#geheim@127.0.0.1:1/d", RC_UNAVAILABLE },
        { "host=127.0.0.1 port=1 user=u password=x geheim", RC_INVALID },
        { "host=127.0.0.1 port=1 user=u password='geheim", RC_INVALID },
        { "geheim", RC_INVALID },
    };
    struct fixture *fixture = *state;
    size_t index;

    for (index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        assert_int_equal(try_open(fixture, cases[index].database, &fixture->store),
                         cases[index].rc);
        assert_true(strlen(fixture->error) > 20);
        assert_null(strstr(fixture->error, "geheim"));
    }
}

/* ---- roles and databases -------------------------------------------------------------------- */

#define MAKES_ROLES                                                                                \
    "SELECT CASE WHEN rolsuper THEN 1 ELSE 0 END FROM pg_roles WHERE rolname = current_user"

/* Writes a text in which @ stands for the schema's name. */
static void write_with_schema(const struct fixture *fixture, const char *text, char *out_text,
                              size_t size)
{
    struct buffer to = buffer_over(out_text, size - 1);

    for (; *text != '\0'; text++) {
        if (*text == '@')
            buffer_append_str(&to, str_of(fixture->cluster.schema));
        else
            buffer_append_byte(&to, *text);
    }
    assert_false(to.overflow);
    out_text[to.len] = '\0';
}

static void test_role_with_rights_to_rows_alone_will_do(void **state)
{
    struct fixture *fixture = *state;
    PGconn *conn = fixture->cluster.conn;
    struct store *store = NULL;
    char text[512];
    char database[1024];

    if (cluster_run(conn, MAKES_ROLES) == 0)
        skip();
    write_with_schema(fixture, "CREATE ROLE role_@; GRANT USAGE ON SCHEMA @ TO role_@", text,
                      sizeof(text));
    cluster_run(conn, text);
    snprintf(text, sizeof(text), " -c role=role_%s", fixture->cluster.schema);
    write_database(fixture, "", "", text, database, sizeof(database));
    assert_int_equal(try_open(fixture, database, &store), RC_INVALID);
    assert_non_null(strstr(fixture->error, "right"));

    fixture_open(fixture);
    write_with_schema(fixture,
                      "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA @"
                      " TO role_@",
                      text, sizeof(text));
    cluster_run(conn, text);
    assert_int_equal(try_open(fixture, database, &store), RC_OK);
    store_close(fixture->store);
    fixture->store = store;
    assert_int_equal(COMMIT_ONE(fixture, store_revoke_token, 1, 1, 1), RC_OK);
    {
        struct event event = { .at = 1, .kind = EVENT_TOKEN_ISSUED, .detail = STR("") };

        assert_int_equal(COMMIT_ONE(fixture, store_insert_event, &event), RC_OK);
    }
    store_close(fixture->store);
    fixture->store = NULL;
    write_with_schema(fixture, "DROP OWNED BY role_@; DROP ROLE role_@", text, sizeof(text));
    cluster_run(conn, text);
}

static void test_tables_must_be_where_the_role_looks_first(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    char text[128];
    char database[1024];

    fixture_open(fixture);
    write_with_schema(fixture, "CREATE SCHEMA before_@", text, sizeof(text));
    cluster_run(fixture->cluster.conn, text);
    write_with_schema(fixture, " -c search_path=before_@,@", text, sizeof(text));
    write_database(fixture, "", "", text, database, sizeof(database));
    assert_int_equal(try_open(fixture, database, &store), RC_INVALID);
    assert_non_null(strstr(fixture->error, "search_path"));
    write_with_schema(fixture, "DROP SCHEMA before_@ CASCADE", text, sizeof(text));
    cluster_run(fixture->cluster.conn, text);
}

static void test_database_must_be_utf8(void **state)
{
    struct fixture *fixture = *state;
    PQconninfoOption *options = PQconninfoParse(fixture->cluster.url, NULL);
    PGconn *conn = fixture->cluster.conn;
    char text[256];
    char database[1024];

    if (cluster_run(conn, MAKES_ROLES) == 0)
        skip();
    snprintf(text, sizeof(text),
             "CREATE DATABASE d%s TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
             fixture->cluster.schema);
    cluster_run(conn, text);
    snprintf(database, sizeof(database), "host='%s' port='%s' user='%s' password='%s' dbname='d%s'",
             option_of(options, "host"), option_of(options, "port"), option_of(options, "user"),
             option_of(options, "password"), fixture->cluster.schema);
    PQconninfoFree(options);
    assert_int_equal(try_open(fixture, database, &fixture->store), RC_INVALID);
    assert_non_null(strstr(fixture->error, "UTF8"));
    snprintf(text, sizeof(text), "DROP DATABASE d%s", fixture->cluster.schema);
    cluster_run(conn, text);
}

static void test_commits_must_wait_for_the_disk(void **state)
{
    struct fixture *fixture = *state;
    char database[1024];

    write_database(fixture, "", "", " -c synchronous_commit=off", database, sizeof(database));
    assert_int_equal(try_open(fixture, database, &fixture->store), RC_INVALID);
    assert_non_null(strstr(fixture->error, "synchronous_commit"));
    write_database(fixture, "", "", " -c synchronous_commit=local", database, sizeof(database));
    assert_int_equal(try_open(fixture, database, &fixture->store), RC_OK);
}

/* ---- several at once ------------------------------------------------------------------------ */

struct opener {
    struct fixture *fixture;
    pthread_t thread;
    struct store *store;
    enum rc rc;
    char error[256];
};

static void *open_store(void *context)
{
    struct opener *opener = context;
    struct store_config config = fixture_config(opener->fixture);
    struct buffer error = buffer_over(opener->error, sizeof(opener->error) - 1);

    opener->rc = store_open(&config, &opener->store, &error);
    return NULL;
}

static void test_servers_that_start_together_make_the_tables_once(void **state)
{
    enum { COUNT = 4 };

    struct fixture *fixture = *state;
    static struct opener openers[COUNT];
    int index;

    for (index = 0; index < COUNT; index++) {
        openers[index].fixture = fixture;
        assert_int_equal(pthread_create(&openers[index].thread, NULL, open_store, &openers[index]),
                         0);
    }
    for (index = 0; index < COUNT; index++)
        pthread_join(openers[index].thread, NULL);
    for (index = 0; index < COUNT; index++) {
        if (openers[index].rc != RC_OK)
            print_message("%s\n", openers[index].error);
        assert_int_equal(openers[index].rc, RC_OK);
        store_close(openers[index].store);
    }
    assert_int_equal(
        cluster_run(fixture->cluster.conn, "SELECT count(*) - max(version) FROM schema_version"),
        0);
}

#define IN_CLUSTER(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_CLUSTER(test_host_that_refuses_or_is_silent_is_passed_over),
        IN_CLUSTER(test_silence_ends_in_time),
        IN_CLUSTER(test_lg_01_password_is_in_no_error),
        IN_CLUSTER(test_role_with_rights_to_rows_alone_will_do),
        IN_CLUSTER(test_tables_must_be_where_the_role_looks_first),
        IN_CLUSTER(test_database_must_be_utf8),
        IN_CLUSTER(test_commits_must_wait_for_the_disk),
        IN_CLUSTER(test_servers_that_start_together_make_the_tables_once),
    };

    if (!fixture_has_cluster())
        return FIXTURE_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
