#include "store/authorized.h"
#include "store/newcomers.h"
#include "store/rows.h"

/* ---- authorizations and codes --------------------------------------------------------------- */

static enum rc load_authorization(const struct row *row, struct arena *arena, void *out)
{
    *(struct authorization *)out = (struct authorization){
        .id = row_int(row, 0),
        .account_id = row_int(row, 1),
        .client_id = row_int(row, 2),
        .login_id = row_int(row, 3),
        .subject = row_text(row, 4, arena),
        .sid = row_text(row, 5, arena),
        .acr = row_text(row, 6, arena),
        .amr = row_text(row, 7, arena),
        .nonce = row_text(row, 8, arena),
        .claims = row_text(row, 9, arena),
        .details = row_text(row, 10, arena),
        .actor = row_text(row, 11, arena),
        .auth_time = row_int(row, 12),
        .created_at = row_int(row, 13),
        .expires_at = row_int(row, 14),
    };
    return RC_OK;
}

enum rc store_find_authorization(struct store *store, int64_t id, struct arena *arena,
                                 struct authorization *out_authorization)
{
    const struct query query = {
        STATEMENT_FIND_AUTHORIZATION, load_authorization, 1, { int_param(id) }
    };

    return rows_find(store, &query, arena, out_authorization);
}

enum rc store_find_authorization_of_login(struct store *store, int64_t login_id,
                                          int64_t after_client_id, struct arena *arena,
                                          struct authorization *out_authorization)
{
    const struct query query = { STATEMENT_FIND_AUTHORIZATION_OF_LOGIN,
                                 load_authorization,
                                 2,
                                 { int_param(login_id), int_param(after_client_id) } };

    return rows_find(store, &query, arena, out_authorization);
}

static enum rc load_code(const struct row *row, struct arena *arena, void *out)
{
    struct code code = {
        .id = row_int(row, 0),
        .client_id = row_int(row, 2),
        .authorization_id = row_int(row, 3),
        .expires_at = row_int(row, 8),
        .spent_at = row_int(row, 11),
        .grant_id = row_int(row, 12),
    };

    if (row_fixed(row, 1, code.digest, DIGEST_BYTES) != RC_OK ||
        row_binding(row, 9, &code.binding) != RC_OK)
        return RC_CORRUPT;
    code.redirect_uri = row_text(row, 4, arena);
    code.challenge = row_text(row, 5, arena);
    code.scope = row_text(row, 6, arena);
    code.audience = row_text(row, 7, arena);
    *(struct code *)out = code;
    return RC_OK;
}

enum rc store_find_code(struct store *store, const unsigned char digest[static DIGEST_BYTES],
                        struct arena *arena, struct code *out_code)
{
    const struct query query = { STATEMENT_FIND_CODE, load_code, 1, { digest_param(digest) } };

    return rows_find(store, &query, arena, out_code);
}

enum rc store_list_grants_of_login(struct store *store, int64_t login_id, int64_t after_id,
                                   struct arena *arena, struct grant *out_rows, size_t max,
                                   size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };
    struct query query = page_query(STATEMENT_LIST_GRANTS_OF_LOGIN, load_grant, after_id, max);

    query.params[query.param_count++] = int_param(login_id);
    return rows_list(store, &query, &page, out_count);
}

/* ---- requests ------------------------------------------------------------------------------- */

static enum rc load_pushed_request(const struct row *row, struct arena *arena, void *out)
{
    struct pushed_request request = {
        .id = row_int(row, 0),
        .client_id = row_int(row, 2),
        .expires_at = row_int(row, 4),
    };

    if (row_fixed(row, 1, request.digest, DIGEST_BYTES) != RC_OK)
        return RC_CORRUPT;
    request.parameters = row_text(row, 3, arena);
    *(struct pushed_request *)out = request;
    return RC_OK;
}

enum rc store_find_pushed_request(struct store *store,
                                  const unsigned char digest[static DIGEST_BYTES], int64_t now,
                                  struct arena *arena, struct pushed_request *out_request)
{
    const struct query query = { STATEMENT_FIND_PUSHED_REQUEST,
                                 load_pushed_request,
                                 2,
                                 { digest_param(digest), int_param(now) } };

    return rows_find(store, &query, arena, out_request);
}

static enum rc load_device_request(const struct row *row, struct arena *arena, void *out)
{
    struct device_request request = {
        .id = row_int(row, 0),
        .client_id = row_int(row, 3),
        .authorization_id = row_int(row, 4),
        .interval_s = row_int(row, 9),
        .polled_at = row_int(row, 10),
        .expires_at = row_int(row, 11),
    };
    int64_t state = row_int(row, 5);

    if (state < DEVICE_WAITING || state > DEVICE_SPENT ||
        row_fixed(row, 1, request.digest, DIGEST_BYTES) != RC_OK ||
        row_fixed(row, 2, request.user_digest, DIGEST_BYTES) != RC_OK ||
        row_binding(row, 12, &request.binding) != RC_OK)
        return RC_CORRUPT;
    request.state = (enum device_state)state;
    request.scope = row_text(row, 6, arena);
    request.audience = row_text(row, 7, arena);
    request.details = row_text(row, 8, arena);
    *(struct device_request *)out = request;
    return RC_OK;
}

enum rc store_find_device_request(struct store *store,
                                  const unsigned char digest[static DIGEST_BYTES],
                                  struct arena *arena, struct device_request *out_request)
{
    const struct query query = {
        STATEMENT_FIND_DEVICE_REQUEST, load_device_request, 1, { digest_param(digest) }
    };

    return rows_find(store, &query, arena, out_request);
}

enum rc store_find_device_request_by_user_code(struct store *store,
                                               const unsigned char digest[static DIGEST_BYTES],
                                               int64_t now, struct arena *arena,
                                               struct device_request *out_request)
{
    const struct query query = { STATEMENT_FIND_DEVICE_REQUEST_BY_USER_CODE,
                                 load_device_request,
                                 2,
                                 { digest_param(digest), int_param(now) } };

    return rows_find(store, &query, arena, out_request);
}

/* ---- consents and deliveries ---------------------------------------------------------------- */

static enum rc load_consent(const struct row *row, struct arena *arena, void *out)
{
    *(struct consent *)out = (struct consent){
        .id = row_int(row, 0),
        .account_id = row_int(row, 1),
        .client_id = row_int(row, 2),
        .scope = row_text(row, 3, arena),
        .details = row_text(row, 4, arena),
        .at = row_int(row, 5),
    };
    return RC_OK;
}

enum rc store_find_consent(struct store *store, int64_t account_id, int64_t client_id,
                           struct arena *arena, struct consent *out_consent)
{
    const struct query query = {
        STATEMENT_FIND_CONSENT, load_consent, 2, { int_param(account_id), int_param(client_id) }
    };

    return rows_find(store, &query, arena, out_consent);
}

static enum rc load_delivery(const struct row *row, struct arena *arena, void *out)
{
    *(struct delivery *)out = (struct delivery){
        .id = row_int(row, 0),
        .client_id = row_int(row, 1),
        .uri = row_text(row, 2, arena),
        .content = row_text(row, 3, arena),
        .at = row_int(row, 4),
        .until = row_int(row, 5),
        .next_at = row_int(row, 6),
        .leased_until = row_int(row, 7),
        .attempt_count = row_int(row, 8),
    };
    return RC_OK;
}

enum rc store_find_due_delivery(struct store *store, int64_t now, struct arena *arena,
                                struct delivery *out_delivery)
{
    const struct query query = {
        STATEMENT_FIND_DUE_DELIVERY, load_delivery, 1, { int_param(now) }
    };

    return rows_find(store, &query, arena, out_delivery);
}

static enum rc load_number(const struct row *row, struct arena *arena, void *out)
{
    (void)arena;
    *(int64_t *)out = row_int(row, 0);
    return RC_OK;
}

enum rc store_count_deliveries(struct store *store, size_t *out_count)
{
    const struct query query = { STATEMENT_COUNT_DELIVERIES, load_number, 0, { { 0 } } };
    int64_t count = 0;
    enum rc rc = rows_find(store, &query, NULL, &count);

    if (rc == RC_OK)
        *out_count = (size_t)count;
    return rc;
}

enum rc store_find_idle_client(struct store *store, unsigned policy, int64_t before,
                               int64_t *out_id)
{
    const struct query query = {
        STATEMENT_FIND_IDLE_CLIENT, load_number, 2, { int_param(policy), int_param(before) }
    };

    return rows_find(store, &query, NULL, out_id);
}
