/*
 * The thread that follows the change feed of a shared store.
 *
 * It reads the rows behind the last one that it knows, tells them, and only then says that memory
 * may be relied upon as of the moment when the reading began: what was committed before that moment
 * has been told. The numbers of the rows grow in the order of commits (store/driver.h), so nothing
 * comes to stand before what was read.
 *
 * The last row is read again each time. As long as it is there and the same, the feed is the one
 * that was followed. When it is not, changes were told that the store does not know any more (a
 * replica that lagged behind has taken over), or changes were lost: nobody can tell which, so all
 * is forgotten. So it is after half of the time that rows are kept for (SWEEP(CHANGE) in
 * queries.def).
 */
#include <time.h>

#include "base/clock.h"
#include "store/rows.h"
#include "store/shared.h"

enum {
    WAIT_MS = 200,     /* for a notice, before the feed is read without one        */
    WAIT_PART_MS = 50, /* after which somebody who wants the thread to end is seen */
    RETRY_MS_MIN = 20, /* between tries to connect                                 */
    RETRY_MS_MAX = 250,
    PAGE_ROW_COUNT = 256,
    CLOCK_INTERVAL_MS = 5000,
    MISSED_MS_MAX = 12 * 3600 * 1000
};

/* Several processes that lost the same database do not come back in step. */
int64_t store_jitter_ms(int64_t least, int64_t most)
{
    uint64_t mixed = (uint64_t)clock_monotonic_ns() * 0x9e3779b97f4a7c15ULL;

    return least + (int64_t)((mixed >> 32) % (uint64_t)(most - least + 1));
}

/* ---- reading -------------------------------------------------------------------------------- */

static enum rc read_rows(struct store *store, enum statement statement,
                         const struct store_param *params, unsigned param_count,
                         struct change_row *out_rows, size_t *out_count)
{
    const struct driver *driver = store->driver;
    struct driver_session *session = store->feed.session;
    bool has_row = false;
    size_t count = 0;
    enum rc rc = driver->query(session, statement, params, param_count);

    if (rc == RC_OK)
        rc = driver->next(session, &has_row);
    while (rc == RC_OK && has_row && count < PAGE_ROW_COUNT) {
        out_rows[count++] = (struct change_row){ .seq = driver->column_int(session, 0),
                                                 .at = driver->column_int(session, 1),
                                                 .kind = driver->column_int(session, 2),
                                                 .key = driver->column_int(session, 3) };
        rc = driver->next(session, &has_row);
    }
    driver->finish(session);
    if (rc == RC_OK)
        *out_count = count;
    return rc;
}

static enum rc find_end(struct store *store, struct change_row *out_last)
{
    struct change_row rows[PAGE_ROW_COUNT];
    size_t count = 0;
    enum rc rc = read_rows(store, STATEMENT_FIND_LAST_CHANGE, NULL, 0, rows, &count);

    if (rc == RC_OK)
        *out_last = count > 0 ? rows[0] : (struct change_row){ .seq = 0 };
    return rc;
}

static bool is_same(const struct change_row *row, const struct change_row *other)
{
    return row->seq == other->seq && row->at == other->at && row->kind == other->kind &&
           row->key == other->key;
}

static void tell_rows(struct store *store, const struct change_row *rows, size_t count)
{
    size_t index;

    pthread_mutex_lock(&store->listener_lock);
    for (index = 0; index < count; index++) {
        const struct store_change change = { .kind = (enum store_change_kind)rows[index].kind,
                                             .key = rows[index].key };

        /* A newer program may write of more than this one keeps in memory. */
        if (rows[index].kind >= CHANGE_ACCOUNT && rows[index].kind < CHANGE_ALL)
            store_tell(store, &change);
    }
    pthread_mutex_unlock(&store->listener_lock);
    atomic_fetch_add(&store->feed.change_count, count);
}

/* One page. *out_is_over: there is no other. RC_SPENT: this is not the feed that was followed. */
static enum rc read_page(struct store *store, bool *out_is_over)
{
    struct feed *feed = &store->feed;
    const struct store_param params[2] = { { .type = STORE_INT, .number = feed->last.seq },
                                           { .type = STORE_INT, .number = PAGE_ROW_COUNT } };
    size_t known_count = feed->last.seq == 0 ? 0 : 1;
    struct change_row rows[PAGE_ROW_COUNT];
    int64_t begun_ms = clock_boot_ms();
    size_t count = 0;
    enum rc rc = read_rows(store, STATEMENT_LIST_CHANGES, params, 2, rows, &count);

    if (rc != RC_OK)
        return rc;
    if (known_count > 0 && (count == 0 || !is_same(&rows[0], &feed->last)))
        return RC_SPENT;
    if (count > known_count)
        tell_rows(store, rows + known_count, count - known_count);
    if (count > 0)
        feed->last = rows[count - 1];
    atomic_store(&feed->told_seq, feed->last.seq);
    *out_is_over = count < PAGE_ROW_COUNT;
    if (*out_is_over)
        atomic_store(&feed->read_at_ms, begun_ms);
    return RC_OK;
}

/*
 * Whatever is read from the store from now on is followed from here on; what was read before may be
 * anything, and is forgotten. The end is noted first: a row that comes after it is told, too.
 */
static enum rc start_over(struct store *store)
{
    static const struct store_change everything = { .kind = CHANGE_ALL };
    int64_t begun_ms = clock_boot_ms();
    enum rc rc = find_end(store, &store->feed.last);

    if (rc != RC_OK)
        return rc;
    pthread_mutex_lock(&store->listener_lock);
    store_tell(store, &everything);
    pthread_mutex_unlock(&store->listener_lock);
    atomic_store(&store->feed.told_seq, store->feed.last.seq);
    atomic_store(&store->feed.read_at_ms, begun_ms);
    return RC_OK;
}

static int64_t age_ms(const struct store *store)
{
    return clock_boot_ms() - atomic_load(&store->feed.read_at_ms);
}

static enum rc read_to_end(struct store *store)
{
    bool is_over = false;
    enum rc rc = age_ms(store) > MISSED_MS_MAX ? RC_SPENT : RC_OK;

    while (rc == RC_OK && !is_over)
        rc = read_page(store, &is_over);
    return rc == RC_SPENT ? start_over(store) : rc;
}

/* The engine's clock was read somewhere between the call and its return. */
static enum rc compare_clocks(struct store *store)
{
    struct feed *feed = &store->feed;
    int64_t before_ms = clock_now_ms();
    int64_t engine_ms;
    enum rc rc = store->driver->read_clock(feed->session, &engine_ms);

    if (rc != RC_OK)
        return rc;
    atomic_store(&feed->clock_offset_ms, engine_ms - (before_ms + clock_now_ms()) / 2);
    feed->clock_at_ms = clock_monotonic_ms() + CLOCK_INTERVAL_MS;
    return RC_OK;
}

/* ---- the connection ------------------------------------------------------------------------- */

static void disconnect(struct store *store)
{
    if (store->feed.session != NULL)
        store->driver->close(store->feed.session);
    store->feed.session = NULL;
}

/* What was found at the start holds for every server that answers in this one's place. */
static enum rc connect(struct store *store, struct buffer *out_error)
{
    const struct driver *driver = store->driver;
    struct feed *feed = &store->feed;
    enum rc rc = driver->open(&store->config, SESSION_FEED, &feed->session, out_error);

    if (rc != RC_OK) {
        feed->session = NULL;
        return rc;
    }
    /* Whoever reads through an older connection may read from a server that is none any more, and
     * another may not know what that one leased. */
    atomic_fetch_add(&feed->generation, 1);
    ids_forget(store);
    rc = schema_check(driver, feed->session, false, out_error);
    if (rc == RC_OK)
        rc = move_check_mark(driver, feed->session, out_error);
    if (rc == RC_OK)
        rc = compare_clocks(store);
    if (rc != RC_OK)
        disconnect(store);
    return rc;
}

static enum rc reconnect(struct store *store)
{
    char memory[STORE_ERROR_BYTES];
    struct buffer error = buffer_over(memory, sizeof(memory));
    enum rc rc = connect(store, &error);

    if (rc != RC_OK && error.len > 0)
        store_note_error(store, buffer_str(&error));
    return rc;
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Until there is a notice, or it is time to look without one. */
static enum rc wait_for_change(struct store *store)
{
    struct feed *feed = &store->feed;
    int64_t begun_ms = clock_monotonic_ms();
    int64_t part_ms = WAIT_PART_MS;
    enum rc rc = RC_OK;

    while (rc == RC_OK && !atomic_load(&feed->is_stopping) && part_ms >= WAIT_PART_MS &&
           clock_monotonic_ms() - begun_ms < WAIT_MS) {
        int64_t part_begun_ms = clock_monotonic_ms();

        rc = store->driver->wait_for_change(feed->session, WAIT_PART_MS);
        part_ms = clock_monotonic_ms() - part_begun_ms;
    }
    return rc;
}

static void note_loss(struct feed *feed, bool is_away)
{
    if (is_away && !feed->is_away)
        atomic_fetch_add(&feed->loss_count, 1);
    feed->is_away = is_away;
}

static enum rc follow(struct store *store)
{
    struct feed *feed = &store->feed;
    enum rc rc = feed->session == NULL ? reconnect(store) : RC_OK;

    if (feed->session == NULL)
        return rc;
    /* Before what was missed is made up for: a process that was stopped has lost it, too. */
    note_loss(feed, age_ms(store) > STORE_TRUST_MS);
    rc = read_to_end(store);
    if (rc == RC_OK)
        note_loss(feed, false);
    if (rc == RC_OK && clock_monotonic_ms() >= feed->clock_at_ms)
        rc = compare_clocks(store);
    readers_tend(store);
    if (rc == RC_OK)
        rc = wait_for_change(store);
    if (rc != RC_OK)
        store_note_error(store, store->driver->last_error(feed->session));
    return rc;
}

static void pause_a_while(void)
{
    const struct timespec pause = {
        .tv_nsec = (long)store_jitter_ms(RETRY_MS_MIN, RETRY_MS_MAX) * 1000000,
    };

    nanosleep(&pause, NULL);
}

static void *feed_main(void *context)
{
    struct store *store = context;

    while (!atomic_load(&store->feed.is_stopping)) {
        if (follow(store) == RC_OK)
            continue;
        disconnect(store);
        note_loss(&store->feed, age_ms(store) > STORE_TRUST_MS);
        pause_a_while();
    }
    return NULL;
}

enum rc feed_start(struct store *store, struct buffer *out_error)
{
    struct feed *feed = &store->feed;
    int64_t begun_ms = clock_boot_ms();
    enum rc rc;

    if (!store->has_feed)
        return RC_OK;
    rc = connect(store, out_error);
    if (rc == RC_OK)
        rc = find_end(store, &feed->last);
    if (rc == RC_OK) {
        atomic_store(&feed->told_seq, feed->last.seq);
        atomic_store(&feed->read_at_ms, begun_ms);
        rc = store_start_thread(store, feed_main, "store-feed", &feed->thread, out_error);
        feed->has_thread = rc == RC_OK;
    }
    if (rc != RC_OK)
        disconnect(store);
    return rc;
}

void feed_stop(struct store *store)
{
    struct feed *feed = &store->feed;

    if (!feed->has_thread)
        return;
    atomic_store(&feed->is_stopping, true);
    pthread_join(feed->thread, NULL);
    feed->has_thread = false;
    disconnect(store);
}

/* ---- what others see of it ------------------------------------------------------------------ */

bool store_is_shared(const struct store *store)
{
    return store->driver->is_shared;
}

bool store_is_trusted(const struct store *store)
{
    return !store->has_feed || age_ms(store) < STORE_TRUST_MS;
}

static enum rc load_seq(const struct row *row, struct arena *arena, void *out)
{
    (void)arena;
    *(int64_t *)out = row_int(row, 0);
    return RC_OK;
}

enum rc store_catch_up(struct store *store)
{
    static const struct timespec pause = { .tv_nsec = 1000 * 1000 };
    const struct query query = { STATEMENT_FIND_LAST_CHANGE, load_seq, 0, { { 0 } } };
    int64_t begun_ms = clock_boot_ms();
    int64_t seq = 0;
    enum rc rc;

    if (!store->has_feed)
        return RC_OK;
    rc = rows_find(store, &query, NULL, &seq);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    while (atomic_load(&store->feed.told_seq) < seq) {
        if (clock_boot_ms() - begun_ms >= STORE_TRUST_MS)
            return RC_UNAVAILABLE;
        nanosleep(&pause, NULL);
    }
    return RC_OK;
}

void store_view_feed(const struct store *store, struct store_feed_view *out_view)
{
    const struct feed *feed = &store->feed;

    *out_view = (struct store_feed_view){ .is_shared = store->driver->is_shared };
    if (!store->has_feed)
        return;
    out_view->age_ms = age_ms(store);
    out_view->clock_offset_ms = atomic_load(&feed->clock_offset_ms);
    out_view->change_count = atomic_load(&feed->change_count);
    out_view->loss_count = atomic_load(&feed->loss_count);
}
