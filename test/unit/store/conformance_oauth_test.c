/* Conformance: what people authorize, and what may come once; on whichever engine the fixture
 * opens. */
#include "authorized.h"

/* ---- authorizations ------------------------------------------------------------------------- */

static void test_authorization_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct authorization made = insert_authorization(fixture, 71);
    struct authorization found;

    fixture_reopen(fixture);
    assert_int_equal(store_find_authorization(fixture->store, made.id, &fixture->arena, &found),
                     RC_OK);
    assert_true(found.id == made.id && found.account_id == 71 && found.client_id == 72 &&
                found.login_id == 73);
    ASSERT_STR(found.subject, "pairwise");
    ASSERT_STR(found.sid, "session");
    ASSERT_STR(found.acr, "urn:example:strong");
    ASSERT_STR(found.amr, "pwd otp mfa");
    ASSERT_STR(found.nonce, "n-0S6_WzA2Mj");
    ASSERT_STR(found.claims, "{\"userinfo\":{\"email\":null}}");
    ASSERT_STR(found.details, "[{\"type\":\"payment\"}]");
    ASSERT_STR(found.actor, "{\"sub\":\"admin\"}");
    assert_int_equal(found.auth_time, fixture->now - 30);
    assert_int_equal(found.created_at, fixture->now - 3);
    assert_int_equal(found.expires_at, fixture->now + 3600);
    assert_int_equal(store_find_authorization(fixture->store, made.id + 1, &fixture->arena, &found),
                     RC_NOT_FOUND);
}

static void test_grant_keeps_authorization_and_binding(void **state)
{
    struct fixture *fixture = *state;
    enum binding_kind kind;

    for (kind = BINDING_NONE; kind < BINDING_KIND_COUNT; kind++) {
        struct grant grant = sample_grant(fixture, true);
        struct grant found;

        grant.authorization_id = 4711 + (int64_t)kind;
        grant.binding = sample_binding(kind);
        assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grant), RC_OK);
        assert_int_equal(store_find_grant(fixture->store, grant.id, &fixture->arena, &found),
                         RC_OK);
        assert_int_equal(found.authorization_id, 4711 + (int64_t)kind);
        assert_true(is_binding(&found.binding, kind));
    }
}

static struct grant insert_grant_of(struct fixture *fixture, int64_t authorization_id,
                                    int64_t parent_id)
{
    struct grant grant = sample_grant(fixture, true);

    grant.authorization_id = authorization_id;
    grant.parent_id = parent_id;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grant), RC_OK);
    return grant;
}

static size_t list_of_login(struct fixture *fixture, int64_t login_id, int64_t after_id,
                            struct grant *out_rows, size_t max)
{
    size_t count = 0;

    assert_int_equal(store_list_grants_of_login(fixture->store, login_id, after_id, &fixture->arena,
                                                out_rows, max, &count),
                     RC_OK);
    return count;
}

static void test_living_grants_of_a_login_are_listed_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct authorization mine = insert_authorization(fixture, 71);
    struct authorization same = insert_authorization(fixture, 71);
    struct authorization other = sample_authorization(fixture, 71);
    struct authorization none = sample_authorization(fixture, 71);
    struct grant first, second, child, ended, rows[8];

    other.login_id = 74;
    none.login_id = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_authorization, &other), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_authorization, &none), RC_OK);
    first = insert_grant_of(fixture, mine.id, 0);
    ended = insert_grant_of(fixture, mine.id, 0);
    insert_grant_of(fixture, other.id, 0);
    insert_grant_of(fixture, none.id, 0);
    insert_grant_of(fixture, 0, 0);
    second = insert_grant_of(fixture, same.id, 0);
    child = insert_grant_of(fixture, mine.id, first.id);
    insert_grant_of(fixture, mine.id, ended.id);
    assert_int_equal(COMMIT_ONE(fixture, store_end_grant, ended.id, fixture->now), RC_OK);
    assert_int_equal(list_of_login(fixture, 73, 0, rows, 8), 3);
    assert_true(rows[0].id == first.id && rows[1].id == second.id && rows[2].id == child.id);
    assert_int_equal(rows[0].authorization_id, mine.id);
    assert_int_equal(list_of_login(fixture, 73, first.id, rows, 1), 1);
    assert_int_equal(rows[0].id, second.id);
    assert_int_equal(list_of_login(fixture, 73, child.id, rows, 8), 0);
    assert_int_equal(list_of_login(fixture, 0, 0, rows, 8), 0);
}

static void test_clients_of_a_login_come_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    struct authorization first = insert_authorization(fixture, 71);
    struct authorization newer = insert_authorization(fixture, 71);
    struct authorization second = sample_authorization(fixture, 71);
    struct authorization other = sample_authorization(fixture, 71);
    struct authorization found;

    second.client_id = 75;
    other.client_id = 74;
    other.login_id = 74;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_authorization, &second), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_authorization, &other), RC_OK);
    assert_int_equal(
        store_find_authorization_of_login(fixture->store, 73, 0, &fixture->arena, &found), RC_OK);
    assert_true(found.id == newer.id && found.id > first.id && found.client_id == 72);
    assert_int_equal(
        store_find_authorization_of_login(fixture->store, 73, 72, &fixture->arena, &found), RC_OK);
    assert_true(found.id == second.id);
    assert_int_equal(
        store_find_authorization_of_login(fixture->store, 73, 75, &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(
        store_find_authorization_of_login(fixture->store, 0, 0, &fixture->arena, &found),
        RC_NOT_FOUND);
}

/* ---- codes ---------------------------------------------------------------------------------- */

static struct code read_code(struct fixture *fixture, const struct code *like)
{
    struct code found;

    assert_int_equal(store_find_code(fixture->store, like->digest, &fixture->arena, &found), RC_OK);
    return found;
}

static void test_code_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct authorization authorization = insert_authorization(fixture, 71);
    struct code code = insert_code(fixture, authorization.id);
    struct code plain = sample_code(fixture, authorization.id);
    unsigned char unknown[DIGEST_BYTES] = { 1 };
    struct code found;

    plain.binding = (struct binding){ .kind = BINDING_NONE };
    assert_int_equal(COMMIT_ONE(fixture, store_insert_code, &plain), RC_OK);
    fixture_reopen(fixture);
    found = read_code(fixture, &code);
    assert_true(found.id == code.id && found.client_id == 72 &&
                found.authorization_id == authorization.id);
    assert_memory_equal(found.digest, code.digest, DIGEST_BYTES);
    ASSERT_STR(found.redirect_uri, "https://a.example/cb");
    ASSERT_STR(found.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    ASSERT_STR(found.scope, "openid read");
    ASSERT_STR(found.audience, "one.example");
    assert_true(is_binding(&found.binding, BINDING_DPOP));
    assert_int_equal(found.expires_at, fixture->now + CODE_S);
    assert_true(found.spent_at == 0 && found.grant_id == 0);
    found = read_code(fixture, &plain);
    assert_true(is_binding(&found.binding, BINDING_NONE));
    assert_int_equal(store_find_code(fixture->store, unknown, &fixture->arena, &found),
                     RC_NOT_FOUND);
}

static void test_cp_05_code_is_redeemed_once_and_says_for_what(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct code code = insert_code(fixture, insert_authorization(fixture, ada.id).id);
    int64_t now = fixture->now;

    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 501, now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 502, now), RC_SPENT);
    fixture_reopen(fixture);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 503, now), RC_SPENT);
    /* Also long after its time: that it was redeemed before is what has to be noticed. */
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 504, now + 7200), RC_SPENT);
    assert_int_equal(read_code(fixture, &code).grant_id, 501);
    assert_int_equal(read_code(fixture, &code).spent_at, now);
}

static void test_cp_07_code_is_good_until_its_moment_alone(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct code code = insert_code(fixture, insert_authorization(fixture, ada.id).id);
    int64_t end = fixture->now + CODE_S;

    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 501, end), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id + 1, 501, end - 1),
                     RC_NOT_FOUND);
    assert_int_equal(read_code(fixture, &code).spent_at, 0);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 501, end - 1), RC_OK);
}

static void test_code_of_a_disabled_account_is_good_for_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct code code = insert_code(fixture, insert_authorization(fixture, ada.id).id);
    struct code of_nobody = insert_code(fixture, insert_authorization(fixture, 999999).id);
    struct code dangling = insert_code(fixture, 999999);

    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, ada.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 501, fixture->now),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, of_nobody.id, 501, fixture->now),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, dangling.id, 501, fixture->now),
                     RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_enable_account, ada.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 501, fixture->now), RC_OK);
}

/* With a wrong verifier it is used up all the same. */
static void test_cp_03_code_may_be_used_up_for_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct code code = insert_code(fixture, insert_authorization(fixture, ada.id).id);

    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 0, fixture->now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_code, code.id, 501, fixture->now), RC_SPENT);
    assert_int_equal(read_code(fixture, &code).grant_id, 0);
    assert_int_equal(read_code(fixture, &code).spent_at, fixture->now);
}

/* A code that is refused gives nothing: what stands behind it in the unit is undone. */
static void test_cp_05_second_redemption_leaves_no_grant(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct code code = insert_code(fixture, insert_authorization(fixture, ada.id).id);
    struct grant grants[2];
    struct store_unit unit;
    int index;

    for (index = 0; index < 2; index++) {
        grants[index] = sample_grant(fixture, true);
        store_unit_init(&unit);
        store_insert_grant(&unit, &grants[index]);
        store_spend_code(&unit, code.id, grants[index].id, fixture->now);
        assert_int_equal(store_commit(fixture->store, &unit), index == 0 ? RC_OK : RC_SPENT);
    }
    assert_int_equal(store_find_grant(fixture->store, grants[0].id, &fixture->arena, &grants[0]),
                     RC_OK);
    assert_int_equal(store_find_grant(fixture->store, grants[1].id, &fixture->arena, &grants[1]),
                     RC_NOT_FOUND);
    assert_int_equal(read_code(fixture, &code).grant_id, grants[0].id);
}

/* ---- pushed requests ------------------------------------------------------------------------ */

static void test_pa_02_pushed_request_is_used_once_and_in_time(void **state)
{
    struct fixture *fixture = *state;
    struct pushed_request request = sample_pushed_request(fixture);
    struct pushed_request found;
    int64_t end = fixture->now + CODE_S;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_pushed_request, &request), RC_OK);
    fixture_reopen(fixture);
    assert_int_equal(
        store_find_pushed_request(fixture->store, request.digest, end - 1, &fixture->arena, &found),
        RC_OK);
    assert_true(found.id == request.id && found.client_id == 72 && found.expires_at == end);
    assert_memory_equal(found.digest, request.digest, DIGEST_BYTES);
    ASSERT_STR(found.parameters, "response_type=code&scope=read");
    assert_int_equal(
        store_find_pushed_request(fixture->store, request.digest, end, &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_pushed_request, request.id, end), RC_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_pushed_request, request.id, end - 1), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_pushed_request, request.id, end - 1),
                     RC_SPENT);
    assert_int_equal(store_find_pushed_request(fixture->store, request.digest, fixture->now,
                                               &fixture->arena, &found),
                     RC_NOT_FOUND);
}

/* ---- devices -------------------------------------------------------------------------------- */

static void test_device_request_comes_back_as_it_went(void **state)
{
    struct fixture *fixture = *state;
    struct device_request request = insert_device_request(fixture);
    int64_t end = fixture->now + DEVICE_S;
    struct device_request found;

    fixture_reopen(fixture);
    found = read_device_request(fixture, &request);
    assert_true(found.id == request.id && found.client_id == 72 && found.authorization_id == 0);
    assert_memory_equal(found.digest, request.digest, DIGEST_BYTES);
    assert_memory_equal(found.user_digest, request.user_digest, DIGEST_BYTES);
    assert_int_equal(found.state, DEVICE_WAITING);
    ASSERT_STR(found.scope, "read");
    ASSERT_STR(found.audience, "one.example");
    ASSERT_STR(found.details, "[{\"type\":\"tv\"}]");
    assert_true(is_binding(&found.binding, BINDING_TLS));
    assert_true(found.interval_s == DEVICE_INTERVAL_S && found.polled_at == 0);
    assert_int_equal(found.expires_at, end);
    assert_int_equal(store_find_device_request_by_user_code(fixture->store, request.user_digest,
                                                            end - 1, &fixture->arena, &found),
                     RC_OK);
    assert_int_equal(found.id, request.id);
    assert_int_equal(store_find_device_request_by_user_code(fixture->store, request.user_digest,
                                                            end, &fixture->arena, &found),
                     RC_NOT_FOUND);
    /* One is not found by the other's code. */
    assert_int_equal(
        store_find_device_request(fixture->store, request.user_digest, &fixture->arena, &found),
        RC_NOT_FOUND);
    assert_int_equal(store_find_device_request_by_user_code(fixture->store, request.digest,
                                                            fixture->now, &fixture->arena, &found),
                     RC_NOT_FOUND);
}

static void test_user_code_is_one_requests(void **state)
{
    struct fixture *fixture = *state;
    struct device_request first = insert_device_request(fixture);
    struct device_request second = sample_device_request(fixture);

    memcpy(second.user_digest, first.user_digest, DIGEST_BYTES);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_device_request, &second), RC_EXISTS);
    fill_digest(second.id, 0xe1, second.user_digest);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_device_request, &second), RC_OK);
}

static void test_dv_04_allowed_request_is_redeemed_once(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct authorization authorization = insert_authorization(fixture, ada.id);
    struct device_request request = insert_device_request(fixture);
    int64_t now = fixture->now;

    assert_int_equal(COMMIT_ONE(fixture, store_spend_device_request, request.id, now), RC_SPENT);
    assert_int_equal(
        COMMIT_ONE(fixture, store_answer_device_request, request.id, authorization.id, now), RC_OK);
    assert_int_equal(read_device_request(fixture, &request).state, DEVICE_ALLOWED);
    assert_int_equal(read_device_request(fixture, &request).authorization_id, authorization.id);
    /* An answer stands. */
    assert_int_equal(COMMIT_ONE(fixture, store_answer_device_request, request.id, 0, now),
                     RC_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_device_request, request.id, now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_device_request, request.id, now), RC_SPENT);
    assert_int_equal(read_device_request(fixture, &request).state, DEVICE_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_device_request, 999999, now), RC_SPENT);
}

static void test_denied_and_expired_requests_are_good_for_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct authorization authorization = insert_authorization(fixture, ada.id);
    struct device_request denied = insert_device_request(fixture);
    struct device_request late = insert_device_request(fixture);
    int64_t end = fixture->now + DEVICE_S;

    assert_int_equal(COMMIT_ONE(fixture, store_answer_device_request, denied.id, 0, end - 1),
                     RC_OK);
    assert_int_equal(read_device_request(fixture, &denied).state, DEVICE_DENIED);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_device_request, denied.id, end - 1), RC_SPENT);
    assert_int_equal(
        COMMIT_ONE(fixture, store_answer_device_request, late.id, authorization.id, end), RC_SPENT);
    assert_int_equal(
        COMMIT_ONE(fixture, store_answer_device_request, late.id, authorization.id, end - 1),
        RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_device_request, late.id, end), RC_SPENT);
    assert_int_equal(read_device_request(fixture, &late).state, DEVICE_ALLOWED);
}

static void test_dv_06_request_of_a_disabled_account_is_good_for_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct authorization authorization = insert_authorization(fixture, ada.id);
    struct device_request request = insert_device_request(fixture);
    int64_t now = fixture->now;

    assert_int_equal(
        COMMIT_ONE(fixture, store_answer_device_request, request.id, authorization.id, now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_disable_account, ada.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_spend_device_request, request.id, now),
                     RC_NOT_FOUND);
    assert_int_equal(read_device_request(fixture, &request).state, DEVICE_ALLOWED);
}

static void test_dv_03_interval_only_grows(void **state)
{
    struct fixture *fixture = *state;
    struct device_request request = insert_device_request(fixture);
    int64_t now = fixture->now;

    assert_int_equal(COMMIT_ONE(fixture, store_poll_device_request, request.id, 10, now), RC_OK);
    assert_int_equal(read_device_request(fixture, &request).interval_s, 10);
    assert_int_equal(read_device_request(fixture, &request).polled_at, now);
    /* Two in one second count both; one that comes out of turn does not take anything back. */
    assert_int_equal(COMMIT_ONE(fixture, store_poll_device_request, request.id, 15, now), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_poll_device_request, request.id, 99, now - 1),
                     RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_poll_device_request, request.id, 10, now + 1),
                     RC_OK);
    assert_int_equal(read_device_request(fixture, &request).interval_s, 15);
    assert_int_equal(read_device_request(fixture, &request).polled_at, now + 1);
}

/* ---- what may come once --------------------------------------------------------------------- */

static void test_what_was_seen_is_seen(void **state)
{
    struct fixture *fixture = *state;
    unsigned char digest[DIGEST_BYTES] = { 7 };
    unsigned char other[DIGEST_BYTES] = { [DIGEST_BYTES - 1] = 7 };
    int64_t until = fixture->now + 60;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_seen, digest, until), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_seen, digest, until), RC_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_seen, other, until), RC_OK);
    fixture_reopen(fixture);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_seen, digest, until + 1), RC_SPENT);
}

/* ---- consents ------------------------------------------------------------------------------- */

static void test_consent_is_one_of_an_account_and_a_client(void **state)
{
    struct fixture *fixture = *state;
    struct consent first = { 0 };
    struct consent found = { 0 };

    assert_int_equal(find_consent(fixture, 1, 8, &found), RC_NOT_FOUND);
    put_consent(fixture, 1, 8, "read");
    put_consent(fixture, 1, 9, "other");
    put_consent(fixture, 2, 8, "another");
    assert_int_equal(find_consent(fixture, 1, 8, &first), RC_OK);
    put_consent(fixture, 1, 8, "read write");
    fixture_reopen(fixture);
    assert_int_equal(find_consent(fixture, 1, 8, &found), RC_OK);
    assert_true(found.id == first.id && found.account_id == 1 && found.client_id == 8);
    ASSERT_STR(found.scope, "read write");
    ASSERT_STR(found.details, "[]");
    assert_int_equal(found.at, fixture->now);
    assert_int_equal(find_consent(fixture, 1, 9, &found), RC_OK);
    ASSERT_STR(found.scope, "other");
}

static void test_consents_go_to_one_client_or_to_all(void **state)
{
    struct fixture *fixture = *state;
    struct consent found;

    put_consent(fixture, 1, 8, "read");
    put_consent(fixture, 1, 9, "read");
    put_consent(fixture, 1, 10, "read");
    put_consent(fixture, 2, 8, "read");
    assert_int_equal(COMMIT_ONE(fixture, store_delete_consents, 1, 8), RC_OK);
    assert_int_equal(find_consent(fixture, 1, 8, &found), RC_NOT_FOUND);
    assert_int_equal(find_consent(fixture, 1, 9, &found), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_consents, 1, 0), RC_OK);
    assert_int_equal(find_consent(fixture, 1, 9, &found), RC_NOT_FOUND);
    assert_int_equal(find_consent(fixture, 1, 10, &found), RC_NOT_FOUND);
    assert_int_equal(find_consent(fixture, 2, 8, &found), RC_OK);
}

/* ---- sign-ins ------------------------------------------------------------------------------- */

static void test_browser_session_keeps_its_login_and_its_methods(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct browser_session session = sample_browser_session(fixture, ada.id);
    struct browser_session found;

    session.login_id = 4712;
    session.methods = METHOD_PASSWORD | METHOD_PASSKEY;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_browser_session, &session), RC_OK);
    assert_int_equal(
        store_find_browser_session(fixture->store, session.digest, &fixture->arena, &found), RC_OK);
    assert_int_equal(found.login_id, 4712);
    assert_int_equal(found.methods, METHOD_PASSWORD | METHOD_PASSKEY);
}

static void test_rt_10_a_login_that_ended_is_noticed_in_the_commit(void **state)
{
    struct fixture *fixture = *state;
    struct account ada = insert_account(fixture, "ada");
    struct account bob = insert_account(fixture, "bob");
    struct browser_session session = sample_browser_session(fixture, ada.id);

    session.login_id = 4712;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_browser_session, &session), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_expect_login, ada.id, 4712), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_expect_login, ada.id, 4713), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_expect_login, bob.id, 4712), RC_NOT_FOUND);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_browser_session, session.id), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_expect_login, ada.id, 4712), RC_NOT_FOUND);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_authorization_comes_back_as_it_went),
        ON_STORE(test_grant_keeps_authorization_and_binding),
        ON_STORE(test_living_grants_of_a_login_are_listed_in_order),
        ON_STORE(test_clients_of_a_login_come_one_by_one),
        ON_STORE(test_code_comes_back_as_it_went),
        ON_STORE(test_cp_05_code_is_redeemed_once_and_says_for_what),
        ON_STORE(test_cp_07_code_is_good_until_its_moment_alone),
        ON_STORE(test_code_of_a_disabled_account_is_good_for_nothing),
        ON_STORE(test_cp_03_code_may_be_used_up_for_nothing),
        ON_STORE(test_cp_05_second_redemption_leaves_no_grant),
        ON_STORE(test_pa_02_pushed_request_is_used_once_and_in_time),
        ON_STORE(test_device_request_comes_back_as_it_went),
        ON_STORE(test_user_code_is_one_requests),
        ON_STORE(test_dv_04_allowed_request_is_redeemed_once),
        ON_STORE(test_denied_and_expired_requests_are_good_for_nothing),
        ON_STORE(test_dv_06_request_of_a_disabled_account_is_good_for_nothing),
        ON_STORE(test_dv_03_interval_only_grows),
        ON_STORE(test_what_was_seen_is_seen),
        ON_STORE(test_consent_is_one_of_an_account_and_a_client),
        ON_STORE(test_consents_go_to_one_client_or_to_all),
        ON_STORE(test_browser_session_keeps_its_login_and_its_methods),
        ON_STORE(test_rt_10_a_login_that_ended_is_noticed_in_the_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
