/* Requests for authorization as they are read and judged: AZ-01 to AZ-10, AZ-18, AZ-19, CP-01. */
#include "authorization_fixture.h"

struct request_case {
    const char *name;
    const char *query;
    enum oauth_error error;
    bool can_redirect;
};

static void assert_case(struct oauth_fixture *fixture, const struct request_case *row)
{
    struct visit *visit = visit_begin(fixture, row->query);

    if (visit->rc != RC_REFUSED || visit->call.refusal.error != row->error ||
        visit->can_redirect != row->can_redirect)
        fail_msg("%s: rc %d, error %d, can_redirect %d", row->name, (int)visit->rc,
                 (int)visit->call.refusal.error, visit->can_redirect);
    if (row->can_redirect)
        assert_true(visit->request.redirect_uri.len > 0);
    visit_end(visit);
}

static void assert_sound(struct oauth_fixture *fixture, const char *query)
{
    struct visit *visit = visit_begin(fixture, query);

    if (visit->rc != RC_OK)
        fail_msg("%s: %.*s", query, STR_ARGS(visit->call.refusal.description));
    visit_end(visit);
}

/* What tells the client, in the order of the table of checks. */
static void test_az_05_errors_go_back(void **state)
{
    static const struct request_case rows[] = {
        { "no response_type", "client_id=rp&redirect_uri=https://rp.example/cb" PKCE,
          OAUTH_INVALID_REQUEST, true },
        { "no challenge", RP, OAUTH_INVALID_REQUEST, true },
        { "unknown scope", RP_OK "&scope=nonsense", OAUTH_INVALID_SCOPE, true },
        { "AZ-18 another service's word", RP_OK "&scope=shut.read", OAUTH_INVALID_SCOPE, true },
        { "malformed scope", RP_OK "&scope=a%22b", OAUTH_INVALID_SCOPE, true },
        { "prompt none and login", RP_OK "&prompt=none%20login", OAUTH_INVALID_REQUEST, true },
        { "unknown prompt", RP_OK "&prompt=dance", OAUTH_INVALID_REQUEST, true },
        { "max_age", RP_OK "&max_age=-1", OAUTH_INVALID_REQUEST, true },
        { "max_age is text", RP_OK "&max_age=soon", OAUTH_INVALID_REQUEST, true },
        { "claims", RP_OK "&claims=%7B", OAUTH_INVALID_REQUEST, true },
        { "claims is an array", RP_OK "&claims=%5B%5D", OAUTH_INVALID_REQUEST, true },
        { "claims with a wrong member", RP_OK "&claims=%7B%22id_token%22%3A1%7D",
          OAUTH_INVALID_REQUEST, true },
        { "registration", RP_OK "&registration=%7B%7D", OAUTH_REGISTRATION_NOT_SUPPORTED, true },
        { "id_token_hint", RP_OK "&id_token_hint=a.b.c", OAUTH_INVALID_REQUEST, true },
        { "dpop_jkt", RP_OK "&dpop_jkt=short", OAUTH_INVALID_REQUEST, true },
        { "resource", RP_OK "&resource=https://nobody.example", OAUTH_INVALID_TARGET, true },
        { "resource of another", RP_OK "&resource=https://shut.example", OAUTH_INVALID_TARGET,
          true },
        { "details", RP_OK "&authorization_details=%7B%7D", OAUTH_INVALID_DETAILS, true },
        { "details without a type", RP_OK "&authorization_details=%5B%7B%7D%5D",
          OAUTH_INVALID_DETAILS, true },
        { "details of an unknown type",
          RP_OK "&authorization_details=%5B%7B%22type%22%3A%22other%22%7D%5D",
          OAUTH_INVALID_DETAILS, true },
        { "openid without redirect_uri", "client_id=one&response_type=code&scope=openid" PKCE,
          OAUTH_INVALID_REQUEST, true },
        { "request without keys", RP_OK "&request=a.b.c", OAUTH_REQUEST_NOT_SUPPORTED, true },
        { "a foreign request_uri", RP_OK "&request_uri=https://rp.example/r",
          OAUTH_REQUEST_URI_NOT_SUPPORTED, true },
        { "PA-04 has to push",
          "client_id=pushing&redirect_uri=https://rp.example/cb&response_type=code" PKCE,
          OAUTH_INVALID_REQUEST, true },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_case(*state, &rows[i]);
}

/* AZ-09: nothing but a code from here. */
static void test_az_09_response_types(void **state)
{
    static const char *const types[] = { "token",        "id_token",        "id_token%20token",
                                         "code%20token", "code%20id_token", "none",
                                         "CODE" };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char query[512];

        snprintf(query, sizeof(query),
                 "client_id=rp&redirect_uri=https://rp.example/cb&response_type=%s" PKCE, types[i]);
        assert_case(*state, &(struct request_case){ types[i], query,
                                                    OAUTH_UNSUPPORTED_RESPONSE_TYPE, true });
    }
}

/* AZ-10 */
static void test_az_10_response_modes(void **state)
{
    static const struct request_case rows[] = {
        { "fragment", RP_OK "&response_mode=fragment", OAUTH_INVALID_REQUEST, true },
        { "web_message", RP_OK "&response_mode=web_message", OAUTH_INVALID_REQUEST, true },
        { "not registered",
          "client_id=one&redirect_uri=https://one.example/cb&response_type=code"
          "&response_mode=form_post" PKCE,
          OAUTH_INVALID_REQUEST, true },
    };
    struct visit *visit = visit_begin(*state, RP_OK "&response_mode=form_post");

    assert_int_equal(visit->rc, RC_OK);
    assert_int_equal(visit->request.mode, RESPONSE_FORM_POST);
    visit_end(visit);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_case(*state, &rows[i]);
}

/* AZ-01: whatever is not the registered string, byte by byte, goes nowhere. */
static void test_az_01_redirect_uri_is_exact(void **state)
{
    static const char *const mutations[] = {
        "https://rp.example/cb/",
        "https://rp.example/CB",
        "https://RP.example/cb",
        "HTTPS://rp.example/cb",
        "http://rp.example/cb",
        "https://rp.example:443/cb",
        "https://rp.example:8443/cb",
        "https://rp.example//cb",
        "https://rp.example/./cb",
        "https://rp.example/x/../cb",
        "https://rp.example/cb/..",
        "https://rp.example/cb/../cb",
        "https://rp.example/%2563b",
        "https://rp.example/cb%252e",
        "https://rp.example/cb%252f",
        "https://rp.example/cb;x",
        "https://rp.example/cb..;/",
        "https://rp.example/cb%3Fx=1",
        "https://rp.example/cb%3F",
        "https://rp.example/cb%23",
        "https://rp.example/cb%23x",
        "https://user@rp.example/cb",
        "https://rp.example%40evil.example/cb",
        "https://evil.example%5C%40rp.example/cb",
        "https://evil.example%23@rp.example/cb",
        "https://rp.example.evil.example/cb",
        "https://rp.example./cb",
        "https://rp.example%09/cb",
        "https://rp.example/cb%09",
        "https://rp.example/cb%20",
        "%20https://rp.example/cb",
        "https://rp.example/cb%0A",
        "https://rp.example/cb%0Ahttps://rp.example/cb2",
        "https://rp.example/cb%0D%0ALocation:x",
        "https:/rp.example/cb",
        "https:rp.example/cb",
        "//rp.example/cb",
        "rp.example/cb",
        "https://rp.ex%C3%A4mple/cb",
        "https://%EF%BD%92p.example/cb",
        "https://rp.example",
        "https://rp.example/c",
        "https://rp.example/cb22",
        "javascript:alert(1)",
        "data:text/html,x",
        "*",
        "https://*/cb",
    };

    for (size_t i = 0; i < sizeof(mutations) / sizeof(mutations[0]); i++) {
        char query[512];

        snprintf(query, sizeof(query), "client_id=rp&response_type=code&redirect_uri=%s" PKCE,
                 mutations[i]);
        assert_case(*state,
                    &(struct request_case){ mutations[i], query, OAUTH_INVALID_REQUEST, false });
    }
    assert_sound(*state, RP_OK);
    assert_sound(*state,
                 "client_id=rp&redirect_uri=https://rp.example/cb2&response_type=code" PKCE);
}

/* AZ-02: of a native client alone, of an address alone, and in nothing but the port. */
static void test_az_02_loopback_port_may_vary(void **state)
{
    static const char *const good[] = { "http://127.0.0.1/cb", "http://127.0.0.1:49152/cb",
                                        "http://127.0.0.1:1/cb", "com.example.app:/cb" };
    static const char *const bad[] = {
        "http://127.0.0.1:49152/other",
        "http://127.0.0.1:49152/cb%3Fx",
        "http://localhost:49152/cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.2/cb",
        "http://127.0.0.1.evil.example/cb",
        "https://127.0.0.1:1/cb",
        "http://x@127.0.0.1:1/cb",
        "http://127.0.0.1:1/cb%23x",
        "http://%5B::1%5D/cb",
        "http://127.0.0.1:1%40evil.example/cb",
    };
    char query[512];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(query, sizeof(query), "client_id=native&response_type=code&redirect_uri=%s" PKCE,
                 good[i]);
        assert_sound(*state, query);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(query, sizeof(query), "client_id=native&response_type=code&redirect_uri=%s" PKCE,
                 bad[i]);
        assert_case(*state, &(struct request_case){ bad[i], query, OAUTH_INVALID_REQUEST, false });
    }
}

/* AZ-04, AZ-07: what leaves client or redirect URI in doubt is shown here. */
static void test_az_04_doubt_never_redirects(void **state)
{
    static const struct request_case rows[] = {
        { "no client", "redirect_uri=https://rp.example/cb&response_type=code" PKCE,
          OAUTH_INVALID_REQUEST, false },
        { "unknown client", "client_id=nobody&redirect_uri=https://rp.example/cb" PKCE,
          OAUTH_INVALID_REQUEST, false },
        { "another client's URI", "client_id=one&redirect_uri=https://rp.example/cb" PKCE,
          OAUTH_INVALID_REQUEST, false },
        { "one of two is missing", "client_id=rp&response_type=code" PKCE, OAUTH_INVALID_REQUEST,
          false },
        { "without any", "client_id=web&redirect_uri=https://rp.example/cb" PKCE,
          OAUTH_INVALID_REQUEST, false },
        { "AZ-07 client_id twice", RP_OK "&client_id=one", OAUTH_INVALID_REQUEST, false },
        { "AZ-07 redirect_uri twice", RP_OK "&redirect_uri=https://evil.example",
          OAUTH_INVALID_REQUEST, false },
        { "AZ-07 the same twice", RP_OK "&scope=read&scope=read", OAUTH_INVALID_REQUEST, false },
        { "a foreign request_uri without a target", "client_id=rp&request_uri=https://rp.example/r",
          OAUTH_REQUEST_URI_NOT_SUPPORTED, false },
        { "an unknown request_uri",
          "client_id=rp&request_uri=" REQUEST_URI_PREFIX
          "0123456789012345678901234567890123456789012",
          OAUTH_INVALID_REQUEST_URI, false },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_case(*state, &rows[i]);
}

static void test_az_04_disabled_client(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct client client = client_of(fixture, "rp");

    client.is_disabled = true;
    update_client(fixture, &client);
    assert_case(fixture, &(struct request_case){ "disabled", RP_OK, OAUTH_INVALID_REQUEST, false });
}

/* AZ-08, and what resource may be. */
static void test_az_08_unknown_parameters_are_ignored(void **state)
{
    assert_sound(*state, RP_OK "&foo=bar&display=popup&jeton=1");
    assert_sound(*state, RP_OK "&resource=https://api.example&resource=jwt.example");
    assert_sound(*state, "client_id=one&response_type=code&scope=read" PKCE);
}

/* AZ-19 */
static void test_az_19_too_long(void **state)
{
    static const char *const names[] = { "state", "nonce", "scope" };
    const size_t sizes[] = { 8 * 1024, 64 * 1024 };
    char *query = malloc(80 * 1024);

    assert_non_null(query);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            size_t len = (size_t)snprintf(query, 512, "%s&%s=", RP_OK, names[i]);

            for (size_t k = 0; k < sizes[j]; k++)
                query[len + k] = k % 8 == 7 ? '+' : 'a';
            query[len + sizes[j]] = '\0';
            assert_case(*state,
                        &(struct request_case){ names[i], query, OAUTH_INVALID_REQUEST, false });
        }
    }
    free(query);
}

/* CP-01: S256 alone. */
static void test_cp_01_pkce_is_required(void **state)
{
    static const struct request_case rows[] = {
        { "none", RP, OAUTH_INVALID_REQUEST, true },
        { "plain", RP "&code_challenge=" CHALLENGE "&code_challenge_method=plain",
          OAUTH_INVALID_REQUEST, true },
        { "no method", RP "&code_challenge=" CHALLENGE, OAUTH_INVALID_REQUEST, true },
        { "s256", RP "&code_challenge=" CHALLENGE "&code_challenge_method=s256",
          OAUTH_INVALID_REQUEST, true },
        { "short", RP "&code_challenge=abc&code_challenge_method=S256", OAUTH_INVALID_REQUEST,
          true },
        { "padded", RP "&code_challenge=" CHALLENGE "%3D&code_challenge_method=S256",
          OAUTH_INVALID_REQUEST, true },
        { "standard base64",
          RP "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw%2BcM"
             "&code_challenge_method=S256",
          OAUTH_INVALID_REQUEST, true },
        { "method alone", RP "&code_challenge_method=S256", OAUTH_INVALID_REQUEST, true },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_case(*state, &rows[i]);
}

/* What the request says once it was read. */
static void test_request_is_read(void **state)
{
    struct visit *visit = visit_begin(
        *state, RP_OK "&scope=openid+api.read+jwt.read&state=s1&nonce=n1&max_age=10&prompt=login+"
                      "consent&acr_values=phr&login_hint=alice&ui_locales=de+fr"
                      "&resource=https%3A%2F%2Fapi.example&dpop_jkt=" CHALLENGE
                      "&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%2C"
                      "%22values%22%3A%5B%22urn%3Ajeton%3Aacr%3A2fa%22%5D%7D%2C%22name%22%3Anull%7D"
                      "%7D&authorization_details=%5B%20%7B%22type%22%3A%22payment%22%7D%20%5D");
    const struct authorization_request *request = &visit->request;

    assert_int_equal(visit->rc, RC_OK);
    assert_true(str_equal(request->permission.scope, STR("openid api.read")));
    assert_true(str_equal(request->permission.audience, STR("api.example")));
    assert_true(str_equal(request->state, STR("s1")));
    assert_true(str_equal(request->nonce, STR("n1")));
    assert_true(str_equal(request->acr_values, STR("urn:jeton:acr:2fa")));
    assert_true(str_equal(request->login_hint, STR("alice")));
    assert_true(str_equal(request->ui_locales, STR("de fr")));
    assert_true(str_equal(request->details, STR("[{\"type\":\"payment\"}]")));
    assert_true(request->is_acr_essential && request->is_openid);
    assert_int_equal(request->max_age_s, 10);
    assert_int_equal(request->prompt, PROMPT_LOGIN | PROMPT_CONSENT);
    assert_int_equal(request->binding.kind, BINDING_DPOP);
    visit_end(visit);
    visit = visit_begin(*state, RP_OK);
    assert_int_equal(visit->request.max_age_s, -1);
    assert_int_equal(visit->request.prompt, 0);
    visit_end(visit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RPS(test_az_01_redirect_uri_is_exact),
        WITH_RPS(test_az_02_loopback_port_may_vary),
        WITH_RPS(test_az_04_doubt_never_redirects),
        WITH_RPS(test_az_04_disabled_client),
        WITH_RPS(test_az_05_errors_go_back),
        WITH_RPS(test_az_08_unknown_parameters_are_ignored),
        WITH_RPS(test_az_09_response_types),
        WITH_RPS(test_az_10_response_modes),
        WITH_RPS(test_az_19_too_long),
        WITH_RPS(test_cp_01_pkce_is_required),
        WITH_RPS(test_request_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
