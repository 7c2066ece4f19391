#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "base/limits.h"
#include "codec/base64url.h"
#include "crypto/digest.h"
#include "jose/jose.h"

static struct arena arena;
static struct signer *signer; /* ES256 */
static struct public_key signer_key;

static int set_up(void **state)
{
    (void)state;
    /* What the header promises is enough for the longest text. */
    arena_init(&arena, TOKEN_VALUE_BYTES_MAX * 3 / 2 + 128);
    if (signer_generate(SIGNER_ES256, &signer) != RC_OK)
        return -1;
    signer_public(signer, &signer_key);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_deinit(&arena);
    signer_free(signer);
    return 0;
}

static enum rc parse(struct str compact, struct jws *out_jws)
{
    arena_reset(&arena);
    return jws_parse(compact, &arena, out_jws);
}

/* Signs any header text, sound or not. */
static struct str sign_header(const char *header, struct str payload, char *memory,
                              size_t max_bytes)
{
    struct buffer compact = buffer_over(memory, max_bytes);
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    size_t signature_bytes = 0;

    base64url_encode(str_of(header), &compact);
    buffer_append_byte(&compact, '.');
    base64url_encode(payload, &compact);
    assert_int_equal(signer_sign(signer, buffer_str(&compact), signature, &signature_bytes), RC_OK);
    buffer_append_byte(&compact, '.');
    base64url_encode((struct str){ (const char *)signature, signature_bytes }, &compact);
    assert_false(compact.overflow);
    return buffer_str(&compact);
}

static enum rc try_header(const char *header)
{
    char memory[8192];
    struct jws jws;
    enum rc rc = parse(sign_header(header, STR("{}"), memory, sizeof(memory)), &jws);

    return rc == RC_OK ? jws_verify(&jws, &signer_key) : rc;
}

/* RFC 7515 5.1 */
static void test_sign_parse_verify(void **state)
{
    static const enum signer_kind kinds[] = { SIGNER_ES256, SIGNER_EDDSA, SIGNER_RS256 };
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}",
        "{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char memory[2048], header_memory[256];
        struct buffer compact = buffer_over(memory, sizeof(memory));
        struct buffer header = buffer_over(header_memory, sizeof(header_memory));
        struct signer *one = NULL;
        struct verifier *verifier = NULL;
        struct public_key key;
        struct jws jws;

        assert_int_equal(signer_generate(kinds[i], &one), RC_OK);
        signer_public(one, &key);
        buffer_append_str(&compact, STR("before:"));
        assert_int_equal(jws_sign(one, STR("at+jwt"), STR("k1"), STR("{\"a\":1}"), &compact),
                         RC_OK);
        assert_true(str_starts_with(buffer_str(&compact), STR("before:")));
        assert_int_equal(parse(str_from(buffer_str(&compact), 7), &jws), RC_OK);
        assert_true(str_equal(jws.alg, jose_alg_format(kinds[i])));
        assert_true(str_equal(jws.typ, STR("at+jwt")));
        assert_true(str_equal(jws.kid, STR("k1")));
        assert_true(str_equal(jws.payload, STR("{\"a\":1}")));
        base64url_encode(str_of(headers[i]), &header);
        assert_true(str_starts_with(jws.signing_input, buffer_str(&header)));

        assert_int_equal(jws_verify(&jws, &key), RC_OK);
        assert_int_equal(verifier_new(&key, &verifier), RC_OK);
        assert_int_equal(jws_verify_with(&jws, verifier), RC_OK);
        assert_int_equal(jws_verify(&jws, &signer_key), RC_REFUSED);
        jws.alg = STR("none");
        assert_int_equal(jws_verify_with(&jws, verifier), RC_REFUSED);
        verifier_free(verifier);
        signer_free(one);
    }
}

static void test_sign_leaves_out_empty_members(void **state)
{
    char memory[1024];
    struct buffer compact = buffer_over(memory, sizeof(memory));
    struct jws jws;

    (void)state;
    assert_int_equal(jws_sign(signer, STR(""), STR(""), STR("x"), &compact), RC_OK);
    assert_true(str_starts_with(buffer_str(&compact), STR("eyJhbGciOiJFUzI1NiJ9.")));
    assert_int_equal(parse(buffer_str(&compact), &jws), RC_OK);
    assert_int_equal(jws.typ.len, 0);
    assert_int_equal(jws.kid.len, 0);
}

static void test_sign_when_full(void **state)
{
    char memory[1024], long_kid[4000];
    struct buffer whole = buffer_over(memory, sizeof(memory)), small;

    (void)state;
    assert_int_equal(jws_sign(signer, STR("t"), STR("k"), STR("payload"), &whole), RC_OK);
    for (size_t room = 0; room < whole.len; room++) {
        small = buffer_over(memory, room);
        assert_int_equal(jws_sign(signer, STR("t"), STR("k"), STR("payload"), &small),
                         RC_TOO_LARGE);
        assert_int_equal(small.len, 0);
        assert_false(small.overflow);
    }
    small = buffer_over(memory, whole.len);
    assert_int_equal(jws_sign(signer, STR("t"), STR("k"), STR("payload"), &small), RC_OK);
    memset(long_kid, 'k', sizeof(long_kid));
    assert_int_equal(
        jws_sign(signer, STR("t"), (struct str){ long_kid, sizeof(long_kid) }, STR(""), &whole),
        RC_TOO_LARGE);
}

static void test_headers_accepted(void **state)
{
    static const char *const good[] = {
        "{\"alg\":\"ES256\"}",
        " {\"typ\" : \"JWT\" , \"alg\":\"ES256\", \"kid\":\"\"}\n",
        "{\"\\u0061lg\":\"ES256\",\"cty\":\"x\",\"x5t\":\"AA\",\"unknown\":{\"crit\":[]}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(try_header(good[i]), RC_OK);
}

/* JT-03; RFC 7515 4, RFC 7515 4.1.11, RFC 8725 3.10 */
static void test_headers_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "[{\"alg\":\"ES256\"}]",
        "\"ES256\"",
        "null",
        "{}",
        "{\"alg\":\"ES256\"}x",
        "{\"typ\":\"JWT\"}",
        "{\"alg\":null}",
        "{\"alg\":\"\"}",
        "{\"alg\":[\"ES256\"]}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"\\u0061lg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"x\":{\"a\":1,\"a\":1}}",
        "{\"alg\":\"ES256\",\"typ\":1}",
        "{\"alg\":\"ES256\",\"kid\":1}",
        "{\"alg\":\"ES256\",\"kid\":\"a\",\"kid\":\"b\"}",
        "{\"alg\":\"ES256\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"ES256\",\"crit\":null}",
        "{\"alg\":\"ES256\",\"b64\":true}",
        "{\"alg\":\"ES256\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"oct\"}}",
        "{\"alg\":\"ES256\",\"jku\":\"https://attacker.example/jwks\"}",
        "{\"alg\":\"ES256\",\"x5u\":\"https://attacker.example/cert\"}",
        "{\"alg\":\"ES256\",\"x5c\":[]}",
        "{\"alg\":\"ES256\",\"zip\":\"DEF\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\xff\"}",
        "{\"alg\":\"ES256\",\"kid\":\"a\\u0000b\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (try_header(bad[i]) != RC_INVALID)
            fail_msg("accepted: %s", bad[i]);
    }
}

/* Parsed, but no key of ours goes with it: RFC 8725 3.1 */
static void test_algorithms_refused(void **state)
{
    static const char *const names[] = { "none",  "None",  "NONE",   "HS256", "RS256", "EdDSA",
                                         "ES384", "ES512", "ES256K", "PS256", "es256", "ES256 " };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char header[64];

        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
        assert_int_equal(try_header(header), RC_REFUSED);
    }
}

/* RFC 8725 3.2: the unsecured form is one of them. */
static void test_shapes_refused(void **state)
{
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "eyJhbGciOiJFUzI1NiJ9..",
        "eyJhbGciOiJFUzI1NiJ9.e30.",
        ".e30.AAAA",
        "eyJhbGciOiJub25lIn0.e30.",
        "eyJhbGciOiJFUzI1NiJ9.e30.AAAA.AAAA",
        "eyJhbGciOiJFUzI1NiJ9.e30.AAAA.AAAA.AAAA",
        "eyJhbGciOiJFUzI1NiJ9.e30.AA==",
        "eyJhbGciOiJFUzI1NiJ9.e30.AA A",
        "eyJhbGciOiJFUzI1NiJ9.e30.AAAA\n",
        " eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
        "eyJhbGciOiJFUzI1NiJ9.e3+.AAAA",
        "eyJhbGciOiJFUzI1NiJ9.e30.AB",
        "eyJhbGciOiJFUzI1NiJ9.e30.A",
        "eyJhbGciOiJFUzI1NiJ9.e31.AAAA",
        "{\"payload\":\"e30\",\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"signature\":\"AAAA\"}",
    };
    struct jws jws;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(str_of(bad[i]), &jws) != RC_INVALID)
            fail_msg("accepted: %s", bad[i]);
    }
}

/* A megabyte of dots (CPU or memory by JOSE input), and the longest texts allowed. */
static void test_long_texts(void **state)
{
    static char text[1024 * 1024], payload[12 * 1024];
    char compact_memory[TOKEN_VALUE_BYTES_MAX + 1024];
    struct str compact;
    struct jws jws;

    (void)state;
    memset(text, '.', sizeof(text));
    assert_int_equal(parse((struct str){ text, sizeof(text) }, &jws), RC_INVALID);
    assert_int_equal(parse((struct str){ text, TOKEN_VALUE_BYTES_MAX }, &jws), RC_INVALID);
    memset(text, 'A', sizeof(text));
    text[TOKEN_VALUE_BYTES_MAX / 3] = '.';
    text[TOKEN_VALUE_BYTES_MAX / 3 * 2] = '.';
    assert_int_equal(parse((struct str){ text, TOKEN_VALUE_BYTES_MAX }, &jws), RC_INVALID);

    memset(payload, 'p', sizeof(payload));
    compact = sign_header("{\"alg\":\"ES256\"}", (struct str){ payload, sizeof(payload) - 100 },
                          compact_memory, sizeof(compact_memory));
    assert_true(compact.len <= TOKEN_VALUE_BYTES_MAX);
    assert_int_equal(parse(compact, &jws), RC_OK);
    assert_int_equal(jws_verify(&jws, &signer_key), RC_OK);
    compact = sign_header("{\"alg\":\"ES256\"}", (struct str){ payload, sizeof(payload) },
                          compact_memory, sizeof(compact_memory));
    assert_true(compact.len > TOKEN_VALUE_BYTES_MAX);
    assert_int_equal(parse(compact, &jws), RC_INVALID);
}

/* A header that is all key id needs the most memory: decoded once, and copied once. */
static void test_longest_header(void **state)
{
    char header[12000], compact_memory[TOKEN_VALUE_BYTES_MAX];
    struct str compact;
    struct jws jws;

    (void)state;
    memset(header, 'k', sizeof(header));
    memcpy(header, "{\"alg\":\"ES256\",\"kid\":\"", 22);
    memcpy(header + sizeof(header) - 3, "\"}", 3);
    compact = sign_header(header, STR(""), compact_memory, sizeof(compact_memory));
    assert_int_equal(parse(compact, &jws), RC_OK);
    assert_int_equal(jws.kid.len, sizeof(header) - 3 - 22);
    assert_int_equal(jws_verify(&jws, &signer_key), RC_OK);
}

static void test_each_changed_character(void **state)
{
    char memory[1024];
    struct buffer compact = buffer_over(memory, sizeof(memory));
    struct jws jws;

    (void)state;
    assert_int_equal(jws_sign(signer, STR("JWT"), STR("k"), STR("{\"a\":1}"), &compact), RC_OK);
    for (size_t i = 0; i < compact.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            memory[i] = (char)(memory[i] ^ (1 << bit));
            if (parse(buffer_str(&compact), &jws) == RC_OK)
                assert_int_equal(jws_verify(&jws, &signer_key), RC_REFUSED);
            memory[i] = (char)(memory[i] ^ (1 << bit));
        }
    }
    assert_int_equal(parse(buffer_str(&compact), &jws), RC_OK);
    assert_int_equal(jws_verify(&jws, &signer_key), RC_OK);
}

/* RFC 9449 4.2: a proof brings its key, and nothing else may. */
static void test_proof_brings_its_key(void **state)
{
    char memory[2048], header[512], jwk[400];
    struct buffer json = buffer_over(jwk, sizeof(jwk));
    struct public_key key;
    struct str compact;
    struct jws jws;

    (void)state;
    jwk_format_public(&signer_key, STR("k"), &json);
    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"jwk\":%.*s}",
             STR_ARGS(buffer_str(&json)));
    compact = sign_header(header, STR("{}"), memory, sizeof(memory));
    assert_int_equal(parse(compact, &jws), RC_INVALID);
    arena_reset(&arena);
    assert_int_equal(jws_parse_proof(compact, &arena, &jws, &key), RC_OK);
    assert_memory_equal(key.x, signer_key.x, sizeof(key.x));
    assert_int_equal(jws_verify(&jws, &key), RC_OK);
    compact = sign_header("{\"alg\":\"ES256\"}", STR("{}"), memory, sizeof(memory));
    assert_int_equal(jws_parse_proof(compact, &arena, &jws, &key), RC_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_parse_verify),
        cmocka_unit_test(test_sign_leaves_out_empty_members),
        cmocka_unit_test(test_sign_when_full),
        cmocka_unit_test(test_headers_accepted),
        cmocka_unit_test(test_headers_refused),
        cmocka_unit_test(test_algorithms_refused),
        cmocka_unit_test(test_shapes_refused),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_longest_header),
        cmocka_unit_test(test_each_changed_character),
        cmocka_unit_test(test_proof_brings_its_key),
    };

    crypto_init();
    return cmocka_run_group_tests_name("jose/jws", tests, set_up, tear_down);
}
