/* What a grant's authorization and its binding put into its tokens. */
#include "room_fixture.h"
#include "store/authorized.h"

#define DPOP_TEXT "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const struct binding dpop = { .kind = BINDING_DPOP, .thumbprint = { 1, 2, 3 } };
static const struct binding tls = { .kind = BINDING_TLS, .thumbprint = { 1, 2, 3 } };

static void assert_str_equal(struct str seen, struct str wanted)
{
    if (!str_equal(seen, wanted))
        fail_msg("«%.*s» is not «%.*s»", STR_ARGS(seen), STR_ARGS(wanted));
}

static bool holds(struct str text, const char *part)
{
    return memmem(text.at, text.len, part, strlen(part)) != NULL;
}

static struct grant_book *grants_of(struct room_fixture *fixture)
{
    return token_room_grants(fixture->room);
}

static struct authorization draft_authorization(struct room_fixture *fixture,
                                                const struct account *account)
{
    struct authorization authorization = { .account_id = account->id,
                                           .client_id = fixture->client_id,
                                           .acr = STR("urn:example:strong"),
                                           .amr = STR("pwd otp"),
                                           .auth_time = 1700000000,
                                           .created_at = 1700000001,
                                           .expires_at = 4000000000 };

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &authorization.id), RC_OK);
    return authorization;
}

/* Drafts a family as the token endpoint does, and commits it together with its authorization. */
static struct live_grant *commit_family(struct room_fixture *fixture, const struct account *account,
                                        const struct authorization *authorization,
                                        struct binding binding)
{
    struct grant like = { .account_id = account->id,
                          .client_id = fixture->client_id,
                          .scope = STR("read"),
                          .audience = STR(""),
                          .binding = binding };
    struct grant_tie tie = { .authorization = authorization };
    struct live_grant *grant;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants_of(fixture), &like, authorization ? &tie : NULL,
                                        clock_now_s(), &unit, &grant),
                     RC_OK);
    if (authorization != NULL)
        store_insert_authorization(&unit, authorization);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    return grant;
}

static struct live_grant *find(struct room_fixture *fixture, int64_t id)
{
    struct live_grant *grant;

    assert_int_equal(grant_find(grants_of(fixture), id, true, &grant), RC_OK);
    return grant;
}

/* ---- claims --------------------------------------------------------------------------------- */

static void test_in_06_binding_is_in_cnf(void **state)
{
    static const struct {
        const struct binding *binding;
        const char *claims;
        const char *type;
    } cases[] = {
        { &dpop, ",\"cnf\":{\"jkt\":\"" DPOP_TEXT "\"}", "\"token_type\":\"DPoP\"" },
        { &tls, ",\"cnf\":{\"x5t#S256\":\"" DPOP_TEXT "\"}", "\"token_type\":\"Bearer\"" },
    };
    struct room_fixture *fixture = *state;
    struct account alice = fixture_add_account(fixture, "alice", false);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct live_grant *grant = commit_family(fixture, &alice, NULL, *cases[i].binding);
        int64_t id = grant->id;

        for (int turn = 0; turn < 2; turn++) {
            assert_str_equal(grant->claims, str_of(cases[i].claims));
            assert_true(holds(grant->introspection, cases[i].type));
            assert_int_equal(grant->binding.kind, cases[i].binding->kind);
            assert_memory_equal(grant->binding.thumbprint, cases[i].binding->thumbprint,
                                DIGEST_BYTES);
            assert_int_equal(grant->authorization_id, 0);
            grant_put(grants_of(fixture), grant);
            if (turn == 0) { /* the same from the store */
                fixture_close(fixture);
                fixture_open(fixture);
                grant = find(fixture, id);
            }
        }
    }
}

static void test_plain_grant_has_no_claims_of_its_own(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");

    assert_int_equal(grant->claims.len, 0);
    assert_int_equal(grant->authorization_id, 0);
    assert_int_equal(grant->binding.kind, BINDING_NONE);
    assert_true(holds(grant->introspection, "\"token_type\":\"Bearer\""));
    grant_put(grants_of(fixture), grant);
}

static void test_what_a_person_allowed_is_in_the_claims(void **state)
{
    struct room_fixture *fixture = *state;
    struct account alice = fixture_add_account(fixture, "alice", false);
    struct authorization authorization = draft_authorization(fixture, &alice);
    struct live_grant *grant;
    int64_t id;

    authorization.actor = STR("{\"sub\":\"admin\"}");
    authorization.details = STR("[{\"type\":\"payment\",\"amount\":\"1\"}]");
    grant = commit_family(fixture, &alice, &authorization, dpop);
    id = grant->id;
    for (int turn = 0; turn < 2; turn++) {
        assert_str_equal(
            grant->claims,
            STR(",\"cnf\":{\"jkt\":\"" DPOP_TEXT "\"},\"act\":{\"sub\":\"admin\"},"
                "\"auth_time\":1700000000,\"acr\":\"urn:example:strong\","
                "\"authorization_details\":[{\"type\":\"payment\",\"amount\":\"1\"}]"));
        assert_int_equal(grant->authorization_id, authorization.id);
        grant_put(grants_of(fixture), grant);
        if (turn == 0) {
            fixture_close(fixture);
            fixture_open(fixture);
            grant = find(fixture, id);
        }
    }
}

/* What is not known is left out. */
static void test_empty_claims_are_left_out(void **state)
{
    struct room_fixture *fixture = *state;
    struct account alice = fixture_add_account(fixture, "alice", false);
    struct authorization authorization = draft_authorization(fixture, &alice);
    struct live_grant *grant;

    authorization.acr = STR("");
    authorization.auth_time = 0;
    grant = commit_family(fixture, &alice, &authorization, (struct binding){ .kind = 0 });
    assert_int_equal(grant->claims.len, 0);
    assert_true(grant->authorization_id == authorization.id);
    grant_put(grants_of(fixture), grant);
}

static void test_jwt_carries_the_claims(void **state)
{
    struct room_fixture *fixture = *state;
    struct account alice = fixture_add_account(fixture, "alice", false);
    struct authorization authorization = draft_authorization(fixture, &alice);
    struct live_grant *grant = commit_family(fixture, &alice, &authorization, dpop);
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_JWT);
    struct json_document *document;
    const struct json_value *root;
    struct str text;
    struct jws jws;
    int64_t number;

    assert_int_equal(
        token_verify_own(fixture->room, draft.value, clock_now_s(), &fixture->arena, &jws), RC_OK);
    assert_str_equal(jws.typ, STR("at+jwt"));
    assert_int_equal(json_parse(jws.payload, &document), RC_OK);
    root = json_root(document);
    assert_int_equal(json_get_string(json_find(json_find(root, STR("cnf")), STR("jkt")), &text),
                     RC_OK);
    assert_str_equal(text, STR(DPOP_TEXT));
    assert_int_equal(json_get_string(json_find(root, STR("acr")), &text), RC_OK);
    assert_str_equal(text, STR("urn:example:strong"));
    assert_int_equal(json_get_number(json_find(root, STR("auth_time")), &number), RC_OK);
    assert_int_equal(number, 1700000000);
    assert_int_equal(json_get_string(json_find(root, STR("sub")), &text), RC_OK);
    assert_true(str_starts_with(text, STR("account:")));
    json_document_free(document);
    grant_put(grants_of(fixture), grant);
}

/* OpenID Connect Core 8.1: whoever knows an account by a subject of its own learns no name. */
static void test_pairwise_subject_is_the_only_one(void **state)
{
    struct room_fixture *fixture = *state;
    struct account alice = fixture_add_account(fixture, "alice", false);
    struct authorization authorization = draft_authorization(fixture, &alice);
    struct live_grant *grant;
    int64_t id;

    authorization.subject = STR("MF-4rWyLkd3pTVRPrhJjUw");
    grant = commit_family(fixture, &alice, &authorization, (struct binding){ .kind = 0 });
    id = grant->id;
    for (int turn = 0; turn < 2; turn++) {
        assert_str_equal(grant->subject, STR("MF-4rWyLkd3pTVRPrhJjUw"));
        assert_true(holds(grant->introspection, "\"sub\":\"MF-4rWyLkd3pTVRPrhJjUw\""));
        assert_false(holds(grant->introspection, "alice"));
        assert_false(holds(grant->introspection, "account:"));
        assert_str_equal(grant->username, STR("alice")); /* for our own doors */
        grant_put(grants_of(fixture), grant);
        if (turn == 0) {
            fixture_close(fixture);
            fixture_open(fixture);
            grant = find(fixture, id);
        }
    }
}

/* ---- what grants rest on -------------------------------------------------------------------- */

static void test_narrowed_grant_rests_on_the_same_authorization(void **state)
{
    struct room_fixture *fixture = *state;
    struct account alice = fixture_add_account(fixture, "alice", false);
    struct authorization authorization = draft_authorization(fixture, &alice);
    struct live_grant *family;
    struct live_grant *child;
    struct grant like = { .account_id = alice.id,
                          .client_id = fixture->client_id,
                          .scope = STR("read"),
                          .audience = STR(""),
                          .binding = dpop };
    struct store_unit unit;
    int64_t ids[2];

    authorization.subject = STR("pairwise");
    family = commit_family(fixture, &alice, &authorization, dpop);
    like.parent_id = family->id;
    store_unit_init(&unit);
    assert_int_equal(
        grant_draft_family(grants_of(fixture), &like, NULL, clock_now_s(), &unit, &child), RC_OK);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    ids[0] = family->id;
    ids[1] = child->id;
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(child->authorization_id, authorization.id);
        assert_str_equal(child->claims, family->claims);
        assert_str_equal(child->subject, STR("pairwise"));
        grant_put(grants_of(fixture), child);
        grant_put(grants_of(fixture), family);
        if (turn == 0) {
            fixture_close(fixture);
            fixture_open(fixture);
            family = find(fixture, ids[0]);
            child = find(fixture, ids[1]);
        }
    }
}

static void test_stored_authorization_is_read(void **state)
{
    struct room_fixture *fixture = *state;
    struct account alice = fixture_add_account(fixture, "alice", false);
    struct authorization authorization = draft_authorization(fixture, &alice);
    struct grant like = { .account_id = alice.id,
                          .client_id = fixture->client_id,
                          .scope = STR("read"),
                          .audience = STR(""),
                          .authorization_id = authorization.id };
    struct live_grant *grant = NULL;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(
        grant_draft_family(grants_of(fixture), &like, NULL, clock_now_s(), &unit, &grant),
        RC_NOT_FOUND);
    assert_null(grant);
    assert_int_equal(unit.step_count, 0);
    store_insert_authorization(&unit, &authorization);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    store_unit_init(&unit);
    assert_int_equal(
        grant_draft_family(grants_of(fixture), &like, NULL, clock_now_s(), &unit, &grant), RC_OK);
    assert_true(holds(grant->claims, "urn:example:strong"));
    grant_put(grants_of(fixture), grant);
}

/* Nothing says any more what was allowed, and to whom: then it is not allowed. */
static void test_grant_without_its_authorization_has_ended(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant row = { .client_id = fixture->client_id,
                         .scope = STR("read"),
                         .audience = STR(""),
                         .is_family = true,
                         .authorization_id = 999999 };
    struct live_grant *grant;
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &row.id), RC_OK);
    store_unit_init(&unit);
    store_insert_grant(&unit, &row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    grant = find(fixture, row.id);
    assert_true(grant_is_ended(grant));
    grant_put(grants_of(fixture), grant);
}

/* The most that the authorization endpoint takes fits a token; more than that fits no grant. */
static void test_details_have_their_limit(void **state)
{
    struct room_fixture *fixture = *state;
    struct account alice = fixture_add_account(fixture, "alice", false);
    struct authorization authorization = draft_authorization(fixture, &alice);
    char *details = arena_alloc(&fixture->arena, TOKEN_CLAIMS_BYTES_MAX);
    struct grant_tie tie = { .authorization = &authorization };
    struct grant like = { .account_id = alice.id,
                          .client_id = fixture->client_id,
                          .scope = STR("read"),
                          .audience = STR("") };
    struct live_grant *grant;
    struct store_unit unit;

    memset(details, ' ', TOKEN_CLAIMS_BYTES_MAX);
    details[0] = '[';
    details[8191] = ']';
    authorization.details = (struct str){ details, 8192 };
    grant = commit_family(fixture, &alice, &authorization, dpop);
    assert_true(fixture_issue(fixture, grant, TOKEN_JWT).value.len > 8192);
    grant_put(grants_of(fixture), grant);
    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &authorization.id), RC_OK);
    authorization.details.len = TOKEN_CLAIMS_BYTES_MAX;
    store_unit_init(&unit);
    assert_int_equal(
        grant_draft_family(grants_of(fixture), &like, &tie, clock_now_s(), &unit, &grant),
        RC_TOO_LARGE);
    assert_int_equal(unit.step_count, 0);
}

/* ---- signing -------------------------------------------------------------------------------- */

static struct str sign(struct room_fixture *fixture, enum signing_alg alg, const char *typ,
                       const char *claims)
{
    struct buffer text = buffer_over(arena_alloc(&fixture->arena, 4096), 4096);

    assert_int_equal(
        token_sign(fixture->room, alg, str_of(typ), str_of(claims), clock_now_s(), &text), RC_OK);
    return buffer_str(&text);
}

static enum rc verify(struct room_fixture *fixture, struct str jwt, struct jws *out_jws)
{
    return token_verify_own(fixture->room, jwt, clock_now_s(), &fixture->arena, out_jws);
}

static void test_jt_03_own_signature_is_known_and_no_other(void **state)
{
    struct room_fixture *fixture = *state;
    struct jws jws;

    for (int alg = 0; alg < ALG_COUNT; alg++) {
        struct str jwt = sign(fixture, (enum signing_alg)alg, "logout+jwt", "{\"sub\":\"x\"}");
        struct str changed = arena_copy(&fixture->arena, jwt);
        char *bytes = arena_alloc(&fixture->arena, jwt.len);

        assert_int_equal(verify(fixture, jwt, &jws), RC_OK);
        assert_str_equal(jws.payload, STR("{\"sub\":\"x\"}"));
        assert_str_equal(jws.typ, STR("logout+jwt"));
        assert_str_equal(jws.alg, signing_alg_format((enum signing_alg)alg));
        memcpy(bytes, jwt.at, jwt.len);
        bytes[jwt.len - 10] = bytes[jwt.len - 10] == 'A' ? 'B' : 'A';
        changed.at = bytes;
        assert_int_equal(verify(fixture, changed, &jws), RC_NOT_FOUND);
        assert_int_equal(verify(fixture, (struct str){ jwt.at, jwt.len - 1 }, &jws), RC_NOT_FOUND);
    }
    assert_int_equal(verify(fixture, STR(""), &jws), RC_NOT_FOUND);
    assert_int_equal(verify(fixture, STR("a.b.c"), &jws), RC_NOT_FOUND);
}

/* Somebody else's key, also under a kid of ours. */
static void test_jt_03_foreign_key_is_not_ours(void **state)
{
    struct room_fixture *fixture = *state;
    struct str ours = sign(fixture, ALG_ES256, "", "{}");
    struct buffer text = buffer_over(arena_alloc(&fixture->arena, 4096), 4096);
    struct signer *signer;
    struct jws jws;

    assert_int_equal(verify(fixture, ours, &jws), RC_OK);
    assert_int_equal(jws.typ.len, 0);
    assert_int_equal(signer_generate(SIGNER_ES256, &signer), RC_OK);
    assert_int_equal(jws_sign(signer, STR(""), jws.kid, STR("{}"), &text), RC_OK);
    assert_int_equal(verify(fixture, buffer_str(&text), &jws), RC_NOT_FOUND);
    text.len = 0;
    assert_int_equal(jws_sign(signer, STR(""), STR("unknown"), STR("{}"), &text), RC_OK);
    assert_int_equal(verify(fixture, buffer_str(&text), &jws), RC_NOT_FOUND);
    text.len = 0;
    assert_int_equal(jws_sign(signer, STR(""), STR(""), STR("{}"), &text), RC_OK);
    assert_int_equal(verify(fixture, buffer_str(&text), &jws), RC_NOT_FOUND);
    signer_free(signer);
}

/* An id_token_hint may be older than the key that signs now. */
static void test_retired_key_is_ours_as_long_as_it_is_stored(void **state)
{
    struct room_fixture *fixture = *state;
    struct str jwt = sign(fixture, ALG_ES256, "", "{}");
    struct key *rows = arena_alloc(&fixture->arena, KEY_COUNT_MAX * sizeof(*rows));
    char kid[KEY_ID_BYTES + 1];
    int64_t now = clock_now_s();
    struct store_unit unit;
    struct jws jws;
    size_t count;

    assert_int_equal(verify(fixture, jwt, &jws), RC_OK);
    assert_int_equal(key_rotate(fixture->store, fixture_master_key, ALG_ES256, now, now, 50, kid),
                     RC_OK);
    assert_int_equal(verify(fixture, jwt, &jws), RC_OK);
    assert_false(str_equal(jws.kid, str_of(kid)));
    assert_int_equal(verify(fixture, sign(fixture, ALG_ES256, "", "{}"), &jws), RC_OK);
    assert_str_equal(jws.kid, str_of(kid));
    assert_int_equal(store_list_keys(fixture->store, &fixture->arena, rows, KEY_COUNT_MAX, &count),
                     RC_OK);
    store_unit_init(&unit);
    for (size_t i = 0; i < count; i++)
        if (rows[i].alg == ALG_ES256 && !str_equal(rows[i].kid, str_of(kid)))
            store_delete_key(&unit, rows[i].id);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(verify(fixture, jwt, &jws), RC_NOT_FOUND);
}

static void test_claims_that_do_not_fit_are_not_signed(void **state)
{
    struct room_fixture *fixture = *state;
    char memory[64];
    struct buffer text = buffer_over(memory, sizeof(memory));

    assert_int_equal(
        token_sign(fixture->room, ALG_ES256, STR("JWT"), STR("{}"), clock_now_s(), &text),
        RC_TOO_LARGE);
}

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_in_06_binding_is_in_cnf),
        ROOM_TEST(test_plain_grant_has_no_claims_of_its_own),
        ROOM_TEST(test_what_a_person_allowed_is_in_the_claims),
        ROOM_TEST(test_empty_claims_are_left_out),
        ROOM_TEST(test_jwt_carries_the_claims),
        ROOM_TEST(test_pairwise_subject_is_the_only_one),
        ROOM_TEST(test_narrowed_grant_rests_on_the_same_authorization),
        ROOM_TEST(test_stored_authorization_is_read),
        ROOM_TEST(test_grant_without_its_authorization_has_ended),
        ROOM_TEST(test_details_have_their_limit),
        ROOM_TEST(test_jt_03_own_signature_is_known_and_no_other),
        ROOM_TEST(test_jt_03_foreign_key_is_not_ours),
        ROOM_TEST(test_retired_key_is_ours_as_long_as_it_is_stored),
        ROOM_TEST(test_claims_that_do_not_fit_are_not_signed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
