/*
 * Every example of the JOSE RFCs (7515 to 7520, 7638, 7797, 8037, 9449) with its verdict: those of
 * our four algorithms in compact form are right, and every other one is refused, under every key of
 * all of them, whatever may be said for it. Compact JWEs of ours are "dir" alone, which none is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>

#include "../vectors.h"
#include "base/limits.h"
#include "codec/base64url.h"
#include "crypto/digest.h"
#include "jose/jose.h"
#include "jose/jwe.h"

enum { KEY_COUNT_MAX = 128 };

static struct arena arena;
static struct public_key keys[KEY_COUNT_MAX];
static size_t key_count;
static unsigned char secrets[KEY_COUNT_MAX][JWE_KEY_BYTES]; /* the first is all zeros */
static size_t secret_count = 1;

/* ---- keys ---- */

static bool has_private(const json_t *jwk)
{
    return json_object_get(jwk, "d") != NULL || json_object_get(jwk, "k") != NULL;
}

static bool is_text(const json_t *jwk, const char *name, const char *wanted)
{
    const char *text = json_string_value(json_object_get(jwk, name));

    return text != NULL && strcmp(text, wanted) == 0;
}

/* Of a kind that signatures of ours are checked with, and for that alone. */
static bool is_for_us(const json_t *jwk)
{
    const char *alg = json_string_value(json_object_get(jwk, "alg"));
    bool is_kind = is_text(jwk, "kty", "RSA") || is_text(jwk, "crv", "P-256") ||
                   is_text(jwk, "crv", "Ed25519");

    return is_kind && !is_text(jwk, "use", "enc") && (alg == NULL || strcmp(alg, "RS256") == 0);
}

static void keep_secret(const char *text)
{
    struct buffer bytes = buffer_over(secrets[secret_count], JWE_KEY_BYTES);

    assert_true(secret_count < KEY_COUNT_MAX);
    if (strlen(text) == BASE64URL_TEXT_BYTES(JWE_KEY_BYTES) &&
        base64url_decode(str_of(text), &bytes) == RC_OK)
        secret_count++;
}

/* A private key is never taken for a public one; its public half is kept for what follows. */
static void take_key(json_t *jwk)
{
    static const char *const private_names[] = { "d", "p", "q", "dp", "dq", "qi", "oth" };
    bool is_good = is_for_us(jwk) && !has_private(jwk);
    struct public_key *key = &keys[key_count];

    assert_true(key_count + 2 <= KEY_COUNT_MAX);
    assert_int_equal(jwk_parse_public(vector_dump(jwk), key), is_good ? RC_OK : RC_INVALID);
    if (json_object_get(jwk, "k") != NULL)
        keep_secret(vector_string(jwk, "k"));
    for (size_t i = 0; i < sizeof(private_names) / sizeof(private_names[0]); i++)
        json_object_del(jwk, private_names[i]);
    json_object_del(jwk, "use");
    if (jwk_parse_public(vector_dump(jwk), key) != RC_OK)
        return;
    key_count++;
    if (key->kind == SIGNER_RS256) {
        keys[key_count] = *key;
        keys[key_count++].kind = SIGNER_PS256;
    }
}

static void take_keys(json_t *document)
{
    json_t *set = json_object_get(document, "keys"), *jwk;
    size_t i;

    if (json_is_array(document))
        set = document;
    if (set == NULL) {
        take_key(document);
        return;
    }
    json_array_foreach(set, i, jwk) take_key(jwk);
}

/* ---- files ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

/* Calls for each file of a folder of vectors whose name ends so; how many there are. */
static unsigned each_file(const char *folder, const char *end, void (*run)(const char *file))
{
    DIR *listing = opendir(vector_path(folder));
    const struct dirent *entry;
    unsigned count = 0;

    assert_non_null(listing);
    while ((entry = readdir(listing)) != NULL) {
        char file[512];

        if (!ends_with(entry->d_name, end))
            continue;
        assert_true(snprintf(file, sizeof(file), "%s/%s", folder, entry->d_name) <
                    (int)sizeof(file));
        run(file);
        count++;
    }
    closedir(listing);
    return count;
}

static void take_key_file(const char *file)
{
    json_t *document = vector_load(file);

    take_keys(document);
    json_decref(document);
}

static int take_all_keys(void **state)
{
    struct public_key key;

    (void)state;
    /* codec gives jansson memory of its own at its first parse. */
    assert_int_equal(jwk_parse_public(STR("{}"), &key), RC_INVALID);
    assert_int_equal(each_file("jose-rfc", ".jwk", take_key_file), 40);
    assert_int_equal(each_file("jose-rfc", ".jwkset", take_key_file), 5);
    assert_int_equal(each_file("jose-cookbook/jwk", ".json", take_key_file), 6);
    assert_true(key_count > 30 && secret_count > 5);
    return 0;
}

/* ---- verdicts ---- */

static unsigned accepted_count, refused_count;

static bool is_signed(struct str text)
{
    struct jws jws;

    arena_reset(&arena);
    if (jws_parse(text, &arena, &jws) != RC_OK)
        return false;
    for (size_t i = 0; i < key_count; i++)
        if (jws_verify(&jws, &keys[i]) == RC_OK)
            return true;
    return false;
}

static bool is_opened(struct str text)
{
    for (size_t i = 0; i < secret_count; i++) {
        struct str plain;

        arena_reset(&arena);
        if (jwe_decrypt_direct(secrets[i], text, &arena, &plain) == RC_OK)
            return true;
    }
    return false;
}

static void judge(const char *name, struct str text, bool is_wanted)
{
    bool is_accepted = is_signed(text);

    if (is_accepted != is_wanted)
        fprintf(stderr, "%s: %s\n", name, is_accepted ? "accepted" : "refused");
    assert_true(is_accepted == is_wanted);
    assert_false(is_opened(text));
    accepted_count += is_accepted;
    refused_count += !is_accepted;
}

/* RS256, ES256, RS256 */
static void judge_file(const char *file)
{
    static const char *const good[] = { "A.2.jwsc", "A.3.jwsc", "7520_4.1.jwsc" };
    bool is_good = false;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        is_good |= ends_with(file, good[i]);
    judge(file, vector_text(file), is_good);
}

static void every_raw_example(void **state)
{
    (void)state;
    accepted_count = refused_count = 0;
    assert_int_equal(each_file("jose-rfc", ".jwsc", judge_file), 10);
    assert_int_equal(each_file("jose-rfc", ".jwsf", judge_file), 8);
    assert_int_equal(each_file("jose-rfc", ".jwsg", judge_file), 9);
    assert_int_equal(each_file("jose-rfc", ".jwec", judge_file), 9);
    assert_int_equal(each_file("jose-rfc", ".jwef", judge_file), 10);
    assert_int_equal(each_file("jose-rfc", ".jweg", judge_file), 13);
    printf("jose-rfc: %u accepted, %u refused\n", accepted_count, refused_count);
    assert_int_equal(accepted_count, 3);
}

/* The forms of one example: compact, JSON and flattened JSON. */
static void judge_output(const char *file, const json_t *example, bool is_good)
{
    static const char *const forms[] = { "compact", "json", "json_flat" };
    const json_t *output = json_object_get(example, "output");
    json_t *key = json_object_get(json_object_get(example, "input"), "key");

    assert_non_null(output);
    if (key != NULL)
        take_keys(key);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const json_t *text = json_object_get(output, forms[i]);

        if (text != NULL)
            judge(file, json_is_string(text) ? str_of(json_string_value(text)) : vector_dump(text),
                  is_good && i == 0);
    }
}

/* RS256 and EdDSA */
static void judge_example(const char *file)
{
    json_t *document = vector_load(file);

    judge_output(file, document, ends_with(file, "4_1.json") || ends_with(file, "9/jws.json"));
    json_decref(document);
}

/* RFC 7520 6: PS256 inside, RSA-OAEP around it. */
static void judge_nested(void)
{
    json_t *document = vector_load("jose-cookbook/6.json");

    judge_output("6, sign", json_object_get(document, "sign"), true);
    judge_output("6, encrypt", json_object_get(document, "encrypt"), false);
    json_decref(document);
}

static void every_example_of_the_cookbook(void **state)
{
    (void)state;
    accepted_count = refused_count = 0;
    assert_int_equal(each_file("jose-cookbook/jws", ".json", judge_example), 8);
    assert_int_equal(each_file("jose-cookbook/jwe", ".json", judge_example), 13);
    assert_int_equal(each_file("jose-cookbook/curve25519", ".json", judge_example), 2);
    assert_int_equal(each_file("jose-cookbook/rfc7797", ".json", judge_example), 2);
    judge_nested();
    printf("jose-cookbook: %u accepted, %u refused\n", accepted_count, refused_count);
    assert_int_equal(accepted_count, 3);
}

/* RFC 9449 4.1, 5, 7.1: the proofs, the thumbprint of their key, the hash of the token. */
static void every_proof(void **state)
{
    json_t *document = vector_load("rfc/rfc9449_dpop.json"), *proof;
    struct str token = str_of(vector_string(document, "access_token"));
    char text[JWK_THUMBPRINT_TEXT_BYTES];
    unsigned char digest[SHA256_BYTES];
    struct buffer ath = buffer_over(text, sizeof(text));
    size_t i;

    (void)state;
    digest_sha256(token, digest);
    base64url_encode((struct str){ (char *)digest, sizeof(digest) }, &ath);
    assert_true(str_equal(buffer_str(&ath), str_of(vector_string(document, "ath"))));
    assert_true(json_array_size(json_object_get(document, "proofs")) >= 2);
    json_array_foreach(json_object_get(document, "proofs"), i, proof)
    {
        bool is_good = json_is_true(json_object_get(proof, "signature_valid"));
        struct public_key key;
        struct jws jws;

        arena_reset(&arena);
        assert_int_equal(jws_parse_proof(str_of(vector_string(proof, "proof")), &arena, &jws, &key),
                         RC_OK);
        assert_true(str_equal(jws.typ, STR("dpop+jwt")));
        assert_int_equal(jws_verify(&jws, &key), is_good ? RC_OK : RC_REFUSED);
        jwk_thumbprint(&key, text);
        assert_true(
            str_equal((struct str){ text, sizeof(text) }, str_of(vector_string(document, "jkt"))));
    }
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_raw_example),
        cmocka_unit_test(every_example_of_the_cookbook),
        cmocka_unit_test(every_proof),
    };
    int failed;

    crypto_init();
    arena_init(&arena, TOKEN_VALUE_BYTES_MAX * 2);
    failed = cmocka_run_group_tests_name("jose/rfc_examples", tests, take_all_keys, NULL);
    arena_deinit(&arena);
    return failed;
}
