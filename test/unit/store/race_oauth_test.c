/* Many threads at once: what may be used once is used once, and what is refused leaves nothing. */
#include <pthread.h>
#include <stdatomic.h>

#include "authorized.h"

enum { THREAD_COUNT = 64, ROUND_COUNT = 20 };

struct race {
    struct fixture *fixture;
    pthread_barrier_t start;
    struct account account;
    int64_t ids[ROUND_COUNT];
    unsigned char digests[ROUND_COUNT][DIGEST_BYTES];
    int64_t won_grants[ROUND_COUNT];
    _Atomic int won[ROUND_COUNT];
    _Atomic int lost[ROUND_COUNT];
    _Atomic int strange;
};

static void run_threads(struct race *race, void *(*body)(void *))
{
    pthread_t threads[THREAD_COUNT];

    pthread_barrier_init(&race->start, NULL, THREAD_COUNT);
    for (int index = 0; index < THREAD_COUNT; index++)
        assert_int_equal(pthread_create(&threads[index], NULL, body, race), 0);
    for (int index = 0; index < THREAD_COUNT; index++)
        pthread_join(threads[index], NULL);
    pthread_barrier_destroy(&race->start);
    assert_int_equal(race->strange, 0);
    for (int round = 0; round < ROUND_COUNT; round++) {
        assert_int_equal(race->won[round], 1);
        assert_int_equal(race->lost[round], THREAD_COUNT - 1);
    }
}

static void note(struct race *race, int round, enum rc rc)
{
    atomic_fetch_add(rc == RC_OK      ? &race->won[round]
                     : rc == RC_SPENT ? &race->lost[round]
                                      : &race->strange,
                     1);
}

static size_t count_grants(struct race *race)
{
    struct grant rows[2 * ROUND_COUNT];
    size_t count = 0;

    assert_int_equal(store_list_grants(race->fixture->store, race->account.id, 0, INT64_MAX,
                                       &race->fixture->arena, rows, 2 * ROUND_COUNT, &count),
                     RC_OK);
    return count;
}

/* The grant and the step that decides, in one unit and in this order. */
static struct grant begin_redemption(struct race *race, struct store_unit *unit)
{
    struct grant grant = sample_grant(race->fixture, true);

    grant.account_id = race->account.id;
    store_unit_init(unit);
    store_insert_grant(unit, &grant);
    return grant;
}

/* ---- CP-06 ---------------------------------------------------------------------------------- */

static void *redeem_codes(void *context)
{
    struct race *race = context;

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct store_unit unit;
        struct grant grant = begin_redemption(race, &unit);
        enum rc rc;

        store_spend_code(&unit, race->ids[round], grant.id, race->fixture->now);
        pthread_barrier_wait(&race->start);
        rc = store_commit(race->fixture->store, &unit);
        if (rc == RC_OK)
            race->won_grants[round] = grant.id;
        note(race, round, rc);
    }
    return NULL;
}

static void test_cp_06_one_of_64_redeems_a_code(void **state)
{
    struct race race = { .fixture = *state };
    struct code codes[ROUND_COUNT];
    struct code found;

    race.account = insert_account(race.fixture, "ada");
    for (int round = 0; round < ROUND_COUNT; round++) {
        codes[round] =
            insert_code(race.fixture, insert_authorization(race.fixture, race.account.id).id);
        race.ids[round] = codes[round].id;
    }
    run_threads(&race, redeem_codes);
    assert_int_equal(count_grants(&race), ROUND_COUNT);
    for (int round = 0; round < ROUND_COUNT; round++) {
        assert_int_equal(
            store_find_code(race.fixture->store, codes[round].digest, &race.fixture->arena, &found),
            RC_OK);
        assert_int_equal(found.grant_id, race.won_grants[round]);
    }
}

/* ---- DV-04 ---------------------------------------------------------------------------------- */

static void *redeem_devices(void *context)
{
    struct race *race = context;

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct store_unit unit;

        begin_redemption(race, &unit);
        store_spend_device_request(&unit, race->ids[round], race->fixture->now);
        pthread_barrier_wait(&race->start);
        note(race, round, store_commit(race->fixture->store, &unit));
    }
    return NULL;
}

static void test_dv_04_one_of_64_redeems_a_device_code(void **state)
{
    struct race race = { .fixture = *state };
    struct authorization authorization;

    race.account = insert_account(race.fixture, "ada");
    authorization = insert_authorization(race.fixture, race.account.id);
    for (int round = 0; round < ROUND_COUNT; round++) {
        race.ids[round] = insert_device_request(race.fixture).id;
        assert_int_equal(COMMIT_ONE(race.fixture, store_answer_device_request, race.ids[round],
                                    authorization.id, race.fixture->now),
                         RC_OK);
    }
    run_threads(&race, redeem_devices);
    assert_int_equal(count_grants(&race), ROUND_COUNT);
}

/* ---- DP-02, CA-06 --------------------------------------------------------------------------- */

static void *show_ids(void *context)
{
    struct race *race = context;

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct store_unit unit;

        begin_redemption(race, &unit);
        store_insert_seen(&unit, race->digests[round], race->fixture->now + 60);
        pthread_barrier_wait(&race->start);
        note(race, round, store_commit(race->fixture->store, &unit));
    }
    return NULL;
}

static void test_dp_02_one_of_64_comes_first_with_an_id(void **state)
{
    struct race race = { .fixture = *state };

    race.account = insert_account(race.fixture, "ada");
    for (int round = 0; round < ROUND_COUNT; round++)
        fill_digest(round, 0x5e, race.digests[round]);
    run_threads(&race, show_ids);
    assert_int_equal(count_grants(&race), ROUND_COUNT);
}

/* ---- PA-02 ---------------------------------------------------------------------------------- */

static void *use_pushed(void *context)
{
    struct race *race = context;

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct store_unit unit;

        begin_redemption(race, &unit);
        store_spend_pushed_request(&unit, race->ids[round], race->fixture->now);
        pthread_barrier_wait(&race->start);
        note(race, round, store_commit(race->fixture->store, &unit));
    }
    return NULL;
}

static void test_pa_02_one_of_64_uses_a_pushed_request(void **state)
{
    struct race race = { .fixture = *state };

    race.account = insert_account(race.fixture, "ada");
    for (int round = 0; round < ROUND_COUNT; round++) {
        struct pushed_request request = sample_pushed_request(race.fixture);

        race.ids[round] = request.id;
        assert_int_equal(COMMIT_ONE(race.fixture, store_insert_pushed_request, &request), RC_OK);
    }
    run_threads(&race, use_pushed);
    assert_int_equal(count_grants(&race), ROUND_COUNT);
}

/* ---- the answer of a person ----------------------------------------------------------------- */

static void *answer_devices(void *context)
{
    struct race *race = context;

    for (int round = 0; round < ROUND_COUNT; round++) {
        pthread_barrier_wait(&race->start);
        note(race, round,
             COMMIT_ONE(race->fixture, store_answer_device_request, race->ids[round], round % 2,
                        race->fixture->now));
    }
    return NULL;
}

static void test_one_of_64_answers_a_device(void **state)
{
    struct race race = { .fixture = *state };

    for (int round = 0; round < ROUND_COUNT; round++)
        race.ids[round] = insert_device_request(race.fixture).id;
    run_threads(&race, answer_devices);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_cp_06_one_of_64_redeems_a_code),
        ON_STORE(test_dv_04_one_of_64_redeems_a_device_code),
        ON_STORE(test_dp_02_one_of_64_comes_first_with_an_id),
        ON_STORE(test_pa_02_one_of_64_uses_a_pushed_request),
        ON_STORE(test_one_of_64_answers_a_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
