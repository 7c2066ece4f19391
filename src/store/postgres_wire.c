#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/postgres.h"

/* Of pg_type, fixed for ever. */
enum { OID_BYTES = 17, OID_INT8 = 20, OID_TEXT = 25 };

enum { NS_PER_MS = 1000000 };

static const char *const texts[STATEMENT_COUNT] = {
#define LOWER_CASE(parameter) "lower(" parameter " COLLATE \"C\")"
#define STATEMENT(name, text) [STATEMENT_##name] = text,
#include "store/queries.def"
#undef STATEMENT
#undef LOWER_CASE
};

const char *postgres_text(enum statement statement)
{
    return texts[statement];
}

void postgres_note(struct driver_session *session, const char *words)
{
    struct str text = str_trim(str_of(words));

    snprintf(session->error, sizeof(session->error), "%.*s", STR_ARGS(text));
}

void postgres_put_head(struct driver_session *session, const char *text, int prepared)
{
    ASSERT(session->head_count < HEAD_COUNT_MAX);
    session->heads[session->head_count++] = (struct head){ text, prepared };
}

bool postgres_can_keep(const struct store_param *params, unsigned param_count)
{
    unsigned index;

    for (index = 0; index < param_count; index++) {
        struct str bytes = params[index].bytes;

        if (params[index].type == STORE_TEXT &&
            (str_index_of(bytes, '\0') < bytes.len || !str_is_utf8(bytes)))
            return false;
    }
    return true;
}

/* ---- waiting -------------------------------------------------------------------------------- */

bool postgres_wait(struct driver_session *session, short events, int64_t deadline_ns)
{
    struct pollfd socket = { .fd = PQsocket(session->conn), .events = events };
    int count;

    do {
        int64_t left_ns = deadline_ns - clock_monotonic_ns();
        int64_t left_ms = left_ns <= 0 ? 0 : (left_ns + NS_PER_MS - 1) / NS_PER_MS;

        count = poll(&socket, 1, left_ms > INT32_MAX ? -1 : (int)left_ms);
    } while (count < 0 && errno == EINTR);
    return count != 0;
}

bool postgres_read_unasked(struct driver_session *session)
{
    /* Once more than there is something to read: the end of a connection comes behind its last
     * words. */
    while (postgres_wait(session, POLLIN, 0)) {
        if (PQconsumeInput(session->conn) == 0 || PQstatus(session->conn) != CONNECTION_OK)
            return false;
        (void)PQisBusy(session->conn);
    }
    return true;
}

/* Until a result can be had without waiting; what is still to be sent is sent meanwhile. */
static bool wait_for_result(struct driver_session *session)
{
    int unsent;

    while ((unsent = PQflush(session->conn)) >= 0) {
        if (PQisBusy(session->conn) == 0)
            return true;
        if (!postgres_wait(session, (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)),
                           session->deadline_ns)) {
            session->is_late = true;
            return false;
        }
        if (PQconsumeInput(session->conn) == 0)
            return false;
    }
    return false;
}

/* ---- sending -------------------------------------------------------------------------------- */

static unsigned count_params(const char *text)
{
    unsigned count = 0;

    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$')) {
        unsigned number = (unsigned)strtoul(at + 1, NULL, 10);

        if (number > count)
            count = number;
    }
    return count;
}

static void fill_param(struct postgres_params *params, int index, const struct store_param *param)
{
    unsigned byte;

    params->formats[index] = 1;
    params->types[index] = 0; /* NULL: the engine finds out what it is */
    params->values[index] = NULL;
    params->lengths[index] = 0;
    switch (param->type) {
    case STORE_INT:
        for (byte = 0; byte < 8; byte++)
            params->numbers[index][byte] =
                (unsigned char)((uint64_t)param->number >> (56 - 8 * byte) & 0xff);
        params->types[index] = OID_INT8;
        params->values[index] = (const char *)params->numbers[index];
        params->lengths[index] = 8;
        break;
    case STORE_TEXT:
    case STORE_BLOB:
        params->types[index] = param->type == STORE_TEXT ? OID_TEXT : OID_BYTES;
        params->values[index] = param->bytes.len > 0 ? param->bytes.at : "";
        params->lengths[index] = (int)param->bytes.len;
        break;
    case STORE_NULL:
    default:
        break;
    }
}

/* A statement may need fewer parameters than it is given: a reason is asked with its step's. */
static void fill_params(struct postgres_params *params, const struct driver_run *run)
{
    unsigned count = count_params(texts[run->statement]);
    unsigned index;

    ASSERT(count <= run->param_count);
    params->count = (int)count;
    for (index = 0; index < count; index++)
        fill_param(params, (int)index, &run->params[index]);
}

static bool note_command(struct driver_session *session, enum command_kind kind, size_t number)
{
    if (session->command_count == session->command_max) {
        size_t max = session->command_max * 2 + 16;
        struct command *commands = realloc(session->commands, max * sizeof(*commands));

        if (commands == NULL)
            return false;
        session->commands = commands;
        session->command_max = max;
    }
    session->commands[session->command_count++] = (struct command){ kind, (unsigned)number };
    return true;
}

/* A text is prepared when it is first used, just before that. */
static bool send(struct driver_session *session, const char *text, int prepared,
                 const struct postgres_params *params)
{
    char name[16];

    if (prepared == PREPARED_NOT || session->is_pooled)
        return PQsendQueryParams(session->conn, text, params->count, params->types, params->values,
                                 params->lengths, params->formats, 1) == 1;
    snprintf(name, sizeof(name), "s%d", prepared);
    if (!session->is_prepared[prepared]) {
        session->is_prepared[prepared] = true;
        if (PQsendPrepare(session->conn, name, text, params->count, params->types) != 1 ||
            !note_command(session, COMMAND_PREPARE, (size_t)prepared))
            return false;
    }
    return PQsendQueryPrepared(session->conn, name, params->count, params->values, params->lengths,
                               params->formats, 1) == 1;
}

static bool send_text(struct driver_session *session, const char *text, int prepared)
{
    static const struct postgres_params none = { .count = 0 };

    return send(session, text, prepared, &none) && note_command(session, COMMAND_TEXT, 0);
}

static bool send_run(struct driver_session *session, const struct exchange *exchange, size_t index)
{
    const struct driver_run *run = &exchange->runs[index];
    UNINITIALIZED struct postgres_params params;

    fill_params(&params, run);
    return send(session, texts[run->statement], (int)run->statement, &params) &&
           note_command(session, COMMAND_RUN, index);
}

static bool send_bulk(struct driver_session *session, const struct exchange *exchange,
                      enum bulk bulk)
{
    UNINITIALIZED struct postgres_params params;
    char text[BULK_TEXT_BYTES_MAX];
    char *bytes = postgres_bulk_fill(session, exchange, bulk, text, &params);
    bool is_sent = bytes != NULL && send(session, text, PREPARED_BULK + (int)bulk, &params);

    free(bytes);
    return is_sent && note_command(session, COMMAND_BULK, bulk);
}

static bool send_all(struct driver_session *session, const struct exchange *exchange)
{
    bool is_sent = true;
    size_t index;

    session->command_count = 0;
    for (index = 0; is_sent && index < session->head_count; index++)
        is_sent = send_text(session, session->heads[index].text, session->heads[index].prepared);
    for (index = 0; is_sent && index < exchange->run_count; index++)
        is_sent = postgres_bulk_takes(session, &exchange->runs[index]) ||
                  send_run(session, exchange, index);
    for (index = 0; is_sent && index < BULK_COUNT; index++)
        is_sent = session->bulk_rows[index] == 0 || send_bulk(session, exchange, (enum bulk)index);
    for (index = 0; is_sent && index < exchange->text_count; index++)
        is_sent = send_text(session, exchange->texts[index], PREPARED_NOT);
    return is_sent && PQpipelineSync(session->conn) == 1;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool has_class(const char *sqlstate, const char *class)
{
    return strncmp(sqlstate, class, strlen(class)) == 0;
}

static enum rc classify(struct driver_session *session, const char *sqlstate)
{
    if (has_class(sqlstate, "23"))
        return RC_EXISTS;
    if (has_class(sqlstate, "40001") || has_class(sqlstate, "40P01") ||
        has_class(sqlstate, "55P03"))
        return RC_BUSY;
    /* A limit that a value passed: the others are as good as before. */
    if (has_class(sqlstate, "22") || has_class(sqlstate, "54"))
        return RC_INVALID;
    session->health = HEALTH_AWAY;
    return has_class(sqlstate, "XX001") || has_class(sqlstate, "XX002") ? RC_CORRUPT
                                                                        : RC_UNAVAILABLE;
}

/* This session will not get over it: a server that takes no writes any more, or statements that it
 * does not know. Another one may. */
static bool ends_session(const char *sqlstate)
{
    return has_class(sqlstate, "25006") || has_class(sqlstate, "26000") ||
           has_class(sqlstate, "0A000") || has_class(sqlstate, "08");
}

/* Only the first words: what comes behind them may show what the row holds. */
static enum rc note_failure(struct driver_session *session, const PGresult *result,
                            struct exchange *exchange)
{
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    snprintf(exchange->sqlstate, sizeof(exchange->sqlstate), "%s",
             sqlstate == NULL ? "" : sqlstate);
    postgres_note(session, words == NULL ? PQresultErrorMessage(result) : words);
    return classify(session, exchange->sqlstate);
}

/* The result of one command, and the nothing behind it. NULL: the connection is lost. */
static PGresult *read_result(struct driver_session *session)
{
    PGresult *result = NULL;
    PGresult *behind;

    if (!session->is_lost && wait_for_result(session))
        result = PQgetResult(session->conn);
    behind = result;
    while (behind != NULL && PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
        if (PQstatus(session->conn) != CONNECTION_OK || !wait_for_result(session)) {
            session->is_lost = true;
            return result;
        }
        behind = PQgetResult(session->conn);
        PQclear(behind);
    }
    session->is_lost = session->is_lost || result == NULL;
    return result;
}

int64_t postgres_read_number(const PGresult *result, int row, int column)
{
    const unsigned char *bytes = (const unsigned char *)PQgetvalue(result, row, column);
    int len = PQgetlength(result, row, column);
    uint64_t number = len > 0 && bytes[0] > 0x7f ? UINT64_MAX : 0;
    int index;

    for (index = 0; index < len && index < 8; index++)
        number = number << 8 | bytes[index];
    return (int64_t)number;
}

static uint64_t count_rows(PGresult *result)
{
    return strtoull(PQcmdTuples(result), NULL, 10);
}

static void note_run(struct driver_run *run, PGresult *result)
{
    run->row_count = count_rows(result);
    if (run->out_number != NULL && PQntuples(result) > 0)
        *run->out_number = postgres_read_number(result, 0, 0);
}

/* What follows from the result of one command. One of many rows that failed is as good as a row
 * that is in the way: the transaction is run again, with each of them by itself. */
static enum rc note_result(struct driver_session *session, struct exchange *exchange,
                           const struct command *command, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    enum rc rc;

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        if (command->kind == COMMAND_RUN)
            note_run(&exchange->runs[command->number], result);
        rc = command->kind == COMMAND_BULK &&
                     count_rows(result) != session->bulk_rows[command->number]
                 ? RC_EXISTS
                 : RC_OK;
    } else {
        rc = note_failure(session, result, exchange);
    }
    if (rc != RC_OK && command->kind == COMMAND_RUN)
        exchange->failed = command->number;
    if (command->kind == COMMAND_BULK && (rc == RC_EXISTS || rc == RC_BUSY || rc == RC_INVALID)) {
        session->is_one_by_one = true;
        rc = RC_BUSY;
    }
    return rc;
}

/* Everything is read also when something failed: what comes behind it is answered, too, by saying
 * that it was not done. */
static enum rc read_all(struct driver_session *session, struct exchange *exchange)
{
    enum rc rc = RC_OK;
    PGresult *sync;
    size_t index;

    for (index = 0; index < session->command_count && !session->is_lost; index++) {
        const struct command *command = &session->commands[index];
        PGresult *result = read_result(session);

        if (rc == RC_OK)
            rc = note_result(session, exchange, command, result);
        if (command->kind == COMMAND_PREPARE)
            session->is_prepared[command->number] = rc == RC_OK;
        PQclear(exchange->last);
        exchange->last = result;
    }
    sync = read_result(session);
    if (PQresultStatus(sync) != PGRES_PIPELINE_SYNC)
        session->is_lost = true;
    PQclear(sync);
    for (index = 0; index < exchange->run_count; index++) {
        if (postgres_bulk_takes(session, &exchange->runs[index]))
            exchange->runs[index].row_count = 1;
    }
    return rc;
}

/* Keeps the words that the server left behind, if there are any. */
static enum rc lose(struct driver_session *session, const struct exchange *exchange)
{
    if (session->is_late)
        postgres_note(session, "the database did not answer in time");
    else if (exchange->sqlstate[0] == '\0')
        postgres_note(session, PQerrorMessage(session->conn));
    if (session->error[0] == '\0')
        postgres_note(session, "the database closed the connection");
    postgres_disconnect(session);
    return RC_UNAVAILABLE;
}

enum rc postgres_exchange(struct driver_session *session, struct exchange *exchange)
{
    enum rc rc = RC_UNAVAILABLE;

    exchange->last = NULL;
    exchange->failed = exchange->run_count;
    exchange->sqlstate[0] = '\0';
    if (session->conn == NULL)
        return RC_UNAVAILABLE;
    postgres_bulk_plan(session, exchange);
    if (send_all(session, exchange))
        rc = read_all(session, exchange);
    else
        session->is_lost = true;
    session->head_count = 0;
    session->is_sent = session->is_in_transaction;
    if (session->is_lost || ends_session(exchange->sqlstate))
        rc = lose(session, exchange);
    if (rc != RC_OK) {
        PQclear(exchange->last);
        exchange->last = NULL;
    }
    return rc;
}
