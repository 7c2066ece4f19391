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

/* What a resource server requires of a bearer token. Empty: nothing. */
struct bearer_demand {
    struct str service_id; /* must be in the audience   */
    struct str scope;      /* every word must be granted */
};

/*
 * Checks a bearer token for a resource server (RFC 6750). RC_OK is a use of it.
 *
 * out_view  the token: token_view_put
 *
 * Answers: RC_OK · RC_REFUSED invalid_token or insufficient_scope · RC_WOULD_BLOCK
 * Faults:  the store's
 */
enum rc bearer_check(struct oauth_call *call, const struct token_presented *presented,
                     const struct bearer_demand *demand, struct token_view *out_view) MUST_CHECK;

#endif
