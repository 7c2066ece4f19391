#include "web/page_call.h"

enum rc start_page(struct page_call *page)
{
    const struct page_start values = { .frame = &page->frame,
                                       .issuer = page->call->web->oauth->issuer,
                                       .root = page->call->web->root,
                                       .has_people = true };

    page_start_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

static enum rc answer_file(struct web_call *call, const struct page_file *file)
{
    call->exchange->response.status = 200;
    http_add_header(call->exchange, STR("Content-Type"), file->type);
    http_add_header(call->exchange, STR("X-Content-Type-Options"), STR("nosniff"));
    buffer_append_str(&call->exchange->response.body, file->bytes);
    return RC_OK;
}

enum rc style_endpoint(struct web_call *call)
{
    return answer_file(call, &page_style_css);
}

/* A picture of the operator's own: looked at by itself, it can neither run nor load anything. */
static enum rc answer_brand_file(struct web_call *call, const struct brand_file *file)
{
    struct http_exchange *exchange = call->exchange;

    if (file->bytes.len == 0) {
        answer_not_found(exchange);
        return RC_OK;
    }
    exchange->response.status = 200;
    http_add_header(exchange, STR("Content-Type"), file->type);
    http_add_header_lines(
        exchange, STR("X-Content-Type-Options: nosniff\r\n"
                      "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                      "sandbox; frame-ancestors 'none'\r\n"
                      "Cross-Origin-Resource-Policy: same-origin\r\n"));
    answer_cache(exchange, CACHE_LONG);
    buffer_append_str(&exchange->response.body, file->bytes);
    return RC_OK;
}

enum rc brand_logo_endpoint(struct web_call *call)
{
    return answer_brand_file(call, &call->web->brand->logo);
}

enum rc brand_theme_endpoint(struct web_call *call)
{
    return answer_brand_file(call, &call->web->brand->theme);
}

enum rc script_endpoint(struct web_call *call)
{
    return answer_file(call, &page_app_js);
}
