/* Conformance, part two: grants, tokens, and what may be done once; on whichever engine the fixture
 * opens. */
#include "fixture.h"

static void test_standing_grant_lives_once(void **state)
{
    struct fixture *fixture = *state;
    struct grant first = sample_grant(fixture, false);
    struct grant second = sample_grant(fixture, false);
    struct grant found;

    assert_int_equal(store_find_standing_grant(fixture->store, &first, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &first), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &second), RC_EXISTS);
    assert_int_equal(store_find_standing_grant(fixture->store, &second, &fixture->arena, &found),
                     RC_OK);
    assert_int_equal(found.id, first.id);
    ASSERT_STR(found.scope, "read");
    ASSERT_STR(found.audience, "one.example two.example");
    /* An ended one makes room for the next. */
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, first.id, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &second), RC_OK);
    second = sample_grant(fixture, false);
    second.scope = STR("write");
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &second), RC_OK);
}

static void test_families_are_many_and_end_with_their_children(void **state)
{
    struct fixture *fixture = *state;
    struct grant family = sample_grant(fixture, true);
    struct grant other = sample_grant(fixture, true);
    struct grant child = sample_grant(fixture, false);
    struct grant found;

    child.parent_id = family.id;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &other), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &child), RC_OK);
    assert_int_equal(store_find_standing_grant(fixture->store, &child, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, family.id, fixture->now + 5), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, family.id, fixture->now + 9), RC_OK);
    assert_int_equal(store_find_grant(fixture->store, child.id, &fixture->arena, &found), RC_OK);
    assert_int_equal(found.ended_at, fixture->now + 5);
    assert_int_equal(found.parent_id, family.id);
    assert_int_equal(store_find_grant(fixture->store, other.id, &fixture->arena, &found), RC_OK);
    assert_int_equal(found.ended_at, 0);
}

static void test_child_of_a_grant_that_left_has_ended(void **state)
{
    struct fixture *fixture = *state;
    struct grant child = sample_grant(fixture, false);
    struct grant found;

    child.parent_id = 123456;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &child), RC_OK);
    assert_int_equal(store_find_grant(fixture->store, child.id, &fixture->arena, &found), RC_OK);
    assert_true(found.ended_at != 0);
}

static void test_token_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct token tokens[2] = { sample_token(fixture, 5, false), sample_token(fixture, 6, true) };
    struct token found;
    int index;

    tokens[0].format = TOKEN_JWT;
    for (index = 0; index < 2; index++) {
        assert_int_equal(store_find_token(fixture->store, tokens[index].id, &found), RC_NOT_FOUND);
        assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &tokens[index]), RC_OK);
        assert_int_equal(store_find_token(fixture->store, tokens[index].id, &found), RC_OK);
        assert_int_equal(found.id, tokens[index].id);
        assert_int_equal(found.grant_id, tokens[index].grant_id);
        assert_int_equal(found.kind, tokens[index].kind);
        assert_int_equal(found.format, tokens[index].format);
        assert_int_equal(found.issued_at, tokens[index].issued_at);
        assert_int_equal(found.expires_at, tokens[index].expires_at);
        assert_memory_equal(found.digest, tokens[index].digest, DIGEST_BYTES);
        assert_false(found.is_revoked || found.is_spent);
        assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &tokens[index]), RC_EXISTS);
    }
    assert_true(tokens[0].id < STORE_LONG_TOKEN_FIRST && tokens[1].id >= STORE_LONG_TOKEN_FIRST);
}

static void test_revoking_twice_is_fine(void **state)
{
    struct fixture *fixture = *state;
    struct token token = sample_token(fixture, 5, false);
    struct token found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_revoke_token, token.id, fixture->now, token.expires_at), RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_revoke_token, token.id, fixture->now, token.expires_at), RC_OK);
    assert_int_equal(store_find_token(fixture->store, token.id, &found), RC_OK);
    assert_true(found.is_revoked);
    assert_false(found.is_spent);
}

/* RFC 9700 4.14.2: a refresh token is used once. */
static void test_token_is_spent_once(void **state)
{
    struct fixture *fixture = *state;
    struct grant family = sample_family(fixture);
    struct token token = sample_token(fixture, family.id, true);
    struct spent_token spent;
    struct token found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_OK);
    assert_int_equal(store_find_spent(fixture->store, token.id, &spent), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, token.id, family.id, 77, fixture->now,
                                token.expires_at),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, token.id, family.id, 78, fixture->now,
                                token.expires_at),
                     RC_SPENT);
    assert_int_equal(store_find_spent(fixture->store, token.id, &spent), RC_OK);
    assert_int_equal(spent.successor_id, 77);
    assert_int_equal(spent.at, fixture->now);
    assert_int_equal(store_find_token(fixture->store, token.id, &found), RC_OK);
    assert_true(found.is_spent);
    assert_false(found.is_revoked);
}

static void test_revoked_or_ended_is_not_spent(void **state)
{
    struct fixture *fixture = *state;
    struct grant family = sample_family(fixture);
    struct grant child = sample_grant(fixture, true);
    struct token token = sample_token(fixture, family.id, true);
    struct spent_token spent;

    child.parent_id = family.id;
    child.account_id = family.account_id;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &child), RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_revoke_token, token.id, fixture->now, token.expires_at), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, token.id, family.id, 1, fixture->now,
                                token.expires_at),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, family.id, fixture->now), RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_spend_token, token.id + 1, family.id, 1, fixture->now, 0),
        RC_NOT_FOUND);
    assert_int_equal(
        COMMIT_ONE(fixture, store_spend_token, token.id + 1, child.id, 1, fixture->now, 0),
        RC_NOT_FOUND);
    assert_int_equal(
        COMMIT_ONE(fixture, store_spend_token, token.id + 1, 99999, 1, fixture->now, 0),
        RC_NOT_FOUND);
    assert_int_equal(store_find_spent(fixture->store, token.id, &spent), RC_NOT_FOUND);
    assert_int_equal(store_find_spent(fixture->store, token.id + 1, &spent), RC_NOT_FOUND);
}

/* The second user of a token whose family has been ended is still told that it was used. */
static void test_reuse_is_told_even_when_the_family_has_ended(void **state)
{
    struct fixture *fixture = *state;
    struct grant family = sample_family(fixture);

    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, 500, family.id, 1, fixture->now, 0),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, family.id, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, 500, family.id, 1, fixture->now, 0),
                     RC_SPENT);
}

/* RT-10: the commit decides, so a disabled account cannot win by a request under way. */
static void test_nothing_is_spent_for_a_disabled_account(void **state)
{
    struct fixture *fixture = *state;
    struct account account = sample_account(fixture, "ada");
    struct grant family = sample_grant(fixture, true);
    struct grant of_client = sample_grant(fixture, true);
    struct grant of_nobody = sample_grant(fixture, true);

    family.account_id = account.id;
    of_client.account_id = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &of_client), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &of_nobody), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, 501, family.id, 1, fixture->now, 0),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, account.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, 502, family.id, 1, fixture->now, 0),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, 503, of_client.id, 1, fixture->now, 0),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, 504, of_nobody.id, 1, fixture->now, 0),
                     RC_NOT_FOUND);
}

/* Whoever caches hears of it; no row is written for it. */
static void test_spending_is_told_without_a_row(void **state)
{
    struct fixture *fixture = *state;
    struct grant family = sample_family(fixture);

    struct store_unit unit;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    fixture->change_count = 0;
    store_unit_init(&unit);
    store_spend_token(&unit, 505, family.id, 1, fixture->now, 0);
    store_revoke_token(&unit, 506, fixture->now, 0);
    assert_int_equal(unit.told_changes, 1);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(fixture->change_count, 2);
    assert_int_equal(fixture->changes[0].kind, CHANGE_TOKEN_REVOKED);
    assert_int_equal(fixture->changes[0].key, 505);
    assert_int_equal(fixture->changes[1].kind, CHANGE_TOKEN_REVOKED);
    assert_int_equal(fixture->changes[1].key, 506);
}

static void test_replay_is_kept_until_its_moment(void **state)
{
    struct fixture *fixture = *state;
    char bytes[] = { 0, 1, 2, 0, (char)0xff };
    struct str sealed = { bytes, sizeof(bytes) };
    struct str found;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_replay, 9, fixture->now + 10, sealed), RC_OK);
    assert_int_equal(
        store_find_replay(fixture->store, 9, fixture->now + 10, &fixture->arena, &found), RC_OK);
    assert_true(str_equal(found, sealed));
    assert_int_equal(
        store_find_replay(fixture->store, 9, fixture->now + 11, &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(store_find_replay(fixture->store, 8, fixture->now, &fixture->arena, &found),
                     RC_NOT_FOUND);
}

static void test_tokens_are_listed_without_the_expired(void **state)
{
    struct fixture *fixture = *state;
    struct grant standing = sample_grant(fixture, false); /* or the endless one may be swept */
    struct token tokens[4];
    struct token rows[2];
    size_t count;
    int index;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &standing), RC_OK);
    for (index = 0; index < 4; index++) {
        tokens[index] = sample_token(fixture, standing.id, index >= 2);
        tokens[index].expires_at = index == 3 ? 0 : fixture->now + 100 * (index + 1);
        assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &tokens[index]), RC_OK);
    }
    assert_int_equal(COMMIT_ONE(fixture, store_revoke_token, tokens[2].id, fixture->now, 0), RC_OK);
    assert_int_equal(store_list_tokens(fixture->store, 0, fixture->now, rows, 2, &count), RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].id, tokens[0].id);
    assert_int_equal(store_list_tokens(fixture->store, rows[1].id, fixture->now, rows, 2, &count),
                     RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].id, tokens[2].id);
    assert_true(rows[0].is_revoked);
    assert_false(rows[1].is_revoked);
    assert_int_equal(store_list_tokens(fixture->store, rows[1].id, fixture->now, rows, 2, &count),
                     RC_OK);
    assert_int_equal(count, 0);
    assert_int_equal(store_list_tokens(fixture->store, 0, fixture->now + 100, rows, 1, &count),
                     RC_OK);
    assert_int_equal(rows[0].id, tokens[1].id);
}

static void insert_grants_to_list(struct fixture *fixture, struct grant grants[static 4])
{
    int index;

    for (index = 0; index < 4; index++) {
        grants[index] = sample_grant(fixture, true);
        grants[index].account_id = index < 3 ? 1 : 0;
        grants[index].client_id = index % 2 == 0 ? 10 : 11;
        grants[index].audience = index == 1 ? STR("two.example") : STR("one.example two.example");
        assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grants[index]), RC_OK);
    }
}

static void test_grants_are_listed_by_account_and_client(void **state)
{
    struct fixture *fixture = *state;
    struct grant grants[4];
    struct grant rows[4];
    size_t count;

    insert_grants_to_list(fixture, grants);
    assert_int_equal(
        store_list_grants(fixture->store, 1, 0, INT64_MAX, &fixture->arena, rows, 4, &count),
        RC_OK);
    assert_int_equal(count, 3);
    assert_int_equal(rows[0].id, grants[2].id);
    assert_int_equal(
        store_list_grants(fixture->store, 0, 11, INT64_MAX, &fixture->arena, rows, 4, &count),
        RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].id, grants[3].id);
    assert_int_equal(
        store_list_grants(fixture->store, 1, 10, grants[2].id, &fixture->arena, rows, 4, &count),
        RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].id, grants[0].id);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, grants[0].id, fixture->now), RC_OK);
    assert_int_equal(
        store_list_grants(fixture->store, 0, 0, INT64_MAX, &fixture->arena, rows, 4, &count),
        RC_OK);
    assert_int_equal(count, 3);
}

static void test_grants_are_listed_by_service(void **state)
{
    struct fixture *fixture = *state;
    struct grant grants[4];
    struct grant rows[4];
    size_t count;

    insert_grants_to_list(fixture, grants);
    assert_int_equal(store_list_grants_of_service(fixture->store, STR("one.example"), 0,
                                                  &fixture->arena, rows, 2, &count),
                     RC_OK);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].id, grants[0].id);
    assert_int_equal(rows[1].id, grants[2].id);
    assert_int_equal(store_list_grants_of_service(fixture->store, STR("one.example"), rows[1].id,
                                                  &fixture->arena, rows, 2, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].id, grants[3].id);
    assert_int_equal(store_list_grants_of_service(fixture->store, STR("example"), 0,
                                                  &fixture->arena, rows, 2, &count),
                     RC_OK);
    assert_int_equal(count, 0);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_standing_grant_lives_once),
        ON_STORE(test_families_are_many_and_end_with_their_children),
        ON_STORE(test_child_of_a_grant_that_left_has_ended),
        ON_STORE(test_token_comes_back_as_it_went),
        ON_STORE(test_revoking_twice_is_fine),
        ON_STORE(test_token_is_spent_once),
        ON_STORE(test_revoked_or_ended_is_not_spent),
        ON_STORE(test_reuse_is_told_even_when_the_family_has_ended),
        ON_STORE(test_nothing_is_spent_for_a_disabled_account),
        ON_STORE(test_spending_is_told_without_a_row),
        ON_STORE(test_replay_is_kept_until_its_moment),
        ON_STORE(test_tokens_are_listed_without_the_expired),
        ON_STORE(test_grants_are_listed_by_account_and_client),
        ON_STORE(test_grants_are_listed_by_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
