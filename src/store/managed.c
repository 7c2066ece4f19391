#include "store/managed.h"

#include "store/room.h"
#include "store/rows.h"

void store_put_managed(struct store_unit *unit, enum managed_kind kind, int64_t noun_id,
                       struct str source)
{
    struct store_step *step = unit_add(unit, STATEMENT_PUT_MANAGED, RC_OK);

    ASSERT(noun_id > 0 && source.len > 0 && source.len <= MANAGED_SOURCE_BYTES_MAX);
    step_int(step, kind);
    step_int(step, noun_id);
    step_text(step, source);
}

void store_delete_managed(struct store_unit *unit, enum managed_kind kind, int64_t noun_id)
{
    struct store_step *step = unit_add(unit, STATEMENT_DELETE_MANAGED, RC_OK);

    step_int(step, kind);
    step_int(step, noun_id);
}

static enum rc load_source(const struct row *row, struct arena *arena, void *out)
{
    *(struct str *)out = row_text(row, 0, arena);
    return RC_OK;
}

enum rc store_find_managed(struct store *store, enum managed_kind kind, int64_t noun_id,
                           struct arena *arena, struct str *out_source)
{
    const struct query query = {
        STATEMENT_FIND_MANAGED, load_source, 2, { int_param(kind), int_param(noun_id) }
    };

    return rows_find(store, &query, arena, out_source);
}

static enum rc load_id(const struct row *row, struct arena *arena, void *out)
{
    (void)arena;
    *(int64_t *)out = row_int(row, 0);
    return RC_OK;
}

enum rc store_list_managed(struct store *store, enum managed_kind kind, struct str source,
                           int64_t after_id, int64_t *out_ids, size_t max, size_t *out_count)
{
    struct query query = page_query(STATEMENT_LIST_MANAGED, load_id, after_id, max);
    const struct page page = { .rows = out_ids, .row_bytes = sizeof(*out_ids), .max = max };

    query.param_count = 4;
    query.params[2] = int_param(kind);
    query.params[3] = text_param(source);
    return rows_list(store, &query, &page, out_count);
}
