#include "daemon/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* Should anything write one all the same: private keys are in the heap of a library. It is said as
 * long as the process is dumpable, or the file would be root's alone. core(5) */
static void leave_memory_out_of_dumps(void)
{
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)!write(fd, "0", 1);
    close(fd);
}

void process_harden(void)
{
    const struct rlimit no_core = { 0, 0 };
    struct rlimit files;

    (void)setrlimit(RLIMIT_CORE, &no_core);
    leave_memory_out_of_dumps();
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    umask(077);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
}

/*
 * Pages are locked as they are touched. What is mapped later is not (no MCL_FUTURE): each password
 * hash maps 19 MiB and gives them back, and locking those made it 1.13 times as dear (median of 24
 * pairs). Later memory that holds secrets locks itself (http/exchange.c).
 */
void process_lock_memory(void)
{
    struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

    /* Only without a limit: the page of the master key is locked by itself in any case. */
    (void)setrlimit(RLIMIT_MEMLOCK, &limit);
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
        (void)mlockall(MCL_CURRENT | MCL_ONFAULT);
}

void process_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = path == NULL ? 0 : strlen(path);
    int fd;

    if (len < 2 || len >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') /* the abstract namespace */
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

void process_notify_reloading(void)
{
    char state[64];

    /* sd_notify(3): the time lets the manager tell this from earlier reloads. */
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)(clock_monotonic_ns() / 1000));
    process_notify(state);
}
