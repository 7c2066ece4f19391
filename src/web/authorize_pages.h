/*
 * web/authorize_pages.h: the authorization endpoint as browsers see it (RFC 6749 3.1, 4.1): where
 * they are sent, the question for consent, and the answer to the client.
 *
 * The request stays in the address while its person signs in, so nothing is kept for browsers that
 * never come back, and whatever happens meanwhile is judged anew. For the web room alone.
 */
#ifndef JETON_WEB_AUTHORIZE_PAGES_H
#define JETON_WEB_AUTHORIZE_PAGES_H

#include "oauth/authorization.h"
#include "web/page_call.h"

page_handler authorize_page;
page_handler consent_page;
endpoint_handler pushed_request_endpoint;

/* A browser's request for authorization, read and judged. */
struct authorize_visit {
    struct str query;       /* as the client sent it */
    struct str asked_query; /* with what it has gained on the way (authorize_path_asked) */
    struct form parameters;
    struct authorization_request request;
    struct authorization_person person;
};

/*
 * Reads the request that a query holds, and who is there to answer it.
 *
 * out_can_redirect   of a refusal: it may go to the client
 *
 * Answers: RC_OK · RC_REFUSED · RC_WOULD_BLOCK; authorization_put(&visit->request) after each
 */
enum rc authorize_open(struct page_call *page, struct str query, struct authorize_visit *out_visit,
                       bool *out_can_redirect) MUST_CHECK;

/* The request's own address, which says from now on that its browser was sent to sign in. */
struct str authorize_path_asked(struct page_call *page, const struct authorize_visit *visit);

/* A parameter of an answer to the client. */
struct authorize_parameter {
    struct str name;
    struct str value;
};

/* Sends the browser to the client with an answer, to which state and iss are added: a redirect or a
 * form, as the client asked. Parameters without a value are left out. */
void authorize_answer(struct page_call *page, const struct authorization_request *request,
                      const struct authorize_parameter *parameters, size_t count);

/* Says no as the call's refusal has it: to the client, or here. */
void authorize_refuse(struct page_call *page, const struct authorize_visit *visit,
                      bool can_redirect);

/*
 * Lets the forms of the page that comes next be sent to the client's redirect URI, too: browsers
 * ask Content-Security-Policy about every redirect that follows a form. next: of a form that leads
 * to the authorization endpoint; any other one changes nothing.
 */
enum rc authorize_allow_forms(struct page_call *page, struct str next) MUST_CHECK;

#endif
