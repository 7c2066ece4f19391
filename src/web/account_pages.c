#include "web/email_pages.h"

#include "account/email.h"
#include "oauth/applications.h"

/* ---- shared ---------------------------------------------------------------------------------- */

struct page_words page_name_fault(struct str name, size_t max_bytes)
{
    if (name.len > max_bytes)
        return (struct page_words){ .text = PAGE_TEXT_FIELD_TOO_LONG,
                                    .number = (int64_t)max_bytes };
    if (!str_is_utf8(name) || str_has_control(name))
        return page_say(PAGE_TEXT_FIELD_UNREADABLE);
    return page_say(PAGE_TEXT_NONE);
}

void page_add_wait(struct page_call *page, int64_t wait_s)
{
    struct http_exchange *exchange = page->call->exchange;

    page_add_error(page, "",
                   (struct page_words){ .text = PAGE_TEXT_TOO_MANY_ATTEMPTS, .number = wait_s });
    http_add_header(exchange, STR("Retry-After"), /* RFC 6585 4 */
                    arena_format(exchange->arena, "%lld", (long long)wait_s));
}

int64_t page_list_begin(struct page_call *page, const char *kind)
{
    int64_t before_id;

    return page_handle_open(page, kind, page_parameter(page, STR("before")), &before_id)
               ? before_id
               : INT64_MAX;
}

bool page_place_read(struct page_call *page, const char *kind, struct page_place *out_place)
{
    struct str before = page_parameter(page, STR("before"));
    struct str after = page_parameter(page, STR("after"));
    struct page_place place = { .id = INT64_MAX, .is_above = before.len == 0 && after.len > 0 };

    if (before.len + after.len > 0 &&
        !page_handle_open(page, kind, place.is_above ? after : before, &place.id))
        return false;
    *out_place = place;
    return true;
}

/* What stands above an id and what stands below the next one are all there is. */
void page_place_links(struct page_call *page, const char *kind, struct page_place place,
                      int64_t next_id, struct str *out_newer, struct str *out_older)
{
    bool has_newer = place.is_above ? next_id != 0 : place.id != INT64_MAX;
    bool has_older = place.is_above || next_id != 0;

    *out_newer =
        has_newer ? page_handle_seal(page, kind, place.is_above ? next_id : place.id - 1) : STR("");
    *out_older =
        has_older ? page_handle_seal(page, kind, place.is_above ? place.id + 1 : next_id) : STR("");
}

/* ---- the account ----------------------------------------------------------------------------- */

static enum rc fill_factors(struct page_call *page, struct page_account *values)
{
    struct oauth_call *oauth = &page->call->oauth;
    struct factor rows[FACTOR_COUNT_MAX];
    struct page_account_factors *factors =
        arena_alloc(oauth->arena, FACTOR_COUNT_MAX * sizeof(*factors));
    struct page_account_passkeys *passkeys =
        arena_alloc(oauth->arena, FACTOR_COUNT_MAX * sizeof(*passkeys));
    size_t count;
    size_t code_count;
    enum rc rc;

    rc = profile_list_factors(oauth->oauth->store, page->account.id, oauth->arena, rows, &count);
    if (rc == RC_OK)
        rc = profile_count_recovery_codes(oauth->oauth->store, page->account.id, &code_count);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < count; i++) {
        struct str id = page_handle_seal(page, "factor", rows[i].id);

        if (rows[i].kind == FACTOR_TOTP)
            factors[values->factors_count++] = (struct page_account_factors){
                .id = id, .name = rows[i].name, .last_used_at = rows[i].last_used_at
            };
        else
            passkeys[values->passkeys_count++] = (struct page_account_passkeys){
                .id = id, .name = rows[i].name, .last_used_at = rows[i].last_used_at
            };
    }
    for (size_t i = 0; i < values->factors_count; i++)
        factors[i].n = (int64_t)i + 1;
    for (size_t i = 0; i < values->passkeys_count; i++)
        passkeys[i].n = (int64_t)i + 1;
    values->factors = factors;
    values->passkeys = passkeys;
    values->has_second_factor = page->account.has_second_factor;
    values->recovery_left = (int64_t)code_count;
    return RC_OK;
}

static enum rc show_account(struct page_call *page, int status, struct page_account *values)
{
    struct oauth_call *oauth = &page->call->oauth;
    enum rc rc = fill_factors(page, values);

    if (rc == RC_OK && page_sends_mail(page))
        rc = email_find_pending(oauth->oauth->store, &page->account, oauth->now, oauth->arena,
                                &values->pending_email);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    page->frame.at_account = true;
    values->frame = &page->frame;
    values->has_password = page->account.password_hash.len > 0;
    values->is_email_unverified = page_sends_mail(page) && page->account.email.len > 0 &&
                                  page->account.email_verified_at == 0;
    page_account_render(values, page->language, page_begin(page, status));
    return RC_OK;
}

static enum rc save_account(struct page_call *page)
{
    const struct browser browser = page_browser(page);
    struct page_account values = { .full_name = str_trim(page_field(page, STR("full_name"))),
                                   .email = str_trim(page_field(page, STR("email"))) };
    enum rc rc;

    values.full_name_error = page_name_fault(values.full_name, ACCOUNT_FULL_NAME_BYTES_MAX);
    if (values.full_name_error.text != PAGE_TEXT_NONE)
        page_add_error(page, "full-name", values.full_name_error);
    if (!profile_is_email(values.email) || (page_sends_mail(page) && values.email.len > 0 &&
                                            mail_address_check(values.email) != RC_OK)) {
        values.email_error = page_say(PAGE_TEXT_EMAIL_WRONG);
        page_add_error(page, "email", values.email_error);
    }
    if (page->frame.errors_count > 0)
        return show_account(page, 400, &values);
    /* Whoever has the address will be able to reset the password. */
    if (!str_equal(values.email, page->account.email) && !page_require_proof(page))
        return RC_OK;
    if (page_sends_mail(page) && !str_equal(values.email, page->account.email))
        return email_save(page, values.full_name, values.email);
    rc = profile_update(page->call->oauth.oauth->store, &browser, page->account.id,
                        values.full_name, values.email);
    if (rc == RC_OK)
        page_redirect_notice(page, STR("/account"), page_say(PAGE_TEXT_ACCOUNT_SAVED));
    return rc == RC_NOT_FOUND ? RC_CORRUPT : rc;
}

enum rc account_page(struct page_call *page)
{
    struct page_account values = { .full_name = page->account.full_name,
                                   .email = page->account.email };

    return page_is_get(page) ? show_account(page, 200, &values) : save_account(page);
}

/* ---- the password ---------------------------------------------------------------------------- */

static struct password_owner owner_of(const struct page_call *page)
{
    return (struct password_owner){ .name = page->account.name,
                                    .email = page->account.email,
                                    .has_second_factor = page->account.has_second_factor };
}

struct page_words page_password_fault(enum password_verdict verdict,
                                      const struct password_owner *owner)
{
    switch (verdict) {
    case PASSWORD_SHORT:
        return (struct page_words){ .text = PAGE_TEXT_PASSWORD_SHORT,
                                    .number = (int64_t)password_characters_min(owner) };
    case PASSWORD_MALFORMED:
        return page_say(PAGE_TEXT_FIELD_UNREADABLE);
    case PASSWORD_COMMON:
        return page_say(PAGE_TEXT_PASSWORD_COMMON);
    case PASSWORD_PERSONAL:
        return page_say(PAGE_TEXT_PASSWORD_IS_NAME);
    case PASSWORD_GOOD:
        break;
    }
    return page_say(PAGE_TEXT_NONE);
}

static enum rc show_password(struct page_call *page, int status, struct page_words current_error,
                             struct page_words wanted_error)
{
    const struct password_owner owner = owner_of(page);
    struct page_password_change values = { .frame = &page->frame,
                                           .asks_password = true,
                                           .current_password_error = current_error,
                                           .password_error = wanted_error,
                                           .password_min =
                                               (int64_t)password_characters_min(&owner) };

    page->frame.at_account = true;
    if (current_error.text != PAGE_TEXT_NONE)
        page_add_error(page, "current-password", current_error);
    if (wanted_error.text != PAGE_TEXT_NONE)
        page_add_error(page, "password", wanted_error);
    page_password_change_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

static enum rc answer_password(struct page_call *page, struct password_change_result *result)
{
    const struct password_owner owner = owner_of(page);
    const struct page_words none = page_say(PAGE_TEXT_NONE);

    if (result->verdict == SIGN_IN_WAIT) {
        page_add_wait(page, result->wait_s);
        return show_password(page, 429, none, none);
    }
    if (result->verdict != SIGN_IN_OK) {
        page_log_refusal(page, result->why);
        return show_password(page, 403, page_say(PAGE_TEXT_PASSWORD_WRONG), none);
    }
    if (result->is_same)
        return show_password(page, 400, none, page_say(PAGE_TEXT_PASSWORD_SAME));
    if (result->wanted != PASSWORD_GOOD)
        return show_password(page, 400, none, page_password_fault(result->wanted, &owner));
    page_give_session(page, result->value);
    explicit_bzero(result->value, sizeof(result->value));
    page_redirect_notice(page, STR("/account"), page_say(PAGE_TEXT_PASSWORD_CHANGED));
    /* Whoever had the old password may have given access to something. */
    if (str_equal(page_field(page, STR("end_applications")), STR("yes")))
        return application_revoke(&page->call->oauth, page->account.id, 0);
    return RC_OK;
}

static enum rc change_password(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct browser browser = page_browser(page);
    const struct page_words too_long = { .text = PAGE_TEXT_PASSWORD_LONG,
                                         .number = SECRET_BYTES_MAX };
    struct password_change change = { .current = page_secret(page, STR("current_password")),
                                      .wanted = page_secret(page, STR("password")),
                                      .ends_sessions = str_equal(
                                          page_field(page, STR("end_sessions")), STR("yes")),
                                      .session = &page->session };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct password_change_result result = { .verdict = SIGN_IN_WRONG };
    struct logout others = { .count = 0 };
    enum rc rc;

    if (!oauth->may_hash)
        return RC_NEEDS_HASH;
    if (change.current == NULL || change.wanted == NULL)
        return show_password(page, 400,
                             change.current == NULL ? too_long : page_say(PAGE_TEXT_NONE),
                             change.wanted == NULL ? too_long : page_say(PAGE_TEXT_NONE));
    oauth->log_username = page->account.name;
    rc = page_tell(page, &page->account, NEWS_PASSWORD, STR(""), &letter);
    change.notice = letter.row;
    if (rc == RC_OK && change.ends_sessions)
        rc = logout_note(oauth, page->account.id, 0, page->session.id, &others);
    if (rc == RC_OK)
        rc = profile_change_password(oauth->oauth->door, &browser, &page->account, &change,
                                     oauth->arena, &result);
    if (rc == RC_OK && result.verdict == SIGN_IN_OK && !result.is_same &&
        result.wanted == PASSWORD_GOOD)
        rc = logout_finish(oauth, &others);
    return rc == RC_OK ? answer_password(page, &result) : rc;
}

enum rc password_page(struct page_call *page)
{
    /* The old password proves it; where more is asked to sign in, that too. */
    if (page->account.has_second_factor && !page_require_proof(page))
        return RC_OK;
    if (!page_is_get(page))
        return change_password(page);
    return show_password(page, 200, page_say(PAGE_TEXT_NONE), page_say(PAGE_TEXT_NONE));
}
