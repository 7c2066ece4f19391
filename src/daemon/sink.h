/*
 * daemon/sink.h: where a command writes: a few kilobytes gathered, then handed on.
 *
 * A command does not know whether its output goes to the terminal or through the control socket, so
 * lists may be as long as they like and nothing grows. What was handed on is wiped: a made secret
 * passes through here once.
 */
#ifndef JETON_DAEMON_SINK_H
#define JETON_DAEMON_SINK_H

#include "base/secret.h"
#include "base/str.h"

enum { SINK_BYTES = 8 * 1024 };

struct sink {
    /* Takes the bytes; false: the place takes no more. */
    bool (*take)(void *context, struct str bytes);
    void *context;
    bool is_closed; /* it took no more: lists may end early */
    size_t len;
    char bytes[SINK_BYTES];
};

static inline void sink_init(struct sink *sink, bool (*take)(void *, struct str), void *context)
{
    sink->take = take;
    sink->context = context;
    sink->is_closed = false;
    sink->len = 0;
}

void sink_str(struct sink *sink, struct str text);

static inline void sink_text(struct sink *sink, const char *text)
{
    sink_str(sink, str_of(text));
}

/* printf; at most SINK_BYTES; never for secrets. */
void sink_format(struct sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text, then spaces up to the width in characters and at least two. */
void sink_column(struct sink *sink, struct str text, size_t width);

/* "2026-11-22T06:13:28Z" in a column; "never" or "-" for 0, as the caller says. */
void sink_time_column(struct sink *sink, int64_t at, const char *text_if_zero);

/* The one way out for a secret: the bytes and a line feed. */
void sink_secret_line(struct sink *sink, const struct secret *secret);

void sink_flush(struct sink *sink);

enum { SINK_TIME_BYTES = 21 };

/* "2026-11-22T06:13:28Z" and a NUL. */
void sink_time_format(int64_t at, char out_text[static SINK_TIME_BYTES]);

#endif
