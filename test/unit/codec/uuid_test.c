#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/uuid.h"

static const unsigned char bytes[UUID_BYTES] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                                 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
#define TEXT "00112233-4455-6677-8899-aabbccddeeff"

static void there_and_back(void **state)
{
    char text[UUID_TEXT_BYTES];
    unsigned char back[UUID_BYTES];

    (void)state;
    uuid_format(bytes, text);
    assert_memory_equal(text, TEXT, sizeof(text));
    assert_int_equal(uuid_parse(STR(TEXT), back), RC_OK);
    assert_memory_equal(back, bytes, sizeof(back));
    assert_int_equal(uuid_parse(STR("00112233-4455-6677-8899-AaBbCcDdEeFf"), back), RC_OK);
    assert_memory_equal(back, bytes, sizeof(back));
}

static void refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "null",
        "00112233445566778899aabbccddeeff",
        "{00112233-4455-6677-8899-aabbccddeeff}",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeefff",
        "001122334-455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899+aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeefg",
        "0011223--4455-6677-8899-aabbccddeeff",
        " 0112233-4455-6677-8899-aabbccddeeff",
    };
    unsigned char back[UUID_BYTES] = { 7 };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(uuid_parse(str_of(bad[i]), back), RC_INVALID);
    assert_int_equal(back[0], 7);
}

/* RFC 9562 4.1, 5.4 */
static void marks(void **state)
{
    unsigned char marked[UUID_BYTES];
    char text[UUID_TEXT_BYTES];

    (void)state;
    for (int fill = 0; fill < 256; fill++) {
        memset(marked, fill, sizeof(marked));
        uuid_mark_random(marked);
        uuid_format(marked, text);
        assert_int_equal(text[14], '4');
        assert_non_null(memchr("89ab", text[19], 4));
        /* Every other bit stays. */
        marked[6] = marked[8] = (unsigned char)fill;
        for (size_t i = 0; i < sizeof(marked); i++)
            assert_int_equal(marked[i], fill);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(refuses),
        cmocka_unit_test(marks),
    };

    return cmocka_run_group_tests_name("codec/uuid", tests, NULL, NULL);
}
