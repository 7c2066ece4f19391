/* private_key_jwt (RFC 7523 3; OpenID Connect Core 1.0 9; FAPI 2.0 Security Profile 5.3.2.1). */
#include "proof_fixture.h"

#include "oauth/client_metadata.h"

#define ISSUER "http://127.0.0.1:8080"
#define TYPE   "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* A client that signs, with a key of each kind. */
struct signers {
    struct holder es256, eddsa, rs256, ps256, stranger;
};

static struct signers keys;

static int make_keys(void **state)
{
    (void)state;
    holder_init(&keys.es256, SIGNER_ES256);
    holder_init(&keys.eddsa, SIGNER_EDDSA);
    holder_init(&keys.rs256, SIGNER_RS256);
    holder_init(&keys.ps256, SIGNER_PS256);
    holder_init(&keys.stranger, SIGNER_ES256);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    holder_deinit(&keys.es256);
    holder_deinit(&keys.eddsa);
    holder_deinit(&keys.rs256);
    holder_deinit(&keys.ps256);
    holder_deinit(&keys.stranger);
    return 0;
}

static void add_signing_client(struct oauth_fixture *fixture, const char *id, const char *more)
{
    struct arena *arena = &fixture->room->arena;
    struct client client = {
        .client_id = str_of(id), .name = str_of(id), .scope = STR("read"), .grant_types = ALL_GRANTS
    };
    struct metadata_problem problem;
    struct str json = arena_format(
        arena,
        "{\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":{\"keys\":[%s,%s,%s,%s]}%s}",
        keys.es256.jwk, keys.eddsa.jwk, keys.rs256.jwk, keys.ps256.jwk, more);

    if (client_metadata_apply(json, true, arena, &client, &problem) != RC_OK)
        fail_msg("%.*s: %.*s", STR_ARGS(problem.member), STR_ARGS(problem.sentence));
    add_client(fixture, client);
    assert_int_equal(catalog_find_client(fixture->room->catalog, STR("nobody"), true,
                                         &(struct catalog_client *){ NULL }),
                     RC_NOT_FOUND);
}

static int set_up(void **state)
{
    oauth_set_up(state);
    add_signing_client(*state, "signer", "");
    add_signing_client(*state, "only-es256", ",\"token_endpoint_auth_signing_alg\":\"ES256\"");
    add_signing_client(*state, "fapi",
                       ",\"require_pushed_authorization_requests\":true,"
                       "\"dpop_bound_access_tokens\":true");
    return 0;
}

/* What an assertion says where nothing else is asked for. */
struct parts {
    const struct holder *holder;
    const char *client; /* "signer" */
    const char *header;
    const char *iss, *sub;
    const char *aud; /* JSON */
    int64_t exp_from_now_s;
    const char *jti; /* JSON; a fresh one */
    const char *more;
};

static const char *make(struct oauth_fixture *fixture, struct parts parts)
{
    static unsigned last_jti;
    static char text[8192];
    char header[128], claims[1024], jti[32];
    const struct holder *holder = parts.holder != NULL ? parts.holder : &keys.es256;
    const char *client = either(parts.client, "signer");

    snprintf(jti, sizeof(jti), "\"jti-%u\"", ++last_jti);
    snprintf(header, sizeof(header), "{\"alg\":\"%.*s\"}", STR_ARGS(jose_alg_format(holder->kind)));
    snprintf(claims, sizeof(claims),
             "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":%s,\"exp\":%lld,\"jti\":%s%s}",
             either(parts.iss, client), either(parts.sub, client),
             either(parts.aud, "\"" ISSUER "\""),
             (long long)(fixture->now + (parts.exp_from_now_s != 0 ? parts.exp_from_now_s : 60)),
             either(parts.jti, jti), either(parts.more, ""));
    proof_sign(holder, either(parts.header, header), claims, text);
    return text;
}

/* Authenticates, and puts the assertion on record as an endpoint does. */
static struct outcome present(struct oauth_fixture *fixture, const char *assertion,
                              const char *client_id)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ .client = client_id });
    struct catalog_client *client;
    struct str type = STR(TYPE);
    struct str text = str_of(assertion);
    enum rc rc;

    asking->credentials.assertion_type = &type;
    asking->credentials.assertion = &text;
    rc = client_authenticate(&asking->call, &asking->credentials, &client);
    if (rc == RC_OK)
        catalog_client_put(client);
    return asking_end(asking, client_auth_finish(&asking->call, rc));
}

static void accept(struct oauth_fixture *fixture, struct parts parts)
{
    struct outcome outcome = present(fixture, make(fixture, parts), NULL);

    if (outcome.rc != RC_OK)
        fail_msg("%d: %s", (int)outcome.rc, outcome.why);
}

static void refuse(struct oauth_fixture *fixture, struct parts parts)
{
    const char *assertion = make(fixture, parts);
    struct outcome outcome = present(fixture, assertion, NULL);

    if (outcome.rc != RC_REFUSED || outcome.error != OAUTH_INVALID_CLIENT)
        fail_msg("%s: %d", assertion, (int)outcome.rc);
    /* Nobody learns which check it was. */
    assert_string_equal(outcome.description, "client authentication failed");
}

static void test_ca_06_every_kind_of_key(void **state)
{
    struct oauth_fixture *fixture = *state;
    const struct holder *const holders[] = { &keys.es256, &keys.eddsa, &keys.rs256, &keys.ps256 };

    for (size_t i = 0; i < 4; i++)
        accept(fixture, (struct parts){ .holder = holders[i] });
    for (size_t i = 1; i < 4; i++)
        refuse(fixture, (struct parts){ .holder = holders[i], .client = "only-es256" });
    accept(fixture, (struct parts){ .client = "only-es256" });
    /* KY-03: no RS256 under FAPI 2.0 */
    accept(fixture, (struct parts){ .holder = &keys.ps256, .client = "fapi" });
    refuse(fixture, (struct parts){ .holder = &keys.rs256, .client = "fapi" });
}

static void test_ca_06_mutations(void **state)
{
    struct oauth_fixture *fixture = *state;

    accept(fixture, (struct parts){ 0 });
    refuse(fixture, (struct parts){ .holder = &keys.stranger });
    refuse(fixture, (struct parts){ .iss = "web" });
    refuse(fixture, (struct parts){ .sub = "web" });
    refuse(fixture, (struct parts){ .sub = "web", .iss = "web" });
    refuse(fixture, (struct parts){ .aud = "\"http://evil.example\"" });
    refuse(fixture, (struct parts){ .aud = "\"" ISSUER "/\"" });
    refuse(fixture, (struct parts){ .aud = "7" });
    refuse(fixture, (struct parts){ .aud = "[]" });
    refuse(fixture, (struct parts){ .aud = "[\"" ISSUER "\",\"http://evil.example\"]" });
    refuse(fixture, (struct parts){ .exp_from_now_s = -1 });
    refuse(fixture, (struct parts){ .more = ",\"nbf\":99999999999" });
    refuse(fixture, (struct parts){ .more = ",\"iat\":99999999999" });
    refuse(fixture, (struct parts){ .more = ",\"iat\":\"now\"" });
    refuse(fixture, (struct parts){ .jti = "\"\"" });
    refuse(fixture, (struct parts){ .jti = "null" });
    refuse(fixture, (struct parts){ .jti = "7" });
    refuse(fixture, (struct parts){ .more = ",\"sub\":\"signer\"" }); /* twice */
    accept(fixture, (struct parts){ .more = ",\"nbf\":1.5,\"iat\":1,\"extra\":[]" });
    accept(fixture, (struct parts){ .header = "{\"alg\":\"ES256\",\"typ\":\"JWT\"}" });
    accept(fixture,
           (struct parts){ .header = "{\"alg\":\"ES256\",\"typ\":\"client-authentication+jwt\"}" });
}

/* RFC 8725 3.11: nothing else that the client signs is an assertion. */
static void test_other_types(void **state)
{
    static const char *const types[] = { "at+jwt", "dpop+jwt", "oauth-authz-req+jwt", "logout+jwt",
                                         "secevent+jwt" };
    char header[64];

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"%s\"}", types[i]);
        refuse(*state, (struct parts){ .header = header });
    }
}

static void test_ca_06_audiences(void **state)
{
    struct oauth_fixture *fixture = *state;

    accept(fixture, (struct parts){ .aud = "[\"" ISSUER "\"]" });
    accept(fixture, (struct parts){ .aud = "\"" ISSUER "/oauth2/token\"" });
    accept(fixture, (struct parts){ .aud = "[\"" ISSUER "/oauth2/par\"]" });
    refuse(fixture, (struct parts){ .aud = "\"" ISSUER "/oauth2/introspect\"" });
    /* FAPI 2.0: the issuer, as a string. */
    accept(fixture, (struct parts){ .client = "fapi" });
    refuse(fixture, (struct parts){ .client = "fapi", .aud = "[\"" ISSUER "\"]" });
    refuse(fixture, (struct parts){ .client = "fapi", .aud = "\"" ISSUER "/oauth2/token\"" });
}

/* CA-06: once, also after a restart; and CA-08: what is remembered is forgotten soon. */
static void test_ca_06_jti_once(void **state)
{
    struct oauth_fixture *fixture = *state;
    const char *assertion = make(fixture, (struct parts){ .jti = "\"the one\"" });

    assert_int_equal(present(fixture, assertion, NULL).rc, RC_OK);
    assert_int_equal(present(fixture, assertion, NULL).rc, RC_REFUSED);
    oauth_restart(fixture);
    assert_int_equal(present(fixture, assertion, NULL).rc, RC_REFUSED);
    refuse(fixture, (struct parts){ .jti = "\"the one\"", .exp_from_now_s = 120 });
    /* Another client may have chosen the same. */
    accept(fixture, (struct parts){ .jti = "\"the one\"", .client = "only-es256" });
    fixture->now += 61;
    refuse(fixture, (struct parts){ .jti = "\"other\"", .exp_from_now_s = -1 });
}

static void test_ca_08_exp_is_near(void **state)
{
    struct oauth_fixture *fixture = *state;

    int64_t most_s = CLIENT_ASSERTION_LIFE_S_MAX + CLIENT_ASSERTION_SKEW_S;

    accept(fixture, (struct parts){ .exp_from_now_s = most_s });
    refuse(fixture, (struct parts){ .exp_from_now_s = most_s + 1 });
    refuse(fixture, (struct parts){ .exp_from_now_s = 10LL * 365 * 24 * 3600 });
}

/* CA-07. RFC 8725 3.1, 3.2, 3.10 */
static void test_ca_07_headers(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"es256\"}",
        "{\"alg\":\"ES384\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"EdDSA\"}",
        "{\"alg\":\"ES256\",\"kid\":\"unknown\"}",
        "{\"alg\":\"ES256\",\"jku\":\"https://evil.example/keys\"}",
        "{\"alg\":\"ES256\",\"x5u\":\"https://evil.example/cert\"}",
        "{\"alg\":\"ES256\",\"x5c\":[\"AA\"]}",
        "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"ES256\",\"b64\":false}",
        "{\"alg\":\"ES256\",\"zip\":\"DEF\"}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
        "{\"alg\":7}",
        "{}",
    };
    char header[2048];

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        refuse(*state, (struct parts){ .header = headers[i] });
    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"jwk\":%s}", keys.stranger.jwk);
    refuse(*state, (struct parts){ .holder = &keys.stranger, .header = header });
    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"jwk\":%s}", keys.es256.jwk);
    refuse(*state, (struct parts){ .header = header });
}

static void test_ca_07_empty_signature(void **state)
{
    struct oauth_fixture *fixture = *state;
    char text[8192];
    char *last;

    snprintf(text, sizeof(text), "%s", make(fixture, (struct parts){ 0 }));
    last = strrchr(text, '.');
    last[1] = '\0';
    assert_int_equal(present(fixture, text, NULL).rc, RC_REFUSED);
    *last = '\0';
    assert_int_equal(present(fixture, text, NULL).rc, RC_REFUSED);
    assert_int_equal(present(fixture, "", "signer").rc, RC_REFUSED);
}

/* RFC 7521 4.2: client_id is not needed, and may not say something else. */
static void test_client_id_beside_it(void **state)
{
    struct oauth_fixture *fixture = *state;

    assert_int_equal(present(fixture, make(fixture, (struct parts){ 0 }), "signer").rc, RC_OK);
    assert_int_equal(present(fixture, make(fixture, (struct parts){ 0 }), "web").rc, RC_REFUSED);
}

/* CA-02: two methods; CA-03: another one than the client's (fault class 16). */
static void test_ca_03_methods_do_not_mix(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct str type = STR(TYPE);
    struct str other_type = STR("urn:ietf:params:oauth:client-assertion-type:saml2-bearer");
    struct str text = str_of(make(fixture, (struct parts){ 0 }));
    struct asking *asking = asking_new(fixture, &(struct ask){ AS_WEB });
    struct catalog_client *client;

    asking->credentials.assertion_type = &type;
    asking->credentials.assertion = &text;
    assert_refused(
        asking_end(asking, client_authenticate(&asking->call, &asking->credentials, &client)),
        OAUTH_INVALID_REQUEST);
    /* A secret for one that signs, and an assertion for one that has a secret. */
    asking = asking_new(fixture, &(struct ask){ .client = "signer", .secret = "x" });
    assert_refused(
        asking_end(asking, client_authenticate(&asking->call, &asking->credentials, &client)),
        OAUTH_INVALID_CLIENT);
    asking = asking_new(fixture, &(struct ask){ .client = "signer" });
    assert_refused(
        asking_end(asking, client_authenticate(&asking->call, &asking->credentials, &client)),
        OAUTH_INVALID_CLIENT);
    refuse(fixture, (struct parts){ .client = "web" });
    refuse(fixture, (struct parts){ .client = "spa" });
    refuse(fixture, (struct parts){ .client = "plugin" });
    refuse(fixture, (struct parts){ .client = "nobody" });
    /* One parameter without the other, and another type. */
    asking = asking_new(fixture, &(struct ask){ .client = "signer" });
    asking->credentials.assertion = &text;
    assert_refused(
        asking_end(asking, client_authenticate(&asking->call, &asking->credentials, &client)),
        OAUTH_INVALID_REQUEST);
    asking = asking_new(fixture, &(struct ask){ .client = "signer" });
    asking->credentials.assertion = &text;
    asking->credentials.assertion_type = &other_type;
    assert_refused(
        asking_end(asking, client_authenticate(&asking->call, &asking->credentials, &client)),
        OAUTH_INVALID_CLIENT);
}

/* The loop may not wait, and an assertion has to be written down. */
static void test_the_loop_passes_it_on(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct asking *asking = asking_new(fixture, &(struct ask){ .is_barred = true });
    struct catalog_client *client;
    struct str type = STR(TYPE);
    struct str text = str_of(make(fixture, (struct parts){ 0 }));

    asking->credentials.assertion_type = &type;
    asking->credentials.assertion = &text;
    assert_int_equal(client_authenticate(&asking->call, &asking->credentials, &client),
                     RC_WOULD_BLOCK);
    asking_end(asking, RC_WOULD_BLOCK);
    assert_int_equal(present(fixture, text.at, NULL).rc, RC_OK);
}

/* The jti is written with the token, and a replay of the whole gets none. */
static void test_ca_06_with_a_grant(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct str type = STR(TYPE);
    struct str text = str_of(make(fixture, (struct parts){ 0 }));

    for (int i = 0; i < 2; i++) {
        struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
        struct str grant_type = STR("client_credentials");
        struct token_request request = { .grant_type = &grant_type,
                                         .profile = &token_profile_standard,
                                         .credentials = { .assertion_type = &type,
                                                          .assertion = &text } };
        struct outcome outcome;
        enum rc rc = token_request_answer(&asking->call, &request, &asking->json);

        assert_int_equal(rc, i == 0 ? RC_OK : RC_REFUSED);
        assert_false(asking->call.has_assertion && i == 0);
        outcome = asking_end(asking, rc);
        if (i == 1)
            assert_int_equal(outcome.error, OAUTH_INVALID_CLIENT);
    }
}

#define WITH_SIGNERS(test) cmocka_unit_test_setup_teardown(test, set_up, oauth_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SIGNERS(test_ca_06_every_kind_of_key),
        WITH_SIGNERS(test_ca_06_mutations),
        WITH_SIGNERS(test_other_types),
        WITH_SIGNERS(test_ca_06_audiences),
        WITH_SIGNERS(test_ca_06_jti_once),
        WITH_SIGNERS(test_ca_08_exp_is_near),
        WITH_SIGNERS(test_ca_07_headers),
        WITH_SIGNERS(test_ca_07_empty_signature),
        WITH_SIGNERS(test_client_id_beside_it),
        WITH_SIGNERS(test_ca_03_methods_do_not_mix),
        WITH_SIGNERS(test_the_loop_passes_it_on),
        WITH_SIGNERS(test_ca_06_with_a_grant),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
