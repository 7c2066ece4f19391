#include "store/rows.h"

/* ---- accounts, services, clients ------------------------------------------------------------ */

static enum rc load_account(const struct row *row, struct arena *arena, void *out)
{
    *(struct account *)out = (struct account){
        .id = row_int(row, 0),
        .name = row_text(row, 1, arena),
        .full_name = row_text(row, 2, arena),
        .email = row_text(row, 3, arena),
        .password_hash = row_text(row, 4, arena),
        .is_admin = row_int(row, 5) != 0,
        .is_disabled = row_int(row, 6) != 0,
        .created_at = row_int(row, 7),
        .has_second_factor = row_int(row, 8) != 0,
        .has_code_factor = row_int(row, 9) != 0,
        .email_verified_at = row_int(row, 10),
    };
    return RC_OK;
}

static enum rc load_service(const struct row *row, struct arena *arena, void *out)
{
    int64_t format = row_int(row, 5);
    int64_t alg = row_int(row, 6);

    if (format < 0 || format >= TOKEN_FORMAT_COUNT || alg < 0 || alg >= ALG_COUNT)
        return RC_CORRUPT;
    *(struct service *)out = (struct service){
        .id = row_int(row, 0),
        .service_id = row_text(row, 1, arena),
        .name = row_text(row, 2, arena),
        .scope = row_text(row, 3, arena),
        .secret_hash = row_text(row, 4, arena),
        .format = (enum token_format)format,
        .alg = (enum signing_alg)alg,
        .lifetime_s = row_int(row, 7),
        .allows_password = row_int(row, 8) != 0,
        .expires_in_as_string = row_int(row, 9) != 0,
        .is_disabled = row_int(row, 10) != 0,
        .created_at = row_int(row, 11),
    };
    return RC_OK;
}

static enum rc load_client(const struct row *row, struct arena *arena, void *out)
{
    int64_t type = row_int(row, 3);
    int64_t auth_method = row_int(row, 13);

    if (type < CLIENT_CONFIDENTIAL || type > CLIENT_EMPTY_SECRET || auth_method < 0 ||
        auth_method >= AUTH_METHOD_COUNT)
        return RC_CORRUPT;
    *(struct client *)out = (struct client){
        .id = row_int(row, 0),
        .client_id = row_text(row, 1, arena),
        .name = row_text(row, 2, arena),
        .type = (enum client_type)type,
        .secret_hash = row_text(row, 4, arena),
        .grant_types = (unsigned)row_int(row, 5),
        .scope = row_text(row, 6, arena),
        .service_ids = row_text(row, 7, arena),
        .redirect_uris = row_text(row, 8, arena),
        .refresh_lifetime_s = row_int(row, 9),
        .refresh_idle_lifetime_s = row_int(row, 10),
        .is_disabled = row_int(row, 11) != 0,
        .created_at = row_int(row, 12),
        .auth_method = (enum client_auth_method)auth_method,
        .policy = (unsigned)row_int(row, 14),
        .metadata = row_text(row, 15, arena),
        .previous_secret_hash = row_text(row, 16, arena),
        .previous_secret_until = row_int(row, 17),
        .registration_digest = row_text(row, 18, arena),
    };
    return RC_OK;
}

enum rc store_find_account(struct store *store, int64_t id, struct arena *arena,
                           struct account *out_account)
{
    const struct query query = { STATEMENT_FIND_ACCOUNT, load_account, 1, { int_param(id) } };

    return rows_find(store, &query, arena, out_account);
}

enum rc store_find_account_by_email(struct store *store, struct str email, struct arena *arena,
                                    struct account *out_account)
{
    const struct query query = {
        STATEMENT_FIND_ACCOUNT_BY_EMAIL, load_account, 1, { text_param(email) }
    };

    return rows_find(store, &query, arena, out_account);
}

enum rc store_find_account_by_name(struct store *store, struct str name, struct arena *arena,
                                   struct account *out_account)
{
    char folded[ACCOUNT_NAME_BYTES_MAX];
    struct query query = { STATEMENT_FIND_ACCOUNT_BY_NAME, load_account, 1, { { 0 } } };

    if (name.len > sizeof(folded))
        return RC_NOT_FOUND;
    store_fold_name(name, folded);
    query.params[0] = text_param((struct str){ folded, name.len });
    return rows_find(store, &query, arena, out_account);
}

enum rc store_find_service(struct store *store, int64_t id, struct arena *arena,
                           struct service *out_service)
{
    const struct query query = { STATEMENT_FIND_SERVICE, load_service, 1, { int_param(id) } };

    return rows_find(store, &query, arena, out_service);
}

enum rc store_find_client(struct store *store, int64_t id, struct arena *arena,
                          struct client *out_client)
{
    const struct query query = { STATEMENT_FIND_CLIENT, load_client, 1, { int_param(id) } };

    return rows_find(store, &query, arena, out_client);
}

enum rc store_list_accounts(struct store *store, int64_t after_id, struct arena *arena,
                            struct account *out_rows, size_t max, size_t *out_count)
{
    const struct query query = page_query(STATEMENT_LIST_ACCOUNTS, load_account, after_id, max);
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    return rows_list(store, &query, &page, out_count);
}

enum { SEARCH_BYTES_MAX = 255 };

_Static_assert((int)SEARCH_BYTES_MAX >= (int)ACCOUNT_NAME_BYTES_MAX,
               "a whole name can be asked for");

static enum rc search(struct store *store, struct query query, struct str text,
                      const struct page *page, size_t *out_count)
{
    char folded[SEARCH_BYTES_MAX];

    *out_count = 0;
    if (text.len > sizeof(folded))
        return RC_OK;
    store_fold_name(text, folded);
    query.params[query.param_count++] = text_param((struct str){ folded, text.len });
    query.params[query.param_count++] = text_param(text); /* engines fold ASCII alone */
    return rows_list(store, &query, page, out_count);
}

enum rc store_search_accounts(struct store *store, struct str text, int64_t before_id,
                              struct arena *arena, struct account *out_rows, size_t max,
                              size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    return search(store, page_query(STATEMENT_SEARCH_ACCOUNTS, load_account, before_id, max), text,
                  &page, out_count);
}

enum rc store_search_services(struct store *store, struct str text, int64_t before_id,
                              struct arena *arena, struct service *out_rows, size_t max,
                              size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    return search(store, page_query(STATEMENT_SEARCH_SERVICES, load_service, before_id, max), text,
                  &page, out_count);
}

enum rc store_search_clients(struct store *store, struct str text, int64_t before_id,
                             struct arena *arena, struct client *out_rows, size_t max,
                             size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    return search(store, page_query(STATEMENT_SEARCH_CLIENTS, load_client, before_id, max), text,
                  &page, out_count);
}

enum rc store_list_services(struct store *store, int64_t after_id, struct arena *arena,
                            struct service *out_rows, size_t max, size_t *out_count)
{
    const struct query query = page_query(STATEMENT_LIST_SERVICES, load_service, after_id, max);
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    return rows_list(store, &query, &page, out_count);
}

enum rc store_list_clients(struct store *store, int64_t after_id, struct arena *arena,
                           struct client *out_rows, size_t max, size_t *out_count)
{
    const struct query query = page_query(STATEMENT_LIST_CLIENTS, load_client, after_id, max);
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    return rows_list(store, &query, &page, out_count);
}

/* ---- grants --------------------------------------------------------------------------------- */

enum rc load_grant(const struct row *row, struct arena *arena, void *out)
{
    struct grant grant = {
        .id = row_int(row, 0),
        .account_id = row_int(row, 1),
        .client_id = row_int(row, 2),
        .scope = row_text(row, 3, arena),
        .audience = row_text(row, 4, arena),
        .is_family = row_int(row, 5) != 0,
        .parent_id = row_int(row, 6),
        .created_at = row_int(row, 7),
        .expires_at = row_int(row, 8),
        .ended_at = row_int(row, 9),
        .is_session = row_int(row, 10) != 0,
        .is_permanent = row_int(row, 11) != 0,
        .authorization_id = row_int(row, 12),
        .last_used_at = row_int(row, 15),
    };
    enum rc rc = row_binding(row, 13, &grant.binding);

    if (rc == RC_OK)
        *(struct grant *)out = grant;
    return rc;
}

enum rc store_find_grant(struct store *store, int64_t id, struct arena *arena,
                         struct grant *out_grant)
{
    const struct query query = { STATEMENT_FIND_GRANT, load_grant, 1, { int_param(id) } };

    return rows_find(store, &query, arena, out_grant);
}

enum rc store_find_standing_grant(struct store *store, const struct grant *like,
                                  struct arena *arena, struct grant *out_grant)
{
    const struct query query = { STATEMENT_FIND_STANDING_GRANT,
                                 load_grant,
                                 4,
                                 { int_param(like->client_id), int_param(like->account_id),
                                   text_param(like->scope), text_param(like->audience) } };

    return rows_find(store, &query, arena, out_grant);
}

enum rc store_list_grants(struct store *store, int64_t account_id, int64_t client_id,
                          int64_t before_id, struct arena *arena, struct grant *out_rows,
                          size_t max, size_t *out_count)
{
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };
    struct query query = page_query(STATEMENT_LIST_GRANTS, load_grant, before_id, max);

    if (account_id != 0) {
        query.statement =
            client_id != 0 ? STATEMENT_LIST_GRANTS_OF_BOTH : STATEMENT_LIST_GRANTS_OF_ACCOUNT;
        query.params[query.param_count++] = int_param(account_id);
    } else if (client_id != 0) {
        query.statement = STATEMENT_LIST_GRANTS_OF_CLIENT;
    }
    if (client_id != 0)
        query.params[query.param_count++] = int_param(client_id);
    return rows_list(store, &query, &page, out_count);
}

/* An audience is a list of words, which only the loader can tell apart. */
struct grant_of_service {
    struct str service_id;
    struct grant *rows;
    size_t count;
    size_t max;
    int64_t last_id; /* of the last row that was looked at and is not to be looked at again */
    struct arena *arena;
    bool is_full;
};

static enum rc load_grant_of_service(const struct row *row, struct arena *arena, void *out)
{
    struct grant_of_service *page = out;
    struct str audience = row->driver->column_bytes(row->session, 4);
    enum rc rc;

    (void)arena;
    if (page->is_full)
        return RC_OK;
    if (str_has_word(audience, page->service_id)) {
        if (page->count == page->max || (page->count > 0 && !arena_has_room(page->arena, row))) {
            page->is_full = true;
            return RC_OK;
        }
        rc = load_grant(row, page->arena, &page->rows[page->count]);
        if (rc != RC_OK)
            return rc;
        page->count++;
    }
    page->last_id = row_int(row, 0);
    return RC_OK;
}

enum rc store_list_grants_of_service(struct store *store, struct str service_id, int64_t after_id,
                                     struct arena *arena, struct grant *out_rows, size_t max,
                                     size_t *out_count)
{
    struct grant_of_service found = {
        .service_id = service_id, .rows = out_rows, .max = max, .last_id = after_id, .arena = arena
    };
    const struct page page = { NULL, &found, 0, STORE_LIST_ROW_COUNT_MAX };
    size_t seen_count = STORE_LIST_ROW_COUNT_MAX;
    enum rc rc = RC_OK;

    /* In pages, so that no read transaction stays open for long. */
    while (rc == RC_OK && !found.is_full && seen_count == STORE_LIST_ROW_COUNT_MAX) {
        const struct query query = page_query(STATEMENT_LIST_GRANTS_UPWARDS, load_grant_of_service,
                                              found.last_id, STORE_LIST_ROW_COUNT_MAX);

        rc = rows_list(store, &query, &page, &seen_count);
    }
    if (rc == RC_OK)
        *out_count = found.count;
    return rc;
}

/* ---- tokens --------------------------------------------------------------------------------- */

static enum rc load_token(const struct row *row, struct arena *arena, void *out)
{
    struct token token = {
        .id = row_int(row, 0),
        .grant_id = row_int(row, 3),
        .issued_at = row_int(row, 4),
        .expires_at = row_int(row, 5),
        .is_revoked = row_int(row, 7) != 0,
        .is_spent = row_int(row, 8) != 0,
    };
    int64_t kind = row_int(row, 1);
    int64_t format = row_int(row, 2);

    (void)arena;
    if (kind < 0 || kind >= TOKEN_KIND_COUNT || format < 0 || format >= TOKEN_FORMAT_COUNT ||
        row_fixed(row, 6, token.digest, DIGEST_BYTES) != RC_OK)
        return RC_CORRUPT;
    token.kind = (enum token_kind)kind;
    token.format = (enum token_format)format;
    *(struct token *)out = token;
    return RC_OK;
}

enum rc store_find_token(struct store *store, int64_t id, struct token *out_token)
{
    const struct query query = { id < STORE_LONG_TOKEN_FIRST ? STATEMENT_FIND_TOKEN
                                                             : STATEMENT_FIND_LONG_TOKEN,
                                 load_token,
                                 1,
                                 { int_param(id) } };

    return rows_find(store, &query, NULL, out_token);
}

enum rc store_list_tokens(struct store *store, int64_t after_id, int64_t now,
                          struct token *out_rows, size_t max, size_t *out_count)
{
    const struct page page = { NULL, out_rows, sizeof(*out_rows), max };
    struct query query = page_query(STATEMENT_LIST_TOKENS, load_token, after_id, max);
    size_t count = 0;
    enum rc rc = RC_OK;

    query.params[query.param_count++] = int_param(now);
    if (after_id < STORE_LONG_TOKEN_FIRST)
        rc = rows_list(store, &query, &page, &count);
    /* All long tokens stand behind all others. */
    query.statement = STATEMENT_LIST_LONG_TOKENS;
    if (rc == RC_OK && count == 0)
        rc = rows_list(store, &query, &page, &count);
    if (rc == RC_OK)
        *out_count = count;
    return rc;
}

enum rc store_list_tokens_down(struct store *store, int64_t before_id, struct token *out_rows,
                               size_t max, size_t *out_count)
{
    const struct page page = { NULL, out_rows, sizeof(*out_rows), max };
    struct query query = page_query(STATEMENT_LIST_LONG_TOKENS_DOWN, load_token, before_id, max);
    size_t count = 0;
    enum rc rc = RC_OK;

    if (before_id > STORE_LONG_TOKEN_FIRST)
        rc = rows_list(store, &query, &page, &count);
    query.statement = STATEMENT_LIST_TOKENS_DOWN;
    if (rc == RC_OK && count == 0)
        rc = rows_list(store, &query, &page, &count);
    if (rc == RC_OK)
        *out_count = count;
    return rc;
}

static enum rc load_blob(const struct row *row, struct arena *arena, void *out)
{
    *(struct str *)out = row_text(row, 0, arena);
    return RC_OK;
}

enum rc store_find_replay(struct store *store, int64_t successor_id, int64_t now,
                          struct arena *arena, struct str *out_sealed)
{
    const struct query query = {
        STATEMENT_FIND_REPLAY, load_blob, 2, { int_param(successor_id), int_param(now) }
    };

    return rows_find(store, &query, arena, out_sealed);
}

static enum rc load_spent(const struct row *row, struct arena *arena, void *out)
{
    (void)arena;
    *(struct spent_token *)out =
        (struct spent_token){ .successor_id = row_int(row, 0), .at = row_int(row, 1) };
    return RC_OK;
}

enum rc store_find_spent(struct store *store, int64_t token_id, struct spent_token *out_spent)
{
    const struct query query = { STATEMENT_FIND_SPENT, load_spent, 1, { int_param(token_id) } };

    return rows_find(store, &query, NULL, out_spent);
}

/* ---- keys, sealed values, events ------------------------------------------------------------ */

static enum rc load_key(const struct row *row, struct arena *arena, void *out)
{
    int64_t alg = row_int(row, 2);

    if (alg < 0 || alg >= ALG_COUNT)
        return RC_CORRUPT;
    *(struct key *)out = (struct key){
        .id = row_int(row, 0),
        .kid = row_text(row, 1, arena),
        .alg = (enum signing_alg)alg,
        .public_jwk = row_text(row, 3, arena),
        .sealed = row_text(row, 4, arena),
        .created_at = row_int(row, 5),
        .signs_from = row_int(row, 6),
        .retires_at = row_int(row, 7),
    };
    return RC_OK;
}

enum rc store_list_keys(struct store *store, struct arena *arena, struct key *out_rows, size_t max,
                        size_t *out_count)
{
    const struct query query = page_query(STATEMENT_LIST_KEYS, load_key, 0, max);
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    return rows_list(store, &query, &page, out_count);
}

enum rc store_find_sealed_value(struct store *store, struct str name, struct arena *arena,
                                struct str *out_sealed)
{
    const struct query query = { STATEMENT_FIND_SEALED_VALUE, load_blob, 1, { text_param(name) } };

    return rows_find(store, &query, arena, out_sealed);
}

enum rc load_event(const struct row *row, struct arena *arena, void *out)
{
    struct event event = {
        .id = row_int(row, 0),
        .at = row_int(row, 1),
        .kind = (enum event_kind)row_int(row, 2), /* a newer program may know more kinds */
        .account_id = row_int(row, 3),
        .client_id = row_int(row, 4),
        .token_id = row_int(row, 5),
    };
    enum rc rc = row_fixed(row, 6, event.address, sizeof(event.address));

    if (rc != RC_OK)
        return rc;
    event.detail = row_text(row, 7, arena);
    *(struct event *)out = event;
    return RC_OK;
}

enum rc store_list_events(struct store *store, int64_t before_id, struct arena *arena,
                          struct event *out_rows, size_t max, size_t *out_count)
{
    const struct query query = page_query(STATEMENT_LIST_EVENTS, load_event, before_id, max);
    const struct page page = { arena, out_rows, sizeof(*out_rows), max };

    return rows_list(store, &query, &page, out_count);
}
