#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "crypto/digest.h"
#include "crypto/random.h"

static void assert_hex(const unsigned char *bytes, size_t len, const char *hex)
{
    struct bytes wanted = hex_decode(hex);

    assert_int_equal(len, wanted.len);
    assert_memory_equal(bytes, wanted.at, len);
    free(wanted.at);
}

/* FIPS 180-4, examples of NIST: empty, one block, two blocks. */
static void test_sha256_examples(void **state)
{
    unsigned char digest[SHA256_BYTES];

    (void)state;
    digest_sha256((struct str){ NULL, 0 }, digest);
    assert_hex(digest, sizeof(digest),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_sha256(STR("abc"), digest);
    assert_hex(digest, sizeof(digest),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest);
    assert_hex(digest, sizeof(digest),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* FIPS 180-4's own examples. */
static void test_sha512_examples(void **state)
{
    unsigned char digest[SHA512_BYTES];

    (void)state;
    digest_sha512(STR("abc"), digest);
    assert_hex(digest, SHA512_BYTES,
               "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
               "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    digest_sha512(STR(""), digest);
    assert_hex(digest, SHA512_BYTES,
               "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
               "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
}

static void test_sha256_leaves_no_state(void **state)
{
    unsigned char before[SHA256_BYTES], after[SHA256_BYTES];

    (void)state;
    digest_sha256(STR("the same"), before);
    digest_sha256(STR("something else, and longer than a block of sixty-four bytes, in between"),
                  after);
    assert_memory_not_equal(before, after, SHA256_BYTES);
    digest_sha256(STR("the same"), after);
    assert_memory_equal(before, after, SHA256_BYTES);
}

/* The same as in one piece, wherever it is cut; two streams at a time do not mix. */
static void test_digest_stream(void **state)
{
    static const char text[] =
        "something that is longer than a block of sixty-four bytes, and than two of them, so that "
        "it is cut before, at and behind where one ends";
    const struct str view = { text, sizeof(text) - 1 };
    unsigned char whole[SHA256_BYTES], pieces[SHA256_BYTES], nothing[SHA256_BYTES];
    size_t cut;

    (void)state;
    digest_sha256(view, whole);
    for (cut = 0; cut <= view.len; cut++) {
        struct digest_stream *stream = digest_stream_new(), *other = digest_stream_new();

        digest_stream_add(stream, (struct str){ text, cut });
        digest_stream_add(other, STR(""));
        digest_stream_add(stream, str_from(view, cut));
        digest_stream_end(stream, pieces);
        digest_stream_end(other, nothing);
        assert_memory_equal(pieces, whole, SHA256_BYTES);
    }
    assert_hex(nothing, sizeof(nothing),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_digest_keyed(void **state)
{
    static const unsigned char key[33] = "thirty-two bytes of a test's key";
    static const unsigned char other_key[33] = "thirty-two bytes of another key.";
    struct hmac_key *kept = hmac_key_new(key), *other = hmac_key_new(other_key);
    unsigned char keyed[SHA256_BYTES], plain[SHA256_BYTES];

    (void)state;
    digest_sha256(STR("thirty-two bytes of a test's keymessage"), plain);
    digest_keyed(kept, STR("message"), keyed);
    assert_memory_equal(keyed, plain, SHA256_BYTES);
    digest_keyed(other, STR("message"), keyed);
    assert_memory_not_equal(keyed, plain, SHA256_BYTES);
    digest_keyed(kept, (struct str){ NULL, 0 }, keyed);
    digest_sha256(STR("thirty-two bytes of a test's key"), plain);
    assert_memory_equal(keyed, plain, SHA256_BYTES);
    hmac_key_free(kept);
    hmac_key_free(other);
}

static bool hmac_matches(const json_t *test, size_t tag_bytes)
{
    struct bytes key = vector_hex(test, "key"), message = vector_hex(test, "msg"),
                 tag = vector_hex(test, "tag");
    struct hmac_key *mac_key = hmac_key_new(key.at);
    unsigned char mac[SHA256_BYTES], split[SHA256_BYTES];
    size_t half = message.len / 2;
    bool matches;

    hmac_sha256(mac_key, (struct str){ NULL, 0 }, bytes_str(message), mac);
    /* A label and a message are one text. */
    hmac_sha256(mac_key, (struct str){ (const char *)message.at, half },
                str_from(bytes_str(message), half), split);
    assert_memory_equal(mac, split, SHA256_BYTES);
    matches = tag.len == tag_bytes && memcmp(mac, tag.at, tag_bytes) == 0;
    hmac_key_free(mac_key);
    free(key.at);
    free(message.at);
    free(tag.at);
    return matches;
}

static void test_hmac_wycheproof(void **state)
{
    json_t *document = vector_load("wycheproof/hmac_sha256_test.json");
    struct tally tally = { 0 };
    json_t *group, *test;
    size_t i, j;

    (void)state;
    json_array_foreach(json_object_get(document, "testGroups"), i, group)
    {
        json_t *tests = json_object_get(group, "tests");

        if (vector_int(group, "keySize") != 256) {
            tally_left_out(&tally, "our keys have 256 bits", (unsigned)json_array_size(tests));
            continue;
        }
        json_array_foreach(tests, j, test)
        {
            bool matches = hmac_matches(test, (size_t)vector_int(group, "tagSize") / 8);

            tally_verdict(&tally, test, matches, vector_is_valid(test));
        }
    }
    json_decref(document);
    tally_print(&tally, "hmac_sha256");
    assert_int_equal(tally.checked, 162);
    assert_int_equal(tally.wrong, 0);
}

static bool hkdf_matches(const json_t *test)
{
    struct bytes material = vector_hex(test, "ikm"), info = vector_hex(test, "info"),
                 key = vector_hex(test, "okm");
    unsigned char derived[32];
    bool matches;

    hkdf_sha256(bytes_str(material), bytes_str(info), derived);
    matches = key.len <= sizeof(derived) && memcmp(derived, key.at, key.len) == 0;
    free(material.at);
    free(info.at);
    free(key.at);
    return matches;
}

/* Without a salt: RFC 5869 2.2 */
static void test_hkdf_wycheproof(void **state)
{
    json_t *document = vector_load("wycheproof/hkdf_sha256_test.json");
    struct tally tally = { 0 };
    json_t *group, *test;
    size_t i, j;

    (void)state;
    json_array_foreach(json_object_get(document, "testGroups"), i, group)
    {
        json_array_foreach(json_object_get(group, "tests"), j, test)
        {
            /* A shorter key is the beginning of a longer one: RFC 5869 2.3 */
            if (*vector_string(test, "salt") != '\0')
                tally_left_out(&tally, "we use no salt", 1);
            else if (vector_int(test, "size") > 32)
                tally_left_out(&tally, "our keys have 32 bytes", 1);
            else
                tally_verdict(&tally, test, hkdf_matches(test), vector_is_valid(test));
        }
    }
    json_decref(document);
    tally_print(&tally, "hkdf_sha256");
    assert_int_equal(tally.checked, 7);
    assert_int_equal(tally.wrong, 0);
}

/* More keys than a thread keeps contexts for, in turn: each keeps its own MACs. */
static void test_hmac_many_keys(void **state)
{
    enum { KEY_COUNT = 100 };
    struct hmac_key *keys[KEY_COUNT];
    unsigned char first[KEY_COUNT][SHA256_BYTES], again[SHA256_BYTES];

    (void)state;
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        unsigned char key[32] = { (unsigned char)i };

        keys[i] = hmac_key_new(key);
        hmac_sha256(keys[i], STR("label"), STR("message"), first[i]);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < KEY_COUNT; i++) {
            hmac_sha256(keys[i], STR("label"), STR("message"), again);
            assert_memory_equal(again, first[i], SHA256_BYTES);
        }
    }
    for (unsigned i = 1; i < KEY_COUNT; i++)
        assert_memory_not_equal(first[i - 1], first[i], SHA256_BYTES);
    for (unsigned i = 0; i < KEY_COUNT; i++)
        hmac_key_free(keys[i]);
}

/* A key made where a freed one lay must not meet that one's contexts. */
static void test_hmac_key_after_free(void **state)
{
    unsigned char last[SHA256_BYTES] = { 0 }, mac[SHA256_BYTES];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        unsigned char bytes[32] = { (unsigned char)i, (unsigned char)(i >> 8) };
        struct hmac_key *key = hmac_key_new(bytes);

        hmac_sha256(key, STR(""), STR("message"), mac);
        assert_memory_not_equal(mac, last, SHA256_BYTES);
        memcpy(last, mac, sizeof(last));
        hmac_key_free(key);
    }
    hmac_key_free(NULL);
}

static void test_random_bytes(void **state)
{
    unsigned char a[300] = { 0 }, b[300] = { 0 };
    unsigned seen = 0;

    (void)state;
    random_bytes(a, 0);
    assert_memory_equal(a, b, sizeof(a));
    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    for (size_t i = sizeof(a) - 16; i < sizeof(a); i++)
        seen |= a[i];
    assert_int_not_equal(seen, 0); /* filled to the end, but for a chance of 2^-128 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_examples), cmocka_unit_test(test_digest_keyed),
        cmocka_unit_test(test_digest_stream),   cmocka_unit_test(test_sha256_leaves_no_state),
        cmocka_unit_test(test_hmac_wycheproof), cmocka_unit_test(test_hkdf_wycheproof),
        cmocka_unit_test(test_hmac_many_keys),  cmocka_unit_test(test_hmac_key_after_free),
        cmocka_unit_test(test_random_bytes),    cmocka_unit_test(test_sha512_examples),
    };

    crypto_init();
    return cmocka_run_group_tests_name("crypto/digest", tests, NULL, NULL);
}
