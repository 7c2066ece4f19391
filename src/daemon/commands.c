#include <stdarg.h>
#include <stdio.h>

#include "daemon/apply_file.h"
#include "daemon/command.h"
#include "store/shared.h"

enum { MESSAGE_BYTES = 1024, LEFT_WIDTH = 32 };

const struct option_spec command_common_options[] = {
    { "data", "DIR", "the data folder of the server", false },
    { "master-key-file", "FILE", "where the master key is, if not in the data folder", false },
    { "database", "URL", "postgresql://…, the database of servers that share one", false },
    { "database-password-file", "FILE", "its password, if libpq does not find it", false },
    { "help", NULL, "show this help", false },
    { 0 },
};

static const struct command *const tables[] = {
    commands_user,  commands_factor, commands_service, commands_client,
    commands_token, commands_key,    commands_event,   commands_mail,
    commands_audit, commands_apply,  commands_import,
};

enum { TABLE_COUNT = sizeof(tables) / sizeof(tables[0]) };

command_reader *command_find_reader(const struct command *command)
{
    if (command->verb != NULL && strcmp(command->verb, "import") == 0)
        return import_file_read;
    if (command->verb == NULL &&
        (strcmp(command->noun, "plan") == 0 || strcmp(command->noun, "apply") == 0))
        return apply_file_read;
    return NULL;
}

bool command_stands_alone(const char *noun)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (const struct command *row = tables[i]; row->noun != NULL; row++) {
            if (strcmp(row->noun, noun) == 0 && row->verb == NULL)
                return true;
        }
    }
    return false;
}

static const struct command *find_command(const char *noun, const char *verb, bool *out_has_noun)
{
    *out_has_noun = false;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (const struct command *row = tables[i]; row->noun != NULL; row++) {
            if (strcmp(row->noun, noun) != 0)
                continue;
            *out_has_noun = true;
            if (row->verb == NULL || (verb != NULL && strcmp(row->verb, verb) == 0))
                return row;
        }
    }
    return NULL;
}

/* ---- messages ---- */

__attribute__((format(printf, 3, 0))) static void
write_line(struct sink *err, const char *name, const char *format, va_list args, const char *hint)
{
    char text[MESSAGE_BYTES];

    vsnprintf(text, sizeof(text), format, args);
    /* One event, one line: whatever a name held. */
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
    sink_format(err, "jeton: %s%s%s%s\n", name, *name == '\0' ? "" : ": ", text, hint);
}

int command_refuse(struct command_context *context, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(context->err, context->name, format, args, "");
    va_end(args);
    return STATUS_REFUSED;
}

void command_note(struct command_context *context, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(context->err, context->name, format, args, "");
    va_end(args);
}

__attribute__((format(printf, 3, 4))) static int usage(struct sink *err, const char *name,
                                                       const char *format, ...)
{
    char hint[128];
    va_list args;

    snprintf(hint, sizeof(hint), "; see 'jeton %s%s--help'", name, *name == '\0' ? "" : " ");
    va_start(args, format);
    write_line(err, name, format, args, hint);
    va_end(args);
    return STATUS_USAGE;
}

int command_usage(struct command_context *context, const char *format, ...)
{
    char text[MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return usage(context->err, context->name, "%s", text);
}

int command_fault(struct command_context *context, enum rc rc)
{
    const char *advice = "see that the disk has room and works";

    if (store_is_shared(context->store))
        advice = "see that the database runs and takes writes";
    if (rc == RC_BUSY)
        advice = "try again";
    return command_refuse(context, "nothing was changed: %s; %s", rc_words(rc), advice);
}

void command_rewind(struct command_context *context, size_t mark)
{
    struct arena *arena = context->arena;

    ASSERT(mark <= arena->used_bytes);
    explicit_bzero(arena->slab + mark, arena->used_bytes - mark);
    arena->used_bytes = mark;
}

/* ---- parsing ---- */

static void command_name(const struct command *command, char *out_name, size_t size)
{
    snprintf(out_name, size, "%s%s%s", command->noun, command->verb != NULL ? " " : "",
             command->verb != NULL ? command->verb : "");
}

/* What the noun can be asked for, for whoever has only half remembered it. */
static int usage_of_noun(const char *noun, const char *verb_or_null, struct sink *err)
{
    char bytes[MESSAGE_BYTES / 2];
    struct buffer verbs = buffer_over(bytes, sizeof(bytes));

    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (const struct command *row = tables[i]; row->noun != NULL; row++) {
            if (strcmp(row->noun, noun) == 0)
                buffer_append_format(&verbs, "%s%s", verbs.len > 0 ? ", " : "", row->verb);
        }
    }
    return usage(err, "", "%s: '%s' can be followed by %.*s",
                 verb_or_null == NULL ? "the command is cut short" : "unknown command", noun,
                 STR_ARGS(buffer_str(&verbs)));
}

static int find_line(int argc, char *const *argv, const struct command **out_command,
                     struct sink *err)
{
    const char *verb = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    bool has_noun;

    if (argc == 0)
        return usage(err, "", "a command is needed");
    *out_command = find_command(argv[0], verb, &has_noun);
    if (*out_command != NULL)
        return STATUS_DONE;
    if (has_noun)
        return usage_of_noun(argv[0], verb, err);
    if (argv[0][0] == '-')
        return usage(err, "", "the command stands before its options");
    return usage(err, "", "unknown command '%.40s'", argv[0]);
}

int command_parse(int argc, char *const *argv, struct command_line *out_line, struct sink *err)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    const struct command *command;
    struct options *options = &out_line->options;
    char name[64];
    int words;
    int status;

    status = find_line(argc, argv, &command, err);
    if (status != STATUS_DONE)
        return status;
    command_name(command, name, sizeof(name));
    words = command->verb != NULL ? 2 : 1;
    if (options_parse(command->options, command_common_options, argc - words, argv + words, options,
                      &error) != RC_OK)
        return usage(err, name, "%.*s", STR_ARGS(buffer_str(&error)));
    out_line->command = command;
    out_line->wants_help = options_has(options, "help");
    if (out_line->wants_help)
        return STATUS_DONE;
    if (!options_has(options, "data") && !options_has(options, "database"))
        return usage(err, name, "--data DIR or --database URL is needed");
    if (options_has(options, "database-password-file") && !options_has(options, "database"))
        return usage(err, name, "--database-password-file needs --database");
    if (command->argument != NULL && options->argument_count == 0)
        return usage(err, name, "%s is needed", command->argument);
    if (options->argument_count > (command->argument != NULL ? 1u : 0u))
        return usage(err, name, "there is an argument too many");
    return STATUS_DONE;
}

int command_run(struct command_context *context, int argc, char *const *argv,
                pthread_mutex_t *change_lock)
{
    struct command_line line;
    char name[64];
    int status;

    status = command_parse(argc, argv, &line, context->err);
    if (status != STATUS_DONE)
        return status;
    command_name(line.command, name, sizeof(name));
    context->name = name;
    if (line.wants_help) {
        command_help(line.command, context->out);
        return STATUS_DONE;
    }
    if (line.command->wants_input != NULL && line.command->wants_input(&line.options) &&
        context->input == NULL)
        return command_usage(context, "a line on standard input is needed");
    if (line.command->is_change)
        pthread_mutex_lock(change_lock);
    status = line.command->run(context, &line.options);
    if (line.command->is_change)
        pthread_mutex_unlock(change_lock);
    context->name = "";
    return status;
}

/* ---- help ---- */

static void help_options(const struct option_spec *table, struct sink *out)
{
    char left[64];

    for (; table != NULL && table->name != NULL; table++) {
        if (option_is_heading(table)) {
            sink_format(out, "\n%s:\n", table->help);
            continue;
        }
        snprintf(left, sizeof(left), "  --%s%s%s%s", table->name,
                 table->argument != NULL ? " " : "", table->argument != NULL ? table->argument : "",
                 table->repeats ? " …" : "");
        if (strlen(left) >= LEFT_WIDTH) {
            sink_format(out, "%s\n", left);
            left[0] = '\0';
        }
        sink_column(out, str_of(left), LEFT_WIDTH);
        sink_format(out, "%s\n", table->help);
    }
}

static void help_one(const struct command *command, struct sink *out)
{
    char name[64];

    command_name(command, name, sizeof(name));
    sink_format(out, "jeton %s%s%s --data DIR | --database URL [option…]\n%s\n\n", name,
                command->argument != NULL ? " " : "",
                command->argument != NULL ? command->argument : "", command->summary);
    help_options(command->options, out);
    help_options(command_common_options, out);
}

void command_help(const struct command *command_or_null, struct sink *out)
{
    char left[96];
    char name[64];

    if (command_or_null != NULL) {
        help_one(command_or_null, out);
        return;
    }
    sink_text(out, "jeton COMMAND --data DIR | --database URL [option…]\n\n"
                   "  serve                         answers requests until it is told to stop\n");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (const struct command *row = tables[i]; row->noun != NULL; row++) {
            command_name(row, name, sizeof(name));
            snprintf(left, sizeof(left), "  %s%s%s", name, row->argument != NULL ? " " : "",
                     row->argument != NULL ? row->argument : "");
            sink_column(out, str_of(left), 32);
            sink_format(out, "%s\n", row->summary);
        }
    }
    sink_text(out, "  backup FILE                   writes all of a store to an encrypted file\n"
                   "  restore FILE                  makes a store of such a file\n"
                   "  move                          moves all of a store into another one\n"
                   "  doctor                        says what is wrong: settings, machine, store\n"
                   "  version                       says which version this is\n"
                   "  help                          shows this\n\n"
                   "'jeton COMMAND --help' shows the options of a command.\n"
                   "Exit status: 0 done, 1 refused, 2 wrong usage;\n"
                   "3 of plan --detailed-exitcode: there is something to change.\n");
}
