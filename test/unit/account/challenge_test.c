#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "account/challenge.h"
#include "crypto/digest.h"
#include "crypto/random.h"

#define NOON ((int64_t)1800000000)

static const unsigned char alice[DIGEST_BYTES] = { 1, 2, 3 };
static const unsigned char bob[DIGEST_BYTES] = { 1, 2, 4 };

static const unsigned char here[16] = { 0x20, 0x01, 0x0d, 0xb8 };

static int set_up(void **state)
{
    *state = challenge_book_new();
    return 0;
}

static int tear_down(void **state)
{
    challenge_book_free(*state);
    return 0;
}

/* PW-12: once */
static void test_a_challenge_is_good_once(void **state)
{
    unsigned char issued[CHALLENGE_BYTES], consumed[CHALLENGE_BYTES] = { 0 };

    challenge_issue(*state, alice, here, CHALLENGE_SIGN_IN, NOON, issued);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_SIGN_IN, NOON + 1, consumed),
                     RC_OK);
    assert_memory_equal(consumed, issued, CHALLENGE_BYTES);
    memset(consumed, 0x5a, sizeof(consumed));
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_SIGN_IN, NOON + 1, consumed),
                     RC_NOT_FOUND);
    assert_int_equal(consumed[0], 0x5a); /* untouched */
}

static void test_a_challenge_expires(void **state)
{
    unsigned char challenge[CHALLENGE_BYTES];
    int64_t end = NOON + CHALLENGE_LIFETIME_S;

    challenge_issue(*state, alice, here, CHALLENGE_SIGN_IN, NOON, challenge);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_SIGN_IN, end - 1, challenge),
                     RC_OK);
    challenge_issue(*state, alice, here, CHALLENGE_SIGN_IN, NOON, challenge);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_SIGN_IN, end, challenge),
                     RC_NOT_FOUND);
    /* And is gone, wherever the clock goes. */
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_SIGN_IN, NOON, challenge),
                     RC_NOT_FOUND);
}

static void test_a_challenge_is_bound_to_owner_and_use(void **state)
{
    unsigned char of_alice[CHALLENGE_BYTES], of_bob[CHALLENGE_BYTES], consumed[CHALLENGE_BYTES];

    challenge_issue(*state, alice, here, CHALLENGE_STEP_UP, NOON, of_alice);
    assert_int_equal(challenge_consume(*state, bob, CHALLENGE_STEP_UP, NOON, consumed),
                     RC_NOT_FOUND);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_SIGN_IN, NOON, consumed),
                     RC_NOT_FOUND);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_REGISTRATION, NOON, consumed),
                     RC_NOT_FOUND);
    challenge_issue(*state, bob, here, CHALLENGE_STEP_UP, NOON, of_bob);
    assert_memory_not_equal(of_alice, of_bob, CHALLENGE_BYTES);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_STEP_UP, NOON, consumed), RC_OK);
    assert_memory_equal(consumed, of_alice, CHALLENGE_BYTES);
    assert_int_equal(challenge_consume(*state, bob, CHALLENGE_STEP_UP, NOON, consumed), RC_OK);
    assert_memory_equal(consumed, of_bob, CHALLENGE_BYTES);
}

static void test_the_newest_of_an_owner_counts(void **state)
{
    unsigned char first[CHALLENGE_BYTES], second[CHALLENGE_BYTES], consumed[CHALLENGE_BYTES];

    challenge_issue(*state, alice, here, CHALLENGE_SIGN_IN, NOON, first);
    challenge_issue(*state, alice, here, CHALLENGE_SIGN_IN, NOON + 10, second);
    assert_memory_not_equal(first, second, CHALLENGE_BYTES);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_SIGN_IN, NOON + 11, consumed),
                     RC_OK);
    assert_memory_equal(consumed, second, CHALLENGE_BYTES);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_SIGN_IN, NOON + 11, consumed),
                     RC_NOT_FOUND);
}

static void test_revoking_takes_all_of_an_owner(void **state)
{
    unsigned char challenge[CHALLENGE_BYTES];

    challenge_issue(*state, alice, here, CHALLENGE_SIGN_IN, NOON, challenge);
    challenge_issue(*state, alice, here, CHALLENGE_REGISTRATION, NOON, challenge);
    challenge_issue(*state, bob, here, CHALLENGE_SIGN_IN, NOON, challenge);
    challenge_revoke(*state, alice);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_SIGN_IN, NOON, challenge),
                     RC_NOT_FOUND);
    assert_int_equal(challenge_consume(*state, alice, CHALLENGE_REGISTRATION, NOON, challenge),
                     RC_NOT_FOUND);
    assert_int_equal(challenge_consume(*state, bob, CHALLENGE_SIGN_IN, NOON, challenge), RC_OK);
}

/* In a full set the oldest gives way, and an expired one before any that is good. */
static void test_the_book_is_bounded(void **state)
{
    unsigned char owner[DIGEST_BYTES] = { 9, 9 }, challenge[CHALLENGE_BYTES];

    for (unsigned char i = 0; i < 9; i++) {
        owner[31] = i;
        challenge_issue(*state, owner, here, CHALLENGE_SIGN_IN, NOON + i, challenge);
    }
    owner[31] = 0;
    assert_int_equal(challenge_consume(*state, owner, CHALLENGE_SIGN_IN, NOON + 9, challenge),
                     RC_NOT_FOUND);
    for (unsigned char i = 1; i < 9; i++) {
        owner[31] = i;
        assert_int_equal(challenge_consume(*state, owner, CHALLENGE_SIGN_IN, NOON + 9, challenge),
                         RC_OK);
    }
    /* Far more than there is room for. */
    for (unsigned i = 0; i < 3 * CHALLENGE_COUNT_MAX; i++) {
        random_bytes(owner, sizeof(owner));
        challenge_issue(*state, owner, here, CHALLENGE_SIGN_IN, NOON, challenge);
    }
    assert_int_equal(challenge_consume(*state, owner, CHALLENGE_SIGN_IN, NOON, challenge), RC_OK);
}

/* Whoever opens very many pushes out their own, from however many addresses of one host. */
static void test_one_address_pushes_out_nobody_elses(void **state)
{
    unsigned char flooder[16] = { 0x20, 0x01, 0x0d, 0xb8, 6 },
                  other[16] = { 0x20, 0x01, 0x0d, 0xb8, 7 };
    unsigned char owner[DIGEST_BYTES] = { 9, 9 }, challenge[CHALLENGE_BYTES];

    for (unsigned char i = 0; i < 3; i++) {
        owner[31] = i;
        challenge_issue(*state, owner, other, CHALLENGE_SIGN_IN, NOON, challenge);
    }
    for (unsigned char i = 3; i < 200; i++) {
        owner[31] = i;
        flooder[15] = i; /* of the same /64 */
        challenge_issue(*state, owner, flooder, CHALLENGE_SIGN_IN, NOON + 1, challenge);
    }
    for (unsigned char i = 200; i < 202; i++) { /* the set is full, and still there is room */
        owner[31] = i;
        other[5] = i;
        challenge_issue(*state, owner, other, CHALLENGE_SIGN_IN, NOON + 2, challenge);
    }
    for (unsigned char i = 0; i < 202; i = i == 2 ? 200 : (unsigned char)(i + 1)) {
        owner[31] = i;
        assert_int_equal(challenge_consume(*state, owner, CHALLENGE_SIGN_IN, NOON + 3, challenge),
                         RC_OK);
    }
}

enum { THREAD_COUNT = 8, ROUND_COUNT = 200 };

struct race {
    struct challenge_book *book;
    pthread_barrier_t barrier;
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
    unsigned char challenge[CHALLENGE_BYTES];

    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        if (pthread_barrier_wait(&race->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            challenge_issue(race->book, alice, here, CHALLENGE_SIGN_IN, NOON, challenge);
        (void)pthread_barrier_wait(&race->barrier);
        race->won[runner->index][round] =
            challenge_consume(race->book, alice, CHALLENGE_SIGN_IN, NOON, challenge) == RC_OK;
    }
    return NULL;
}

/* PW-12: of many answers at once, one */
static void test_one_of_many_consumes(void **state)
{
    static struct race race;
    struct runner runners[THREAD_COUNT];
    pthread_t threads[THREAD_COUNT];

    race.book = *state;
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
        cmocka_unit_test_setup_teardown(test_a_challenge_is_good_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_challenge_expires, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_challenge_is_bound_to_owner_and_use, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_newest_of_an_owner_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_revoking_takes_all_of_an_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_book_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_address_pushes_out_nobody_elses, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_one_of_many_consumes, set_up, tear_down),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
