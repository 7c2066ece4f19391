#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#include "store/room.h"
#include "store/shared.h"

static void init_locks(struct store *store)
{
    pthread_condattr_t monotonic;
    unsigned index;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->queue.lock, NULL);
    pthread_cond_init(&store->queue.filled, &monotonic);
    pthread_mutex_init(&store->readers.lock, NULL);
    pthread_cond_init(&store->readers.returned, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&store->listener_lock, NULL);
    pthread_mutex_init(&store->error_lock, NULL);
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
    pthread_mutex_destroy(&store->listener_lock);
    pthread_mutex_destroy(&store->error_lock);
    for (index = 0; index < SEQUENCE_COUNT; index++)
        pthread_mutex_destroy(&store->ids[index].lock);
    free(store->batch_memory);
    if (store->database != NULL)
        explicit_bzero(store->database, strlen(store->database)); /* with its password */
    free(store->database);
    free(store->data_dir);
    free(store);
}

static char *copy_str(struct str text)
{
    return strndup(text.len > 0 ? text.at : "", text.len);
}

static struct store *new_store(const struct store_config *config)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return NULL;
    init_locks(store);
    store->data_dir = copy_str(config->data_dir);
    store->database = copy_str(config->database);
    store->batch_memory = batch_memory_new();
    if (store->data_dir == NULL || store->database == NULL || store->batch_memory == NULL) {
        free_store(store);
        return NULL;
    }
    store->config = *config;
    store->config.data_dir = str_of(store->data_dir);
    store->config.database = str_of(store->database);
    store->readers.max_count = config->reader_count == 0 ? READER_COUNT : config->reader_count;
    if (store->readers.max_count > READER_COUNT_MAX)
        store->readers.max_count = READER_COUNT_MAX;
    return store;
}

/* A number that no other process has. */
static int64_t draw_holder(void)
{
    uint64_t number = 0;

    while (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number) || number == 0)
        continue;
    return (int64_t)(number >> 1);
}

/* Signals belong to the thread that waits for them. */
enum rc store_start_thread(struct store *store, void *(*thread_main)(void *context),
                           const char *name, pthread_t *out_thread, struct buffer *out_error)
{
    sigset_t all;
    sigset_t before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(out_thread, NULL, thread_main, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        buffer_append_format(out_error, "cannot start a thread: %s", strerror(error));
        return RC_SYSTEM;
    }
    pthread_setname_np(*out_thread, name);
    return RC_OK;
}

static enum rc read_restored(struct store *store, struct driver_session *session,
                             struct buffer *out_error)
{
    const struct driver *driver = store->driver;
    bool has_row = false;
    enum rc rc = driver->query(session, STATEMENT_FIND_RESTORED, NULL, 0);

    if (rc == RC_OK)
        rc = driver->next(session, &has_row);
    if (rc == RC_OK && has_row)
        store->restored = (struct store_restored){ driver->column_int(session, 0),
                                                   driver->column_int(session, 1) };
    driver->finish(session);
    if (rc != RC_OK)
        buffer_append_format(out_error, "cannot see whether the store was restored: %s",
                             rc_words(rc));
    return rc;
}

static enum rc open_writer(struct store *store, struct buffer *out_error)
{
    const struct driver *driver = store->driver;
    enum rc rc = driver->open(&store->config, SESSION_WRITER, &store->writer, out_error);

    if (rc != RC_OK)
        return rc;
    rc = schema_migrate(driver, store->writer, out_error);
    if (rc == RC_OK)
        rc = schema_read_version(driver, store->writer, &store->schema_version);
    if (rc == RC_OK)
        rc = move_check_mark(driver, store->writer, out_error);
    if (rc == RC_OK)
        rc = read_restored(store, store->writer, out_error);
    if (rc == RC_OK)
        rc = store_start_thread(store, writer_main, "store-writer", &store->writer_thread,
                                out_error);
    if (rc != RC_OK) {
        driver->close(store->writer);
        store->writer = NULL;
    }
    return rc;
}

static int newest_version(const struct store *store)
{
    return store->driver->schema[store->driver->schema_step_count - 1].version;
}

static enum rc open_for_reading(struct store *store, struct buffer *out_error)
{
    struct driver_session *session;
    enum rc rc = store->driver->open(&store->config, SESSION_READER, &session, out_error);

    if (rc != RC_OK)
        return rc;
    rc = schema_check(store->driver, session, store->config.is_check, out_error);
    if (rc == RC_OK)
        rc = schema_read_version(store->driver, session, &store->schema_version);
    /* Before that version there was none. */
    if (rc == RC_OK && store->schema_version >= newest_version(store))
        rc = move_check_mark(store->driver, session, out_error);
    reader_add(store, session);
    return rc;
}

enum rc store_open(const struct store_config *config, struct store **out_store,
                   struct buffer *out_error)
{
    struct store *store = new_store(config);
    size_t mark = out_error->len;
    enum rc rc;

    if (store == NULL) {
        buffer_append_format(out_error, "no memory");
        return RC_SYSTEM;
    }
    store->holder = draw_holder();
    rc = driver_choose(&store->config, &store->driver, out_error);
    if (rc == RC_OK) {
        store->has_feed = store->driver->is_shared && !config->is_read_only;
        rc = config->is_read_only ? open_for_reading(store, out_error)
                                  : open_writer(store, out_error);
    }
    if (rc == RC_OK)
        rc = feed_start(store, out_error);
    if (rc != RC_OK) {
        if (out_error->len == mark)
            buffer_append_format(out_error, "cannot read from the store: %s", rc_words(rc));
        store_close(store);
        return rc;
    }
    *out_store = store;
    return RC_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    feed_stop(store);
    if (store->writer != NULL) {
        pthread_mutex_lock(&store->queue.lock);
        store->queue.is_closing = true;
        pthread_mutex_unlock(&store->queue.lock);
        pthread_cond_signal(&store->queue.filled);
        pthread_join(store->writer_thread, NULL);
    }
    /* Readers first: the last one out, the writer, puts the log back into the database. */
    readers_close(store);
    if (store->writer != NULL)
        store->driver->close(store->writer);
    free_store(store);
}

void store_view_schema(const struct store *store, struct store_schema_view *out_view)
{
    out_view->version = store->schema_version;
    out_view->known_version = newest_version(store);
}

enum rc store_verify(struct store *store, struct buffer *out_words)
{
    struct driver_session *session;
    enum rc rc;

    if (store->driver->verify == NULL) {
        BUFFER_APPEND_LITERAL(out_words, "is for the database's own tools to check");
        return RC_OK;
    }
    rc = reader_borrow(store, &session);
    if (rc != RC_OK) {
        buffer_append_str(out_words, str_of(rc_words(rc)));
        return rc;
    }
    rc = store->driver->verify(session, out_words);
    reader_return(store, session);
    return rc;
}

struct store_restored store_restored(const struct store *store)
{
    return store->restored;
}

bool store_is_writable(const struct store *store)
{
    return store->writer != NULL && atomic_load(&store->health) == HEALTH_GOOD;
}

void store_listen(struct store *store,
                  void (*on_change)(void *context, const struct store_change *), void *context)
{
    pthread_mutex_lock(&store->listener_lock);
    ASSERT(store->listener_count < LISTENER_COUNT_MAX);
    store->listeners[store->listener_count++] =
        (struct listener){ .on_change = on_change, .context = context };
    pthread_mutex_unlock(&store->listener_lock);
}

void store_unlisten(struct store *store, const void *context)
{
    unsigned index = 0;

    pthread_mutex_lock(&store->listener_lock);
    while (index < store->listener_count && store->listeners[index].context != context)
        index++;
    if (index < store->listener_count) {
        store->listener_count--;
        for (; index < store->listener_count; index++)
            store->listeners[index] = store->listeners[index + 1];
    }
    pthread_mutex_unlock(&store->listener_lock);
}

void store_note_error(struct store *store, struct str words)
{
    pthread_mutex_lock(&store->error_lock);
    snprintf(store->last_error, sizeof(store->last_error), "%.*s", STR_ARGS(words));
    pthread_mutex_unlock(&store->error_lock);
}

void store_last_error(struct store *store, struct buffer *to)
{
    pthread_mutex_lock(&store->error_lock);
    buffer_append_str(to, str_of(store->last_error));
    pthread_mutex_unlock(&store->error_lock);
}

/* Of this process: those that read, the one that writes, and the feed's. */
static uint64_t count_connections(struct store *store)
{
    uint64_t count = (store->writer != NULL) + (store->driver->is_shared ? 1u : 0u);

    pthread_mutex_lock(&store->readers.lock);
    count += store->readers.open_count;
    pthread_mutex_unlock(&store->readers.lock);
    return count;
}

void store_counts(struct store *store, struct store_counts *out_counts)
{
    const struct store_meters *meters = &store->meters;
    struct statvfs disk;

    *out_counts = (struct store_counts){
        .commits = atomic_load_explicit(&meters->commits, memory_order_relaxed),
        .units = atomic_load_explicit(&meters->units, memory_order_relaxed),
        .unit_refusals = atomic_load_explicit(&meters->unit_refusals, memory_order_relaxed),
        .faults = atomic_load_explicit(&meters->faults, memory_order_relaxed),
        .swept_rows = atomic_load_explicit(&meters->swept_rows, memory_order_relaxed),
        .queue_depth = atomic_load_explicit(&meters->queue_depth, memory_order_relaxed),
        .commit_ns = atomic_load_explicit(&meters->commit_ns, memory_order_relaxed),
        .retries = atomic_load_explicit(&meters->retries, memory_order_relaxed),
        .connections = count_connections(store),
    };
    if (!store_is_shared(store) && statvfs(store->data_dir, &disk) == 0) {
        out_counts->disk_free_bytes = disk.f_bavail * disk.f_frsize;
        out_counts->disk_bytes = disk.f_blocks * disk.f_frsize;
    }
}
