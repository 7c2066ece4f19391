/*
 * account/reset.h: a new password for somebody who has lost the old one, or has none yet, by a link
 * in a mail (PW-09, SE-06).
 *
 * The link stands in for the old password, and for nothing else: an account with a second factor
 * is asked for its code too, where it has one that can be typed. Whoever has only passkeys is asked
 * for one when signing in, as ever. Nobody is signed in by a reset. Failed tries of the old
 * password hold up nobody who has just proved whose mail they read: they are forgotten. Those of
 * codes are not.
 */
#ifndef JETON_ACCOUNT_RESET_H
#define JETON_ACCOUNT_RESET_H

#include "account/link.h"
#include "account/profile.h"

/* ---- asking for a link ----------------------------------------------------------------------- */

/*
 * Who is to get the mail: by verified address, or by name; a name that is spelled like somebody
 * else's address takes nothing from them. It goes to the address that is stored, never to the one
 * that was typed. Nobody: an account with a name alone and id 0. Both are always
 * looked for (PW-08).
 */
enum rc reset_find_recipient(struct store *store, struct str login, struct arena *arena,
                             struct account *out_account) MUST_CHECK;

/*
 * Stores a drafted link with its mail and the event. For nobody (id 0) the same work is done.
 *
 * Answers: RC_OK · RC_SPENT this person has been sent as many mails as may be, and nobody may be
 * told so · RC_TOO_LARGE the address has to wait (THROTTLE_MAIL_S).  Faults: the store's
 */
enum rc reset_send_link(const struct account_door *door, const struct browser *browser,
                        const struct account *account, const struct link *link,
                        const struct mail *notice) MUST_CHECK;

/* ---- using it -------------------------------------------------------------------------------- */

/*
 * The account that a found link sets the password of, and whether it has a code to ask for: of an
 * app, or recovery codes.
 *
 * Answers: RC_OK · RC_NOT_FOUND the link is for something else, or its account is disabled or has
 * another address now.  Faults: the store's
 */
enum rc reset_find_account(struct store *store, const struct link *link, struct arena *arena,
                           struct account *out_account, bool *out_asks_code) MUST_CHECK;

struct reset {
    const struct link *link;       /* LINK_RESET or LINK_INVITATION, found */
    const struct account *account; /* the link's */
    const struct secret *wanted;
    bool asks_code;
    struct str code;           /* asks_code */
    const struct mail *notice; /* that tells of it; NULL: none */
};

struct reset_result {
    enum sign_in_verdict verdict; /* of the code; SIGN_IN_OK without one, too */
    enum password_verdict wanted; /* what the policy says; PASSWORD_GOOD: go on */
    const char *why;
    int64_t wait_s; /* SIGN_IN_WAIT */
};

/*
 * Checks the new password and the code, and when both are good uses the link up, sets the password,
 * and ends all browser sessions, unfinished sign-ins and grants, with refresh tokens and Spectrum
 * sessions. Permanent tokens stay, for programs use them that know no password. On the hash lane.
 *
 * Answers: RC_OK with out_result filled · RC_NOT_FOUND the link has been used or replaced
 * Faults:  the store's, RC_CRYPTO
 */
enum rc reset_password(const struct account_door *door, const struct browser *browser,
                       const struct reset *reset, struct arena *arena,
                       struct reset_result *out_result) MUST_CHECK;

#endif
