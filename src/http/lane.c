#include "http/lane.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

enum { STACK_BYTES = 1024 * 1024 };

struct entry {
    void *job;
    int64_t pushed_ns; /* 0 in a lane without a budget */
    bool is_crowded;   /* when it was taken, as many as there are threads waited behind it */
};

struct worker_lane {
    struct lane_options options;
    pthread_mutex_t mutex;
    pthread_cond_t has_job;
    struct entry *entries; /* a ring of options.capacity */
    size_t first;
    size_t count;
    unsigned sleeping_count;
    bool is_waking; /* a thread was signalled and does not run yet */
    bool is_stopping;
    pthread_t *threads;
    unsigned thread_count; /* started */
};

static struct entry pop(struct worker_lane *lane)
{
    struct entry entry = lane->entries[lane->first];

    lane->first = lane->first + 1 == lane->options.capacity ? 0 : lane->first + 1;
    lane->count--;
    return entry;
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

/* With the mutex held. No job when the lane stops. */
static struct entry wait_for_entry(struct worker_lane *lane)
{
    struct entry entry;

    while (lane->count == 0 && !lane->is_stopping) {
        lane->sleeping_count++;
        pthread_cond_wait(&lane->has_job, &lane->mutex);
        lane->sleeping_count--;
        lane->is_waking = false;
    }
    if (lane->is_stopping)
        return (struct entry){ NULL, 0, false };
    entry = pop(lane);
    entry.is_crowded = lane->count >= lane->options.thread_count;
    wake_one(lane);
    return entry;
}

static int64_t now_if_budgeted(const struct worker_lane *lane)
{
    return lane->options.budget_ms > 0 ? clock_monotonic_ns() : 0;
}

static void take_turn(const struct worker_lane *lane, struct entry entry)
{
    int64_t budget_ns = (int64_t)lane->options.budget_ms * 1000000;

    clock_begin_turn();
    if (entry.is_crowded && now_if_budgeted(lane) - entry.pushed_ns > budget_ns)
        lane->options.refuse(entry.job);
    else
        lane->options.run(entry.job);
    clock_end_turn();
}

static void *thread_main(void *context)
{
    struct worker_lane *lane = context;
    struct entry entry;

    if (lane->options.nice != 0)
        setpriority(PRIO_PROCESS, (id_t)gettid(), lane->options.nice);
    pthread_mutex_lock(&lane->mutex);
    while ((entry = wait_for_entry(lane)).job != NULL) {
        pthread_mutex_unlock(&lane->mutex);
        take_turn(lane, entry);
        pthread_mutex_lock(&lane->mutex);
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
    ASSERT(options->budget_ms == 0 || options->refuse != NULL);
    lane->options = *options;
    lane->entries = calloc(options->capacity, sizeof(*lane->entries));
    lane->threads = calloc(options->thread_count, sizeof(*lane->threads));
    ASSERT(lane->entries != NULL && lane->threads != NULL);
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

enum rc lane_push(struct worker_lane *lane, void *job)
{
    struct entry entry = { job, now_if_budgeted(lane), false };
    size_t last;

    pthread_mutex_lock(&lane->mutex);
    if (lane->is_stopping || lane->count == lane->options.capacity) {
        pthread_mutex_unlock(&lane->mutex);
        return RC_BUSY;
    }
    last = lane->first + lane->count;
    lane->entries[last < lane->options.capacity ? last : last - lane->options.capacity] = entry;
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
    return lane->count > 0 ? pop(lane).job : NULL;
}

void lane_close(struct worker_lane *lane)
{
    if (lane == NULL)
        return;
    pthread_cond_destroy(&lane->has_job);
    pthread_mutex_destroy(&lane->mutex);
    free(lane->threads);
    free(lane->entries);
    free(lane);
}
