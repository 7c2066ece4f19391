#include "store/restore.h"

#include <stdlib.h>

#include "store/backup_form.h"
#include "store/move_sides.h"
#include "store/room.h"

enum {
    TRANSACTION_PAGE_COUNT = 16,
    TOTP_STEP_S = 30 /* RFC 6238 4.1; as crypto/totp.h has it */
};

/* More ids than any number of servers gives out in a second, and as many more in any case. */
#define ID_COUNT_PER_S ((int64_t)1 << 16)
#define ID_COUNT_LEAST ((int64_t)1 << 32)

struct restore {
    struct move_end target;
    struct backup_map map;
    bool keeps_access;
    bool is_writing; /* a transaction is open */
    unsigned page_count;
    struct copy_page page;
};

/* ---- transactions --------------------------------------------------------------------------- */

static enum rc begin(struct restore *restore, struct buffer *out_error)
{
    struct move_end *target = &restore->target;
    enum rc rc = RC_OK;

    if (!restore->is_writing)
        rc = target->driver->begin(target->session, GATE_SCHEMA, 0);
    restore->is_writing = rc == RC_OK;
    return move_explain(target, "write to", "it", rc, out_error);
}

static void undo(struct restore *restore)
{
    if (restore->is_writing)
        restore->target.driver->rollback(restore->target.session);
    restore->is_writing = false;
}

static enum rc commit(struct restore *restore, struct buffer *out_error)
{
    struct move_end *target = &restore->target;
    enum rc rc = RC_OK;

    if (!restore->is_writing)
        return RC_OK;
    rc = move_explain(target, "write to", "it", target->driver->commit(target->session, NULL, 0),
                      out_error);
    restore->page_count = 0;
    if (rc != RC_OK) {
        undo(restore);
        return rc;
    }
    restore->is_writing = false;
    if (target->driver->upkeep != NULL)
        target->driver->upkeep(target->session);
    return RC_OK;
}

/* A statement with integers alone, unless it is the event's. */
static enum rc run(struct restore *restore, enum statement statement,
                   const struct store_param *params, unsigned param_count, struct buffer *out_error)
{
    struct move_end *target = &restore->target;
    uint64_t row_count;
    enum rc rc = begin(restore, out_error);

    if (rc == RC_OK)
        rc = move_explain(
            target, "write to", "it",
            target->driver->run(target->session, statement, params, param_count, &row_count, NULL),
            out_error);
    if (rc != RC_OK)
        undo(restore);
    return rc;
}

static enum rc run_numbers(struct restore *restore, enum statement statement, int64_t first,
                           int64_t second, struct buffer *out_error)
{
    const struct store_param params[] = { { .type = STORE_INT, .number = first },
                                          { .type = STORE_INT, .number = second } };

    return run(restore, statement, params, 2, out_error);
}

/* ---- opening -------------------------------------------------------------------------------- */

static enum rc judge(struct restore *restore, struct buffer *out_error)
{
    struct move_end *target = &restore->target;
    const char *table = NULL;
    enum rc rc;

    if (target->mark.state == MOVED_RESTORING)
        return move_end_clear(target, out_error);
    if (target->mark.state != MOVED_NOT) {
        move_mark_explain(target->mark.state, move_mark_place(&target->mark), out_error);
        return RC_REFUSED;
    }
    rc = move_end_find_row(target, &table, out_error);
    if (rc == RC_OK && table != NULL)
        return move_refuse(out_error,
                           "%.*s is not empty (%s has rows): a backup is restored into an empty "
                           "store",
                           STR_ARGS(target->place->words), table);
    return rc;
}

static enum rc open_target(struct restore *restore, const struct move_place *to,
                           struct buffer *out_error)
{
    struct move_end *target = &restore->target;
    struct move_mark mark;
    enum rc rc = move_end_choose(target, to, out_error);

    if (rc == RC_OK)
        rc = move_end_open(target, out_error);
    if (rc == RC_OK)
        rc = judge(restore, out_error);
    move_mark_set(&mark, MOVED_RESTORING, 0, STR("backup"), STR("a backup"));
    if (rc == RC_OK)
        rc = move_end_set_mark(target, &mark, out_error);
    return rc;
}

enum rc restore_open(const struct move_place *to, bool keeps_access, struct restore **out_restore,
                     struct buffer *out_error)
{
    struct restore *restore = calloc(1, sizeof(*restore));
    enum rc rc;

    if (restore == NULL) {
        buffer_append_str(out_error, STR("no memory"));
        return RC_SYSTEM;
    }
    restore->keeps_access = keeps_access;
    rc = open_target(restore, to, out_error);
    if (rc != RC_OK) {
        restore_close(restore);
        return rc;
    }
    *out_restore = restore;
    return RC_OK;
}

void restore_give_up(struct restore *restore)
{
    char words[STORE_ERROR_BYTES];
    struct buffer ignored = buffer_over(words, sizeof(words));
    struct move_mark mark;

    undo(restore);
    move_mark_set(&mark, MOVED_NOT, 0, STR(""), STR(""));
    if (move_end_clear(&restore->target, &ignored) == RC_OK &&
        move_end_set_mark(&restore->target, &mark, &ignored) != RC_OK)
        return; /* the next restore finds the mark and begins anew */
}

void restore_close(struct restore *restore)
{
    if (restore == NULL)
        return;
    undo(restore);
    if (restore->target.session != NULL)
        restore->target.driver->close(restore->target.session);
    free(restore);
}

/* ---- rows ----------------------------------------------------------------------------------- */

enum rc restore_table(struct restore *restore, struct str name, struct str columns,
                      struct str types, struct buffer *out_error)
{
    struct move_end *target = &restore->target;
    uint64_t row_count;
    enum rc rc = backup_map_make(name, columns, types, &restore->map);

    if (rc != RC_OK) {
        buffer_append_format(out_error,
                             "this program does not know the table %.*s as the backup "
                             "has it: use a newer one",
                             name.len > 32 ? 32 : (int)name.len, name.at);
        return RC_INVALID;
    }
    if (restore->map.table != COPY_sequence)
        return RC_OK;
    /* A new store has such rows already. */
    rc = begin(restore, out_error);
    if (rc == RC_OK)
        rc = move_explain(
            target, "empty", "sequence",
            copy_clear_some(target->driver, target->session, COPY_sequence, &row_count), out_error);
    return rc;
}

/* What is good once, rests on a session, or was perhaps sent already. */
static bool is_left_out(enum copy_table table)
{
    static const enum copy_table tables[] = { COPY_code,    COPY_pushed_request,
                                              COPY_link,    COPY_device_request,
                                              COPY_session, COPY_browser_session,
                                              COPY_replay,  COPY_mail };

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (tables[i] == table)
            return true;
    }
    return false;
}

static bool is_dead_token(const struct restore *restore, int64_t kind)
{
    return kind == TOKEN_REFRESH || (kind == TOKEN_ACCESS && !restore->keeps_access);
}

/* A token without a row is not good. */
static void leave_out_tokens(struct restore *restore)
{
    enum { KIND_COLUMN = 1 };
    struct copy_page *page = &restore->page;
    unsigned kept = 0;

    for (unsigned row = 0; row < page->row_count; row++) {
        if (is_dead_token(restore, page->rows[row][KIND_COLUMN].number))
            continue;
        memmove(page->rows[kept++], page->rows[row], sizeof(page->rows[row]));
    }
    page->row_count = kept;
}

enum rc restore_rows(struct restore *restore, struct str rows, unsigned row_count,
                     struct buffer *out_error)
{
    enum copy_table table = restore->map.table;
    struct move_end *target = &restore->target;
    enum rc rc = backup_rows_parse(&restore->map, rows, row_count, &restore->page);

    if (rc != RC_OK) {
        buffer_append_format(out_error, "the rows of %s in the backup are malformed",
                             copy_table_spec(table)->name);
        return rc;
    }
    if (is_left_out(table))
        return RC_OK;
    if (table == COPY_token || table == COPY_long_token)
        leave_out_tokens(restore);
    if (restore->page.row_count == 0)
        return RC_OK;
    rc = begin(restore, out_error);
    if (rc == RC_OK)
        rc = move_explain(target, "write", copy_table_spec(table)->name,
                          copy_write(target->driver, target->session, table, &restore->page),
                          out_error);
    if (rc != RC_OK) {
        undo(restore);
        return rc;
    }
    return ++restore->page_count < TRANSACTION_PAGE_COUNT ? RC_OK : commit(restore, out_error);
}

/* ---- what a newer trail says ---------------------------------------------------------------- */

enum rc restore_revoke(struct restore *restore, enum restore_act act, int64_t id, int64_t at,
                       struct buffer *out_error)
{
    enum rc rc = RC_OK;

    switch (act) {
    case RESTORE_END_TOKEN:
        rc = run_numbers(restore, STATEMENT_END_GRANT_OF_TOKEN, id, at, out_error);
        break;
    case RESTORE_DISABLE:
        rc = run_numbers(restore, STATEMENT_DISABLE_ACCOUNT, id, at, out_error);
        if (rc == RC_OK)
            rc = run_numbers(restore, STATEMENT_END_GRANTS_OF_ACCOUNT, id, at, out_error);
        break;
    case RESTORE_END_GRANTS:
        rc = run_numbers(restore, STATEMENT_END_GRANTS_OF_ACCOUNT, id, at, out_error);
        break;
    case RESTORE_FORGET_PASSWORD:
        rc = run_numbers(restore, STATEMENT_FORGET_PASSWORD, id, at, out_error);
        break;
    }
    return rc;
}

/* ---- the end -------------------------------------------------------------------------------- */

static enum rc insert_event(struct restore *restore, int64_t at, int64_t jump, struct str detail,
                            struct buffer *out_error)
{
    static const char no_address[16];
    const struct store_param params[] = {
        { .type = STORE_INT, .number = jump },
        { .type = STORE_INT, .number = at },
        { .type = STORE_INT, .number = EVENT_RESTORED },
        { .type = STORE_BLOB, .bytes = { no_address, sizeof(no_address) } },
        { .type = STORE_TEXT, .bytes = detail },
    };

    return run(restore, STATEMENT_INSERT_RESTORED_EVENT, params, 5, out_error);
}

/* RFC 6238 5.2: the step of now was perhaps used, and the next one by a clock that is ahead. */
static enum rc end_all(struct restore *restore, int64_t at, int64_t jump, struct str detail,
                       struct buffer *out_error)
{
    enum { NO_FAMILY = 2, EVERY_FAMILY = 1 };
    enum rc rc = run_numbers(restore, STATEMENT_END_RESTORED_GRANTS, at,
                             restore->keeps_access ? NO_FAMILY : EVERY_FAMILY, out_error);

    if (rc == RC_OK)
        rc = run_numbers(restore, STATEMENT_SPEND_RESTORED_CODES, at, 0, out_error);
    if (rc == RC_OK)
        rc = run_numbers(restore, STATEMENT_RAISE_STEPS, at / TOTP_STEP_S + 1, FACTOR_TOTP,
                         out_error);
    if (rc == RC_OK)
        rc = insert_event(restore, at, jump, detail, out_error);
    return rc;
}

enum rc restore_finish(struct restore *restore, int64_t taken_at, int64_t at, struct str detail,
                       struct buffer *out_error)
{
    int64_t jump = ID_COUNT_LEAST;
    enum rc rc;

    if (at > taken_at)
        jump += (at - taken_at) * ID_COUNT_PER_S;
    rc = end_all(restore, at, jump, detail, out_error);
    if (rc == RC_OK)
        rc = commit(restore, out_error);
    if (rc == RC_OK)
        rc = move_end_number(&restore->target, out_error);
    if (rc == RC_OK)
        rc = run_numbers(restore, STATEMENT_RAISE_SEQUENCES, jump, 0, out_error);
    if (rc == RC_OK)
        rc = run_numbers(restore, STATEMENT_PUT_RESTORED, taken_at, at, out_error);
    if (rc == RC_OK)
        rc = run_numbers(restore, STATEMENT_DELETE_MOVE, 0, 0, out_error);
    return rc == RC_OK ? commit(restore, out_error) : rc;
}
