/*
 * bench/latency.h: a histogram of latencies in nanoseconds, exact to 1.6 %.
 *
 * Buckets grow by powers of two, each cut into 64 equal parts. Nothing is allocated, and adding one
 * costs a few instructions, so every request can be counted. One thread.
 */
#ifndef JETON_BENCH_LATENCY_H
#define JETON_BENCH_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_PARTS = 64,
    LATENCY_BUCKET_COUNT = 40 * LATENCY_PARTS,
};

struct latency {
    uint64_t count;
    int64_t max_ns;
    uint64_t buckets[LATENCY_BUCKET_COUNT];
};

static inline void latency_add(struct latency *latency, int64_t ns)
{
    uint64_t value = ns < LATENCY_PARTS ? LATENCY_PARTS : (uint64_t)ns;
    unsigned octave = 63 - (unsigned)__builtin_clzll(value) - 6;
    unsigned index = octave * LATENCY_PARTS + (unsigned)(value >> octave) - LATENCY_PARTS;

    latency->buckets[index < LATENCY_BUCKET_COUNT ? index : LATENCY_BUCKET_COUNT - 1]++;
    latency->count++;
    if (ns > latency->max_ns)
        latency->max_ns = ns;
}

/* The latency that this share (0 to 1) of all stayed below, in microseconds. */
static inline double latency_us(const struct latency *latency, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)latency->count);
    uint64_t seen = 0;

    for (unsigned i = 0; i < LATENCY_BUCKET_COUNT; i++) {
        seen += latency->buckets[i];
        if (seen > wanted)
            return (double)((uint64_t)(i % LATENCY_PARTS + LATENCY_PARTS) << i / LATENCY_PARTS) /
                   1000.0;
    }
    return (double)latency->max_ns / 1000.0;
}

#endif
