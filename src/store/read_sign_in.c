#include "store/rows.h"

/* ---- sessions ------------------------------------------------------------------------------- */

static enum rc load_session(const struct row *row, struct arena *arena, void *out)
{
    struct session session = {
        .id = row_int(row, 0),
        .account_id = row_int(row, 1),
        .idle_s = row_int(row, 6),
        .created_at = row_int(row, 7),
        .last_active_at = row_int(row, 8),
    };
    int64_t address_bits = row_int(row, 4);

    if (address_bits < 0 || address_bits > (int64_t)(8 * sizeof(session.address)) ||
        row_fixed(row, 2, session.digest, DIGEST_BYTES) != RC_OK ||
        row_fixed(row, 3, session.address, sizeof(session.address)) != RC_OK)
        return RC_CORRUPT;
    session.address_bits = (unsigned)address_bits;
    session.device = row_text(row, 5, arena);
    *(struct session *)out = session;
    return RC_OK;
}

enum rc store_find_session(struct store *store, int64_t id, struct arena *arena,
                           struct session *out_session)
{
    const struct query query = { STATEMENT_FIND_SESSION, load_session, 1, { int_param(id) } };

    return rows_find(store, &query, arena, out_session);
}

enum rc store_list_sessions(struct store *store, int64_t account_id, int64_t before_id,
                            struct arena *arena, struct session *out_rows, size_t max,
                            size_t *out_count)
{
    struct query query = page_query(STATEMENT_LIST_SESSIONS, load_session, before_id, max);
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    query.params[query.param_count++] = int_param(account_id);
    return rows_list(store, &query, &page, out_count);
}

/* ---- second factors and recovery codes ------------------------------------------------------ */

static enum rc load_factor(const struct row *row, struct arena *arena, void *out)
{
    int64_t kind = row_int(row, 2);

    if (kind < FACTOR_TOTP || kind > FACTOR_PASSKEY)
        return RC_CORRUPT;
    *(struct factor *)out = (struct factor){
        .id = row_int(row, 0),
        .account_id = row_int(row, 1),
        .kind = (enum factor_kind)kind,
        .name = row_text(row, 3, arena),
        .sealed = row_text(row, 4, arena),
        .created_at = row_int(row, 5),
        .last_step = row_int(row, 6),
        .last_used_at = row_int(row, 7),
    };
    return RC_OK;
}

enum rc store_list_factors(struct store *store, int64_t account_id, struct arena *arena,
                           struct factor out_rows[static FACTOR_COUNT_MAX], size_t *out_count)
{
    const struct query query =
        page_query(STATEMENT_LIST_FACTORS, load_factor, account_id, FACTOR_COUNT_MAX);
    const struct page page = { arena, out_rows, sizeof(*out_rows), FACTOR_COUNT_MAX };

    return rows_list(store, &query, &page, out_count);
}

static enum rc load_number(const struct row *row, struct arena *arena, void *out)
{
    (void)arena;
    *(int64_t *)out = row_int(row, 0);
    return RC_OK;
}

enum rc store_find_login(struct store *store, int64_t account_id, int64_t login_id)
{
    const struct query query = {
        STATEMENT_FIND_LOGIN, load_number, 2, { int_param(account_id), int_param(login_id) }
    };
    int64_t one;

    return rows_find(store, &query, NULL, &one);
}

enum rc store_find_recovery_code(struct store *store, int64_t account_id,
                                 const unsigned char digest[static DIGEST_BYTES])
{
    const struct query query = { STATEMENT_FIND_RECOVERY_CODE,
                                 load_number,
                                 2,
                                 { int_param(account_id), digest_param(digest) } };
    int64_t one;

    return rows_find(store, &query, NULL, &one);
}

enum rc store_count_recovery_codes(struct store *store, int64_t account_id,
                                   size_t *out_unused_count)
{
    const struct query query = {
        STATEMENT_COUNT_RECOVERY_CODES, load_number, 1, { int_param(account_id) }
    };
    int64_t count = 0;
    enum rc rc = rows_find(store, &query, NULL, &count);

    if (rc == RC_OK)
        *out_unused_count = (size_t)count;
    return rc;
}
