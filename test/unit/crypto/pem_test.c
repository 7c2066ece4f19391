#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "crypto/digest.h"
#include "crypto/signer.h"

static EVP_PKEY *read_pem(struct str text)
{
    BIO *memory = BIO_new_mem_buf(text.at, (int)text.len);
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL);

    /* Nothing behind it. */
    assert_true(BIO_eof(memory));
    BIO_free(memory);
    assert_non_null(pkey);
    return pkey;
}

static void assert_number(const EVP_PKEY *pkey, const char *name, const unsigned char *bytes,
                          size_t len)
{
    unsigned char read[512];
    BIGNUM *number = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, name, &number), 1);
    assert_int_equal(BN_bn2binpad(number, read, (int)len), (int)len);
    assert_memory_equal(read, bytes, len);
    BN_free(number);
}

static struct str write_pem(enum signer_kind kind, struct public_key *out_key, char *memory,
                            size_t max_bytes)
{
    struct buffer pem = buffer_over(memory, max_bytes);
    struct signer *signer = NULL;

    assert_int_equal(signer_generate(kind, &signer), RC_OK);
    signer_public(signer, out_key);
    signer_free(signer);
    assert_int_equal(public_key_format_pem(out_key, &pem), RC_OK);
    assert_false(pem.overflow);
    return buffer_str(&pem);
}

static void test_rsa(void **state)
{
    struct public_key key;
    char memory[2048];
    struct str pem = write_pem(SIGNER_RS256, &key, memory, sizeof(memory));
    EVP_PKEY *pkey = read_pem(pem);

    (void)state;
    assert_true(str_starts_with(pem, STR("-----BEGIN PUBLIC KEY-----\n")));
    assert_true(str_ends_with(pem, STR("\n-----END PUBLIC KEY-----\n")));
    assert_true(EVP_PKEY_is_a(pkey, "RSA"));
    assert_number(pkey, OSSL_PKEY_PARAM_RSA_N, key.n, key.n_bytes);
    assert_number(pkey, OSSL_PKEY_PARAM_RSA_E, key.e, key.e_bytes);
    EVP_PKEY_free(pkey);
}

static void test_ec(void **state)
{
    struct public_key key;
    char memory[512];
    EVP_PKEY *pkey = read_pem(write_pem(SIGNER_ES256, &key, memory, sizeof(memory)));

    (void)state;
    assert_true(EVP_PKEY_is_a(pkey, "EC"));
    assert_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, key.x, sizeof(key.x));
    assert_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, key.y, sizeof(key.y));
    EVP_PKEY_free(pkey);
}

static void test_ed25519(void **state)
{
    struct public_key key;
    char memory[512];
    unsigned char read[32];
    size_t len = sizeof(read);
    EVP_PKEY *pkey = read_pem(write_pem(SIGNER_EDDSA, &key, memory, sizeof(memory)));

    (void)state;
    assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, read, &len), 1);
    assert_int_equal(len, sizeof(key.x));
    assert_memory_equal(read, key.x, sizeof(key.x));
    EVP_PKEY_free(pkey);
}

static void test_refuses(void **state)
{
    struct public_key key;
    char memory[2048];
    struct buffer pem = buffer_over(memory, sizeof(memory));

    (void)state;
    (void)write_pem(SIGNER_ES256, &key, memory, sizeof(memory));
    key.y[31] ^= 1; /* off the curve */
    assert_int_equal(public_key_format_pem(&key, &pem), RC_INVALID);
    assert_int_equal(pem.len, 0);
    key.y[31] ^= 1;
    pem = buffer_over(memory, 100);
    assert_int_equal(public_key_format_pem(&key, &pem), RC_OK);
    assert_true(pem.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_ec),
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_refuses),
    };

    crypto_init();
    return cmocka_run_group_tests_name("crypto/pem", tests, NULL, NULL);
}
