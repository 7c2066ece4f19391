#include "fetch/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "codec/field.h"

static int timeout_of(int64_t deadline_ms)
{
    int64_t left_ms;

    if (deadline_ms == INT64_MAX)
        return -1;
    left_ms = deadline_ms - clock_monotonic_ms();
    return left_ms <= 0 ? 0 : (int)left_ms;
}

/* Waits until the descriptor can be read or written. */
static bool wait_for(int fd, short events, struct wire_wait *wait)
{
    for (;;) {
        struct pollfd fds[2] = { { .fd = fd, .events = events },
                                 { .fd = wait->stop_fd, .events = POLLIN } };
        int count = poll(fds, wait->stop_fd < 0 ? 1 : 2, timeout_of(wait->deadline_ms));
        int64_t stop_at_ms;

        if (count < 0 && errno != EINTR)
            return false;
        if (count == 0)
            return false;
        if (count > 0 && fds[0].revents != 0)
            return true;
        if (count > 0 && wait->stop_fd >= 0 && fds[1].revents != 0) {
            stop_at_ms = clock_monotonic_ms() + wait->stop_ms;
            if (stop_at_ms < wait->deadline_ms)
                wait->deadline_ms = stop_at_ms;
            wait->stop_fd = -1;
        }
    }
}

static bool write_all(int fd, struct str bytes, struct wire_wait *wait)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent >= 0)
            bytes = str_from(bytes, (size_t)sent);
        else if (errno == EAGAIN && !wait_for(fd, POLLOUT, wait))
            return false;
        else if (errno != EAGAIN && errno != EINTR)
            return false;
    }
    return true;
}

static bool read_all(int fd, char *out_bytes, size_t len, struct wire_wait *wait)
{
    while (len > 0) {
        ssize_t got = recv(fd, out_bytes, len, MSG_DONTWAIT);

        if (got == 0)
            return false;
        if (got > 0) {
            out_bytes += got;
            len -= (size_t)got;
        } else if (errno == EAGAIN && !wait_for(fd, POLLIN, wait)) {
            return false;
        } else if (errno != EAGAIN && errno != EINTR) {
            return false;
        }
    }
    return true;
}

bool wire_write(int fd, uint32_t kind, uint32_t id, struct str body, struct wire_wait wait)
{
    char bytes[WIRE_HEAD_BYTES];
    struct buffer head = buffer_over(bytes, sizeof(bytes));

    ASSERT(body.len <= WIRE_BODY_BYTES_MAX);
    field_put_number(&head, kind);
    field_put_number(&head, id);
    field_put_number(&head, (uint32_t)body.len);
    return write_all(fd, buffer_str(&head), &wait) && write_all(fd, body, &wait);
}

bool wire_read(int fd, struct wire_head *out_head, char *out_body, struct wire_wait wait)
{
    char bytes[WIRE_HEAD_BYTES];
    struct str rest = { bytes, sizeof(bytes) };

    if (!read_all(fd, bytes, sizeof(bytes), &wait) || !field_take_number(&rest, &out_head->kind) ||
        !field_take_number(&rest, &out_head->id) || !field_take_number(&rest, &out_head->len) ||
        out_head->len > WIRE_BODY_BYTES_MAX)
        return false;
    return read_all(fd, out_body, out_head->len, &wait);
}

struct str fetch_code_format(int64_t code, char memory[static 16])
{
    switch (code) {
    case 0:
        return STR("-");
    case TROUBLE_HELPER:
        return STR("no helper");
    case TROUBLE_CONNECT:
        return STR("no connection");
    case TROUBLE_TLS:
        return STR("no trusted TLS");
    case TROUBLE_LOGIN:
        return STR("no login");
    case TROUBLE_TIMEOUT:
        return STR("timeout");
    case TROUBLE_CLOSED_OFF:
        return STR("closed off");
    case TROUBLE_TOO_LARGE:
        return STR("too large");
    case TROUBLE_PROTOCOL:
        return STR("broken off");
    default:
        snprintf(memory, 16, "%lld", (long long)code);
        return str_of(memory);
    }
}
