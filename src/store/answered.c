#include "store/answered.h"

#include "store/rows.h"

void store_insert_answered(struct store_unit *unit, const struct answered *answered, int64_t now)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_ANSWERED, RC_EXISTS);

    ASSERT(answered->id > 0 && answered->until > now);
    step_int(step, answered->id);
    step_own_blob(unit, step, answered->digest, DIGEST_BYTES);
    step_own_blob(unit, step, answered->request, DIGEST_BYTES);
    step_blob(step, STR(""));
    step_int(step, answered->until);
    step_int(step, now);
}

void store_finish_answered(struct store_unit *unit, const struct answered *answered)
{
    struct store_step *step = unit_add(unit, STATEMENT_FINISH_ANSWERED, RC_OK);

    ASSERT(answered->id > 0 && answered->status > 0);
    step_int(step, answered->id);
    step_int(step, answered->status);
    step_blob(step, answered->sealed);
}

void store_delete_answered(struct store_unit *unit, int64_t id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_ANSWERED, RC_OK), id);
}

static enum rc load_answered(const struct row *row, struct arena *arena, void *out)
{
    struct answered answered = { .id = row_int(row, 0),
                                 .status = row_int(row, 2),
                                 .until = row_int(row, 4) };

    if (row_fixed(row, 1, answered.request, DIGEST_BYTES) != RC_OK)
        return RC_CORRUPT;
    answered.sealed = row_text(row, 3, arena);
    *(struct answered *)out = answered;
    return RC_OK;
}

enum rc store_find_answered(struct store *store, const unsigned char digest[static DIGEST_BYTES],
                            int64_t now, struct arena *arena, struct answered *out_answered)
{
    const struct query query = {
        STATEMENT_FIND_ANSWERED, load_answered, 2, { digest_param(digest), int_param(now) }
    };
    struct answered found;
    enum rc rc = rows_find(store, &query, arena, &found);

    if (rc != RC_OK)
        return rc;
    memcpy(found.digest, digest, DIGEST_BYTES);
    *out_answered = found;
    return RC_OK;
}
