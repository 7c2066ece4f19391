/* Opaque token values: form, round trip, and that every character counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/secret.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "token/value.h"

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static struct value_codec codec_with_key(unsigned char first_byte)
{
    unsigned char key[BLOCK_KEY_BYTES] = { first_byte };

    return (struct value_codec){ block_key_new(key), "jt", 2 };
}

static int set_up(void **state)
{
    static struct value_codec codec;

    crypto_init();
    codec = codec_with_key(7);
    *state = &codec;
    return 0;
}

static int tear_down(void **state)
{
    block_key_free(((struct value_codec *)*state)->handle_key);
    return 0;
}

static struct str format(const struct value_codec *codec, struct token_handle handle,
                         const unsigned char *secret, char *memory)
{
    struct buffer text = buffer_over(memory, TOKEN_TEXT_BYTES_MAX);

    token_value_format(codec, handle, secret, &text);
    assert_false(text.overflow);
    return buffer_str(&text);
}

static void test_value_has_published_form(void **state)
{
    unsigned char secret[TOKEN_SECRET_BYTES] = { 0xff, 1, 2 };
    char memory[TOKEN_TEXT_BYTES_MAX];
    struct str value = format(*state, (struct token_handle){ 1, TOKEN_ACCESS }, secret, memory);

    /* jt[a-z]_[0-9A-Za-z]{49} */
    assert_int_equal(value.len, 4 + 43 + 6);
    assert_memory_equal(value.at, "jta_", 4);
    for (size_t i = 4; i < value.len; i++)
        assert_non_null(memchr(alphabet, value.at[i], sizeof(alphabet) - 1));
}

static void test_value_round_trips(void **state)
{
    static const int64_t ids[] = { 1, 1023, 1024, (int64_t)1 << 48, INT64_MAX };

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        for (int kind = 0; kind < TOKEN_KIND_COUNT; kind++) {
            struct token_handle handle = { ids[i], (enum token_kind)kind };
            struct token_handle read = { 0, TOKEN_ACCESS };
            unsigned char secret[TOKEN_SECRET_BYTES];
            unsigned char read_secret[TOKEN_SECRET_BYTES];
            char memory[TOKEN_TEXT_BYTES_MAX];
            struct str value;

            random_bytes(secret, sizeof(secret));
            value = format(*state, handle, secret, memory);
            assert_int_equal(token_value_parse(*state, value, &read, read_secret), RC_OK);
            assert_int_equal(read.id, handle.id);
            assert_int_equal(read.kind, handle.kind);
            assert_memory_equal(read_secret, secret, sizeof(secret));
        }
    }
}

/* BE-05: a cut, longer or changed value is refused, whichever character it is. */
static void test_be_05_every_character_counts(void **state)
{
    unsigned char secret[TOKEN_SECRET_BYTES] = { 42 };
    unsigned char read_secret[TOKEN_SECRET_BYTES];
    struct token_handle read;
    char memory[TOKEN_TEXT_BYTES_MAX + 1];
    struct str value = format(*state, (struct token_handle){ 99, TOKEN_ACCESS }, secret, memory);

    for (size_t len = 0; len < value.len; len++)
        assert_int_equal(
            token_value_parse(*state, (struct str){ value.at, len }, &read, read_secret),
            RC_INVALID);
    memory[value.len] = '0';
    assert_int_equal(
        token_value_parse(*state, (struct str){ value.at, value.len + 1 }, &read, read_secret),
        RC_INVALID);
    for (size_t i = 0; i < value.len; i++) {
        char sent = memory[i];

        for (size_t j = 0; j < sizeof(alphabet) - 1; j++) {
            if (alphabet[j] == sent)
                continue;
            memory[i] = alphabet[j];
            assert_int_equal(token_value_parse(*state, value, &read, read_secret), RC_INVALID);
        }
        memory[i] = sent;
    }
    assert_int_equal(token_value_parse(*state, value, &read, read_secret), RC_OK);
}

/* A value with a right checksum that another installation made is no value of ours. */
static void test_value_of_another_key_is_refused(void **state)
{
    struct value_codec other = codec_with_key(8);
    unsigned char secret[TOKEN_SECRET_BYTES] = { 1 };
    unsigned char read_secret[TOKEN_SECRET_BYTES];
    struct token_handle read;
    char memory[TOKEN_TEXT_BYTES_MAX];
    struct str value = format(&other, (struct token_handle){ 5, TOKEN_ACCESS }, secret, memory);

    assert_int_equal(token_value_parse(*state, value, &read, read_secret), RC_INVALID);
    block_key_free(other.handle_key);
}

/* The kind stands in the letter and in the handle: they must agree. */
static void test_value_with_another_letter_is_refused(void **state)
{
    unsigned char secret[TOKEN_SECRET_BYTES] = { 1 };
    unsigned char read_secret[TOKEN_SECRET_BYTES];
    struct token_handle read;
    char memory[TOKEN_TEXT_BYTES_MAX];
    char check[BASE62_CRC_TEXT_BYTES];
    struct str value = format(*state, (struct token_handle){ 5, TOKEN_REFRESH }, secret, memory);

    memory[2] = 'a';
    base62_encode_crc(crc32_of((struct str){ memory, value.len - sizeof(check) }), check);
    memcpy(memory + value.len - sizeof(check), check, sizeof(check));
    assert_int_equal(token_value_parse(*state, value, &read, read_secret), RC_INVALID);
}

/* Ids are not revealed: values of neighbouring ids share no more than chance allows. */
/* Bytes that our key made, and that say what no token is. */
static void test_handles_that_are_none(void **state)
{
    static const struct {
        unsigned char plain[TOKEN_HANDLE_BYTES];
        enum rc expected;
    } rows[] = {
        { { [7] = 1, [8] = TOKEN_ACCESS }, RC_OK },
        { { [0] = 0x7f, [8] = TOKEN_KIND_COUNT - 1 }, RC_OK },
        { { [0] = 0x80, [7] = 1 }, RC_INVALID }, /* a negative id */
        { { [8] = TOKEN_ACCESS }, RC_INVALID },  /* none */
        { { [7] = 1, [8] = TOKEN_KIND_COUNT }, RC_INVALID },
        { { [7] = 1, [8] = 255 }, RC_INVALID },
        { { [7] = 1, [9] = 1 }, RC_INVALID },
        { { [7] = 1, [15] = 128 }, RC_INVALID },
    };
    const struct value_codec *codec = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct token_handle handle = { .id = -7 };
        unsigned char bytes[TOKEN_HANDLE_BYTES];

        block_encrypt(codec->handle_key, rows[i].plain, bytes);
        assert_int_equal(token_handle_decode(codec, bytes, &handle), rows[i].expected);
        assert_true((handle.id == -7) == (rows[i].expected != RC_OK));
    }
}

static void test_value_hides_its_id(void **state)
{
    unsigned char secret[TOKEN_SECRET_BYTES] = { 0 };
    char one[TOKEN_TEXT_BYTES_MAX];
    char two[TOKEN_TEXT_BYTES_MAX];
    size_t same = 0;

    format(*state, (struct token_handle){ 1000, TOKEN_ACCESS }, secret, one);
    format(*state, (struct token_handle){ 1001, TOKEN_ACCESS }, secret, two);
    for (size_t i = 4; i < 4 + 21; i++)
        same += one[i] == two[i];
    assert_true(same < 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_has_published_form),
        cmocka_unit_test(test_value_round_trips),
        cmocka_unit_test(test_be_05_every_character_counts),
        cmocka_unit_test(test_value_of_another_key_is_refused),
        cmocka_unit_test(test_value_with_another_letter_is_refused),
        cmocka_unit_test(test_handles_that_are_none),
        cmocka_unit_test(test_value_hides_its_id),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
