#include "account/registration.h"
#include "web/email_pages.h"

bool register_is_open(const struct page_call *page)
{
    const struct web_registration *registration = page->call->web->registration;

    return registration != NULL && registration->is_on && page_sends_mail(page);
}

/* ---- the form -------------------------------------------------------------------------------- */

static enum rc show(struct page_call *page, int status, struct page_register *values)
{
    const struct password_owner owner = { .has_second_factor = false };
    const struct {
        const char *field;
        struct page_words words;
    } errors[] = { { "username", values->username_error },
                   { "full-name", values->full_name_error },
                   { "email", values->email_error },
                   { "password", values->password_error } };

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].words.text != PAGE_TEXT_NONE)
            page_add_error(page, errors[i].field, errors[i].words);
    }
    values->frame = &page->frame;
    values->password_min = (int64_t)password_characters_min(&owner);
    page_register_render(values, page->language, page_begin(page, status));
    return RC_OK;
}

enum rc register_show_taken(struct page_call *page, const struct link *link)
{
    struct page_register values = { .username = link->name,
                                    .username_error = page_say(PAGE_TEXT_USER_NAME_TAKEN),
                                    .full_name = link->full_name,
                                    .email = link->email };

    return show(page, 409, &values);
}

/* Whose name is spelled like an address has that address: nobody passes for somebody else. */
static struct page_words username_fault(struct str name, struct str email)
{
    char bytes[128];
    struct buffer reason = buffer_over(bytes, sizeof(bytes));

    if (name.len == 0)
        return page_say(PAGE_TEXT_USER_NAME_MISSING);
    if (name.len > ACCOUNT_NAME_BYTES_MAX)
        return page_name_fault(name, ACCOUNT_NAME_BYTES_MAX);
    if (account_name_check(name, &reason) != RC_OK)
        return page_say(PAGE_TEXT_USER_NAME_MALFORMED);
    return page_say(str_index_of(name, '@') < name.len && !str_equal_nocase(name, email)
                        ? PAGE_TEXT_USER_NAME_IS_ADDRESS
                        : PAGE_TEXT_NONE);
}

/* No domains: all. */
static struct page_words email_fault(const struct page_call *page, struct str email)
{
    const struct dialect_texts *domains = &page->call->web->registration->domains;
    struct str domain = str_from(email, str_index_of(email, '@') + 1);

    if (email.len == 0 || mail_address_check(email) != RC_OK)
        return page_say(PAGE_TEXT_EMAIL_WRONG);
    for (size_t i = 0; i < domains->count; i++) {
        if (str_equal_nocase(domain, str_of(domains->at[i])))
            return page_say(PAGE_TEXT_NONE);
    }
    if (domains->count == 0)
        return page_say(PAGE_TEXT_NONE);
    return (struct page_words){ .text = PAGE_TEXT_EMAIL_DOMAIN_REFUSED, .value = domain };
}

static struct page_words password_fault(const struct page_register *values,
                                        const struct secret *password)
{
    const struct password_owner owner = { .name = values->username, .email = values->email };

    if (password == NULL)
        return (struct page_words){ .text = PAGE_TEXT_PASSWORD_LONG, .number = SECRET_BYTES_MAX };
    return page_password_fault(password_judge(password, &owner), &owner);
}

/* ---- what it leads to ------------------------------------------------------------------------ */

/* The mail for an address that is free, with the link; or for one that has an account. */
static enum rc write_letter(struct page_call *page, const struct link *link,
                            const struct account *owner, const struct secret *value,
                            struct letter *letter)
{
    const struct letter_head head = page_letter_head(page);

    return owner->id != 0 ? letter_write_registered(&head, owner, letter)
                          : letter_write_link(&head, link, link->name, value, letter);
}

/* The same work whether the address is taken or not (PW-08). */
static enum rc send_link_to(struct page_call *page, struct link *link)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct browser browser = page_browser(page);
    __attribute__((cleanup(secret_cleanup))) struct secret value = { 0 };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct account owner;
    enum rc rc = registration_find_owner(oauth->oauth->store, link->email, oauth->arena, &owner);

    if (rc != RC_OK)
        return rc;
    if (owner.id != 0 && mail_address_check(owner.email) != RC_OK)
        owner.id = 0;
    rc = link_draft(oauth->oauth->store, link, owner.id == 0, oauth->now, &value);
    if (rc == RC_OK)
        rc = write_letter(page, link, &owner, &value, &letter);
    return rc == RC_OK
               ? registration_send_link(oauth->oauth->door, &browser, link, owner.id, letter.row)
               : rc;
}

static enum rc answer_done(struct page_call *page, struct str email)
{
    const struct page_register_done values = {
        .frame = &page->frame, .email = email, .expires_at = page->call->oauth.now + LINK_VERIFY_S
    };

    page_register_done_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

static enum rc send_link(struct page_call *page, struct page_register *values,
                         const struct secret *password)
{
    struct oauth_call *oauth = &page->call->oauth;
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct link link = { .purpose = LINK_REGISTER,
                         .email = values->email,
                         .name = values->username,
                         .full_name = values->full_name };
    enum rc rc = password_hash(password, oauth->oauth->door->cost, hash);

    if (rc != RC_OK)
        return rc;
    link.password_hash = str_of(hash);
    rc = send_link_to(page, &link);
    if (rc == RC_TOO_LARGE) {
        page_add_wait(page, THROTTLE_MAIL_S);
        return show(page, 429, values);
    }
    return rc == RC_OK || rc == RC_SPENT ? answer_done(page, values->email) : rc;
}

static enum rc do_register(struct page_call *page)
{
    const struct secret *password = page_secret(page, STR("password"));
    struct page_register values = { .username = page_field(page, STR("username")),
                                    .full_name = str_trim(page_field(page, STR("full_name"))),
                                    .email = str_trim(page_field(page, STR("email"))) };

    if (!page->call->oauth.may_hash)
        return RC_NEEDS_HASH;
    values.username_error = username_fault(values.username, values.email);
    values.full_name_error = page_name_fault(values.full_name, ACCOUNT_FULL_NAME_BYTES_MAX);
    values.email_error = email_fault(page, values.email);
    values.password_error = password_fault(&values, password);
    if (values.username_error.text != PAGE_TEXT_NONE ||
        values.full_name_error.text != PAGE_TEXT_NONE ||
        values.email_error.text != PAGE_TEXT_NONE || values.password_error.text != PAGE_TEXT_NONE)
        return show(page, 400, &values);
    return send_link(page, &values, password);
}

enum rc register_page(struct page_call *page)
{
    struct page_register values = { 0 };

    if (!register_is_open(page)) {
        page_answer_error(page, 403, PAGE_TEXT_REGISTRATION_CLOSED);
        return RC_OK;
    }
    return page_is_get(page) ? show(page, 200, &values) : do_register(page);
}
