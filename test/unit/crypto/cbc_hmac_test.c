#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "crypto/cbc_hmac.h"
#include "crypto/digest.h"

static unsigned char key[CBC_HMAC_KEY_BYTES];
static const unsigned char iv[CBC_HMAC_IV_BYTES] = { 1, 2, 3 };

/* RFC 7518 B.1 */
static void test_rfc7518_example(void **state)
{
    struct str plain = STR("A cipher system must not be required to be secret, and it must be able"
                           " to fall into the hands of the enemy without inconvenience");
    struct str associated = STR("The second principle of Auguste Kerckhoffs");
    struct bytes nonce = hex_decode("1af38c2dc2b96ffdd86694092341bc04");
    struct bytes wanted =
        hex_decode("c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9"
                   "a94ac9b47ad2655c5f10f9aef71427e2fc6f9b3f399a221489f16362c7032336"
                   "09d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b"
                   "384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade5"
                   "4b8851ffb598f7f80074b9473c82e2db");
    struct bytes wanted_tag = hex_decode("652c3fa36b0a7c5b3219fab3a30bc1c4");
    unsigned char tag[CBC_HMAC_TAG_BYTES];
    char memory[256];
    struct buffer cipher = buffer_over(memory, sizeof(memory));

    (void)state;
    assert_int_equal(cbc_hmac_encrypt(key, nonce.at, associated, plain, &cipher, tag), RC_OK);
    assert_true(str_equal(buffer_str(&cipher), bytes_str(wanted)));
    assert_memory_equal(tag, wanted_tag.at, sizeof(tag));
    free(nonce.at);
    free(wanted.at);
    free(wanted_tag.at);
}

/* The verdict of a case; what is valid must also be made again bit for bit. */
static bool opens(const json_t *test)
{
    struct bytes case_key = vector_hex(test, "key"), nonce = vector_hex(test, "iv"),
                 aad = vector_hex(test, "aad"), cipher = vector_hex(test, "ct"),
                 tag = vector_hex(test, "tag"), message = vector_hex(test, "msg");
    char plain_memory[2048], made_memory[2048];
    struct buffer plain = buffer_over(plain_memory, sizeof(plain_memory));
    struct buffer made = buffer_over(made_memory, sizeof(made_memory));
    unsigned char made_tag[CBC_HMAC_TAG_BYTES];
    bool opened;

    assert_int_equal(case_key.len, CBC_HMAC_KEY_BYTES);
    assert_int_equal(nonce.len, CBC_HMAC_IV_BYTES);
    assert_int_equal(tag.len, CBC_HMAC_TAG_BYTES);
    opened = cbc_hmac_decrypt(case_key.at, nonce.at, bytes_str(aad), bytes_str(cipher), tag.at,
                              &plain) == RC_OK;
    if (opened) {
        assert_true(str_equal(buffer_str(&plain), bytes_str(message)));
        assert_int_equal(cbc_hmac_encrypt(case_key.at, nonce.at, bytes_str(aad), bytes_str(message),
                                          &made, made_tag),
                         RC_OK);
        assert_true(str_equal(buffer_str(&made), bytes_str(cipher)));
        assert_memory_equal(made_tag, tag.at, sizeof(made_tag));
    } else {
        assert_int_equal(plain.len, 0);
    }
    free(case_key.at);
    free(nonce.at);
    free(aad.at);
    free(cipher.at);
    free(tag.at);
    free(message.at);
    return opened;
}

static void test_wycheproof(void **state)
{
    json_t *document = vector_load("wycheproof/a128cbc_hs256_test.json");
    struct tally tally = { 0 };
    json_t *group, *test;
    size_t i, j;

    (void)state;
    json_array_foreach(json_object_get(document, "testGroups"), i, group)
        json_array_foreach(json_object_get(group, "tests"), j, test)
            tally_verdict(&tally, test, opens(test), vector_is_valid(test));
    json_decref(document);
    tally_print(&tally, "a128cbc_hs256");
    assert_int_equal(tally.checked, 94);
    assert_int_equal(tally.wrong, 0);
}

static void test_there_and_back(void **state)
{
    static char text[300], memory[320];
    unsigned char tag[CBC_HMAC_TAG_BYTES];

    (void)state;
    for (size_t len = 0; len <= sizeof(text); len++) {
        struct str plain = { text, len };
        struct buffer cipher = buffer_over(memory, len / 16 * 16 + 16), back;

        memset(text, (int)len, sizeof(text));
        assert_int_equal(cbc_hmac_encrypt(key, iv, STR("a"), plain, &cipher, tag), RC_OK);
        assert_int_equal(cipher.len, len / 16 * 16 + 16);
        /* In place. */
        back = buffer_over(memory, cipher.len);
        assert_int_equal(cbc_hmac_decrypt(key, iv, STR("a"), buffer_str(&cipher), tag, &back),
                         RC_OK);
        assert_true(str_equal(buffer_str(&back), plain));
    }
}

/* RFC 7518 5.2.2.2 */
static void test_each_flipped_bit(void **state)
{
    unsigned char own_key[CBC_HMAC_KEY_BYTES] = { 9 }, own_iv[CBC_HMAC_IV_BYTES] = { 0 };
    unsigned char tag[CBC_HMAC_TAG_BYTES];
    char associated[] = "header", memory[64], opened[64];
    struct buffer cipher = buffer_over(memory, sizeof(memory)), plain = buffer_over(opened, 64);
    struct {
        unsigned char *at;
        size_t len;
    } parts[] = {
        /* The half that only decrypts is no part of the tag, but its padding tells. */
        { own_key, CBC_HMAC_KEY_BYTES / 2 }, { own_iv, sizeof(own_iv) },      { tag, sizeof(tag) },
        { (unsigned char *)associated, 6 },  { (unsigned char *)memory, 32 },
    };

    (void)state;
    assert_int_equal(cbc_hmac_encrypt(own_key, own_iv, str_of(associated), STR("seventeen bytes!!"),
                                      &cipher, tag),
                     RC_OK);
    for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++) {
        for (size_t bit = 0; bit < parts[part].len * 8; bit++) {
            parts[part].at[bit / 8] ^= (unsigned char)(1U << bit % 8);
            assert_int_equal(cbc_hmac_decrypt(own_key, own_iv, str_of(associated),
                                              buffer_str(&cipher), tag, &plain),
                             RC_INVALID);
            parts[part].at[bit / 8] ^= (unsigned char)(1U << bit % 8);
        }
    }
    assert_int_equal(plain.len, 0);
    assert_int_equal(
        cbc_hmac_decrypt(own_key, own_iv, str_of(associated), buffer_str(&cipher), tag, &plain),
        RC_OK);
    assert_true(str_equal(buffer_str(&plain), STR("seventeen bytes!!")));
}

/* RFC 7518 5.2.2.1: a byte that moves from the associated data to the IV's side changes the tag. */
static void test_parts_are_kept_apart(void **state)
{
    unsigned char tag[CBC_HMAC_TAG_BYTES], other[CBC_HMAC_TAG_BYTES];
    unsigned char shifted[CBC_HMAC_IV_BYTES];
    char memory[32], memory_2[32];
    struct buffer a = buffer_over(memory, 32), b = buffer_over(memory_2, 32);

    (void)state;
    memset(shifted, 'x', sizeof(shifted));
    assert_int_equal(cbc_hmac_encrypt(key, shifted, STR("xx"), STR("t"), &a, tag), RC_OK);
    assert_int_equal(cbc_hmac_encrypt(key, shifted, STR("xxx"), STR("t"), &b, other), RC_OK);
    assert_true(str_equal(buffer_str(&a), buffer_str(&b)));
    assert_memory_not_equal(tag, other, sizeof(tag));
}

static void test_lengths(void **state)
{
    unsigned char tag[CBC_HMAC_TAG_BYTES] = { 0 };
    char memory[64] = { 0 };
    struct buffer small = buffer_over(memory, 31), plain = buffer_over(memory, 64);
    struct buffer narrow = buffer_over(memory, 15);

    (void)state;
    assert_int_equal(cbc_hmac_encrypt(key, iv, STR(""), STR("0123456789abcdef"), &small, tag),
                     RC_TOO_LARGE);
    assert_int_equal(small.len, 0);
    for (size_t len = 0; len < 48; len++) {
        assert_int_equal(
            cbc_hmac_decrypt(key, iv, STR(""), (struct str){ memory, len }, tag, &plain),
            RC_INVALID);
    }
    assert_int_equal(cbc_hmac_decrypt(key, iv, STR(""), (struct str){ memory, 16 }, tag, &narrow),
                     RC_TOO_LARGE);
    /* Longer than the library's own numbers; none of it is read. */
    assert_int_equal(
        cbc_hmac_decrypt(key, iv, STR(""), (struct str){ memory, (size_t)1 << 31 }, tag, &plain),
        RC_INVALID);
    assert_int_equal(
        cbc_hmac_encrypt(key, iv, STR(""), (struct str){ memory, (size_t)1 << 31 }, &plain, tag),
        RC_TOO_LARGE);
    /* What did not fit before has no room for more. */
    plain.overflow = true;
    assert_int_equal(cbc_hmac_encrypt(key, iv, STR(""), STR("1"), &plain, tag), RC_TOO_LARGE);
    assert_int_equal(cbc_hmac_decrypt(key, iv, STR(""), (struct str){ memory, 16 }, tag, &plain),
                     RC_TOO_LARGE);
    assert_int_equal(plain.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7518_example),      cmocka_unit_test(test_wycheproof),
        cmocka_unit_test(test_there_and_back),       cmocka_unit_test(test_each_flipped_bit),
        cmocka_unit_test(test_parts_are_kept_apart), cmocka_unit_test(test_lengths),
    };

    crypto_init();
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (unsigned char)i;
    return cmocka_run_group_tests_name("crypto/cbc_hmac", tests, NULL, NULL);
}
