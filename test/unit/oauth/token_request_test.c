/* The token endpoint's decision: all grants, and what each refuses. */
#include "fixture.h"

struct refusal_case {
    const char *name;
    struct ask ask;
    enum oauth_error error;
};

#define USER .username = "alice", .password = "alice-password"

static const struct refusal_case refusals[] = {
    { "no grant_type", { AS_WEB }, OAUTH_INVALID_REQUEST },
    { "unknown grant_type", { AS_WEB, .grant_type = "implicit" }, OAUTH_UNSUPPORTED_GRANT_TYPE },
    { "grant_type has case", { AS_WEB, .grant_type = "Password" }, OAUTH_UNSUPPORTED_GRANT_TYPE },

    /* client_credentials */
    { "nobody", { .grant_type = "client_credentials", .scope = "read" }, OAUTH_INVALID_CLIENT },
    { "CA-10 public client",
      { .client = "spa", .grant_type = "client_credentials", .scope = "read" },
      OAUTH_UNAUTHORIZED_CLIENT },
    { "CA-11 not registered for it",
      { .client = "plugin", .secret = "", .is_basic = true, .grant_type = "client_credentials" },
      OAUTH_UNAUTHORIZED_CLIENT },
    { "the built-in client",
      { .client = "public_client", .grant_type = "client_credentials" },
      OAUTH_INVALID_CLIENT },
    { "unknown word",
      { AS_WEB, .grant_type = "client_credentials", .scope = "read nonsense" },
      OAUTH_INVALID_SCOPE },
    { "another client's word",
      { .client = "other",
        .secret = "other-secret",
        .grant_type = "client_credentials",
        .scope = "write" },
      OAUTH_INVALID_SCOPE },
    { "a service not its own",
      { AS_WEB, .grant_type = "client_credentials", .scope = "shut.read" },
      OAUTH_INVALID_SCOPE },

    /* password */
    { "no user name",
      { AS_WEB, .grant_type = "password", .password = "x" },
      OAUTH_INVALID_REQUEST },
    { "no password",
      { AS_WEB, .grant_type = "password", .username = "alice" },
      OAUTH_INVALID_REQUEST },
    { "empty password",
      { AS_WEB, .grant_type = "password", .username = "alice", .password = "", .scope = "read" },
      OAUTH_INVALID_GRANT },
    { "wrong password",
      { AS_WEB, .grant_type = "password", .username = "alice", .password = "x", .scope = "read" },
      OAUTH_INVALID_GRANT },
    { "unknown user",
      { AS_WEB, .grant_type = "password", .username = "eve", .password = "x", .scope = "read" },
      OAUTH_INVALID_GRANT },
    { "CA-11 password not registered",
      { .client = "machine", .secret = "machine-secret", .grant_type = "password", USER },
      OAUTH_UNAUTHORIZED_CLIENT },
    { "CA-12 a service that is not open",
      { .grant_type = "password", USER, .scope = "service_id=shut.example" },
      OAUTH_INVALID_SCOPE },
    { "CA-12 words without a client",
      { .grant_type = "password", USER, .scope = "api.read" },
      OAUTH_INVALID_SCOPE },
    { "CA-12 no scope without a client", { .grant_type = "password", USER }, OAUTH_INVALID_SCOPE },

    /* refresh_token */
    { "no refresh token", { AS_WEB, .grant_type = "refresh_token" }, OAUTH_INVALID_REQUEST },
    { "empty refresh token",
      { AS_WEB, .grant_type = "refresh_token", .refresh_token = "" },
      OAUTH_INVALID_REQUEST },
    { "junk",
      { AS_WEB, .grant_type = "refresh_token", .refresh_token = "jtr_junk" },
      OAUTH_INVALID_GRANT },
    { "a JWT's look",
      { AS_WEB, .grant_type = "refresh_token", .refresh_token = "e30.e30.e30" },
      OAUTH_INVALID_GRANT },
    { "nobody refreshes",
      { .grant_type = "refresh_token", .refresh_token = "jtr_junk" },
      OAUTH_INVALID_CLIENT },
    { "CA-11 refresh not registered",
      { .client = "machine",
        .secret = "machine-secret",
        .grant_type = "refresh_token",
        .refresh_token = "jtr_junk" },
      OAUTH_UNAUTHORIZED_CLIENT },
};

static void test_refusals_are_those_of_rfc_6749_5_2(void **state)
{
    struct oauth_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct outcome outcome = ask_token(fixture, refusals[i].ask);

        if (outcome.rc != RC_REFUSED || outcome.error != refusals[i].error)
            fail_msg("%s: %d, error %d", refusals[i].name, (int)outcome.rc, (int)outcome.error);
    }
}

static void test_client_credentials_give_an_access_token_alone(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = ask_token(
        fixture, (struct ask){ AS_WEB, .grant_type = "client_credentials", .scope = "api.read" });

    assert_int_equal(outcome.rc, RC_OK);
    assert_string_equal(outcome.scope, "api.read");
    assert_int_equal(outcome.expires_in_s, API_LIFETIME_S);
    assert_string_equal(outcome.refresh, ""); /* RFC 6749 4.4.3 */
    assert_true(is_active(fixture, outcome.access));
    fixture->now += API_LIFETIME_S;
    assert_false(is_active(fixture, outcome.access));
}

static void test_jwt_service_gets_a_jwt(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = ask_token(
        fixture, (struct ask){ AS_WEB, .grant_type = "client_credentials", .scope = "jwt.read" });

    assert_int_equal(outcome.rc, RC_OK);
    assert_int_equal(outcome.expires_in_s, JWT_LIFETIME_S);
    assert_true(strncmp(outcome.access, "eyJ", 3) == 0);
    assert_true(is_active(fixture, outcome.access));
}

/* TK-05: what was granted is told, also when the request left it open. */
static void test_tk_05_default_scope_is_told(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = ask_token(fixture, (struct ask){ .client = "other",
                                                              .secret = "other-secret",
                                                              .grant_type = "client_credentials" });

    assert_int_equal(outcome.rc, RC_OK);
    assert_string_equal(outcome.scope, "read");
}

/* u-Auth's answer has exactly these members, in this order. */
static void test_uauth_answer_has_the_documented_members(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const char *const clients[] = { NULL, "public_client" };

    for (size_t i = 0; i < 2; i++) {
        struct outcome outcome =
            ask_token(fixture, (struct ask){ .client = clients[i],
                                             .grant_type = "password",
                                             USER,
                                             .scope = "service_id=api.example" });
        char expected[4096];

        assert_int_equal(outcome.rc, RC_OK);
        snprintf(expected, sizeof(expected),
                 "{\"token_type\":\"Bearer\",\"scope\":\"service_id=api.example\","
                 "\"access_token\":\"%s\",\"expires_in\":%d}",
                 outcome.access, (int)API_LIFETIME_S);
        assert_string_equal(outcome.json, expected);
        assert_true(is_active(fixture, outcome.access));
    }
}

static void test_public_client_refreshes_without_a_secret(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = ask_token(
        fixture, (struct ask){ .client = "spa", .grant_type = "password", USER, .scope = "read" });
    struct outcome next;

    assert_int_equal(first.rc, RC_OK);
    next = ask_token(fixture, (struct ask){ .client = "spa",
                                            .grant_type = "refresh_token",
                                            .refresh_token = first.refresh });
    assert_int_equal(next.rc, RC_OK);
    assert_string_not_equal(next.refresh, first.refresh);
}

/* The lanes: what would block or hash is asked again elsewhere, and nothing has happened. */
static void test_barred_lane_moves_on_without_a_trace(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = sign_in(fixture, "read");
    static const struct ask asks[] = {
        { .client = "other",
          .secret = "other-secret",
          .grant_type = "client_credentials",
          .is_barred = true },
        { .client = "other",
          .secret = "wrong",
          .grant_type = "client_credentials",
          .is_barred = true },
        { .grant_type = "password", USER, .scope = "service_id=api.example", .is_barred = true },
    };
    static const enum rc expected[] = { RC_WOULD_BLOCK, RC_NEEDS_HASH, RC_NEEDS_HASH };
    struct store_counts before;
    struct store_counts after;

    store_counts(fixture->room->store, &before);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(ask_token(fixture, asks[i]).rc, expected[i]);
    assert_int_equal(
        ask_token(fixture, (struct ask){ AS_WEB, .grant_type = "refresh_token",
                                         .refresh_token = outcome.refresh, .is_barred = true })
            .rc,
        RC_WOULD_BLOCK);
    store_counts(fixture->room->store, &after);
    assert_int_equal(before.units, after.units);
}

/* RC_TOO_LARGE becomes a refusal: a scope of 128 words and its services do not fit our JWTs. */
static void test_scope_too_long_for_a_jwt_is_refused(void **state)
{
    struct oauth_fixture *fixture = *state;
    char *scope = arena_alloc(&fixture->room->arena, SCOPE_BYTES_MAX + 1);
    size_t len = (size_t)snprintf(scope, SCOPE_BYTES_MAX, "jwt.read");
    struct outcome outcome;

    /* '<' takes six bytes in JSON. */
    for (int word = 0; word < 60; word++)
        len += (size_t)snprintf(scope + len, SCOPE_BYTES_MAX - len,
                                " %02d<<<<<<<<<<<<<<<<<<<<<<<<"
                                "<<<<<<<<<<<<<<<<<<<<<<<<<<",
                                word);
    add_client(fixture, (struct client){ .client_id = STR("wordy"),
                                         .secret_hash = hash_of(fixture, "s", false),
                                         .grant_types = ALL_GRANTS,
                                         .service_ids = STR("jwt.example"),
                                         .scope = str_of(scope) });
    outcome = ask_token(fixture, (struct ask){ .client = "wordy",
                                               .secret = "s",
                                               .grant_type = "client_credentials",
                                               .scope = scope });
    assert_refused(outcome, OAUTH_INVALID_SCOPE);
    outcome = ask_token(
        fixture,
        (struct ask){
            .client = "wordy", .secret = "s", USER, .grant_type = "password", .scope = scope });
    assert_refused(outcome, OAUTH_INVALID_SCOPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_refusals_are_those_of_rfc_6749_5_2),
        WITH_OAUTH(test_client_credentials_give_an_access_token_alone),
        WITH_OAUTH(test_jwt_service_gets_a_jwt),
        WITH_OAUTH(test_tk_05_default_scope_is_told),
        WITH_OAUTH(test_uauth_answer_has_the_documented_members),
        WITH_OAUTH(test_public_client_refreshes_without_a_secret),
        WITH_OAUTH(test_barred_lane_moves_on_without_a_trace),
        WITH_OAUTH(test_scope_too_long_for_a_jwt_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
