#include "store/copy.h"

enum { FORM_HEAD_BYTES = 9 };

#define COPIED(table, key, behind, backwards, values, column_list, type_list)                      \
    [COPY_##table] = { .name = #table,                                                             \
                       .columns = column_list,                                                     \
                       .types = type_list,                                                         \
                       .column_count = sizeof(type_list) - 1,                                      \
                       .key_column_count = sizeof(behind) > sizeof("$2") ? 2 : 1,                  \
                       .read_first = STATEMENT_READ_FIRST_##table,                                 \
                       .read_next = STATEMENT_READ_NEXT_##table,                                   \
                       .read_last = STATEMENT_READ_LAST_##table,                                   \
                       .insert = STATEMENT_COPY_##table,                                           \
                       .clear = STATEMENT_CLEAR_##table },
static const struct copy_table_spec specs[COPY_TABLE_COUNT] = {
#include "store/tables.def"
};
#undef COPIED

const struct copy_table_spec *copy_table_spec(enum copy_table table)
{
    ASSERT(table < COPY_TABLE_COUNT);
    return &specs[table];
}

struct str copy_column_name(const struct copy_table_spec *spec, unsigned column)
{
    struct str names = str_of(spec->columns);

    for (; column > 0; column--)
        names = str_from(names, str_index_of(names, ',') + 2);
    return (struct str){ names.at, str_index_of(names, ',') };
}

/* ---- one row -------------------------------------------------------------------------------- */

static struct store_param read_column(const struct driver *driver, struct driver_session *session,
                                      unsigned column, char type)
{
    if (driver->column_is_null(session, column))
        return (struct store_param){ .type = STORE_NULL };
    if (type == 'I' || type == 'K')
        return (struct store_param){ .type = STORE_INT,
                                     .number = driver->column_int(session, column) };
    return (struct store_param){ .type = type == 'T' ? STORE_TEXT : STORE_BLOB,
                                 .bytes = driver->column_bytes(session, column) };
}

/* Writes the form of a column, and lets the parameter point to where its bytes are now. */
static void add_column(struct copy_page *page, struct store_param *param)
{
    static const char letters[] = {
        [STORE_NULL] = 'N', [STORE_INT] = 'I', [STORE_TEXT] = 'T', [STORE_BLOB] = 'B'
    };
    uint64_t number = param->type == STORE_INT ? (uint64_t)param->number : param->bytes.len;
    char *at = page->bytes + page->len;
    unsigned byte;

    at[0] = letters[param->type];
    for (byte = 0; byte < 8; byte++)
        at[1 + byte] = (char)(number >> (56 - 8 * byte) & 0xff);
    if (param->bytes.len > 0)
        memcpy(at + FORM_HEAD_BYTES, param->bytes.at, param->bytes.len);
    param->bytes.at = at + FORM_HEAD_BYTES;
    page->len += FORM_HEAD_BYTES + param->bytes.len;
}

/* False: the row has no room in the page any more. */
static bool add_row(const struct driver *driver, struct driver_session *session,
                    const struct copy_table_spec *spec, struct copy_page *page)
{
    struct store_param *params = page->rows[page->row_count];
    unsigned column;

    if (page->len + driver->row_bytes(session) + (size_t)FORM_HEAD_BYTES * spec->column_count >
        sizeof(page->bytes))
        return false;
    for (column = 0; column < spec->column_count; column++) {
        params[column] = read_column(driver, session, column, spec->types[column]);
        add_column(page, &params[column]);
    }
    page->row_count++;
    return true;
}

static enum rc set_cursor(struct copy_cursor *cursor, const struct copy_table_spec *spec,
                          const struct store_param *key)
{
    unsigned column;

    for (column = 0; column < spec->key_column_count; column++) {
        if (key[column].bytes.len > COPY_KEY_BYTES_MAX)
            return RC_TOO_LARGE;
        cursor->key[column] = key[column];
        cursor->key[column].bytes.at = cursor->bytes[column];
        if (key[column].bytes.len > 0)
            memcpy(cursor->bytes[column], key[column].bytes.at, key[column].bytes.len);
    }
    cursor->has_key = true;
    return RC_OK;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static enum rc read_rows(const struct driver *driver, struct driver_session *session,
                         const struct copy_table_spec *spec, struct copy_page *page)
{
    bool has_row = false;
    enum rc rc = driver->next(session, &has_row);

    while (rc == RC_OK && has_row) {
        if (!add_row(driver, session, spec, page))
            return page->row_count == 0 ? RC_TOO_LARGE : RC_OK;
        rc = driver->next(session, &has_row);
    }
    return rc;
}

enum rc copy_read(const struct driver *driver, struct driver_session *session,
                  enum copy_table table, struct copy_cursor *cursor, struct copy_page *out_page)
{
    const struct copy_table_spec *spec = copy_table_spec(table);
    struct store_param params[1 + COPY_KEY_COLUMN_COUNT_MAX] = {
        { .type = STORE_INT, .number = COPY_PAGE_ROW_COUNT },
        cursor->key[0],
        cursor->key[1],
    };
    enum rc rc;

    out_page->row_count = 0;
    out_page->len = 0;
    rc = driver->query(session, cursor->has_key ? spec->read_next : spec->read_first, params,
                       cursor->has_key ? 1 + spec->key_column_count : 1);
    if (rc == RC_OK)
        rc = read_rows(driver, session, spec, out_page);
    driver->finish(session);
    if (rc == RC_OK && out_page->row_count > 0)
        rc = set_cursor(cursor, spec, out_page->rows[out_page->row_count - 1]);
    return rc;
}

static enum rc write_one_by_one(const struct driver *driver, struct driver_session *session,
                                const struct driver_run *runs, unsigned count)
{
    enum rc rc = RC_OK;
    uint64_t row_count;
    unsigned row;

    for (row = 0; rc == RC_OK && row < count; row++)
        rc = driver->run(session, runs[row].statement, runs[row].params, runs[row].param_count,
                         &row_count, NULL);
    return rc;
}

enum rc copy_write(const struct driver *driver, struct driver_session *session,
                   enum copy_table table, struct copy_page *page)
{
    const struct copy_table_spec *spec = copy_table_spec(table);
    size_t failed;
    unsigned row;

    for (row = 0; row < page->row_count; row++)
        page->runs[row] = (struct driver_run){ .statement = spec->insert,
                                               .params = page->rows[row],
                                               .param_count = spec->column_count };
    if (driver->run_all == NULL)
        return write_one_by_one(driver, session, page->runs, page->row_count);
    return driver->run_all(session, page->runs, page->row_count, &failed);
}

enum rc copy_find_last(const struct driver *driver, struct driver_session *session,
                       enum copy_table table, struct copy_cursor *out_cursor)
{
    const struct copy_table_spec *spec = copy_table_spec(table);
    struct store_param key[COPY_KEY_COLUMN_COUNT_MAX];
    bool has_row = false;
    unsigned column;
    enum rc rc;

    out_cursor->has_key = false;
    rc = driver->query(session, spec->read_last, NULL, 0);
    if (rc == RC_OK)
        rc = driver->next(session, &has_row);
    if (rc == RC_OK && has_row) {
        for (column = 0; column < spec->key_column_count; column++)
            key[column] = read_column(driver, session, column, spec->types[column]);
        rc = set_cursor(out_cursor, spec, key);
    }
    driver->finish(session);
    return rc;
}

enum rc copy_clear_some(const struct driver *driver, struct driver_session *session,
                        enum copy_table table, uint64_t *out_row_count)
{
    const struct store_param limit = { .type = STORE_INT, .number = COPY_CLEAR_ROW_COUNT };

    return driver->run(session, copy_table_spec(table)->clear, &limit, 1, out_row_count, NULL);
}
