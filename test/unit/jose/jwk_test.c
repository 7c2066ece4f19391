#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "crypto/digest.h"
#include "jose/jose.h"

#define P256_X      "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"
#define P256_Y      "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
#define ED25519_X   "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define EC_MEMBERS  "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\""
#define OKP_MEMBERS "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED25519_X "\""

static enum rc try_parse(const char *json)
{
    struct public_key key;

    return jwk_parse_public(str_of(json), &key);
}

static void assert_thumbprint(const struct public_key *key, const char *wanted)
{
    char text[JWK_THUMBPRINT_TEXT_BYTES];

    jwk_thumbprint(key, text);
    assert_int_equal(strlen(wanted), sizeof(text));
    assert_memory_equal(text, wanted, sizeof(text));
}

/* The members that count, in their order: RFC 7638 3.2, for Ed25519 RFC 8037 2 */
static void test_thumbprint_vectors(void **state)
{
    json_t *document = vector_load("rfc/jwk_thumbprints.json");
    json_t *cases = json_object_get(document, "cases"), *one;
    size_t i;

    (void)state;
    json_array_foreach(cases, i, one)
    {
        struct public_key key;

        assert_int_equal(jwk_parse_public(vector_dump(json_object_get(one, "jwk")), &key), RC_OK);
        assert_thumbprint(&key, vector_string(one, "thumbprint"));
    }
    assert_int_equal(i, 4);
    json_decref(document);
}

/* RFC 7638 3.1, the files of the example. */
static void test_thumbprint_example(void **state)
{
    struct public_key key;
    char wanted[JWK_THUMBPRINT_TEXT_BYTES + 1] = { 0 };

    (void)state;
    assert_int_equal(jwk_parse_public(vector_text("jose-rfc/rfc7638_3.1.jwk"), &key), RC_OK);
    assert_int_equal(key.kind, SIGNER_RS256);
    assert_int_equal(key.n_bytes, 256);
    memcpy(wanted, vector_text("jose-rfc/rfc7638_3.1.thp").at, JWK_THUMBPRINT_TEXT_BYTES);
    assert_thumbprint(&key, wanted);
}

static void test_format_and_parse(void **state)
{
    static const enum signer_kind kinds[] = { SIGNER_ES256, SIGNER_EDDSA, SIGNER_RS256 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct signer *signer = NULL;
        struct public_key key, again;
        char memory[2048];
        struct buffer json = buffer_over(memory, sizeof(memory));

        assert_int_equal(signer_generate(kinds[i], &signer), RC_OK);
        signer_public(signer, &key);
        jwk_format_public(&key, STR("kid \"1\""), &json);
        assert_false(json.overflow);
        assert_int_equal(jwk_parse_public(buffer_str(&json), &again), RC_OK);
        assert_memory_equal(&key, &again, sizeof(key));
        signer_free(signer);
    }
}

/* RFC 8037 3.1 */
static void test_format_members(void **state)
{
    struct public_key key;
    char memory[1024];
    struct buffer json = buffer_over(memory, sizeof(memory));

    (void)state;
    assert_int_equal(jwk_parse_public(STR("{" OKP_MEMBERS "}"), &key), RC_OK);
    jwk_format_public(&key, STR("k1"), &json);
    assert_true(
        str_equal(buffer_str(&json), STR("{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"" ED25519_X
                                         "\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"kid\":\"k1\"}")));
    json = buffer_over(memory, 20);
    jwk_format_public(&key, STR("k1"), &json);
    assert_true(json.overflow);
}

/* KY-01: a key set never has private members, and none is read from one. RFC 7518 6.2.2, 6.3.2 */
static void test_private_members_refused(void **state)
{
    static const char *const names[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char json[512];

        snprintf(json, sizeof(json), "{" EC_MEMBERS ",\"%s\":\"AA\"}", names[i]);
        assert_int_equal(try_parse(json), RC_INVALID);
    }
    assert_int_equal(
        jwk_parse_public(vector_text("jose-rfc/rfc7515_A.3.jwk"), &(struct public_key){ 0 }),
        RC_INVALID);
    assert_int_equal(
        jwk_parse_public(vector_text("jose-rfc/rfc7517_B.jwk"), &(struct public_key){ 0 }),
        RC_OK); /* public, with a certificate chain that nobody reads */
}

static void test_parse_accepts(void **state)
{
    static const char *const good[] = {
        "{" EC_MEMBERS "}",
        "{" OKP_MEMBERS "}",
        "{" EC_MEMBERS ",\"alg\":\"ES256\",\"use\":\"sig\",\"kid\":\"a\",\"more\":[1]}",
        "{" EC_MEMBERS ",\"key_ops\":[\"verify\"]}",
        "{" EC_MEMBERS ",\"key_ops\":[\"sign\",\"verify\"]}",
        " { " OKP_MEMBERS " , \"alg\" : \"EdDSA\" } ",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(try_parse(good[i]), RC_OK);
}

static void test_parse_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "null",
        "\"EC\"",
        "{" EC_MEMBERS,
        "[{" EC_MEMBERS "}]",
        "{" EC_MEMBERS "} x",
        /* the wrong purpose: RFC 7517 4.3 */
        "{" EC_MEMBERS ",\"use\":\"enc\"}",
        "{" EC_MEMBERS ",\"use\":[\"sig\"]}",
        "{" EC_MEMBERS ",\"use\":null}",
        "{" EC_MEMBERS ",\"key_ops\":[\"sign\"]}",
        "{" EC_MEMBERS ",\"key_ops\":[]}",
        "{" EC_MEMBERS ",\"key_ops\":[\"verify\",1]}",
        "{" EC_MEMBERS ",\"key_ops\":\"verify\"}",
        "{" EC_MEMBERS ",\"alg\":\"ES384\"}",
        "{" EC_MEMBERS ",\"alg\":\"RS256\"}",
        "{" EC_MEMBERS ",\"alg\":\"none\"}",
        "{" EC_MEMBERS ",\"alg\":\"es256\"}",
        "{" EC_MEMBERS ",\"alg\":7}",
        "{" OKP_MEMBERS ",\"alg\":\"ES256\"}",
        /* duplicates: RFC 7517 4 */
        "{" EC_MEMBERS ",\"kty\":\"EC\"}",
        "{" EC_MEMBERS ",\"x\":\"" P256_X "\"}",
        /* other kinds, curves, cases */
        "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED25519_X "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" ED25519_X "\"}",
        /* RFC 7518 6.2.1.2; numbers: missing, short, long, padded, of another type, with stray bits
         */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"AAAA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"AA" P256_Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "=\",\"y\":\"" P256_Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":1,\"y\":\"" P256_Y "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURp\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS/"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"AMNL\",\"e\":\"AQAB\"}", /* a zero in front: RFC 7518 2 */
        "{\"kty\":\"RSA\",\"n\":\"w0v_\",\"e\":\"AAEAAQ\"}",
        "{\"kty\":\"RSA\",\"n\":\"w0v_\",\"e\":\"AQABAQABAQAB\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (try_parse(bad[i]) != RC_INVALID)
            fail_msg("accepted: %s", bad[i]);
    }
}

/* codec gives jansson memory of its own at its first parse. Vectors must not be loaded before. */
static void use_codec_memory(void)
{
    struct public_key key;

    ASSERT(jwk_parse_public(STR("{}"), &key) == RC_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thumbprint_vectors),      cmocka_unit_test(test_thumbprint_example),
        cmocka_unit_test(test_format_and_parse),        cmocka_unit_test(test_format_members),
        cmocka_unit_test(test_private_members_refused), cmocka_unit_test(test_parse_accepts),
        cmocka_unit_test(test_parse_refuses),
    };

    crypto_init();
    use_codec_memory();
    return cmocka_run_group_tests_name("jose/jwk", tests, NULL, NULL);
}
