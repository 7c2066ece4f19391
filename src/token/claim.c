#include "codec/base64url.h"
#include "codec/uuid.h"
#include "crypto/digest.h"
#include "jose/jwe.h"
#include "token/room.h"

enum {
    JTI_INDEX = sizeof(JWT_PAYLOAD_START) - 1,
    /* The payload's first 60 characters hold its first 45 bytes: as far as the quote behind the
     * longer kind of jti. No payload of ours is shorter. */
    JTI_SPAN_CHARS = 60,
    JTI_SPAN_BYTES = 45,
    JWE_IV_TEXT_BYTES = 22
};

_Static_assert((int)JTI_INDEX + (int)TOKEN_JTI_BYTES_MAX < (int)JTI_SPAN_BYTES, "its quote is in");
_Static_assert((int)TOKEN_HANDLE_BYTES == (int)JWE_IV_BYTES, "a JWE's IV is the handle");
_Static_assert((int)TOKEN_HANDLE_BYTES == (int)UUID_BYTES, "and so can a UUID be");

static enum rc decode_handle(struct str text, unsigned char out_bytes[static TOKEN_HANDLE_BYTES])
{
    struct buffer bytes = buffer_over(out_bytes, TOKEN_HANDLE_BYTES);

    return base64url_decode(text, &bytes);
}

static enum rc read_opaque(const struct value_codec *codec, struct str value,
                           struct claim *out_claim)
{
    unsigned char secret[TOKEN_SECRET_BYTES];
    enum rc rc = token_value_parse(codec, value, &out_claim->handle, secret);

    if (rc != RC_OK)
        return rc;
    token_handle_encode(codec, out_claim->handle, out_claim->handle_bytes);
    digest_sha256((struct str){ (const char *)secret, sizeof(secret) }, out_claim->digest);
    explicit_bzero(secret, sizeof(secret));
    return RC_OK;
}

/* The handle of a JWT: its jti stands first in the payload, in one of two forms. */
static enum rc read_jti(struct str value, size_t payload_start,
                        unsigned char out_handle[static TOKEN_HANDLE_BYTES])
{
    char bytes[JTI_SPAN_BYTES];
    struct buffer start = buffer_over(bytes, sizeof(bytes));
    const char *jti = bytes + JTI_INDEX;
    enum rc rc;

    if (value.len - payload_start < JTI_SPAN_CHARS)
        return RC_INVALID;
    rc = base64url_decode((struct str){ value.at + payload_start, JTI_SPAN_CHARS }, &start);
    if (rc != RC_OK || memcmp(bytes, JWT_PAYLOAD_START, JTI_INDEX) != 0)
        return RC_INVALID;
    if (jti[TOKEN_JTI_BYTES] == '"')
        return decode_handle((struct str){ jti, TOKEN_JTI_BYTES }, out_handle);
    if (jti[UUID_TEXT_BYTES] == '"')
        return uuid_parse((struct str){ jti, UUID_TEXT_BYTES }, out_handle);
    return RC_INVALID;
}

/* The handle of a JWE: its IV (RFC 7516 3.1), which needs no key to be read. */
static enum rc read_iv(struct str value, unsigned char out_handle[static TOKEN_HANDLE_BYTES])
{
    size_t start = sizeof(JWE_DIRECT_START) - 1;

    if (value.len <= start + JWE_IV_TEXT_BYTES || value.at[start + JWE_IV_TEXT_BYTES] != '.')
        return RC_INVALID;
    return decode_handle((struct str){ value.at + start, JWE_IV_TEXT_BYTES }, out_handle);
}

/*
 * A JWT or JWE of ours is known by the handle that it carries and by the digest of the whole text.
 * That is stricter than checking its signature or tag: one changed bit, or another key's, and the
 * digest differs.
 */
static enum rc read_compact(const struct value_codec *codec, struct str value, size_t dot,
                            struct claim *out_claim)
{
    enum rc rc;

    /* We make none that is longer: no need to hash what anybody sends. */
    if (value.len > TOKEN_VALUE_BYTES_MAX)
        return RC_INVALID;
    if (str_starts_with(value, STR(JWE_DIRECT_START)))
        rc = read_iv(value, out_claim->handle_bytes);
    else
        rc = read_jti(value, dot + 1, out_claim->handle_bytes);
    if (rc == RC_OK)
        rc = token_handle_decode(codec, out_claim->handle_bytes, &out_claim->handle);
    if (rc == RC_OK)
        digest_sha256(value, out_claim->digest);
    return rc;
}

enum rc claim_read(const struct value_codec *codec, struct str value, struct claim *out_claim)
{
    size_t dot = str_index_of(value, '.');

    return dot == value.len ? read_opaque(codec, value, out_claim)
                            : read_compact(codec, value, dot, out_claim);
}

struct str token_jti_format(const unsigned char handle[static TOKEN_HANDLE_BYTES],
                            enum token_format format, char out_text[static TOKEN_JTI_BYTES_MAX])
{
    struct buffer text = buffer_over(out_text, TOKEN_JTI_BYTES_MAX);

    if (format == TOKEN_SPRING_JWT) {
        uuid_format(handle, out_text);
        return (struct str){ out_text, UUID_TEXT_BYTES };
    }
    base64url_encode((struct str){ (const char *)handle, TOKEN_HANDLE_BYTES }, &text);
    return buffer_str(&text);
}

struct str token_jti_of(struct token_room *room, struct token_handle handle,
                        char out_text[static TOKEN_JTI_BYTES_MAX])
{
    unsigned char bytes[TOKEN_HANDLE_BYTES];

    token_handle_encode(&room->codec, handle, bytes);
    return token_jti_format(bytes, TOKEN_OPAQUE, out_text);
}

enum rc token_jti_parse(struct token_room *room, struct str text, struct token_handle *out_handle)
{
    unsigned char handle[TOKEN_HANDLE_BYTES];
    enum rc rc = RC_INVALID;

    if (text.len == TOKEN_JTI_BYTES)
        rc = decode_handle(text, handle);
    else if (text.len == UUID_TEXT_BYTES)
        rc = uuid_parse(text, handle);
    return rc == RC_OK ? token_handle_decode(&room->codec, handle, out_handle) : rc;
}
