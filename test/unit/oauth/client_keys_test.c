/*
 * Wycheproof's JWS, JWK and JWE cases at the place where clients' JWTs are checked: with the keys
 * of each group as the client's jwks, what is valid and of an algorithm that clients may use is
 * accepted, and nothing else is.
 */
#include "fixture.h"

#include "oauth/client_keys.h"

/* Behind the codec room's reader: jansson has macros of the same names. */
#include "../vectors.h"

static struct str text_of(json_t *test)
{
    json_t *token = json_object_get(test, "jws");

    if (token == NULL)
        token = json_object_get(test, "jwe");
    return json_is_string(token) ? str_of(json_string_value(token)) : vector_dump(token);
}

/* A JWK Set of what a group gives: its public keys, or else the private ones without their private
 * parts. */
static json_t *set_of(json_t *group)
{
    static const char *const names[] = { "d", "p", "q", "dp", "dq", "qi" };
    json_t *keys = json_object_get(group, "public");
    json_t *set, *list, *jwk;
    size_t i;

    if (keys == NULL)
        keys = json_object_get(group, "private");
    set = json_object_get(keys, "keys") != NULL ? json_deep_copy(keys)
                                                : json_pack("{s:[O]}", "keys", keys);
    list = json_object_get(set, "keys");
    json_array_foreach(list, i, jwk)
    {
        json_t *copy = json_deep_copy(jwk);

        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
            json_object_del(copy, names[j]);
        json_array_set_new(list, i, copy);
    }
    return set;
}

static bool is_ours(json_t *set)
{
    json_t *jwk = json_array_get(json_object_get(set, "keys"), 0);
    const char *alg = json_string_value(json_object_get(jwk, "alg"));

    return alg == NULL || strcmp(alg, "ES256") == 0 || strcmp(alg, "EdDSA") == 0 ||
           strcmp(alg, "RS256") == 0 || strcmp(alg, "PS256") == 0;
}

/* RFC 7520's figure 20 is PS384, whatever the key's alg says in two of the cases. */
static bool is_other(struct str jwt)
{
    struct arena arena;
    struct jws jws;
    bool is_so;

    arena_init(&arena, OAUTH_ARENA_BYTES_MAX);
    is_so = jws_parse(jwt, &arena, &jws) == RC_OK && str_equal(jws.alg, STR("PS384"));
    arena_deinit(&arena);
    return is_so;
}

static bool is_accepted(struct oauth_fixture *fixture, struct str jwks, struct str jwt)
{
    const struct client client = { .client_id = STR("signer") };
    struct client_metadata metadata;
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct jws jws;
    enum rc rc;

    assert_int_equal(client_metadata_read(&client, &asking->arena, &metadata), RC_OK);
    metadata.jwks = jwks;
    rc = client_keys_verify(&asking->call, &client, &metadata, jwt, false, ALG_RS256, &jws);
    if (rc != RC_OK)
        assert_int_equal(rc, RC_REFUSED);
    asking_end(asking, rc);
    return rc == RC_OK;
}

static void run_file(struct oauth_fixture *fixture, const char *file, unsigned count)
{
    json_t *document = vector_load(file);
    struct tally tally = { 0 };
    unsigned accepted_count = 0;
    json_t *group, *test;
    size_t i, j;

    json_array_foreach(json_object_get(document, "testGroups"), i, group)
    {
        bool is_jwe = strstr(file, "encryption") != NULL ||
                      strncmp(vector_string(group, "comment"), "jwe", 3) == 0;
        json_t *set = set_of(group);
        static char copy[65536];
        struct str jwks = vector_dump(set);

        memcpy(copy, jwks.at, jwks.len);
        jwks.at = copy;

        json_array_foreach(json_object_get(group, "tests"), j, test)
        {
            bool is_good = is_accepted(fixture, jwks, text_of(test));

            accepted_count += is_good;
            tally_verdict(&tally, test, is_good,
                          !is_jwe && vector_is_valid(test) && is_ours(set) &&
                              !is_other(text_of(test)));
        }
        json_decref(set);
    }
    json_decref(document);
    tally_print(&tally, file);
    assert_int_equal(tally.wrong, 0);
    assert_int_equal(tally.checked, count);
    assert_true(strstr(file, "encryption") != NULL || accepted_count > 0);
}

/* JT-03 */
static void test_jt_03_every_vector_has_its_verdict(void **state)
{
    struct oauth_fixture *fixture = *state;

    run_file(fixture, "wycheproof/json_web_signature_test.json", 401);
    run_file(fixture, "wycheproof/json_web_key_test.json", 26);
    run_file(fixture, "wycheproof/json_web_crypto_test.json", 83);
    run_file(fixture, "wycheproof/json_web_encryption_test.json", 139);
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
    const struct CMUnitTest tests[] = { WITH_OAUTH(test_jt_03_every_vector_has_its_verdict) };

    return cmocka_run_group_tests(tests, read_once, NULL);
}
