/* Expired rows leave, what still speaks stays, and the file does not grow. */
#include "people.h"
#include "store/tries.h"
#include "sweeping.h"

enum { DAY_S = 86400, IDLE_S = 1800, BROWSER_KEPT_S = 7200 };

/* As many tokens as a unit holds. */
static void insert_unit_of_tokens(struct fixture *fixture, int64_t expires_at)
{
    struct store_unit unit;
    int index;

    store_unit_init(&unit);
    for (index = 0; index < STORE_UNIT_STEP_COUNT_MAX; index++) {
        struct token token = sample_token(fixture, 5, false);

        token.expires_at = expires_at;
        store_insert_token(&unit, &token);
    }
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

static size_t count_tokens(struct fixture *fixture)
{
    struct token rows[STORE_LIST_ROW_COUNT_MAX];
    int64_t after_id = 0;
    size_t total = 0;
    size_t count = 0;

    do {
        total += count;
        assert_int_equal(
            store_list_tokens(fixture->store, after_id, 0, rows, STORE_LIST_ROW_COUNT_MAX, &count),
            RC_OK);
        after_id = count == 0 ? 0 : rows[count - 1].id;
    } while (count > 0);
    return total;
}

static void test_idle_store_sweeps_what_expired(void **state)
{
    struct fixture *fixture = *state;
    int index;

    /* Expired and living ones in turn, over many pages. */
    for (index = 0; index < 100; index++)
        insert_unit_of_tokens(fixture, index % 2 == 0 ? fixture->now - 1 : fixture->now + 3600);
    insert_unit_of_tokens(fixture, 0);
    wait_for_sweep(fixture, (uint64_t)50 * STORE_UNIT_STEP_COUNT_MAX);
    assert_int_equal(count_tokens(fixture), 51 * STORE_UNIT_STEP_COUNT_MAX);
}

static struct token insert_ended(struct fixture *fixture, int64_t issued_at, int64_t expires_at,
                                 bool is_long)
{
    struct grant grant = sample_grant(fixture, true);
    struct token token = sample_token(fixture, grant.id, is_long);
    struct store_unit unit;

    token.issued_at = grant.created_at = issued_at;
    token.expires_at = grant.expires_at = expires_at;
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    store_insert_token(&unit, &token);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    return token;
}

static void expect_ended(struct fixture *fixture, const struct token *token, enum rc rc)
{
    struct grant grant;
    struct token found;

    assert_int_equal(store_find_token(fixture->store, token->id, &found), rc);
    assert_int_equal(store_find_grant(fixture->store, token->grant_id, &fixture->arena, &grant),
                     rc);
}

/* Who comes with it is told that it has expired: for a minute, or as long as it lived. */
static void test_what_has_just_expired_stays_a_minute(void **state)
{
    struct fixture *fixture = *state;
    int64_t hour_ago = fixture->now - 3600;
    struct token fresh[] = { insert_ended(fixture, hour_ago, fixture->now - 1, false),
                             insert_ended(fixture, hour_ago, fixture->now - 1, true),
                             insert_ended(fixture, fixture->now - 100, fixture->now - 5, false) };
    struct token over[] = { insert_ended(fixture, hour_ago, fixture->now - 61, false),
                            insert_ended(fixture, hour_ago, fixture->now - 61, true),
                            insert_ended(fixture, fixture->now - 15, fixture->now - 7, false) };
    uint64_t swept = 6;

    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    for (size_t i = 0; i < sizeof(fresh) / sizeof(fresh[0]); i++) {
        expect_ended(fixture, &fresh[i], RC_OK);
        expect_ended(fixture, &over[i], RC_NOT_FOUND);
    }
}

/* No turn of the clock brings a token back: its revocation stays as long as the token. */
static void test_revocation_stays_as_long_as_its_token(void **state)
{
    struct fixture *fixture = *state;
    struct token token = sample_token(fixture, 5, true);
    struct spent_token spent;
    struct token found;
    struct grant family = sample_family(fixture);

    token.expires_at = fixture->now + 3600;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, token.id, family.id, 1, fixture->now,
                                fixture->now - 1),
                     RC_OK);
    assert_int_equal(
        COMMIT_ONE(fixture, store_revoke_token, token.id, fixture->now, fixture->now - 1), RC_OK);
    /* The two that belong to no token leave; these two do not. */
    assert_int_equal(
        COMMIT_ONE(fixture, store_revoke_token, 1000001, fixture->now, fixture->now - 1), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_token, 1000002, family.id, 1, fixture->now,
                                fixture->now - 1),
                     RC_OK);
    wait_for_sweep(fixture, 2);
    assert_int_equal(store_find_token(fixture->store, token.id, &found), RC_OK);
    assert_true(found.is_revoked && found.is_spent);
    assert_int_equal(store_find_spent(fixture->store, 1000002, &spent), RC_NOT_FOUND);
}

static void test_replays_grants_and_failures_leave_in_their_time(void **state)
{
    struct fixture *fixture = *state;
    struct grant ended = sample_grant(fixture, true);
    struct grant expired = sample_grant(fixture, true);
    struct grant fresh = sample_grant(fixture, true);
    unsigned char old_key[DIGEST_BYTES] = { 1 };
    unsigned char new_key[DIGEST_BYTES] = { 2 };
    struct throttle throttle;
    struct grant found;

    ended.ended_at = fixture->now - 31 * DAY_S;
    expired.expires_at = fixture->now - 1;
    fresh.ended_at = fixture->now - 29 * DAY_S;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &ended), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &expired), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &fresh), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_replay, 1, fixture->now - 1, STR("x")),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_replay, 2, fixture->now + 3600, STR("x")),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_count_failure, new_key, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_count_failure, old_key, fixture->now - 31 * DAY_S),
                     RC_OK);
    wait_for_sweep(fixture, 4);
    assert_int_equal(store_find_grant(fixture->store, ended.id, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(store_find_grant(fixture->store, expired.id, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(store_find_grant(fixture->store, fresh.id, &fixture->arena, &found), RC_OK);
    assert_int_equal(store_find_throttle(fixture->store, old_key, &throttle), RC_NOT_FOUND);
    assert_int_equal(store_find_throttle(fixture->store, new_key, &throttle), RC_OK);
}

static void test_locked_name_stays_locked(void **state)
{
    struct fixture *fixture = *state;
    unsigned char locked_key[DIGEST_BYTES] = { 3 };
    unsigned char old_key[DIGEST_BYTES] = { 1 };
    struct throttle throttle;
    struct store_unit unit;
    int index;
    int round;

    for (round = 0; round < 10; round++) {
        store_unit_init(&unit);
        for (index = 0; index < 10; index++)
            store_count_failure(&unit, locked_key,
                                round < 9 ? fixture->now : fixture->now - 100 * 86400);
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    }
    assert_int_equal(COMMIT_ONE(fixture, store_count_failure, old_key, fixture->now - 31 * 86400),
                     RC_OK);
    wait_for_sweep(fixture, 1);
    assert_int_equal(store_find_throttle(fixture->store, locked_key, &throttle), RC_OK);
    assert_int_equal(throttle.failure_count, 100);
}

/* What is counted within a while is kept a day longer than that, however much it is. */
static void test_counts_within_a_while_leave(void **state)
{
    struct fixture *fixture = *state;
    unsigned char old_key[DIGEST_BYTES] = { 1 };
    unsigned char new_key[DIGEST_BYTES] = { 2 };
    struct throttle throttle;
    struct store_unit unit;

    store_unit_init(&unit);
    for (int index = 0; index < 7; index++) {
        store_count_in_window(&unit, old_key, 9, 600, fixture->now - DAY_S - 700);
        store_count_in_window(&unit, new_key, 9, 600, fixture->now - DAY_S - 300);
    }
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    wait_for_sweep(fixture, 1);
    assert_int_equal(store_find_throttle(fixture->store, old_key, &throttle), RC_NOT_FOUND);
    assert_int_equal(store_find_throttle(fixture->store, new_key, &throttle), RC_OK);
    assert_int_equal(throttle.failure_count, 7);
}

static void test_file_does_not_grow_when_tokens_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    const off_t one_round_bytes = (off_t)200 * STORE_UNIT_STEP_COUNT_MAX * 64;
    uint64_t swept = 0;
    off_t bytes = 0;
    int round;

    if (fixture_is_shared())
        skip(); /* of a file */
    for (round = 1; round <= 6; round++) {
        int unit;

        for (unit = 0; unit < 200; unit++)
            insert_unit_of_tokens(fixture, fixture->now - 1);
        swept += (uint64_t)200 * STORE_UNIT_STEP_COUNT_MAX;
        write_until_swept(fixture, swept);
        if (round == 1) {
            fixture_reopen(
                fixture); /* the log goes back into the file, and counting starts again */
            swept = 0;
            bytes = fixture_file_bytes(fixture, "jeton.db");
        }
    }
    store_close(fixture->store);
    fixture->store = NULL;
    assert_true(bytes > 0);
    assert_true(fixture_file_bytes(fixture, "jeton.db") <= bytes + 2 * one_round_bytes);
    fixture_open(fixture);
    assert_int_equal(count_tokens(fixture), 0);
}

/* However much is written: what was passed by while it lived is come back to. */
static void test_sweep_comes_round_while_others_write(void **state)
{
    struct fixture *fixture = *state;
    int64_t begun_ms = clock_monotonic_ms();
    int64_t age_s = 0;
    struct token oldest;
    size_t count = 0;

    do {
        struct store_unit unit;

        store_unit_init(&unit);
        for (int index = 0; index < 2; index++) {
            struct token token = sample_token(fixture, 5, false);

            token.expires_at = clock_now_s() + 1;
            store_insert_token(&unit, &token);
        }
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
        assert_int_equal(store_list_tokens(fixture->store, 0, 0, &oldest, 1, &count), RC_OK);
        age_s = count == 0 ? 0 : clock_now_s() - oldest.expires_at;
        assert_true(clock_monotonic_ms() - begun_ms < SWEEP_WAIT_MS);
        /* It may stay as long as it lived. */
    } while (age_s > 2 || clock_monotonic_ms() - begun_ms < 4000);
}

/* ---- sessions, and what goes with them ------------------------------------------------------ */

/* A grant with a session and a token that never expires, in one unit as a sign-in does it. */
static struct token insert_session(struct fixture *fixture, int64_t last_active_at, int64_t idle_s)
{
    struct grant grant = sample_grant(fixture, true);
    struct token token = sample_token(fixture, grant.id, true);
    struct session session = { .id = grant.id,
                               .account_id = grant.account_id,
                               .device = STR("test"),
                               .idle_s = idle_s,
                               .created_at = last_active_at,
                               .last_active_at = last_active_at };
    struct store_unit unit;

    grant.is_session = true;
    token.kind = TOKEN_ACCESS;
    token.format = TOKEN_JWE;
    token.expires_at = 0;
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    store_insert_session(&unit, &session);
    store_insert_token(&unit, &token);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    return token;
}

static void expect_session(struct fixture *fixture, const struct token *token, enum rc rc)
{
    struct session session;
    struct grant grant;
    struct token found;

    assert_int_equal(store_find_session(fixture->store, token->grant_id, &fixture->arena, &session),
                     rc);
    assert_int_equal(store_find_grant(fixture->store, token->grant_id, &fixture->arena, &grant),
                     rc);
    assert_int_equal(store_find_token(fixture->store, token->id, &found), rc);
}

static void test_idle_session_leaves_with_its_grant_and_its_token(void **state)
{
    struct fixture *fixture = *state;
    struct token gone = insert_session(fixture, fixture->now - IDLE_S - DAY_S, IDLE_S);
    /* Its last use may not be noted yet: what is idle by the row is not gone for a day. */
    struct token idle = insert_session(fixture, fixture->now - IDLE_S - DAY_S + 600, IDLE_S);
    struct token used = insert_session(fixture, fixture->now, IDLE_S);
    struct token patient = insert_session(fixture, fixture->now - 300 * DAY_S, 300 * DAY_S);
    struct token endless = insert_session(fixture, 1, INT64_MAX);
    uint64_t swept = 4;

    assert_int_equal(COMMIT_ONE(fixture, store_revoke_token, gone.id, fixture->now, 0), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_revoke_token, used.id, fixture->now, 0), RC_OK);
    write_until_swept(fixture, swept); /* session, grant, token, revocation */
    write_for_a_whole_turn(fixture, &swept);
    expect_session(fixture, &gone, RC_NOT_FOUND);
    expect_session(fixture, &idle, RC_OK);
    expect_session(fixture, &used, RC_OK);
    expect_session(fixture, &patient, RC_OK);
    expect_session(fixture, &endless, RC_OK);
    assert_int_equal(store_find_token(fixture->store, used.id, &used), RC_OK);
    assert_true(used.is_revoked);
}

static void test_session_that_was_touched_stays(void **state)
{
    struct fixture *fixture = *state;
    struct grant grant = sample_grant(fixture, true);
    struct session session = { .id = grant.id,
                               .idle_s = IDLE_S,
                               .last_active_at = fixture->now - 30 * DAY_S };
    struct session found;
    struct store_unit unit;
    uint64_t swept = 0;

    grant.is_session = true;
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    store_insert_session(&unit, &session);
    store_touch_session(&unit, grant.id, fixture->now);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    write_for_a_whole_turn(fixture, &swept);
    assert_int_equal(store_find_session(fixture->store, grant.id, &fixture->arena, &found), RC_OK);
    assert_int_equal(found.last_active_at, fixture->now);
}

static void test_session_of_an_ended_grant_leaves(void **state)
{
    struct fixture *fixture = *state;
    struct token ended = insert_session(fixture, fixture->now, IDLE_S);
    struct token living = insert_session(fixture, fixture->now, IDLE_S);
    struct token plain = sample_token(fixture, 0, true);
    struct grant grant = sample_grant(fixture, true);
    uint64_t swept = 3;

    /* A grant without a session keeps its 30 days, and its token that never expires too. */
    plain.grant_id = grant.id;
    plain.expires_at = 0;
    grant.ended_at = fixture->now;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grant), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &plain), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, ended.grant_id, fixture->now), RC_OK);
    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    expect_session(fixture, &ended, RC_NOT_FOUND);
    expect_session(fixture, &living, RC_OK);
    assert_int_equal(store_find_token(fixture->store, plain.id, &plain), RC_OK);
    assert_int_equal(store_find_grant(fixture->store, grant.id, &fixture->arena, &grant), RC_OK);
}

/* A session's grant that expired takes the session along; its token expires with it. */
static void test_session_of_an_expired_grant_leaves(void **state)
{
    struct fixture *fixture = *state;
    struct grant grant = sample_grant(fixture, true);
    struct session session = { .id = grant.id, .idle_s = IDLE_S, .last_active_at = fixture->now };
    struct session found;
    struct store_unit unit;
    uint64_t swept = 2;

    grant.is_session = true;
    grant.expires_at = fixture->now - 1;
    store_unit_init(&unit);
    store_insert_grant(&unit, &grant);
    store_insert_session(&unit, &session);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    write_until_swept(fixture, swept);
    assert_int_equal(store_find_session(fixture->store, grant.id, &fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(store_find_grant(fixture->store, grant.id, &fixture->arena, &grant),
                     RC_NOT_FOUND);
}

static void test_endless_token_leaves_after_its_grant(void **state)
{
    struct fixture *fixture = *state;
    struct grant standing = sample_grant(fixture, false);
    struct token kept = sample_token(fixture, standing.id, true);
    struct token orphan = sample_token(fixture, standing.id + 1000, true);
    struct token mortal = sample_token(fixture, standing.id + 1000, true);
    uint64_t swept = 1;

    kept.expires_at = 0;
    orphan.expires_at = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &standing), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &kept), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &orphan), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &mortal), RC_OK);
    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    assert_int_equal(store_find_token(fixture->store, kept.id, &kept), RC_OK);
    assert_int_equal(store_find_token(fixture->store, orphan.id, &orphan), RC_NOT_FOUND);
    assert_int_equal(store_find_token(fixture->store, mortal.id, &mortal), RC_OK);
}

static void test_factors_and_recovery_codes_never_leave_by_time(void **state)
{
    struct fixture *fixture = *state;
    struct factor factor = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                             .account_id = 71,
                             .name = STR("old"),
                             .sealed = STR("sealed"),
                             .created_at = 1,
                             .last_used_at = 1 };
    unsigned char used[DIGEST_BYTES] = { 1 };
    unsigned char unused[DIGEST_BYTES] = { 2 };
    struct factor found[FACTOR_COUNT_MAX];
    uint64_t swept = 0;
    size_t count = 0;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &factor), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_recovery_code, 71, used), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_recovery_code, 71, unused), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_recovery_code, 71, used, 1), RC_OK);
    write_for_a_whole_turn(fixture, &swept);
    assert_int_equal(store_list_factors(fixture->store, 71, &fixture->arena, found, &count), RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(store_find_recovery_code(fixture->store, 71, unused), RC_OK);
    /* The used one still stands in the way of itself. */
    assert_int_equal(COMMIT_ONE(fixture, store_insert_recovery_code, 71, used), RC_EXISTS);
}

/* ---- browser sessions and permanent tokens -------------------------------------------------- */

static void test_browser_sessions_leave_when_idle_or_over(void **state)
{
    struct fixture *fixture = *state;
    struct account account = insert_account(fixture, "ada");
    struct browser_session rows[5];
    const int64_t times_s[5][2] = {
        /* last active, expires: since and in so many seconds */
        { BROWSER_KEPT_S, 3600 },      /* idle for too long */
        { 0, 0 },                      /* over */
        { BROWSER_KEPT_S - 60, 3600 }, /* its last use may be noted late */
        { 0, 1 * DAY_S },
        { 3 * BROWSER_KEPT_S, 3600 } /* touched below */
    };
    uint64_t swept = 2;

    for (int index = 0; index < 5; index++) {
        struct store_unit unit;

        rows[index] = sample_browser_session(fixture, account.id);
        rows[index].last_active_at = fixture->now - times_s[index][0];
        rows[index].expires_at = fixture->now + times_s[index][1];
        store_unit_init(&unit);
        store_insert_browser_session(&unit, &rows[index]);
        if (index == 4)
            store_touch_browser_session(&unit, rows[index].id, fixture->now);
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    }
    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    for (int index = 0; index < 5; index++)
        assert_int_equal(find_browser_session(fixture, &rows[index]),
                         index < 2 ? RC_NOT_FOUND : RC_OK);
}

static void expect_permanent(struct fixture *fixture, const struct made_permanent *made,
                             enum rc record_rc, enum rc grant_rc, enum rc token_rc)
{
    struct permanent permanent;
    struct grant grant;
    struct token token;

    assert_int_equal(
        store_find_permanent(fixture->store, made->grant.id, &fixture->arena, &permanent),
        record_rc);
    assert_int_equal(store_find_grant(fixture->store, made->grant.id, &fixture->arena, &grant),
                     grant_rc);
    assert_int_equal(store_find_token(fixture->store, made->token.id, &token), token_rc);
}

static void test_living_permanent_stays_with_its_grant_and_its_token(void **state)
{
    struct fixture *fixture = *state;
    struct made_permanent endless = sample_permanent(fixture, 71, 0);
    struct made_permanent mortal = sample_permanent(fixture, 71, fixture->now + 3600);
    uint64_t swept = 0;

    endless.permanent.created_at = endless.grant.created_at = endless.token.issued_at = 1;
    mortal.permanent.created_at = mortal.grant.created_at = mortal.token.issued_at = 1;
    commit_permanent(fixture, &endless);
    commit_permanent(fixture, &mortal);
    write_for_a_whole_turn(fixture, &swept);
    expect_permanent(fixture, &endless, RC_OK, RC_OK, RC_OK);
    expect_permanent(fixture, &mortal, RC_OK, RC_OK, RC_OK);
    assert_int_equal(read_permanent(fixture, endless.grant.id).revoked_at, 0);
}

/* What remains of one that ended says for a year that it did, and how. */
static void test_ended_permanent_is_remembered_for_a_year(void **state)
{
    struct fixture *fixture = *state;
    int64_t year_ago = fixture->now - 365 * DAY_S;
    struct made_permanent revoked = sample_permanent(fixture, 71, 0);
    struct made_permanent revoked_long_ago = sample_permanent(fixture, 71, 0);
    struct made_permanent revoked_and_expired = sample_permanent(fixture, 71, fixture->now - 1);
    struct made_permanent expired = sample_permanent(fixture, 71, year_ago + DAY_S);
    struct made_permanent expired_long_ago = sample_permanent(fixture, 71, year_ago);
    uint64_t swept = 9; /* rows of those that leave, as noted below */

    revoked.grant.ended_at = year_ago + DAY_S;
    revoked_long_ago.grant.ended_at = year_ago;
    revoked_and_expired.grant.ended_at = fixture->now - 40 * DAY_S;
    commit_permanent(fixture, &revoked);
    commit_permanent(fixture, &revoked_long_ago);    /* record, grant and token leave */
    commit_permanent(fixture, &revoked_and_expired); /* its token leaves */
    commit_permanent(fixture, &expired);             /* grant and token leave */
    commit_permanent(fixture, &expired_long_ago);    /* record, grant and token leave */
    write_until_swept(fixture, swept);
    write_for_a_whole_turn(fixture, &swept);
    expect_permanent(fixture, &revoked, RC_OK, RC_OK, RC_OK);
    assert_int_equal(read_permanent(fixture, revoked.grant.id).revoked_at, year_ago + DAY_S);
    expect_permanent(fixture, &revoked_long_ago, RC_NOT_FOUND, RC_NOT_FOUND, RC_NOT_FOUND);
    expect_permanent(fixture, &revoked_and_expired, RC_OK, RC_OK, RC_NOT_FOUND);
    assert_int_equal(read_permanent(fixture, revoked_and_expired.grant.id).revoked_at,
                     fixture->now - 40 * DAY_S);
    expect_permanent(fixture, &expired, RC_OK, RC_NOT_FOUND, RC_NOT_FOUND);
    assert_int_equal(read_permanent(fixture, expired.grant.id).revoked_at, 0);
    expect_permanent(fixture, &expired_long_ago, RC_NOT_FOUND, RC_NOT_FOUND, RC_NOT_FOUND);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_idle_store_sweeps_what_expired),
        ON_STORE(test_what_has_just_expired_stays_a_minute),
        ON_STORE(test_revocation_stays_as_long_as_its_token),
        ON_STORE(test_replays_grants_and_failures_leave_in_their_time),
        ON_STORE(test_locked_name_stays_locked),
        ON_STORE(test_counts_within_a_while_leave),
        ON_STORE(test_file_does_not_grow_when_tokens_come_and_go),
        ON_STORE(test_sweep_comes_round_while_others_write),
        ON_STORE(test_idle_session_leaves_with_its_grant_and_its_token),
        ON_STORE(test_session_that_was_touched_stays),
        ON_STORE(test_session_of_an_ended_grant_leaves),
        ON_STORE(test_session_of_an_expired_grant_leaves),
        ON_STORE(test_endless_token_leaves_after_its_grant),
        ON_STORE(test_factors_and_recovery_codes_never_leave_by_time),
        ON_STORE(test_browser_sessions_leave_when_idle_or_over),
        ON_STORE(test_living_permanent_stays_with_its_grant_and_its_token),
        ON_STORE(test_ended_permanent_is_remembered_for_a_year),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
