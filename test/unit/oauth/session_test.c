/* Tokens that are tied to a session: how they are made, and what introspection and a resource
 * server learn of them. */
#include "codec/uuid.h"
#include "fixture.h"

enum { SESSION_IDLE_S = 1800, TTL_S = 600 };

static const unsigned char home[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 };
static const unsigned char elsewhere[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2 };

/* What was issued, with copies that outlive the call. */
struct issued {
    char access[2048];
    char session[64];
    int64_t expires_in_s;
    struct token_record record; /* its grant has been given back */
};

static void keep_answer(struct oauth_fixture *fixture, const struct token_answer *answer,
                        struct issued *out_issued)
{
    char json[4096];
    struct buffer text = buffer_over(json, sizeof(json) - 1);

    snprintf(out_issued->access, sizeof(out_issued->access), "%.*s",
             STR_ARGS(answer->access_token));
    snprintf(out_issued->session, sizeof(out_issued->session), "%.*s",
             STR_ARGS(answer->session_id));
    out_issued->expires_in_s = answer->expires_in_s;
    token_answer_format(answer, &text);
    json[text.len] = '\0';
    assert_int_equal(strstr(json, "expires_in") != NULL, answer->expires_in_s != 0);
    assert_int_equal(token_read(fixture->room->room, answer->access_token, &out_issued->record),
                     RC_OK);
    grant_put(token_room_grants(fixture->room->room), out_issued->record.grant);
}

static struct issued issue(struct oauth_fixture *fixture, int64_t lifetime_s, bool has_session)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct client client = client_of(fixture, OAUTH_SPECTRUM_CLIENT_ID);
    struct account alice = account_of(fixture, "alice");
    struct session session = { .address_bits = 128,
                               .device = STR("Java/17"),
                               .idle_s = SESSION_IDLE_S };
    struct issue_plan plan = { .grant_type = GRANT_TYPE_PASSWORD,
                               .client = &client,
                               .account = &alice,
                               .permission = { .scope = STR("service_id=api.example"),
                                               .audience = STR("api.example"),
                                               .shape = { .format = TOKEN_JWE,
                                                          .lifetime_s = lifetime_s } },
                               .session = has_session ? &session : NULL };
    struct issued issued = { .expires_in_s = -1 };
    struct token_answer answer;
    struct store_unit unit;

    memcpy(session.address, home, sizeof(home));
    store_unit_init(&unit);
    assert_int_equal(token_issue(&asking->call, &plan, &unit, &answer), RC_OK);
    assert_ptr_equal(answer.account, &alice);
    assert_int_equal(answer.refresh_token.len, 0);
    assert_int_equal(answer.jti.len, TOKEN_JTI_BYTES);
    keep_answer(fixture, &answer, &issued);
    assert_true(asking_end(asking, RC_OK).has_issued);
    return issued;
}

static struct session session_of(struct oauth_fixture *fixture, const struct issued *issued)
{
    struct session session;

    assert_int_equal(store_find_session(fixture->room->store, issued->record.row.grant_id,
                                        &fixture->room->arena, &session),
                     RC_OK);
    return session;
}

static struct grant grant_of(struct oauth_fixture *fixture, const struct issued *issued)
{
    struct grant grant;

    assert_int_equal(store_find_grant(fixture->room->store, issued->record.row.grant_id,
                                      &fixture->room->arena, &grant),
                     RC_OK);
    return grant;
}

/* The id is a random UUID; the store has its digest, the plan's facts and a grant of its own. */
static void test_session_is_begun_with_its_token(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct issued issued = issue(fixture, TTL_S, true);
    struct session session = session_of(fixture, &issued);
    struct grant grant = grant_of(fixture, &issued);
    unsigned char uuid[UUID_BYTES];
    unsigned char digest[DIGEST_BYTES];

    assert_int_equal(uuid_parse(str_of(issued.session), uuid), RC_OK);
    assert_int_equal(uuid[6] >> 4, 4); /* RFC 9562 5.4 */
    assert_int_equal(uuid[8] >> 6, 2);
    digest_sha256(str_of(issued.session), digest);
    assert_memory_equal(session.digest, digest, sizeof(digest));
    assert_memory_equal(session.address, home, sizeof(home));
    assert_int_equal(session.address_bits, 128);
    assert_int_equal(session.idle_s, SESSION_IDLE_S);
    assert_int_equal(session.last_active_at, fixture->now);
    assert_int_equal(session.account_id, account_of(fixture, "alice").id);
    assert_true(str_equal(session.device, STR("Java/17")));
    assert_true(grant.is_session);
    assert_int_equal(grant.expires_at, fixture->now + TTL_S);
    assert_int_equal(issued.expires_in_s, TTL_S);
    assert_int_equal(issued.record.row.format, TOKEN_JWE);
}

/* One row in the audit trail, which says both. */
static void test_session_has_one_event(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct event events[4];
    size_t before;
    size_t after;
    struct issued issued;

    assert_int_equal(store_list_events(fixture->room->store, INT64_MAX, &fixture->room->arena,
                                       events, 4, &before),
                     RC_OK);
    issued = issue(fixture, TTL_S, true);
    assert_int_equal(store_list_events(fixture->room->store, INT64_MAX, &fixture->room->arena,
                                       events, 4, &after),
                     RC_OK);
    assert_int_equal(after, before + 1);
    assert_int_equal(events[0].kind, EVENT_SESSION_BEGUN);
    assert_int_equal(events[0].token_id, issued.record.row.id);
    assert_int_equal(events[0].account_id, account_of(fixture, "alice").id);
}

/* No two sessions share a grant; and what has no end has none in the store either. */
static void test_sessions_share_nothing(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct issued first = issue(fixture, 0, true);
    struct issued second = issue(fixture, 0, true);

    assert_string_not_equal(first.session, second.session);
    assert_true(first.record.row.grant_id != second.record.row.grant_id);
    assert_int_equal(first.expires_in_s, 0);
    assert_int_equal(first.record.row.expires_at, 0);
    assert_int_equal(grant_of(fixture, &first).expires_at, 0);
}

static void test_open_token_has_no_session(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct issued first = issue(fixture, 0, false);
    struct issued second = issue(fixture, TTL_S, false);

    assert_string_equal(first.session, "");
    assert_int_equal(first.record.row.grant_id, second.record.row.grant_id);
    assert_false(grant_of(fixture, &first).is_session);
    assert_true(is_active(fixture, first.access));
}

/* ---- presenting ------------------------------------------------------------------------------ */

static struct outcome present(struct oauth_fixture *fixture, const char *access,
                              const char *session, const unsigned char *address)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct token_presented presented = { str_of(access), str_of(session), address };
    struct bearer_demand demand = { .service_id = STR("api.example") };
    struct token_view view;
    enum rc rc = bearer_check(&asking->call, &presented, &demand, &view);

    if (rc == RC_OK)
        token_view_put(fixture->room->room, &view);
    return asking_end(asking, rc);
}

static void assert_not_active(struct outcome outcome, enum token_inactive why)
{
    assert_refused_for(outcome, OAUTH_INVALID_TOKEN, REASON_NONE);
    assert_string_equal(outcome.description, "the token is not active");
    assert_string_equal(outcome.why, token_inactive_words(why));
}

static void test_resource_server_needs_the_session_too(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct issued issued = issue(fixture, TTL_S, true);
    struct issued other = issue(fixture, TTL_S, true);

    assert_int_equal(present(fixture, issued.access, issued.session, home).rc, RC_OK);
    assert_not_active(present(fixture, issued.access, "", home), TOKEN_SESSION_MISSING);
    assert_not_active(present(fixture, issued.access, other.session, home), TOKEN_SESSION_WRONG);
    assert_not_active(present(fixture, issued.access, issued.session, elsewhere),
                      TOKEN_ADDRESS_WRONG);
    assert_not_active(present(fixture, issued.access, issued.session, NULL), TOKEN_ADDRESS_WRONG);
    assert_int_equal(present(fixture, issued.access, issued.session, home).rc, RC_OK);
    fixture->now += TTL_S;
    assert_refused_for(present(fixture, issued.access, issued.session, home), OAUTH_INVALID_TOKEN,
                       REASON_TOKEN_EXPIRED);
}

static struct outcome introspect(struct oauth_fixture *fixture, const struct issued *issued,
                                 const char *session, const unsigned char *address)
{
    struct asking *asking = asking_new(
        fixture,
        &(struct ask){ .client = "api.example", .secret = "api-secret", .is_basic = true });
    struct token_presented presented = { str_of(issued->access), str_of(session), address };

    return asking_end(asking, introspection_answer(&asking->call, &asking->credentials, &presented,
                                                   &asking->json));
}

/* A use by introspection keeps the session alive; a wrong one does not. */
static void test_introspection_says_in_whose_hands(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct issued issued = issue(fixture, 0, true);

    assert_non_null(
        strstr(introspect(fixture, &issued, issued.session, home).json, "\"active\":true"));
    assert_string_equal(introspect(fixture, &issued, "", home).json, "{\"active\":false}");
    fixture->now += SESSION_IDLE_S - 1;
    assert_string_equal(introspect(fixture, &issued, "x", home).json, "{\"active\":false}");
    assert_non_null(
        strstr(introspect(fixture, &issued, issued.session, home).json, "\"active\":true"));
    fixture->now += SESSION_IDLE_S - 1;
    assert_non_null(
        strstr(introspect(fixture, &issued, issued.session, home).json, "\"active\":true"));
    fixture->now += SESSION_IDLE_S;
    assert_string_equal(introspect(fixture, &issued, issued.session, home).json,
                        "{\"active\":false}");
}

/* Who is told that a token is not good for what they ask has not used its session. */
static void test_a_refusal_is_no_use(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct issued issued = issue(fixture, 0, true);
    struct token_presented presented = { str_of(issued.access), str_of(issued.session), home };
    struct bearer_demand too_much = { .service_id = STR("api.example"), .scope = STR("api.write") };
    struct asking *asking = asking_new(
        fixture,
        &(struct ask){ .client = "jwt.example", .secret = "jwt-secret", .is_basic = true });
    struct token_view view;

    fixture->now += SESSION_IDLE_S - 1;
    asking->call.now = fixture->now;
    assert_string_equal(asking_end(asking, introspection_answer(&asking->call, &asking->credentials,
                                                                &presented, &asking->json))
                            .json,
                        "{\"active\":false}");
    asking = asking_new(fixture, &(struct ask){ 0 });
    assert_refused(asking_end(asking, bearer_check(&asking->call, &presented, &too_much, &view)),
                   OAUTH_INSUFFICIENT_SCOPE);
    fixture->now += 1;
    assert_not_active(present(fixture, issued.access, issued.session, home), TOKEN_SESSION_IDLE);
}

/* With the token its session ends, as the grant has no other token. */
static void test_logout_ends_the_token(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct issued issued = issue(fixture, 0, true);
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct token_record record;

    assert_int_equal(token_read(fixture->room->room, str_of(issued.access), &record), RC_OK);
    assert_int_equal(revocation_end(&asking->call, &record), RC_OK);
    grant_put(token_room_grants(fixture->room->room), record.grant);
    asking_end(asking, RC_OK);
    assert_not_active(present(fixture, issued.access, issued.session, home), TOKEN_REVOKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_session_is_begun_with_its_token),
        WITH_OAUTH(test_session_has_one_event),
        WITH_OAUTH(test_sessions_share_nothing),
        WITH_OAUTH(test_open_token_has_no_session),
        WITH_OAUTH(test_resource_server_needs_the_session_too),
        WITH_OAUTH(test_introspection_says_in_whose_hands),
        WITH_OAUTH(test_a_refusal_is_no_use),
        WITH_OAUTH(test_logout_ends_the_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
