#include <stdio.h>

#include "fixture.h"

static const struct account admin = { .name = { "ad<m>in\xef\xbf\xbf", 10 } };

static void answer(struct fixture *fixture, const char *accept, const char *query)
{
    const struct token_answer token = { .access_token = STR("h..i.c.t"),
                                        .session_id = STR("5"),
                                        .account = &admin };

    fixture_begin(fixture, HTTP_GET);
    if (accept != NULL)
        fixture_add_header(fixture, "Accept", accept);
    fixture->exchange.request.query = str_of(query);
    spectrum_answer_token(&fixture->call, &token);
}

/* contracts 1.7: JSON unless XML is named and JSON, or anything, is not as welcome. */
static const struct {
    const char *accept;
    const char *query;
    bool is_xml;
} accepts[] = {
    { NULL, "", false },
    { "", "", false },
    { "*/*", "", false },
    { "application/json", "", false },
    { "application/json, text/plain, */*", "", false },
    { "text/html, image/gif, image/jpeg, */*; q=0.2", "", false },
    { "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "", false },
    { "text/html", "", false },
    { "image/*", "", false },
    { "*; q=.2", "", false },
    { ";;q=,,;q=9,=", "", false },
    { "application/xml, */*", "", false },
    { "application/xml, application/json", "", false },
    { "application/xml;q=0.9, application/*;q=0.9", "", false },
    { "application/xml;q=0.9, *;q=.9", "", false },
    { "application/xml;q=0", "", false },
    { "application/xml;q=0.1, application/json;q=", "", false },
    { "application/xml;q=0.0, text/html", "", false },
    { "application/xml;q=0.001, application/json;q=0.002", "", false },
    { "application/xml", "", true },
    { "text/xml", "", true },
    { "Application/XML", "", true },
    { "application/xml;q=0.9, */*;q=0.8", "", true },
    { "application/xml; charset=utf-8; q=.5, application/json;q=.4", "", true },
    { "text/xml;q=bad, application/json;q=0.9", "", true },
    { "text/xml;q=1.0, application/json;q=0.999", "", true },
    { "application/json", "_type=xml", true },
    { "application/xml", "_type=json", false },
    { "application/xml", "noCache=1&_type=json", false },
    { "application/xml", "_type=pdf", true },
    { NULL, "x_type=xml", false },
};

static void test_form_follows_accept(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
        const char *type =
            accepts[i].is_xml ? "Content-Type: application/xml" : "Content-Type: application/json";

        answer(&fixture, accepts[i].accept, accepts[i].query);
        if (!fixture_has_line(&fixture, type) || fixture.exchange.response.status != 200)
            fail_msg("%s ? %s", accepts[i].accept, accepts[i].query);
        assert_int_equal(fixture.body[0] == '<', accepts[i].is_xml);
    }
    fixture_deinit(&fixture);
}

static void test_several_accept_lines_are_one_list(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture_begin(&fixture, HTTP_GET);
    fixture_add_header(&fixture, "Accept", "text/html");
    fixture_add_header(&fixture, "accept", "application/vnd.sun.wadl+xml");
    assert_true(spectrum_accepts(&fixture.exchange.request, STR("application/vnd.sun.wadl+xml")));
    assert_false(spectrum_accepts(&fixture.exchange.request, STR("application/xml")));
    fixture_deinit(&fixture);
}

static void test_both_forms_exactly(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    answer(&fixture, "text/xml", "");
    assert_true(str_equal(buffer_str(&fixture.exchange.response.body),
                          STR("<tokenInfo><access_token>h..i.c.t</access_token>"
                              "<session>5</session><username>ad&lt;m&gt;in\xef\xbf\xbd</username>"
                              "</tokenInfo>")));
    answer(&fixture, "*/*", "");
    assert_true(
        str_starts_with(buffer_str(&fixture.exchange.response.body),
                        STR("{\"access_token\":\"h..i.c.t\",\"session\":\"5\",\"username\":\"ad")));
    assert_true(fixture_has_line(&fixture, "Cache-Control: no-store"));
    assert_true(fixture_has_line(&fixture, "Pragma: no-cache"));
    fixture_deinit(&fixture);
}

static const struct {
    bool is_tls, is_proxied, has_cors;
    const char *attributes;
} cookies[] = {
    { false, false, false, "" },        { false, false, true, "" },
    { true, false, false, "; Secure" }, { true, false, true, "; Secure; SameSite=None" },
    { false, true, false, "; Secure" }, { false, true, true, "; Secure; SameSite=None" },
};

static void assert_cookie(const struct fixture *fixture, const char *start, const char *attributes)
{
    char line[128];

    snprintf(line, sizeof(line), "Set-Cookie: %s%s", start, attributes);
    if (!fixture_has_line(fixture, line))
        fail_msg("no %s", line);
}

static void test_session_cookie(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++) {
        fixture.settings.spectrum_cors_origins =
            (struct dialect_texts){ { "http://a.example" }, cookies[i].has_cors ? 1 : 0 };
        fixture_begin(&fixture, HTTP_GET);
        fixture_add_header(&fixture, "X-Forwarded-Proto", "https");
        fixture.exchange.request.is_tls = cookies[i].is_tls;
        fixture.exchange.request.is_from_trusted_proxy = cookies[i].is_proxied;
        spectrum_add_session_cookie(&fixture.call, STR("ab-c"));
        assert_cookie(&fixture, "SESSION=ab-c; Path=/; HttpOnly", cookies[i].attributes);
        spectrum_add_session_removal(&fixture.call);
        assert_cookie(&fixture, "SESSION=; Max-Age=0; Path=/", cookies[i].attributes);
    }
    fixture_deinit(&fixture);
}

/* contracts 1.11 */
static const struct {
    enum oauth_error error;
    enum refusal_reason reason;
    int status;
    const char *body;
    const char *line;
} refusals[] = {
    { OAUTH_INVALID_GRANT, REASON_WRONG_PASSWORD, 401, "{\"reason\":\"Unauthorized\"}",
      "WWW-Authenticate: Basic realm=\"Spectrum\"" },
    { OAUTH_INVALID_GRANT, REASON_CODE_MISSING, 401, "{\"reason\":\"Unauthorized\"}",
      "WWW-Authenticate: Basic realm=\"Spectrum\"" },
    { OAUTH_INVALID_TOKEN, REASON_NONE, 401, "{\"message\":\"invalid token\"}",
      "WWW-Authenticate: Bearer realm=\"Spectrum\", error=\"invalid_token\"" },
    { OAUTH_INVALID_TOKEN, REASON_TOKEN_EXPIRED, 401, "{\"message\":\"expired token\"}",
      "WWW-Authenticate: Bearer realm=\"Spectrum\", error=\"invalid_token\"" },
    { OAUTH_INSUFFICIENT_SCOPE, REASON_NONE, 403, "{\"message\":\"forbidden action\"}",
      "WWW-Authenticate: Bearer realm=\"Spectrum\", error=\"insufficient_scope\"" },
    { OAUTH_INVALID_REQUEST, REASON_NONE, 400, "{\"message\":\"words\"}", "Pragma: no-cache" },
    { OAUTH_TOO_MANY_REQUESTS, REASON_NONE, 429, "{\"message\":\"Too Many Requests\"}",
      "Retry-After: 7" },
    { OAUTH_TEMPORARILY_UNAVAILABLE, REASON_NONE, 503, "{\"message\":\"Service Unavailable\"}",
      "Retry-After: 7" },
    { OAUTH_SERVER_ERROR, REASON_NONE, 500, "{\"message\":\"Internal Server Error\"}",
      "Cache-Control: no-store" },
};

static void refuse(struct fixture *fixture, enum oauth_error error, enum refusal_reason reason)
{
    fixture->oauth.refusal = (struct refusal){
        .error = error, .reason = reason, .description = STR("words"), .retry_after_s = 7
    };
    dialect_spectrum.answer_refusal(&fixture->call);
}

static void test_refusals(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        fixture_begin(&fixture, HTTP_GET);
        refuse(&fixture, refusals[i].error, refusals[i].reason);
        assert_int_equal(fixture.exchange.response.status, refusals[i].status);
        assert_true(
            str_equal(buffer_str(&fixture.exchange.response.body), str_of(refusals[i].body)));
        assert_true(fixture_has_line(&fixture, refusals[i].line));
        assert_true(fixture_has_line(&fixture, "Content-Type: application/json"));
    }
    fixture_deinit(&fixture);
}

static void test_scripts_get_no_basic_challenge(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture_begin(&fixture, HTTP_GET);
    fixture_add_header(&fixture, "X-Requested-With", "XMLHttpRequest");
    refuse(&fixture, OAUTH_INVALID_GRANT, REASON_WRONG_PASSWORD);
    assert_int_equal(fixture.exchange.response.status, 401);
    assert_false(fixture_names(&fixture, "WWW-Authenticate"));
    fixture_deinit(&fixture);
}

static void test_refusals_have_cors_headers(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture.settings.spectrum_cors_origins = (struct dialect_texts){ { "http://a.example" }, 1 };
    fixture_begin(&fixture, HTTP_GET);
    fixture_add_header(&fixture, "Origin", "http://a.example");
    refuse(&fixture, OAUTH_INVALID_TOKEN, REASON_NONE);
    assert_true(fixture_has_line(&fixture, "Access-Control-Allow-Origin: http://a.example"));
    fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form_follows_accept),
        cmocka_unit_test(test_several_accept_lines_are_one_list),
        cmocka_unit_test(test_both_forms_exactly),
        cmocka_unit_test(test_session_cookie),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_scripts_get_no_basic_challenge),
        cmocka_unit_test(test_refusals_have_cors_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
