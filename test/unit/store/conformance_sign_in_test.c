/* Conformance, part four: sessions, second factors, recovery codes; on whichever engine the fixture
 * opens. */
#include "fixture.h"

static struct session sample_session(struct fixture *fixture, int64_t grant_id)
{
    struct session session = { .id = grant_id,
                               .account_id = 71,
                               .address = { 0x20, 1, 0xd, 0xb8, [15] = 9 },
                               .address_bits = 128,
                               .device = STR("Agent/1.0 (test)"),
                               .idle_s = 1800,
                               .created_at = fixture->now - 5,
                               .last_active_at = fixture->now };

    memset(session.digest, 0xa5, sizeof(session.digest));
    return session;
}

static struct factor sample_factor(struct fixture *fixture, int64_t account_id)
{
    return (struct factor){ .id = fixture_id(fixture, SEQUENCE_NOUN),
                            .account_id = account_id,
                            .kind = FACTOR_TOTP,
                            .name = STR("telephone"),
                            .sealed = { "\0sealed\0", 8 },
                            .created_at = fixture->now,
                            .last_step = 40,
                            .last_used_at = fixture->now - 1 };
}

static struct account insert_account(struct fixture *fixture, const char *name)
{
    struct account account = sample_account(fixture, name);

    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    return account;
}

static size_t list_factors(struct fixture *fixture, int64_t account_id, struct factor *out_rows)
{
    size_t count = 0;

    assert_int_equal(
        store_list_factors(fixture->store, account_id, &fixture->arena, out_rows, &count), RC_OK);
    return count;
}

static size_t count_codes(struct fixture *fixture, int64_t account_id)
{
    size_t count = 999;

    assert_int_equal(store_count_recovery_codes(fixture->store, account_id, &count), RC_OK);
    return count;
}

/* ---- sessions ------------------------------------------------------------------------------- */

static void test_session_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct grant grant = sample_grant(fixture, true);
    struct session session = sample_session(fixture, grant.id);
    struct session found;
    struct grant grant_found;
    struct store_unit unit;

    grant.is_session = true;
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    store_insert_session(&unit, &session);
    /* The unit has its own copy of what is not a text. */
    memset(session.digest, 0, sizeof(session.digest));
    memset(session.address, 0, sizeof(session.address));
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    session = sample_session(fixture, grant.id);
    assert_int_equal(store_find_session(fixture->store, grant.id, &fixture->arena, &found), RC_OK);
    assert_int_equal(found.id, grant.id);
    assert_int_equal(found.account_id, 71);
    assert_memory_equal(found.digest, session.digest, DIGEST_BYTES);
    assert_memory_equal(found.address, session.address, sizeof(found.address));
    assert_int_equal(found.address_bits, 128);
    ASSERT_STR(found.device, "Agent/1.0 (test)");
    assert_int_equal(found.idle_s, 1800);
    assert_int_equal(found.created_at, fixture->now - 5);
    assert_int_equal(found.last_active_at, fixture->now);
    assert_int_equal(store_find_session(fixture->store, grant.id + 1, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(store_find_grant(fixture->store, grant.id, &fixture->arena, &grant_found),
                     RC_OK);
    assert_true(grant_found.is_session && grant_found.is_family);
}

static void test_session_without_its_grant_is_not_stored(void **state)
{
    struct fixture *fixture = *state;
    struct grant grant = sample_grant(fixture, true);
    struct session session = sample_session(fixture, grant.id);
    struct store_unit unit;
    struct session found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grant), RC_OK);
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    store_insert_session(&unit, &session);
    assert_int_equal(store_commit(fixture->store, &unit), RC_EXISTS);
    assert_int_equal(store_find_session(fixture->store, grant.id, &fixture->arena, &found),
                     RC_NOT_FOUND);
}

static void test_only_a_grant_with_a_session_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct grant plain = sample_grant(fixture, false);
    struct grant tied = sample_grant(fixture, true);
    struct grant found[4];
    struct session session = sample_session(fixture, tied.id);
    struct store_unit unit;
    size_t count = 0;

    tied.is_session = true;
    store_unit_init(&unit);
    store_insert_grant(&unit, &plain);
    store_insert_grant(&unit, &tied);
    store_insert_session(&unit, &session);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(
        store_list_grants(fixture->store, 71, 0, INT64_MAX, &fixture->arena, found, 4, &count),
        RC_OK);
    assert_int_equal(count, 2);
    assert_true(found[0].id == tied.id && found[0].is_session && found[0].ended_at == 0);
    assert_true(found[1].id == plain.id && !found[1].is_session);
    assert_int_equal(store_find_standing_grant(fixture->store, &plain, &fixture->arena, &found[0]),
                     RC_OK);
    assert_true(found[0].id == plain.id && !found[0].is_session);
}

static void test_touch_only_moves_forward(void **state)
{
    struct fixture *fixture = *state;
    struct grant grant = sample_grant(fixture, true);
    struct session session = sample_session(fixture, grant.id);
    static const int64_t touches_s[][2] = { { 60, 60 }, { 30, 60 }, { 60, 60 }, { 61, 61 } };
    struct session found;
    size_t index;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grant), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_session, &session), RC_OK);
    fixture->change_count = 0;
    for (index = 0; index < sizeof(touches_s) / sizeof(touches_s[0]); index++) {
        assert_int_equal(COMMIT_ONE(fixture, store_touch_session, session.id,
                                    fixture->now + touches_s[index][0]),
                         RC_OK);
        assert_int_equal(store_find_session(fixture->store, session.id, &fixture->arena, &found),
                         RC_OK);
        assert_int_equal(found.last_active_at, fixture->now + touches_s[index][1]);
        assert_int_equal(found.created_at, session.created_at);
    }
    /* One that is gone is not made again. */
    assert_int_equal(COMMIT_ONE(fixture, store_touch_session, session.id + 1, fixture->now), RC_OK);
    assert_int_equal(store_find_session(fixture->store, session.id + 1, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(fixture->change_count, 0);
}

/* ---- second factors ------------------------------------------------------------------------- */

static void test_factor_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct factor factor = sample_factor(fixture, 71);
    struct factor second = sample_factor(fixture, 71);
    struct factor foreign = sample_factor(fixture, 72);
    struct factor found[FACTOR_COUNT_MAX];

    assert_int_equal(list_factors(fixture, 71, found), 0);
    second.name = STR("");
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &second), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &foreign), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &factor), RC_OK);
    assert_int_equal(list_factors(fixture, 71, found), 2);
    assert_int_equal(found[0].id, factor.id);
    assert_int_equal(found[0].account_id, 71);
    assert_int_equal(found[0].kind, FACTOR_TOTP);
    ASSERT_STR(found[0].name, "telephone");
    assert_int_equal(found[0].sealed.len, 8);
    assert_memory_equal(found[0].sealed.at, "\0sealed\0", 8);
    assert_int_equal(found[0].created_at, fixture->now);
    assert_int_equal(found[0].last_step, 40);
    assert_int_equal(found[0].last_used_at, fixture->now - 1);
    assert_int_equal(found[1].id, second.id);
    ASSERT_STR(found[1].name, "");
}

static void expect_second_factor(struct fixture *fixture, const struct account *account, bool has)
{
    struct account rows[4];
    struct account found;
    size_t count = 0;

    assert_int_equal(store_find_account(fixture->store, account->id, &fixture->arena, &found),
                     RC_OK);
    assert_int_equal(found.has_second_factor, has);
    assert_int_equal(found.created_at, account->created_at);
    assert_int_equal(
        store_find_account_by_name(fixture->store, account->name, &fixture->arena, &found), RC_OK);
    assert_int_equal(found.has_second_factor, has);
    assert_int_equal(
        store_list_accounts(fixture->store, account->id - 1, &fixture->arena, rows, 4, &count),
        RC_OK);
    assert_true(count > 0 && rows[0].id == account->id);
    assert_int_equal(rows[0].has_second_factor, has);
}

static void test_account_knows_whether_it_has_a_factor(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct account bob = insert_account(fixture, "bob");
    struct factor one = sample_factor(fixture, ada.id);
    struct factor two = sample_factor(fixture, ada.id);

    expect_second_factor(fixture, &ada, false);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &one), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &two), RC_OK);
    expect_second_factor(fixture, &ada, true);
    expect_second_factor(fixture, &bob, false);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, one.id, ada.id), RC_OK);
    expect_second_factor(fixture, &ada, true);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, two.id, ada.id), RC_OK);
    expect_second_factor(fixture, &ada, false);
}

/* PW-01: one statement decides that it is not the last. */
static void test_a_spare_factor_leaves_and_the_last_one_stays(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct factor one = sample_factor(fixture, ada.id);
    struct factor two = sample_factor(fixture, ada.id);
    struct factor of_bob = sample_factor(fixture, ada.id + 1);

    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &one), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &of_bob), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_spare_factor, one.id, ada.id), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &two), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_spare_factor, of_bob.id, ada.id),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_spare_factor, one.id, ada.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_spare_factor, two.id, ada.id), RC_NOT_FOUND);
    expect_second_factor(fixture, &ada, true);
}

static void test_factor_leaves_only_from_its_account(void **state)
{
    struct fixture *fixture = *state;
    struct factor factor = sample_factor(fixture, 71);
    struct factor found[FACTOR_COUNT_MAX];

    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &factor), RC_OK);
    fixture->change_count = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, factor.id, 72), RC_NOT_FOUND);
    assert_int_equal(fixture->change_count, 0);
    assert_int_equal(list_factors(fixture, 71, found), 1);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, factor.id, 71), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, factor.id, 71), RC_NOT_FOUND);
    assert_int_equal(list_factors(fixture, 71, found), 0);
}

static void test_all_factors_leave_with_the_recovery_codes(void **state)
{
    struct fixture *fixture = *state;
    unsigned char digest[DIGEST_BYTES] = { 7 };
    struct factor one = sample_factor(fixture, 71);
    struct factor two = sample_factor(fixture, 71);
    struct factor foreign = sample_factor(fixture, 72);
    struct factor found[FACTOR_COUNT_MAX];

    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &one), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &two), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &foreign), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_recovery_code, 71, digest), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_recovery_code, 72, digest), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factors, 71), RC_OK);
    assert_int_equal(list_factors(fixture, 71, found), 0);
    assert_int_equal(count_codes(fixture, 71), 0);
    assert_int_equal(list_factors(fixture, 72, found), 1);
    assert_int_equal(count_codes(fixture, 72), 1);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factors, 71), RC_OK);
}

/* RFC 6238 5.2: a step that was used, and every one before it, is used up. */
static void test_step_is_spent_once_and_never_backwards(void **state)
{
    struct fixture *fixture = *state;
    struct factor factor = sample_factor(fixture, 71);
    struct factor other = sample_factor(fixture, 71);
    struct factor found[FACTOR_COUNT_MAX];
    static const struct {
        int64_t step;
        enum rc rc;
        int64_t last_step;
    } cases[] = { { 40, RC_SPENT, 40 }, { 39, RC_SPENT, 40 }, { 41, RC_OK, 41 },
                  { 41, RC_SPENT, 41 }, { 43, RC_OK, 43 },    { 42, RC_SPENT, 43 },
                  { 44, RC_OK, 44 } };
    int64_t last_used_at = factor.last_used_at;
    size_t index;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &factor), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &other), RC_OK);
    for (index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        int64_t at = fixture->now + 100 + (int64_t)index;

        assert_int_equal(COMMIT_ONE(fixture, store_spend_step, factor.id, cases[index].step, at),
                         cases[index].rc);
        if (cases[index].rc == RC_OK)
            last_used_at = at;
        assert_int_equal(list_factors(fixture, 71, found), 2);
        assert_int_equal(found[0].last_step, cases[index].last_step);
        assert_int_equal(found[0].last_used_at, last_used_at);
    }
    assert_int_equal(found[1].last_step, 40);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, factor.id, 71), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_step, factor.id, 99, fixture->now), RC_SPENT);
}

/* A token that was drafted for a used code is not stored. */
static void test_spent_step_undoes_its_unit(void **state)
{
    struct fixture *fixture = *state;
    struct factor factor = sample_factor(fixture, 71);
    struct token token = sample_token(fixture, 5, false);
    struct store_unit unit;
    struct token found;
    int first;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &factor), RC_OK);
    for (first = 0; first < 2; first++) {
        store_unit_init(&unit);
        if (first == 0)
            store_spend_step(&unit, factor.id, factor.last_step, fixture->now);
        store_insert_token(&unit, &token);
        if (first != 0)
            store_spend_step(&unit, factor.id, factor.last_step, fixture->now);
        assert_int_equal(store_commit(fixture->store, &unit), RC_SPENT);
        assert_int_equal(store_find_token(fixture->store, token.id, &found), RC_NOT_FOUND);
    }
}

/* What somebody else changed a moment before is not undone, as it would be by a whole account. */
static void test_disabling_changes_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct account account = insert_account(fixture, "ada");
    struct account found;

    assert_int_equal(COMMIT_ONE(fixture, store_update_password_hash, account.id,
                                account.password_hash, STR("new")),
                     RC_OK);
    fixture->change_count = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, account.id), RC_OK);
    assert_int_equal(fixture->change_count, 1);
    assert_int_equal(fixture->changes[0].kind, CHANGE_ACCOUNT);
    assert_int_equal(fixture->changes[0].key, account.id);
    assert_int_equal(store_find_account(fixture->store, account.id, &fixture->arena, &found),
                     RC_OK);
    assert_true(found.is_disabled && found.is_admin);
    ASSERT_STR(found.password_hash, "new");
    ASSERT_STR(found.email, "ada@example.org");
    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, account.id + 1000), RC_NOT_FOUND);
}

/* ---- recovery codes ------------------------------------------------------------------------- */

static void test_recovery_code_is_good_once(void **state)
{
    struct fixture *fixture = *state;
    unsigned char digest[DIGEST_BYTES] = { 1, [31] = 1 };
    unsigned char other[DIGEST_BYTES] = { 1, [31] = 2 };
    struct store_unit unit;

    assert_int_equal(count_codes(fixture, 71), 0);
    assert_int_equal(store_find_recovery_code(fixture->store, 71, digest), RC_NOT_FOUND);
    store_unit_init(&unit);
    store_insert_recovery_code(&unit, 71, digest);
    store_insert_recovery_code(&unit, 71, other);
    store_insert_recovery_code(&unit, 72, other);
    memset(digest, 0, sizeof(digest)); /* the unit has its own copy */
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    digest[0] = digest[31] = 1;
    assert_int_equal(count_codes(fixture, 71), 2);
    assert_int_equal(store_find_recovery_code(fixture->store, 71, digest), RC_OK);
    assert_int_equal(store_find_recovery_code(fixture->store, 72, digest), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_recovery_code, 71, digest), RC_EXISTS);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_recovery_code, 72, digest, fixture->now),
                     RC_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_recovery_code, 71, digest, fixture->now),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_recovery_code, 71, digest, fixture->now),
                     RC_SPENT);
    assert_int_equal(store_find_recovery_code(fixture->store, 71, digest), RC_NOT_FOUND);
    assert_int_equal(store_find_recovery_code(fixture->store, 71, other), RC_OK);
    assert_int_equal(count_codes(fixture, 71), 1);
    /* A used one does not come back by being made again. */
    assert_int_equal(COMMIT_ONE(fixture, store_insert_recovery_code, 71, digest), RC_EXISTS);
    assert_int_equal(count_codes(fixture, 71), 1);
}

/* As the account room does it: the old ones go and the new ones come, in one unit, told once. */
static void test_new_recovery_codes_take_the_place_of_the_old(void **state)
{
    struct fixture *fixture = *state;
    unsigned char digest[DIGEST_BYTES] = { 0 };
    int round;

    for (round = 0; round < 2; round++) {
        struct event event = { .at = fixture->now, .kind = EVENT_FACTOR_CHANGED };
        struct store_unit unit;
        int index;

        fixture->change_count = 0;
        store_unit_init(&unit);
        store_delete_recovery_codes(&unit, 71);
        for (index = 0; index < RECOVERY_CODE_COUNT; index++) {
            digest[0] = (unsigned char)(5 * round + index); /* half of them are the same again */
            store_insert_recovery_code(&unit, 71, digest);
        }
        store_insert_event(&unit, &event);
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
        assert_int_equal(count_codes(fixture, 71), RECOVERY_CODE_COUNT);
        assert_int_equal(fixture->change_count, 1);
        assert_int_equal(fixture->changes[0].kind, CHANGE_ACCOUNT);
        assert_int_equal(fixture->changes[0].key, 71);
    }
    digest[0] = 0;
    assert_int_equal(store_find_recovery_code(fixture->store, 71, digest), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_recovery_codes, 71), RC_OK);
    assert_int_equal(count_codes(fixture, 71), 0);
}

/* ---- units and the feed --------------------------------------------------------------------- */

static void test_changes_of_an_account_are_told(void **state)
{
    struct fixture *fixture = *state;
    unsigned char digest[DIGEST_BYTES] = { 9 };
    struct factor mine = sample_factor(fixture, 71);
    struct factor theirs = sample_factor(fixture, 72);
    struct factor mine_too = sample_factor(fixture, 71);
    static const int64_t told[] = { 71, 72, 71 };
    struct store_unit unit;
    size_t index;

    fixture->change_count = 0;
    store_unit_init(&unit);
    store_insert_factor(&unit, &mine);
    store_insert_recovery_code(&unit, 71, digest);
    store_insert_factor(&unit, &theirs);
    store_insert_factor(&unit, &mine_too);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(fixture->change_count, 3);
    for (index = 0; index < 3; index++) {
        assert_int_equal(fixture->changes[index].kind, CHANGE_ACCOUNT);
        assert_int_equal(fixture->changes[index].key, told[index]);
    }
    /* Nobody keeps in memory what these change. */
    fixture->change_count = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_spend_step, mine.id, 50, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_recovery_code, 71, digest, fixture->now),
                     RC_OK);
    assert_int_equal(fixture->change_count, 0);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, mine.id, 71), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factors, 71), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_recovery_codes, 71), RC_OK);
    assert_int_equal(fixture->change_count, 3);
}

/* All steps that a unit may have, each with as much of its own as a step can own. */
static void test_full_unit_has_room_for_its_own_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct grant grants[STORE_UNIT_STEP_COUNT_MAX / 2];
    char names[STORE_UNIT_STEP_COUNT_MAX][ACCOUNT_NAME_BYTES_MAX + 1];
    struct store_unit unit;
    struct session found;
    struct account account;
    int index;

    store_unit_init(&unit);
    for (index = 0; index < STORE_UNIT_STEP_COUNT_MAX / 2; index++) {
        struct session session;

        grants[index] = sample_grant(fixture, true);
        session = sample_session(fixture, grants[index].id);
        session.digest[0] = (unsigned char)index;
        store_insert_grant(&unit, &grants[index]);
        store_insert_session(&unit, &session);
    }
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    for (index = 0; index < STORE_UNIT_STEP_COUNT_MAX / 2; index++) {
        assert_int_equal(
            store_find_session(fixture->store, grants[index].id, &fixture->arena, &found), RC_OK);
        assert_int_equal(found.digest[0], index);
    }
    store_unit_init(&unit);
    for (index = 0; index < STORE_UNIT_STEP_COUNT_MAX; index++) {
        memset(names[index], 'A' + index, ACCOUNT_NAME_BYTES_MAX);
        names[index][ACCOUNT_NAME_BYTES_MAX] = '\0';
        account = sample_account(fixture, names[index]);
        store_insert_account(&unit, &account);
    }
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(store_find_account_by_name(fixture->store,
                                                str_of(names[STORE_UNIT_STEP_COUNT_MAX - 1]),
                                                &fixture->arena, &account),
                     RC_OK);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_session_comes_back_as_it_went),
        ON_STORE(test_session_without_its_grant_is_not_stored),
        ON_STORE(test_only_a_grant_with_a_session_says_so),
        ON_STORE(test_touch_only_moves_forward),
        ON_STORE(test_factor_comes_back_as_it_went),
        ON_STORE(test_account_knows_whether_it_has_a_factor),
        ON_STORE(test_a_spare_factor_leaves_and_the_last_one_stays),
        ON_STORE(test_factor_leaves_only_from_its_account),
        ON_STORE(test_all_factors_leave_with_the_recovery_codes),
        ON_STORE(test_step_is_spent_once_and_never_backwards),
        ON_STORE(test_spent_step_undoes_its_unit),
        ON_STORE(test_disabling_changes_nothing_else),
        ON_STORE(test_recovery_code_is_good_once),
        ON_STORE(test_new_recovery_codes_take_the_place_of_the_old),
        ON_STORE(test_changes_of_an_account_are_told),
        ON_STORE(test_full_unit_has_room_for_its_own_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
