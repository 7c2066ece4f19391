/*
 * jose/jwe.h: compact JWE with a shared key: "dir" and A128CBC-HS256 alone (RFC 7516, RFC 7518 4.5,
 * 5.2.3). What Jeton makes has the header {"enc":"A128CBC-HS256","alg":"dir"}, in this order.
 */
#ifndef JETON_JOSE_JWE_H
#define JETON_JOSE_JWE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/rc.h"

enum { JWE_KEY_BYTES = 32, JWE_IV_BYTES = 16 };

/* The first segment of every JWE that is made here, with its two dots: no key is wrapped. */
#define JWE_DIRECT_START "eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0.."

/*
 * Appends the compact text.
 *
 * key   the first half authenticates, the second encrypts (RFC 7518 5.2.2.1)
 * iv    never used before with this key and not to be foreseen
 *
 * Answers: RC_OK · RC_TOO_LARGE the buffer is full.  Faults: RC_CRYPTO
 */
enum rc jwe_encrypt_direct(const unsigned char key[static JWE_KEY_BYTES],
                           const unsigned char iv[static JWE_IV_BYTES], struct str plain,
                           struct buffer *out_compact) MUST_CHECK;

/*
 * Opens a compact JWE.
 *
 * out_plain   in the arena, which needs room for the text's length and 128 bytes
 *
 * Answers: RC_OK · RC_INVALID not five strict base64url segments; longer than
 *          TOKEN_VALUE_BYTES_MAX; a header that is no object, has duplicate members, another alg or
 *          enc, "zip" or "crit"; an encrypted key; not authentic under this key
 * Faults:  RC_CRYPTO, RC_SYSTEM
 * Source:  RFC 7516 5.2
 */
enum rc jwe_decrypt_direct(const unsigned char key[static JWE_KEY_BYTES], struct str compact,
                           struct arena *arena, struct str *out_plain) MUST_CHECK;

#endif
