#include "daemon/sink.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

void sink_flush(struct sink *sink)
{
    if (sink->len > 0 && !sink->is_closed)
        sink->is_closed = !sink->take(sink->context, (struct str){ sink->bytes, sink->len });
    explicit_bzero(sink->bytes, sink->len);
    sink->len = 0;
}

void sink_str(struct sink *sink, struct str text)
{
    while (text.len > 0) {
        size_t room = SINK_BYTES - sink->len;
        size_t part = text.len < room ? text.len : room;

        memcpy(sink->bytes + sink->len, text.at, part);
        sink->len += part;
        text = str_from(text, part);
        if (sink->len == SINK_BYTES)
            sink_flush(sink);
    }
}

void sink_format(struct sink *sink, const char *format, ...)
{
    char text[SINK_BYTES];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ASSERT(len >= 0);
    sink_str(sink,
             (struct str){ text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1 });
}

void sink_column(struct sink *sink, struct str text, size_t width)
{
    size_t character_count = 0;

    for (size_t i = 0; i < text.len; i++)
        character_count += ((unsigned char)text.at[i] & 0xc0) != 0x80;
    sink_str(sink, text);
    do {
        sink_text(sink, " ");
        character_count++;
    } while (character_count < width);
}

void sink_time_format(int64_t at, char out_text[static SINK_TIME_BYTES])
{
    char text[CLOCK_TEXT_BYTES];

    clock_format_utc(at * 1000, text);
    memcpy(out_text, text, SINK_TIME_BYTES - 2);
    out_text[SINK_TIME_BYTES - 2] = 'Z';
    out_text[SINK_TIME_BYTES - 1] = '\0';
}

void sink_time_column(struct sink *sink, int64_t at, const char *text_if_zero)
{
    char text[SINK_TIME_BYTES];

    sink_time_format(at, text);
    sink_column(sink, at == 0 ? str_of(text_if_zero) : str_of(text), SINK_TIME_BYTES + 1);
}

void sink_secret_line(struct sink *sink, const struct secret *secret)
{
    sink_str(sink, secret_expose(secret));
    sink_text(sink, "\n");
    sink_flush(sink);
}
