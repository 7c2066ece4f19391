/*
 * store/driver.h: what an engine must be able to do; all that differs between engines.
 *
 * A driver is one file and one struct driver. It opens sessions: one that writes, which only the
 * writer's thread uses, any number that read, and one that follows the feed, each used by one
 * thread at a time. Statements are known by number (store/queries.def) and prepared when first
 * used.
 *
 * A session answers one query at a time: query, then next until it has no row, then finish.
 * What a column points to is valid until the next call of next or finish.
 *
 * A statement that breaks a constraint answers RC_EXISTS and has changed nothing, RC_BUSY that
 * somebody else's transaction is in the way (a lock was not had in time, a deadlock). Every other
 * failure is a fault. After RC_BUSY, a fault, and RC_EXISTS of run_all, the writer rolls back.
 * A text that an engine cannot keep (PostgreSQL: with a NUL, or not UTF-8) is found nowhere, and a
 * statement that would write one answers RC_INVALID behind a savepoint; of run_all RC_EXISTS only
 * says which unit has to go by itself.
 *
 * An engine that several processes write to at once (is_shared) differs in three things. Its
 * writer's transactions pass a gate: those of statements that may run beside each other
 * (CONCURRENT in queries.def) together, any other one alone, as in an engine with one writer. It
 * numbers change rows in the order of their commits. And it is a way off, so that a unit's
 * statements are sent together, before any of their answers is looked at.
 */
#ifndef JETON_STORE_DRIVER_H
#define JETON_STORE_DRIVER_H

#include "store/store.h"

enum statement {
#define STATEMENT(name, text) STATEMENT_##name,
#include "store/queries.def"
#undef STATEMENT
    STATEMENT_COUNT
};

/* SESSION_FEED: reads as SESSION_READER does, and hears when another process has written. */
enum session_role { SESSION_WRITER, SESSION_READER, SESSION_FEED };

/* How a transaction stands to those of other processes. GATE_SCHEMA: alone, and its statements take
 * as long as they do. */
enum gate { GATE_BESIDE, GATE_ALONE, GATE_SCHEMA };

/* One statement of many that are run together. */
struct driver_run {
    enum statement statement;
    unsigned param_count;
    const struct store_param *params;
    int64_t *out_number; /* as of run */
    uint64_t row_count;  /* out */
};

enum driver_health {
    HEALTH_GOOD,
    HEALTH_AWAY,   /* a write failed and may succeed later: disk full, engine away */
    HEALTH_STOPPED /* nothing may be written any more in this process              */
};

struct schema_step {
    int version;
    const char *text;
};

struct driver_session;

struct driver {
    const struct schema_step *schema;
    size_t schema_step_count;
    bool is_shared; /* several processes write; there is a feed to follow */

    /*
     * Opens a session. SQLite's writer also makes the folder, checks who may read it, and takes the
     * lock. Answers and faults as store_open. A shared engine's waits for a connection no longer
     * than DRIVER_CONNECT_MS.
     */
    enum rc (*open)(const struct store_config *config, enum session_role role,
                    struct driver_session **out_session, struct buffer *out_error);
    void (*close)(struct driver_session *session);

    /*
     * Transactions; savepoints within them, one at a time. A transaction that is not over by the
     * deadline (clock_monotonic_ns; 0: none) fails; an engine in this process needs none.
     */
    enum rc (*begin)(struct driver_session *session, enum gate gate, int64_t deadline_ns);
    /*
     * Inserts the rows of the change feed, so that whoever sees one has seen or can see all with
     * lower numbers, and commits. Wakes those who follow the feed, if there are any rows.
     */
    enum rc (*commit)(struct driver_session *session, struct driver_run *changes, size_t count);
    void (*rollback)(struct driver_session *session);
    enum rc (*savepoint)(struct driver_session *session);
    enum rc (*savepoint_release)(struct driver_session *session);
    enum rc (*savepoint_undo)(struct driver_session *session);

    /* Runs to the end. out_number, if not NULL, takes the first column of the first row. */
    enum rc (*run)(struct driver_session *session, enum statement statement,
                   const struct store_param *params, unsigned param_count, uint64_t *out_row_count,
                   int64_t *out_number);

    /*
     * Runs all, whatever their counts of rows are; NULL: the engine gains nothing by it. On RC_BUSY
     * and RC_EXISTS *out_failed is the index of the one that failed.
     */
    enum rc (*run_all)(struct driver_session *session, struct driver_run *runs, size_t count,
                       size_t *out_failed);

    enum rc (*query)(struct driver_session *session, enum statement statement,
                     const struct store_param *params, unsigned param_count);
    enum rc (*next)(struct driver_session *session, bool *out_has_row);
    int64_t (*column_int)(struct driver_session *session, unsigned column);
    struct str (*column_bytes)(struct driver_session *session, unsigned column);
    bool (*column_is_null)(struct driver_session *session, unsigned column);
    size_t (*row_bytes)(struct driver_session *session); /* of all texts and blobs of the row */
    void (*finish)(struct driver_session *session);

    /* A text of the schema, outside of queries.def. */
    enum rc (*run_text)(struct driver_session *session, const char *text);

    /*
     * Of SESSION_FEED: waits until a commit that changed something may have happened, or so long;
     * nothing says how often it is wrong. NULL unless is_shared.
     */
    enum rc (*wait_for_change)(struct driver_session *session, int timeout_ms);

    /* Until when the queries of a reader must have answered, whatever each may take (monotonic, in
     * nanoseconds). NULL unless is_shared. */
    void (*set_limit)(struct driver_session *session, int64_t limit_ns);

    /* The engine's clock, Unix seconds and milliseconds within. NULL unless is_shared. */
    enum rc (*read_clock)(struct driver_session *session, int64_t *out_now_ms);

    /* Reads all pages, and says in a few words what is wrong with the first that is: RC_CORRUPT.
     * NULL where the engine's own tools do that. */
    enum rc (*verify)(struct driver_session *session, struct buffer *out_words);

    /*
     * For a move (store/move.h), outside of transactions. Takes the store for this session alone
     * until it is closed; asked again, sees that it still has it. NULL: a writer has it anyway.
     * RC_EXISTS, and a line for the operator, while anybody else of this program is connected.
     */
    enum rc (*hold_alone)(struct driver_session *session, struct buffer *out_error);

    /*
     * For a move: what the engine numbers (T_ID) is from now on numbered behind the rows that are
     * there. NULL: it always is.
     */
    enum rc (*number_behind)(struct driver_session *session, struct str table, struct str column);

    /* Why the last call failed, for the log; without secrets. */
    struct str (*last_error)(const struct driver_session *session);

    /* Called when nobody waits, between batches and while a reader is not used: checkpoints,
     * connections that the engine has ended. */
    void (*upkeep)(struct driver_session *session);

    enum driver_health (*health)(const struct driver_session *session);
};

enum {
    DRIVER_CONNECT_MS = 1500,
    DRIVER_READ_MS = 1500 /* one query of a reader, waiting for locks included */
};

extern const struct driver driver_sqlite;

/*
 * PostgreSQL's driver stands in a module of its own, "jeton-postgres.so", which is loaded only when
 * it is used: libpq brings libraries into a process that others need not have. The module exports
 * `driver_postgres` and needs nothing of the program but the room `base`, of which it has its own.
 */
#define DRIVER_POSTGRES_SYMBOL "driver_postgres"

#endif
