#include "token/value.h"

#include "base/secret.h"

_Static_assert(TOKEN_HANDLE_BYTES + TOKEN_SECRET_BYTES == BASE62_BLOCK_BYTES,
               "a value's two halves fill one base62 block");

enum { HANDLE_KIND_INDEX = 8, HANDLE_ZERO_INDEX = 9 };

void token_handle_encode(const struct value_codec *codec, struct token_handle handle,
                         unsigned char out_bytes[static TOKEN_HANDLE_BYTES])
{
    unsigned char plain[TOKEN_HANDLE_BYTES] = { 0 };

    for (int i = 0; i < 8; i++)
        plain[i] = (unsigned char)((uint64_t)handle.id >> (56 - 8 * i));
    plain[HANDLE_KIND_INDEX] = (unsigned char)handle.kind;
    block_encrypt(codec->handle_key, plain, out_bytes);
}

enum rc token_handle_decode(const struct value_codec *codec,
                            const unsigned char bytes[static TOKEN_HANDLE_BYTES],
                            struct token_handle *out_handle)
{
    static const unsigned char zeros[TOKEN_HANDLE_BYTES - HANDLE_ZERO_INDEX];
    unsigned char plain[TOKEN_HANDLE_BYTES];
    uint64_t id = 0;

    block_decrypt(codec->handle_key, bytes, plain);
    for (int i = 0; i < 8; i++)
        id = id << 8 | plain[i];
    if (!secret_bytes_equal(plain + HANDLE_ZERO_INDEX, zeros, sizeof(zeros)) ||
        plain[HANDLE_KIND_INDEX] >= TOKEN_KIND_COUNT || id == 0 || id > INT64_MAX)
        return RC_INVALID;
    *out_handle = (struct token_handle){ (int64_t)id, (enum token_kind)plain[HANDLE_KIND_INDEX] };
    return RC_OK;
}

void token_value_format(const struct value_codec *codec, struct token_handle handle,
                        const unsigned char secret[static TOKEN_SECRET_BYTES],
                        struct buffer *out_text)
{
    unsigned char block[BASE62_BLOCK_BYTES];
    char text[TOKEN_TEXT_BYTES_MAX];
    struct buffer value = buffer_over(text, sizeof(text));
    char digits[BASE62_BLOCK_TEXT_BYTES];
    char check[BASE62_CRC_TEXT_BYTES];

    token_handle_encode(codec, handle, block);
    memcpy(block + TOKEN_HANDLE_BYTES, secret, TOKEN_SECRET_BYTES);
    base62_encode_block(block, digits);
    buffer_append(&value, codec->prefix, codec->prefix_bytes);
    buffer_append_byte(&value, token_kind_letter(handle.kind));
    buffer_append_byte(&value, '_');
    buffer_append(&value, digits, sizeof(digits));
    base62_encode_crc(crc32_of(buffer_str(&value)), check);
    buffer_append(&value, check, sizeof(check));
    buffer_append_str(out_text, buffer_str(&value));
    explicit_bzero(block, sizeof(block));
    explicit_bzero(digits, sizeof(digits));
    explicit_bzero(text, sizeof(text));
}

/* The part of a value that its CRC covers, if prefix, length and CRC are right. */
static bool has_sound_frame(const struct value_codec *codec, struct str text)
{
    size_t head_bytes = codec->prefix_bytes + 2;
    size_t covered_bytes = head_bytes + BASE62_BLOCK_TEXT_BYTES;
    char check[BASE62_CRC_TEXT_BYTES];

    if (text.len != covered_bytes + BASE62_CRC_TEXT_BYTES ||
        memcmp(text.at, codec->prefix, codec->prefix_bytes) != 0 || text.at[head_bytes - 1] != '_')
        return false;
    base62_encode_crc(crc32_of((struct str){ text.at, covered_bytes }), check);
    return memcmp(text.at + covered_bytes, check, sizeof(check)) == 0;
}

enum rc token_value_parse(const struct value_codec *codec, struct str text,
                          struct token_handle *out_handle,
                          unsigned char out_secret[static TOKEN_SECRET_BYTES])
{
    unsigned char block[BASE62_BLOCK_BYTES];
    struct token_handle handle;
    enum rc rc;

    if (!has_sound_frame(codec, text))
        return RC_INVALID;
    rc = base62_decode_block(text.at + codec->prefix_bytes + 2, block);
    if (rc == RC_OK)
        rc = token_handle_decode(codec, block, &handle);
    if (rc == RC_OK && text.at[codec->prefix_bytes] != token_kind_letter(handle.kind))
        rc = RC_INVALID;
    if (rc == RC_OK) {
        *out_handle = handle;
        memcpy(out_secret, block + TOKEN_HANDLE_BYTES, TOKEN_SECRET_BYTES);
    }
    explicit_bzero(block, sizeof(block));
    return rc;
}
