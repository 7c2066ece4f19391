#include "account/throttle_room.h"

#include <stdlib.h>

/* How long after its last failure a key with so many of them is held. */
static int64_t delay_s(int64_t failure_count)
{
    int64_t doublings = failure_count - THROTTLE_FREE_COUNT;

    if (doublings < 0)
        return 0;
    if (doublings >= 10)
        return THROTTLE_DELAY_S_MAX;
    return (int64_t)1 << doublings < THROTTLE_DELAY_S_MAX ? (int64_t)1 << doublings
                                                          : THROTTLE_DELAY_S_MAX;
}

bool throttle_has_lockout(const struct throttle_book *book, const struct throttle_try *try,
                          enum lockout_mode mode)
{
    return book->lockout.mode == mode && !try->is_exempt;
}

static bool is_lock_over(const struct throttle_book *book, const struct throttle_try *try,
                         int64_t failure_count, int64_t last_failure_at, int64_t now)
{
    return throttle_has_lockout(book, try, LOCKOUT_TIMED) && failure_count >= THROTTLE_FREE_COUNT &&
           now >= last_failure_at + book->lockout.duration_s;
}

bool throttle_is_lock_over(const struct throttle_book *book, const struct throttle_try *try,
                           const struct throttle *row, int64_t now)
{
    return is_lock_over(book, try, row->failure_count, row->last_failure_at, now);
}

bool throttle_is_held(const struct throttle_book *book, const struct throttle_try *try,
                      const struct throttle_slot *slot, int64_t now)
{
    /* NIST SP 800-63B-4 3.2.2: no more than 100 consecutive failures, those to come included. */
    if (slot->failure_count + slot->under_way_count >= THROTTLE_FAILURE_COUNT_MAX)
        return true;
    if (slot->failure_count < THROTTLE_FREE_COUNT)
        return false;
    if (throttle_has_lockout(book, try, LOCKOUT_TIMED))
        return true; /* one that is over is not counted any more */
    /* A failure that lies further ahead was seen by a clock that has been set back since. */
    return slot->under_way_count > 0 ||
           llabs(now - slot->last_failure_at) < delay_s(slot->failure_count);
}

/* Failures that count no more: an administrator forgave them, or they led to a lock that is over.
 */
static bool is_past(const struct throttle_book *book, const struct throttle_try *try,
                    int64_t failure_count, int64_t last_failure_at, int64_t unlocked_at,
                    int64_t now)
{
    return last_failure_at <= unlocked_at ||
           is_lock_over(book, try, failure_count, last_failure_at, now);
}

void throttle_follow(const struct throttle_book *book, const struct throttle_try *try,
                     const struct throttle_standing *standing, int64_t now,
                     struct throttle_slot *slot)
{
    const struct throttle *row = &standing->charged;
    int64_t unlocked_at = standing->unlocked_at;

    if (row->failure_count > slot->failure_count &&
        !is_past(book, try, row->failure_count, row->last_failure_at, unlocked_at, now)) {
        slot->failure_count = row->failure_count;
        slot->last_failure_at = row->last_failure_at;
    }
    if (slot->failure_count > 0 &&
        is_past(book, try, slot->failure_count, slot->last_failure_at, unlocked_at, now))
        slot->failure_count = 0;
}

bool throttle_is_late(const struct throttle_book *book, const struct throttle_try *try,
                      int64_t failure_count)
{
    return !try->is_exempt && book->lockout.mode != LOCKOUT_THROTTLE &&
           try->begun_count < THROTTLE_FREE_COUNT && failure_count >= THROTTLE_FREE_COUNT;
}

bool throttle_fills_row(const struct throttle_book *book, const struct throttle_try *try,
                        int64_t failure_count)
{
    return throttle_has_lockout(book, try, LOCKOUT_DISABLE) &&
           (failure_count == THROTTLE_FREE_COUNT || try->begun_count >= THROTTLE_FREE_COUNT);
}
