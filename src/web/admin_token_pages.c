#include "oauth/token_facts.h"
#include "web/admin_pages.h"
#include "web/permanent_view.h"

/* All tokens, for administrators. A value that is pasted leads to its row and nowhere else. */

enum { ROWS_PER_PAGE = 20, FACTS_ARENA_BYTES = (ROWS_PER_PAGE + 1) * TOKEN_FACTS_ROW_BYTES_MAX };

static const char list_kind[] = "admin tokens"; /* of the place where a list goes on */

static struct str id_text(struct page_call *page, const struct token *row)
{
    const struct token_handle handle = { .id = row->id, .kind = row->kind };
    char text[TOKEN_JTI_BYTES_MAX];

    return arena_copy(page->call->exchange->arena,
                      token_jti_of(page->call->oauth.oauth->tokens, handle, text));
}

static void fill_state(const struct token_facts *facts, int64_t now,
                       struct page_admin_tokens_tokens *row)
{
    enum token_facts_state state = token_facts_state_of(facts, now);
    enum permanent_state shown = PERMANENT_ACTIVE;

    if (facts->permanent.id != 0)
        shown = permanent_state_of(&facts->permanent, now);
    row->is_revoked = state == TOKEN_FACTS_REVOKED || state == TOKEN_FACTS_ENDED;
    row->is_expired = state == TOKEN_FACTS_EXPIRED;
    row->is_replaced = state == TOKEN_FACTS_SPENT || shown == PERMANENT_REPLACED;
    row->is_soon_over = shown == PERMANENT_EXPIRES_SOON;
    row->is_over = state != TOKEN_FACTS_LIVING;
}

static struct page_admin_tokens_tokens row_of(struct page_call *page,
                                              const struct token_facts *facts)
{
    bool is_clients_own = facts->account.id == 0;
    struct page_admin_tokens_tokens row = {
        .id = id_text(page, &facts->row),
        .name = facts->permanent.name,
        .kind = token_kind_format(facts->row.kind),
        .owner = is_clients_own ? facts->client.client_id : facts->account.name,
        .client = is_clients_own ? STR("") : facts->client.client_id,
        .scope = facts->grant.scope.len > 0 ? facts->grant.scope : facts->grant.audience,
        .created_at = facts->row.issued_at,
        .expires_at = facts->row.expires_at,
    };

    fill_state(facts, page->call->oauth.now, &row);
    if (facts->permanent.id == 0)
        return row;
    row.last_used_at = facts->permanent.last_used_at;
    row.last_used_from = permanent_last_used_from(&facts->permanent, page->call->exchange->arena);
    return row;
}

/* `values` has q and the places before and behind; its rows are filled here. */
static void show(struct page_call *page, int status, struct page_admin_tokens *values,
                 const struct token_facts *facts, size_t count)
{
    struct page_admin_tokens_tokens *rows =
        arena_alloc(page->call->exchange->arena, (count + 1) * sizeof(*rows));

    for (size_t i = 0; i < count; i++) {
        rows[i] = row_of(page, &facts[i]);
        rows[i].n = (int64_t)i + 1;
    }
    values->frame = &page->frame;
    values->tokens = rows;
    values->tokens_count = count;
    page->frame.at_admin = true;
    page->frame.at_admin_tokens = true;
    page_admin_tokens_render(values, page->language, page_begin(page, status));
}

/* What was typed, as an id first: it leads to one token without a search. Above a place and at the
 * end of the list it is the first page. */
static enum rc find(struct page_call *page, struct str text, struct page_place *place,
                    struct arena *arena, struct token_facts *out_rows, size_t *out_count,
                    int64_t *out_next_id)
{
    struct oauth_call *oauth = &page->call->oauth;
    enum rc rc = RC_NOT_FOUND;

    if (text.len > 0 && !place->is_above && place->id == INT64_MAX)
        rc = token_facts_find(oauth, text, arena, out_rows);
    if (rc != RC_NOT_FOUND) {
        *out_count = 1;
        *out_next_id = 0;
        return rc;
    }
    rc = token_facts_search(oauth, text, (struct token_place){ place->id, place->is_above }, arena,
                            out_rows, ROWS_PER_PAGE, out_count, out_next_id);
    if (rc != RC_OK || !place->is_above || *out_next_id != 0)
        return rc;
    arena_reset(arena);
    *place = (struct page_place){ .id = INT64_MAX };
    return token_facts_search(oauth, text, (struct token_place){ INT64_MAX, false }, arena,
                              out_rows, ROWS_PER_PAGE, out_count, out_next_id);
}

/* A value that was typed where a name belongs: it is not shown again. */
static bool is_value(struct page_call *page, struct str text)
{
    struct token row;

    return text.len > TOKEN_JTI_BYTES_MAX &&
           token_facts_find_row(page->call->oauth.oauth->tokens, text, &row) == RC_OK;
}

enum rc admin_tokens_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct page_admin_tokens values = { .q = str_trim(page_parameter(page, STR("q"))) };
    struct page_place place;
    struct token_facts *rows;
    int64_t next_id = 0;
    size_t count = 0;
    enum rc rc = RC_OK;

    arena_init(&arena, FACTS_ARENA_BYTES);
    if (is_value(page, values.q)) {
        page_add_error(page, "token-value", page_say(PAGE_TEXT_TOKEN_VALUE_MISPLACED));
        values.q = STR("");
        show(page, 422, &values, NULL, 0);
        return RC_OK;
    }
    if (!page_place_read(page, list_kind, &place))
        place = (struct page_place){ .id = INT64_MAX };
    rows = arena_alloc(page->call->exchange->arena, ROWS_PER_PAGE * sizeof(*rows));
    if (values.q.len <= TOKEN_SEARCH_BYTES_MAX)
        rc = find(page, values.q, &place, &arena, rows, &count, &next_id);
    if (rc != RC_OK)
        return rc;
    page_place_links(page, list_kind, place, next_id, &values.newer, &values.older);
    show(page, 200, &values, rows, count);
    return RC_OK;
}

enum rc admin_tokens_find_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct str value = str_trim(page_field(page, STR("value")));
    struct page_admin_tokens values = { .frame = &page->frame };
    struct token_facts facts;
    struct token row;
    enum rc rc = token_facts_find_row(page->call->oauth.oauth->tokens, value, &row);

    arena_init(&arena, TOKEN_FACTS_ROW_BYTES_MAX);
    if (rc == RC_OK)
        rc = token_facts_complete(&page->call->oauth, &row, &arena, &facts);
    if (rc == RC_NOT_FOUND) {
        page_add_error(page, "token-value", page_say(PAGE_TEXT_TOKEN_VALUE_UNKNOWN));
        show(page, 404, &values, NULL, 0);
        return RC_OK;
    }
    if (rc == RC_OK)
        show(page, 200, &values, &facts, 1);
    return rc;
}

static enum rc revoke(struct page_call *page, const struct token_facts *facts, struct str name)
{
    const struct admin admin = page_admin(page);
    struct oauth_call *oauth = &page->call->oauth;
    enum rc rc = token_facts_revoke(oauth->oauth->store, &admin, facts);

    if (rc != RC_OK)
        return rc;
    page->call->has_oauth = true;
    oauth->log_username = page->account.name;
    oauth->log_token_id = facts->row.id;
    page_redirect_notice(page, STR("/admin/tokens"),
                         (struct page_words){ .text = PAGE_TEXT_TOKEN_REVOKED, .value = name });
    return RC_OK;
}

enum rc admin_token_revoke_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct admin_question question = { .text = PAGE_TEXT_ADMIN_TOKEN_TEXT,
                                       .section = STR("tokens") };
    struct token_facts facts;
    struct str name;
    enum rc rc;

    arena_init(&arena, TOKEN_FACTS_ROW_BYTES_MAX);
    rc = token_facts_find(&page->call->oauth, page->call->rest, &arena, &facts);
    if (rc == RC_NOT_FOUND) {
        page_answer_error(page, 404, PAGE_TEXT_NOT_FOUND);
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    name = facts.permanent.id != 0 ? arena_copy(page->call->exchange->arena, facts.permanent.name)
                                   : id_text(page, &facts.row);
    if (!page_is_get(page))
        return revoke(page, &facts, name);
    question.title = (struct page_words){ .text = PAGE_TEXT_ADMIN_TOKEN_TITLE, .value = name };
    page->frame.at_admin = true;
    admin_ask(page, &question);
    return RC_OK;
}
