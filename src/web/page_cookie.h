/*
 * web/page_cookie.h: the browser's cookie, and what its forms and addresses carry of ours: tokens,
 * sealed ids and notices (SE-01 to SE-04).
 *
 * On https the cookie is __Host-jeton, with Secure: no other host and no plain http can set or see
 * it. On http it is jeton, and only for a loopback host (page_cookie_is_possible). For
 * web/page_call.h alone.
 */
#ifndef JETON_WEB_PAGE_COOKIE_H
#define JETON_WEB_PAGE_COOKIE_H

#include "web/page_call.h"

enum { PAGE_COOKIE_BYTES_MAX = BROWSER_VALUE_BYTES + 1 };

/* A notice for the next page, as its query carries it; and what this page's query carries. A value
 * that is too long for that is left out. */
struct str page_notice_seal(struct page_call *page, struct page_words words);
struct page_words page_notice_open(struct page_call *page);

/* Derives the keys of forms and handles from the master key. */
void page_keys_init(struct web *web);
void page_keys_deinit(struct web *web);

/* Whether the browser can be given a cookie that nobody on the way can read. */
bool page_cookie_is_possible(const struct page_call *page);

/* The one cookie of our name and form that the browser sent; empty when there is none, or more than
 * one. */
struct str page_cookie_read(const struct page_call *page);

/* Whether the value may be a session's. */
bool page_cookie_is_session(struct str cookie);

/* A new value for a browser without a session; in the arena. */
struct str page_cookie_make(struct page_call *page);

/* Adds the header Set-Cookie. */
void page_cookie_write(struct page_call *page);

/* Fills page->csrf from page->cookie. */
void page_csrf_make(struct page_call *page);

/* Whether the browser itself says that another site made it send this request. */
bool page_is_from_elsewhere(const struct page_call *page);

/* Whether a POST was sent by a form of ours in this browser. */
bool page_csrf_is_right(const struct page_call *page);

#endif
