/*
 * web/sign_in_pages.h: the pages of signing in, with a second factor, once more, and out.
 *
 *   /sign-in         name and password: begins a session, or one that waits for the code
 *   /sign-in/code    the code of an authenticator app, or a recovery code
 *   /sign-in/again   step-up: password and code once more, before a sensitive act
 *   /sign-out        POST alone
 *
 * Every one keeps `next`, the way back (page_next). Unknown, wrong, disabled, locked and empty are
 * answered in the same words (PW-07).
 */
#ifndef JETON_WEB_SIGN_IN_PAGES_H
#define JETON_WEB_SIGN_IN_PAGES_H

#include "account/browser_sign_in.h"
#include "account/profile.h"
#include "web/page_call.h"

page_handler sign_in_page;
page_handler sign_in_code_page;
page_handler sign_in_again_page;
page_handler sign_out_page;

/* Who is at the browser, for account/browser_sign_in.h. */
struct browser page_browser(const struct page_call *page);

/* What a passkey's answer came to, whichever page it was asked on; account: SIGN_IN_OK. */
enum rc sign_in_answer_passkey(struct page_call *page, const struct account *account,
                               struct browser_result *result) MUST_CHECK;

/* A line in the log: who was told no, and why; oauth.log_username says who. */
void page_log_refusal(const struct page_call *page, const char *why);

#endif
