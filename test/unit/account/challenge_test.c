/* Challenges: good once, for one browser, one use and five minutes, at every node (PW-12). */
#include "fixture.h"

#include <pthread.h>

#include "account/challenge.h"

static const unsigned char alice[DIGEST_BYTES] = { 1, 2, 3 };
static const unsigned char bob[DIGEST_BYTES] = { 1, 2, 4 };

static enum rc consume(struct fixture *fixture, const unsigned char *owner, enum challenge_use use,
                       int64_t now, const unsigned char challenge[static CHALLENGE_BYTES])
{
    return challenge_consume(fixture->code_key, fixture->store, owner, use, now,
                             (struct str){ (const char *)challenge, CHALLENGE_BYTES });
}

static void issue(struct fixture *fixture, const unsigned char *owner, enum challenge_use use,
                  int64_t now, unsigned char out_challenge[static CHALLENGE_BYTES])
{
    challenge_issue(fixture->code_key, owner, use, now, out_challenge);
}

static void pw_12_a_challenge_is_good_once(void **state)
{
    unsigned char challenge[CHALLENGE_BYTES];

    issue(*state, alice, CHALLENGE_SIGN_IN, NOON, challenge);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, NOON + 1, challenge), RC_OK);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, NOON + 1, challenge), RC_NOT_FOUND);
    /* Also over a restart, and wherever the clock goes. */
    fixture_restart(*state);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, NOON, challenge), RC_NOT_FOUND);
}

/* Another node has the same key and the same store, and nothing else. */
static void pw_12_a_ceremony_goes_on_elsewhere(void **state)
{
    unsigned char challenge[CHALLENGE_BYTES];

    issue(*state, alice, CHALLENGE_SIGN_IN, NOON, challenge);
    fixture_restart(*state);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, NOON + 1, challenge), RC_OK);
}

static void pw_12_a_challenge_expires(void **state)
{
    unsigned char challenge[CHALLENGE_BYTES];
    int64_t end = NOON + CHALLENGE_LIFETIME_S;

    issue(*state, alice, CHALLENGE_SIGN_IN, NOON, challenge);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, end, challenge), RC_NOT_FOUND);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, end + 86400, challenge),
                     RC_NOT_FOUND);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, end - 1, challenge), RC_OK);
    /* A clock may be ahead a little, but none is good for longer by it. */
    issue(*state, alice, CHALLENGE_SIGN_IN, NOON + 3600, challenge);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, NOON, challenge), RC_NOT_FOUND);
    issue(*state, alice, CHALLENGE_SIGN_IN, NOON + 30, challenge);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, NOON, challenge), RC_OK);
}

static void pw_12_a_challenge_is_bound_to_owner_and_use(void **state)
{
    unsigned char of_alice[CHALLENGE_BYTES], of_bob[CHALLENGE_BYTES];

    issue(*state, alice, CHALLENGE_STEP_UP, NOON, of_alice);
    issue(*state, bob, CHALLENGE_STEP_UP, NOON, of_bob);
    assert_memory_not_equal(of_alice, of_bob, CHALLENGE_BYTES);
    assert_int_equal(consume(*state, bob, CHALLENGE_STEP_UP, NOON, of_alice), RC_NOT_FOUND);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, NOON, of_alice), RC_NOT_FOUND);
    assert_int_equal(consume(*state, alice, CHALLENGE_REGISTRATION, NOON, of_alice), RC_NOT_FOUND);
    /* Whoever has it without being its owner does not use it up. */
    assert_int_equal(consume(*state, alice, CHALLENGE_STEP_UP, NOON, of_alice), RC_OK);
    assert_int_equal(consume(*state, bob, CHALLENGE_STEP_UP, NOON, of_bob), RC_OK);
}

static void pw_12_a_forged_challenge_is_none(void **state)
{
    unsigned char challenge[CHALLENGE_BYTES];
    struct fixture *fixture = *state;

    issue(fixture, alice, CHALLENGE_SIGN_IN, NOON, challenge);
    for (size_t i = 0; i < CHALLENGE_BYTES; i++) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            challenge[i] ^= (unsigned char)bit;
            assert_int_equal(consume(fixture, alice, CHALLENGE_SIGN_IN, NOON, challenge),
                             RC_NOT_FOUND);
            challenge[i] ^= (unsigned char)bit;
        }
    }
    for (size_t len = 0; len < CHALLENGE_BYTES; len++)
        assert_int_equal(challenge_consume(fixture->code_key, fixture->store, alice,
                                           CHALLENGE_SIGN_IN, NOON,
                                           (struct str){ (const char *)challenge, len }),
                         RC_NOT_FOUND);
    assert_int_equal(challenge_consume(fixture->key, fixture->store, alice, CHALLENGE_SIGN_IN, NOON,
                                       (struct str){ (const char *)challenge, CHALLENGE_BYTES }),
                     RC_NOT_FOUND);
    assert_int_equal(consume(fixture, alice, CHALLENGE_SIGN_IN, NOON, challenge), RC_OK);
}

/* However many are asked for. */
static void pw_12_no_challenge_pushes_out_another(void **state)
{
    unsigned char first[CHALLENGE_BYTES], later[CHALLENGE_BYTES];

    issue(*state, alice, CHALLENGE_SIGN_IN, NOON, first);
    for (unsigned i = 0; i < 100000; i++)
        issue(*state, alice, CHALLENGE_SIGN_IN, NOON, later);
    assert_memory_not_equal(first, later, CHALLENGE_BYTES);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, NOON, first), RC_OK);
    assert_int_equal(consume(*state, alice, CHALLENGE_SIGN_IN, NOON, later), RC_OK);
}

enum { THREAD_COUNT = 8, ROUND_COUNT = 50 };

struct race {
    struct fixture *fixture;
    pthread_barrier_t barrier;
    unsigned char challenge[CHALLENGE_BYTES];
    unsigned won[THREAD_COUNT][ROUND_COUNT];
};

struct runner {
    struct race *race;
    unsigned index;
};

static void *run(void *argument)
{
    struct runner *runner = argument;
    struct race *race = runner->race;

    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        if (pthread_barrier_wait(&race->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            issue(race->fixture, alice, CHALLENGE_SIGN_IN, NOON, race->challenge);
        (void)pthread_barrier_wait(&race->barrier);
        race->won[runner->index][round] =
            consume(race->fixture, alice, CHALLENGE_SIGN_IN, NOON, race->challenge) == RC_OK;
    }
    return NULL;
}

static void pw_12_one_of_many_consumes(void **state)
{
    static struct race race;
    struct runner runners[THREAD_COUNT];
    pthread_t threads[THREAD_COUNT];

    race.fixture = *state;
    assert_int_equal(pthread_barrier_init(&race.barrier, NULL, THREAD_COUNT), 0);
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        runners[i] = (struct runner){ &race, i };
        assert_int_equal(pthread_create(&threads[i], NULL, run, &runners[i]), 0);
    }
    for (unsigned i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        unsigned winners = 0;

        for (unsigned i = 0; i < THREAD_COUNT; i++)
            winners += race.won[i][round];
        assert_int_equal(winners, 1);
    }
    pthread_barrier_destroy(&race.barrier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(pw_12_a_challenge_is_good_once),
        WITH_STORE(pw_12_a_ceremony_goes_on_elsewhere),
        WITH_STORE(pw_12_a_challenge_expires),
        WITH_STORE(pw_12_a_challenge_is_bound_to_owner_and_use),
        WITH_STORE(pw_12_a_forged_challenge_is_none),
        WITH_STORE(pw_12_no_challenge_pushes_out_another),
        WITH_STORE(pw_12_one_of_many_consumes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
