#include "web/page_language.h"

#include "codec/cookie.h"
#include "web/page_cookie.h"

enum { COOKIE_BYTES_MAX = 192 };

static struct str cookie_name(const struct page_call *page)
{
    return page->is_https ? STR("__Host-jeton-language") : STR("jeton-language");
}

static const struct page_language *read_cookie(const struct page_call *page)
{
    const struct http_request *request = &page->call->exchange->request;
    struct str value;

    for (size_t i = 0; i < request->header_count; i++) {
        if (str_equal_nocase(request->headers[i].name, STR("cookie")) &&
            cookie_find(request->headers[i].value, cookie_name(page), &value))
            return page_language_find_listed(value);
    }
    return NULL;
}

const struct page_language *page_language_read(const struct page_call *page)
{
    const struct http_request *request = &page->call->exchange->request;
    const struct http_header *header = http_find_header(request, STR("accept-language"));
    const struct page_language *chosen = read_cookie(page);

    if (chosen != NULL)
        return chosen;
    return page_language_find(header == NULL ? STR("") : header->value);
}

/* ---- the switch ------------------------------------------------------------------------------ */

/* Where one is, as a path that can be asked for again; empty: nowhere. */
static struct str here(const struct page_call *page, int status)
{
    const struct http_request *request = &page->call->exchange->request;
    const struct endpoint *endpoint = page->call->endpoint;
    /* What was refused is not asked for again, and need not be repeated: it may be a secret that
     * was typed in the wrong place. */
    struct str path = status < 400 ? request->target : request->path;

    if (!page_is_get(page) &&
        (status < 400 || endpoint == NULL || (endpoint->methods & METHOD_GET) == 0))
        return STR("");
    return str_equal(page_next(path), path) ? path : STR("");
}

void page_language_offer(struct page_call *page, int status)
{
    struct page_frame_languages *rows;

    page->frame.here = here(page, status);
    if (page->frame.here.len == 0)
        return;
    rows = arena_alloc(page->call->exchange->arena, page_language_count * sizeof(*rows));
    for (size_t i = 0; i < page_language_count; i++)
        rows[i] =
            (struct page_frame_languages){ .code = page_languages[i].code,
                                           .name = page_languages[i].name,
                                           .is_current = &page_languages[i] == page->language };
    page->frame.languages = rows;
    page->frame.languages_count = page_language_count;
}

/* A year; it is asked for again when it is gone. */
static void write_cookie(struct page_call *page, const struct page_language *language)
{
    char memory[COOKIE_BYTES_MAX];
    struct buffer value = buffer_over(memory, sizeof(memory));

    buffer_append_str(&value, cookie_name(page));
    BUFFER_APPEND_LITERAL(&value, "=");
    buffer_append_str(&value, language->code);
    BUFFER_APPEND_LITERAL(&value, "; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
    if (page->is_https)
        BUFFER_APPEND_LITERAL(&value, "; Secure");
    ASSERT(!value.overflow);
    http_add_header(page->call->exchange, STR("Set-Cookie"), buffer_str(&value));
}

enum rc language_page(struct page_call *page)
{
    const struct page_language *language =
        page_language_find_listed(page_parameter(page, STR("language")));

    page_redirect(page, page_next(page_parameter(page, STR("next"))));
    /* A link on somebody else's page chooses nothing. */
    if (language != NULL && !page_is_from_elsewhere(page))
        write_cookie(page, language);
    return RC_OK;
}
