/*
 * crypto/digest.h: SHA-256, SHA-512, HMAC-SHA-256 and HKDF (FIPS 180-4, RFC 2104, RFC 5869).
 *
 * Algorithms are fetched once per process and contexts are kept per thread: that is four times the
 * speed of the one-shot calls, and scales over threads. All calls may come from any thread.
 */
#ifndef JETON_CRYPTO_DIGEST_H
#define JETON_CRYPTO_DIGEST_H

#include "base/secret.h"
#include "base/str.h"

enum { SHA256_BYTES = 32, SHA512_BYTES = 64 };

/* Fetches the algorithms of this room and starts libsodium. Call once, first thing; aborts when the
 * libraries lack them. */
void crypto_init(void);

void digest_sha256(struct str message, unsigned char out_digest[static SHA256_BYTES]);

/* SHA-256 of what comes piece by piece. Taking the digest ends and frees it. */
struct digest_stream;
struct digest_stream *digest_stream_new(void);
void digest_stream_add(struct digest_stream *stream, struct str piece);
void digest_stream_end(struct digest_stream *stream, unsigned char out_digest[static SHA256_BYTES]);

/* For what is not asked for often. */
void digest_sha512(struct str message, unsigned char out_digest[static SHA512_BYTES]);

/* A keyed MAC whose key schedule is kept; one object may be used by many threads. What a thread
 * keeps of it outlives the object, until newer keys push it out or the thread ends. */
struct hmac_key;
struct hmac_key *hmac_key_new(const unsigned char key[static 32]);
void hmac_key_free(struct hmac_key *key);

/* MAC over the concatenation of label and message; a label keeps uses of one key apart. */
void hmac_sha256(const struct hmac_key *key, struct str label, struct str message,
                 unsigned char out_mac[static SHA256_BYTES]);

/*
 * SHA-256 over the key and then the message: a third of an HMAC's work, for values that never leave
 * the process. Whoever sees such a value could extend its message (that is what HMAC is for), so it
 * is kept in memory, compared in constant time, and never shown, sent or stored.
 */
void digest_keyed(const struct hmac_key *key, struct str message,
                  unsigned char out_digest[static SHA256_BYTES]);

/* HKDF-SHA256 without a salt: a key of 32 bytes for the use that `info` names. Nothing is kept. */
void hkdf_sha256(struct str key_material, struct str info, unsigned char out_key[static 32]);

#endif
