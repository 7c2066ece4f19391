#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "jose/jose.h"

static struct arena arena;

static enum rc check(struct str compact, json_t *jwk, struct str *out_payload)
{
    const char *kid = json_string_value(json_object_get(jwk, "kid"));
    struct public_key key;
    struct jws jws;
    enum rc rc;

    arena_reset(&arena);
    rc = jws_parse(compact, &arena, &jws);
    if (rc != RC_OK)
        return rc;
    /* A token that names a key is for that key. */
    if (kid != NULL && jws.kid.len > 0 && !str_equal(jws.kid, str_of(kid)))
        return RC_REFUSED;
    rc = jwk_parse_public(vector_dump(jwk), &key);
    if (rc != RC_OK)
        return rc;
    rc = jws_verify(&jws, &key);
    if (rc == RC_OK)
        *out_payload = jws.payload;
    return rc;
}

static bool is_ours(const char *alg)
{
    return alg == NULL || strcmp(alg, "ES256") == 0 || strcmp(alg, "EdDSA") == 0 ||
           strcmp(alg, "RS256") == 0 || strcmp(alg, "PS256") == 0;
}

/* The public half: what the vectors give, or else the private one (secret keys have no other). */
static json_t *group_keys(json_t *group)
{
    json_t *keys = json_object_get(group, "public");

    if (keys == NULL)
        keys = json_object_get(group, "private");
    return keys;
}

static bool is_accepted(json_t *keys, struct str compact)
{
    json_t *set = json_object_get(keys, "keys"), *jwk;
    struct str payload;
    size_t i;

    if (set == NULL)
        return check(compact, keys, &payload) == RC_OK;
    json_array_foreach(set, i, jwk)
    {
        if (check(compact, jwk, &payload) == RC_OK)
            return true;
    }
    return false;
}

/* One case gives the JSON serialisation as an object. */
static struct str token_text(json_t *test)
{
    json_t *token = json_object_get(test, "jws");

    return json_is_string(token) ? str_of(json_string_value(token)) : vector_dump(token);
}

static const char *first_alg(json_t *keys)
{
    json_t *set = json_object_get(keys, "keys");

    return json_string_value(json_object_get(set == NULL ? keys : json_array_get(set, 0), "alg"));
}

/* RFC 7520's figure 20 is PS384, whatever the key's alg says in two of the cases. */
static bool is_other(struct str compact)
{
    struct jws jws;

    arena_reset(&arena);
    return jws_parse(compact, &arena, &jws) == RC_OK && str_equal(jws.alg, STR("PS384"));
}

/* Every case has a verdict: a valid one whose algorithm is not ours must be refused as well. */
static void run_file(const char *file, unsigned checked, unsigned accepted)
{
    json_t *document = vector_load(file);
    unsigned accepted_count = 0, other_count = 0;
    struct tally tally = { 0 };
    json_t *group, *test;
    size_t i, j;

    json_array_foreach(json_object_get(document, "testGroups"), i, group)
    {
        json_t *keys = group_keys(group), *tests = json_object_get(group, "tests");

        if (strncmp(vector_string(group, "comment"), "jwe", 3) == 0) {
            tally_left_out(&tally, "JWE: jwe_test.c reads them", (unsigned)json_array_size(tests));
            continue;
        }
        json_array_foreach(tests, j, test)
        {
            bool is_valid = vector_is_valid(test);
            bool is_accepted_now = is_accepted(keys, token_text(test));

            bool is_one_of_ours = is_ours(first_alg(keys)) && !is_other(token_text(test));

            other_count += is_valid && !is_one_of_ours;
            accepted_count += is_accepted_now;
            tally_verdict(&tally, test, is_accepted_now, is_valid && is_one_of_ours);
        }
    }
    json_decref(document);
    tally_print(&tally, file);
    printf("%s: %u accepted; %u valid ones refused: the algorithm is not ours\n", file,
           accepted_count, other_count);
    assert_int_equal(tally.wrong, 0);
    assert_int_equal(tally.checked, checked);
    assert_int_equal(accepted_count, accepted);
}

static void test_json_web_signature(void **state)
{
    (void)state;
    run_file("wycheproof/json_web_signature_test.json", 401, 16);
}

static void test_json_web_key(void **state)
{
    (void)state;
    run_file("wycheproof/json_web_key_test.json", 26, 1);
}

static void test_json_web_crypto(void **state)
{
    (void)state;
    run_file("wycheproof/json_web_crypto_test.json", 49, 2);
}

/* ---- RFC 7515 appendix A, RFC 7520 section 4, RFC 8037 appendix A ---- */

static json_t *public_part(const char *file)
{
    static const char *const names[] = { "d", "p", "q", "dp", "dq", "qi" };
    struct str text = vector_text(file);
    json_t *jwk = json_loadb(text.at, text.len, 0, NULL);

    assert_non_null(jwk);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        json_object_del(jwk, names[i]);
    return jwk;
}

static enum rc check_example(const char *name, struct str *out_payload)
{
    static char compact[4096];
    char file[64];
    struct str text;
    json_t *jwk;
    enum rc rc;

    snprintf(file, sizeof(file), "jose-rfc/%s.jwsc", name);
    text = vector_text(file);
    assert_true(text.len <= sizeof(compact));
    memcpy(compact, text.at, text.len);
    snprintf(file, sizeof(file), "jose-rfc/%s.jwk", name);
    jwk = public_part(file);
    rc = check((struct str){ compact, text.len }, jwk, out_payload);
    json_decref(jwk);
    return rc;
}

static void test_rfc_examples(void **state)
{
    struct str payload = { NULL, 0 };

    (void)state;
    assert_int_equal(check_example("rfc7515_A.2", &payload), RC_OK); /* RS256 */
    assert_true(str_starts_with(payload, STR("{\"iss\":\"joe\",")));
    assert_int_equal(check_example("rfc7515_A.3", &payload), RC_OK); /* ES256 */
    assert_true(str_starts_with(payload, STR("{\"iss\":\"joe\",")));
    assert_int_equal(check_example("rfc7520_4.1", &payload), RC_OK); /* RS256 */
    assert_true(str_starts_with(payload, STR("It\xe2\x80\x99s a dangerous business")));

    assert_int_equal(check_example("rfc7515_A.1", &payload), RC_INVALID); /* HS256 */
    assert_int_equal(check_example("rfc7515_A.4", &payload), RC_INVALID); /* ES512 */
    assert_int_equal(check_example("rfc7520_4.2", &payload), RC_REFUSED); /* PS384 */
    assert_int_equal(check_example("rfc7520_4.3", &payload), RC_INVALID); /* ES512 */
    assert_int_equal(check_example("rfc7520_4.4", &payload), RC_INVALID); /* HS256 */
}

/* RFC 7515 A.5: the unsecured JWS. */
static void test_unsecured_refused(void **state)
{
    struct jws jws;

    (void)state;
    arena_reset(&arena);
    assert_int_equal(jws_parse(vector_text("jose-rfc/rfc7515_A.5.jwsc"), &arena, &jws), RC_INVALID);
}

/* RFC 8037 A.4 and A.5. Ed25519 has one signature for one message, so signing gives the same. */
static void test_rfc8037_example(void **state)
{
    struct str wanted = STR("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsP"
                            "t9g7sVvpAr_MuM0KAg");
    struct bytes seed =
        hex_decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    char memory[512];
    struct buffer compact = buffer_over(memory, sizeof(memory));
    struct signer *signer = NULL;
    struct public_key key;
    struct jws jws;

    (void)state;
    assert_int_equal(signer_import_private(SIGNER_EDDSA, bytes_str(seed), &signer), RC_OK);
    assert_int_equal(
        jws_sign(signer, STR(""), STR(""), STR("Example of Ed25519 signing"), &compact), RC_OK);
    assert_true(str_equal(buffer_str(&compact), wanted));
    signer_public(signer, &key);
    arena_reset(&arena);
    assert_int_equal(jws_parse(wanted, &arena, &jws), RC_OK);
    assert_int_equal(jws_verify(&jws, &key), RC_OK);
    signer_free(signer);
    free(seed.at);
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
        cmocka_unit_test(test_json_web_signature), cmocka_unit_test(test_json_web_key),
        cmocka_unit_test(test_json_web_crypto),    cmocka_unit_test(test_rfc_examples),
        cmocka_unit_test(test_unsecured_refused),  cmocka_unit_test(test_rfc8037_example),
    };
    int failed;

    crypto_init();
    use_codec_memory();
    arena_init(&arena, TOKEN_VALUE_BYTES_MAX * 2);
    failed = cmocka_run_group_tests_name("jose/vectors", tests, NULL, NULL);
    arena_deinit(&arena);
    return failed;
}
