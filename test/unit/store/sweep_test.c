/* Expired rows leave, what still speaks stays, and the file does not grow. */
#include <time.h>

#include "fixture.h"

enum { WAIT_MS = 60 * 1000 };

static void pause_shortly(void)
{
    const struct timespec pause = { .tv_nsec = 2 * 1000 * 1000 };

    nanosleep(&pause, NULL);
}

/* Waits until that many rows were swept since; the writer does it alone when nobody writes. */
static void wait_for_sweep(struct fixture *fixture, uint64_t row_count)
{
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    struct store_counts counts;

    do {
        pause_shortly();
        store_counts(fixture->store, &counts);
    } while (counts.swept_rows < row_count && clock_monotonic_ms() < deadline_ms);
    assert_int_equal(counts.swept_rows, row_count);
}

/* Twelve tokens in one unit. */
static void insert_dozen(struct fixture *fixture, int64_t expires_at)
{
    struct store_unit unit;
    int index;

    store_unit_init(&unit);
    for (index = 0; index < STORE_UNIT_STEP_COUNT_MAX; index++) {
        struct token token = sample_token(fixture, 5, false);

        token.expires_at = expires_at;
        store_insert_token(&unit, &token);
    }
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

static size_t count_tokens(struct fixture *fixture)
{
    struct token rows[STORE_LIST_ROW_COUNT_MAX];
    int64_t after_id = 0;
    size_t total = 0;
    size_t count = 0;

    do {
        total += count;
        assert_int_equal(
            store_list_tokens(fixture->store, after_id, 0, rows, STORE_LIST_ROW_COUNT_MAX, &count),
            RC_OK);
        after_id = count == 0 ? 0 : rows[count - 1].id;
    } while (count > 0);
    return total;
}

static void test_idle_store_sweeps_what_expired(void **state)
{
    struct fixture *fixture = *state;
    int index;

    /* Expired and living ones in turn, over many pages. */
    for (index = 0; index < 100; index++)
        insert_dozen(fixture, index % 2 == 0 ? fixture->now - 1 : fixture->now + 3600);
    insert_dozen(fixture, 0);
    wait_for_sweep(fixture, 50 * 12);
    assert_int_equal(count_tokens(fixture), 51 * 12);
}

/* No turn of the clock brings a token back: its revocation stays as long as the token. */
static void test_revocation_stays_as_long_as_its_token(void **state)
{
    struct fixture *fixture = *state;
    struct token token = sample_token(fixture, 5, true);
    struct spent_token spent;
    struct token found;
    struct grant family = sample_family(fixture);

    token.expires_at = fixture->now + 3600;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, token.id, family.id, 1, fixture->now,
                                fixture->now - 1),
                     RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_revoke_token, token.id, fixture->now, fixture->now - 1), RC_OK);
    /* The two that belong to no token leave; these two do not. */
    assert_int_equal(
        COMMIT_ONE(fixture, store_revoke_token, 1000001, fixture->now, fixture->now - 1), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, 1000002, family.id, 1, fixture->now,
                                fixture->now - 1),
                     RC_OK);
    wait_for_sweep(fixture, 2);
    assert_int_equal(store_find_token(fixture->store, token.id, &found), RC_OK);
    assert_true(found.is_revoked && found.is_spent);
    assert_int_equal(store_find_spent(fixture->store, 1000002, &spent), RC_NOT_FOUND);
}

static void test_replays_grants_and_failures_leave_in_their_time(void **state)
{
    enum { DAY_S = 86400 };
    struct fixture *fixture = *state;
    struct grant ended = sample_grant(fixture, true);
    struct grant expired = sample_grant(fixture, true);
    struct grant fresh = sample_grant(fixture, true);
    unsigned char old_key[DIGEST_BYTES] = { 1 };
    unsigned char new_key[DIGEST_BYTES] = { 2 };
    struct throttle throttle;
    struct grant found;

    ended.ended_at = fixture->now - 31 * DAY_S;
    expired.expires_at = fixture->now - 1;
    fresh.ended_at = fixture->now - 29 * DAY_S;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &ended), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &expired), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &fresh), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_replay, 1, fixture->now - 1, STR("x")),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_replay, 2, fixture->now + 3600, STR("x")),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_count_failure, new_key, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_count_failure, old_key, fixture->now - 31 * DAY_S),
                     RC_OK);
    wait_for_sweep(fixture, 4);
    assert_int_equal(store_find_grant(fixture->store, ended.id, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(store_find_grant(fixture->store, expired.id, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(store_find_grant(fixture->store, fresh.id, &fixture->arena, &found), RC_OK);
    assert_int_equal(store_find_throttle(fixture->store, old_key, &throttle), RC_NOT_FOUND);
    assert_int_equal(store_find_throttle(fixture->store, new_key, &throttle), RC_OK);
}

static void test_locked_name_stays_locked(void **state)
{
    struct fixture *fixture = *state;
    unsigned char locked_key[DIGEST_BYTES] = { 3 };
    unsigned char old_key[DIGEST_BYTES] = { 1 };
    struct throttle throttle;
    struct store_unit unit;
    int index;
    int round;

    for (round = 0; round < 10; round++) {
        store_unit_init(&unit);
        for (index = 0; index < 10; index++)
            store_count_failure(&unit, locked_key,
                                round < 9 ? fixture->now : fixture->now - 100 * 86400);
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    }
    assert_int_equal(COMMIT_ONE(fixture, store_count_failure, old_key, fixture->now - 31 * 86400),
                     RC_OK);
    wait_for_sweep(fixture, 1);
    assert_int_equal(store_find_throttle(fixture->store, locked_key, &throttle), RC_OK);
    assert_int_equal(throttle.failure_count, 100);
}

static void test_file_does_not_grow_when_tokens_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    const off_t one_round_bytes = (off_t)200 * STORE_UNIT_STEP_COUNT_MAX * 64;
    uint64_t swept = 0;
    off_t bytes = 0;
    int round;

    for (round = 1; round <= 6; round++) {
        int unit;

        for (unit = 0; unit < 200; unit++)
            insert_dozen(fixture, fixture->now - 1);
        swept += (uint64_t)200 * STORE_UNIT_STEP_COUNT_MAX;
        wait_for_sweep(fixture, swept);
        if (round == 1) {
            fixture_reopen(
                fixture); /* the log goes back into the file, and counting starts again */
            swept = 0;
            bytes = fixture_file_bytes(fixture, "jeton.db");
        }
    }
    store_close(fixture->store);
    fixture->store = NULL;
    assert_true(bytes > 0);
    assert_true(fixture_file_bytes(fixture, "jeton.db") <= bytes + 2 * one_round_bytes);
    fixture_open(fixture);
    assert_int_equal(count_tokens(fixture), 0);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_idle_store_sweeps_what_expired),
        ON_STORE(test_revocation_stays_as_long_as_its_token),
        ON_STORE(test_replays_grants_and_failures_leave_in_their_time),
        ON_STORE(test_locked_name_stays_locked),
        ON_STORE(test_file_does_not_grow_when_tokens_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
