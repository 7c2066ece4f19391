#include "base/clock.h"
#include "store/room.h"

#include <stdio.h>

static int newest_version(const struct driver *driver)
{
    return driver->schema[driver->schema_step_count - 1].version;
}

static enum rc read_version(const struct driver *driver, struct driver_session *session,
                            int64_t *out_version)
{
    bool has_row = false;
    enum rc rc = driver->query(session, STATEMENT_FIND_VERSION, NULL, 0);

    if (rc == RC_OK)
        rc = driver->next(session, &has_row);
    if (rc == RC_OK && !has_row)
        rc = RC_CORRUPT;
    if (rc == RC_OK)
        *out_version = driver->column_int(session, 0);
    driver->finish(session);
    return rc;
}

static enum rc refuse_version(const struct driver *driver, int64_t version,
                              struct buffer *out_error)
{
    buffer_append_format(out_error, "the store has schema %d and this program knows %d: %s",
                         (int)version, newest_version(driver),
                         version > newest_version(driver)
                             ? "run the newer program that wrote it"
                             : "start the server once, which migrates it");
    return RC_INVALID;
}

/* All steps of one version and the note that it stands, in one transaction. */
static enum rc run_version(const struct driver *driver, struct driver_session *session, int version)
{
    struct store_param params[2] = {
        { .type = STORE_INT, .number = version },
        { .type = STORE_INT, .number = clock_now_s() },
    };
    uint64_t row_count;
    size_t index;
    enum rc rc = driver->begin(session);

    if (rc != RC_OK)
        return rc;
    for (index = 0; rc == RC_OK && index < driver->schema_step_count; index++) {
        if (driver->schema[index].version == version)
            rc = driver->run_text(session, driver->schema[index].text);
    }
    if (rc == RC_OK)
        rc = driver->run(session, STATEMENT_INSERT_VERSION, params, 2, &row_count, NULL);
    if (rc == RC_OK)
        rc = driver->commit(session);
    if (rc != RC_OK)
        driver->rollback(session);
    return rc;
}

enum rc schema_migrate(const struct driver *driver, struct driver_session *session,
                       struct buffer *out_error)
{
    int64_t version = 0;
    enum rc rc = driver->run_text(session, driver->schema[0].text);

    if (rc == RC_OK)
        rc = read_version(driver, session, &version);
    if (rc == RC_OK && version > newest_version(driver))
        return refuse_version(driver, version, out_error);
    while (rc == RC_OK && version < newest_version(driver)) {
        version++;
        rc = run_version(driver, session, (int)version);
    }
    if (rc != RC_OK)
        buffer_append_format(out_error, "cannot migrate the store to schema %d: %s", (int)version,
                             rc_words(rc));
    return rc == RC_EXISTS ? RC_CORRUPT : rc;
}

enum rc schema_check(const struct driver *driver, struct driver_session *session,
                     struct buffer *out_error)
{
    int64_t version = 0;
    enum rc rc = read_version(driver, session, &version);

    if (rc != RC_OK) {
        buffer_append_format(out_error, "cannot read the schema of the store: %s", rc_words(rc));
        return rc;
    }
    return version == newest_version(driver) ? RC_OK : refuse_version(driver, version, out_error);
}
