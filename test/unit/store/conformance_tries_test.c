/* Conformance: failures and tries under way, and tokens that other nodes may forbid; on whichever
 * engine the fixture opens. */
#include "fixture.h"
#include "store/shared.h"
#include "store/tries.h"

static const unsigned char key[DIGEST_BYTES] = { 1, 2, 3 };
static const struct try_limits limits = { 5, 100 };

/* What is long past leaves the store. */
static int64_t minute_of(const struct fixture *fixture)
{
    return fixture->now / 60;
}

static struct throttle row_of(struct fixture *fixture)
{
    struct throttle row = { .minute = 0 };
    enum rc rc = store_find_throttle(fixture->store, key, &row);

    assert_true(rc == RC_OK || rc == RC_NOT_FOUND);
    memcpy(row.key, key, DIGEST_BYTES);
    return row;
}

static enum rc begin(struct fixture *fixture, const struct throttle *read, int64_t minute,
                     int64_t *out_count)
{
    struct throttle counted = *read;

    counted.minute = minute;
    return COMMIT_ONE(fixture, store_begin_try, read, &counted, &limits, out_count);
}

static int64_t end(struct fixture *fixture, int64_t minute, bool is_failure)
{
    const struct try_end ending = { .minute = minute,
                                    .is_failure = is_failure,
                                    .at = fixture->now + 7 };
    int64_t count = -1;

    assert_int_equal(COMMIT_ONE(fixture, store_end_try, key, &ending, &count), RC_OK);
    return count;
}

static void test_tries_are_counted_while_they_last(void **state)
{
    struct fixture *fixture = *state;
    int64_t minute = minute_of(fixture);
    struct throttle none = row_of(fixture);
    struct throttle row;
    int64_t count = -1;

    assert_int_equal(begin(fixture, &none, minute, &count), RC_OK);
    assert_int_equal(count, 0);
    row = row_of(fixture);
    assert_int_equal(row.minute, minute);
    assert_int_equal(row.under_way_count, 1);
    /* Others may have changed it since it was read: among the free ones that does not matter. */
    assert_int_equal(begin(fixture, &none, minute, &count), RC_OK);
    assert_int_equal(row_of(fixture).under_way_count, 2);
    assert_int_equal(end(fixture, minute, false), 0);
    assert_int_equal(end(fixture, minute, true), 1);
    row = row_of(fixture);
    assert_int_equal(row.under_way_count, 0);
    assert_int_equal(row.last_failure_at, fixture->now + 7);
    assert_int_equal(end(fixture, minute, false), 1); /* never below zero */
    assert_int_equal(row_of(fixture).under_way_count, 0);
}

static void test_at_most_as_many_as_may_be(void **state)
{
    struct fixture *fixture = *state;
    int64_t minute = minute_of(fixture);
    struct throttle none = row_of(fixture);
    struct throttle row;
    int64_t count = -1;

    assert_int_equal(begin(fixture, &none, minute, &count), RC_OK);
    row = row_of(fixture);
    for (int i = 1; i < 100; i++)
        assert_int_equal(begin(fixture, &none, minute, &count), RC_OK);
    assert_int_equal(begin(fixture, &none, minute, &count), RC_SPENT);
    assert_int_equal(begin(fixture, &row, minute, &count), RC_SPENT);
    assert_int_equal(row_of(fixture).under_way_count, 100);
    assert_int_equal(end(fixture, minute, false), 0);
    assert_int_equal(begin(fixture, &none, minute, &count), RC_OK);
}

static void test_a_held_row_decides_for_one(void **state)
{
    struct fixture *fixture = *state;
    int64_t minute = minute_of(fixture);
    struct throttle row;
    int64_t count = -1;

    for (int i = 0; i < 5; i++)
        assert_int_equal(COMMIT_ONE(fixture, store_count_failure, key, fixture->now + i), RC_OK);
    row = row_of(fixture);
    assert_int_equal(row.failure_count, 5);
    assert_int_equal(begin(fixture, &row, minute, &count), RC_OK);
    assert_int_equal(count, 5);
    assert_int_equal(begin(fixture, &row, minute, &count), RC_SPENT);
    row = row_of(fixture);
    row.last_failure_at++;
    assert_int_equal(begin(fixture, &row, minute, &count), RC_SPENT);
}

/* What whoever begins decided not to count any more is forgotten by it. */
static void test_what_counts_no_more_goes(void **state)
{
    struct fixture *fixture = *state;
    int64_t minute = minute_of(fixture);
    struct throttle row;
    struct throttle counted;
    int64_t count = -1;

    for (int i = 0; i < 7; i++)
        assert_int_equal(COMMIT_ONE(fixture, store_count_failure, key, fixture->now), RC_OK);
    row = row_of(fixture);
    counted = row;
    counted.failure_count = 0;
    counted.last_failure_at = fixture->now + 9;
    counted.minute = minute;
    assert_int_equal(COMMIT_ONE(fixture, store_begin_try, &row, &counted, &limits, &count), RC_OK);
    assert_int_equal(count, 0);
    row = row_of(fixture);
    assert_int_equal(row.failure_count, 0);
    assert_int_equal(row.last_failure_at, fixture->now + 9);
    assert_int_equal(row.under_way_count, 1);
}

/* A try that ends in the minute after its own is taken off that one's. */
static void test_minutes(void **state)
{
    struct fixture *fixture = *state;
    int64_t minute = minute_of(fixture);
    struct throttle none = row_of(fixture);
    struct throttle row;
    struct throttle counted;
    int64_t count = -1;

    assert_int_equal(begin(fixture, &none, minute, &count), RC_OK);
    row = row_of(fixture);
    counted = row;
    counted.minute = minute + 1;
    counted.under_way_count = 0;
    counted.under_way_before_count = 1;
    assert_int_equal(COMMIT_ONE(fixture, store_begin_try, &row, &counted, &limits, &count), RC_OK);
    row = row_of(fixture);
    assert_int_equal(row.under_way_count, 1);
    assert_int_equal(row.under_way_before_count, 1);
    assert_int_equal(begin(fixture, &none, minute + 2, &count),
                     RC_SPENT); /* not of another minute */
    assert_int_equal(end(fixture, minute, false), 0);
    row = row_of(fixture);
    assert_int_equal(row.under_way_count, 1);
    assert_int_equal(row.under_way_before_count, 0);
    assert_int_equal(end(fixture, minute - 1, false), 0);
    assert_int_equal(row_of(fixture).under_way_count, 1);
    assert_int_equal(end(fixture, minute + 1, false), 0);
    assert_int_equal(row_of(fixture).under_way_count, 0);
}

static void test_rows_are_found_together(void **state)
{
    struct fixture *fixture = *state;
    unsigned char keys[THROTTLE_KEY_COUNT][DIGEST_BYTES] = { { 9 }, { 8 }, { 7 }, { 6 }, { 5 } };
    struct throttle rows[THROTTLE_KEY_COUNT];

    assert_int_equal(COMMIT_ONE(fixture, store_put_mark, keys[1], fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_put_mark, keys[1], fixture->now + 1), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_count_failure, keys[4], fixture->now + 2), RC_OK);
    assert_int_equal(store_find_throttles(fixture->store, keys, rows), RC_OK);
    for (size_t i = 0; i < THROTTLE_KEY_COUNT; i++)
        assert_memory_equal(rows[i].key, keys[i], DIGEST_BYTES);
    assert_int_equal(rows[0].failure_count, 0);
    assert_int_equal(rows[1].last_failure_at, fixture->now + 1);
    assert_int_equal(rows[4].failure_count, 1);
    assert_int_equal(rows[4].last_failure_at, fixture->now + 2);
}

static void test_windows(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = fixture->now;

    for (int i = 0; i < 3; i++)
        assert_int_equal(COMMIT_ONE(fixture, store_count_in_window, key, 3, 600, now + 299 * i),
                         RC_OK);
    assert_int_equal(row_of(fixture).failure_count, 3);
    assert_int_equal(row_of(fixture).last_failure_at, now);
    /* One more than may be, in the last second of the while. */
    assert_int_equal(COMMIT_ONE(fixture, store_count_in_window, key, 3, 600, now + 599),
                     RC_TOO_LARGE);
    assert_int_equal(row_of(fixture).failure_count, 3);
    assert_int_equal(COMMIT_ONE(fixture, store_count_in_window, key, 3, 600, now + 600), RC_OK);
    assert_int_equal(row_of(fixture).failure_count, 1);
    assert_int_equal(row_of(fixture).last_failure_at, now + 600);
    /* A clock that went back. */
    assert_int_equal(COMMIT_ONE(fixture, store_count_in_window, key, 3, 600, now - 1), RC_OK);
    assert_int_equal(row_of(fixture).failure_count, 1);
    assert_int_equal(row_of(fixture).last_failure_at, now - 1);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static enum rc issue(struct fixture *fixture, const struct grant *grant, bool is_long)
{
    struct token token = sample_token(fixture, grant->id, is_long);
    struct token found;
    enum rc rc = COMMIT_ONE(fixture, store_insert_permitted_token, &token);

    assert_int_equal(store_find_token(fixture->store, token.id, &found),
                     rc == RC_OK ? RC_OK : RC_NOT_FOUND);
    return rc;
}

static void test_token_of_what_is_permitted(void **state)
{
    struct fixture *fixture = *state;
    struct client client = sample_client(fixture, "app");
    struct service one = sample_service(fixture, "one.example");
    struct service other = sample_service(fixture, "example");
    struct grant grant = sample_grant(fixture, true); /* audience: one.example two.example */

    grant.client_id = client.id;
    other.is_disabled = true; /* part of a name is another name */
    assert_int_equal(COMMIT_ONE(fixture, store_insert_service, &one), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_service, &other), RC_OK);
    assert_int_equal(issue(fixture, &grant, false), RC_NOT_FOUND); /* no grant */
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grant), RC_OK);
    assert_int_equal(issue(fixture, &grant, false), RC_NOT_FOUND); /* no client */
    assert_int_equal(COMMIT_ONE(fixture, store_insert_client, &client), RC_OK);
    assert_int_equal(issue(fixture, &grant, false), RC_OK);
    assert_int_equal(issue(fixture, &grant, true), RC_OK);
    one.is_disabled = true;
    assert_int_equal(COMMIT_ONE(fixture, store_update_service, &one), RC_OK);
    assert_int_equal(issue(fixture, &grant, false), RC_NOT_FOUND);
    one.is_disabled = false;
    assert_int_equal(COMMIT_ONE(fixture, store_update_service, &one), RC_OK);
    client.is_disabled = true;
    assert_int_equal(COMMIT_ONE(fixture, store_update_client, &client), RC_OK);
    assert_int_equal(issue(fixture, &grant, true), RC_NOT_FOUND);
    client.is_disabled = false;
    assert_int_equal(COMMIT_ONE(fixture, store_update_client, &client), RC_OK);
    assert_int_equal(issue(fixture, &grant, false), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, grant.id, fixture->now), RC_OK);
    assert_int_equal(issue(fixture, &grant, false), RC_NOT_FOUND);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_tries_are_counted_while_they_last),
        ON_STORE(test_at_most_as_many_as_may_be),
        ON_STORE(test_a_held_row_decides_for_one),
        ON_STORE(test_what_counts_no_more_goes),
        ON_STORE(test_minutes),
        ON_STORE(test_rows_are_found_together),
        ON_STORE(test_windows),
        ON_STORE(test_token_of_what_is_permitted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
