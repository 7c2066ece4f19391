/*
 * The SQLite driver: WAL, synchronous=FULL, one connection that writes and checkpoints.
 *
 * Versions 3.7.0 to 3.51.2 can lose a commit when one connection starts a checkpoint while another
 * commits. So there is exactly one that does either: readers are opened read-only and never
 * checkpoint, not even when they close, and the lock file keeps a second process away.
 */
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/driver.h"
#include "store/folder.h"

enum {
    CHECKPOINT_PAGE_COUNT = 1000,         /* 4 MB of log: a checkpoint of some milliseconds       */
    CHECKPOINT_PAGE_COUNT_MAX = 8 * 1000, /* readers kept it from starting again: wait for them   */
    BUSY_TIMEOUT_MS = 2000,               /* only recovery after a crash waits */
    CHECKPOINT_TIMEOUT_MS = 100 /* a backup reads for minutes, and commits wait meanwhile */
};

static const struct schema_step schema[] = {
#define T_INT                      "INTEGER"
#define T_TEXT                     "TEXT"
#define T_BYTES                    "BLOB"
#define T_ID                       "INTEGER PRIMARY KEY"
#define T_STRICT                   " STRICT"
#define SCHEMA_STEP(version, text) { version, text },
#include "store/schema.def"
#undef SCHEMA_STEP
};

/* Transactions are the driver's own words, behind those of queries.def. */
enum {
    TEXT_BEGIN = STATEMENT_COUNT,
    TEXT_COMMIT,
    TEXT_ROLLBACK,
    TEXT_SAVEPOINT,
    TEXT_SAVEPOINT_RELEASE,
    TEXT_SAVEPOINT_UNDO,
    TEXT_COUNT
};

static const char *const texts[TEXT_COUNT] = {
#define STATEMENT(name, text) [STATEMENT_##name] = text,
#include "store/queries.def"
#undef STATEMENT
    [TEXT_BEGIN] = "BEGIN IMMEDIATE",
    [TEXT_COMMIT] = "COMMIT",
    [TEXT_ROLLBACK] = "ROLLBACK",
    [TEXT_SAVEPOINT] = "SAVEPOINT unit",
    [TEXT_SAVEPOINT_RELEASE] = "RELEASE unit",
    [TEXT_SAVEPOINT_UNDO] = "ROLLBACK TO unit",
};

struct prepared {
    sqlite3_stmt *statement; /* NULL: not prepared yet */
    unsigned param_count;
    unsigned char params[STORE_PARAM_COUNT_MAX]; /* the engine's index → the number behind $, - 1 */
};

struct driver_session {
    sqlite3 *db;
    sqlite3_stmt *current; /* of query, next, finish */
    enum driver_health health;
    int wal_page_count;        /* of the log, after the last commit */
    int checkpoint_page_count; /* of the log, from where on the next checkpoint is due     */
    int wait_page_count;       /* of the log, from where on a checkpoint waits for readers */
    int lock_fd;               /* the writer's; -1: none */
    struct prepared prepared[TEXT_COUNT];
};

/* What was being done when the engine failed: a log that could not be written is not trusted. */
enum moment { WHILE_READING, WHILE_WRITING, WHILE_COMMITTING };

static enum rc fault_of(struct driver_session *session, enum moment moment)
{
    int extended = sqlite3_extended_errcode(session->db);

    switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
        return RC_EXISTS;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        session->health = HEALTH_STOPPED;
        return RC_CORRUPT;
    case SQLITE_IOERR:
        /* After a failed fsync the page cache may claim what the disk does not have: never again
         * in this process. A read that failed has written nothing wrong, nor has a commit that was
         * given no memory: it is rolled back. */
        if ((moment == WHILE_COMMITTING && extended != SQLITE_IOERR_NOMEM) ||
            extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC ||
            extended == SQLITE_IOERR_WRITE || extended == SQLITE_IOERR_TRUNCATE)
            session->health = HEALTH_STOPPED;
        break;
    default:
        break;
    }
    if (session->health == HEALTH_GOOD && moment != WHILE_READING)
        session->health = HEALTH_AWAY;
    return RC_UNAVAILABLE;
}

static enum rc prepare(struct driver_session *session, int number, struct prepared **out_prepared)
{
    struct prepared *prepared = &session->prepared[number];
    int index;

    *out_prepared = prepared;
    if (prepared->statement != NULL)
        return RC_OK;
    if (sqlite3_prepare_v3(session->db, texts[number], -1, SQLITE_PREPARE_PERSISTENT,
                           &prepared->statement, NULL) != SQLITE_OK) {
        prepared->statement = NULL;
        return fault_of(session, WHILE_READING);
    }
    prepared->param_count = (unsigned)sqlite3_bind_parameter_count(prepared->statement);
    ASSERT(prepared->param_count <= STORE_PARAM_COUNT_MAX);
    for (index = 0; index < (int)prepared->param_count; index++) {
        /* SQLite takes $1 for a name and numbers names in the order in which they appear. */
        const char *name = sqlite3_bind_parameter_name(prepared->statement, index + 1);
        uint64_t param = 0;

        ASSERT(name != NULL && name[0] == '$' &&
               str_parse_u64(str_of(name + 1), STORE_PARAM_COUNT_MAX, &param) && param > 0);
        prepared->params[index] = (unsigned char)(param - 1);
    }
    return RC_OK;
}

static int bind_param(sqlite3_stmt *statement, int index, const struct store_param *param)
{
    /* A NULL pointer would be bound as NULL, an empty string is not. */
    const char *bytes = param->bytes.len > 0 ? param->bytes.at : "";

    switch (param->type) {
    case STORE_INT:
        return sqlite3_bind_int64(statement, index, param->number);
    case STORE_TEXT:
        return sqlite3_bind_text64(statement, index, bytes, param->bytes.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case STORE_BLOB:
        return sqlite3_bind_blob64(statement, index, bytes, param->bytes.len, SQLITE_STATIC);
    case STORE_NULL:
    default:
        return sqlite3_bind_null(statement, index);
    }
}

static enum rc prepare_with(struct driver_session *session, enum statement number,
                            const struct store_param *params, unsigned param_count,
                            sqlite3_stmt **out_statement)
{
    struct prepared *prepared;
    enum rc rc = prepare(session, (int)number, &prepared);
    unsigned index;

    if (rc != RC_OK)
        return rc;
    for (index = 0; index < prepared->param_count; index++) {
        ASSERT(prepared->params[index] < param_count);
        if (bind_param(prepared->statement, (int)index + 1, &params[prepared->params[index]]) !=
            SQLITE_OK)
            return fault_of(session, WHILE_READING);
    }
    *out_statement = prepared->statement;
    return RC_OK;
}

static enum rc run_own_text(struct driver_session *session, int number, enum moment moment)
{
    struct prepared *prepared;
    enum rc rc = prepare(session, number, &prepared);

    if (rc != RC_OK)
        return rc;
    if (sqlite3_step(prepared->statement) != SQLITE_DONE)
        rc = fault_of(session, moment);
    sqlite3_reset(prepared->statement);
    return rc;
}

static enum rc sqlite_begin(struct driver_session *session, enum gate gate, int64_t deadline_ns)
{
    (void)gate; /* there is one writer */
    (void)deadline_ns;
    if (session->health == HEALTH_STOPPED)
        return RC_UNAVAILABLE;
    return run_own_text(session, TEXT_BEGIN, WHILE_WRITING);
}

static void sqlite_rollback(struct driver_session *session)
{
    /* Some faults have rolled back already. */
    if (sqlite3_get_autocommit(session->db) == 0)
        (void)run_own_text(session, TEXT_ROLLBACK, WHILE_WRITING);
}

static enum rc sqlite_savepoint(struct driver_session *session)
{
    return run_own_text(session, TEXT_SAVEPOINT, WHILE_WRITING);
}

static enum rc sqlite_savepoint_release(struct driver_session *session)
{
    return run_own_text(session, TEXT_SAVEPOINT_RELEASE, WHILE_WRITING);
}

static enum rc sqlite_savepoint_undo(struct driver_session *session)
{
    enum rc rc = run_own_text(session, TEXT_SAVEPOINT_UNDO, WHILE_WRITING);

    return rc == RC_OK ? sqlite_savepoint_release(session) : rc;
}

static enum rc sqlite_run(struct driver_session *session, enum statement number,
                          const struct store_param *params, unsigned param_count,
                          uint64_t *out_row_count, int64_t *out_number)
{
    sqlite3_stmt *statement;
    enum rc rc = prepare_with(session, number, params, param_count, &statement);
    uint64_t row_count = 0;
    int state;

    if (rc != RC_OK)
        return rc;
    while ((state = sqlite3_step(statement)) == SQLITE_ROW) {
        if (row_count++ == 0 && out_number != NULL)
            *out_number = sqlite3_column_int64(statement, 0);
    }
    if (state != SQLITE_DONE)
        rc = fault_of(session, WHILE_WRITING);
    else
        *out_row_count = sqlite3_stmt_readonly(statement) != 0
                             ? row_count
                             : (uint64_t)sqlite3_changes64(session->db);
    sqlite3_reset(statement);
    return rc;
}

/* One process writes, so the rows are numbered in the order of commits. */
static enum rc sqlite_commit(struct driver_session *session, struct driver_run *changes,
                             size_t count)
{
    enum rc rc = RC_OK;
    size_t index;

    for (index = 0; rc == RC_OK && index < count; index++)
        rc = sqlite_run(session, changes[index].statement, changes[index].params,
                        changes[index].param_count, &changes[index].row_count, NULL);
    if (rc == RC_OK)
        rc = run_own_text(session, TEXT_COMMIT, WHILE_COMMITTING);
    if (rc == RC_OK)
        session->health = HEALTH_GOOD;
    return rc;
}

static enum rc sqlite_query(struct driver_session *session, enum statement number,
                            const struct store_param *params, unsigned param_count)
{
    ASSERT(session->current == NULL);
    return prepare_with(session, number, params, param_count, &session->current);
}

static enum rc sqlite_next(struct driver_session *session, bool *out_has_row)
{
    switch (sqlite3_step(session->current)) {
    case SQLITE_ROW:
        *out_has_row = true;
        return RC_OK;
    case SQLITE_DONE:
        *out_has_row = false;
        return RC_OK;
    default:
        return fault_of(session, WHILE_READING);
    }
}

static int64_t sqlite_column_int(struct driver_session *session, unsigned column)
{
    return sqlite3_column_int64(session->current, (int)column);
}

static struct str sqlite_column_bytes(struct driver_session *session, unsigned column)
{
    const void *bytes = sqlite3_column_blob(session->current, (int)column);

    return (struct str){ bytes, (size_t)sqlite3_column_bytes(session->current, (int)column) };
}

static bool sqlite_column_is_null(struct driver_session *session, unsigned column)
{
    return sqlite3_column_type(session->current, (int)column) == SQLITE_NULL;
}

static size_t sqlite_row_bytes(struct driver_session *session)
{
    int column_count = sqlite3_column_count(session->current);
    size_t bytes = 0;
    int column;

    for (column = 0; column < column_count; column++) {
        /* Asking an integer for its bytes would turn it into a text. */
        if (sqlite3_column_type(session->current, column) != SQLITE_INTEGER)
            bytes += (size_t)sqlite3_column_bytes(session->current, column);
    }
    return bytes;
}

static void sqlite_finish(struct driver_session *session)
{
    if (session->current != NULL)
        sqlite3_reset(session->current);
    session->current = NULL;
}

static enum rc sqlite_run_text(struct driver_session *session, const char *text)
{
    if (sqlite3_exec(session->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return fault_of(session, WHILE_WRITING);
    return RC_OK;
}

static enum rc sqlite_verify(struct driver_session *session, struct buffer *out_words)
{
    sqlite3_stmt *check;
    struct str words = STR("the file cannot be read");

    if (sqlite3_prepare_v2(session->db, "PRAGMA quick_check(1)", -1, &check, NULL) != SQLITE_OK)
        return fault_of(session, WHILE_READING);
    if (sqlite3_step(check) == SQLITE_ROW)
        words = str_of((const char *)sqlite3_column_text(check, 0));
    buffer_append_str(out_words, words);
    sqlite3_finalize(check);
    return str_equal(buffer_str(out_words), STR("ok")) ? RC_OK : RC_CORRUPT;
}

static void expect_short_log(struct driver_session *session)
{
    session->checkpoint_page_count = CHECKPOINT_PAGE_COUNT;
    session->wait_page_count = CHECKPOINT_PAGE_COUNT_MAX;
}

static int note_wal(void *context, sqlite3 *db, const char *database, int page_count)
{
    struct driver_session *session = context;

    (void)db;
    (void)database;
    if (page_count < session->wal_page_count)
        expect_short_log(session); /* it began anew */
    session->wal_page_count = page_count;
    return SQLITE_OK;
}

static void sqlite_upkeep(struct driver_session *session)
{
    bool waits = session->wal_page_count >= session->wait_page_count;
    int mode = waits ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    int state;

    if (session->health == HEALTH_STOPPED ||
        session->wal_page_count < session->checkpoint_page_count)
        return;
    /* By hand and not by SQLite's own hook, which would swallow the error of a failed fsync. */
    sqlite3_busy_timeout(session->db, CHECKPOINT_TIMEOUT_MS);
    state = sqlite3_wal_checkpoint_v2(session->db, NULL, mode, NULL, NULL);
    sqlite3_busy_timeout(session->db, BUSY_TIMEOUT_MS);
    if (state != SQLITE_OK && (state & 0xff) != SQLITE_BUSY)
        (void)fault_of(session, WHILE_WRITING);
    /* As long as readers keep the log from beginning anew, neither every commit is followed by a
     * checkpoint nor every checkpoint held up by one reader that stays (a shell left open, say). */
    session->checkpoint_page_count = session->wal_page_count + CHECKPOINT_PAGE_COUNT;
    if (waits)
        session->wait_page_count = session->wal_page_count + CHECKPOINT_PAGE_COUNT_MAX;
}

static struct str sqlite_last_error(const struct driver_session *session)
{
    return str_of(sqlite3_errmsg(session->db));
}

static enum driver_health sqlite_health(const struct driver_session *session)
{
    return session->health;
}

static void sqlite_close(struct driver_session *session)
{
    int number;

    if (session == NULL)
        return;
    for (number = 0; number < TEXT_COUNT; number++)
        sqlite3_finalize(session->prepared[number].statement);
    if (session->db != NULL) {
        /* A log that failed is left as it is, for recovery at the next start. */
        if (session->health == HEALTH_STOPPED)
            sqlite3_db_config(session->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_close(session->db);
    }
    if (session->lock_fd >= 0)
        close(session->lock_fd);
    free(session);
}

static void configure_library(void)
{
    /* Connections are never shared between threads, and nobody reads the library's statistics. */
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static const char writer_pragmas[] =
    "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;"
    "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
    "PRAGMA secure_delete = FAST; PRAGMA mmap_size = 0; PRAGMA cache_size = -2048;";

static const char reader_pragmas[] =
    "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -256;";

static enum rc report(struct driver_session *session, const char *path, struct buffer *out_error)
{
    enum rc rc = session->db == NULL ? RC_UNAVAILABLE : fault_of(session, WHILE_READING);

    buffer_append_format(out_error, "cannot open %s: %s", path,
                         session->db == NULL ? "no memory" : sqlite3_errmsg(session->db));
    return rc;
}

static int compare_mode(void *context, int column_count, char **values, char **names)
{
    (void)column_count; /* it is one, and has a value */
    (void)names;
    *(bool *)context = strcmp(values[0], "wal") == 0;
    return 0;
}

static enum rc connect_database(struct driver_session *session, const char *path,
                                enum session_role role, struct buffer *out_error)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                (role == SESSION_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    bool is_wal = true;

    if (sqlite3_open_v2(path, &session->db, flags, NULL) != SQLITE_OK)
        return report(session, path, out_error);
    sqlite3_extended_result_codes(session->db, 1);
    sqlite3_busy_timeout(session->db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(session->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (role == SESSION_READER)
        sqlite3_db_config(session->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (role == SESSION_WRITER && sqlite3_exec(session->db, "PRAGMA journal_mode = WAL",
                                               compare_mode, &is_wal, NULL) != SQLITE_OK)
        return report(session, path, out_error);
    if (!is_wal) {
        buffer_append_format(out_error, "the file system of %s cannot share memory", path);
        return RC_UNAVAILABLE;
    }
    if (sqlite3_exec(session->db, role == SESSION_WRITER ? writer_pragmas : reader_pragmas, NULL,
                     NULL, NULL) != SQLITE_OK)
        return report(session, path, out_error);
    if (role == SESSION_WRITER)
        sqlite3_wal_hook(session->db, note_wal, session);
    return RC_OK;
}

/* The log and its index are made by SQLite with the mode of the database; they may be left over. */
static enum rc check_files(struct str dir, bool is_writer, struct buffer *out_error)
{
    static const char *const beside[] = { "jeton.db-wal", "jeton.db-shm" };
    enum rc rc = folder_file_check(dir, "jeton.db", is_writer, out_error);
    size_t index;

    if (rc == RC_NOT_FOUND) {
        buffer_append_format(out_error, "there is no store in %.*s yet", STR_ARGS(dir));
        return RC_INVALID;
    }
    for (index = 0; rc == RC_OK && index < sizeof(beside) / sizeof(beside[0]); index++) {
        rc = folder_file_check(dir, beside[index], false, out_error);
        if (rc == RC_NOT_FOUND)
            rc = RC_OK;
    }
    return rc;
}

static enum rc sqlite_open(const struct store_config *config, enum session_role role,
                           struct driver_session **out_session, struct buffer *out_error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bool is_writer = role == SESSION_WRITER;
    char path[FOLDER_PATH_BYTES_MAX];
    struct driver_session *session;
    enum rc rc;

    pthread_once(&once, configure_library);
    rc = folder_check(config->data_dir, is_writer, out_error);
    if (rc == RC_OK)
        rc = folder_path(config->data_dir, "jeton.db", path, out_error);
    if (rc != RC_OK)
        return rc;
    session = calloc(1, sizeof(*session));
    if (session == NULL)
        return RC_UNAVAILABLE;
    session->lock_fd = -1;
    expect_short_log(session);
    if (is_writer)
        rc = folder_lock(config->data_dir, &session->lock_fd, out_error);
    if (rc == RC_OK)
        rc = check_files(config->data_dir, is_writer, out_error);
    if (rc == RC_OK)
        rc = connect_database(session, path, role, out_error);
    if (rc != RC_OK) {
        sqlite_close(session);
        return rc;
    }
    *out_session = session;
    return RC_OK;
}

const struct driver driver_sqlite = {
    .schema = schema,
    .schema_step_count = sizeof(schema) / sizeof(schema[0]),
    .open = sqlite_open,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .savepoint = sqlite_savepoint,
    .savepoint_release = sqlite_savepoint_release,
    .savepoint_undo = sqlite_savepoint_undo,
    .run = sqlite_run,
    .query = sqlite_query,
    .next = sqlite_next,
    .column_int = sqlite_column_int,
    .column_bytes = sqlite_column_bytes,
    .column_is_null = sqlite_column_is_null,
    .row_bytes = sqlite_row_bytes,
    .finish = sqlite_finish,
    .run_text = sqlite_run_text,
    .verify = sqlite_verify,
    .upkeep = sqlite_upkeep,
    .health = sqlite_health,
    .last_error = sqlite_last_error,
};
