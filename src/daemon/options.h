/*
 * daemon/options.h: a command line's words against a table of options.
 *
 * An option is --name, with its argument in the next word or after '='. Options and arguments may
 * stand in any order; "--" ends the options. Everything that is not in the table is refused, and so
 * is an option that stands twice without being allowed to. Values are never repeated in an error:
 * somebody may have put a secret there.
 */
#ifndef JETON_DAEMON_OPTIONS_H
#define JETON_DAEMON_OPTIONS_H

#include "base/buffer.h"
#include "base/rc.h"

struct option_spec {
    const char *name;     /* without the dashes; "": `help` is a heading; NULL ends a table */
    const char *argument; /* "DIR"; NULL: a switch                 */
    const char *help;     /* one line                              */
    bool repeats;
};

enum { OPTION_COUNT_MAX = 256, OPTION_ARGUMENT_COUNT_MAX = 4 };

struct option {
    const struct option_spec *spec;
    const char *text; /* "" for a switch */
};

static inline bool option_is_heading(const struct option_spec *spec)
{
    return spec->name[0] == '\0';
}

/* What was found; points into argv and the tables. */
struct options {
    struct option options[OPTION_COUNT_MAX];
    size_t option_count;
    const char *arguments[OPTION_ARGUMENT_COUNT_MAX];
    size_t argument_count;
};

/*
 * Reads argv[0..argc).
 *
 * own, common   two tables; both are searched
 * out_error     on RC_INVALID: what is wrong, in a few words
 */
enum rc options_parse(const struct option_spec *own, const struct option_spec *common, int argc,
                      char *const *argv, struct options *out_options,
                      struct buffer *out_error) MUST_CHECK;

/* The text of the option, or NULL when it was not given. */
const char *options_find(const struct options *options, const char *name);

static inline bool options_has(const struct options *options, const char *name)
{
    return options_find(options, name) != NULL;
}

/* Whether any option of the table was given. */
bool options_has_any(const struct options *options, const struct option_spec *table);

/* The text of its index-th occurrence, or NULL. */
const char *options_find_nth(const struct options *options, const char *name, size_t index);

/*
 * A number from least to most; fallback when the option was not given. RC_INVALID with the reason
 * when it is none.
 */
enum rc options_number(const struct options *options, const char *name, uint64_t least,
                       uint64_t most, uint64_t fallback, uint64_t *out_number,
                       struct buffer *out_error) MUST_CHECK;

#endif
