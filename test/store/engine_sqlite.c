#include <sqlite3.h>
#include <unistd.h>

#include "engine.h"

#define T_INT                      "INTEGER"
#define T_TEXT                     "TEXT"
#define T_BYTES                    "BLOB"
#define T_ID                       "INTEGER PRIMARY KEY"
#define T_STRICT                   " STRICT"
#define SCHEMA_STEP(version, text) { version, text },
static const struct step kept_steps[] = {
#include KEPT_SCHEMA
};
static const struct step steps[] = {
#include "store/schema.def"
};
#undef SCHEMA_STEP

/* A name is the path of a file. */
static struct database *sqlite_open_file(const char *name)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(name, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK);
    return (struct database *)(void *)db;
}

static sqlite3 *db_of(struct database *database)
{
    return (sqlite3 *)(void *)database;
}

static void sqlite_close_file(struct database *database)
{
    assert_int_equal(sqlite3_close(db_of(database)), SQLITE_OK);
}

static void sqlite_remove_file(const char *name)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    char path[512];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", name, ends[i]);
        unlink(path);
    }
}

static void sqlite_run_text(struct database *database, const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(db_of(database), text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
}

static void sqlite_copy(const char *from, const char *to)
{
    struct database *database = sqlite_open_file(from);
    char text[600];

    snprintf(text, sizeof(text), "VACUUM INTO '%s'", to);
    sqlite_run_text(database, text);
    sqlite_close_file(database);
}

static void bind(sqlite3_stmt *prepared, const struct statement *statement,
                 const struct values *values)
{
    char bytes[32];
    int count = sqlite3_bind_parameter_count(prepared);

    memset(bytes, values->letter, sizeof(bytes));
    if ((size_t)count != strlen(statement->parameters))
        fail_msg("%s has %d parameters", statement->name, count);
    for (int number = 1; number <= count; number++) {
        /* "$3" is a name here, and numbered by its place. */
        size_t i = strtoul(sqlite3_bind_parameter_name(prepared, number) + 1, NULL, 10) - 1;

        assert_true(i < (size_t)count);
        if (statement->parameters[i] == 'i')
            sqlite3_bind_int64(prepared, number, value_int(values, i));
        else if (statement->parameters[i] == 't')
            sqlite3_bind_text(prepared, number, bytes, 1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_blob(prepared, number, bytes, sizeof(bytes), SQLITE_TRANSIENT);
    }
}

static void sqlite_run(struct database *database, const struct statement *statement,
                       const struct values *values, struct result *out_result)
{
    sqlite3 *db = db_of(database);
    sqlite3_stmt *prepared = NULL;
    int changes = sqlite3_total_changes(db);
    int code;

    out_result->row_count = 0;
    out_result->text[0] = '\0';
    if (sqlite3_prepare_v2(db, statement->text, -1, &prepared, NULL) != SQLITE_OK)
        fail_msg("%s: %s", statement->name, sqlite3_errmsg(db));
    bind(prepared, statement, values);
    while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(prepared); i++) {
            const char *text = (const char *)sqlite3_column_text(prepared, i);

            result_add(out_result, text != NULL ? text : "null");
        }
        result_end_row(out_result);
    }
    if (code == SQLITE_CONSTRAINT)
        snprintf(out_result->text, sizeof(out_result->text), "broke %s",
                 sqlite3_extended_errcode(db) == SQLITE_CONSTRAINT_PRIMARYKEY ? "its key"
                                                                              : sqlite3_errmsg(db));
    else if (code != SQLITE_DONE)
        fail_msg("%s: %s", statement->name, sqlite3_errmsg(db));
    sqlite3_finalize(prepared);
    if (code == SQLITE_DONE && out_result->row_count == 0)
        out_result->row_count = (size_t)(sqlite3_total_changes(db) - changes);
}

const struct engine engine_sqlite = {
    .name = "SQLite",
    .kept_steps = kept_steps,
    .kept_step_count = sizeof(kept_steps) / sizeof(kept_steps[0]),
    .steps = steps,
    .step_count = sizeof(steps) / sizeof(steps[0]),
    .make = sqlite_open_file,
    .copy = sqlite_copy,
    .open = sqlite_open_file,
    .close = sqlite_close_file,
    .remove = sqlite_remove_file,
    .run_text = sqlite_run_text,
    .run = sqlite_run,
};
