#include "web/passkey_pages.h"

#include <stdlib.h>

#include "codec/uri.h"
#include "crypto/seal.h"
#include "web/account_pages.h"
#include "web/page_mail.h"

/* ---- the site -------------------------------------------------------------------------------- */

/* "localhost", or a name that does not end in digits, as addresses do. Browsers take no address,
 * and nothing but a loopback name over plain http (WebAuthn 5.1.2 steps 7, 8). */
static bool is_name(struct str host)
{
    return host.len > 0 && host.len <= PASSKEY_RP_ID_BYTES_MAX && host.at[0] != '[' &&
           !(host.at[host.len - 1] >= '0' && host.at[host.len - 1] <= '9');
}

/* As browsers write an origin: in lower case, without the scheme's own port (RFC 6454 6.1, 6.2). */
static struct str format_origin(const struct uri *issuer, struct str host)
{
    bool is_https = str_equal_nocase(issuer->scheme, STR("https"));
    struct str usual_port = is_https ? STR("443") : STR("80");
    size_t max_bytes = 16 + host.len + issuer->port.len;
    struct buffer origin = buffer_over(malloc(max_bytes), max_bytes);

    ASSERT(origin.at != NULL);
    buffer_append_str(&origin, is_https ? STR("https://") : STR("http://"));
    buffer_append_str(&origin, host);
    if (issuer->port.len > 0 && !str_equal(issuer->port, usual_port)) {
        buffer_append_byte(&origin, ':');
        buffer_append_str(&origin, issuer->port);
    }
    ASSERT(!origin.overflow);
    return buffer_str(&origin);
}

static void lower(struct str text, char *out_lowered)
{
    for (size_t i = 0; i < text.len; i++)
        out_lowered[i] =
            (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] - 'A' + 'a' : text.at[i]);
}

void passkey_site_init(struct web *web)
{
    struct passkey_site *site = calloc(1, sizeof(*site));
    struct str master = { (const char *)web->oauth->door->factor_keys.master_key, SEAL_KEY_BYTES };
    unsigned char key[32];
    struct uri issuer;
    char *host;

    ASSERT(site != NULL);
    web->passkeys = site;
    hkdf_sha256(master, STR("jeton challenges"), key);
    site->challenge_key = hmac_key_new(key);
    explicit_bzero(key, sizeof(key));
    site->rp_name = web->brand->name;
    if (uri_parse(web->oauth->issuer, &issuer) != RC_OK || !is_name(issuer.host))
        return;
    host = malloc(issuer.host.len);
    ASSERT(host != NULL);
    lower(issuer.host, host);
    site->rp_id = (struct str){ host, issuer.host.len };
    site->origin = format_origin(&issuer, site->rp_id);
}

void passkey_site_deinit(struct web *web)
{
    struct passkey_site *site = web->passkeys;

    hmac_key_free(site->challenge_key);
    free((void *)(uintptr_t)site->rp_id.at);
    free((void *)(uintptr_t)site->origin.at);
    free(site);
}

static bool is_at_site(const struct page_call *page)
{
    const struct passkey_site *site = page->call->web->passkeys;

    return site->rp_id.len > 0 && str_equal_nocase(page->base_url, site->origin);
}

/* ---- what both ceremonies share -------------------------------------------------------------- */

struct passkey_visitor passkey_visitor_of(const struct page_call *page)
{
    struct passkey_visitor visitor = { .browser = page_browser(page) };

    digest_sha256(page->cookie, visitor.owner);
    if (page->has_session) {
        visitor.session = &page->session;
        visitor.account = &page->account;
    }
    return visitor;
}

static struct buffer options_buffer(struct page_call *page)
{
    return buffer_over(arena_alloc(page->call->exchange->arena, PASSKEY_OPTIONS_BYTES_MAX),
                       PASSKEY_OPTIONS_BYTES_MAX);
}

enum rc passkey_request_options(struct page_call *page, struct str *out_options)
{
    const struct passkey_visitor visitor = passkey_visitor_of(page);
    struct buffer options;
    enum rc rc;

    *out_options = STR("");
    if (!is_at_site(page))
        return RC_OK;
    options = options_buffer(page);
    rc = passkey_begin_sign_in(page->call->oauth.oauth->door, page->call->web->passkeys, &visitor,
                               &options);
    if (rc == RC_OK)
        *out_options = buffer_str(&options);
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* ---- signing in ------------------------------------------------------------------------------ */

enum rc sign_in_passkey_page(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct passkey_visitor visitor = passkey_visitor_of(page);
    const struct passkey_answer answer = {
        .credential_id = page_field(page, STR("credential")),
        .client_data = page_field(page, STR("client_data")),
        .authenticator_data = page_field(page, STR("authenticator_data")),
        .signature = page_field(page, STR("signature")),
        .user_handle = page_field(page, STR("user_handle")),
    };
    struct browser_result result;
    struct account account;
    enum rc rc;

    if (page->has_session)
        oauth->log_username = page->account.name;
    rc = passkey_finish_sign_in(oauth->oauth->door, page->call->web->passkeys, &visitor, &answer,
                                oauth->arena, &result, &account);
    return rc == RC_OK ? sign_in_answer_passkey(page, &account, &result) : rc;
}

/* ---- making one ------------------------------------------------------------------------------ */

static void answer_too_many(struct page_call *page)
{
    page_redirect_notice(
        page, STR("/account"),
        (struct page_words){ .text = PAGE_TEXT_FACTORS_TOO_MANY, .number = FACTOR_COUNT_MAX });
}

static enum rc show_new(struct page_call *page, int status, struct page_words name_error)
{
    const struct passkey_visitor visitor = passkey_visitor_of(page);
    struct page_passkey_new values = { .frame = &page->frame,
                                       .name = page_field(page, STR("name")),
                                       .name_error = name_error };
    struct buffer options = options_buffer(page);
    enum rc rc;

    if (!is_at_site(page)) {
        page_answer_error(page, 404, PAGE_TEXT_PASSKEY_ELSEWHERE);
        return RC_OK;
    }
    rc = passkey_begin_registration(page->call->oauth.oauth->door, page->call->web->passkeys,
                                    &visitor, &options);
    if (rc == RC_EXISTS) {
        answer_too_many(page);
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    page->frame.at_account = true;
    values.options = buffer_str(&options);
    page_passkey_new_render(&values, page->language, page_begin(page, status));
    return RC_OK;
}

static enum rc make_passkey(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    const struct passkey_visitor visitor = passkey_visitor_of(page);
    struct passkey_new answer = {
        .credential_id = page_field(page, STR("credential")),
        .client_data = page_field(page, STR("client_data")),
        .attestation_object = page_field(page, STR("attestation")),
        .transports = page_field(page, STR("transports")),
        .name = str_trim(page_field(page, STR("name"))),
    };
    struct page_words name_error = page_name_fault(answer.name, FACTOR_NAME_BYTES_MAX);
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    const char *why = NULL;
    enum rc rc;

    if (name_error.text != PAGE_TEXT_NONE) {
        page_add_error(page, "passkey-name", name_error);
        return show_new(page, 400, name_error);
    }
    if (answer.name.len == 0)
        answer.name = STR("passkey");
    oauth->log_username = page->account.name;
    rc = page_tell(page, &page->account, NEWS_FACTOR_ADDED, answer.name, &letter);
    answer.notice = letter.row;
    if (rc == RC_OK)
        rc = passkey_finish_registration(oauth->oauth->door, page->call->web->passkeys, &visitor,
                                         &answer, &why);
    if (rc == RC_REFUSED) {
        page_log_refusal(page, why);
        page_add_error(page, "", page_say(PAGE_TEXT_PASSKEY_WRONG));
        return show_new(page, 403, page_say(PAGE_TEXT_NONE));
    }
    if (rc == RC_EXISTS)
        answer_too_many(page);
    else if (rc == RC_OK)
        rc = logout_account(oauth, &visitor.browser, page->account.id, page->session.id,
                            STR("all other sessions, by a new passkey")); /* SE-06 */
    if (rc == RC_OK)
        page_redirect_notice(
            page, STR("/account"),
            (struct page_words){ .text = PAGE_TEXT_PASSKEY_ADDED, .value = answer.name });
    return rc == RC_EXISTS ? RC_OK : rc;
}

enum rc passkey_new_page(struct page_call *page)
{
    return page_is_get(page) ? show_new(page, 200, page_say(PAGE_TEXT_NONE)) : make_passkey(page);
}
