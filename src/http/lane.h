/*
 * http/lane.h: a bounded queue and the threads that serve it.
 *
 * A job is pushed or refused, never waited for. A lane may have a budget of time: a job that has
 * waited longer when its turn comes is refused then, so that no thread works for a client that was
 * told to expect less. Judged by the wait itself, not by a guess of it: jobs of the hash lane take
 * tens of milliseconds or next to nothing. Where fewer than the threads wait behind it, the wait
 * was a hiccup of the disk or the machine that is over, and the job is run. A sleeping thread is
 * woken only when one sleeps.
 */
#ifndef JETON_HTTP_LANE_H
#define JETON_HTTP_LANE_H

#include "base/rc.h"

#include <stddef.h>

struct worker_lane;

struct lane_options {
    const char *name;          /* of its threads; at most 15 bytes                       */
    size_t capacity;           /* jobs that may wait                                     */
    unsigned thread_count;     /* at least 1                                             */
    int nice;                  /* of its threads, 0..19                                  */
    unsigned budget_ms;        /* 0: no budget; else the longest wait that is accepted   */
    void (*run)(void *job);    /* on a thread of the lane                             */
    void (*refuse)(void *job); /* the same, for a job over the budget                 */
};

/*
 * Starts the threads. All signals are blocked in them.
 *
 * Answers: RC_OK
 * Faults:  RC_SYSTEM a thread cannot be started
 */
enum rc lane_open(const struct lane_options *options, struct worker_lane **out_lane) MUST_CHECK;

/* RC_OK, or RC_BUSY: the queue is full, and the job is still the caller's. */
enum rc lane_push(struct worker_lane *lane, void *job) MUST_CHECK;

/* Jobs that wait now. */
size_t lane_depth(struct worker_lane *lane);

/* Ends the threads after the jobs they have in hand. A lane may still be pushed to: it is busy. */
void lane_stop(struct worker_lane *lane);

/* Takes a job that will not be run any more, or NULL. Only after lane_stop. */
void *lane_take_back(struct worker_lane *lane);

/* Only after lane_stop. */
void lane_close(struct worker_lane *lane);

#endif
