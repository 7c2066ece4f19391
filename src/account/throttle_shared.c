#include "account/throttle_room.h"
#include "base/clock.h"
#include "store/shared.h"

/* How often a row that others changed meanwhile is looked at again. */
enum { ROUND_COUNT_MAX = 8 };

static const struct try_limits limits = { THROTTLE_FREE_COUNT, THROTTLE_FAILURE_COUNT_MAX };

/* Of the clock that all processes share: the engine's, as far as this one knows it. */
static int64_t minute_of(const struct throttle_book *book, int64_t now)
{
    struct store_feed_view view;

    store_view_feed(book->store, &view);
    return (now + view.clock_offset_ms / 1000) / THROTTLE_TRY_S;
}

/* The same row in this minute: tries that began two minutes ago or before have ended, or nobody
 * was told what came out of them. A minute ahead is what another process takes for now. */
static struct throttle brought_forward(const struct throttle *row, int64_t minute)
{
    struct throttle counted = *row;

    if (row->minute == minute || row->minute == minute + 1)
        return counted;
    counted.under_way_before_count = row->minute == minute - 1 ? row->under_way_count : 0;
    counted.under_way_count = 0;
    counted.minute = minute;
    return counted;
}

/* One look at the row and, unless it says no, one commit. RC_SPENT with *out_is_held false: the row
 * was changed meanwhile. */
static enum rc begin_once(const struct throttle_book *book,
                          const struct throttle_standing *standing, int64_t now,
                          struct throttle_try *try, bool *out_is_held)
{
    struct throttle counted = brought_forward(&standing->charged, minute_of(book, now));
    struct throttle_slot slot = { .under_way_count =
                                      counted.under_way_count + counted.under_way_before_count };
    UNINITIALIZED struct store_unit unit;

    throttle_follow(book, try, standing, now, &slot);
    *out_is_held = throttle_is_held(book, try, &slot, now);
    if (*out_is_held)
        return RC_SPENT;
    counted.failure_count = slot.failure_count;
    counted.last_failure_at = slot.failure_count > 0 ? slot.last_failure_at : now;
    try->minute = counted.minute;
    try->begun_ms = clock_monotonic_ms();
    store_unit_init(&unit);
    store_begin_try(&unit, &standing->charged, &counted, &limits, &try->begun_count);
    return store_commit(book->store, &unit);
}

enum rc throttle_shared_begin(const struct throttle_book *book,
                              const struct throttle_standing *standing, int64_t now,
                              struct throttle_try *try)
{
    struct throttle_standing seen = *standing;
    bool is_held;
    enum rc rc = begin_once(book, &seen, now, try, &is_held);

    for (int round = 1; rc == RC_SPENT && !is_held && round < ROUND_COUNT_MAX; round++) {
        rc = store_find_throttle(book->store, standing->charged.key, &seen.charged);
        if (rc == RC_OK)
            rc = begin_once(book, &seen, now, try, &is_held);
    }
    return rc == RC_NOT_FOUND ? RC_SPENT : rc;
}

enum rc throttle_shared_end(const struct throttle_book *book, enum throttle_outcome outcome,
                            int64_t now, struct throttle_try *try)
{
    const struct try_end end = { .minute = try->minute,
                                 .is_failure = outcome == OUTCOME_FAILURE,
                                 .at = now };
    UNINITIALIZED struct store_unit unit;
    int64_t failure_count = 0;
    enum rc rc;

    /* It may have been forgotten, and another begun in its place. */
    if (clock_monotonic_ms() - try->begun_ms >= THROTTLE_TRY_S * INT64_C(1000))
        return RC_UNAVAILABLE;
    store_unit_init(&unit);
    store_end_try(&unit, throttle_charged_key(try), &end, &failure_count);
    rc = store_commit(book->store, &unit);
    if (rc != RC_OK)
        return rc;
    try->is_late = throttle_is_late(book, try, failure_count - end.is_failure);
    try->is_locked_out = end.is_failure && throttle_fills_row(book, try, failure_count);
    return RC_OK;
}
