/* PKCE's verifier, character by character (CP-04). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "codec/base64url.h"
#include "crypto/digest.h"
#include "oauth/pkce.h"

enum { VERIFIER_BYTES = PKCE_VERIFIER_BYTES_MAX + 1 };

/* Whether a verifier is good for its own challenge. */
static bool is_good(const char *verifier, size_t len)
{
    struct str text = { verifier, len };
    unsigned char digest[SHA256_BYTES];
    char memory[PKCE_CHALLENGE_BYTES];
    struct buffer challenge = buffer_over(memory, sizeof(memory));
    struct secret secret;

    digest_sha256(text, digest);
    base64url_encode((struct str){ (const char *)digest, sizeof(digest) }, &challenge);
    assert_int_equal(secret_set(&secret, text), RC_OK);
    return pkce_verify(&secret, buffer_str(&challenge));
}

static void test_cp_04_each_character(void **state)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~"; /* RFC 7636 4.1 */
    char verifier[VERIFIER_BYTES];

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool is_unreserved = byte != 0 && strchr(unreserved, byte) != NULL;

        memset(verifier, 'a', sizeof(verifier));
        verifier[20] = (char)byte;
        assert_int_equal(is_good(verifier, PKCE_VERIFIER_BYTES_MIN), is_unreserved);
    }
}

static void test_cp_04_lengths(void **state)
{
    char verifier[VERIFIER_BYTES];

    (void)state;
    memset(verifier, 'a', sizeof(verifier));
    assert_false(is_good(verifier, PKCE_VERIFIER_BYTES_MIN - 1));
    assert_true(is_good(verifier, PKCE_VERIFIER_BYTES_MIN));
    assert_true(is_good(verifier, PKCE_VERIFIER_BYTES_MAX));
    assert_false(is_good(verifier, PKCE_VERIFIER_BYTES_MAX + 1));
}

/* A challenge that is no whole one, of whatever reached the store. */
static void test_a_part_of_the_challenge_is_none(void **state)
{
    static const char verifier[] = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    static const char challenge[] = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    struct secret secret;

    (void)state;
    assert_int_equal(secret_set(&secret, str_of(verifier)), RC_OK);
    assert_true(pkce_verify(&secret, str_of(challenge)));
    for (size_t len = 0; len < sizeof(challenge) - 1; len++)
        assert_false(pkce_verify(&secret, (struct str){ challenge, len }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cp_04_each_character),
        cmocka_unit_test(test_cp_04_lengths),
        cmocka_unit_test(test_a_part_of_the_challenge_is_none),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
