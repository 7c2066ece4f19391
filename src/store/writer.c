/*
 * The writer: takes whatever has queued up while the last commit ran, and commits it together.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/room.h"

enum {
    IDLE_INTERVAL_MS = 1000, /* the sweep of a store that nobody writes to */
    IDLE_PRODUCTIVE_MS = 20, /* the same while there is much to sweep      */
    IDLE_PAGE_COUNT = 2 * SWEEP_TABLE_COUNT
};

static void wait_for_generation(struct batch *batch, uint32_t joined)
{
    while (atomic_load_explicit(&batch->generation, memory_order_acquire) == joined)
        syscall(SYS_futex, &batch->generation, FUTEX_WAIT_PRIVATE, joined, NULL, NULL, 0);
}

/* Joins the batch that is being filled; the lock is held. NULL: the queue is full. */
static struct batch *join_batch(struct queue *queue, struct waiting *waiting)
{
    struct batch *batch = &queue->batches[queue->tail % QUEUE_BATCH_COUNT];

    if (batch->count == STORE_BATCH_COUNT_MAX) {
        if (queue->tail + 1 - queue->head == QUEUE_BATCH_COUNT)
            return NULL;
        queue->tail++;
        batch = &queue->batches[queue->tail % QUEUE_BATCH_COUNT];
    }
    batch->waiting[batch->count++] = waiting;
    return batch;
}

enum rc store_commit(struct store *store, struct store_unit *unit)
{
    struct queue *queue = &store->queue;
    struct waiting waiting = { .unit = unit, .answer = RC_UNAVAILABLE };
    struct batch *batch;
    uint32_t joined;
    bool is_idle;

    if (unit->step_count == 0)
        return RC_OK;
    if (store->writer == NULL || atomic_load(&store->health) == HEALTH_STOPPED)
        return RC_UNAVAILABLE;
    pthread_mutex_lock(&queue->lock);
    if (queue->is_closing) {
        pthread_mutex_unlock(&queue->lock);
        return RC_UNAVAILABLE;
    }
    batch = join_batch(queue, &waiting);
    if (batch == NULL) {
        pthread_mutex_unlock(&queue->lock);
        return RC_BUSY;
    }
    joined = atomic_load_explicit(&batch->generation, memory_order_relaxed);
    is_idle = queue->is_writer_idle;
    queue->is_writer_idle = false;
    atomic_fetch_add_explicit(&store->meters.queue_depth, 1, memory_order_relaxed);
    pthread_mutex_unlock(&queue->lock);
    if (is_idle)
        pthread_cond_signal(&queue->filled);
    wait_for_generation(batch, joined);
    return waiting.answer;
}

static struct timespec monotonic_in(int64_t milliseconds)
{
    int64_t at_ns = clock_monotonic_ns() + milliseconds * 1000000;

    return (struct timespec){ .tv_sec = (time_t)(at_ns / 1000000000),
                              .tv_nsec = (long)(at_ns % 1000000000) };
}

/*
 * Takes the oldest batch, waiting for one at most so long; NULL when there is none. Units that
 * come from now on join another.
 */
static struct batch *take_batch(struct queue *queue, int64_t wait_ms, bool *out_is_closing)
{
    struct timespec deadline = monotonic_in(wait_ms);
    struct batch *batch = NULL;
    int error = 0;

    pthread_mutex_lock(&queue->lock);
    while (queue->batches[queue->head % QUEUE_BATCH_COUNT].count == 0 && !queue->is_closing &&
           error == 0) {
        queue->is_writer_idle = true;
        error = pthread_cond_timedwait(&queue->filled, &queue->lock, &deadline);
    }
    queue->is_writer_idle = false;
    if (queue->batches[queue->head % QUEUE_BATCH_COUNT].count > 0) {
        batch = &queue->batches[queue->head % QUEUE_BATCH_COUNT];
        if (queue->tail == queue->head)
            queue->tail++;
    }
    *out_is_closing = queue->is_closing;
    pthread_mutex_unlock(&queue->lock);
    return batch;
}

static void give_back_batch(struct store *store, struct batch *batch)
{
    struct queue *queue = &store->queue;

    atomic_fetch_sub_explicit(&store->meters.queue_depth, batch->count, memory_order_relaxed);
    pthread_mutex_lock(&queue->lock);
    batch->count = 0;
    queue->head++;
    /* Under the lock: who joins this batch for its next turn must remember the new one. */
    atomic_fetch_add_explicit(&batch->generation, 1, memory_order_release);
    pthread_mutex_unlock(&queue->lock);
    syscall(SYS_futex, &batch->generation, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* A store that nobody writes to is swept all the same, and asked whether it can be written again.
 */
static bool work_idly(struct store *store)
{
    const struct driver *driver = store->driver;
    bool is_away = driver->health(store->writer) == HEALTH_AWAY;
    bool is_productive = false;
    unsigned page;
    uint64_t row_count;
    enum rc rc = driver->begin(store->writer);

    if (rc == RC_OK && is_away)
        rc = driver->run(store->writer, STATEMENT_PROBE_WRITE, NULL, 0, &row_count, NULL);
    for (page = 0; rc == RC_OK && !is_productive && page < IDLE_PAGE_COUNT; page++) {
        store->sweep.next_ms = 0;
        rc = sweep_some(store, 0, &is_productive);
    }
    if (rc == RC_OK)
        rc = driver->commit(store->writer);
    if (rc != RC_OK)
        driver->rollback(store->writer);
    sweep_settle(store, rc == RC_OK);
    atomic_store(&store->health, (int)driver->health(store->writer));
    return rc == RC_OK && is_productive;
}

void *writer_main(void *context)
{
    struct store *store = context;
    int64_t wait_ms = IDLE_INTERVAL_MS;
    bool is_closing = false;

    while (!is_closing) {
        struct batch *batch = take_batch(&store->queue, wait_ms, &is_closing);

        wait_ms = IDLE_INTERVAL_MS;
        if (batch != NULL) {
            is_closing = false; /* first what is queued */
            batch_run(store, batch);
            give_back_batch(store, batch);
        } else if (!is_closing && work_idly(store)) {
            wait_ms = IDLE_PRODUCTIVE_MS;
        }
        store->driver->upkeep(store->writer);
    }
    return NULL;
}
