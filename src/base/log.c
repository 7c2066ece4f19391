#include "base/log.h"

#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/rc.h"

static enum log_level log_least = LOG_INFO;
static bool log_as_json = true;

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const char *const level_columns[] = { "debug", "info ", "warn ", "error" };

void log_init(enum log_level least, enum log_format format)
{
    log_least = least;
    log_as_json =
        format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO) == 0);
}

bool log_is_on(enum log_level level)
{
    return level >= log_least;
}

/* The code point of a well-formed sequence; those of four bytes need no closer look. */
static unsigned code_point(struct str sequence)
{
    const unsigned char *at = (const unsigned char *)sequence.at;

    switch (sequence.len) {
    case 1:
        return at[0];
    case 2:
        return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    case 3:
        return (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    default:
        return 0x10000;
    }
}

/*
 * What could end a line, drive a terminal or turn the reading direction: the control characters of
 * both sets, the line separators and the bidirectional controls.
 */
static bool is_unsafe(unsigned point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

/* How many bytes at the front stand for themselves. */
static size_t plain_bytes(struct str value)
{
    size_t len = 0;

    while (len < value.len && value.at[len] >= 0x20 && value.at[len] < 0x7f &&
           value.at[len] != '"' && value.at[len] != '\\')
        len++;
    return len;
}

/* Appends the first character, which needs a look; returns the bytes it took. A byte that is not
 * UTF-8 is shown by its value. */
static size_t append_special(struct buffer *line, struct str value)
{
    size_t len = str_utf8_sequence(value);
    struct str sequence = { value.at, len == 0 ? 1 : len };
    unsigned point = len == 0 ? (unsigned char)value.at[0] : code_point(sequence);

    if (len == 0 || is_unsafe(point))
        buffer_append_format(line, "\\u%04x", point);
    else if (point == '"' || point == '\\')
        buffer_append_format(line, "\\%c", (int)point);
    else
        buffer_append_str(line, sequence);
    return sequence.len;
}

/* Both formats share one escaping: JSON's. */
static void append_escaped(struct buffer *line, struct str value)
{
    while (value.len > 0) {
        size_t plain = plain_bytes(value);

        buffer_append(line, value.at, plain);
        value = str_from(value, plain);
        if (value.len > 0)
            value = str_from(value, append_special(line, value));
    }
}

/* At most LOG_VALUE_BYTES_MAX, and not through the middle of a UTF-8 sequence. */
static struct str cut(struct str value)
{
    size_t len = LOG_VALUE_BYTES_MAX;

    if (value.len <= len)
        return value;
    while (len > LOG_VALUE_BYTES_MAX - 4 && ((unsigned char)value.at[len] & 0xc0) == 0x80)
        len--;
    return (struct str){ value.at, len };
}

/* Without printf: a line is written for every token that is issued. */
static void append_text(struct buffer *line, const char *text)
{
    buffer_append_str(line, str_of(text));
}

static void append_number(struct buffer *line, int64_t number)
{
    if (number < 0)
        buffer_append_byte(line, '-');
    buffer_append_u64(line, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

static void append_field(struct buffer *line, const struct log_field *field)
{
    append_text(line, log_as_json ? ",\"" : " ");
    append_text(line, field->name);
    append_text(line, log_as_json ? "\":" : "=");
    if (field->is_number) {
        append_number(line, field->number);
        return;
    }
    buffer_append_byte(line, '"');
    append_escaped(line, cut(field->text));
    buffer_append_byte(line, '"');
}

static void append_start(struct buffer *line, enum log_level level, const char *event)
{
    char at[CLOCK_TEXT_BYTES];

    clock_format_utc(clock_now_ms(), at);
    append_text(line, log_as_json ? "{\"at\":\"" : "");
    append_text(line, at);
    append_text(line, log_as_json ? "\",\"level\":\"" : " ");
    append_text(line, log_as_json ? level_names[level] : level_columns[level]);
    append_text(line, log_as_json ? "\",\"event\":\"" : " ");
    append_text(line, event);
    append_text(line, log_as_json ? "\"" : "");
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    UNINITIALIZED char memory[LOG_LINE_BYTES_MAX];
    struct buffer line = buffer_over(memory, sizeof(memory) - 2);
    size_t whole_bytes;
    ssize_t written;

    append_start(&line, level, event);
    whole_bytes = line.len;
    for (; fields->name != NULL; fields++) {
        if (!fields->is_number && fields->text.len == 0)
            continue;
        append_field(&line, fields);
        if (line.overflow)
            break;
        whole_bytes = line.len;
    }
    /* A line that grew too long loses whole fields at its end, never its shape. */
    if (log_as_json)
        memory[whole_bytes++] = '}';
    memory[whole_bytes++] = '\n';
    /* A log that cannot be written has nowhere to say so. */
    written = write(STDERR_FILENO, memory, whole_bytes);
    (void)written;
}
