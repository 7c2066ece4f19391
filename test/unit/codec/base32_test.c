#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/base32.h"

static void assert_both(struct str bytes, struct str text)
{
    char memory[64];
    struct buffer to = buffer_over(memory, sizeof(memory));

    base32_encode(bytes, &to);
    assert_true(str_equal(buffer_str(&to), text));
    to = buffer_over(memory, bytes.len);
    assert_int_equal(base32_decode(text, &to), RC_OK);
    assert_true(str_equal(buffer_str(&to), bytes));
}

/* RFC 4648 10, without the padding. */
static void vectors(void **state)
{
    (void)state;
    assert_both(STR(""), STR(""));
    assert_both(STR("f"), STR("MY"));
    assert_both(STR("fo"), STR("MZXQ"));
    assert_both(STR("foo"), STR("MZXW6"));
    assert_both(STR("foob"), STR("MZXW6YQ"));
    assert_both(STR("fooba"), STR("MZXW6YTB"));
    assert_both(STR("foobar"), STR("MZXW6YTBOI"));
    /* RFC 6238's secret, as an authenticator shows it */
    assert_both(STR("12345678901234567890"), STR("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"));
    assert_both(STR("\xff\xff\xff\xff\xff"), STR("77777777"));
    assert_both(STR("\0\0\0\0\0"), STR("AAAAAAAA"));
}

static void letters_of_either_case(void **state)
{
    char memory[8];
    struct buffer to = buffer_over(memory, sizeof(memory));

    (void)state;
    assert_int_equal(base32_decode(STR("mZxW6yTb"), &to), RC_OK);
    assert_true(str_equal(buffer_str(&to), STR("fooba")));
}

static void refuses(void **state)
{
    static const char *const bad[] = {
        "M",  "MZX",  "MZXW6Y", "MZXW6YTBO", /* no whole bytes: RFC 4648 6 */
        "MZ", "MZXR", "MZXW7",  "MZXW6YR",   /* stray bits: RFC 4648 3.5   */
        "M1", "M0",   "M8",     "M9",        "MY======", "M Y", " MY", "MY\n", "M\xc3\xa9",
    };
    char memory[8];
    struct buffer to = buffer_over(memory, sizeof(memory));

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(base32_decode(str_of(bad[i]), &to), RC_INVALID);
    assert_int_equal(base32_decode((struct str){ "M\0", 2 }, &to), RC_INVALID);
    to = buffer_over(memory, 4);
    assert_int_equal(base32_decode(STR("MZXW6YTB"), &to), RC_TOO_LARGE);
    assert_int_equal(to.len, 0);
    assert_false(to.overflow);
    to = buffer_over(memory, 7);
    base32_encode(STR("fooba"), &to);
    assert_true(to.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(letters_of_either_case),
        cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests_name("codec/base32", tests, NULL, NULL);
}
