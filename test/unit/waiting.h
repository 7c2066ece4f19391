/*
 * Waiting for what other threads do, with an end to it.
 */
#ifndef JETON_TEST_WAITING_H
#define JETON_TEST_WAITING_H

#include <time.h>

#include "base/clock.h"

enum { WAIT_MS = 20 * 1000 };

static inline void pause_shortly(void)
{
    const struct timespec pause = { .tv_nsec = 2 * 1000 * 1000 };

    nanosleep(&pause, NULL);
}

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int64_t until_ms = clock_monotonic_ms() + WAIT_MS;                                         \
                                                                                                   \
        while (!(condition) && clock_monotonic_ms() < until_ms)                                    \
            pause_shortly();                                                                       \
        assert_true(condition);                                                                    \
    } while (0)

#endif
