/* Who may open a store, and what opening does: LG-05, the lock, reading beside a server, schemas.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "fixture.h"
#include "store/driver.h"

static void set_mode(const struct fixture *fixture, const char *name, mode_t mode)
{
    char path[192];

    snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
    assert_int_equal(chmod(path, mode), 0);
}

static mode_t mode_of(const struct fixture *fixture, const char *name)
{
    char path[192];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void close_store(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

static void test_lg_05_files_are_made_for_the_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    mode_t before = umask(0);

    assert_int_equal(rmdir(fixture->dir), 0);
    fixture_open(fixture);
    umask(before);
    assert_int_equal(fixture_id(fixture, SEQUENCE_NOUN), 1);
    assert_int_equal(mode_of(fixture, "."), 0700);
    assert_int_equal(mode_of(fixture, "jeton.db"), 0600);
    assert_int_equal(mode_of(fixture, "jeton.db-wal"), 0600);
    assert_int_equal(mode_of(fixture, "jeton.db-shm"), 0600);
    assert_int_equal(mode_of(fixture, "lock"), 0600);
}

static void test_lg_05_what_others_may_open_is_refused(void **state)
{
    static const struct {
        const char *name;
        mode_t mode;
    } cases[] = { { "jeton.db", 0644 }, { "jeton.db", 0620 }, { "jeton.db", 0604 },
                  { "lock", 0660 },     { ".", 0770 },        { ".", 0702 } };
    struct fixture *fixture = *state;
    size_t index;

    for (index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        mode_t good;

        fixture_open(fixture);
        close_store(fixture);
        good = mode_of(fixture, cases[index].name);
        set_mode(fixture, cases[index].name, cases[index].mode);
        assert_int_equal(fixture_try_open(fixture, false, &fixture->store), RC_INVALID);
        assert_non_null(strstr(fixture->error, "open to others"));
        set_mode(fixture, cases[index].name, good);
    }
    set_mode(fixture, "jeton.db", 0640);
    assert_int_equal(fixture_try_open(fixture, true, &fixture->store), RC_INVALID);
}

static void test_log_left_open_to_others_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char path[192];
    int fd;

    fixture_open(fixture);
    close_store(fixture);
    snprintf(path, sizeof(path), "%s/jeton.db-wal", fixture->dir);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    close(fd);
    assert_int_equal(fixture_try_open(fixture, false, &fixture->store), RC_INVALID);
}

static void test_not_a_folder_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct fixture inner = *fixture;
    struct store *store;
    char path[192];
    int fd;

    snprintf(path, sizeof(path), "%.40s/file", fixture->dir);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    snprintf(inner.dir, sizeof(inner.dir), "%.40s/file", fixture->dir);
    assert_int_equal(fixture_try_open(&inner, false, &store), RC_INVALID);
    snprintf(inner.dir, sizeof(inner.dir), "%.40s/no/such", fixture->dir);
    assert_int_equal(fixture_try_open(&inner, false, &store), RC_INVALID);
    inner.dir[0] = '\0';
    assert_int_equal(fixture_try_open(&inner, false, &store), RC_INVALID);
}

static void test_link_in_place_of_a_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char path[192];

    snprintf(path, sizeof(path), "%s/jeton.db", fixture->dir);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(fixture_try_open(fixture, false, &fixture->store), RC_INVALID);
}

static void test_file_that_is_no_database_is_corrupt(void **state)
{
    struct fixture *fixture = *state;
    char path[192];
    int fd;
    int line;

    snprintf(path, sizeof(path), "%s/jeton.db", fixture->dir);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (line = 0; line < 1000; line++)
        assert_int_equal(write(fd, "this is not a store\n", 20), 20);
    close(fd);
    assert_int_equal(fixture_try_open(fixture, false, &fixture->store), RC_CORRUPT);
}

/* ---- the lock ------------------------------------------------------------------------------- */

static void test_second_process_is_told_who_holds_the_store(void **state)
{
    struct fixture *fixture = *state;
    struct store *second = NULL;
    char pid[32];
    int status = 0;
    pid_t child;

    fixture_open(fixture);
    assert_int_equal(fixture_try_open(fixture, false, &second), RC_EXISTS);
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    assert_non_null(strstr(fixture->error, pid));
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(fixture_try_open(fixture, false, &second) == RC_EXISTS ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close_store(fixture);
    fixture_open(fixture);
}

/* ---- reading beside a server ---------------------------------------------------------------- */

static void test_reader_beside_a_server_sees_what_is_committed(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = NULL;
    struct account first;
    struct account second;
    struct account found;
    struct store_unit unit;
    int64_t id;

    fixture_open(fixture);
    first = sample_account(fixture, "first");
    second = sample_account(fixture, "second");
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &first), RC_OK);
    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_OK);
    assert_int_equal(store_find_account(reader, first.id, &fixture->arena, &found), RC_OK);
    assert_int_equal(store_find_account(reader, second.id, &fixture->arena, &found), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &second), RC_OK);
    assert_int_equal(store_find_account(reader, second.id, &fixture->arena, &found), RC_OK);
    /* It cannot write, not even an id. */
    store_unit_init(&unit);
    store_end_grant(&unit, 1, 1);
    assert_int_equal(store_commit(reader, &unit), RC_UNAVAILABLE);
    assert_int_equal(store_next_id(reader, SEQUENCE_NOUN, &id), RC_UNAVAILABLE);
    assert_false(store_is_writable(reader));
    store_close(reader);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, 1, 1), RC_OK);
}

static void test_reader_opens_a_store_that_nobody_serves(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = NULL;
    struct account account;
    struct account found;

    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_INVALID);
    assert_non_null(strstr(fixture->error, "no store"));
    fixture_open(fixture);
    account = sample_account(fixture, "ada");
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    close_store(fixture);
    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_OK);
    assert_int_equal(store_find_account(reader, account.id, &fixture->arena, &found), RC_OK);
    store_close(reader);
}

/* ---- the schema ----------------------------------------------------------------------------- */

/* Opens the store below its door, as no program does. */
static void note_version(struct fixture *fixture, int64_t version)
{
    struct store_config config = fixture_config(fixture);
    struct buffer error = buffer_over(fixture->error, sizeof(fixture->error));
    struct store_param params[2] = { { .type = STORE_INT, .number = version },
                                     { .type = STORE_INT, .number = 1 } };
    struct driver_session *session;
    uint64_t row_count;

    assert_int_equal(driver_sqlite.open(&config, SESSION_WRITER, &session, &error), RC_OK);
    assert_int_equal(driver_sqlite.run_text(session, driver_sqlite.schema[0].text), RC_OK);
    if (version > 0)
        assert_int_equal(
            driver_sqlite.run(session, STATEMENT_INSERT_VERSION, params, 2, &row_count, NULL),
            RC_OK);
    driver_sqlite.close(session);
}

static void test_schema_is_migrated_from_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = NULL;
    struct account account;

    note_version(fixture, 0);
    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_INVALID);
    assert_non_null(strstr(fixture->error, "start the server"));
    fixture_open(fixture);
    account = sample_account(fixture, "ada");
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    assert_int_equal(fixture_try_open(fixture, true, &reader), RC_OK);
    store_close(reader);
}

static void test_newer_schema_is_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture_open(fixture);
    close_store(fixture);
    note_version(fixture, 99);
    assert_int_equal(fixture_try_open(fixture, false, &fixture->store), RC_INVALID);
    assert_non_null(strstr(fixture->error, "schema 99"));
    assert_int_equal(fixture_try_open(fixture, true, &fixture->store), RC_INVALID);
}

/* A migration that stops in the middle leaves the version before it. */
static void test_half_a_migration_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct store_config config = fixture_config(fixture);
    struct buffer error = buffer_over(fixture->error, sizeof(fixture->error));
    struct driver_session *session;

    assert_int_equal(driver_sqlite.open(&config, SESSION_WRITER, &session, &error), RC_OK);
    assert_int_equal(driver_sqlite.run_text(session, "CREATE TABLE client (id INTEGER)"), RC_OK);
    driver_sqlite.close(session);
    assert_true(rc_is_fault(fixture_try_open(fixture, false, &fixture->store)));
    assert_int_equal(driver_sqlite.open(&config, SESSION_WRITER, &session, &error), RC_OK);
    assert_int_equal(driver_sqlite.run_text(session, "DROP TABLE client"), RC_OK);
    driver_sqlite.close(session);
    fixture_open(fixture);
    assert_int_equal(fixture_id(fixture, SEQUENCE_NOUN), 1);
}

#define ON_FOLDER(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FOLDER(test_lg_05_files_are_made_for_the_owner_alone),
        ON_FOLDER(test_lg_05_what_others_may_open_is_refused),
        ON_FOLDER(test_log_left_open_to_others_is_refused),
        ON_FOLDER(test_not_a_folder_is_refused),
        ON_FOLDER(test_link_in_place_of_a_file_is_refused),
        ON_FOLDER(test_file_that_is_no_database_is_corrupt),
        ON_FOLDER(test_second_process_is_told_who_holds_the_store),
        ON_FOLDER(test_reader_beside_a_server_sees_what_is_committed),
        ON_FOLDER(test_reader_opens_a_store_that_nobody_serves),
        ON_FOLDER(test_schema_is_migrated_from_nothing),
        ON_FOLDER(test_newer_schema_is_refused),
        ON_FOLDER(test_half_a_migration_is_none),
    };

    if (fixture_is_shared())
        return FIXTURE_SKIPPED; /* of files */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
