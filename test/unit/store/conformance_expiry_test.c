/* Conformance: permanent tokens whose owners are to be told that they expire soon; on whichever
 * engine the fixture opens. */
#include "people.h"

enum { DAY_S = 24 * 3600, MARGIN_S = 14 * DAY_S };

/* An account that can be written to. */
static struct account insert_reachable(struct fixture *fixture, const char *name, const char *email)
{
    struct account account = sample_account(fixture, name);

    account.email = str_of(email);
    account.email_verified_at = fixture->now;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    return account;
}

/* What is due after so many days, as ids. */
static size_t list(struct fixture *fixture, int64_t days, int64_t warning, int64_t out_ids[4])
{
    struct permanent rows[4];
    size_t count;

    assert_int_equal(store_list_expiring(fixture->store, fixture->now + days * DAY_S, MARGIN_S,
                                         warning, &fixture->arena, rows, 4, &count),
                     RC_OK);
    for (size_t i = 0; i < count; i++)
        out_ids[i] = rows[i].id;
    return count;
}

static void test_what_expires_soon_is_listed_by_account(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_reachable(fixture, "ada", "ada@example.org");
    struct account bob = insert_reachable(fixture, "bob", "bob@example.org");
    struct made_permanent of_bob = insert_permanent(fixture, bob.id, fixture->now + 30 * DAY_S);
    struct made_permanent first = insert_permanent(fixture, ada.id, fixture->now + 30 * DAY_S);
    struct made_permanent second = insert_permanent(fixture, ada.id, fixture->now + 29 * DAY_S);
    int64_t ids[4];

    insert_permanent(fixture, ada.id, 0);                          /* never */
    insert_permanent(fixture, ada.id, fixture->now + 14 * DAY_S);  /* not longer than that */
    insert_permanent(fixture, ada.id, fixture->now + 300 * DAY_S); /* not yet */
    assert_int_equal(list(fixture, 14, 1, ids), 0);
    assert_int_equal(list(fixture, 15, 1, ids), 1);
    assert_int_equal(ids[0], second.grant.id);
    assert_int_equal(list(fixture, 16, 1, ids), 3);
    assert_int_equal(ids[0], first.grant.id);
    assert_int_equal(ids[1], second.grant.id);
    assert_int_equal(ids[2], of_bob.grant.id);
    assert_int_equal(list(fixture, 29, 1, ids), 2); /* the second has expired at its second */
}

static void test_a_warning_is_counted_once(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_reachable(fixture, "ada", "ada@example.org");
    struct made_permanent made = insert_permanent(fixture, ada.id, fixture->now + 30 * DAY_S);
    int64_t id = made.grant.id;
    int64_t ids[4];

    assert_int_equal(COMMIT_ONE(fixture, store_count_warning, id, 1), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_count_warning, id, 1), RC_SPENT);
    assert_int_equal(list(fixture, 20, 1, ids), 0);
    assert_int_equal(list(fixture, 20, 2, ids), 1);
    assert_int_equal(COMMIT_ONE(fixture, store_count_warning, id, 2), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_count_warning, id, 1), RC_SPENT);
    assert_int_equal(list(fixture, 20, 2, ids), 0);
    assert_int_equal(COMMIT_ONE(fixture, store_count_warning, id + 1, 1), RC_SPENT);
}

static void test_nothing_is_said_of_what_is_over_or_to_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_reachable(fixture, "ada", "ada@example.org");
    struct account off = insert_reachable(fixture, "off", "off@example.org");
    struct account mute = insert_account(fixture, "mute"); /* an address that nobody verified */
    struct made_permanent revoked = insert_permanent(fixture, ada.id, fixture->now + 30 * DAY_S);
    struct made_permanent rotated = insert_permanent(fixture, ada.id, fixture->now + 30 * DAY_S);
    struct made_permanent good = insert_permanent(fixture, ada.id, fixture->now + 30 * DAY_S);
    int64_t ids[4];

    insert_permanent(fixture, off.id, fixture->now + 30 * DAY_S);
    insert_permanent(fixture, mute.id, fixture->now + 30 * DAY_S);
    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, off.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, revoked.grant.id, fixture->now), RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_replace_permanent, ada.id, rotated.grant.id, good.grant.id),
        RC_OK);
    assert_int_equal(list(fixture, 20, 1, ids), 1);
    assert_int_equal(ids[0], good.grant.id);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_what_expires_soon_is_listed_by_account),
        ON_STORE(test_a_warning_is_counted_once),
        ON_STORE(test_nothing_is_said_of_what_is_over_or_to_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
