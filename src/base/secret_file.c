#include "base/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum rc secret_file_refuse(const char *setting, const char *path, const char *words,
                           struct buffer *out_error)
{
    buffer_append_format(out_error, "%s %s: %s", setting, path, words);
    return RC_INVALID;
}

enum rc secret_file_read(const char *setting, const char *path, struct buffer *out_bytes,
                         struct buffer *out_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    ssize_t len;

    if (fd < 0)
        return secret_file_refuse(setting, path, strerror(errno), out_error);
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        (status.st_mode & (S_IRWXO | S_IWGRP)) != 0) { /* LG-05 */
        close(fd);
        return secret_file_refuse(
            setting, path, "must be a file that others can neither read nor write; make it 0600",
            out_error);
    }
    len = read(fd, out_bytes->at, out_bytes->max_bytes);
    close(fd);
    if (len < 0 || (size_t)len == out_bytes->max_bytes) {
        explicit_bzero(out_bytes->at, out_bytes->max_bytes);
        return secret_file_refuse(setting, path, "cannot be read, or is too long", out_error);
    }
    out_bytes->len = (size_t)len;
    return RC_OK;
}
