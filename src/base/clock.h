/*
 * base/clock.h: the two clocks.
 *
 * Lifetimes are Unix seconds, UTC, 64 bits. Deadlines and measured times are monotonic
 * milliseconds or nanoseconds and never meet the wall clock.
 */
#ifndef JETON_BASE_CLOCK_H
#define JETON_BASE_CLOCK_H

#include <stdint.h>

/* Unix seconds, UTC. */
int64_t clock_now_s(void);

/* Monotonic milliseconds since some start. */
int64_t clock_monotonic_ms(void);

/* Monotonic nanoseconds since some start. */
int64_t clock_monotonic_ns(void);

/*
 * A thread's turn: the time that it spends on one request. By it those whom it waits for know that
 * they make the same client wait.
 */
void clock_begin_turn(void);
void clock_end_turn(void);

/* When this thread's turn began, monotonic; now, when it has none. */
int64_t clock_turn_ns(void);

/* Monotonic milliseconds; also while the machine sleeps. */
int64_t clock_boot_ms(void);

enum { CLOCK_TEXT_BYTES = 25 };

/*
 * "2026-11-22T06:13:28.042Z" and a NUL, from Unix milliseconds. What lies before 1970 or after 9999
 * is shown as the nearest moment inside.
 */
void clock_format_utc(int64_t unix_ms, char out_text[static CLOCK_TEXT_BYTES]);

/* Unix milliseconds, UTC; for log lines only. */
int64_t clock_now_ms(void);

#endif
