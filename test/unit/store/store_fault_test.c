/*
 * An open store of which one call of the engine fails, each in its turn: what was acknowledged is
 * there, what was refused is told, and the next call does well. And rows that are too large, files
 * that are broken, and an engine that is busy for good.
 */
#include "moving.h"

#include "faulty.h"
#include "store/catalog.h"

enum { OPENING_CALLS = 36, LIFE_CALLS = 110, STRIDE = 9 };

/* ---- one life -------------------------------------------------------------------------------- */

static enum rc write_some(struct fixture *fixture, struct store *store, int64_t *out_id)
{
    struct token token = { .kind = TOKEN_ACCESS, .issued_at = fixture->now };
    struct store_unit unit;
    enum rc rc = store_next_id(store, SEQUENCE_TOKEN, &token.id);

    if (rc != RC_OK)
        return rc;
    *out_id = token.id;
    store_unit_init(&unit);
    store_insert_token(&unit, &token);
    /* Refuses behind a step that does not: it needs a savepoint, and asks why. */
    store_revoke_token(&unit, token.id, fixture->now, fixture->now);
    store_spend_token(&unit, token.id, 99, token.id + 1, fixture->now, 0);
    rc = store_commit(store, &unit);
    if (!rc_is_fault(rc))
        assert_true(rc != RC_OK);
    store_unit_init(&unit);
    store_insert_token(&unit, &token);
    return store_commit(store, &unit);
}

static enum rc look_around(struct fixture *fixture, struct store *store)
{
    struct catalog *catalog = NULL;
    struct catalog_client *client;
    struct client row = {
        .client_id = STR("faulty"), .type = CLIENT_CONFIDENTIAL, .name = STR("F"), .id = 5
    };
    struct store_unit unit;
    enum rc rc = catalog_new(store, &catalog);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_insert_client(&unit, &row);
    rc = store_commit(store, &unit);
    if (rc == RC_OK || rc == RC_EXISTS)
        rc = catalog_find_client(catalog, STR("faulty"), true, &client);
    if (rc == RC_OK)
        catalog_client_put(client);
    if (rc == RC_OK)
        rc = store_catch_up(store);
    catalog_free(catalog);
    (void)fixture;
    return rc;
}

/* Whether there was such a call. */
static bool live_through(struct fixture *fixture, int call, enum rc fault)
{
    struct store *store = NULL;
    int64_t id = 0;
    enum rc rc;
    bool has_failed;

    faulty_set(call, fault, false);
    rc = fixture_try_open(fixture, false, &store);
    if (rc == RC_OK) {
        rc = write_some(fixture, store, &id);
        (void)look_around(fixture, store);
        store_close(store);
    }
    has_failed = faulty_end();
    fixture_open(fixture);
    if (rc == RC_OK) {
        struct token found;

        assert_int_equal(store_find_token(fixture->store, id, &found), RC_OK);
        assert_false(found.is_revoked);
    }
    assert_int_equal(write_some(fixture, fixture->store, &id), RC_OK);
    assert_int_equal(look_around(fixture, fixture->store), RC_OK);
    store_close(fixture->store);
    fixture->store = NULL;
    return has_failed;
}

static void start_afresh(struct fixture *fixture)
{
    fixture_remove_files(fixture->dir);
    assert_int_equal(mkdir(fixture->dir, 0700), 0);
}

static void live_many_lives(struct fixture *fixture, enum rc fault, int stride)
{
    int call;

    for (call = 0; call < LIFE_CALLS; call += call < OPENING_CALLS ? 1 : stride) {
        if (call % 2 == 0)
            start_afresh(fixture);
        if (call < OPENING_CALLS / 2)
            assert_true(live_through(fixture, call, fault));
        else
            live_through(fixture, call, fault);
    }
}

static void test_each_call_that_fails_loses_nothing(void **state)
{
    faulty.is_shared = false;
    live_many_lives(*state, RC_UNAVAILABLE, 1);
}

static void test_each_call_of_a_shared_engine_likewise(void **state)
{
    faulty.is_shared = true;
    live_many_lives(*state, RC_CORRUPT, STRIDE);
    faulty.is_shared = false;
}

static void test_engine_without_words_is_told_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    int call;

    faulty.is_wordless = true;
    for (call = 2; call < 16; call += 3) {
        start_afresh(fixture);
        faulty_set(call, call % 2 == 0 ? RC_EXISTS : RC_UNAVAILABLE, false);
        assert_true(fixture_try_open(fixture, false, &fixture->store) != RC_OK);
        assert_true(fixture->error[0] != '\0');
        assert_true(faulty_end());
    }
    faulty.is_wordless = false;
}

/* ---- the catalog ----------------------------------------------------------------------------- */

static void test_catalog_that_could_not_read_reads_everything(void **state)
{
    struct fixture *fixture = *state;
    const struct store_change everything = { .kind = CHANGE_ALL };
    struct service service;
    struct client client;
    struct catalog *catalog = NULL;
    struct catalog_client *found;
    struct catalog_service *found_service;

    fixture_open(fixture);
    service = sample_service(fixture, "s");
    client = sample_client(fixture, "c");
    assert_int_equal(catalog_new(fixture->store, &catalog), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &client), RC_OK);
    faulty_set(0, RC_UNAVAILABLE, true);
    assert_int_equal(catalog_find_client(catalog, STR("c"), true, &found), RC_UNAVAILABLE);
    assert_int_equal(catalog_find_client(catalog, STR("c"), false, &found), RC_WOULD_BLOCK);
    assert_true(faulty_end());
    assert_int_equal(catalog_find_client(catalog, STR("c"), true, &found), RC_OK);
    catalog_client_put(found);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_service, &service), RC_OK);
    faulty_set(0, RC_UNAVAILABLE, true);
    assert_int_equal(catalog_find_service(catalog, STR("s"), true, &found_service), RC_UNAVAILABLE);
    assert_true(faulty_end());
    assert_int_equal(catalog_find_service(catalog, STR("s"), true, &found_service), RC_OK);
    catalog_service_put(found_service);
    pthread_mutex_lock(&fixture->store->listener_lock);
    store_tell(fixture->store, &everything);
    pthread_mutex_unlock(&fixture->store->listener_lock);
    assert_int_equal(catalog_find_client(catalog, STR("c"), false, &found), RC_WOULD_BLOCK);
    assert_int_equal(catalog_find_owner(catalog, STR("beta"), true, &found_service), RC_OK);
    catalog_service_put(found_service);
    catalog_free(catalog);
    catalog_free(NULL);
}

/* ---- busy, broken, too large ----------------------------------------------------------------- */

static void test_engine_that_stays_busy_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct token token;
    int is_shared;

    for (is_shared = 0; is_shared < 2; is_shared++) {
        faulty.is_shared = is_shared != 0;
        fixture_open(fixture);
        token = sample_token(fixture, 5, false);
        faulty_set(0, RC_BUSY, true);
        assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_BUSY);
        assert_true(faulty_end());
        assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_OK);
        store_close(fixture->store);
        fixture->store = NULL;
        faulty.is_shared = false;
    }
}

/* More than there may be, and one page of what there is. */
static void test_limits_of_reading_are_kept(void **state)
{
    enum { GRANT_COUNT = 4 };
    struct fixture *fixture = *state;
    const struct store_config config = { .data_dir = str_of(fixture->dir), .reader_count = 1000 };
    struct buffer error = buffer_over(fixture->error, sizeof(fixture->error) - 1);
    struct grant found[GRANT_COUNT];
    size_t count = 0;
    int index;

    assert_int_equal(store_open(&config, &fixture->store, &error), RC_OK);
    for (index = 0; index < GRANT_COUNT; index++) {
        struct grant grant = sample_grant(fixture, true);

        assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grant), RC_OK);
    }
    assert_int_equal(store_list_grants_of_service(fixture->store, STR("two.example"), 0,
                                                  &fixture->arena, found, 1, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(store_list_grants_of_service(fixture->store, STR("two.example"), found[0].id,
                                                  &fixture->arena, found, GRANT_COUNT, &count),
                     RC_OK);
    assert_int_equal(count, GRANT_COUNT - 1);
}

static void test_row_larger_than_a_page_is_too_large(void **state)
{
    struct fixture *fixture = *state;
    const struct store_config config = fixture_config(fixture);
    struct buffer error = buffer_over(fixture->error, sizeof(fixture->error) - 1);
    struct made_up_row row = { .row_bytes = COPY_PAGE_BYTES };
    struct copy_page *page = malloc(sizeof(*page));
    struct copy_cursor cursor = { 0 };
    const struct driver *driver;
    struct driver_session *session;
    unsigned table = 0;

    assert_non_null(page);
    fixture_open(fixture);
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(driver_choose(&config, &driver, &error), RC_OK);
    assert_int_equal(driver->open(&config, SESSION_READER, &session, &error), RC_OK);
    while (copy_table_spec((enum copy_table)table)->types[0] == 'I' ||
           copy_table_spec((enum copy_table)table)->types[0] == 'K')
        table++;
    atomic_store(&faulty.row, &row);
    assert_int_equal(copy_read(driver, session, (enum copy_table)table, &cursor, page),
                     RC_TOO_LARGE);
    row.row_bytes = row.lens[0] = COPY_KEY_BYTES_MAX + 1;
    assert_int_equal(copy_read(driver, session, (enum copy_table)table, &cursor, page),
                     RC_TOO_LARGE);
    row.row_bytes = row.lens[0] = COPY_KEY_BYTES_MAX;
    assert_int_equal(copy_read(driver, session, (enum copy_table)table, &cursor, page), RC_OK);
    atomic_store(&faulty.row, NULL);
    driver->close(session);
    driver->close(NULL);
    free(page);
}

static void test_file_with_a_broken_page_is_corrupt(void **state)
{
    struct fixture *fixture = *state;
    char words[256] = "";
    struct buffer told = buffer_over(words, sizeof(words) - 1);
    char path[192];
    char junk[512];
    char detail[1000];
    struct event event = { .at = 1, .kind = EVENT_TOKEN_ISSUED };
    off_t end;
    int fd;
    int index;

    memset(detail, 'd', sizeof(detail));
    event.detail = (struct str){ detail, sizeof(detail) };
    fixture_open(fixture);
    for (index = 0; index < 60; index++)
        assert_int_equal(COMMIT_ONE(fixture, store_insert_event, &event), RC_OK);
    assert_int_equal(store_verify(fixture->store, &told), RC_OK);
    store_close(fixture->store);
    fixture->store = NULL;
    memset(junk, 0xa5, sizeof(junk));
    snprintf(path, sizeof(path), "%s/jeton.db", fixture->dir);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    /* Those of the events: without the first ones it does not open. */
    end = lseek(fd, 0, SEEK_END);
    for (index = 2; index < 5; index++)
        assert_int_equal(pwrite(fd, junk, sizeof(junk), end - index * (off_t)4096), sizeof(junk));
    close(fd);
    assert_int_equal(fixture_try_open(fixture, true, &fixture->store), RC_OK);
    told.len = 0;
    assert_int_equal(store_verify(fixture->store, &told), RC_CORRUPT);
    assert_true(told.len > 0);
}

static void test_shared_engine_has_tools_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    char words[128] = "";
    struct buffer told = buffer_over(words, sizeof(words) - 1);

    faulty.is_shared = true;
    fixture_open(fixture);
    assert_int_equal(store_verify(fixture->store, &told), RC_OK);
    assert_non_null(strstr(words, "own tools"));
    store_close(fixture->store);
    fixture->store = NULL;
    faulty.is_shared = false;
}

/* A newer schema that does not say which programs may run on it is left alone, whatever fails. */
static void test_newer_schema_that_cannot_be_read_is_refused(void **state)
{
    struct fixture *fixture = *state;
    int call;

    fixture_open(fixture);
    store_close(fixture->store);
    fixture->store = NULL;
    run_text(fixture->dir, "INSERT INTO schema_version (version, at) VALUES (99, 1)");
    for (call = 0; call < 12; call++) {
        faulty_set(call, RC_UNAVAILABLE, false);
        assert_true(fixture_try_open(fixture, call % 2 != 0, &fixture->store) != RC_OK);
        faulty_end();
    }
}

static int set_up(void **state)
{
    faulty_reset();
    return fixture_setup(state);
}

#define ON_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FOLDER(test_each_call_that_fails_loses_nothing),
        ON_FOLDER(test_each_call_of_a_shared_engine_likewise),
        ON_FOLDER(test_engine_without_words_is_told_all_the_same),
        ON_FOLDER(test_catalog_that_could_not_read_reads_everything),
        ON_FOLDER(test_engine_that_stays_busy_is_given_up),
        ON_FOLDER(test_limits_of_reading_are_kept),
        ON_FOLDER(test_row_larger_than_a_page_is_too_large),
        ON_FOLDER(test_file_with_a_broken_page_is_corrupt),
        ON_FOLDER(test_shared_engine_has_tools_of_its_own),
        ON_FOLDER(test_newer_schema_that_cannot_be_read_is_refused),
    };

    if (fixture_is_shared())
        return FIXTURE_SKIPPED; /* of the engine that stands in */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
