/*
 * base/log.h: one structured line per event, to stderr.
 *
 * Text when stderr is a terminal, JSON otherwise. Only http, web and daemon log; lower rooms
 * return. Values are escaped, so one event is always one line; an empty text is left out; there is
 * no way to log a struct secret. Lines are written with one write(2) each and may come from any
 * thread.
 *
 *     log_event(LOG_INFO, "token_issued", LOG_STR("client_id", id), LOG_INT("expires_in", 3600));
 */
#ifndef JETON_BASE_LOG_H
#define JETON_BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *name; /* lower-case words with underscores; NULL ends a list */
    bool is_number;
    int64_t number;
    struct str text; /* not escaped yet; cut at LOG_VALUE_BYTES_MAX          */
};

#define LOG_STR(name, view)   ((struct log_field){ name, false, 0, view })
#define LOG_TEXT(name, text)  ((struct log_field){ name, false, 0, str_of(text) })
#define LOG_INT(name, number) ((struct log_field){ name, true, number, { NULL, 0 } })

/* Sets what is written and how. Called once, before the first thread. */
void log_init(enum log_level least, enum log_format format);

bool log_is_on(enum log_level level);

/* Writes the line. fields is an array that a field with a NULL name ends. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

#define log_event(level, event, ...)                                                               \
    do {                                                                                           \
        if (log_is_on(level))                                                                      \
            log_write(level, event, (const struct log_field[]){ __VA_ARGS__, { 0 } });             \
    } while (0)

#endif
