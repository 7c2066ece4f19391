#include "codec/base64url.h"
#include "codec/uri.h"
#include "crypto/digest.h"
#include "web/authorize_pages.h"
#include "web/page_cookie.h"

/*
 * What the address of a request gains when its browser is sent to sign in: when that was, and which
 * session it had then. A sign-in that came later, and made another session, answers the wish for
 * one; it is only so that nobody is asked again and again. Both are under a MAC: a client's signed
 * request for a fresh sign-in (RFC 9101) is not to be talked out of it by the address.
 */
#define ASKED_NAME "&jeton_asked="

/* Where a request is taken up again, also from the question for consent. */
#define AUTHORIZE_PATH "/oauth2/authorize?"

enum { ASKED_MAC_BYTES = 16, ASKED_MAC_CHARS = 22, ASKED_BYTES_MAX = 80 };

static void asked_mac(const struct page_call *page, struct str what, int64_t at, int64_t session_id,
                      char out_text[static ASKED_MAC_CHARS])
{
    unsigned char mac[DIGEST_BYTES];
    struct buffer text = buffer_over(out_text, ASKED_MAC_CHARS);
    struct str message = arena_format(page->call->exchange->arena, "%lld:%lld:%.*s", (long long)at,
                                      (long long)session_id, STR_ARGS(what));

    hmac_sha256(page->call->web->form_key, STR("asked:"), message, mac);
    base64url_encode((struct str){ (const char *)mac, ASKED_MAC_BYTES }, &text);
}

static int64_t session_id_of(const struct page_call *page)
{
    return page->has_session ? page->session.id : 0;
}

struct str authorize_path_asked(struct page_call *page, const struct authorize_visit *visit)
{
    int64_t now = page->call->oauth.now;
    char whole[ASKED_MAC_CHARS], session[ASKED_MAC_CHARS];

    asked_mac(page, visit->query, now, 0, whole);
    asked_mac(page, STR(""), now, session_id_of(page), session);
    return arena_format(page->call->exchange->arena, "%s%.*s" ASKED_NAME "%lld.%.*s.%.*s",
                        AUTHORIZE_PATH, STR_ARGS(visit->query), (long long)now, ASKED_MAC_CHARS,
                        whole, ASKED_MAC_CHARS, session);
}

/* Where our own parameter begins; the query's length when it has none. */
static size_t find_asked(struct str query)
{
    const struct str name = STR(ASKED_NAME);

    for (size_t at = 0; at + name.len <= query.len; at++)
        if (query.len - at <= ASKED_BYTES_MAX + name.len &&
            str_starts_with(str_from(query, at), name))
            return at;
    return query.len;
}

/* When this browser was sent to sign in, if it has done so since; 0 else. */
static int64_t read_asked(const struct page_call *page, struct str query, struct str asked)
{
    char whole[ASKED_MAC_CHARS], session[ASKED_MAC_CHARS];
    size_t dot = str_index_of(asked, '.');
    uint64_t at;

    if (asked.len != dot + 2 + 2 * ASKED_MAC_CHARS || asked.at[dot + 1 + ASKED_MAC_CHARS] != '.' ||
        !str_parse_u64((struct str){ asked.at, dot }, INT64_MAX, &at))
        return 0;
    asked_mac(page, query, (int64_t)at, 0, whole);
    asked_mac(page, STR(""), (int64_t)at, session_id_of(page), session);
    if (!secret_bytes_equal(whole, asked.at + dot + 1, ASKED_MAC_CHARS) ||
        secret_bytes_equal(session, asked.at + dot + 2 + ASKED_MAC_CHARS, ASKED_MAC_CHARS))
        return 0;
    return (int64_t)at;
}

enum rc authorize_open(struct page_call *page, struct str query, struct authorize_visit *out_visit,
                       bool *out_can_redirect)
{
    size_t own = find_asked(query);
    struct str asked = own < query.len ? str_from(query, own + sizeof(ASKED_NAME) - 1) : STR("");
    enum rc rc;

    out_visit->query = (struct str){ query.at, own };
    out_visit->asked_query = query;
    out_visit->person = (struct authorization_person){ .account = NULL };
    out_visit->request = (struct authorization_request){ .client = NULL };
    *out_can_redirect = false;
    if (page->is_signed_in)
        out_visit->person = (struct authorization_person){
            .account = &page->account,
            .session = &page->session,
            .asked_at = read_asked(page, out_visit->query, asked),
        };
    rc = form_parse(out_visit->query, page->call->exchange->arena, &out_visit->parameters);
    if (rc != RC_OK)
        return oauth_refuse(&page->call->oauth, OAUTH_INVALID_REQUEST,
                            "the parameters are malformed", NULL);
    return authorization_read(&page->call->oauth, &out_visit->parameters, &out_visit->request,
                              out_can_redirect);
}

enum rc authorize_allow_forms(struct page_call *page, struct str next)
{
    static const struct str path = { AUTHORIZE_PATH, sizeof(AUTHORIZE_PATH) - 1 };
    struct authorize_visit *visit;
    bool can_redirect = false;
    enum rc rc;

    if (!str_starts_with(next, path))
        return RC_OK;
    visit = arena_alloc(page->call->exchange->arena, sizeof(*visit));
    rc = authorize_open(page, str_from(next, path.len), visit, &can_redirect);
    if (rc == RC_OK || (rc == RC_REFUSED && can_redirect))
        page_allow_form_to(page, visit->request.redirect_uri);
    authorization_put(&visit->request);
    /* What is wrong with the request is said where it is answered. */
    page->call->oauth.refusal = (struct refusal){ 0 };
    return rc == RC_REFUSED ? RC_OK : rc;
}
