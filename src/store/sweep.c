#include "base/clock.h"
#include "store/room.h"

/*
 * Expired rows leave page by page. A page is the next STORE_SWEEP_ROW_COUNT rows of one table in
 * order of its key; a cursor for each table goes round and round. Every unit that is committed pays
 * for a look at a few rows, so that the sweep keeps up with what is written and a quiet store is
 * hardly touched. What was paid for is spent on tables that have rows: one at whose end a look has
 * found nothing to take rests for a while. Else the many small ones would use it up, and the cursor
 * of the large one would run behind its newest rows and never come back to those it passed by.
 */
enum { JOB_SWEEP = 1 }; /* of table `job`: what one process of several does */

enum {
    CLAIM_S = 10, /* that one of several processes sweeps for, unless it asks again */
    CLAIM_INTERVAL_MS = 5000,
    ROWS_PER_UNIT = 6, /* a rotation writes four: a turn takes less than the filling took */
    PAGES_PER_BATCH = 4,
    REST_MS = 250,
    QUIET_PAGE_INTERVAL_MS = 5,
    PRODUCTIVE_ROW_COUNT = STORE_SWEEP_ROW_COUNT / 4
};

static const struct {
    enum statement page, sweep;
} tables[] = {
#define STATEMENT(name, text)
#define SWEEP(name, table, key, condition) { STATEMENT_SWEEP_PAGE_##name, STATEMENT_SWEEP_##name },
#include "store/queries.def"
#undef SWEEP
#undef STATEMENT
};

_Static_assert(sizeof(tables) / sizeof(tables[0]) == SWEEP_TABLE_COUNT, "one cursor for each");

/* The last key of the next page, and how many rows it has. */
static enum rc find_page(struct store *store, struct store_param *params, int64_t *out_row_count)
{
    const struct driver *driver = store->driver;
    bool has_row = false;
    enum rc rc = driver->query(store->writer, tables[store->sweep.table].page, params, 2);

    if (rc == RC_OK)
        rc = driver->next(store->writer, &has_row);
    if (rc == RC_OK && has_row) {
        params[1].number = driver->column_int(store->writer, 0);
        *out_row_count = driver->column_int(store->writer, 1);
    }
    driver->finish(store->writer);
    return rc;
}

/* Looks at one page of one table; *out_swept_count is how many rows left. */
static enum rc sweep_page(struct store *store, int64_t now_ms, uint64_t *out_swept_count)
{
    struct sweep *sweep = &store->sweep;
    struct store_param params[3] = {
        { .type = STORE_INT, .number = sweep->behind[sweep->table] },
        { .type = STORE_INT, .number = STORE_SWEEP_ROW_COUNT },
        { .type = STORE_INT, .number = clock_now_s() },
    };
    int64_t row_count = 0;
    enum rc rc = find_page(store, params, &row_count);

    *out_swept_count = 0;
    if (rc == RC_OK && row_count > 0)
        rc = store->driver->run(store->writer, tables[sweep->table].sweep, params, 3,
                                out_swept_count, NULL);
    if (rc != RC_OK)
        return rc;
    sweep->behind[sweep->table] = row_count < STORE_SWEEP_ROW_COUNT ? 0 : params[1].number;
    sweep->row_debt -= sweep->row_debt > row_count ? row_count + 1 : sweep->row_debt;
    if (row_count < STORE_SWEEP_ROW_COUNT && *out_swept_count == 0)
        sweep->rests_until_ms[sweep->table] = now_ms + REST_MS;
    /* A table with much to sweep is gone on with; the others wait for their turn. */
    if (*out_swept_count < PRODUCTIVE_ROW_COUNT)
        sweep->table = (sweep->table + 1) % SWEEP_TABLE_COUNT;
    sweep->uncommitted_count += *out_swept_count;
    return RC_OK;
}

/* False: all tables rest. */
static bool pass_by_resting(struct sweep *sweep, int64_t now_ms)
{
    unsigned looks;

    for (looks = 0; looks < SWEEP_TABLE_COUNT; looks++) {
        if (sweep->rests_until_ms[sweep->table] <= now_ms)
            return true;
        sweep->table = (sweep->table + 1) % SWEEP_TABLE_COUNT;
    }
    sweep->row_debt = 0;
    return false;
}

enum rc sweep_some(struct store *store, unsigned unit_count, bool *out_is_productive)
{
    struct sweep *sweep = &store->sweep;
    int64_t now_ms = clock_monotonic_ms();
    bool is_page_due = now_ms >= sweep->next_ms;
    unsigned page;
    enum rc rc = RC_OK;

    *out_is_productive = false;
    if (store->has_feed && now_ms >= sweep->ours_until_ms)
        return RC_OK;
    sweep->row_debt += (int64_t)unit_count * ROWS_PER_UNIT;
    /* What a very large batch earned is not carried on for ever. */
    if (sweep->row_debt > (int64_t)PAGES_PER_BATCH * STORE_SWEEP_ROW_COUNT)
        sweep->row_debt = (int64_t)PAGES_PER_BATCH * STORE_SWEEP_ROW_COUNT;
    for (page = 0; rc == RC_OK && page < PAGES_PER_BATCH; page++) {
        bool is_paid = sweep->row_debt >= STORE_SWEEP_ROW_COUNT && pass_by_resting(sweep, now_ms);
        uint64_t swept_count = 0;

        if (!is_paid && (!is_page_due || page > 0))
            break;
        rc = sweep_page(store, now_ms, &swept_count);
        *out_is_productive |= swept_count >= PRODUCTIVE_ROW_COUNT;
    }
    if (page > 0)
        sweep->next_ms = now_ms + (*out_is_productive ? 0 : QUIET_PAGE_INTERVAL_MS);
    return rc;
}

/* Two that sweep at once, for their clocks differ, do no harm: what is gone is gone. */
enum rc sweep_claim(struct store *store)
{
    int64_t now = clock_now_s();
    int64_t now_ms = clock_monotonic_ms();
    const struct store_param params[4] = {
        { .type = STORE_INT, .number = JOB_SWEEP },
        { .type = STORE_INT, .number = store->holder },
        { .type = STORE_INT, .number = now },
        { .type = STORE_INT, .number = now + CLAIM_S },
    };
    uint64_t row_count = 0;
    enum rc rc =
        store->driver->run(store->writer, STATEMENT_CLAIM_JOB, params, 4, &row_count, NULL);

    store->sweep.claim_at_ms = now_ms + CLAIM_INTERVAL_MS;
    if (rc == RC_OK)
        store->sweep.ours_until_ms = row_count > 0 ? now_ms + CLAIM_S * 1000 : 0;
    return rc;
}

void sweep_settle(struct store *store, bool is_committed)
{
    if (is_committed)
        atomic_fetch_add(&store->meters.swept_rows, store->sweep.uncommitted_count);
    store->sweep.uncommitted_count = 0;
}
