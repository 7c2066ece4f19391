#include "daemon/control_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int control_address(const char *data, struct sockaddr_un *out_address)
{
    int folder = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0)
        return -1;
    *out_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    snprintf(out_address->sun_path, sizeof(out_address->sun_path),
             "/proc/self/fd/%d/" CONTROL_SOCKET_NAME, folder);
    return folder;
}

bool control_write(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t written = send(fd, at, len, MSG_NOSIGNAL);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        at += written;
        len -= (size_t)written;
    }
    return true;
}

bool control_read(int fd, void *out_bytes, size_t len)
{
    char *at = out_bytes;

    while (len > 0) {
        ssize_t got = recv(fd, at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

bool control_write_number(int fd, uint32_t number)
{
    unsigned char bytes[CONTROL_NUMBER_BYTES] = { (unsigned char)number,
                                                  (unsigned char)(number >> 8),
                                                  (unsigned char)(number >> 16),
                                                  (unsigned char)(number >> 24) };

    return control_write(fd, bytes, sizeof(bytes));
}

bool control_read_number(int fd, uint32_t *out_number)
{
    unsigned char bytes[CONTROL_NUMBER_BYTES];

    if (!control_read(fd, bytes, sizeof(bytes)))
        return false;
    *out_number = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                  (uint32_t)bytes[3] << 24;
    return true;
}
