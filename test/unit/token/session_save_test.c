/* How uses of a session come to the store: while it cannot write, and from many threads at once. */
#include <dlfcn.h>
#include <pthread.h>

#include "session_fixture.h"

/* ---- the injector: it stands before the engine's library ------------------------------------ */

enum { ENGINE_FULL = 13 /* SQLITE_FULL: the store goes on when there is room again */ };

struct sqlite3_stmt;
int sqlite3_step(struct sqlite3_stmt *statement);

static _Atomic bool is_store_away;

int sqlite3_step(struct sqlite3_stmt *statement)
{
    static int (*_Atomic real_step)(struct sqlite3_stmt *);
    int (*step)(struct sqlite3_stmt *) = atomic_load(&real_step);

    if (step == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "sqlite3_step");

        memcpy(&step, &symbol, sizeof(step));
        atomic_store(&real_step, step);
    }
    return atomic_load(&is_store_away) ? ENGINE_FULL : step(statement);
}

/* ---- faults and threads --------------------------------------------------------------------- */

/* A store that cannot write harms nobody as long as what it has would do after a restart. */
static void test_store_that_is_away(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    enum token_inactive why;
    enum rc rc;

    assert_int_equal(use_at(fixture, &bound, 10 * MINUTE_S), RC_OK);
    /* The engine reads its schema before the first row, by the function that fails from here on. */
    assert_int_equal(saved_active_at(fixture, &bound), 10 * MINUTE_S);
    atomic_store(&is_store_away, true);
    for (int64_t at = 12 * MINUTE_S; at < 10 * MINUTE_S + IDLE_S; at += 2 * MINUTE_S)
        assert_int_equal(use_at(fixture, &bound, at), RC_OK);
    assert_int_equal(use_at(fixture, &bound, 10 * MINUTE_S + IDLE_S - 1), RC_OK);
    rc = use_at(fixture, &bound, 10 * MINUTE_S + IDLE_S);
    assert_int_not_equal(rc, RC_OK);
    assert_true(rc_is_fault(rc));
    /* Idle or not, the store alone can say. */
    rc = fixture_find_at(fixture, &bound.presented, bound.begun_at + 3 * IDLE_S, true, &why);
    assert_true(rc_is_fault(rc));
    atomic_store(&is_store_away, false);
    assert_int_equal(saved_active_at(fixture, &bound), 10 * MINUTE_S);
    /* The use that failed did not count; those before it did. */
    assert_refused(fixture, &bound, bound.presented, 10 * MINUTE_S + 2 * IDLE_S - 1,
                   TOKEN_SESSION_IDLE);
    assert_int_equal(use_at(fixture, &bound, 10 * MINUTE_S + 2 * IDLE_S - 2), RC_OK);
    assert_int_equal(saved_active_at(fixture, &bound), 10 * MINUTE_S + 2 * IDLE_S - 2);
}

enum { THREAD_COUNT = 4, USE_COUNT = 2000 };

struct crowd {
    struct room_fixture *fixture;
    const struct bound *bound;
    _Atomic int64_t at;
    _Atomic unsigned refused_count;
};

static void *use_again_and_again(void *context)
{
    struct crowd *crowd = context;

    for (int i = 0; i < USE_COUNT; i++)
        if (use_at(crowd->fixture, crowd->bound, atomic_fetch_add(&crowd->at, 1)) != RC_OK)
            atomic_fetch_add(&crowd->refused_count, 1);
    return NULL;
}

static void test_threads_that_slide_at_once(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    struct crowd crowd = { .fixture = fixture, .bound = &bound };
    int64_t last_at = (int64_t)THREAD_COUNT * USE_COUNT - 1;
    pthread_t threads[THREAD_COUNT];
    struct live_grant *grant;
    struct store_counts before;
    struct store_counts after;

    store_counts(fixture->store, &before);
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_again_and_again, &crowd), 0);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
    store_counts(fixture->store, &after);
    assert_int_equal(crowd.refused_count, 0);
    assert_int_equal(grant_find(token_room_grants(fixture->room), bound.grant_id, false, &grant),
                     RC_OK);
    assert_int_equal(atomic_load(&grant->session->last_active_at), bound.begun_at + last_at);
    assert_int_equal(atomic_load(&grant->session->saved_at) - bound.begun_at,
                     saved_active_at(fixture, &bound));
    assert_in_range(last_at - saved_active_at(fixture, &bound), 0, MINUTE_S - 1);
    assert_in_range(after.units - before.units, 1, (uintmax_t)last_at / MINUTE_S + 1);
    grant_put(token_room_grants(fixture->room), grant);
}

struct troop {
    struct room_fixture *fixture;
    const struct bound *bound;
    pthread_barrier_t barrier;
    _Atomic unsigned refused_count;
};

enum { STEP_COUNT = 100 };

/* All threads at the same moment, when a save is due. */
static void *use_in_step(void *context)
{
    struct troop *troop = context;

    for (int step = 1; step <= STEP_COUNT; step++) {
        pthread_barrier_wait(&troop->barrier);
        if (use_at(troop->fixture, troop->bound, (int64_t)step * MINUTE_S) != RC_OK)
            atomic_fetch_add(&troop->refused_count, 1);
    }
    return NULL;
}

static void test_one_thread_saves_for_all(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin_standard(fixture);
    struct troop troop = { .fixture = fixture, .bound = &bound };
    pthread_t threads[THREAD_COUNT];
    struct store_counts before;
    struct store_counts after;

    assert_int_equal(pthread_barrier_init(&troop.barrier, NULL, THREAD_COUNT), 0);
    store_counts(fixture->store, &before);
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_in_step, &troop), 0);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
    store_counts(fixture->store, &after);
    pthread_barrier_destroy(&troop.barrier);
    assert_int_equal(troop.refused_count, 0);
    assert_int_equal(after.units - before.units, STEP_COUNT);
}

/* Saves that fail and saves that succeed cross each other: what memory believes to be saved is
 * never more than what is. */
static void test_threads_whose_saves_fail_now_and_then(void **state)
{
    struct room_fixture *fixture = *state;
    struct bound bound = begin(fixture, 0, 86400, 0);
    struct crowd crowd = { .fixture = fixture, .bound = &bound };
    pthread_t threads[THREAD_COUNT];
    struct live_grant *grant;

    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_again_and_again, &crowd), 0);
    while (atomic_load(&crowd.at) < (int64_t)THREAD_COUNT * USE_COUNT - 500)
        atomic_store(&is_store_away, atomic_load(&crowd.at) / 100 % 2 == 1);
    atomic_store(&is_store_away, true);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&is_store_away, false);
    assert_int_equal(crowd.refused_count, 0);
    assert_int_equal(grant_find(token_room_grants(fixture->room), bound.grant_id, false, &grant),
                     RC_OK);
    assert_true(atomic_load(&grant->session->saved_at) - bound.begun_at <=
                saved_active_at(fixture, &bound));
    grant_put(token_room_grants(fixture->room), grant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(test_store_that_is_away),
        SESSION_TEST(test_threads_that_slide_at_once),
        SESSION_TEST(test_one_thread_saves_for_all),
        SESSION_TEST(test_threads_whose_saves_fail_now_and_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
