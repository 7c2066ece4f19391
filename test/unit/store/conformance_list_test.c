/* Conformance, part seven: what pages about accounts ask for besides: lists upwards, last uses,
 * counts, the newest link; on whichever engine the fixture opens. */
#include "people.h"

#include "store/trail.h"

static void test_permanents_are_listed_upwards(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent made[5];
    struct permanent rows[3];
    size_t count = 0;

    for (int index = 0; index < 5; index++)
        made[index] = insert_permanent(fixture, index == 2 ? 72 : 71, 0);
    assert_int_equal(store_list_permanents_up(fixture->store, 71, made[0].grant.id - 1,
                                              &fixture->arena, rows, 3, &count),
                     RC_OK);
    assert_int_equal(count, 3);
    assert_int_equal(rows[0].id, made[0].grant.id);
    assert_int_equal(rows[1].id, made[1].grant.id);
    assert_int_equal(rows[2].id, made[3].grant.id);
    assert_int_equal(store_list_permanents_up(fixture->store, 71, made[3].grant.id, &fixture->arena,
                                              rows, 3, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].id, made[4].grant.id);
    assert_int_equal(store_list_permanents_up(fixture->store, 71, made[4].grant.id, &fixture->arena,
                                              rows, 3, &count),
                     RC_OK);
    assert_int_equal(count, 0);
}

static void test_living_permanents_are_counted(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent endless = insert_permanent(fixture, 71, 0);
    struct made_permanent ended = insert_permanent(fixture, 71, 0);
    size_t count = 0;

    (void)insert_permanent(fixture, 72, fixture->now + 60);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, ended.grant.id, fixture->now), RC_OK);
    assert_int_equal(store_count_permanents(fixture->store, fixture->now + 59, &count), RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(store_count_permanents(fixture->store, fixture->now + 60, &count), RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, endless.grant.id, fixture->now), RC_OK);
    assert_int_equal(store_count_permanents(fixture->store, fixture->now, &count), RC_OK);
    assert_int_equal(count, 1);
}

static int64_t last_use_of(struct fixture *fixture, int64_t grant_id)
{
    struct grant grant = { 0 };

    assert_int_equal(store_find_grant(fixture->store, grant_id, &fixture->arena, &grant), RC_OK);
    return grant.last_used_at;
}

static void test_last_use_of_a_grant_only_moves_forward(void **state)
{
    struct fixture *fixture = *state;
    struct grant grant = sample_grant(fixture, true);

    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grant), RC_OK);
    assert_int_equal(last_use_of(fixture, grant.id), 0);
    assert_int_equal(COMMIT_ONE(fixture, store_touch_grant, grant.id, fixture->now + 20), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_touch_grant, grant.id, fixture->now + 10), RC_OK);
    assert_int_equal(last_use_of(fixture, grant.id), fixture->now + 20);
    assert_int_equal(COMMIT_ONE(fixture, store_touch_grant, grant.id + 1000, fixture->now), RC_OK);
}

static struct link insert_link(struct fixture *fixture, int64_t account_id,
                               enum link_purpose purpose, int64_t expires_at)
{
    struct link link = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                         .purpose = purpose,
                         .account_id = account_id,
                         .email = STR("ada@example.org"),
                         .expires_at = expires_at };

    memcpy(link.digest, &link.id, sizeof(link.id));
    assert_int_equal(COMMIT_ONE(fixture, store_insert_link, &link), RC_OK);
    return link;
}

static void test_newest_link_of_an_account(void **state)
{
    struct fixture *fixture = *state;
    int64_t until = fixture->now + 60;
    struct link newest;
    struct link found;

    (void)insert_link(fixture, 7, LINK_VERIFY, until);
    newest = insert_link(fixture, 7, LINK_VERIFY, until);
    (void)insert_link(fixture, 7, LINK_RESET, until);
    (void)insert_link(fixture, 8, LINK_VERIFY, until);
    (void)insert_link(fixture, 0, LINK_VERIFY, until);
    (void)insert_link(fixture, 7, LINK_VERIFY, fixture->now);
    assert_int_equal(store_find_link_of_account(fixture->store, 7, LINK_VERIFY, fixture->now,
                                                &fixture->arena, &found),
                     RC_OK);
    assert_int_equal(found.id, newest.id);
    ASSERT_STR(found.email, "ada@example.org");
    assert_int_equal(
        store_find_link_of_account(fixture->store, 7, LINK_VERIFY, until, &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(store_find_link_of_account(fixture->store, 0, LINK_VERIFY, fixture->now,
                                                &fixture->arena, &found),
                     RC_NOT_FOUND);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

static void test_events_are_searched_within_bounds(void **state)
{
    struct fixture *fixture = *state;
    struct event_filter filter = { .since = 20, .until = 30 };
    struct event found[4], back;
    size_t count;

    for (int64_t at = 10; at <= 40; at += 10) {
        const struct event event = { .at = at, .kind = EVENT_SIGNED_IN };

        assert_int_equal(COMMIT_ONE(fixture, store_insert_event, &event), RC_OK);
    }
    assert_int_equal(
        store_search_events(fixture->store, &filter, INT64_MAX, &fixture->arena, found, 4, &count),
        RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(found[0].at, 30);
    assert_int_equal(found[1].at, 20);
    filter = (struct event_filter){ .after_id = found[1].id };
    assert_int_equal(
        store_search_events(fixture->store, &filter, INT64_MAX, &fixture->arena, found, 4, &count),
        RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(found[1].at, 30);
    assert_int_equal(store_find_event_back(fixture->store, INT64_MAX, 1, &back), RC_OK);
    assert_int_equal(back.id, found[1].id);
    assert_int_equal(back.at, 30);
    assert_int_equal(store_find_event_back(fixture->store, back.id, 2, &back), RC_NOT_FOUND);
}

/* Of many at once that go by the same reading one commits. */
static void test_account_is_expected(void **state)
{
    struct fixture *fixture = *state;
    struct account account = {
        .id = 4711, .name = STR("expected"), .full_name = STR("As Read"), .created_at = 1
    };
    struct store_unit unit;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    for (int i = 0; i < 2; i++) {
        store_unit_init(&unit);
        store_expect_account(&unit, &account);
        store_update_profile(&unit, account.id, STR("Another"), STR(""));
        assert_int_equal(store_commit(fixture->store, &unit), i == 0 ? RC_OK : RC_SPENT);
    }
    assert_int_equal(unit.answered_step, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_events_are_searched_within_bounds),
        ON_STORE(test_account_is_expected),
        ON_STORE(test_permanents_are_listed_upwards),
        ON_STORE(test_living_permanents_are_counted),
        ON_STORE(test_last_use_of_a_grant_only_moves_forward),
        ON_STORE(test_newest_link_of_an_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
