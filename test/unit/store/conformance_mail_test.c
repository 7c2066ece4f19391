/* Mails that wait: who may send one, when it is due, and when it leaves. */
#include <pthread.h>
#include <time.h>

#include "fixture.h"

enum { LEASE_S = 120, RACER_COUNT = 8, DAY_S = 86400, WAIT_MS = 60 * 1000 };

static int64_t insert(struct fixture *fixture, int64_t next_at)
{
    struct mail mail = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                         .at = fixture->now,
                         .until = fixture->now + 3 * DAY_S,
                         .next_at = next_at,
                         .sealed = STR("sealed\0bytes") };

    assert_int_equal(COMMIT_ONE(fixture, store_insert_mail, &mail), RC_OK);
    return mail.id;
}

static int64_t due_id(struct fixture *fixture, int64_t now)
{
    struct mail mail;
    enum rc rc = store_find_due_mail(fixture->store, now, &fixture->arena, &mail);

    assert_true(rc == RC_OK || rc == RC_NOT_FOUND);
    return rc == RC_OK ? mail.id : 0;
}

static struct mail find(struct fixture *fixture, int64_t id)
{
    struct mail mail;
    size_t count;

    assert_int_equal(store_list_mails(fixture->store, id - 1, &fixture->arena, &mail, 1, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(mail.id, id);
    return mail;
}

static void test_a_mail_comes_back(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = insert(fixture, fixture->now);
    struct mail mail;
    size_t count;

    assert_int_equal(store_find_due_mail(fixture->store, fixture->now, &fixture->arena, &mail),
                     RC_OK);
    assert_true(mail.id == id && mail.at == fixture->now && mail.until == fixture->now + 3 * DAY_S);
    assert_true(mail.next_at == fixture->now && mail.leased_until == 0);
    assert_true(mail.attempt_count == 0 && mail.last_code == 0);
    assert_true(str_equal(mail.sealed, STR("sealed\0bytes")));
    assert_int_equal(store_count_mails(fixture->store, &count), RC_OK);
    assert_int_equal(count, 1);
    /* Who listens hears of it; no other node needs a row for that. */
    assert_int_equal(fixture->change_count, 1);
    assert_true(fixture->changes[0].kind == CHANGE_MAIL && fixture->changes[0].key == id);
    fixture_reopen(fixture);
    assert_int_equal(due_id(fixture, fixture->now), id);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_mail, id), RC_OK);
    assert_int_equal(due_id(fixture, fixture->now), 0);
}

static void test_the_one_due_for_longest_is_first(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = fixture->now;
    int64_t late = insert(fixture, now - 1);
    int64_t early = insert(fixture, now - 10);
    int64_t same = insert(fixture, now - 1);
    int64_t coming = insert(fixture, now + 1);

    assert_int_equal(due_id(fixture, now), early);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_mail, early), RC_OK);
    assert_int_equal(due_id(fixture, now), late);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_mail, late), RC_OK);
    assert_int_equal(due_id(fixture, now), same);
    assert_int_equal(COMMIT_ONE(fixture, store_delete_mail, same), RC_OK);
    assert_int_equal(due_id(fixture, now), 0);
    assert_int_equal(due_id(fixture, now + 1), coming);
}

static void test_a_claim_is_one_attempt_of_one(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = fixture->now;
    int64_t id = insert(fixture, now);

    assert_int_equal(COMMIT_ONE(fixture, store_claim_mail, id, now - 1, now + LEASE_S), RC_SPENT);
    assert_int_equal(COMMIT_ONE(fixture, store_claim_mail, id, now, now + LEASE_S), RC_OK);
    assert_int_equal(COMMIT_ONE(fixture, store_claim_mail, id, now, now + LEASE_S), RC_SPENT);
    assert_int_equal(due_id(fixture, now), 0);
    assert_int_equal(find(fixture, id).attempt_count, 1);
    /* The claimer died: it is due again when the lease is over, not before. */
    fixture_reopen(fixture);
    assert_int_equal(due_id(fixture, now + LEASE_S - 1), 0);
    assert_int_equal(due_id(fixture, now + LEASE_S), id);
    assert_int_equal(COMMIT_ONE(fixture, store_claim_mail, id, now + LEASE_S, now + 2 * LEASE_S),
                     RC_OK);
    assert_int_equal(find(fixture, id).attempt_count, 2);
    /* What the first one has to say comes too late. */
    assert_int_equal(COMMIT_ONE(fixture, store_postpone_mail, id, now + LEASE_S, now + 5, 451),
                     RC_OK);
    assert_int_equal(find(fixture, id).last_code, 0);
    assert_int_equal(COMMIT_ONE(fixture, store_postpone_mail, id, now + 2 * LEASE_S, now + 500, -2),
                     RC_OK);
    assert_int_equal(find(fixture, id).last_code, -2);
    assert_int_equal(find(fixture, id).leased_until, 0);
    assert_int_equal(due_id(fixture, now + 499), 0);
    assert_int_equal(due_id(fixture, now + 500), id);
    assert_int_equal(COMMIT_ONE(fixture, store_claim_mail, 4711, now, now + 1), RC_SPENT);
}

struct racer {
    struct fixture *fixture;
    int64_t mail_id;
    enum rc answer;
};

static void *race(void *context)
{
    struct racer *racer = context;
    struct store_unit unit;

    store_unit_init(&unit);
    store_claim_mail(&unit, racer->mail_id, racer->fixture->now, racer->fixture->now + LEASE_S);
    racer->answer = store_commit(racer->fixture->store, &unit);
    return NULL;
}

static void test_of_many_claims_one_wins(void **state)
{
    struct fixture *fixture = *state;

    for (int round = 0; round < 20; round++) {
        struct racer racers[RACER_COUNT];
        pthread_t threads[RACER_COUNT];
        int64_t id = insert(fixture, fixture->now);
        int win_count = 0;

        for (int i = 0; i < RACER_COUNT; i++) {
            racers[i] = (struct racer){ fixture, id, RC_OK };
            assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < RACER_COUNT; i++) {
            pthread_join(threads[i], NULL);
            assert_true(racers[i].answer == RC_OK || racers[i].answer == RC_SPENT);
            win_count += racers[i].answer == RC_OK;
        }
        assert_int_equal(win_count, 1);
    }
}

static void test_hastening_leaves_claims_alone(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = fixture->now;
    int64_t claimed = insert(fixture, now);
    int64_t waiting = insert(fixture, now + DAY_S);

    assert_int_equal(COMMIT_ONE(fixture, store_claim_mail, claimed, now, now + LEASE_S), RC_OK);
    fixture->change_count = 0;
    assert_int_equal(COMMIT_ONE(fixture, store_hasten_mails, now), RC_OK);
    assert_int_equal(due_id(fixture, now), waiting);
    assert_int_equal(COMMIT_ONE(fixture, store_claim_mail, claimed, now, now + LEASE_S), RC_SPENT);
    assert_true(fixture->change_count == 1 && fixture->changes[0].key == 0);
}

static void test_what_nobody_sends_leaves(void **state)
{
    struct fixture *fixture = *state;
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    const struct timespec pause = { .tv_nsec = 2 * 1000 * 1000 };
    struct mail old = { .at = fixture->now - 5 * DAY_S, .sealed = STR("x") };
    int64_t young = insert(fixture, fixture->now);
    size_t count;

    old.until = fixture->now - DAY_S;
    old.id = fixture_id(fixture, SEQUENCE_NOUN);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_mail, &old), RC_OK);
    do {
        nanosleep(&pause, NULL);
        assert_int_equal(store_count_mails(fixture->store, &count), RC_OK);
    } while (count > 1 && clock_monotonic_ms() < deadline_ms);
    assert_int_equal(count, 1);
    assert_int_equal(find(fixture, young).id, young);
}

int main(void)
{
#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON_STORE(test_a_mail_comes_back),
        ON_STORE(test_the_one_due_for_longest_is_first),
        ON_STORE(test_a_claim_is_one_attempt_of_one),
        ON_STORE(test_of_many_claims_one_wins),
        ON_STORE(test_hastening_leaves_claims_alone),
        ON_STORE(test_what_nobody_sends_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
