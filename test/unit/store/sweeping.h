/*
 * Waiting for the sweep: until it has taken what it is to take, and has gone round once more.
 */
#ifndef JETON_TEST_STORE_SWEEPING_H
#define JETON_TEST_STORE_SWEEPING_H

#include "../waiting.h"
#include "fixture.h"

enum { SWEEP_WAIT_MS = 60 * 1000 };

/* Waits until that many rows were swept since; the writer does it alone when nobody writes. */
static inline void wait_for_sweep(struct fixture *fixture, uint64_t row_count)
{
    int64_t deadline_ms = clock_monotonic_ms() + SWEEP_WAIT_MS;
    struct store_counts counts;

    do {
        pause_shortly();
        store_counts(fixture->store, &counts);
    } while (counts.swept_rows < row_count && clock_monotonic_ms() < deadline_ms);
    assert_int_equal(counts.swept_rows, row_count);
}

/* The same in a store that is written to, where nothing has to wait for a quiet second: units that
 * find nothing to change pay for the pages. */
static inline void write_until_swept(struct fixture *fixture, uint64_t row_count)
{
    int64_t deadline_ms = clock_monotonic_ms() + SWEEP_WAIT_MS;
    struct store_counts counts;

    do {
        pause_shortly();
        assert_int_equal(COMMIT_ONE(fixture, store_touch_session, INT64_MAX, 1), RC_OK);
        store_counts(fixture->store, &counts);
    } while (counts.swept_rows < row_count && clock_monotonic_ms() < deadline_ms);
    assert_int_equal(counts.swept_rows, row_count);
}

/*
 * Writes until every table was looked at once more: a row that may leave is there only after the
 * one before it has left, so the sweep has gone round in between. *swept counts all that left.
 */
static inline void write_for_a_whole_turn(struct fixture *fixture, uint64_t *swept)
{
    int index;

    for (index = 0; index < 2; index++) {
        assert_int_equal(
            COMMIT_ONE(fixture, store_revoke_token, 999, fixture->now, fixture->now - 1), RC_OK);
        write_until_swept(fixture, ++*swept);
    }
}

#endif
