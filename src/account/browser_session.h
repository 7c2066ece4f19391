/*
 * account/browser_session.h: a person's session in a browser.
 *
 * The cookie holds 32 random bytes; the store keeps their SHA-256. A session begins when the
 * password was right; until a second factor was, too, it is good for nothing but asking for it. Its
 * id is renewed at sign-in and step-up (SE-01): the old row goes in the unit that makes the new
 * one. It ends when it was idle for BROWSER_IDLE_S, at the latest after BROWSER_LIFETIME_S, by
 * signing out, and when its account is disabled, changes its password or its second factors (SE-05,
 * SE-06).
 */
#ifndef JETON_ACCOUNT_BROWSER_SESSION_H
#define JETON_ACCOUNT_BROWSER_SESSION_H

#include "account/account.h"

enum {
    BROWSER_VALUE_BYTES = 43, /* base64url of 32 bytes */
    /* NIST SP 800-63B-4 2.2.3. The store forgets sessions that were idle for two hours (the sweep
     * in store/queries.def), which is to be more than this. */
    BROWSER_IDLE_S = 3600,
    BROWSER_LIFETIME_S = 24 * 3600,
    BROWSER_CODE_S = 300,  /* to find the second factor */
    BROWSER_PROOF_S = 600, /* sensitive acts need a proof that is no older */
    BROWSER_TOUCH_S = 60   /* how exactly the store knows of the last use */
};

/* What a new session is made of. */
struct browser_begin {
    int64_t account_id;
    enum session_stage stage;
    const unsigned char *address; /* 16 bytes */
    struct str device;            /* cut to DEVICE_BYTES_MAX by the caller */
    struct str password_hash; /* that a password was checked against for this; empty: none was */
    int64_t now;
    int64_t replaces_id; /* the session that it takes the place of; 0: none */
    int64_t login_id;    /* of a session of the same account that it goes on from; 0: its own id */
    unsigned methods;    /* bits of enum sign_in_method, also those of that session */
};

/*
 * Adds the session to a unit: at most three steps. The commit answers RC_NOT_FOUND, and nobody is
 * signed in, when meanwhile the account was disabled or given another password, or the session that
 * is replaced has ended (signed out, ended by its owner, or its sign-in was finished by a twin of
 * this request): the caller sends the browser back to the beginning of the sign-in (SE-06).
 *
 * out_value   BROWSER_VALUE_BYTES characters for the cookie: a secret, good once the unit is
 *             committed
 */
enum rc browser_session_begin(struct store *store, const struct browser_begin *begin,
                              struct store_unit *unit, char out_value[static BROWSER_VALUE_BYTES],
                              struct browser_session *out_session) MUST_CHECK;

/*
 * The living session of a cookie's value, of either stage, and its account. A use is told to the
 * store when that is due; where it cannot be, the session is found all the same.
 *
 * Answers: RC_OK · RC_NOT_FOUND never, no longer, or its account is disabled.  Faults: the store's.
 * Blocks.
 */
enum rc browser_session_find(struct store *store, struct str value, int64_t now,
                             struct arena *arena, struct browser_session *out_session,
                             struct account *out_account) MUST_CHECK;

/* Whether a proof of who it is has to come first (step-up). */
bool browser_session_needs_proof(const struct browser_session *session, int64_t now);

#endif
