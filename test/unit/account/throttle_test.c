/* How often guessing is allowed; with an injected clock (NIST SP 800-63B-4 3.2.2; PW-05, PW-06). */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"

/* One try that fails or succeeds, committed; answers what throttle_begin said. */
static enum rc try_at(struct fixture *fixture, const char *name, struct address from, int64_t now,
                      bool has_succeeded)
{
    struct throttle_try try;
    struct store_unit unit;
    int64_t wait_s = 0;
    enum rc rc = throttle_begin(fixture->book, str_of(name), from.bytes, false, now, &try, &wait_s);

    if (rc == RC_REFUSED)
        return rc;
    assert_true(rc == RC_OK || rc == RC_SPENT);
    store_unit_init(&unit);
    end_try(fixture, &try, has_succeeded && rc == RC_OK, now, &unit);
    if (unit.step_count > 0)
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    return rc;
}

static enum rc fail_at(struct fixture *fixture, const char *name, struct address from, int64_t now)
{
    return try_at(fixture, name, from, now, false);
}

static enum rc succeed_at(struct fixture *fixture, const char *name, struct address from,
                          int64_t now)
{
    return try_at(fixture, name, from, now, true);
}

/* Fails as often as the rules let it from then on, an hour apart; answers how often that was. */
static unsigned fail_until_locked(struct fixture *fixture, const char *name, struct address from,
                                  int64_t now)
{
    unsigned count = 0;

    while (fail_at(fixture, name, from, now + 3600 * count) == RC_OK) {
        count++;
        assert_true(count <= 1000);
    }
    return count;
}

static void unlock(struct fixture *fixture, const char *name, int64_t now)
{
    struct store_unit unit;

    store_unit_init(&unit);
    throttle_unlock(fixture->book, str_of(name), now, &unit);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

static void test_first_failures_are_free_then_delays_double(void **state)
{
    struct fixture *fixture = *state;
    struct address from = address_v4(1);
    int64_t now = NOON;
    int64_t delay = 1;

    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, "ada", from, now), RC_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(fail_at(fixture, "ada", from, now + delay - 1), RC_SPENT);
        now += delay;
        assert_int_equal(fail_at(fixture, "ada", from, now), RC_OK);
        delay = delay * 2 < THROTTLE_DELAY_S_MAX ? delay * 2 : THROTTLE_DELAY_S_MAX;
    }
}

/* PW-05: at most 100 consecutive failures, whatever the pause between them. */
static void test_name_is_locked_after_the_maximum(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fail_until_locked(fixture, "ada", address_v4(1), NOON),
                     THROTTLE_FAILURE_COUNT_MAX);
    assert_int_equal(fail_at(fixture, "ada", address_v4(2), NOON + 10LL * 365 * 86400), RC_SPENT);
    assert_int_equal(fail_at(fixture, "bob", address_v4(2), NOON), RC_OK);
}

/* PW-05: over restarts. */
static void test_failures_survive_a_restart(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON), RC_OK);
    fixture_restart(fixture);
    assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON), RC_SPENT);
    assert_int_equal(fail_until_locked(fixture, "ada", address_v4(1), NOON + 3600),
                     THROTTLE_FAILURE_COUNT_MAX - THROTTLE_FREE_COUNT);
    fixture_restart(fixture);
    assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON + 10000000), RC_SPENT);
}

/* PW-05: over case, and over letters that are not ASCII. */
static void test_spellings_share_one_counter(void **state)
{
    static const char *const spellings[] = { "émile", "Émile", "ÉMILE", "éMiLe", "émilE" };
    struct fixture *fixture = *state;

    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, spellings[i], address_v4(1), NOON), RC_OK);
    assert_int_equal(fail_at(fixture, "ÉmilE", address_v4(1), NOON), RC_SPENT);
    assert_int_equal(fail_at(fixture, "emile", address_v4(1), NOON), RC_OK);
}

/* PW-05: tries under way count, so a thousand at once are no better than a hundred. */
static void test_tries_under_way_count(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try *tries = calloc(1000, sizeof(*tries));
    struct store_unit unit;
    unsigned begun = 0;
    int64_t wait_s;

    assert_non_null(tries);
    for (int i = 0; i < 1000; i++) {
        struct address from = address_v4((unsigned char)i);

        if (throttle_begin(fixture->book, STR("ada"), from.bytes, false, NOON, &tries[begun],
                           &wait_s) == RC_OK)
            begun++;
    }
    assert_int_equal(begun, THROTTLE_FAILURE_COUNT_MAX);
    for (unsigned i = 0; i < begun; i++) {
        store_unit_init(&unit);
        end_try(fixture, &tries[i], false, NOON, &unit);
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    }
    assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON + 10000000), RC_SPENT);
    fixture_restart(fixture);
    assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON + 10000000), RC_SPENT);
    free(tries);
}

enum { GUESSER_COUNT = 8, HOUR_COUNT = 125 };

struct guesser {
    struct fixture *fixture;
    pthread_barrier_t hour;
    _Atomic unsigned evaluated;
};

static void *guess(void *context)
{
    struct guesser *guesser = context;

    for (int i = 0; i < HOUR_COUNT; i++) {
        struct address from = address_v4((unsigned char)i);

        (void)pthread_barrier_wait(&guesser->hour);
        if (fail_at(guesser->fixture, "ada", from, NOON + 3600 * i) == RC_OK)
            atomic_fetch_add(&guesser->evaluated, 1);
    }
    return NULL;
}

/* PW-05: of 1,000 parallel guesses, eight in each hour, 100 are evaluated. */
static void test_parallel_guesses(void **state)
{
    struct guesser guesser = { .fixture = *state };
    pthread_t threads[GUESSER_COUNT];

    assert_int_equal(pthread_barrier_init(&guesser.hour, NULL, GUESSER_COUNT), 0);
    for (size_t i = 0; i < GUESSER_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &guesser), 0);
    for (size_t i = 0; i < GUESSER_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(guesser.evaluated, THROTTLE_FAILURE_COUNT_MAX);
    pthread_barrier_destroy(&guesser.hour);
}

/* While failures have added up, one try at a time: a burst after a long pause gains nothing. */
static void test_one_at_a_time_once_delayed(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try first;
    struct throttle_try second;
    int64_t wait_s;

    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON), RC_OK);
    assert_int_equal(throttle_begin(fixture->book, STR("ada"), address_v4(1).bytes, false,
                                    NOON + 60, &first, &wait_s),
                     RC_OK);
    assert_int_equal(throttle_begin(fixture->book, STR("ada"), address_v4(2).bytes, false,
                                    NOON + 60, &second, &wait_s),
                     RC_SPENT);
    cancel_try(fixture, &first);
    assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON + 60), RC_OK);
}

static void test_success_forgets(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON), RC_OK);
    assert_int_equal(succeed_at(fixture, "ada", address_v4(1), NOON + 60), RC_OK);
    fixture_restart(fixture);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, "ada", address_v4(2), NOON + 60), RC_OK);
    assert_int_equal(fail_at(fixture, "ada", address_v4(2), NOON + 60), RC_SPENT);
}

/* PW-06: failures from elsewhere do not shut the owner out. */
static void test_known_address_works_while_the_name_is_locked(void **state)
{
    struct fixture *fixture = *state;
    struct address home = address_v4(1);

    assert_int_equal(succeed_at(fixture, "ada", home, NOON), RC_OK);
    assert_int_equal(fail_until_locked(fixture, "ada", address_v4(66), NOON),
                     THROTTLE_FAILURE_COUNT_MAX);
    fixture_restart(fixture);
    assert_int_equal(fail_at(fixture, "ada", address_v4(2), NOON + 400000), RC_SPENT);
    assert_int_equal(succeed_at(fixture, "ada", home, NOON + 400000), RC_OK);
    /* The owner was there, so the name is free again. */
    assert_int_equal(fail_at(fixture, "ada", address_v4(2), NOON + 400001), RC_OK);
}

static void test_known_address_has_a_maximum_too(void **state)
{
    struct fixture *fixture = *state;
    struct address home = address_v4(1);

    assert_int_equal(succeed_at(fixture, "ada", home, NOON), RC_OK);
    assert_int_equal(fail_until_locked(fixture, "ada", home, NOON), THROTTLE_FAILURE_COUNT_MAX);
    assert_int_equal(succeed_at(fixture, "ada", address_v4(2), NOON + 400000), RC_OK);
}

static void test_address_is_known_for_thirty_days(void **state)
{
    struct fixture *fixture = *state;
    struct address home = address_v4(1);
    int64_t later = NOON + THROTTLE_KNOWN_ADDRESS_S;

    assert_int_equal(succeed_at(fixture, "ada", home, NOON), RC_OK);
    (void)fail_until_locked(fixture, "ada", address_v4(66), NOON);
    assert_int_equal(succeed_at(fixture, "ada", home, later), RC_SPENT);
    assert_int_equal(fail_at(fixture, "ada", home, later - 1), RC_OK);
}

static void test_unlock_forgets_the_name_and_its_known_addresses(void **state)
{
    struct fixture *fixture = *state;
    struct address home = address_v4(1);
    int64_t later = NOON + 400000;

    assert_int_equal(succeed_at(fixture, "ada", home, NOON), RC_OK);
    (void)fail_until_locked(fixture, "ada", home, NOON);
    (void)fail_until_locked(fixture, "ada", address_v4(66), NOON);
    unlock(fixture, "ADA", later);
    assert_int_equal(fail_at(fixture, "ada", address_v4(66), later + 1), RC_OK);
    assert_int_equal(fail_at(fixture, "ada", home, later + 1), RC_OK);
    /* What comes after the unlock counts from one. */
    fixture_restart(fixture);
    for (int i = 1; i < THROTTLE_FREE_COUNT; i++) {
        assert_int_equal(fail_at(fixture, "ada", home, later + 2), RC_OK);
        assert_int_equal(fail_at(fixture, "ada", address_v4(66), later + 2), RC_OK);
    }
    assert_int_equal(fail_at(fixture, "ada", home, later + 2), RC_SPENT);
    assert_int_equal(fail_at(fixture, "ada", address_v4(66), later + 2), RC_SPENT);
}

static void test_address_over_all_names_is_told_to_wait(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try try;
    int64_t wait_s = 0;
    char name[32];

    for (int i = 0; i < THROTTLE_ADDRESS_FREE_COUNT; i++) {
        snprintf(name, sizeof(name), "name-%d", i);
        assert_int_equal(fail_at(fixture, name, address_v4(1), NOON + i / 10), RC_OK);
    }
    assert_int_equal(throttle_begin(fixture->book, STR("one more"), address_v4(1).bytes, false,
                                    NOON + 100, &try, &wait_s),
                     RC_REFUSED);
    assert_int_equal(wait_s, THROTTLE_ADDRESS_WINDOW_S - 100);
    assert_int_equal(fail_at(fixture, "one more", address_v4(2), NOON + 100), RC_OK);
    assert_int_equal(fail_at(fixture, "one more", address_v4(1), NOON + THROTTLE_ADDRESS_WINDOW_S),
                     RC_OK);
}

/* A clock that was ahead and goes back: what was unlocked then counts failures as ever. */
static void test_unlock_of_a_time_to_come_forgives_nothing_new(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON + 86400), RC_OK);
    unlock(fixture, "ada", NOON + 86400);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON), RC_OK);
    assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON), RC_SPENT);
}

static void test_address_does_not_wait_for_a_clock_that_went_back(void **state)
{
    struct fixture *fixture = *state;
    char name[32];

    for (int i = 0; i < THROTTLE_ADDRESS_FREE_COUNT; i++) {
        snprintf(name, sizeof(name), "name-%d", i);
        assert_int_equal(fail_at(fixture, name, address_v4(1), NOON + 86400), RC_OK);
    }
    assert_int_equal(fail_at(fixture, "one more", address_v4(1), NOON + 86400 - 1), RC_REFUSED);
    assert_int_equal(fail_at(fixture, "one more", address_v4(1), NOON), RC_OK);
}

/* A held name does not hide the address that keeps trying it. */
static void test_refused_tries_count_for_the_address(void **state)
{
    struct fixture *fixture = *state;

    (void)fail_until_locked(fixture, "ada", address_v4(66), NOON);
    for (int i = 0; i < THROTTLE_ADDRESS_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON + 400000), RC_SPENT);
    assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON + 400000), RC_REFUSED);
}

/* One host has all of a /64. */
static void test_ipv6_is_counted_by_network(void **state)
{
    struct fixture *fixture = *state;
    struct address address = { { 0x20, 0x01, 0x0d, 0xb8 } };

    assert_int_equal(succeed_at(fixture, "ada", address, NOON), RC_OK);
    (void)fail_until_locked(fixture, "ada", address_v4(66), NOON);
    address.bytes[15] = 9;
    assert_int_equal(fail_at(fixture, "ada", address, NOON + 400000), RC_OK);
    address.bytes[7] = 1;
    assert_int_equal(fail_at(fixture, "ada", address, NOON + 400000), RC_SPENT);
}

static void test_cancelled_try_counts_as_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try try;
    int64_t wait_s;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(throttle_begin(fixture->book, STR("ada"), address_v4(1).bytes, false, NOON,
                                        &try, &wait_s),
                         RC_OK);
        cancel_try(fixture, &try);
    }
    assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON), RC_OK);
}

/* Many names at once: memory is bounded, and what counts is in the store. */
static void test_many_names(void **state)
{
    struct fixture *fixture = *state;
    char name[32];

    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON), RC_OK);
    for (int i = 0; i < 20000; i++) {
        struct throttle_try try;
        struct store_unit unit;
        int64_t wait_s;
        struct address from = { { 0x20, 0x01, 0, 0, (unsigned char)(i >> 8), (unsigned char)i } };

        snprintf(name, sizeof(name), "name-%d", i);
        assert_int_equal(
            throttle_begin(fixture->book, str_of(name), from.bytes, false, NOON, &try, &wait_s),
            RC_OK);
        store_unit_init(&unit);
        end_try(fixture, &try, false, NOON, &unit); /* not committed */
    }
    assert_int_equal(fail_at(fixture, "ada", address_v4(1), NOON), RC_SPENT);
}

static enum rc guess_at(struct fixture *fixture, const char *whose, struct address from,
                        int64_t now)
{
    struct store_unit unit;

    store_unit_init(&unit);
    throttle_count_guess(fixture->book, str_of(whose), from.bytes, now, &unit);
    return store_commit(fixture->store, &unit);
}

static void dv_02_user_codes_by_person_and_address(void **state)
{
    struct fixture *fixture = *state;
    char whose[16];
    int64_t now = clock_now_s(); /* what is long past leaves the store */
    int count = 0;

    for (int i = 0; i < THROTTLE_GUESS_COUNT_MAX; i++)
        assert_int_equal(guess_at(fixture, "first", address_v4(1), now), RC_OK);
    assert_int_equal(guess_at(fixture, "first", address_v4(1), now), RC_TOO_LARGE);
    assert_int_equal(guess_at(fixture, "first", address_v4(2), now + 1), RC_TOO_LARGE);
    /* What is refused is no try, so that the wait has an end. */
    assert_int_equal(guess_at(fixture, "first", address_v4(2), now + THROTTLE_GUESS_S), RC_OK);
    do {
        snprintf(whose, sizeof(whose), "person-%d", count++);
        assert_in_range(count, 1, THROTTLE_GUESS_ADDRESS_COUNT_MAX + 1);
    } while (guess_at(fixture, whose, address_v4(3), now) == RC_OK);
    assert_int_equal(count, THROTTLE_GUESS_ADDRESS_COUNT_MAX + 1);
    assert_int_equal(guess_at(fixture, whose, address_v4(4), now), RC_OK);
}

static enum rc ask_at(struct fixture *fixture, struct address from, int64_t now)
{
    struct store_unit unit;

    store_unit_init(&unit);
    throttle_count_request(fixture->book, from.bytes, now, &unit);
    return store_commit(fixture->store, &unit);
}

/* So many in a minute that begins with the first, not in one after the last. */
static void test_requests_by_address_and_minute(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = clock_now_s();

    for (int i = 0; i < THROTTLE_REQUEST_COUNT_MAX; i++)
        assert_int_equal(ask_at(fixture, address_v4(1), now + i * 60 / THROTTLE_REQUEST_COUNT_MAX),
                         RC_OK);
    assert_int_equal(ask_at(fixture, address_v4(1), now + THROTTLE_REQUEST_S - 1), RC_TOO_LARGE);
    assert_int_equal(ask_at(fixture, address_v4(2), now + THROTTLE_REQUEST_S - 1), RC_OK);
    assert_int_equal(ask_at(fixture, address_v4(1), now + THROTTLE_REQUEST_S), RC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH(test_first_failures_are_free_then_delays_double),
        WITH_BOTH(test_name_is_locked_after_the_maximum),
        WITH_BOTH(test_failures_survive_a_restart),
        WITH_BOTH(test_spellings_share_one_counter),
        WITH_BOTH(test_tries_under_way_count),
        WITH_BOTH(test_parallel_guesses),
        WITH_BOTH(test_one_at_a_time_once_delayed),
        WITH_BOTH(test_success_forgets),
        WITH_BOTH(test_known_address_works_while_the_name_is_locked),
        WITH_BOTH(test_known_address_has_a_maximum_too),
        WITH_BOTH(test_address_is_known_for_thirty_days),
        WITH_BOTH(test_unlock_forgets_the_name_and_its_known_addresses),
        WITH_BOTH(test_unlock_of_a_time_to_come_forgives_nothing_new),
        WITH_BOTH(test_address_does_not_wait_for_a_clock_that_went_back),
        WITH_BOTH(test_address_over_all_names_is_told_to_wait),
        WITH_BOTH(test_refused_tries_count_for_the_address),
        WITH_BOTH(test_ipv6_is_counted_by_network),
        WITH_BOTH(test_cancelled_try_counts_as_nothing),
        WITH_STORE(test_many_names),
        WITH_STORE(dv_02_user_codes_by_person_and_address),
        WITH_STORE(test_requests_by_address_and_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
