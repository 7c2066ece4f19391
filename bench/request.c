#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE_COUNT_MAX = 8,
};

/* Text of the request, then the value or the length or nothing. */
struct piece {
    struct text text;
    enum { PIECE_END, PIECE_VALUE, PIECE_LENGTH } then;
};

static struct piece pieces[PIECE_COUNT_MAX];
static size_t body_bytes; /* of the template without values */
static unsigned body_value_count;

static struct text values;
static uint64_t *value_starts; /* value_count + 1 of them */
uint64_t value_count;

_Noreturn void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, errno != 0 ? strerror(errno) : "refused");
    exit(1);
}

static struct text file_map(const char *path)
{
    struct stat status;
    void *at;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) != 0)
        die(path);
    if (status.st_size == 0) {
        errno = ENODATA;
        die(path);
    }
    at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED)
        die(path);
    close(fd);
    return (struct text){ at, (size_t)status.st_size };
}

void values_open(const char *path)
{
    uint64_t line_count = 0;

    values = file_map(path);
    for (size_t i = 0; i < values.bytes; i++)
        line_count += values.at[i] == '\n';
    value_starts = malloc((line_count + 1) * sizeof *value_starts);
    if (value_starts == NULL || line_count == 0)
        die(path);
    value_starts[0] = 0;
    for (size_t i = 0; i < values.bytes; i++)
        if (values.at[i] == '\n')
            value_starts[++value_count] = i + 1;
}

struct text value_at(uint64_t index)
{
    uint64_t start = value_starts[index];

    return (struct text){ values.at + start, value_starts[index + 1] - start - 1 };
}

void request_open(const char *path)
{
    struct text text = file_map(path);
    const char *body = memmem(text.at, text.bytes, "\r\n\r\n", 4);
    const char *end = text.at + text.bytes;
    size_t count = 0;

    if (body == NULL)
        die("the request has no end of its head");
    body += 4;
    body_bytes = (size_t)(end - body);
    while (count < PIECE_COUNT_MAX) {
        const char *value = memmem(text.at, (size_t)(end - text.at), "{value}", 7);
        const char *length = memmem(text.at, (size_t)(end - text.at), "{length}", 8);
        const char *stop = value != NULL && (length == NULL || value < length) ? value : length;

        if (stop == NULL) {
            pieces[count] = (struct piece){ { text.at, (size_t)(end - text.at) }, PIECE_END };
            return;
        }
        pieces[count].text = (struct text){ text.at, (size_t)(stop - text.at) };
        pieces[count++].then = stop == value ? PIECE_VALUE : PIECE_LENGTH;
        if (stop == value && stop >= body) {
            body_bytes -= 7;
            body_value_count++;
        }
        text.at = stop + (stop == value ? 7 : 8);
    }
    die("the request has too many places");
}

size_t request_format(struct text value, char out_request[static REQUEST_BYTES_MAX])
{
    char *end = out_request;

    for (size_t i = 0; i < PIECE_COUNT_MAX; i++) {
        struct text text = pieces[i].text;

        if ((size_t)(end - out_request) + text.bytes + value.bytes + 24 > REQUEST_BYTES_MAX)
            die("the request is too long");
        end = mempcpy(end, text.at, text.bytes);
        if (pieces[i].then == PIECE_END)
            break;
        if (pieces[i].then == PIECE_VALUE)
            end = mempcpy(end, value.at, value.bytes);
        else
            end += snprintf(end, 24, "%zu", body_bytes + body_value_count * value.bytes);
    }
    return (size_t)(end - out_request);
}
