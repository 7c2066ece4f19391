#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/control_wire.h"

enum rc control_connect(const char *data, int *out_fd)
{
    struct sockaddr_un address;
    int folder = control_address(data, &address);
    int fd;
    int result;

    if (folder < 0)
        return RC_NOT_FOUND;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0);
    result = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    close(folder);
    if (result != 0) {
        close(fd);
        return RC_NOT_FOUND;
    }
    *out_fd = fd;
    return RC_OK;
}

static bool write_text(int fd, const void *bytes, size_t len)
{
    return control_write_number(fd, (uint32_t)len) && control_write(fd, bytes, len);
}

static bool write_request(int fd, int argc, char *const *argv, const struct secret *input,
                          struct str document)
{
    unsigned parts =
        (input != NULL ? CONTROL_INPUT : 0u) | (document.len > 0 ? CONTROL_DOCUMENT : 0u);

    if (!control_write(fd, CONTROL_MAGIC, CONTROL_MAGIC_BYTES) ||
        !control_write_number(fd, (uint32_t)argc))
        return false;
    for (int i = 0; i < argc; i++) {
        if (!write_text(fd, argv[i], strlen(argv[i])))
            return false;
    }
    return control_write_number(fd, parts) &&
           (input == NULL || write_text(fd, input->bytes, input->len)) &&
           (document.len == 0 || write_text(fd, document.at, document.len));
}

/* Takes one part of the answer to its sink, or the status. */
static bool read_part(int fd, struct sink *out, struct sink *err, int *status)
{
    char bytes[SINK_BYTES];
    uint32_t kind;
    uint32_t len;
    bool is_read;

    if (!control_read_number(fd, &kind) || !control_read_number(fd, &len) || len > sizeof(bytes))
        return false;
    is_read = control_read(fd, bytes, len);
    if (is_read && kind == CONTROL_STATUS && len == 1)
        *status = (unsigned char)bytes[0];
    else if (is_read)
        sink_str(kind == CONTROL_OUT ? out : err, (struct str){ bytes, len });
    explicit_bzero(bytes, len);
    return is_read && kind >= CONTROL_OUT && kind <= CONTROL_STATUS;
}

enum rc control_run(int fd, int argc, char *const *argv, const struct secret *input,
                    struct str document, struct sink *out, struct sink *err, int *out_status)
{
    int status = -1;

    /* A server that refuses to listen may have said why already. */
    (void)write_request(fd, argc, argv, input, document);
    while (status < 0 && !out->is_closed) {
        if (!read_part(fd, out, err, &status))
            return RC_UNAVAILABLE;
    }
    sink_flush(out);
    sink_flush(err);
    *out_status = status < 0 ? STATUS_REFUSED : status;
    return RC_OK;
}
