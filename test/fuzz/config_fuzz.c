/*
 * Any bytes as a configuration file: read, or refused with one line that names the file.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"
#include "fuzz.h"

static void check_error(const struct buffer *error, const char *path)
{
    struct str text = buffer_str(error);

    ASSERT(text.len > 0 && memchr(text.at, '\n', text.len) == NULL);
    ASSERT(error->overflow || memmem(text.at, text.len, path, strlen(path)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_file *file = NULL;
    char memory[1024];
    struct buffer error = buffer_over(memory, sizeof(memory));
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);

    ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (config_file_open(path, &file, &error) == RC_OK)
        config_file_close(file);
    else
        check_error(&error, path);
    close(fd);
    return 0;
}
