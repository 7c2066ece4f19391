/*
 * crypto/cbc_hmac.h: A128CBC-HS256: AES-128-CBC, then HMAC-SHA-256 cut to its first half
 * (RFC 7518 5.2.3). The tag is compared in constant time before anything is decrypted.
 */
#ifndef JETON_CRYPTO_CBC_HMAC_H
#define JETON_CRYPTO_CBC_HMAC_H

#include "base/buffer.h"
#include "base/rc.h"
#include "base/str.h"

enum { CBC_HMAC_KEY_BYTES = 32, CBC_HMAC_IV_BYTES = 16, CBC_HMAC_TAG_BYTES = 16 };

/*
 * Appends the ciphertext, which is up to 16 bytes longer than the plain text.
 *
 * associated   authenticated with it
 *
 * Answers: RC_OK · RC_TOO_LARGE.  Faults: RC_CRYPTO
 */
enum rc cbc_hmac_encrypt(const unsigned char key[static CBC_HMAC_KEY_BYTES],
                         const unsigned char iv[static CBC_HMAC_IV_BYTES], struct str associated,
                         struct str plain, struct buffer *out_cipher,
                         unsigned char out_tag[static CBC_HMAC_TAG_BYTES]) MUST_CHECK;

/*
 * Appends the plain text. The ciphertext may lie where the plain text goes.
 *
 * Answers: RC_OK · RC_INVALID any wrong length, tag or padding, all alike · RC_TOO_LARGE the buffer
 *          has no room for as many bytes as the ciphertext has
 * Faults:  RC_CRYPTO
 */
enum rc cbc_hmac_decrypt(const unsigned char key[static CBC_HMAC_KEY_BYTES],
                         const unsigned char iv[static CBC_HMAC_IV_BYTES], struct str associated,
                         struct str cipher, const unsigned char tag[static CBC_HMAC_TAG_BYTES],
                         struct buffer *out_plain) MUST_CHECK;

#endif
