/*
 * oauth/client_keys.h: JWTs that clients sign: assertions (RFC 7523), request objects (RFC 9101).
 *
 * The keys are the client's registered jwks, or what stands at its jwks_uri: fetched by the helper
 * program, kept for a while, and fetched again when a key is unknown, but not more often than once
 * in CLIENT_KEYS_PAUSE_S.
 */
#ifndef JETON_OAUTH_CLIENT_KEYS_H
#define JETON_OAUTH_CLIENT_KEYS_H

#include "jose/jose.h"
#include "oauth/client_metadata.h"

enum {
    CLIENT_KEYS_PAUSE_S = 60,
    CLIENT_KEYS_LIFE_S = 600,
    CLIENT_KEYS_BYTES_MAX = 64 * 1024, /* of a set that is fetched; in the arena for a while */
    CLIENT_JWT_BYTES_MAX = TOKEN_VALUE_BYTES_MAX
};

/*
 * Verifies a compact JWS with a key of the client, by kid where both have one, with the algorithm
 * alone that is registered for the purpose, or any that we sign with, and PS256 (has_alg false).
 *
 * Answers: RC_OK · RC_REFUSED (no refusal is set: the caller knows the error) · RC_WOULD_BLOCK
 * Faults:  the store's
 */
enum rc client_keys_verify(struct oauth_call *call, const struct client *client,
                           const struct client_metadata *metadata, struct str jwt, bool has_alg,
                           enum signing_alg alg, struct jws *out_jws) MUST_CHECK;

/*
 * Whether one of the client's keys is a certificate (RFC 8705 2.2.2).
 *
 * base64      the certificate's DER as x5c has it (RFC 7517 4.7)
 * thumbprint  as x5t#S256 has it, for keys without x5c
 *
 * Answers: RC_OK · RC_REFUSED none is · RC_WOULD_BLOCK.  Faults: RC_SYSTEM
 */
enum rc client_keys_find_certificate(struct oauth_call *call,
                                     const struct client_metadata *metadata, struct str base64,
                                     struct str thumbprint) MUST_CHECK;

#endif
