/* The change feed of a shared store: told, late, lost, back, and not the one that it was. */
#include "fixture.h"
#include "stand_in.h"
#include "store/shared.h"

static int set_up(void **state)
{
    stand_in_reset();
    return fixture_setup_open(state);
}

static int tear_down(void **state)
{
    stand_in_reset();
    return fixture_teardown(state);
}

/* What is a day old may be swept before the feed is read. */
#define NOW             "unixepoch()"

#define WITH_FEED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static unsigned told_count(struct fixture *fixture)
{
    unsigned count;

    pthread_mutex_lock(&fixture->store->listener_lock);
    count = fixture->change_count;
    pthread_mutex_unlock(&fixture->store->listener_lock);
    return count;
}

static bool is_told_everything(struct fixture *fixture)
{
    bool is_told = false;

    pthread_mutex_lock(&fixture->store->listener_lock);
    for (unsigned index = 0; index < fixture->change_count; index++)
        is_told = is_told || fixture->changes[index].kind == CHANGE_ALL;
    pthread_mutex_unlock(&fixture->store->listener_lock);
    return is_told;
}

static struct store_feed_view view(struct fixture *fixture)
{
    struct store_feed_view seen;

    store_view_feed(fixture->store, &seen);
    return seen;
}

static enum rc commit_something(struct fixture *fixture)
{
    return COMMIT_ONE(fixture, store_revoke_token, 999, fixture->now, fixture->now + 60);
}

static void test_others_are_heard_in_order(void **state)
{
    struct fixture *fixture = *state;
    char text[1024] = "BEGIN;";

    for (int key = 1; key <= 5; key++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "INSERT INTO change (at, kind, key) VALUES (" NOW ", %d, %d);",
                 CHANGE_TOKEN_REVOKED, key);
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "COMMIT");
    stand_in_write(fixture->dir, text);
    WAIT_UNTIL(told_count(fixture) == 5);
    for (int key = 1; key <= 5; key++) {
        assert_int_equal(fixture->changes[key - 1].kind, CHANGE_TOKEN_REVOKED);
        assert_int_equal(fixture->changes[key - 1].key, key);
    }
    assert_int_equal(view(fixture).change_count, 5);
    assert_false(is_told_everything(fixture));
}

/* More than a page, and what a newer program may write of. */
static void test_many_are_heard(void **state)
{
    enum { MANY = 1000 };
    struct fixture *fixture = *state;

    stand_in_write(fixture->dir,
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                   " INSERT INTO change (at, kind, key) SELECT " NOW ", 77, i FROM n");
    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 5);
    WAIT_UNTIL(told_count(fixture) == 1);
    assert_int_equal(fixture->changes[0].kind, CHANGE_ACCOUNT);
    assert_int_equal(view(fixture).change_count, MANY + 1);
}

/* What was there when the store was opened is no news. */
static void test_old_rows_are_not_told(void **state)
{
    struct fixture *fixture = *state;

    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 1);
    WAIT_UNTIL(told_count(fixture) == 1);
    fixture_reopen(fixture);
    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 2);
    WAIT_UNTIL(told_count(fixture) == 2);
    assert_int_equal(fixture->changes[1].key, 2);
}

/* A feed that stands still: nothing is believed after a second, and nothing is committed. */
static void test_a_late_feed_is_not_trusted(void **state)
{
    struct fixture *fixture = *state;

    assert_true(store_is_trusted(fixture->store));
    atomic_store(&stand_in.is_feed_held, true);
    WAIT_UNTIL(!store_is_trusted(fixture->store));
    assert_true(view(fixture).age_ms >= STORE_TRUST_MS);
    assert_int_equal(commit_something(fixture), RC_UNAVAILABLE);
    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 4);
    atomic_store(&stand_in.is_feed_held, false);
    WAIT_UNTIL(store_is_trusted(fixture->store));
    /* In this order: first told, then trusted. */
    assert_int_equal(told_count(fixture), 1);
    assert_int_equal(commit_something(fixture), RC_OK);
}

static void test_a_lost_engine_comes_back(void **state)
{
    struct fixture *fixture = *state;
    uint64_t generation = atomic_load(&fixture->store->feed.generation);
    int64_t id;

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_TOKEN, &id), RC_OK);
    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 1);
    WAIT_UNTIL(told_count(fixture) == 1);
    atomic_store(&stand_in.is_down, true);
    WAIT_UNTIL(!store_is_trusted(fixture->store));
    WAIT_UNTIL(!store_is_writable(fixture->store));
    WAIT_UNTIL(view(fixture).loss_count == 1);
    assert_int_equal(commit_something(fixture), RC_UNAVAILABLE);
    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 2);
    atomic_store(&stand_in.is_down, false);
    WAIT_UNTIL(store_is_trusted(fixture->store) && store_is_writable(fixture->store));
    assert_int_equal(told_count(fixture), 2);
    assert_false(is_told_everything(fixture));
    assert_int_equal(view(fixture).loss_count, 1);
    assert_true(atomic_load(&fixture->store->feed.generation) > generation);
    assert_int_equal(commit_something(fixture), RC_OK);
    /* Ids that were leased are given out no more. */
    int64_t later;
    assert_int_equal(store_next_id(fixture->store, SEQUENCE_TOKEN, &later), RC_OK);
    assert_true(later > id + 1);
}

/* A replica that knew less has taken over. */
static void test_a_feed_that_went_back_is_noticed(void **state)
{
    struct fixture *fixture = *state;

    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 1);
    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 2);
    WAIT_UNTIL(told_count(fixture) == 2);
    stand_in_write(fixture->dir, "DELETE FROM change WHERE key = 2");
    WAIT_UNTIL(is_told_everything(fixture));
    assert_true(store_is_trusted(fixture->store));
    assert_int_equal(told_count(fixture), 3);
    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 3);
    WAIT_UNTIL(told_count(fixture) == 4);
    assert_int_equal(fixture->changes[3].key, 3);
}

/* The same, and others have written there since. */
static void test_another_feed_of_the_same_length_is_noticed(void **state)
{
    struct fixture *fixture = *state;

    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 1);
    WAIT_UNTIL(told_count(fixture) == 1);
    stand_in_write(fixture->dir, "UPDATE change SET key = 9;"
                                 "INSERT INTO change (at, kind, key) VALUES (" NOW ", 1, 10)");
    WAIT_UNTIL(is_told_everything(fixture));
    assert_int_equal(told_count(fixture), 2);
}

/* Of the last row that was read nothing may be another; what no program here knows is passed over.
 */
static void test_a_row_that_became_another_is_noticed(void **state)
{
    struct fixture *fixture = *state;

    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 1);
    WAIT_UNTIL(told_count(fixture) == 1);
    stand_in_write(fixture->dir, "UPDATE change SET at = at - 1");
    WAIT_UNTIL(told_count(fixture) == 2);
    assert_int_equal(fixture->changes[1].kind, CHANGE_ALL);
    stand_in_write(fixture->dir, "UPDATE change SET kind = kind + 1");
    WAIT_UNTIL(told_count(fixture) == 3);
    assert_int_equal(fixture->changes[2].kind, CHANGE_ALL);
    stand_in_write(fixture->dir, "INSERT INTO change (at, kind, key) VALUES (" NOW ", -1, 7)");
    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 3);
    WAIT_UNTIL(told_count(fixture) == 4);
    assert_int_equal(fixture->changes[3].key, 3);
}

/* Half of the time that rows are kept for is too long. */
static void test_a_day_without_the_feed_is_too_long(void **state)
{
    struct fixture *fixture = *state;

    atomic_store(&stand_in.is_down, true);
    WAIT_UNTIL(!store_is_trusted(fixture->store));
    atomic_fetch_sub(&fixture->store->feed.read_at_ms, 12 * 3600 * 1000);
    atomic_store(&stand_in.is_down, false);
    WAIT_UNTIL(store_is_trusted(fixture->store));
    assert_true(is_told_everything(fixture));
}

static void test_clocks_are_compared(void **state)
{
    struct fixture *fixture = *state;

    atomic_store(&stand_in.clock_ahead_ms, 7000);
    WAIT_UNTIL(view(fixture).clock_offset_ms > STORE_CLOCK_OFFSET_MS_MAX);
    assert_true(view(fixture).clock_offset_ms <= 7000);
    atomic_store(&stand_in.clock_ahead_ms, -8000);
    WAIT_UNTIL(view(fixture).clock_offset_ms < -STORE_CLOCK_OFFSET_MS_MAX);
}

/* Nobody that is told nothing more is called. */
static void test_an_end_to_listening(void **state)
{
    struct fixture *fixture = *state;

    store_unlisten(fixture->store, fixture);
    store_unlisten(fixture->store, fixture);
    assert_int_equal(commit_something(fixture), RC_OK);
    stand_in_change(fixture->dir, CHANGE_ACCOUNT, 1);
    WAIT_UNTIL(view(fixture).change_count >= 2);
    assert_int_equal(fixture->change_count, 0);
}

/* One of several sweeps. */
static void test_who_has_not_the_turn_does_not_sweep(void **state)
{
    struct fixture *fixture = *state;
    struct store_counts counts;
    char text[160];

    WAIT_UNTIL(atomic_load(&stand_in.begin_count) > 0);
    snprintf(text, sizeof(text), "INSERT OR REPLACE INTO job VALUES (1, 12345, %lld)",
             (long long)clock_now_s() + 3600);
    store_close(fixture->store);
    stand_in_write(fixture->dir, text);
    fixture_open(fixture);
    for (int index = 0; index < 200; index++)
        assert_int_equal(
            COMMIT_ONE(fixture, store_revoke_token, 1000 + index, fixture->now, fixture->now - 1),
            RC_OK);
    stand_in_pause(1500);
    store_counts(fixture->store, &counts);
    assert_int_equal(counts.swept_rows, 0);
    stand_in_write(fixture->dir, "UPDATE job SET until = 1");
    do {
        stand_in_pause(20);
        store_counts(fixture->store, &counts);
    } while (counts.swept_rows < 200 && clock_now_s() < fixture->now + WAIT_MS / 1000 + 30);
    assert_int_equal(counts.swept_rows, 200);
}

/* A quiet process asks for the feed five times a second, and for the sweep once in five. */
static void test_a_quiet_process_costs_little(void **state)
{
    enum { WATCHED_MS = 3000 };
    struct fixture *fixture = *state;
    unsigned begin_count;
    unsigned query_count;

    (void)fixture;
    WAIT_UNTIL(atomic_load(&stand_in.begin_count) > 0);
    stand_in_pause(500);
    begin_count = atomic_load(&stand_in.begin_count);
    query_count = atomic_load(&stand_in.query_count);
    stand_in_pause(WATCHED_MS);
    assert_true(atomic_load(&stand_in.begin_count) - begin_count <= 2);
    assert_true(atomic_load(&stand_in.query_count) - query_count <= WATCHED_MS / 200 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FEED(test_others_are_heard_in_order),
        WITH_FEED(test_many_are_heard),
        WITH_FEED(test_old_rows_are_not_told),
        WITH_FEED(test_a_late_feed_is_not_trusted),
        WITH_FEED(test_a_lost_engine_comes_back),
        WITH_FEED(test_a_feed_that_went_back_is_noticed),
        WITH_FEED(test_another_feed_of_the_same_length_is_noticed),
        WITH_FEED(test_a_row_that_became_another_is_noticed),
        WITH_FEED(test_a_day_without_the_feed_is_too_long),
        WITH_FEED(test_clocks_are_compared),
        WITH_FEED(test_an_end_to_listening),
        WITH_FEED(test_who_has_not_the_turn_does_not_sweep),
        WITH_FEED(test_a_quiet_process_costs_little),
    };

    const char *engine = getenv("JETON_TEST_STORE");

    /* The stand-in is SQLite's driver. */
    if (engine != NULL && strcmp(engine, "sqlite") != 0)
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
