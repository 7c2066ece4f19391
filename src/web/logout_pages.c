#include "web/logout_pages.h"

#include "codec/uri.h"
#include "oauth/logout.h"
#include "web/sign_in_pages.h"

enum { LOCATION_BYTES_MAX = REDIRECT_URI_BYTES_MAX + 3 * LOGOUT_STATE_BYTES_MAX + 16 };

/* The client's wish for a language, before the browser's. */
static void choose_language(struct page_call *page, struct str locales)
{
    const struct http_header *header =
        http_find_header(&page->call->exchange->request, STR("accept-language"));
    struct str accepted = header == NULL ? STR("") : header->value;
    size_t bytes_max = locales.len + 1 + accepted.len;
    struct buffer wanted =
        buffer_over(arena_alloc(page->call->exchange->arena, bytes_max), bytes_max);

    for (size_t i = 0; i < locales.len; i++)
        buffer_append_byte(&wanted, locales.at[i] == ' ' ? ',' : locales.at[i]);
    buffer_append_byte(&wanted, ',');
    buffer_append_str(&wanted, accepted);
    page->language = page_language_find(buffer_str(&wanted));
}

/* RP-Initiated Logout 4: shown here, whatever it is. */
static void refuse(struct page_call *page)
{
    const struct refusal *refusal = &page->call->oauth.refusal;
    const struct page_authorize_error values = { .frame = &page->frame,
                                                 .error = oauth_error_wire(refusal->error),
                                                 .description = refusal->description,
                                                 .request_id =
                                                     str_of(page->call->exchange->request.id) };

    page_log_refusal(page, "logout request refused");
    page_authorize_error_render(&values, page->language, page_begin(page, 400));
}

static void ask(struct page_call *page, const struct logout_request *request, struct str query)
{
    struct page_logout values = { .frame = &page->frame,
                                  .request = query,
                                  .username = page->account.name };
    const struct client *client = request->client == NULL ? NULL : &request->client->client;

    if (client != NULL)
        values.client_name = client->name.len > 0 ? client->name : client->client_id;
    if (request->redirect_uri.len > 0)
        page_allow_form_to(page, request->redirect_uri);
    page_logout_render(&values, page->language, page_begin(page, 200));
}

static void go_back(struct page_call *page, const struct logout_request *request)
{
    char *memory = arena_alloc(page->call->exchange->arena, LOCATION_BYTES_MAX);
    struct buffer location = buffer_over(memory, LOCATION_BYTES_MAX);
    struct str uri = request->redirect_uri;

    buffer_append_str(&location, uri);
    if (request->state.len > 0) { /* RP-Initiated Logout 3 */
        buffer_append_byte(&location, str_index_of(uri, '?') < uri.len ? '&' : '?');
        BUFFER_APPEND_LITERAL(&location, "state=");
        uri_encode(request->state, &location);
    }
    ASSERT(!location.overflow);
    page_redirect_out(page, buffer_str(&location));
}

static void say_goodbye(struct page_call *page)
{
    const struct page_message values = { .frame = &page->frame,
                                         .title = page_say(PAGE_TEXT_LOGOUT_TITLE),
                                         .text = page_say(PAGE_TEXT_LOGOUT_TEXT) };

    page_message_render(&values, page->language, page_begin(page, 200));
}

static enum rc end_session(struct page_call *page, const struct logout_request *request)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct browser browser = page_browser(page);
    enum rc rc = RC_OK;

    if (page->has_session) {
        oauth->log_username = page->account.name;
        rc = logout_browser(oauth, &browser, &page->session);
    }
    if (rc != RC_OK)
        return rc;
    page_drop_session(page);
    if (request->redirect_uri.len > 0)
        go_back(page, request);
    else
        say_goodbye(page);
    return RC_OK;
}

/* HEAD ends nothing. */
static bool may_end(struct page_call *page, const struct logout_request *request)
{
    if (!page->has_session)
        return true;
    return page->call->exchange->request.method == HTTP_GET &&
           logout_is_of(&page->call->oauth, request, &page->session);
}

static enum rc serve(struct page_call *page, struct str query, bool is_confirmed)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct form *parameters = arena_alloc(oauth->arena, sizeof(*parameters));
    struct logout_request request = { .client = NULL };
    enum rc rc = form_parse(query, oauth->arena, parameters);

    if (rc != RC_OK)
        rc = oauth_refuse(oauth, OAUTH_INVALID_REQUEST, "the parameters are malformed", NULL);
    else
        rc = logout_read(oauth, parameters, &request);
    if (rc == RC_REFUSED) {
        refuse(page);
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    page->call->has_oauth = true;
    choose_language(page, request.ui_locales);
    if (is_confirmed || may_end(page, &request))
        rc = end_session(page, &request);
    else
        ask(page, &request, query);
    logout_put(&request);
    return rc;
}

enum rc logout_page(struct page_call *page)
{
    if (page_is_get(page))
        return serve(page, page->call->exchange->request.query, false);
    page_come_by_get(page); /* RP-Initiated Logout 2: by POST as well */
    return RC_OK;
}

/* SE-03: the form's csrf field says that this browser was asked. */
enum rc logout_confirmed_page(struct page_call *page)
{
    return serve(page, page_field(page, STR("request")), true);
}
