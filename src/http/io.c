#include "http/io.h"

#include <errno.h>
#include <sys/socket.h>

enum io io_of_tls(enum tls_progress progress)
{
    switch (progress) {
    case TLS_DONE:
        return IO_DONE;
    case TLS_WANTS_READ:
        return IO_WAITS_TO_READ;
    case TLS_WANTS_WRITE:
        return IO_WAITS_TO_WRITE;
    case TLS_CLOSED:
    case TLS_FAILED:
    default:
        return IO_ENDED;
    }
}

enum io io_read(int fd, struct tls_stream *tls, char *bytes, size_t max, size_t *out_len)
{
    ssize_t len;

    if (tls != NULL)
        return io_of_tls(tls_read(tls, bytes, max, out_len));
    len = recv(fd, bytes, max, 0);
    if (len > 0) {
        *out_len = (size_t)len;
        return IO_DONE;
    }
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return IO_WAITS_TO_READ;
    return IO_ENDED;
}

enum io io_write(int fd, struct tls_stream *tls, struct str bytes, size_t *out_len)
{
    ssize_t len;

    if (tls != NULL)
        return io_of_tls(tls_write(tls, bytes.at, bytes.len, out_len));
    len = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
    if (len >= 0) {
        *out_len = (size_t)len;
        return IO_DONE;
    }
    return errno == EAGAIN || errno == EINTR ? IO_WAITS_TO_WRITE : IO_ENDED;
}
