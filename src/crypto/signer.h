/*
 * crypto/signer.h: every use of a private signing key goes through here.
 *
 * A signer is an immutable key pair that many threads may use at once: each call works on its own
 * copy of a prepared context, so no thread keeps anything of a key. ES256 (P-256, RFC 7518 3.4) and
 * RS256 and PS256 by OpenSSL, EdDSA (Ed25519, RFC 8037) by libsodium. Signatures are in JOSE form:
 * ES256 is r ‖ s, 64 bytes.
 */
#ifndef JETON_CRYPTO_SIGNER_H
#define JETON_CRYPTO_SIGNER_H

#include "base/buffer.h"
#include "base/rc.h"
#include "base/secret.h"
#include "base/str.h"

/* PS256 is what clients may sign with; no key of ours is of that kind. */
enum signer_kind { SIGNER_ES256, SIGNER_EDDSA, SIGNER_RS256, SIGNER_PS256 };

enum {
    SIGNER_SIGNATURE_BYTES_MAX = 512, /* RSA 4096 */
    SIGNER_PRIVATE_BYTES_MAX = 4096,  /* PKCS #8 DER of RSA 4096, with room */
    SIGNER_RSA_BITS = 3072
};

struct signer;
struct verifier;

/* A fresh key. RSA takes a noticeable part of a second. */
enum rc signer_generate(enum signer_kind kind, struct signer **out_signer) MUST_CHECK;

/* From what signer_export_private wrote. RC_INVALID when it is no such key. */
enum rc signer_import_private(enum signer_kind kind, struct str private_bytes,
                              struct signer **out_signer) MUST_CHECK;

/* Appends the private key (PKCS #8 DER, or the Ed25519 seed). The caller wipes the buffer. */
enum rc signer_export_private(const struct signer *signer, struct buffer *out_private) MUST_CHECK;

void signer_free(struct signer *signer);

enum signer_kind signer_kind(const struct signer *signer);

/* Signs the message. Faults: RC_CRYPTO */
enum rc signer_sign(const struct signer *signer, struct str message,
                    unsigned char out_signature[static SIGNER_SIGNATURE_BYTES_MAX],
                    size_t *out_signature_bytes) MUST_CHECK;

/* The public key's numbers, big-endian, without leading zeros except for the fixed-size ones. */
struct public_key {
    enum signer_kind kind;
    unsigned char x[32], y[32]; /* ES256: coordinates; EdDSA: x is the key */
    unsigned char n[512];       /* RS256, PS256: modulus */
    size_t n_bytes;
    unsigned char e[8]; /* the same: exponent */
    size_t e_bytes;
};

void signer_public(const struct signer *signer, struct public_key *out_public);

/* Appends "-----BEGIN PUBLIC KEY-----" with the key's SubjectPublicKeyInfo in lines of 64, and a
 * newline after the last line (RFC 7468 13). RC_INVALID: no sound key, as verifier_new. */
enum rc public_key_format_pem(const struct public_key *public_key,
                              struct buffer *out_pem) MUST_CHECK;

/* RC_INVALID for a point off the curve or in a small subgroup, RSA under 2048 or over 4096 bits, an
 * exponent that is even or below 65537, and moduli of the faulty generator of CVE-2017-15361. */
enum rc verifier_new(const struct public_key *public_key,
                     struct verifier **out_verifier) MUST_CHECK;
void verifier_free(struct verifier *verifier);

enum signer_kind verifier_kind(const struct verifier *verifier);

/* RC_OK, or RC_REFUSED when the signature is not this key's over this message. */
enum rc verifier_verify(const struct verifier *verifier, struct str message,
                        struct str signature) MUST_CHECK;

#endif
