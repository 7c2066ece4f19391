#include "store/rows.h"

/* ---- browser sessions ----------------------------------------------------------------------- */

static enum rc load_browser_session(const struct row *row, struct arena *arena, void *out)
{
    struct browser_session session = {
        .id = row_int(row, 0),
        .account_id = row_int(row, 1),
        .created_at = row_int(row, 6),
        .proved_at = row_int(row, 7),
        .last_active_at = row_int(row, 8),
        .expires_at = row_int(row, 9),
        .login_id = row_int(row, 10),
        .methods = (unsigned)row_int(row, 11),
    };
    int64_t stage = row_int(row, 3);

    if (stage < STAGE_NEEDS_CODE || stage > STAGE_SIGNED_IN ||
        row_fixed(row, 2, session.digest, DIGEST_BYTES) != RC_OK ||
        row_fixed(row, 4, session.address, sizeof(session.address)) != RC_OK)
        return RC_CORRUPT;
    session.stage = (enum session_stage)stage;
    session.device = row_text(row, 5, arena);
    *(struct browser_session *)out = session;
    return RC_OK;
}

enum rc store_find_browser_session(struct store *store,
                                   const unsigned char digest[static DIGEST_BYTES],
                                   struct arena *arena, struct browser_session *out_session)
{
    const struct query query = {
        STATEMENT_FIND_BROWSER_SESSION, load_browser_session, 1, { digest_param(digest) }
    };

    return rows_find(store, &query, arena, out_session);
}

enum rc store_list_browser_sessions(struct store *store, int64_t account_id, int64_t before_id,
                                    struct arena *arena, struct browser_session *out_rows,
                                    size_t max, size_t *out_count)
{
    struct query query =
        page_query(STATEMENT_LIST_BROWSER_SESSIONS, load_browser_session, before_id, max);
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    query.params[query.param_count++] = int_param(account_id);
    return rows_list(store, &query, &page, out_count);
}

/* ---- links ---------------------------------------------------------------------------------- */

static enum rc load_link(const struct row *row, struct arena *arena, void *out)
{
    struct link link = {
        .id = row_int(row, 0),
        .account_id = row_int(row, 3),
        .expires_at = row_int(row, 8),
    };
    int64_t purpose = row_int(row, 2);

    if (purpose < LINK_RESET || purpose > LINK_INVITATION ||
        row_fixed(row, 1, link.digest, DIGEST_BYTES) != RC_OK)
        return RC_CORRUPT;
    link.purpose = (enum link_purpose)purpose;
    link.email = row_text(row, 4, arena);
    link.name = row_text(row, 5, arena);
    link.full_name = row_text(row, 6, arena);
    link.password_hash = row_text(row, 7, arena);
    *(struct link *)out = link;
    return RC_OK;
}

enum rc store_find_link(struct store *store, const unsigned char digest[static DIGEST_BYTES],
                        int64_t now, struct arena *arena, struct link *out_link)
{
    const struct query query = {
        STATEMENT_FIND_LINK, load_link, 2, { digest_param(digest), int_param(now) }
    };

    return rows_find(store, &query, arena, out_link);
}

enum rc store_find_link_of_account(struct store *store, int64_t account_id,
                                   enum link_purpose purpose, int64_t now, struct arena *arena,
                                   struct link *out_link)
{
    const struct query query = { STATEMENT_FIND_LINK_OF_ACCOUNT,
                                 load_link,
                                 3,
                                 { int_param(account_id), int_param(purpose), int_param(now) } };

    return rows_find(store, &query, arena, out_link);
}

/* ---- passkeys ------------------------------------------------------------------------------- */

static enum rc load_passkey(const struct row *row, struct arena *arena, void *out)
{
    *(struct credential_record *)out = (struct credential_record){
        .id = row_int(row, 0),
        .account_id = row_int(row, 1),
        .credential_id = row_text(row, 2, arena),
        .user_handle = row_text(row, 3, arena),
        .public_key = row_text(row, 4, arena),
        .transports = row_text(row, 5, arena),
        .sign_count = row_int(row, 6),
        .is_user_verified = row_int(row, 7) != 0,
        .is_backup_eligible = row_int(row, 8) != 0,
        .is_backed_up = row_int(row, 9) != 0,
    };
    return RC_OK;
}

enum rc store_find_passkey(struct store *store, struct str credential_id, struct arena *arena,
                           struct credential_record *out_passkey)
{
    const struct query query = {
        STATEMENT_FIND_PASSKEY, load_passkey, 1, { { STORE_BLOB, 0, credential_id } }
    };

    return rows_find(store, &query, arena, out_passkey);
}

enum rc store_list_passkeys(struct store *store, int64_t account_id, struct arena *arena,
                            struct credential_record out_rows[static FACTOR_COUNT_MAX],
                            size_t *out_count)
{
    const struct query query =
        page_query(STATEMENT_LIST_PASSKEYS, load_passkey, account_id, FACTOR_COUNT_MAX);
    const struct page page = { arena, out_rows, sizeof(*out_rows), FACTOR_COUNT_MAX };

    return rows_list(store, &query, &page, out_count);
}

/* ---- permanent tokens ----------------------------------------------------------------------- */

static enum rc load_permanent(const struct row *row, struct arena *arena, void *out)
{
    struct permanent permanent = {
        .id = row_int(row, 0),
        .account_id = row_int(row, 1),
        .token_id = row_int(row, 2),
        .created_at = row_int(row, 6),
        .expires_at = row_int(row, 7),
        .revoked_at = row_int(row, 8),
        .replaced_by = row_int(row, 9),
        .last_used_at = row_int(row, 10),
    };
    enum rc rc =
        row_fixed(row, 11, permanent.last_used_address, sizeof(permanent.last_used_address));

    if (rc != RC_OK)
        return rc;
    permanent.name = row_text(row, 3, arena);
    permanent.scope = row_text(row, 4, arena);
    permanent.addresses = row_text(row, 5, arena);
    *(struct permanent *)out = permanent;
    return RC_OK;
}

enum rc store_find_permanent(struct store *store, int64_t id, struct arena *arena,
                             struct permanent *out_permanent)
{
    const struct query query = { STATEMENT_FIND_PERMANENT, load_permanent, 1, { int_param(id) } };

    return rows_find(store, &query, arena, out_permanent);
}

enum rc store_find_permanent_of_token(struct store *store, int64_t account_id, int64_t token_id,
                                      struct arena *arena, struct permanent *out_permanent)
{
    const struct query query = { STATEMENT_FIND_PERMANENT_OF_TOKEN,
                                 load_permanent,
                                 2,
                                 { int_param(account_id), int_param(token_id) } };

    return rows_find(store, &query, arena, out_permanent);
}

enum rc store_list_permanents_up(struct store *store, int64_t account_id, int64_t after_id,
                                 struct arena *arena, struct permanent *out_rows, size_t max,
                                 size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };
    struct query query =
        page_query(STATEMENT_LIST_PERMANENTS_UPWARDS, load_permanent, after_id, max);

    query.params[query.param_count++] = int_param(account_id);
    return rows_list(store, &query, &page, out_count);
}

enum rc store_list_permanents(struct store *store, int64_t account_id, int64_t before_id,
                              struct arena *arena, struct permanent *out_rows, size_t max,
                              size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };
    struct query query = page_query(STATEMENT_LIST_PERMANENTS, load_permanent, before_id, max);

    if (account_id != 0) {
        query.statement = STATEMENT_LIST_PERMANENTS_OF_ACCOUNT;
        query.params[query.param_count++] = int_param(account_id);
    }
    return rows_list(store, &query, &page, out_count);
}

enum rc store_list_expiring(struct store *store, int64_t now, int64_t margin_s, int64_t warning,
                            struct arena *arena, struct permanent *out_rows, size_t max,
                            size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };
    const struct query query = { STATEMENT_LIST_EXPIRING,
                                 load_permanent,
                                 4,
                                 { int_param(now), int_param(margin_s), int_param(warning),
                                   int_param((int64_t)max) } };

    ASSERT(max <= STORE_LIST_ROW_COUNT_MAX);
    return rows_list(store, &query, &page, out_count);
}

static enum rc load_count(const struct row *row, struct arena *arena, void *out)
{
    (void)arena;
    *(int64_t *)out = row_int(row, 0);
    return RC_OK;
}

enum rc store_count_permanents(struct store *store, int64_t now, size_t *out_count)
{
    const struct query query = { STATEMENT_COUNT_PERMANENTS, load_count, 1, { int_param(now) } };
    int64_t count = 0;
    enum rc rc = rows_find(store, &query, NULL, &count);

    if (rc == RC_OK)
        *out_count = (size_t)count;
    return rc;
}
