/* Tries side by side against a lock: many at once buy nothing, and hinder nobody who is right. */
#include "lockout.h"

#include <pthread.h>
#include <stdatomic.h>

/* Right tries side by side are all let in: a row is of failures, not of tries. */
static void test_parallel_successes_are_let_in(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try tries[32];
    struct store_unit unit;
    int64_t wait_s;

    for (size_t i = 0; i < 2; i++) {
        fixture_set_lockout(fixture, locking[i], LOCK_S);
        for (size_t t = 0; t < 32; t++)
            assert_int_equal(throttle_begin(fixture->book, STR("ada"), address_v4(7).bytes, false,
                                            NOON, &tries[t], &wait_s),
                             RC_OK);
        for (size_t t = 0; t < 32; t++) {
            store_unit_init(&unit);
            end_try(fixture, &tries[t], true, NOON, &unit);
            assert_false(tries[t].is_late);
        }
    }
}

/* Whoever tries 32 at once is told of five; a success that comes after them leaves no trace. */
static void test_tries_that_come_late(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try tries[32];
    struct store_unit unit;
    unsigned locked_out = 0;
    int64_t wait_s;

    for (size_t i = 0; i < 2; i++) {
        struct str name = i == 0 ? STR("ada") : STR("bob");

        fixture_set_lockout(fixture, locking[i], LOCK_S);
        for (size_t t = 0; t < 32; t++)
            assert_int_equal(throttle_begin(fixture->book, name, address_v4(7).bytes, false, NOON,
                                            &tries[t], &wait_s),
                             RC_OK);
        for (size_t t = 0; t < 30; t++) {
            store_unit_init(&unit);
            end_try(fixture, &tries[t], false, NOON, &unit);
            locked_out += tries[t].is_locked_out;
            assert_int_equal(tries[t].is_late, t >= THROTTLE_FREE_COUNT);
            assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
        }
        store_unit_init(&unit);
        end_try(fixture, &tries[30], true, NOON, &unit);
        assert_true(tries[30].is_late);
        assert_int_equal(unit.step_count, 0);
        cancel_try(fixture, &tries[31]);
        assert_true(tries[31].is_late);
        assert_int_equal(throttle_begin(fixture->book, name, address_v4(7).bytes, false, NOON,
                                        &tries[0], &wait_s),
                         RC_SPENT);
    }
    assert_int_equal(locked_out, 1);
}

/* A sign-in that takes its time. */
struct slow {
    struct fixture *fixture;
    const char *name;
    const char *why;
    enum sign_in_verdict verdict;
    atomic_bool is_done;
};

static void *sign_in_slowly(void *context)
{
    struct slow *slow = context;

    slow->verdict =
        enter(slow->fixture,
              (struct entry){ .name = slow->name, .password = "right", .from = 1, .now = NOON },
              &slow->why);
    atomic_store(&slow->is_done, true);
    return NULL;
}

/*
 * Fills the row while the right password is being hashed; false when that came too late to prove
 * anything. All tries but one that a name may have under way are begun here, so that one more tells
 * whether the sign-in has begun.
 */
static bool overtake(struct fixture *fixture, const char *name, struct slow *slow)
{
    struct throttle_try tries[THROTTLE_FAILURE_COUNT_MAX];
    struct throttle_try *probe = &tries[THROTTLE_FAILURE_COUNT_MAX - 1];
    struct store_unit unit;
    pthread_t thread;
    bool has_begun = false;
    bool is_proof;
    int64_t wait_s;

    *slow = (struct slow){ .fixture = fixture, .name = name };
    for (size_t t = 0; t + 1 < THROTTLE_FAILURE_COUNT_MAX; t++)
        assert_int_equal(throttle_begin(fixture->book, str_of(name), address_v4(7).bytes, false,
                                        NOON, &tries[t], &wait_s),
                         RC_OK);
    assert_int_equal(pthread_create(&thread, NULL, sign_in_slowly, slow), 0);
    while (!has_begun && !atomic_load(&slow->is_done)) {
        has_begun = throttle_begin(fixture->book, str_of(name), address_v4(2).bytes, false, NOON,
                                   probe, &wait_s) != RC_OK;
        if (!has_begun)
            cancel_try(fixture, probe);
        usleep(1000);
    }
    for (size_t t = 0; t + 1 < THROTTLE_FAILURE_COUNT_MAX; t++) {
        if (t < THROTTLE_FREE_COUNT) {
            store_unit_init(&unit);
            end_try(fixture, &tries[t], false, NOON, &unit);
        } else {
            cancel_try(fixture, &tries[t]);
        }
    }
    is_proof = has_begun && !atomic_load(&slow->is_done);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return is_proof;
}

/* The right password tells nothing when the row was filled while it was being hashed. */
static void test_right_password_that_comes_late(void **state)
{
    static const struct password_cost slow_cost = { 65536, 6 };
    struct fixture *fixture = *state;

    fixture->door.cost = slow_cost; /* else the hash would be replaced */
    fixture_set_lockout(fixture, LOCKOUT_TIMED, LOCK_S);
    for (int kind = 0; kind < 3; kind++) {
        struct slow slow = { 0 };
        char name[32];
        bool is_proof = false;

        for (int round = 0; round < 50 && !is_proof; round++) {
            int64_t id;

            snprintf(name, sizeof(name), "name-%d-%d", kind, round);
            id = make_account_of_cost(fixture, name, "right", false, slow_cost);
            if (kind == 1)
                (void)enrol(fixture, id);
            if (kind == 2)
                set_disabled(fixture, id);
            is_proof = overtake(fixture, name, &slow);
        }
        assert_true(is_proof);
        assert_int_equal(slow.verdict, SIGN_IN_WRONG);
        assert_string_equal(slow.why, "the name is held up by failed tries");
        assert_int_equal(last_event(fixture).kind, EVENT_PASSWORD_FAILED);
    }
}

struct guesser {
    struct fixture *fixture;
    _Atomic unsigned told;      /* verdicts that only the password's holder gets */
    _Atomic unsigned succeeded; /* tokens */
    unsigned wrong_count;
    int64_t now;
};

static void *guess(void *context)
{
    struct guesser *guesser = context;

    for (unsigned i = 0; i < guesser->wrong_count; i++)
        (void)sign_in(guesser->fixture, "ada", "wrong", guesser->now);
    for (int i = 0; i < 4; i++) {
        enum sign_in_verdict verdict = sign_in(guesser->fixture, "ada", "right", guesser->now);

        guesser->succeeded += verdict == SIGN_IN_OK;
        guesser->told += verdict != SIGN_IN_WRONG;
    }
    return NULL;
}

/* Each of eight threads fails five times before it is right: none is let in or told of it. */
static void test_parallel_guesses_buy_nothing(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);

    for (size_t i = 0; i < 2; i++) {
        struct guesser guesser = { .fixture = fixture,
                                   .wrong_count = THROTTLE_FREE_COUNT,
                                   .now = NOON + 10 * (int64_t)i };
        pthread_t threads[8];

        fixture_set_lockout(fixture, locking[i], LOCK_S);
        for (size_t t = 0; t < 8; t++)
            assert_int_equal(pthread_create(&threads[t], NULL, guess, &guesser), 0);
        for (size_t t = 0; t < 8; t++)
            assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(guesser.succeeded, 0);
        assert_int_equal(guesser.told, 0);
        assert_int_equal(read_account(fixture, ada).is_disabled, i == 1);
        assert_int_equal(count_events(fixture, EVENT_ACCOUNT_LOCKED), i);
        forgive(fixture, ada, guesser.now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH(test_parallel_successes_are_let_in),
        WITH_BOTH(test_tries_that_come_late),
        WITH_BOTH(test_right_password_that_comes_late),
        WITH_BOTH(test_parallel_guesses_buy_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
