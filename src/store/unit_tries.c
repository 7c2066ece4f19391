#include "store/room.h"
#include "store/tries.h"

/* Processes that count for the same keys do so in the same order, as far as they can choose. */
static struct store_step *add_for_key(struct store_unit *unit, enum statement statement,
                                      enum rc answer_if_none, const unsigned char *key)
{
    struct store_step *step = unit_add(unit, statement, answer_if_none);

    if (unit->order == 0)
        memcpy(&unit->order, key, sizeof(unit->order));
    step_own_blob(unit, step, key, DIGEST_BYTES);
    return step;
}

void store_begin_try(struct store_unit *unit, const struct throttle *read,
                     const struct throttle *counted, const struct try_limits *limits,
                     int64_t *out_failure_count)
{
    struct store_step *step = add_for_key(unit, STATEMENT_BEGIN_TRY, RC_SPENT, read->key);

    step->out_number = out_failure_count;
    step_int(step, counted->minute);
    step_int(step, read->failure_count);
    step_int(step, read->last_failure_at);
    step_int(step, read->minute);
    step_int(step, read->under_way_count);
    step_int(step, read->under_way_before_count);
    step_int(step, counted->last_failure_at);
    step_int(step, counted->failure_count);
    step_int(step, counted->under_way_count);
    step_int(step, counted->under_way_before_count);
    step_int(step, limits->free_count);
    step_int(step, limits->count_max);
}

void store_end_try(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                   const struct try_end *end, int64_t *out_failure_count)
{
    struct store_step *step = add_for_key(unit, STATEMENT_END_TRY, RC_OK, key);

    step->out_number = out_failure_count;
    step_int(step, end->is_failure);
    step_int(step, end->at);
    step_int(step, end->minute);
}

void store_count_failure(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                         int64_t at)
{
    const struct try_end end = { .minute = INT64_MIN, .is_failure = true, .at = at };

    store_end_try(unit, key, &end, NULL);
}

void store_clear_failures(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                          int64_t count_max)
{
    step_int(add_for_key(unit, STATEMENT_CLEAR_FAILURES, RC_OK, key), count_max);
}

void store_put_mark(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                    int64_t at)
{
    step_int(add_for_key(unit, STATEMENT_PUT_MARK, RC_OK, key), at);
}

void store_count_in_window(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                           int64_t count_max, int64_t window_s, int64_t at)
{
    struct store_step *step = add_for_key(unit, STATEMENT_COUNT_IN_WINDOW, RC_TOO_LARGE, key);

    step_int(step, at);
    step_int(step, window_s);
    step_int(step, count_max);
}
