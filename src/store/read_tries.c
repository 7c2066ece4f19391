#include "store/rows.h"
#include "store/tries.h"

static enum rc load_throttle(const struct row *row, struct arena *arena, void *out)
{
    struct throttle throttle = { .failure_count = row_int(row, 1),
                                 .last_failure_at = row_int(row, 2),
                                 .minute = row_int(row, 3),
                                 .under_way_count = row_int(row, 4),
                                 .under_way_before_count = row_int(row, 5) };
    enum rc rc = row_fixed(row, 0, throttle.key, DIGEST_BYTES);

    (void)arena;
    if (rc == RC_OK)
        *(struct throttle *)out = throttle;
    return rc;
}

enum rc store_find_throttle(struct store *store, const unsigned char key[static DIGEST_BYTES],
                            struct throttle *out_throttle)
{
    const struct query query = { STATEMENT_FIND_THROTTLE, load_throttle, 1, { digest_param(key) } };

    return rows_find(store, &query, NULL, out_throttle);
}

enum rc store_find_throttles(struct store *store,
                             unsigned char keys[static THROTTLE_KEY_COUNT][DIGEST_BYTES],
                             struct throttle out_rows[static THROTTLE_KEY_COUNT])
{
    struct query query = { STATEMENT_FIND_THROTTLES, load_throttle, THROTTLE_KEY_COUNT, { { 0 } } };
    struct throttle found[THROTTLE_KEY_COUNT];
    const struct page page = { NULL, found, sizeof(found[0]), THROTTLE_KEY_COUNT };
    size_t count;
    enum rc rc;

    for (size_t i = 0; i < THROTTLE_KEY_COUNT; i++)
        query.params[i] = digest_param(keys[i]);
    rc = rows_list(store, &query, &page, &count);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < THROTTLE_KEY_COUNT; i++) {
        out_rows[i] = (struct throttle){ 0 };
        memcpy(out_rows[i].key, keys[i], DIGEST_BYTES);
        for (size_t row = 0; row < count; row++) {
            if (memcmp(found[row].key, keys[i], DIGEST_BYTES) == 0) /* tidy: public */
                out_rows[i] = found[row];
        }
    }
    return RC_OK;
}
