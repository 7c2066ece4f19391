#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "store/room.h"

/* Another process that migrates, or sessions that hold a table: they are waited for so long. */
enum { MIGRATE_WAIT_MS = 60 * 1000, MIGRATE_PAUSE_MS = 1000 };

/* The oldest program that may run on a version, by the version that it knows. */
static const int runs_from[] = {
#define SCHEMA_STEP(version, text)
#define SCHEMA_RUNS_FROM(version, oldest) [version] = (oldest),
#include "store/schema.def"
#undef SCHEMA_RUNS_FROM
#undef SCHEMA_STEP
};

enum { FIRST_VERSION_WITH_RUNS_FROM = 5 };

static int newest_version(const struct driver *driver)
{
    return driver->schema[driver->schema_step_count - 1].version;
}

/* Nothing said is the safe answer: itself. */
static int oldest_program(int version)
{
    size_t index = (size_t)version;

    return index < sizeof(runs_from) / sizeof(runs_from[0]) && runs_from[index] != 0
               ? runs_from[index]
               : version;
}

static enum rc read_number(const struct driver *driver, struct driver_session *session,
                           enum statement statement, int64_t *out_number)
{
    bool has_row = false;
    enum rc rc = driver->query(session, statement, NULL, 0);

    if (rc == RC_OK)
        rc = driver->next(session, &has_row);
    if (rc == RC_OK && !has_row)
        rc = RC_CORRUPT;
    if (rc == RC_OK)
        *out_number = driver->column_int(session, 0);
    driver->finish(session);
    return rc;
}

enum rc schema_read_version(const struct driver *driver, struct driver_session *session,
                            int64_t *out_version)
{
    return read_number(driver, session, STATEMENT_FIND_VERSION, out_version);
}

static enum rc refuse_older(const struct driver *driver, int64_t version, struct buffer *out_error)
{
    buffer_append_format(out_error,
                         "the store has schema %d and this program knows %d: start the server "
                         "once, which migrates it",
                         (int)version, newest_version(driver));
    return RC_INVALID;
}

/* A store that a newer program has migrated says itself which programs may run on it. */
static enum rc judge_newer(const struct driver *driver, struct driver_session *session,
                           int64_t version, struct buffer *out_error)
{
    int64_t oldest = 0;
    enum rc rc = read_number(driver, session, STATEMENT_FIND_RUNS_FROM, &oldest);

    if (rc == RC_OK && oldest > 0 && oldest <= newest_version(driver))
        return RC_OK;
    buffer_append_format(out_error,
                         "the store has schema %d and this program knows %d: ", (int)version,
                         newest_version(driver));
    if (rc != RC_OK)
        buffer_append_str(out_error, STR("run the newer program that wrote it"));
    else
        buffer_append_format(out_error, "run a newer program, which knows %d at least",
                             (int)oldest);
    return RC_INVALID;
}

static enum rc insert_version(const struct driver *driver, struct driver_session *session,
                              int version)
{
    const struct store_param params[2] = {
        { .type = STORE_INT, .number = version },
        { .type = STORE_INT, .number = clock_now_s() },
    };
    const struct store_param promise[2] = {
        { .type = STORE_INT, .number = version },
        { .type = STORE_INT, .number = oldest_program(version) },
    };
    uint64_t row_count;
    enum rc rc = driver->run(session, STATEMENT_INSERT_VERSION, params, 2, &row_count, NULL);

    if (rc == RC_OK && version >= FIRST_VERSION_WITH_RUNS_FROM)
        rc = driver->run(session, STATEMENT_SET_RUNS_FROM, promise, 2, &row_count, NULL);
    return rc;
}

/* All steps of one version and the note that it stands. */
static enum rc run_version(const struct driver *driver, struct driver_session *session, int version)
{
    enum rc rc = RC_OK;
    size_t index;

    for (index = 0; rc == RC_OK && index < driver->schema_step_count; index++) {
        if (driver->schema[index].version == version)
            rc = driver->run_text(session, driver->schema[index].text);
    }
    return rc == RC_OK ? insert_version(driver, session, version) : rc;
}

/*
 * One version forward, in one transaction that looks first how far the store is: another process
 * may have been quicker. While it runs nobody else writes; where it cannot have a table soon it
 * gives up with RC_BUSY, so that nobody waits long behind it.
 *
 * version   becomes the store's, or the one that it could not be brought to
 */
static enum rc step_forward(const struct driver *driver, struct driver_session *session,
                            int64_t *version)
{
    enum rc rc = driver->begin(session, GATE_SCHEMA, 0);

    if (rc != RC_OK)
        return rc;
    rc = driver->run_text(session, driver->schema[0].text);
    if (rc == RC_OK)
        rc = schema_read_version(driver, session, version);
    if (rc == RC_OK && *version < newest_version(driver))
        rc = run_version(driver, session, (int)++*version);
    if (rc == RC_OK)
        rc = driver->commit(session, NULL, 0);
    if (rc != RC_OK)
        driver->rollback(session);
    return rc;
}

static void report(const struct driver *driver, const struct driver_session *session,
                   int64_t version, enum rc rc, struct buffer *out_error)
{
    struct str words = driver->last_error(session);

    buffer_append_format(out_error, "cannot migrate the store to schema %d: %s", (int)version,
                         rc == RC_BUSY ? "others hold its tables; try again when they let go"
                                       : rc_words(rc));
    if (rc != RC_BUSY && words.len > 0)
        buffer_append_format(out_error, " (%.*s)", STR_ARGS(words));
}

enum rc schema_migrate(const struct driver *driver, struct driver_session *session,
                       struct buffer *out_error)
{
    const struct timespec pause = { .tv_nsec = MIGRATE_PAUSE_MS * 1000000L };
    int64_t until_ms = clock_monotonic_ms() + MIGRATE_WAIT_MS;
    int64_t version = 0;
    enum rc rc = RC_OK;

    /* Mostly nothing is to be done, and a role that may not make tables will do. */
    if (driver->is_shared && schema_read_version(driver, session, &version) != RC_OK)
        version = 0;
    while (rc == RC_OK ? version < newest_version(driver)
                       : rc == RC_BUSY && clock_monotonic_ms() < until_ms) {
        if (rc == RC_BUSY)
            nanosleep(&pause, NULL);
        rc = step_forward(driver, session, &version);
    }
    if (rc != RC_OK) {
        report(driver, session, version, rc, out_error);
        return rc == RC_EXISTS ? RC_CORRUPT : rc;
    }
    return version > newest_version(driver) ? judge_newer(driver, session, version, out_error)
                                            : RC_OK;
}

enum rc schema_check(const struct driver *driver, struct driver_session *session,
                     bool accepts_older, struct buffer *out_error)
{
    int64_t version = 0;
    enum rc rc = schema_read_version(driver, session, &version);

    if (rc != RC_OK) {
        buffer_append_format(out_error, "cannot read the schema of the store: %s (%.*s)",
                             rc_words(rc), STR_ARGS(driver->last_error(session)));
        return rc;
    }
    if (version > newest_version(driver))
        return judge_newer(driver, session, version, out_error);
    return version == newest_version(driver) || (accepts_older && version > 0)
               ? RC_OK
               : refuse_older(driver, version, out_error);
}
