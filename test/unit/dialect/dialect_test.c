/*
 * Whose request a request is: switch, prefix and host; the settings' checks; u-Auth's answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dialect/dialect.h"
#include "oauth/token_request.h"

static struct http_request request_for(const char *host, const char *path)
{
    return (struct http_request){ .host = str_of(host), .path = str_of(path) };
}

static void assert_str(struct str text, const char *expected)
{
    char copy[512];

    snprintf(copy, sizeof(copy), "%.*s", STR_ARGS(text));
    assert_string_equal(copy, expected);
}

/* ---- claims ---- */

static void test_every_dialect_is_on_and_everywhere_unless_it_is_said(void **state)
{
    const struct http_request request = request_for("any.example", "/some/where");
    const struct dialect *const dialects[] = { &dialect_uauth, &dialect_spectrum, &dialect_3dm };
    struct str path;

    (void)state;
    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        assert_true(dialect_claims(dialects[i], &dialect_settings_default, &request, &path));
        assert_str(path, "/some/where");
    }
}

static void test_a_dialect_that_is_off_claims_nothing(void **state)
{
    struct dialect_settings settings = dialect_settings_default;
    const struct http_request request = request_for("any.example", "/oauth2/token");
    struct str path = STR("untouched");

    (void)state;
    settings.uauth = false;
    assert_false(dialect_claims(&dialect_uauth, &settings, &request, &path));
    assert_str(path, "untouched");
}

static void test_a_prefix_is_taken_off_and_is_whole_segments(void **state)
{
    static const struct {
        const char *path;
        const char *rest; /* NULL: not claimed */
    } rows[] = {
        { "/old/oauth2/token", "/oauth2/token" },
        { "/old/", "/" },
        { "/old", NULL },
        { "/older/oauth2/token", NULL },
        { "/oauth2/token", NULL },
        { "/OLD/oauth2/token", NULL },
        { "/", NULL },
        { "", NULL },
    };
    struct dialect_settings settings = dialect_settings_default;

    (void)state;
    settings.uauth_prefix = STR("/old");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_request request = request_for("any.example", rows[i].path);
        struct str path = STR("untouched");

        assert_int_equal(dialect_claims(&dialect_uauth, &settings, &request, &path),
                         rows[i].rest != NULL);
        assert_str(path, rows[i].rest != NULL ? rows[i].rest : "untouched");
    }
}

/* RFC 9110 4.2.3: no case in a host, and its port does not matter here. */
static void test_a_host_is_compared_without_port_and_case(void **state)
{
    static const struct {
        const char *setting;
        const char *host;
        bool is_claimed;
    } rows[] = {
        { "uauth.example", "uauth.example", true },
        { "uauth.example", "uauth.example:8443", true },
        { "uauth.example", "UAuth.Example:80", true },
        { "UAUTH.example", "uauth.example", true },
        { "uauth.example", "uauth.example.evil", false },
        { "uauth.example", "x.uauth.example", false },
        { "uauth.example", "uauth.exampl", false },
        { "uauth.example", "", false },
        { "uauth.example", ":80", false },
        { "[::1]", "[::1]:8080", true },
        { "[::1]", "[::1]", true },
        { "[::1]", "[::2]:8080", false },
        { "192.0.2.7", "192.0.2.7:80", true },
        { "", "whatever:1", true },
    };
    struct dialect_settings settings = dialect_settings_default;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_request request = request_for(rows[i].host, "/x");
        struct str path;

        settings.uauth_host = str_of(rows[i].setting);
        assert_int_equal(dialect_claims(&dialect_uauth, &settings, &request, &path),
                         rows[i].is_claimed);
    }
}

static void add_header(struct http_request *request, const char *name, const char *value)
{
    request->headers[request->header_count++] = (struct http_header){ str_of(name), str_of(value) };
}

static void test_a_forwarded_host_counts_only_from_a_trusted_proxy(void **state)
{
    struct dialect_settings settings = dialect_settings_default;
    struct http_request request = request_for("inner:8080", "/x");
    struct str path;

    (void)state;
    settings.uauth_host = STR("uauth.example");
    add_header(&request, "X-Forwarded-Host", "uauth.example:443");
    assert_false(dialect_claims(&dialect_uauth, &settings, &request, &path));
    request.is_from_trusted_proxy = true;
    assert_true(dialect_claims(&dialect_uauth, &settings, &request, &path));
}

/* ---- the address that was used ---- */

static void assert_base_url(struct http_request request, const char *expected)
{
    static char memory[512];
    struct arena arena = { .slab = memory, .slab_bytes = sizeof(memory) };
    struct http_exchange exchange = { .request = request, .arena = &arena };
    struct dialect_call call = { .exchange = &exchange, .settings = &dialect_settings_default };

    assert_str(dialect_base_url(&call), expected);
}

static void test_base_url_is_what_the_client_used(void **state)
{
    struct http_request request = request_for("a.example:8080", "/");

    (void)state;
    assert_base_url(request, "http://a.example:8080");
    request.is_tls = true;
    assert_base_url(request, "https://a.example:8080");
    request.host = STR("");
    assert_base_url(request, "https://localhost");
}

static void test_base_url_believes_trusted_proxies_only(void **state)
{
    struct http_request request = request_for("inner:8080", "/");

    (void)state;
    add_header(&request, "X-Forwarded-Proto", "https");
    add_header(&request, "X-Forwarded-Host", "evil.example, out.example");
    assert_base_url(request, "http://inner:8080");
    request.is_from_trusted_proxy = true;
    assert_base_url(request, "https://out.example");
    request.headers[1].value = STR("<script>");
    assert_base_url(request, "https://inner:8080");
    request.headers[0].value = STR("gopher");
    assert_base_url(request, "http://inner:8080");
}

/* RFC 7239 4 */
static void test_base_url_reads_the_newer_header_too(void **state)
{
    struct http_request request = request_for("inner:8080", "/");

    (void)state;
    request.is_from_trusted_proxy = true;
    add_header(
        &request, "Forwarded",
        "host=evil.example;proto=http, for=192.0.2.1; Host=\"out.example:8443\" ;PROTO=https");
    assert_base_url(request, "https://out.example:8443");
}

/* ---- settings ---- */

static void assert_wrong(const struct dialect_settings *settings, const char *name)
{
    char memory[256];
    struct buffer error = buffer_over(memory, sizeof(memory));

    assert_int_equal(dialect_settings_check(settings, &error), RC_INVALID);
    assert_false(error.overflow);
    assert_true(str_starts_with(buffer_str(&error), str_of(name)));
    assert_int_equal(error.at[strlen(name)], ' ');
}

static void assert_right(const struct dialect_settings *settings)
{
    char memory[256];
    struct buffer error = buffer_over(memory, sizeof(memory));

    assert_int_equal(dialect_settings_check(settings, &error), RC_OK);
    assert_int_equal(error.len, 0);
}

static void test_the_defaults_are_right(void **state)
{
    (void)state;
    assert_right(&dialect_settings_default);
    assert_true(dialect_settings_default.uauth);
    assert_true(dialect_settings_default.spectrum);
    assert_true(dialect_settings_default.threedm);
    assert_false(dialect_settings_default.threedm_check_token);
    assert_int_equal(dialect_settings_default.spectrum_idle_s, 1800);
    assert_int_equal(dialect_settings_default.spectrum_binding, BINDING_EXACT);
    assert_int_equal(dialect_settings_default.spectrum_cors_origins.count, 0);
}

static void test_prefixes_are_paths(void **state)
{
    static const char *const wrong[] = { "/",    "//",      "old",    "/old/", "/a//b",
                                         "/a?b", "/a#",     "/a b",   "/%41",  "/\xc3\xa9",
                                         "/.",   "/a/../b", "/a/./b", "/.." };
    static const char *const right[] = { "", "/old", "/a/b-c_d.e~f", "/..." };
    struct dialect_settings settings = dialect_settings_default;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        settings.threedm_prefix = str_of(wrong[i]);
        assert_wrong(&settings, "3dm-prefix");
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        settings.threedm_prefix = str_of(right[i]);
        assert_right(&settings);
    }
}

static void test_hosts_have_no_port(void **state)
{
    static const char *const wrong[] = { "a:80",     "[::1]:80", "a/b",  "a b",
                                         "http://a", ":",        "[::1", "[" };
    static const char *const right[] = { "", "a.example", "192.0.2.1", "[2001:db8::1]" };
    struct dialect_settings settings = dialect_settings_default;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        settings.spectrum_host = str_of(wrong[i]);
        assert_wrong(&settings, "spectrum-host");
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        settings.spectrum_host = str_of(right[i]);
        assert_right(&settings);
    }
}

static void test_origins_have_a_scheme_and_a_host(void **state)
{
    static const char *const wrong[] = {
        "",           "null",        "pages.example", "https://",
        "https://a/", "https://a b", "https://*.a(",  "https://(a)*\\1"
    };
    static const char *const right[] = { "https://pages.example", "http://localhost:8080",
                                         "https://*.example", "https?://*.domain.[a-z]{3}" };
    struct dialect_settings settings = dialect_settings_default;

    (void)state;
    settings.spectrum_cors_origins.count = 2;
    settings.spectrum_cors_origins.at[0] = "https://first.example";
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        settings.spectrum_cors_origins.at[1] = wrong[i];
        assert_wrong(&settings, "spectrum-cors-origin");
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        settings.spectrum_cors_origins.at[1] = right[i];
        assert_right(&settings);
    }
}

static void test_operations_and_header_names_are_names(void **state)
{
    struct dialect_settings settings = dialect_settings_default;

    (void)state;
    settings.spectrum_soap_open.count = 1;
    settings.spectrum_soap_open.at[0] = "getOpenToken";
    assert_right(&settings);
    settings.spectrum_soap_open.at[0] = "t:getOpenToken";
    assert_wrong(&settings, "spectrum-soap-open-operation");
    settings.spectrum_soap_open.at[0] = "1st";
    assert_wrong(&settings, "spectrum-soap-open-operation");
    settings.spectrum_soap_open.count = 0;
    settings.spectrum_cors_headers = STR("Authorization\r\nX: y");
    assert_wrong(&settings, "spectrum-cors-headers");
    settings.spectrum_cors_headers = STR("");
    assert_right(&settings);
}

/* ---- u-Auth ---- */

static void assert_uauth(const struct token_answer *answer, const char *expected)
{
    char memory[512];
    struct buffer json = buffer_over(memory, sizeof(memory));

    uauth_profile.format(answer, &json);
    assert_str(buffer_str(&json), expected);
}

static void test_uauth_answers_its_four_members_in_its_order(void **state)
{
    struct token_answer answer = { .access_token = STR("a.b.c"),
                                   .refresh_token = STR("never shown"),
                                   .scope = STR("service_id=uslicer.iponweb.com"),
                                   .expires_in_s = 3600 };

    (void)state;
    assert_uauth(&answer, "{\"token_type\":\"Bearer\",\"scope\":\"service_id=uslicer.iponweb.com\","
                          "\"access_token\":\"a.b.c\",\"expires_in\":3600}");
    answer.expires_in_as_string = true;
    assert_uauth(&answer, "{\"token_type\":\"Bearer\",\"scope\":\"service_id=uslicer.iponweb.com\","
                          "\"access_token\":\"a.b.c\",\"expires_in\":\"3600\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_dialect_is_on_and_everywhere_unless_it_is_said),
        cmocka_unit_test(test_a_dialect_that_is_off_claims_nothing),
        cmocka_unit_test(test_a_prefix_is_taken_off_and_is_whole_segments),
        cmocka_unit_test(test_a_host_is_compared_without_port_and_case),
        cmocka_unit_test(test_a_forwarded_host_counts_only_from_a_trusted_proxy),
        cmocka_unit_test(test_base_url_is_what_the_client_used),
        cmocka_unit_test(test_base_url_believes_trusted_proxies_only),
        cmocka_unit_test(test_base_url_reads_the_newer_header_too),
        cmocka_unit_test(test_the_defaults_are_right),
        cmocka_unit_test(test_prefixes_are_paths),
        cmocka_unit_test(test_hosts_have_no_port),
        cmocka_unit_test(test_origins_have_a_scheme_and_a_host),
        cmocka_unit_test(test_operations_and_header_names_are_names),
        cmocka_unit_test(test_uauth_answers_its_four_members_in_its_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
