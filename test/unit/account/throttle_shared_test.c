/*
 * Guessing at several nodes: two books that know nothing of each other count in one store (PW-05,
 * PW-06). What one node would evaluate, two evaluate together, and no more. On PostgreSQL each has
 * its own connection, as two servers do.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/shared.h"

enum { NODE_COUNT = 2, LOCK_S = 600, GUESSER_COUNT = 16 };

/* The fixture's book is the first node. */
struct nodes {
    struct fixture *fixture;
    struct store *stores[NODE_COUNT];
    struct throttle_book *books[NODE_COUNT];
};

static bool is_shared(const struct nodes *nodes)
{
    return store_is_shared(nodes->fixture->store);
}

static void nodes_open(struct nodes *nodes, void **state, enum lockout_mode mode)
{
    nodes->fixture = *state;
    fixture_set_lockout(nodes->fixture, mode, LOCK_S);
    nodes->stores[0] = nodes->fixture->store;
    nodes->stores[1] =
        is_shared(nodes) ? fixture_open_store(nodes->fixture) : nodes->fixture->store;
    nodes->books[0] = nodes->fixture->book;
    nodes->books[1] = throttle_book_new(nodes->stores[1], nodes->fixture->key);
    throttle_set_lockout(nodes->books[1], nodes->fixture->lockout);
    throttle_set_shared(nodes->books[1]);
}

static void nodes_close(struct nodes *nodes)
{
    throttle_book_free(nodes->books[1]);
    if (is_shared(nodes))
        store_close(nodes->stores[1]);
}

static enum rc begin(struct nodes *nodes, int node, int64_t now, struct throttle_try *out_try)
{
    struct address from = address_v4((unsigned char)(node + 1));
    int64_t wait_s;

    return throttle_begin(nodes->books[node], STR("ada"), from.bytes, false, now, out_try, &wait_s);
}

static void end(struct nodes *nodes, int node, struct throttle_try *try, bool has_succeeded,
                int64_t now)
{
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(throttle_end(nodes->books[node], try, has_succeeded, now, &unit), RC_OK);
    if (unit.step_count > 0)
        assert_int_equal(store_commit(nodes->stores[node], &unit), RC_OK);
}

static enum rc wrong(struct nodes *nodes, int node, int64_t now)
{
    struct throttle_try try;
    enum rc rc = begin(nodes, node, now, &try);

    if (rc == RC_OK)
        end(nodes, node, &try, false, now);
    return rc;
}

static void pw_05_tries_under_way_count_at_all_nodes(void **state)
{
    struct throttle_try tries[THROTTLE_FAILURE_COUNT_MAX];
    struct throttle_try more;
    struct nodes nodes;

    nodes_open(&nodes, state, LOCKOUT_THROTTLE);
    for (int i = 0; i < THROTTLE_FAILURE_COUNT_MAX; i++)
        assert_int_equal(begin(&nodes, i % NODE_COUNT, NOON, &tries[i]), RC_OK);
    assert_int_equal(begin(&nodes, 0, NOON, &more), RC_SPENT);
    assert_int_equal(begin(&nodes, 1, NOON, &more), RC_SPENT);
    /* One that is given back is another's. */
    assert_int_equal(throttle_cancel(nodes.books[1], &tries[1], NOON), RC_OK);
    assert_int_equal(begin(&nodes, 0, NOON, &more), RC_OK);
    end(&nodes, 0, &more, false, NOON);
    for (int i = 0; i < THROTTLE_FAILURE_COUNT_MAX; i++)
        if (i != 1)
            end(&nodes, i % NODE_COUNT, &tries[i], false, NOON);
    assert_int_equal(wrong(&nodes, 0, NOON + 10000000), RC_SPENT);
    assert_int_equal(wrong(&nodes, 1, NOON + 10000000), RC_SPENT);
    nodes_close(&nodes);
}

static void pw_05_one_at_a_time_over_all_nodes(void **state)
{
    struct throttle_try first;
    struct throttle_try second;
    struct nodes nodes;

    nodes_open(&nodes, state, LOCKOUT_THROTTLE);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(wrong(&nodes, i % NODE_COUNT, NOON), RC_OK);
    assert_int_equal(wrong(&nodes, 0, NOON), RC_SPENT);
    assert_int_equal(begin(&nodes, 0, NOON + 60, &first), RC_OK);
    assert_int_equal(begin(&nodes, 1, NOON + 60, &second), RC_SPENT);
    end(&nodes, 0, &first, false, NOON + 60);
    assert_int_equal(wrong(&nodes, 1, NOON + 61), RC_SPENT); /* two seconds now */
    assert_int_equal(wrong(&nodes, 1, NOON + 62), RC_OK);
    nodes_close(&nodes);
}

static void pw_06_success_and_known_address_are_known_everywhere(void **state)
{
    struct throttle_try try;
    struct nodes nodes;
    struct address home = address_v4(1);
    int64_t wait_s;

    nodes_open(&nodes, state, LOCKOUT_THROTTLE);
    assert_int_equal(begin(&nodes, 0, NOON, &try), RC_OK);
    end(&nodes, 0, &try, true, NOON);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(wrong(&nodes, 1, NOON), RC_OK);
    assert_int_equal(wrong(&nodes, 1, NOON), RC_SPENT);
    /* The owner comes to the other node, from home. */
    assert_int_equal(
        throttle_begin(nodes.books[1], STR("ada"), home.bytes, false, NOON, &try, &wait_s), RC_OK);
    assert_true(try.is_known_address);
    end(&nodes, 1, &try, true, NOON);
    assert_int_equal(wrong(&nodes, 1, NOON), RC_OK);
    nodes_close(&nodes);
}

static void pw_05_a_timed_lock_holds_everywhere(void **state)
{
    struct throttle_try late;
    struct throttle_try cancelled;
    struct nodes nodes;

    nodes_open(&nodes, state, LOCKOUT_TIMED);
    assert_int_equal(begin(&nodes, 0, NOON, &late), RC_OK);
    assert_int_equal(begin(&nodes, 0, NOON, &cancelled), RC_OK);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(wrong(&nodes, 1, NOON + i), RC_OK);
    assert_int_equal(wrong(&nodes, 0, NOON + 10), RC_SPENT);
    /* The right password, evaluated meanwhile: nobody is told, and the lock stays. */
    end(&nodes, 0, &late, true, NOON + 10);
    assert_true(late.is_late);
    assert_int_equal(throttle_cancel(nodes.books[0], &cancelled, NOON + 10), RC_OK);
    assert_true(cancelled.is_late);
    assert_int_equal(wrong(&nodes, 1, NOON + 4 + LOCK_S - 1), RC_SPENT);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(wrong(&nodes, i % NODE_COUNT, NOON + 4 + LOCK_S), RC_OK);
    assert_int_equal(wrong(&nodes, 0, NOON + 4 + LOCK_S), RC_SPENT);
    nodes_close(&nodes);
}

static void pw_05_one_of_the_failures_disables(void **state)
{
    struct throttle_try tries[2 * THROTTLE_FREE_COUNT];
    struct nodes nodes;
    int locked_count = 0;

    nodes_open(&nodes, state, LOCKOUT_DISABLE);
    for (int i = 0; i < 2 * THROTTLE_FREE_COUNT; i++)
        assert_int_equal(begin(&nodes, i % NODE_COUNT, NOON, &tries[i]), RC_OK);
    for (int i = 0; i < 2 * THROTTLE_FREE_COUNT; i++) {
        end(&nodes, i % NODE_COUNT, &tries[i], false, NOON);
        assert_int_equal(tries[i].is_locked_out, i == THROTTLE_FREE_COUNT - 1);
        assert_int_equal(tries[i].is_late, i >= THROTTLE_FREE_COUNT);
        locked_count += tries[i].is_locked_out;
    }
    assert_int_equal(locked_count, 1);
    nodes_close(&nodes);
}

static void pw_05_unlocking_is_for_all_nodes(void **state)
{
    struct throttle_try waiting;
    struct store_unit unit;
    struct nodes nodes;

    nodes_open(&nodes, state, LOCKOUT_THROTTLE);
    assert_int_equal(begin(&nodes, 1, NOON, &waiting), RC_OK);
    for (int i = 0; i < THROTTLE_FAILURE_COUNT_MAX - 1; i++)
        (void)wrong(&nodes, i % NODE_COUNT, NOON);
    assert_int_equal(wrong(&nodes, 0, NOON), RC_SPENT);
    store_unit_init(&unit);
    throttle_unlock(nodes.books[0], STR("ADA"), NOON, &unit);
    assert_int_equal(store_commit(nodes.stores[0], &unit), RC_OK);
    end(&nodes, 1, &waiting, false, NOON + 1); /* which was not forgiven */
    for (int i = 1; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(wrong(&nodes, i % NODE_COUNT, NOON + 1), RC_OK);
    assert_int_equal(wrong(&nodes, 0, NOON + 1), RC_SPENT);
    nodes_close(&nodes);
}

/* A node that dies leaves its tries behind. They hold up nobody for longer than they could have
 * gone on, and are no failures: nobody was told what came out of them. */
static void pw_05_tries_of_a_dead_node_are_forgotten(void **state)
{
    struct throttle_try try;
    struct nodes nodes;

    nodes_open(&nodes, state, LOCKOUT_THROTTLE);
    for (int i = 0; i < THROTTLE_FAILURE_COUNT_MAX; i++)
        assert_int_equal(begin(&nodes, 0, NOON + 59, &try), RC_OK);
    assert_int_equal(wrong(&nodes, 1, NOON + 60), RC_SPENT);
    assert_int_equal(wrong(&nodes, 1, NOON + 119), RC_SPENT);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(wrong(&nodes, 1, NOON + 120), RC_OK);
    assert_int_equal(wrong(&nodes, 1, NOON + 120), RC_SPENT);
    nodes_close(&nodes);
}

/* Also where others of the same name come and go all the time. */
static void pw_05_busy_names_forget_the_dead_as_well(void **state)
{
    struct throttle_try dead;
    struct throttle_try try;
    struct nodes nodes;

    nodes_open(&nodes, state, LOCKOUT_THROTTLE);
    for (int i = 0; i < THROTTLE_FAILURE_COUNT_MAX - 1; i++)
        assert_int_equal(begin(&nodes, 0, NOON, &dead), RC_OK);
    for (int64_t now = NOON; now < NOON + 300; now += 10) {
        assert_int_equal(begin(&nodes, 1, now, &try), RC_OK);
        end(&nodes, 1, &try, true, now);
    }
    for (int i = 0; i < THROTTLE_FAILURE_COUNT_MAX; i++)
        assert_int_equal(begin(&nodes, 1, NOON + 300, &try), RC_OK);
    assert_int_equal(begin(&nodes, 1, NOON + 300, &try), RC_SPENT);
    nodes_close(&nodes);
}

/* A node that was stopped while it hashed tells nothing of what it found. */
static void pw_05_a_try_that_took_too_long_is_not_told(void **state)
{
    struct throttle_try try;
    struct store_unit unit;
    struct nodes nodes;

    nodes_open(&nodes, state, LOCKOUT_THROTTLE);
    assert_int_equal(begin(&nodes, 0, NOON, &try), RC_OK);
    try.begun_ms -= THROTTLE_TRY_S * INT64_C(1000);
    store_unit_init(&unit);
    assert_int_equal(throttle_end(nodes.books[0], &try, true, NOON, &unit), RC_UNAVAILABLE);
    assert_int_equal(unit.step_count, 0);
    assert_false(try.is_begun);
    nodes_close(&nodes);
}

static void pw_05_an_address_has_one_counter(void **state)
{
    struct address from = address_v4(9);
    struct throttle_try try;
    struct store_unit unit;
    struct nodes nodes;
    int64_t wait_s = 0;
    char name[32];

    nodes_open(&nodes, state, LOCKOUT_THROTTLE);
    for (int i = 0; i < THROTTLE_ADDRESS_FREE_COUNT; i++) {
        struct throttle_book *book = nodes.books[i % NODE_COUNT];

        snprintf(name, sizeof(name), "name-%d", i);
        assert_int_equal(throttle_begin(book, str_of(name), from.bytes, false, NOON, &try, &wait_s),
                         RC_OK);
        store_unit_init(&unit);
        assert_int_equal(throttle_end(book, &try, false, NOON, &unit), RC_OK);
        assert_int_equal(store_commit(nodes.stores[0], &unit), RC_OK);
    }
    for (int node = 0; node < NODE_COUNT; node++)
        assert_int_equal(throttle_begin(nodes.books[node], STR("more"), from.bytes, false, NOON + 9,
                                        &try, &wait_s),
                         RC_REFUSED);
    assert_int_equal(wait_s, THROTTLE_ADDRESS_WINDOW_S - 9);
    nodes_close(&nodes);
}

struct guesser {
    struct nodes *nodes;
    pthread_barrier_t *hour;
    _Atomic unsigned *evaluated;
    int node;
};

static void *guess(void *context)
{
    struct guesser *guesser = context;

    for (int i = 0; i < 110; i++) {
        (void)pthread_barrier_wait(guesser->hour);
        if (wrong(guesser->nodes, guesser->node, NOON + 3600 * i) == RC_OK)
            atomic_fetch_add(guesser->evaluated, 1);
    }
    return NULL;
}

/* PW-05: sixteen guesses in each hour, at two nodes. */
static void pw_05_parallel_guesses_at_all_nodes(void **state)
{
    struct guesser guessers[GUESSER_COUNT];
    pthread_t threads[GUESSER_COUNT];
    _Atomic unsigned evaluated = 0;
    pthread_barrier_t hour;
    struct nodes nodes;

    nodes_open(&nodes, state, LOCKOUT_THROTTLE);
    assert_int_equal(pthread_barrier_init(&hour, NULL, GUESSER_COUNT), 0);
    for (int i = 0; i < GUESSER_COUNT; i++) {
        guessers[i] = (struct guesser){ &nodes, &hour, &evaluated, i % NODE_COUNT };
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &guessers[i]), 0);
    }
    for (int i = 0; i < GUESSER_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(evaluated, THROTTLE_FAILURE_COUNT_MAX);
    pthread_barrier_destroy(&hour);
    nodes_close(&nodes);
}

#define AT_NODES(test) cmocka_unit_test_setup_teardown(test, fixture_setup_shared, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_NODES(pw_05_tries_under_way_count_at_all_nodes),
        AT_NODES(pw_05_one_at_a_time_over_all_nodes),
        AT_NODES(pw_06_success_and_known_address_are_known_everywhere),
        AT_NODES(pw_05_a_timed_lock_holds_everywhere),
        AT_NODES(pw_05_one_of_the_failures_disables),
        AT_NODES(pw_05_unlocking_is_for_all_nodes),
        AT_NODES(pw_05_tries_of_a_dead_node_are_forgotten),
        AT_NODES(pw_05_busy_names_forget_the_dead_as_well),
        AT_NODES(pw_05_a_try_that_took_too_long_is_not_told),
        AT_NODES(pw_05_an_address_has_one_counter),
        AT_NODES(pw_05_parallel_guesses_at_all_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
