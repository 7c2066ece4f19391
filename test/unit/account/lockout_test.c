/* Rows of failures that end in a lock, with an injected clock (contracts: lockout; PW-05, PW-10).
 */
#include "lockout.h"

static enum sign_in_verdict give_code(struct fixture *fixture, const char *code, int64_t now)
{
    return enter(
        fixture,
        (struct entry){ .name = "ada", .password = "right", .code = code, .from = 7, .now = now },
        NULL);
}

static void fail_in_a_row(struct fixture *fixture, const char *name, int count, int64_t now)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(sign_in(fixture, name, "wrong", now), SIGN_IN_WRONG);
}

static int64_t insert_grant(struct fixture *fixture, int64_t account_id)
{
    struct grant grant = { .account_id = account_id,
                           .client_id = 1000,
                           .scope = STR("read"),
                           .is_family = true,
                           .created_at = NOON };
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &grant.id), RC_OK);
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    return grant.id;
}

static size_t count_living_grants(struct fixture *fixture, int64_t account_id)
{
    struct grant rows[64];
    size_t count;

    assert_int_equal(store_list_grants(fixture->store, account_id, 0, INT64_MAX, &fixture->arena,
                                       rows, 64, &count),
                     RC_OK);
    return count;
}

/* ---- LOCKOUT_DISABLE ---- */

/* The fifth failure in a row, whatever lies between them, and not one of them later. */
static void test_fifth_failure_disables(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    int64_t bob = make_account(fixture, "bob", "right", false);

    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    for (int i = 0; i < 20; i++)
        (void)insert_grant(fixture, ada);
    (void)insert_grant(fixture, bob);
    fail_in_a_row(fixture, "ada", 2, NOON);
    fixture_restart(fixture);
    fail_in_a_row(fixture, "ADA", 2, NOON + 86400);
    assert_false(read_account(fixture, ada).is_disabled);
    assert_int_equal(count_living_grants(fixture, ada), 20);
    assert_int_equal(count_events(fixture, EVENT_ACCOUNT_LOCKED), 0);
    fail_in_a_row(fixture, "ada", 1, NOON + 400 * 86400LL);
    assert_true(read_account(fixture, ada).is_disabled);
    assert_int_equal(count_events(fixture, EVENT_ACCOUNT_LOCKED), 1);
    assert_int_equal(count_events(fixture, EVENT_PASSWORD_FAILED), 5);
    assert_int_equal(count_living_grants(fixture, ada), 0);
    assert_true(count_events(fixture, EVENT_GRANT_ENDED) >= 1);
    assert_int_equal(count_living_grants(fixture, bob), 1);
    assert_false(read_account(fixture, bob).is_disabled);
}

static void test_success_begins_the_row_anew(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);

    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    for (int i = 0; i < 5; i++) {
        fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT - 1, NOON);
        assert_int_equal(sign_in(fixture, "ada", "right", NOON), SIGN_IN_OK);
    }
    assert_false(read_account(fixture, ada).is_disabled);
}

/* A row that was filled before the mode was chosen ends with its next failure. */
static void test_row_of_before_the_mode(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    int64_t bob = make_account(fixture, "bob", "right", false);

    fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT, NOON);
    fail_in_a_row(fixture, "bob", THROTTLE_FREE_COUNT, NOON);
    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    assert_int_equal(sign_in(fixture, "bob", "right", NOON + 1), SIGN_IN_OK);
    fail_in_a_row(fixture, "ada", 1, NOON + 1);
    assert_true(read_account(fixture, ada).is_disabled);
    assert_false(read_account(fixture, bob).is_disabled);
}

/* A locked account tells its password to nobody: what comes after is held up as ever. */
static void test_disabled_account_is_no_oracle(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = NOON;
    unsigned evaluated = 0;

    make_account(fixture, "ada", "right", false);
    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT, NOON);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON), SIGN_IN_WRONG);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON + 1), SIGN_IN_DISABLED);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON + 1), SIGN_IN_WRONG);
    for (int i = 0; i < 200; i++) {
        now += THROTTLE_DELAY_S_MAX;
        evaluated += sign_in(fixture, "ada", "right", now) == SIGN_IN_DISABLED;
    }
    assert_int_equal(evaluated, THROTTLE_FAILURE_COUNT_MAX - THROTTLE_FREE_COUNT - 1);
    assert_int_equal(count_events(fixture, EVENT_ACCOUNT_LOCKED), 1);
}

static void test_enabling_forgives(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct authenticator made = enrol(fixture, ada);
    struct shown_code wrong = wrong_code(&made, NOON);

    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    for (int i = 0; i < THROTTLE_FREE_COUNT - 1; i++)
        assert_int_equal(give_code(fixture, wrong.text, NOON), SIGN_IN_CODE_WRONG);
    fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT, NOON);
    assert_true(read_account(fixture, ada).is_disabled);
    forgive(fixture, ada, NOON);
    fixture_restart(fixture);
    fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT - 1, NOON + 1);
    assert_int_equal(give_code(fixture, wrong.text, NOON + 1), SIGN_IN_CODE_WRONG);
    assert_false(read_account(fixture, ada).is_disabled);
    assert_int_equal(give_code(fixture, authenticator_code(&made, NOON).text, NOON + 1),
                     SIGN_IN_OK);
}

/* A missing code leaves the row as it was, what is on its way to the store included. */
static void test_missing_code_ends_no_row(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct throttle_try try;
    struct store_unit unit;
    int64_t wait_s;

    (void)enrol(fixture, ada);
    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    for (int i = 0; i < THROTTLE_FREE_COUNT - 1; i++) {
        assert_int_equal(throttle_begin(fixture->book, STR("ada"), address_v4(7).bytes, false, NOON,
                                        &try, &wait_s),
                         RC_OK);
        store_unit_init(&unit);
        end_try(fixture, &try, false, NOON, &unit); /* not committed */
    }
    assert_int_equal(sign_in(fixture, "ada", "right", NOON), SIGN_IN_CODE_MISSING);
    fail_in_a_row(fixture, "ada", 1, NOON);
    assert_true(read_account(fixture, ada).is_disabled);
}

/* Codes have a row of their own, and it ends alike. */
static void test_fifth_wrong_code_disables(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct authenticator made = enrol(fixture, ada);
    struct shown_code wrong = wrong_code(&made, NOON);

    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    (void)insert_grant(fixture, ada);
    fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT - 1, NOON);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++) {
        assert_false(read_account(fixture, ada).is_disabled);
        assert_int_equal(give_code(fixture, wrong.text, NOON), SIGN_IN_CODE_WRONG);
    }
    assert_true(read_account(fixture, ada).is_disabled);
    assert_int_equal(count_living_grants(fixture, ada), 0);
    assert_int_equal(count_events(fixture, EVENT_ACCOUNT_LOCKED), 1);
    assert_int_equal(give_code(fixture, authenticator_code(&made, NOON).text, NOON),
                     SIGN_IN_DISABLED);
}

/* The door that cannot ask adds to the same row, with the right password too. */
static void test_door_that_cannot_ask_counts(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct entry entry = {
        .name = "ada", .password = "right", .is_dumb = true, .from = 7, .now = NOON
    };

    (void)enrol(fixture, ada);
    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++) {
        assert_false(read_account(fixture, ada).is_disabled);
        assert_int_equal(enter(fixture, entry, NULL), SIGN_IN_WRONG);
    }
    assert_true(read_account(fixture, ada).is_disabled);
}

/* The password that was changed while somebody failed with the old one stays as it is now. */
static void test_disabling_changes_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct account account = read_account(fixture, ada);
    struct account after;
    struct store_unit unit;

    store_unit_init(&unit);
    account.full_name = STR("Ada Lovelace");
    store_update_profile(&unit, ada, account.full_name, account.email);
    store_disable_account(&unit, ada);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    after = read_account(fixture, ada);
    assert_true(after.is_disabled);
    assert_true(str_equal(after.full_name, account.full_name));
    assert_true(str_equal(after.password_hash, account.password_hash));
    store_unit_init(&unit);
    store_disable_account(&unit, 999999);
    assert_int_equal(store_commit(fixture->store, &unit), RC_NOT_FOUND);
}

static void test_unknown_names_are_no_trouble(void **state)
{
    struct fixture *fixture = *state;

    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    fail_in_a_row(fixture, "nobody", THROTTLE_FREE_COUNT, NOON);
    assert_int_equal(count_events(fixture, EVENT_ACCOUNT_LOCKED), 0);
    assert_int_equal(count_events(fixture, EVENT_PASSWORD_FAILED), THROTTLE_FREE_COUNT);
    fail_in_a_row(fixture, "nobody", 1, NOON);
    assert_true(str_equal(last_event(fixture).detail, STR("the name is held up by failed tries")));
}

/* ---- LOCKOUT_TIMED ---- */

static void test_timed_lock_ends(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);

    fixture_set_lockout(fixture, LOCKOUT_TIMED, LOCK_S);
    fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT - 1, NOON);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON), SIGN_IN_OK);
    fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT - 1, NOON);
    fail_in_a_row(fixture, "ada", 1, NOON + 50);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON + 50), SIGN_IN_WRONG);
    /* What is held up does not make it longer. */
    fail_in_a_row(fixture, "ada", 5, NOON + 50 + LOCK_S - 1);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON + 50 + LOCK_S - 1), SIGN_IN_WRONG);
    fixture_restart(fixture);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON + 50 + LOCK_S - 1), SIGN_IN_WRONG);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON + 50 + LOCK_S), SIGN_IN_OK);
    assert_false(read_account(fixture, ada).is_disabled);
    assert_int_equal(count_events(fixture, EVENT_ACCOUNT_LOCKED), 0);
}

/* Five more after the lock, before the next; also over a restart. */
static void test_row_begins_anew_after_a_timed_lock(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = NOON;

    make_account(fixture, "ada", "right", false);
    fixture_set_lockout(fixture, LOCKOUT_TIMED, LOCK_S);
    for (int round = 0; round < 30; round++) {
        fail_in_a_row(fixture, "ada", 2, now);
        if (round % 3 == 0)
            fixture_restart(fixture);
        fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT - 3, now);
        assert_true(str_equal(last_event(fixture).detail, STR("the password was wrong")));
        fail_in_a_row(fixture, "ada", 1, now);
        assert_true(str_equal(last_event(fixture).detail, STR("the password was wrong")));
        if (round % 2 == 0)
            fixture_restart(fixture);
        assert_int_equal(sign_in(fixture, "ada", "right", now + LOCK_S - 1), SIGN_IN_WRONG);
        now += LOCK_S;
    }
    assert_int_equal(sign_in(fixture, "ada", "right", now), SIGN_IN_OK);
}

/* Also while the failures of the new row are on their way to the store. */
static void test_new_row_counts_before_it_is_stored(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try try;
    struct store_unit unit;
    int64_t now = NOON + LOCK_S;
    int64_t wait_s;

    fixture_set_lockout(fixture, LOCKOUT_TIMED, LOCK_S);
    fail_in_a_row(fixture, "nobody", THROTTLE_FREE_COUNT, NOON);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++) {
        assert_int_equal(throttle_begin(fixture->book, STR("nobody"), address_v4(7).bytes, false,
                                        now, &try, &wait_s),
                         RC_OK);
        store_unit_init(&unit);
        end_try(fixture, &try, false, now, &unit); /* not committed */
    }
    assert_int_equal(throttle_begin(fixture->book, STR("nobody"), address_v4(7).bytes, false, now,
                                    &try, &wait_s),
                     RC_SPENT);
}

/* Tries that come together after the lock each count in the store, too. */
static void test_crowd_after_a_timed_lock_counts_in_full(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try tries[THROTTLE_FREE_COUNT];
    struct store_unit unit;
    int64_t now = NOON + LOCK_S;
    int64_t wait_s;

    fixture_set_lockout(fixture, LOCKOUT_TIMED, LOCK_S);
    fail_in_a_row(fixture, "nobody", THROTTLE_FREE_COUNT, NOON);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(throttle_begin(fixture->book, STR("nobody"), address_v4(7).bytes, false,
                                        now, &tries[i], &wait_s),
                         RC_OK);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++) {
        store_unit_init(&unit);
        end_try(fixture, &tries[i], false, now, &unit);
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    }
    fixture_restart(fixture);
    assert_int_equal(throttle_begin(fixture->book, STR("nobody"), address_v4(7).bytes, false, now,
                                    &tries[0], &wait_s),
                     RC_SPENT);
}

static void test_timed_lock_of_codes(void **state)
{
    struct fixture *fixture = *state;
    struct authenticator made = enrol(fixture, make_account(fixture, "ada", "right", false));
    struct shown_code wrong = wrong_code(&made, NOON);
    struct shown_code later = authenticator_code(&made, NOON + LOCK_S);

    fixture_set_lockout(fixture, LOCKOUT_TIMED, LOCK_S);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(give_code(fixture, wrong.text, NOON), SIGN_IN_CODE_WRONG);
    assert_int_equal(give_code(fixture, authenticator_code(&made, NOON).text, NOON + 1),
                     SIGN_IN_CODE_WRONG);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON + 1), SIGN_IN_CODE_MISSING);
    assert_int_equal(give_code(fixture, later.text, NOON + LOCK_S - 1), SIGN_IN_CODE_WRONG);
    assert_int_equal(give_code(fixture, later.text, NOON + LOCK_S), SIGN_IN_OK);
}

static void test_unlocking_ends_a_timed_lock(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);

    fixture_set_lockout(fixture, LOCKOUT_TIMED, LOCK_S);
    fail_in_a_row(fixture, "ada", THROTTLE_FREE_COUNT, NOON);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON), SIGN_IN_WRONG);
    forgive(fixture, ada, NOON);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON), SIGN_IN_OK);
}

/* ---- both ---- */

/* One counter, from wherever the tries come, and no address is known. */
static void test_one_counter_over_addresses(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 2; i++) {
        const char *name = i == 0 ? "ada" : "bob";

        make_account(fixture, name, "right", false);
        fixture_set_lockout(fixture, locking[i], LOCK_S);
        assert_int_equal(sign_in_from(fixture, 1, name, "right", NOON), SIGN_IN_OK);
        for (unsigned char from = 1; from <= THROTTLE_FREE_COUNT; from++)
            assert_int_equal(sign_in_from(fixture, from, name, "wrong", NOON), SIGN_IN_WRONG);
        assert_int_equal(sign_in_from(fixture, 1, name, "right", NOON), SIGN_IN_WRONG);
        assert_int_equal(sign_in_from(fixture, 99, name, "right", NOON), SIGN_IN_WRONG);
    }
}

/* An administrator is held up as ever and never locked, and a known address stays known. */
static void test_administrator_is_exempt(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 2; i++) {
        const char *name = i == 0 ? "root" : "chief";
        int64_t id = make_account(fixture, name, "right", true);
        struct account account;

        fixture_set_lockout(fixture, locking[i], LOCK_S);
        (void)insert_grant(fixture, id);
        assert_int_equal(sign_in_from(fixture, 1, name, "right", NOON), SIGN_IN_OK);
        fail_in_a_row(fixture, name, THROTTLE_FREE_COUNT, NOON);
        assert_int_equal(sign_in(fixture, name, "right", NOON), SIGN_IN_WRONG);
        assert_int_equal(sign_in(fixture, name, "right", NOON + 1), SIGN_IN_OK);
        for (int hour = 1; hour <= 200; hour++)
            (void)sign_in(fixture, name, "wrong", NOON + 3600 * hour);
        account = read_account(fixture, id);
        assert_false(account.is_disabled);
        assert_int_equal(count_living_grants(fixture, id), 1);
        assert_int_equal(sign_in_from(fixture, 1, name, "right", NOON + 3600 * 201), SIGN_IN_OK);
    }
    assert_int_equal(count_events(fixture, EVENT_ACCOUNT_LOCKED), 0);
}

/* Nor by wrong codes. */
static void test_administrator_is_exempt_of_codes_lock(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", true);
    struct authenticator made = enrol(fixture, id);

    for (int i = 0; i < 2; i++) {
        int64_t now = NOON + 86400 * i;
        struct shown_code wrong = wrong_code(&made, now);

        fixture_set_lockout(fixture, locking[i], LOCK_S);
        for (int count = 0; count < THROTTLE_FREE_COUNT; count++)
            assert_int_equal(give_code(fixture, wrong.text, now), SIGN_IN_CODE_WRONG);
        assert_false(read_account(fixture, id).is_disabled);
        assert_int_equal(give_code(fixture, authenticator_code(&made, now).text, now + 1),
                         SIGN_IN_OK);
    }
}

/* What is no person's, such as a client's secret, knows no lockout either. */
static void test_exempt_names(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try try;
    struct store_unit unit;
    int64_t wait_s;

    for (size_t i = 0; i < 2; i++) {
        struct str name = i == 0 ? STR("client:one") : STR("client:two");
        enum rc expected = RC_OK;

        fixture_set_lockout(fixture, locking[i], LOCK_S);
        for (int64_t count = 0; count < THROTTLE_FREE_COUNT; count++) {
            assert_int_equal(
                throttle_begin(fixture->book, name, address_v4(7).bytes, true, NOON, &try, &wait_s),
                expected);
            store_unit_init(&unit);
            end_try(fixture, &try, false, NOON, &unit);
            assert_false(try.is_locked_out);
            assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
        }
        assert_int_equal(
            throttle_begin(fixture->book, name, address_v4(7).bytes, true, NOON, &try, &wait_s),
            RC_SPENT);
        assert_int_equal(
            throttle_begin(fixture->book, name, address_v4(7).bytes, true, NOON + 1, &try, &wait_s),
            RC_OK);
        cancel_try(fixture, &try);
        /* A replaced secret is not held up by what failed under the old one. */
        store_unit_init(&unit);
        throttle_unlock(fixture->book, name, NOON, &unit);
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
        assert_int_equal(
            throttle_begin(fixture->book, name, address_v4(7).bytes, true, NOON, &try, &wait_s),
            RC_OK);
        cancel_try(fixture, &try);
    }
}

/* The rules of before hold where no lockout was asked for. */
static void test_throttle_mode_locks_nobody(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);

    assert_int_equal(sign_in_from(fixture, 1, "ada", "right", NOON), SIGN_IN_OK);
    for (int hour = 0; hour < 150; hour++)
        (void)sign_in(fixture, "ada", "wrong", NOON + 3600 * hour);
    assert_false(read_account(fixture, ada).is_disabled);
    assert_int_equal(count_events(fixture, EVENT_ACCOUNT_LOCKED), 0);
    assert_int_equal(sign_in(fixture, "ada", "right", NOON + 3600 * 200), SIGN_IN_WRONG);
    assert_int_equal(sign_in_from(fixture, 1, "ada", "right", NOON + 3600 * 200), SIGN_IN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH(test_fifth_failure_disables),
        WITH_BOTH(test_success_begins_the_row_anew),
        WITH_BOTH(test_row_of_before_the_mode),
        WITH_BOTH(test_disabled_account_is_no_oracle),
        WITH_BOTH(test_enabling_forgives),
        WITH_BOTH(test_missing_code_ends_no_row),
        WITH_BOTH(test_fifth_wrong_code_disables),
        WITH_BOTH(test_door_that_cannot_ask_counts),
        WITH_BOTH(test_disabling_changes_nothing_else),
        WITH_BOTH(test_unknown_names_are_no_trouble),
        WITH_BOTH(test_timed_lock_ends),
        WITH_BOTH(test_row_begins_anew_after_a_timed_lock),
        WITH_BOTH(test_new_row_counts_before_it_is_stored),
        WITH_BOTH(test_crowd_after_a_timed_lock_counts_in_full),
        WITH_BOTH(test_timed_lock_of_codes),
        WITH_BOTH(test_unlocking_ends_a_timed_lock),
        WITH_BOTH(test_one_counter_over_addresses),
        WITH_BOTH(test_administrator_is_exempt),
        WITH_BOTH(test_administrator_is_exempt_of_codes_lock),
        WITH_BOTH(test_exempt_names),
        WITH_BOTH(test_throttle_mode_locks_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
