/*
 * oauth/pkce.h: proof keys for code exchange (RFC 7636), S256 alone.
 */
#ifndef JETON_OAUTH_PKCE_H
#define JETON_OAUTH_PKCE_H

#include "base/secret.h"

enum { PKCE_CHALLENGE_BYTES = 43, PKCE_VERIFIER_BYTES_MIN = 43, PKCE_VERIFIER_BYTES_MAX = 128 };

/*
 * Whether a verifier is the one that a challenge was made of: of sound form (RFC 7636 4.1), and its
 * SHA-256 as base64url is the challenge (4.6). Compared in constant time.
 */
bool pkce_verify(const struct secret *verifier, struct str challenge);

#endif
