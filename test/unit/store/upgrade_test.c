/*
 * Programs of two schemas on one store: which may run on it, and what one does while the other
 * migrates.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "fixture.h"
#include "store/room.h"

enum { KNOWN = 6, NEXT = KNOWN + 1, STEP_COUNT_MAX = 512 };

/* The program of the next schema, with a step that only adds. */
struct next_program {
    struct driver driver;
    struct schema_step steps[STEP_COUNT_MAX];
};

static const char added_column[] =
    "ALTER TABLE account ADD COLUMN novelty BIGINT NOT NULL DEFAULT 0";
static const char added_column_sqlite[] =
    "ALTER TABLE account ADD COLUMN novelty INTEGER NOT NULL DEFAULT 0";

static const struct driver *driver_of(const struct fixture *fixture)
{
    struct store_config config = fixture_config(fixture);
    char memory[256];
    struct buffer error = buffer_over(memory, sizeof(memory));
    const struct driver *driver = NULL;

    assert_int_equal(driver_choose(&config, &driver, &error), RC_OK);
    return driver;
}

static void make_next_program(const struct fixture *fixture, struct next_program *program)
{
    const struct driver *driver = driver_of(fixture);
    size_t count = driver->schema_step_count;

    program->driver = *driver;
    assert_true(count < STEP_COUNT_MAX);
    memcpy(program->steps, driver->schema, count * sizeof(program->steps[0]));
    program->steps[count] =
        (struct schema_step){ NEXT, driver->is_shared ? added_column : added_column_sqlite };
    program->driver.schema = program->steps;
    program->driver.schema_step_count = count + 1;
}

static struct driver_session *open_session(const struct fixture *fixture,
                                           const struct driver *driver)
{
    struct store_config config = fixture_config(fixture);
    char memory[256] = { 0 };
    struct buffer error = buffer_over(memory, sizeof(memory) - 1);
    struct driver_session *session = NULL;

    if (driver->open(&config, SESSION_WRITER, &session, &error) != RC_OK)
        fail_msg("%s", memory);
    return session;
}

static enum rc migrate_by(const struct fixture *fixture, const struct driver *driver)
{
    struct driver_session *session = open_session(fixture, driver);
    char memory[512] = { 0 };
    struct buffer error = buffer_over(memory, sizeof(memory) - 1);
    enum rc rc = schema_migrate(driver, session, &error);

    if (rc != RC_OK)
        print_message("%s\n", memory);
    driver->close(session);
    return rc;
}

/* Past the store, as its administrator may. */
static void run_past(const struct fixture *fixture, const char *text)
{
    const struct driver *driver = driver_of(fixture);
    struct driver_session *session = open_session(fixture, driver);

    assert_int_equal(driver->run_text(session, text), RC_OK);
    driver->close(session);
}

static struct store_schema_view view_of(const struct fixture *fixture)
{
    struct store_schema_view view;

    store_view_schema(fixture->store, &view);
    return view;
}

static void close_store(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

static enum rc add_account(struct fixture *fixture, const char *name)
{
    struct account account = sample_account(fixture, name);
    struct store_unit unit;

    store_unit_init(&unit);
    store_insert_account(&unit, &account);
    return store_commit(fixture->store, &unit);
}

static void expect_account(struct fixture *fixture, const char *name)
{
    struct account account;

    assert_int_equal(
        store_find_account_by_name(fixture->store, str_of(name), &fixture->arena, &account), RC_OK);
}

/* ---- which programs may run ---- */

static void test_a_newer_schema_that_says_so_will_do(void **state)
{
    struct fixture *fixture = *state;
    struct next_program program;
    struct store *reader = NULL;

    assert_true(view_of(fixture).version == KNOWN && view_of(fixture).known_version == KNOWN);
    assert_int_equal(add_account(fixture, "before"), RC_OK);
    close_store(fixture);
    make_next_program(fixture, &program);
    assert_int_equal(migrate_by(fixture, &program.driver), RC_OK);
    run_past(fixture, "UPDATE schema_version SET runs_from = 6 WHERE version = 7");
    fixture_open(fixture);
    assert_true(view_of(fixture).version == NEXT && view_of(fixture).known_version == KNOWN);
    expect_account(fixture, "before");
    assert_int_equal(add_account(fixture, "after"), RC_OK);
    fixture_reopen(fixture);
    expect_account(fixture, "after");
    assert_true(view_of(fixture).version == NEXT); /* it is left as it is */
    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_OK);
    store_close(reader);
    close_store(fixture);
    assert_int_equal(migrate_by(fixture, &program.driver), RC_OK);
}

static void expect_refused(struct fixture *fixture, const char *words)
{
    struct store *store = NULL;

    assert_int_equal(fixture_try_open(fixture, false, &store), RC_INVALID);
    assert_non_null(strstr(fixture->error, "the store has schema 7 and this program knows 6"));
    assert_non_null(strstr(fixture->error, words));
    assert_int_equal(fixture_try_open(fixture, true, &store), RC_INVALID);
    assert_non_null(strstr(fixture->error, words));
}

static void test_any_other_newer_schema_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct next_program program;

    close_store(fixture);
    make_next_program(fixture, &program);
    assert_int_equal(migrate_by(fixture, &program.driver), RC_OK);
    /* It said nothing of older programs. */
    expect_refused(fixture, "run a newer program, which knows 7 at least");
    run_past(fixture, "UPDATE schema_version SET runs_from = 0 WHERE version = 7");
    expect_refused(fixture, "run a newer program");
    /* The newest row counts, whatever older ones say. */
    run_past(fixture, "UPDATE schema_version SET runs_from = 6 WHERE version = 6");
    expect_refused(fixture, "run a newer program");
}

static void test_an_older_schema_will_do_for_a_check(void **state)
{
    struct fixture *fixture = *state;
    struct store_config config = fixture_config(fixture);
    struct buffer error = buffer_over(fixture->error, sizeof(fixture->error));
    struct store *store = NULL;

    close_store(fixture);
    run_past(fixture, "DELETE FROM schema_version WHERE version = 6");
    run_past(fixture, "DROP TABLE moved");
    assert_int_equal(fixture_try_open(fixture, true, &store), RC_INVALID);
    assert_non_null(strstr(fixture->error, "start the server once, which migrates it"));
    config.is_read_only = config.is_check = true;
    assert_int_equal(store_open(&config, &store, &error), RC_OK);
    store_close(store);
}

/* ---- who is in the way ---- */

static int busy_count;

static enum rc run_text_or_be_busy(struct driver_session *session, const char *text)
{
    if (strstr(text, "novelty") != NULL && busy_count > 0) {
        busy_count--;
        return RC_BUSY;
    }
    return driver_sqlite.run_text(session, text);
}

static void test_a_table_that_is_held_is_asked_for_again(void **state)
{
    struct fixture *fixture = *state;
    struct next_program program;

    if (fixture_is_shared())
        skip();
    close_store(fixture);
    make_next_program(fixture, &program);
    program.driver.run_text = run_text_or_be_busy;
    busy_count = 2;
    assert_int_equal(migrate_by(fixture, &program.driver), RC_OK);
    assert_int_equal(busy_count, 0);
    run_past(fixture, "UPDATE account SET novelty = 1");
}

static void *migrate_beside(void *context)
{
    const struct fixture *fixture = context;
    struct next_program program;

    make_next_program(fixture, &program);
    return migrate_by(fixture, &program.driver) == RC_OK ? NULL : context;
}

static void test_two_migrate_at_once(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[4];
    void *failed;

    if (!fixture_is_shared())
        skip();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_beside, fixture), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(
        cluster_run(fixture->cluster.conn, "SELECT count(*) FROM schema_version WHERE version = 7"),
        1);
}

/* The older program's work while the newer one migrates. */
struct work {
    struct fixture *fixture;
    _Atomic bool is_over;
    _Atomic unsigned count;
    _Atomic int rc;
    int64_t longest_ms;
};

static enum rc work_once(struct work *work, struct arena *arena, unsigned number)
{
    char name[32];
    struct account account;
    enum rc rc;

    snprintf(name, sizeof(name), "worker%u", number);
    rc = add_account(work->fixture, name);
    if (rc == RC_OK)
        rc = store_find_account_by_name(work->fixture->store, str_of(name), arena, &account);
    return rc;
}

static void *work_main(void *context)
{
    struct work *work = context;
    struct arena arena;
    unsigned number = 0;

    arena_init(&arena, 65536);
    while (!atomic_load(&work->is_over) && work->rc == RC_OK) {
        int64_t began_ms = clock_monotonic_ms();
        int64_t took_ms;

        work->rc = work_once(work, &arena, number++);
        took_ms = clock_monotonic_ms() - began_ms;
        work->longest_ms = took_ms > work->longest_ms ? took_ms : work->longest_ms;
        atomic_store(&work->count, number);
        arena.used_bytes = 0;
    }
    arena_deinit(&arena);
    return NULL;
}

static void await_work(struct work *work, unsigned more)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    unsigned until = atomic_load(&work->count) + more;

    while (atomic_load(&work->count) < until && atomic_load(&work->rc) == RC_OK)
        nanosleep(&pause, NULL);
    assert_int_equal(atomic_load(&work->rc), RC_OK);
}

/* A dump, or whoever else reads a table in a long transaction, holds it against changes. */
static void test_the_older_program_goes_on_while_a_newer_one_migrates(void **state)
{
    struct fixture *fixture = *state;
    struct work work = { .fixture = fixture };
    PGconn *reader;
    pthread_t migration;
    pthread_t worker;
    void *failed;

    if (!fixture_is_shared())
        skip();
    reader = cluster_connect(fixture->cluster.url);
    cluster_run(reader, "SET idle_in_transaction_session_timeout = '60s'");
    cluster_run(reader, "BEGIN");
    cluster_run(reader, "SELECT count(*) FROM account");
    assert_int_equal(pthread_create(&worker, NULL, work_main, &work), 0);
    await_work(&work, 20);
    assert_int_equal(pthread_create(&migration, NULL, migrate_beside, fixture), 0);
    /* It has tried, and was turned away at least once. */
    await_work(&work, 400);
    assert_int_equal(
        cluster_run(fixture->cluster.conn, "SELECT count(*) FROM schema_version WHERE version = 7"),
        0);
    cluster_run(reader, "COMMIT");
    PQfinish(reader);
    pthread_join(migration, &failed);
    assert_null(failed);
    await_work(&work, 20);
    atomic_store(&work.is_over, true);
    pthread_join(worker, NULL);
    assert_int_equal(work.rc, RC_OK);
    assert_true(work.longest_ms < STORE_ANSWER_MS);
    expect_account(fixture, "worker0");
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_a_newer_schema_that_says_so_will_do),
        ON_STORE(test_any_other_newer_schema_is_refused),
        ON_STORE(test_an_older_schema_will_do_for_a_check),
        ON_STORE(test_a_table_that_is_held_is_asked_for_again),
        ON_STORE(test_two_migrate_at_once),
        ON_STORE(test_the_older_program_goes_on_while_a_newer_one_migrates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
