#include "pages.h"
#include "web/endpoint.h"

/* No inline script or style, nothing from elsewhere, no frames (SE-07, AZ-12). */
static void add_page_headers(struct http_exchange *exchange)
{
    http_add_header(exchange, STR("Content-Security-Policy"),
                    STR("default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
                        "form-action 'self'; frame-ancestors 'none'"));
    http_add_header(exchange, STR("X-Frame-Options"), STR("DENY"));
    http_add_header(exchange, STR("Referrer-Policy"), STR("no-referrer"));
    http_add_header(exchange, STR("Cross-Origin-Opener-Policy"), STR("same-origin"));
    http_add_header(exchange, STR("X-Content-Type-Options"), STR("nosniff"));
}

enum rc start_page_endpoint(struct web_call *call)
{
    const struct page_start values = { .issuer = call->web->oauth->issuer,
                                       .root = call->web->root,
                                       .version = STR(JETON_VERSION) };

    call->exchange->response.status = 200;
    http_add_header(call->exchange, STR("Content-Type"), STR("text/html; charset=utf-8"));
    add_page_headers(call->exchange);
    page_start_render(&values, &call->exchange->response.body);
    return RC_OK;
}

enum rc style_endpoint(struct web_call *call)
{
    call->exchange->response.status = 200;
    http_add_header(call->exchange, STR("Content-Type"), STR("text/css; charset=utf-8"));
    http_add_header(call->exchange, STR("X-Content-Type-Options"), STR("nosniff"));
    buffer_append_str(&call->exchange->response.body, page_style_css);
    return RC_OK;
}
