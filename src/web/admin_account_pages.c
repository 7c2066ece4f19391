#include "account/invitation.h"
#include "web/admin_acts.h"
#include "web/admin_pages.h"
#include "web/page_mail.h"

/* Accounts, for administrators. */

enum { ROWS_PER_PAGE = 20, SESSIONS_SHOWN = 20 };

static const char list_kind[] = "admin accounts"; /* of the place where a list goes on */

static struct store *store_of(const struct page_call *page)
{
    return page->call->oauth.oauth->store;
}

static struct str number_text(struct page_call *page, int64_t number)
{
    return arena_format(page->call->exchange->arena, "%lld", (long long)number);
}

static void mark_place(struct page_call *page)
{
    page->frame.at_admin = true;
    page->frame.at_admin_accounts = true;
}

/* ---- the list -------------------------------------------------------------------------------- */

enum rc admin_accounts_page(struct page_call *page)
{
    struct arena *arena = page->call->exchange->arena;
    struct page_admin_accounts values = { .frame = &page->frame,
                                          .q = str_trim(page_parameter(page, STR("q"))) };
    struct account *accounts = arena_alloc(arena, (ROWS_PER_PAGE + 1) * sizeof(*accounts));
    struct page_admin_accounts_accounts *rows = arena_alloc(arena, ROWS_PER_PAGE * sizeof(*rows));
    int64_t before_id = page_list_begin(page, list_kind);
    size_t count;
    enum rc rc = admin_search_accounts(store_of(page), values.q, before_id, arena, accounts,
                                       ROWS_PER_PAGE + 1, &count);

    if (rc != RC_OK)
        return rc;
    if (count > ROWS_PER_PAGE) {
        count = ROWS_PER_PAGE;
        values.older = page_handle_seal(page, list_kind, accounts[count - 1].id);
    }
    if (before_id != INT64_MAX) /* back to where the list begins */
        values.newer = STR("all");
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct page_admin_accounts_accounts){ .n = (int64_t)i + 1,
                                                         .id = number_text(page, accounts[i].id),
                                                         .username = accounts[i].name,
                                                         .full_name = accounts[i].full_name,
                                                         .email = accounts[i].email,
                                                         .is_admin = accounts[i].is_admin,
                                                         .is_disabled = accounts[i].is_disabled,
                                                         .has_second_factor =
                                                             accounts[i].has_second_factor,
                                                         .created_at = accounts[i].created_at };
    values.accounts = rows;
    values.accounts_count = count;
    mark_place(page);
    page_admin_accounts_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* ---- a new one ------------------------------------------------------------------------------- */

static enum rc show_new(struct page_call *page, struct page_admin_account_new *values)
{
    mark_place(page);
    values->frame = &page->frame;
    values->may_invite = page_sends_mail(page);
    page_admin_account_new_render(values, page->language,
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

static void check_new(struct page_call *page, const struct secret *password,
                      struct page_admin_account_new *values)
{
    const struct password_owner owner = { .name = values->username, .email = values->email };
    char bytes[256];
    struct buffer why = buffer_over(bytes, sizeof(bytes));

    if (values->username.len == 0)
        refuse(page, "username", page_say(PAGE_TEXT_USER_NAME_MISSING), &values->username_error);
    else if (account_name_check(values->username, &why) != RC_OK)
        refuse(page, "username", page_say(PAGE_TEXT_USER_NAME_MALFORMED), &values->username_error);
    refuse(page, "full-name", page_name_fault(values->full_name, ACCOUNT_FULL_NAME_BYTES_MAX),
           &values->full_name_error);
    if (!profile_is_email(values->email))
        refuse(page, "email", page_say(PAGE_TEXT_EMAIL_WRONG), &values->email_error);
    if (password == NULL)
        refuse(page, "password",
               (struct page_words){ .text = PAGE_TEXT_PASSWORD_LONG, .number = SECRET_BYTES_MAX },
               &values->password_error);
    else if (password->len == 0 && !page_sends_mail(page))
        refuse(page, "password", page_say(PAGE_TEXT_PASSWORD_MISSING), &values->password_error);
    else if (password->len == 0 && mail_address_check(values->email) != RC_OK)
        refuse(page, "email", page_say(PAGE_TEXT_INVITATION_EMAIL_MISSING), &values->email_error);
    else if (password->len == 0)
        return;
    else
        refuse(page, "password", page_password_fault(password_judge(password, &owner), &owner),
               &values->password_error);
}

static enum rc refuse_name(struct page_call *page, enum rc rc,
                           struct page_admin_account_new *values)
{
    refuse(page, "username",
           page_say(rc == RC_EXISTS ? PAGE_TEXT_USER_NAME_TAKEN : PAGE_TEXT_USER_NAME_MALFORMED),
           &values->username_error);
    return show_new(page, values);
}

static struct account draft_of(const struct page_admin_account_new *values, int64_t now)
{
    return (struct account){ .name = values->username,
                             .full_name = values->full_name,
                             .email = values->email,
                             .is_admin = values->is_admin,
                             .created_at = now };
}

static void answer_made(struct page_call *page, int64_t id, enum page_text text, struct str name)
{
    page_redirect_notice(
        page, arena_format(page->call->exchange->arena, "/admin/accounts/%lld", (long long)id),
        (struct page_words){ .text = text, .value = name });
}

static enum rc create(struct page_call *page, const struct secret *password,
                      struct page_admin_account_new *values)
{
    const struct oauth *oauth = page->call->oauth.oauth;
    const struct admin admin = page_admin(page);
    const struct act_note note = admin_note(&admin, "added");
    const struct account draft = draft_of(values, admin.now);
    char bytes[256];
    struct buffer why = buffer_over(bytes, sizeof(bytes));
    int64_t id;
    enum rc rc =
        account_create(oauth->store, &draft, password, oauth->door->cost, &note, &id, &why);

    if (rc == RC_EXISTS || rc == RC_INVALID)
        return refuse_name(page, rc, values);
    if (rc == RC_REFUSED) {
        refuse(page, "email", page_say(PAGE_TEXT_EMAIL_TAKEN), &values->email_error);
        return show_new(page, values);
    }
    if (rc == RC_OK)
        rc = admin_forgive_name(oauth->store, oauth->door->throttle, draft.name, admin.now);
    if (rc == RC_OK)
        answer_made(page, id, PAGE_TEXT_ACCOUNT_MADE, draft.name);
    return rc;
}

/* Without a password: whoever it is for chooses one. */
static enum rc invite(struct page_call *page, struct page_admin_account_new *values)
{
    const struct oauth *oauth = page->call->oauth.oauth;
    const struct letter_head head = page_letter_head(page);
    const struct admin admin = page_admin(page);
    struct account draft = draft_of(values, admin.now);
    __attribute__((cleanup(secret_cleanup))) struct secret value = { 0 };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    char bytes[256];
    struct buffer why = buffer_over(bytes, sizeof(bytes));
    struct link link;
    enum rc rc = invitation_draft(oauth->store, &draft, &link, &value);

    if (rc == RC_OK)
        rc = letter_write_link(&head, &link, draft.name, &value, &letter);
    if (rc == RC_OK)
        rc = invitation_send(oauth->store, oauth->door->throttle, &admin, &draft, &link, letter.row,
                             &why);
    if (rc == RC_EXISTS || rc == RC_INVALID)
        return refuse_name(page, rc, values);
    if (rc == RC_OK)
        answer_made(page, draft.id, PAGE_TEXT_ACCOUNT_INVITED, draft.name);
    return rc;
}

enum rc admin_account_new_page(struct page_call *page)
{
    struct page_admin_account_new values = {
        .username = page_field(page, STR("username")),
        .full_name = str_trim(page_field(page, STR("full_name"))),
        .email = str_trim(page_field(page, STR("email"))),
        .is_admin = str_equal(page_field(page, STR("is_admin")), STR("yes"))
    };
    const struct secret *password = page_secret(page, STR("password"));

    if (page_is_get(page))
        return show_new(page, &values);
    check_new(page, password, &values);
    if (page->frame.errors_count > 0)
        return show_new(page, &values);
    if (password->len == 0)
        return invite(page, &values);
    if (!page->call->oauth.may_hash)
        return RC_NEEDS_HASH;
    return create(page, password, &values);
}

/* ---- one account ----------------------------------------------------------------------------- */

enum rc admin_account_find(struct page_call *page, struct account *out_account)
{
    uint64_t id;
    enum rc rc = RC_NOT_FOUND;

    if (str_parse_u64(page->call->rest, INT64_MAX, &id))
        rc = account_find(store_of(page), (int64_t)id, page->call->exchange->arena, out_account);
    if (rc == RC_NOT_FOUND)
        page_answer_error(page, 404, PAGE_TEXT_NOT_FOUND);
    return rc;
}

static enum rc fill_sessions(struct page_call *page, int64_t account_id,
                             struct page_admin_account *values)
{
    struct arena *arena = page->call->exchange->arena;
    struct page_admin_account_sessions *rows =
        arena_alloc(arena, 2 * SESSIONS_SHOWN * sizeof(*rows));
    struct browser_session browsers[SESSIONS_SHOWN];
    struct session sessions[SESSIONS_SHOWN];
    int64_t now = page->call->oauth.now;
    size_t browser_count;
    size_t session_count;
    enum rc rc = profile_list_browser_sessions(store_of(page), account_id, INT64_MAX, now, arena,
                                               browsers, SESSIONS_SHOWN, &browser_count);

    if (rc == RC_OK)
        rc = profile_list_sessions(store_of(page), account_id, INT64_MAX, now, arena, sessions,
                                   SESSIONS_SHOWN, &session_count);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < browser_count; i++)
        rows[values->sessions_count++] =
            (struct page_admin_account_sessions){ .device = browsers[i].device,
                                                  .is_browser = true,
                                                  .address =
                                                      admin_address_text(page, browsers[i].address),
                                                  .started_at = browsers[i].created_at,
                                                  .last_active_at = browsers[i].last_active_at };
    for (size_t i = 0; i < session_count; i++)
        rows[values->sessions_count++] =
            (struct page_admin_account_sessions){ .device = sessions[i].device,
                                                  .address =
                                                      admin_address_text(page, sessions[i].address),
                                                  .started_at = sessions[i].created_at,
                                                  .last_active_at = sessions[i].last_active_at };
    values->sessions = rows;
    return RC_OK;
}

enum rc admin_account_page(struct page_call *page)
{
    struct factor factors[FACTOR_COUNT_MAX];
    struct account account;
    size_t factor_count;
    struct page_admin_account values = { .frame = &page->frame };
    enum rc rc = admin_account_find(page, &account);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    rc = profile_list_factors(store_of(page), account.id, page->call->exchange->arena, factors,
                              &factor_count);
    if (rc == RC_OK)
        rc = fill_sessions(page, account.id, &values);
    if (rc == RC_OK)
        rc = admin_find_owner(store_of(page), MANAGED_ACCOUNT, account.id,
                              page->call->exchange->arena, &values.managed_by);
    if (rc != RC_OK)
        return rc;
    values.id = number_text(page, account.id);
    values.username = account.name;
    values.full_name = account.full_name;
    values.email = account.email;
    values.is_admin = account.is_admin;
    values.is_disabled = account.is_disabled;
    values.is_self = account.id == page->account.id;
    values.created_at = account.created_at;
    values.factor_count = (int64_t)factor_count;
    mark_place(page);
    page_admin_account_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}

/* ---- acts ------------------------------------------------------------------------------------ */

struct account_act {
    enum page_text title;
    enum page_text text;
    enum page_text done;
    bool is_harmless;
    bool is_for_others; /* nobody does it to themselves */
    enum rc (*run)(struct page_call *page, const struct admin *admin,
                   const struct account *account);
};

static enum rc serve_act(struct page_call *page, const struct account_act *act)
{
    struct admin_question question = { .text = act->text,
                                       .is_harmless = act->is_harmless,
                                       .section = STR("accounts"),
                                       .id = page->call->rest };
    const struct admin admin = page_admin(page);
    struct account account;
    enum rc rc = admin_account_find(page, &account);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    mark_place(page);
    if (act->is_for_others && account.id == page->account.id) {
        page_answer_error(page, 403, PAGE_TEXT_ADMIN_SELF_REFUSED);
        return RC_OK;
    }
    if (page_is_get(page)) {
        question.title = (struct page_words){ .text = act->title, .value = account.name };
        admin_ask(page, &question);
        return RC_OK;
    }
    rc = act->run(page, &admin, &account);
    if (rc == RC_OK)
        page_redirect_notice(
            page, arena_format(admin.arena, "/admin/accounts/%lld", (long long)account.id),
            (struct page_words){ .text = act->done, .value = account.name });
    return rc;
}

static enum rc revoke_tokens(struct page_call *page, const struct admin *admin,
                             const struct account *account)
{
    const struct grants_filter filter = { .account_id = account->id };

    return admin_act_end_grants(page->call, admin, &filter);
}

static enum rc disable(struct page_call *page, const struct admin *admin,
                       const struct account *account)
{
    return admin_act_disable_account(page->call, admin, account->id, NULL);
}

static enum rc enable(struct page_call *page, const struct admin *admin,
                      const struct account *account)
{
    return admin_enable(store_of(page), page->call->oauth.oauth->door->throttle, admin, account,
                        NULL);
}

static enum rc unlock(struct page_call *page, const struct admin *admin,
                      const struct account *account)
{
    return admin_unlock(store_of(page), page->call->oauth.oauth->door->throttle, admin, account);
}

static enum rc end_sessions(struct page_call *page, const struct admin *admin,
                            const struct account *account)
{
    const struct browser browser = page_browser(page);

    return admin_act_end_sessions(page->call, admin, &browser, account->id);
}

static enum rc reset_factors(struct page_call *page, const struct admin *admin,
                             const struct account *account)
{
    const struct browser browser = page_browser(page);
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = page_tell(page, account, NEWS_FACTORS_REMOVED, STR(""), &letter);

    return rc == RC_OK
               ? admin_act_reset_factors(page->call, admin, &browser, account->id, letter.row)
               : rc;
}

enum rc admin_account_disable_page(struct page_call *page)
{
    static const struct account_act act = { .title = PAGE_TEXT_ACCOUNT_DISABLE_TITLE,
                                            .text = PAGE_TEXT_ACCOUNT_DISABLE_TEXT,
                                            .done = PAGE_TEXT_ACCOUNT_DISABLED,
                                            .is_for_others = true,
                                            .run = disable };

    return serve_act(page, &act);
}

enum rc admin_account_enable_page(struct page_call *page)
{
    static const struct account_act act = { .title = PAGE_TEXT_ACCOUNT_ENABLE_TITLE,
                                            .text = PAGE_TEXT_ACCOUNT_ENABLE_TEXT,
                                            .done = PAGE_TEXT_ACCOUNT_ENABLED,
                                            .is_harmless = true,
                                            .run = enable };

    return serve_act(page, &act);
}

enum rc admin_account_unlock_page(struct page_call *page)
{
    static const struct account_act act = { .title = PAGE_TEXT_ACCOUNT_UNLOCK_TITLE,
                                            .text = PAGE_TEXT_ACCOUNT_UNLOCK_TEXT,
                                            .done = PAGE_TEXT_ACCOUNT_UNLOCKED,
                                            .is_harmless = true,
                                            .run = unlock };

    return serve_act(page, &act);
}

enum rc admin_account_reset_factors_page(struct page_call *page)
{
    static const struct account_act act = { .title = PAGE_TEXT_ACCOUNT_FACTORS_TITLE,
                                            .text = PAGE_TEXT_ACCOUNT_FACTORS_TEXT,
                                            .done = PAGE_TEXT_ACCOUNT_FACTORS_RESET,
                                            .run = reset_factors };

    return serve_act(page, &act);
}

enum rc admin_account_end_sessions_page(struct page_call *page)
{
    static const struct account_act act = { .title = PAGE_TEXT_ACCOUNT_SESSIONS_TITLE,
                                            .text = PAGE_TEXT_ACCOUNT_SESSIONS_TEXT,
                                            .done = PAGE_TEXT_ACCOUNT_SESSIONS_ENDED,
                                            .run = end_sessions };

    return serve_act(page, &act);
}

enum rc admin_account_revoke_tokens_page(struct page_call *page)
{
    static const struct account_act act = { .title = PAGE_TEXT_ACCOUNT_TOKENS_TITLE,
                                            .text = PAGE_TEXT_ACCOUNT_TOKENS_TEXT,
                                            .done = PAGE_TEXT_ACCOUNT_TOKENS_REVOKED,
                                            .run = revoke_tokens };

    return serve_act(page, &act);
}
