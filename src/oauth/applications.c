#include "oauth/applications.h"

#include "store/authorized.h"

enum {
    GRANTS_PER_READ = 8,
    /* One page looks at no more grants, so that it stays quick for an account with very many. */
    GRANTS_PER_PAGE = 512,
    /* Scope and audience of one grant at their longest. */
    GRANT_BYTES_MAX = SCOPE_BYTES_MAX + SCOPE_WORD_COUNT_MAX * (SERVICE_ID_BYTES_MAX + 1) + 64
};

_Static_assert((int)GRANTS_PER_READ < (int)STORE_UNIT_STEP_COUNT_MAX, "an event must fit too");
_Static_assert(APPLICATION_COUNT_MAX *(SCOPE_BYTES_MAX + 1024) <= (int)OAUTH_ARENA_BYTES_MAX,
               "a page fits the arena");

static bool is_of_application(const struct grant *grant)
{
    return !grant->is_permanent && !grant->is_session && grant->client_id != 0;
}

/* ---- the list -------------------------------------------------------------------------------- */

struct page {
    struct oauth_call *call;
    struct application *rows;
    struct buffer scopes[APPLICATION_COUNT_MAX];
    size_t count;
};

enum rc application_find(struct oauth_call *call, int64_t client_id,
                         struct application *out_application)
{
    struct catalog_client *client;
    enum rc rc =
        catalog_find_client_by_id(call->oauth->catalog, client_id, call->may_block, &client);

    if (rc != RC_OK)
        return rc;
    *out_application = (struct application){
        .client_id = client_id,
        .name = arena_copy(call->arena, client->client.name.len > 0 ? client->client.name
                                                                    : client->client.client_id),
        .client_name = arena_copy(call->arena, client->client.client_id),
    };
    catalog_client_put(client);
    return RC_OK;
}

/* The client's row, made when there is none; NULL when the page is full, or the client gone. */
static enum rc obtain_row(struct page *page, int64_t client_id, size_t *out_index)
{
    enum rc rc;

    for (size_t i = 0; i < page->count; i++) {
        if (page->rows[i].client_id == client_id) {
            *out_index = i;
            return RC_OK;
        }
    }
    if (page->count == APPLICATION_COUNT_MAX)
        return RC_TOO_LARGE;
    rc = application_find(page->call, client_id, &page->rows[page->count]);
    if (rc != RC_OK)
        return rc;
    page->scopes[page->count] =
        buffer_over(arena_alloc(page->call->arena, SCOPE_BYTES_MAX), SCOPE_BYTES_MAX);
    *out_index = page->count++;
    return RC_OK;
}

static void add_scope(struct buffer *scope, struct str words)
{
    struct str word;

    while (str_next_word(&words, &word)) {
        if (str_has_word(buffer_str(scope), word) || word.len + 1 > scope->max_bytes - scope->len)
            continue;
        if (scope->len > 0)
            buffer_append_byte(scope, ' ');
        buffer_append_str(scope, word);
    }
}

static void note_use(struct application *row, int64_t at)
{
    if (row->last_used_at < at)
        row->last_used_at = at;
}

/* RC_TOO_LARGE: the page is full, and the grant belongs to the next one. */
static enum rc add_grant(struct page *page, const struct grant *grant)
{
    size_t index;
    enum rc rc;

    if (!is_of_application(grant))
        return RC_OK;
    rc = obtain_row(page, grant->client_id, &index);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    add_scope(&page->scopes[index], grant->scope);
    page->rows[index].created_at = grant->created_at; /* older with each one */
    note_use(&page->rows[index], grant->created_at);
    note_use(&page->rows[index], grant->last_used_at);
    note_use(&page->rows[index], token_grant_last_use(page->call->oauth->tokens, grant->id));
    return RC_OK;
}

enum rc applications_list(struct oauth_call *call, int64_t account_id, int64_t before_id,
                          struct application out_rows[static APPLICATION_COUNT_MAX],
                          size_t *out_count, int64_t *out_before_id)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct page page = { .call = call, .rows = out_rows };
    struct grant grants[GRANTS_PER_READ];
    size_t seen_count = 0;
    size_t count = GRANTS_PER_READ;
    enum rc rc = RC_OK;

    arena_init(&arena, (size_t)GRANTS_PER_READ * GRANT_BYTES_MAX);
    while (count == GRANTS_PER_READ && seen_count < GRANTS_PER_PAGE && rc == RC_OK) {
        arena_reset(&arena);
        rc = store_list_grants(call->oauth->store, account_id, 0, before_id, &arena, grants,
                               GRANTS_PER_READ, &count);
        if (rc != RC_OK)
            return rc;
        for (size_t i = 0; i < count && rc == RC_OK; i++) {
            rc = add_grant(&page, &grants[i]);
            if (rc == RC_OK)
                before_id = grants[i].id;
        }
        seen_count += count;
    }
    if (rc != RC_OK && rc != RC_TOO_LARGE)
        return rc;
    for (size_t i = 0; i < page.count; i++)
        out_rows[i].scope = buffer_str(&page.scopes[i]);
    *out_count = page.count;
    *out_before_id = rc == RC_OK && count < GRANTS_PER_READ ? 0 : before_id;
    return RC_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

static enum rc end_grants(struct oauth_call *call, const struct grant *grants, size_t count)
{
    struct event event = { .kind = EVENT_GRANT_ENDED,
                           .account_id = grants[0].account_id,
                           .client_id = grants[0].client_id,
                           .detail = STR("an application, by its owner") };
    UNINITIALIZED struct store_unit unit;
    size_t ended_count = 0;

    store_unit_init(&unit);
    for (size_t i = 0; i < count; i++) {
        if (!is_of_application(&grants[i]))
            continue;
        store_end_grant(&unit, grants[i].id, call->now);
        ended_count++;
    }
    if (ended_count == 0)
        return RC_OK;
    oauth_add_event(call, event, &unit);
    return store_commit(call->oauth->store, &unit);
}

/* First, so that nothing is allowed anew by what is taken back. */
static enum rc forget_consents(struct oauth_call *call, int64_t account_id, int64_t client_id)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_delete_consents(&unit, account_id, client_id);
    return store_commit(call->oauth->store, &unit);
}

enum rc application_revoke(struct oauth_call *call, int64_t account_id, int64_t client_id)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct grant grants[GRANTS_PER_READ];
    int64_t before_id = INT64_MAX;
    size_t count;
    enum rc rc;

    ASSERT(account_id != 0);
    rc = forget_consents(call, account_id, client_id);
    if (rc != RC_OK)
        return rc;
    arena_init(&arena, (size_t)GRANTS_PER_READ * GRANT_BYTES_MAX);
    do {
        arena_reset(&arena);
        rc = store_list_grants(call->oauth->store, account_id, client_id, before_id, &arena, grants,
                               GRANTS_PER_READ, &count);
        if (rc == RC_OK && count > 0) {
            before_id = grants[count - 1].id;
            rc = end_grants(call, grants, count);
        }
    } while (rc == RC_OK && count > 0);
    return rc;
}
