/*
 * web/page_call.h: one request for a page: who is asking, and what every page's handler shares.
 *
 * A page is a row of the endpoint table with `page` instead of `handler`, and with what it needs
 * (bits of enum page_need). Before the handler runs, page_serve has read the cookie, the session
 * and its account, chosen the language, checked on a POST that it comes from one of our own forms
 * in this browser, and sent whoever lacks what the row needs to where it can be had. A handler so
 * only ever sees people who may be there. It answers RC_OK (a page or a redirect is written),
 * RC_NEEDS_HASH, or a fault; never RC_REFUSED.
 *
 * Shape of a handler:
 *
 *     enum rc tokens_page(struct page_call *page)
 *     {
 *         struct page_tokens values = { .frame = &page->frame };
 *         ...
 *         page->frame.at_tokens = true;
 *         page_tokens_render(&values, page->language, page_begin(page, 200));
 *         return RC_OK;
 *     }
 *
 * The cookie (SE-01, SE-02): 43 characters of base64url for a session, one more for a browser that
 * has none yet, so that its forms have something to be bound to. Only the value is random and
 * ours; whatever else comes is dropped. The forms carry a MAC of the cookie's value (SE-03, SE-04),
 * which therefore changes at sign-in, code, step-up and sign-out as the cookie does.
 *
 * Lifetimes: everything lives in the request's arena. Threads: as handlers.
 */
#ifndef JETON_WEB_PAGE_CALL_H
#define JETON_WEB_PAGE_CALL_H

#include "account/browser_session.h"
#include "pages.h"
#include "web/endpoint.h"

/* What a row needs; page_call.c brings people there. */
enum page_need {
    NEEDS_NOBODY = 0,
    NEEDS_SIGN_IN = 1u << 0, /* else /sign-in, and back */
    NEEDS_PROOF = 1u << 1,   /* and a proof that is fresh: else /sign-in/again, and back */
    NEEDS_ADMIN = 1u << 2,   /* and an administrator: else 403 */
    /* A browser that can be told from others: the page has a form that the signed-out may send. */
    NEEDS_BROWSER = 1u << 3,
    /* Forms of other sites may be sent here: the handler changes nothing on a POST. */
    TAKES_FOREIGN_FORMS = 1u << 4
};

enum {
    PAGE_ERROR_COUNT_MAX = 16,
    PAGE_PATH_BYTES_MAX = 4096, /* of a way back; escaped it is longer, and has to fit a target */
    PAGE_HANDLE_BYTES_MAX = 64, /* of page_handle_seal's text */
    PAGE_NOTICE_S = 60,
    PAGE_CSRF_BYTES = 43
};

struct page_call {
    struct web_call *call; /* call->oauth, call->form of a POST, call->rest */
    const struct page_language *language;
    struct page_frame frame; /* filled; a handler sets its at_… */
    bool is_signed_in;       /* in full */
    bool is_waiting_for_code;
    bool has_session;               /* one of the two */
    struct browser_session session; /* has_session */
    struct account account;         /* has_session */
    bool is_https;                  /* as the browser sees it */
    struct str base_url;            /* "https://host:port" as the browser sees it */
    struct str form_target;         /* where its forms may go besides, for the policy; or empty */

    /* page_call.c's own. */
    struct form query;
    struct str cookie; /* the browser's, or the one that it is given with this answer */
    bool gives_cookie;
    char csrf[PAGE_CSRF_BYTES];
    struct page_frame_errors errors[PAGE_ERROR_COUNT_MAX];
};

/* Opens the call, checks what the row promises, and lets its handler answer. */
enum rc page_serve(struct web_call *call) MUST_CHECK;

/* A call for a page that says no to a request that was not opened: of nobody, without a cookie. */
void page_open_for_refusal(struct web_call *call, struct page_call *page);

/* A refusal or fault (call->oauth.refusal) as a page; nobody is looked up for it. */
void page_answer_refusal(struct web_call *call);

/* For a path that stands for nothing; the call has no endpoint. */
void page_answer_not_found(struct web_call *call);

/* ---- what was asked ------------------------------------------------------------------------- */

/* GET, or HEAD. */
bool page_is_get(const struct page_call *page);

/* A field of the form, or a parameter of the query; empty when it was not sent. */
struct str page_field(const struct page_call *page, struct str name);
struct str page_parameter(const struct page_call *page, struct str name);

/* A field as a secret; an empty one when it was not sent; NULL when it is too long. In the arena.
 */
const struct secret *page_secret(struct page_call *page, struct str name);

/* ---- what is answered ----------------------------------------------------------------------- */

/*
 * Begins a page: status, headers (SE-07, AZ-12), cookie. The frame must be complete but for what
 * the handler still sets in it.
 */
struct buffer *page_begin(struct page_call *page, int status);

/* Adds to the summary of errors; field is the id of an input, or empty. */
void page_add_error(struct page_call *page, const char *field, struct page_words words);

/* A message without values. */
static inline struct page_words page_say(enum page_text text)
{
    return (struct page_words){ .text = text };
}

/* The page's forms, and what redirects follow them, may lead to this registered URI of a client.
 * Before page_begin. */
void page_allow_form_to(struct page_call *page, struct str redirect_uri);

/* 303 to the registered URI of a client, with an answer to it. */
void page_redirect_out(struct page_call *page, struct str uri);

/* A page that says no: 403, 404, 429, 503 and so on. */
void page_answer_error(struct page_call *page, int status, enum page_text text);

/* 303 to a path of ours, literal or checked by page_next; the browser asks for it with GET. */
void page_redirect(struct page_call *page, struct str path);

/* Answers a form of another site, with which browsers send no cookie: come again by GET, with the
 * form as the query. */
void page_come_by_get(struct page_call *page);

/* page_redirect, and the next page shows a notice. The URL carries it sealed, for this account and
 * a short time, so that nobody can make up one. */
void page_redirect_notice(struct page_call *page, struct str path, struct page_words words);

/* ---- who may -------------------------------------------------------------------------------- */

/*
 * For what only some requests of a row need. False: the answer is written (a redirect, with the way
 * back to this path and query; or a page), and the handler returns RC_OK.
 */
bool page_require_sign_in(struct page_call *page);
bool page_require_proof(struct page_call *page);
bool page_require_admin(struct page_call *page);

/*
 * A way back that leads nowhere else (SE-09): the path if it is one of this server's, "/"
 * otherwise.
 */
struct str page_next(struct str path);

/* "/sign-in?next=…" */
struct str page_path_with_next(struct page_call *page, struct str path, struct str next);

/* The path of a form with a user name that a client has heard of (login_hint). */
struct str page_path_with_hint(struct page_call *page, struct str path, struct str hint);

/* ---- the session ---------------------------------------------------------------------------- */

/* The browser gets this value with the answer (browser_session_begin's); its frame and csrf follow.
 */
void page_give_session(struct page_call *page, const char value[static BROWSER_VALUE_BYTES]);

/* The browser gets a new cookie that stands for nobody. */
void page_drop_session(struct page_call *page);

/* ---- ids in forms --------------------------------------------------------------------------- */

/*
 * Our ids are not for the outside (model/nouns.h). A form or path carries them sealed, good for one
 * kind of thing and one account: letters, digits, '-' and '_'.
 */
struct str page_handle_seal(struct page_call *page, const char *kind, int64_t id);

/* False: not ours, of another kind, or of another account. */
bool page_handle_open(struct page_call *page, const char *kind, struct str handle, int64_t *out_id);

#endif
