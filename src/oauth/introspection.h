/*
 * oauth/introspection.h: is this token good, and for what (RFC 7662); and the same question from a
 * reverse proxy in front of a resource server.
 */
#ifndef JETON_OAUTH_INTROSPECTION_H
#define JETON_OAUTH_INTROSPECTION_H

#include "oauth/client_auth.h"

/*
 * Answers an introspection request. A service learns of tokens whose audience it is, a confidential
 * client of tokens issued to itself; whatever else is asked, the answer is {"active":false} and
 * nothing more (RFC 7662 2.2).
 *
 * A token that is tied to a session is active only if the request says in whose hands it was found:
 * `session` and `client_address` are parameters of ours (RFC 7662 2.1 allows more context). So is a
 * permanent token that is limited to networks. The answer that a token is active is a use of it.
 *
 * presented  NULL when the token parameter was missing
 */
enum rc introspection_answer(struct oauth_call *call, const struct client_credentials *credentials,
                             const struct token_presented *presented,
                             struct buffer *out_json) MUST_CHECK;

/*
 * The same answer as a JWT, for callers that need to prove it to others: signed as the service's
 * own tokens are, or as the client is registered (introspection_signed_response_alg; RS256).
 *
 * Answers: also RC_WOULD_BLOCK where a key has to be found.  Source: RFC 9701 5
 */
enum rc introspection_answer_signed(struct oauth_call *call,
                                    const struct client_credentials *credentials,
                                    const struct token_presented *presented,
                                    struct buffer *out_jwt) MUST_CHECK;

/* What a resource server requires of a token. Empty: nothing; a bound token is then none. */
struct bearer_demand {
    struct str service_id; /* must be in the audience   */
    struct str scope;      /* every word must be granted */
    bool scheme_is_dpop;   /* how it was presented: as DPoP (RFC 9449 7.1), or as Bearer */
    struct str acr_values; /* classes of which one has to be reached (RFC 9470 3) */
    bool has_max_age;
    int64_t max_age_s; /* since its person was authenticated */
};

/*
 * Checks a token for a resource server (RFC 6750, RFC 9449 7), and that who presents it holds what
 * it is bound to. RC_OK is a use of it.
 *
 * out_view  the token: token_view_put
 *
 * Answers: RC_OK · RC_REFUSED invalid_token, insufficient_scope, insufficient_user_authentication,
 * invalid_dpop_proof or use_dpop_nonce · RC_WOULD_BLOCK
 * Faults:  the store's
 */
enum rc bearer_check(struct oauth_call *call, const struct token_presented *presented,
                     const struct bearer_demand *demand, struct token_view *out_view) MUST_CHECK;

#endif
