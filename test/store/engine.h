/*
 * test/store/engine.h: a bare engine to run kept statements on, below the store's own drivers, so
 * that what is tested is the schema and the statements alone.
 */
#ifndef JETON_TEST_STORE_ENGINE_H
#define JETON_TEST_STORE_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RESULT_BYTES = 32 * 1024, PARAMETER_COUNT_MAX = 24 };

/* A step of a schema, a statement. */
struct step {
    int version;
    const char *text;
};

struct statement {
    const char *name;
    const char *text;
    const char *parameters; /* a letter for each: 'i' integer, 't' text, 'b' bytes */
};

/* What the parameters of a run are: the first integer, the others, and a letter. */
struct values {
    int64_t first;
    int64_t rest;
    char letter;
};

/* What came of a statement, in words that can be compared: its rows, or which rule it broke. */
struct result {
    size_t row_count; /* returned or changed */
    char text[RESULT_BYTES];
};

struct database;

struct engine {
    const char *name;
    const struct step *kept_steps; /* of the kept schema, in this engine's words */
    size_t kept_step_count;
    const struct step *steps; /* of the schema of today */
    size_t step_count;

    /* An empty database, or a copy of one that nobody has open. */
    struct database *(*make)(const char *name);
    void (*copy)(const char *from, const char *to);
    struct database *(*open)(const char *name);
    void (*close)(struct database *database);
    void (*remove)(const char *name);

    /* Fails the test on any fault. */
    void (*run_text)(struct database *database, const char *text);
    /* Fails the test on any fault but a broken constraint, which is a result. */
    void (*run)(struct database *database, const struct statement *statement,
                const struct values *values, struct result *out_result);

    /* A letter for each parameter of a statement. NULL: the engine does not know. */
    void (*describe)(struct database *database, const char *text,
                     char out_parameters[static PARAMETER_COUNT_MAX + 1]);
};

extern const struct engine engine_sqlite;
extern const struct engine engine_postgres; /* needs JETON_TEST_DATABASE */

/* One more value of a row, and the end of the row. */
static inline void result_add(struct result *result, const char *text)
{
    size_t used = strlen(result->text);

    assert_true(used + strlen(text) + 2 <= sizeof(result->text));
    snprintf(result->text + used, sizeof(result->text) - used, "%s|", text);
}

static inline void result_end_row(struct result *result)
{
    size_t used = strlen(result->text);

    assert_true(used + 2 <= sizeof(result->text));
    memcpy(result->text + used, "\n", 2);
    result->row_count++;
}

/* What an integer parameter is. */
static inline int64_t value_int(const struct values *values, size_t index)
{
    return index == 0 ? values->first : values->rest;
}

#endif
