#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "mail/address.h"

/* RFC 5321 4.1.2, RFC 5322 3.2.3: as much of it as is taken. */
static void test_addresses_that_are_taken(void **state)
{
    static const char *const rows[] = {
        "ada@example.org",
        "ada.b.c@mail.example.org",
        "ada+tag@example.org",
        "o'neil@example.org",
        "a@b",
        "A1!#$%&'*+-/=?^_`{|}~@example.org",
        "ada@xn--bcher-kva.ch",
        "ada@localhost",
        "1@1.2.3",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (mail_address_check(str_of(rows[i])) != RC_OK)
            fail_msg("refused: %s", rows[i]);
    }
}

static void test_addresses_that_are_refused(void **state)
{
    const struct str rows[] = {
        STR(""),
        STR("ada"),
        STR("@example.org"),
        STR("ada@"),
        STR("ada@@example.org"),
        STR("ada@b@example.org"),
        STR(".ada@example.org"),
        STR("ada.@example.org"),
        STR("a..b@example.org"),
        STR("ada@.example.org"),
        STR("ada@example.org."),
        STR("ada@-example.org"),
        STR("ada@example-.org"),
        STR("ada@exam_ple.org"),
        STR("ada@[192.0.2.1]"),
        STR("\"ada b\"@example.org"),
        STR("ada b@example.org"),
        STR("ada@example.org "),
        STR(" ada@example.org"),
        STR("<ada@example.org>"),
        STR("ada@example.org>"),
        STR("ada@example.org,bob@example.org"),
        STR("ada@example.org\r\nBcc: bob@example.org"),
        STR("ada@example.org\r\nRCPT TO:<bob@example.org>"),
        STR("ada\r\n@example.org"),
        STR("ada@example.org\n"),
        STR("ada@example.org\0x"),
        STR("ada\0@example.org"),
        STR("ada@example.org> SIZE=1"),
        STR("\xc3\xa4@example.org"),
        STR("ada@\xc3\xa4.example.org"),
        STR("ada(comment)@example.org"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (mail_address_check(rows[i]) != RC_INVALID)
            fail_msg("taken: %.*s", STR_ARGS(rows[i]));
    }
}

/* RFC 5321 4.5.3.1.1, RFC 1035 2.3.4 */
static void test_lengths(void **state)
{
    char text[600];
    struct buffer address;

    (void)state;
    for (size_t local = 63; local <= 65; local++) {
        address = buffer_over(text, sizeof(text));
        for (size_t i = 0; i < local; i++)
            buffer_append_byte(&address, 'a');
        buffer_append_str(&address, STR("@example.org"));
        assert_int_equal(mail_address_check(buffer_str(&address)),
                         local <= 64 ? RC_OK : RC_INVALID);
    }
    for (size_t label = 62; label <= 64; label++) {
        address = buffer_over(text, sizeof(text));
        buffer_append_str(&address, STR("a@"));
        for (size_t i = 0; i < label; i++)
            buffer_append_byte(&address, 'b');
        assert_int_equal(mail_address_check(buffer_str(&address)),
                         label <= 63 ? RC_OK : RC_INVALID);
    }
    for (size_t len = 253; len <= 256; len++) {
        address = buffer_over(text, sizeof(text));
        buffer_append_str(&address, STR("a@"));
        while (address.len < len)
            buffer_append_byte(&address,
                               address.len % 10 == 0 && address.len + 1 < len ? '.' : 'b');
        assert_int_equal(mail_address_check(buffer_str(&address)), len <= 254 ? RC_OK : RC_INVALID);
    }
}

static void test_senders(void **state)
{
    struct mail_sender sender;

    (void)state;
    assert_int_equal(mail_sender_parse(STR("a@b.example"), &sender), RC_OK);
    assert_true(sender.name.len == 0 && str_equal(sender.address, STR("a@b.example")));
    assert_int_equal(mail_sender_parse(STR("<a@b.example>"), &sender), RC_OK);
    assert_true(sender.name.len == 0 && str_equal(sender.address, STR("a@b.example")));
    assert_int_equal(mail_sender_parse(STR("J\xc3\xa9ton, Inc. <a@b.example>"), &sender), RC_OK);
    assert_true(str_equal(sender.name, STR("J\xc3\xa9ton, Inc.")));
    assert_true(str_equal(sender.address, STR("a@b.example")));
    assert_int_equal(mail_sender_parse(STR("x <a@b> <c@d>"), &sender), RC_INVALID);
    assert_int_equal(mail_sender_parse(STR("x <a@b"), &sender), RC_INVALID);
    assert_int_equal(mail_sender_parse(STR("x <>"), &sender), RC_INVALID);
    assert_int_equal(mail_sender_parse(STR("x\r\ny <a@b>"), &sender), RC_INVALID);
    assert_int_equal(mail_sender_parse(STR("\xff <a@b>"), &sender), RC_INVALID);
    assert_int_equal(mail_sender_parse(STR(""), &sender), RC_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_that_are_taken),
        cmocka_unit_test(test_addresses_that_are_refused),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_senders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
