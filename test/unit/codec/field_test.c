#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec/field.h"

static void test_fields_come_back_in_order(void **state)
{
    unsigned char bytes[64];
    struct buffer text = buffer_over(bytes, sizeof(bytes));
    struct str rest;
    struct str field;
    uint32_t number;

    (void)state;
    field_put_number(&text, 0x01020304);
    field_put(&text, STR("one"));
    field_put(&text, STR(""));
    assert_int_equal(text.len, 4 + 4 + 3 + 4);
    assert_memory_equal(bytes, "\x04\x03\x02\x01\x03\x00\x00\x00one", 11);
    rest = buffer_str(&text);
    assert_true(field_take_number(&rest, &number));
    assert_int_equal(number, 0x01020304);
    assert_true(field_take(&rest, &field) && str_equal(field, STR("one")));
    assert_true(field_take(&rest, &field) && field.len == 0);
    assert_int_equal(rest.len, 0);
    assert_false(field_take(&rest, &field));
    assert_false(field_take_number(&rest, &number));
}

/* Cut at every byte: nothing is taken, and nothing is read behind the end (the sanitizer looks). */
static void test_half_a_field_is_none(void **state)
{
    unsigned char bytes[16];
    struct buffer text = buffer_over(bytes, sizeof(bytes));

    (void)state;
    field_put(&text, STR("abcdefgh"));
    for (size_t len = 0; len < text.len; len++) {
        char *cut = test_malloc(len + 1);
        struct str rest = { cut, len };
        struct str field = STR("untouched");

        memcpy(cut, bytes, len);
        assert_false(field_take(&rest, &field));
        assert_true(str_equal(field, STR("untouched")));
        assert_ptr_equal(rest.at, cut);
        test_free(cut);
    }
}

static void test_lengths_that_lie(void **state)
{
    struct str field;
    struct str rest = { "\xff\xff\xff\xff"
                        "abc",
                        7 };

    (void)state;
    assert_false(field_take(&rest, &field));
    rest = (struct str){ "\x04\0\0\0abc", 7 };
    assert_false(field_take(&rest, &field));
    rest = (struct str){ "\x03\0\0\0abc", 7 };
    assert_true(field_take(&rest, &field));
}

static void test_no_room_is_seen(void **state)
{
    unsigned char bytes[6];
    struct buffer text = buffer_over(bytes, sizeof(bytes));

    (void)state;
    field_put(&text, STR("abc"));
    assert_true(text.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_come_back_in_order),
        cmocka_unit_test(test_half_a_field_is_none),
        cmocka_unit_test(test_lengths_that_lie),
        cmocka_unit_test(test_no_room_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
