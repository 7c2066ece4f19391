/* Ending tokens (RFC 7009), and what introspection tells whom (RFC 7662). */
#include "fixture.h"

#define INACTIVE "{\"active\":false}"

static void revoke(struct oauth_fixture *fixture, const char *token)
{
    assert_int_equal(ask_revocation(fixture, (struct ask){ AS_WEB, .token = token }).rc, RC_OK);
}

static struct outcome introspect(struct oauth_fixture *fixture, const char *id, const char *secret,
                                 const char *token)
{
    return ask_introspection(
        fixture, (struct ask){ .client = id, .secret = secret, .is_basic = true, .token = token });
}

static void assert_inactive(struct oauth_fixture *fixture, const char *token)
{
    struct outcome outcome = introspect(fixture, "web", "web-secret", token);

    assert_int_equal(outcome.rc, RC_OK);
    assert_string_equal(outcome.json, INACTIVE);
}

/* RV-01: authenticated, or at least identified; what is unknown is no error (RFC 7009 2.2). */
static void test_rv_01_unknown_token_is_no_error(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const char *const tokens[] = { "x", "jta_x", "a.b.c", "..", "." };

    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        revoke(fixture, tokens[i]);
    assert_int_equal(ask_revocation(fixture, (struct ask){ .client = "spa", .token = "x" }).rc,
                     RC_OK);
    assert_refused_for(ask_revocation(fixture, (struct ask){ .token = "x" }), OAUTH_INVALID_CLIENT,
                       REASON_NO_CLIENT);
    assert_refused(ask_revocation(fixture, (struct ask){ .client = "web", .token = "x" }),
                   OAUTH_INVALID_CLIENT);
    assert_refused(ask_revocation(fixture, (struct ask){ AS_WEB }), OAUTH_INVALID_REQUEST);
}

/* RV-02: another client's token lives on, and nobody learns of it. */
static void test_rv_02_another_clients_token_is_not_touched(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome tokens = sign_in(fixture, "read");
    struct ask thief = { .client = "other", .secret = "other-secret", .token = tokens.access };

    assert_int_equal(ask_revocation(fixture, thief).rc, RC_OK);
    thief.token = tokens.refresh;
    assert_int_equal(ask_revocation(fixture, thief).rc, RC_OK);
    assert_true(is_active(fixture, tokens.access));
    assert_int_equal(refresh(fixture, tokens.refresh, NULL).rc, RC_OK);
}

/* RV-03: with a refresh token the family ends; an access token ends alone. */
static void test_rv_03_refresh_token_takes_its_access_tokens_along(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome family[2] = { sign_in(fixture, "read api.read") };

    family[1] = refresh(fixture, family[0].refresh, "api.read");
    revoke(fixture, family[0].access);
    assert_false(is_active(fixture, family[0].access));
    assert_true(is_active(fixture, family[1].access));
    /* The old refresh token is spent, but still names the family. */
    revoke(fixture, family[0].refresh);
    assert_false(is_active(fixture, family[1].access));
    assert_refused(refresh(fixture, family[1].refresh, NULL), OAUTH_INVALID_GRANT);
    revoke(fixture, family[1].refresh);
}

static void test_revoking_twice_writes_once(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome tokens = sign_in(fixture, "read");
    struct store_counts before;
    struct store_counts after;

    revoke(fixture, tokens.access);
    store_counts(fixture->room->store, &before);
    revoke(fixture, tokens.access);
    store_counts(fixture->room->store, &after);
    assert_int_equal(before.units, after.units);
}

/* IN-02: one inactive answer, byte for byte, whatever the reason. */
static void test_in_02_inactive_says_nothing_of_the_reason(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome revoked = sign_in(fixture, "read");
    struct outcome ended = sign_in(fixture, "read");
    struct outcome expired = ask_token(
        fixture, (struct ask){ AS_WEB, .grant_type = "client_credentials", .scope = "jwt.read" });
    struct outcome others = ask_token(fixture, (struct ask){ .client = "other",
                                                             .secret = "other-secret",
                                                             .grant_type = "client_credentials",
                                                             .scope = "read" });
    char cut[2048];
    char bent[2048];

    revoke(fixture, revoked.access);
    revoke(fixture, ended.refresh);
    fixture->now += JWT_LIFETIME_S;
    snprintf(cut, sizeof(cut), "%.*s", (int)strlen(others.access) - 1, others.access);
    snprintf(bent, sizeof(bent), "%s", others.access);
    bent[10] ^= 1;
    assert_inactive(fixture, revoked.access);
    assert_inactive(fixture, ended.access);
    assert_inactive(fixture, expired.access);
    assert_inactive(fixture, others.access);
    assert_inactive(fixture, ended.refresh);
    assert_inactive(fixture, "junk");
    assert_inactive(fixture, cut);
    assert_inactive(fixture, bent);
}

/* IN-03: the services of its audience, and the client that it was issued to. */
static void test_in_03_only_its_audience_and_its_client_see_a_token(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome tokens = sign_in(fixture, "read api.read");
    static const struct {
        const char *id;
        const char *secret;
        bool sees;
    } callers[] = { { "web", "web-secret", true },
                    { "api.example", "api-secret", true },
                    { "jwt.example", "jwt-secret", false },
                    { "other", "other-secret", false } };

    for (size_t i = 0; i < 4; i++) {
        struct outcome outcome =
            introspect(fixture, callers[i].id, callers[i].secret, tokens.access);

        assert_int_equal(outcome.rc, RC_OK);
        if (callers[i].sees)
            assert_non_null(strstr(outcome.json, "\"active\":true"));
        else
            assert_string_equal(outcome.json, INACTIVE);
    }
}

/* IN-01, RFC 7662 2.1: an id alone, or an empty secret, is no authorization here. */
static void test_in_01_caller_must_authenticate(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const struct ask callers[] = {
        { .token = "x" },
        { .client = "spa", .token = "x" },
        { .client = "plugin", .secret = "", .is_basic = true, .token = "x" },
        { .client = "web", .token = "x" },
        { .client = "web", .secret = "", .is_basic = true, .token = "x" },
        { .client = "web", .secret = "wrong", .token = "x" },
        { .client = "api.example", .token = "x" },
        { .client = "api.example", .secret = "wrong", .token = "x" },
        { .client = "shut.example", .secret = "", .is_basic = true, .token = "x" },
        { .client = "nobody", .secret = "x", .token = "x" },
    };

    for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++)
        assert_refused_for(ask_introspection(fixture, callers[i]), OAUTH_INVALID_CLIENT,
                           i == 0 ? REASON_NO_CLIENT : REASON_WRONG_CLIENT);
    assert_refused(ask_introspection(fixture, (struct ask){ AS_WEB }), OAUTH_INVALID_REQUEST);
}

/* RFC 7662 2.2, and the claims that JT-01 wants of a JWT. */
static void test_active_answer_has_its_members(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome tokens = sign_in(fixture, "api.read");
    struct outcome outcome = introspect(fixture, "api.example", "api-secret", tokens.access);
    static const char *const members[] = { "\"scope\":\"api.read\"",
                                           "\"client_id\":\"web\"",
                                           "\"username\":\"alice\"",
                                           "\"token_type\":\"Bearer\"",
                                           "\"sub\":\"account:",
                                           "\"aud\":\"api.example\"",
                                           "\"iss\":\"http://127.0.0.1:8080\"",
                                           "\"exp\":",
                                           "\"iat\":",
                                           "\"jti\":\"" };

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        assert_non_null(strstr(outcome.json, members[i]));
}

/* A remembered caller and a token in memory: answered where nothing may block. */
static void test_fast_lane_answers_from_memory(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome tokens = sign_in(fixture, "read");
    struct ask ask = { AS_WEB, .token = tokens.access, .is_barred = true };
    struct outcome outcome = ask_introspection(fixture, ask);

    assert_int_equal(outcome.rc, RC_OK);
    assert_non_null(strstr(outcome.json, "\"active\":true"));
    ask.token = "junk";
    assert_string_equal(ask_introspection(fixture, ask).json, INACTIVE);
    ask.secret = "wrong";
    assert_int_equal(ask_introspection(fixture, ask).rc, RC_NEEDS_HASH);
}

static void test_bearer_check_asks_for_service_and_scope(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome tokens = sign_in(fixture, "read api.read");
    static const struct {
        const char *service;
        const char *scope;
        enum rc rc;
        enum oauth_error error;
    } demands[] = { { "", "", RC_OK, 0 },
                    { "api.example", "read api.read", RC_OK, 0 },
                    { "jwt.example", "", RC_REFUSED, OAUTH_INVALID_TOKEN },
                    { "api.example", "api.write", RC_REFUSED, OAUTH_INSUFFICIENT_SCOPE },
                    { "api", "", RC_REFUSED, OAUTH_INVALID_TOKEN },
                    { "", "READ", RC_REFUSED, OAUTH_INSUFFICIENT_SCOPE } };

    for (size_t i = 0; i < sizeof(demands) / sizeof(demands[0]); i++) {
        struct bearer_demand demand = { .service_id = str_of(demands[i].service),
                                        .scope = str_of(demands[i].scope) };
        struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
        struct token_presented presented = { .value = str_of(tokens.access) };
        struct token_view view;
        struct outcome outcome;
        enum rc rc = bearer_check(&asking->call, &presented, &demand, &view);

        if (rc == RC_OK)
            token_view_put(fixture->room->room, &view);
        outcome = asking_end(asking, rc);
        assert_int_equal(outcome.rc, demands[i].rc);
        if (rc == RC_REFUSED)
            assert_int_equal(outcome.error, demands[i].error);
    }
}

/* The log has the reason; the answer says "not active" and only marks an expired token. */
static void test_bearer_check_tells_the_log_why(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome expired = sign_in(fixture, "jwt.read");
    struct outcome revoked = sign_in(fixture, "read");
    const struct {
        const char *token;
        enum token_inactive why;
        enum refusal_reason reason;
    } tries[] = { { expired.access, TOKEN_EXPIRED, REASON_TOKEN_EXPIRED },
                  { revoked.access, TOKEN_REVOKED, REASON_NONE },
                  { "junk", TOKEN_UNKNOWN, REASON_NONE } };
    struct bearer_demand demand = { .service_id = STR("") };

    revoke(fixture, revoked.access);
    fixture->now += JWT_LIFETIME_S;
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
        struct token_presented presented = { .value = str_of(tries[i].token) };
        struct token_view view;
        struct outcome outcome =
            asking_end(asking, bearer_check(&asking->call, &presented, &demand, &view));

        assert_refused_for(outcome, OAUTH_INVALID_TOKEN, tries[i].reason);
        assert_string_equal(outcome.why, token_inactive_words(tries[i].why));
        assert_string_equal(outcome.description, "the token is not active");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_rv_01_unknown_token_is_no_error),
        WITH_OAUTH(test_rv_02_another_clients_token_is_not_touched),
        WITH_OAUTH(test_rv_03_refresh_token_takes_its_access_tokens_along),
        WITH_OAUTH(test_revoking_twice_writes_once),
        WITH_OAUTH(test_in_01_caller_must_authenticate),
        WITH_OAUTH(test_in_02_inactive_says_nothing_of_the_reason),
        WITH_OAUTH(test_in_03_only_its_audience_and_its_client_see_a_token),
        WITH_OAUTH(test_active_answer_has_its_members),
        WITH_OAUTH(test_fast_lane_answers_from_memory),
        WITH_OAUTH(test_bearer_check_asks_for_service_and_scope),
        WITH_OAUTH(test_bearer_check_tells_the_log_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
