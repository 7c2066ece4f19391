/*
 * Wycheproof's JWS and JWK cases at the one place where a JWT brings its own key: none of them is a
 * proof, whatever its signature says, and no key of theirs makes a proof of ours good.
 */
#include "proof_fixture.h"

/* Behind the codec room's reader: jansson has macros of the same names. */
#include "../vectors.h"

static struct str text_of(json_t *test)
{
    json_t *token = json_object_get(test, "jws");

    if (token == NULL)
        token = json_object_get(test, "jwe");
    return json_is_string(token) ? str_of(json_string_value(token)) : vector_dump(token);
}

static void refuse_token(struct oauth_fixture *fixture, json_t *test, struct tally *tally)
{
    struct str text = text_of(test);
    struct asking *asking = asking_new(fixture, &(struct ask){ .proof = "" });
    struct binding binding;
    struct outcome outcome;

    asking->call.proof.proof = text;
    outcome = asking_end(asking, proof_take(&asking->call, &binding));
    tally_verdict(tally, test, outcome.rc != RC_REFUSED || outcome.error != OAUTH_INVALID_PROOF,
                  false);
}

/* A key of theirs in the header, our signature below it. */
static void refuse_key(struct oauth_fixture *fixture, const struct holder *holder, json_t *jwk,
                       json_t *test, struct tally *tally)
{
    static char header[65536], text[65536 * 2];
    static const char *const algs[] = { "ES256", "EdDSA", "RS256", "PS256", "none" };
    struct str key = vector_dump(jwk);

    if (key.len > 2048)
        return;
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        struct asking *asking;
        struct binding binding;
        struct outcome outcome;

        snprintf(header, sizeof(header), "{\"typ\":\"dpop+jwt\",\"alg\":\"%s\",\"jwk\":%.*s}",
                 algs[i], STR_ARGS(key));
        proof_sign(holder, header, "{\"jti\":\"a\"}", text);
        asking = asking_new(fixture, &(struct ask){ .proof = text });
        outcome = asking_end(asking, proof_take(&asking->call, &binding));
        tally_verdict(tally, test, outcome.rc != RC_REFUSED, false);
    }
}

static void refuse_keys(struct oauth_fixture *fixture, const struct holder *holder, json_t *keys,
                        json_t *test, struct tally *tally)
{
    json_t *set = json_object_get(keys, "keys"), *jwk;
    size_t i;

    if (!json_is_object(keys))
        return;
    if (set == NULL) {
        refuse_key(fixture, holder, keys, test, tally);
        return;
    }
    json_array_foreach(set, i, jwk) refuse_key(fixture, holder, jwk, test, tally);
}

static void run_file(struct oauth_fixture *fixture, const char *file, unsigned at_least)
{
    json_t *document = vector_load(file);
    struct tally tally = { 0 };
    struct holder holder;
    json_t *group, *test;
    size_t i, j;

    holder_init(&holder, SIGNER_ES256);
    json_array_foreach(json_object_get(document, "testGroups"), i, group)
    {
        json_t *tests = json_object_get(group, "tests");

        json_array_foreach(tests, j, test) refuse_token(fixture, test, &tally);
        test = json_array_get(tests, 0);
        refuse_keys(fixture, &holder, json_object_get(group, "public"), test, &tally);
        refuse_keys(fixture, &holder, json_object_get(group, "private"), test, &tally);
    }
    holder_deinit(&holder);
    json_decref(document);
    tally_print(&tally, file);
    assert_int_equal(tally.wrong, 0);
    assert_true(tally.checked >= at_least);
}

/* JT-03 */
static void test_jt_03_no_vector_is_a_proof(void **state)
{
    struct oauth_fixture *fixture = *state;

    run_file(fixture, "wycheproof/json_web_signature_test.json", 401);
    run_file(fixture, "wycheproof/json_web_key_test.json", 26);
    run_file(fixture, "wycheproof/json_web_crypto_test.json", 49);
    run_file(fixture, "wycheproof/json_web_encryption_test.json", 100);
}

/* From its first reading on, the codec room has jansson allocate in its own way. */
static int read_once(void **state)
{
    struct json_document *document;

    (void)state;
    assert_int_equal(json_parse(STR("{}"), &document), RC_OK);
    json_document_free(document);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { WITH_OAUTH(test_jt_03_no_vector_is_a_proof) };

    return cmocka_run_group_tests(tests, read_once, NULL);
}
