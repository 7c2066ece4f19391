/* The token endpoint's decision: all grants, and what each refuses. */
#include "fixture.h"

struct refusal_case {
    const char *name;
    struct ask ask;
    enum oauth_error error;
    enum refusal_reason reason;
    const char *word; /* REASON_SCOPE_UNKNOWN */
};

#define USER .username = "alice", .password = "alice-password"

static const struct refusal_case refusals[] = {
    { "no grant_type", { AS_WEB }, OAUTH_INVALID_REQUEST, REASON_NO_GRANT_TYPE, NULL },
    { "unknown grant_type",
      { AS_WEB, .grant_type = "implicit" },
      OAUTH_UNSUPPORTED_GRANT_TYPE,
      REASON_NONE,
      NULL },
    { "grant_type has case",
      { AS_WEB, .grant_type = "Password" },
      OAUTH_UNSUPPORTED_GRANT_TYPE,
      REASON_NONE,
      NULL },

    /* client_credentials */
    { "nobody",
      { .grant_type = "client_credentials", .scope = "read" },
      OAUTH_INVALID_CLIENT,
      REASON_NO_CLIENT,
      NULL },
    { "CA-10 public client",
      { .client = "spa", .grant_type = "client_credentials", .scope = "read" },
      OAUTH_UNAUTHORIZED_CLIENT,
      REASON_GRANT_TYPE_NOT_ALLOWED,
      NULL },
    { "CA-11 not registered for it",
      { .client = "plugin", .secret = "", .is_basic = true, .grant_type = "client_credentials" },
      OAUTH_UNAUTHORIZED_CLIENT,
      REASON_GRANT_TYPE_NOT_ALLOWED,
      NULL },
    { "the built-in client",
      { .client = "public_client", .grant_type = "client_credentials" },
      OAUTH_INVALID_CLIENT,
      REASON_NO_CLIENT,
      NULL },
    { "unknown word",
      { AS_WEB, .grant_type = "client_credentials", .scope = "read nonsense" },
      OAUTH_INVALID_SCOPE,
      REASON_SCOPE_UNKNOWN,
      "nonsense" },
    { "another client's word",
      { .client = "other",
        .secret = "other-secret",
        .grant_type = "client_credentials",
        .scope = "write" },
      OAUTH_INVALID_SCOPE,
      REASON_SCOPE_UNKNOWN,
      "write" },
    { "a service not its own",
      { AS_WEB, .grant_type = "client_credentials", .scope = "shut.read" },
      OAUTH_INVALID_SCOPE,
      REASON_SCOPE_UNKNOWN,
      "shut.read" },

    { "the client of Spectrum",
      { .client = "spectrum_client", .grant_type = "client_credentials" },
      OAUTH_UNAUTHORIZED_CLIENT,
      REASON_GRANT_TYPE_NOT_ALLOWED,
      NULL },
    { "a wrong client",
      { .client = "web", .secret = "wrong", .grant_type = "client_credentials" },
      OAUTH_INVALID_CLIENT,
      REASON_WRONG_CLIENT,
      NULL },
    { "an unsound scope",
      { AS_WEB, .grant_type = "client_credentials", .scope = "read \"x\"" },
      OAUTH_INVALID_SCOPE,
      REASON_NONE,
      NULL },

    /* password */
    { "the client of Spectrum signs nobody in",
      { .client = "spectrum_client", .grant_type = "password", USER, .scope = "read" },
      OAUTH_UNAUTHORIZED_CLIENT,
      REASON_GRANT_TYPE_NOT_ALLOWED,
      NULL },
    { "nobody at a door for clients",
      { .grant_type = "password", USER, .scope = "service_id=api.example", .is_closed = true },
      OAUTH_INVALID_CLIENT,
      REASON_NO_CLIENT,
      NULL },
    { "public_client at a door for clients",
      { .client = "public_client",
        .grant_type = "password",
        USER,
        .scope = "service_id=api.example",
        .is_closed = true },
      OAUTH_INVALID_CLIENT,
      REASON_NO_CLIENT,
      NULL },
    { "no user name",
      { AS_WEB, .grant_type = "password", .password = "x" },
      OAUTH_INVALID_REQUEST,
      REASON_NONE,
      NULL },
    { "no password",
      { AS_WEB, .grant_type = "password", .username = "alice" },
      OAUTH_INVALID_REQUEST,
      REASON_NONE,
      NULL },
    { "empty password",
      { AS_WEB, .grant_type = "password", .username = "alice", .password = "", .scope = "read" },
      OAUTH_INVALID_GRANT,
      REASON_WRONG_PASSWORD,
      NULL },
    { "wrong password",
      { AS_WEB, .grant_type = "password", .username = "alice", .password = "x", .scope = "read" },
      OAUTH_INVALID_GRANT,
      REASON_WRONG_PASSWORD,
      NULL },
    { "unknown user",
      { AS_WEB, .grant_type = "password", .username = "eve", .password = "x", .scope = "read" },
      OAUTH_INVALID_GRANT,
      REASON_WRONG_PASSWORD,
      NULL },
    { "CA-11 password not registered",
      { .client = "machine", .secret = "machine-secret", .grant_type = "password", USER },
      OAUTH_UNAUTHORIZED_CLIENT,
      REASON_GRANT_TYPE_NOT_ALLOWED,
      NULL },
    { "CA-12 a service that is not open",
      { .grant_type = "password", USER, .scope = "service_id=shut.example" },
      OAUTH_INVALID_SCOPE,
      REASON_SCOPE_UNKNOWN,
      "service_id=shut.example" },
    { "CA-12 words without a client",
      { .grant_type = "password", USER, .scope = "api.read" },
      OAUTH_INVALID_SCOPE,
      REASON_SCOPE_UNKNOWN,
      "api.read" },
    { "CA-12 no scope without a client",
      { .grant_type = "password", USER },
      OAUTH_INVALID_SCOPE,
      REASON_NONE,
      NULL },

    /* refresh_token */
    { "no refresh token",
      { AS_WEB, .grant_type = "refresh_token" },
      OAUTH_INVALID_REQUEST,
      REASON_NO_REFRESH_TOKEN,
      NULL },
    { "empty refresh token",
      { AS_WEB, .grant_type = "refresh_token", .refresh_token = "" },
      OAUTH_INVALID_REQUEST,
      REASON_NO_REFRESH_TOKEN,
      NULL },
    { "junk",
      { AS_WEB, .grant_type = "refresh_token", .refresh_token = "jtr_junk" },
      OAUTH_INVALID_GRANT,
      REASON_REFRESH_UNKNOWN,
      NULL },
    { "a JWT's look",
      { AS_WEB, .grant_type = "refresh_token", .refresh_token = "e30.e30.e30" },
      OAUTH_INVALID_GRANT,
      REASON_REFRESH_UNKNOWN,
      NULL },
    { "nobody refreshes",
      { .grant_type = "refresh_token", .refresh_token = "jtr_junk" },
      OAUTH_INVALID_CLIENT,
      REASON_NO_CLIENT,
      NULL },
    { "CA-11 refresh not registered",
      { .client = "machine",
        .secret = "machine-secret",
        .grant_type = "refresh_token",
        .refresh_token = "jtr_junk" },
      OAUTH_UNAUTHORIZED_CLIENT,
      REASON_GRANT_TYPE_NOT_ALLOWED,
      NULL },
};

static void test_refusals_are_those_of_rfc_6749_5_2(void **state)
{
    struct oauth_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct outcome outcome = ask_token(fixture, refusals[i].ask);

        if (outcome.rc != RC_REFUSED || outcome.error != refusals[i].error ||
            outcome.reason != refusals[i].reason)
            fail_msg("%s: %d, error %d, reason %d", refusals[i].name, (int)outcome.rc,
                     (int)outcome.error, (int)outcome.reason);
        assert_string_equal(outcome.word, refusals[i].word == NULL ? "" : refusals[i].word);
        assert_false(outcome.has_issued);
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
    assert_true(outcome.has_issued);
    assert_int_equal(outcome.issued_by, GRANT_TYPE_CLIENT_CREDENTIALS);
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

/* Nobody's answer is written by the profile for nobody, a client's never. */
static void test_anonymous_answer_is_its_profiles(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const char *const clients[] = { NULL, "public_client" };

    for (size_t i = 0; i < 2; i++) {
        struct outcome outcome =
            ask_token(fixture, (struct ask){ .client = clients[i],
                                             .grant_type = "password",
                                             USER,
                                             .scope = "service_id=api.example" });

        assert_int_equal(outcome.rc, RC_OK);
        assert_non_null(strstr(outcome.json, "\"is_anonymous\":true"));
        assert_int_equal(outcome.expires_in_s, API_LIFETIME_S);
        assert_string_equal(outcome.refresh, "");
        assert_int_equal(outcome.issued_by, GRANT_TYPE_PASSWORD);
        assert_true(is_active(fixture, outcome.access));
    }
    assert_null(strstr(sign_in(fixture, "read").json, "is_anonymous"));
}

/* oauth_prepare: twice is once, and neither built-in client has a grant type. */
static void test_built_in_clients_are_made_once(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct client before[2] = { client_of(fixture, OAUTH_PUBLIC_CLIENT_ID),
                                client_of(fixture, OAUTH_SPECTRUM_CLIENT_ID) };

    assert_int_equal(oauth_prepare(&fixture->oauth), RC_OK);
    for (size_t i = 0; i < 2; i++) {
        struct client after = client_of(fixture, i == 0 ? "public_client" : "spectrum_client");

        assert_int_equal(after.id, before[i].id);
        assert_int_equal(after.type, CLIENT_PUBLIC);
        assert_int_equal(after.grant_types, 0);
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
    static const enum rc expected[] = { RC_WOULD_BLOCK, RC_NEEDS_HASH, RC_WOULD_BLOCK };
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
        WITH_OAUTH(test_anonymous_answer_is_its_profiles),
        WITH_OAUTH(test_built_in_clients_are_made_once),
        WITH_OAUTH(test_public_client_refreshes_without_a_secret),
        WITH_OAUTH(test_barred_lane_moves_on_without_a_trace),
        WITH_OAUTH(test_scope_too_long_for_a_jwt_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
