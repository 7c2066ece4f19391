#include <stdio.h>
#include <stdlib.h>

#include "store/postgres.h"

/* Of pg_type, fixed for ever: the arrays and what they are of. */
enum {
    OID_BYTES = 17,
    OID_INT8 = 20,
    OID_TEXT = 25,
    OID_BYTES_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016
};

enum { ROW_COUNT_MIN = 4, ARRAY_HEAD_BYTES = 20 };

static const enum statement statements[BULK_COUNT] = {
    [BULK_TOKEN] = STATEMENT_INSERT_TOKEN,
    [BULK_LONG_TOKEN] = STATEMENT_INSERT_LONG_TOKEN,
    [BULK_PERMITTED_TOKEN] = STATEMENT_INSERT_PERMITTED_TOKEN,
    [BULK_PERMITTED_LONG_TOKEN] = STATEMENT_INSERT_PERMITTED_LONG_TOKEN,
    [BULK_EVENT] = STATEMENT_INSERT_EVENT,
    [BULK_CHANGE] = STATEMENT_INSERT_CHANGE,
};

void postgres_bulk_plan(struct driver_session *session, const struct exchange *exchange)
{
    unsigned bulk;
    size_t index;

    memset(session->bulk_rows, 0, sizeof(session->bulk_rows));
    if (session->is_one_by_one) {
        session->is_one_by_one = false;
        return;
    }
    for (bulk = 0; bulk < BULK_COUNT; bulk++) {
        for (index = 0; index < exchange->run_count; index++)
            session->bulk_rows[bulk] += exchange->runs[index].statement == statements[bulk];
        if (session->bulk_rows[bulk] < ROW_COUNT_MIN)
            session->bulk_rows[bulk] = 0;
    }
}

bool postgres_bulk_takes(const struct driver_session *session, const struct driver_run *run)
{
    unsigned bulk;

    for (bulk = 0; bulk < BULK_COUNT; bulk++) {
        if (run->statement == statements[bulk])
            return session->bulk_rows[bulk] > 0;
    }
    return false;
}

/* ---- arrays as the engine reads them -------------------------------------------------------- */

static char *put_int(char *at, uint64_t number, unsigned len)
{
    unsigned byte;

    for (byte = 0; byte < len; byte++)
        at[byte] = (char)(number >> 8 * (len - 1 - byte) & 0xff);
    return at + len;
}

static size_t element_bytes(const struct store_param *param)
{
    return param->type == STORE_INT ? 8 : param->bytes.len;
}

static char *put_element(char *at, const struct store_param *param)
{
    at = put_int(at, element_bytes(param), 4);
    if (param->type == STORE_INT)
        return put_int(at, (uint64_t)param->number, 8);
    if (param->bytes.len > 0)
        memcpy(at, param->bytes.at, param->bytes.len);
    return at + param->bytes.len;
}

static char *put_array(char *at, const struct exchange *exchange, enum statement statement,
                       unsigned row_count, unsigned param, Oid element_type)
{
    size_t index;

    at = put_int(at, 1, 4); /* dimensions */
    at = put_int(at, 0, 4); /* NULLs */
    at = put_int(at, element_type, 4);
    at = put_int(at, row_count, 4);
    at = put_int(at, 1, 4); /* the first index */
    for (index = 0; index < exchange->run_count; index++) {
        if (exchange->runs[index].statement == statement)
            at = put_element(at, &exchange->runs[index].params[param]);
    }
    return at;
}

static size_t all_bytes(const struct exchange *exchange, enum statement statement,
                        unsigned param_count)
{
    size_t bytes = (size_t)param_count * ARRAY_HEAD_BYTES;
    unsigned param;
    size_t index;

    for (index = 0; index < exchange->run_count; index++) {
        const struct driver_run *run = &exchange->runs[index];

        for (param = 0; run->statement == statement && param < param_count; param++)
            bytes += 4 + element_bytes(&run->params[param]);
    }
    return bytes;
}

/* ---- sending -------------------------------------------------------------------------------- */

static void put_list(struct buffer *text, const char *begin, unsigned count, char letter)
{
    unsigned number;

    buffer_append_str(text, str_of(begin));
    for (number = 1; number <= count; number++)
        buffer_append_format(text, "%s%c%u", number == 1 ? "" : ", ", letter, number);
    buffer_append_str(text, STR(")"));
}

/* The statement for each row of arrays: its parameters are the row's columns, p1 for $1. */
static void write_text(enum statement statement, unsigned param_count, char *out_text)
{
    struct buffer text = buffer_over(out_text, BULK_TEXT_BYTES_MAX - 1);
    const char *one = postgres_text(statement);
    const char *at = strchr(one, ')');

    ASSERT(at != NULL);
    at++;
    buffer_append(&text, one, (size_t)(at - one));
    put_list(&text, " SELECT l.* FROM unnest(", param_count, '$');
    put_list(&text, " AS r (", param_count, 'p');
    buffer_append_str(&text, STR(", LATERAL ("));
    for (; *at != '\0'; at++) {
        if (*at == '$')
            buffer_append_str(&text, STR("r.p"));
        else
            buffer_append_byte(&text, *at);
    }
    buffer_append_str(&text, STR(") AS l"));
    ASSERT(!text.overflow);
    out_text[text.len] = '\0';
}

static void choose_types(const struct driver_run *run, Oid *out_arrays, Oid *out_elements)
{
    unsigned param;

    for (param = 0; param < run->param_count; param++) {
        enum store_param_type type = run->params[param].type;

        ASSERT(type != STORE_NULL);
        out_elements[param] = type == STORE_INT    ? OID_INT8
                              : type == STORE_TEXT ? OID_TEXT
                                                   : OID_BYTES;
        out_arrays[param] = type == STORE_INT    ? OID_INT8_ARRAY
                            : type == STORE_TEXT ? OID_TEXT_ARRAY
                                                 : OID_BYTES_ARRAY;
    }
}

static const struct driver_run *first_run(const struct exchange *exchange, enum statement statement)
{
    const struct driver_run *run = exchange->runs;

    while (run->statement != statement)
        run++;
    return run;
}

char *postgres_bulk_fill(const struct driver_session *session, const struct exchange *exchange,
                         enum bulk bulk, char out_text[static BULK_TEXT_BYTES_MAX],
                         struct postgres_params *out_params)
{
    const struct driver_run *run = first_run(exchange, statements[bulk]);
    char *bytes = malloc(all_bytes(exchange, run->statement, run->param_count));
    Oid elements[STORE_PARAM_COUNT_MAX];
    char *at = bytes;
    unsigned param;

    if (bytes == NULL)
        return NULL;
    out_params->count = (int)run->param_count;
    choose_types(run, out_params->types, elements);
    for (param = 0; param < run->param_count; param++) {
        out_params->values[param] = at;
        at = put_array(at, exchange, run->statement, session->bulk_rows[bulk], param,
                       elements[param]);
        out_params->lengths[param] = (int)(at - out_params->values[param]);
        out_params->formats[param] = 1;
    }
    write_text(run->statement, run->param_count, out_text);
    return bytes;
}
