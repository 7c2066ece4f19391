#include "http/handed.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The text up to the separator, which is cut off what remains. */
static struct str cut(struct str *rest, char separator)
{
    size_t at = str_index_of(*rest, separator);
    struct str before = { rest->at, at };

    *rest = at < rest->len ? str_from(*rest, at + 1) : str_from(*rest, at);
    return before;
}

void handed_read(struct handed *out_handed)
{
    const char *text = getenv(HTTP_HANDED_VARIABLE);
    struct str rest = str_of(text != NULL ? text : "");
    uint64_t number;

    out_handed->count = 0;
    if (!str_parse_u64(cut(&rest, '\n'), INT32_MAX, &number) || number != (uint64_t)getpid())
        return;
    while (rest.len > 0 && out_handed->count < HANDED_COUNT_MAX) {
        struct str line = cut(&rest, '\n');

        if (!str_parse_u64(cut(&line, ' '), INT32_MAX, &number))
            continue;
        /* Whatever becomes of it, no further program is to have it without being told so. */
        if (fcntl((int)number, F_SETFD, FD_CLOEXEC) == 0)
            out_handed->sockets[out_handed->count++] =
                (struct handed_socket){ .fd = (int)number, .address = line };
    }
}

int handed_take(struct handed *handed, struct str address)
{
    for (size_t i = 0; i < handed->count; i++) {
        int fd = handed->sockets[i].fd;

        if (fd >= 0 && str_equal(handed->sockets[i].address, address)) {
            handed->sockets[i].fd = -1;
            return fd;
        }
    }
    return -1;
}

void handed_close(struct handed *handed)
{
    for (size_t i = 0; i < handed->count; i++)
        if (handed->sockets[i].fd >= 0)
            close(handed->sockets[i].fd);
    handed->count = 0;
}

enum rc handed_leave(int fd, struct str address, struct buffer *to)
{
    if (to->len == 0)
        buffer_append_format(to, "%ld\n", (long)getpid());
    if (!str_starts_with(address, STR("fd:")))
        buffer_append_format(to, "%d %.*s\n", fd, STR_ARGS(address));
    return fcntl(fd, F_SETFD, 0) == 0 && !to->overflow ? RC_OK : RC_SYSTEM;
}
