/*
 * web/passkey_pages.h: passkeys in the pages.
 *
 *   /account/passkeys/new    makes one, after a fresh proof
 *   /sign-in/passkey         POST alone: takes the answer of the form «Use a passkey», which stands
 *                            on the three pages of signing in
 *
 * A ceremony needs a script, so its forms are hidden until app.js finds that the browser can: they
 * carry the options as JSON in data-options, and take the answer in hidden fields. The challenge in
 * them belongs to the browser's cookie, and the forms to our pages, as all forms do. What a passkey
 * is made for is the issuer's host, so the forms are there only for a browser that came to the
 * server by its issuer's name; there are none where that is an address (WebAuthn 5.1.2).
 */
#ifndef JETON_WEB_PASSKEY_PAGES_H
#define JETON_WEB_PASSKEY_PAGES_H

#include "account/passkey_factor.h"
#include "web/page_call.h"

page_handler passkey_new_page;
page_handler sign_in_passkey_page;

/* The issuer's, for the life of the web. */
void passkey_site_init(struct web *web);
void passkey_site_deinit(struct web *web);

/* The browser, as far as it has come. */
struct passkey_visitor passkey_visitor_of(const struct page_call *page);

/* For the form on a page of signing in; empty when there is nothing to offer. In the arena. */
enum rc passkey_request_options(struct page_call *page, struct str *out_options) MUST_CHECK;

#endif
