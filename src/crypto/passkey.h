/*
 * crypto/passkey.h: what authenticators write and sign (WebAuthn Level 3, sections 6.1 and 6.5),
 * taken apart and verified.
 *
 * This is the half of a ceremony that is about bytes and keys; account/passkey.h is the half that
 * is about what was asked for. Reading is strict and our own, on crypto/cbor_view.h, and comes
 * first, because libfido2, which verifies the signatures, allocates what its input claims to need
 * and does not mind bytes that are left over. Everything has a maximum length.
 *
 * Keys are ES256 (P-256), EdDSA (Ed25519) and RS256 (2048 bits), kept as the COSE_Key that the
 * authenticator wrote. Views point into the input. Any thread.
 */
#ifndef JETON_CRYPTO_PASSKEY_H
#define JETON_CRYPTO_PASSKEY_H

#include "crypto/digest.h"
#include "crypto/signer.h"

enum {
    PASSKEY_AAGUID_BYTES = 16,
    PASSKEY_CREDENTIAL_ID_BYTES_MAX = 1023,     /* WebAuthn 6.5.1 */
    PASSKEY_PUBLIC_KEY_BYTES_MAX = 512,         /* COSE_Key; that of RS256 has 272 */
    PASSKEY_SIGNATURE_BYTES_MAX = 256,          /* RS256 */
    PASSKEY_ATTESTATION_BYTES_MAX = 16 * 1024,  /* statements with certificates have a few KiB */
    PASSKEY_AUTHENTICATOR_DATA_BYTES_MAX = 992, /* of an assertion: as much as libfido2 takes for
                                                   EdDSA; 37 without extensions */
    PASSKEY_RP_ID_BYTES_MAX = 253               /* a domain name */
};

/* Authenticator data (WebAuthn 6.1). The bits that are reserved are not looked at. */
struct authenticator_data {
    struct str encoded; /* as signed */
    struct str rp_id_hash;
    bool is_user_present;
    bool is_user_verified;
    bool is_backup_eligible;
    bool is_backed_up;
    uint32_t sign_count;
    struct str extensions; /* the encoded map; empty: none */
    /* Attested credential data (WebAuthn 6.5.1); empty in an assertion. */
    struct str aaguid; /* PASSKEY_AAGUID_BYTES */
    struct str credential_id;
    struct str public_key; /* COSE_Key: a map, not looked into */
};

/* An attestation object (WebAuthn 6.5.4). */
struct attestation {
    struct str format;    /* "none" */
    struct str statement; /* the encoded map */
    struct authenticator_data data;
};

/* Answers: RC_OK · RC_INVALID anything malformed, left over or too long.  Source: WebAuthn 6.5.4 */
enum rc attestation_parse(struct str object, struct attestation *out_attestation) MUST_CHECK;

/* The authenticator data of an assertion, where no credential is attested.
 * Answers: RC_OK · RC_INVALID.  Source: WebAuthn 6.1 */
enum rc authenticator_data_parse(struct str bytes, struct authenticator_data *out_data) MUST_CHECK;

/*
 * Whether a COSE_Key is a key that this server verifies with: one of the three algorithms, the type
 * and curve that go with it, no member too many, and sound as verifier_new asks.
 *
 * Answers: RC_OK · RC_INVALID
 * Source:  WebAuthn 5.8.5, 6.5.1; RFC 9053 sections 2, 7; RFC 8230 section 4
 */
enum rc passkey_public_key_check(struct str public_key) MUST_CHECK;

/*
 * Verifies an attestation statement, of the formats none, packed and fido-u2f. It is verified only
 * because it is there: nobody asked for it, certificates are trusted by none and are not looked at
 * beyond their key, so the credential is worth what one without a statement is.
 *
 * attestation    its public key has passed passkey_public_key_check
 * rp_id          at most PASSKEY_RP_ID_BYTES_MAX; data.rp_id_hash is its hash
 *
 * Answers: RC_OK · RC_REFUSED another format, or not signed as it says
 * Faults:  RC_SYSTEM no memory
 * Source:  WebAuthn 7.1 steps 21 to 24, 8.2, 8.6, 8.7
 */
enum rc attestation_verify(const struct attestation *attestation,
                           const unsigned char client_data_hash[static SHA256_BYTES],
                           struct str rp_id) MUST_CHECK;

/*
 * Verifies an assertion's signature.
 *
 * data         the user is present; data->rp_id_hash is rp_id's
 * public_key   as passkey_public_key_check passed it, from the store
 *
 * Answers: RC_OK · RC_REFUSED
 * Faults:  RC_CORRUPT public_key is none · RC_SYSTEM no memory
 * Source:  WebAuthn 7.2 steps 20, 21
 */
enum rc assertion_verify(const struct authenticator_data *data,
                         const unsigned char client_data_hash[static SHA256_BYTES],
                         struct str signature, struct str rp_id, struct str public_key) MUST_CHECK;

#endif
