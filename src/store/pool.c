#include "store/room.h"

/* Sessions are opened when they are first needed: an idle server has none. */
static enum rc open_reader(struct store *store, struct driver_session **out_session)
{
    char ignored[1];
    struct buffer error = buffer_over(ignored, sizeof(ignored));
    enum rc rc = store->driver->open(&store->config, SESSION_READER, out_session, &error);

    /* What was right at the start and is not any more: to a caller in the middle of a request it
     * is a store that cannot be reached. */
    return rc == RC_OK || rc_is_fault(rc) ? rc : RC_UNAVAILABLE;
}

enum rc reader_borrow(struct store *store, struct driver_session **out_session)
{
    struct reader_pool *pool = &store->readers;
    enum rc rc;

    pthread_mutex_lock(&pool->lock);
    while (pool->free_count == 0 && pool->open_count == pool->max_count)
        pthread_cond_wait(&pool->returned, &pool->lock);
    if (pool->free_count > 0) {
        *out_session = pool->free[--pool->free_count];
        pthread_mutex_unlock(&pool->lock);
        return RC_OK;
    }
    pool->open_count++;
    pthread_mutex_unlock(&pool->lock);

    rc = open_reader(store, out_session);
    if (rc == RC_OK)
        return RC_OK;
    pthread_mutex_lock(&pool->lock);
    pool->open_count--;
    pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

void reader_return(struct store *store, struct driver_session *session)
{
    struct reader_pool *pool = &store->readers;

    pthread_mutex_lock(&pool->lock);
    pool->free[pool->free_count++] = session;
    pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->lock);
}

void readers_close(struct store *store)
{
    struct reader_pool *pool = &store->readers;

    pthread_mutex_lock(&pool->lock);
    while (pool->free_count > 0) {
        store->driver->close(pool->free[--pool->free_count]);
        pool->open_count--;
    }
    ASSERT(pool->open_count == 0);
    pthread_mutex_unlock(&pool->lock);
}
