/*
 * crypto/library.h: what the files of this room share: the fetched algorithms, and the contexts
 * that each thread keeps.
 *
 * A fetch takes locks and costs more than the digest it is for, so every algorithm is fetched once,
 * by crypto_init. A library context belongs to one thread, but a key object belongs to all, so a
 * thread keeps its own contexts beside it: at most KEPT_CONTEXT_COUNT, each found by the number of
 * the object that it was made for. Numbers only grow and are never used again, so a context that
 * outlives its object can never be taken for another's; a newer object takes its place, or the end
 * of the thread frees and wipes it. Not for other rooms.
 */
#ifndef JETON_CRYPTO_LIBRARY_H
#define JETON_CRYPTO_LIBRARY_H

#include <openssl/evp.h>
#include <stdint.h>

#include "base/str.h"

/* Objects that live side by side without pushing out each other's contexts: block keys, MAC keys.
 * There are fewer than ten in a server. */
enum { KEPT_CONTEXT_COUNT = 32 };

struct algorithms {
    EVP_MD *sha256;
    EVP_MD *sha512;
    EVP_MAC *hmac;
    EVP_CIPHER *aes_128_cbc;
    EVP_CIPHER *aes_256_ecb;
    EVP_CIPHER *aes_256_gcm;
};

/* Aborts when crypto_init has not been called. */
const struct algorithms *library_algorithms(void);

/* A number that no other object of this process has or will have. */
uint64_t library_next_number(void);

/* How a kind of object makes and frees a thread's context. */
struct kept_kind {
    void *(*new_context)(const void *object); /* aborts rather than answer NULL */
    void (*free_context)(void *context);
};

/* This thread's context for the object; made when the thread has none. Valid until the next call.
 */
void *library_kept_context(const struct kept_kind *kind, uint64_t number, const void *object);

/* This thread's digest context, to be initialised for each message. */
EVP_MD_CTX *library_digest_context(void);

/* This thread's contexts for keys that come as bytes, to be initialised for each message; they keep
 * the last key until then. The MAC is HMAC-SHA-256. */
EVP_CIPHER_CTX *library_cipher_context(void);
EVP_MAC_CTX *library_mac_context(void);

/* A copy of len bytes in guarded, locked memory that guarded_free wipes; aborts without memory. */
unsigned char *guarded_copy(const unsigned char *bytes, size_t len);
void guarded_free(unsigned char *bytes);

static inline const unsigned char *str_bytes(struct str view)
{
    return (const unsigned char *)view.at;
}

#endif
