/*
 * oauth/userinfo.h: the UserInfo endpoint's answer: what a client may know of the person who let it
 * (OpenID Connect Core 5.3).
 */
#ifndef JETON_OAUTH_USERINFO_H
#define JETON_OAUTH_USERINFO_H

#include "oauth/introspection.h"

/* A signed answer is as long as a token may be. */
enum { USERINFO_CLAIMS_BYTES_MAX = TOKEN_VALUE_BYTES_MAX * 11 / 16 };

/*
 * Answers for an access token with the scope openid: sub as the client knows it, and the claims
 * that scope (Core 5.4) and the parameter claims (5.5) asked for.
 *
 * scheme_is_dpop   as in struct bearer_demand
 * out_body         JSON; or a JWT with iss and aud, where the client is registered for one
 *
 * Answers: RC_OK · RC_REFUSED as bearer_check, and invalid_token for a token of no person ·
 * RC_WOULD_BLOCK.  Faults: the store's, RC_CRYPTO
 * Source:  OpenID Connect Core 5.3.2
 */
enum rc userinfo_answer(struct oauth_call *call, const struct token_presented *presented,
                        bool scheme_is_dpop, struct buffer *out_body, bool *out_is_jwt) MUST_CHECK;

#endif
