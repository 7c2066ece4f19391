#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "crypto/digest.h"
#include "crypto/signer.h"

static const enum signer_kind kinds[] = { SIGNER_ES256, SIGNER_EDDSA, SIGNER_RS256 };
enum { KIND_COUNT = 3 };

/* One key of each kind for all tests: an RSA key takes its time under sanitizers. */
static struct signer *signers[KIND_COUNT];
static struct verifier *verifiers[KIND_COUNT];

static int make_keys(void **state)
{
    struct public_key public_key;

    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (signer_generate(kinds[i], &signers[i]) != RC_OK)
            return -1;
        signer_public(signers[i], &public_key);
        if (verifier_new(&public_key, &verifiers[i]) != RC_OK)
            return -1;
    }
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        signer_free(signers[i]);
        verifier_free(verifiers[i]);
    }
    return 0;
}

static struct str sign(const struct signer *signer, struct str message,
                       unsigned char out_signature[static SIGNER_SIGNATURE_BYTES_MAX])
{
    size_t len = 0;

    assert_int_equal(signer_sign(signer, message, out_signature, &len), RC_OK);
    return (struct str){ (const char *)out_signature, len };
}

static void test_sign_and_verify(void **state)
{
    static const size_t lengths[KIND_COUNT] = { 64, 64, SIGNER_RSA_BITS / 8 };
    unsigned char memory[SIGNER_SIGNATURE_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct str signature = sign(signers[i], STR("message"), memory);

        assert_int_equal(signer_kind(signers[i]), kinds[i]);
        assert_int_equal(verifier_kind(verifiers[i]), kinds[i]);
        assert_int_equal(signature.len, lengths[i]);
        assert_int_equal(verifier_verify(verifiers[i], STR("message"), signature), RC_OK);
        assert_int_equal(verifier_verify(verifiers[i], STR("messagf"), signature), RC_REFUSED);
        assert_int_equal(verifier_verify(verifiers[i], STR(""), signature), RC_REFUSED);
        signature = sign(signers[i], (struct str){ NULL, 0 }, memory);
        assert_int_equal(verifier_verify(verifiers[i], STR(""), signature), RC_OK);
    }
}

static void test_each_flipped_bit_of_a_signature(void **state)
{
    unsigned char memory[SIGNER_SIGNATURE_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct str signature = sign(signers[i], STR("message"), memory);

        for (size_t bit = 0; bit < signature.len * 8; bit++) {
            memory[bit / 8] ^= (unsigned char)(1U << bit % 8);
            assert_int_equal(verifier_verify(verifiers[i], STR("message"), signature), RC_REFUSED);
            memory[bit / 8] ^= (unsigned char)(1U << bit % 8);
        }
        for (size_t len = 0; len < signature.len; len++)
            assert_int_equal(
                verifier_verify(verifiers[i], STR("message"), (struct str){ signature.at, len }),
                RC_REFUSED);
        assert_int_equal(verifier_verify(verifiers[i], STR("message"), signature), RC_OK);
    }
}

static void test_signatures_of_other_keys(void **state)
{
    unsigned char memory[SIGNER_SIGNATURE_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        for (size_t j = 0; j < KIND_COUNT; j++) {
            struct str signature = sign(signers[j], STR("message"), memory);

            if (i != j)
                assert_int_equal(verifier_verify(verifiers[i], STR("message"), signature),
                                 RC_REFUSED);
        }
    }
}

static void test_export_and_import(void **state)
{
    char memory[SIGNER_PRIVATE_BYTES_MAX];
    unsigned char signature_memory[SIGNER_SIGNATURE_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct buffer exported = buffer_over(memory, sizeof(memory)), small;
        struct public_key before, after;
        struct signer *again = NULL;

        assert_int_equal(signer_export_private(signers[i], &exported), RC_OK);
        assert_int_equal(signer_import_private(kinds[i], buffer_str(&exported), &again), RC_OK);
        signer_public(signers[i], &before);
        signer_public(again, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        assert_int_equal(verifier_verify(verifiers[i], STR("message"),
                                         sign(again, STR("message"), signature_memory)),
                         RC_OK);
        signer_free(again);

        small = buffer_over(memory, exported.len - 1);
        assert_int_equal(signer_export_private(signers[i], &small), RC_TOO_LARGE);
    }
}

static void test_import_refuses(void **state)
{
    char memory[SIGNER_PRIVATE_BYTES_MAX + 1] = { 0 };
    struct signer *signer = NULL;

    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct buffer exported = buffer_over(memory, SIGNER_PRIVATE_BYTES_MAX);
        struct str whole;

        assert_int_equal(signer_export_private(signers[i], &exported), RC_OK);
        whole = buffer_str(&exported);
        /* Another kind, one byte too few, one too many. */
        for (size_t j = 0; j < KIND_COUNT; j++) {
            if (i != j)
                assert_int_equal(signer_import_private(kinds[j], whole, &signer), RC_INVALID);
        }
        assert_int_equal(
            signer_import_private(kinds[i], (struct str){ whole.at, whole.len - 1 }, &signer),
            RC_INVALID);
        assert_int_equal(
            signer_import_private(kinds[i], (struct str){ whole.at, whole.len + 1 }, &signer),
            RC_INVALID);
        assert_int_equal(signer_import_private(kinds[i], (struct str){ NULL, 0 }, &signer),
                         RC_INVALID);
    }
    assert_null(signer);
}

/* A private number that is not the public one's is found before it signs anything. */
static void test_import_refuses_torn_pair(void **state)
{
    char memory[SIGNER_PRIVATE_BYTES_MAX];
    struct buffer exported = buffer_over(memory, sizeof(memory));
    struct signer *signer = NULL;

    (void)state;
    assert_int_equal(signer_export_private(signers[0], &exported), RC_OK);
    /* The private number stands in the middle, the public point at the end. */
    memory[50] = (char)(memory[50] ^ 1);
    assert_int_equal(signer_import_private(SIGNER_ES256, buffer_str(&exported), &signer),
                     RC_INVALID);
    assert_null(signer);
}

/* ES256 is P-256 and nothing else (RFC 7518 3.4): a key on secp256k1, PKCS #8. */
static void test_import_refuses_other_curve(void **state)
{
    struct bytes der =
        hex_decode("308184020100301006072a8648ce3d020106052b8104000a046d306b0201010420"
                   "0000000000000000000000000000000000000000000000000000000000000001a144034200"
                   "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
                   "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8");
    struct signer *signer = NULL;

    (void)state;
    assert_int_equal(signer_import_private(SIGNER_ES256, bytes_str(der), &signer), RC_INVALID);
    assert_null(signer);
    free(der.at);
}

/* RFC 8032 7.1, test 2. */
static void test_ed25519_example(void **state)
{
    struct bytes seed =
        hex_decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    struct bytes wanted_key =
        hex_decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    struct bytes wanted =
        hex_decode("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                   "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    unsigned char memory[SIGNER_SIGNATURE_BYTES_MAX];
    struct public_key public_key;
    struct signer *signer = NULL;

    (void)state;
    assert_int_equal(signer_import_private(SIGNER_EDDSA, bytes_str(seed), &signer), RC_OK);
    signer_public(signer, &public_key);
    assert_memory_equal(public_key.x, wanted_key.at, 32);
    assert_true(str_equal(sign(signer, STR("\x72"), memory), bytes_str(wanted)));
    signer_free(signer);
    free(seed.at);
    free(wanted_key.at);
    free(wanted.at);
}

static enum rc try_key(const struct public_key *key)
{
    struct verifier *verifier = NULL;
    enum rc rc = verifier_new(key, &verifier);

    verifier_free(verifier);
    return rc;
}

/* RFC 8725 3.4: points that are not on the curve, or in a small subgroup. */
static void test_verifier_refuses_points(void **state)
{
    struct public_key key;

    (void)state;
    for (size_t i = 0; i < 2; i++) { /* ES256, EdDSA */
        struct public_key zero = { .kind = kinds[i] }, ones = { .kind = kinds[i] };

        memset(ones.x, 0xff, sizeof(ones.x));
        memset(ones.y, 0xff, sizeof(ones.y));
        assert_int_equal(try_key(&zero), RC_INVALID);
        assert_int_equal(try_key(&ones), RC_INVALID);
    }
    signer_public(signers[0], &key);
    key.y[31] ^= 1;
    assert_int_equal(try_key(&key), RC_INVALID);
    /* The identity and a point of order 8 of edwards25519. */
    key = (struct public_key){ .kind = SIGNER_EDDSA, .x = { 1 } };
    assert_int_equal(try_key(&key), RC_INVALID);
}

/* KY-03; RFC 7518 3.3: at least 2048 bits. */
static void test_verifier_refuses_rsa(void **state)
{
    struct public_key sound, key;

    (void)state;
    signer_public(signers[2], &sound);
    key = sound;
    assert_int_equal(try_key(&key), RC_OK);
    key.n_bytes = 255; /* under 2048 bits: 2040 */
    key.n[254] |= 1;
    assert_int_equal(try_key(&key), RC_INVALID);
    key = sound;
    key.n[key.n_bytes - 1] &= 0xfe;
    assert_int_equal(try_key(&key), RC_INVALID);
    key = sound;
    key.e_bytes = 1;
    for (unsigned e = 0; e < 256; e++) {
        key.e[0] = (unsigned char)e;
        assert_int_equal(try_key(&key), RC_INVALID);
    }
    key = sound;
    key.e[2] = 0; /* 65536 */
    assert_int_equal(try_key(&key), RC_INVALID);
    key = sound;
    key.e_bytes = 0;
    assert_int_equal(try_key(&key), RC_INVALID);
    key = sound;
    key.e_bytes = sizeof(key.e) + 1;
    assert_int_equal(try_key(&key), RC_INVALID);
    key = sound;
    key.n_bytes = sizeof(key.n) + 1;
    assert_int_equal(try_key(&key), RC_INVALID);
}

/* ---- Wycheproof ---- */

static void copy_tail(unsigned char *to, size_t to_bytes, struct bytes from)
{
    size_t skip = from.len > to_bytes ? from.len - to_bytes : 0;

    memset(to, 0, to_bytes);
    memcpy(to + to_bytes - (from.len - skip), from.at + skip, from.len - skip);
}

static struct public_key group_key(const json_t *group, enum signer_kind kind)
{
    const json_t *from = json_object_get(group, "publicKey");
    struct public_key key = { .kind = kind };
    struct bytes first, second = { 0 };

    if (kind == SIGNER_EDDSA) {
        first = vector_hex(from, "pk");
        copy_tail(key.x, sizeof(key.x), first);
    } else if (kind == SIGNER_ES256) {
        first = vector_hex(from, "wx");
        second = vector_hex(from, "wy");
        copy_tail(key.x, sizeof(key.x), first);
        copy_tail(key.y, sizeof(key.y), second);
    } else {
        first = vector_hex(from, "modulus"); /* with a zero in front */
        second = vector_hex(from, "publicExponent");
        key.n_bytes = first.len - 1;
        copy_tail(key.n, key.n_bytes, first);
        key.e_bytes = second.len;
        copy_tail(key.e, key.e_bytes, second);
    }
    free(first.at);
    free(second.at);
    return key;
}

static void run_group(const json_t *group, enum signer_kind kind, struct tally *tally)
{
    struct public_key key = group_key(group, kind);
    json_t *tests = json_object_get(group, "tests");
    struct verifier *verifier = NULL;
    json_t *test;
    size_t i;

    if (kind == SIGNER_RS256 && key.e_bytes == 1) {
        assert_int_equal(verifier_new(&key, &verifier), RC_INVALID);
        tally_left_out(tally, "key refused: exponent 3", (unsigned)json_array_size(tests));
        return;
    }
    assert_int_equal(verifier_new(&key, &verifier), RC_OK);
    json_array_foreach(tests, i, test)
    {
        struct bytes message = vector_hex(test, "msg"), signature = vector_hex(test, "sig");
        enum rc rc = verifier_verify(verifier, bytes_str(message), bytes_str(signature));

        /* "acceptable" is for us no reason to accept. */
        tally_verdict(tally, test, rc == RC_OK, vector_is_valid(test));
        free(message.at);
        free(signature.at);
    }
    verifier_free(verifier);
}

static void run_file(const char *file, enum signer_kind kind, unsigned checked)
{
    json_t *document = vector_load(file);
    struct tally tally = { 0 };
    json_t *group;
    size_t i;

    json_array_foreach(json_object_get(document, "testGroups"), i, group)
        run_group(group, kind, &tally);
    json_decref(document);
    tally_print(&tally, file);
    assert_int_equal(tally.checked, checked);
    assert_int_equal(tally.wrong, 0);
}

static void test_es256_wycheproof(void **state)
{
    (void)state;
    run_file("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", SIGNER_ES256, 262);
}

static void test_eddsa_wycheproof(void **state)
{
    (void)state;
    run_file("wycheproof/ed25519_test.json", SIGNER_EDDSA, 151);
}

static void test_rs256_wycheproof(void **state)
{
    (void)state;
    run_file("wycheproof/rsa_signature_2048_sha256_test.json", SIGNER_RS256, 257);
}

static void test_ps256_wycheproof(void **state)
{
    (void)state;
    run_file("wycheproof/rsa_pss_2048_sha256_mgf1_32_test.json", SIGNER_PS256, 108);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_and_verify),
        cmocka_unit_test(test_each_flipped_bit_of_a_signature),
        cmocka_unit_test(test_signatures_of_other_keys),
        cmocka_unit_test(test_export_and_import),
        cmocka_unit_test(test_import_refuses),
        cmocka_unit_test(test_import_refuses_torn_pair),
        cmocka_unit_test(test_import_refuses_other_curve),
        cmocka_unit_test(test_ed25519_example),
        cmocka_unit_test(test_verifier_refuses_points),
        cmocka_unit_test(test_verifier_refuses_rsa),
        cmocka_unit_test(test_es256_wycheproof),
        cmocka_unit_test(test_eddsa_wycheproof),
        cmocka_unit_test(test_rs256_wycheproof),
        cmocka_unit_test(test_ps256_wycheproof),
    };

    crypto_init();
    return cmocka_run_group_tests_name("crypto/signer", tests, make_keys, free_keys);
}
