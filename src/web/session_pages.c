#include "oauth/applications.h"
#include "web/account_pages.h"

enum { SESSIONS_PER_PAGE = 50 };

/* ---- the sessions of both kinds, newest first ------------------------------------------------ */

struct both {
    struct browser_session browsers[SESSIONS_PER_PAGE];
    size_t browser_count;
    struct session sessions[SESSIONS_PER_PAGE];
    size_t session_count;
};

static struct str address_text(struct page_call *page, const unsigned char address[static 16])
{
    static const unsigned char none[16] = { 0 };
    struct http_address from = { .is_unix = memcmp(address, none, sizeof(none)) == 0 };
    char text[HTTP_ADDRESS_TEXT_BYTES];

    memcpy(from.bytes, address, sizeof(from.bytes));
    return arena_copy(page->call->exchange->arena, http_address_format(&from, text));
}

static struct page_sessions_sessions browser_row(struct page_call *page,
                                                 const struct browser_session *session)
{
    return (struct page_sessions_sessions){ .id = page_handle_seal(page, "browser", session->id),
                                            .device = session->device,
                                            .is_browser = true,
                                            .address = address_text(page, session->address),
                                            .started_at = session->created_at,
                                            .last_active_at = session->last_active_at,
                                            .is_this = session->id == page->session.id };
}

static struct page_sessions_sessions session_row(struct page_call *page,
                                                 const struct session *session)
{
    return (struct page_sessions_sessions){ .id = page_handle_seal(page, "session", session->id),
                                            .device = session->device,
                                            .address = address_text(page, session->address),
                                            .started_at = session->created_at,
                                            .last_active_at = session->last_active_at };
}

/* Ids of both grow together, so that one place in both lists begins a page. */
static enum rc read_both(struct page_call *page, int64_t before_id, struct both *both)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct store *store = oauth->oauth->store;
    enum rc rc =
        profile_list_browser_sessions(store, page->account.id, before_id, oauth->now, oauth->arena,
                                      both->browsers, SESSIONS_PER_PAGE, &both->browser_count);

    if (rc == RC_OK)
        rc = profile_list_sessions(store, page->account.id, before_id, oauth->now, oauth->arena,
                                   both->sessions, SESSIONS_PER_PAGE, &both->session_count);
    return rc;
}

/* Merges at most one page; answers the id of the last row, 0 when nothing is left. */
static int64_t merge(struct page_call *page, const struct both *both,
                     struct page_sessions_sessions rows[static SESSIONS_PER_PAGE],
                     size_t *out_count)
{
    size_t b = 0;
    size_t s = 0;
    size_t count = 0;
    int64_t last_id = 0;

    while (count < SESSIONS_PER_PAGE && (b < both->browser_count || s < both->session_count)) {
        bool is_browser = s == both->session_count ||
                          (b < both->browser_count && both->browsers[b].id > both->sessions[s].id);

        last_id = is_browser ? both->browsers[b].id : both->sessions[s].id;
        rows[count] = is_browser ? browser_row(page, &both->browsers[b++])
                                 : session_row(page, &both->sessions[s++]);
        count++;
        rows[count - 1].n = (int64_t)count;
    }
    *out_count = count;
    return count == SESSIONS_PER_PAGE ? last_id : 0;
}

enum rc sessions_page(struct page_call *page)
{
    struct arena *arena = page->call->exchange->arena;
    struct both *both = arena_alloc(arena, sizeof(*both));
    struct page_sessions_sessions *rows = arena_alloc(arena, SESSIONS_PER_PAGE * sizeof(*rows));
    struct page_sessions values = { .frame = &page->frame, .sessions = rows };
    int64_t before_id = page_list_begin(page, "sessions");
    int64_t last_id;
    enum rc rc = read_both(page, before_id, both);

    if (rc != RC_OK)
        return rc;
    last_id = merge(page, both, rows, &values.sessions_count);
    if (last_id != 0)
        values.older = page_handle_seal(page, "sessions", last_id);
    if (before_id != INT64_MAX) /* back to where the list begins */
        values.newer = STR("all");
    values.has_others = both->browser_count + both->session_count > 1;
    page->frame.at_sessions = true;
    page_sessions_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

enum rc session_end_page(struct page_call *page)
{
    struct store *store = page->call->oauth.oauth->store;
    const struct browser browser = page_browser(page);
    int64_t id;
    enum rc rc;

    if (page_handle_open(page, "browser", page->call->rest, &id)) {
        rc = logout_session(&page->call->oauth, &browser, page->account.id, id,
                            STR("from another browser, by its owner"));
    } else if (page_handle_open(page, "session", page->call->rest, &id)) {
        rc = profile_end_session(store, &browser, page->account.id, id,
                                 STR("a session, by its owner"));
    } else {
        page_answer_error(page, 404, PAGE_TEXT_NOT_FOUND);
        return RC_OK;
    }
    if (rc == RC_OK)
        page_redirect_notice(page, STR("/sessions"), page_say(PAGE_TEXT_SESSION_ENDED_ONE));
    return rc;
}

enum rc sessions_end_others_page(struct page_call *page)
{
    const struct browser browser = page_browser(page);
    enum rc rc =
        logout_other_sessions(&page->call->oauth, &browser, page->account.id, page->session.id);

    if (rc == RC_OK)
        page_redirect_notice(page, STR("/sessions"), page_say(PAGE_TEXT_SESSIONS_ENDED));
    return rc;
}

/* ---- applications ---------------------------------------------------------------------------- */

static void fill_scopes(struct arena *arena, struct str scope, struct page_applications_grants *row)
{
    struct page_applications_grants_scopes *words =
        arena_alloc(arena, SCOPE_WORD_COUNT_MAX * sizeof(*words));
    struct str word;

    row->scopes = words;
    while (row->scopes_count < SCOPE_WORD_COUNT_MAX && str_next_word(&scope, &word))
        words[row->scopes_count++].scope = word;
}

enum rc applications_page(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct application applications[APPLICATION_COUNT_MAX];
    struct page_applications_grants *rows =
        arena_alloc(oauth->arena, APPLICATION_COUNT_MAX * sizeof(*rows));
    struct page_applications values = { .frame = &page->frame, .grants = rows };
    int64_t before_id = page_list_begin(page, "applications");
    int64_t next_id;
    enum rc rc = applications_list(oauth, page->account.id, before_id, applications,
                                   &values.grants_count, &next_id);

    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < values.grants_count; i++) {
        const struct application *application = &applications[i];

        rows[i] = (struct page_applications_grants){ .n = (int64_t)i + 1,
                                                     .id = page_handle_seal(page, "application",
                                                                            application->client_id),
                                                     .name = application->name,
                                                     .client_id = application->client_name,
                                                     .created_at = application->created_at,
                                                     .last_used_at = application->last_used_at };
        fill_scopes(oauth->arena, application->scope, &rows[i]);
    }
    if (next_id != 0)
        values.older = page_handle_seal(page, "applications", next_id);
    if (before_id != INT64_MAX) /* back to where the list begins */
        values.newer = STR("all");
    page->frame.at_applications = true;
    page_applications_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

enum rc application_revoke_page(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct page_confirm values = { .frame = &page->frame, .back = STR("applications") };
    struct application application;
    int64_t id;
    enum rc rc = RC_NOT_FOUND;

    if (page_handle_open(page, "application", page->call->rest, &id))
        rc = application_find(oauth, id, &application);
    if (rc == RC_NOT_FOUND) {
        page_answer_error(page, 404, PAGE_TEXT_NOT_FOUND);
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    if (page_is_get(page)) {
        values.title = (struct page_words){ .text = PAGE_TEXT_APPLICATION_REVOKE_TITLE,
                                            .value = application.name };
        values.text = page_say(PAGE_TEXT_APPLICATION_REVOKE_TEXT);
        page->frame.at_applications = true;
        page_confirm_render(&values, page->language, page_begin(page, 200));
        return RC_OK;
    }
    rc = application_revoke(oauth, page->account.id, id);
    if (rc == RC_OK)
        page_redirect_notice(page, STR("/applications"), page_say(PAGE_TEXT_APPLICATION_REVOKED));
    return rc;
}
