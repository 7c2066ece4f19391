#include "http/timer.h"

void timer_lists_init(struct timer_lists *lists, const unsigned timeout_ms[static TIMER_NONE])
{
    for (size_t class = 0; class < TIMER_NONE; class ++) {
        struct timer *head = &lists->heads[class];

        *head = (struct timer){ .previous = head, .next = head, .deadline_ms = INT64_MAX };
        lists->timeout_ms[class] = timeout_ms[class];
    }
}

void timer_stop(struct timer *timer)
{
    if (timer->class == TIMER_NONE)
        return;
    timer->previous->next = timer->next;
    timer->next->previous = timer->previous;
    timer->class = TIMER_NONE;
}

void timer_start(struct timer_lists *lists, struct timer *timer, enum timer_class class,
                 int64_t now_ms)
{
    struct timer *head = &lists->heads[class];

    timer_stop(timer);
    timer->class = class;
    timer->deadline_ms = now_ms + lists->timeout_ms[class];
    timer->previous = head->previous;
    timer->next = head;
    head->previous->next = timer;
    head->previous = timer;
}

int64_t timer_next_ms(const struct timer_lists *lists)
{
    int64_t next_ms = INT64_MAX;

    /* An empty list's first is its head, whose deadline never passes. */
    for (size_t class = 0; class < TIMER_NONE; class ++)
        if (lists->heads[class].next->deadline_ms < next_ms)
            next_ms = lists->heads[class].next->deadline_ms;
    return next_ms;
}

struct timer *timer_find_expired(const struct timer_lists *lists, int64_t now_ms)
{
    for (size_t class = 0; class < TIMER_NONE; class ++)
        if (lists->heads[class].next->deadline_ms <= now_ms)
            return lists->heads[class].next;
    return NULL;
}
