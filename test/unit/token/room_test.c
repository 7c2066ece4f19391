/* Tokens from draft to end, on a real store: what a resource server may rely on. */
#include <pthread.h>

#include "room_fixture.h"

#include "jose/jose.h"

static void test_issued_token_is_found_without_the_store(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft opaque = fixture_issue(fixture, grant, TOKEN_OPAQUE);
    struct token_draft jwt = fixture_issue(fixture, grant, TOKEN_JWT);
    struct token_presented presented = { .value = opaque.value };
    enum token_inactive why;
    struct token_view view;

    assert_int_equal(fixture_find(fixture, opaque.value, false), RC_OK);
    assert_int_equal(fixture_find(fixture, jwt.value, false), RC_OK);
    assert_int_equal(token_find(fixture->room, &presented, clock_now_s(), false, &view, &why),
                     RC_OK);
    assert_true(str_equal(view.live.grant->scope, STR("read")));
    assert_true(str_equal(view.live.grant->client_name, STR("demo")));
    assert_int_equal(view.live.expires_at, opaque.row.expires_at);
    token_view_put(fixture->room, &view);
    grant_put(token_room_grants(fixture->room), grant);
}

static void test_expired_token_is_not_found(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_OPAQUE);

    fixture_assert_inactive(fixture, draft.value, draft.row.expires_at, TOKEN_EXPIRED);
    grant_put(token_room_grants(fixture->room), grant);
}

static void test_in_04_revocation_is_seen_at_once(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_OPAQUE);

    fixture_revoke(fixture, &draft.row);
    assert_int_equal(fixture_find(fixture, draft.value, true), RC_NOT_FOUND);
    grant_put(token_room_grants(fixture->room), grant);
}

static void test_ended_grant_ends_all_its_tokens_and_is_not_used_again(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "write");
    struct token_draft opaque = fixture_issue(fixture, grant, TOKEN_OPAQUE);
    struct token_draft jwt = fixture_issue(fixture, grant, TOKEN_JWT);
    struct live_grant *next;
    struct store_unit unit;

    store_unit_init(&unit);
    store_end_grant(&unit, grant->id, clock_now_s());
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(fixture_find(fixture, opaque.value, true), RC_NOT_FOUND);
    assert_int_equal(fixture_find(fixture, jwt.value, true), RC_NOT_FOUND);
    next = fixture_grant(fixture, "write");
    assert_int_not_equal(next->id, grant->id);
    grant_put(token_room_grants(fixture->room), next);
    grant_put(token_room_grants(fixture->room), grant);
}

/* BE-05 for JWTs: one flipped bit anywhere, or another length, and the token is not ours. */
static void test_be_05_jwt_is_known_whole(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_JWT);
    struct str copy = arena_copy(&fixture->arena, draft.value);
    char *bytes = fixture->arena.slab + (copy.at - fixture->arena.slab);

    for (size_t i = 0; i < copy.len; i++) {
        bytes[i] ^= 1;
        assert_int_equal(fixture_find(fixture, copy, true), RC_NOT_FOUND);
        bytes[i] ^= 1;
        assert_int_equal(fixture_find(fixture, (struct str){ copy.at, i }, true), RC_NOT_FOUND);
    }
    assert_int_equal(fixture_find(fixture, copy, true), RC_OK);
    grant_put(token_room_grants(fixture->room), grant);
}

static void test_in_05_refresh_token_is_no_access_token(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    int64_t now = clock_now_s();
    struct token_draft draft;
    struct store_unit unit;

    assert_int_equal(
        token_draft_refresh(fixture->room, grant, now + 3600, now, &fixture->arena, &draft), RC_OK);
    store_unit_init(&unit);
    store_insert_token(&unit, &draft.row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(fixture_find(fixture, draft.value, true), RC_NOT_FOUND);
    grant_put(token_room_grants(fixture->room), grant);
}

static void test_tokens_outlive_a_restart_and_revoked_ones_do_not(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft kept = fixture_issue(fixture, grant, TOKEN_OPAQUE);
    struct token_draft jwt = fixture_issue(fixture, grant, TOKEN_JWT);
    struct token_draft revoked = fixture_issue(fixture, grant, TOKEN_OPAQUE);

    fixture_revoke(fixture, &revoked.row);
    grant_put(token_room_grants(fixture->room), grant);
    fixture_close(fixture);
    fixture_open(fixture);
    assert_int_equal(fixture_find(fixture, kept.value, true), RC_OK);
    assert_int_equal(fixture_find(fixture, jwt.value, true), RC_OK);
    assert_int_equal(fixture_find(fixture, revoked.value, true), RC_NOT_FOUND);
    /* Found once, it is in the table. */
    assert_int_equal(fixture_find(fixture, kept.value, false), RC_OK);
}

static void test_jt_01_jwt_has_the_claims_of_rfc_9068(void **state)
{
    static const char *const claims[] = { "\"iss\":\"http://127.0.0.1:8080\"",
                                          "\"exp\":",
                                          "\"aud\":\"http://127.0.0.1:8080\"",
                                          "\"sub\":\"demo\"",
                                          "\"client_id\":\"demo\"",
                                          "\"iat\":",
                                          "\"jti\":\"",
                                          "\"scope\":\"read\"" };
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_JWT);
    struct jws jws;

    assert_int_equal(jws_parse(draft.value, &fixture->arena, &jws), RC_OK);
    assert_true(str_equal(jws.typ, STR("at+jwt")));
    assert_true(str_equal(jws.alg, STR("ES256")));
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        assert_non_null(memmem(jws.payload.at, jws.payload.len, claims[i], strlen(claims[i])));
    grant_put(token_room_grants(fixture->room), grant);
}

/* ---- races ---------------------------------------------------------------------------------- */

struct race {
    struct room_fixture *fixture;
    struct str value;
    _Atomic bool is_revoked;
    _Atomic bool is_over;
    _Atomic unsigned late_count; /* found although revoked before the question */
    _Atomic unsigned found_count;
};

static void *ask_again_and_again(void *context)
{
    struct race *race = context;

    while (!atomic_load(&race->is_over)) {
        bool was_revoked = atomic_load(&race->is_revoked);
        enum rc rc = fixture_find(race->fixture, race->value, true);

        if (rc == RC_OK)
            atomic_fetch_add(was_revoked ? &race->late_count : &race->found_count, 1);
    }
    return NULL;
}

/* A token that is committed, but not entered: every question goes to the store at first. */
static struct token_draft commit_only(struct room_fixture *fixture, struct live_grant *grant)
{
    struct token_shape shape = { .format = TOKEN_OPAQUE, .lifetime_s = 3600 };
    struct token_draft draft;
    struct store_unit unit;

    assert_int_equal(
        token_draft_access(fixture->room, grant, shape, clock_now_s(), &fixture->arena, &draft),
        RC_OK);
    store_unit_init(&unit);
    store_insert_token(&unit, &draft.row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    return draft;
}

/* Two readers ask about a token while it, or its grant, ends: none may find it afterwards. */
static void race_readers(struct room_fixture *fixture, const struct token_draft *draft,
                         int64_t grant_id)
{
    struct race race = { .fixture = fixture, .value = draft->value };
    pthread_t readers[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, ask_again_and_again, &race), 0);
    if (grant_id == 0)
        fixture_revoke(fixture, &draft->row);
    else
        fixture_end_grant(fixture, grant_id);
    atomic_store(&race.is_revoked, true);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fixture_find(fixture, draft->value, true), RC_NOT_FOUND);
    atomic_store(&race.is_over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(race.late_count, 0);
}

/* A reader that loads a token from the store while it is revoked must not bring it back. */
static void test_revocation_beats_a_reader_that_is_loading(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");

    for (int round = 0; round < 50; round++) {
        struct token_draft draft = commit_only(fixture, grant);

        race_readers(fixture, &draft, 0);
    }
    grant_put(token_room_grants(fixture->room), grant);
}

/* The same for a reader that loads the grant, which nobody has in memory, while it ends. */
static void test_end_of_a_grant_beats_a_reader_that_is_loading(void **state)
{
    struct room_fixture *fixture = *state;

    for (int round = 0; round < 50; round++) {
        struct live_grant *grant = fixture_grant(fixture, "read");
        int64_t grant_id = grant->id;
        struct token_draft draft = commit_only(fixture, grant);

        grant_put(token_room_grants(fixture->room), grant);
        race_readers(fixture, &draft, grant_id);
    }
}

/* RV-03: others may revoke a token between its commit and its entry in the table. */
static void test_token_revoked_before_its_entry_stays_dead(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft draft = commit_only(fixture, grant);

    fixture_revoke(fixture, &draft.row);
    token_enter(fixture->room, &draft, clock_now_s());
    assert_int_not_equal(fixture_find(fixture, draft.value, false), RC_OK);
    assert_int_equal(fixture_find(fixture, draft.value, true), RC_NOT_FOUND);
    grant_put(token_room_grants(fixture->room), grant);
}

/* What a refresh spends has an id of the other range: it keeps no new token from the table. */
static void test_entry_survives_revocations_of_the_other_range(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft draft = commit_only(fixture, grant);
    struct token spent = { .id = STORE_LONG_TOKEN_FIRST + 12345 };

    fixture_revoke(fixture, &spent);
    token_enter(fixture->room, &draft, clock_now_s());
    assert_int_equal(fixture_find(fixture, draft.value, false), RC_OK);
    grant_put(token_room_grants(fixture->room), grant);
}

/* Who refreshes or revokes does not read what the table knows; what it does not know as living
 * is the store's to say. */
static void test_living_token_is_read_from_memory(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "read");
    int64_t now = clock_now_s();
    struct token_record record;
    struct token_draft draft;
    char other[TOKEN_TEXT_BYTES_MAX];

    assert_int_equal(
        token_draft_refresh(fixture->room, grant, now + 60, now, &fixture->arena, &draft), RC_OK);
    assert_int_equal(token_read(fixture->room, draft.value, &record), RC_NOT_FOUND);
    token_enter(fixture->room, &draft, now);
    assert_int_equal(token_read(fixture->room, draft.value, &record), RC_OK);
    assert_int_equal(record.row.id, draft.row.id);
    assert_int_equal(record.row.kind, TOKEN_REFRESH);
    assert_int_equal(record.row.grant_id, grant->id);
    assert_int_equal(record.row.issued_at, now);
    assert_int_equal(record.row.expires_at, now + 60);
    assert_false(record.row.is_spent || record.row.is_revoked);
    assert_ptr_equal(record.grant, grant);
    grant_put(grants, record.grant);
    memcpy(other, draft.value.at, draft.value.len);
    other[10] = other[10] == 'A' ? 'B' : 'A';
    assert_int_equal(token_read(fixture->room, (struct str){ other, draft.value.len }, &record),
                     RC_NOT_FOUND);
    live_mark_revoked(token_room_live(fixture->room), draft.row.id);
    assert_int_equal(token_read(fixture->room, draft.value, &record), RC_NOT_FOUND);
    grant_put(grants, grant);
}

/* No token outlives the record of its grant, without which it would not be found. */
static void test_token_does_not_outlive_its_grant(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct token_shape shape = { .format = TOKEN_OPAQUE, .lifetime_s = 3600 };
    int64_t now = clock_now_s();
    struct grant like = { .client_id = fixture->client_id, .expires_at = now + 60 };
    struct token_draft access;
    struct token_draft refresh;
    struct live_grant *grant;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants, &like, NULL, now, &unit, &grant), RC_OK);
    assert_int_equal(token_draft_access(fixture->room, grant, shape, now, &fixture->arena, &access),
                     RC_OK);
    assert_int_equal(
        token_draft_refresh(fixture->room, grant, now + 3600, now, &fixture->arena, &refresh),
        RC_OK);
    assert_int_equal(access.row.expires_at, now + 60);
    assert_int_equal(refresh.row.expires_at, now + 60);
    grant_put(grants, grant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_issued_token_is_found_without_the_store,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_expired_token_is_not_found, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_in_04_revocation_is_seen_at_once, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_ended_grant_ends_all_its_tokens_and_is_not_used_again,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_be_05_jwt_is_known_whole, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_in_05_refresh_token_is_no_access_token, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_tokens_outlive_a_restart_and_revoked_ones_do_not,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_jt_01_jwt_has_the_claims_of_rfc_9068, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_end_of_a_grant_beats_a_reader_that_is_loading,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token_revoked_before_its_entry_stays_dead,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_entry_survives_revocations_of_the_other_range,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_living_token_is_read_from_memory, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token_does_not_outlive_its_grant, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_revocation_beats_a_reader_that_is_loading,
                                        fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
