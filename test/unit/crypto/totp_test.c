#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "crypto/digest.h"
#include "crypto/totp.h"

/* RFC 4226 5.3, appendix D */
static void test_hotp_vectors(void **state)
{
    json_t *document = vector_load("rfc/rfc4226_hotp.json"), *test;
    struct bytes secret = vector_hex(document, "secret_hex");
    unsigned count = 0;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(document, "cases"), i, test)
    {
        char digits[TOTP_DIGIT_COUNT];

        totp_format(bytes_str(secret), vector_int(test, "counter"), TOTP_DIGIT_COUNT, digits);
        assert_memory_equal(digits, vector_string(test, "hotp"), sizeof(digits));
        count++;
    }
    assert_int_equal(count, 10);
    free(secret.at);
    json_decref(document);
}

/* RFC 6238 appendix B: the rows of HMAC-SHA-1. */
static void test_totp_vectors(void **state)
{
    json_t *document = vector_load("rfc/rfc6238_totp.json"), *test;
    struct bytes secret = vector_hex(json_object_get(document, "secrets_hex"), "sha1");
    unsigned count = 0;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(document, "cases"), i, test)
    {
        int64_t time = json_integer_value(json_object_get(test, "time"));
        char digits[8];

        if (strcmp(vector_string(test, "alg"), "sha1") != 0)
            continue;
        totp_format(bytes_str(secret), time / TOTP_STEP_S, 8, digits);
        assert_memory_equal(digits, vector_string(test, "totp8"), 8);
        totp_format(bytes_str(secret), time / TOTP_STEP_S, 6, digits);
        assert_memory_equal(digits, vector_string(test, "totp6"), 6);
        count++;
    }
    assert_int_equal(count, 6);
    free(secret.at);
    json_decref(document);
}

static void test_large_steps(void **state)
{
    struct str secret = STR("12345678901234567890");
    char now[TOTP_DIGIT_COUNT], later[TOTP_DIGIT_COUNT];

    (void)state;
    /* The counter has 64 bits: what differs above the lowest 32 is another code. */
    totp_format(secret, 1, TOTP_DIGIT_COUNT, now);
    totp_format(secret, 1 + (INT64_C(1) << 32), TOTP_DIGIT_COUNT, later);
    assert_memory_equal(now, "287082", sizeof(now));
    assert_memory_not_equal(now, later, sizeof(now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hotp_vectors),
        cmocka_unit_test(test_totp_vectors),
        cmocka_unit_test(test_large_steps),
    };

    crypto_init();
    return cmocka_run_group_tests_name("crypto/totp", tests, NULL, NULL);
}
