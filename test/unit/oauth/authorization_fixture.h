/*
 * Clients that people allow things, a person at a browser, and the way from a request to tokens.
 */
#ifndef JETON_TEST_AUTHORIZATION_FIXTURE_H
#define JETON_TEST_AUTHORIZATION_FIXTURE_H

#include "proof_fixture.h"

#include "oauth/applications.h"
#include "oauth/authorization.h"
#include "oauth/id_token.h"

/* RFC 7636 appendix B. */
#define VERIFIER  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

#define PKCE      "&code_challenge=" CHALLENGE "&code_challenge_method=S256"
#define RP        "client_id=rp&redirect_uri=https://rp.example/cb&response_type=code"
#define RP_OK     RP PKCE

enum {
    CODE_GRANTS = 1u << GRANT_TYPE_AUTHORIZATION_CODE,
    CODE_AND_REFRESH = CODE_GRANTS | 1u << GRANT_TYPE_REFRESH_TOKEN
};

/* A client with what a registration of this JSON gives it beside its columns. */
static inline void add_registered(struct oauth_fixture *fixture, struct client client,
                                  const char *json)
{
    struct client registered = { .client_id = client.client_id };
    struct metadata_problem problem = { 0 };

    assert_int_equal(
        client_metadata_apply(str_of(json), true, &fixture->room->arena, &registered, &problem),
        RC_OK);
    client.metadata = registered.metadata;
    if (client.redirect_uris.len == 0)
        client.redirect_uris = registered.redirect_uris;
    add_client(fixture, client);
}

#define ES256_ID_TOKENS "\"id_token_signed_response_alg\":\"ES256\""

static inline void add_rps(struct oauth_fixture *fixture)
{
    const struct str scope = STR("openid profile email offline_access read write");
    const char *rp = "{\"redirect_uris\":[\"https://rp.example/cb\",\"https://rp.example/cb2\"],"
                     "\"authorization_details_types\":[\"payment\"]," ES256_ID_TOKENS "}";

    add_registered(fixture,
                   (struct client){ .client_id = STR("rp"),
                                    .secret_hash = hash_of(fixture, "rp-secret", false),
                                    .grant_types = CODE_AND_REFRESH,
                                    .service_ids = STR("api.example jwt.example"),
                                    .scope = scope },
                   rp);
    add_registered(fixture,
                   (struct client){ .client_id = STR("rp2"),
                                    .secret_hash = hash_of(fixture, "rp2-secret", false),
                                    .grant_types = CODE_AND_REFRESH,
                                    .scope = scope },
                   rp);
    add_registered(fixture,
                   (struct client){ .client_id = STR("native"),
                                    .type = CLIENT_PUBLIC,
                                    .grant_types = CODE_AND_REFRESH,
                                    .scope = scope },
                   "{\"redirect_uris\":[\"http://127.0.0.1/cb\",\"com.example.app:/cb\"],"
                   "\"application_type\":\"native\"," ES256_ID_TOKENS "}");
    add_registered(fixture,
                   (struct client){ .client_id = STR("one"),
                                    .secret_hash = hash_of(fixture, "one-secret", false),
                                    .grant_types = CODE_GRANTS,
                                    .scope = STR("openid read") },
                   "{\"redirect_uris\":[\"https://one.example/cb\"],"
                   "\"response_modes\":[\"query\"]," ES256_ID_TOKENS "}");
    add_registered(fixture,
                   (struct client){ .client_id = STR("pushing"),
                                    .secret_hash = hash_of(fixture, "pushing-secret", false),
                                    .grant_types = CODE_GRANTS,
                                    .policy = CLIENT_REQUIRES_PUSHED | CLIENT_IS_PAIRWISE,
                                    .scope = scope },
                   "{\"redirect_uris\":[\"https://rp.example/cb\"]," ES256_ID_TOKENS "}");
    assert_int_equal(catalog_find_client(fixture->room->catalog, STR("nobody"), true,
                                         &(struct catalog_client *){ NULL }),
                     RC_NOT_FOUND);
}

static inline int authorization_set_up(void **state)
{
    struct oauth_fixture *fixture;

    oauth_set_up(state);
    fixture = *state;
    fixture->oauth.subject_key = fixture->keys[0];
    fixture->oauth.root = fixture->oauth.issuer;
    add_rps(fixture);
    return 0;
}

#define WITH_RPS(test) cmocka_unit_test_setup_teardown(test, authorization_set_up, oauth_tear_down)

/* ---- a person -------------------------------------------------------------------------------- */

struct person {
    struct account account;
    struct browser_session session;
    struct authorization_person at_browser;
};

/* As if public clients had asked for so many things to be kept, from the address of all calls. */
static inline void count_requests(struct oauth_fixture *fixture, int count)
{
    struct store_unit unit;

    while (count > 0) {
        store_unit_init(&unit);
        for (int i = 0; i < STORE_UNIT_STEP_COUNT_MAX && count > 0; i++, count--)
            throttle_count_request(fixture->door.throttle, fixture->address, fixture->now, &unit);
        assert_int_equal(store_commit(fixture->room->store, &unit), RC_OK);
    }
}

static inline struct person *person_new(struct oauth_fixture *fixture, const char *name)
{
    struct person *person = arena_alloc(&fixture->room->arena, sizeof(*person));
    struct store_unit unit;

    person->account = account_of(fixture, name);
    person->session = (struct browser_session){ .digest = { 7 },
                                                .account_id = person->account.id,
                                                .stage = STAGE_SIGNED_IN,
                                                .login_id = 77,
                                                .methods = METHOD_PASSWORD,
                                                .created_at = fixture->now - 100,
                                                .proved_at = fixture->now - 100,
                                                .last_active_at = fixture->now,
                                                .expires_at = fixture->now + 3600 };
    assert_int_equal(store_next_id(fixture->room->store, SEQUENCE_NOUN, &person->session.id),
                     RC_OK);
    memcpy(person->session.digest, &person->session.id, sizeof(person->session.id));
    store_unit_init(&unit);
    store_insert_browser_session(&unit, &person->session);
    commit(fixture, &unit);
    person->at_browser =
        (struct authorization_person){ .account = &person->account, .session = &person->session };
    return person;
}

/* ---- a request ------------------------------------------------------------------------------- */

/* A request that was read, with all that it needs; end it. */
struct visit {
    struct arena arena;
    struct oauth_call call;
    struct form form;
    struct authorization_request request;
    bool can_redirect;
    enum rc rc;
};

static inline struct visit *visit_begin(struct oauth_fixture *fixture, const char *query)
{
    struct visit *visit = calloc(1, sizeof(*visit));

    assert_non_null(visit);
    arena_init(&visit->arena, OAUTH_ARENA_BYTES_MAX);
    visit->call = (struct oauth_call){
        .oauth = &fixture->oauth, .arena = &visit->arena, .now = fixture->now, .may_block = true
    };
    assert_int_equal(form_parse(str_of(query), &fixture->room->arena, &visit->form), RC_OK);
    visit->rc =
        authorization_read(&visit->call, &visit->form, &visit->request, &visit->can_redirect);
    return visit;
}

static inline void visit_end(struct visit *visit)
{
    if (visit->rc == RC_OK)
        authorization_put(&visit->request);
    arena_deinit(&visit->arena);
    free(visit);
}

struct allowed {
    enum rc rc;
    enum oauth_error error;
    char code[64];
};

/* A person says yes to a request. */
static inline struct allowed allow(struct oauth_fixture *fixture, const char *query,
                                   const struct person *person, bool was_asked)
{
    struct visit *visit = visit_begin(fixture, query);
    struct allowed allowed = { .rc = visit->rc };
    struct str code = STR("");

    assert_int_equal(visit->rc, RC_OK);
    allowed.rc =
        authorization_allow(&visit->call, &visit->request, &person->at_browser, was_asked, &code);
    allowed.error = visit->call.refusal.error;
    snprintf(allowed.code, sizeof(allowed.code), "%.*s", STR_ARGS(code));
    visit_end(visit);
    return allowed;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

struct redeeming {
    const char *client; /* NULL: rp */
    const char *secret; /* NULL: client-secret, or none for a public one */
    const char *code;
    const char *redirect_uri; /* NULL: rp's first; "": not sent */
    const char *verifier;     /* NULL: the right one; "": not sent */
    const char *resources;
    const char *details;
    const char *proof;
    const char *refresh_token; /* a refresh instead */
    const char *scope;
};

static inline struct outcome redeem(struct oauth_fixture *fixture, struct redeeming redeeming)
{
    const char *client = redeeming.client == NULL ? "rp" : redeeming.client;
    bool is_public = strcmp(client, "native") == 0;
    const char *uri =
        redeeming.redirect_uri == NULL ? "https://rp.example/cb" : redeeming.redirect_uri;
    const char *verifier = redeeming.verifier == NULL ? VERIFIER : redeeming.verifier;
    bool is_refresh = redeeming.refresh_token != NULL;
    char own_secret[64];
    struct ask ask = { .client = client, .proof = redeeming.proof };
    struct asking *asking;
    struct str grant_type = is_refresh ? STR("refresh_token") : STR("authorization_code");
    struct str uri_text = str_of(uri), scope, details;
    struct secret code, verifier_secret = secret_of(verifier), refresh;
    struct token_request request = { .grant_type = &grant_type,
                                     .profile = &token_profile_standard };

    snprintf(own_secret, sizeof(own_secret), "%s-secret", client);
    if (!is_public)
        ask.secret = redeeming.secret == NULL ? own_secret : redeeming.secret;
    asking = asking_new(fixture, &ask);
    request.credentials = asking->credentials;
    if (redeeming.code != NULL) {
        code = secret_of(redeeming.code);
        request.code_value = &code;
    }
    if (*uri != '\0')
        request.redirect_uri = &uri_text;
    if (*verifier != '\0')
        request.code_verifier = &verifier_secret;
    if (is_refresh) {
        refresh = secret_of(redeeming.refresh_token);
        request.refresh_token = &refresh;
    }
    if (redeeming.resources != NULL)
        request.resources = str_of(redeeming.resources);
    if (redeeming.scope != NULL) {
        scope = str_of(redeeming.scope);
        request.scope = &scope;
    }
    if (redeeming.details != NULL) {
        details = str_of(redeeming.details);
        request.details = &details;
    }
    return asking_end(asking, token_request_answer(&asking->call, &request, &asking->json));
}

#endif
