/*
 * web/email_pages.h: addresses that are verified before they count, and accounts that people make
 * for themselves.
 *
 *   /email-verify   what the links of both lead to: confirms the address, or makes the account
 *   /account/verify-email   a link to an address that is not confirmed yet
 *   /account/cancel-email   ends the links to another address
 *   /register       name, address and password of an account that is made when its link is followed
 *
 * Nobody learns from /register who has an account: its answer is always the same, whether the name
 * or the address is taken. Whoever reads the mails of a taken address is told so by mail; a taken
 * name is told to whoever follows the link, who can then choose another.
 */
#ifndef JETON_WEB_EMAIL_PAGES_H
#define JETON_WEB_EMAIL_PAGES_H

#include "web/account_pages.h"
#include "web/page_mail.h"

/* Saves full name and address of the page's account and answers. Another address, or one that is
 * not verified, gets a link first; until it is followed the old one stays. Needs page_sends_mail.
 */
enum rc email_save(struct page_call *page, struct str full_name, struct str email) MUST_CHECK;

/* The form for a new account once more; with a name that was taken meanwhile. */
enum rc register_show_taken(struct page_call *page, const struct link *link) MUST_CHECK;

/* Whether people may make accounts here. */
bool register_is_open(const struct page_call *page);

#endif
