#include <stdio.h>

#include "dialect/threedm.h"
#include "fixture.h"

static const struct account erin = { .id = 17,
                                     .name = { "erin", 4 },
                                     .full_name = { "E \"R\"", 5 } };

static void assert_body(const struct fixture *fixture, const char *expected)
{
    const struct buffer *body = &fixture->exchange.response.body;

    assert_int_equal(body->len, strlen(expected));
    assert_memory_equal(body->at, expected, body->len);
}

/* ---- what says no ---- */

/* contracts 3.5; NULL: no challenge */
static const struct {
    enum oauth_error error;
    enum refusal_reason reason;
    int status;
    const char *body;
    const char *challenge;
} rows[] = {
    { OAUTH_INVALID_CLIENT, REASON_CLIENT_MISMATCH, 401,
      "{\"error\":\"invalid_client\",\"error_description\":\"Given client ID does not match "
      "authenticated client\"}",
      "Bearer error=\"invalid_client\", error_description=\"Given client ID does not match "
      "authenticated client\"" },
    { OAUTH_INVALID_REQUEST, REASON_NO_GRANT_TYPE, 400,
      "{\"error\":\"invalid_request\",\"error_description\":\"Missing grant type\"}", NULL },
    { OAUTH_UNAUTHORIZED_CLIENT, REASON_GRANT_TYPE_NOT_ALLOWED, 401,
      "{\"error\":\"invalid_client\",\"error_description\":\"Unauthorized grant type: "
      "password\"}",
      "Bearer error=\"invalid_client\", error_description=\"Unauthorized grant type: "
      "password\"" },
    { OAUTH_UNSUPPORTED_GRANT_TYPE, REASON_NONE, 400,
      "{\"error\":\"unsupported_grant_type\",\"error_description\":\"Unsupported grant type\"}",
      NULL },
    { OAUTH_INVALID_GRANT, REASON_WRONG_PASSWORD, 400,
      "{\"error\":\"invalid_grant\",\"error_description\":\"Bad credentials\"}", NULL },
    { OAUTH_INVALID_GRANT, REASON_ACCOUNT_DISABLED, 400,
      "{\"error\":\"invalid_grant\",\"error_description\":\"User is disabled\"}", NULL },
    { OAUTH_INVALID_GRANT, REASON_CODE_MISSING, 400,
      "{\"error\":\"invalid_grant\",\"error_description\":\"Two-factor code required\","
      "\"twofactor\":\"required\"}",
      NULL },
    { OAUTH_INVALID_GRANT, REASON_CODE_WRONG, 400,
      "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid two-factor code\","
      "\"twofactor\":\"invalid\"}",
      NULL },
    { OAUTH_INVALID_SCOPE, REASON_SCOPE_UNKNOWN, 400,
      "{\"error\":\"invalid_scope\",\"error_description\":\"Invalid scope: admin\","
      "\"scope\":\"read write\"}",
      NULL },
    { OAUTH_INVALID_REQUEST, REASON_NO_REFRESH_TOKEN, 400,
      "{\"error\":\"invalid_request\",\"error_description\":\"refresh_token parameter not "
      "provided\"}",
      NULL },
    { OAUTH_INVALID_GRANT, REASON_REFRESH_UNKNOWN, 401,
      "{\"error\":\"invalid_token\",\"error_description\":\"Cannot convert access token to "
      "JSON\"}",
      "Bearer error=\"invalid_token\", error_description=\"Cannot convert access token to "
      "JSON\"" },
    { OAUTH_INVALID_GRANT, REASON_REFRESH_NO_REFRESH_TOKEN, 401,
      "{\"error\":\"invalid_token\",\"error_description\":\"Encoded token is not a refresh "
      "token\"}",
      "Bearer error=\"invalid_token\", error_description=\"Encoded token is not a refresh "
      "token\"" },
    { OAUTH_INVALID_GRANT, REASON_REFRESH_OF_OTHER_CLIENT, 400,
      "{\"error\":\"invalid_grant\",\"error_description\":\"Wrong client for this refresh "
      "token\"}",
      NULL },
    { OAUTH_INVALID_GRANT, REASON_REFRESH_EXPIRED, 401,
      "{\"error\":\"invalid_token\",\"error_description\":\"Invalid refresh token (expired)\"}",
      "Bearer error=\"invalid_token\", error_description=\"Invalid refresh token (expired)\"" },
    { OAUTH_INVALID_GRANT, REASON_REFRESH_ENDED, 400,
      "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid refresh token\"}", NULL },
    { OAUTH_INVALID_TOKEN, REASON_NONE, 400,
      "{\"error\":\"invalid_token\",\"error_description\":\"Token was not recognised\"}", NULL },
    { OAUTH_INVALID_TOKEN, REASON_TOKEN_EXPIRED, 400,
      "{\"error\":\"invalid_token\",\"error_description\":\"Token has expired\"}", NULL },
    { OAUTH_SERVER_ERROR, REASON_NONE, 500,
      "{\"error\":\"server_error\",\"error_description\":\"Internal Server Error\"}", NULL },
    { OAUTH_TEMPORARILY_UNAVAILABLE, REASON_NONE, 503,
      "{\"error\":\"temporarily_unavailable\",\"error_description\":\"Service Unavailable\"}",
      NULL },
    { OAUTH_INVALID_REQUEST, REASON_NONE, 400,
      "{\"error\":\"invalid_request\",\"error_description\":\"the core's words\"}", NULL },
};

static void refuse(struct fixture *fixture, enum oauth_error error, enum refusal_reason reason,
                   struct threedm_request *request)
{
    fixture_begin(fixture, HTTP_POST);
    fixture->exchange.note = request;
    fixture->oauth.refusal = (struct refusal){ .error = error,
                                               .reason = reason,
                                               .description = STR("the core's words"),
                                               .word = STR("admin") };
    threedm_answer_refusal(&fixture->call);
    assert_true(fixture_has_line(fixture, "Content-Type: application/json;charset=UTF-8"));
    assert_true(fixture_has_line(fixture, "Cache-Control: no-store")); /* RFC 6749 5.1 */
    assert_true(fixture_has_line(fixture, "Pragma: no-cache"));
}

static void assert_challenge(const struct fixture *fixture, const char *challenge)
{
    char line[512];

    if (challenge == NULL) {
        assert_false(fixture_names(fixture, "WWW-Authenticate"));
        return;
    }
    snprintf(line, sizeof(line), "WWW-Authenticate: %s", challenge);
    assert_true(fixture_has_line(fixture, line));
}

static void test_each_refusal_has_the_frameworks_words(void **state)
{
    struct threedm_request request = { .attempt = ATTEMPT_BASIC,
                                       .grant_type = STR("password"),
                                       .client_scope = STR("read write") };
    static struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        refuse(&fixture, rows[i].error, rows[i].reason, &request);
        assert_int_equal(fixture.exchange.response.status, rows[i].status);
        assert_body(&fixture, rows[i].body);
        assert_challenge(&fixture, rows[i].challenge);
    }
    fixture_deinit(&fixture);
}

/* RFC 6585 4 */
static void test_a_throttled_address_is_told_how_long(void **state)
{
    static struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture_begin(&fixture, HTTP_POST);
    fixture.oauth.refusal = (struct refusal){ .error = OAUTH_TOO_MANY_REQUESTS,
                                              .description = STR("too many"),
                                              .retry_after_s = 600 };
    threedm_answer_refusal(&fixture.call);
    assert_int_equal(fixture.exchange.response.status, 429);
    assert_true(fixture_has_line(&fixture, "Retry-After: 600"));
    fixture_deinit(&fixture);
}

/* ---- clients that fail ---- */

#define NOBODY "Full authentication is required to access this resource"

static const struct {
    unsigned setting;
    enum refusal_reason reason;
    enum threedm_attempt attempt;
    const char *body;
    const char *challenge;
} failures[] = {
    { CLIENT_ERROR_OAUTH, REASON_NO_CLIENT, ATTEMPT_NONE,
      "{\"error\":\"unauthorized\",\"error_description\":\"" NOBODY "\"}",
      "Basic realm=\"oauth2/client\", error=\"unauthorized\", error_description=\"" NOBODY "\"" },
    { CLIENT_ERROR_OAUTH, REASON_WRONG_CLIENT, ATTEMPT_BASIC,
      "{\"error\":\"invalid_client\",\"error_description\":\"Bad client credentials\"}",
      "Basic realm=\"oauth2/client\"" },
    { CLIENT_ERROR_OAUTH, REASON_WRONG_CLIENT, ATTEMPT_FORM,
      "{\"error\":\"invalid_client\",\"error_description\":\"Bad client credentials\"}",
      "Form realm=\"oauth2/client\", error=\"invalid_client\", error_description=\"Bad client "
      "credentials\"" },
    { CLIENT_ERROR_BOOT, REASON_NO_CLIENT, ATTEMPT_NONE,
      "{\"timestamp\":1700000000000,\"status\":401,\"error\":\"Unauthorized\",\"message\":\"" NOBODY
      "\",\"path\":\"/oauth/oauth/token\"}",
      "Basic realm=\"oauth2/client\"" },
    { CLIENT_ERROR_BOOT, REASON_WRONG_CLIENT, ATTEMPT_BASIC,
      "{\"timestamp\":1700000000000,\"status\":401,\"error\":\"Unauthorized\",\"message\":\"Bad "
      "credentials\",\"path\":\"/oauth/oauth/token\"}",
      "Basic realm=\"oauth2/client\"" },
    { CLIENT_ERROR_BOOT, REASON_WRONG_CLIENT, ATTEMPT_FORM,
      "{\"error\":\"invalid_client\",\"error_description\":\"Bad client credentials\"}",
      "Form realm=\"oauth2/client\", error=\"invalid_client\", error_description=\"Bad client "
      "credentials\"" },
};

static void test_three_shapes_of_client_failure(void **state)
{
    static struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture.oauth.now = 1700000000;
    fixture.exchange.request.path = STR("/oauth/oauth/token");
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        struct threedm_request request = { .attempt = failures[i].attempt };

        fixture.settings.threedm_client_error = failures[i].setting;
        refuse(&fixture, OAUTH_INVALID_CLIENT, failures[i].reason, &request);
        assert_int_equal(fixture.exchange.response.status, 401);
        assert_body(&fixture, failures[i].body);
        assert_challenge(&fixture, failures[i].challenge);
    }
    fixture_deinit(&fixture);
}

/* A fault may come before anything was read. */
static void test_a_refusal_of_nothing_that_was_read(void **state)
{
    static struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (unsigned reason = REASON_NONE; reason <= REASON_REFRESH_ENDED; reason++) {
        refuse(&fixture, OAUTH_INVALID_GRANT, (enum refusal_reason)reason, NULL);
        assert_in_range(fixture.exchange.response.status, 400, 401);
    }
    fixture_deinit(&fixture);
}

/* ---- what succeeds ---- */

static void test_the_answer_has_the_frameworks_order(void **state)
{
    struct token_answer answer = { .access_token = STR("a.b.c"),
                                   .refresh_token = STR("jtr_x"),
                                   .scope = STR("read write"),
                                   .jti = STR("00112233-4455-6677-8899-aabbccddeeff"),
                                   .account = &erin,
                                   .expires_in_s = 43200,
                                   .expires_in_as_string = true };
    static struct fixture fixture;
    struct buffer *body = &fixture.exchange.response.body;

    (void)state;
    fixture_init(&fixture);
    threedm_token_format(&answer, body);
    assert_body(&fixture, "{\"access_token\":\"a.b.c\",\"token_type\":\"bearer\","
                          "\"refresh_token\":\"jtr_x\",\"expires_in\":43199,"
                          "\"scope\":\"read write\",\"fullname\":\"E \\\"R\\\"\","
                          "\"jti\":\"00112233-4455-6677-8899-aabbccddeeff\",\"userid\":17,"
                          "\"username\":\"erin\"}");
    body->len = 0;
    answer.refresh_token = STR("");
    answer.account = NULL;
    answer.expires_in_s = 0;
    threedm_token_format(&answer, body);
    assert_body(&fixture, "{\"access_token\":\"a.b.c\",\"token_type\":\"bearer\","
                          "\"scope\":\"read write\","
                          "\"jti\":\"00112233-4455-6677-8899-aabbccddeeff\"}");
    fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_refusal_has_the_frameworks_words),
        cmocka_unit_test(test_a_throttled_address_is_told_how_long),
        cmocka_unit_test(test_three_shapes_of_client_failure),
        cmocka_unit_test(test_a_refusal_of_nothing_that_was_read),
        cmocka_unit_test(test_the_answer_has_the_frameworks_order),
    };

    return cmocka_run_group_tests_name("dialect/threedm_answer", tests, NULL, NULL);
}
