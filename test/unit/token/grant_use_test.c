/* When tokens of an account's grant were issued or used last, as far as memory and store know. */
#include "permanent_fixture.h"

struct family {
    int64_t grant_id;
    struct token_draft draft;
};

/* A grant with an access token that lives for ten hours. */
static struct family make_family(struct room_fixture *fixture, int64_t account_id, int64_t now)
{
    struct grant_book *grants = token_room_grants(fixture->room);
    struct token_shape shape = { .lifetime_s = 36000 };
    struct grant like = { .client_id = fixture->client_id,
                          .account_id = account_id,
                          .scope = STR("read") };
    struct live_grant *grant;
    struct family family;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants, &like, NULL, now, &unit, &grant), RC_OK);
    assert_int_equal(
        token_draft_access(fixture->room, grant, shape, now, &fixture->arena, &family.draft),
        RC_OK);
    family.grant_id = grant->id;
    store_insert_token(&unit, &family.draft.row);
    token_note_issue(grant, now, &unit);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    token_enter(fixture->room, &family.draft, now);
    grant_put(grants, grant);
    return family;
}

static int64_t stored(struct room_fixture *fixture, int64_t grant_id)
{
    struct grant grant = { 0 };

    assert_int_equal(store_find_grant(fixture->store, grant_id, &fixture->arena, &grant), RC_OK);
    return grant.last_used_at;
}

/* What issuing more under it at a moment adds to a unit. */
static unsigned steps_of_issue(struct room_fixture *fixture, int64_t grant_id, int64_t at)
{
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(grant_find(grants, grant_id, true, &grant), RC_OK);
    token_note_issue(grant, at, &unit);
    grant_put(grants, grant);
    if (unit.step_count > 0)
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    return unit.step_count;
}

static void test_a_check_is_a_use_that_writes_nothing(void **state)
{
    struct room_fixture *fixture = *state;
    int64_t now = clock_now_s();
    struct family family = make_family(fixture, fixture_add_account(fixture, "ada", false).id, now);
    struct made checked = { .grant_id = family.grant_id, .draft = family.draft };
    struct store_counts before;
    struct store_counts after;

    assert_int_equal(token_grant_last_use(fixture->room, family.grant_id), now);
    store_counts(fixture->store, &before);
    assert_used(fixture, &checked, inside, now + 7000);
    assert_used(fixture, &checked, inside, now + 6000);
    store_counts(fixture->store, &after);
    assert_int_equal(after.units, before.units);
    assert_int_equal(token_grant_last_use(fixture->room, family.grant_id), now + 7000);
    assert_int_equal(stored(fixture, family.grant_id), 0);
    assert_int_equal(token_grant_last_use(fixture->room, family.grant_id + 1000), 0);
}

static void test_the_store_learns_of_issuing_once_in_a_while(void **state)
{
    struct room_fixture *fixture = *state;
    int64_t now = clock_now_s();
    struct family family = make_family(fixture, fixture_add_account(fixture, "bob", false).id, now);

    assert_int_equal(stored(fixture, family.grant_id), 0);
    assert_int_equal(steps_of_issue(fixture, family.grant_id, now + GRANT_USE_SAVED_S - 1), 0);
    assert_int_equal(steps_of_issue(fixture, family.grant_id, now + GRANT_USE_SAVED_S), 1);
    assert_int_equal(stored(fixture, family.grant_id), now + GRANT_USE_SAVED_S);
    assert_int_equal(steps_of_issue(fixture, family.grant_id, now + GRANT_USE_SAVED_S + 1), 0);
    assert_int_equal(token_grant_last_use(fixture->room, family.grant_id),
                     now + GRANT_USE_SAVED_S + 1);
    /* Read again, it is as old as the store has it, and no older. */
    restart(fixture);
    assert_int_equal(steps_of_issue(fixture, family.grant_id, now + 2 * GRANT_USE_SAVED_S - 1), 0);
    assert_int_equal(steps_of_issue(fixture, family.grant_id, now + 2 * GRANT_USE_SAVED_S), 1);
}

static void test_a_client_of_its_own_has_no_last_use(void **state)
{
    struct room_fixture *fixture = *state;
    int64_t now = clock_now_s();
    struct family family = make_family(fixture, 0, now);

    assert_int_equal(steps_of_issue(fixture, family.grant_id, now + 10 * GRANT_USE_SAVED_S), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_a_check_is_a_use_that_writes_nothing),
        ROOM_TEST(test_the_store_learns_of_issuing_once_in_a_while),
        ROOM_TEST(test_a_client_of_its_own_has_no_last_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
