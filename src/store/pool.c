#include <errno.h>

#include "base/clock.h"
#include "store/room.h"
#include "store/shared.h"

/* Sessions are opened when they are first needed: an idle server has none. */
static enum rc open_reader(struct store *store, struct driver_session **out_session)
{
    char words[STORE_ERROR_BYTES];
    struct buffer error = buffer_over(words, sizeof(words));
    enum rc rc = store->driver->open(&store->config, SESSION_READER, out_session, &error);

    if (rc != RC_OK)
        store_note_error(store, buffer_str(&error));
    /* What was right at the start and is not any more: to a caller in the middle of a request it
     * is a store that cannot be reached. */
    return rc == RC_OK || rc_is_fault(rc) ? rc : RC_UNAVAILABLE;
}

/* The lock is held. One that is free, or a place for a new one; NULL: neither. */
static struct reader *find_reader(struct reader_pool *pool)
{
    struct reader *place = NULL;
    unsigned index;

    for (index = 0; index < READER_COUNT_MAX; index++) {
        struct reader *reader = &pool->readers[index];

        if (!reader->is_borrowed && reader->session != NULL)
            return reader;
        if (!reader->is_borrowed && place == NULL && pool->open_count < pool->max_count)
            place = reader;
    }
    return place;
}

/* Who has waited for long does not connect, too. */
static bool may_open(const struct store *store, int64_t until_ns)
{
    return !store->has_feed ||
           clock_monotonic_ns() + DRIVER_CONNECT_MS * INT64_C(1000000) <= until_ns;
}

/* The lock is held, and released while a session is closed and opened. */
static enum rc renew(struct store *store, struct reader *reader, int64_t until_ns)
{
    struct reader_pool *pool = &store->readers;
    struct driver_session *old = reader->session;
    uint64_t generation = atomic_load(&store->feed.generation);
    struct driver_session *session = NULL;
    enum rc rc;

    if (old != NULL && reader->generation == generation)
        return RC_OK;
    if (!may_open(store, until_ns))
        return RC_UNAVAILABLE;
    reader->session = NULL;
    pool->open_count += old == NULL;
    pthread_mutex_unlock(&pool->lock);
    if (old != NULL)
        store->driver->close(old);
    rc = open_reader(store, &session);
    pthread_mutex_lock(&pool->lock);
    pool->open_count -= rc != RC_OK;
    if (rc == RC_OK) {
        reader->session = session;
        reader->generation = generation;
    }
    return rc;
}

/* The lock is held. NULL: the store is away, or none came back in time. */
static struct reader *wait_for_reader(struct store *store, int64_t until_ns)
{
    struct reader_pool *pool = &store->readers;
    struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000),
                              .tv_nsec = (long)(until_ns % 1000000000) };
    struct reader *reader = NULL;

    while (store_is_trusted(store) && (reader = find_reader(pool)) == NULL) {
        if (!store->has_feed)
            pthread_cond_wait(&pool->returned, &pool->lock);
        else if (pthread_cond_timedwait(&pool->returned, &pool->lock, &until) == ETIMEDOUT)
            return NULL;
    }
    return reader;
}

/* While the feed is away nobody else tries to connect: that would take the time of everybody who
 * waits. */
enum rc reader_borrow(struct store *store, struct driver_session **out_session)
{
    struct reader_pool *pool = &store->readers;
    int64_t from_ns = store->has_feed ? patience_from_ns() : 0;
    int64_t until_ns = from_ns + STORE_ANSWER_MS * INT64_C(1000000);
    struct reader *reader;
    enum rc rc;

    pthread_mutex_lock(&pool->lock);
    reader = wait_for_reader(store, until_ns);
    rc = reader == NULL ? RC_UNAVAILABLE : RC_OK;
    if (reader != NULL) {
        reader->is_borrowed = true;
        rc = renew(store, reader, until_ns);
        if (rc == RC_OK)
            *out_session = reader->session;
        else
            reader->is_borrowed = false;
        if (rc == RC_OK && store->driver->set_limit != NULL)
            store->driver->set_limit(reader->session, store->has_feed ? until_ns : 0);
        reader->since_ns = from_ns;
    }
    /* Who waits goes on with another, or hears that there is none to be had. */
    if (rc != RC_OK)
        pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

void reader_add(struct store *store, struct driver_session *session)
{
    store->readers.readers[0] = (struct reader){ .session = session };
    store->readers.open_count = 1;
}

/* One that lost its connection is not kept. */
void reader_return(struct store *store, struct driver_session *session)
{
    struct reader_pool *pool = &store->readers;
    bool is_good = !store->driver->is_shared || store->driver->health(session) == HEALTH_GOOD;
    struct reader *reader = pool->readers;

    pthread_mutex_lock(&pool->lock);
    while (!reader->is_borrowed || reader->session != session)
        reader++;
    if (store->has_feed)
        patience_end(reader->since_ns);
    if (!is_good) {
        reader->session = NULL;
        pool->open_count--;
    }
    reader->is_borrowed = false;
    pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->lock);
    if (!is_good)
        store->driver->close(session);
}

void readers_tend(struct store *store)
{
    struct reader_pool *pool = &store->readers;
    const struct driver *driver = store->driver;
    unsigned index;

    pthread_mutex_lock(&pool->lock);
    for (index = 0; index < READER_COUNT_MAX; index++) {
        struct reader *reader = &pool->readers[index];

        if (reader->is_borrowed || reader->session == NULL)
            continue;
        driver->upkeep(reader->session);
        if (driver->health(reader->session) != HEALTH_GOOD) {
            driver->close(reader->session);
            reader->session = NULL;
            pool->open_count--;
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

void readers_close(struct store *store)
{
    struct reader_pool *pool = &store->readers;
    unsigned index;

    pthread_mutex_lock(&pool->lock);
    for (index = 0; index < READER_COUNT_MAX; index++) {
        struct reader *reader = &pool->readers[index];

        ASSERT(!reader->is_borrowed);
        if (reader->session != NULL) {
            store->driver->close(reader->session);
            reader->session = NULL;
            pool->open_count--;
        }
    }
    ASSERT(pool->open_count == 0);
    pthread_mutex_unlock(&pool->lock);
}
