#include "web/email_pages.h"
#include "account/email.h"
#include "account/registration.h"

/* ---- another address ------------------------------------------------------------------------- */

/* A link to the new address; the mail says whose account it is to be. */
static enum rc send_link(struct page_call *page, struct str full_name, struct str email)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct account *account = &page->account;
    const struct letter_head head = page_letter_head(page);
    const struct browser browser = page_browser(page);
    struct link link = { .purpose = LINK_VERIFY, .account_id = account->id, .email = email };
    __attribute__((cleanup(secret_cleanup))) struct secret value = { 0 };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = link_draft(oauth->oauth->store, &link, true, oauth->now, &value);

    if (rc == RC_OK)
        rc = letter_write_link(&head, &link, account->name, &value, &letter);
    return rc == RC_OK ? email_send_link(oauth->oauth->door, &browser, account, full_name, &link,
                                         letter.row)
                       : rc;
}

/* There is no other address that could be told. */
static enum rc remove_email(struct page_call *page, struct str full_name)
{
    const struct browser browser = page_browser(page);
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = page_tell(page, &page->account, NEWS_EMAIL, STR(""), &letter);

    return rc == RC_OK ? email_remove(page->call->oauth.oauth->store, &browser, &page->account,
                                      full_name, letter.row)
                       : rc;
}

enum rc email_save(struct page_call *page, struct str full_name, struct str email)
{
    enum rc rc = email.len > 0 ? send_link(page, full_name, email) : remove_email(page, full_name);

    if (rc == RC_SPENT || rc == RC_TOO_LARGE) {
        page_answer_error(page, 429, PAGE_TEXT_MAILS_TOO_MANY);
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_CORRUPT : rc;
    page_redirect_notice(
        page, STR("/account"),
        email.len == 0 ? page_say(PAGE_TEXT_ACCOUNT_SAVED)
                       : (struct page_words){ .text = PAGE_TEXT_EMAIL_LINK_SENT, .value = email });
    return RC_OK;
}

enum rc email_again_page(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct account *account = &page->account;
    struct str pending;
    enum rc rc;

    if (!page_sends_mail(page))
        return page_mail_refuse(page);
    rc = email_find_pending(oauth->oauth->store, account, oauth->now, oauth->arena, &pending);
    if (rc == RC_OK)
        return email_save(page, account->full_name, pending);
    if (rc != RC_NOT_FOUND)
        return rc;
    if (account->email_verified_at == 0 && mail_address_check(account->email) == RC_OK)
        return email_save(page, account->full_name, account->email);
    page_redirect(page, STR("/account"));
    return RC_OK;
}

enum rc email_cancel_page(struct page_call *page)
{
    const struct browser browser = page_browser(page);
    enum rc rc = email_cancel_pending(page->call->oauth.oauth->store, &browser, page->account.id);

    if (rc == RC_OK)
        page_redirect_notice(page, STR("/account"), page_say(PAGE_TEXT_EMAIL_KEPT));
    return rc;
}

/* ---- the link -------------------------------------------------------------------------------- */

static enum rc show_verify(struct page_call *page, const struct link *link,
                           const struct secret *value, struct str username)
{
    const struct page_email_verify values = {
        .frame = &page->frame, .email = link->email, .username = username, .link = value
    };

    page_email_verify_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

static enum rc answer_message(struct page_call *page, enum page_text title, enum page_text text,
                              struct str onward)
{
    const struct page_message values = {
        .frame = &page->frame, .title = page_say(title), .text = page_say(text), .onward = onward
    };

    page_message_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

static enum rc answer_void(struct page_call *page)
{
    page_answer_error(page, 410, PAGE_TEXT_LINK_VOID);
    return RC_OK;
}

/* Both addresses are told, where they are two. */
static enum rc write_letters(struct page_call *page, const struct link *link,
                             const struct account *account,
                             struct letter letters[static EMAIL_NOTICE_COUNT])
{
    enum rc rc;

    if (str_equal(account->email, link->email))
        return RC_OK;
    rc = page_tell(page, account, NEWS_EMAIL, STR(""), &letters[0]);
    return rc == RC_OK ? page_tell_at(page, account, NEWS_EMAIL, link->email, &letters[1]) : rc;
}

static enum rc do_verify(struct page_call *page, const struct link *link,
                         const struct account *account)
{
    const struct browser browser = page_browser(page);
    struct letter letters[EMAIL_NOTICE_COUNT] = { 0 };
    const struct mail *notices[EMAIL_NOTICE_COUNT];
    enum rc rc = write_letters(page, link, account, letters);

    for (size_t i = 0; i < EMAIL_NOTICE_COUNT; i++)
        notices[i] = letters[i].row;
    if (rc == RC_OK)
        rc = email_confirm(page->call->oauth.oauth->store, &browser, link, notices);
    for (size_t i = 0; i < EMAIL_NOTICE_COUNT; i++)
        letter_deinit(&letters[i]);
    if (rc == RC_NOT_FOUND)
        return answer_void(page);
    if (rc == RC_EXISTS) {
        page_answer_error(page, 409, PAGE_TEXT_EMAIL_TAKEN);
        return RC_OK;
    }
    return rc == RC_OK ? answer_message(page, PAGE_TEXT_EMAIL_VERIFIED_TITLE,
                                        PAGE_TEXT_EMAIL_VERIFIED_TEXT, STR("account"))
                       : rc;
}

/* Makes the account; its address is verified by that. */
static enum rc do_register(struct page_call *page, const struct link *link)
{
    const struct browser browser = page_browser(page);
    bool is_name_taken;
    enum rc rc = registration_finish(page->call->oauth.oauth->door, &browser, link, &is_name_taken);

    if (rc == RC_NOT_FOUND)
        return answer_void(page);
    if (rc == RC_EXISTS && is_name_taken)
        return register_show_taken(page, link);
    if (rc == RC_EXISTS) {
        page_answer_error(page, 409, PAGE_TEXT_EMAIL_TAKEN);
        return RC_OK;
    }
    return rc == RC_OK ? answer_message(page, PAGE_TEXT_REGISTERED_TITLE, PAGE_TEXT_REGISTERED_TEXT,
                                        STR("sign-in"))
                       : rc;
}

enum rc email_verify_page(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct secret *value;
    struct account account = { .id = 0 };
    struct link link;
    enum rc rc = page_link_find(page, &link, &value);

    if (rc == RC_OK && link.purpose == LINK_VERIFY)
        rc = account_find(oauth->oauth->store, link.account_id, oauth->arena, &account);
    if (rc == RC_NOT_FOUND ||
        (rc == RC_OK && link.purpose != LINK_VERIFY && link.purpose != LINK_REGISTER) ||
        (rc == RC_OK && link.purpose == LINK_VERIFY && account.is_disabled))
        return answer_void(page);
    if (rc != RC_OK)
        return rc;
    if (link.purpose == LINK_REGISTER && !register_is_open(page)) {
        page_answer_error(page, 403, PAGE_TEXT_REGISTRATION_CLOSED);
        return RC_OK;
    }
    if (page_is_get(page))
        return show_verify(page, &link, value,
                           link.purpose == LINK_VERIFY ? account.name : link.name);
    return link.purpose == LINK_VERIFY ? do_verify(page, &link, &account)
                                       : do_register(page, &link);
}
