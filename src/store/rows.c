#include "store/rows.h"

int64_t row_int(const struct row *row, unsigned column)
{
    return row->driver->column_int(row->session, column);
}

struct str row_text(const struct row *row, unsigned column, struct arena *arena)
{
    return arena_copy(arena, row->driver->column_bytes(row->session, column));
}

enum rc row_fixed(const struct row *row, unsigned column, void *out_bytes, size_t len)
{
    struct str bytes = row->driver->column_bytes(row->session, column);

    if (bytes.len != len)
        return RC_CORRUPT;
    memcpy(out_bytes, bytes.at, len);
    return RC_OK;
}

enum rc row_binding(const struct row *row, unsigned column, struct binding *out_binding)
{
    struct binding binding = { .kind = BINDING_NONE };
    int64_t kind = row_int(row, column);

    if (kind < 0 || kind >= BINDING_KIND_COUNT)
        return RC_CORRUPT;
    binding.kind = (enum binding_kind)kind;
    if (binding.kind != BINDING_NONE &&
        row_fixed(row, column + 1, binding.thumbprint, DIGEST_BYTES) != RC_OK)
        return RC_CORRUPT;
    *out_binding = binding;
    return RC_OK;
}

/* What arena_copy needs at most for each text: its NUL and its alignment. */
enum { TEXT_ROOM_BYTES = 32, TEXT_COLUMN_COUNT_MAX = 12 };

bool arena_has_room(const struct arena *arena, const struct row *row)
{
    return row->driver->row_bytes(row->session) + TEXT_ROOM_BYTES * TEXT_COLUMN_COUNT_MAX <=
           arena->slab_bytes - arena->used_bytes;
}

/* A page ends early, but never empty, when the arena has no room for one row more. */
static enum rc load_rows(const struct row *row, const struct query *query, const struct page *page,
                         size_t *out_count)
{
    bool has_row = true;
    size_t count = 0;
    enum rc rc = RC_OK;

    while (count < page->max) {
        rc = row->driver->next(row->session, &has_row);
        if (rc != RC_OK || !has_row)
            break;
        if (count > 0 && page->arena != NULL && !arena_has_room(page->arena, row))
            break;
        rc = query->load(row, page->arena, (char *)page->rows + count * page->row_bytes);
        if (rc != RC_OK)
            break;
        count++;
    }
    if (rc == RC_OK)
        *out_count = count;
    return rc;
}

enum rc rows_list(struct store *store, const struct query *query, const struct page *page,
                  size_t *out_count)
{
    struct row row = { .driver = store->driver };
    enum rc rc = reader_borrow(store, &row.session);

    if (rc != RC_OK)
        return rc;
    rc = store->driver->query(row.session, query->statement, query->params, query->param_count);
    if (rc == RC_OK)
        rc = load_rows(&row, query, page, out_count);
    store->driver->finish(row.session);
    reader_return(store, row.session);
    return rc;
}

enum rc rows_find(struct store *store, const struct query *query, struct arena *arena, void *out)
{
    const struct page page = { .arena = arena, .rows = out, .max = 1 };
    size_t count = 0;
    enum rc rc = rows_list(store, query, &page, &count);

    return rc == RC_OK && count == 0 ? RC_NOT_FOUND : rc;
}

struct store_param int_param(int64_t number)
{
    return (struct store_param){ .type = STORE_INT, .number = number };
}

struct store_param text_param(struct str text)
{
    return (struct store_param){ .type = STORE_TEXT, .bytes = text };
}

struct store_param digest_param(const unsigned char digest[static DIGEST_BYTES])
{
    return (struct store_param){ .type = STORE_BLOB,
                                 .bytes = { (const char *)digest, DIGEST_BYTES } };
}

struct query page_query(enum statement statement,
                        enum rc (*load)(const struct row *, struct arena *, void *), int64_t id,
                        size_t max)
{
    size_t row_count = max < STORE_LIST_ROW_COUNT_MAX ? max : STORE_LIST_ROW_COUNT_MAX;

    return (struct query){ statement, load, 2, { int_param(id), int_param((int64_t)row_count) } };
}
