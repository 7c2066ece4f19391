#include "web/email_pages.h"

#include "base/log.h"
#include "web/authorize_pages.h"
#include "web/passkey_pages.h"

/* ---- what all ways in share ------------------------------------------------------------------ */

/* The User-Agent, as far as it is text. */
static struct str device_name(const struct page_call *page)
{
    const struct http_header *agent =
        http_find_header(&page->call->exchange->request, STR("user-agent"));
    struct str rest = agent == NULL ? STR("") : agent->value;
    struct buffer name =
        buffer_over(arena_alloc(page->call->exchange->arena, DEVICE_BYTES_MAX), DEVICE_BYTES_MAX);

    while (rest.len > 0 && !name.overflow) {
        size_t len = str_utf8_sequence(rest);

        if (len == 0)
            buffer_append_byte(&name, '?');
        else
            buffer_append(&name, rest.at, len);
        rest = str_from(rest, len == 0 ? 1 : len);
    }
    return buffer_str(&name);
}

struct browser page_browser(const struct page_call *page)
{
    return (struct browser){ .address = page->call->oauth.address,
                             .device = device_name(page),
                             .now = page->call->oauth.now };
}

/* Where the browser wanted to go. */
static struct str next_of(const struct page_call *page)
{
    struct str name = STR("next");

    return page_next(page_is_get(page) ? page_parameter(page, name) : page_field(page, name));
}

/* The session of the result is this browser's from now on. */
static void take(struct page_call *page, const struct account *account,
                 struct browser_result *result)
{
    page_give_session(page, result->value);
    explicit_bzero(result->value, sizeof(result->value));
    page->call->has_oauth = true; /* a line in the log */
    page->call->oauth.log_username = account->name;
}

void page_log_refusal(const struct page_call *page, const char *why)
{
    const struct http_request *request = &page->call->exchange->request;
    char address[HTTP_ADDRESS_TEXT_BYTES];

    log_event(LOG_INFO, "refused", LOG_TEXT("request_id", request->id),
              LOG_TEXT("endpoint", page->call->endpoint->name),
              LOG_STR("address", http_address_format(&request->client, address)),
              LOG_STR("username", page->call->oauth.log_username), LOG_TEXT("why", why));
}

/* Says no to whatever the verdict is, on the page that comes next. */
static int refuse(struct page_call *page, const struct browser_result *result, const char *field,
                  enum page_text text)
{
    page_log_refusal(page, result->why);
    if (result->verdict != SIGN_IN_WAIT) {
        page_add_error(page, field, page_say(text));
        return 403;
    }
    page_add_wait(page, result->wait_s);
    return 429;
}

/* ---- name and password ----------------------------------------------------------------------- */

static enum rc show_sign_in(struct page_call *page, int status)
{
    struct page_sign_in values = { .frame = &page->frame,
                                   .next = next_of(page),
                                   .may_reset = page_sends_mail(page),
                                   .may_register = register_is_open(page) };
    enum rc rc = authorize_allow_forms(page, values.next);

    /* One that waits for a second factor has its passkeys on the next page. */
    if (rc == RC_OK && !page->has_session)
        rc = passkey_request_options(page, &values.passkey_options);
    if (rc != RC_OK)
        return rc;
    values.username =
        status != 200 ? page_field(page, STR("username")) : page_parameter(page, STR("hint"));
    page_sign_in_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

static enum rc do_sign_in(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct browser browser = page_browser(page);
    const struct secret *password;
    struct browser_result result;
    enum rc rc;

    if (!oauth->may_hash)
        return RC_NEEDS_HASH;
    password = page_secret(page, STR("password"));
    if (password == NULL) /* longer than any can be; PW-07: what it costs says so to nobody */
        return show_sign_in(page, refuse(page, &(struct browser_result){ .why = "too long" },
                                         "username", PAGE_TEXT_SIGN_IN_FAILED));
    oauth->log_username = page_field(page, STR("username"));
    rc = browser_sign_in(oauth->oauth->door, &browser, oauth->log_username, password,
                         page->has_session ? &page->session : NULL, oauth->arena, &result);
    if (rc != RC_OK)
        return rc;
    if (result.verdict != SIGN_IN_OK && result.verdict != SIGN_IN_CODE_MISSING)
        return show_sign_in(page, refuse(page, &result, "username", PAGE_TEXT_SIGN_IN_FAILED));
    take(page, &(struct account){ .name = oauth->log_username }, &result);
    if (result.verdict == SIGN_IN_OK)
        page_redirect(page, next_of(page));
    else
        page_redirect(page, page_path_with_next(page, STR("/sign-in/code"), next_of(page)));
    return RC_OK;
}

enum rc sign_in_page(struct page_call *page)
{
    if (!page_is_get(page))
        return do_sign_in(page);
    /* Who wants to be somebody else is so when that sign-in is done, not before. */
    if (!page->is_signed_in || page_parameter(page, STR("other")).len > 0)
        return show_sign_in(page, 200);
    page_redirect(page, next_of(page));
    return RC_OK;
}

/* ---- the code -------------------------------------------------------------------------------- */

static enum rc show_code(struct page_call *page, int status, bool is_wrong)
{
    struct str by =
        page_is_get(page) ? page_parameter(page, STR("by")) : page_field(page, STR("by"));
    struct page_sign_in_code values = { .frame = &page->frame, .next = next_of(page) };
    size_t code_count;
    enum rc rc =
        profile_count_recovery_codes(page->call->oauth.oauth->store, page->account.id, &code_count);

    if (rc == RC_OK)
        rc = authorize_allow_forms(page, values.next);
    if (rc == RC_OK)
        rc = passkey_request_options(page, &values.passkey_options);
    if (rc != RC_OK)
        return rc;
    values.has_recovery_codes = code_count > 0;
    values.has_app = page->account.has_code_factor;
    values.asks_code = values.has_app || values.has_recovery_codes;
    values.by_recovery_code = !values.has_app || str_equal(by, STR("recovery"));
    if (is_wrong)
        values.code_error = page_say(values.by_recovery_code ? PAGE_TEXT_RECOVERY_CODE_WRONG
                                                             : PAGE_TEXT_CODE_WRONG);
    page_sign_in_code_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

/* What it waited for has ended. */
static void begin_anew(struct page_call *page, const struct browser_result *result)
{
    page_log_refusal(page, result->why);
    page_drop_session(page);
    page_redirect_notice(page, page_path_with_next(page, STR("/sign-in"), next_of(page)),
                         page_say(PAGE_TEXT_SIGN_IN_EXPIRED));
}

static enum rc do_code(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct browser browser = page_browser(page);
    bool is_recovery = str_equal(page_field(page, STR("by")), STR("recovery"));
    struct browser_result result;
    enum rc rc;

    oauth->log_username = page->account.name;
    rc = browser_sign_in_code(oauth->oauth->door, &browser, &page->session, &page->account,
                              page_field(page, STR("code")), oauth->arena, &result);
    if (rc != RC_OK)
        return rc;
    if (result.verdict == SIGN_IN_OK) {
        take(page, &page->account, &result);
        page_redirect(page, next_of(page));
        return RC_OK;
    }
    if (result.verdict == SIGN_IN_WRONG) {
        begin_anew(page, &result);
        return RC_OK;
    }
    return show_code(page,
                     refuse(page, &result, "code",
                            is_recovery ? PAGE_TEXT_RECOVERY_CODE_WRONG : PAGE_TEXT_CODE_WRONG),
                     result.verdict != SIGN_IN_WAIT);
}

enum rc sign_in_code_page(struct page_call *page)
{
    if (page->is_signed_in) {
        page_redirect(page, next_of(page));
        return RC_OK;
    }
    if (!page->is_waiting_for_code) { /* PW-13: nobody comes here without a password */
        struct str path = page_path_with_next(page, STR("/sign-in"), next_of(page));

        if (page_is_get(page))
            page_redirect(page, path);
        else
            page_redirect_notice(page, path, page_say(PAGE_TEXT_SIGN_IN_EXPIRED));
        return RC_OK;
    }
    return page_is_get(page) ? show_code(page, 200, false) : do_code(page);
}

/* ---- once more ------------------------------------------------------------------------------- */

static enum rc show_again(struct page_call *page, int status, struct page_words password_error,
                          struct page_words code_error)
{
    const struct account *account = &page->account;
    struct page_sign_in_again values = { .frame = &page->frame,
                                         .username = account->name,
                                         .next = next_of(page),
                                         .has_app = account->has_code_factor,
                                         .asks_code = account->has_second_factor,
                                         .password_error = password_error,
                                         .code_error = code_error };
    size_t code_count = 0;
    enum rc rc = authorize_allow_forms(page, values.next);

    if (rc == RC_OK)
        rc = passkey_request_options(page, &values.passkey_options);

    if (rc == RC_OK && account->has_second_factor)
        rc = profile_count_recovery_codes(page->call->oauth.oauth->store, account->id, &code_count);
    if (rc != RC_OK)
        return rc;
    /* A password that needs a code is of no use where there is none. */
    values.asks_password = !values.asks_code || values.has_app || code_count > 0;
    page_sign_in_again_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

static enum rc refuse_again(struct page_call *page, const struct browser_result *result)
{
    const struct page_words none = page_say(PAGE_TEXT_NONE);
    bool is_code = result->verdict == SIGN_IN_CODE_WRONG || result->verdict == SIGN_IN_CODE_MISSING;
    enum page_text text = is_code ? PAGE_TEXT_CODE_WRONG : PAGE_TEXT_PASSWORD_WRONG;
    int status = refuse(page, result, is_code ? "code" : "password", text);

    if (status == 429)
        return show_again(page, status, none, none);
    return show_again(page, status, is_code ? none : page_say(text),
                      is_code ? page_say(text) : none);
}

static enum rc do_again(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct browser browser = page_browser(page);
    struct str code = page_field(page, STR("code"));
    const struct secret *password = page_secret(page, STR("password"));
    struct browser_result result = { .verdict = SIGN_IN_WRONG, .why = "too long" };
    enum rc rc = RC_OK;

    if (!oauth->may_hash)
        return RC_NEEDS_HASH;
    oauth->log_username = page->account.name;
    if (password != NULL)
        rc = browser_prove(oauth->oauth->door, &browser, &page->session, &page->account, password,
                           code.len > 0 ? &code : NULL, oauth->arena, &result);
    if (rc != RC_OK)
        return rc;
    if (result.verdict != SIGN_IN_OK)
        return refuse_again(page, &result);
    take(page, &page->account, &result);
    page_redirect(page, next_of(page));
    return RC_OK;
}

enum rc sign_in_again_page(struct page_call *page)
{
    if (!page_is_get(page))
        return do_again(page);
    return show_again(page, 200, page_say(PAGE_TEXT_NONE), page_say(PAGE_TEXT_NONE));
}

/* ---- a passkey, on any of the three ---------------------------------------------------------- */

enum rc sign_in_answer_passkey(struct page_call *page, const struct account *account,
                               struct browser_result *result)
{
    const struct page_words none = page_say(PAGE_TEXT_NONE);
    int status;

    if (result->verdict == SIGN_IN_OK) {
        take(page, account, result);
        page_redirect(page, next_of(page));
        return RC_OK;
    }
    if (result->verdict == SIGN_IN_WRONG) {
        begin_anew(page, result);
        return RC_OK;
    }
    status = refuse(page, result, "", PAGE_TEXT_PASSKEY_REFUSED);
    if (page->is_signed_in)
        return show_again(page, status, none, none);
    return page->is_waiting_for_code ? show_code(page, status, false) : show_sign_in(page, status);
}

/* ---- out ------------------------------------------------------------------------------------- */

enum rc sign_out_page(struct page_call *page)
{
    const struct browser browser = page_browser(page);
    enum rc rc = RC_OK;

    if (page->has_session)
        rc = logout_browser(&page->call->oauth, &browser, &page->session);
    if (rc != RC_OK)
        return rc;
    page_drop_session(page);
    page_redirect_notice(page, STR("/"), page_say(PAGE_TEXT_SIGNED_OUT));
    return RC_OK;
}
