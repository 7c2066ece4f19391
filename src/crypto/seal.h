/*
 * crypto/seal.h: authenticated encryption of what is kept at rest (AES-256-GCM, random nonce).
 *
 * A sealed text is version byte, nonce (12), ciphertext, tag (16). The associated text names what
 * is sealed, so that one sealed thing cannot stand in for another.
 */
#ifndef JETON_CRYPTO_SEAL_H
#define JETON_CRYPTO_SEAL_H

#include "base/buffer.h"
#include "base/rc.h"
#include "base/str.h"

enum { SEAL_KEY_BYTES = 32, SEAL_OVERHEAD_BYTES = 1 + 12 + 16 };

/* Appends the sealed text to out_sealed; RC_TOO_LARGE when it does not fit. */
enum rc seal(const unsigned char key[static SEAL_KEY_BYTES], struct str name, struct str plain,
             struct buffer *out_sealed) MUST_CHECK;

/* Appends the plain text; RC_INVALID when it is not authentic under this key and name. */
enum rc unseal(const unsigned char key[static SEAL_KEY_BYTES], struct str name, struct str sealed,
               struct buffer *out_plain) MUST_CHECK;

#endif
