/*
 * crypto/stream.h: authenticated encryption of a stream, chunk by chunk (XChaCha20-Poly1305 by
 * libsodium's secretstream).
 *
 * Chunks are bound to their order, and the last one says that it is: nothing can be changed, left
 * out, put in another place, or cut off. Associated bytes are not in the stream and must be the
 * same on both sides. A stream is used by one thread.
 */
#ifndef JETON_CRYPTO_STREAM_H
#define JETON_CRYPTO_STREAM_H

#include "base/rc.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/password.h"

enum {
    STREAM_KEY_BYTES = 32,
    STREAM_HEADER_BYTES = 24,
    STREAM_OVERHEAD_BYTES = 17,
    STREAM_SALT_BYTES = 16
};

struct stream {
    unsigned char state[64]; /* libsodium's */
};

/* Begins a stream to be written; the header goes before it. */
void stream_seal_begin(struct stream *stream, const unsigned char key[static STREAM_KEY_BYTES],
                       unsigned char out_header[static STREAM_HEADER_BYTES]);

/* Writes plain.len + STREAM_OVERHEAD_BYTES. */
void stream_seal(struct stream *stream, struct str plain, struct str associated, bool is_last,
                 unsigned char *out_chunk);

/* RC_INVALID: no header. */
enum rc stream_open_begin(struct stream *stream, const unsigned char key[static STREAM_KEY_BYTES],
                          const unsigned char header[static STREAM_HEADER_BYTES]) MUST_CHECK;

/*
 * Writes chunk.len - STREAM_OVERHEAD_BYTES.
 *
 * Answers: RC_OK · RC_INVALID it is not the next chunk of this stream under this key
 */
enum rc stream_open(struct stream *stream, struct str chunk, struct str associated,
                    unsigned char *out_plain, bool *out_is_last) MUST_CHECK;

/*
 * The key that a passphrase stands for (Argon2id, RFC 9106).
 *
 * Answers: RC_OK · RC_INVALID a cost beyond the limits of crypto/password.h.  Faults: RC_CRYPTO
 */
enum rc stream_key_of_passphrase(const struct secret *passphrase, struct password_cost cost,
                                 const unsigned char salt[static STREAM_SALT_BYTES],
                                 unsigned char out_key[static STREAM_KEY_BYTES]) MUST_CHECK;

/* Wipes. */
void stream_end(struct stream *stream);

#endif
