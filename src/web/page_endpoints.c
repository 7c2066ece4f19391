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

enum rc script_endpoint(struct web_call *call)
{
    return answer_file(call, &page_app_js);
}
