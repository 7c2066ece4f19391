/*
 * SQLite's driver, of which a call answers what a test wants: one after so many that do well, or
 * all from there on. It can be made a shared engine's, which is also asked for what those alone
 * can do, or be given one made-up row as the answer to every query.
 *
 * Defines driver_choose, so a program that includes it has no other engine.
 */
#ifndef JETON_TEST_STORE_FAULTY_H
#define JETON_TEST_STORE_FAULTY_H

#include <stdatomic.h>
#include <time.h>

#include "store/room.h"

struct made_up_row {
    int64_t numbers[STORE_PARAM_COUNT_MAX];
    size_t lens[STORE_PARAM_COUNT_MAX];
    size_t row_bytes;
};

static struct {
    _Atomic int calls_left; /* that do well before one fails; below 0: none fails */
    _Atomic int rc;         /* what that one answers */
    _Atomic bool is_lasting;
    _Atomic bool has_failed;
    _Atomic int call_count;
    bool is_shared;
    bool is_wordless; /* it has nothing to say about it */
    const struct made_up_row *_Atomic row;
    _Atomic bool has_given_row;
} faulty = { .calls_left = -1 };

static struct driver faulty_driver;

static inline void faulty_set(int good_calls, enum rc rc, bool is_lasting)
{
    atomic_store(&faulty.rc, (int)rc);
    atomic_store(&faulty.is_lasting, is_lasting);
    atomic_store(&faulty.has_failed, false);
    atomic_store(&faulty.call_count, 0);
    atomic_store(&faulty.calls_left, good_calls);
}

/* As a driver of its own engine that does well. */
static inline void faulty_reset(void)
{
    faulty_set(-1, RC_OK, false);
    faulty.is_shared = false;
    faulty.is_wordless = false;
    atomic_store(&faulty.row, NULL);
}

/* No further call fails; whether one has. */
static inline bool faulty_end(void)
{
    atomic_store(&faulty.is_lasting, false);
    atomic_store(&faulty.calls_left, -1);
    return atomic_load(&faulty.has_failed);
}

static inline bool call_fails(void)
{
    atomic_fetch_add(&faulty.call_count, 1);
    if (atomic_load(&faulty.calls_left) < 0)
        return atomic_load(&faulty.has_failed) && atomic_load(&faulty.is_lasting);
    if (atomic_fetch_sub(&faulty.calls_left, 1) > 0)
        return false;
    atomic_store(&faulty.has_failed, true);
    return true;
}

static inline enum rc faulty_answer(void)
{
    return call_fails() ? (enum rc)atomic_load(&faulty.rc) : RC_OK;
}

static inline enum rc faulty_open(const struct store_config *config, enum session_role role,
                                  struct driver_session **out_session, struct buffer *out_error)
{
    enum rc rc = faulty_answer();

    if (rc == RC_OK)
        return driver_sqlite.open(config, role == SESSION_FEED ? SESSION_READER : role, out_session,
                                  out_error);
    if (!faulty.is_wordless)
        buffer_append_str(out_error, STR("it does not open"));
    return rc;
}

static inline enum rc faulty_begin(struct driver_session *session, enum gate gate,
                                   int64_t deadline_ns)
{
    enum rc rc = faulty_answer();

    return rc == RC_OK ? driver_sqlite.begin(session, gate, deadline_ns) : rc;
}

static inline enum rc faulty_commit(struct driver_session *session, struct driver_run *changes,
                                    size_t count)
{
    enum rc rc = faulty_answer();

    return rc == RC_OK ? driver_sqlite.commit(session, changes, count) : rc;
}

static inline enum rc faulty_savepoint(struct driver_session *session)
{
    enum rc rc = faulty_answer();

    return rc == RC_OK ? driver_sqlite.savepoint(session) : rc;
}

static inline enum rc faulty_release(struct driver_session *session)
{
    enum rc rc = faulty_answer();

    return rc == RC_OK ? driver_sqlite.savepoint_release(session) : rc;
}

static inline enum rc faulty_undo(struct driver_session *session)
{
    enum rc rc = faulty_answer();

    return rc == RC_OK ? driver_sqlite.savepoint_undo(session) : rc;
}

static inline enum rc faulty_run(struct driver_session *session, enum statement statement,
                                 const struct store_param *params, unsigned param_count,
                                 uint64_t *out_row_count, int64_t *out_number)
{
    enum rc rc = faulty_answer();

    return rc == RC_OK ? driver_sqlite.run(session, statement, params, param_count, out_row_count,
                                           out_number)
                       : rc;
}

static inline enum rc faulty_run_all(struct driver_session *session, struct driver_run *runs,
                                     size_t count, size_t *out_failed)
{
    enum rc rc = RC_OK;
    size_t index;

    for (index = 0; rc == RC_OK && index < count; index++) {
        *out_failed = index;
        rc = faulty_run(session, runs[index].statement, runs[index].params, runs[index].param_count,
                        &runs[index].row_count, runs[index].out_number);
    }
    return rc;
}

static inline enum rc faulty_query(struct driver_session *session, enum statement statement,
                                   const struct store_param *params, unsigned param_count)
{
    enum rc rc = faulty_answer();

    atomic_store(&faulty.has_given_row, false);
    if (atomic_load(&faulty.row) != NULL)
        return rc;
    return rc == RC_OK ? driver_sqlite.query(session, statement, params, param_count) : rc;
}

static inline enum rc faulty_next(struct driver_session *session, bool *out_has_row)
{
    enum rc rc = faulty_answer();

    if (rc != RC_OK || atomic_load(&faulty.row) == NULL)
        return rc == RC_OK ? driver_sqlite.next(session, out_has_row) : rc;
    *out_has_row = !atomic_exchange(&faulty.has_given_row, true);
    return RC_OK;
}

static inline int64_t faulty_column_int(struct driver_session *session, unsigned column)
{
    const struct made_up_row *row = atomic_load(&faulty.row);

    return row == NULL ? driver_sqlite.column_int(session, column) : row->numbers[column];
}

static inline struct str faulty_column_bytes(struct driver_session *session, unsigned column)
{
    static const char zeros[2048];
    const struct made_up_row *row = atomic_load(&faulty.row);

    return row == NULL ? driver_sqlite.column_bytes(session, column)
                       : (struct str){ zeros, row->lens[column] };
}

static inline bool faulty_column_is_null(struct driver_session *session, unsigned column)
{
    return atomic_load(&faulty.row) == NULL && driver_sqlite.column_is_null(session, column);
}

static inline size_t faulty_row_bytes(struct driver_session *session)
{
    const struct made_up_row *row = atomic_load(&faulty.row);

    return row == NULL ? driver_sqlite.row_bytes(session) : row->row_bytes;
}

static inline enum rc faulty_run_text(struct driver_session *session, const char *text)
{
    enum rc rc = faulty_answer();

    /* Of a shared engine's snapshot the stand-in needs the transaction alone. */
    if (rc == RC_OK && faulty.is_shared && strncmp(text, "SET", 3) == 0)
        return RC_OK;
    if (faulty.is_shared && strncmp(text, "BEGIN", 5) == 0)
        text = "BEGIN";
    return rc == RC_OK ? driver_sqlite.run_text(session, text) : rc;
}

static inline struct str faulty_last_error(const struct driver_session *session)
{
    return faulty.is_wordless ? STR("") : driver_sqlite.last_error(session);
}

static inline enum rc faulty_wait(struct driver_session *session, int timeout_ms)
{
    const struct timespec pause = { .tv_nsec = timeout_ms * 1000000L };
    enum rc rc = faulty_answer();

    (void)session;
    nanosleep(&pause, NULL);
    return rc;
}

static inline void faulty_set_limit(struct driver_session *session, int64_t limit_ns)
{
    (void)session;
    (void)limit_ns;
}

static inline enum rc faulty_read_clock(struct driver_session *session, int64_t *out_now_ms)
{
    (void)session;
    *out_now_ms = clock_now_ms();
    return faulty_answer();
}

static inline enum rc faulty_hold_alone(struct driver_session *session, struct buffer *out_error)
{
    enum rc rc = faulty_answer();

    (void)session;
    if (rc != RC_OK)
        buffer_append_str(out_error, STR("it is not had alone"));
    return rc;
}

static inline enum rc faulty_number_behind(struct driver_session *session, struct str table,
                                           struct str column)
{
    (void)session;
    (void)table;
    (void)column;
    return faulty_answer();
}

enum rc driver_choose(const struct store_config *config, const struct driver **out_driver,
                      struct buffer *out_error)
{
    (void)config;
    (void)out_error;
    faulty_driver = driver_sqlite;
    faulty_driver.is_shared = faulty.is_shared;
    faulty_driver.open = faulty_open;
    faulty_driver.begin = faulty_begin;
    faulty_driver.commit = faulty_commit;
    faulty_driver.savepoint = faulty_savepoint;
    faulty_driver.savepoint_release = faulty_release;
    faulty_driver.savepoint_undo = faulty_undo;
    faulty_driver.run = faulty_run;
    faulty_driver.query = faulty_query;
    faulty_driver.next = faulty_next;
    faulty_driver.column_int = faulty_column_int;
    faulty_driver.column_bytes = faulty_column_bytes;
    faulty_driver.column_is_null = faulty_column_is_null;
    faulty_driver.row_bytes = faulty_row_bytes;
    faulty_driver.run_text = faulty_run_text;
    faulty_driver.last_error = faulty_last_error;
    if (faulty.is_shared) {
        faulty_driver.verify = NULL;
        faulty_driver.run_all = faulty_run_all;
        faulty_driver.wait_for_change = faulty_wait;
        faulty_driver.set_limit = faulty_set_limit;
        faulty_driver.read_clock = faulty_read_clock;
        faulty_driver.hold_alone = faulty_hold_alone;
        faulty_driver.number_behind = faulty_number_behind;
    }
    *out_driver = &faulty_driver;
    return RC_OK;
}

#endif
