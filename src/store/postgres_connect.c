#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/move_mark.h"
#include "store/postgres.h"

enum {
    OPTION_COUNT_MAX = 80,
    HOST_BYTES_MAX = 512,
    SERVER_VERSION_MIN = 130000,
    OPTIONS_BYTES_MAX = 1024
};

/* What libpq is told. The values belong to `parsed`, or are longer-lived. */
struct target {
    PQconninfoOption *parsed;
    unsigned count;
    const char *keywords[OPTION_COUNT_MAX];
    const char *values[OPTION_COUNT_MAX];
    char host[HOST_BYTES_MAX];
    char hostaddr[HOST_BYTES_MAX];
    char port[HOST_BYTES_MAX];
    char options[OPTIONS_BYTES_MAX];
};

/* The host that answered last is asked first: after a fail-over nobody waits for the old one. */
static _Atomic unsigned last_host;

void postgres_disconnect(struct driver_session *session)
{
    if (session->conn != NULL)
        PQfinish(session->conn);
    session->conn = NULL;
    session->health = HEALTH_AWAY;
    session->head_count = 0;
    session->is_late = false;
    session->is_lost = false;
    session->is_sent = false;
    memset(session->is_prepared, 0, sizeof(session->is_prepared));
}

/* ---- what is asked for ---------------------------------------------------------------------- */

static const char *get(const struct target *target, const char *keyword)
{
    unsigned index;

    for (index = 0; index < target->count; index++) {
        if (strcmp(target->keywords[index], keyword) == 0)
            return target->values[index];
    }
    return NULL;
}

static void put(struct target *target, const char *keyword, const char *value)
{
    unsigned index;

    for (index = 0; index < target->count; index++) {
        if (strcmp(target->keywords[index], keyword) == 0) {
            target->values[index] = value;
            return;
        }
    }
    ASSERT(target->count + 1 < OPTION_COUNT_MAX);
    target->keywords[target->count] = keyword;
    target->values[target->count++] = value;
}

static void put_default(struct target *target, const char *keyword, const char *value)
{
    if (get(target, keyword) == NULL)
        put(target, keyword, value);
}

/* In a password that stands in an URL as it is, some characters cut it short; what is behind them
 * is then taken for something else, and must not be shown. */
static bool is_cut(const struct target *target)
{
    static const char *const keywords[] = { "host", "hostaddr", "port", "dbname" };
    const char *port = get(target, "port");
    size_t index;

    for (index = 0; index < sizeof(keywords) / sizeof(keywords[0]); index++) {
        const char *value = get(target, keywords[index]);

        if (value != NULL && strchr(value, '@') != NULL)
            return true;
    }
    return port != NULL && strspn(port, "0123456789,") != strlen(port);
}

static enum rc parse(const char *database, struct target *target, struct buffer *out_error)
{
    char *words = NULL; /* not shown: it may quote a part of the password */
    const PQconninfoOption *option;

    target->parsed = PQconninfoParse(database, &words);
    PQfreemem(words);
    for (option = target->parsed; option != NULL && option->keyword != NULL; option++) {
        if (option->val != NULL && option->val[0] != '\0')
            put(target, option->keyword, option->val);
    }
    if (target->parsed == NULL || is_cut(target)) {
        buffer_append_str(out_error,
                          STR("the database is not named as PostgreSQL does it: "
                              "postgresql://user@host:port/name, with special characters of a "
                              "user or a password as %XX"));
        return RC_INVALID;
    }
    return RC_OK;
}

/* What somebody asked for themselves, a search_path for one, is added to and never left out. */
static const char *own_options(const struct target *target)
{
    const char *own = get(target, "options");

    return own != NULL ? own : secure_getenv("PGOPTIONS");
}

/* No statement of ours is meant to read a whole table; where one has to, it does so all the same.
 */
static void add_defaults(struct target *target)
{
    const char *own = own_options(target);

    put_default(target, "fallback_application_name", "jeton");
    put_default(target, "target_session_attrs", "read-write");
    put_default(target, "keepalives_idle", "5");
    put_default(target, "keepalives_interval", "2");
    put_default(target, "keepalives_count", "3");
    put_default(target, "tcp_user_timeout", "5000");
    put(target, "client_encoding", "UTF8");
    snprintf(target->options, sizeof(target->options),
             "%s -c statement_timeout=2000 -c lock_timeout=300"
             " -c idle_in_transaction_session_timeout=1000"
             " -c default_transaction_isolation=read\\ committed -c jit=off"
             " -c enable_seqscan=off -c random_page_cost=1.1",
             own == NULL ? "" : own);
    put(target, "options", target->options);
}

/* ---- one host after the other --------------------------------------------------------------- */

static unsigned count_hosts(const struct target *target)
{
    const char *hosts = get(target, "hostaddr");
    unsigned count = 1;

    if (hosts == NULL)
        hosts = get(target, "host");
    for (; hosts != NULL && *hosts != '\0'; hosts++)
        count += *hosts == ',';
    return count;
}

/* The part of a list with that number; of a list with one part that one. */
static void put_part(struct target *target, const char *keyword, const char *list, unsigned number,
                     char *memory)
{
    struct str rest = str_of(list == NULL ? "" : list);
    size_t len = str_index_of(rest, ',');

    if (list == NULL)
        return;
    for (; number > 0 && len < rest.len; number--) {
        rest = str_from(rest, len + 1);
        len = str_index_of(rest, ',');
    }
    snprintf(memory, HOST_BYTES_MAX, "%.*s", (int)len, rest.at);
    put(target, keyword, memory);
}

static enum rc connect_host(struct driver_session *session, const struct target *target,
                            int64_t deadline_ns)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    session->conn = PQconnectStartParams(target->keywords, target->values, 0);
    if (session->conn == NULL || PQstatus(session->conn) == CONNECTION_BAD)
        return RC_UNAVAILABLE;
    /* Its code tells what to do, in whatever language its words are. */
    PQsetErrorVerbosity(session->conn, PQERRORS_VERBOSE);
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        if (!postgres_wait(session, state == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                           deadline_ns)) {
            session->is_late = true;
            return RC_UNAVAILABLE;
        }
        state = PQconnectPoll(session->conn);
    }
    return state == PGRES_POLLING_OK ? RC_OK : RC_UNAVAILABLE;
}

/* A host that does not answer takes its share of the time and no more. */
static enum rc try_hosts(struct driver_session *session, struct target *target)
{
    struct target one = *target;
    unsigned count = count_hosts(target);
    unsigned first = atomic_load(&last_host) % count;
    unsigned turn;
    enum rc rc = RC_UNAVAILABLE;

    for (turn = 0; rc != RC_OK && turn < count; turn++) {
        unsigned number = (first + turn) % count;
        int64_t left_ns = session->deadline_ns - clock_monotonic_ns();
        int64_t share_ns = left_ns / (int64_t)(count - turn);

        postgres_disconnect(session);
        put_part(&one, "host", get(target, "host"), number, one.host);
        put_part(&one, "hostaddr", get(target, "hostaddr"), number, one.hostaddr);
        put_part(&one, "port", get(target, "port"), number, one.port);
        rc = connect_host(session, &one, clock_monotonic_ns() + share_ns);
        if (rc == RC_OK)
            atomic_store(&last_host, number);
    }
    return rc;
}

/* A pooler takes no options: then they are set in each transaction. */
static bool refuses_options(const struct driver_session *session)
{
    return session->conn != NULL && !session->is_late &&
           strstr(PQerrorMessage(session->conn), "unsupported startup parameter") != NULL;
}

static enum rc reach(struct driver_session *session, struct buffer *out_error)
{
    struct target target = { 0 };
    enum rc rc = parse(session->database, &target, out_error);

    if (rc == RC_OK) {
        bool has_own = own_options(&target) != NULL;

        add_defaults(&target);
        rc = try_hosts(session, &target);
        if (rc != RC_OK && !has_own && refuses_options(session)) {
            put(&target, "options", NULL);
            rc = try_hosts(session, &target);
        }
        if (rc != RC_OK)
            rc = postgres_report_refusal(session, out_error);
    }
    PQconninfoFree(target.parsed);
    return rc;
}

/* ---- what answers --------------------------------------------------------------------------- */

/*
 * A commit whose wait for the standby was broken off is answered as any other one; that nobody but
 * this server has it is said by a warning alone. So every warning counts, but for that of a long
 * queue of notices, which is the business of whoever does not read them.
 */
static void hear_notice(void *context, const PGresult *notice)
{
    struct driver_session *session = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *source = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
    const char *words = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

    if (severity == NULL || strcmp(severity, "WARNING") != 0 ||
        (source != NULL && strcmp(source, "asyncQueueFillWarning") == 0))
        return;
    session->has_warning = true;
    postgres_note(session, words == NULL ? "the database warned" : words);
}

static enum rc refuse(struct buffer *out_error, const char *words)
{
    buffer_append_format(out_error, "the database will not do: %s", words);
    return RC_INVALID;
}

static bool is_true(const PGresult *result, int column)
{
    return PQgetlength(result, 0, column) == 1 && PQgetvalue(result, 0, column)[0] != 0;
}

/* A server that was cut off while its store was moved away must not go on with what is left. */
static enum rc check_not_moved(struct driver_session *session, bool has_marks,
                               struct buffer *out_error)
{
    struct exchange exchange = { .texts = { "SELECT state, place FROM moved" }, .text_count = 1 };
    enum rc rc;

    if (session->is_move || !has_marks)
        return RC_OK;
    rc = postgres_exchange(session, &exchange);
    if (rc != RC_OK)
        buffer_append_format(out_error, "cannot read from the database: %s", session->error);
    if (rc == RC_OK && PQntuples(exchange.last) > 0) {
        move_mark_explain((enum move_state)postgres_read_number(exchange.last, 0, 0),
                          (struct str){ PQgetvalue(exchange.last, 0, 1),
                                        (size_t)PQgetlength(exchange.last, 0, 1) },
                          out_error);
        rc = RC_INVALID;
    }
    PQclear(exchange.last);
    return rc;
}

/* Whether we speak to a server or to a pooler, whose own number is another. */
static enum rc meet(struct driver_session *session, struct buffer *out_error)
{
    char text[1024];
    struct exchange exchange = { .texts = { text }, .text_count = 1 };
    bool is_ours;
    bool is_in_place;
    bool has_marks;
    bool has_rights;
    bool is_durable;
    enum rc rc;

    snprintf(text, sizeof(text),
             "SELECT pg_backend_pid() <> %d, CASE WHEN pg_backend_pid() = %d THEN"
             " pg_try_advisory_lock_shared(" LOCK_PROGRAM ", " LOCK_SCHEMA ") ELSE true END,"
             " coalesce((SELECT n.nspname = current_schema() FROM pg_class AS c"
             " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
             " WHERE c.oid = to_regclass('schema_version')), true),"
             " to_regclass('moved') IS NOT NULL,"
             " coalesce(has_table_privilege(to_regclass('schema_version')::oid, 'SELECT'),"
             " has_schema_privilege(current_schema(), 'CREATE'), false),"
             " current_setting('synchronous_commit') <> 'off'",
             PQbackendPID(session->conn), PQbackendPID(session->conn));
    rc = postgres_exchange(session, &exchange);
    if (rc != RC_OK) {
        buffer_append_format(out_error, "cannot read from the database: %s", session->error);
        return rc;
    }
    session->is_pooled = is_true(exchange.last, 0);
    is_ours = session->is_move || is_true(exchange.last, 1); /* a move asks again, for it alone */
    is_in_place = is_true(exchange.last, 2);
    has_marks = is_true(exchange.last, 3);
    has_rights = is_true(exchange.last, 4);
    is_durable = is_true(exchange.last, 5);
    PQclear(exchange.last);
    if (!is_ours)
        return refuse(out_error, "it is being moved (jeton move)");
    if (!is_in_place)
        return refuse(out_error,
                      "the tables are not in the first schema of the role's search_path");
    if (!has_rights)
        return refuse(out_error, "permission denied: the role may neither use its tables nor make "
                                 "them; docs/postgresql.md says which rights it needs");
    if (!is_durable)
        return refuse(out_error,
                      "synchronous_commit is off, so a commit would be told before it is "
                      "on disk; set it to on for the role");
    return check_not_moved(session, has_marks, out_error);
}

static enum rc listen(struct driver_session *session, struct buffer *out_error)
{
    struct exchange exchange = { .texts = { "LISTEN jeton_change" }, .text_count = 1 };
    enum rc rc;

    if (session->role != SESSION_FEED || session->is_pooled)
        return RC_OK;
    rc = postgres_exchange(session, &exchange);
    if (rc != RC_OK)
        buffer_append_format(out_error, "cannot listen to the database: %s", session->error);
    PQclear(exchange.last);
    return rc;
}

static enum rc check_server(struct driver_session *session, struct buffer *out_error)
{
    const char *encoding = PQparameterStatus(session->conn, "server_encoding");

    if (PQserverVersion(session->conn) < SERVER_VERSION_MIN)
        return refuse(out_error, "PostgreSQL 13 or later is needed");
    if (encoding != NULL && strcmp(encoding, "UTF8") != 0)
        return refuse(out_error, "its encoding must be UTF8");
    return RC_OK;
}

enum rc postgres_connect(struct driver_session *session, struct buffer *out_error)
{
    enum rc rc;

    postgres_disconnect(session);
    rc = reach(session, out_error);
    if (rc == RC_OK) {
        PQsetNoticeReceiver(session->conn, hear_notice, session);
        PQsetErrorVerbosity(session->conn, PQERRORS_DEFAULT);
        rc = check_server(session, out_error);
    }
    if (rc == RC_OK &&
        (PQsetnonblocking(session->conn, 1) != 0 || PQenterPipelineMode(session->conn) != 1))
        rc = postgres_report_refusal(session, out_error);
    if (rc == RC_OK)
        rc = meet(session, out_error);
    if (rc == RC_OK)
        rc = listen(session, out_error);
    if (rc != RC_OK)
        postgres_disconnect(session);
    else
        session->health = HEALTH_GOOD;
    return rc;
}
