/* Conformance: passkeys (WebAuthn's credential records); on whichever engine the fixture opens. */
#include "people.h"

static struct credential_record sample_passkey(struct fixture *fixture, int64_t account_id,
                                               struct str credential_id)
{
    return (struct credential_record){ .id = fixture_id(fixture, SEQUENCE_NOUN),
                                       .account_id = account_id,
                                       .credential_id = credential_id,
                                       .user_handle = { "\0handle\0handle!!", 16 },
                                       .public_key = { "\xa5\0key", 5 },
                                       .transports = STR("internal hybrid"),
                                       .sign_count = 4294967295,
                                       .is_user_verified = true,
                                       .is_backup_eligible = true };
}

/* With its factor, in one unit. */
static enum rc insert(struct fixture *fixture, const struct credential_record *passkey)
{
    const struct factor factor = { .id = passkey->id,
                                   .account_id = passkey->account_id,
                                   .kind = FACTOR_PASSKEY,
                                   .name = STR("phone"),
                                   .created_at = fixture->now };
    struct store_unit unit;

    store_unit_init(&unit);
    store_insert_factor(&unit, &factor);
    store_insert_passkey(&unit, passkey);
    return store_commit(fixture->store, &unit);
}

static size_t list(struct fixture *fixture, int64_t account_id,
                   struct credential_record out_rows[static FACTOR_COUNT_MAX])
{
    size_t count = 999;

    assert_int_equal(
        store_list_passkeys(fixture->store, account_id, &fixture->arena, out_rows, &count), RC_OK);
    return count;
}

static enum rc find(struct fixture *fixture, struct str credential_id,
                    struct credential_record *out_passkey)
{
    return store_find_passkey(fixture->store, credential_id, &fixture->arena, out_passkey);
}

static void expect_factors(struct fixture *fixture, int64_t account_id, size_t expected)
{
    struct factor rows[FACTOR_COUNT_MAX];
    size_t count = 999;

    assert_int_equal(store_list_factors(fixture->store, account_id, &fixture->arena, rows, &count),
                     RC_OK);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++)
        assert_true(rows[i].kind == FACTOR_PASSKEY && rows[i].sealed.len == 0);
}

static void test_passkey_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct credential_record one = sample_passkey(fixture, 71, (struct str){ "\0one\0", 5 });
    struct credential_record two = sample_passkey(fixture, 71, STR("two"));
    struct credential_record rows[FACTOR_COUNT_MAX];
    struct credential_record found;

    two.is_backed_up = true;
    assert_int_equal(find(fixture, one.credential_id, &found), RC_NOT_FOUND);
    assert_int_equal(list(fixture, 71, rows), 0);
    assert_int_equal(insert(fixture, &one), RC_OK);
    assert_int_equal(insert(fixture, &two), RC_OK);
    assert_int_equal(find(fixture, one.credential_id, &found), RC_OK);
    assert_true(found.id == one.id && found.account_id == 71);
    assert_true(str_equal(found.credential_id, one.credential_id));
    assert_true(str_equal(found.user_handle, one.user_handle));
    assert_true(str_equal(found.public_key, one.public_key));
    ASSERT_STR(found.transports, "internal hybrid");
    assert_int_equal(found.sign_count, 4294967295);
    assert_true(found.is_user_verified && found.is_backup_eligible && !found.is_backed_up);
    assert_int_equal(find(fixture, (struct str){ "\0one", 4 }, &found), RC_NOT_FOUND);
    assert_int_equal(list(fixture, 71, rows), 2);
    assert_true(rows[0].id == one.id && rows[1].id == two.id && rows[1].is_backed_up);
    assert_int_equal(list(fixture, 72, rows), 0);
}

/* WebAuthn 7.1 step 26 */
static void test_credential_is_there_once(void **state)
{
    struct fixture *fixture = *state;
    struct credential_record mine = sample_passkey(fixture, 71, STR("one"));
    struct credential_record theirs = sample_passkey(fixture, 72, STR("one"));
    struct credential_record found;

    assert_int_equal(insert(fixture, &mine), RC_OK);
    assert_int_equal(insert(fixture, &theirs), RC_EXISTS);
    expect_factors(fixture, 72, 0); /* the unit was undone */
    assert_int_equal(find(fixture, STR("one"), &found), RC_OK);
    assert_int_equal(found.account_id, 71);
}

static void test_passkey_is_spent_by_the_counter_that_was_checked(void **state)
{
    struct fixture *fixture = *state;
    struct credential_record passkey = sample_passkey(fixture, 71, STR("one"));
    struct credential_record found;
    struct factor rows[FACTOR_COUNT_MAX];
    size_t count;

    passkey.sign_count = 7;
    assert_int_equal(insert(fixture, &passkey), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_passkey, &passkey, 8, true, fixture->now + 9),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_passkey, &passkey, 9, false, fixture->now),
                     RC_SPENT);
    assert_int_equal(find(fixture, STR("one"), &found), RC_OK);
    assert_true(found.sign_count == 8 && found.is_backed_up);
    assert_int_equal(store_list_factors(fixture->store, 71, &fixture->arena, rows, &count), RC_OK);
    assert_int_equal(rows[0].last_used_at, fixture->now + 9);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, passkey.id, 71), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_passkey, &found, 10, true, fixture->now),
                     RC_SPENT);
}

static void test_passkey_leaves_with_its_factor(void **state)
{
    struct fixture *fixture = *state;
    struct credential_record one = sample_passkey(fixture, 71, STR("one"));
    struct credential_record two = sample_passkey(fixture, 71, STR("two"));
    struct credential_record theirs = sample_passkey(fixture, 72, STR("theirs"));
    struct credential_record rows[FACTOR_COUNT_MAX];

    assert_int_equal(insert(fixture, &one), RC_OK);
    assert_int_equal(insert(fixture, &two), RC_OK);
    assert_int_equal(insert(fixture, &theirs), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, one.id, 72), RC_NOT_FOUND);
    assert_int_equal(list(fixture, 71, rows), 2);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factor, one.id, 71), RC_OK);
    assert_int_equal(list(fixture, 71, rows), 1);
    assert_int_equal(rows[0].id, two.id);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_factors, 71), RC_OK);
    assert_int_equal(list(fixture, 71, rows), 0);
    assert_int_equal(list(fixture, 72, rows), 1);
    expect_factors(fixture, 72, 1);
}

static void test_account_knows_which_kind_of_factor_it_has(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = sample_account(fixture, "ada");
    struct credential_record passkey = sample_passkey(fixture, ada.id, STR("one"));
    const struct factor app = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                                .account_id = ada.id,
                                .kind = FACTOR_TOTP,
                                .sealed = STR("sealed") };
    struct account found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &ada), RC_OK);
    assert_int_equal(insert(fixture, &passkey), RC_OK);
    assert_int_equal(store_find_account(fixture->store, ada.id, &fixture->arena, &found), RC_OK);
    assert_true(found.has_second_factor && !found.has_code_factor);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &app), RC_OK);
    assert_int_equal(store_find_account(fixture->store, ada.id, &fixture->arena, &found), RC_OK);
    assert_true(found.has_second_factor && found.has_code_factor);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_passkey_comes_back_as_it_went),
        ON_STORE(test_credential_is_there_once),
        ON_STORE(test_passkey_is_spent_by_the_counter_that_was_checked),
        ON_STORE(test_passkey_leaves_with_its_factor),
        ON_STORE(test_account_knows_which_kind_of_factor_it_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
