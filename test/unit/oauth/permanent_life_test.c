/* Permanent tokens: whose they are, and how they end or are replaced. */
#include "permanent_fixture.h"

/* ---- whose they are -------------------------------------------------------------------------- */

static void test_nobody_touches_anothers(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ 0 });
    struct permanent row;
    int64_t ids[4];

    assert_int_equal(act_on(fixture, FIND, "bob", made.id, NULL, &row), RC_NOT_FOUND);
    assert_int_equal(act_on(fixture, RENAME, "bob", made.id, "mine", NULL), RC_NOT_FOUND);
    assert_int_equal(act_on(fixture, REVOKE, "bob", made.id, NULL, NULL), RC_NOT_FOUND);
    assert_int_equal(wish_for(fixture, (struct wish){ .owner = "bob", .rotated_id = made.id }).rc,
                     RC_NOT_FOUND);
    assert_int_equal(act_on(fixture, REVOKE, NULL, made.id + 1000, NULL, NULL), RC_NOT_FOUND);
    assert_int_equal(list_ids(fixture, "bob", INT64_MAX, ids, 4), 0);
    assert_int_equal(list_ids(fixture, NULL, INT64_MAX, ids, 4), 1);
    row = found(fixture, made.id);
    assert_true(str_equal(row.name, STR("nightly")));
    assert_int_equal(row.revoked_at + row.replaced_by, 0);
    assert_true(is_good(fixture, made.value));
}

static void test_pages_newest_first(void **state)
{
    struct oauth_fixture *fixture = *state;
    int64_t made[7];
    int64_t ids[4];

    for (int i = 0; i < 7; i++) {
        made[i] = make(fixture, (struct wish){ .lifetime_s = i == 3 ? 1 : 0 }).id;
        make(fixture, (struct wish){ .owner = "bob" });
    }
    revoke(fixture, made[5]);
    fixture->now += 10; /* made[3] has expired */
    assert_int_equal(list_ids(fixture, NULL, INT64_MAX, ids, 4), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ids[i], made[6 - i]);
    assert_int_equal(list_ids(fixture, NULL, ids[3], ids, 4), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ids[i], made[2 - i]);
    assert_int_equal(list_ids(fixture, NULL, ids[2], ids, 4), 0);
}

static void test_renamed(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ 0 });
    struct event event;

    assert_int_equal(act_on(fixture, RENAME, NULL, made.id, " weekly ", NULL), RC_OK);
    assert_true(str_equal(found(fixture, made.id).name, STR("weekly")));
    event = last_event(fixture);
    assert_int_equal(event.kind, EVENT_PERMANENT_CHANGED);
    assert_int_equal(event.token_id, made.token_id);
    assert_true(str_equal(event.detail, STR("renamed")));
    assert_int_equal(act_on(fixture, RENAME, NULL, made.id, "a\nb", NULL), RC_REFUSED);
    assert_true(str_equal(found(fixture, made.id).name, STR("weekly")));
    assert_true(is_good(fixture, made.value));
}

/* ---- their end ------------------------------------------------------------------------------- */

static void test_revoked_at_once(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ 0 });
    struct event event;

    assert_int_equal(present(fixture, made.value, inside, "").rc, RC_OK);
    fixture->now += 5;
    revoke(fixture, made.id);
    assert_false(is_good(fixture, made.value));
    assert_refused(present(fixture, made.value, inside, ""), OAUTH_INVALID_TOKEN);
    assert_int_equal(found(fixture, made.id).revoked_at, fixture->now);
    event = last_event(fixture);
    assert_int_equal(event.kind, EVENT_GRANT_ENDED);
    assert_int_equal(event.token_id, made.token_id);
    assert_int_equal(event.account_id, account_of(fixture, "alice").id);
    /* Again is fine, and nothing more. */
    fixture->now += 5;
    revoke(fixture, made.id);
    assert_int_equal(found(fixture, made.id).revoked_at, fixture->now - 5);
    assert_int_equal(last_event(fixture).id, event.id);
    oauth_restart(fixture);
    assert_false(is_good(fixture, made.value));
}

/* RFC 7009 with the built-in client; to every other client it is not theirs (RV-02). */
static void test_revoked_by_its_value(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ 0 });

    assert_int_equal(ask_revocation(fixture, (struct ask){ AS_WEB, .token = made.value }).rc,
                     RC_OK);
    assert_true(is_good(fixture, made.value));
    assert_int_equal(ask_revocation(fixture, (struct ask){ .client = OAUTH_PUBLIC_CLIENT_ID,
                                                           .token = made.value })
                         .rc,
                     RC_OK);
    assert_false(is_good(fixture, made.value));
    assert_int_equal(found(fixture, made.id).revoked_at, fixture->now);
    assert_int_equal(last_event(fixture).kind, EVENT_GRANT_ENDED);
    assert_int_equal(last_event(fixture).token_id, made.token_id);
}

/* Where its grant was ended for another reason, its owner sees it revoked, too. */
static void test_ended_by_another_road(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ 0 });

    fixture_end_grant(fixture->room, made.id);
    assert_false(is_good(fixture, made.value));
    assert_true(found(fixture, made.id).revoked_at != 0);
    assert_int_equal(wish_for(fixture, (struct wish){ .rotated_id = made.id }).rc, RC_NOT_FOUND);
}

/* ---- rotation -------------------------------------------------------------------------------- */

static void test_rotated_with_overlap(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made old = make(fixture, (struct wish){ .name = "export",
                                                   .scope = "api.read",
                                                   .addresses = "10.0.0.0/8",
                                                   .lifetime_s = 30 * DAY_S });
    struct permanent row;
    struct made new;

    fixture->now += 20 * DAY_S;
    new = make(fixture, (struct wish){ .rotated_id = old.id });
    assert_string_not_equal(new.value, old.value);
    assert_string_equal(new.scope, "api.read");
    assert_string_equal(new.addresses, "10.0.0.0/8");
    assert_int_equal(new.expires_at, fixture->now + 30 * DAY_S);
    assert_true(str_equal(found(fixture, new.id).name, STR("export")));
    row = found(fixture, old.id);
    assert_int_equal(row.replaced_by, new.id);
    assert_int_equal(row.revoked_at, 0);
    assert_int_equal(present(fixture, old.value, inside, "api.read").rc, RC_OK);
    assert_int_equal(found(fixture, old.id).last_used_at, fixture->now);
    assert_int_equal(found(fixture, new.id).last_used_at, 0);
    assert_int_equal(present(fixture, new.value, inside, "api.read").rc, RC_OK);
    assert_int_equal(wish_for(fixture, (struct wish){ .rotated_id = old.id }).rc, RC_SPENT);
    revoke(fixture, old.id);
    assert_refused(present(fixture, old.value, inside, ""), OAUTH_INVALID_TOKEN);
    assert_int_equal(present(fixture, new.value, inside, "").rc, RC_OK);
    assert_int_equal(wish_for(fixture, (struct wish){ .rotated_id = old.id }).rc, RC_NOT_FOUND);
}

/* A name that was given between two rotations stays. */
static void test_rotated_what_lives(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made short_lived = make(fixture, (struct wish){ .lifetime_s = 60 });
    struct made endless = make(fixture, (struct wish){ 0 });
    struct made again;

    assert_int_equal(act_on(fixture, RENAME, NULL, endless.id, "other", NULL), RC_OK);
    again = make(fixture, (struct wish){ .rotated_id = endless.id });
    assert_int_equal(again.expires_at, 0);
    assert_int_equal(act_on(fixture, RENAME, NULL, endless.id, "old one", NULL), RC_OK);
    assert_int_equal(found(fixture, endless.id).replaced_by, again.id);
    assert_true(str_equal(found(fixture, again.id).name, STR("other")));
    fixture->now += 60;
    assert_int_equal(wish_for(fixture, (struct wish){ .rotated_id = short_lived.id }).rc,
                     RC_NOT_FOUND);
}

/* What its owner may have today decides. */
/* The policy of today, and the reason. */
static void test_rotated_under_a_tighter_policy(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made endless = make(fixture, (struct wish){ 0 });
    struct made month = make(fixture, (struct wish){ .lifetime_s = 30 * 86400 });

    assert_problem(
        wish_for(fixture, (struct wish){ .rotated_id = endless.id, .lifetime_s_max = 30 * 86400 }),
        PERMANENT_LIFETIME_NEEDED, "");
    assert_problem(
        wish_for(fixture, (struct wish){ .rotated_id = month.id, .lifetime_s_max = 29 * 86400 }),
        PERMANENT_LIFETIME_TOO_LONG, "");
    make(fixture, (struct wish){ .rotated_id = month.id, .lifetime_s_max = 30 * 86400 });
}

static void test_rotated_without_the_right(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .scope = "api.read" });

    allow_password(fixture, "api.example", false, false);
    assert_problem(wish_for(fixture, (struct wish){ .rotated_id = made.id }),
                   PERMANENT_SCOPE_NOT_PERMITTED, "api.read");
    assert_int_equal(found(fixture, made.id).replaced_by, 0);
    assert_true(is_good(fixture, made.value));
}

/* ---- the right ends while it is under way ---------------------------------------------------- */

/* RT-10: the account was right when it was read. */
static void test_rt_10_an_account_that_was_disabled(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct account alice = account_of(fixture, "alice");
    int64_t ids[4];

    set_disabled(fixture, "alice", true);
    assert_problem(wish_for(fixture, (struct wish){ .account = &alice }),
                   PERMANENT_NO_LONGER_PERMITTED, "");
    assert_int_equal(list_ids(fixture, NULL, INT64_MAX, ids, 4), 1);
    assert_int_equal(found(fixture, ids[0]).revoked_at, fixture->now);
    assert_int_equal(last_event(fixture).kind, EVENT_GRANT_ENDED);
}

/* A password is what one signs in with; this rests on no sign-in. */
static void test_a_password_that_was_changed(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct account alice = account_of(fixture, "alice");
    struct store_unit unit;

    store_unit_init(&unit);
    store_set_password_hash(&unit, alice.id, hash_of(fixture, "another", true));
    commit(fixture, &unit);
    assert_true(is_good(fixture, make(fixture, (struct wish){ .account = &alice }).value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OWNERS(test_nobody_touches_anothers),
        WITH_OWNERS(test_pages_newest_first),
        WITH_OWNERS(test_renamed),
        WITH_OWNERS(test_revoked_at_once),
        WITH_OWNERS(test_revoked_by_its_value),
        WITH_OWNERS(test_ended_by_another_road),
        WITH_OWNERS(test_rotated_with_overlap),
        WITH_OWNERS(test_rotated_what_lives),
        WITH_OWNERS(test_rotated_under_a_tighter_policy),
        WITH_OWNERS(test_rotated_without_the_right),
        WITH_OWNERS(test_rt_10_an_account_that_was_disabled),
        WITH_OWNERS(test_a_password_that_was_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
