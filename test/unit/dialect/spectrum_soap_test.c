#include "dialect/spectrum_wsdl.h"
#include "fixture.h"

static bool has_text(const struct fixture *fixture, const char *text)
{
    const struct buffer *body = &fixture->exchange.response.body;

    return memmem(body->at, body->len, text, strlen(text)) != NULL;
}

static size_t count_text(const struct fixture *fixture, const char *text)
{
    const struct buffer *body = &fixture->exchange.response.body;
    const char *at = body->at;
    size_t count = 0;

    while ((at = memmem(at, (size_t)(body->at + body->len - at), text, strlen(text))) != NULL) {
        count++;
        at += strlen(text);
    }
    return count;
}

static void ask_for_wsdl(struct fixture *fixture, dialect_handler *handler, const char *query)
{
    fixture_begin(fixture, HTTP_GET);
    fixture->exchange.request.query = str_of(query);
    assert_int_equal(handler(&fixture->call), RC_OK);
}

static void test_query(void **state)
{
    static const struct {
        const char *query;
        int status;
    } rows[] = {
        { "wsdl", 200 },     { "WSDL", 200 },       { "Wsdl=", 200 }, { "wsdl=1", 200 },
        { "a=b&wsdl", 200 }, { "wsdl&ns=pb", 200 }, { "", 405 },      { "wsdl2", 405 },
        { "a=wsdl", 405 },   { "xwsdl", 405 },      { "&&&=", 405 },
    };
    dialect_handler *const handlers[] = { spectrum_soap_token_manager, spectrum_soap_token_logout };
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t k = 0; k < 2; k++) {
            ask_for_wsdl(&fixture, handlers[k], rows[i].query);
            if (fixture.exchange.response.status != rows[i].status)
                fail_msg("%s: %d", rows[i].query, fixture.exchange.response.status);
            assert_true(rows[i].status == 200
                            ? fixture_has_line(&fixture, "Content-Type: text/xml;charset=UTF-8")
                            : fixture_has_line(&fixture, "Allow: POST"));
        }
    fixture_deinit(&fixture);
}

#define PB        "http://token.security.common.server.platform.spectrum.pb.com/"
#define PRECISELY "http://token.security.common.server.platform.spectrum.precisely.com/"

/* What clients have written in their sources (contracts 1.9). */
static void test_names(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    ask_for_wsdl(&fixture, spectrum_soap_token_manager, "wsdl");
    assert_true(has_text(&fixture, "<wsdl:service name=\"TokenManagerServiceImplService\">"));
    assert_true(has_text(&fixture, "name=\"TokenManagerServiceImplPort\""));
    assert_true(has_text(&fixture, "<wsdl:portType name=\"TokenManagerService\">"));
    assert_true(has_text(&fixture, "<wsdl:operation name=\"getAccessExpiringToken\">"));
    assert_true(has_text(&fixture, "<wsdl:operation name=\"getAccessToken\">"));
    assert_true(has_text(&fixture, "<xs:element minOccurs=\"1\" name=\"tokenLifeInMinutes\" "
                                   "type=\"xs:int\"/>"));
    assert_true(has_text(&fixture, "elementFormDefault=\"unqualified\""));
    assert_true(has_text(&fixture, "location=\"http://tokens.example:8443/security/"
                                   "TokenManagerService\"/>"));
    ask_for_wsdl(&fixture, spectrum_soap_token_logout, "wsdl");
    assert_true(has_text(&fixture, "<wsdl:service name=\"TokenLogoutServiceImplService\">"));
    assert_true(has_text(&fixture, "name=\"TokenLogoutServiceImplPort\""));
    assert_true(has_text(&fixture, "<wsdl:portType name=\"TokenLogoutService\">"));
    assert_int_equal(count_text(&fixture, "<wsdl:message "), 2);
    assert_false(has_text(&fixture, "tokenInfo"));
    fixture_deinit(&fixture);
}

static void test_namespaces(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    ask_for_wsdl(&fixture, spectrum_soap_token_manager, "wsdl");
    assert_int_equal(count_text(&fixture, " targetNamespace=\"" PRECISELY "\""), 2);
    assert_true(has_text(&fixture,
                         "<wsdl:import namespace=\"" PB "\" location=\"http://tokens.example:8443"
                         "/security/TokenManagerService?wsdl&amp;ns=pb\"/>"));
    ask_for_wsdl(&fixture, spectrum_soap_token_manager, "wsdl&ns=pb");
    assert_int_equal(count_text(&fixture, " targetNamespace=\"" PB "\""), 2);
    assert_false(has_text(&fixture, "wsdl:import"));
    fixture.settings.spectrum_namespace = NAMESPACE_PB;
    ask_for_wsdl(&fixture, spectrum_soap_token_logout, "wsdl&ns=other");
    assert_int_equal(count_text(&fixture, " targetNamespace=\"" PB "\""), 2);
    assert_true(has_text(&fixture, "TokenLogoutService?wsdl&amp;ns=precisely\"/>"));
    fixture_deinit(&fixture);
}

static void test_address_and_open_operations(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture.exchange.request.host = STR("a\"b<c:1");
    fixture.settings.spectrum_prefix = STR("/old");
    fixture.settings.spectrum_soap_open.count = DIALECT_LIST_COUNT_MAX;
    for (size_t i = 0; i < DIALECT_LIST_COUNT_MAX; i++)
        fixture.settings.spectrum_soap_open.at[i] = "getOpenToken";
    ask_for_wsdl(&fixture, spectrum_soap_token_manager, "wsdl");
    assert_true(has_text(&fixture, "\"http://a&quot;b&lt;c:1/old/security/TokenManagerService\""));
    assert_int_equal(count_text(&fixture, "<wsdl:message name=\"getOpenToken\">"),
                     DIALECT_LIST_COUNT_MAX);
    assert_true(has_text(&fixture, "<xs:element minOccurs=\"0\" name=\"tokenLifeInMinutes\""));
    assert_false(fixture.exchange.response.body.overflow);
    fixture_deinit(&fixture);
}

/* Two operations of one name would make no description. */
static void test_open_operations_are_new_ones(void **state)
{
    static const struct {
        const char *names[2];
        enum rc rc;
    } rows[] = {
        { { "getOpenToken", "getOpenExpiringToken" }, RC_OK },
        { { "getOpenToken", "getOpenToken" }, RC_INVALID },
        { { "getOpenToken", "getAccessToken" }, RC_INVALID },
        { { "getAccessExpiringToken", "getOpenToken" }, RC_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dialect_settings settings = dialect_settings_default;
        char memory[256];
        struct buffer error = buffer_over(memory, sizeof(memory));

        settings.spectrum_soap_open =
            (struct dialect_texts){ .at = { rows[i].names[0], rows[i].names[1] }, .count = 2 };
        assert_int_equal(dialect_settings_check(&settings, &error), rows[i].rc);
    }
}

/* Credentials come before the envelope: no credentials, nothing read. */
static void test_credentials_come_first(void **state)
{
    static const char *const bodies[] = { "", "no XML", "<a/>" };
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        fixture.exchange.request.body = str_of(bodies[i]);
        fixture_begin(&fixture, HTTP_POST);
        fixture.oauth.may_block = false;
        fixture.oauth.may_hash = false;
        assert_int_equal(spectrum_soap_token_manager(&fixture.call), RC_REFUSED);
        assert_int_equal(spectrum_soap_token_logout(&fixture.call), RC_WOULD_BLOCK);
        fixture.oauth.may_block = true;
        fixture.oauth.may_hash = true;
        assert_int_equal(spectrum_soap_token_manager(&fixture.call), RC_REFUSED);
        assert_int_equal(fixture.oauth.refusal.error, OAUTH_INVALID_GRANT);
        assert_int_equal(spectrum_soap_token_logout(&fixture.call), RC_REFUSED);
        assert_int_equal(fixture.oauth.refusal.error, OAUTH_INVALID_TOKEN);
        fixture_add_header(&fixture, "Authorization", "Basic YWxpY2U6c2VjcmV0");
        fixture.oauth.may_hash = false;
        assert_int_equal(spectrum_soap_token_manager(&fixture.call), RC_NEEDS_HASH);
        assert_int_equal(fixture.exchange.response.body.len, 0);
    }
    fixture_deinit(&fixture);
}

/* A refusal that is no matter of credentials becomes a fault. */
static void test_refusals(void **state)
{
    static const struct {
        const char *path;
        enum oauth_error error;
        int status; /* 0: not this file's */
        const char *code;
    } rows[] = {
        { "/security/TokenManagerService", OAUTH_SERVER_ERROR, 500, "soap:Server" },
        { "/security/TokenManagerService/", OAUTH_TEMPORARILY_UNAVAILABLE, 503, "soap:Server" },
        { "/security/TokenLogoutService", OAUTH_SERVER_ERROR, 500, "soap:Server" },
        { "/security/TokenManagerService", OAUTH_INVALID_REQUEST, 500, "soap:Client" },
        { "/security/TokenManagerService", OAUTH_INVALID_GRANT, 0, NULL },
        { "/security/TokenManagerService", OAUTH_UNAUTHORIZED_CLIENT, 0, NULL },
        { "/security/TokenManagerService", OAUTH_TOO_MANY_REQUESTS, 0, NULL },
        { "/security/TokenLogoutService", OAUTH_INVALID_TOKEN, 0, NULL },
        { "/security/rest/token/logout", OAUTH_SERVER_ERROR, 0, NULL },
    };
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fixture_begin(&fixture, HTTP_POST);
        fixture.exchange.request.path = str_of(rows[i].path);
        fixture.oauth.refusal =
            (struct refusal){ .error = rows[i].error, .description = STR("words <of> ours") };
        assert_int_equal(spectrum_soap_refusal(&fixture.call), rows[i].status != 0);
        assert_int_equal(fixture.exchange.response.status, rows[i].status);
        if (rows[i].status == 0)
            continue;
        assert_true(has_text(&fixture, rows[i].code));
        assert_int_equal(has_text(&fixture, "words &lt;of&gt; ours"),
                         rows[i].error == OAUTH_INVALID_REQUEST);
    }
    fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_address_and_open_operations),
        cmocka_unit_test(test_open_operations_are_new_ones),
        cmocka_unit_test(test_credentials_come_first),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
