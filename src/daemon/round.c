#include "daemon/round.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum rc round_start(struct round *round, void *(*run)(void *), void *context)
{
    round->stop_fd = eventfd(0, EFD_CLOEXEC);
    ASSERT(round->stop_fd >= 0);
    if (pthread_create(&round->thread, NULL, run, context) == 0)
        return RC_OK;
    close(round->stop_fd);
    return RC_SYSTEM;
}

bool round_wait(const struct round *round, int period_ms)
{
    struct pollfd stop = { .fd = round->stop_fd, .events = POLLIN };

    return poll(&stop, 1, period_ms) <= 0;
}

void round_stop(struct round *round)
{
    const uint64_t one = 1;

    ASSERT(write(round->stop_fd, &one, sizeof(one)) == sizeof(one));
    pthread_join(round->thread, NULL);
    close(round->stop_fd);
}
