#include "daemon/options.h"

static const struct option_spec *find_spec(const struct option_spec *table, struct str name)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (!option_is_heading(table) && str_equal(str_of(table->name), name))
            return table;
    }
    return NULL;
}

static enum rc refuse(struct buffer *out_error, const char *before, struct str name,
                      const char *after)
{
    /* Anything but a plain name might be a value that lost its place. */
    for (size_t i = 0; i < name.len; i++) {
        char byte = name.at[i];

        if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-') ||
            i >= 40) {
            name.len = i;
            break;
        }
    }
    buffer_append_str(out_error, str_of(before));
    buffer_append_str(out_error, name);
    buffer_append_str(out_error, str_of(after));
    return RC_INVALID;
}

/* Takes the option that stands at argv[*index], and its argument. */
static enum rc take_option(const struct option_spec *own, const struct option_spec *common,
                           int argc, char *const *argv, int *index, struct options *options,
                           struct buffer *out_error)
{
    struct str word = str_from(str_of(argv[*index]), 2);
    struct str name = { word.at, str_index_of(word, '=') };
    const struct option_spec *spec = find_spec(own, name);
    const char *text = "";

    if (spec == NULL)
        spec = find_spec(common, name);
    if (spec == NULL)
        return refuse(out_error, "unknown option --", name, "");
    if (!spec->repeats && options_has(options, spec->name))
        return refuse(out_error, "--", name, " is given twice");
    if (options->option_count == OPTION_COUNT_MAX)
        return refuse(out_error, "too many options, at --", name, "");
    if (name.len < word.len) {
        if (spec->argument == NULL)
            return refuse(out_error, "--", name, " takes no argument");
        text = word.at + name.len + 1;
    } else if (spec->argument != NULL) {
        if (*index + 1 >= argc)
            return refuse(out_error, "--", name, " needs an argument");
        (*index)++;
        text = argv[*index];
    }
    options->options[options->option_count++] = (struct option){ spec, text };
    return RC_OK;
}

enum rc options_parse(const struct option_spec *own, const struct option_spec *common, int argc,
                      char *const *argv, struct options *out_options, struct buffer *out_error)
{
    bool is_past_options = false;
    enum rc rc;

    out_options->option_count = 0;
    out_options->argument_count = 0;
    for (int i = 0; i < argc; i++) {
        struct str word = str_of(argv[i]);

        if (!is_past_options && str_equal(word, STR("--"))) {
            is_past_options = true;
        } else if (!is_past_options && str_starts_with(word, STR("--"))) {
            rc = take_option(own, common, argc, argv, &i, out_options, out_error);
            if (rc != RC_OK)
                return rc;
        } else if (!is_past_options && word.len > 1 && word.at[0] == '-') {
            return refuse(out_error, "options begin with two dashes", STR(""), "");
        } else if (out_options->argument_count == OPTION_ARGUMENT_COUNT_MAX) {
            return refuse(out_error, "too many arguments", STR(""), "");
        } else {
            out_options->arguments[out_options->argument_count++] = argv[i];
        }
    }
    return RC_OK;
}

bool options_has_any(const struct options *options, const struct option_spec *table)
{
    for (; table->name != NULL; table++)
        for (size_t i = 0; i < options->option_count; i++)
            if (options->options[i].spec == table)
                return true;
    return false;
}

const char *options_find_nth(const struct options *options, const char *name, size_t index)
{
    for (size_t i = 0; i < options->option_count; i++) {
        if (strcmp(options->options[i].spec->name, name) == 0 && index-- == 0)
            return options->options[i].text;
    }
    return NULL;
}

const char *options_find(const struct options *options, const char *name)
{
    return options_find_nth(options, name, 0);
}

enum rc options_number(const struct options *options, const char *name, uint64_t least,
                       uint64_t most, uint64_t fallback, uint64_t *out_number,
                       struct buffer *out_error)
{
    const char *text = options_find(options, name);
    uint64_t number = fallback;

    if (text != NULL && (!str_parse_u64(str_of(text), most, &number) || number < least)) {
        buffer_append_format(out_error, "--%s must be a number from %llu to %llu", name,
                             (unsigned long long)least, (unsigned long long)most);
        return RC_INVALID;
    }
    *out_number = number;
    return RC_OK;
}
