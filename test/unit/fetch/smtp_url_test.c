#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fetch/smtp_url.h"

static void test_urls_that_are_taken(void **state)
{
    static const struct {
        const char *text;
        bool is_tls_from_start;
        bool needs_starttls;
    } rows[] = {
        { "smtp://mail.example.org", false, true },
        { "smtp://mail.example.org:587", false, true },
        { "smtps://mail.example.org", true, false },
        { "smtps://mail.example.org:465", true, false },
        { "smtp://localhost:25", false, false },
        { "smtp://LOCALHOST", false, false },
        { "smtp://127.0.0.1:2525", false, false },
        { "smtp://127.1.2.3", false, false },
        { "smtp://[::1]:25", false, false },
        { "smtp://192.0.2.1", false, true },
        { "smtp://[2001:db8::1]:25", false, true },
        /* What only looks like this machine. */
        { "smtp://127.example.org", false, true },
        { "smtp://127.0.0.1.example.org", false, true },
        { "smtp://127.0.0.x", false, true },
        { "smtp://127.1", false, true },
        { "smtp://localhost.example.org", false, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smtp_url url;

        assert_int_equal(smtp_url_parse(str_of(rows[i].text), &url), RC_OK);
        assert_int_equal(url.is_tls_from_start, rows[i].is_tls_from_start);
        assert_int_equal(url.needs_starttls, rows[i].needs_starttls);
    }
}

static void test_urls_that_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "mail.example.org",
        "smtp:",
        "smtp://",
        "smtp:///x",
        "http://mail.example.org",
        "file:///etc/passwd",
        "SMTP://mail.example.org",
        "smtp://user@mail.example.org",
        "smtp://user:password@mail.example.org",
        "smtp://mail.example.org/greeting",
        "smtp://mail.example.org/",
        "smtp://mail.example.org?x",
        "smtp://mail.example.org#x",
        "smtp://mail.example.org:0",
        "smtp://mail.example.org:65536",
        "smtp://mail.example.org:25x",
        "smtp://mail example.org",
        "smtp://mail.example.org\r\nRSET",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smtp_url url;

        if (smtp_url_parse(str_of(rows[i]), &url) != RC_INVALID)
            fail_msg("taken: %s", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_that_are_taken),
        cmocka_unit_test(test_urls_that_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
