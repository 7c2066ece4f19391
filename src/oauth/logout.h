/*
 * oauth/logout.h: what the end of a sign-in means to the clients that were authorized by it, and
 * how a client asks for one.
 *
 * When a person signs out, or somebody ends their session, whatever was granted since that sign-in
 * ends at once, but for what was allowed to go on without them (offline_access). Every client of it
 * that has a place for it is told by a logout token: a row in the store until it was taken, sent by
 * the daemon. Both happen before the session itself ends, so that nothing is forgotten when the
 * server falls over in between; the person, who is still signed in then, signs out again.
 *
 * Standards: OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0; promises RT-10, OI-05
 * to OI-07. Threads: any that may block.
 */
#ifndef JETON_OAUTH_LOGOUT_H
#define JETON_OAUTH_LOGOUT_H

#include "account/profile.h"
#include "codec/form.h"
#include "oauth/id_token.h"

enum {
    LOGOUT_TOKEN_S = 120,           /* a token's life, at most (Back-Channel Logout 2.4) */
    LOGOUT_PATIENCE_S = 24 * 3600,  /* then a client is given up                         */
    LOGOUT_SIGN_IN_COUNT_MAX = 256, /* of one account at once                            */
    LOGOUT_STATE_BYTES_MAX = 1024
};

/* ---- the end of sessions --------------------------------------------------------------------- */

/* The sign-ins behind sessions that are about to end. */
struct logout {
    size_t count;
    int64_t login_ids[LOGOUT_SIGN_IN_COUNT_MAX];
};

/*
 * Takes note of an account's sessions in browsers before they end.
 *
 * session_id   of the one that ends; 0: all of them, the newest LOGOUT_SIGN_IN_COUNT_MAX
 * kept_id      the one that stays; 0: none
 */
enum rc logout_note(struct oauth_call *call, int64_t account_id, int64_t session_id,
                    int64_t kept_id, struct logout *out_logout) MUST_CHECK;

/* Ends what was granted since these sign-ins, and tells their clients. For those whose sessions end
 * together with something else; the functions below call it. */
enum rc logout_finish(struct oauth_call *call, const struct logout *logout) MUST_CHECK;

/* browser_sign_out, profile_end_browser_session, profile_end_other_sessions and
 * profile_end_sessions, with what they mean to clients. */
enum rc logout_browser(struct oauth_call *call, const struct browser *browser,
                       const struct browser_session *session) MUST_CHECK;
enum rc logout_session(struct oauth_call *call, const struct browser *browser, int64_t account_id,
                       int64_t session_id, struct str detail) MUST_CHECK;
enum rc logout_other_sessions(struct oauth_call *call, const struct browser *browser,
                              int64_t account_id, int64_t kept_id) MUST_CHECK;
enum rc logout_account(struct oauth_call *call, const struct browser *browser, int64_t account_id,
                       int64_t kept_id, struct str detail) MUST_CHECK;

/* ---- telling clients ------------------------------------------------------------------------- */

/* Numbers for the metrics. */
struct logout_meters {
    _Atomic uint64_t sent;
    _Atomic uint64_t failed; /* attempts that will be repeated */
    _Atomic uint64_t given_up;
    _Atomic uint64_t queued; /* now, as last looked at */
};

/*
 * The form that tells a client, with a token made just now: one attempt, one token.
 *
 * out_client_id   in the arena, for the log
 *
 * Answers: RC_OK · RC_NOT_FOUND the client is gone, is disabled, or wants to be told no more
 * Faults:  the store's, RC_CRYPTO
 * Source:  OpenID Connect Back-Channel Logout 2.4, 2.5
 */
enum rc logout_form_make(const struct oauth *oauth, const struct delivery *delivery, int64_t now,
                         struct arena *arena, struct str *out_client_id,
                         struct str *out_form) MUST_CHECK;

/* ---- a client's request ---------------------------------------------------------------------- */

/* Texts are in the arena; empty where a parameter was not sent or is not to be heeded. */
struct logout_request {
    struct catalog_client *client; /* held: logout_put; NULL: nobody knows who asks */
    struct client_metadata metadata;
    struct id_token_hint hint; /* sound, and this client's; else its texts are empty */
    struct str redirect_uri;   /* registered for the client                          */
    struct str state;
    struct str ui_locales;
};

/*
 * Reads a request at the end_session_endpoint. A hint that is not sound, or another client's, is
 * ignored, and then nobody is redirected either (OI-07); an address that is not registered is
 * refused (OI-05). A refusal is shown here and never goes anywhere.
 *
 * Answers: RC_OK · RC_REFUSED · RC_WOULD_BLOCK.  Faults: the store's
 * Source:  OpenID Connect RP-Initiated Logout 2, 3, 4
 */
enum rc logout_read(struct oauth_call *call, const struct form *parameters,
                    struct logout_request *out_request) MUST_CHECK;
void logout_put(struct logout_request *request);

/* Whether the hint says of itself that it is about this session: then nobody has to be asked. */
bool logout_is_of(struct oauth_call *call, const struct logout_request *request,
                  const struct browser_session *session);

#endif
