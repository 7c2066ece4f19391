#include "account/grants_end.h"

enum {
    GRANTS_PER_UNIT = 8, /* a step each, and one event */
    /* Scope and audience of one grant at their longest. */
    GRANT_BYTES_MAX = SCOPE_BYTES_MAX + SCOPE_WORD_COUNT_MAX * (SERVICE_ID_BYTES_MAX + 1) + 64
};

_Static_assert((int)GRANTS_PER_UNIT < (int)STORE_UNIT_STEP_COUNT_MAX, "an event must fit too");

static enum rc list_page(struct store *store, const struct grants_filter *filter, int64_t before_id,
                         struct arena *arena, struct grant *out_grants, size_t *out_count)
{
    if (filter->service_id.len > 0)
        return store_list_grants_of_service(store, filter->service_id, 0, arena, out_grants,
                                            GRANTS_PER_UNIT, out_count);
    return store_list_grants(store, filter->account_id, filter->client_id, before_id, arena,
                             out_grants, GRANTS_PER_UNIT, out_count);
}

/* Leaves those that stay out of the page. */
static size_t choose(const struct grants_filter *filter, struct grant *grants, size_t count)
{
    size_t chosen_count = 0;

    for (size_t i = 0; i < count; i++) {
        if (!filter->keeps_permanent || !grants[i].is_permanent)
            grants[chosen_count++] = grants[i];
    }
    return chosen_count;
}

static enum rc end_page(struct store *store, const struct grant *grants, size_t count,
                        struct str detail, int64_t now)
{
    const struct event event = { .at = now,
                                 .kind = EVENT_GRANT_ENDED,
                                 .account_id = grants[0].account_id,
                                 .client_id = grants[0].client_id,
                                 .detail = detail };
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    for (size_t i = 0; i < count; i++)
        store_end_grant(&unit, grants[i].id, now);
    store_insert_event(&unit, &event);
    return store_commit(store, &unit);
}

enum rc grants_end(struct store *store, const struct grants_filter *filter, struct str detail,
                   int64_t now, size_t *out_count)
{
    __attribute__((cleanup(arena_deinit))) struct arena page = { 0 };
    struct grant grants[GRANTS_PER_UNIT];
    int64_t before_id = INT64_MAX;
    size_t total = 0;
    size_t found;
    size_t count;
    enum rc rc;

    ASSERT(!filter->keeps_permanent || filter->service_id.len == 0);
    ASSERT(filter->account_id != 0 || filter->client_id != 0 || filter->service_id.len > 0);
    arena_init(&page, (size_t)GRANTS_PER_UNIT * GRANT_BYTES_MAX);
    do {
        arena_reset(&page);
        rc = list_page(store, filter, before_id, &page, grants, &found);
        if (rc != RC_OK)
            return rc;
        /* Those of the page before live no more, so the first page is always the next one, unless
         * some of them stay. */
        if (filter->keeps_permanent && found > 0)
            before_id = grants[found - 1].id;
        count = choose(filter, grants, found);
        if (count > 0)
            rc = end_page(store, grants, count, detail, now);
        if (rc != RC_OK)
            return rc;
        total += count;
    } while (found > 0);
    *out_count = total;
    return RC_OK;
}
