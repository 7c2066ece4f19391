/*
 * What the program of an earlier schema does on a store of today's: each of its statements, on a
 * store that was migrated and on one that is new, comes to the same as on a store of its own
 * (docs/DATA.md, "How a step is written").
 *
 *     kept_test                 on SQLite, and on PostgreSQL if JETON_TEST_DATABASE names a cluster
 *     kept_test --parameters    writes parameters.def, for statements that are kept anew
 */
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "store/store.h"

enum { NAME_BYTES = 256, ROW_COUNT_MAX = 1024 };

static struct statement statements[] = {
#define STATEMENT(name, text) { #name, text, NULL },
#include KEPT_QUERIES
#undef STATEMENT
};

enum { STATEMENT_COUNT = sizeof(statements) / sizeof(statements[0]) };

static const struct {
    const char *name;
    const char *letters;
} parameters[] = {
    { "", "" }, /* none are kept yet while they are written */
#define PARAMETERS(name, letters) { #name, letters },
#include KEPT_PARAMETERS
#undef PARAMETERS
};

enum { PARAMETERS_COUNT = sizeof(parameters) / sizeof(parameters[0]) };

/* Numbers stand for ids, times, flags and counts alike, so no single choice meets all statements:
 * between them nearly every statement finds something to do. */
static const struct values fills[] = {
    { 0, 0, 'e' }, { 1, 1, 'a' }, { 2, 1, 'b' },
    { 3, 0, 'c' }, { 2, 2, 'b' }, { 4, 4000000000, 'd' },
};
static const struct values looks[] = {
    { 1, 1, 'a' },          { 2, 1, 'a' },          { 2, 2, 'b' },          { 1, 2, 'a' },
    { 2, 4000000000, 'b' }, { 0, 4000000000, 'a' }, { 3, 0, 'c' },          { 1, 0, 'a' },
    { 4000000000, 4, 'd' }, { 0, 5, 'c' },          { 0, 0, 'e' },          { 0, 1, 'e' },
    { 4000000000, 1, 'a' }, { 4000000000, 2, 'b' }, { 4000000000, 0, 'e' }, { 7, 0, 'e' },
    { 7, 2, 'b' },
};

enum {
    FILL_COUNT = sizeof(fills) / sizeof(fills[0]),
    LOOK_COUNT = sizeof(looks) / sizeof(looks[0])
};

static bool has_done_something[STATEMENT_COUNT];

static char folder[] = "/tmp/jeton-kept-XXXXXX";

/* ---- a released step never changes ---- */

#define T_INT                      "<INT>"
#define T_TEXT                     "<TEXT>"
#define T_BYTES                    "<BYTES>"
#define T_ID                       "<ID>"
#define T_STRICT                   "<STRICT>"
#define SCHEMA_STEP(version, text) { version, text },
static const struct step released[] = {
#include KEPT_SCHEMA
};
static const struct step current[] = {
#include "store/schema.def"
};
#undef SCHEMA_STEP

static void test_released_steps_stand(void **state)
{
    size_t count = sizeof(released) / sizeof(released[0]);

    (void)state;
    assert_int_equal(released[count - 1].version, KEPT_VERSION);
    assert_true(count <= sizeof(current) / sizeof(current[0]));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(current[i].version, released[i].version);
        assert_string_equal(current[i].text, released[i].text);
    }
    for (size_t i = count; i < sizeof(current) / sizeof(current[0]); i++)
        assert_true(current[i].version > KEPT_VERSION);
}

/* ---- stores ---- */

static const char *name_of(const struct engine *engine, const char *which,
                           char out_name[static NAME_BYTES])
{
    if (engine == &engine_sqlite)
        snprintf(out_name, NAME_BYTES, "%s/%s/jeton.db", folder, which);
    else
        snprintf(out_name, NAME_BYTES, "jeton_kept_%d_%s", getpid(), which);
    return out_name;
}

static struct database *make(const struct engine *engine, const char *which,
                             const struct step *steps, size_t count)
{
    char name[NAME_BYTES];
    char text[128];
    struct database *database = engine->make(name_of(engine, which, name));

    for (size_t i = 0; i < count; i++)
        engine->run_text(database, steps[i].text);
    for (int version = 1; version <= KEPT_VERSION; version++) {
        snprintf(text, sizeof(text), "INSERT INTO schema_version (version, at) VALUES (%d, 1)",
                 version);
        engine->run_text(database, text);
    }
    return database;
}

static struct database *make_kept(const struct engine *engine, const char *which)
{
    return make(engine, which, engine->kept_steps, engine->kept_step_count);
}

/* By this program where it can, and else by the texts alone. */
static void migrate(const struct engine *engine, const char *which)
{
    char name[NAME_BYTES];
    char memory[512] = { 0 };
    struct buffer error = buffer_over(memory, sizeof(memory) - 1);
    struct store_config config = { .reader_count = 1 };
    struct store *store = NULL;
    struct database *database;

    name_of(engine, which, name);
    if (engine == &engine_sqlite) {
        config.data_dir = (struct str){ name, strlen(name) - strlen("/jeton.db") };
        if (store_open(&config, &store, &error) != RC_OK)
            fail_msg("%s", memory);
        store_close(store);
        return;
    }
    database = engine->open(name);
    for (size_t i = 0; i < engine->step_count; i++) {
        if (engine->steps[i].version > KEPT_VERSION)
            engine->run_text(database, engine->steps[i].text);
    }
    engine->close(database);
}

/* ---- statements ---- */

static int compare_rows(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* In an order of their own: not every statement asks for one. */
static void sort_rows(struct result *result, char out_text[static RESULT_BYTES])
{
    char *rows[ROW_COUNT_MAX];
    char *at = result->text;
    size_t count = 0;
    size_t used = 0;

    while (*at != '\0') {
        assert_true(count < ROW_COUNT_MAX);
        rows[count++] = at;
        at += strcspn(at, "\n");
        if (*at == '\n')
            *at++ = '\0';
    }
    qsort(rows, count, sizeof(rows[0]), compare_rows);
    out_text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(out_text + used, RESULT_BYTES - used, "%s\n", rows[i]);
}

/* A store of the kept schema, and one of today's. */
struct pair {
    const struct engine *engine;
    struct database *kept;
    struct database *today;
};

static void run_on_both(const struct pair *pair, size_t index, const struct values *values)
{
    static struct result kept_result;
    static struct result today_result;
    static char kept_text[RESULT_BYTES];
    static char today_text[RESULT_BYTES];
    const struct statement *statement = &statements[index];

    pair->engine->run(pair->kept, statement, values, &kept_result);
    pair->engine->run(pair->today, statement, values, &today_result);
    sort_rows(&kept_result, kept_text);
    sort_rows(&today_result, today_text);
    has_done_something[index] = has_done_something[index] || kept_result.row_count > 0;
    if (kept_result.row_count != today_result.row_count || strcmp(kept_text, today_text) != 0)
        fail_msg("%s, %s: %zu rows\n%s\nand today %zu\n%s", pair->engine->name, statement->name,
                 kept_result.row_count, kept_text, today_result.row_count, today_text);
}

static bool is_for(const struct statement *statement, const char *verb)
{
    return strncmp(statement->text, verb, strlen(verb)) == 0;
}

/* The statements that are to see a difference. */
static bool asks_for_version(const struct statement *statement)
{
    return strcmp(statement->name, "FIND_VERSION") == 0 ||
           strcmp(statement->name, "FIND_RUNS_FROM") == 0;
}

static void fill_one(const struct engine *engine, struct database *database)
{
    static struct result result;

    for (size_t number = 0; number < FILL_COUNT; number++) {
        for (size_t i = 0; i < STATEMENT_COUNT; i++) {
            if (is_for(&statements[i], "INSERT") || is_for(&statements[i], "UPDATE"))
                engine->run(database, &statements[i], &fills[number], &result);
        }
    }
    /* Nobody migrates a store in the middle of a move. */
    engine->run_text(database, "DELETE FROM moved");
}

static void fill_both(const struct pair *pair)
{
    for (size_t number = 0; number < FILL_COUNT; number++) {
        for (size_t i = 0; i < STATEMENT_COUNT; i++) {
            if (!is_for(&statements[i], "DELETE") && !asks_for_version(&statements[i]))
                run_on_both(pair, i, &fills[number]);
        }
    }
}

/* Each statement alone, on the same rows. */
static void look_at_both(const struct pair *pair)
{
    for (size_t number = 0; number < LOOK_COUNT; number++) {
        for (size_t i = 0; i < STATEMENT_COUNT; i++) {
            if (asks_for_version(&statements[i]))
                continue;
            pair->engine->run_text(pair->kept, "BEGIN");
            pair->engine->run_text(pair->today, "BEGIN");
            run_on_both(pair, i, &looks[number]);
            pair->engine->run_text(pair->kept, "ROLLBACK");
            pair->engine->run_text(pair->today, "ROLLBACK");
        }
    }
}

/* ---- tests ---- */

static void remove_store(const struct engine *engine, const char *which)
{
    char name[NAME_BYTES];

    engine->remove(name_of(engine, which, name));
}

static void close_pair(const struct pair *pair)
{
    pair->engine->close(pair->kept);
    pair->engine->close(pair->today);
    remove_store(pair->engine, "kept");
    remove_store(pair->engine, "today");
}

static void expect_same_on_migrated(const struct engine *engine)
{
    struct pair pair = { .engine = engine, .kept = make_kept(engine, "kept") };
    char kept_name[NAME_BYTES];
    char name[NAME_BYTES];

    fill_one(engine, pair.kept);
    engine->close(pair.kept);
    engine->copy(name_of(engine, "kept", kept_name), name_of(engine, "today", name));
    migrate(engine, "today");
    pair.kept = engine->open(kept_name);
    pair.today = engine->open(name);
    look_at_both(&pair);
    fill_both(&pair);
    look_at_both(&pair);
    close_pair(&pair);
}

static void expect_same_on_new(const struct engine *engine)
{
    struct pair pair = { .engine = engine,
                         .kept = make_kept(engine, "kept"),
                         .today = make(engine, "today", engine->steps, engine->step_count) };

    fill_both(&pair);
    look_at_both(&pair);
    close_pair(&pair);
}

static void test_on_a_migrated_store(void **state)
{
    (void)state;
    expect_same_on_migrated(&engine_sqlite);
}

static void test_on_a_new_store(void **state)
{
    (void)state;
    expect_same_on_new(&engine_sqlite);
}

static void test_on_a_migrated_store_of_postgresql(void **state)
{
    (void)state;
    if (getenv("JETON_TEST_DATABASE") == NULL)
        skip();
    expect_same_on_migrated(&engine_postgres);
}

static void test_on_a_new_store_of_postgresql(void **state)
{
    (void)state;
    if (getenv("JETON_TEST_DATABASE") == NULL)
        skip();
    expect_same_on_new(&engine_postgres);
}

/* Otherwise all of this would show little. */
static void test_the_values_meet_the_statements(void **state)
{
    size_t idle_count = 0;

    (void)state;
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        if (has_done_something[i] || asks_for_version(&statements[i]))
            continue;
        print_message("no row for %s\n", statements[i].name);
        idle_count++;
    }
    assert_true(idle_count * 10 <= STATEMENT_COUNT);
}

/* What a column's type is seen by the types of the parameters that meet it. */
static void test_types_stand(void **state)
{
    struct database *database;
    char letters[PARAMETER_COUNT_MAX + 1];

    (void)state;
    if (getenv("JETON_TEST_DATABASE") == NULL)
        skip();
    database = make(&engine_postgres, "today", engine_postgres.steps, engine_postgres.step_count);
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        engine_postgres.describe(database, statements[i].text, letters);
        if (strcmp(letters, statements[i].parameters) != 0)
            fail_msg("%s: %s, kept as %s", statements[i].name, letters, statements[i].parameters);
    }
    engine_postgres.close(database);
    remove_store(&engine_postgres, "today");
}

static int write_parameters(void)
{
    struct database *database = make_kept(&engine_postgres, "kept");
    char letters[PARAMETER_COUNT_MAX + 1];

    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        engine_postgres.describe(database, statements[i].text, letters);
        printf("PARAMETERS(%s, \"%s\")\n", statements[i].name, letters);
    }
    engine_postgres.close(database);
    remove_store(&engine_postgres, "kept");
    return 0;
}

static int open_all(void **state)
{
    char path[NAME_BYTES];

    (void)state;
    umask(077);
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        for (size_t other = 0; other < PARAMETERS_COUNT; other++) {
            if (strcmp(parameters[other].name, statements[i].name) == 0)
                statements[i].parameters = parameters[other].letters;
        }
        if (statements[i].parameters == NULL) {
            print_error("parameters.def lacks %s\n", statements[i].name);
            return -1;
        }
    }
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/kept", folder);
    if (mkdir(path, 0700) != 0)
        return -1;
    snprintf(path, sizeof(path), "%s/today", folder);
    return mkdir(path, 0700);
}

static int close_all(void **state)
{
    char path[NAME_BYTES];

    (void)state;
    snprintf(path, sizeof(path), "%s/today/lock", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/today", folder);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/kept", folder);
    rmdir(path);
    return rmdir(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_released_steps_stand),
        cmocka_unit_test(test_on_a_migrated_store),
        cmocka_unit_test(test_on_a_new_store),
        cmocka_unit_test(test_the_values_meet_the_statements),
        cmocka_unit_test(test_types_stand),
        cmocka_unit_test(test_on_a_migrated_store_of_postgresql),
        cmocka_unit_test(test_on_a_new_store_of_postgresql),
    };

    if (argc > 1 && strcmp(argv[1], "--parameters") == 0)
        return write_parameters();
    return cmocka_run_group_tests(tests, open_all, close_all);
}
