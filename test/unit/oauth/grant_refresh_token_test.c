/* Refresh tokens: rotation, replay, reuse, narrowing, expiry, and who has lost the right. */
#include "fixture.h"

/* RT-01: each use gives a new one; the old one is dead but for the replay of a lost answer. */
static void test_rt_01_rotation(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read");
    struct outcome next = refresh(fixture, first.refresh, NULL);

    assert_int_equal(next.rc, RC_OK);
    assert_string_not_equal(next.refresh, first.refresh);
    assert_string_not_equal(next.access, first.access);
    assert_string_equal(next.scope, "read");
    assert_true(next.has_issued);
    assert_int_equal(next.issued_by, GRANT_TYPE_REFRESH_TOKEN);
    assert_true(is_active(fixture, next.access));
    assert_true(is_active(fixture, first.access));
    assert_int_equal(refresh(fixture, next.refresh, NULL).rc, RC_OK);
}

/* RT-11: a lost answer may be asked for again, and is the very same. */
static void test_rt_11_lost_answer_is_given_again(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read write");
    struct outcome next = refresh(fixture, first.refresh, NULL);

    for (int i = 0; i < 5; i++) {
        struct outcome again = refresh(fixture, first.refresh, "read");

        assert_int_equal(again.rc, RC_OK);
        assert_string_equal(again.json, next.json);
    }
    fixture->now += OAUTH_REFRESH_REPLAY_S;
    assert_string_equal(refresh(fixture, first.refresh, NULL).json, next.json);
    assert_int_equal(refresh(fixture, next.refresh, NULL).rc, RC_OK);
}

static void assert_family_is_dead(struct oauth_fixture *fixture, const struct outcome *outcomes,
                                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_false(is_active(fixture, outcomes[i].access));
        assert_refused(refresh(fixture, outcomes[i].refresh, NULL), OAUTH_INVALID_GRANT);
    }
}

/* RT-02: a second use when the answer cannot have been lost ends the whole family. */
static void test_rt_02_late_reuse_ends_the_family(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome family[2] = { sign_in(fixture, "read") };
    struct outcome stranger = sign_in(fixture, "read");

    family[1] = refresh(fixture, family[0].refresh, NULL);
    fixture->now += OAUTH_REFRESH_REPLAY_S + 1;
    assert_refused_for(refresh(fixture, family[0].refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_ENDED);
    assert_family_is_dead(fixture, family, 2);
    assert_true(is_active(fixture, stranger.access));
    assert_int_equal(refresh(fixture, stranger.refresh, NULL).rc, RC_OK);
}

static void test_rt_02_reuse_after_the_successor_was_used_ends_the_family(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome family[3] = { sign_in(fixture, "read") };

    family[1] = refresh(fixture, family[0].refresh, NULL);
    family[2] = refresh(fixture, family[1].refresh, "read");
    assert_int_equal(family[2].rc, RC_OK);
    assert_refused(refresh(fixture, family[0].refresh, NULL), OAUTH_INVALID_GRANT);
    assert_family_is_dead(fixture, family, 3);
}

/* RT-05: rotations within one second are in order: only the last one counts. */
static void test_rt_05_rotations_within_a_second_are_ordered(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome chain[21] = { sign_in(fixture, "read") };

    for (int i = 1; i < 21; i++) {
        chain[i] = refresh(fixture, chain[i - 1].refresh, NULL);
        assert_int_equal(chain[i].rc, RC_OK);
    }
    assert_refused(refresh(fixture, chain[7].refresh, NULL), OAUTH_INVALID_GRANT);
    assert_family_is_dead(fixture, chain, 21);
}

/* RT-06: of a refresh token that was revoked by itself, while its family goes on. */
static void test_rt_06_revoked_by_itself(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read");
    struct token_record record;
    struct store_unit unit;

    assert_int_equal(token_read(fixture->oauth.tokens, str_of(first.refresh), &record), RC_OK);
    store_unit_init(&unit);
    store_revoke_token(&unit, record.row.id, fixture->now, record.row.expires_at);
    commit(fixture, &unit);
    grant_put(token_room_grants(fixture->oauth.tokens), record.grant);
    assert_refused_for(refresh(fixture, first.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_ENDED);
    assert_true(is_active(fixture, first.access));
}

/* RT-07 */
static void test_rt_07_bound_to_its_client(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read");
    struct ask thief = { .client = "other",
                         .secret = "other-secret",
                         .grant_type = "refresh_token",
                         .refresh_token = first.refresh };

    assert_refused_for(ask_token(fixture, thief), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_OF_OTHER_CLIENT);
    assert_int_equal(refresh(fixture, first.refresh, NULL).rc, RC_OK);
    assert_refused(ask_token(fixture, thief), OAUTH_INVALID_GRANT);
    assert_true(is_active(fixture, first.access));
}

/* RT-08: less scope for one access token, never more; the family keeps what it has. */
static void test_rt_08_scope_may_shrink_and_never_grow(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read api.read");
    struct outcome narrow = refresh(fixture, first.refresh, "read");
    struct outcome wide;

    assert_int_equal(narrow.rc, RC_OK);
    assert_string_equal(narrow.scope, "read");
    assert_int_equal(narrow.expires_in_s, OAUTH_LIFETIME_DEFAULT_S);
    assert_true(is_active(fixture, narrow.access));
    wide = refresh(fixture, narrow.refresh, "read write");
    assert_refused_for(wide, OAUTH_INVALID_SCOPE, REASON_SCOPE_UNKNOWN);
    assert_string_equal(wide.word, "write");
    assert_refused(refresh(fixture, narrow.refresh, "read \"x\""), OAUTH_INVALID_SCOPE);
    wide = refresh(fixture, narrow.refresh, NULL);
    assert_int_equal(wide.rc, RC_OK);
    assert_string_equal(wide.scope, "read api.read");
    /* The narrowed grant ends with the family. */
    assert_int_equal(ask_revocation(fixture, (struct ask){ AS_WEB, .token = wide.refresh }).rc,
                     RC_OK);
    assert_false(is_active(fixture, narrow.access));
    assert_false(is_active(fixture, wide.access));
}

/* RT-09: idle and absolute. */
static void test_rt_09_idle_expiry(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read");
    struct outcome next;

    fixture->now += IDLE_S - 1;
    next = refresh(fixture, first.refresh, NULL);
    assert_int_equal(next.rc, RC_OK);
    fixture->now += IDLE_S;
    assert_refused_for(refresh(fixture, next.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_EXPIRED);
}

static void test_rt_09_absolute_expiry(void **state)
{
    struct oauth_fixture *fixture = *state;
    int64_t began = fixture->now;
    struct outcome last = sign_in(fixture, "api.read");

    while (fixture->now + IDLE_S - 1 < began + FAMILY_S) {
        fixture->now += IDLE_S - 1;
        last = refresh(fixture, last.refresh, NULL);
        assert_int_equal(last.rc, RC_OK);
    }
    fixture->now = began + FAMILY_S - 1;
    last = refresh(fixture, last.refresh, NULL);
    assert_int_equal(last.rc, RC_OK);
    assert_int_equal(last.expires_in_s, API_LIFETIME_S);
    fixture->now = began + FAMILY_S;
    assert_refused(refresh(fixture, last.refresh, NULL), OAUTH_INVALID_GRANT);
    assert_true(is_active(fixture, last.access));
}

/* A clock that goes back gives no token a second life. */
static void test_spent_stays_spent_when_the_clock_goes_back(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome family[2] = { sign_in(fixture, "read") };

    family[1] = refresh(fixture, family[0].refresh, NULL);
    fixture->now += OAUTH_REFRESH_REPLAY_S + 1;
    assert_refused(refresh(fixture, family[0].refresh, NULL), OAUTH_INVALID_GRANT);
    fixture->now -= 3600;
    assert_family_is_dead(fixture, family, 2);
}

/* ---- RT-10: who has lost the right ---------------------------------------------------------- */

static void test_rt_10_disabled_client(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read");
    struct client client = client_of(fixture, "web");

    client.is_disabled = true;
    update_client(fixture, &client);
    assert_refused(refresh(fixture, first.refresh, NULL), OAUTH_INVALID_CLIENT);
    client.is_disabled = false;
    update_client(fixture, &client);
    assert_int_equal(refresh(fixture, first.refresh, NULL).rc, RC_OK);
}

static void test_rt_10_removed_scope_grant_type_and_lifetime(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read write");
    struct client before = client_of(fixture, "web");
    struct client changed = before;

    changed.scope = STR("read");
    update_client(fixture, &changed);
    assert_refused_for(refresh(fixture, first.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_ENDED);
    assert_refused(refresh(fixture, first.refresh, "read"), OAUTH_INVALID_GRANT);
    changed = before;
    changed.grant_types = 1u << GRANT_TYPE_PASSWORD;
    update_client(fixture, &changed);
    assert_refused(refresh(fixture, first.refresh, NULL), OAUTH_UNAUTHORIZED_CLIENT);
    changed = before;
    changed.refresh_lifetime_s = 5;
    update_client(fixture, &changed);
    fixture->now += 5;
    assert_refused_for(refresh(fixture, first.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_EXPIRED);
    update_client(fixture, &before);
    assert_int_equal(refresh(fixture, first.refresh, NULL).rc, RC_OK);
}

static void test_rt_10_disabled_account(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read");

    set_disabled(fixture, "alice", true);
    assert_refused_for(refresh(fixture, first.refresh, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_ENDED);
    assert_refused(
        ask_token(fixture, (struct ask){ AS_WEB, .grant_type = "password", .username = "alice",
                                         .password = "alice-password" }),
        OAUTH_INVALID_GRANT);
}

/* An access token is no refresh token. */
static void test_access_token_refreshes_nothing(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome first = sign_in(fixture, "read");

    assert_refused_for(refresh(fixture, first.access, NULL), OAUTH_INVALID_GRANT,
                       REASON_REFRESH_NO_REFRESH_TOKEN);
    assert_true(is_active(fixture, first.access));
}

/* RT-04: what was spent is spent after a restart, and its answer can still be given again. */
static void test_rt_04_rotated_token_stays_dead_after_a_restart(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome family[2] = { sign_in(fixture, "read") };

    family[1] = refresh(fixture, family[0].refresh, NULL);
    oauth_restart(fixture);
    assert_string_equal(refresh(fixture, family[0].refresh, NULL).json, family[1].json);
    assert_true(is_active(fixture, family[1].access));
    fixture->now += OAUTH_REFRESH_REPLAY_S + 1;
    assert_refused(refresh(fixture, family[0].refresh, NULL), OAUTH_INVALID_GRANT);
    assert_family_is_dead(fixture, family, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_rt_01_rotation),
        WITH_OAUTH(test_rt_02_late_reuse_ends_the_family),
        WITH_OAUTH(test_rt_02_reuse_after_the_successor_was_used_ends_the_family),
        WITH_OAUTH(test_rt_04_rotated_token_stays_dead_after_a_restart),
        WITH_OAUTH(test_rt_05_rotations_within_a_second_are_ordered),
        WITH_OAUTH(test_rt_06_revoked_by_itself),
        WITH_OAUTH(test_rt_07_bound_to_its_client),
        WITH_OAUTH(test_rt_08_scope_may_shrink_and_never_grow),
        WITH_OAUTH(test_rt_09_idle_expiry),
        WITH_OAUTH(test_rt_09_absolute_expiry),
        WITH_OAUTH(test_spent_stays_spent_when_the_clock_goes_back),
        WITH_OAUTH(test_rt_10_disabled_client),
        WITH_OAUTH(test_rt_10_removed_scope_grant_type_and_lifetime),
        WITH_OAUTH(test_rt_10_disabled_account),
        WITH_OAUTH(test_rt_11_lost_answer_is_given_again),
        WITH_OAUTH(test_access_token_refreshes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
