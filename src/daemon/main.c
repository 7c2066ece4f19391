#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/audit_file.h"
#include "daemon/command_backup.h"
#include "daemon/command_move.h"
#include "daemon/control.h"
#include "daemon/doctor.h"
#include "daemon/house.h"
#include "daemon/input.h"
#include "daemon/process.h"
#include "daemon/serve.h"

enum {
    ERROR_BYTES = 512,
    /* A folder that is held is a server's that starts or stops, or another command's. */
    HELD_RETRY_COUNT = 600,
    HELD_RETRY_MS = 50
};

/* ---- standard output and error as sinks ---- */

static int out_fd = STDOUT_FILENO;
static int err_fd = STDERR_FILENO;
static bool has_lost_output; /* a reader that had enough is no loss */

static bool take_fd(void *context, struct str bytes)
{
    int fd = *(const int *)context;

    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.at, bytes.len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            has_lost_output = fd == STDOUT_FILENO && errno != EPIPE;
            return false;
        }
        bytes = str_from(bytes, (size_t)written);
    }
    return true;
}

/* ---- one command ---- */

/* A command line on its way. */
struct call {
    int argc;
    char *const *argv;
    const struct command_line *line;
    const struct secret *input;
    struct str document;
    struct sink *out;
    struct sink *err;
};

static int say(struct call *call, const char *words)
{
    sink_format(call->err, "jeton: %s\n", words);
    return STATUS_REFUSED;
}

/* Runs it by the server, if there is one: RC_NOT_FOUND when there is none. */
static enum rc run_by_server(struct call *call, const char *data, int *out_status)
{
    enum rc rc;
    int fd;

    rc = control_connect(data, &fd);
    if (rc != RC_OK)
        return rc;
    rc = control_run(fd, call->argc, call->argv, call->input, call->document, call->out, call->err,
                     out_status);
    close(fd);
    if (rc != RC_OK)
        *out_status = say(call, "the server broke off; see whether the change was made, with a "
                                "list or its log");
    return RC_OK;
}

/* Runs it here: RC_EXISTS when the folder is held by somebody else. */
static enum rc run_here(struct call *call, const struct database *database_or_null, int *out_status)
{
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    const struct house_config config = {
        .data = options_find(&call->line->options, "data"),
        .database = database_or_null,
        .master_key_file = options_find(&call->line->options, "master-key-file"),
    };
    struct house house;
    enum rc rc;

    rc = house_open(&config, &house, &error);
    if (rc == RC_EXISTS)
        return rc;
    if (rc != RC_OK) {
        sink_format(call->err, "jeton: %.*s\n", STR_ARGS(buffer_str(&error)));
        *out_status = STATUS_REFUSED;
        return RC_OK;
    }
    if (house.master_key_was_made)
        sink_format(call->err,
                    "jeton: made %s/master.key, which opens all that is sealed in the "
                    "store: keep a copy of it elsewhere\n",
                    config.data);
    *out_status = house_run_command(&house, getuid(), call->argc, call->argv, call->input,
                                    call->document, call->out, call->err);
    house_close(&house);
    return RC_OK;
}

static int usage(struct call *call, struct str words)
{
    const struct command *command = call->line->command;
    const char *space = command->verb != NULL ? " " : "";
    const char *verb = command->verb != NULL ? command->verb : "";

    sink_format(call->err, "jeton: %s%s%s: %.*s; see 'jeton %s%s%s --help'\n", command->noun, space,
                verb, STR_ARGS(words), command->noun, space, verb);
    return STATUS_USAGE;
}

/* The server of a folder beside the database: only it knows how it sends mail. */
static bool is_run_beside(struct call *call, const struct database *database, int *out_status)
{
    const char *data = options_find(&call->line->options, "data");
    char bytes[ERROR_BYTES];
    struct buffer ignored = buffer_over(bytes, sizeof(bytes));

    return data != NULL && database_check_folder(database, data, &ignored) == RC_OK &&
           run_by_server(call, data, out_status) == RC_OK;
}

/*
 * On a shared database a command is one more process, unless a server runs on the folder that is
 * named beside it: servers hear of the change by the feed.
 */
static int run_on_database(struct call *call, const char *uri)
{
    AUTO(database) database = { .has_password = false };
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    int status = STATUS_REFUSED;
    enum rc rc;

    buffer_append_str(&error, STR("--"));
    rc = database_open(uri, options_find(&call->line->options, "database-password-file"), &database,
                       &error);
    if (rc != RC_OK)
        return usage(call, buffer_str(&error));
    if (database.has_password)
        sink_text(call->err,
                  "jeton: --database has a password in it, and " DATABASE_PASSWORD_ADVICE "\n");
    if (is_run_beside(call, &database, &status))
        return status;
    rc = run_here(call, &database, &status);
    ASSERT(rc == RC_OK);
    return status;
}

static int run(struct call *call)
{
    const struct timespec pause = { .tv_nsec = HELD_RETRY_MS * 1000000L };
    const char *data = options_find(&call->line->options, "data");
    const char *uri = options_find(&call->line->options, "database");
    struct stat status;
    int result;

    if (data != NULL && !call->line->command->is_change && stat(data, &status) != 0 &&
        (errno == ENOENT || errno == ENOTDIR)) {
        sink_format(call->err, "jeton: there is no data folder %s; name the server's with --data\n",
                    data);
        return STATUS_REFUSED;
    }
    if (uri != NULL)
        return run_on_database(call, uri);
    for (int i = 0; i < HELD_RETRY_COUNT; i++) {
        if (run_by_server(call, data, &result) == RC_OK || run_here(call, NULL, &result) == RC_OK)
            return result;
        nanosleep(&pause, NULL);
    }
    return say(call, "the data folder is held by a process that does not answer; try again, or "
                     "stop that process");
}

/* Reads the line that the command wants, and runs it. */
static int run_line(struct call *call, const struct command_line *line)
{
    AUTO(secret) input = { 0 };
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    const struct command *command = line->command;
    command_reader *reader = command_find_reader(command);
    struct buffer document = { 0 };
    int status;

    call->line = line;
    if (command->wants_input != NULL && command->wants_input(&line->options)) {
        if (input_read(&input, &error) != RC_OK)
            return usage(call, buffer_str(&error));
        call->input = &input;
    }
    if (reader != NULL) {
        status = reader(&line->options, call->err, &document);
        if (status != STATUS_DONE) {
            call->input = NULL;
            return status;
        }
        call->document = buffer_str(&document);
    }
    status = run(call);
    call->input = NULL;
    if (document.at != NULL)
        explicit_bzero(document.at, document.len); /* secrets may stand in it */
    free(document.at);
    return status;
}

static int run_command(int argc, char *const *argv, struct sink *out, struct sink *err)
{
    static struct command_line line;
    struct call call = { .argc = argc, .argv = argv, .out = out, .err = err };
    int status = command_parse(argc, argv, &line, err);

    if (status != STATUS_DONE)
        return status;
    if (line.wants_help) {
        command_help(line.command, out);
        return STATUS_DONE;
    }
    crypto_init();
    return run_line(&call, &line);
}

static bool is_word(const char *word, const char *name, const char *option)
{
    return strcmp(word, name) == 0 || strcmp(word, option) == 0;
}

/* Words that are commands by themselves, and no nouns. */
static bool has_own_help(const char *word)
{
    static const char *const words[] = { "serve", "move", "backup", "restore", "doctor" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return command_stands_alone(word);
}

int main(int argc, char **argv)
{
    struct sink out;
    struct sink err;
    int status;

    process_harden();
    sink_init(&out, take_fd, &out_fd);
    sink_init(&err, take_fd, &err_fd);
    if (argc > 2 && strcmp(argv[2], "--help") == 0 && !has_own_help(argv[1]))
        argv[1] = argv[2]; /* "jeton user --help" */
    if (argc > 1 && is_word(argv[1], "version", "--version")) {
        sink_text(&out, "jeton " JETON_VERSION "\n");
        status = STATUS_DONE;
    } else if (argc > 1 && is_word(argv[1], "help", "--help")) {
        command_help(NULL, &out);
        status = STATUS_DONE;
    } else if (argc > 1 && strcmp(argv[1], "serve") == 0) {
        crypto_init();
        return serve_run(argc, argv);
    } else if (argc > 1 && strcmp(argv[1], "move") == 0) {
        crypto_init();
        status = move_run(argc - 2, argv + 2, &out, &err);
    } else if (audit_file_is_asked(argc - 1, argv + 1)) {
        crypto_init();
        status = audit_file_run(argc - 3, argv + 3, &out, &err);
    } else if (argc > 1 && strcmp(argv[1], "doctor") == 0) {
        crypto_init();
        status = doctor_run(argc - 2, argv + 2, &out, &err);
    } else if (argc > 1 && strcmp(argv[1], "backup") == 0) {
        crypto_init();
        status = backup_run(argc - 2, argv + 2, &out, &err);
    } else if (argc > 1 && strcmp(argv[1], "restore") == 0) {
        crypto_init();
        status = restore_run(argc - 2, argv + 2, &out, &err);
    } else {
        status = run_command(argc - 1, argv + 1, &out, &err);
    }
    sink_flush(&out);
    sink_flush(&err);
    if (has_lost_output && status == STATUS_DONE) {
        sink_text(&err, "jeton: standard output could not be written\n");
        sink_flush(&err);
        status = STATUS_REFUSED;
    }
    return status;
}
