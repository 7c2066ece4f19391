#include "web/email_pages.h"

enum { EMAIL_ARENA_BYTES = 2 * PAGE_MAIL_ARENA_BYTES + 4 * 1024 };

/* ---- another address ------------------------------------------------------------------------- */

/* A link to the new address; the mail says whose account it is to be. */
static enum rc add_link(struct page_call *page, struct str email, struct arena *arena,
                        struct store_unit *unit)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct account *account = &page->account;
    struct link link = { .purpose = LINK_VERIFY, .account_id = account->id, .email = email };
    __attribute__((cleanup(secret_cleanup))) struct secret value = { 0 };
    struct page_mail_verify values = { .brand = page->frame.brand,
                                       .username = account->name,
                                       .root = page->call->web->root,
                                       .link = &value,
                                       .expires_at = oauth->now + LINK_VERIFY_S };
    const struct mail_draft draft = { .recipient = email, .until = values.expires_at };
    struct buffer text = page_mail_begin(arena);
    enum rc rc = link_add(oauth->oauth->store, &link, true, oauth->now, unit, &value);

    if (rc != RC_OK)
        return rc;
    throttle_count_mail(oauth->oauth->door->throttle,
                        arena_format(arena, "verify of %lld", (long long)account->id),
                        oauth->address, oauth->now, unit);
    page_mail_verify_render(&values, page->language, &text);
    return page_mail_queue(page, draft, &text, arena, unit);
}

/* What is saved at once, and what follows from it. */
static enum rc add_changes(struct page_call *page, struct str full_name, struct str email,
                           struct arena *arena, struct store_unit *unit)
{
    const struct account *account = &page->account;

    store_update_profile(unit, account->id, full_name, email.len > 0 ? account->email : email);
    page_mail_add_event(page, account->id, STR("name or address, by its owner"), unit);
    if (email.len > 0)
        return add_link(page, email, arena, unit);
    store_delete_links(unit, account->id, LINK_VERIFY);
    store_delete_links(unit, account->id, LINK_RESET);
    return account->email_verified_at != 0
               ? page_mail_tell_change(page, account, account->email, true, arena, unit)
               : RC_OK;
}

enum rc email_save(struct page_call *page, struct str full_name, struct str email)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    arena_init(&arena, EMAIL_ARENA_BYTES);
    store_unit_init(&unit);
    rc = add_changes(page, full_name, email, &arena, &unit);
    if (rc == RC_OK)
        rc = store_commit(page->call->oauth.oauth->store, &unit);
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
    const struct account *account = &page->account;

    if (!page_sends_mail(page))
        return page_mail_refuse(page);
    if (account->email_verified_at == 0 && mail_address_check(account->email) == RC_OK)
        return email_save(page, account->full_name, account->email);
    page_redirect(page, STR("/account"));
    return RC_OK;
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

/* The address is the account's from now on, and both addresses are told. */
static enum rc add_verified(struct page_call *page, const struct link *link,
                            const struct account *account, struct arena *arena,
                            struct store_unit *unit)
{
    bool is_other = !str_equal(account->email, link->email);
    enum rc rc = RC_OK;

    store_spend_link(unit, link, page->call->oauth.now);
    store_verify_email(unit, account->id, link->email, page->call->oauth.now);
    store_delete_links(unit, account->id, LINK_RESET); /* they went to the old one */
    page_mail_add_event(page, account->id, STR("address, by a link in a mail"), unit);
    if (!is_other || !page_sends_mail(page))
        return RC_OK;
    if (account->email_verified_at != 0 && mail_address_check(account->email) == RC_OK)
        rc = page_mail_tell_change(page, account, account->email, true, arena, unit);
    return rc == RC_OK ? page_mail_tell_change(page, account, link->email, true, arena, unit) : rc;
}

static enum rc do_verify(struct page_call *page, const struct link *link,
                         const struct account *account)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    arena_init(&arena, EMAIL_ARENA_BYTES);
    store_unit_init(&unit);
    rc = add_verified(page, link, account, &arena, &unit);
    if (rc == RC_OK)
        rc = store_commit(page->call->oauth.oauth->store, &unit);
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

/* Name or address were taken since the form was sent. */
static enum rc answer_taken(struct page_call *page, const struct link *link)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct account account;
    enum rc rc =
        store_find_account_by_name(oauth->oauth->store, link->name, oauth->arena, &account);

    if (rc == RC_OK)
        return register_show_taken(page, link);
    if (rc != RC_NOT_FOUND)
        return rc;
    page_answer_error(page, 409, PAGE_TEXT_EMAIL_TAKEN);
    return RC_OK;
}

/* Makes the account; its address is verified by that. */
static enum rc do_register(struct page_call *page, const struct link *link)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct account account = { .name = link->name,
                               .full_name = link->full_name,
                               .email = link->email,
                               .password_hash = link->password_hash,
                               .created_at = oauth->now };
    UNINITIALIZED struct store_unit unit;
    enum rc rc = store_next_id(oauth->oauth->store, SEQUENCE_NOUN, &account.id);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_spend_link(&unit, link, oauth->now);
    store_insert_account(&unit, &account);
    store_verify_email(&unit, account.id, link->email, oauth->now);
    page_mail_add_event(page, account.id, STR("made by its owner"), &unit);
    throttle_unlock(oauth->oauth->door->throttle, account.name, oauth->now, &unit);
    rc = store_commit(oauth->oauth->store, &unit);
    if (rc == RC_NOT_FOUND)
        return answer_void(page);
    if (rc == RC_EXISTS)
        return answer_taken(page, link);
    return rc == RC_OK ? answer_message(page, PAGE_TEXT_REGISTERED_TITLE, PAGE_TEXT_REGISTERED_TEXT,
                                        STR("sign-in"))
                       : rc;
}

enum rc email_verify_page(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct secret *value;
    struct account account;
    struct link link;
    enum rc rc = page_link_find(page, &link, &value);

    if (rc == RC_OK && link.purpose == LINK_VERIFY)
        rc = store_find_account(oauth->oauth->store, link.account_id, oauth->arena, &account);
    if (rc == RC_NOT_FOUND || (rc == RC_OK && link.purpose == LINK_RESET) ||
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
