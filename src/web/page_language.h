/*
 * web/page_language.h: which language a person reads, and the switch at the foot of every page.
 *
 * First comes what was chosen at the foot: a cookie that holds a language's code and nothing that
 * could tell one reader from another. Then the browser's Accept-Language. The switch is a form
 * that needs no script and no session; it leads back to the page where one was.
 *
 * Pages that cannot be asked for again have no switch: what a POST was answered with and that is no
 * refusal (a token's value, recovery codes), and addresses that page_next would not lead back to.
 * From a refusal it leads to the same path without its query.
 */
#ifndef JETON_WEB_PAGE_LANGUAGE_H
#define JETON_WEB_PAGE_LANGUAGE_H

#include "web/page_call.h"

/* The language for the request: the cookie's, or what Accept-Language asks for, or English. */
const struct page_language *page_language_read(const struct page_call *page);

/* Fills the frame's switch for an answer of this status, or leaves it out. */
void page_language_offer(struct page_call *page, int status);

#endif
