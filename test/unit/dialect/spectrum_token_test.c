#include "fixture.h"

/* contracts 1.1: digits are a ttl; what is none is no path; what is too much is a bad request. */
static const struct {
    const char *rest;
    int status; /* 0: it goes on, and fails for want of credentials */
} paths[] = {
    { "0", 0 },          { "60", 0 },           { "0060", 0 },
    { "2147483647", 0 }, { "2147483648", 400 }, { "99999999999999999999999999", 400 },
    { "", 404 },         { "/", 404 },          { "session", 404 },
    { "session/", 404 }, { "-1", 404 },         { "+1", 404 },
    { "1.5", 404 },      { " 1", 404 },         { "1/2", 404 },
    { "60/", 0 },        { "60//", 404 },       { "2147483648/", 400 },
    { "%36%30", 404 },   { "0x10", 404 },       { "1e3", 404 },
    { "\xd9\xa1", 404 },
};

static void test_ttl(void **state)
{
    dialect_handler *const handlers[] = { spectrum_session_token, spectrum_open_token };
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        for (size_t k = 0; k < 2; k++) {
            enum rc rc;

            fixture_begin(&fixture, HTTP_GET);
            fixture.call.rest = str_of(paths[i].rest);
            rc = handlers[k](&fixture.call);
            if (rc != (paths[i].status == 0 ? RC_REFUSED : RC_OK) ||
                fixture.exchange.response.status != paths[i].status)
                fail_msg("%s: %s, %d", paths[i].rest, rc_name(rc),
                         fixture.exchange.response.status);
        }
    fixture_deinit(&fixture);
}

static void test_endless_open_tokens_can_be_off(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture.settings.spectrum_endless = false;
    fixture_begin(&fixture, HTTP_GET);
    fixture.call.rest = STR("0");
    assert_int_equal(spectrum_open_token(&fixture.call), RC_REFUSED);
    assert_int_equal(fixture.oauth.refusal.error, OAUTH_INVALID_REQUEST);
    assert_int_equal(spectrum_session_token(&fixture.call), RC_REFUSED);
    assert_int_equal(fixture.oauth.refusal.error, OAUTH_INVALID_GRANT);
    fixture_deinit(&fixture);
}

static void test_hashing_waits_for_its_lane(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture_begin(&fixture, HTTP_POST);
    fixture_add_header(&fixture, "Authorization", "basic YWxpY2U6c2VjcmV0");
    fixture.call.rest = STR("5");
    assert_int_equal(spectrum_open_token(&fixture.call), RC_NEEDS_HASH);
    assert_int_equal(spectrum_session_token(&fixture.call), RC_NEEDS_HASH);
    fixture_deinit(&fixture);
}

#define TOKEN_COOKIE "spectrum.authentication.token="

/* contracts 1.4 */
static const struct {
    const char *authorization;
    const char *cookies[3];
    enum rc rc;
    const char *value;
    const char *session;
} presented[] = {
    { NULL, { NULL }, RC_NOT_FOUND, NULL, NULL },
    { "Bearer a.b", { NULL }, RC_OK, "a.b", "" },
    { "bearer a.b", { "SESSION=s" }, RC_OK, "a.b", "s" },
    { NULL, { TOKEN_COOKIE "c..d" }, RC_OK, "c..d", "" },
    { NULL, { TOKEN_COOKIE "c", "SESSION=s" }, RC_OK, "c", "s" },
    { NULL, { "SESSION=s", TOKEN_COOKIE "c" }, RC_OK, "c", "s" },
    { NULL, { "x=y", "SESSION=s; " TOKEN_COOKIE "c" }, RC_OK, "c", "s" },
    { NULL, { TOKEN_COOKIE "c; session=s" }, RC_OK, "c", "" },
    { NULL, { TOKEN_COOKIE "c; Session=s; SESSION2=t; XSESSION=u" }, RC_OK, "c", "" },
    { NULL, { "Spectrum.authentication.token=c" }, RC_NOT_FOUND, NULL, NULL },
    { NULL, { "SESSION=s" }, RC_NOT_FOUND, NULL, NULL },
    { NULL, { TOKEN_COOKIE }, RC_NOT_FOUND, NULL, NULL },
    { "Bearer a", { TOKEN_COOKIE "c", "SESSION=s" }, RC_OK, "a", "s" },
    { "Basic YTpi", { TOKEN_COOKIE "c", "SESSION=s" }, RC_OK, "c", "s" },
    { "Basic YTpi", { NULL }, RC_NOT_FOUND, NULL, NULL },
    { "Bearer a b", { TOKEN_COOKIE "c" }, RC_INVALID, NULL, NULL },
};

static void test_presented(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(presented) / sizeof(presented[0]); i++) {
        struct token_presented found;
        enum rc rc;

        fixture_begin(&fixture, HTTP_GET);
        if (presented[i].authorization != NULL)
            fixture_add_header(&fixture, "authorization", presented[i].authorization);
        for (size_t k = 0; k < 3 && presented[i].cookies[k] != NULL; k++)
            fixture_add_header(&fixture, "Cookie", presented[i].cookies[k]);
        rc = spectrum_presented(&fixture.exchange.request, &found);
        if (rc != presented[i].rc)
            fail_msg("row %zu: %s", i, rc_name(rc));
        if (rc != RC_OK)
            continue;
        assert_true(str_equal(found.value, str_of(presented[i].value)));
        assert_true(str_equal(found.session, str_of(presented[i].session)));
        assert_ptr_equal(found.address, fixture.exchange.request.client.bytes);
    }
    fixture_deinit(&fixture);
}

static void test_two_authorization_headers_are_malformed(void **state)
{
    struct fixture fixture;
    struct token_presented found;

    (void)state;
    fixture_init(&fixture);
    fixture_begin(&fixture, HTTP_GET);
    fixture_add_header(&fixture, "Authorization", "Bearer a");
    fixture_add_header(&fixture, "Authorization", "Bearer a");
    assert_int_equal(spectrum_presented(&fixture.exchange.request, &found), RC_INVALID);
    fixture_deinit(&fixture);
}

static void test_wadl(void **state)
{
    static const struct {
        const char *query;
        int status;
    } rows[] = { { "_wadl", 200 },    { "wadl", 200 }, { "_wadl=x", 200 }, { "a=b&_wadl&c", 200 },
                 { "wadl&x=1", 200 }, { "", 404 },     { "a=_wadl", 404 }, { "_WADL", 404 },
                 { "__wadl", 404 },   { "wadl2", 404 } };
    static const char *const base = "<resources base=\"http://a&quot;b&lt;c:1/security/rest\">";
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture.exchange.request.host = STR("a\"b<c:1");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fixture_begin(&fixture, HTTP_GET);
        fixture.exchange.request.query = str_of(rows[i].query);
        assert_int_equal(spectrum_wadl(&fixture.call), RC_OK);
        if (fixture.exchange.response.status != rows[i].status)
            fail_msg("%s", rows[i].query);
        if (rows[i].status == 200)
            assert_non_null(
                memmem(fixture.body, fixture.exchange.response.body.len, base, strlen(base)));
    }
    fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_endless_open_tokens_can_be_off),
        cmocka_unit_test(test_hashing_waits_for_its_lane),
        cmocka_unit_test(test_presented),
        cmocka_unit_test(test_two_authorization_headers_are_malformed),
        cmocka_unit_test(test_wadl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
