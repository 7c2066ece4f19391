/* The header by which proxies hand on a client's certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec/client_cert.h"

static enum rc parse(const char *value, struct buffer *der)
{
    return client_cert_parse(str_of(value), der);
}

/* RFC 9440 2.1, percent-encoded PEM, and base64 alone: all of the same five bytes. */
static void test_the_forms(void **state)
{
    static const char bytes[] = "\x30\xfb\xff\x00\x2b";
    static const char *const values[] = {
        ":MPv/ACs=:",
        "MPv/ACs=",
        "MPv%2FACs%3D",
        "%4d%50v/AC%73=",
        " MP\tv/\r\nACs= ",
        "-----BEGIN CERTIFICATE-----%0AMPv/%0AACs=%0A-----END CERTIFICATE-----%0A",
        "-----BEGIN%20CERTIFICATE-----%0D%0AMPv%2fACs=%0D%0A-----END%20CERTIFICATE-----",
        ("-----BEGIN CERTIFICATE-----%0AMPv/ACs=%0A-----END CERTIFICATE-----%0A"
         "-----BEGIN CERTIFICATE-----%0AAAAA%0A-----END CERTIFICATE-----%0A"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char memory[64];
        struct buffer der = buffer_over(memory, sizeof(memory));

        if (parse(values[i], &der) != RC_OK || der.len != 5)
            fail_msg("%s", values[i]);
        assert_memory_equal(memory, bytes, 5);
    }
}

static void test_what_is_none(void **state)
{
    static const char *const values[] = {
        "",
        ":",
        "::",
        ":MPv/ACs=",
        ":MPv/ACs:",
        ":MPv/A Cs=:",
        ":MPv_ACs=:",
        "MPv/ACs",
        "MPv/ACs==",
        "MPv/AC=s",
        "%",
        "%4",
        "%zz",
        "%4z",
        "%/0",
        "%:0",
        "%@0",
        "%G0",
        "%`0",
        "MPv-ACs=",
        "MPv/AC===",
        ":MPv/\nACs=:",
        ":MPv/\tACs=:",
        "=",
        "MPv%00ACs=",
        "(null)",
        "-----BEGIN CERTIFICATE-----",
        "MPv/ACs=,MPv/ACs=",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char memory[64];
        struct buffer der = buffer_over(memory, sizeof(memory));

        if (parse(values[i], &der) != RC_INVALID || der.len != 0)
            fail_msg("%s", values[i]);
    }
}

/* '+' is a character of base64 and no space. */
static void test_plus(void **state)
{
    static const char *const values[] = { ":+/+/:", "+/+/", "%2B%2F+/" };
    char memory[8];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buffer der = buffer_over(memory, sizeof(memory));

        assert_int_equal(parse(values[i], &der), RC_OK);
        assert_int_equal(der.len, 3);
        assert_memory_equal(memory, "\xfb\xff\xbf", 3);
    }
}

/* Longer than any header that is taken. */
static void test_too_long(void **state)
{
    static char text[25 * 1024 + 4];
    static char memory[24 * 1024];
    struct buffer der = buffer_over(memory, sizeof(memory));

    (void)state;
    memset(text, 'A', sizeof(text));
    assert_int_equal(client_cert_parse((struct str){ text, sizeof(text) }, &der), RC_INVALID);
    text[0] = text[sizeof(text) - 1] = ':';
    assert_int_equal(client_cert_parse((struct str){ text, sizeof(text) }, &der), RC_INVALID);
    assert_int_equal(der.len, 0);
}

static void test_no_room(void **state)
{
    char memory[4];
    struct buffer der = buffer_over(memory, sizeof(memory));

    (void)state;
    assert_int_equal(parse(":MPv/ACs=:", &der), RC_INVALID);
    assert_int_equal(der.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_forms), cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_plus),      cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
