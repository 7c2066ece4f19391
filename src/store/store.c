#include <signal.h>
#include <stdlib.h>

#include "store/room.h"

static void init_locks(struct store *store)
{
    pthread_condattr_t monotonic;
    unsigned index;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->queue.lock, NULL);
    pthread_cond_init(&store->queue.filled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&store->readers.lock, NULL);
    pthread_cond_init(&store->readers.returned, NULL);
    for (index = 0; index < SEQUENCE_COUNT; index++)
        pthread_mutex_init(&store->ids[index].lock, NULL);
}

static void free_store(struct store *store)
{
    unsigned index;

    pthread_mutex_destroy(&store->queue.lock);
    pthread_cond_destroy(&store->queue.filled);
    pthread_mutex_destroy(&store->readers.lock);
    pthread_cond_destroy(&store->readers.returned);
    for (index = 0; index < SEQUENCE_COUNT; index++)
        pthread_mutex_destroy(&store->ids[index].lock);
    free(store->data_dir);
    free(store);
}

static struct store *new_store(const struct store_config *config)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return NULL;
    store->data_dir =
        strndup(config->data_dir.len > 0 ? config->data_dir.at : "", config->data_dir.len);
    if (store->data_dir == NULL) {
        free(store);
        return NULL;
    }
    store->driver = &driver_sqlite;
    store->config = *config;
    store->config.data_dir = str_of(store->data_dir);
    store->readers.max_count = config->reader_count == 0 ? READER_COUNT : config->reader_count;
    if (store->readers.max_count > READER_COUNT_MAX)
        store->readers.max_count = READER_COUNT_MAX;
    init_locks(store);
    return store;
}

/* The writer's thread takes no signals: they belong to the thread that waits for them. */
static enum rc start_writer(struct store *store, struct buffer *out_error)
{
    sigset_t all;
    sigset_t before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(&store->writer_thread, NULL, writer_main, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        buffer_append_format(out_error, "cannot start a thread: %s", strerror(error));
        return RC_SYSTEM;
    }
    pthread_setname_np(store->writer_thread, "store-writer");
    return RC_OK;
}

static enum rc open_writer(struct store *store, struct buffer *out_error)
{
    const struct driver *driver = store->driver;
    enum rc rc = driver->open(&store->config, SESSION_WRITER, &store->writer, out_error);

    if (rc != RC_OK)
        return rc;
    rc = schema_migrate(driver, store->writer, out_error);
    if (rc == RC_OK)
        rc = start_writer(store, out_error);
    if (rc != RC_OK) {
        driver->close(store->writer);
        store->writer = NULL;
    }
    return rc;
}

static enum rc open_for_reading(struct store *store, struct buffer *out_error)
{
    struct driver_session *session;
    enum rc rc = store->driver->open(&store->config, SESSION_READER, &session, out_error);

    if (rc != RC_OK)
        return rc;
    rc = schema_check(store->driver, session, out_error);
    store->readers.open_count = 1;
    reader_return(store, session);
    return rc;
}

enum rc store_open(const struct store_config *config, struct store **out_store,
                   struct buffer *out_error)
{
    struct store *store = new_store(config);
    enum rc rc;

    if (store == NULL) {
        buffer_append_format(out_error, "no memory");
        return RC_SYSTEM;
    }
    rc = config->is_read_only ? open_for_reading(store, out_error) : open_writer(store, out_error);
    if (rc != RC_OK) {
        readers_close(store);
        free_store(store);
        return rc;
    }
    *out_store = store;
    return RC_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->writer != NULL) {
        pthread_mutex_lock(&store->queue.lock);
        store->queue.is_closing = true;
        pthread_mutex_unlock(&store->queue.lock);
        pthread_cond_signal(&store->queue.filled);
        pthread_join(store->writer_thread, NULL);
    }
    /* Readers first: the last one out, the writer, puts the log back into the database. */
    readers_close(store);
    store->driver->close(store->writer);
    free_store(store);
}

bool store_is_writable(const struct store *store)
{
    return store->writer != NULL && atomic_load(&store->health) == HEALTH_GOOD;
}

void store_listen(struct store *store,
                  void (*on_change)(void *context, const struct store_change *), void *context)
{
    ASSERT(store->listener_count < LISTENER_COUNT_MAX);
    store->listeners[store->listener_count++] =
        (struct listener){ .on_change = on_change, .context = context };
}

void store_counts(const struct store *store, struct store_counts *out_counts)
{
    const struct store_meters *meters = &store->meters;

    *out_counts = (struct store_counts){
        .commits = atomic_load_explicit(&meters->commits, memory_order_relaxed),
        .units = atomic_load_explicit(&meters->units, memory_order_relaxed),
        .unit_refusals = atomic_load_explicit(&meters->unit_refusals, memory_order_relaxed),
        .faults = atomic_load_explicit(&meters->faults, memory_order_relaxed),
        .swept_rows = atomic_load_explicit(&meters->swept_rows, memory_order_relaxed),
        .queue_depth = atomic_load_explicit(&meters->queue_depth, memory_order_relaxed),
        .commit_ns = atomic_load_explicit(&meters->commit_ns, memory_order_relaxed),
    };
}
