/* Codes, from a person's yes to tokens: CP-02 to CP-11, RT-10, OI-01, DP-04, JT-05. */
#include "authorization_fixture.h"

#include <pthread.h>

static const char *const scope_query = RP_OK "&nonce=n-1&scope=openid+profile+email+api.read";

static struct outcome sign_in_with(struct oauth_fixture *fixture, const char *query)
{
    struct allowed allowed = allow(fixture, query, person_new(fixture, "alice"), true);

    assert_int_equal(allowed.rc, RC_OK);
    return redeem(fixture, (struct redeeming){ .code = allowed.code });
}

static void allow_into(struct oauth_fixture *fixture, const char *query, char out_code[64])
{
    struct allowed allowed = allow(fixture, query, person_new(fixture, "alice"), true);

    assert_int_equal(allowed.rc, RC_OK);
    assert_int_equal(strlen(allowed.code), CODE_BYTES); /* CP-10 */
    memcpy(out_code, allowed.code, sizeof(allowed.code));
}

/* The claims of the ID token of an answer; "" when it has none. */
static void id_token_claims(struct oauth_fixture *fixture, const struct outcome *outcome,
                            char out_claims[2048])
{
    struct json_document *document;
    struct str jwt;
    struct jws jws;

    out_claims[0] = '\0';
    assert_int_equal(json_parse(str_of(outcome->json), &document), RC_OK);
    if (json_get_string(json_find(json_root(document), STR("id_token")), &jwt) == RC_OK) {
        jwt = arena_copy(&fixture->room->arena, jwt);
        assert_int_equal(
            token_verify_own(fixture->room->room, jwt, fixture->now, &fixture->room->arena, &jws),
            RC_OK);
        assert_true(str_equal(jws.typ, STR("JWT")));
        assert_true(str_equal(jws.alg, STR("ES256")));
        snprintf(out_claims, 2048, "%.*s", STR_ARGS(jws.payload));
    }
    json_document_free(document);
}

/* OI-01, CP-11 */
static void test_oi_01_id_token(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = sign_in_with(fixture, scope_query);
    unsigned char digest[SHA256_BYTES];
    char claims[2048], expected[256], hash[64];
    struct buffer text = buffer_over(hash, sizeof(hash) - 1);

    assert_int_equal(outcome.rc, RC_OK);
    assert_true(is_active(fixture, outcome.access));
    assert_true(strlen(outcome.refresh) > 0);
    assert_string_equal(outcome.scope, "openid profile email api.read");
    id_token_claims(fixture, &outcome, claims);
    snprintf(expected, sizeof(expected),
             "{\"iss\":\"http://127.0.0.1:8080\",\"sub\":\"account:%lld\",\"aud\":\"rp\","
             "\"azp\":\"rp\"",
             (long long)account_of(fixture, "alice").id);
    assert_memory_equal(claims, expected, strlen(expected));
    assert_non_null(strstr(claims, "\"nonce\":\"n-1\""));
    assert_non_null(strstr(claims, "\"acr\":\"urn:jeton:acr:1fa\",\"amr\":[\"pwd\"]"));
    snprintf(expected, sizeof(expected), "\"auth_time\":%lld", (long long)fixture->now - 100);
    assert_non_null(strstr(claims, expected));
    digest_sha256(str_of(outcome.access), digest);
    base64url_encode((struct str){ (const char *)digest, 16 }, &text);
    hash[text.len] = '\0';
    snprintf(expected, sizeof(expected), "\"at_hash\":\"%s\"", hash);
    assert_non_null(strstr(claims, expected));
    /* What profile and email ask for is for userinfo (Core 5.4). */
    assert_null(strstr(claims, "preferred_username"));
}

/* CP-11: no nonce, none in the ID token; the same after a refresh (Core 12.2). */
static void test_cp_11_nonce_only_when_sent(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = sign_in_with(fixture, RP_OK "&scope=openid");
    char claims[2048];

    id_token_claims(fixture, &outcome, claims);
    assert_true(claims[0] != '\0');
    assert_null(strstr(claims, "nonce"));
    outcome = sign_in_with(fixture, scope_query);
    outcome = redeem(fixture, (struct redeeming){ .refresh_token = outcome.refresh });
    assert_int_equal(outcome.rc, RC_OK);
    id_token_claims(fixture, &outcome, claims);
    assert_null(strstr(claims, "nonce"));
    assert_non_null(strstr(claims, "at_hash"));
    assert_non_null(strstr(claims, "auth_time"));
    /* Without openid there is no ID token at all. */
    outcome = sign_in_with(fixture, RP_OK "&scope=read");
    assert_int_equal(outcome.rc, RC_OK);
    id_token_claims(fixture, &outcome, claims);
    assert_string_equal(claims, "");
}

/* OpenID Connect Core 5.5 */
static void test_claims_parameter_fills_the_id_token(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = sign_in_with(
        fixture, RP_OK "&scope=openid&claims=%7B%22id_token%22%3A%7B%22preferred_username%22%3A"
                       "null%2C%22email%22%3Anull%7D%7D");
    char claims[2048];

    id_token_claims(fixture, &outcome, claims);
    assert_non_null(strstr(claims, "\"preferred_username\":\"alice\""));
    assert_null(strstr(claims, "email")); /* she has none */
}

/* CP-03, CP-04: what is wrong uses the code up. */
static void test_cp_03_wrong_verifier_spends(void **state)
{
    static const char *const wrong[] = {
        "",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX",
        "dBjftJeZ4CVP+mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        CHALLENGE,
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char code[64];

        allow_into(*state, scope_query, code);
        assert_refused(redeem(*state, (struct redeeming){ .code = code, .verifier = wrong[i] }),
                       OAUTH_INVALID_GRANT);
        assert_refused(redeem(*state, (struct redeeming){ .code = code }), OAUTH_INVALID_GRANT);
    }
}

/* CP-04: 128 characters are good, 129 are not, whatever their hash is. */
static void test_cp_04_length_of_the_verifier(void **state)
{
    for (size_t len = 128; len <= 129; len++) {
        char verifier[130] = { 0 }, challenge[64] = { 0 }, query[512], code[64];
        struct buffer text = buffer_over(challenge, sizeof(challenge) - 1);
        unsigned char digest[SHA256_BYTES];

        memset(verifier, '~', len);
        digest_sha256(str_of(verifier), digest);
        base64url_encode((struct str){ (const char *)digest, sizeof(digest) }, &text);
        snprintf(query, sizeof(query),
                 RP "&scope=read&code_challenge_method=S256"
                    "&code_challenge=%s",
                 challenge);
        allow_into(*state, query, code);
        assert_int_equal(
            redeem(*state, (struct redeeming){ .code = code, .verifier = verifier }).rc,
            len == 128 ? RC_OK : RC_REFUSED);
    }
}

/* CP-05: the second use ends all that the first one gave. */
static void test_cp_05_second_use_ends_the_first(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first, next, again;
    char code[64];

    allow_into(fixture, scope_query, code);
    first = redeem(fixture, (struct redeeming){ .code = code });
    assert_int_equal(first.rc, RC_OK);
    next = redeem(fixture, (struct redeeming){ .refresh_token = first.refresh });
    assert_int_equal(next.rc, RC_OK);
    again = redeem(fixture, (struct redeeming){ .code = code });
    assert_refused(again, OAUTH_INVALID_GRANT);
    assert_true(again.is_recorded);
    assert_false(is_active(fixture, first.access));
    assert_false(is_active(fixture, next.access));
    assert_refused(redeem(fixture, (struct redeeming){ .refresh_token = next.refresh }),
                   OAUTH_INVALID_GRANT);
}

/* Another sign-in of the same person at the same client is another family. */
static void test_cp_05_ends_no_other_family(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome other = sign_in_with(fixture, scope_query);
    char code[64];

    allow_into(fixture, scope_query, code);
    assert_int_equal(redeem(fixture, (struct redeeming){ .code = code }).rc, RC_OK);
    assert_refused(redeem(fixture, (struct redeeming){ .code = code }), OAUTH_INVALID_GRANT);
    assert_true(is_active(fixture, other.access));
}

/* CP-06 */
enum { RACER_COUNT = 16, RACE_COUNT = 10 };

struct racer {
    struct oauth_fixture *fixture;
    pthread_barrier_t *barrier;
    const char *code;
    struct outcome outcome;
};

static void *race(void *context)
{
    struct racer *racer = context;

    pthread_barrier_wait(racer->barrier);
    racer->outcome = redeem(racer->fixture, (struct redeeming){ .code = racer->code });
    return NULL;
}

static void race_for_one(struct oauth_fixture *fixture)
{
    static struct racer racers[RACER_COUNT];
    pthread_t threads[RACER_COUNT];
    pthread_barrier_t barrier;
    int won = 0;
    char code[64];

    allow_into(fixture, scope_query, code);
    pthread_barrier_init(&barrier, NULL, RACER_COUNT);
    for (int i = 0; i < RACER_COUNT; i++) {
        racers[i] = (struct racer){ .fixture = fixture, .barrier = &barrier, .code = code };
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACER_COUNT; i++) {
        pthread_join(threads[i], NULL);
        if (racers[i].outcome.rc != RC_OK) {
            assert_refused(racers[i].outcome, OAUTH_INVALID_GRANT);
            continue;
        }
        won++;
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(won, 1);
    /* CP-05: whoever came second has ended what the first was given. */
    for (int i = 0; i < RACER_COUNT; i++)
        if (racers[i].outcome.rc == RC_OK)
            assert_false(is_active(fixture, racers[i].outcome.access));
}

static void test_cp_06_one_of_many_wins(void **state)
{
    for (int i = 0; i < RACE_COUNT; i++)
        race_for_one(*state);
}

/* CP-07 */
static void test_cp_07_lives_a_minute(void **state)
{
    struct oauth_fixture *fixture = *state;
    char code[64];

    allow_into(fixture, scope_query, code);
    fixture->now += CODE_LIFETIME_S;
    assert_refused(redeem(fixture, (struct redeeming){ .code = code }), OAUTH_INVALID_GRANT);
    fixture->now -= 1;
    assert_int_equal(redeem(fixture, (struct redeeming){ .code = code }).rc, RC_OK);
}

/* CP-08, and fault class 5: another client neither gets anything nor uses the code up. */
static void test_cp_08_bound_to_its_client(void **state)
{
    static const char *const others[] = { "rp2", "one", "native", "pushing" };
    char code[64];

    allow_into(*state, scope_query, code);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_refused(redeem(*state, (struct redeeming){ .client = others[i], .code = code }),
                       OAUTH_INVALID_GRANT);
    assert_int_equal(redeem(*state, (struct redeeming){ .code = code }).rc, RC_OK);
}

static void test_cp_08_bound_to_its_redirect_uri(void **state)
{
    static const char *const wrong[] = { "", "https://rp.example/cb2", "https://rp.example/cb/" };
    char code[64];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        allow_into(*state, scope_query, code);
        assert_refused(redeem(*state, (struct redeeming){ .code = code, .redirect_uri = wrong[i] }),
                       OAUTH_INVALID_GRANT);
    }
    /* Where it was not sent there is one alone, which may be sent now. */
    for (int i = 0; i < 2; i++) {
        allow_into(*state, "client_id=one&response_type=code&scope=read" PKCE, code);
        assert_int_equal(
            redeem(*state,
                   (struct redeeming){ .client = "one",
                                       .code = code,
                                       .redirect_uri = i == 0 ? "" : "https://one.example/cb" })
                .rc,
            RC_OK);
    }
}

/* CP-09: a code outlives the process, and stays spent. */
static void test_cp_09_survives_a_restart(void **state)
{
    struct oauth_fixture *fixture = *state;
    char code[64];

    allow_into(fixture, scope_query, code);
    oauth_restart(fixture);
    fixture->oauth.subject_key = fixture->keys[0];
    assert_int_equal(redeem(fixture, (struct redeeming){ .code = code }).rc, RC_OK);
    oauth_restart(fixture);
    fixture->oauth.subject_key = fixture->keys[0];
    assert_refused(redeem(fixture, (struct redeeming){ .code = code }), OAUTH_INVALID_GRANT);
}

/* DP-04: dpop_jkt; a proof that is missing is asked for without using the code up. */
static void test_dp_04_code_bound_to_a_key(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct holder holder, thief;
    char query[512], code[64];
    struct outcome outcome;

    holder_init(&holder, SIGNER_ES256);
    holder_init(&thief, SIGNER_ES256);
    snprintf(query, sizeof(query), "%s&dpop_jkt=%s", scope_query, holder.thumbprint);
    allow_into(fixture, query, code);
    outcome = redeem(
        fixture, (struct redeeming){ .code = code,
                                     .proof = proof_make(&holder, fixture->now,
                                                         (struct proof_parts){ .htm = "GET" }) });
    assert_refused(outcome, OAUTH_INVALID_PROOF);
    outcome = redeem(fixture, (struct redeeming){ .code = code,
                                                  .proof = proof_make(&holder, fixture->now,
                                                                      (struct proof_parts){ 0 }) });
    assert_int_equal(outcome.rc, RC_OK);
    assert_non_null(strstr(outcome.json, "\"token_type\":\"DPoP\""));
    allow_into(fixture, query, code);
    assert_refused(
        redeem(fixture, (struct redeeming){ .code = code,
                                            .proof = proof_make(&thief, fixture->now,
                                                                (struct proof_parts){ 0 }) }),
        OAUTH_INVALID_GRANT);
    allow_into(fixture, query, code);
    assert_refused(redeem(fixture, (struct redeeming){ .code = code }), OAUTH_INVALID_GRANT);
    holder_deinit(&holder);
    holder_deinit(&thief);
}

/* JT-05: resource narrows, at both endpoints and at a refresh. */
static void test_jt_05_resources_narrow(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome;
    char code[64];

    allow_into(fixture, RP_OK "&scope=openid+api.read+jwt.read", code);
    outcome =
        redeem(fixture, (struct redeeming){ .code = code, .resources = "https://jwt.example" });
    assert_int_equal(outcome.rc, RC_OK);
    assert_string_equal(outcome.scope, "openid jwt.read");
    assert_int_equal(outcome.expires_in_s, JWT_LIFETIME_S);
    assert_true(is_active(fixture, outcome.access));
    assert_refused(redeem(fixture, (struct redeeming){ .refresh_token = outcome.refresh,
                                                       .resources = "shut.example" }),
                   OAUTH_INVALID_TARGET);
    outcome = redeem(fixture, (struct redeeming){ .refresh_token = outcome.refresh,
                                                  .resources = "api.example" });
    assert_int_equal(outcome.rc, RC_OK);
    assert_string_equal(outcome.scope, "openid api.read");
    outcome = redeem(fixture, (struct redeeming){ .refresh_token = outcome.refresh });
    assert_string_equal(outcome.scope, "openid api.read jwt.read");
    /* What was left out at the beginning never comes back. */
    allow_into(fixture, RP_OK "&scope=api.read+jwt.read&resource=https://api.example", code);
    outcome = redeem(fixture, (struct redeeming){ .code = code });
    assert_string_equal(outcome.scope, "api.read");
    assert_refused(redeem(fixture, (struct redeeming){ .refresh_token = outcome.refresh,
                                                       .resources = "jwt.example" }),
                   OAUTH_INVALID_TARGET);
}

/* RFC 9396: kept with what was allowed, returned, and all or nothing. */
static void test_details_are_returned(void **state)
{
    static const char details[] = "[{\"type\":\"payment\",\"actions\":[\"pay\"]}]";
    struct oauth_fixture *fixture = *state;
    const char *query = RP_OK "&scope=read&authorization_details=%5B%7B%22type%22%3A%22payment%22"
                              "%2C%20%22actions%22%3A%5B%22pay%22%5D%7D%5D";
    struct outcome outcome;
    char code[64];

    allow_into(fixture, query, code);
    outcome = redeem(fixture, (struct redeeming){ .code = code, .details = details });
    assert_int_equal(outcome.rc, RC_OK);
    assert_non_null(strstr(outcome.json, details));
    outcome = redeem(fixture, (struct redeeming){ .refresh_token = outcome.refresh });
    assert_non_null(strstr(outcome.json, details));
    allow_into(fixture, query, code);
    assert_refused(
        redeem(fixture, (struct redeeming){ .code = code, .details = "[{\"type\":\"payment\"}]" }),
        OAUTH_INVALID_DETAILS);
    allow_into(fixture, RP_OK "&scope=read", code);
    assert_refused(redeem(fixture, (struct redeeming){ .code = code, .details = details }),
                   OAUTH_INVALID_DETAILS);
}

/* Whatever JSON a client sends in their place is refused. */
static void test_details_are_an_array(void **state)
{
    static const char *const all[] = {
        "{\"type\":\"payment\"}", "{}", "[]", "[null]", "\"x\"", "1"
    };
    struct oauth_fixture *fixture = *state;
    char code[64];

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        allow_into(fixture, RP_OK "&scope=read", code);
        assert_refused(redeem(fixture, (struct redeeming){ .code = code, .details = all[i] }),
                       OAUTH_INVALID_DETAILS);
    }
}

/* RT-10, fault classes 20 and 21: what changed between the yes and the redemption. */
static void test_rt_10_account_disabled_meanwhile(void **state)
{
    struct oauth_fixture *fixture = *state;
    char code[64];

    allow_into(fixture, scope_query, code);
    set_disabled(fixture, "alice", true);
    assert_refused(redeem(fixture, (struct redeeming){ .code = code }), OAUTH_INVALID_GRANT);
}

static void test_rt_10_sign_in_ended_meanwhile(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct store_unit unit;
    char code[64];

    allow_into(fixture, scope_query, code);
    store_unit_init(&unit);
    store_set_password_hash(&unit, account_of(fixture, "alice").id, STR("another"));
    commit(fixture, &unit);
    assert_refused(redeem(fixture, (struct redeeming){ .code = code }), OAUTH_INVALID_GRANT);
}

static void test_rt_10_scope_removed_meanwhile(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = sign_in_with(fixture, scope_query);
    struct client client = client_of(fixture, "rp");
    char code[64];

    allow_into(fixture, scope_query, code);
    client.scope = STR("openid profile");
    update_client(fixture, &client);
    assert_refused(redeem(fixture, (struct redeeming){ .code = code }), OAUTH_INVALID_GRANT);
    assert_refused(redeem(fixture, (struct redeeming){ .refresh_token = outcome.refresh }),
                   OAUTH_INVALID_GRANT);
}

/* CA-11: and what a code client may not. */
static void test_ca_11_grant_types(void **state)
{
    struct outcome outcome = redeem(*state, (struct redeeming){ .client = "web", .code = "x" });
    char code[64];

    assert_refused(outcome, OAUTH_UNAUTHORIZED_CLIENT);
    allow_into(*state, "client_id=one&response_type=code&scope=read" PKCE, code);
    outcome =
        redeem(*state, (struct redeeming){ .client = "one", .code = code, .redirect_uri = "" });
    assert_int_equal(outcome.rc, RC_OK);
    assert_string_equal(outcome.refresh, ""); /* not registered for any */
}

/* Fault class 6: a handle of one kind is nothing at the place of another. */
static void test_handles_are_typed(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = sign_in_with(fixture, scope_query);
    char code[64];

    allow_into(fixture, scope_query, code);
    assert_refused(redeem(fixture, (struct redeeming){ .refresh_token = code }),
                   OAUTH_INVALID_GRANT);
    assert_refused(redeem(fixture, (struct redeeming){ .code = outcome.refresh }),
                   OAUTH_INVALID_GRANT);
    assert_refused(redeem(fixture, (struct redeeming){ .code = outcome.access }),
                   OAUTH_INVALID_GRANT);
    assert_false(is_active(fixture, code));
    assert_int_equal(redeem(fixture, (struct redeeming){ .code = code }).rc, RC_OK);
    assert_true(is_active(fixture, outcome.access));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RPS(test_oi_01_id_token),
        WITH_RPS(test_cp_11_nonce_only_when_sent),
        WITH_RPS(test_claims_parameter_fills_the_id_token),
        WITH_RPS(test_cp_03_wrong_verifier_spends),
        WITH_RPS(test_cp_04_length_of_the_verifier),
        WITH_RPS(test_cp_05_second_use_ends_the_first),
        WITH_RPS(test_cp_05_ends_no_other_family),
        WITH_RPS(test_cp_06_one_of_many_wins),
        WITH_RPS(test_cp_07_lives_a_minute),
        WITH_RPS(test_cp_08_bound_to_its_client),
        WITH_RPS(test_cp_08_bound_to_its_redirect_uri),
        WITH_RPS(test_cp_09_survives_a_restart),
        WITH_RPS(test_dp_04_code_bound_to_a_key),
        WITH_RPS(test_jt_05_resources_narrow),
        WITH_RPS(test_details_are_returned),
        WITH_RPS(test_details_are_an_array),
        WITH_RPS(test_rt_10_account_disabled_meanwhile),
        WITH_RPS(test_rt_10_sign_in_ended_meanwhile),
        WITH_RPS(test_rt_10_scope_removed_meanwhile),
        WITH_RPS(test_ca_11_grant_types),
        WITH_RPS(test_handles_are_typed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
