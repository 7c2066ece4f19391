#include "account/profile.h"
#include "web/admin_pages.h"
#include "web/page_mail.h"

/* What administrators say of an account: its names and whether it is an administrator's. */

static enum rc show(struct page_call *page, struct page_admin_account_edit *values)
{
    page->frame.at_admin = true;
    page->frame.at_admin_accounts = true;
    page_admin_account_edit_render(values, page->language,
                                   page_begin(page, page->frame.errors_count > 0 ? 422 : 200));
    return RC_OK;
}

static void refuse(struct page_call *page, const char *field, struct page_words words,
                   struct page_words *out_error)
{
    *out_error = words;
    if (words.text != PAGE_TEXT_NONE)
        page_add_error(page, field, words);
}

/* The old address is told of the new one. */
static enum rc save(struct page_call *page, const struct account *account,
                    struct admin_account_change *change)
{
    const struct admin admin = page_admin(page);
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = RC_OK;

    if (!str_equal(account->email, change->email))
        rc = page_tell(page, account, NEWS_EMAIL, STR(""), &letter);
    change->notice = letter.row;
    if (rc == RC_OK)
        rc = admin_change_account(page->call->oauth.oauth->store, &admin, account, change);
    return rc;
}

static enum rc answer_post(struct page_call *page, const struct account *account,
                           struct page_admin_account_edit *values)
{
    struct admin_account_change change = { .full_name = values->full_name,
                                           .email = values->email,
                                           .is_admin = values->is_self || values->is_admin };
    enum rc rc;

    refuse(page, "full-name", page_name_fault(change.full_name, ACCOUNT_FULL_NAME_BYTES_MAX),
           &values->full_name_error);
    if (!profile_is_email(change.email))
        refuse(page, "email", page_say(PAGE_TEXT_EMAIL_WRONG), &values->email_error);
    if (page->frame.errors_count > 0)
        return show(page, values);
    rc = save(page, account, &change);
    if (rc == RC_EXISTS)
        refuse(page, "email", page_say(PAGE_TEXT_EMAIL_TAKEN), &values->email_error);
    else if (rc == RC_REFUSED)
        page_add_error(page, "is-admin", page_say(PAGE_TEXT_ADMIN_LAST_REFUSED));
    else if (rc == RC_SPENT)
        page_add_error(page, "full-name", page_say(PAGE_TEXT_REGISTRY_CHANGED_MEANWHILE));
    if (rc == RC_EXISTS || rc == RC_REFUSED || rc == RC_SPENT)
        return show(page, values);
    if (rc == RC_OK)
        page_redirect_notice(page,
                             arena_format(page->call->exchange->arena, "/admin/accounts/%lld",
                                          (long long)account->id),
                             page_say(PAGE_TEXT_SAVED));
    return rc;
}

enum rc admin_account_edit_page(struct page_call *page)
{
    struct account account;
    struct page_admin_account_edit values = { .frame = &page->frame, .id = page->call->rest };
    enum rc rc = admin_account_find(page, &account);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    values.username = account.name;
    values.is_self = account.id == page->account.id;
    if (page_is_get(page)) {
        values.full_name = account.full_name;
        values.email = account.email;
        values.is_admin = account.is_admin;
        return show(page, &values);
    }
    values.full_name = str_trim(page_field(page, STR("full_name")));
    values.email = str_trim(page_field(page, STR("email")));
    values.is_admin = str_equal(page_field(page, STR("is_admin")), STR("yes"));
    return answer_post(page, &account, &values);
}
