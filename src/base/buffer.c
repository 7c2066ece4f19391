#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

void buffer_append_u64(struct buffer *buffer, uint64_t number)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20];
    size_t start = sizeof(digits);

    while (number >= 10) {
        size_t pair = 2 * (size_t)(number % 100);

        digits[--start] = pairs[pair + 1];
        digits[--start] = pairs[pair];
        number /= 100;
    }
    if (number > 0 || start == sizeof(digits))
        digits[--start] = (char)('0' + number);
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
