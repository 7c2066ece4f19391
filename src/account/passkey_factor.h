/*
 * account/passkey_factor.h: passkeys of accounts: making one, and signing in with one.
 *
 * Ties together what a ceremony needs: its challenge (account/challenge.h), the check of the answer
 * (account/passkey.h), the record, a session, the event, and the throttle.
 *
 * A passkey here always verifies its user, by a PIN, a finger or a face, so it is two factors in
 * one (NIST SP 800-63B-4 2.2.1): it signs in alone, without a user name; it is a second factor
 * after the password; and it is a proof before a sensitive act (step-up). An account that has one
 * has a second factor at every door: one that cannot ask for a passkey refuses it like a wrong
 * password, unless it can ask for a code and the account has an app for codes too (struct sign_in).
 *
 * Failed answers are counted under a name of the credential, so that nobody who does not know it
 * can hold it up, and against the address. They disable no account: a signature is not guessed. For
 * the same reason a name that is held up by wrong passwords still signs in with its passkey.
 *
 * The account's user handle is made from its id with a key, and looks random: nothing has to be
 * kept before the first passkey, and an authenticator that is registered again replaces what it
 * had. What was sent is kept with each passkey, so that a change of the key breaks none.
 *
 * All calls may come from any thread that may block; none hashes a password.
 */
#ifndef JETON_ACCOUNT_PASSKEY_FACTOR_H
#define JETON_ACCOUNT_PASSKEY_FACTOR_H

#include "account/browser_sign_in.h"
#include "account/challenge.h"
#include "account/passkey.h"

enum {
    PASSKEY_TRANSPORTS_BYTES_MAX = 64, /* WebAuthn 5.8.4 has six words with 36 letters */
    /* FACTOR_COUNT_MAX of the longest credential ids, as JSON, and names. */
    PASSKEY_OPTIONS_BYTES_MAX = 32 * 1024
};

/* What passkeys are made for (WebAuthn 4: relying party). All must outlive the calls. */
struct passkey_site {
    struct hmac_key *challenge_key;
    struct str rp_id;   /* the issuer's host */
    struct str rp_name; /* for people */
    struct str origin;  /* the issuer's: the only one that answers may come from */
};

/* A browser, and how far it has come. */
struct passkey_visitor {
    struct browser browser;
    unsigned char owner[DIGEST_BYTES];     /* of challenges: of what its cookie says */
    const struct browser_session *session; /* NULL: it has none */
    const struct account *account;         /* of the session; NULL with it */
};

/* ---- making one ----------------------------------------------------------------------------- */

/*
 * Begins a registration for a visitor that is signed in: the options for the browser, appended as
 * JSON. That they have just proved who they are is the caller's to see to.
 *
 * Answers: RC_OK · RC_EXISTS the account has FACTOR_COUNT_MAX factors.  Faults: the store's
 * Source:  WebAuthn 7.1 steps 1, 2
 */
enum rc passkey_begin_registration(const struct account_door *door, const struct passkey_site *site,
                                   const struct passkey_visitor *visitor,
                                   struct buffer *out_options) MUST_CHECK;

/* What the browser sends; the first three in base64url. */
struct passkey_new {
    struct str credential_id;
    struct str client_data;
    struct str attestation_object;
    struct str transports;     /* dropped unless it is space-separated words */
    struct str name;           /* at most FACTOR_NAME_BYTES_MAX */
    const struct mail *notice; /* that tells of it; NULL: none */
};

/*
 * Stores the passkey when the answer is right, and ends the account's other browser sessions
 * (SE-06). The challenge that it names is used up in any case.
 *
 * out_why   on RC_REFUSED: static text, for the log alone
 *
 * Answers: RC_OK · RC_REFUSED · RC_EXISTS as above.  Faults: the store's, RC_SYSTEM
 * Source:  WebAuthn 7.1
 */
enum rc passkey_finish_registration(const struct account_door *door,
                                    const struct passkey_site *site,
                                    const struct passkey_visitor *visitor,
                                    const struct passkey_new *answer,
                                    const char **out_why) MUST_CHECK;

/* ---- signing in with one -------------------------------------------------------------------- */

/*
 * Begins a sign-in, or a step-up for a visitor that is signed in: the options for the browser,
 * appended as JSON. Without a session any passkey is asked for; with one, those of its account.
 *
 * Answers: RC_OK · RC_NOT_FOUND the account has none.  Faults: the store's
 * Source:  WebAuthn 7.2 steps 1, 2
 */
enum rc passkey_begin_sign_in(const struct account_door *door, const struct passkey_site *site,
                              const struct passkey_visitor *visitor,
                              struct buffer *out_options) MUST_CHECK;

/* What the browser sends, all in base64url. */
struct passkey_answer {
    struct str credential_id;
    struct str client_data;
    struct str authenticator_data;
    struct str signature;
    struct str user_handle;
};

/*
 * Checks the answer. SIGN_IN_OK begins a session in place of the visitor's; SIGN_IN_CODE_WRONG is a
 * wrong answer, SIGN_IN_WAIT as everywhere; with SIGN_IN_WRONG the account or the session has
 * changed meanwhile, and the sign-in begins anew. The challenge that it names is used up.
 *
 * arena         for the account's strings
 * out_account   SIGN_IN_OK: who it is
 *
 * Answers: RC_OK with out_result filled.  Faults: the store's, RC_SYSTEM, RC_CORRUPT
 * Source:  WebAuthn 7.2
 */
enum rc passkey_finish_sign_in(const struct account_door *door, const struct passkey_site *site,
                               const struct passkey_visitor *visitor,
                               const struct passkey_answer *answer, struct arena *arena,
                               struct browser_result *out_result,
                               struct account *out_account) MUST_CHECK;

#endif
