/* Permanent tokens in the room: their look, and from where they may be used. */
#include "permanent_fixture.h"

/* ---- their look ----------------------------------------------------------------------------- */

static void test_a_value_says_what_it_is(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .lifetime_s = 0 });
    struct token_handle handle;

    assert_true(str_starts_with(made.draft.value, STR("jtp_")));
    assert_int_equal(made.draft.value.len, 53);
    assert_int_equal(made.draft.row.kind, TOKEN_PERMANENT);
    assert_int_equal(made.draft.row.expires_at, 0);
    assert_true(made.draft.row.id >= STORE_LONG_TOKEN_FIRST);
    assert_int_equal(token_jti_parse(fixture->room, made.draft.jti, &handle), RC_OK);
    assert_int_equal(handle.kind, TOKEN_PERMANENT);
    assert_int_equal(handle.id, made.draft.row.id);
    /* A hundred years on. */
    assert_used(fixture, &made, NULL, clock_now_s() + 100LL * 365 * 86400);
}

/* One that expires ends on the second, also one of a few minutes. */
static void test_one_that_expires(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .lifetime_s = 600 });
    int64_t end = made.draft.row.issued_at + 600;

    assert_int_equal(made.draft.row.expires_at, end);
    assert_true(made.draft.row.id >= STORE_LONG_TOKEN_FIRST);
    assert_used(fixture, &made, NULL, end - 1);
    fixture_assert_inactive(fixture, made.draft.value, end, TOKEN_EXPIRED);
}

/* A service that asks for JWTs gets one; it has no exp when it never expires. */
static void test_as_a_jwt(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .format = TOKEN_JWT });
    struct str value = made.draft.value;
    char *other = arena_alloc(&fixture->arena, value.len);

    assert_int_equal(made.draft.row.format, TOKEN_JWT);
    assert_used(fixture, &made, NULL, clock_now_s());
    restart(fixture);
    assert_used(fixture, &made, NULL, clock_now_s());
    memcpy(other, value.at, value.len);
    other[value.len - 1] ^= 1;
    fixture_assert_inactive(fixture, (struct str){ other, value.len }, clock_now_s(),
                            TOKEN_UNKNOWN);
}

static void keep_text(struct str text, char out_text[KEY_ID_BYTES + 1])
{
    assert_int_equal(text.len, KEY_ID_BYTES);
    memcpy(out_text, text.at, text.len);
    out_text[text.len] = '\0';
}

static bool jwks_names(struct key_ring *ring, const char *kid)
{
    char memory[65536];
    struct buffer jwks = buffer_over(memory, sizeof(memory));

    assert_int_equal(key_ring_format_jwks(ring, clock_now_s(), true, &jwks), RC_OK);
    return memmem(jwks.at, jwks.len, kid, strlen(kid)) != NULL;
}

/* What the room's own thread does, at another time. */
static void tend(struct key_ring *ring, int64_t now)
{
    assert_int_equal(key_ring_tend(ring, now), RC_OK);
    key_ring_mark_stale(ring);
    assert_int_equal(key_ring_tend(ring, now), RC_OK);
}

/* KY-02: the key of a permanent JWT stays in the JWKS as long as that lives, and no longer; one
 * that signed none of them leaves when it retires. */
static void test_ky_02_the_key_of_a_living_jwt(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .format = TOKEN_JWT, .lifetime_s = 0 });
    char kids[3][KEY_ID_BYTES + 1];
    int64_t now = clock_now_s();
    struct key_ring *ring;
    struct ring_key *key;

    assert_int_equal(key_ring_open(fixture->store, fixture_master_key, now, &ring), RC_OK);
    assert_int_equal(key_ring_find(ring, ALG_ES256, now, &key), RC_OK);
    keep_text(ring_key_id(key), kids[0]);
    ring_key_put(key);
    for (int i = 1; i < 3; i++)
        assert_int_equal(key_rotate(fixture->store, fixture_master_key, ALG_ES256, now,
                                    now + 1000 * i, 500, kids[i]),
                         RC_OK);
    key_ring_mark_stale(ring);
    /* It is kept before it has left. */
    tend(ring, now + 1500 - 60);
    tend(ring, now + 1500);
    assert_true(jwks_names(ring, kids[0]));
    /* Its successor signed nothing that is permanent. */
    tend(ring, now + 2500);
    assert_true(jwks_names(ring, kids[0]));
    assert_false(jwks_names(ring, kids[1]));
    assert_true(jwks_names(ring, kids[2]));
    for (int64_t day = 1; day < 60; day++)
        tend(ring, now + day * 86400);
    assert_true(jwks_names(ring, kids[0]));
    fixture_end_grant(fixture, made.grant_id);
    tend(ring, now + 61 * 86400);
    assert_false(jwks_names(ring, kids[0]));
    assert_true(jwks_names(ring, kids[2]));
    key_ring_close(ring);
}

static bool lives(struct room_fixture *fixture, int64_t from, int64_t until, int64_t now)
{
    bool does = false;

    assert_int_equal(permanent_jwt_lives(fixture->store, from, until, now, &does), RC_OK);
    return does;
}

/* A key is needed by what it signed, as long as that lives: not by others' times, nor by values
 * that nobody signed. */
static void test_ky_02_which_jwts_live(void **state)
{
    struct room_fixture *fixture = *state;
    struct made jwt = make(fixture, (struct wish){ .format = TOKEN_JWT, .lifetime_s = 600 });
    int64_t at = jwt.draft.row.issued_at;

    (void)make(fixture, (struct wish){ .format = TOKEN_OPAQUE });
    (void)make(fixture, (struct wish){ .format = TOKEN_JWT, .is_without_row = true });
    assert_true(lives(fixture, at, at, at));
    assert_true(lives(fixture, 0, at + 1000, at + 599));
    assert_false(lives(fixture, 0, at + 1000, at + 600)); /* it has expired */
    assert_false(lives(fixture, at + 1000, at + 2000, at));
    assert_false(lives(fixture, 0, at - 1, at));
    fixture_end_grant(fixture, jwt.grant_id);
    assert_false(lives(fixture, at, at + 1000, at));
}

/* ---- from where ----------------------------------------------------------------------------- */

static void test_without_networks_any_address_will_do(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .addresses = "" });
    int64_t now = clock_now_s();

    for (int turn = 0; turn < 2; turn++) {
        assert_used(fixture, &made, inside, now);
        assert_used(fixture, &made, inside_v6, now);
        assert_used(fixture, &made, NULL, now);
        restart(fixture);
    }
}

/* In memory as it was made, and as it is read from the store. */
static void test_with_networks_only_from_there(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made =
        make(fixture, (struct wish){ .addresses = "192.0.2.1 10.0.0.0/8 2001:db8::/32" });
    int64_t now = clock_now_s();

    for (int turn = 0; turn < 2; turn++) {
        assert_used(fixture, &made, inside, now);
        assert_used(fixture, &made, inside_v6, now);
        assert_wrong_address(fixture, &made, outside);
        assert_wrong_address(fixture, &made, nowhere);
        assert_wrong_address(fixture, &made, NULL);
        restart(fixture);
    }
}

/* As many networks as there may be: the last one counts as well. */
static void test_the_last_of_many_networks(void **state)
{
    struct room_fixture *fixture = *state;
    char addresses[1024];
    struct buffer text = buffer_over(addresses, sizeof(addresses) - 1);
    struct made made;

    for (int i = 0; i < PERMANENT_NETWORK_COUNT_MAX - 1; i++)
        buffer_append_format(&text, "192.0.2.%d ", i);
    BUFFER_APPEND_LITERAL(&text, "10.0.0.7");
    addresses[text.len] = '\0';
    made = make(fixture, (struct wish){ .addresses = addresses });
    restart(fixture);
    assert_used(fixture, &made, inside, clock_now_s());
    assert_wrong_address(fixture, &made, outside);
}

/* What cannot be read lets nobody in. */
static void test_networks_that_cannot_be_read(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    static const char *const broken[] = { "10.0.0.0/8 junk", "10.0.0.1/8", "::/0" };

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct permanent permanent = { .addresses = str_of(broken[i]) };
        struct grant_tie tie = { .permanent = &permanent };
        struct grant like = { .account_id = 1, .client_id = fixture->client_id };
        struct live_grant *grant;
        struct store_unit unit;

        store_unit_init(&unit);
        assert_int_equal(grant_draft_family(grants, &like, &tie, clock_now_s(), &unit, &grant),
                         RC_CORRUPT);
        assert_int_equal(unit.step_count, 0);
    }
}

/* Where nothing says any more what limits a token, it is good for nothing. */
static void test_a_row_that_is_gone(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .is_without_row = true });

    restart(fixture);
    fixture_assert_inactive(fixture, made.draft.value, clock_now_s(), TOKEN_REVOKED);
}

/* An id that was drawn before is good for one grant. */
static void test_an_id_that_is_taken(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct permanent permanent = { .addresses = STR("") };
    struct grant_tie tie = { .permanent = &permanent };
    struct grant like = { .account_id = fixture_add_account(fixture, "alice", false).id,
                          .client_id = fixture->client_id };
    struct live_grant *first;
    struct live_grant *second;
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &like.id), RC_OK);
    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants, &like, &tie, 1, &unit, &first), RC_OK);
    assert_int_equal(first->id, like.id);
    assert_int_equal(grant_draft_family(grants, &like, &tie, 1, &unit, &second), RC_EXISTS);
    assert_int_equal(unit.step_count, 1);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    grant_put(grants, first);
    assert_int_equal(grant_book_count(grants), 0);
    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants, &like, &tie, 1, &unit, &first), RC_OK);
    assert_int_equal(store_commit(fixture->store, &unit), RC_EXISTS);
    grant_put(grants, first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_a_value_says_what_it_is),
        ROOM_TEST(test_one_that_expires),
        ROOM_TEST(test_as_a_jwt),
        ROOM_TEST(test_ky_02_the_key_of_a_living_jwt),
        ROOM_TEST(test_ky_02_which_jwts_live),
        ROOM_TEST(test_without_networks_any_address_will_do),
        ROOM_TEST(test_with_networks_only_from_there),
        ROOM_TEST(test_the_last_of_many_networks),
        ROOM_TEST(test_networks_that_cannot_be_read),
        ROOM_TEST(test_a_row_that_is_gone),
        ROOM_TEST(test_an_id_that_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
