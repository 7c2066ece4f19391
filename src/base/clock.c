#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
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

void clock_format_utc(int64_t unix_ms, char out_text[static CLOCK_TEXT_BYTES])
{
    const int64_t last_ms = INT64_C(253402300799999);
    time_t seconds;
    struct tm parts;
    size_t len;

    if (unix_ms < 0)
        unix_ms = 0;
    else if (unix_ms > last_ms)
        unix_ms = last_ms;
    seconds = (time_t)(unix_ms / 1000);
    gmtime_r(&seconds, &parts);
    len = strftime(out_text, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out_text + len, CLOCK_TEXT_BYTES - len, ".%03dZ", (int)(unix_ms % 1000));
}
