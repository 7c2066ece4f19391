#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "crypto/block.h"
#include "crypto/digest.h"
#include "crypto/seal.h"

/* FIPS 197, appendix C.3. */
static void test_block_example(void **state)
{
    struct bytes key = hex_decode("000102030405060708090a0b0c0d0e0f"
                                  "101112131415161718191a1b1c1d1e1f");
    struct bytes plain = hex_decode("00112233445566778899aabbccddeeff");
    struct bytes cipher = hex_decode("8ea2b7ca516745bfeafc49904b496089");
    struct block_key *block_key = block_key_new(key.at);
    unsigned char block[BLOCK_BYTES];

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        block_encrypt(block_key, plain.at, block);
        assert_memory_equal(block, cipher.at, BLOCK_BYTES);
        block_decrypt(block_key, block, block); /* in place */
        assert_memory_equal(block, plain.at, BLOCK_BYTES);
    }
    block_key_free(block_key);
    block_key_free(NULL);
    free(key.at);
    free(plain.at);
    free(cipher.at);
}

static void test_block_keys_differ(void **state)
{
    struct block_key *a = block_key_new((const unsigned char[BLOCK_KEY_BYTES]){ 1 });
    struct block_key *b = block_key_new((const unsigned char[BLOCK_KEY_BYTES]){ 2 });
    unsigned char zero[BLOCK_BYTES] = { 0 }, under_a[BLOCK_BYTES], under_b[BLOCK_BYTES];

    (void)state;
    block_encrypt(a, zero, under_a);
    block_encrypt(b, zero, under_b);
    assert_memory_not_equal(under_a, under_b, BLOCK_BYTES);
    block_decrypt(a, under_b, under_b);
    assert_memory_not_equal(under_b, zero, BLOCK_BYTES);
    block_decrypt(a, under_a, under_a);
    assert_memory_equal(under_a, zero, BLOCK_BYTES);
    block_key_free(a);
    block_key_free(b);
}

static const unsigned char seal_key[SEAL_KEY_BYTES] = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                        11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                                        22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };

/* Made with another library: version 1, nonce a0 to ab, AES-256-GCM. */
#define KNOWN_SEALED                                                                               \
    "01a0a1a2a3a4a5a6a7a8a9aaab87380f4826b967cb420ee2a3735aa1aa50de3c63e6be93f4aa5dc5d91606fe56"   \
    "c793567a97"
#define KNOWN_SEALED_NOTHING "01a0a1a2a3a4a5a6a7a8a9aaab5c699625af4b93a0f8220a2a6119c5d0"

static enum rc unseal_to(struct str name, struct str sealed, struct buffer *out_plain)
{
    return unseal(seal_key, name, sealed, out_plain);
}

static void test_seal_known_answer(void **state)
{
    struct bytes sealed = hex_decode(KNOWN_SEALED), nothing = hex_decode(KNOWN_SEALED_NOTHING);
    char memory[64];
    struct buffer plain = buffer_over(memory, sizeof(memory));

    (void)state;
    assert_int_equal(unseal_to(STR("totp secret of 42"), bytes_str(sealed), &plain), RC_OK);
    assert_true(str_equal(buffer_str(&plain), STR("a secret kept at rest")));
    assert_int_equal(unseal_to(STR(""), bytes_str(nothing), &plain), RC_OK);
    assert_int_equal(plain.len, strlen("a secret kept at rest"));
    free(sealed.at);
    free(nothing.at);
}

static void test_seal_each_flipped_bit(void **state)
{
    struct bytes sealed = hex_decode(KNOWN_SEALED);
    char name[] = "totp secret of 42";
    unsigned char key[SEAL_KEY_BYTES];
    char memory[64];
    struct buffer plain = buffer_over(memory, sizeof(memory));

    (void)state;
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        sealed.at[bit / 8] ^= (unsigned char)(1U << bit % 8);
        assert_int_equal(unseal_to(str_of(name), bytes_str(sealed), &plain), RC_INVALID);
        sealed.at[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    for (size_t bit = 0; bit < strlen(name) * 8; bit++) {
        name[bit / 8] = (char)(name[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(
            unseal_to((struct str){ name, sizeof(name) - 1 }, bytes_str(sealed), &plain),
            RC_INVALID);
        name[bit / 8] = (char)(name[bit / 8] ^ (1 << bit % 8));
    }
    memcpy(key, seal_key, sizeof(key));
    for (size_t bit = 0; bit < sizeof(key) * 8; bit++) {
        key[bit / 8] ^= (unsigned char)(1U << bit % 8);
        assert_int_equal(unseal(key, str_of(name), bytes_str(sealed), &plain), RC_INVALID);
        key[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_int_equal(unseal_to(str_of(name), (struct str){ (char *)sealed.at, len }, &plain),
                         RC_INVALID);
    assert_int_equal(plain.len, 0);
    assert_int_equal(unseal_to(str_of(name), bytes_str(sealed), &plain), RC_OK);
    free(sealed.at);
}

static void test_seal_there_and_back(void **state)
{
    static char text[5000], sealed_memory[5000 + SEAL_OVERHEAD_BYTES], again[5000];
    struct buffer sealed, plain;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7);
    for (size_t len = 0; len <= sizeof(text); len += len < 70 ? 1 : 493) {
        sealed = buffer_over(sealed_memory, len + SEAL_OVERHEAD_BYTES);
        plain = buffer_over(again, len);
        assert_int_equal(seal(seal_key, STR("n"), (struct str){ text, len }, &sealed), RC_OK);
        assert_int_equal(sealed.len, len + SEAL_OVERHEAD_BYTES);
        assert_int_equal(unseal_to(STR("n"), buffer_str(&sealed), &plain), RC_OK);
        assert_true(str_equal(buffer_str(&plain), (struct str){ text, len }));
    }
}

static void test_seal_limits(void **state)
{
    char memory[64] = { 0 }, other[64];
    struct buffer small = buffer_over(memory, 5 + SEAL_OVERHEAD_BYTES - 1);
    struct buffer first = buffer_over(memory, sizeof(memory)), second = buffer_over(other, 64);
    struct buffer plain = buffer_over(other, 4);

    (void)state;
    assert_int_equal(seal(seal_key, STR(""), STR("12345"), &small), RC_TOO_LARGE);
    assert_int_equal(small.len, 0);
    assert_int_equal(memory[0], 0);
    assert_int_equal(seal(seal_key, STR(""), STR("12345"), &first), RC_OK);
    assert_int_equal(unseal_to(STR(""), buffer_str(&first), &plain), RC_TOO_LARGE);
    plain.overflow = true;
    assert_int_equal(unseal_to(STR(""), buffer_str(&first), &plain), RC_TOO_LARGE);
    small.overflow = true;
    assert_int_equal(seal(seal_key, STR(""), STR(""), &small), RC_TOO_LARGE);
    /* Longer than the library's own numbers; none of it is read. */
    assert_int_equal(
        seal(seal_key, STR(""), (struct str){ memory, (size_t)INT32_MAX - 1 }, &second),
        RC_TOO_LARGE);
    plain.overflow = false;
    assert_int_equal(unseal_to(STR(""), (struct str){ memory, (size_t)1 << 31 }, &plain),
                     RC_INVALID);
    /* Nonces are random: the same thing sealed twice looks different. */
    assert_int_equal(seal(seal_key, STR(""), STR("12345"), &second), RC_OK);
    assert_memory_not_equal(memory, other, first.len);
}

static bool gcm_opens(const json_t *test)
{
    struct bytes key = vector_hex(test, "key"), nonce = vector_hex(test, "iv"),
                 name = vector_hex(test, "aad"), cipher = vector_hex(test, "ct"),
                 tag = vector_hex(test, "tag"), message = vector_hex(test, "msg");
    char sealed_memory[2048], plain_memory[2048];
    struct buffer sealed = buffer_over(sealed_memory, sizeof(sealed_memory));
    struct buffer plain = buffer_over(plain_memory, sizeof(plain_memory));
    bool opens;

    buffer_append_byte(&sealed, 1);
    buffer_append_str(&sealed, bytes_str(nonce));
    buffer_append_str(&sealed, bytes_str(cipher));
    buffer_append_str(&sealed, bytes_str(tag));
    assert_false(sealed.overflow);
    opens = unseal(key.at, bytes_str(name), buffer_str(&sealed), &plain) == RC_OK;
    if (opens)
        assert_true(str_equal(buffer_str(&plain), bytes_str(message)));
    free(key.at);
    free(nonce.at);
    free(name.at);
    free(cipher.at);
    free(tag.at);
    free(message.at);
    return opens;
}

static void test_seal_wycheproof(void **state)
{
    json_t *document = vector_load("wycheproof/aes_gcm_test.json");
    struct tally tally = { 0 };
    json_t *group, *test;
    size_t i, j;

    (void)state;
    json_array_foreach(json_object_get(document, "testGroups"), i, group)
    {
        json_t *tests = json_object_get(group, "tests");
        unsigned count = (unsigned)json_array_size(tests);

        if (vector_int(group, "keySize") != 256)
            tally_left_out(&tally, "our keys have 256 bits", count);
        else if (vector_int(group, "ivSize") != 96)
            tally_left_out(&tally, "our nonces have 96 bits", count);
        else
            json_array_foreach(tests, j, test)
                tally_verdict(&tally, test, gcm_opens(test), vector_is_valid(test));
    }
    json_decref(document);
    tally_print(&tally, "aes_gcm");
    assert_int_equal(tally.checked, 66);
    assert_int_equal(tally.wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_example),       cmocka_unit_test(test_block_keys_differ),
        cmocka_unit_test(test_seal_known_answer),   cmocka_unit_test(test_seal_each_flipped_bit),
        cmocka_unit_test(test_seal_there_and_back), cmocka_unit_test(test_seal_limits),
        cmocka_unit_test(test_seal_wycheproof),
    };

    crypto_init();
    return cmocka_run_group_tests_name("crypto/seal", tests, NULL, NULL);
}
