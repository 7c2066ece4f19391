#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/base62.h"

struct block_pair {
    unsigned char bytes[BASE62_BLOCK_BYTES];
    const char *text;
};

/* Computed by schoolbook division with another program. */
static const struct block_pair block_pairs[] = {
    { { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },
      "0000000000000000000000000000000000000000000" },
    { { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01 },
      "0000000000000000000000000000000000000000001" },
    { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
      "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1" },
    { { 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },
      "ULrwNTJa3CHVaAVmO8lHlO4Afd3drtx651MXvhT4GuW" },
    { { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
        0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
        0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f },
      "003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf" },
    { { 0x91, 0xd2, 0xb1, 0x06, 0xa3, 0x83, 0xb8, 0x8a, 0xbe, 0x3f, 0xfd,
        0x82, 0x21, 0xe4, 0x91, 0x6d, 0x0d, 0xf5, 0x95, 0xb2, 0x02, 0xe6,
        0x5c, 0xdd, 0x14, 0x0d, 0x10, 0x3a, 0x53, 0xa2, 0x81, 0xd7 },
      "YZuANXhaXoSAZegbg9l6JAyue1ZJXMRg5bIWxp729nL" },
    { { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x0b, 0xa5, 0xca, 0x53, 0x92, 0xcb, 0x04, 0x00 },
      "0000000000000000000000000000000010000000000" },
    { { 0x00, 0x00, 0x47, 0xe5, 0x8a, 0x1a, 0xa0, 0xd2, 0x38, 0x43, 0x5c,
        0xca, 0x7f, 0xfc, 0x70, 0x19, 0x1d, 0x86, 0x95, 0x69, 0x4f, 0xaa,
        0x2c, 0x8c, 0xa0, 0x2b, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff },
      "000zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz" },
    { { 0x00, 0x00, 0x47, 0xe5, 0x8a, 0x1a, 0xa0, 0xd2, 0x38, 0x43, 0x5c,
        0xca, 0x7f, 0xfc, 0x70, 0x19, 0x1d, 0x86, 0x95, 0x69, 0x4f, 0xaa,
        0x2c, 0x8c, 0xa0, 0x2b, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00 },
      "0010000000000000000000000000000000000000000" },
};

static void blocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(block_pairs) / sizeof(block_pairs[0]); i++) {
        char text[BASE62_BLOCK_TEXT_BYTES];
        unsigned char bytes[BASE62_BLOCK_BYTES];

        base62_encode_block(block_pairs[i].bytes, text);
        assert_memory_equal(text, block_pairs[i].text, sizeof(text));
        assert_int_equal(base62_decode_block(text, bytes), RC_OK);
        assert_memory_equal(bytes, block_pairs[i].bytes, sizeof(bytes));
    }
}

/* Every bit on its own, and a long walk of pseudo-random blocks. */
static void blocks_round_trip(void **state)
{
    unsigned char bytes[BASE62_BLOCK_BYTES] = { 0 };
    unsigned char back[BASE62_BLOCK_BYTES];
    char text[BASE62_BLOCK_TEXT_BYTES];
    uint32_t walk = 1;

    (void)state;
    for (size_t bit = 0; bit < 256; bit++) {
        bytes[bit / 8] = (unsigned char)(1u << bit % 8);
        base62_encode_block(bytes, text);
        assert_int_equal(base62_decode_block(text, back), RC_OK);
        assert_memory_equal(bytes, back, sizeof(bytes));
        bytes[bit / 8] = 0;
    }
    for (size_t round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            walk = walk * 1664525 + 1013904223;
            bytes[i] = (unsigned char)(walk >> 24);
        }
        base62_encode_block(bytes, text);
        assert_int_equal(base62_decode_block(text, back), RC_OK);
        assert_memory_equal(bytes, back, sizeof(bytes));
    }
}

static void numbers_of_2_to_the_256_are_refused(void **state)
{
    unsigned char bytes[BASE62_BLOCK_BYTES] = "untouched";

    (void)state;
    assert_int_equal(base62_decode_block("yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp2", bytes),
                     RC_INVALID);
    assert_int_equal(base62_decode_block("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", bytes),
                     RC_INVALID);
    assert_string_equal((const char *)bytes, "untouched");
}

static void other_characters_are_refused(void **state)
{
    unsigned char bytes[BASE62_BLOCK_BYTES];
    size_t member_count = 0;

    (void)state;
    for (size_t place = 0; place < BASE62_BLOCK_TEXT_BYTES; place++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char text[] = "0000000000000000000000000000000000000000000";
            bool is_member = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                             (byte >= 'a' && byte <= 'z');
            bool is_decoded;

            text[place] = (char)byte;
            is_decoded = base62_decode_block(text, bytes) == RC_OK;
            /* In front, 'z' stands for more than 2^256. */
            if (place > 0)
                assert_int_equal(is_decoded, is_member);
            else
                assert_true(is_member || !is_decoded);
            member_count += is_decoded;
        }
    }
    assert_int_equal(member_count, 43 * 62 - 1);
}

static void crc_texts(void **state)
{
    char text[BASE62_CRC_TEXT_BYTES];

    (void)state;
    base62_encode_crc(0, text);
    assert_memory_equal(text, "000000", 6);
    base62_encode_crc(61, text);
    assert_memory_equal(text, "00000z", 6);
    base62_encode_crc(62, text);
    assert_memory_equal(text, "000010", 6);
    base62_encode_crc(UINT32_MAX, text);
    assert_memory_equal(text, "4gfFC3", 6);
}

/* ISO 3309, bit by bit: what the tables must amount to. */
static uint32_t crc32_slowly(struct str bytes)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (unsigned char)bytes.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
    }
    return ~crc;
}

static void crc_of_known_text(void **state)
{
    (void)state;
    assert_int_equal(crc32_of(STR("")), 0);
    assert_int_equal(crc32_of(STR("123456789")), UINT32_C(0xcbf43926));
    assert_int_equal(crc32_of(STR("The quick brown fox jumps over the lazy dog")),
                     UINT32_C(0x414fa339));
}

static void crc_tables_are_right(void **state)
{
    char bytes[64];
    uint32_t walk = 1;

    (void)state;
    /* All entries of all tables: each byte value at each of four places. */
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 4; place++) {
            memset(bytes, 0, 4);
            bytes[place] = (char)byte;
            assert_int_equal(crc32_of((struct str){ bytes, 4 }),
                             crc32_slowly((struct str){ bytes, 4 }));
        }
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        for (size_t i = 0; i < len; i++) {
            walk = walk * 1664525 + 1013904223;
            bytes[i] = (char)(walk >> 24);
        }
        assert_int_equal(crc32_of((struct str){ bytes, len }),
                         crc32_slowly((struct str){ bytes, len }));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),
        cmocka_unit_test(blocks_round_trip),
        cmocka_unit_test(numbers_of_2_to_the_256_are_refused),
        cmocka_unit_test(other_characters_are_refused),
        cmocka_unit_test(crc_texts),
        cmocka_unit_test(crc_of_known_text),
        cmocka_unit_test(crc_tables_are_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
