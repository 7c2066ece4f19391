/*
 * oauth/authorization.h: the authorization endpoint's decision (RFC 6749 4.1; OpenID Connect Core
 * 3.1.2), and that of pushed requests (RFC 9126).
 *
 * A request is read and judged in one place, whether it comes in a query, a form, a request object
 * (RFC 9101) or was pushed. Nothing is kept of it while its person signs in: the browser comes back
 * to the same address, and it is read and judged again. The web room shows pages and redirects;
 * what is allowed is decided here.
 *
 *     authorization_read   → struct authorization_request, or a refusal that says where it may go
 *     authorization_next   → what has to happen first: sign in, once more, choose, consent; or none
 *     authorization_allow  → the code, in one transaction with the consent and the audit event
 */
#ifndef JETON_OAUTH_AUTHORIZATION_H
#define JETON_OAUTH_AUTHORIZATION_H

#include "codec/form.h"
#include "oauth/client_auth.h"
#include "oauth/details.h"
#include "oauth/scope.h"

enum {
    CODE_LIFETIME_S = 60,    /* at most (FAPI 2.0 Security Profile 5.3.2.1) */
    PUSHED_LIFETIME_S = 300, /* at most 600 (FAPI 2.0) */
    CODE_BYTES = 43,         /* 256 bits as base64url  */
    STATE_BYTES_MAX = 1024,
    NONCE_BYTES_MAX = 512,
    CLAIMS_BYTES_MAX = 4096,
    PUSHED_PARAMETERS_BYTES_MAX = 16 * 1024, /* of a pushed request, as it is kept */
    REQUEST_OBJECT_BYTES_MAX = 16 * 1024
};

#define REQUEST_URI_PREFIX "urn:ietf:params:oauth:request_uri:"

enum response_mode { RESPONSE_QUERY, RESPONSE_FORM_POST };

/* Bits of the parameter prompt. */
enum prompt {
    PROMPT_NONE = 1u << 0,
    PROMPT_LOGIN = 1u << 1,
    PROMPT_CONSENT = 1u << 2,
    PROMPT_SELECT_ACCOUNT = 1u << 3,
    PROMPT_CREATE = 1u << 4
};

/* Texts are in the arena; empty where a parameter was not sent. */
struct authorization_request {
    struct catalog_client *client; /* held: authorization_put */
    struct client_metadata metadata;
    struct str redirect_uri;
    bool has_redirect_uri; /* it was sent, and not chosen as the only one */
    enum response_mode mode;
    struct str state;
    bool is_openid; /* scope has "openid" */
    struct permission permission;
    struct str consent_scope; /* what the person is to allow: permission's, and the scope words of
                                 what claims names beside it */
    struct str challenge;
    struct str nonce;
    unsigned prompt;
    int64_t max_age_s; /* -1: any; default_max_age has been looked at */
    struct str acr_values;
    bool is_acr_essential;
    struct str login_hint;
    struct str hinted_subject; /* of a sound id_token_hint */
    struct str ui_locales;
    struct str claims;      /* JSON, checked: what of it we have, and the client may be told */
    struct str details;     /* JSON array, checked */
    struct binding binding; /* dpop_jkt, or of the pushed request's proof */
    int64_t pushed_id;      /* 0: not pushed */
};

/*
 * Reads and judges what came to the authorization endpoint (AZ-01 to AZ-10, AZ-18, AZ-19).
 *
 * can_redirect   of a refusal: client and redirect URI are beyond doubt, and request->redirect_uri,
 *                mode and state are set: the refusal goes there (RFC 6749 4.1.2.1); else it is
 * shown here and the browser goes nowhere (AZ-04)
 *
 * Answers: RC_OK · RC_REFUSED · RC_WOULD_BLOCK.  Faults: the store's
 */
enum rc authorization_read(struct oauth_call *call, const struct form *parameters,
                           struct authorization_request *out_request,
                           bool *out_can_redirect) MUST_CHECK;
void authorization_put(struct authorization_request *request);

/* Who is at the browser. */
struct authorization_person {
    const struct account *account;         /* NULL: nobody is signed in */
    const struct browser_session *session; /* of the account            */
    /* When this request first sent its browser to sign in or to choose; 0: it did not. A sign-in
     * from then on is an answer to prompt and max_age. */
    int64_t asked_at;
};

enum authorization_step {
    STEP_SIGN_IN,       /* nobody is there, or somebody else is wanted */
    STEP_SIGN_IN_AGAIN, /* the same person, anew: prompt=login, max_age */
    STEP_STEP_UP,       /* a stronger way: acr_values (RFC 9470) */
    STEP_CONSENT,
    STEP_NONE
};

/*
 * What has to happen before a code may be issued. With prompt=none whatever would have to happen is
 * a refusal: login_required, consent_required and so on.
 *
 * Answers: RC_OK · RC_REFUSED.  Faults: the store's
 */
enum rc authorization_next(struct oauth_call *call, const struct authorization_request *request,
                           const struct authorization_person *person,
                           enum authorization_step *out_step) MUST_CHECK;

/*
 * Issues a code. scope: what the person left of request->permission.scope; remembers: whether the
 * consent is to be kept.
 *
 * out_code   CODE_BYTES characters, in the arena: a secret
 *
 * Answers: RC_OK · RC_REFUSED (the request was used up, the account is disabled …)
 * Faults:  the store's
 */
enum rc authorization_allow(struct oauth_call *call, const struct authorization_request *request,
                            const struct authorization_person *person, bool was_asked,
                            struct str *out_code) MUST_CHECK;

/* Puts a person's no on record; the refusal access_denied is set. Answers: RC_REFUSED. */
enum rc authorization_deny(struct oauth_call *call, const struct authorization_request *request,
                           const struct authorization_person *person) MUST_CHECK;

/* The same reading for a pushed request of an authenticated client, and its row. Appends
 * {"request_uri":…,"expires_in":…}. */
enum rc pushed_request_answer(struct oauth_call *call, const struct client_credentials *credentials,
                              const struct form *parameters, struct buffer *out_json) MUST_CHECK;

/* ---- for other ways in which people authorize clients (devices) -------------------------------
 */

/* Fills what an authorization says of the person and the client: subject, sid, acr, amr, times. Its
 * id is drawn. */
enum rc authorization_draft(struct oauth_call *call, const struct client *client,
                            const struct client_metadata *metadata,
                            const struct authorization_person *person, int64_t lifetime_s,
                            struct authorization *out_authorization) MUST_CHECK;

/* acr values, weakest first; empty when a person's methods reach none. docs/STANDARDS.md says what
 * they promise. */
struct str acr_of(unsigned methods);
bool acr_reaches(struct str acr, struct str wanted);

/* Whether account and client agreed on all of this already, and the client's identity is sure
 * (AZ-17). */
enum rc consent_is_given(struct oauth_call *call, const struct client *client, int64_t account_id,
                         struct str scope, struct str details, bool *out_is_given) MUST_CHECK;
/* Adds to what is remembered. */
enum rc consent_remember(struct oauth_call *call, const struct client *client, int64_t account_id,
                         struct str scope, struct str details, struct store_unit *unit) MUST_CHECK;

#endif
