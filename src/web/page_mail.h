/*
 * web/page_mail.h: mails that pages send: rendered, and queued in the unit of what they tell of.
 *
 * Their links begin with the issuer's host, whatever the request says that ours is (PW-09). They
 * are in the language of the page that led to them.
 */
#ifndef JETON_WEB_PAGE_MAIL_H
#define JETON_WEB_PAGE_MAIL_H

#include "account/link.h"
#include "mail/outbox.h"
#include "web/page_call.h"

enum {
    PAGE_MAIL_BYTES_MAX = 4 * 1024, /* a subject and a few lines */
    /* What one mail takes of an arena: its text, and what the outbox makes of it. */
    PAGE_MAIL_ARENA_BYTES = PAGE_MAIL_BYTES_MAX + 2 * (OUTBOX_CONTENT_BYTES_MAX + 1024)
};

/* Whether this server sends mail at all. */
bool page_sends_mail(const struct page_call *page);

/* Memory for the text of a mail, from an arena that stays until the unit is committed. */
struct buffer page_mail_begin(struct arena *arena);

/*
 * Queues what was rendered: one step, or two for nobody.
 *
 * draft   recipient, until and is_for_nobody; the rest is the text's
 *
 * Answers: RC_OK · RC_INVALID no mail can be sent to that address.  Faults: the store's, RC_CRYPTO
 */
enum rc page_mail_queue(struct page_call *page, struct mail_draft draft, const struct buffer *text,
                        struct arena *arena, struct store_unit *unit) MUST_CHECK;

/* Tells somebody that their password (is_email: their address) was changed from this browser. */
enum rc page_mail_tell_change(struct page_call *page, const struct account *account,
                              struct str recipient, bool is_email, struct arena *arena,
                              struct store_unit *unit) MUST_CHECK;

/* An event of the account, 0: nobody's, from this browser. */
void page_mail_add_event(const struct page_call *page, int64_t account_id, struct str detail,
                         struct store_unit *unit);

/* Says that this server sends no mail, and whom to ask. */
enum rc page_mail_refuse(struct page_call *page);

/* The link whose value the query (GET) or the form carries, with its value as a secret in the
 * arena; RC_NOT_FOUND: used, too old, or no link.  Faults: the store's */
enum rc page_link_find(struct page_call *page, struct link *out_link,
                       const struct secret **out_value) MUST_CHECK;

#endif
