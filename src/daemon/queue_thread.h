/*
 * daemon/queue_thread.h: a thread that works off a queue in the store: mails, logout tokens.
 *
 * It takes one thing after the other, the one first that has been due for longest. It is woken by
 * the change feed when something is queued, and looks for itself every few seconds. No request ever
 * waits for it. When the store fails it rests for a minute,
 * or, while a shared one is away, for seconds.
 */
#ifndef JETON_DAEMON_QUEUE_THREAD_H
#define JETON_DAEMON_QUEUE_THREAD_H

#include "store/store.h"

struct queue_thread;

/* What is worked off. The context goes to all, which run on the thread. */
struct queue_work {
    enum store_change_kind kind; /* that says of new work; with key 0: rest no longer */
    const char *fault_event;     /* in the log: the store failed */
    /* RC_OK: one was dealt with, there may be more. RC_NOT_FOUND: none is due. Else a fault. */
    enum rc (*next)(void *context);
    void (*count)(void *context); /* counts what waits, for the metrics */
    void (*tend)(void *context);  /* before every look, so every few seconds; NULL: nothing */
    int settle_ms;                /* how long what was just queued is left alone, at most */
    void (*end)(void *context);   /* last of all; NULL: nothing */
    void *context;
};

/* Makes one that listens to the change feed already (see store_listen), and does nothing yet.
 * work   outlives the thread */
struct queue_thread *queue_thread_new(struct store *store, const struct queue_work *work);

/* Starts the thread. RC_SYSTEM */
enum rc queue_thread_start(struct queue_thread *thread) MUST_CHECK;

/* Nothing is begun for so long; from the thread. */
void queue_thread_rest(struct queue_thread *thread, int64_t pause_ms);

/* Readable when nobody has time any more; good until queue_thread_free. */
int queue_thread_stop_fd(const struct queue_thread *thread);

bool queue_thread_is_stopping(const struct queue_thread *thread);

/* From now on nothing more is begun. Any thread. */
void queue_thread_begin_stop(struct queue_thread *thread);

/* Waits for what is under way; the rest stays queued. Nothing may be committed afterwards. Of one
 * that was never started, work->end runs here. */
void queue_thread_free(struct queue_thread *thread);

#endif
