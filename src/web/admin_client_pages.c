#include "web/admin_acts.h"
#include "web/admin_registry_pages.h"

/* Clients, for administrators: the list, one of them, and what can be done with it. Its form is
 * web/admin_client_form.c. */

enum { ROWS_PER_PAGE = 20 };

static const char list_kind[] = "admin clients"; /* of the place where a list goes on */

/* ---- the list -------------------------------------------------------------------------------- */

static struct str grants_text(struct page_call *page, const struct client *client)
{
    struct arena *arena = page->call->exchange->arena;
    struct buffer text = buffer_over(arena_alloc(arena, 256), 256);

    for (unsigned type = 0; type < GRANT_TYPE_COUNT; type++) {
        if ((client->grant_types & 1u << type) == 0)
            continue;
        if (text.len > 0)
            buffer_append_byte(&text, ' ');
        buffer_append_str(&text, grant_type_format((enum grant_type)type));
    }
    ASSERT(!text.overflow);
    return buffer_str(&text);
}

enum rc admin_clients_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct page_admin_clients values = { .frame = &page->frame,
                                         .q = str_trim(page_parameter(page, STR("q"))) };
    struct page_admin_clients_clients *rows =
        arena_alloc(page->call->exchange->arena, ROWS_PER_PAGE * sizeof(*rows));
    struct client clients[ROWS_PER_PAGE + 1];
    int64_t before_id = page_list_begin(page, list_kind);
    size_t count;
    enum rc rc;

    arena_init(&arena, (size_t)(ROWS_PER_PAGE + 1) * REGISTRY_CLIENT_BYTES_MAX);
    rc = registry_search_clients(page->call->oauth.oauth->store, values.q, before_id, &arena,
                                 clients, ROWS_PER_PAGE + 1, &count);
    if (rc != RC_OK)
        return rc;
    if (count > ROWS_PER_PAGE) {
        count = ROWS_PER_PAGE;
        values.older = page_handle_seal(page, list_kind, clients[count - 1].id);
    }
    if (before_id != INT64_MAX) /* back to where the list begins */
        values.newer = STR("all");
    for (size_t i = 0; i < count; i++)
        rows[i] =
            (struct page_admin_clients_clients){ .n = (int64_t)i + 1,
                                                 .id = admin_client_handle(page, clients[i].id),
                                                 .client_id = clients[i].client_id,
                                                 .name = clients[i].name,
                                                 .grant_types = grants_text(page, &clients[i]),
                                                 .service_ids =
                                                     admin_row_text(page, clients[i].service_ids),
                                                 .is_disabled = clients[i].is_disabled };
    values.clients = rows;
    values.clients_count = count;
    admin_client_mark(page);
    page_admin_clients_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* ---- one client ------------------------------------------------------------------------------ */

static void list_uris(struct page_call *page, struct str uris, struct page_admin_client *values)
{
    struct page_admin_client_redirect_uris *rows =
        arena_alloc(page->call->exchange->arena, REDIRECT_URI_COUNT_MAX * sizeof(*rows));
    size_t count = 0;

    while (uris.len > 0 && count < REDIRECT_URI_COUNT_MAX) {
        size_t len = str_index_of(uris, '\n');

        rows[count++].uri = (struct str){ uris.at, len };
        uris = str_from(uris, len < uris.len ? len + 1 : len);
    }
    values->redirect_uris = rows;
    values->redirect_uris_count = count;
}

enum rc admin_client_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct client client;
    struct page_admin_client values = { .frame = &page->frame, .id = page->call->rest };
    enum rc rc;

    arena_init(&arena, REGISTRY_CLIENT_BYTES_MAX);
    rc = admin_client_find(page, &arena, &client);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    values.client_id = client.client_id;
    values.name = client.name;
    values.is_confidential = client.type == CLIENT_CONFIDENTIAL;
    values.is_public = client.type == CLIENT_PUBLIC;
    values.is_built_in = registry_is_built_in(&client);
    if (values.is_confidential && client.auth_method != AUTH_SECRET)
        values.auth_method = client_auth_method_format(client.auth_method);
    values.old_secret_until = registry_overlap_until(&client, page->call->oauth.now);
    values.grant_types = grants_text(page, &client);
    values.service_ids = client.service_ids;
    values.scope = client.scope;
    list_uris(page, client.redirect_uris, &values);
    values.refresh_lifetime_s = client.refresh_lifetime_s;
    values.refresh_idle_lifetime_s = client.refresh_idle_lifetime_s;
    values.is_disabled = client.is_disabled;
    values.created_at = client.created_at;
    rc = admin_find_owner(page->call->oauth.oauth->store, MANAGED_CLIENT, client.id, &arena,
                          &values.managed_by);
    if (rc != RC_OK)
        return rc;
    page_admin_client_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* ---- its secret ------------------------------------------------------------------------------ */

/* How long the one before works yet, as it was chosen. False: that was not offered. */
static bool read_overlap(const struct page_call *page, int64_t *out_s)
{
    static const uint64_t offered_hours[] = { 0, 1, 24, 7 * 24 };
    uint64_t hours;

    if (!str_parse_u64(page_field(page, STR("overlap")), 7 * 24, &hours))
        return false;
    for (size_t i = 0; i < sizeof(offered_hours) / sizeof(offered_hours[0]); i++)
        if (hours == offered_hours[i]) {
            *out_s = (int64_t)hours * 3600;
            return true;
        }
    return false;
}

static enum rc rotate(struct page_call *page, const struct client *client,
                      struct admin_secret *shown)
{
    const struct admin admin = page_admin(page);
    const struct registry_desk desk = admin_desk(page, &admin);
    __attribute__((cleanup(secret_cleanup))) struct secret made = { 0 };
    char hash[PASSWORD_HASH_BYTES_MAX];
    int64_t overlap_s;
    enum rc rc;

    if (!read_overlap(page, &overlap_s)) {
        page_answer_error(page, 400, PAGE_TEXT_BAD_REQUEST);
        return RC_OK;
    }
    registry_make_secret(page->call->oauth.oauth->secrets, &made, hash);
    rc = registry_rotate_client_secret(&desk, client, str_of(hash), overlap_s, &shown->old_until);
    ASSERT(rc != RC_INVALID); /* a made secret overlaps with any */
    if (rc == RC_OK)
        admin_show_secret(page, shown, &made);
    else if (rc == RC_SPENT)
        admin_return(page, shown->section, shown->id,
                     page_say(PAGE_TEXT_REGISTRY_CHANGED_MEANWHILE));
    return rc == RC_SPENT ? RC_OK : rc;
}

enum rc admin_client_secret_page(struct page_call *page)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct admin_secret shown = { .section = STR("clients"),
                                  .id = page->call->rest,
                                  .may_overlap = true };
    struct client client;
    enum rc rc;

    arena_init(&arena, REGISTRY_CLIENT_BYTES_MAX);
    rc = admin_client_find(page, &arena, &client);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    if (client.type != CLIENT_CONFIDENTIAL) {
        page_answer_error(page, 404, PAGE_TEXT_NOT_FOUND);
        return RC_OK;
    }
    shown.owner = client.client_id;
    shown.stored_hash = client.secret_hash;
    if (page_is_get(page)) {
        shown.old_until = registry_overlap_until(&client, page->call->oauth.now);
        admin_ask_secret(page, &shown);
        return RC_OK;
    }
    return admin_is_secret_form(page, &shown) ? rotate(page, &client, &shown) : RC_OK;
}

/* ---- acts ------------------------------------------------------------------------------------ */

struct client_act {
    enum page_text title;
    enum page_text text;
    enum page_text done;
    bool is_harmless;
    enum rc (*run)(struct page_call *page, const struct registry_desk *desk,
                   const struct client *client);
};

static enum rc serve_act(struct page_call *page, const struct client_act *act)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct admin_question question = { .text = act->text,
                                       .is_harmless = act->is_harmless,
                                       .section = STR("clients"),
                                       .id = page->call->rest };
    const struct admin admin = page_admin(page);
    const struct registry_desk desk = admin_desk(page, &admin);
    struct page_words done = { .text = act->done };
    struct client client;
    enum rc rc;

    arena_init(&arena, REGISTRY_CLIENT_BYTES_MAX);
    rc = admin_client_find(page, &arena, &client);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    if (page_is_get(page)) {
        question.title = (struct page_words){ .text = act->title, .value = client.client_id };
        admin_ask(page, &question);
        return RC_OK;
    }
    rc = act->run(page, &desk, &client);
    done.value = client.client_id;
    if (rc == RC_OK || rc == RC_SPENT)
        admin_return(page, question.section, question.id,
                     rc == RC_OK ? done : page_say(PAGE_TEXT_REGISTRY_CHANGED_MEANWHILE));
    return rc == RC_SPENT ? RC_OK : rc;
}

static enum rc revoke_tokens(struct page_call *page, const struct registry_desk *desk,
                             const struct client *client)
{
    const struct grants_filter filter = { .client_id = client->id };

    return admin_act_end_grants(page->call, desk->admin, &filter);
}

static enum rc disable(struct page_call *page, const struct registry_desk *desk,
                       const struct client *client)
{
    return admin_act_disable_client(page->call, desk, client);
}

static enum rc enable(struct page_call *page, const struct registry_desk *desk,
                      const struct client *client)
{
    (void)page;
    return registry_enable_client(desk, client);
}

/* Again, or when it has ended by itself, is fine. */
static enum rc end_overlap(struct page_call *page, const struct registry_desk *desk,
                           const struct client *client)
{
    enum rc rc = registry_end_overlap(desk, client);

    (void)page;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

enum rc admin_client_disable_page(struct page_call *page)
{
    static const struct client_act act = { .title = PAGE_TEXT_CLIENT_DISABLE_TITLE,
                                           .text = PAGE_TEXT_CLIENT_DISABLE_TEXT,
                                           .done = PAGE_TEXT_CLIENT_DISABLED,
                                           .run = disable };

    return serve_act(page, &act);
}

enum rc admin_client_enable_page(struct page_call *page)
{
    static const struct client_act act = { .title = PAGE_TEXT_CLIENT_ENABLE_TITLE,
                                           .text = PAGE_TEXT_CLIENT_ENABLE_TEXT,
                                           .done = PAGE_TEXT_CLIENT_ENABLED,
                                           .is_harmless = true,
                                           .run = enable };

    return serve_act(page, &act);
}

enum rc admin_client_end_overlap_page(struct page_call *page)
{
    static const struct client_act act = { .title = PAGE_TEXT_CLIENT_OVERLAP_TITLE,
                                           .text = PAGE_TEXT_CLIENT_OVERLAP_TEXT,
                                           .done = PAGE_TEXT_CLIENT_OVERLAP_ENDED,
                                           .run = end_overlap };

    return serve_act(page, &act);
}

enum rc admin_client_revoke_tokens_page(struct page_call *page)
{
    static const struct client_act act = { .title = PAGE_TEXT_CLIENT_TOKENS_TITLE,
                                           .text = PAGE_TEXT_CLIENT_TOKENS_TEXT,
                                           .done = PAGE_TEXT_CLIENT_TOKENS_REVOKED,
                                           .run = revoke_tokens };

    return serve_act(page, &act);
}
