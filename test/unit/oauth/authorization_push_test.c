/* Pushed requests and request objects: PA-01 to PA-05, DP-04, JT-03 for request objects. */
#include "authorization_fixture.h"

struct pushed {
    enum rc rc;
    enum oauth_error error;
    char uri[128];
    char json[512];
};

static struct pushed push(struct oauth_fixture *fixture, const char *client, const char *parameters,
                          const char *proof)
{
    char secret[64], memory[512];
    struct ask ask = { .client = client, .secret = secret, .proof = proof };
    struct buffer json = buffer_over(memory, sizeof(memory));
    struct pushed pushed = { 0 };
    struct asking *asking;
    struct form form;

    if (strcmp(client, "native") == 0)
        ask.secret = NULL;
    snprintf(secret, sizeof(secret), "%s-secret", client);
    asking = asking_new(fixture, &ask);
    assert_int_equal(form_parse(str_of(parameters), &fixture->room->arena, &form), RC_OK);
    pushed.rc = pushed_request_answer(&asking->call, &asking->credentials, &form, &json);
    pushed.error = asking->call.refusal.error;
    if (pushed.rc == RC_OK) {
        struct json_document *document;

        assert_int_equal(json_parse(buffer_str(&json), &document), RC_OK);
        take_string(json_root(document), STR("request_uri"), pushed.uri);
        json_document_free(document);
        snprintf(pushed.json, sizeof(pushed.json), "%.*s", STR_ARGS(buffer_str(&json)));
    }
    (void)asking_end(asking, RC_NOT_FOUND);
    return pushed;
}

#define PUSHING "redirect_uri=https://rp.example/cb&response_type=code" PKCE

static void query_of(const struct pushed *pushed, const char *client, char out_query[512])
{
    assert_int_equal(pushed->rc, RC_OK);
    snprintf(out_query, 512, "client_id=%s&request_uri=%s", client, pushed->uri);
}

/* PA-01 */
static void test_pa_01_push(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct pushed pushed =
        push(fixture, "pushing", PUSHING "&scope=openid&state=s&nonce=n+%26", NULL);
    char query[512];
    struct visit *visit;

    assert_non_null(strstr(pushed.json, "\"expires_in\":300"));
    assert_memory_equal(pushed.uri, REQUEST_URI_PREFIX, strlen(REQUEST_URI_PREFIX));
    assert_int_equal(strlen(pushed.uri), strlen(REQUEST_URI_PREFIX) + 43);
    query_of(&pushed, "pushing", query);
    visit = visit_begin(fixture, query);
    assert_int_equal(visit->rc, RC_OK);
    assert_true(visit->request.pushed_id > 0);
    assert_true(str_equal(visit->request.state, STR("s")));
    assert_true(str_equal(visit->request.nonce, STR("n &")));
    assert_true(str_equal(visit->request.permission.scope, STR("openid")));
    visit_end(visit);
    /* RFC 9126 4: what stands beside it does not count. */
    snprintf(query, sizeof(query),
             "client_id=pushing&request_uri=%s&scope=write&state=other"
             "&redirect_uri=https://evil.example",
             pushed.uri);
    visit = visit_begin(fixture, query);
    assert_int_equal(visit->rc, RC_OK);
    assert_true(str_equal(visit->request.state, STR("s")));
    assert_true(str_equal(visit->request.permission.scope, STR("openid")));
    visit_end(visit);
}

/* PA-01: the same checks. */
static void test_pa_01_same_checks(void **state)
{
    struct oauth_fixture *fixture = *state;

    assert_int_equal(push(fixture, "rp", "response_type=code" PKCE, NULL).error,
                     OAUTH_INVALID_REQUEST);
    assert_int_equal(
        push(fixture, "rp", "redirect_uri=https://evil.example&response_type=code" PKCE, NULL)
            .error,
        OAUTH_INVALID_REQUEST);
    assert_int_equal(push(fixture, "rp", PUSHING "&scope=nonsense", NULL).error,
                     OAUTH_INVALID_SCOPE);
    assert_int_equal(push(fixture, "rp", PUSHING "&client_id=rp2", NULL).error,
                     OAUTH_INVALID_REQUEST);
    assert_int_equal(push(fixture, "rp", PUSHING "&scope=read&scope=write", NULL).error,
                     OAUTH_INVALID_REQUEST);
    assert_int_equal(
        push(fixture, "rp", "redirect_uri=https://rp.example/cb&response_type=code", NULL).error,
        OAUTH_INVALID_REQUEST);
    assert_int_equal(push(fixture, "nobody", PUSHING, NULL).error, OAUTH_INVALID_CLIENT);
}

/* RFC 9126 2.3: 429, for clients that have not proven who they are. */
static void test_requests_of_public_clients_are_counted(void **state)
{
    struct oauth_fixture *fixture = *state;
    const char *native = "redirect_uri=http://127.0.0.1/cb&response_type=code" PKCE;

    assert_int_equal(push(fixture, "native", native, NULL).rc, RC_OK);
    count_requests(fixture, THROTTLE_REQUEST_COUNT_MAX - 1);
    assert_int_equal(push(fixture, "native", native, NULL).error, OAUTH_TOO_MANY_REQUESTS);
    assert_int_equal(push(fixture, "rp", PUSHING "&scope=read", NULL).rc, RC_OK);
    fixture->now += THROTTLE_REQUEST_S;
    assert_int_equal(push(fixture, "native", native, NULL).rc, RC_OK);
}

/* PA-02 */
static void test_pa_02_bound_once_and_short(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    struct pushed pushed = push(fixture, "rp", PUSHING "&scope=read", NULL);
    char query[512], other[512];
    struct visit *first, *visit;

    query_of(&pushed, "rp", query);
    query_of(&pushed, "rp2", other);
    visit = visit_begin(fixture, other);
    assert_int_equal(visit->rc, RC_REFUSED);
    assert_int_equal(visit->call.refusal.error, OAUTH_INVALID_REQUEST_URI);
    assert_false(visit->can_redirect);
    visit_end(visit);
    /* Two tabs, one code. */
    first = visit_begin(fixture, query);
    assert_int_equal(first->rc, RC_OK);
    assert_int_equal(allow(fixture, query, person, true).rc, RC_OK);
    assert_int_equal(authorization_allow(&first->call, &first->request, &person->at_browser, true,
                                         &(struct str){ NULL, 0 }),
                     RC_REFUSED);
    visit_end(first);
    visit = visit_begin(fixture, query);
    assert_int_equal(visit->call.refusal.error, OAUTH_INVALID_REQUEST_URI);
    visit_end(visit);
    pushed = push(fixture, "rp", PUSHING "&scope=read", NULL);
    query_of(&pushed, "rp", query);
    fixture->now += PUSHED_LIFETIME_S;
    visit = visit_begin(fixture, query);
    assert_int_equal(visit->call.refusal.error, OAUTH_INVALID_REQUEST_URI);
    visit_end(visit);
}

/* PA-03 */
static void test_pa_03_no_reference_inside(void **state)
{
    struct pushed pushed = push(*state, "rp", PUSHING, NULL);
    char parameters[512];

    snprintf(parameters, sizeof(parameters), PUSHING "&request_uri=%s", pushed.uri);
    assert_int_equal(push(*state, "rp", parameters, NULL).error, OAUTH_INVALID_REQUEST);
    assert_int_equal(push(*state, "rp", "request_uri=https://rp.example/r", NULL).error,
                     OAUTH_INVALID_REQUEST);
}

/* DP-04: the proof of the push binds the code (RFC 9449 10.1). */
static void test_dp_04_push_binds(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    struct holder holder, other;
    char query[512], parameters[512];
    struct pushed pushed;
    struct allowed allowed;

    holder_init(&holder, SIGNER_ES256);
    holder_init(&other, SIGNER_ES256);
    pushed = push(fixture, "rp", PUSHING "&scope=read",
                  proof_make(&holder, fixture->now, (struct proof_parts){ 0 }));
    query_of(&pushed, "rp", query);
    allowed = allow(fixture, query, person, true);
    assert_int_equal(allowed.rc, RC_OK);
    assert_refused(
        redeem(fixture, (struct redeeming){ .code = allowed.code,
                                            .proof = proof_make(&other, fixture->now,
                                                                (struct proof_parts){ 0 }) }),
        OAUTH_INVALID_GRANT);
    snprintf(parameters, sizeof(parameters), PUSHING "&dpop_jkt=%s", other.thumbprint);
    pushed = push(fixture, "rp", parameters,
                  proof_make(&holder, fixture->now, (struct proof_parts){ 0 }));
    assert_int_equal(pushed.error, OAUTH_INVALID_PROOF);
    holder_deinit(&holder);
    holder_deinit(&other);
}

/* ---- request objects ------------------------------------------------------------------------- */

static void add_signing_client(struct oauth_fixture *fixture, const struct holder *holder,
                               unsigned policy)
{
    char *json = arena_alloc(&fixture->room->arena, 4096);

    snprintf(json, 4096,
             "{\"redirect_uris\":[\"https://rp.example/cb\"],\"jwks\":{\"keys\":[%s]},"
             "\"request_object_signing_alg\":\"ES256\"}",
             holder->jwk);
    add_registered(fixture,
                   (struct client){ .client_id = STR("signing"),
                                    .secret_hash = hash_of(fixture, "signing-secret", false),
                                    .grant_types = CODE_GRANTS,
                                    .policy = policy,
                                    .scope = STR("openid profile read write") },
                   json);
    assert_int_equal(catalog_find_client(fixture->room->catalog, STR("nobody"), true,
                                         &(struct catalog_client *){ NULL }),
                     RC_NOT_FOUND);
}

#define OBJECT_HEADER "{\"alg\":\"ES256\",\"typ\":\"oauth-authz-req+jwt\",\"kid\":\"k\"}"
#define OBJECT_CLAIMS                                                                              \
    "\"client_id\":\"signing\",\"redirect_uri\":\"https://rp.example/cb\","                        \
    "\"response_type\":\"code\",\"code_challenge\":\"" CHALLENGE                                   \
    "\",\"code_challenge_method\":\"S256\",\"scope\":\"read\",\"state\":\"inside\""
#define OBJECT_US "\"iss\":\"signing\",\"aud\":\"http://127.0.0.1:8080\""

static struct visit *visit_object(struct oauth_fixture *fixture, const struct holder *holder,
                                  const char *header, const char *claims, const char *more)
{
    static char jwt[PROOF_TEXT_BYTES_MAX], query[PROOF_TEXT_BYTES_MAX + 512];

    proof_sign(holder, header, claims, jwt);
    snprintf(query, sizeof(query), "client_id=signing&request=%s%s", jwt, more);
    return visit_begin(fixture, query);
}

/* PA-05: what is signed counts, and nothing else. */
static void test_pa_05_parameters_outside_are_ignored(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct holder holder;
    struct visit *visit;

    holder_init(&holder, SIGNER_ES256);
    add_signing_client(fixture, &holder, 0);
    visit = visit_object(fixture, &holder, OBJECT_HEADER,
                         "{" OBJECT_US "," OBJECT_CLAIMS ",\"max_age\":5,"
                         "\"claims\":{\"id_token\":{\"name\":null}}}",
                         "&state=outside&scope=write&nonce=outside&response_type=token");
    assert_int_equal(visit->rc, RC_OK);
    assert_true(str_equal(visit->request.state, STR("inside")));
    assert_true(str_equal(visit->request.permission.scope, STR("read")));
    assert_true(
        str_equal(visit->request.claims, STR("{\"userinfo\":{},\"id_token\":{\"name\":null}}")));
    assert_true(str_equal(visit->request.consent_scope, STR("read profile")));
    assert_int_equal(visit->request.nonce.len, 0);
    assert_int_equal(visit->request.max_age_s, 5);
    visit_end(visit);
    holder_deinit(&holder);
}

/* JT-03, fault classes 16 to 18: what is no request object of this client, for us, now. */
static void test_jt_03_bad_request_objects(void **state)
{
    static const struct {
        const char *header; /* NULL: the right one */
        const char *claims;
    } rows[] = {
        { NULL, "{}" },
        { NULL, "[]" },
        { NULL, "{" OBJECT_US ",\"client_id\":\"rp\"}" },
        { NULL, "{\"iss\":\"rp\"," OBJECT_CLAIMS "}" },
        { NULL, "{\"aud\":\"https://other.example\"," OBJECT_CLAIMS "}" },
        { NULL, "{\"aud\":[\"https://other.example\"]," OBJECT_CLAIMS "}" },
        { NULL, "{\"exp\":1," OBJECT_CLAIMS "}" },
        { NULL, "{\"exp\":\"soon\"," OBJECT_CLAIMS "}" },
        { NULL, "{\"nbf\":99999999999," OBJECT_CLAIMS "}" },
        { NULL, "{\"sub\":\"signing\"," OBJECT_CLAIMS "}" },
        { NULL, "{\"request\":\"a.b.c\"," OBJECT_CLAIMS "}" },
        { NULL, "{\"request_uri\":\"https://rp.example/r\"," OBJECT_CLAIMS "}" },
        { NULL, "{\"state\":\"twice\"," OBJECT_CLAIMS "}" },
        { "{\"alg\":\"none\"}", "{" OBJECT_CLAIMS "}" },
        { "{\"alg\":\"HS256\",\"kid\":\"k\"}", "{" OBJECT_CLAIMS "}" },
        { "{\"alg\":\"RS256\",\"kid\":\"k\"}", "{" OBJECT_CLAIMS "}" },
        { "{\"alg\":\"ES256\",\"kid\":\"other\"}", "{" OBJECT_CLAIMS "}" },
        { "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"dpop+jwt\"}", "{" OBJECT_CLAIMS "}" },
        { "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"at+jwt\"}", "{" OBJECT_CLAIMS "}" },
        { "{\"alg\":\"ES256\",\"kid\":\"k\",\"crit\":[\"x\"]}", "{" OBJECT_CLAIMS "}" },
        { "{\"alg\":\"ES256\",\"kid\":\"k\",\"jku\":\"https://x\"}", "{" OBJECT_CLAIMS "}" },
    };
    struct oauth_fixture *fixture = *state;
    struct holder holder, other;
    struct visit *visit;

    holder_init(&holder, SIGNER_ES256);
    holder_init(&other, SIGNER_ES256);
    add_signing_client(fixture, &holder, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        visit =
            visit_object(fixture, &holder, rows[i].header == NULL ? OBJECT_HEADER : rows[i].header,
                         rows[i].claims, "&redirect_uri=https://rp.example/cb");
        if (visit->rc != RC_REFUSED || visit->call.refusal.error != OAUTH_INVALID_REQUEST_OBJECT)
            fail_msg("row %zu: rc %d, error %d", i, (int)visit->rc, (int)visit->call.refusal.error);
        if (!visit->can_redirect)
            fail_msg("row %zu goes nowhere: %.*s", i, STR_ARGS(visit->call.refusal.description));
        visit_end(visit);
    }
    visit = visit_object(fixture, &other, OBJECT_HEADER, "{" OBJECT_US "," OBJECT_CLAIMS "}", "");
    assert_int_equal(visit->call.refusal.error, OAUTH_INVALID_REQUEST_OBJECT);
    assert_false(visit->can_redirect);
    visit_end(visit);
    holder_deinit(&holder);
    holder_deinit(&other);
}

/* RFC 9101 10.5, and the times that FAPI 2.0 Message Signing 5.3.1 asks for. */
static void test_client_that_has_to_sign(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct holder holder;
    struct visit *visit;
    char claims[1024];

    holder_init(&holder, SIGNER_ES256);
    add_signing_client(fixture, &holder, CLIENT_REQUIRES_SIGNED);
    visit = visit_begin(fixture, "client_id=signing&redirect_uri=https://rp.example/cb"
                                 "&response_type=code&scope=read" PKCE);
    assert_int_equal(visit->call.refusal.error, OAUTH_INVALID_REQUEST);
    visit_end(visit);
    visit = visit_object(fixture, &holder, OBJECT_HEADER, "{" OBJECT_US "," OBJECT_CLAIMS "}", "");
    assert_int_equal(visit->call.refusal.error, OAUTH_INVALID_REQUEST_OBJECT);
    visit_end(visit);
    for (int life_s = 3600; life_s <= 3601; life_s++) {
        snprintf(claims, sizeof(claims),
                 "{" OBJECT_US "," OBJECT_CLAIMS ",\"nbf\":%lld,\"exp\":%lld}",
                 (long long)fixture->now, (long long)fixture->now + life_s);
        visit = visit_object(fixture, &holder, OBJECT_HEADER, claims, "");
        assert_int_equal(visit->rc, life_s == 3600 ? RC_OK : RC_REFUSED);
        visit_end(visit);
    }
    holder_deinit(&holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RPS(test_pa_01_push),
        WITH_RPS(test_pa_01_same_checks),
        WITH_RPS(test_requests_of_public_clients_are_counted),
        WITH_RPS(test_pa_02_bound_once_and_short),
        WITH_RPS(test_pa_03_no_reference_inside),
        WITH_RPS(test_dp_04_push_binds),
        WITH_RPS(test_pa_05_parameters_outside_are_ignored),
        WITH_RPS(test_jt_03_bad_request_objects),
        WITH_RPS(test_client_that_has_to_sign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
