/*
 * A whole OAuth core on a store of its own: clients of every kind, services, an account, cheap
 * hashes, and a clock that the test holds in its hand.
 */
#ifndef JETON_TEST_OAUTH_FIXTURE_H
#define JETON_TEST_OAUTH_FIXTURE_H

#include "../token/room_fixture.h"

#include "codec/json.h"
#include "oauth/introspection.h"
#include "oauth/proof.h"
#include "oauth/revocation.h"
#include "oauth/token_request.h"

/* The least that the library hashes with. */
#define CHEAP ((struct password_cost){ 64, 1 })

/* The lifetimes of everybody's refresh tokens, and of the tokens of each service. */
enum { FAMILY_S = 1000, IDLE_S = 300, API_LIFETIME_S = 600, JWT_LIFETIME_S = 60 };

#define TOKEN_URI "http://127.0.0.1:8080/oauth2/token"

struct oauth_fixture {
    struct proof_book *proofs;
    struct room_fixture *room;
    struct hmac_key *keys[4];
    struct secret_checker secrets;
    struct account_door door;
    struct oauth oauth;
    _Atomic int64_t now;       /* what every call takes for the time */
    unsigned char address[16]; /* whence each comes                  */
};

static inline struct secret secret_of(const char *text)
{
    struct secret secret = { 0 };

    assert_int_equal(secret_set(&secret, str_of(text)), RC_OK);
    return secret;
}

static inline void commit(struct oauth_fixture *fixture, struct store_unit *unit)
{
    assert_int_equal(store_commit(fixture->room->store, unit), RC_OK);
}

/* The stored form of a secret: chosen by an operator, or made by us. */
static inline struct str hash_of(struct oauth_fixture *fixture, const char *text, bool is_chosen)
{
    char *hash = arena_alloc(&fixture->room->arena, PASSWORD_HASH_BYTES_MAX);
    struct secret secret = secret_of(text);

    if (is_chosen)
        assert_int_equal(password_hash(&secret, CHEAP, hash), RC_OK);
    else
        secret_store_made(&fixture->secrets, &secret, hash);
    return str_of(hash);
}

static inline void add_client(struct oauth_fixture *fixture, struct client client)
{
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->room->store, SEQUENCE_NOUN, &client.id), RC_OK);
    client.name = client.client_id;
    client.refresh_lifetime_s = FAMILY_S;
    client.refresh_idle_lifetime_s = IDLE_S;
    store_unit_init(&unit);
    store_insert_client(&unit, &client);
    commit(fixture, &unit);
}

static inline void add_account(struct oauth_fixture *fixture, const char *name,
                               const char *password)
{
    struct account account = { .name = str_of(name),
                               .full_name = STR(""),
                               .email = STR(""),
                               .password_hash = hash_of(fixture, password, true),
                               .created_at = 1 };
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->room->store, SEQUENCE_NOUN, &account.id), RC_OK);
    store_unit_init(&unit);
    store_insert_account(&unit, &account);
    commit(fixture, &unit);
}

enum {
    ALL_GRANTS = 1u << GRANT_TYPE_PASSWORD | 1u << GRANT_TYPE_CLIENT_CREDENTIALS |
                 1u << GRANT_TYPE_REFRESH_TOKEN,
    USER_GRANTS = 1u << GRANT_TYPE_PASSWORD | 1u << GRANT_TYPE_REFRESH_TOKEN
};

static inline void add_clients(struct oauth_fixture *fixture)
{
    add_client(fixture, (struct client){ .client_id = STR("web"),
                                         .secret_hash = hash_of(fixture, "web-secret", true),
                                         .grant_types = ALL_GRANTS,
                                         .service_ids = STR("api.example jwt.example"),
                                         .scope = STR("read write") });
    add_client(fixture, (struct client){ .client_id = STR("other"),
                                         .secret_hash = hash_of(fixture, "other-secret", false),
                                         .grant_types = ALL_GRANTS,
                                         .scope = STR("read") });
    add_client(fixture, (struct client){ .client_id = STR("machine"),
                                         .secret_hash = hash_of(fixture, "machine-secret", false),
                                         .grant_types = 1u << GRANT_TYPE_CLIENT_CREDENTIALS,
                                         .scope = STR("read") });
    /* That a public client is registered for client_credentials must not help it (CA-10). */
    add_client(fixture, (struct client){ .client_id = STR("spa"),
                                         .type = CLIENT_PUBLIC,
                                         .grant_types = ALL_GRANTS,
                                         .scope = STR("read") });
    add_client(fixture, (struct client){ .client_id = STR("plugin"),
                                         .type = CLIENT_EMPTY_SECRET,
                                         .grant_types = USER_GRANTS,
                                         .scope = STR("read") });
}

static inline void add_services(struct oauth_fixture *fixture)
{
    fixture_add_service(fixture->room,
                        (struct service){ .service_id = STR("api.example"),
                                          .scope = STR("api.read api.write"),
                                          .secret_hash = hash_of(fixture, "api-secret", false),
                                          .lifetime_s = API_LIFETIME_S,
                                          .allows_password = true });
    fixture_add_service(fixture->room,
                        (struct service){ .service_id = STR("jwt.example"),
                                          .scope = STR("jwt.read"),
                                          .secret_hash = hash_of(fixture, "jwt-secret", false),
                                          .format = TOKEN_JWT,
                                          .lifetime_s = JWT_LIFETIME_S });
    fixture_add_service(fixture->room, (struct service){ .service_id = STR("shut.example"),
                                                         .scope = STR("shut.read"),
                                                         .lifetime_s = 60 });
}

/* After the room was opened: the door of its store. */
static inline void open_door(struct oauth_fixture *fixture)
{
    fixture->door =
        (struct account_door){ .store = fixture->room->store,
                               .throttle =
                                   throttle_book_new(fixture->room->store, fixture->keys[2]),
                               .cost = CHEAP,
                               .factor_keys = { fixture_master_key, fixture->keys[3] } };
    fixture->oauth = (struct oauth){ .store = fixture->room->store,
                                     .catalog = fixture->room->catalog,
                                     .tokens = fixture->room->room,
                                     .secrets = &fixture->secrets,
                                     .door = &fixture->door,
                                     .issuer = STR("http://127.0.0.1:8080"),
                                     .proofs = fixture->proofs };
}

/* Closes the store and opens it again. */
static inline void oauth_restart(struct oauth_fixture *fixture)
{
    fixture_close(fixture->room);
    throttle_book_free(fixture->door.throttle);
    fixture_open(fixture->room);
    open_door(fixture);
}

static inline int oauth_set_up(void **state)
{
    struct oauth_fixture *fixture = calloc(1, sizeof(*fixture));
    unsigned char key[32] = { 0 };
    void *room;

    assert_non_null(fixture);
    fixture_set_up(&room);
    fixture->room = room;
    for (unsigned char i = 0; i < 4; i++) {
        key[0] = i;
        fixture->keys[i] = hmac_key_new(key);
    }
    fixture->secrets = (struct secret_checker){ fixture->keys[0], fixture->keys[1], CHEAP };
    assert_int_equal(proof_book_new(fixture_master_key, false, 0, &fixture->proofs), RC_OK);
    open_door(fixture);
    fixture->now = clock_now_s();
    fixture->address[10] = fixture->address[11] = 0xff; /* 0.0.0.1 */
    fixture->address[15] = 1;
    assert_int_equal(oauth_prepare(&fixture->oauth), RC_OK);
    add_services(fixture);
    add_clients(fixture);
    add_account(fixture, "alice", "alice-password");
    /* The catalog reads what is new when somebody who may wait asks first. */
    assert_int_equal(catalog_find_client(fixture->room->catalog, STR("nobody"), true,
                                         &(struct catalog_client *){ NULL }),
                     RC_NOT_FOUND);
    *state = fixture;
    return 0;
}

/* Closing the room fails where a call has not given back what it held. */
static inline int oauth_tear_down(void **state)
{
    struct oauth_fixture *fixture = *state;
    void *room = fixture->room;

    fixture_tear_down(&room);
    throttle_book_free(fixture->door.throttle);
    for (int i = 0; i < 4; i++)
        hmac_key_free(fixture->keys[i]);
    proof_book_free(fixture->proofs);
    free(fixture);
    return 0;
}

#define WITH_OAUTH(test) cmocka_unit_test_setup_teardown(test, oauth_set_up, oauth_tear_down)

/* ---- asking --------------------------------------------------------------------------------- */

/* A request as it might be sent; what is NULL was not. */
struct ask {
    const char *grant_type;
    const char *client; /* client_id, or the id of a service */
    const char *secret;
    const char *scope;
    const char *username;
    const char *password;
    const char *code;
    const char *refresh_token;
    const char *token;
    const struct token_profile *profile; /* NULL: the standard's */
    bool is_closed;                      /* to whoever names no client */
    bool is_basic;                       /* the client by Basic, not in the body */
    const char *proof;                   /* a DPoP proof */
    const char *certificate;             /* of the client; any bytes */
    bool is_barred;                      /* neither blocking nor hashing is allowed */
};

struct outcome {
    enum rc rc;
    enum oauth_error error; /* with RC_REFUSED */
    enum refusal_reason reason;
    const char *why;
    char description[128];
    char word[128];
    bool is_recorded;
    bool has_issued;
    enum grant_type issued_by;
    char nonce[32]; /* DPoP-Nonce */
    char json[8192];
    char access[2048];
    char refresh[128];
    char scope[512];
    int64_t expires_in_s;
};

static inline void take_string(const struct json_value *object, struct str name, char *out_text)
{
    struct str text;

    if (json_get_string(json_find(object, name), &text) != RC_OK)
        return;
    memcpy(out_text, text.at, text.len);
    out_text[text.len] = '\0';
}

static inline void take_answer(struct str json, struct outcome *outcome)
{
    struct json_document *document;
    const struct json_value *root;

    assert_true(json.len < sizeof(outcome->json));
    memcpy(outcome->json, json.at, json.len);
    assert_int_equal(json_parse(json, &document), RC_OK);
    root = json_root(document);
    take_string(root, STR("access_token"), outcome->access);
    take_string(root, STR("refresh_token"), outcome->refresh);
    take_string(root, STR("scope"), outcome->scope);
    if (json_find(root, STR("expires_in")) != NULL)
        assert_int_equal(
            json_get_number(json_find(root, STR("expires_in")), &outcome->expires_in_s), RC_OK);
    json_document_free(document);
}

/* Everything a call needs; the arena is as large as was promised and no larger. */
struct asking {
    struct arena arena;
    struct oauth_call call;
    struct client_credentials credentials;
    struct str id;
    struct secret secret;
    struct str body;
    char memory[OAUTH_ANSWER_BYTES_MAX];
    struct buffer json;
};

static inline struct asking *asking_new(struct oauth_fixture *fixture, const struct ask *ask)
{
    struct asking *asking = calloc(1, sizeof(*asking));

    assert_non_null(asking);
    arena_init(&asking->arena, OAUTH_ARENA_BYTES_MAX);
    asking->call = (struct oauth_call){ .oauth = &fixture->oauth,
                                        .arena = &asking->arena,
                                        .now = fixture->now,
                                        .may_block = !ask->is_barred,
                                        .may_hash = !ask->is_barred };
    memcpy(asking->call.address, fixture->address, sizeof(fixture->address));
    asking->json = buffer_over(asking->memory, sizeof(asking->memory));
    asking->call.proof = (struct proof_presented){ .method = STR("POST"), .uri = STR(TOKEN_URI) };
    if (ask->proof != NULL) {
        asking->call.proof.proof_count = 1;
        asking->call.proof.proof = str_of(ask->proof);
    }
    if (ask->certificate != NULL) {
        asking->call.proof.has_certificate = true;
        asking->call.proof.certificate = str_of(ask->certificate);
    }
    if (ask->secret != NULL)
        asking->secret = secret_of(ask->secret);
    if (ask->is_basic) {
        asking->credentials.has_basic = true;
        asking->credentials.basic_id = str_of(ask->client);
        asking->credentials.basic_secret = &asking->secret;
        return asking;
    }
    asking->credentials.has_body_id = ask->client != NULL;
    asking->credentials.body_id = ask->client == NULL ? STR("") : str_of(ask->client);
    asking->credentials.body_secret = ask->secret == NULL ? NULL : &asking->secret;
    return asking;
}

static inline void take_refusal(const struct refusal *refusal, struct outcome *outcome)
{
    outcome->error = refusal->error;
    outcome->reason = refusal->reason;
    outcome->why = refusal->log_detail;
    snprintf(outcome->description, sizeof(outcome->description), "%.*s",
             STR_ARGS(refusal->description));
    snprintf(outcome->word, sizeof(outcome->word), "%.*s", STR_ARGS(refusal->word));
}

/* Puts the end of a call into the outcome, and gives back what it used. */
static inline struct outcome asking_end(struct asking *asking, enum rc rc)
{
    struct outcome outcome = { .rc = rc,
                               .is_recorded = asking->call.is_recorded,
                               .has_issued = asking->call.has_issued,
                               .issued_by = asking->call.issued_by };

    snprintf(outcome.nonce, sizeof(outcome.nonce), "%.*s", STR_ARGS(asking->call.dpop_nonce));
    if (rc == RC_REFUSED) {
        take_refusal(&asking->call.refusal, &outcome);
        assert_int_equal(asking->json.len, 0);
    }
    if (rc == RC_OK && asking->json.len > 0)
        take_answer(buffer_str(&asking->json), &outcome);
    arena_deinit(&asking->arena);
    free(asking);
    return outcome;
}

/* What nobody's answer looks like here: as the standard's, with a member more. */
static inline void format_anonymous(const struct token_answer *answer, struct buffer *out_json)
{
    token_answer_format(answer, out_json);
    out_json->len--; /* the brace */
    BUFFER_APPEND_LITERAL(out_json, ",\"is_anonymous\":true}");
}

static const struct token_profile profile_anonymous = { .format = format_anonymous };

static inline struct outcome ask_token(struct oauth_fixture *fixture, struct ask ask)
{
    struct asking *asking = asking_new(fixture, &ask);
    struct str texts[4];
    struct secret password = secret_of(ask.password == NULL ? "" : ask.password);
    struct secret refresh = secret_of(ask.refresh_token == NULL ? "" : ask.refresh_token);
    struct token_request request = {
        .credentials = asking->credentials,
        .profile = ask.profile == NULL ? &token_profile_standard : ask.profile,
        .anonymous_profile = ask.is_closed ? NULL : &profile_anonymous
    };

    if (ask.grant_type != NULL) {
        texts[0] = str_of(ask.grant_type);
        request.grant_type = &texts[0];
    }
    if (ask.scope != NULL) {
        texts[1] = str_of(ask.scope);
        request.scope = &texts[1];
    }
    if (ask.username != NULL) {
        texts[2] = str_of(ask.username);
        request.username = &texts[2];
    }
    if (ask.code != NULL) {
        texts[3] = str_of(ask.code);
        request.code = &texts[3];
    }
    if (ask.password != NULL)
        request.password = &password;
    if (ask.refresh_token != NULL)
        request.refresh_token = &refresh;
    return asking_end(asking, token_request_answer(&asking->call, &request, &asking->json));
}

static inline struct outcome ask_introspection(struct oauth_fixture *fixture, struct ask ask)
{
    struct asking *asking = asking_new(fixture, &ask);
    struct token_presented presented = { .value = ask.token == NULL ? STR("") : str_of(ask.token) };

    return asking_end(asking,
                      introspection_answer(&asking->call, &asking->credentials,
                                           ask.token == NULL ? NULL : &presented, &asking->json));
}

static inline struct outcome ask_revocation(struct oauth_fixture *fixture, struct ask ask)
{
    struct asking *asking = asking_new(fixture, &ask);
    struct str token = ask.token == NULL ? STR("") : str_of(ask.token);

    return asking_end(asking, revocation_answer(&asking->call, &asking->credentials,
                                                ask.token == NULL ? NULL : &token));
}

/* ---- what the tests say often --------------------------------------------------------------- */

#define AS_WEB .client = "web", .secret = "web-secret"

/* Alice's tokens at the client "web", with a refresh token. */
static inline struct outcome sign_in(struct oauth_fixture *fixture, const char *scope)
{
    struct outcome outcome =
        ask_token(fixture, (struct ask){ AS_WEB, .grant_type = "password", .username = "alice",
                                         .password = "alice-password", .scope = scope });

    assert_int_equal(outcome.rc, RC_OK);
    assert_true(outcome.access[0] != '\0' && outcome.refresh[0] != '\0');
    return outcome;
}

static inline struct outcome refresh(struct oauth_fixture *fixture, const char *token,
                                     const char *scope)
{
    return ask_token(fixture, (struct ask){ AS_WEB, .grant_type = "refresh_token",
                                            .refresh_token = token, .scope = scope });
}

/* Whether an access token is active, in memory and after a look at the store. */
static inline bool is_active(struct oauth_fixture *fixture, const char *token)
{
    struct token_presented presented = { .value = str_of(token) };
    enum token_inactive why;
    enum rc rc = fixture_find_at(fixture->room, &presented, fixture->now, true, &why);

    assert_true(rc == RC_OK || rc == RC_NOT_FOUND);
    return rc == RC_OK;
}

static inline void assert_refused(struct outcome outcome, enum oauth_error error)
{
    assert_int_equal(outcome.rc, RC_REFUSED);
    assert_int_equal(outcome.error, error);
}

/* The same with the rule that said no. */
static inline void assert_refused_for(struct outcome outcome, enum oauth_error error,
                                      enum refusal_reason reason)
{
    assert_refused(outcome, error);
    assert_int_equal(outcome.reason, reason);
}

static inline struct account account_of(struct oauth_fixture *fixture, const char *name)
{
    struct account account;

    assert_int_equal(store_find_account_by_name(fixture->room->store, str_of(name),
                                                &fixture->room->arena, &account),
                     RC_OK);
    return account;
}

static inline void set_disabled(struct oauth_fixture *fixture, const char *name, bool is_disabled)
{
    struct account account = account_of(fixture, name);
    struct store_unit unit;

    store_unit_init(&unit);
    (is_disabled ? store_disable_account : store_enable_account)(&unit, account.id);
    commit(fixture, &unit);
}

static inline struct client client_of(struct oauth_fixture *fixture, const char *client_id)
{
    struct catalog_client *entry;
    struct client client;

    assert_int_equal(catalog_find_client(fixture->room->catalog, str_of(client_id), true, &entry),
                     RC_OK);
    assert_int_equal(
        store_find_client(fixture->room->store, entry->client.id, &fixture->room->arena, &client),
        RC_OK);
    catalog_client_put(entry);
    return client;
}

static inline void update_client(struct oauth_fixture *fixture, const struct client *client)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_update_client(&unit, client);
    commit(fixture, &unit);
}

#endif
