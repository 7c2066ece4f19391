/*
 * web/page_mail.h: mails that pages send, and the links in them.
 *
 * They are in the language of the page that led to them.
 */
#ifndef JETON_WEB_PAGE_MAIL_H
#define JETON_WEB_PAGE_MAIL_H

#include "web/letter.h"
#include "web/page_call.h"

/* Whether this server sends mail at all. */
bool page_sends_mail(const struct page_call *page);

/* For web/letter.h; page_sends_mail. */
struct letter_head page_letter_head(const struct page_call *page);

/*
 * Writes to somebody that their account was changed from this browser, or, on a page for them, by
 * an administrator. Where no mail is sent, or the account has no address that is known to be its
 * owner's, the letter's row is NULL.
 *
 * factor   NEWS_FACTOR_…: its name
 *
 * Answers: RC_OK.  Faults: the store's, RC_CRYPTO
 */
enum rc page_tell(const struct page_call *page, const struct account *account,
                  enum letter_news news, struct str factor, struct letter *out_letter) MUST_CHECK;

/* The same to an address that need not be the account's. */
enum rc page_tell_at(const struct page_call *page, const struct account *account,
                     enum letter_news news, struct str recipient,
                     struct letter *out_letter) MUST_CHECK;

/* Says that this server sends no mail, and whom to ask. */
enum rc page_mail_refuse(struct page_call *page);

/* The link whose value the query (GET) or the form carries, with its value as a secret in the
 * arena; RC_NOT_FOUND: used, too old, or no link.  Faults: the store's */
enum rc page_link_find(struct page_call *page, struct link *out_link,
                       const struct secret **out_value) MUST_CHECK;

#endif
