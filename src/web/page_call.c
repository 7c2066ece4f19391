#include "web/page_call.h"

#include "codec/uri.h"
#include "web/page_cookie.h"
#include "web/page_language.h"

/* ---- opening --------------------------------------------------------------------------------- */

static void read_base_url(struct page_call *page)
{
    struct dialect_call dialect_call = dialect_call_of(page->call);

    page->base_url = dialect_base_url(&dialect_call);
    page->is_https = str_starts_with(page->base_url, STR("https://"));
}

/* A query that is malformed has no parameters. */
static void read_query(struct page_call *page)
{
    const struct http_request *request = &page->call->exchange->request;

    if (form_parse(request->query, page->call->exchange->arena, &page->query) != RC_OK ||
        page->query.has_duplicate)
        page->query.field_count = 0;
}

static enum rc read_session(struct page_call *page)
{
    struct oauth_call *oauth = &page->call->oauth;
    enum rc rc;

    if (!page_cookie_is_session(page->cookie))
        return RC_OK;
    if (!oauth->may_block)
        return RC_WOULD_BLOCK;
    rc = browser_session_find(oauth->oauth->store, page->cookie, oauth->now, oauth->arena,
                              &page->session, &page->account);
    if (rc == RC_NOT_FOUND) {
        page->cookie = STR(""); /* it stands for nobody any more: SE-01 */
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    page->has_session = true;
    page->is_signed_in = page->session.stage == STAGE_SIGNED_IN;
    page->is_waiting_for_code = !page->is_signed_in;
    return RC_OK;
}

static void init_frame(struct page_call *page)
{
    const struct brand *brand = page->call->web->brand;

    page->frame = (struct page_frame){ .brand = brand->name,
                                       .logo = brand_file_version(&brand->logo),
                                       .theme = brand_file_version(&brand->theme),
                                       .version = STR(JETON_VERSION),
                                       .errors = page->errors,
                                       .notice = page_notice_open(page) };
    if (page->is_signed_in) {
        page->frame.username = page->account.name;
        page->frame.is_admin = page->account.is_admin;
    }
}

static void init_page(struct page_call *page, struct web_call *call)
{
    page->call = call;
    page->is_signed_in = false;
    page->is_waiting_for_code = false;
    page->has_session = false;
    page->account = (struct account){ 0 };
    page->gives_cookie = false;
    page->cookie = STR("");
    page->form_target = STR("");
    page->query.field_count = 0;
    read_base_url(page);
    page->language = page_language_read(page);
}

static enum rc page_open(struct web_call *call, struct page_call *page)
{
    enum rc rc;

    init_page(page, call);
    read_query(page);
    if (page_cookie_is_possible(page)) {
        page->cookie = page_cookie_read(page);
        rc = read_session(page);
        if (rc != RC_OK)
            return rc;
        /* A form without a cookie is refused. Were it given one, a form of another site, for which
         * the browser kept the session's back, would sign its user out. */
        if (page->cookie.len == 0 && (call->endpoint->needs & NEEDS_BROWSER) != 0 &&
            page_is_get(page)) {
            page->cookie = page_cookie_make(page);
            page->gives_cookie = true;
        }
    }
    init_frame(page);
    page_csrf_make(page);
    return RC_OK;
}

void page_open_for_refusal(struct web_call *call, struct page_call *page)
{
    init_page(page, call);
    init_frame(page);
}

/* ---- who may --------------------------------------------------------------------------------- */

struct str page_next(struct str path)
{
    /* RFC 3986 3.3, 3.4: what paths and queries are made of, and what browsers send as it is beside
     * that. No '\', no tab, no second slash in front: browsers would read those as the beginning of
     * another host (SE-09). */
    static const char others[] = "/?=&%-._~+:@,;!$*'()[]{}|^`";

    if (path.len == 0 || path.len > PAGE_PATH_BYTES_MAX || path.at[0] != '/' ||
        (path.len > 1 && path.at[1] == '/'))
        return STR("/");
    for (size_t i = 0; i < path.len; i++) {
        char byte = path.at[i];

        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
              (byte >= '0' && byte <= '9') || (byte != '\0' && strchr(others, byte) != NULL)))
            return STR("/");
    }
    return path;
}

struct str page_path_with_next(struct page_call *page, struct str path, struct str next)
{
    size_t max_bytes = path.len + 8 + 3 * next.len;
    char *memory = arena_alloc(page->call->exchange->arena, max_bytes);
    struct buffer text = buffer_over(memory, max_bytes);

    buffer_append_str(&text, path);
    if (next.len > 1) {
        BUFFER_APPEND_LITERAL(&text, "?next=");
        uri_encode(next, &text);
    }
    ASSERT(!text.overflow);
    return buffer_str(&text);
}

struct str page_path_with_hint(struct page_call *page, struct str path, struct str hint)
{
    static const struct str name = { "&hint=", 6 };
    size_t max_bytes = path.len + name.len + 3 * hint.len;
    char *memory = arena_alloc(page->call->exchange->arena, max_bytes);
    struct buffer text = buffer_over(memory, max_bytes);

    buffer_append_str(&text, path);
    buffer_append_str(&text, name);
    uri_encode(hint, &text);
    return hint.len > ACCOUNT_NAME_BYTES_MAX ? path : buffer_str(&text);
}

/* To a page that gives what is missing, and back here by GET. */
static void send_to(struct page_call *page, struct str path)
{
    const struct endpoint *endpoint = page->call->endpoint;
    struct str here = STR("/");

    if (page_is_get(page))
        here = page_next(page->call->exchange->request.target);
    else if ((endpoint->methods & METHOD_GET) != 0)
        here = page_next(page->call->exchange->request.path);
    page_redirect(page, page_path_with_next(page, path, here));
}

bool page_require_sign_in(struct page_call *page)
{
    if (page->is_signed_in)
        return true;
    /* PW-13: with a password alone, nothing but the code's page can be reached. */
    send_to(page, page->is_waiting_for_code ? STR("/sign-in/code") : STR("/sign-in"));
    return false;
}

bool page_require_proof(struct page_call *page)
{
    if (!page_require_sign_in(page))
        return false;
    if (!browser_session_needs_proof(&page->session, page->call->oauth.now))
        return true;
    send_to(page, STR("/sign-in/again"));
    return false;
}

bool page_require_admin(struct page_call *page)
{
    if (!page_require_sign_in(page))
        return false;
    if (page->account.is_admin)
        return true;
    page_answer_error(page, 403, PAGE_TEXT_FORBIDDEN);
    return false;
}

/* Whether the handler may be asked; else the answer is written. */
static bool is_admitted(struct page_call *page)
{
    unsigned needs = page->call->endpoint->needs;

    if (needs != NEEDS_NOBODY && !page_cookie_is_possible(page)) {
        page_answer_error(page, 403, PAGE_TEXT_NEEDS_HTTPS);
        return false;
    }
    if ((needs & (NEEDS_SIGN_IN | NEEDS_PROOF | NEEDS_ADMIN)) != 0 && !page_require_sign_in(page))
        return false;
    if ((needs & NEEDS_ADMIN) != 0 && !page_require_admin(page))
        return false;
    if (!page_is_get(page) && (needs & TAKES_FOREIGN_FORMS) == 0 && !page_csrf_is_right(page)) {
        page_answer_error(page, 403, PAGE_TEXT_FORM_EXPIRED);
        return false;
    }
    return (needs & NEEDS_PROOF) == 0 || page_require_proof(page);
}

enum rc page_serve(struct web_call *call)
{
    UNINITIALIZED struct page_call page; /* page_open leaves out nothing that is read */
    enum rc rc = page_open(call, &page);

    if (rc != RC_OK)
        return rc;
    if (is_admitted(&page))
        rc = call->endpoint->page(&page);
    /* A page that does not fit is our bug, but nobody else's. */
    return rc == RC_OK && call->exchange->response.body.overflow ? RC_SYSTEM : rc;
}

/* ---- what was asked -------------------------------------------------------------------------- */

bool page_is_get(const struct page_call *page)
{
    enum http_method method = page->call->exchange->request.method;

    return method == HTTP_GET || method == HTTP_HEAD;
}

static struct str found_or_empty(const struct str *value)
{
    return value == NULL ? STR("") : *value;
}

struct str page_field(const struct page_call *page, struct str name)
{
    return found_or_empty(form_find(&page->call->form, name));
}

struct str page_parameter(const struct page_call *page, struct str name)
{
    return found_or_empty(form_find(&page->query, name));
}

const struct secret *page_secret(struct page_call *page, struct str name)
{
    struct secret *secret = arena_alloc(page->call->exchange->arena, sizeof(*secret));

    return secret_set(secret, page_field(page, name)) == RC_OK ? secret : NULL;
}

/* ---- the session ----------------------------------------------------------------------------- */

void page_give_session(struct page_call *page, const char value[static BROWSER_VALUE_BYTES])
{
    page->cookie =
        arena_copy(page->call->exchange->arena, (struct str){ value, BROWSER_VALUE_BYTES });
    page->gives_cookie = true;
    page_csrf_make(page);
}

void page_drop_session(struct page_call *page)
{
    page->cookie = page_cookie_make(page);
    page->gives_cookie = true;
    page->has_session = false;
    page->is_signed_in = false;
    page->is_waiting_for_code = false;
    page->account = (struct account){ 0 };
    page->frame.username = STR("");
    page->frame.is_admin = false;
    page_csrf_make(page);
}
