/*
 * account/reset.h: a new password for somebody who has lost the old one, by a link in a mail
 * (PW-09, SE-06).
 *
 * The link stands in for the old password, and for nothing else: an account with a second factor
 * is asked for its code too, where it has one that can be typed. Whoever has only passkeys is asked
 * for one when signing in, as ever. Nobody is signed in by a reset.
 */
#ifndef JETON_ACCOUNT_RESET_H
#define JETON_ACCOUNT_RESET_H

#include "account/link.h"
#include "account/profile.h"

struct reset {
    const struct link *link;       /* LINK_RESET, found */
    const struct account *account; /* the link's */
    const struct secret *wanted;
    struct str code; /* where reset_asks_code */
};

struct reset_result {
    enum sign_in_verdict verdict; /* of the code; SIGN_IN_OK without one, too */
    enum password_verdict wanted; /* what the policy says; PASSWORD_GOOD: go on */
    const char *why;
    int64_t wait_s; /* SIGN_IN_WAIT */
};

/* Whether the account has a code to ask for: of an app, or recovery codes. */
enum rc reset_asks_code(struct store *store, const struct account *account,
                        bool *out_asks_code) MUST_CHECK;

/*
 * Checks the new password and the code, and when both are good adds what the reset is, at most
 * fourteen steps: the link is used up, the password set, all browser sessions and unfinished
 * sign-ins end. On the hash lane. The commit answers RC_NOT_FOUND when the link has been used or
 * replaced, and RC_SPENT when the code was used a moment before.
 *
 * Answers: RC_OK with out_result filled; the unit is to be committed when both are good
 * Faults:  the store's, RC_CRYPTO
 */
enum rc reset_prepare(const struct account_door *door, const struct browser *browser,
                      const struct reset *reset, bool asks_code, struct arena *arena,
                      struct store_unit *unit, struct reset_result *out_result) MUST_CHECK;

/* After the commit: ends every grant of the account, with refresh tokens and Spectrum sessions.
 * Permanent tokens stay, for programs use them that know no password. */
enum rc reset_conclude(struct store *store, const struct account *account, int64_t now) MUST_CHECK;

#endif
