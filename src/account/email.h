/*
 * account/email.h: e-mail addresses, which count when a link that was sent there was followed.
 *
 * Until then the old address stays. Whoever reads the mails of the old one is told of the change,
 * and so is the new one. Reset links go to an address, so they end with it.
 */
#ifndef JETON_ACCOUNT_EMAIL_H
#define JETON_ACCOUNT_EMAIL_H

#include "account/browser_sign_in.h"
#include "account/link.h"

/*
 * Saves the full name, and stores a drafted LINK_VERIFY with its mail to the address that is to be
 * the account's.
 *
 * Answers: RC_OK · RC_SPENT this account, or RC_TOO_LARGE this computer, has asked for as many
 * mails as may be · RC_NOT_FOUND the account is gone.  Faults: the store's
 */
enum rc email_send_link(const struct account_door *door, const struct browser *browser,
                        const struct account *account, struct str full_name,
                        const struct link *link, const struct mail *notice) MUST_CHECK;

/* Saves the full name and takes the address away.  RC_NOT_FOUND the account is gone.
 *
 * notice   to the old address; NULL: none */
enum rc email_remove(struct store *store, const struct browser *browser,
                     const struct account *account, struct str full_name,
                     const struct mail *notice) MUST_CHECK;

/* The address that waits to be confirmed in place of the account's; RC_NOT_FOUND: none.  Faults:
 * the store's */
enum rc email_find_pending(struct store *store, const struct account *account, int64_t now,
                           struct arena *arena, struct str *out_email) MUST_CHECK;

/* Ends the links to such an address; again is fine. */
enum rc email_cancel_pending(struct store *store, const struct browser *browser,
                             int64_t account_id) MUST_CHECK;

enum { EMAIL_NOTICE_COUNT = 2 };

/*
 * Uses up a LINK_VERIFY that was found: its address is the account's from now on.
 *
 * notices   to the old address and the new one; NULL: none
 *
 * Answers: RC_OK · RC_NOT_FOUND the link has been used or replaced · RC_EXISTS the address is
 * another's by now.  Faults: the store's
 */
enum rc email_confirm(struct store *store, const struct browser *browser, const struct link *link,
                      const struct mail *const notices[static EMAIL_NOTICE_COUNT]) MUST_CHECK;

#endif
