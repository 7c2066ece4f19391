/* Conformance, part three: units, the change feed, ids; on whichever engine the fixture opens. */
#include "fixture.h"

static void test_refused_unit_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct account account = sample_account(fixture, "ada");
    struct account same = sample_account(fixture, "ADA");
    struct token token = sample_token(fixture, 5, false);
    struct store_unit unit;
    struct token found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    fixture->change_count = 0;
    store_unit_init(&unit);
    store_insert_token(&unit, &token);
    store_insert_account(&unit, &same);
    assert_int_equal(store_commit(fixture->store, &unit), RC_EXISTS);
    assert_int_equal(store_find_token(fixture->store, token.id, &found), RC_NOT_FOUND);
    assert_int_equal(fixture->change_count, 0);
}

/* A broken constraint behind a step that was no refusal: nobody expected it, and it is undone too.
 */
static void test_unexpected_constraint_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct token token = sample_token(fixture, 5, false);
    struct event event = { .at = fixture->now, .kind = EVENT_TOKEN_ISSUED, .detail = STR("") };
    struct event found[2];
    struct store_unit unit;
    size_t count;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_OK);
    store_unit_init(&unit);
    store_insert_event(&unit, &event);
    store_insert_token(&unit, &token);
    assert_int_equal(store_commit(fixture->store, &unit), RC_EXISTS);
    assert_int_equal(
        store_list_events(fixture->store, INT64_MAX, &fixture->arena, found, 2, &count), RC_OK);
    assert_int_equal(count, 0);
    assert_true(store_is_writable(fixture->store));
}

static void test_empty_unit_is_fine(void **state)
{
    struct fixture *fixture = *state;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

static void test_unit_owns_digests_and_folded_names(void **state)
{
    struct fixture *fixture = *state;
    struct token *token = malloc(sizeof(*token));
    struct token found;
    struct store_unit unit;
    int64_t id;

    assert_non_null(token);
    *token = sample_token(fixture, 5, false);
    id = token->id;
    store_unit_init(&unit);
    store_insert_token(&unit, token);
    memset(token, 0xee, sizeof(*token));
    free(token);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(store_find_token(fixture->store, id, &found), RC_OK);
    assert_int_equal(found.digest[31], (unsigned char)id);
}

static void test_feed_tells_changes_in_order_before_commit_returns(void **state)
{
    struct fixture *fixture = *state;
    struct service service = sample_service(fixture, "svc");
    struct client client = sample_client(fixture, "cli");
    struct store_unit unit;
    unsigned index;

    fixture->change_count = 0;
    store_unit_init(&unit);
    store_insert_service(&unit, &service);
    store_insert_client(&unit, &client);
    store_end_grant(&unit, 7, fixture->now);
    store_revoke_token(&unit, 8, fixture->now, 0);
    store_delete_key(&unit, 9);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    {
        const struct store_change expected[] = { { CHANGE_SERVICE, service.id },
                                                 { CHANGE_CLIENT, client.id },
                                                 { CHANGE_GRANT_ENDED, 7 },
                                                 { CHANGE_TOKEN_REVOKED, 8 },
                                                 { CHANGE_KEYS, 0 } };

        assert_int_equal(fixture->change_count, 5);
        for (index = 0; index < 5; index++) {
            assert_int_equal(fixture->changes[index].kind, expected[index].kind);
            assert_int_equal(fixture->changes[index].key, expected[index].key);
        }
    }
    /* What issues a token tells nobody: no cache holds what is not there. */
    {
        struct token token = sample_token(fixture, 5, false);

        assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_OK);
        assert_int_equal(fixture->change_count, 5);
    }
}

static void test_ids_grow_and_never_come_twice(void **state)
{
    struct fixture *fixture = *state;
    int64_t last[SEQUENCE_COUNT] = { 0 };
    int round;

    for (round = 0; round < 4; round++) {
        int sequence;

        for (sequence = 0; sequence < SEQUENCE_COUNT; sequence++) {
            int index;

            for (index = 0; index < 5000; index++) {
                int64_t id = fixture_id(fixture, (enum store_sequence)sequence);

                assert_true(id > last[sequence]);
                last[sequence] = id;
                if (sequence != SEQUENCE_TOKEN && index > 200)
                    break;
            }
        }
        fixture_reopen(fixture);
    }
    assert_true(last[SEQUENCE_TOKEN] < STORE_LONG_TOKEN_FIRST);
    assert_true(last[SEQUENCE_LONG_TOKEN] > STORE_LONG_TOKEN_FIRST);
}

static void test_everything_is_there_after_reopening(void **state)
{
    struct fixture *fixture = *state;
    struct account account = sample_account(fixture, "ada");
    struct token token = sample_token(fixture, 5, true);
    struct account found_account;
    struct token found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_OK);
    fixture_reopen(fixture);
    assert_int_equal(
        store_find_account_by_name(fixture->store, STR("ADA"), &fixture->arena, &found_account),
        RC_OK);
    assert_int_equal(store_find_token(fixture->store, token.id, &found), RC_OK);
}

static void test_counts_count(void **state)
{
    struct fixture *fixture = *state;
    struct account account = sample_account(fixture, "ada");
    struct store_counts before;
    struct store_counts after;

    store_counts(fixture->store, &before);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_EXISTS);
    store_counts(fixture->store, &after);
    assert_int_equal(after.queue_depth, 0);
    assert_int_equal(after.units - before.units, 2);
    assert_int_equal(after.unit_refusals - before.unit_refusals, 1);
    assert_int_equal(after.commits - before.commits, 2);
    assert_int_equal(after.faults, 0);
    assert_true(after.commit_ns > before.commit_ns);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_refused_unit_leaves_nothing),
        ON_STORE(test_unexpected_constraint_leaves_nothing),
        ON_STORE(test_empty_unit_is_fine),
        ON_STORE(test_unit_owns_digests_and_folded_names),
        ON_STORE(test_feed_tells_changes_in_order_before_commit_returns),
        ON_STORE(test_ids_grow_and_never_come_twice),
        ON_STORE(test_everything_is_there_after_reopening),
        ON_STORE(test_counts_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
