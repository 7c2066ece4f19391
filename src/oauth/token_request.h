/*
 * oauth/token_request.h: the token endpoint's decision (RFC 6749 3.2).
 *
 * The web room parses a request into a struct token_request once; token_request_answer checks the
 * client and hands over to the grant. One file per grant.
 */
#ifndef JETON_OAUTH_TOKEN_REQUEST_H
#define JETON_OAUTH_TOKEN_REQUEST_H

#include "oauth/client_auth.h"
#include "oauth/scope.h"

/* What a success response is made of. Texts live in the arena. */
struct token_answer {
    struct str access_token;
    struct str refresh_token; /* empty: none */
    struct str scope;
    struct str jti;
    struct str session_id;         /* empty: not tied to a session */
    struct str id_token;           /* empty: none (OpenID Connect Core 3.1.3.3) */
    struct str details;            /* authorization_details, JSON (RFC 9396 7); empty: none */
    struct str issued_token_type;  /* RFC 8693 2.2.1; empty: no token exchange */
    enum binding_kind binding;     /* BINDING_DPOP: token_type is DPoP (RFC 9449 5) */
    const struct account *account; /* NULL: the client itself */
    int64_t expires_in_s;          /* 0: never */
    bool expires_in_as_string;
};

/* Writes an answer's JSON. */
typedef void token_answer_writer(const struct token_answer *answer, struct buffer *out_json);

/* token_type: "DPoP" or "Bearer". */
struct str token_type_of(enum binding_kind binding);

/* The success response of RFC 6749 5.1. */
token_answer_writer token_answer_format;

/* How a door differs from the standard's token endpoint. Constant, or made of settings. */
struct token_profile {
    token_answer_writer *format;
    bool has_shape;           /* its own kind of access token, whatever the services say */
    struct token_shape shape; /* its lifetime holds where no service is named            */
    bool asks_code;           /* the password grant can carry a second factor's code     */
    bool keeps_refresh;       /* a refresh token is used again and again, not rotated    */
};

extern const struct token_profile token_profile_standard;

/* Gives a permission the shape of a profile that has one of its own. */
void token_profile_shape(const struct token_profile *profile, struct permission *permission);

/* A parameter that was not sent is NULL; all live in the arena. */
struct token_request {
    const struct str *grant_type;
    struct client_credentials credentials;
    const struct str *scope;
    const struct str *username;
    const struct secret *password;
    const struct str *code; /* of a second factor */
    const struct secret *refresh_token;
    const struct secret *code_value; /* authorization code, or device_code */
    const struct str *redirect_uri;
    const struct secret *code_verifier;
    const struct str *assertion; /* RFC 7523 2.1: a JWT is longer than a struct secret may be */
    const struct token_exchange *exchange; /* oauth/grant_token_exchange.h; its parameters */
    struct str resources;                  /* RFC 8707 2.2, space-separated; empty: none */
    const struct str *details;             /* authorization_details */
    const struct token_profile *profile;
    /* For the password grant when nobody authenticates as a client (u-Auth); NULL: that is refused.
     */
    const struct token_profile *anonymous_profile;
};

/* Decides a token request and writes the answer with its profile's writer. */
enum rc token_request_answer(struct oauth_call *call, const struct token_request *request,
                             struct buffer *out_json) MUST_CHECK;

/* ---- between the files of the grants, and for dialects --------------------------------------- */

/* What a grant has decided to issue. */
struct issue_plan {
    enum grant_type grant_type; /* for the metrics */
    const struct client *client;
    const struct account *account; /* as it was authenticated; NULL: the client itself */
    struct permission permission;
    bool has_refresh;
    bool keeps_refresh;                        /* which refresh_is_kept */
    struct binding binding;                    /* of the access token                       */
    const struct authorization *authorization; /* what a person allowed; NULL: none         */
    bool inserts_authorization;                /* it is not in the store yet                */
    bool has_own_grant;                        /* a family although it has no refresh token */
    int64_t grant_id;                          /* of the family, drawn before; 0: draw one  */
    int64_t parent_id;                         /* of the grant that it ends with; 0: none   */
    const struct permission *access; /* of the access token, where it is a part of the family's;
                                        NULL: all of it */
    const struct session *session;   /* NULL: none; else address, address_bits, device and idle_s */
};

/*
 * Drafts the tokens of a plan, adds them and the audit event to the unit, and commits it. The unit
 * may hold steps already; they are committed with it. Client, account and services are looked at
 * once more after the commit: what was disabled meanwhile gets nothing, nor does a sign-in whose
 * password was changed, or that should have asked for a second factor by then.
 *
 * Answers: RC_OK · RC_REFUSED · RC_SPENT a step of the unit said so.  Faults: the store's,
 * RC_CRYPTO
 */
enum rc token_issue(struct oauth_call *call, const struct issue_plan *plan, struct store_unit *unit,
                    struct token_answer *out_answer) MUST_CHECK;

/* Another access token under a grant that stands, with the same second look. */
enum rc token_issue_under(struct oauth_call *call, const struct issue_plan *plan,
                          struct live_grant *grant, struct store_unit *unit,
                          struct token_answer *out_answer) MUST_CHECK;

/*
 * The ID token that goes with an access token, where the plan has an authorization with scope
 * openid and its grant type gives one; else empty. The nonce is in the first one alone.
 *
 * Answers: RC_OK · RC_REFUSED it would be too long.  Faults: the store's, RC_CRYPTO
 * Source:  OpenID Connect Core 3.1.3.3, 12.2
 */
enum rc token_issue_id_token(struct oauth_call *call, const struct issue_plan *plan,
                             struct str access_token, struct str *out_jwt) MUST_CHECK;

/* The second look at what a grant rests on beside its account. RC_NOT_FOUND: it was disabled. */
enum rc token_issue_look_at(struct oauth_call *call, int64_t client_id,
                            struct str audience) MUST_CHECK;

/* Inserts an access token's row: where other nodes write, the commit answers RC_NOT_FOUND when one
 * of them has disabled what it rests on. */
void token_issue_insert(struct oauth_call *call, const struct token *token,
                        struct store_unit *unit);

/* Seconds that a token has left; 0: never expires. */
int64_t token_expires_in(const struct token *row, int64_t now);

/* token_draft_access, with a refusal for a scope that no JWT of ours can hold. */
enum rc token_issue_draft_access(struct oauth_call *call, struct live_grant *grant,
                                 struct token_shape shape,
                                 struct token_draft *out_draft) MUST_CHECK;

/* Whether the client's refresh tokens are used again and again, and not rotated.
 * FAPI 2.0 Security Profile 5.3.2.1 */
bool refresh_is_kept(const struct oauth_call *call, const struct token_request *request,
                     const struct client *client);

/* Absolute and idle life of a refresh token that is issued now (ASVS 10.4.8). One that is kept has
 * the absolute one alone: no successor tells of its use. */
int64_t refresh_expiry(const struct client *client, bool is_kept, int64_t family_created_at,
                       int64_t now);

enum rc grant_password_answer(struct oauth_call *call, const struct token_request *request,
                              const struct client *client, bool is_authenticated,
                              struct buffer *out_json) MUST_CHECK;
enum rc grant_authorization_code_answer(struct oauth_call *call,
                                        const struct token_request *request,
                                        const struct client *client,
                                        struct buffer *out_json) MUST_CHECK;
enum rc grant_client_credentials_answer(struct oauth_call *call,
                                        const struct token_request *request,
                                        const struct client *client,
                                        struct buffer *out_json) MUST_CHECK;
enum rc grant_device_code_answer(struct oauth_call *call, const struct token_request *request,
                                 const struct client *client, struct buffer *out_json) MUST_CHECK;
enum rc grant_token_exchange_answer(struct oauth_call *call, const struct token_request *request,
                                    const struct client *client,
                                    struct buffer *out_json) MUST_CHECK;
enum rc grant_jwt_bearer_answer(struct oauth_call *call, const struct token_request *request,
                                const struct client *client, struct buffer *out_json) MUST_CHECK;
enum rc grant_refresh_token_answer(struct oauth_call *call, const struct token_request *request,
                                   const struct client *client, struct buffer *out_json) MUST_CHECK;

#endif
