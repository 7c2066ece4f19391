/*
 * account/browser_sign_in.h: signing in and out with a browser: the check and the session in one
 * transaction.
 *
 * Three ways in: a password; a code after it, where the account has a second factor; and both at
 * once for somebody who is signed in and has to prove it anew (step-up). Each begins a session and
 * ends the one that it takes the place of (SE-01).
 */
#ifndef JETON_ACCOUNT_BROWSER_SIGN_IN_H
#define JETON_ACCOUNT_BROWSER_SIGN_IN_H

#include "account/browser_session.h"

/* Who is at the browser. */
struct browser {
    const unsigned char *address; /* 16 bytes, as struct http_address */
    struct str device;            /* its User-Agent, cut to DEVICE_BYTES_MAX */
    int64_t now;
};

/* Adds an audit event: somebody at this browser did it. */
void browser_add_event(const struct browser *browser, enum event_kind kind, int64_t account_id,
                       struct str detail, struct store_unit *unit);

struct browser_result {
    enum sign_in_verdict verdict;
    const char *why; /* static text, for the log alone */
    int64_t wait_s;  /* SIGN_IN_WAIT */
    /* SIGN_IN_OK, and SIGN_IN_CODE_MISSING of browser_sign_in. */
    char value[BROWSER_VALUE_BYTES]; /* a secret, for the cookie */
    struct browser_session session;
};

/*
 * Checks a name and its password, on the hash lane. SIGN_IN_OK begins a session, and
 * SIGN_IN_CODE_MISSING one that waits for the code.
 *
 * replaces   a session of this browser that ends with it, whoever's it is; NULL: none. Where it is
 *            the same account's, the new one is the same sign-in to clients (login_id)
 *
 * Answers: RC_OK with out_result filled.  Faults: as account_authenticate
 */
enum rc browser_sign_in(const struct account_door *door, const struct browser *browser,
                        struct str name, const struct secret *password,
                        const struct browser_session *replaces, struct arena *arena,
                        struct browser_result *out_result) MUST_CHECK;

/* Checks the code for a session that waits for it; SIGN_IN_OK begins one that is signed in. */
enum rc browser_sign_in_code(const struct account_door *door, const struct browser *browser,
                             const struct browser_session *waiting, const struct account *account,
                             struct str code, struct arena *arena,
                             struct browser_result *out_result) MUST_CHECK;

/*
 * Checks password and code again for a session that is signed in, on the hash lane; SIGN_IN_OK
 * begins a new one in its place, with a fresh proof.
 *
 * code   NULL: none was sent
 */
enum rc browser_prove(const struct account_door *door, const struct browser *browser,
                      const struct browser_session *session, const struct account *account,
                      const struct secret *password, const struct str *code, struct arena *arena,
                      struct browser_result *out_result) MUST_CHECK;

/* Ends a session, of either stage. */
enum rc browser_sign_out(struct store *store, const struct browser *browser,
                         const struct browser_session *session) MUST_CHECK;

#endif
