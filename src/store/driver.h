/*
 * store/driver.h: what an engine must be able to do; all that differs between engines.
 *
 * A driver is one file and one struct driver. It opens sessions: one that writes, which only the
 * writer's thread uses, and any number that read, each used by one thread at a time. Statements
 * are known by number (store/queries.def) and prepared when first used.
 *
 * A session answers one query at a time: query, then next until it has no row, then finish.
 * What a column points to is valid until the next call of next or finish.
 *
 * A statement that breaks a constraint answers RC_EXISTS and has changed nothing. Every other
 * failure is a fault, after which the writer rolls back.
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

enum session_role { SESSION_WRITER, SESSION_READER };

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

    /*
     * Opens a session. The writer's also makes the folder, checks who may read it, and takes the
     * lock. Answers and faults as store_open.
     */
    enum rc (*open)(const struct store_config *config, enum session_role role,
                    struct driver_session **out_session, struct buffer *out_error);
    void (*close)(struct driver_session *session);

    /* Transactions; savepoints within them, one at a time. */
    enum rc (*begin)(struct driver_session *session);
    enum rc (*commit)(struct driver_session *session);
    void (*rollback)(struct driver_session *session);
    enum rc (*savepoint)(struct driver_session *session);
    enum rc (*savepoint_release)(struct driver_session *session);
    enum rc (*savepoint_undo)(struct driver_session *session);

    /* Runs to the end. out_number, if not NULL, takes the first column of the first row. */
    enum rc (*run)(struct driver_session *session, enum statement statement,
                   const struct store_param *params, unsigned param_count, uint64_t *out_row_count,
                   int64_t *out_number);

    enum rc (*query)(struct driver_session *session, enum statement statement,
                     const struct store_param *params, unsigned param_count);
    enum rc (*next)(struct driver_session *session, bool *out_has_row);
    int64_t (*column_int)(struct driver_session *session, unsigned column);
    struct str (*column_bytes)(struct driver_session *session, unsigned column);
    size_t (*row_bytes)(struct driver_session *session); /* of all texts and blobs of the row */
    void (*finish)(struct driver_session *session);

    /* A text of the schema, outside of queries.def. */
    enum rc (*run_text)(struct driver_session *session, const char *text);

    /* Called between batches, when nobody waits: checkpoints. */
    void (*upkeep)(struct driver_session *session);

    enum driver_health (*health)(const struct driver_session *session);
};

extern const struct driver driver_sqlite;

#endif
