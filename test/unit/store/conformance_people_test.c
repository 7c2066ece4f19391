/* Conformance, part five: browser sessions, permanent tokens, narrow changes of an account; on
 * whichever engine the fixture opens. */
#include "people.h"

#include "store/trail.h"

static struct account find_account(struct fixture *fixture, int64_t id)
{
    struct account found = { 0 };

    assert_int_equal(store_find_account(fixture->store, id, &fixture->arena, &found), RC_OK);
    return found;
}

/* ---- browser sessions ----------------------------------------------------------------------- */

static void test_browser_session_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct account account = insert_account(fixture, "ada");
    struct browser_session session = sample_browser_session(fixture, account.id);
    struct browser_session sent = session;
    struct browser_session found;
    struct store_unit unit;

    fixture->change_count = 0;
    store_unit_init(&unit);
    store_insert_browser_session(&unit, &sent);
    /* The unit has its own copy of what is not a text. */
    memset(sent.digest, 0, sizeof(sent.digest));
    memset(sent.address, 0, sizeof(sent.address));
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(
        store_find_browser_session(fixture->store, session.digest, &fixture->arena, &found), RC_OK);
    assert_int_equal(found.id, session.id);
    assert_int_equal(found.account_id, account.id);
    assert_memory_equal(found.digest, session.digest, DIGEST_BYTES);
    assert_int_equal(found.stage, STAGE_SIGNED_IN);
    assert_memory_equal(found.address, session.address, sizeof(found.address));
    ASSERT_STR(found.device, "Agent/1.0 (test)");
    assert_int_equal(found.created_at, fixture->now - 7);
    assert_int_equal(found.proved_at, fixture->now - 6);
    assert_int_equal(found.last_active_at, fixture->now - 5);
    assert_int_equal(found.expires_at, fixture->now + 3600);
    assert_int_equal(
        store_find_browser_session(fixture->store, sent.digest, &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(fixture->change_count, 0);
}

static void test_nobody_disabled_or_unknown_gets_a_browser_session(void **state)
{
    struct fixture *fixture = *state;
    struct account account = insert_account(fixture, "ada");
    struct browser_session session = sample_browser_session(fixture, account.id);
    struct browser_session strange = sample_browser_session(fixture, account.id + 1000);

    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, account.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_browser_session, &session), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_browser_session, &strange), RC_NOT_FOUND);
    assert_int_equal(find_browser_session(fixture, &session), RC_NOT_FOUND);
    assert_int_equal(find_browser_session(fixture, &strange), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_enable_account, account.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_browser_session, &session), RC_OK);
}

static void test_browser_touch_only_moves_forward(void **state)
{
    struct fixture *fixture = *state;
    static const int64_t touches_s[][2] = { { 60, 60 }, { 30, 60 }, { 61, 61 } };
    struct account account = insert_account(fixture, "ada");
    struct browser_session session = insert_browser_session(fixture, account.id);
    struct browser_session found;

    for (size_t i = 0; i < sizeof(touches_s) / sizeof(touches_s[0]); i++) {
        assert_int_equal(COMMIT_ONE(fixture, store_touch_browser_session, session.id,
                                    fixture->now + touches_s[i][0]),
                         RC_OK);
        assert_int_equal(
            store_find_browser_session(fixture->store, session.digest, &fixture->arena, &found),
            RC_OK);
        assert_int_equal(found.last_active_at, fixture->now + touches_s[i][1]);
        assert_int_equal(found.expires_at, session.expires_at);
    }
    assert_int_equal(COMMIT_ONE(fixture, store_delete_browser_session, session.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_touch_browser_session, session.id, INT64_MAX),
                     RC_OK);
    assert_int_equal(find_browser_session(fixture, &session), RC_NOT_FOUND);
}

static void test_browser_sessions_of_one_account_end_but_one(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct account bob = insert_account(fixture, "bob");
    struct browser_session first = insert_browser_session(fixture, ada.id);
    struct browser_session kept = insert_browser_session(fixture, ada.id);
    struct browser_session last = insert_browser_session(fixture, ada.id);
    struct browser_session foreign = insert_browser_session(fixture, bob.id);

    assert_int_equal(COMMIT_ONE(fixture, store_delete_browser_sessions, ada.id, kept.id), RC_OK);
    assert_int_equal(find_browser_session(fixture, &first), RC_NOT_FOUND);
    assert_int_equal(find_browser_session(fixture, &kept), RC_OK);
    assert_int_equal(find_browser_session(fixture, &last), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_browser_sessions, ada.id, 0), RC_OK);
    assert_int_equal(find_browser_session(fixture, &kept), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_browser_sessions, ada.id, 0), RC_OK);
    assert_int_equal(find_browser_session(fixture, &foreign), RC_OK);
}

static void test_only_unfinished_sign_ins_of_one_account_end(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct account bob = insert_account(fixture, "bob");
    struct browser_session whole = insert_browser_session(fixture, ada.id);
    struct browser_session half = sample_browser_session(fixture, ada.id);
    struct browser_session foreign = sample_browser_session(fixture, bob.id);

    half.stage = foreign.stage = STAGE_NEEDS_CODE;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_browser_session, &half), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_browser_session, &foreign), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_waiting_sessions, ada.id), RC_OK);
    assert_int_equal(find_browser_session(fixture, &half), RC_NOT_FOUND);
    assert_int_equal(find_browser_session(fixture, &whole), RC_OK);
    assert_int_equal(find_browser_session(fixture, &foreign), RC_OK);
}

/* SE-01: what takes its place is there only if the old one was, and never both. */
static void test_se_01_replacing_an_ended_session_undoes_the_unit(void **state)
{
    struct fixture *fixture = *state;
    struct account account = insert_account(fixture, "ada");
    struct browser_session old = insert_browser_session(fixture, account.id);
    struct browser_session fresh[2] = { sample_browser_session(fixture, account.id),
                                        sample_browser_session(fixture, account.id) };
    struct store_unit unit;

    for (int index = 0; index < 2; index++) {
        store_unit_init(&unit);
        store_replace_browser_session(&unit, old.id);
        store_insert_browser_session(&unit, &fresh[index]);
        assert_int_equal(store_commit(fixture->store, &unit), index == 0 ? RC_OK : RC_NOT_FOUND);
        assert_int_equal(find_browser_session(fixture, &old), RC_NOT_FOUND);
        assert_int_equal(find_browser_session(fixture, &fresh[index]),
                         index == 0 ? RC_OK : RC_NOT_FOUND);
    }
    assert_int_equal(COMMIT_ONE(fixture, store_delete_browser_session, old.id), RC_OK);
}

static void test_browser_sessions_are_listed_newest_first(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct account bob = insert_account(fixture, "bob");
    struct browser_session sessions[3];
    struct browser_session rows[2];
    size_t count = 0;

    for (int index = 0; index < 3; index++) {
        sessions[index] = insert_browser_session(fixture, ada.id);
        insert_browser_session(fixture, bob.id);
    }
    assert_int_equal(store_list_browser_sessions(fixture->store, ada.id, INT64_MAX, &fixture->arena,
                                                 rows, 2, &count),
                     RC_OK);
    assert_int_equal(count, 2);
    assert_true(rows[0].id == sessions[2].id && rows[1].id == sessions[1].id);
    ASSERT_STR(rows[1].device, "Agent/1.0 (test)");
    assert_int_equal(store_list_browser_sessions(fixture->store, ada.id, rows[1].id,
                                                 &fixture->arena, rows, 2, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].id, sessions[0].id);
    assert_int_equal(store_list_browser_sessions(fixture->store, ada.id, rows[0].id,
                                                 &fixture->arena, rows, 2, &count),
                     RC_OK);
    assert_int_equal(count, 0);
}

/* ---- sessions that tokens are tied to ------------------------------------------------------- */

static int64_t insert_session(struct fixture *fixture, int64_t account_id)
{
    struct grant grant = sample_grant(fixture, true);
    struct session session = { .id = grant.id,
                               .account_id = account_id,
                               .address = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
                               .device = STR("Agent/2.0"),
                               .idle_s = 1800,
                               .created_at = fixture->now,
                               .last_active_at = fixture->now };
    struct store_unit unit;

    grant.account_id = account_id;
    grant.is_session = true;
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    store_insert_session(&unit, &session);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    return grant.id;
}

static void test_sessions_are_listed_without_the_ended(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[4];
    struct session rows[2];
    size_t count = 0;

    for (int index = 0; index < 4; index++) {
        ids[index] = insert_session(fixture, 71);
        insert_session(fixture, 72);
    }
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, ids[2], fixture->now), RC_OK);
    assert_int_equal(
        store_list_sessions(fixture->store, 71, INT64_MAX, &fixture->arena, rows, 2, &count),
        RC_OK);
    assert_int_equal(count, 2);
    assert_true(rows[0].id == ids[3] && rows[1].id == ids[1]);
    assert_true(rows[0].account_id == 71 && rows[0].address[15] == 1 && rows[0].idle_s == 1800);
    ASSERT_STR(rows[0].device, "Agent/2.0");
    assert_int_equal(
        store_list_sessions(fixture->store, 71, ids[1], &fixture->arena, rows, 2, &count), RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].id, ids[0]);
    assert_int_equal(
        store_list_sessions(fixture->store, 73, INT64_MAX, &fixture->arena, rows, 2, &count),
        RC_OK);
    assert_int_equal(count, 0);
}

/* ---- permanent tokens ----------------------------------------------------------------------- */

static void test_permanent_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent made = sample_permanent(fixture, 71, fixture->now + 86400);
    struct permanent found;
    struct grant grant;

    made.permanent.replaced_by = 5;
    made.permanent.last_used_at = fixture->now - 1;
    memset(made.permanent.last_used_address, 0xa5, 16);
    commit_permanent(fixture, &made);
    found = read_permanent(fixture, made.grant.id);
    assert_int_equal(found.id, made.grant.id);
    assert_int_equal(found.account_id, 71);
    assert_int_equal(found.token_id, made.token.id);
    ASSERT_STR(found.name, "nightly reports");
    ASSERT_STR(found.scope, "read");
    ASSERT_STR(found.addresses, "192.0.2.0/24 2001:db8::/32");
    assert_int_equal(found.created_at, fixture->now);
    assert_int_equal(found.expires_at, fixture->now + 86400);
    assert_int_equal(found.revoked_at, 0);
    assert_int_equal(found.replaced_by, 5);
    assert_int_equal(found.last_used_at, fixture->now - 1);
    assert_memory_equal(found.last_used_address, made.permanent.last_used_address, 16);
    assert_int_equal(
        store_find_permanent(fixture->store, made.grant.id + 1, &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(
        store_find_permanent_of_token(fixture->store, 71, made.token.id, &fixture->arena, &found),
        RC_OK);
    assert_int_equal(found.id, made.grant.id);
    assert_int_equal(
        store_find_permanent_of_token(fixture->store, 72, made.token.id, &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(store_find_grant(fixture->store, made.grant.id, &fixture->arena, &grant),
                     RC_OK);
    assert_true(grant.is_permanent && grant.is_family && !grant.is_session);
}

/* Two of one owner with the same scope and audience: neither is the other's standing grant. */
static void test_permanents_of_the_same_scope_stand_apart(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent first = insert_permanent(fixture, 71, 0);
    struct made_permanent second = insert_permanent(fixture, 71, 0);
    struct grant found;

    assert_int_equal(
        store_find_standing_grant(fixture->store, &first.grant, &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, first.grant.id, fixture->now), RC_OK);
    assert_int_equal(read_permanent(fixture, second.grant.id).revoked_at, 0);
}

/* Whatever ends the grant (its owner, an operator, a lockout) is what revokes the token. */
static void test_permanent_is_revoked_by_the_end_of_its_grant(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent made = insert_permanent(fixture, 71, 0);
    struct permanent changed;

    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, made.grant.id, fixture->now + 9), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, made.grant.id, fixture->now + 10), RC_OK);
    assert_int_equal(read_permanent(fixture, made.grant.id).revoked_at, fixture->now + 9);
    /* A change that was drafted before it was revoked does not bring it back. */
    changed = made.permanent;
    changed.name = STR("other");
    assert_int_equal(COMMIT_ONE(fixture, store_update_permanent, &changed), RC_OK);
    assert_int_equal(read_permanent(fixture, made.grant.id).revoked_at, fixture->now + 9);
}

static void test_permanent_update_is_for_its_owner(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent made = insert_permanent(fixture, 71, 0);
    struct permanent changed = made.permanent;
    struct permanent found;

    changed.name = STR("weekly reports");
    changed.account_id = 72;
    assert_int_equal(COMMIT_ONE(fixture, store_update_permanent, &changed), RC_NOT_FOUND);
    ASSERT_STR(read_permanent(fixture, made.grant.id).name, "nightly reports");
    changed.account_id = 71;
    changed.scope = STR("everything");
    changed.addresses = STR("");
    changed.expires_at = INT64_MAX;
    changed.replaced_by = 99;
    assert_int_equal(COMMIT_ONE(fixture, store_update_permanent, &changed), RC_OK);
    found = read_permanent(fixture, made.grant.id);
    ASSERT_STR(found.name, "weekly reports");
    ASSERT_STR(found.scope, "read");
    ASSERT_STR(found.addresses, "192.0.2.0/24 2001:db8::/32");
    assert_true(found.expires_at == 0 && found.replaced_by == 0);
}

static void test_living_permanent_is_replaced_once_by_its_owner(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent made = insert_permanent(fixture, 71, 0);
    struct made_permanent ended = insert_permanent(fixture, 71, 0);
    int64_t id = made.grant.id;

    assert_int_equal(COMMIT_ONE(fixture, store_replace_permanent, 72, id, 99), RC_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_replace_permanent, 71, id + 1000, 99), RC_SPENT);
    assert_int_equal(read_permanent(fixture, id).replaced_by, 0);
    assert_int_equal(COMMIT_ONE(fixture, store_replace_permanent, 71, id, 99), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_replace_permanent, 71, id, 100), RC_SPENT);
    assert_int_equal(read_permanent(fixture, id).replaced_by, 99);
    /* The old one lives on. */
    assert_int_equal(read_permanent(fixture, id).revoked_at, 0);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, ended.grant.id, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_replace_permanent, 71, ended.grant.id, 99),
                     RC_SPENT);
}

/* One more than an account may have is not made, nor its grant; one that ended makes room. */
static void test_permanents_of_one_account_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent first = insert_permanent(fixture, 71, 0);
    struct made_permanent expired = insert_permanent(fixture, 71, fixture->now + 60);
    struct made_permanent late = sample_permanent(fixture, 71, 0);
    struct store_unit unit;
    struct grant grant;

    insert_permanent(fixture, 72, 0);
    for (int index = 2; index < PERMANENT_LIVING_COUNT_MAX; index++)
        insert_permanent(fixture, 71, 0);
    for (int index = 0; index < 4; index++) {
        /* Full; one was ended; full again; one has expired since. */
        const enum rc expected[] = { RC_TOO_LARGE, RC_OK, RC_TOO_LARGE, RC_OK };

        late = sample_permanent(fixture, 71, 0);
        if (index == 1)
            assert_int_equal(COMMIT_ONE(fixture, store_end_grant, first.grant.id, fixture->now),
                             RC_OK);
        if (index == 3)
            late.permanent.created_at = expired.permanent.expires_at;
        store_unit_init(&unit);
        store_insert_grant(&unit, &late.grant);
        store_insert_permanent(&unit, &late.permanent);
        assert_int_equal(store_commit(fixture->store, &unit), expected[index]);
        assert_int_equal(store_find_grant(fixture->store, late.grant.id, &fixture->arena, &grant),
                         expected[index] == RC_OK ? RC_OK : RC_NOT_FOUND);
    }
    insert_permanent(fixture, 72, 0);
}

static void test_permanent_touch_only_moves_forward(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent made = insert_permanent(fixture, 71, 0);
    struct permanent found;
    unsigned char early[16] = { 1 };
    unsigned char late[16] = { 2 };
    struct store_unit unit;

    store_unit_init(&unit);
    store_touch_permanent(&unit, made.grant.id, fixture->now + 20, late);
    late[0] = 0; /* the unit has its own copy */
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_touch_permanent, made.grant.id, fixture->now + 10, early), RC_OK);
    found = read_permanent(fixture, made.grant.id);
    assert_int_equal(found.last_used_at, fixture->now + 20);
    assert_int_equal(found.last_used_address[0], 2);
    assert_int_equal(
        COMMIT_ONE(fixture, store_touch_permanent, made.grant.id + 1000, fixture->now, early),
        RC_OK);
}

static void test_permanents_are_listed_newest_first(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent made[4];
    struct permanent rows[3];
    size_t count = 0;

    for (int index = 0; index < 4; index++)
        made[index] = insert_permanent(fixture, index == 1 ? 72 : 71, 0);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, made[3].grant.id, fixture->now), RC_OK);
    assert_int_equal(
        store_list_permanents(fixture->store, 71, INT64_MAX, &fixture->arena, rows, 3, &count),
        RC_OK);
    assert_int_equal(count, 3); /* the revoked ones too */
    assert_true(rows[0].id == made[3].grant.id && rows[0].revoked_at == fixture->now);
    assert_true(rows[1].id == made[2].grant.id && rows[1].revoked_at == 0);
    assert_int_equal(rows[2].id, made[0].grant.id);
    assert_int_equal(store_list_permanents(fixture->store, 0, made[2].grant.id, &fixture->arena,
                                           rows, 3, &count),
                     RC_OK);
    assert_int_equal(count, 2);
    assert_true(rows[0].id == made[1].grant.id && rows[0].account_id == 72);
    assert_int_equal(
        store_list_permanents(fixture->store, 73, INT64_MAX, &fixture->arena, rows, 3, &count),
        RC_OK);
    assert_int_equal(count, 0);
}

/* ---- narrow changes of an account ----------------------------------------------------------- */

/* A lockout that was committed while somebody wrote a password stands, and the other way round. */
static void test_narrow_changes_leave_each_other_alone(void **state)
{
    struct fixture *fixture = *state;
    struct account read_before = insert_account(fixture, "ada");
    struct account found;

    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, read_before.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_set_password_hash, read_before.id, STR("new")),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_update_profile, read_before.id,
                                read_before.full_name, STR("other@example.org")),
                     RC_OK);
    found = find_account(fixture, read_before.id);
    assert_true(found.is_disabled && found.is_admin);
    ASSERT_STR(found.password_hash, "new");
    ASSERT_STR(found.email, "other@example.org");
    fixture->change_count = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_enable_account, read_before.id), RC_OK);
    assert_int_equal(fixture->change_count, 1);
    assert_true(fixture->changes[0].kind == CHANGE_ACCOUNT &&
                fixture->changes[0].key == read_before.id);
    found = find_account(fixture, read_before.id);
    assert_false(found.is_disabled);
    ASSERT_STR(found.password_hash, "new");
    assert_int_equal(COMMIT_ONE(fixture, store_enable_account, 999999), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_set_password_hash, 999999, STR("x")), RC_NOT_FOUND);
}

static void test_expected_password_decides_over_its_unit(void **state)
{
    struct fixture *fixture = *state;
    struct account account = insert_account(fixture, "ada");
    struct browser_session session = sample_browser_session(fixture, account.id);
    static const char *const expected[] = { "old", "", "new", "new" };
    struct store_unit unit;

    assert_int_equal(COMMIT_ONE(fixture, store_set_password_hash, account.id, STR("new")), RC_OK);
    fixture->change_count = 0;
    for (int index = 0; index < 4; index++) {
        if (index == 3)
            assert_int_equal(COMMIT_ONE(fixture, store_disable_account, account.id), RC_OK);
        store_unit_init(&unit);
        session.digest[0] = (unsigned char)index;
        session.id = fixture_id(fixture, SEQUENCE_NOUN);
        store_insert_browser_session(&unit, &session);
        store_expect_password_hash(&unit, account.id, str_of(expected[index]));
        assert_int_equal(store_commit(fixture->store, &unit), index == 2 ? RC_OK : RC_NOT_FOUND);
        assert_int_equal(find_browser_session(fixture, &session),
                         index == 2 ? RC_OK : RC_NOT_FOUND);
    }
    assert_int_equal(fixture->change_count, 1); /* the disabling */
    ASSERT_STR(find_account(fixture, account.id).password_hash, "new");
}

/* SE-06: in the same unit. */
static void test_se_06_disabling_and_a_new_password_end_browser_sessions(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct account bob = insert_account(fixture, "bob");
    struct browser_session foreign = insert_browser_session(fixture, bob.id);
    struct browser_session session = insert_browser_session(fixture, ada.id);
    struct store_unit unit;

    /* A unit that is undone ends nothing. */
    store_unit_init(&unit);
    store_disable_account(&unit, ada.id);
    store_disable_account(&unit, 999999);
    assert_int_equal(store_commit(fixture->store, &unit), RC_NOT_FOUND);
    assert_int_equal(find_browser_session(fixture, &session), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_set_password_hash, ada.id, STR("new")), RC_OK);
    assert_int_equal(find_browser_session(fixture, &session), RC_NOT_FOUND);
    session = insert_browser_session(fixture, ada.id);
    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, ada.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_enable_account, ada.id), RC_OK);
    assert_int_equal(find_browser_session(fixture, &session), RC_NOT_FOUND);
    assert_int_equal(find_browser_session(fixture, &foreign), RC_OK);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

/* ---- searches -------------------------------------------------------------------------------- */

static size_t count_accounts(struct fixture *fixture, const char *text, int64_t before_id)
{
    struct account found[4];
    size_t count;

    assert_int_equal(store_search_accounts(fixture->store, str_of(text), before_id, &fixture->arena,
                                           found, 4, &count),
                     RC_OK);
    return count;
}

static void test_accounts_are_searched(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "Ada_100%");

    insert_account(fixture, "bob");
    assert_int_equal(count_accounts(fixture, "", INT64_MAX), 2);
    assert_int_equal(count_accounts(fixture, "", ada.id), 0);
    assert_int_equal(count_accounts(fixture, "aDA_1", INT64_MAX), 1);
    assert_int_equal(count_accounts(fixture, "%", INT64_MAX), 1);
    assert_int_equal(count_accounts(fixture, "a%a", INT64_MAX), 0);
}

static void test_events_are_searched(void **state)
{
    struct fixture *fixture = *state;
    struct event event = { .at = 1, .kind = EVENT_SIGNED_IN, .account_id = 7, .address = { 9 } };
    static const size_t counts[] = { 2, 1, 0, 1, 0 };
    struct event_filter filter;
    struct event found[4];
    size_t count;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_event, &event), RC_OK);
    event.kind = EVENT_SIGNED_OUT;
    event.client_id = 5;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_event, &event), RC_OK);
    for (int i = 0; i < 5; i++) {
        filter = (struct event_filter){ .kind = i == 1 ? EVENT_SIGNED_IN : 0,
                                        .account_id = i == 2 ? 8 : 0,
                                        .client_id = i == 3 ? 5 : 0,
                                        .has_address = i == 4 };
        assert_int_equal(store_search_events(fixture->store, &filter, INT64_MAX, &fixture->arena,
                                             found, 4, &count),
                         RC_OK);
        assert_int_equal(count, counts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_accounts_are_searched),
        ON_STORE(test_events_are_searched),
        ON_STORE(test_browser_session_comes_back_as_it_went),
        ON_STORE(test_nobody_disabled_or_unknown_gets_a_browser_session),
        ON_STORE(test_browser_touch_only_moves_forward),
        ON_STORE(test_browser_sessions_of_one_account_end_but_one),
        ON_STORE(test_only_unfinished_sign_ins_of_one_account_end),
        ON_STORE(test_se_01_replacing_an_ended_session_undoes_the_unit),
        ON_STORE(test_browser_sessions_are_listed_newest_first),
        ON_STORE(test_sessions_are_listed_without_the_ended),
        ON_STORE(test_permanent_comes_back_as_it_went),
        ON_STORE(test_permanents_of_the_same_scope_stand_apart),
        ON_STORE(test_permanent_is_revoked_by_the_end_of_its_grant),
        ON_STORE(test_permanent_update_is_for_its_owner),
        ON_STORE(test_living_permanent_is_replaced_once_by_its_owner),
        ON_STORE(test_permanents_of_one_account_are_bounded),
        ON_STORE(test_permanent_touch_only_moves_forward),
        ON_STORE(test_permanents_are_listed_newest_first),
        ON_STORE(test_narrow_changes_leave_each_other_alone),
        ON_STORE(test_expected_password_decides_over_its_unit),
        ON_STORE(test_se_06_disabling_and_a_new_password_end_browser_sessions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
