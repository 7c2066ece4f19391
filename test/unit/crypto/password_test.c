#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>

#include "../vectors.h"
#include "crypto/digest.h"
#include "crypto/password.h"

static const struct password_cost small = { 64, 1 };

static struct secret secret_of(struct str text)
{
    struct secret secret = { 0 };

    assert_int_equal(secret_set(&secret, text), RC_OK);
    return secret;
}

static enum rc verify(struct str password, const char *stored_hash)
{
    struct secret secret = secret_of(password);

    return password_verify(&secret, str_of(stored_hash));
}

/* PW-04 */
static void test_hash_and_verify(void **state)
{
    struct secret password = secret_of(STR("correct horse battery staple"));
    char hash[PASSWORD_HASH_BYTES_MAX], again[PASSWORD_HASH_BYTES_MAX];

    (void)state;
    assert_int_equal(password_hash(&password, PASSWORD_COST_DEFAULT, hash), RC_OK);
    assert_true(str_starts_with(str_of(hash), STR("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_int_equal(password_verify(&password, str_of(hash)), RC_OK);
    assert_int_equal(verify(STR("correct horse battery stapl"), hash), RC_REFUSED);
    assert_int_equal(verify(STR("correct horse battery staplf"), hash), RC_REFUSED);
    assert_int_equal(verify(STR(""), hash), RC_REFUSED);
    assert_int_equal(password_hash(&password, small, hash), RC_OK);
    assert_int_equal(password_hash(&password, small, again), RC_OK);
    assert_string_not_equal(hash, again);
    password_verify_nothing(&password, small);
}

/* PW-01: no byte of a long password is ignored, and NUL is a byte like any other. */
static void test_no_cut(void **state)
{
    char text[SECRET_BYTES_MAX] = { 0 };
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct secret password;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[10] = '\0';
    password = secret_of((struct str){ text, sizeof(text) });
    assert_int_equal(password_hash(&password, small, hash), RC_OK);
    assert_int_equal(password_verify(&password, str_of(hash)), RC_OK);
    text[sizeof(text) - 1] = 'b';
    assert_int_equal(verify((struct str){ text, sizeof(text) }, hash), RC_REFUSED);
    assert_int_equal(verify((struct str){ text, sizeof(text) - 1 }, hash), RC_REFUSED);
}

static void test_cost_limits(void **state)
{
    struct secret password = secret_of(STR("password"));
    char hash[PASSWORD_HASH_BYTES_MAX] = "untouched";
    static const struct password_cost dear[] = { { PASSWORD_MEMORY_KIB_MAX + 1, 1 },
                                                 { 64, PASSWORD_PASSES_MAX + 1 },
                                                 { PASSWORD_MEMORY_KIB_MAX, 5 } };

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(password_hash(&password, dear[i], hash), RC_CRYPTO);
    assert_string_equal(hash, "untouched");
}

static void test_needs_upgrade(void **state)
{
    static const struct password_cost cost = { 19456, 2 };
    static const struct {
        const char *hash;
        bool needs;
    } cases[] = {
        { "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAA", false },
        { "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$AAAA", false },
        { "$argon2id$v=19$m=19455,t=2,p=1$c29tZXNhbHQ$AAAA", true },
        { "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$AAAA", true },
        { "$argon2i$v=19$m=65536,t=3,p=1$c29tZXNhbHQ$AAAA", true },
        { "$2b$12$abcdefghijklmnopqrstuu", true },
        { "$scrypt$ln=15,r=8,p=1$AA$AA", true },
        { "", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(password_needs_upgrade(str_of(cases[i].hash), cost), cases[i].needs);
}

static void test_argon2_vectors(void **state)
{
    json_t *document = vector_load("password-hashes/argon2_phc.json");
    unsigned checked = 0, left_out = 0;
    json_t *one;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(document, "cases"), i, one)
    {
        struct str password = str_of(vector_string(one, "password"));
        const char *hash = vector_string(one, "phc");

        if (vector_int(one, "version") == 19) {
            assert_int_equal(verify(password, hash), RC_OK);
            /* Once is enough for the ones that take long. */
            if (vector_int(one, "m_kib") < 65536)
                assert_int_equal(verify(STR("wrong"), hash), RC_REFUSED);
            checked++;
        } else {
            assert_int_equal(verify(password, hash), RC_REFUSED);
            left_out++;
        }
    }
    printf("argon2: %u checked; %u refused: the library has only version 1.3\n", checked, left_out);
    assert_int_equal(checked, 16);
    assert_int_equal(left_out, 8);
    json_array_foreach(json_object_get(document, "malformed"), i, one)
        assert_int_equal(verify(STR("password"), json_string_value(one)), RC_REFUSED);
    assert_int_equal(i, 9);
    json_decref(document);
}

static void test_crypt_vectors(void **state)
{
    json_t *document = vector_load("password-hashes/crypt_strings.json");
    json_t *one;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(document, "cases"), i, one)
    {
        const char *hash = vector_string(one, "hash");

        assert_int_equal(verify(str_of(vector_string(one, "password")), hash), RC_OK);
        assert_int_equal(verify(STR("wrong"), hash), RC_REFUSED);
        /* What a C string would cut off must not be ignored. */
        assert_int_equal(verify(STR("U*U\0more"), hash), RC_REFUSED);
        assert_true(password_needs_upgrade(str_of(hash), small));
    }
    assert_int_equal(i, 10);
    json_decref(document);
}

static void encode(const unsigned char *bytes, size_t len, char out_text[static 128])
{
    assert_non_null(
        sodium_bin2base64(out_text, 128, bytes, len, sodium_base64_VARIANT_ORIGINAL_NO_PADDING));
}

static int log2_of(int number)
{
    int log = 0;

    while (number > 1 << log)
        log++;
    return log;
}

/* The derived keys of RFC 7914 sections 11 and 12, dressed as PHC strings. */
static void test_kdf_vectors(void **state)
{
    json_t *document = vector_load("password-hashes/rfc7914_scrypt_pbkdf2.json");
    json_t *one;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(document, "cases"), i, one)
    {
        struct str password = str_of(vector_string(one, "password"));
        const char *salt_text = vector_string(one, "salt");
        struct bytes derived = vector_hex(one, "dk_hex");
        char phc[2 * PASSWORD_HASH_BYTES_MAX], salt[128], hash[128];

        encode((const unsigned char *)salt_text, strlen(salt_text), salt);
        encode(derived.at, derived.len, hash);
        if (strcmp(vector_string(one, "kdf"), "scrypt") == 0)
            snprintf(phc, sizeof(phc), "$scrypt$ln=%d,r=%d,p=%d$%s$%s",
                     log2_of(vector_int(one, "N")), vector_int(one, "r"), vector_int(one, "p"),
                     salt, hash);
        else
            snprintf(phc, sizeof(phc), "$pbkdf2-sha256$i=%d$%s$%s", vector_int(one, "iterations"),
                     salt, hash);
        assert_int_equal(verify(password, phc), RC_OK);
        assert_int_equal(verify(STR("wrong"), phc), RC_REFUSED);
        free(derived.at);
    }
    assert_int_equal(i, 5);
    json_decref(document);
}

/* Made with another library, from "correct horse". */
static void test_imported_forms(void **state)
{
    static const char *const hashes[] = {
        "$pbkdf2-sha256$i=1000$AAECAwQFBgcICQoLDA0ODw$yRTMTwbMbo9G0VfjobWqerzuuxe7BETNTErBbKKumGQ",
        "$pbkdf2-sha256$1000$./v7./v7./v7./v7./v7.w$6K/S943NADeFiTn06SjokqKekWwRk0.FHe719IKmFUY",
        ("$pbkdf2-sha512$i=1000$AAECAwQFBgcICQoLDA0ODw$Xpx07WjVx4vCIvrmBRj8uOoVVtGqJqtUv2J5bhizSQs"
         "7osCteF7W4A61dZDqSIqQjO+dxO6p5FT/Uy7QRBXSXA"),
        "{SSHA}qCcpH8WsaPTpkWcsws2aDtwVpxlzb21lIHNhbHQ=",
        "{SSHA256}BTCFlhrxvmRJMTbVSZRH+utXKVpZl38wh2otum36EwNzb21lIHNhbHQ=",
        ("{SSHA512}dRGA0U2jVHEd1jeRN70P0siUUj4zqeJvKAMYgdiuAag61JY1EUr"
         "Tr/a2GeVC8VpQsE9+Sc8JD9PIqbGLz/WIT3NvbWUgc2FsdA=="),
        "$scrypt$ln=10,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        assert_true(password_is_known(str_of(hashes[i])));
        assert_int_equal(verify(STR("correct horse"), hashes[i]), RC_OK);
        assert_int_equal(verify(STR("correct horsf"), hashes[i]), RC_REFUSED);
        assert_int_equal(verify(STR(""), hashes[i]), RC_REFUSED);
    }
}

/* No work is done for any of these; what scrypt asks for is bounded by RFC 7914 6. */
static void test_stored_hashes_refused(void **state)
{
    static const char *const hashes[] = {
        "",
        "$",
        "password",
        "{PLAIN}password",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9",
        "{SSHA512}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "$1$saltsalt$XXXXXXXXXXXXXXXXXXXXXX",
        "ab0123456789.",
        "$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=262144,t=5,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$2b$31$abcdefghijklmnopqrstuuGGgFFcYeueaAql8Z7U7CnCTRw4DR77W",
        "$2b$15$",
        "$2b$",
        "$2x$05$abcdefghijklmnopqrstuuGGgFFcYeueaAql8Z7U7CnCTRw4DR77W",
        "$2b$xx$",
        "*0",
        "*1",
        "$6$rounds=999999999$saltstring$x",
        "$6$rounds=$saltstring$x",
        "$6$",
        "$5$",
        "$6$salt",
        "$y$",
        "$y$jFT$abc$def",
        "$y$j9T$",
        "$7$CU..../....x$y",
        "$pbkdf2-sha256$i=4294967296$AAECAwQFBgc$yRTMTwbMbo9G0VfjobWqerzuuxe7BETNTErBbKKumGQ",
        "$pbkdf2-sha256$i=0$AAECAwQFBgc$yRTMTwbMbo9G0VfjobWqerzuuxe7BETNTErBbKKumGQ",
        "$pbkdf2-sha256$i=1000$AAECAwQFBgc$",
        "$pbkdf2-sha256$i=1000$AAECAwQFBgc$AAAA",
        "$pbkdf2-sha256$i=1000$AAECAwQFBgc",
        "$pbkdf2-sha256$",
        "$pbkdf2-sha1$i=1000$AA$AA",
        "$pbkdf2-sha256$i=1000$AAEC!wQFBgc$yRTMTwbMbo9G0VfjobWqerzuuxe7BETNTErBbKKumGQ",
        "$scrypt$ln=18,r=8,p=1$AAEC$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        "$scrypt$ln=17,r=32,p=1$AAEC$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        "$scrypt$ln=0,r=8,p=1$AAEC$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        "$scrypt$ln=10,r=0,p=1$AAEC$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        "$scrypt$ln=10,r=8,p=0$AAEC$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        "$scrypt$ln=10,x=8,p=1$AAEC$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        "$scrypt$ln=10,r=x,p=1$AAEC$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        "$scrypt$ln=10,r=8,x=1$AAEC$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        "$scrypt$ln=10,r=8,p=x$AAEC$nfkj3u1fRTHCea+fVr03sWV770kp5wLOLoEakziKhqE",
        "$scrypt$ln=10,r=8,p=1$AAEC",
        "$scrypt$",
        "$argon2id$v=19$m=64,t=1",
        "$argon2id$v=19$m=64,t=33,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=64,x=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=64,t=1,x=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$x=64,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$6$salt\n$x",
    };
    char long_hash[PASSWORD_HASH_BYTES_MAX + 100];

    (void)state;
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        if (verify(STR("password"), hashes[i]) != RC_REFUSED)
            fail_msg("not refused: %s", hashes[i]);
        if (password_is_known(str_of(hashes[i])))
            fail_msg("taken for known: %s", hashes[i]);
    }
    memset(long_hash, 'A', sizeof(long_hash));
    memcpy(long_hash, "$6$salt$", 8);
    long_hash[sizeof(long_hash) - 1] = '\0';
    assert_int_equal(verify(STR("password"), long_hash), RC_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_and_verify),       cmocka_unit_test(test_no_cut),
        cmocka_unit_test(test_cost_limits),           cmocka_unit_test(test_needs_upgrade),
        cmocka_unit_test(test_argon2_vectors),        cmocka_unit_test(test_crypt_vectors),
        cmocka_unit_test(test_kdf_vectors),           cmocka_unit_test(test_imported_forms),
        cmocka_unit_test(test_stored_hashes_refused),
    };

    crypto_init();
    return cmocka_run_group_tests_name("crypto/password", tests, NULL, NULL);
}
