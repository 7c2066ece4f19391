/* Permanent tokens: many who make, rotate, rename and revoke at once. */
#include <pthread.h>

#include "permanent_fixture.h"

enum { CROWD_COUNT = 64, ROOM_LEFT = 10, ROTATOR_COUNT = 16, ROUND_COUNT = 6 };

/* What one thread does once all have come together. */
struct party {
    struct oauth_fixture *fixture;
    pthread_barrier_t *start;
    struct wish wish;
    struct made made;
    enum rc rc;
};

static void *wish_once(void *context)
{
    struct party *party = context;

    pthread_barrier_wait(party->start);
    party->made = wish_for(party->fixture, party->wish);
    return NULL;
}

/* Runs them all, and counts how many got what they wished for. */
static size_t run_crowd(struct oauth_fixture *fixture, const struct wish *wish, size_t count,
                        struct party *parties)
{
    pthread_t threads[CROWD_COUNT];
    pthread_barrier_t start;
    size_t made_count = 0;

    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        parties[i] = (struct party){ .fixture = fixture, .start = &start, .wish = *wish };
        assert_int_equal(pthread_create(&threads[i], NULL, wish_once, &parties[i]), 0);
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    for (size_t i = 0; i < count; i++)
        made_count += parties[i].made.rc == RC_OK;
    return made_count;
}

/* However many come at once, an account never has more than it may. */
static void test_the_limit_holds_for_a_crowd(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct party *parties = calloc(CROWD_COUNT, sizeof(*parties));
    int64_t *ids = calloc(2 * PERMANENT_COUNT_MAX, sizeof(*ids));
    struct wish wish = { 0 };
    struct made first;

    assert_true(parties != NULL && ids != NULL);
    /* Those that have ended do not count. */
    revoke(fixture, make(fixture, (struct wish){ 0 }).id);
    make(fixture, (struct wish){ .lifetime_s = 1 });
    fixture->now += 1;
    first = make(fixture, (struct wish){ 0 });
    for (int i = 1; i < PERMANENT_COUNT_MAX - ROOM_LEFT; i++)
        make(fixture, (struct wish){ .lifetime_s = DAY_S });
    assert_int_equal(run_crowd(fixture, &wish, CROWD_COUNT, parties), ROOM_LEFT);
    for (size_t i = 0; i < CROWD_COUNT; i++)
        if (parties[i].made.rc != RC_OK)
            assert_problem(parties[i].made, PERMANENT_TOO_MANY, "");
    assert_int_equal(list_ids(fixture, NULL, INT64_MAX, ids, 2 * PERMANENT_COUNT_MAX),
                     PERMANENT_COUNT_MAX + 2);
    assert_problem(wish_for(fixture, (struct wish){ .rotated_id = first.id }), PERMANENT_TOO_MANY,
                   "");
    assert_int_equal(found(fixture, first.id).replaced_by, 0);
    make(fixture, (struct wish){ .owner = "bob" });
    revoke(fixture, first.id);
    make(fixture, (struct wish){ 0 });
    assert_problem(wish_for(fixture, (struct wish){ 0 }), PERMANENT_TOO_MANY, "");
    free(ids);
    free(parties);
}

/* One form that is sent many times at once makes one token, and its value works. */
static void test_one_form_sent_at_once(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct party parties[ROTATOR_COUNT];

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct wish wish = { .scope = "api.read" };

        assert_int_equal(store_next_id(fixture->room->store, SEQUENCE_NOUN, &wish.id), RC_OK);
        assert_int_equal(run_crowd(fixture, &wish, ROTATOR_COUNT, parties), 1);
        for (size_t i = 0; i < ROTATOR_COUNT; i++) {
            if (parties[i].made.rc == RC_OK)
                assert_true(is_good(fixture, parties[i].made.value));
            else
                assert_int_equal(parties[i].made.rc, RC_EXISTS);
        }
    }
}

static void test_one_successor(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct party parties[ROTATOR_COUNT];
    int64_t current = make(fixture, (struct wish){ 0 }).id;
    int64_t ids[2 * ROUND_COUNT];

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct wish wish = { .rotated_id = current };
        int64_t next = 0;

        assert_int_equal(run_crowd(fixture, &wish, ROTATOR_COUNT, parties), 1);
        for (size_t i = 0; i < ROTATOR_COUNT; i++) {
            if (parties[i].made.rc == RC_OK)
                next = parties[i].made.id;
            else
                assert_int_equal(parties[i].made.rc, RC_SPENT);
        }
        assert_int_equal(found(fixture, current).replaced_by, next);
        current = next;
    }
    assert_int_equal(list_ids(fixture, NULL, INT64_MAX, ids, 2 * ROUND_COUNT), ROUND_COUNT + 1);
}

static void *rename_or_revoke(void *context)
{
    struct party *party = context;

    pthread_barrier_wait(party->start);
    party->rc = act_on(party->fixture, party->wish.name == NULL ? REVOKE : RENAME, NULL,
                       party->wish.rotated_id, party->wish.name, NULL);
    return NULL;
}

/* Renamed, rotated and revoked at once: none undoes the other. */
static void test_acts_that_meet(void **state)
{
    struct oauth_fixture *fixture = *state;

    for (int round = 0; round < 4 * ROUND_COUNT; round++) {
        struct made made = make(fixture, (struct wish){ 0 });
        struct party parties[3];
        pthread_t threads[3];
        pthread_barrier_t start;
        struct permanent row;

        pthread_barrier_init(&start, NULL, 3);
        for (int i = 0; i < 3; i++) {
            parties[i] = (struct party){ .fixture = fixture,
                                         .start = &start,
                                         .wish = { .rotated_id = made.id,
                                                   .name = i == 1 ? "renamed" : NULL } };
            assert_int_equal(pthread_create(&threads[i], NULL,
                                            i == 0 ? wish_once : rename_or_revoke, &parties[i]),
                             0);
        }
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&start);
        row = found(fixture, made.id);
        assert_int_equal(parties[1].rc, RC_OK);
        assert_int_equal(parties[2].rc, RC_OK);
        assert_true(str_equal(row.name, STR("renamed")));
        assert_int_equal(row.revoked_at, fixture->now);
        assert_false(is_good(fixture, made.value));
        assert_true(parties[0].made.rc == RC_OK || parties[0].made.rc == RC_NOT_FOUND);
        assert_int_equal(row.replaced_by, parties[0].made.id);
        if (parties[0].made.rc == RC_OK)
            assert_true(is_good(fixture, parties[0].made.value));
    }
}

/* As the command line does it: first the commit, then the end of every grant there is. */
static void disable_alice(struct oauth_fixture *fixture)
{
    int64_t account_id = account_of(fixture, "alice").id;
    struct grant rows[64];
    size_t count;

    set_disabled(fixture, "alice", true);
    do {
        assert_int_equal(store_list_grants(fixture->room->store, account_id, 0, INT64_MAX,
                                           &fixture->room->arena, rows, 64, &count),
                         RC_OK);
        for (size_t i = 0; i < count; i++)
            fixture_end_grant(fixture->room, rows[i].id);
    } while (count > 0);
}

/* RT-10: of those that were under way, none is good afterwards; nor were they told a value. */
static void test_rt_10_disabled_while_a_crowd_makes(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct account alice = account_of(fixture, "alice");

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct party parties[ROTATOR_COUNT];
        pthread_t threads[ROTATOR_COUNT];
        pthread_barrier_t start;

        pthread_barrier_init(&start, NULL, ROTATOR_COUNT + 1);
        for (int i = 0; i < ROTATOR_COUNT; i++) {
            parties[i] = (struct party){ .fixture = fixture,
                                         .start = &start,
                                         .wish = { .account = &alice } };
            assert_int_equal(pthread_create(&threads[i], NULL, wish_once, &parties[i]), 0);
        }
        pthread_barrier_wait(&start);
        disable_alice(fixture);
        for (int i = 0; i < ROTATOR_COUNT; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&start);
        for (int i = 0; i < ROTATOR_COUNT; i++) {
            if (parties[i].made.rc == RC_OK)
                assert_false(is_good(fixture, parties[i].made.value));
            else
                assert_problem(parties[i].made, PERMANENT_NO_LONGER_PERMITTED, "");
        }
        set_disabled(fixture, "alice", false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OWNERS(test_the_limit_holds_for_a_crowd),
        WITH_OWNERS(test_one_form_sent_at_once),
        WITH_OWNERS(test_one_successor),
        WITH_OWNERS(test_acts_that_meet),
        WITH_OWNERS(test_rt_10_disabled_while_a_crowd_makes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
