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

/* A parameter that was not sent is NULL; all live in the arena. */
struct token_request {
    const struct str *grant_type;
    struct client_credentials credentials;
    const struct str *scope;
    const struct str *username;
    const struct secret *password;
    const struct secret *refresh_token;
};

/*
 * Decides a token request and writes the answer's JSON.
 *
 * out_json  the success response of RFC 6749 5.1; u-Auth's members where nobody authenticated as a
 *           client
 */
enum rc token_request_answer(struct oauth_call *call, const struct token_request *request,
                             struct buffer *out_json) MUST_CHECK;

/* ---- between the files of the grants -------------------------------------------------------- */

/* What a grant has decided to issue. */
struct issue_plan {
    const struct client *client;
    int64_t account_id;       /* 0: the client itself                      */
    struct str password_hash; /* the one that was verified, of the account */
    struct permission permission;
    bool has_refresh;
    bool is_uauth; /* the answer has u-Auth's members */
};

/* The success response's members. */
struct token_answer {
    struct str access_token;
    struct str refresh_token; /* empty: none */
    struct str scope;
    int64_t expires_in_s;
    bool is_uauth;
    bool expires_in_as_string;
};

void token_answer_format(const struct token_answer *answer, struct buffer *out_json);

/*
 * Drafts the tokens of a plan, adds them and the audit event to the unit, commits it, and writes
 * the answer. The unit may hold steps already; they are committed with it. Client, account and
 * services are looked at once more after the commit: what was disabled meanwhile gets nothing.
 *
 * Answers: RC_OK · RC_REFUSED.  Faults: the store's, RC_CRYPTO
 */
enum rc token_issue(struct oauth_call *call, const struct issue_plan *plan, struct store_unit *unit,
                    struct buffer *out_json) MUST_CHECK;

/* token_draft_access, with a refusal for a scope that no JWT of ours can hold. */
enum rc token_issue_draft_access(struct oauth_call *call, struct live_grant *grant,
                                 struct token_shape shape,
                                 struct token_draft *out_draft) MUST_CHECK;

/* Absolute and idle life of a refresh token that is issued now (ASVS 10.4.8). */
int64_t refresh_expiry(const struct client *client, int64_t family_created_at, int64_t now);

enum rc grant_password_answer(struct oauth_call *call, const struct token_request *request,
                              const struct client *client, bool is_authenticated,
                              struct buffer *out_json) MUST_CHECK;
enum rc grant_client_credentials_answer(struct oauth_call *call,
                                        const struct token_request *request,
                                        const struct client *client,
                                        struct buffer *out_json) MUST_CHECK;
enum rc grant_refresh_token_answer(struct oauth_call *call, const struct token_request *request,
                                   const struct client *client, struct buffer *out_json) MUST_CHECK;

#endif
