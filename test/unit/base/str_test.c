#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/str.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

static void equality(void **state)
{
    (void)state;
    assert_true(str_equal(STR("scope"), STR("scope")));
    assert_false(str_equal(STR("scope"), STR("Scope")));
    assert_false(str_equal(STR("scope"), STR("scop")));
    assert_true(str_equal((struct str){ NULL, 0 }, STR("")));
    assert_false(str_equal(STR("a\0b"), STR("a\0c")));

    assert_true(str_equal_nocase(STR("BaSiC"), STR("bAsIc")));
    assert_false(str_equal_nocase(STR("basic"), STR("basi")));
    /* Only ASCII letters have a case: '[' and '{' differ by the same bit. */
    assert_false(str_equal_nocase(STR("["), STR("{")));
    assert_false(str_equal_nocase(STR("@"), STR("`")));
    assert_false(str_equal_nocase(STR("\xc3\x9c"), STR("\xc3\xbc")));
}

static void ends(void **state)
{
    (void)state;
    assert_true(str_starts_with(STR("service_id=x"), STR("service_id=")));
    assert_true(str_starts_with(STR("x"), STR("")));
    assert_false(str_starts_with(STR("serv"), STR("service_id=")));
    assert_true(str_ends_with(STR("https://host/"), STR("/")));
    assert_true(str_ends_with(STR("/"), STR("/")));
    assert_false(str_ends_with(STR(""), STR("/")));
    assert_false(str_ends_with((struct str){ NULL, 0 }, STR("/")));
}

static void positions(void **state)
{
    struct str empty = { NULL, 0 };

    (void)state;
    assert_int_equal(str_index_of(STR("a=b=c"), '='), 1);
    assert_int_equal(str_index_of(STR("abc"), '='), 3);
    assert_int_equal(str_index_of(empty, '='), 0);
    assert_int_equal(str_index_of(STR("a\0b"), '\0'), 1);
    assert_true(str_equal(str_from(STR("abc"), 1), STR("bc")));
    assert_int_equal(str_from(STR("abc"), 3).len, 0);
    assert_null(str_from(empty, 0).at);
}

static void trimming(void **state)
{
    (void)state;
    assert_true(str_equal(str_trim(STR(" \t\r\n a b \n")), STR("a b")));
    assert_true(str_equal(str_trim(STR("a")), STR("a")));
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
    assert_int_equal(str_trim((struct str){ NULL, 0 }).len, 0);
}

/* Unicode 15, table 3-7, row by row: the ends of every range, and what stands just outside. */
static void utf8_is_the_table(void **state)
{
    static const struct str good[] = {
        BYTES(""),
        BYTES("\x00"),
        BYTES("\x7f"),
        BYTES("\xc2\x80"),
        BYTES("\xdf\xbf"),
        BYTES("\xe0\xa0\x80"),
        BYTES("\xe1\x80\x80"),
        BYTES("\xec\xbf\xbf"),
        BYTES("\xed\x9f\xbf"),
        BYTES("\xee\x80\x80"),
        BYTES("\xef\xbf\xbf"),
        BYTES("\xf0\x90\x80\x80"),
        BYTES("\xf3\xbf\xbf\xbf"),
        BYTES("\xf4\x8f\xbf\xbf"),
        BYTES("twelve bytes\xc3\xa9 and more of them"),
    };
    static const struct str bad[] = {
        BYTES("\x80"),
        BYTES("\xbf"),
        BYTES("\xc0\x80"),
        BYTES("\xc1\xbf"),
        BYTES("\xc2"),
        BYTES("\xc2\x7f"),
        BYTES("\xc2\xc0"),
        BYTES("\xe0\x9f\xbf"),
        BYTES("\xe1\x80"),
        BYTES("\xed\xa0\x80"),
        BYTES("\xed\xbf\xbf"),
        BYTES("\xef\xbf\xc0"),
        BYTES("\xf0\x8f\xbf\xbf"),
        BYTES("\xf0\x90\x80"),
        BYTES("\xf4\x90\x80\x80"),
        BYTES("\xf5\x80\x80\x80"),
        BYTES("\xff"),
        BYTES("eight by\xe9"),
        BYTES("not the eighth \xe9t"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(str_is_utf8(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(str_is_utf8(bad[i]));
    assert_int_equal(str_utf8_sequence(STR("\xe2\x82\xac!")), 3);
    assert_int_equal(str_utf8_sequence(STR("\xe2\x82!")), 0);
}

/* Every pair of bytes, at every place of views that are and are not a whole number of octets. */
static void letters_without_case_everywhere(void **state)
{
    char left[21];
    char right[21];

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (unsigned other = 0; other < 256; other++)
            for (size_t len = 1; len <= sizeof(left); len += 5) {
                bool is_letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
                bool are_equal = byte == other || (is_letter && (byte ^ other) == 0x20);
                size_t at = (byte + other) % len;

                memset(left, 'x', len);
                memset(right, 'X', len);
                left[at] = (char)byte;
                right[at] = (char)other;
                assert_int_equal(
                    str_equal_nocase((struct str){ left, len }, (struct str){ right, len }),
                    are_equal);
            }
}

static void control_bytes_everywhere(void **state)
{
    char text[21];

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (unsigned around = 0x20; around < 256; around += 0x5f)
            for (size_t len = 1; len <= sizeof(text); len++)
                for (size_t at = 0; at < len; at++) {
                    memset(text, (int)around, len);
                    text[at] = (char)byte;
                    assert_int_equal(str_has_control((struct str){ text, len }),
                                     byte < 0x20 || byte == 0x7f || (around == 0x7f && len > 1));
                }
}

static void control_bytes(void **state)
{
    (void)state;
    assert_false(str_has_control(STR("plain \xc3\xa9 ~")));
    assert_true(str_has_control(STR("a\nb")));
    assert_true(str_has_control(STR("a\0")));
    assert_true(str_has_control(STR("\x1f")));
    assert_true(str_has_control(STR("\x7f")));
}

static void words_of_a_scope(void **state)
{
    struct str rest = STR("  read  write ");
    struct str word;

    (void)state;
    assert_true(str_next_word(&rest, &word));
    assert_true(str_equal(word, STR("read")));
    assert_true(str_next_word(&rest, &word));
    assert_true(str_equal(word, STR("write")));
    assert_false(str_next_word(&rest, &word));
    assert_false(str_next_word(&rest, &word));

    assert_true(str_has_word(STR("read write"), STR("write")));
    assert_false(str_has_word(STR("read write"), STR("writ")));
    assert_false(str_has_word(STR("read writer"), STR("write")));
    assert_false(str_has_word(STR("read write"), STR("Read")));
    assert_false(str_has_word(STR("read"), STR("")));
    /* Only a space parts words: RFC 6749 3.3 */
    assert_false(str_has_word(STR("read\twrite"), STR("write")));
}

static void numbers(void **state)
{
    uint64_t number = 7;

    (void)state;
    assert_true(str_parse_u64(STR("0"), 10, &number));
    assert_int_equal(number, 0);
    assert_true(str_parse_u64(STR("18446744073709551615"), UINT64_MAX, &number));
    assert_true(number == UINT64_MAX);
    assert_true(str_parse_u64(STR("65535"), UINT16_MAX, &number));

    number = 7;
    assert_false(str_parse_u64(STR("65536"), UINT16_MAX, &number));
    assert_false(str_parse_u64(STR("18446744073709551616"), UINT64_MAX, &number));
    assert_false(str_parse_u64(STR("99999999999999999999999"), UINT64_MAX, &number));
    assert_false(str_parse_u64(STR(""), 10, &number));
    assert_false(str_parse_u64(STR("-1"), 10, &number));
    assert_false(str_parse_u64(STR("+1"), 10, &number));
    assert_false(str_parse_u64(STR(" 1"), 10, &number));
    assert_false(str_parse_u64(STR("1\0"), 10, &number));
    assert_false(str_parse_u64(STR("0x1"), 10, &number));
    assert_int_equal(number, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality),
        cmocka_unit_test(ends),
        cmocka_unit_test(positions),
        cmocka_unit_test(trimming),
        cmocka_unit_test(utf8_is_the_table),
        cmocka_unit_test(control_bytes),
        cmocka_unit_test(control_bytes_everywhere),
        cmocka_unit_test(letters_without_case_everywhere),
        cmocka_unit_test(words_of_a_scope),
        cmocka_unit_test(numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
