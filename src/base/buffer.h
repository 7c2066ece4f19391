/*
 * base/buffer.h: a builder of bytes with a fixed maximum.
 *
 * The caller brings the memory. Writing past the end sets `overflow` and writes nothing more, so a
 * chain of appends is checked once, at its end. A buffer that held secrets is wiped by its owner.
 */
#ifndef JETON_BASE_BUFFER_H
#define JETON_BASE_BUFFER_H

#include "base/str.h"

struct buffer {
    char *at;
    size_t len;       /* bytes written            */
    size_t max_bytes; /* bytes there is room for  */
    bool overflow;    /* sticky                   */
};

static inline struct buffer buffer_over(void *memory, size_t max_bytes)
{
    return (struct buffer){ .at = memory, .max_bytes = max_bytes };
}

static inline struct str buffer_str(const struct buffer *buffer)
{
    return (struct str){ buffer->at, buffer->len };
}

static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t len)
{
    if (buffer->overflow || len > buffer->max_bytes - buffer->len) {
        buffer->overflow = true;
        return;
    }
    if (len > 0)
        memcpy(buffer->at + buffer->len, bytes, len);
    buffer->len += len;
}

static inline void buffer_append_str(struct buffer *buffer, struct str view)
{
    buffer_append(buffer, view.at, view.len);
}

#define BUFFER_APPEND_LITERAL(buffer, literal)                                                     \
    buffer_append(buffer, "" literal, sizeof(literal) - 1)

static inline void buffer_append_byte(struct buffer *buffer, char byte)
{
    buffer_append(buffer, &byte, 1);
}

/* Decimal digits. */
void buffer_append_u64(struct buffer *buffer, uint64_t number);

/* printf into the buffer; never for secrets. */
void buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
