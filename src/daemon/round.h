/*
 * daemon/round.h: a thread that goes round until it is told to stop.
 */
#ifndef JETON_DAEMON_ROUND_H
#define JETON_DAEMON_ROUND_H

#include <pthread.h>

#include "base/rc.h"

struct round {
    int stop_fd; /* an eventfd */
    pthread_t thread;
};

/* Starts it; `round` stands in what `context` is of.  RC_SYSTEM: there is no thread */
enum rc round_start(struct round *round, void *(*run)(void *), void *context) MUST_CHECK;

/* For the thread: waits. False: it is to end. */
bool round_wait(const struct round *round, int period_ms);

/* Tells it to end, and waits until it has. */
void round_stop(struct round *round);

#endif
