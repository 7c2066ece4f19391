/*
 * web/process_meters.h: what this process takes of the machine, for the metrics.
 *
 * What has to be opened for that is opened at the start, before the process gives up opening
 * files. Read by one thread at a time, the event loop of the metrics' listener.
 */
#ifndef JETON_WEB_PROCESS_METERS_H
#define JETON_WEB_PROCESS_METERS_H

#include <dirent.h>
#include <stdint.h>

struct process_meters {
    DIR *descriptors; /* /proc/self/fd; NULL: there is no /proc here */
    int memory_fd;    /* /proc/self/statm; -1 */
    int64_t started_at;
};

struct process_use {
    int64_t cpu_ms;
    uint64_t memory_bytes; /* 0: not known */
    uint64_t descriptors;  /* 0: not known */
    uint64_t descriptors_max;
};

void process_meters_open(struct process_meters *out_meters);
void process_meters_close(struct process_meters *meters);
void process_meters_read(const struct process_meters *meters, struct process_use *out_use);

#endif
