#include "store/rows.h"

static enum rc load_mail(const struct row *row, struct arena *arena, void *out)
{
    *(struct mail *)out = (struct mail){
        .id = row_int(row, 0),
        .at = row_int(row, 1),
        .until = row_int(row, 2),
        .next_at = row_int(row, 3),
        .leased_until = row_int(row, 4),
        .attempt_count = row_int(row, 5),
        .last_code = row_int(row, 6),
        .sealed = row_text(row, 7, arena),
    };
    return RC_OK;
}

enum rc store_find_due_mail(struct store *store, int64_t now, struct arena *arena,
                            struct mail *out_mail)
{
    const struct query query = { STATEMENT_FIND_DUE_MAIL, load_mail, 1, { int_param(now) } };

    return rows_find(store, &query, arena, out_mail);
}

enum rc store_list_mails(struct store *store, int64_t after_id, struct arena *arena,
                         struct mail *out_rows, size_t max, size_t *out_count)
{
    const struct query query = page_query(STATEMENT_LIST_MAILS, load_mail, after_id, max);
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    return rows_list(store, &query, &page, out_count);
}

static enum rc load_count(const struct row *row, struct arena *arena, void *out)
{
    (void)arena;
    *(int64_t *)out = row_int(row, 0);
    return RC_OK;
}

enum rc store_count_mails(struct store *store, size_t *out_count)
{
    const struct query query = { STATEMENT_COUNT_MAILS, load_count, 0, { { 0 } } };
    int64_t count = 0;
    enum rc rc = rows_find(store, &query, NULL, &count);

    if (rc == RC_OK)
        *out_count = (size_t)count;
    return rc;
}
