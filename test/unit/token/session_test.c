/* Tokens that are tied to a session: whose they are, where from, and for how long without a use. */
#include "session_fixture.h"

/* ---- whose it is ---------------------------------------------------------------------------- */

static void test_session_is_stored_with_its_grant(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    struct session row;
    struct grant grant;

    assert_int_equal(store_find_grant(fixture->store, bound.grant_id, &fixture->arena, &grant),
                     RC_OK);
    assert_true(grant.is_session && grant.is_family);
    assert_int_equal(store_find_session(fixture->store, bound.grant_id, &fixture->arena, &row),
                     RC_OK);
    assert_int_equal(row.id, bound.grant_id);
    assert_int_equal(row.account_id, grant.account_id);
    assert_int_equal(row.created_at, bound.begun_at);
    assert_int_equal(row.last_active_at, bound.begun_at);
    assert_int_equal(row.address_bits, EXACT_BITS);
    assert_memory_equal(row.address, home, sizeof(home));
    assert_true(str_equal(row.device, STR("tester/1")));
}

/* contracts 1.5: the token must match its session. */
static void test_token_asks_for_its_own_session(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    struct token_presented presented = bound.presented;

    for (int round = 0; round < 2; round++) {
        assert_int_equal(use_at(fixture, &bound, 1), RC_OK);
        presented.session = STR("");
        assert_refused(fixture, &bound, presented, 1, TOKEN_SESSION_MISSING);
        presented.session = STR("null");
        assert_refused(fixture, &bound, presented, 1, TOKEN_SESSION_WRONG);
        presented.session = STR("0B7C3A52-9d4e-4f0e-8a55-3f6a52b1c9d0");
        assert_refused(fixture, &bound, presented, 1, TOKEN_SESSION_WRONG);
        presented.session = STR(SESSION_ID " ");
        assert_refused(fixture, &bound, presented, 1, TOKEN_SESSION_WRONG);
        restart(fixture);
    }
}

/* Whoever has the session but not the token learns nothing of either. */
static void test_session_proves_no_wrong_value(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    struct token_presented presented = bound.presented;
    struct str copy = arena_copy(&fixture->arena, bound.draft.value);
    enum token_inactive why = TOKEN_EXPIRED;

    fixture->arena.slab[copy.at - fixture->arena.slab + (ptrdiff_t)copy.len - 2] ^= 1;
    presented.value = copy;
    assert_int_equal(fixture_find_at(fixture, &presented, bound.begun_at + 2 * IDLE_S, true, &why),
                     RC_NOT_FOUND);
    assert_int_equal(why, TOKEN_UNKNOWN);
}

/* Clients send a SESSION cookie with tokens that have none (contracts 1.4). */
static void test_token_without_a_session_ignores_one(void **state)
{
    struct room_fixture *fixture = *state;
    struct live_grant *grant = fixture_grant(fixture, "read");
    struct token_draft draft = fixture_issue(fixture, grant, TOKEN_JWE);
    struct token_presented presented = { .value = draft.value, .session = STR("null") };
    enum token_inactive why;

    assert_null(grant->session);
    assert_int_equal(fixture_find_at(fixture, &presented, clock_now_s(), false, &why), RC_OK);
    grant_put(token_room_grants(fixture->room), grant);
}

/* A narrowed token is tied to the session of the family that it comes from, also after a restart;
 * its uses are the session's. */
static void test_narrowed_grant_has_its_parents_session(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    struct token_shape shape = { .format = TOKEN_OPAQUE };
    struct grant like = { .client_id = fixture->client_id, .parent_id = bound.grant_id };
    struct token_presented presented = bound.presented;
    struct live_grant *child;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(token_room_grants(fixture->room), &like, NULL,
                                        bound.begun_at, &unit, &child),
                     RC_OK);
    assert_int_equal(token_draft_access(fixture->room, child, shape, bound.begun_at,
                                        &fixture->arena, &bound.draft),
                     RC_OK);
    store_insert_token(&unit, &bound.draft.row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    grant_put(token_room_grants(fixture->room), child);
    bound.presented.value = bound.draft.value;
    presented.session = STR("");
    for (int64_t round = 1; round <= 2; round++) {
        assert_refused(fixture, &bound, presented, 0, TOKEN_SESSION_MISSING);
        assert_int_equal(use_at(fixture, &bound, round * 20 * MINUTE_S), RC_OK);
        assert_int_equal(saved_active_at(fixture, &bound), round * 20 * MINUTE_S);
        restart(fixture);
    }
    assert_refused(fixture, &bound, bound.presented, 40 * MINUTE_S + IDLE_S, TOKEN_SESSION_IDLE);
}

/* A token of a part of the grant, as an exchange gives one; session: its own, or NULL. */
static struct bound begin_part(struct room_fixture *fixture, const struct bound *whole,
                               const struct session *session)
{
    struct grant_book *grants = token_room_grants(fixture->room);
    struct token_shape shape = { .format = TOKEN_JWE, .session_id = STR(SESSION_ID) };
    struct grant like = { .client_id = fixture->client_id, .parent_id = whole->grant_id };
    struct grant_tie tie = { .session = session };
    struct bound part = *whole;
    struct live_grant *grant;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants, &like, &tie, part.begun_at, &unit, &grant), RC_OK);
    assert_int_equal(token_draft_access(fixture->room, grant, shape, part.begun_at, &fixture->arena,
                                        &part.draft),
                     RC_OK);
    store_insert_token(&unit, &part.draft.row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    token_enter(fixture->room, &part.draft, part.begun_at);
    part.grant_id = grant->id;
    part.presented.value = part.draft.value;
    grant_put(grants, grant);
    return part;
}

static void test_part_of_a_grant_has_its_session(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound whole = begin_standard(fixture);
    struct bound part = begin_part(fixture, &whole, NULL);

    restart(fixture); /* it is read from the store as well */
    assert_int_equal(use_at(fixture, &part, 10 * MINUTE_S), RC_OK);
    assert_int_equal(saved_active_at(fixture, &whole), 10 * MINUTE_S);
    assert_int_equal(use_at(fixture, &whole, 12 * MINUTE_S), RC_OK);
    assert_refused(fixture, &part, part.presented, 12 * MINUTE_S + IDLE_S, TOKEN_SESSION_IDLE);
    assert_int_equal(use_at(fixture, &part, 11 * MINUTE_S + IDLE_S), RC_OK);
}

static void test_part_of_a_grant_may_have_another_session(void **state)
{
    struct room_fixture *fixture = *state;
    struct session session = session_like(EXACT_BITS, IDLE_S);
    struct bound whole = begin_standard(fixture);
    struct bound part = begin_part(fixture, &whole, &session);

    assert_int_equal(use_at(fixture, &part, 10 * MINUTE_S), RC_OK);
    assert_int_equal(saved_active_at(fixture, &part), 10 * MINUTE_S);
    assert_int_equal(saved_active_at(fixture, &whole), 0);
}

static void test_grant_without_its_session_has_ended(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant row = { .client_id = fixture->client_id, .is_family = true, .is_session = true };
    struct live_grant *grant;
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &row.id), RC_OK);
    row.created_at = clock_now_s();
    store_unit_init(&unit);
    store_insert_grant(&unit, &row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(grant_find(token_room_grants(fixture->room), row.id, true, &grant), RC_OK);
    assert_true(grant_is_ended(grant));
    grant_put(token_room_grants(fixture->room), grant);
}

/* ---- where from ----------------------------------------------------------------------------- */

static bool is_home(struct room_fixture *fixture, const struct bound *bound, size_t bit)
{
    struct token_presented presented = bound->presented;
    unsigned char address[16];
    enum token_inactive why = TOKEN_UNKNOWN;
    enum rc rc;

    memcpy(address, home, sizeof(home));
    address[bit / 8] ^= (unsigned char)(0x80 >> bit % 8);
    presented.address = address;
    rc = fixture_find_at(fixture, &presented, bound->begun_at, true, &why);
    if (rc != RC_OK)
        assert_int_equal(why, TOKEN_ADDRESS_WRONG);
    return rc == RC_OK;
}

static void check_address_bits(struct room_fixture *fixture, unsigned bits)
{
    struct bound bound = begin(fixture, bits, IDLE_S, 0);

    for (unsigned bit = 0; bit < 128; bit++)
        assert_int_equal(is_home(fixture, &bound, bit), bit >= bits);
    assert_int_equal(use_at(fixture, &bound, 1), RC_OK);
    bound.presented.address = NULL;
    if (bits > 0)
        assert_refused(fixture, &bound, bound.presented, 0, TOKEN_ADDRESS_WRONG);
    else
        assert_int_equal(use_at(fixture, &bound, 1), RC_OK);
}

static void test_address_off(void **state)
{
    check_address_bits(*state, 0);
}

static void test_address_prefix_of_ipv6(void **state)
{
    check_address_bits(*state, 64);
}

/* An IPv4 /24 is 120 bits of ::ffff:a.b.c.d. */
static void test_address_prefix_of_ipv4(void **state)
{
    check_address_bits(*state, 120);
}

static void test_address_prefix_within_a_byte(void **state)
{
    check_address_bits(*state, 107);
}

static void test_address_exact(void **state)
{
    check_address_bits(*state, EXACT_BITS);
}

/* ---- for how long --------------------------------------------------------------------------- */

/* T11 of contracts part 4; the restarts in between lose nothing of it. */
static void test_activity_keeps_alive_and_idleness_ends(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    int64_t at = 0;

    for (int round = 0; round < 6; round++) {
        at += 29 * MINUTE_S;
        if (round % 2 == 1)
            restart(fixture);
        assert_int_equal(use_at(fixture, &bound, at), RC_OK);
    }
    assert_int_equal(use_at(fixture, &bound, at + IDLE_S - 1), RC_OK);
    at += IDLE_S - 1;
    /* Not even a token without an expiry lives through that. */
    assert_int_equal(bound.draft.row.expires_at, 0);
    assert_refused(fixture, &bound, bound.presented, at + IDLE_S, TOKEN_SESSION_IDLE);
    restart(fixture);
    assert_refused(fixture, &bound, bound.presented, at + IDLE_S, TOKEN_SESSION_IDLE);
    assert_int_equal(use_at(fixture, &bound, at + IDLE_S - 1), RC_OK);
}

/* What is lost by a restart is less than the distance between two saves: 29 minutes are safe. */
static void test_restart_loses_less_than_a_minute(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);

    assert_int_equal(use_at(fixture, &bound, MINUTE_S - 1), RC_OK);
    assert_int_equal(saved_active_at(fixture, &bound), 0);
    restart(fixture);
    assert_int_equal(use_at(fixture, &bound, MINUTE_S - 1 + 29 * MINUTE_S), RC_OK);
}

static void test_expiry_comes_despite_activity(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin(fixture, EXACT_BITS, IDLE_S, MINUTE_S);

    for (int64_t at = 0; at < MINUTE_S; at += 5)
        assert_int_equal(use_at(fixture, &bound, at), RC_OK);
    assert_int_equal(use_at(fixture, &bound, MINUTE_S - 1), RC_OK);
    assert_refused(fixture, &bound, bound.presented, MINUTE_S, TOKEN_EXPIRED);
}

static void test_failures_do_not_slide(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    struct token_presented presented = bound.presented;
    unsigned char elsewhere[16] = { 0x20, 0x01 };

    for (int64_t at = MINUTE_S; at < IDLE_S; at += MINUTE_S) {
        presented = bound.presented;
        presented.session = STR("");
        assert_refused(fixture, &bound, presented, at, TOKEN_SESSION_MISSING);
        presented.session = STR("another");
        assert_refused(fixture, &bound, presented, at, TOKEN_SESSION_WRONG);
        presented = bound.presented;
        presented.address = elsewhere;
        assert_refused(fixture, &bound, presented, at, TOKEN_ADDRESS_WRONG);
    }
    for (int64_t at = IDLE_S; at < IDLE_S + 3; at++)
        assert_refused(fixture, &bound, bound.presented, at, TOKEN_SESSION_IDLE);
    assert_int_equal(saved_active_at(fixture, &bound), 0);
    /* Nor do they end it. */
    assert_int_equal(use_at(fixture, &bound, IDLE_S - 1), RC_OK);
}

/* Only the lane that may wait commits; a use that was sent there does not count before. */
static void test_fast_lane_neither_saves_nor_says_idle(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    int64_t begun_at = bound.begun_at;
    enum token_inactive why;

    assert_int_equal(fixture_find_at(fixture, &bound.presented, begun_at + 59, false, &why), RC_OK);
    assert_int_equal(fixture_find_at(fixture, &bound.presented, begun_at + 60, false, &why),
                     RC_WOULD_BLOCK);
    assert_int_equal(
        fixture_find_at(fixture, &bound.presented, begun_at + 59 + IDLE_S, false, &why),
        RC_WOULD_BLOCK);
    assert_refused(fixture, &bound, bound.presented, 59 + IDLE_S, TOKEN_SESSION_IDLE);
    assert_int_equal(saved_active_at(fixture, &bound), 0);
    assert_int_equal(use_at(fixture, &bound, 60), RC_OK);
    assert_int_equal(saved_active_at(fixture, &bound), 60);
    assert_int_equal(fixture_find_at(fixture, &bound.presented, begun_at + 119, false, &why),
                     RC_OK);
}

static void check_distance(struct room_fixture *fixture, int64_t idle_s, int64_t distance_s)
{
    struct bound bound = begin(fixture, 0, idle_s, 0);

    if (distance_s > 1)
        assert_int_equal(use_at(fixture, &bound, distance_s - 1), RC_OK);
    assert_int_equal(saved_active_at(fixture, &bound), 0);
    assert_int_equal(use_at(fixture, &bound, distance_s), RC_OK);
    assert_int_equal(saved_active_at(fixture, &bound), distance_s);
}

static void test_distance_of_saves_of_a_short_session(void **state)
{
    check_distance(*state, 2, 1);
}

static void test_distance_of_saves_is_a_thirtieth(void **state)
{
    check_distance(*state, 600, 20);
}

static void test_distance_of_saves_of_a_long_session(void **state)
{
    check_distance(*state, 86400, 60);
}

/* Another node's use, known to the store alone. */
static void test_store_is_asked_before_a_session_is_called_idle(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    struct store_unit unit;

    store_unit_init(&unit);
    store_touch_session(&unit, bound.grant_id, bound.begun_at + 20 * MINUTE_S);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_refused(fixture, &bound, bound.presented, 20 * MINUTE_S + IDLE_S, TOKEN_SESSION_IDLE);
    assert_int_equal(use_at(fixture, &bound, 20 * MINUTE_S + IDLE_S - 1), RC_OK);
}

static void test_clock_that_goes_back_takes_nothing_back(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);

    assert_int_equal(use_at(fixture, &bound, 10 * MINUTE_S), RC_OK);
    assert_int_equal(use_at(fixture, &bound, -86400), RC_OK);
    assert_int_equal(use_at(fixture, &bound, 5 * MINUTE_S), RC_OK);
    assert_int_equal(saved_active_at(fixture, &bound), 10 * MINUTE_S);
    assert_refused(fixture, &bound, bound.presented, 10 * MINUTE_S + IDLE_S, TOKEN_SESSION_IDLE);
    assert_int_equal(use_at(fixture, &bound, 10 * MINUTE_S + IDLE_S - 1), RC_OK);
}

static void test_words_tell_an_operator_what_to_set(void **state)
{
    (void)state;
    assert_non_null(strstr(token_inactive_words(TOKEN_SESSION_MISSING), "spectrum-soap-binding"));
    assert_non_null(strstr(token_inactive_words(TOKEN_ADDRESS_WRONG), "spectrum-address-binding"));
    assert_non_null(strstr(token_inactive_words(TOKEN_ADDRESS_WRONG), "trusted-proxy"));
    for (int why = TOKEN_UNKNOWN; why < TOKEN_ADDRESS_WRONG; why++)
        assert_string_not_equal(token_inactive_words((enum token_inactive)why),
                                token_inactive_words((enum token_inactive)(why + 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(test_session_is_stored_with_its_grant),
        SESSION_TEST(test_token_asks_for_its_own_session),
        SESSION_TEST(test_session_proves_no_wrong_value),
        SESSION_TEST(test_token_without_a_session_ignores_one),
        SESSION_TEST(test_narrowed_grant_has_its_parents_session),
        SESSION_TEST(test_part_of_a_grant_has_its_session),
        SESSION_TEST(test_part_of_a_grant_may_have_another_session),
        SESSION_TEST(test_grant_without_its_session_has_ended),
        SESSION_TEST(test_address_off),
        SESSION_TEST(test_address_prefix_of_ipv6),
        SESSION_TEST(test_address_prefix_of_ipv4),
        SESSION_TEST(test_address_prefix_within_a_byte),
        SESSION_TEST(test_address_exact),
        SESSION_TEST(test_activity_keeps_alive_and_idleness_ends),
        SESSION_TEST(test_restart_loses_less_than_a_minute),
        SESSION_TEST(test_expiry_comes_despite_activity),
        SESSION_TEST(test_failures_do_not_slide),
        SESSION_TEST(test_fast_lane_neither_saves_nor_says_idle),
        SESSION_TEST(test_distance_of_saves_of_a_short_session),
        SESSION_TEST(test_distance_of_saves_is_a_thirtieth),
        SESSION_TEST(test_distance_of_saves_of_a_long_session),
        SESSION_TEST(test_store_is_asked_before_a_session_is_called_idle),
        SESSION_TEST(test_clock_that_goes_back_takes_nothing_back),
        cmocka_unit_test(test_words_tell_an_operator_what_to_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
