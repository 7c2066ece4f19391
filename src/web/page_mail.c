#include "web/page_mail.h"

bool page_sends_mail(const struct page_call *page)
{
    return page->call->web->outbox != NULL;
}

struct letter_head page_letter_head(const struct page_call *page)
{
    return (struct letter_head){ .outbox = page->call->web->outbox,
                                 .brand = page->frame.brand,
                                 .root = page->call->web->root,
                                 .language = page->language,
                                 .now = page->call->oauth.now };
}

static enum rc tell(const struct page_call *page, struct letter_change *change,
                    struct letter *out_letter)
{
    const struct letter_head head = page_letter_head(page);
    char address[HTTP_ADDRESS_TEXT_BYTES];

    if (!page_sends_mail(page))
        return RC_OK;
    if ((page->call->endpoint->needs & NEEDS_ADMIN) == 0) /* where those are is not for everybody */
        change->address = http_address_format(&page->call->exchange->request.client, address);
    return letter_write_change(&head, change, out_letter);
}

enum rc page_tell(const struct page_call *page, const struct account *account,
                  enum letter_news news, struct str factor, struct letter *out_letter)
{
    struct letter_change change = {
        .news = news, .username = account->name, .recipient = account->email, .factor = factor
    };

    return account->email_verified_at != 0 ? tell(page, &change, out_letter) : RC_OK;
}

enum rc page_tell_at(const struct page_call *page, const struct account *account,
                     enum letter_news news, struct str recipient, struct letter *out_letter)
{
    struct letter_change change = { .news = news,
                                    .username = account->name,
                                    .recipient = recipient };

    return tell(page, &change, out_letter);
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
