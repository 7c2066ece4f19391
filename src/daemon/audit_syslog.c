#include "daemon/audit_syslog.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000, HEAD_BYTES = 48 };

/* Of the one thread that writes. */
static int log_fd = -1;
static bool is_stuck; /* the last line was not taken: the next one is not waited for */

void audit_syslog_open(void)
{
    const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

    if (log_fd >= 0)
        close(log_fd);
    log_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (log_fd < 0 || connect(log_fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return;
    close(log_fd);
    log_fd = -1;
}

/* Whoever reads may be slow, and must not be waited for: a stop would wait, too. */
static bool send_now(const struct msghdr *message)
{
    struct pollfd ready = { .fd = log_fd, .events = POLLOUT };

    if (log_fd < 0)
        return false;
    if (sendmsg(log_fd, message, MSG_NOSIGNAL) >= 0)
        return true;
    return errno == EAGAIN && poll(&ready, 1, is_stuck ? 0 : PATIENCE_MS) > 0 &&
           sendmsg(log_fd, message, MSG_NOSIGNAL) >= 0;
}

/* RFC 3164 4.1 and 4.3.2: without a time of ours, which would have to be local; the line has it. */
bool audit_syslog_write(struct str line)
{
    char head[HEAD_BYTES];
    int len = snprintf(head, sizeof(head), "<%d>jeton[%d]: ", LOG_AUTHPRIV | LOG_INFO, getpid());
    struct iovec parts[] = { { head, (size_t)len }, { (void *)(uintptr_t)line.at, line.len } };
    const struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    bool is_sent = send_now(&message);

    if (!is_sent && (log_fd < 0 || errno != EAGAIN)) { /* it was started again */
        audit_syslog_open();
        is_sent = send_now(&message);
    }
    is_stuck = !is_sent;
    return is_sent;
}
