/*
 * jose/jose.h: JWK, JWS and JWT as Jeton makes and reads them (RFC 7515, 7517, 7519, 7638, 8037).
 *
 * Compact serialisation only. A JWS is accepted only with an algorithm that fits the key it is
 * checked with; "none", "crit", embedded keys and URLs are refused (RFC 8725).
 */
#ifndef JETON_JOSE_JOSE_H
#define JETON_JOSE_JOSE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/rc.h"
#include "crypto/digest.h"
#include "crypto/signer.h"

enum { JWK_THUMBPRINT_TEXT_BYTES = 43 };

/* "ES256", "EdDSA", "RS256", "PS256". */
struct str jose_alg_format(enum signer_kind kind);

/* Appends a public JWK object: the members of a thumbprint, then use "sig", alg and kid. */
void jwk_format_public(const struct public_key *key, struct str kid, struct buffer *out_json);

/*
 * Reads a public JWK for verifying signatures; one of RSA without alg is for RS256. Whether the
 * numbers make a sound key is for verifier_new to say.
 *
 * Answers: RC_OK · RC_INVALID no JSON object, duplicate or private members, another kind of key, a
 *          number in other than its one form, or use, key_ops or alg of another purpose
 * Faults:  RC_SYSTEM
 * Source:  RFC 7517 section 4; RFC 7518 section 6; RFC 8037 section 2
 */
enum rc jwk_parse_public(struct str json, struct public_key *out_key) MUST_CHECK;

/* The same of a JWK that stands inside a document. RC_OK or RC_INVALID. */
struct json_value;
enum rc jwk_read_public(const struct json_value *jwk, struct public_key *out_key) MUST_CHECK;

/* RFC 7638 with SHA-256, base64url: our key ids. */
void jwk_thumbprint(const struct public_key *key, char out_text[static JWK_THUMBPRINT_TEXT_BYTES]);

/* The digest itself. */
void jwk_thumbprint_digest(const struct public_key *key,
                           unsigned char out_digest[static SHA256_BYTES]);

/*
 * Appends a compact JWS with the header {"alg":…,"typ":…,"kid":…} in this order; an empty typ or
 * kid is left out.
 *
 * Answers: RC_OK · RC_TOO_LARGE the buffer is full.  Faults: RC_CRYPTO
 */
enum rc jws_sign(const struct signer *signer, struct str typ, struct str kid, struct str payload,
                 struct buffer *out_compact) MUST_CHECK;

/* A JWS taken apart, not yet checked. Views into the compact text and the arena. */
struct jws {
    struct str alg;
    struct str typ; /* empty when absent */
    struct str kid; /* empty when absent */
    struct str payload;
    struct str signature;
    struct str signing_input;
};

/*
 * Takes a compact JWS apart; needs at most 1.5 times its length and 128 bytes of the arena.
 *
 * Answers: RC_OK · RC_INVALID longer than TOKEN_VALUE_BYTES_MAX; anything but three strict
 *          base64url segments; an empty signature; a header that is no object, has duplicate
 *          members, no alg, or alg, typ or kid that are no strings; "crit", "b64", "zip", or a key
 *          or its address in the header
 * Faults:  RC_SYSTEM
 * Source:  RFC 7515 section 5.2; RFC 8725 section 3
 */
enum rc jws_parse(struct str compact, struct arena *arena, struct jws *out_jws) MUST_CHECK;

/*
 * The same for a proof of possession, the one place where a JWS brings its own key: `jwk` must
 * stand in the header. That somebody has the key is all that such a signature proves.
 *
 * out_key  as jwk_parse_public reads it
 *
 * Answers: those of jws_parse; RC_INVALID also when jwk is missing or no public key
 * Source:  RFC 9449 section 4.2
 */
enum rc jws_parse_proof(struct str compact, struct arena *arena, struct jws *out_jws,
                        struct public_key *out_key) MUST_CHECK;

/* RC_OK when the key is sound, alg is its own, and the signature is right; RC_REFUSED otherwise. */
enum rc jws_verify(const struct jws *jws, const struct public_key *key) MUST_CHECK;

/* The same with a verifier at hand, which saves making one: for keys that check many tokens. */
enum rc jws_verify_with(const struct jws *jws, const struct verifier *verifier) MUST_CHECK;

#endif
