/*
 * How PostgreSQL finds rows: with tables that have grown, no statement that people or the sweep
 * wait for reads a whole table.
 */
#include "fixture.h"

enum { ROW_COUNT = 20000 };

struct statement_text {
    const char *name;
    const char *text;
};

static const struct statement_text statements[] = {
#define STATEMENT(name, text) { #name, text },
#include "store/queries.def"
#undef STATEMENT
};

/*
 * What reads everything on purpose: searches for a part of a text, counts, and walks over what
 * there is little of. Named with the reason, so that a new statement is looked at.
 */
static const char *const whole[] = {
    "SEARCH_EVENTS",      /* the newest of a kind, of a person: goes back as far as it has to */
    "FIND_IDLE_CLIENT",   /* a job, once an hour, over clients                */
    "COUNT_MAILS",        /* mails that wait are few                          */
    "COUNT_DELIVERIES",   /* likewise                                         */
    "COUNT_PERMANENTS",   /* for the metrics, seldom                          */
    "EXPECT_CLIENT_ROOM", /* clients that no operator made are few            */
    "DELETE_DELIVERIES_TO_CLIENT", /* what waits is little                          */
    "DELETE_MOVE",                 /* one row                                          */
    "END_RESTORED_GRANTS",         /* once, of a store that was restored, as the next two are */
    "SPEND_RESTORED_CODES",
    "RAISE_STEPS",
};

static bool is_whole(const char *name)
{
    size_t index;

    for (index = 0; index < sizeof(whole) / sizeof(whole[0]); index++) {
        if (strcmp(whole[index], name) == 0)
            return true;
    }
    return false;
}

/* Statements that change or find rows by something; not those of a move, which reads all. */
static bool is_looked_at(const struct statement_text *statement)
{
    static const char *const prefixes[] = { "READ_", "COPY_", "CLEAR_", "INSERT_", "PUT_" };
    size_t index;

    for (index = 0; index < sizeof(prefixes) / sizeof(prefixes[0]); index++) {
        if (strncmp(statement->name, prefixes[index], strlen(prefixes[index])) == 0)
            return false;
    }
    return !is_whole(statement->name);
}

/* Rows in every table that grows. A few accounts and clients have many of them each. */
static void fill(PGconn *conn)
{
    static const char text[] =
        "DO $$ DECLARE t record; names text; filled text; BEGIN"
        " FOR t IN SELECT c.oid, c.relname FROM pg_class AS c WHERE c.relkind = 'r' AND"
        " c.relnamespace = current_schema()::regnamespace AND c.relname NOT IN"
        " ('schema_version', 'sequence', 'job', 'moved', 'sealed_value', 'signing_key', 'name')"
        " LOOP SELECT string_agg(quote_ident(attname), ', '), string_agg(CASE"
        " WHEN atttypid = 'bytea'::regtype THEN 'decode(md5(i::text), ''hex'')'"
        " WHEN atttypid = 'text'::regtype THEN 'md5(i::text)'"
        " WHEN attname LIKE 'is_%' OR attname IN ('policy', 'ended_at', 'parent_id', 'spent_at',"
        " 'leased_until', 'replaced_by', 'used_at') THEN '0'"
        " WHEN attname IN ('kind', 'state', 'purpose', 'stage') THEN 'i % 3'"
        " WHEN attname = 'account_id' AND t.relname IN ('granted', 'session', 'browser_session')"
        " THEN 'i % 50' WHEN attname = 'client_id' AND t.relname = 'granted' THEN 'i % 40'"
        " ELSE 'i' END, ', ') INTO names, filled"
        " FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped;"
        " EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM generate_series(1, 20000) AS i"
        " ON CONFLICT DO NOTHING', t.relname, names, filled); END LOOP; END $$";

    cluster_run(conn, "SET client_min_messages = warning");
    cluster_run(conn, text);
    cluster_run(conn, "ANALYZE");
    cluster_run(conn, "SET jit = off");
    cluster_run(conn, "SET enable_seqscan = off");
    cluster_run(conn, "SET random_page_cost = 1.1");
}

static unsigned count_params(const char *text)
{
    unsigned count = 0;

    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$')) {
        unsigned number = (unsigned)strtoul(at + 1, NULL, 10);

        count = number > count ? number : count;
    }
    return count;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* In most statements $1 is an id; in lists $2 is a number of rows, in the sweep the end of a page.
 */
static const char *value_of(const char *name, unsigned param, Oid type)
{
    if (type == 17)
        return "'\\x00'";
    if (type == 25)
        return "'x'";
    if (param == 2 && starts_with(name, "SWEEP_"))
        return starts_with(name, "SWEEP_PAGE_") ? "128" : "10128";
    return param == 2 && (starts_with(name, "LIST_") || starts_with(name, "SEARCH_")) ? "100"
                                                                                      : "10000";
}

static PGresult *ask(PGconn *conn, const struct statement_text *statement, PGresult *result,
                     ExecStatusType status)
{
    if (PQresultStatus(result) != status)
        fail_msg("%s: %s", statement->name, PQerrorMessage(conn));
    return result;
}

/* As the driver does it: integers are declared, so that nothing has to be guessed. */
static void prepare(PGconn *conn, const struct statement_text *statement, char *out_text,
                    size_t size)
{
    struct buffer words = buffer_over(out_text, size - 1);
    unsigned count = count_params(statement->text);
    Oid types[STORE_PARAM_COUNT_MAX] = { 0 };
    PGresult *result = PQprepare(conn, "asked", statement->text, 0, NULL);

    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        PQclear(result);
        for (unsigned param = 0; param < count; param++)
            types[param] = 20;
        result = PQprepare(conn, "asked", statement->text, (int)count, types);
    }
    PQclear(ask(conn, statement, result, PGRES_COMMAND_OK));
    result = ask(conn, statement, PQdescribePrepared(conn, "asked"), PGRES_COMMAND_OK);
    buffer_append_str(&words, STR("EXPLAIN (COSTS OFF) EXECUTE asked"));
    for (unsigned param = 1; param <= count; param++)
        buffer_append_format(&words, "%s%s", param == 1 ? "(" : ", ",
                             value_of(statement->name, param, PQparamtype(result, (int)param - 1)));
    buffer_append_str(&words, count > 0 ? STR(")") : STR(""));
    assert_false(words.overflow);
    out_text[words.len] = '\0';
    PQclear(result);
}

static bool is_of_small_table(const char *line)
{
    static const char *const small[] = { "sequence",     "job",         "name",          "moved",
                                         "sealed_value", "signing_key", "schema_version" };
    const char *name = strstr(line, "Seq Scan on ") + strlen("Seq Scan on ");
    size_t index;

    for (index = 0; index < sizeof(small) / sizeof(small[0]); index++) {
        if (strncmp(name, small[index], strlen(small[index])) == 0 &&
            (name[strlen(small[index])] == '\0' || name[strlen(small[index])] == ' '))
            return true;
    }
    return false;
}

/* A walk along the key that throws away what belongs to others, while there is an index of those
 * that belong to one. */
static bool walks_past_others(const PGresult *plan, int row)
{
    if (strstr(PQgetvalue(plan, row, 0), "_pkey on ") == NULL)
        return false;
    for (row++; row < PQntuples(plan) && strstr(PQgetvalue(plan, row, 0), "->") == NULL; row++) {
        const char *line = PQgetvalue(plan, row, 0);

        if (strstr(line, "Index Cond: ") != NULL && strstr(line, " = ") != NULL)
            return false;
        if (strstr(line, " Filter: ") != NULL &&
            (strstr(line, "(account_id = '") != NULL || strstr(line, "(client_id = '") != NULL ||
             strstr(line, "(account_id = $") != NULL || strstr(line, "(client_id = $") != NULL ||
             strstr(line, "lower(email) = ") != NULL))
            return true;
    }
    return false;
}

/* The plan that the engine settles on after some runs. */
static bool reads_all(PGconn *conn, const struct statement_text *statement)
{
    char text[1024];
    bool is_found = false;
    PGresult *plan = NULL;

    prepare(conn, statement, text, sizeof(text));
    for (int run = 0; run < 8; run++) {
        PQclear(plan);
        plan = ask(conn, statement, PQexec(conn, text), PGRES_TUPLES_OK);
    }
    for (int row = 0; row < PQntuples(plan); row++) {
        const char *line = PQgetvalue(plan, row, 0);

        is_found = is_found || walks_past_others(plan, row) ||
                   strstr(line, "hashed SubPlan") != NULL ||
                   (strstr(line, "Seq Scan on ") != NULL && !is_of_small_table(line));
    }
    for (int row = 0; is_found && row < PQntuples(plan); row++)
        print_message("%s: %s\n", statement->name, PQgetvalue(plan, row, 0));
    PQclear(plan);
    cluster_run(conn, "DEALLOCATE asked");
    return is_found;
}

static void test_nothing_reads_a_whole_table(void **state)
{
    struct fixture *fixture = *state;
    PGconn *conn = fixture->cluster.conn;
    unsigned found_count = 0;
    size_t index;

    store_close(fixture->store); /* its sweep would take the rows away */
    fixture->store = NULL;
    fill(conn);
    assert_int_equal(cluster_run(conn, "SELECT count(*) FROM token"), ROW_COUNT);
    for (index = 0; index < sizeof(statements) / sizeof(statements[0]); index++) {
        if (is_looked_at(&statements[index]))
            found_count += reads_all(conn, &statements[index]);
    }
    assert_int_equal(found_count, 0);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { ON_STORE(test_nothing_reads_a_whole_table) };

    if (!fixture_has_cluster())
        return FIXTURE_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
