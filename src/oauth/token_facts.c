#include "oauth/token_facts.h"

#include "oauth/permanent.h"

enum {
    ROWS_PER_READ = 64,
    /* One page looks at no more tokens, so that it stays quick in a store with very many. */
    ROWS_PER_SEARCH = 4096,
    SCOPE_BYTES_SHOWN = 16 * 1024 /* of one page, so that it fits an answer */
};

enum token_facts_state token_facts_state_of(const struct token_facts *facts, int64_t now)
{
    if (facts->row.is_revoked)
        return TOKEN_FACTS_REVOKED;
    if (!facts->has_grant || facts->grant.ended_at != 0)
        return TOKEN_FACTS_ENDED;
    if (facts->row.expires_at != 0 && facts->row.expires_at <= now)
        return TOKEN_FACTS_EXPIRED;
    return facts->row.is_spent ? TOKEN_FACTS_SPENT : TOKEN_FACTS_LIVING;
}

static enum rc unless_gone(enum rc rc)
{
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

enum rc token_facts_read(struct store *store, const struct token *row, struct arena *arena,
                         struct token_facts *out_facts)
{
    enum rc rc = RC_OK;

    *out_facts = (struct token_facts){ .row = *row };
    if (row->kind == TOKEN_PERMANENT)
        rc = unless_gone(store_find_permanent(store, row->grant_id, arena, &out_facts->permanent));
    if (rc != RC_OK)
        return rc;
    rc = store_find_grant(store, row->grant_id, arena, &out_facts->grant);
    if (rc != RC_OK)
        return unless_gone(rc);
    out_facts->has_grant = true;
    rc = unless_gone(
        store_find_client(store, out_facts->grant.client_id, arena, &out_facts->client));
    if (rc == RC_OK && out_facts->grant.account_id != 0)
        rc = unless_gone(
            store_find_account(store, out_facts->grant.account_id, arena, &out_facts->account));
    return rc;
}

enum rc token_facts_complete(struct oauth_call *call, const struct token *row, struct arena *arena,
                             struct token_facts *out_facts)
{
    enum rc rc = token_facts_read(call->oauth->store, row, arena, out_facts);

    if (rc == RC_OK && out_facts->permanent.id != 0)
        permanent_update_last_use(call->oauth->tokens, &out_facts->permanent);
    return rc;
}

enum rc token_facts_revoke(struct store *store, const struct admin *admin,
                           const struct token_facts *facts)
{
    bool is_family = facts->row.kind != TOKEN_ACCESS || facts->grant.is_session;
    const struct event event = { .kind = is_family ? EVENT_GRANT_ENDED : EVENT_TOKEN_REVOKED,
                                 .account_id = facts->account.id,
                                 .client_id = facts->client.id,
                                 .token_id = facts->row.id };
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    if (is_family)
        store_end_grant(&unit, facts->row.grant_id, admin->now);
    else
        store_revoke_token(&unit, facts->row.id, admin->now, facts->row.expires_at);
    admin_add_event(admin, event, "revoked", &unit);
    return store_commit(store, &unit);
}

enum rc token_facts_find_row(struct token_room *room, struct str value, struct token *out_row)
{
    struct token_record record;
    enum rc rc = token_read(room, value, &record);

    if (rc != RC_OK)
        return rc;
    *out_row = record.row;
    grant_put(token_room_grants(room), record.grant);
    return RC_OK;
}

enum rc token_facts_find(struct oauth_call *call, struct str id, struct arena *arena,
                         struct token_facts *out_facts)
{
    struct token_handle handle;
    struct token row;
    uint64_t number;
    enum rc rc;

    if (str_parse_u64(id, INT64_MAX, &number))
        handle.id = (int64_t)number;
    else if (token_jti_parse(call->oauth->tokens, id, &handle) != RC_OK)
        return RC_NOT_FOUND;
    rc = store_find_token(call->oauth->store, handle.id, &row);
    return rc == RC_OK ? token_facts_complete(call, &row, arena, out_facts) : rc;
}

/* ---- search ---------------------------------------------------------------------------------- */

static bool holds(struct str view, struct str part)
{
    for (size_t i = 0; i + part.len <= view.len; i++) {
        if (str_equal_nocase_bytes(view.at + i, part.at, part.len))
            return true;
    }
    return false;
}

static bool is_meant(const struct token_facts *facts, struct str text)
{
    return text.len == 0 || holds(facts->permanent.name, text) ||
           holds(facts->account.name, text) || holds(facts->client.client_id, text) ||
           holds(facts->grant.scope, text) || holds(facts->grant.audience, text);
}

struct search {
    struct oauth_call *call;
    struct str text;
    struct arena *arena;
    struct token_facts *rows;
    size_t max;
    size_t count;
    size_t scope_bytes;
    int64_t next_id;
};

/* RC_TOO_LARGE: the page is full. */
static enum rc look_at(struct search *search, const struct token *row, struct arena *scratch)
{
    struct token_facts facts;
    enum rc rc;

    if (search->count == search->max || search->scope_bytes > SCOPE_BYTES_SHOWN)
        return RC_TOO_LARGE;
    arena_reset(scratch);
    rc = token_facts_read(search->call->oauth->store, row, scratch, &facts);
    if (rc == RC_OK && is_meant(&facts, search->text)) {
        rc = token_facts_complete(search->call, row, search->arena, &facts);
        search->rows[search->count++] = facts;
        search->scope_bytes += facts.grant.scope.len;
    }
    search->next_id = row->id;
    return rc;
}

static void turn_round(struct token_facts *rows, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct token_facts row = rows[i];

        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = row;
    }
}

enum rc token_facts_search(struct oauth_call *call, struct str text, struct token_place place,
                           struct arena *arena, struct token_facts *out_rows, size_t max,
                           size_t *out_count, int64_t *out_next_id)
{
    __attribute__((cleanup(arena_deinit))) struct arena scratch = { 0 };
    struct search search = { .call = call,
                             .text = text,
                             .arena = arena,
                             .rows = out_rows,
                             .max = max,
                             .next_id = place.id };
    struct token rows[ROWS_PER_READ];
    size_t seen_count = 0;
    size_t count = 1;
    enum rc rc = RC_OK;

    arena_init(&scratch, TOKEN_FACTS_ROW_BYTES_MAX);
    while (rc == RC_OK && count > 0 && seen_count < ROWS_PER_SEARCH) {
        rc = place.is_above ? store_list_tokens(call->oauth->store, search.next_id, 0, rows,
                                                ROWS_PER_READ, &count)
                            : store_list_tokens_down(call->oauth->store, search.next_id, rows,
                                                     ROWS_PER_READ, &count);
        if (rc != RC_OK)
            return rc;
        for (size_t i = 0; rc == RC_OK && i < count; i++)
            rc = look_at(&search, &rows[i], &scratch);
        seen_count += count;
    }
    if (rc != RC_OK && rc != RC_TOO_LARGE)
        return rc;
    if (place.is_above)
        turn_round(out_rows, search.count);
    *out_count = search.count;
    *out_next_id = rc == RC_OK && count == 0 ? 0 : search.next_id;
    return RC_OK;
}
