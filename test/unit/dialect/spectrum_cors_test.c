#include <stdio.h>

#include "fixture.h"

/* Jetty's rule for allowed origins, as Spectrum's documents show it (contracts 1.10). */
static const struct {
    const char *allowed;
    const char *origin;
    bool is_allowed;
} origins[] = {
    { "http://localhost:8080", "http://localhost:8080", true },
    { "http://localhost:8080", "http://localhost:8081", false },
    { "http://localhost:8080", "http://localhost:80800", false },
    { "http://localhost:8080", "https://localhost:8080", false },
    { "http://localhost:8080", "null", false },
    { "http://a.example", "http://aXexample", false },
    { "https://*.domain.com", "https://www.domain.com", true },
    { "https://*.domain.com", "https://a.b.domain.com", true },
    { "https://*.domain.com", "https://domain.com", false },
    { "https://*.domain.com", "https://www.domainXcom", false },
    { "https://*.domain.com", "https://www.domain.com.evil.example", false },
    { "https://*.domain.com", "http://https://www.domain.com", false },
    { "https://*.domain.com", "http://www.domain.com", false },
    { "https?://*.domain.[a-z]{3}", "https://www.domain.com", true },
    { "https?://*.domain.[a-z]{3}", "http://www.domain.org", true },
    { "https?://*.domain.[a-z]{3}", "http://www.domain.info", false },
    { "https?://*.domain.[a-z]{3}", "ftp://www.domain.org", false },
    { "https?://(a|ab)*.example", "https://abc.example", true },
    { "*", "https://anything.example", true },
    { "*", "", false },
    { "https://*.a.example|https://*.b.example", "https://x.b.example", true },
    { "https://*.a.example|https://*.b.example", "https://x.a.example.evil", false },
};

static void allow(struct fixture *fixture, const char *allowed)
{
    fixture->settings.spectrum_cors_origins = (struct dialect_texts){ { allowed }, 1 };
}

static void test_origins(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        char line[300];

        allow(&fixture, origins[i].allowed);
        fixture_begin(&fixture, HTTP_GET);
        fixture_add_header(&fixture, "Origin", origins[i].origin);
        assert_false(spectrum_cors(&fixture.call));
        snprintf(line, sizeof(line), "Access-Control-Allow-Origin: %s", origins[i].origin);
        if (fixture_has_line(&fixture, line) != origins[i].is_allowed)
            fail_msg("%s for %s", origins[i].origin, origins[i].allowed);
        assert_true(fixture_has_line(&fixture, "Vary: Origin"));
        assert_int_equal(fixture_has_line(&fixture, "Access-Control-Allow-Credentials: true"),
                         origins[i].is_allowed);
    }
    fixture_deinit(&fixture);
}

static void test_one_of_several_origins(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture.settings.spectrum_cors_origins =
        (struct dialect_texts){ { "http://a.example", "http://*.b.example" }, 2 };
    fixture_begin(&fixture, HTTP_GET);
    fixture_add_header(&fixture, "Origin", "http://x.b.example");
    assert_false(spectrum_cors(&fixture.call));
    assert_true(fixture_has_line(&fixture, "Access-Control-Allow-Origin: http://x.b.example"));
    /* Two of them are none. */
    fixture_begin(&fixture, HTTP_GET);
    fixture_add_header(&fixture, "Origin", "http://x.b.example");
    fixture_add_header(&fixture, "Origin", "http://a.example");
    assert_false(spectrum_cors(&fixture.call));
    assert_false(fixture_names(&fixture, "Access-Control"));
    fixture_deinit(&fixture);
}

static void test_long_origin(void **state)
{
    struct fixture fixture;
    char origin[300];

    (void)state;
    fixture_init(&fixture);
    allow(&fixture, "*");
    memset(origin, 'a', sizeof(origin));
    for (size_t len = 255; len <= 256; len++) {
        origin[len] = '\0';
        fixture_begin(&fixture, HTTP_GET);
        fixture_add_header(&fixture, "Origin", origin);
        assert_false(spectrum_cors(&fixture.call));
        assert_int_equal(fixture_names(&fixture, "Access-Control-Allow-Origin"), len == 255);
        origin[len] = 'a';
    }
    fixture_deinit(&fixture);
}

static void test_preflight(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    allow(&fixture, "http://pages.example");
    fixture_begin(&fixture, HTTP_OPTIONS);
    fixture_add_header(&fixture, "Origin", "http://pages.example");
    fixture_add_header(&fixture, "Access-Control-Request-Method", "GET");
    fixture_add_header(&fixture, "Access-Control-Request-Headers", "authorization");
    assert_true(spectrum_cors(&fixture.call));
    assert_int_equal(fixture.exchange.response.status, 200);
    assert_true(fixture_has_line(&fixture, "Access-Control-Allow-Origin: http://pages.example"));
    assert_true(fixture_has_line(&fixture, "Access-Control-Allow-Credentials: true"));
    assert_true(fixture_has_line(&fixture, "Access-Control-Allow-Methods: GET,POST,HEAD"));
    assert_true(fixture_has_line(&fixture, "Access-Control-Max-Age: 1800"));
    assert_true(fixture_has_line(&fixture, "Access-Control-Allow-Headers: X-PINGOTHER, Origin, "
                                           "X-Requested-With, Content-Type, Accept, "
                                           "Authorization, SOAPAction"));
    assert_int_equal(fixture.exchange.response.body.len, 0);
    fixture_deinit(&fixture);
}

static void test_preflight_of_a_stranger_is_told_nothing(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    allow(&fixture, "http://pages.example");
    fixture_begin(&fixture, HTTP_OPTIONS);
    fixture_add_header(&fixture, "Origin", "http://evil.example");
    fixture_add_header(&fixture, "Access-Control-Request-Method", "GET");
    assert_true(spectrum_begin(&fixture.call, SPECTRUM_GET));
    assert_false(fixture_names(&fixture, "Access-Control"));
    assert_true(fixture_has_line(&fixture, "Vary: Origin"));
    fixture_deinit(&fixture);
}

static void test_off_is_as_if_there_were_none(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    fixture_begin(&fixture, HTTP_OPTIONS);
    fixture_add_header(&fixture, "Origin", "http://localhost:8080");
    fixture_add_header(&fixture, "Access-Control-Request-Method", "GET");
    assert_true(spectrum_begin(&fixture.call, SPECTRUM_GET_POST));
    assert_int_equal(fixture.exchange.response.status, 405);
    assert_true(fixture_has_line(&fixture, "Allow: GET, HEAD, POST"));
    assert_false(fixture_names(&fixture, "Access-Control"));
    assert_false(fixture_names(&fixture, "Vary"));
    fixture_deinit(&fixture);
}

static const struct {
    const char *setting;
    bool is_sound;
} settings[] = {
    { "https://pages.example", true },
    { "https://pages.example:8443", true },
    { "capacitor://localhost", true },
    { "https?://*.domain.[a-z]{3}", true },
    { "*", false },
    { "**", false },
    { "https?://*", false },
    { "https://*|http://*", false },
    { "(null|https://*.example)", false },
    { "https://(a|b)*.example", true },
    { "https://*\\(x", true },
    { "https://*\\\\1", true }, /* a backslash, and a digit */
    { "", false },
    { "pages.example", false },
    { "://pages.example", false },
    { "https://", false },
    { "https://pages.example/", false },
    { "https://pages.example/path", false },
    { "https://a.example, https://b.example", false },
    { "https://(*.example", false },
    { "https://*[a", false },
    { "https://*{2,1}", false },
    { "https://a*)|(b", false },
    { "https://(a)\\1*", false },
    { "https://*\\", false },
    { "https://a*\x01", false },
};

static void test_settings(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        char memory[256];
        struct buffer error = buffer_over(memory, sizeof(memory));

        allow(&fixture, settings[i].setting);
        if ((dialect_settings_check(&fixture.settings, &error) == RC_OK) != settings[i].is_sound)
            fail_msg("%s", settings[i].setting);
        if (!settings[i].is_sound)
            assert_true(str_starts_with(buffer_str(&error), STR("spectrum-cors-origin ")));
    }
    fixture_deinit(&fixture);
}

static void test_a_long_pattern_is_refused(void **state)
{
    struct fixture fixture;
    char pattern[300] = "https://";
    char memory[256];
    struct buffer error = buffer_over(memory, sizeof(memory));

    (void)state;
    fixture_init(&fixture);
    memset(pattern + 8, '*', 255 - 8);
    memcpy(pattern + 247, ".example", 8);
    allow(&fixture, pattern);
    assert_int_equal(dialect_settings_check(&fixture.settings, &error), RC_OK);
    pattern[255] = 's';
    assert_int_equal(dialect_settings_check(&fixture.settings, &error), RC_INVALID);
    fixture_deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_one_of_several_origins),
        cmocka_unit_test(test_long_origin),
        cmocka_unit_test(test_preflight),
        cmocka_unit_test(test_preflight_of_a_stranger_is_told_nothing),
        cmocka_unit_test(test_off_is_as_if_there_were_none),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_a_long_pattern_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
