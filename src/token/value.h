/*
 * token/value.h: what an opaque token looks like.
 *
 *     jta_0Gx…(43)…k9Qq2b1c(6)
 *
 * The prefix ("jt" unless the installation chose another), the kind's letter, '_', 43 characters of
 * base62 that hold a 16-byte handle and a 16-byte secret, and 6 characters of base62 that hold the
 * CRC-32 of everything before them. As a regular expression: jt[a-z]_[0-9A-Za-z]{49}.
 *
 * The handle is one AES block: id, kind, and zeros that double as a check, so junk and forgeries
 * are refused without a look-up and ids are not revealed. The secret is random; only its SHA-256 is
 * kept. The format is frozen once released.
 */
#ifndef JETON_TOKEN_VALUE_H
#define JETON_TOKEN_VALUE_H

#include "base/buffer.h"
#include "codec/base62.h"
#include "crypto/block.h"
#include "model/registry.h"

enum {
    TOKEN_SECRET_BYTES = 16,
    TOKEN_HANDLE_BYTES = BLOCK_BYTES,
    TOKEN_PREFIX_BYTES_MAX = 16,
    TOKEN_TEXT_BYTES_MAX =
        TOKEN_PREFIX_BYTES_MAX + 2 + BASE62_BLOCK_TEXT_BYTES + BASE62_CRC_TEXT_BYTES
};

struct token_handle {
    int64_t id;
    enum token_kind kind;
};

/* How this installation writes values. */
struct value_codec {
    struct block_key *handle_key; /* the token room's */
    char prefix[TOKEN_PREFIX_BYTES_MAX];
    size_t prefix_bytes;
};

void token_handle_encode(const struct value_codec *codec, struct token_handle handle,
                         unsigned char out_bytes[static TOKEN_HANDLE_BYTES]);

/* RC_INVALID when it is not a handle that this installation made. */
enum rc token_handle_decode(const struct value_codec *codec,
                            const unsigned char bytes[static TOKEN_HANDLE_BYTES],
                            struct token_handle *out_handle) MUST_CHECK;

/* Appends the value. */
void token_value_format(const struct value_codec *codec, struct token_handle handle,
                        const unsigned char secret[static TOKEN_SECRET_BYTES],
                        struct buffer *out_text);

/*
 * Reads a value: every character counts (BE-05).
 *
 * out_secret  the caller's to wipe
 * Answers: RC_OK · RC_INVALID not a value of ours
 */
enum rc token_value_parse(const struct value_codec *codec, struct str text,
                          struct token_handle *out_handle,
                          unsigned char out_secret[static TOKEN_SECRET_BYTES]) MUST_CHECK;

#endif
