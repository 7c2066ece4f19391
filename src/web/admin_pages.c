#include "web/admin_pages.h"

/* What the pages for administrators share. */

struct admin page_admin(struct page_call *page)
{
    struct arena *arena = page->call->exchange->arena;

    return (struct admin){ .by = arena_format(arena, "administrator %.*s",
                                              STR_ARGS(page->account.name)),
                           .address = page->call->exchange->request.client.bytes,
                           .now = page->call->oauth.now,
                           .arena = arena };
}

void admin_ask(struct page_call *page, const struct admin_question *question)
{
    struct page_confirm values = { .frame = &page->frame,
                                   .title = question->title,
                                   .text = page_say(question->text),
                                   .is_harmless = question->is_harmless,
                                   .back = STR("admin"),
                                   .back_in = question->section,
                                   .back_id = question->id };

    page_confirm_render(&values, page->language, page_begin(page, 200));
}

struct str admin_address_text(struct page_call *page, const unsigned char address[static 16])
{
    static const unsigned char none[16] = { 0 };
    struct http_address from = { 0 };
    char text[HTTP_ADDRESS_TEXT_BYTES];

    if (memcmp(address, none, sizeof(none)) == 0)
        return STR("");
    memcpy(from.bytes, address, sizeof(from.bytes));
    return arena_copy(page->call->exchange->arena, http_address_format(&from, text));
}
