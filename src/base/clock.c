#include "base/clock.h"

#include <string.h>
#include <time.h>

static int64_t read_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_now_s(void)
{
    /* The second as of the last tick: reads no hardware, and every request asks. */
    return (int64_t)time(NULL);
}

int64_t clock_now_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

static _Thread_local int64_t turn_began_ns; /* 0: there is none */

void clock_begin_turn(void)
{
    turn_began_ns = clock_monotonic_ns();
}

void clock_end_turn(void)
{
    turn_began_ns = 0;
}

int64_t clock_turn_ns(void)
{
    return turn_began_ns != 0 ? turn_began_ns : clock_monotonic_ns();
}

int64_t clock_boot_ms(void)
{
    return read_ns(CLOCK_BOOTTIME) / 1000000;
}

/* "2026-11-22T06:13:28" of a second. */
static void format_second(int64_t second, char *out_text, size_t max_bytes)
{
    time_t time = (time_t)second;
    struct tm parts;

    gmtime_r(&time, &parts);
    strftime(out_text, max_bytes, "%Y-%m-%dT%H:%M:%S", &parts);
}

void clock_format_utc(int64_t unix_ms, char out_text[static CLOCK_TEXT_BYTES])
{
    enum { SECOND_TEXT_BYTES = 19 };
    /* Log lines come many to a second: the calendar is asked once for each. */
    static _Thread_local int64_t known_second = -1;
    static _Thread_local char known_text[SECOND_TEXT_BYTES + 1];
    const int64_t last_ms = INT64_C(253402300799999);
    unsigned ms;

    if (unix_ms < 0)
        unix_ms = 0;
    else if (unix_ms > last_ms)
        unix_ms = last_ms;
    if (unix_ms / 1000 != known_second) {
        known_second = unix_ms / 1000;
        format_second(known_second, known_text, sizeof(known_text));
    }
    ms = (unsigned)(unix_ms % 1000);
    memcpy(out_text, known_text, SECOND_TEXT_BYTES);
    out_text[SECOND_TEXT_BYTES] = '.';
    out_text[SECOND_TEXT_BYTES + 1] = (char)('0' + ms / 100);
    out_text[SECOND_TEXT_BYTES + 2] = (char)('0' + ms / 10 % 10);
    out_text[SECOND_TEXT_BYTES + 3] = (char)('0' + ms % 10);
    out_text[SECOND_TEXT_BYTES + 4] = 'Z';
    out_text[SECOND_TEXT_BYTES + 5] = '\0';
}
