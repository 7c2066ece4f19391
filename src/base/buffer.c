#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

void buffer_append_u64(struct buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t start = sizeof(digits);

    do {
        digits[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_append(buffer, digits + start, sizeof(digits) - start);
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    size_t room = buffer->max_bytes - buffer->len;
    va_list args;
    int len;

    if (buffer->overflow)
        return;
    va_start(args, format);
    len = vsnprintf(room == 0 ? NULL : buffer->at + buffer->len, room, format, args);
    va_end(args);
    /* vsnprintf wants room for its NUL; a text that fits exactly without it counts as overflow. */
    if (len < 0 || (size_t)len >= room)
        buffer->overflow = true;
    else
        buffer->len += (size_t)len;
}
