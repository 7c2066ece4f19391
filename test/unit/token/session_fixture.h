/*
 * Sessions on a token room of its own, with a clock that the test turns.
 */
#ifndef JETON_TEST_SESSION_FIXTURE_H
#define JETON_TEST_SESSION_FIXTURE_H

#include "room_fixture.h"

#define SESSION_ID "0b7c3a52-9d4e-4f0e-8a55-3f6a52b1c9d0"

enum { MINUTE_S = 60, IDLE_S = 30 * MINUTE_S, EXACT_BITS = 128, MONTH_S = 31 * 86400 };

static const unsigned char home[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 77 };

/* A token with its session, and who presents both. */
struct bound {
    int64_t begun_at;
    int64_t grant_id;
    struct token_draft draft;
    struct token_presented presented;
};

static inline struct session session_like(unsigned address_bits, int64_t idle_s)
{
    struct session session = { .address_bits = address_bits,
                               .device = STR("tester/1"),
                               .idle_s = idle_s };

    memcpy(session.address, home, sizeof(home));
    digest_sha256(STR(SESSION_ID), session.digest);
    return session;
}

/* lifetime_s 0: no expiry. It begins well ahead of the clock: the room's own thread, which has no
 * other clock than the machine's, then takes nothing away. */
static inline struct bound begin(struct room_fixture *fixture, unsigned address_bits,
                                 int64_t idle_s, int64_t lifetime_s)
{
    struct grant_book *grants = token_room_grants(fixture->room);
    struct account account = fixture_add_account(fixture, "alice", false);
    struct session session = session_like(address_bits, idle_s);
    struct token_shape shape = { .format = TOKEN_JWE,
                                 .lifetime_s = lifetime_s,
                                 .session_id = STR(SESSION_ID) };
    struct grant like = { .account_id = account.id, .client_id = fixture->client_id };
    struct bound bound = { .begun_at = clock_now_s() + MONTH_S };
    struct grant_tie tie = { .session = &session };
    struct live_grant *grant;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants, &like, &tie, bound.begun_at, &unit, &grant), RC_OK);
    assert_int_equal(token_draft_access(fixture->room, grant, shape, bound.begun_at,
                                        &fixture->arena, &bound.draft),
                     RC_OK);
    store_insert_token(&unit, &bound.draft.row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    token_enter(fixture->room, &bound.draft, bound.begun_at);
    bound.grant_id = grant->id;
    bound.presented = (struct token_presented){ bound.draft.value, STR(SESSION_ID), home };
    grant_put(grants, grant);
    return bound;
}

static inline struct bound begin_standard(struct room_fixture *fixture)
{
    return begin(fixture, EXACT_BITS, IDLE_S, 0);
}

static inline enum rc use_at(struct room_fixture *fixture, const struct bound *bound,
                             int64_t after_s)
{
    enum token_inactive why;

    return fixture_find_at(fixture, &bound->presented, bound->begun_at + after_s, true, &why);
}

static inline void assert_refused(struct room_fixture *fixture, const struct bound *bound,
                                  struct token_presented presented, int64_t after_s,
                                  enum token_inactive why)
{
    enum token_inactive seen = TOKEN_UNKNOWN;
    int64_t now = bound->begun_at + after_s;

    presented.value = bound->draft.value;
    assert_int_equal(fixture_find_at(fixture, &presented, now, true, &seen), RC_NOT_FOUND);
    assert_int_equal(seen, why);
}

static inline void restart(struct room_fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

static inline int64_t saved_active_at(struct room_fixture *fixture, const struct bound *bound)
{
    struct session row;

    assert_int_equal(store_find_session(fixture->store, bound->grant_id, &fixture->arena, &row),
                     RC_OK);
    return row.last_active_at - bound->begun_at;
}

#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

#endif
