/*
 * account/registration.h: accounts that people make for themselves, by a link in a mail.
 *
 * Nobody learns by asking who has an account: whether the address is taken or not the same work is
 * done, and nothing asks whether the name is (PW-08). Whoever follows the link may be told.
 */
#ifndef JETON_ACCOUNT_REGISTRATION_H
#define JETON_ACCOUNT_REGISTRATION_H

#include "account/browser_sign_in.h"
#include "account/link.h"

/* The account that has this address already; id 0: nobody.  Faults: the store's */
enum rc registration_find_owner(struct store *store, struct str email, struct arena *arena,
                                struct account *out_account) MUST_CHECK;

/*
 * Stores a drafted LINK_REGISTER with its mail and the event.
 *
 * owner_id   of the account that has the address; 0: it is free
 *
 * Answers: RC_OK · RC_SPENT this address has been sent as many mails as may be, and nobody may be
 * told so · RC_TOO_LARGE the computer has to wait (THROTTLE_MAIL_S).  Faults: the store's
 */
enum rc registration_send_link(const struct account_door *door, const struct browser *browser,
                               const struct link *link, int64_t owner_id,
                               const struct mail *notice) MUST_CHECK;

/*
 * Uses the link up and makes the account; its address is verified by that. Whoever tried the name
 * before there was an account does not hold up its owner.
 *
 * out_is_name_taken   on RC_EXISTS: the name, else the address
 *
 * Answers: RC_OK · RC_NOT_FOUND the link has been used · RC_EXISTS name or address were taken since
 * the form was sent.  Faults: the store's
 */
enum rc registration_finish(const struct account_door *door, const struct browser *browser,
                            const struct link *link, bool *out_is_name_taken) MUST_CHECK;

#endif
