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
#include "store/shared.h"

enum {
    IDLE_INTERVAL_MS = 1000, /* the sweep of a store that nobody writes to */
    IDLE_PRODUCTIVE_MS = 20, /* the same while there is much to sweep      */
    IDLE_PAGE_COUNT = 2 * SWEEP_TABLE_COUNT,
    SHARED_PAGE_COUNT = 4, /* each is a way off, and somebody may be about to write */
    AWAY_MS_MIN = 50,      /* between tries to reach it again */
    AWAY_MS_MAX = 250
};

static void wait_for_generation(struct batch *batch, uint32_t joined)
{
    while (atomic_load_explicit(&batch->generation, memory_order_acquire) == joined)
        syscall(SYS_futex, &batch->generation, FUTEX_WAIT_PRIVATE, joined, NULL, NULL, 0);
}

/*
 * Whether there is any use in asking a shared store: it answered a moment ago. Nobody waits for one
 * that is away; the idle turn looks for it. One that is this process's own is always asked, for a
 * full disk shows only then that it has room again.
 */
static bool is_there(const struct store *store)
{
    return !store->has_feed ||
           (atomic_load(&store->health) == HEALTH_GOOD && store_is_trusted(store));
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
    struct waiting waiting = { .unit = unit,
                               .since_ns = store->driver->is_shared ? patience_from_ns() : 0,
                               .answer = RC_UNAVAILABLE };
    struct batch *batch;
    uint32_t joined;
    bool is_idle;

    if (unit->step_count == 0)
        return RC_OK;
    if (store->writer == NULL || atomic_load(&store->health) == HEALTH_STOPPED || !is_there(store))
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
    if (store->driver->is_shared)
        patience_end(waiting.since_ns);
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

/* Whether it can be written; and on a shared store whose turn it is to sweep. */
static enum rc probe(struct store *store, bool is_away)
{
    uint64_t row_count;

    if (store->has_feed)
        return sweep_claim(store);
    return is_away
               ? store->driver->run(store->writer, STATEMENT_PROBE_WRITE, NULL, 0, &row_count, NULL)
               : RC_OK;
}

static void end_idle_turn(struct store *store, enum rc rc)
{
    if (rc != RC_OK) {
        if (store->has_feed)
            store_note_error(store, store->driver->last_error(store->writer));
        store->driver->rollback(store->writer);
    }
    sweep_settle(store, rc == RC_OK);
    atomic_store(&store->health, (int)store->driver->health(store->writer));
}

/* A store that nobody writes to is swept all the same, and asked whether it can be written again.
 */
static bool work_idly(struct store *store, bool is_queue_empty)
{
    const struct driver *driver = store->driver;
    bool is_away = driver->health(store->writer) == HEALTH_AWAY;
    int64_t deadline_ns =
        store->has_feed ? clock_monotonic_ns() + STORE_ANSWER_MS * INT64_C(1000000) : 0;
    unsigned page_count = store->has_feed && !is_queue_empty ? SHARED_PAGE_COUNT : IDLE_PAGE_COUNT;
    bool is_productive = false;
    unsigned page;
    enum rc rc = driver->begin(store->writer, GATE_BESIDE, deadline_ns);

    if (rc == RC_OK)
        rc = probe(store, is_away);
    for (page = 0; rc == RC_OK && !is_productive && page < page_count; page++) {
        store->sweep.next_ms = 0;
        rc = sweep_some(store, 0, &is_productive);
    }
    if (rc == RC_OK)
        rc = driver->commit(store->writer, NULL, 0);
    end_idle_turn(store, rc);
    return rc == RC_OK && is_productive;
}

/* A shared store is asked for the sweep in time, however much there is to write; and again and
 * again while it is away. */
static bool is_idle_turn_due(const struct store *store, bool is_queue_empty, bool was_productive)
{
    /* Nobody waits behind the search for a store that is away. */
    if (!store->has_feed || !is_there(store))
        return is_queue_empty;
    return clock_monotonic_ms() >= store->sweep.claim_at_ms || (is_queue_empty && was_productive);
}

static int64_t idle_wait_ms(const struct store *store, bool was_productive)
{
    if (was_productive)
        return IDLE_PRODUCTIVE_MS;
    return is_there(store) ? IDLE_INTERVAL_MS : store_jitter_ms(AWAY_MS_MIN, AWAY_MS_MAX);
}

void *writer_main(void *context)
{
    struct store *store = context;
    bool was_productive = false;
    bool is_closing = false;

    while (!is_closing) {
        struct batch *batch =
            take_batch(&store->queue, idle_wait_ms(store, was_productive), &is_closing);

        if (batch != NULL) {
            is_closing = false; /* first what is queued */
            /* Who waits hears that the store is away, unless something else is said. */
            if (is_there(store))
                batch_run(store, batch);
            give_back_batch(store, batch);
        }
        if (!is_closing && is_idle_turn_due(store, batch == NULL, was_productive))
            was_productive = work_idly(store, batch == NULL);
        else
            was_productive = false;
        store->driver->upkeep(store->writer);
    }
    return NULL;
}
