#include "store/move_sides.h"

enum { TRANSACTION_PAGE_COUNT = 16 };

/* ---- what the caller looks at before anything is written ------------------------------------ */

enum rc move_find_sealed_value(struct move *move, struct str name, struct buffer *out_sealed,
                               struct buffer *out_error)
{
    struct move_end *side = &move->sides[MOVE_SOURCE];
    const struct driver *driver = side->driver;
    const struct store_param param = { .type = STORE_TEXT, .bytes = name };
    bool has_row = false;
    enum rc rc = driver->query(side->session, STATEMENT_FIND_SEALED_VALUE, &param, 1);

    if (rc == RC_OK)
        rc = driver->next(side->session, &has_row);
    if (rc == RC_OK && has_row)
        buffer_append_str(out_sealed, driver->column_bytes(side->session, 0));
    driver->finish(side->session);
    if (rc == RC_OK && !has_row)
        return RC_NOT_FOUND;
    return move_explain(side, "read", "its sealed values", rc, out_error);
}

static const char *bad_text_reason(const struct store_param *param)
{
    if (param->type != STORE_TEXT || param->bytes.len == 0)
        return NULL;
    if (memchr(param->bytes.at, 0, param->bytes.len) != NULL)
        return "has a NUL";
    return str_is_utf8(param->bytes) ? NULL : "is not UTF-8";
}

/* Goes through the page from where the last call stopped. */
static bool find_in_page(struct move *move, const struct copy_table_spec *spec,
                         struct move_bad_text *out_text)
{
    const struct copy_page *page = &move->page;

    for (; move->checked_row < page->row_count; move->checked_row++, move->checked_column = 0) {
        const struct store_param *row = page->rows[move->checked_row];

        while (move->checked_column < spec->column_count) {
            unsigned column = move->checked_column++;
            const char *reason = bad_text_reason(&row[column]);

            if (reason == NULL)
                continue;
            *out_text = (struct move_bad_text){ .table = spec->name,
                                                .column = copy_column_name(spec, column),
                                                .reason = reason,
                                                .has_number = row[0].type == STORE_INT,
                                                .number = row[0].number,
                                                .key = row[0].bytes };
            return true;
        }
    }
    return false;
}

enum rc move_find_bad_text(struct move *move, struct move_bad_text *out_text,
                           struct buffer *out_error)
{
    struct move_end *source = &move->sides[MOVE_SOURCE];

    /* An engine of its own holds whatever it is given. */
    if (!move->sides[MOVE_TARGET].driver->is_shared)
        return RC_NOT_FOUND;
    while (move->checked_table < COPY_TABLE_COUNT) {
        enum copy_table table = (enum copy_table)move->checked_table;
        const struct copy_table_spec *spec = copy_table_spec(table);
        enum rc rc = RC_OK;

        if (find_in_page(move, spec, out_text))
            return RC_OK;
        move->checked_row = 0;
        move->checked_column = 0;
        move->page.row_count = 0;
        if (strchr(spec->types, 'T') != NULL)
            rc = copy_read(source->driver, source->session, table, &move->cursor, &move->page);
        if (rc != RC_OK)
            return move_explain(source, "read", spec->name, rc, out_error);
        if (move->page.row_count > 0)
            continue;
        move->cursor.has_key = false;
        move->checked_table++;
    }
    return RC_NOT_FOUND;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Pages until the transaction is large enough or there are no more. */
static enum rc copy_pages(struct move *move, enum copy_table table, uint64_t *out_row_count,
                          struct buffer *out_error)
{
    struct move_end *source = &move->sides[MOVE_SOURCE];
    struct move_end *target = &move->sides[MOVE_TARGET];
    const char *name = copy_table_spec(table)->name;
    unsigned page;
    enum rc rc;

    *out_row_count = 0;
    for (page = 0; page < TRANSACTION_PAGE_COUNT; page++) {
        rc = copy_read(source->driver, source->session, table, &move->cursor, &move->page);
        if (rc != RC_OK)
            return move_explain(source, "read", name, rc, out_error);
        if (move->page.row_count == 0)
            break;
        rc = copy_write(target->driver, target->session, table, &move->page);
        if (rc != RC_OK)
            return move_explain(target, "write", name, rc, out_error);
        *out_row_count += move->page.row_count;
    }
    return RC_OK;
}

/* The rows that a new store begins with make room in the same transaction. */
static enum rc clear_sequence(struct move_end *target, struct buffer *out_error)
{
    uint64_t row_count;
    enum rc rc = copy_clear_some(target->driver, target->session, COPY_sequence, &row_count);

    return move_explain(target, "empty", "sequence", rc, out_error);
}

static enum rc find_place(struct move *move, enum copy_table table, struct buffer *out_error)
{
    struct move_end *target = &move->sides[MOVE_TARGET];
    enum rc rc = RC_OK;

    move->cursor.has_key = false;
    if (table != COPY_sequence)
        rc = copy_find_last(target->driver, target->session, table, &move->cursor);
    if (rc == RC_OK)
        move->copied_table = table;
    return move_explain(target, "read", copy_table_spec(table)->name, rc, out_error);
}

enum rc move_copy_some(struct move *move, unsigned table, uint64_t *out_row_count,
                       struct buffer *out_error)
{
    struct move_end *target = &move->sides[MOVE_TARGET];
    bool is_first = move->copied_table != table;
    enum rc rc = RC_OK;

    if (is_first)
        rc = find_place(move, (enum copy_table)table, out_error);
    if (rc == RC_OK)
        rc = target->driver->begin(target->session, GATE_SCHEMA, 0);
    if (rc != RC_OK)
        return move_explain(target, "write", move_table_name(table), rc, out_error);
    if (is_first && table == COPY_sequence)
        rc = clear_sequence(target, out_error);
    if (rc == RC_OK)
        rc = copy_pages(move, (enum copy_table)table, out_row_count, out_error);
    if (rc == RC_OK)
        rc = move_explain(target, "write", move_table_name(table),
                          target->driver->commit(target->session, NULL, 0), out_error);
    if (rc != RC_OK)
        target->driver->rollback(target->session);
    else if (target->driver->upkeep != NULL)
        target->driver->upkeep(target->session);
    return rc;
}

enum rc move_read_some(struct move *move, enum move_side which, unsigned table,
                       struct str *out_rows, uint64_t *out_row_count, struct buffer *out_error)
{
    struct move_end *side = &move->sides[which];
    enum rc rc;

    if (side->table != table)
        side->cursor.has_key = false;
    side->table = table;
    rc = copy_read(side->driver, side->session, (enum copy_table)table, &side->cursor, &move->page);
    if (rc != RC_OK)
        return move_explain(side, "read", move_table_name(table), rc, out_error);
    if (move->page.row_count == 0)
        side->cursor.has_key = false;
    *out_rows = (struct str){ move->page.bytes, move->page.len };
    *out_row_count = move->page.row_count;
    return RC_OK;
}
