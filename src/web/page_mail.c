#include "web/page_mail.h"

bool page_sends_mail(const struct page_call *page)
{
    return page->call->web->outbox != NULL;
}

struct buffer page_mail_begin(struct arena *arena)
{
    return buffer_over(arena_alloc(arena, PAGE_MAIL_BYTES_MAX), PAGE_MAIL_BYTES_MAX);
}

enum rc page_mail_queue(struct page_call *page, struct mail_draft draft, const struct buffer *text,
                        struct arena *arena, struct store_unit *unit)
{
    ASSERT(!text->overflow);
    page_mail_split(buffer_str(text), &draft.subject, &draft.text);
    return outbox_insert(page->call->web->outbox, &draft, page->call->oauth.now, arena, unit);
}

enum rc page_mail_tell_change(struct page_call *page, const struct account *account,
                              struct str recipient, bool is_email, struct arena *arena,
                              struct store_unit *unit)
{
    char address[HTTP_ADDRESS_TEXT_BYTES];
    const struct page_mail_changed values = { .brand = page->frame.brand,
                                              .is_password = !is_email,
                                              .is_email = is_email,
                                              .username = account->name,
                                              .at = page->call->oauth.now,
                                              .address = http_address_format(
                                                  &page->call->exchange->request.client, address),
                                              .root = page->call->web->root };
    struct buffer text = page_mail_begin(arena);

    page_mail_changed_render(&values, page->language, &text);
    return page_mail_queue(page, (struct mail_draft){ .recipient = recipient }, &text, arena, unit);
}

void page_mail_add_event(const struct page_call *page, int64_t account_id, struct str detail,
                         struct store_unit *unit)
{
    struct event event = { .at = page->call->oauth.now,
                           .kind = EVENT_ACCOUNT_CHANGED,
                           .account_id = account_id,
                           .detail = detail };

    memcpy(event.address, page->call->oauth.address, sizeof(event.address));
    store_insert_event(unit, &event);
}

enum rc page_mail_refuse(struct page_call *page)
{
    page_answer_error(page, 403, PAGE_TEXT_MAIL_OFF);
    return RC_OK;
}

enum rc page_link_find(struct page_call *page, struct link *out_link,
                       const struct secret **out_value)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct secret *value = arena_alloc(oauth->arena, sizeof(*value));
    struct str text =
        page_is_get(page) ? page_parameter(page, STR("link")) : page_field(page, STR("link"));

    if (secret_set(value, text) != RC_OK)
        return RC_NOT_FOUND;
    *out_value = value;
    return link_find(oauth->oauth->store, value, oauth->now, oauth->arena, out_link);
}
