/* The bounded queue and its threads, without a server. */
#include "harness.h"

#include <sys/resource.h>

#include "http/lane.h"

enum { CAPACITY = 8 };

static struct handler gate;
static atomic_uint ran;
static atomic_int seen_nice;

static void wait_at_gate(void *job)
{
    atomic_store(&seen_nice, getpriority(PRIO_PROCESS, (id_t)gettid()));
    handler_wait_at_gate(&gate);
    if (job != NULL)
        atomic_fetch_add(&ran, 1);
}

static void run_at_once(void *job)
{
    if (job != NULL)
        atomic_fetch_add(&ran, 1);
}

static int set_up(void **state)
{
    (void)state;
    gate = (struct handler){ .gate_is_open = false };
    pthread_mutex_init(&gate.mutex, NULL);
    pthread_cond_init(&gate.has_changed, NULL);
    atomic_store(&ran, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pthread_cond_destroy(&gate.has_changed);
    pthread_mutex_destroy(&gate.mutex);
    return 0;
}

static void test_queue_is_bounded(void **state)
{
    const struct lane_options options = {
        .name = "test", .capacity = CAPACITY, .thread_count = 2, .nice = 10, .run = wait_at_gate
    };
    struct worker_lane *lane;
    int job;

    (void)state;
    assert_int_equal(lane_open(&options, &lane), RC_OK);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(lane_push(lane, &job), RC_OK);
        handler_await(&gate, &gate.waiting, i);
    }
    assert_int_equal(atomic_load(&seen_nice), 10);
    for (size_t i = 0; i < CAPACITY; i++) {
        assert_int_equal(lane_push(lane, &job), RC_OK);
        assert_int_equal(lane_depth(lane), i + 1);
    }
    assert_int_equal(lane_push(lane, &job), RC_BUSY);
    handler_open_gate(&gate);
    AWAIT(atomic_load(&ran) == 2 + CAPACITY);
    assert_int_equal(lane_push(lane, &job), RC_OK);
    AWAIT(atomic_load(&ran) == 3 + CAPACITY);
    lane_stop(lane);
    assert_int_equal(lane_push(lane, &job), RC_BUSY);
    assert_null(lane_take_back(lane));
    lane_close(lane);
}

/* Jobs that did not run come back, in order. */
static void test_stop_leaves_jobs(void **state)
{
    const struct lane_options options = {
        .name = "test", .capacity = CAPACITY, .thread_count = 1, .run = wait_at_gate
    };
    struct worker_lane *lane;
    int jobs[3];

    (void)state;
    assert_int_equal(lane_open(&options, &lane), RC_OK);
    assert_int_equal(lane_push(lane, &jobs[0]), RC_OK);
    handler_await(&gate, &gate.waiting, 1);
    assert_int_equal(lane_push(lane, &jobs[1]), RC_OK);
    assert_int_equal(lane_push(lane, &jobs[2]), RC_OK);
    handler_open_gate(&gate);
    lane_stop(lane);
    /* How many ran before the stop was seen is open; none is lost and none runs afterwards. */
    for (unsigned i = atomic_load(&ran); i < 3; i++)
        assert_ptr_equal(lane_take_back(lane), &jobs[i]);
    assert_null(lane_take_back(lane));
    lane_close(lane);
}

static atomic_uint refused;

static void count_refused(void *job)
{
    if (job != NULL)
        atomic_fetch_add(&refused, 1);
}

/* What waited longer than the budget is refused at its turn, as long as more waits behind it. */
static void test_budget(void **state)
{
    const struct lane_options options = { .name = "test",
                                          .capacity = CAPACITY,
                                          .thread_count = 1,
                                          .budget_ms = 20,
                                          .run = wait_at_gate,
                                          .refuse = count_refused };
    int64_t pushed_ms;
    struct worker_lane *lane;
    int job;

    (void)state;
    atomic_store(&refused, 0);
    assert_int_equal(lane_open(&options, &lane), RC_OK);
    assert_int_equal(lane_push(lane, &job), RC_OK);
    handler_await(&gate, &gate.waiting, 1);
    for (unsigned i = 0; i < CAPACITY; i++)
        assert_int_equal(lane_push(lane, &job), RC_OK);
    pushed_ms = clock_monotonic_ms();
    AWAIT(clock_monotonic_ms() - pushed_ms > 21);
    handler_open_gate(&gate);
    AWAIT(atomic_load(&ran) + atomic_load(&refused) == CAPACITY + 1);
    assert_int_equal(atomic_load(&refused), CAPACITY - 1);
    assert_int_equal(lane_push(lane, &job), RC_OK);
    AWAIT(atomic_load(&ran) == 3);
    lane_stop(lane);
    lane_close(lane);
}

/* A crowd that one job makes cheap is served whole: the queue is not cut by a guess. */
static void test_crowd_behind_one_slow_job_is_served(void **state)
{
    enum { CROWD = 200 };
    const struct lane_options options = { .name = "test",
                                          .capacity = 256,
                                          .thread_count = 1,
                                          .budget_ms = 10000,
                                          .run = wait_at_gate,
                                          .refuse = count_refused };
    struct worker_lane *lane;
    int job;

    (void)state;
    atomic_store(&refused, 0);
    assert_int_equal(lane_open(&options, &lane), RC_OK);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(lane_push(lane, &job), RC_OK);
    handler_open_gate(&gate);
    AWAIT(atomic_load(&ran) == CROWD);
    assert_int_equal(atomic_load(&refused), 0);
    lane_stop(lane);
    lane_close(lane);
}

static void *push_many(void *context)
{
    struct worker_lane *lane = context;
    int job;

    for (int i = 0; i < 20000; i++)
        while (lane_push(lane, &job) != RC_OK)
            sched_yield();
    return NULL;
}

/* No wake-up is lost, however pushes and sleeps meet. */
static void test_every_job_runs(void **state)
{
    const struct lane_options options = {
        .name = "test", .capacity = CAPACITY, .thread_count = 3, .run = run_at_once
    };
    struct worker_lane *lane;
    pthread_t threads[3];

    (void)state;
    assert_int_equal(lane_open(&options, &lane), RC_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, lane), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    AWAIT(atomic_load(&ran) == 60000);
    lane_stop(lane);
    lane_close(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_queue_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_leaves_jobs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crowd_behind_one_slow_job_is_served, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_every_job_runs, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
