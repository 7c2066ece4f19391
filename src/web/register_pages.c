#include "web/email_pages.h"

enum { REGISTER_ARENA_BYTES = PAGE_MAIL_ARENA_BYTES + 4 * 1024 };

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

static struct page_words username_fault(struct str name)
{
    char bytes[128];
    struct buffer reason = buffer_over(bytes, sizeof(bytes));

    if (name.len == 0)
        return page_say(PAGE_TEXT_USER_NAME_MISSING);
    if (name.len > ACCOUNT_NAME_BYTES_MAX)
        return page_name_fault(name, ACCOUNT_NAME_BYTES_MAX);
    return page_say(account_name_check(name, &reason) == RC_OK ? PAGE_TEXT_NONE
                                                               : PAGE_TEXT_USER_NAME_MALFORMED);
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
static enum rc add_mail(struct page_call *page, const struct link *link,
                        const struct account *taken, const struct secret *value,
                        struct arena *arena, struct store_unit *unit)
{
    const struct page_mail_verify verify = { .brand = page->frame.brand,
                                             .username = link->name,
                                             .root = page->call->web->root,
                                             .link = value,
                                             .expires_at = page->call->oauth.now + LINK_VERIFY_S };
    const struct page_mail_registered registered = { .brand = page->frame.brand,
                                                     .username = taken->name,
                                                     .root = page->call->web->root };
    const struct mail_draft draft = { .recipient = taken->id != 0 ? taken->email : link->email,
                                      .until = verify.expires_at };
    struct buffer text = page_mail_begin(arena);

    if (taken->id != 0)
        page_mail_registered_render(&registered, page->language, &text);
    else
        page_mail_verify_render(&verify, page->language, &text);
    return page_mail_queue(page, draft, &text, arena, unit);
}

/* The same steps whether the address is taken or not (PW-08); nothing asks whether the name is. */
static enum rc add_steps(struct page_call *page, struct link *link, struct arena *arena,
                         struct store_unit *unit)
{
    struct oauth_call *oauth = &page->call->oauth;
    __attribute__((cleanup(secret_cleanup))) struct secret value = { 0 };
    struct account taken = { 0 };
    char folded[ACCOUNT_EMAIL_BYTES_MAX];
    enum rc rc =
        store_find_account_by_email(oauth->oauth->store, link->email, oauth->arena, &taken);

    if (rc_is_fault(rc))
        return rc;
    if (rc != RC_OK || mail_address_check(taken.email) != RC_OK)
        taken.id = 0;
    ASSERT(link->email.len <= sizeof(folded));
    store_fold_name(link->email, folded);
    throttle_count_mail(oauth->oauth->door->throttle,
                        arena_format(arena, "register %.*s", (int)link->email.len, folded),
                        oauth->address, oauth->now, unit);
    rc = link_add(oauth->oauth->store, link, taken.id == 0, oauth->now, unit, &value);
    if (rc != RC_OK)
        return rc;
    page_mail_add_event(page, taken.id, STR("somebody asked for an account for an address"), unit);
    return add_mail(page, link, &taken, &value, arena, unit);
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
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    UNINITIALIZED struct store_unit unit;
    enum rc rc = password_hash(password, oauth->oauth->door->cost, hash);

    if (rc != RC_OK)
        return rc;
    link.password_hash = str_of(hash);
    arena_init(&arena, REGISTER_ARENA_BYTES);
    store_unit_init(&unit);
    rc = add_steps(page, &link, &arena, &unit);
    if (rc == RC_OK)
        rc = store_commit(oauth->oauth->store, &unit);
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
    values.username_error = username_fault(values.username);
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
