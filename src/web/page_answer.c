#include "codec/uri.h"
#include "web/page_cookie.h"
#include "web/page_language.h"

/* No inline script or style, nothing from elsewhere, no frames, no word to others about where one
 * comes from (SE-07, AZ-12, AZ-13). */
static void add_headers(struct page_call *page)
{
    http_add_header(page->call->exchange, STR("Content-Security-Policy"),
                    arena_format(page->call->exchange->arena,
                                 "default-src 'none'; script-src 'self'; style-src 'self'; "
                                 "img-src 'self'; base-uri 'none'; form-action 'self'%.*s; "
                                 "frame-ancestors 'none'",
                                 STR_ARGS(page->form_target)));
    http_add_header_lines(
        page->call->exchange,
        STR("X-Frame-Options: DENY\r\n"
            "X-Content-Type-Options: nosniff\r\n"
            "Referrer-Policy: no-referrer\r\n"
            "Cross-Origin-Opener-Policy: same-origin\r\n"
            "Cross-Origin-Resource-Policy: same-origin\r\n"
            "Permissions-Policy: camera=(), display-capture=(), geolocation=(), microphone=(), "
            "payment=(), usb=(), publickey-credentials-get=(self), "
            "publickey-credentials-create=(self)\r\n"
            "Vary: Accept-Language, Cookie\r\n"));
    if (page->is_https) /* RFC 6797 7.2: over secure transport only */
        http_add_header(page->call->exchange, STR("Strict-Transport-Security"),
                        STR("max-age=31536000"));
    if (page->gives_cookie)
        page_cookie_write(page);
}

void page_allow_form_to(struct page_call *page, struct str redirect_uri)
{
    struct arena *arena = page->call->exchange->arena;
    struct uri uri;

    /* A URI that was checked when it was registered; what a policy could not say is left out. */
    if (uri_parse(redirect_uri, &uri) != RC_OK || str_index_of(uri.host, ';') < uri.host.len ||
        str_index_of(uri.host, ',') < uri.host.len)
        return;
    if (uri.host.len == 0 || uri.host.at[0] == '[') /* CSP 2.3.1 knows no IPv6 addresses */
        page->form_target = arena_format(arena, " %.*s:", STR_ARGS(uri.scheme));
    else
        page->form_target =
            arena_format(arena, " %.*s://%.*s%s%.*s", STR_ARGS(uri.scheme), STR_ARGS(uri.host),
                         uri.port.len > 0 ? ":" : "", STR_ARGS(uri.port));
}

struct buffer *page_begin(struct page_call *page, int status)
{
    struct http_exchange *exchange = page->call->exchange;

    exchange->response.status = status;
    page_language_offer(page, status);
    http_add_header(exchange, STR("Content-Type"), STR("text/html; charset=utf-8"));
    add_headers(page);
    return &exchange->response.body;
}

void page_add_error(struct page_call *page, const char *field, struct page_words words)
{
    ASSERT(page->frame.errors_count < PAGE_ERROR_COUNT_MAX);
    page->errors[page->frame.errors_count++] =
        (struct page_frame_errors){ .field = str_of(field), .words = words };
}

void page_answer_error(struct page_call *page, int status, enum page_text text)
{
    struct page_error values = { .frame = &page->frame,
                                 .text = page_say(text),
                                 .status = status,
                                 .request_id = str_of(page->call->exchange->request.id) };

    page_error_render(&values, page->language, page_begin(page, status));
}

void page_redirect(struct page_call *page, struct str path)
{
    struct http_exchange *exchange = page->call->exchange;

    ASSERT(path.len > 0 && path.at[0] == '/' && (path.len == 1 || path.at[1] != '/'));
    exchange->response.status = 303; /* RFC 9110 15.4.4: with GET, whatever this one was */
    http_add_header(exchange, STR("Location"), path);
    add_headers(page);
}

void page_redirect_out(struct page_call *page, struct str uri)
{
    page->call->exchange->response.status = 303; /* RFC 9700 4.12 */
    http_add_header(page->call->exchange, STR("Location"), uri);
    add_headers(page);
}

void page_come_by_get(struct page_call *page)
{
    const struct http_request *request = &page->call->exchange->request;
    struct str target =
        page_next(arena_format(page->call->exchange->arena, "%.*s?%.*s",
                               STR_ARGS(page->call->endpoint->path), STR_ARGS(request->body)));

    if (target.len > 1 && request->query.len == 0)
        page_redirect(page, target); /* AZ-11: 303 */
    else
        page_answer_error(page, 400, PAGE_TEXT_BAD_REQUEST);
}

void page_redirect_notice(struct page_call *page, struct str path, struct page_words words)
{
    struct str sealed = page_notice_seal(page, words);

    page_redirect(page,
                  arena_format(page->call->exchange->arena, "%.*s%cnotice=%.*s", STR_ARGS(path),
                               str_index_of(path, '?') < path.len ? '&' : '?', STR_ARGS(sealed)));
}

/* ---- refusals and faults of rows with pages ---------------------------------------------------
 */

void page_answer_refusal(struct web_call *call)
{
    UNINITIALIZED struct page_call page;
    int status = oauth_error_status(call->oauth.refusal.error);
    enum page_text text = PAGE_TEXT_BAD_REQUEST;

    page_open_for_refusal(call, &page);
    if (status == 503)
        text = PAGE_TEXT_UNAVAILABLE;
    else if (status >= 500)
        text = PAGE_TEXT_FAULT;
    if (call->oauth.refusal.retry_after_s > 0)
        http_add_header(call->exchange, STR("Retry-After"), /* RFC 9110 10.2.3 */
                        arena_format(call->exchange->arena, "%lld",
                                     (long long)call->oauth.refusal.retry_after_s));
    page_answer_error(&page, status, text);
    answer_cache(call->exchange, CACHE_NO_STORE);
}

void page_answer_not_found(struct web_call *call)
{
    UNINITIALIZED struct page_call page;

    page_open_for_refusal(call, &page);
    page_answer_error(&page, 404, PAGE_TEXT_NOT_FOUND);
    answer_cache(call->exchange, CACHE_NO_STORE);
}
