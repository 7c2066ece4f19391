#include "account/reset.h"
#include "web/account_pages.h"
#include "web/page_mail.h"

/* ---- asking for a link ----------------------------------------------------------------------- */

static enum rc show_forgotten(struct page_call *page, int status, struct page_words error)
{
    const struct page_password_forgotten values = { .frame = &page->frame,
                                                    .login = page_field(page, STR("login")),
                                                    .login_error = error };

    page_password_forgotten_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

/* The same page, whatever was typed and whoever it is (PW-08). */
static enum rc answer_link(struct page_call *page)
{
    const struct page_message values = { .frame = &page->frame,
                                         .title = page_say(PAGE_TEXT_PASSWORD_LINK_TITLE),
                                         .text = page_say(PAGE_TEXT_PASSWORD_LINK_TEXT),
                                         .onward = STR("sign-in") };

    page_message_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* The same work, whoever it is (PW-08). */
static enum rc send_link_to(struct page_call *page, const struct account *account)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct letter_head head = page_letter_head(page);
    const struct browser browser = page_browser(page);
    struct link link = { .purpose = LINK_RESET,
                         .account_id = account->id,
                         .email =
                             account->id != 0 ? account->email : STR("nobody@nowhere.invalid") };
    __attribute__((cleanup(secret_cleanup))) struct secret value = { 0 };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = link_draft(oauth->oauth->store, &link, account->id != 0, oauth->now, &value);

    if (rc == RC_OK)
        rc = letter_write_link(&head, &link, account->name, &value, &letter);
    return rc == RC_OK ? reset_send_link(oauth->oauth->door, &browser, account, &link, letter.row)
                       : rc;
}

static enum rc send_link(struct page_call *page, struct str login)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct account account;
    enum rc rc = reset_find_recipient(oauth->oauth->store, login, oauth->arena, &account);

    if (rc != RC_OK)
        return rc;
    if (account.id != 0 && mail_address_check(account.email) != RC_OK)
        account = (struct account){ .name = login };
    rc = send_link_to(page, &account);
    if (rc == RC_TOO_LARGE) {
        page_add_wait(page, THROTTLE_MAIL_S);
        return show_forgotten(page, 429, page_say(PAGE_TEXT_NONE));
    }
    if (rc == RC_SPENT) {
        oauth->log_username = account.name;
        page_log_refusal(page, "as many mails as may be were sent already");
    }
    return rc == RC_OK || rc == RC_SPENT ? answer_link(page) : rc;
}

enum rc password_forgotten_page(struct page_call *page)
{
    struct str login = str_trim(page_field(page, STR("login")));
    struct page_words error = page_say(PAGE_TEXT_USER_NAME_MISSING);

    if (!page_sends_mail(page))
        return page_mail_refuse(page);
    if (page_is_get(page))
        return show_forgotten(page, 200, page_say(PAGE_TEXT_NONE));
    if (login.len > 0)
        error = page_name_fault(login, ACCOUNT_NAME_BYTES_MAX);
    if (error.text == PAGE_TEXT_NONE)
        return send_link(page, login);
    page_add_error(page, "login", error);
    return show_forgotten(page, 400, error);
}

/* ---- using it -------------------------------------------------------------------------------- */

/* What the form is about. */
struct reset_form {
    struct link link;
    const struct secret *value;
    struct account account;
    bool asks_code;
};

/* A link that is good for nothing: the page where one asks for another. */
static enum rc refuse_link(struct page_call *page)
{
    page_add_error(page, "", page_say(PAGE_TEXT_LINK_VOID));
    return show_forgotten(page, 410, page_say(PAGE_TEXT_NONE));
}

/* RC_NOT_FOUND: refuse_link. */
static enum rc find_form(struct page_call *page, struct reset_form *out_form)
{
    struct oauth_call *oauth = &page->call->oauth;
    enum rc rc = page_link_find(page, &out_form->link, &out_form->value);

    return rc == RC_OK ? reset_find_account(oauth->oauth->store, &out_form->link, oauth->arena,
                                            &out_form->account, &out_form->asks_code)
                       : rc;
}

static struct password_owner owner_of(const struct account *account)
{
    return (struct password_owner){ .name = account->name,
                                    .email = account->email,
                                    .has_second_factor = account->has_second_factor };
}

static enum rc show_reset(struct page_call *page, int status, const struct reset_form *form,
                          struct page_words password_error, struct page_words code_error)
{
    const struct password_owner owner = owner_of(&form->account);
    const struct page_password_reset values = { .frame = &page->frame,
                                                .link = form->value,
                                                .username = form->account.name,
                                                .password_error = password_error,
                                                .password_min =
                                                    (int64_t)password_characters_min(&owner),
                                                .asks_code = form->asks_code,
                                                .has_app = form->account.has_code_factor,
                                                .code_error = code_error };

    if (password_error.text != PAGE_TEXT_NONE)
        page_add_error(page, "password", password_error);
    if (code_error.text != PAGE_TEXT_NONE)
        page_add_error(page, "code", code_error);
    page_password_reset_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

/* The words for a code that was not accepted. */
static struct page_words code_fault(const struct reset_form *form)
{
    return page_say(form->account.has_code_factor ? PAGE_TEXT_CODE_WRONG
                                                  : PAGE_TEXT_RECOVERY_CODE_WRONG);
}

/* What kept the password from being set, as a page. */
static enum rc answer_refused(struct page_call *page, const struct reset_form *form,
                              const struct reset_result *result)
{
    const struct page_words none = page_say(PAGE_TEXT_NONE);
    const struct password_owner owner = owner_of(&form->account);

    if (result->wanted != PASSWORD_GOOD)
        return show_reset(page, 400, form, page_password_fault(result->wanted, &owner), none);
    page->call->oauth.log_username = form->account.name;
    page_log_refusal(page, result->why);
    if (result->verdict == SIGN_IN_WAIT) {
        page_add_wait(page, result->wait_s);
        return show_reset(page, 429, form, none, none);
    }
    return show_reset(page, 403, form, none, code_fault(form));
}

static enum rc answer_done(struct page_call *page)
{
    const struct page_message values = { .frame = &page->frame,
                                         .title = page_say(PAGE_TEXT_PASSWORD_RESET_TITLE),
                                         .text = page_say(PAGE_TEXT_PASSWORD_RESET_TEXT),
                                         .onward = STR("sign-in") };

    page_drop_session(page); /* whoever's it was, it has no part in this */
    page_message_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* Sets the password and tells its owner. */
static enum rc reset(struct page_call *page, const struct reset_form *form,
                     const struct secret *wanted)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct browser browser = page_browser(page);
    struct reset what = { .link = &form->link,
                          .account = &form->account,
                          .wanted = wanted,
                          .asks_code = form->asks_code,
                          .code = page_field(page, STR("code")) };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct reset_result result;
    struct logout logout;
    enum rc rc = page_tell_at(page, &form->account, NEWS_PASSWORD, form->link.email, &letter);

    what.notice = letter.row;
    if (rc == RC_OK)
        rc = logout_note(oauth, form->account.id, 0, 0, &logout);
    if (rc == RC_OK)
        rc = reset_password(oauth->oauth->door, &browser, &what, oauth->arena, &result);
    if (rc == RC_NOT_FOUND)
        return refuse_link(page);
    if (rc != RC_OK)
        return rc;
    if (result.verdict != SIGN_IN_OK || result.wanted != PASSWORD_GOOD)
        return answer_refused(page, form, &result);
    rc = logout_finish(oauth, &logout);
    return rc == RC_OK ? answer_done(page) : rc;
}

static enum rc do_reset(struct page_call *page, const struct reset_form *form)
{
    const struct secret *wanted = page_secret(page, STR("password"));
    const struct page_words none = page_say(PAGE_TEXT_NONE);

    if (!page->call->oauth.may_hash)
        return RC_NEEDS_HASH;
    if (wanted == NULL)
        return show_reset(
            page, 400, form,
            (struct page_words){ .text = PAGE_TEXT_PASSWORD_LONG, .number = SECRET_BYTES_MAX },
            none);
    if (form->asks_code && page_field(page, STR("code")).len == 0)
        return show_reset(page, 400, form, none, page_say(PAGE_TEXT_CODE_MISSING));
    return reset(page, form, wanted);
}

enum rc password_reset_page(struct page_call *page)
{
    struct reset_form form = { 0 };
    enum rc rc = find_form(page, &form);

    if (rc == RC_NOT_FOUND)
        return page_sends_mail(page) ? refuse_link(page) : page_mail_refuse(page);
    if (rc != RC_OK)
        return rc;
    return page_is_get(page)
               ? show_reset(page, 200, &form, page_say(PAGE_TEXT_NONE), page_say(PAGE_TEXT_NONE))
               : do_reset(page, &form);
}
