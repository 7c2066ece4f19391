/*
 * store/postgres.h: what the files of PostgreSQL's driver share.
 *
 * A session is one connection in libpq's pipeline mode and never blocks: everything is an exchange,
 * some commands that are sent together and whose results are then read, with poll and a deadline.
 * What opens a transaction or a savepoint is not sent at once but with the next statement. When a
 * deadline passes, or the server does not answer as it should, the connection is closed: what
 * became of the commands is not known, and nothing that comes late can be taken for an answer.
 *
 * Behind a pooler (pgbouncer in transaction mode) nothing may rest on the session: statements are
 * not prepared, time-outs are set in each transaction, and there is no LISTEN.
 */
#ifndef JETON_STORE_POSTGRES_H
#define JETON_STORE_POSTGRES_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "store/driver.h"

/* Advisory locks: a class, and the schema that the tables are in. */
#define LOCK_GATE    "1246057520"
#define LOCK_FEED    "1246057521"
#define LOCK_PROGRAM "1246057522"
#define LOCK_SCHEMA  "hashtext(coalesce(current_schema(), ''))"

enum { HEAD_COUNT_MAX = 16 };

/* Statements that only add a row, to tables that no statement of a unit looks at. */
enum bulk {
    BULK_TOKEN,
    BULK_LONG_TOKEN,
    BULK_PERMITTED_TOKEN,
    BULK_PERMITTED_LONG_TOKEN,
    BULK_EVENT,
    BULK_CHANGE,
    BULK_COUNT
};

/* What is prepared: the statements of queries.def by their numbers, and our own. */
enum {
    PREPARED_NOT = -1,
    PREPARED_BULK = STATEMENT_COUNT,
    PREPARED_GATE_BESIDE = PREPARED_BULK + BULK_COUNT,
    PREPARED_GATE_ALONE,
    PREPARED_FEED,
    PREPARED_COUNT
};

struct head {
    const char *text;
    int prepared;
};

/* A command that was sent, whose result is to be read. */
enum command_kind { COMMAND_TEXT, COMMAND_PREPARE, COMMAND_RUN, COMMAND_BULK };

struct command {
    enum command_kind kind;
    unsigned number; /* what was prepared; the index of the run; enum bulk */
};

struct driver_session {
    PGconn *conn;   /* NULL: there is none any more */
    char *database; /* as it was configured, with its password */
    enum session_role role;
    enum driver_health health;
    bool is_pooled;
    bool is_move;           /* a marked store will do; a lost connection is not opened anew */
    bool is_in_transaction; /* of begin, whether it was sent yet or not */
    bool is_sent;           /* so there is something to roll back       */
    bool has_savepoint;
    bool is_late;        /* a deadline passed                        */
    bool has_warning;    /* the server said one in this exchange     */
    bool is_lost;        /* the connection is not of use any more    */
    int64_t deadline_ns; /* monotonic; INT64_MAX: none */
    int64_t limit_ns;    /* of a reader's queries; 0: none */
    unsigned head_count; /* what is sent with the next exchange, before it */
    struct head heads[HEAD_COUNT_MAX];
    bool is_prepared[PREPARED_COUNT];
    size_t command_count;
    size_t command_max;
    struct command *commands;       /* of this exchange */
    unsigned bulk_rows[BULK_COUNT]; /* of this exchange; 0: they go one by one */
    bool is_one_by_one;             /* all of the next one: one of many failed */
    PGresult *result;               /* of query; NULL: no row */
    int row;                        /* of next; -1: before the first */
    char error[STORE_ERROR_BYTES];
};

/* What is sent together: the session's heads, then the runs, then texts without parameters. */
struct exchange {
    struct driver_run *runs;
    size_t run_count;
    const char *texts[2];
    unsigned text_count;
    PGresult *last;   /* out: of the last command, where all went well; the caller clears it */
    size_t failed;    /* out: index of the run that failed; run_count: something else did    */
    char sqlstate[6]; /* out: of what failed */
};

/* postgres_connect.c: connects by the session's deadline. RC_INVALID what must be put right. */
enum rc postgres_connect(struct driver_session *session, struct buffer *out_error) MUST_CHECK;
void postgres_disconnect(struct driver_session *session);

/* postgres_refusal.c: notes and appends why there is no connection, and what to do about it.
 * RC_INVALID what must be put right · RC_UNAVAILABLE what may pass */
enum rc postgres_report_refusal(struct driver_session *session,
                                struct buffer *out_error) MUST_CHECK;

/* postgres_wire.c */

/* Adds a text that is sent before whatever comes next. */
void postgres_put_head(struct driver_session *session, const char *text, int prepared);

/*
 * Sends and reads until the server has nothing more to say.
 *
 * Answers: RC_OK · RC_EXISTS, RC_INVALID what this row is made of cannot be kept
 * Faults:  RC_BUSY · RC_CORRUPT · RC_UNAVAILABLE, all as in store/driver.h
 */
enum rc postgres_exchange(struct driver_session *session, struct exchange *exchange) MUST_CHECK;

/* Parameters as libpq takes them: all binary. */
struct postgres_params {
    int count;
    Oid types[STORE_PARAM_COUNT_MAX];
    const char *values[STORE_PARAM_COUNT_MAX];
    int lengths[STORE_PARAM_COUNT_MAX];
    int formats[STORE_PARAM_COUNT_MAX];
    unsigned char numbers[STORE_PARAM_COUNT_MAX][8];
};

enum { BULK_TEXT_BYTES_MAX = 2048 };

/*
 * postgres_bulk.c: rows that are only added go last, all of a table in one statement, which costs a
 * fifth. Where one of them fails nothing says which: the exchange is RC_BUSY and nothing was done,
 * and in the next one they go one by one.
 */
void postgres_bulk_plan(struct driver_session *session, const struct exchange *exchange);
bool postgres_bulk_takes(const struct driver_session *session, const struct driver_run *run);
/* The text and its parameters, in memory that the caller frees; NULL: there is none. */
char *postgres_bulk_fill(const struct driver_session *session, const struct exchange *exchange,
                         enum bulk bulk, char out_text[static BULK_TEXT_BYTES_MAX],
                         struct postgres_params *out_params);

/* The text of a statement. */
const char *postgres_text(enum statement statement);

/* Waits for the socket; false when the deadline passed. `events` as of poll. */
bool postgres_wait(struct driver_session *session, short events, int64_t deadline_ns);

/* Reads what has come unasked; false when the connection is gone. */
bool postgres_read_unasked(struct driver_session *session);

/* Whether the engine can keep these: it has texts of UTF-8 without NUL alone. */
bool postgres_can_keep(const struct store_param *params, unsigned param_count);

/* An integer of 2, 4 or 8 bytes. */
int64_t postgres_read_number(const PGresult *result, int row, int column);

/* Keeps words for last_error. */
void postgres_note(struct driver_session *session, const char *words);

#endif
