#include "store/trail.h"

#include "store/rows.h"

/* ---- writing ---- */

void store_claim_job(struct store_unit *unit, const struct store *store, enum store_job job,
                     int64_t now, int64_t until)
{
    struct store_step *step = unit_add(unit, STATEMENT_CLAIM_JOB, RC_SPENT);

    step_int(step, job);
    step_int(step, store->holder);
    step_int(step, now);
    step_int(step, until);
}

void store_open_checkpoint(struct store_unit *unit, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_OPEN_CHECKPOINT, RC_OK);

    step_int(step, at);
    step_blob(step, STR(""));
    step_int(step, STORE_CHECKPOINT_EVENT_COUNT);
}

void store_complete_checkpoint(struct store_unit *unit, const struct checkpoint *checkpoint)
{
    struct store_step *step = unit_add(unit, STATEMENT_COMPLETE_CHECKPOINT, RC_SPENT);

    step_int(step, checkpoint->number);
    step_own_blob(unit, step, checkpoint->digest, sizeof(checkpoint->digest));
    step_own_blob(unit, step, checkpoint->public_key, sizeof(checkpoint->public_key));
    step_own_blob(unit, step, checkpoint->signature, sizeof(checkpoint->signature));
}

void store_trim_checkpoints(struct store_unit *unit, int64_t number, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_TRIM_CHECKPOINTS, RC_OK);

    step_int(step, number);
    step_int(step, at);
}

void store_trim_events(struct store_unit *unit, int64_t last_event_id)
{
    struct store_step *step = unit_add(unit, STATEMENT_TRIM_EVENTS, RC_OK);

    step_int(step, last_event_id);
    step_int(step, STORE_TRIM_ROW_COUNT);
}

void store_drop_checkpoints(struct store_unit *unit, int64_t number)
{
    struct store_step *step = unit_add(unit, STATEMENT_DROP_CHECKPOINTS, RC_OK);

    step_int(step, number);
    step_int(step, STORE_TRIM_ROW_COUNT);
}

void store_put_sealed_value(struct store_unit *unit, struct str name, struct str sealed)
{
    struct store_step *step = unit_add(unit, STATEMENT_PUT_SEALED_VALUE, RC_OK);

    step_text(step, name);
    step_blob(step, sealed);
}

/* ---- reading ---- */

static enum rc load_trail_event(const struct row *row, struct arena *arena, void *out)
{
    *(struct trail_event *)out = (struct trail_event){ .id = row_int(row, 0),
                                                       .at = row_int(row, 1),
                                                       .kind = row_int(row, 2),
                                                       .account_id = row_int(row, 3),
                                                       .client_id = row_int(row, 4),
                                                       .token_id = row_int(row, 5),
                                                       .address = row_text(row, 6, arena),
                                                       .detail = row_text(row, 7, arena) };
    return RC_OK;
}

/* A column of another length is not what was written: it stays zero, and no signature fits. */
static void load_bytes(const struct row *row, unsigned column, void *out_bytes, size_t len)
{
    if (row_fixed(row, column, out_bytes, len) != RC_OK)
        memset(out_bytes, 0, len);
}

static enum rc load_checkpoint(const struct row *row, struct arena *arena, void *out)
{
    struct checkpoint checkpoint = { .number = row_int(row, 0),
                                     .last_event_id = row_int(row, 1),
                                     .event_count = row_int(row, 2),
                                     .at = row_int(row, 3),
                                     .is_open = row->driver->column_bytes(row->session, 4).len == 0,
                                     .trimmed_at = row_int(row, 7) };

    (void)arena;
    load_bytes(row, 4, checkpoint.digest, sizeof(checkpoint.digest));
    load_bytes(row, 5, checkpoint.public_key, sizeof(checkpoint.public_key));
    load_bytes(row, 6, checkpoint.signature, sizeof(checkpoint.signature));
    *(struct checkpoint *)out = checkpoint;
    return RC_OK;
}

enum rc store_list_trail(struct store *store, int64_t after_id, int64_t last_id,
                         struct arena *arena, struct trail_event *out_rows, size_t max,
                         size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };
    struct query query = page_query(STATEMENT_LIST_TRAIL, load_trail_event, after_id, max);

    query.params[query.param_count++] = int_param(last_id);
    return rows_list(store, &query, &page, out_count);
}

enum rc store_list_checkpoints(struct store *store, int64_t after_number,
                               struct checkpoint *out_rows, size_t max, size_t *out_count)
{
    const struct query query =
        page_query(STATEMENT_LIST_CHECKPOINTS, load_checkpoint, after_number, max);
    const struct page page = { NULL, out_rows, sizeof(*out_rows), max };

    return rows_list(store, &query, &page, out_count);
}

enum rc store_find_last_checkpoint(struct store *store, struct checkpoint *out_checkpoint)
{
    const struct query query = { STATEMENT_FIND_LAST_CHECKPOINT, load_checkpoint, 0, { { 0 } } };

    return rows_find(store, &query, NULL, out_checkpoint);
}

enum rc store_find_trimmed_checkpoint(struct store *store, struct checkpoint *out_checkpoint)
{
    const struct query query = { STATEMENT_FIND_TRIMMED_CHECKPOINT, load_checkpoint, 0, { { 0 } } };

    return rows_find(store, &query, NULL, out_checkpoint);
}

enum rc store_find_old_checkpoint(struct store *store, int64_t at,
                                  struct checkpoint *out_checkpoint)
{
    const struct query query = {
        STATEMENT_FIND_OLD_CHECKPOINT, load_checkpoint, 1, { int_param(at) }
    };

    return rows_find(store, &query, NULL, out_checkpoint);
}

enum rc store_search_events(struct store *store, const struct event_filter *filter,
                            int64_t before_id, struct arena *arena, struct event *out_rows,
                            size_t max, size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };
    struct query query = page_query(STATEMENT_SEARCH_EVENTS, load_event, before_id, max);

    query.params[query.param_count++] = int_param(filter->kind);
    query.params[query.param_count++] = int_param(filter->account_id);
    query.params[query.param_count++] = int_param(filter->client_id);
    query.params[query.param_count++] = int_param(filter->has_address);
    query.params[query.param_count++] =
        (struct store_param){ .type = STORE_BLOB,
                              .bytes = { (const char *)filter->address, sizeof(filter->address) } };
    query.params[query.param_count++] = int_param(filter->after_id);
    query.params[query.param_count++] = int_param(filter->since);
    query.params[query.param_count++] = int_param(filter->until == 0 ? INT64_MAX : filter->until);
    return rows_list(store, &query, &page, out_count);
}

static enum rc load_event_back(const struct row *row, struct arena *arena, void *out)
{
    (void)arena;
    *(struct event *)out = (struct event){ .id = row_int(row, 0), .at = row_int(row, 1) };
    return RC_OK;
}

enum rc store_find_event_back(struct store *store, int64_t before_id, size_t count,
                              struct event *out_event)
{
    const struct query query = { STATEMENT_FIND_EVENT_BACK,
                                 load_event_back,
                                 2,
                                 { int_param(before_id), int_param((int64_t)count) } };

    return rows_find(store, &query, NULL, out_event);
}
