#include "account/reset.h"
#include "web/account_pages.h"
#include "web/page_mail.h"

/* A mail, the code's steps of a reset and what they need. */
enum { RESET_ARENA_BYTES = PAGE_MAIL_ARENA_BYTES + 8 * 1024 };

/* ---- asking for a link ----------------------------------------------------------------------- */

static enum rc show_forgotten(struct page_call *page, int status, struct page_words error)
{
    const struct page_password_forgotten values = { .frame = &page->frame,
                                                    .login = page_field(page, STR("login")),
                                                    .login_error = error };

    page_password_forgotten_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

/*
 * Who is to get the mail: by name, or by verified address. It goes to the address that is stored,
 * never to the one that was typed. Nobody: a name that was typed and no address. Both are always
 * looked for (PW-08).
 */
static enum rc find_recipient(const struct page_call *page, struct str login,
                              struct account *out_account)
{
    const struct oauth_call *oauth = &page->call->oauth;
    struct account named;
    struct account addressed;
    enum rc by_name = store_find_account_by_name(oauth->oauth->store, login, oauth->arena, &named);
    enum rc by_email =
        store_find_account_by_email(oauth->oauth->store, login, oauth->arena, &addressed);

    if (rc_is_fault(by_name) || rc_is_fault(by_email))
        return rc_is_fault(by_name) ? by_name : by_email;
    if (by_name == RC_OK)
        *out_account = named;
    else if (by_email == RC_OK)
        *out_account = addressed;
    else
        *out_account = (struct account){ .name = login };
    if (out_account->is_disabled || out_account->email_verified_at == 0 ||
        mail_address_check(out_account->email) != RC_OK)
        *out_account = (struct account){ .name = login };
    return RC_OK;
}

/* The link, the mail that carries it, and what counts them, in one unit. */
static enum rc add_link(struct page_call *page, const struct account *account, struct arena *arena,
                        struct store_unit *unit)
{
    struct oauth_call *oauth = &page->call->oauth;
    const bool is_one = account->id != 0;
    const struct str whom = is_one ? arena_format(arena, "reset of %lld", (long long)account->id)
                                   : arena_format(arena, "reset %.*s", STR_ARGS(account->name));
    struct link link = { .purpose = LINK_RESET,
                         .account_id = account->id,
                         .email = account->email };
    __attribute__((cleanup(secret_cleanup))) struct secret value = { 0 };
    struct page_mail_password values = { .brand = page->frame.brand,
                                         .username = account->name,
                                         .root = page->call->web->root,
                                         .link = &value,
                                         .expires_at = oauth->now + LINK_RESET_S };
    struct buffer text = page_mail_begin(arena);
    const struct mail_draft draft = { .recipient =
                                          is_one ? account->email : STR("nobody@nowhere.invalid"),
                                      .until = values.expires_at,
                                      .is_for_nobody = !is_one };
    enum rc rc;

    throttle_count_mail(oauth->oauth->door->throttle, whom, oauth->address, oauth->now, unit);
    rc = link_add(oauth->oauth->store, &link, is_one, oauth->now, unit, &value);
    if (rc != RC_OK)
        return rc;
    page_mail_password_render(&values, page->language, &text);
    page_mail_add_event(page, account->id, STR("asked for a link for a new password"), unit);
    return page_mail_queue(page, draft, &text, arena, unit);
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

static enum rc send_link(struct page_call *page, struct str login)
{
    struct oauth_call *oauth = &page->call->oauth;
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    UNINITIALIZED struct store_unit unit;
    struct account account = { 0 };
    enum rc rc = find_recipient(page, login, &account);

    if (rc != RC_OK)
        return rc;
    arena_init(&arena, RESET_ARENA_BYTES);
    store_unit_init(&unit);
    rc = add_link(page, &account, &arena, &unit);
    if (rc == RC_OK)
        rc = store_commit(oauth->oauth->store, &unit);
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

    if (rc == RC_OK && out_form->link.purpose != LINK_RESET)
        rc = RC_NOT_FOUND;
    if (rc == RC_OK)
        rc = store_find_account(oauth->oauth->store, out_form->link.account_id, oauth->arena,
                                &out_form->account);
    if (rc == RC_OK && (out_form->account.is_disabled ||
                        !str_equal(out_form->account.email, out_form->link.email)))
        rc = RC_NOT_FOUND;
    return rc == RC_OK
               ? reset_asks_code(oauth->oauth->store, &out_form->account, &out_form->asks_code)
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

/* What keeps the unit from being committed, as a page. */
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

/* Checks, and then sets the password and tells its owner in one unit. */
static enum rc reset(struct page_call *page, const struct reset_form *form,
                     const struct secret *wanted)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct browser browser = page_browser(page);
    const struct reset what = { .link = &form->link,
                                .account = &form->account,
                                .wanted = wanted,
                                .code = page_field(page, STR("code")) };
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct reset_result result;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    arena_init(&arena, RESET_ARENA_BYTES);
    store_unit_init(&unit);
    rc =
        reset_prepare(oauth->oauth->door, &browser, &what, form->asks_code, &arena, &unit, &result);
    if (rc == RC_OK && (result.verdict != SIGN_IN_OK || result.wanted != PASSWORD_GOOD))
        return answer_refused(page, form, &result);
    if (rc == RC_OK && page_sends_mail(page))
        rc = page_mail_tell_change(page, &form->account, form->link.email, false, &arena, &unit);
    if (rc == RC_OK)
        rc = store_commit(oauth->oauth->store, &unit);
    if (rc == RC_NOT_FOUND)
        return refuse_link(page);
    if (rc == RC_SPENT)
        return show_reset(page, 403, form, page_say(PAGE_TEXT_NONE), code_fault(form));
    if (rc == RC_OK)
        rc = reset_conclude(oauth->oauth->store, &form->account, oauth->now);
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
