#include "daemon/queue_thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/shared.h"

enum {
    LOOK_INTERVAL_MS = 5 * 1000,
    FAULT_PAUSE_MS = 60 * 1000, /* while the store cannot be written, or read */
    AWAY_PAUSE_MS = 2 * 1000    /* while it is a shared one that is away      */
};

struct queue_thread {
    struct store *store;
    const struct queue_work *work;
    int wake_fd; /* eventfds */
    int stop_fd;
    _Atomic bool is_hastened; /* somebody says that there is no need to rest */
    int64_t rests_until_ms;
    bool is_failing;
    pthread_t thread;
    bool has_thread;
};

static void raise_fd(int fd)
{
    const uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof(one));

    (void)written; /* it is raised already */
}

static bool is_raised_within(int fd, int wait_ms)
{
    struct pollfd raised = { .fd = fd, .events = POLLIN };

    return poll(&raised, 1, wait_ms) > 0;
}

static bool is_raised(int fd)
{
    return is_raised_within(fd, 0);
}

static void on_change(void *context, const struct store_change *change)
{
    struct queue_thread *thread = context;

    if (change->kind != thread->work->kind && change->kind != CHANGE_ALL)
        return;
    if (change->key == 0)
        atomic_store(&thread->is_hastened, true);
    raise_fd(thread->wake_fd);
}

struct queue_thread *queue_thread_new(struct store *store, const struct queue_work *work)
{
    struct queue_thread *thread = calloc(1, sizeof(*thread));

    ASSERT(thread != NULL);
    thread->store = store;
    thread->work = work;
    thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    thread->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(thread->wake_fd >= 0 && thread->stop_fd >= 0);
    store_listen(store, on_change, thread);
    return thread;
}

void queue_thread_rest(struct queue_thread *thread, int64_t pause_ms)
{
    thread->rests_until_ms = clock_monotonic_ms() + pause_ms;
}

/* A shared store that is away is back as suddenly, and says so itself (daemon/database_watch.h). */
static void rest_after_fault(struct queue_thread *thread, enum rc rc)
{
    bool is_away = rc == RC_UNAVAILABLE && store_is_shared(thread->store);

    queue_thread_rest(thread, is_away ? AWAY_PAUSE_MS : FAULT_PAUSE_MS);
    if (!is_away || !thread->is_failing)
        log_event(LOG_ERROR, thread->work->fault_event, LOG_TEXT("fault", rc_name(rc)));
    thread->is_failing = true;
}

static void drain(struct queue_thread *thread)
{
    const struct queue_work *work = thread->work;
    enum rc rc = RC_OK;

    if (atomic_exchange(&thread->is_hastened, false))
        thread->rests_until_ms = 0;
    while (rc == RC_OK && clock_monotonic_ms() >= thread->rests_until_ms &&
           !is_raised(thread->stop_fd)) {
        work->count(work->context);
        rc = work->next(work->context);
    }
    work->count(work->context);
    if (rc_is_fault(rc))
        rest_after_fault(thread, rc);
    else
        thread->is_failing = false;
}

static void *thread_main(void *context)
{
    struct queue_thread *thread = context;
    uint64_t raised;

    while (!is_raised(thread->stop_fd)) {
        struct pollfd fds[2] = { { .fd = thread->wake_fd, .events = POLLIN },
                                 { .fd = thread->stop_fd, .events = POLLIN } };

        if (thread->work->tend != NULL)
            thread->work->tend(thread->work->context);
        drain(thread);
        if (poll(fds, 2, LOOK_INTERVAL_MS) <= 0 || fds[0].revents == 0)
            continue;
        if (read(thread->wake_fd, &raised, sizeof(raised)) < 0 && errno != EAGAIN)
            break;
        (void)is_raised_within(thread->stop_fd, thread->work->settle_ms);
    }
    if (thread->work->end != NULL)
        thread->work->end(thread->work->context);
    return NULL;
}

enum rc queue_thread_start(struct queue_thread *thread)
{
    thread->has_thread = pthread_create(&thread->thread, NULL, thread_main, thread) == 0;
    return thread->has_thread ? RC_OK : RC_SYSTEM;
}

int queue_thread_stop_fd(const struct queue_thread *thread)
{
    return thread->stop_fd;
}

bool queue_thread_is_stopping(const struct queue_thread *thread)
{
    return is_raised(thread->stop_fd);
}

void queue_thread_begin_stop(struct queue_thread *thread)
{
    raise_fd(thread->stop_fd);
}

void queue_thread_free(struct queue_thread *thread)
{
    store_unlisten(thread->store, thread);
    queue_thread_begin_stop(thread);
    if (thread->has_thread)
        pthread_join(thread->thread, NULL);
    else if (thread->work->end != NULL)
        thread->work->end(thread->work->context);
    close(thread->wake_fd);
    close(thread->stop_fd);
    free(thread);
}
