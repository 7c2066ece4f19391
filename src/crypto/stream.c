#include "crypto/stream.h"

#include <sodium.h>

_Static_assert((int)STREAM_KEY_BYTES == crypto_secretstream_xchacha20poly1305_KEYBYTES, "key");
_Static_assert((int)STREAM_HEADER_BYTES == crypto_secretstream_xchacha20poly1305_HEADERBYTES,
               "header");
_Static_assert((int)STREAM_OVERHEAD_BYTES == crypto_secretstream_xchacha20poly1305_ABYTES, "chunk");
_Static_assert((int)STREAM_SALT_BYTES == crypto_pwhash_SALTBYTES, "salt");
_Static_assert(sizeof(crypto_secretstream_xchacha20poly1305_state) <= sizeof(struct stream),
               "state");

static crypto_secretstream_xchacha20poly1305_state *state_of(struct stream *stream)
{
    /* It is made of bytes alone, so it may stand anywhere. */
    return (crypto_secretstream_xchacha20poly1305_state *)(void *)stream->state;
}

static const unsigned char *bytes_of(struct str text)
{
    return (const unsigned char *)text.at;
}

void stream_seal_begin(struct stream *stream, const unsigned char key[static STREAM_KEY_BYTES],
                       unsigned char out_header[static STREAM_HEADER_BYTES])
{
    int status = crypto_secretstream_xchacha20poly1305_init_push(state_of(stream), out_header, key);

    ASSERT(status == 0);
}

void stream_seal(struct stream *stream, struct str plain, struct str associated, bool is_last,
                 unsigned char *out_chunk)
{
    int status = crypto_secretstream_xchacha20poly1305_push(
        state_of(stream), out_chunk, NULL, bytes_of(plain), plain.len, bytes_of(associated),
        associated.len,
        is_last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
                : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);

    ASSERT(status == 0);
}

enum rc stream_open_begin(struct stream *stream, const unsigned char key[static STREAM_KEY_BYTES],
                          const unsigned char header[static STREAM_HEADER_BYTES])
{
    return crypto_secretstream_xchacha20poly1305_init_pull(state_of(stream), header, key) == 0
               ? RC_OK
               : RC_INVALID;
}

enum rc stream_open(struct stream *stream, struct str chunk, struct str associated,
                    unsigned char *out_plain, bool *out_is_last)
{
    unsigned char tag = 0;

    if (chunk.len < STREAM_OVERHEAD_BYTES ||
        crypto_secretstream_xchacha20poly1305_pull(state_of(stream), out_plain, NULL, &tag,
                                                   bytes_of(chunk), chunk.len, bytes_of(associated),
                                                   associated.len) != 0)
        return RC_INVALID;
    *out_is_last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    return RC_OK;
}

enum rc stream_key_of_passphrase(const struct secret *passphrase, struct password_cost cost,
                                 const unsigned char salt[static STREAM_SALT_BYTES],
                                 unsigned char out_key[static STREAM_KEY_BYTES])
{
    struct str text = secret_expose(passphrase);

    if (cost.passes == 0 || cost.passes > PASSWORD_PASSES_MAX ||
        cost.memory_kib < crypto_pwhash_argon2id_MEMLIMIT_MIN / 1024 ||
        cost.memory_kib > PASSWORD_MEMORY_KIB_MAX ||
        (uint64_t)cost.memory_kib * cost.passes > PASSWORD_WORK_KIB_MAX)
        return RC_INVALID;
    if (crypto_pwhash(out_key, STREAM_KEY_BYTES, text.at, text.len, salt, cost.passes,
                      (size_t)cost.memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return RC_CRYPTO;
    return RC_OK;
}

void stream_end(struct stream *stream)
{
    explicit_bzero(stream, sizeof(*stream));
}
