/*
 * daemon/command.h: the commands of the command line, as functions over an open store.
 *
 * A command is a row of a table and a function. The function is handed what it may use and two
 * sinks, and answers an exit status; it never touches the terminal, so the very same function runs
 * in the command line's own process and in a running server that was asked over its control socket.
 *
 * One command runs at a time where it changes something; lists run beside it.
 */
#ifndef JETON_DAEMON_COMMAND_H
#define JETON_DAEMON_COMMAND_H

#include <pthread.h>

#include "account/account.h"
#include "account/secret_check.h"
#include "daemon/mail_route.h"
#include "daemon/options.h"
#include "daemon/sink.h"
#include "store/catalog.h"
#include "token/token_room.h"
#include "web/letter.h"

/* Exit statuses; design section 9. */
enum { STATUS_DONE = 0, STATUS_REFUSED = 1, STATUS_USAGE = 2 };

struct command_context {
    struct store *store;
    struct catalog *catalog;
    struct throttle_book *throttle;
    const struct secret_checker *checker;
    const struct factor_keys *factor_keys;
    const unsigned char *master_key;
    const struct mail_route *mail_route; /* of the server that runs it; NULL: none */
    const struct letter_head *letters;   /* the same; without `now` */
    /* The token room, opened when it is first asked for; NULL and a message when it cannot be. */
    struct token_room *(*open_room)(struct command_context *);
    void *house;                /* open_room's own */
    struct arena *arena;        /* COMMAND_ARENA_BYTES, for this command alone         */
    const struct secret *input; /* the line read from stdin; NULL when none was wanted */
    struct str document;        /* what its command_reader read; else empty            */
    struct sink *out;
    struct sink *err;
    unsigned uid;     /* of who asks, for the audit trail */
    const char *name; /* "user add", for messages         */
};

enum {
    COMMAND_ROW_COUNT = 64,               /* rows of a list read at once                    */
    COMMAND_PAGE_BYTES = 4 * 1024 * 1024, /* those rows' texts at their longest             */
    COMMAND_ARENA_BYTES = 2 * COMMAND_PAGE_BYTES
};

struct command {
    const char *noun;
    const char *verb;     /* NULL: the noun stands alone */
    const char *argument; /* the one argument it needs, "NAME"; NULL: none */
    const struct option_spec *options;
    const char *summary;
    bool is_change;
    /* Whether these options ask for a line from stdin; NULL: never. */
    bool (*wants_input)(const struct options *);
    int (*run)(struct command_context *, const struct options *);
};

/* Every room of commands has its rows; a NULL noun ends them. */
extern const struct command commands_user[];
extern const struct command commands_factor[];
extern const struct command commands_service[];
extern const struct command commands_client[];
extern const struct command commands_token[];
extern const struct command commands_key[];
extern const struct command commands_event[];
extern const struct command commands_audit[];
extern const struct command commands_mail[];
extern const struct command commands_apply[];
extern const struct command commands_import[];

/* Options that every command over a store has. */
extern const struct option_spec command_common_options[];

/* Whether the noun is a whole command: "plan". */
bool command_stands_alone(const char *noun);

/*
 * For a command whose argument is a file, which the command line's own process reads: what is
 * handed to run as context->document, and to be freed. An exit status; the line has been written.
 */
typedef int command_reader(const struct options *, struct sink *err, struct buffer *out_document);

/* NULL: the command reads no file. */
command_reader *command_find_reader(const struct command *command);

/* How a command line was understood. */
struct command_line {
    const struct command *command;
    struct options options;
    bool wants_help;
};

/*
 * Finds the command and reads its options.
 *
 * argc, argv   without the program's name
 * err          on any status but STATUS_DONE: one line has been written
 *
 * Answers an exit status; STATUS_DONE: out_line is filled.
 */
int command_parse(int argc, char *const *argv, struct command_line *out_line, struct sink *err);

/* Parses and runs, on this side or on the server's; holds the lock for a command that changes. */
int command_run(struct command_context *context, int argc, char *const *argv,
                pthread_mutex_t *change_lock);

/* Writes the overview, or one command's help. */
void command_help(const struct command *command_or_null, struct sink *out);

/* ---- for the commands ---- */

/* One line to err, "jeton: user add: …", and STATUS_REFUSED. */
int command_refuse(struct command_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same with a hint to --help, and STATUS_USAGE. */
int command_usage(struct command_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The line for a fault, and STATUS_REFUSED. */
int command_fault(struct command_context *context, enum rc rc);

/* Gives back what was taken from the context's arena since used_bytes was `mark`, zeroed. */
void command_rewind(struct command_context *context, size_t mark);

/* A line to err that changes no status. */
void command_note(struct command_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
