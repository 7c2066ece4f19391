/*
 * web/challenge.h: what a 401 or 403 of a protected resource says of the token it wants. For this
 * room only.
 *
 * A challenge is in the scheme that the request used; where it used none, or a Bearer token was not
 * good, both are named (RFC 9449 7.1, 7.2).
 */
#ifndef JETON_WEB_CHALLENGE_H
#define JETON_WEB_CHALLENGE_H

#include "web/endpoint.h"

/* The status of a refusal there: proofs that are not good are 401 (RFC 9449 7.1, 9). */
int challenge_status(enum oauth_error error);

/*
 * Adds WWW-Authenticate for the call's refusal; one without a description names no error (RFC 6750
 * 3.1).
 *
 * scope  of an insufficient_scope; empty: not known
 */
void challenge_add(struct web_call *call, struct str scope);

/* Adds the header DPoP-Nonce when the call has one (RFC 9449 8.2), readable for scripts of other
 * origins where they may read the answer. */
void challenge_add_nonce(struct web_call *call);

#endif
