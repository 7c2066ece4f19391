/*
 * http/timer.h: deadlines.
 *
 * All deadlines of one class are equally far away when they are set, so each class is a list in
 * order of time: setting one puts it at the end, and the first is always the next to pass. A
 * deadline is total: what arrives meanwhile does not move it.
 */
#ifndef JETON_HTTP_TIMER_H
#define JETON_HTTP_TIMER_H

#include "http/http.h"

enum timer_class {
    TIMER_HANDSHAKE,
    TIMER_HEAD,
    TIMER_BODY,
    TIMER_IDLE,
    TIMER_WRITE,
    TIMER_LINGER,
    TIMER_REFUSAL, /* of the answer to a request that waited too long for its lane */
    TIMER_GRACE,   /* of a connection that is new when the server stops */
    TIMER_NONE     /* not running; also the number of classes */
};

struct timer {
    struct timer *previous;
    struct timer *next;
    int64_t deadline_ms; /* monotonic */
    enum timer_class class;
};

struct timer_lists {
    struct timer heads[TIMER_NONE];
    unsigned timeout_ms[TIMER_NONE];
};

void timer_lists_init(struct timer_lists *lists, const unsigned timeout_ms[static TIMER_NONE]);

/* Starts the timer, or starts it again. A timer that never ran has class TIMER_NONE. */
void timer_start(struct timer_lists *lists, struct timer *timer, enum timer_class class,
                 int64_t now_ms);

void timer_stop(struct timer *timer);

/* When the next deadline passes; INT64_MAX when none is running. */
int64_t timer_next_ms(const struct timer_lists *lists);

/* A timer whose deadline has passed, still running, or NULL. */
struct timer *timer_find_expired(const struct timer_lists *lists, int64_t now_ms);

#endif
