#include "http/lane.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    STACK_BYTES = 1024 * 1024,
    /* A first guess, about an Argon2id hash of 19 MiB; the measured times soon replace it. */
    FIRST_SERVICE_NS = 20 * 1000 * 1000,
    AVERAGE_SHIFT = 3 /* a new time counts one eighth */
};

struct worker_lane {
    struct lane_options options;
    pthread_mutex_t mutex;
    pthread_cond_t has_job;
    void **jobs; /* a ring of options.capacity */
    size_t first;
    size_t count;
    unsigned sleeping_count;
    bool is_waking;     /* a thread was signalled and does not run yet */
    int64_t service_ns; /* moving average */
    bool is_stopping;
    pthread_t *threads;
    unsigned thread_count; /* started */
};

static void *pop(struct worker_lane *lane)
{
    void *job = lane->jobs[lane->first];

    lane->first = lane->first + 1 == lane->options.capacity ? 0 : lane->first + 1;
    lane->count--;
    return job;
}

/*
 * With the mutex held. One thread is woken at a time, and each that takes a job wakes the next one
 * if there is more: short jobs are run by few threads with few switches, and jobs that block still
 * find a thread each.
 */
static void wake_one(struct worker_lane *lane)
{
    if (lane->count == 0 || lane->sleeping_count == 0 || lane->is_waking)
        return;
    lane->is_waking = true;
    pthread_cond_signal(&lane->has_job);
}

/* With the mutex held. NULL when the lane stops. */
static void *wait_for_job(struct worker_lane *lane)
{
    void *job;

    while (lane->count == 0 && !lane->is_stopping) {
        lane->sleeping_count++;
        pthread_cond_wait(&lane->has_job, &lane->mutex);
        lane->sleeping_count--;
        lane->is_waking = false;
    }
    if (lane->is_stopping)
        return NULL;
    job = pop(lane);
    wake_one(lane);
    return job;
}

static void *thread_main(void *context)
{
    struct worker_lane *lane = context;
    bool is_timed = lane->options.budget_ms > 0;
    void *job;

    if (lane->options.nice != 0)
        setpriority(PRIO_PROCESS, (id_t)gettid(), lane->options.nice);
    pthread_mutex_lock(&lane->mutex);
    for (job = wait_for_job(lane); job != NULL; job = wait_for_job(lane)) {
        int64_t started_ns;

        pthread_mutex_unlock(&lane->mutex);
        started_ns = is_timed ? clock_monotonic_ns() : 0;
        lane->options.run(job);
        if (is_timed)
            started_ns = clock_monotonic_ns() - started_ns;
        pthread_mutex_lock(&lane->mutex);
        lane->service_ns += is_timed ? (started_ns - lane->service_ns) >> AVERAGE_SHIFT : 0;
    }
    pthread_mutex_unlock(&lane->mutex);
    return NULL;
}

static enum rc start_thread(struct worker_lane *lane)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int failed;

    if (pthread_attr_init(&attributes) != 0)
        return RC_SYSTEM;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* Signals are for the thread that called http_server_run. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&lane->threads[lane->thread_count], &attributes, thread_main, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed != 0)
        return RC_SYSTEM;
    pthread_setname_np(lane->threads[lane->thread_count], lane->options.name);
    lane->thread_count++;
    return RC_OK;
}

enum rc lane_open(const struct lane_options *options, struct worker_lane **out_lane)
{
    struct worker_lane *lane = calloc(1, sizeof(*lane));

    ASSERT(lane != NULL && options->capacity > 0 && options->thread_count > 0);
    lane->options = *options;
    lane->jobs = calloc(options->capacity, sizeof(*lane->jobs));
    lane->threads = calloc(options->thread_count, sizeof(*lane->threads));
    ASSERT(lane->jobs != NULL && lane->threads != NULL);
    lane->service_ns = FIRST_SERVICE_NS;
    pthread_mutex_init(&lane->mutex, NULL);
    pthread_cond_init(&lane->has_job, NULL);
    for (unsigned i = 0; i < options->thread_count; i++) {
        if (start_thread(lane) != RC_OK) {
            lane_stop(lane);
            lane_close(lane);
            return RC_SYSTEM;
        }
    }
    *out_lane = lane;
    return RC_OK;
}

/* With the mutex held. */
static bool is_full(const struct worker_lane *lane)
{
    int64_t wait_ns = (int64_t)lane->count * lane->service_ns / lane->options.thread_count;

    if (lane->is_stopping || lane->count == lane->options.capacity)
        return true;
    return lane->options.budget_ms > 0 && wait_ns > (int64_t)lane->options.budget_ms * 1000000;
}

enum rc lane_push(struct worker_lane *lane, void *job)
{
    size_t last;

    pthread_mutex_lock(&lane->mutex);
    if (is_full(lane)) {
        pthread_mutex_unlock(&lane->mutex);
        return RC_BUSY;
    }
    last = lane->first + lane->count;
    lane->jobs[last < lane->options.capacity ? last : last - lane->options.capacity] = job;
    lane->count++;
    wake_one(lane);
    pthread_mutex_unlock(&lane->mutex);
    return RC_OK;
}

size_t lane_depth(struct worker_lane *lane)
{
    size_t depth;

    pthread_mutex_lock(&lane->mutex);
    depth = lane->count;
    pthread_mutex_unlock(&lane->mutex);
    return depth;
}

void lane_stop(struct worker_lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    lane->is_stopping = true;
    pthread_cond_broadcast(&lane->has_job);
    pthread_mutex_unlock(&lane->mutex);
    for (unsigned i = 0; i < lane->thread_count; i++)
        pthread_join(lane->threads[i], NULL);
    lane->thread_count = 0;
}

void *lane_take_back(struct worker_lane *lane)
{
    return lane->count > 0 ? pop(lane) : NULL;
}

void lane_close(struct worker_lane *lane)
{
    if (lane == NULL)
        return;
    pthread_cond_destroy(&lane->has_job);
    pthread_mutex_destroy(&lane->mutex);
    free(lane->threads);
    free(lane->jobs);
    free(lane);
}
