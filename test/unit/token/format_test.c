/* What the formats of a token hold, and that each is known by its handle and its whole text. */
#include "room_fixture.h"

#include "jose/jose.h"
#include "jose/jwe.h"

static struct token_draft issue(struct room_fixture *fixture, struct live_grant *grant,
                                struct token_shape shape)
{
    int64_t now = clock_now_s();
    struct token_draft draft;
    struct store_unit unit;

    assert_int_equal(token_draft_access(fixture->room, grant, shape, now, &fixture->arena, &draft),
                     RC_OK);
    store_unit_init(&unit);
    store_insert_token(&unit, &draft.row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    token_enter(fixture->room, &draft, now);
    return draft;
}

/* A grant of alice's. */
static struct live_grant *grant_of(struct room_fixture *fixture, const struct account *account,
                                   const char *scope, const char *audience)
{
    struct grant like = { .account_id = account->id,
                          .client_id = fixture->client_id,
                          .scope = str_of(scope),
                          .audience = str_of(audience) };
    struct live_grant *grant;

    assert_int_equal(
        grant_find_standing(token_room_grants(fixture->room), &like, clock_now_s(), &grant), RC_OK);
    return grant;
}

static void put(struct room_fixture *fixture, struct live_grant *grant)
{
    grant_put(token_room_grants(fixture->room), grant);
}

static void assert_str_equal(struct str seen, struct str wanted)
{
    if (!str_equal(seen, wanted))
        fail_msg("«%.*s» is not «%.*s»", STR_ARGS(seen), STR_ARGS(wanted));
}

/* ---- JWE ------------------------------------------------------------------------------------ */

static struct str open_jwe(struct room_fixture *fixture, struct str compact)
{
    unsigned char key[JWE_KEY_BYTES];
    struct str plain;

    hkdf_sha256((struct str){ (const char *)fixture_master_key, SEAL_KEY_BYTES },
                STR("jeton access token jwe"), key);
    assert_int_equal(jwe_decrypt_direct(key, compact, &fixture->arena, &plain), RC_OK);
    return plain;
}

/* contracts 1.6. */
static void test_jwe_holds_its_claims(void **state)
{
    struct room_fixture *fixture = *state;
    struct account account = fixture_add_account(fixture, "alice", false);
    struct live_grant *grant = grant_of(fixture, &account, "read", "");
    struct token_shape shape = { .format = TOKEN_JWE,
                                 .lifetime_s = 60,
                                 .session_id = STR("the-session") };
    struct token_draft draft = issue(fixture, grant, shape);
    struct str wanted = arena_format(
        &fixture->arena,
        "{\"username\":\"alice\",\"jti\":\"%.*s\",\"sub\":\"account:%lld\",\"iat\":%lld,"
        "\"exp\":%lld,\"sid\":\"the-session\"}",
        STR_ARGS(draft.jti), (long long)account.id, (long long)draft.row.issued_at,
        (long long)draft.row.issued_at + 60);

    assert_true(str_starts_with(draft.value, STR(JWE_DIRECT_START)));
    assert_str_equal(open_jwe(fixture, draft.value), wanted);
    /* The IV is the handle, and so is the jti. */
    assert_str_equal((struct str){ draft.value.at + strlen(JWE_DIRECT_START), TOKEN_JTI_BYTES },
                     draft.jti);
    put(fixture, grant);
}

static void test_jwe_without_expiry_and_session(void **state)
{
    struct room_fixture *fixture = *state;
    struct account account = fixture_add_account(fixture, "alice", false);
    struct live_grant *grant = grant_of(fixture, &account, "", "");
    struct token_draft draft = issue(fixture, grant, (struct token_shape){ .format = TOKEN_JWE });
    struct str wanted = arena_format(
        &fixture->arena,
        "{\"username\":\"alice\",\"jti\":\"%.*s\",\"sub\":\"account:%lld\",\"iat\":%lld}",
        STR_ARGS(draft.jti), (long long)account.id, (long long)draft.row.issued_at);
    struct token_presented presented = { .value = draft.value };
    enum token_inactive why;

    assert_int_equal(draft.row.expires_at, 0);
    assert_true(draft.row.id >= STORE_LONG_TOKEN_FIRST);
    assert_str_equal(open_jwe(fixture, draft.value), wanted);
    assert_int_equal(
        fixture_find_at(fixture, &presented, draft.row.issued_at + 4000000000, false, &why), RC_OK);
    put(fixture, grant);
}

/* ---- Spring's JWT --------------------------------------------------------------------------- */

/* The one RS256 key, which the JWKS shows. */
static void find_published_key(struct room_fixture *fixture, struct public_key *out_key)
{
    struct key *rows = arena_alloc(&fixture->arena, KEY_COUNT_MAX * sizeof(*rows));
    struct buffer jwks = buffer_over(arena_alloc(&fixture->arena, 65536), 65536);
    struct str jwk = { 0 };
    size_t count;

    assert_int_equal(store_list_keys(fixture->store, &fixture->arena, rows, KEY_COUNT_MAX, &count),
                     RC_OK);
    for (size_t i = 0; i < count; i++)
        if (rows[i].alg == ALG_RS256)
            jwk = rows[i].public_jwk;
    assert_true(jwk.len > 0);
    assert_int_equal(
        key_ring_format_jwks(token_room_keys(fixture->room), clock_now_s(), true, &jwks), RC_OK);
    assert_non_null(memmem(jwks.at, jwks.len, jwk.at, jwk.len));
    assert_int_equal(jwk_parse_public(jwk, out_key), RC_OK);
}

/* The claims of a token whose signature is right. */
static struct str open_spring(struct room_fixture *fixture, struct str compact)
{
    struct public_key key;
    struct jws jws;

    find_published_key(fixture, &key);
    assert_int_equal(jws_parse(compact, &fixture->arena, &jws), RC_OK);
    assert_int_equal(jws_verify(&jws, &key), RC_OK);
    return jws.payload;
}

/* contracts 3.3: what is there for an administrator, in order; and the header to the letter. */
static void test_spring_jwt_of_an_administrator(void **state)
{
    /* {"alg":"RS256","typ":"JWT"} */
    static const struct str header = { "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.", 37 };
    struct room_fixture *fixture = *state;
    struct account account = fixture_add_account(fixture, "alice", true);
    struct live_grant *grant = grant_of(fixture, &account, "read write", "a.example b.example");
    struct token_shape shape = { .format = TOKEN_SPRING_JWT,
                                 .alg = ALG_ES256, /* not asked: RS256 always */
                                 .lifetime_s = 43200,
                                 .account = &account };
    struct token_draft draft = issue(fixture, grant, shape);
    struct str wanted = arena_format(
        &fixture->arena,
        "{\"jti\":\"%.*s\",\"user_name\":\"alice\",\"scope\":[\"read\",\"write\"],\"exp\":%lld,"
        "\"authorities\":[\"ROLE_USER\",\"ROLE_ADMIN\"],\"client_id\":\"demo\","
        "\"aud\":[\"a.example\",\"b.example\"],\"userid\":%lld,"
        "\"fullname\":\"Alice \\\"Al\\\" Liddell\",\"username\":\"alice\"}",
        STR_ARGS(draft.jti), (long long)draft.row.issued_at + 43200, (long long)account.id);

    assert_true(str_starts_with(draft.value, header));
    assert_str_equal(open_spring(fixture, draft.value), wanted);
    put(fixture, grant);
}

static void test_spring_jwt_of_a_user(void **state)
{
    struct room_fixture *fixture = *state;
    struct account account = fixture_add_account(fixture, "bob", false);
    struct live_grant *grant = grant_of(fixture, &account, "read", "");
    struct token_shape shape = { .format = TOKEN_SPRING_JWT, .account = &account };
    struct token_draft draft = issue(fixture, grant, shape);
    struct str wanted =
        arena_format(&fixture->arena,
                     "{\"jti\":\"%.*s\",\"user_name\":\"bob\",\"scope\":[\"read\"],"
                     "\"authorities\":[\"ROLE_USER\"],\"client_id\":\"demo\",\"userid\":%lld,"
                     "\"fullname\":\"Alice \\\"Al\\\" Liddell\",\"username\":\"bob\"}",
                     STR_ARGS(draft.jti), (long long)account.id);

    assert_str_equal(open_spring(fixture, draft.value), wanted);
    put(fixture, grant);
}

/* A client alone is no user: Spring then writes the client's authorities and no user_name. */
static void test_spring_jwt_of_a_client(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft draft =
        issue(fixture, grant, (struct token_shape){ .format = TOKEN_SPRING_JWT, .lifetime_s = 9 });
    struct str wanted = arena_format(&fixture->arena,
                                     "{\"jti\":\"%.*s\",\"scope\":[\"read\"],\"exp\":%lld,"
                                     "\"authorities\":[\"ROLE_CLIENT\"],\"client_id\":\"demo\"}",
                                     STR_ARGS(draft.jti), (long long)draft.row.issued_at + 9);

    assert_str_equal(open_spring(fixture, draft.value), wanted);
    put(fixture, grant);
}

/* ---- all formats ---------------------------------------------------------------------------- */

/* One of each; in the order of enum token_format. */
static void issue_all(struct room_fixture *fixture, struct live_grant *grant,
                      struct token_draft out_drafts[static TOKEN_FORMAT_COUNT])
{
    for (int format = 0; format < TOKEN_FORMAT_COUNT; format++)
        out_drafts[format] =
            issue(fixture, grant,
                  (struct token_shape){ .format = (enum token_format)format, .lifetime_s = 3600 });
}

/* What a view shows of a token is what its draft said, from the table and from the store. */
static void test_every_format_is_found(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft drafts[TOKEN_FORMAT_COUNT];
    char jti[TOKEN_JTI_BYTES_MAX];
    struct token_view view;
    enum token_inactive why;

    issue_all(fixture, grant, drafts);
    put(fixture, grant);
    for (int round = 0; round < 2; round++) {
        for (int format = 0; format < TOKEN_FORMAT_COUNT; format++) {
            const struct token_draft *draft = &drafts[format];
            struct token_presented presented = { .value = draft->value };

            assert_int_equal(draft->row.format, format);
            assert_int_equal(
                token_find(fixture->room, &presented, clock_now_s(), true, &view, &why), RC_OK);
            assert_int_equal(view.id, draft->row.id);
            assert_int_equal(view.live.format, format);
            assert_str_equal(token_jti_format(view.handle, view.live.format, jti), draft->jti);
            token_view_put(fixture->room, &view);
        }
        fixture_close(fixture);
        fixture_open(fixture);
    }
}

static void test_jti_of_every_format_is_read(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft drafts[TOKEN_FORMAT_COUNT];
    struct token_handle handle;

    issue_all(fixture, grant, drafts);
    for (int format = 0; format < TOKEN_FORMAT_COUNT; format++) {
        struct str jti = drafts[format].jti;

        assert_int_equal(jti.len, format == TOKEN_SPRING_JWT ? 36 : TOKEN_JTI_BYTES);
        assert_int_equal(token_jti_parse(fixture->room, jti, &handle), RC_OK);
        assert_int_equal(handle.id, drafts[format].row.id);
        assert_int_equal(handle.kind, TOKEN_ACCESS);
        for (size_t len = 0; len < jti.len; len++)
            assert_int_equal(token_jti_parse(fixture->room, (struct str){ jti.at, len }, &handle),
                             RC_INVALID);
    }
    put(fixture, grant);
}

/* BE-05: one flipped bit anywhere, or another length, and the token is not ours; so no part of it,
 * and no other reading of a part, stands for it. */
static void test_be_05_every_format_is_known_whole(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft drafts[TOKEN_FORMAT_COUNT];

    issue_all(fixture, grant, drafts);
    for (int format = 0; format < TOKEN_FORMAT_COUNT; format++) {
        struct str copy = arena_copy(&fixture->arena, drafts[format].value);
        char *bytes = fixture->arena.slab + (copy.at - fixture->arena.slab);
        int64_t now = clock_now_s();

        for (size_t i = 0; i < copy.len; i++) {
            bytes[i] ^= 1;
            fixture_assert_inactive(fixture, copy, now, TOKEN_UNKNOWN);
            bytes[i] ^= 1;
            fixture_assert_inactive(fixture, (struct str){ copy.at, i }, now, TOKEN_UNKNOWN);
        }
        assert_int_equal(fixture_find(fixture, copy, true), RC_OK);
    }
    put(fixture, grant);
}

/* A JWE's text around the handle of another token: a handle alone proves nothing. */
static void test_handle_of_another_token_proves_nothing(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    size_t iv_at = strlen(JWE_DIRECT_START);
    struct token_draft drafts[TOKEN_FORMAT_COUNT];

    issue_all(fixture, grant, drafts);
    for (int format = TOKEN_OPAQUE; format <= TOKEN_JWT; format++) {
        struct str jwe = arena_copy(&fixture->arena, drafts[TOKEN_JWE].value);

        memcpy(fixture->arena.slab + (jwe.at - fixture->arena.slab) + iv_at, drafts[format].jti.at,
               TOKEN_JTI_BYTES);
        fixture_assert_inactive(fixture, jwe, clock_now_s(), TOKEN_UNKNOWN);
    }
    put(fixture, grant);
}

/* The reason is for whoever proves the value; from the table and from the store. */
static void test_reasons_are_told_apart(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct live_grant *ended = fixture_grant(fixture, "write");
    int64_t ended_id = ended->id;
    struct token_draft drafts[TOKEN_FORMAT_COUNT];
    struct token_draft revoked[TOKEN_FORMAT_COUNT];
    struct token_draft of_ended[TOKEN_FORMAT_COUNT];

    issue_all(fixture, grant, drafts);
    issue_all(fixture, grant, revoked);
    issue_all(fixture, ended, of_ended);
    put(fixture, grant);
    put(fixture, ended);
    fixture_end_grant(fixture, ended_id);
    for (int format = 0; format < TOKEN_FORMAT_COUNT; format++)
        fixture_revoke(fixture, &revoked[format].row);
    for (int round = 0; round < 2; round++) {
        for (int format = 0; format < TOKEN_FORMAT_COUNT; format++) {
            struct str copy = arena_copy(&fixture->arena, drafts[format].value);
            int64_t now = drafts[format].row.issued_at;

            fixture_assert_inactive(fixture, copy, now + 3600, TOKEN_EXPIRED);
            fixture_assert_inactive(fixture, revoked[format].value, now, TOKEN_REVOKED);
            fixture_assert_inactive(fixture, of_ended[format].value, now, TOKEN_REVOKED);
            copy.len--;
            fixture_assert_inactive(fixture, copy, now + 3600, TOKEN_UNKNOWN);
        }
        fixture_close(fixture);
        fixture_open(fixture);
    }
}

/* No expiry of its own, but the record of its grant has one. */
static void test_endless_token_ends_with_its_grant(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    int64_t now = clock_now_s();
    struct grant like = { .client_id = fixture->client_id, .expires_at = now + 60 };
    struct live_grant *grant;
    struct token_draft draft;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants, &like, NULL, now, &unit, &grant), RC_OK);
    for (int format = 0; format < TOKEN_FORMAT_COUNT; format++) {
        struct token_shape shape = { .format = (enum token_format)format };

        assert_int_equal(
            token_draft_access(fixture->room, grant, shape, now, &fixture->arena, &draft), RC_OK);
        assert_int_equal(draft.row.expires_at, now + 60);
    }
    grant_put(grants, grant);
}

/* As many words as fit a scope, each escaped to six bytes: the claims do not fit. */
static void test_claims_that_do_not_fit_are_refused(void **state)
{
    struct room_fixture *fixture = *state;
    char *scope = arena_alloc(&fixture->arena, SCOPE_BYTES_MAX + 1);
    struct live_grant *grant;
    struct token_draft draft;

    memset(scope, '&', SCOPE_BYTES_MAX);
    grant = fixture_grant(fixture, scope);
    for (int format = TOKEN_JWT; format < TOKEN_FORMAT_COUNT; format++) {
        struct token_shape shape = { .format = (enum token_format)format, .lifetime_s = 60 };

        /* A JWE holds no scope. */
        assert_int_equal(
            token_draft_access(fixture->room, grant, shape, clock_now_s(), &fixture->arena, &draft),
            format == TOKEN_JWE ? RC_OK : RC_TOO_LARGE);
    }
    put(fixture, grant);
}

/* KY-02: a key of RS256 stays for 3DM's tokens, whatever format their service has chosen. */
static void test_ky_02_rs256_outlives_the_tokens_of_every_service(void **state)
{
    struct room_fixture *fixture = *state;
    struct service service = { .service_id = STR("slow.example"),
                               .format = TOKEN_OPAQUE,
                               .lifetime_s = 30 * 86400 };
    struct key *rows = arena_alloc(&fixture->arena, KEY_COUNT_MAX * sizeof(*rows));
    char kids[2][KEY_ID_BYTES + 1];
    int64_t now = clock_now_s();
    int64_t retires_at = 0;
    size_t count;

    fixture_add_service(fixture, service);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            key_rotate(fixture->store, fixture_master_key, ALG_RS256, now, now, 50, kids[i]),
            RC_OK);
    assert_int_equal(store_list_keys(fixture->store, &fixture->arena, rows, KEY_COUNT_MAX, &count),
                     RC_OK);
    for (size_t i = 0; i < count; i++)
        if (str_equal(rows[i].kid, str_of(kids[0])))
            retires_at = rows[i].retires_at;
    assert_int_equal(retires_at, now + service.lifetime_s);
}

#define FORMAT_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FORMAT_TEST(test_jwe_holds_its_claims),
        FORMAT_TEST(test_jwe_without_expiry_and_session),
        FORMAT_TEST(test_spring_jwt_of_an_administrator),
        FORMAT_TEST(test_spring_jwt_of_a_user),
        FORMAT_TEST(test_spring_jwt_of_a_client),
        FORMAT_TEST(test_every_format_is_found),
        FORMAT_TEST(test_jti_of_every_format_is_read),
        FORMAT_TEST(test_be_05_every_format_is_known_whole),
        FORMAT_TEST(test_handle_of_another_token_proves_nothing),
        FORMAT_TEST(test_reasons_are_told_apart),
        FORMAT_TEST(test_endless_token_ends_with_its_grant),
        FORMAT_TEST(test_claims_that_do_not_fit_are_refused),
        FORMAT_TEST(test_ky_02_rs256_outlives_the_tokens_of_every_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
