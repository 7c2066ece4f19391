#include "jose/jwe.h"

#include "base/limits.h"
#include "codec/base64url.h"
#include "codec/json.h"
#include "crypto/cbc_hmac.h"

/* The most that fits into a text of TOKEN_VALUE_BYTES_MAX, and the padding of its last block. */
enum { CIPHER_BYTES_MAX = TOKEN_VALUE_BYTES_MAX / 4 * 3 + 16 };

static struct str bytes_view(const unsigned char *bytes, size_t len)
{
    return (struct str){ (const char *)bytes, len };
}

enum rc jwe_encrypt_direct(const unsigned char key[static JWE_KEY_BYTES],
                           const unsigned char iv[static JWE_IV_BYTES], struct str plain,
                           struct buffer *out_compact)
{
    UNINITIALIZED char memory[CIPHER_BYTES_MAX];
    struct buffer cipher = buffer_over(memory, sizeof(memory)), compact = *out_compact;
    struct str associated = { JWE_DIRECT_START, sizeof(JWE_DIRECT_START) - 3 };
    unsigned char tag[CBC_HMAC_TAG_BYTES];
    enum rc rc;

    /* RFC 7516 5.1 step 14: what is authenticated with it is the first segment's text. */
    rc = cbc_hmac_encrypt(key, iv, associated, plain, &cipher, tag);
    if (rc != RC_OK)
        return rc;
    /* RFC 7518 4.5: the encrypted key is empty. */
    BUFFER_APPEND_LITERAL(&compact, JWE_DIRECT_START);
    base64url_encode(bytes_view(iv, JWE_IV_BYTES), &compact);
    buffer_append_byte(&compact, '.');
    base64url_encode(buffer_str(&cipher), &compact);
    buffer_append_byte(&compact, '.');
    base64url_encode(bytes_view(tag, sizeof(tag)), &compact);
    if (compact.overflow)
        return RC_TOO_LARGE;
    *out_compact = compact;
    return RC_OK;
}

/* ---- opening ---- */

struct segments {
    struct str header, encrypted_key, iv, cipher, tag;
};

/* The text before the next dot; false when there is none. */
static bool take_segment(struct str *rest, struct str *out_segment)
{
    size_t dot = str_index_of(*rest, '.');

    if (dot == rest->len)
        return false;
    *out_segment = (struct str){ rest->at, dot };
    *rest = str_from(*rest, dot + 1);
    return true;
}

static bool split(struct str compact, struct segments *out_segments)
{
    /* A fifth dot is no base64url: six segments are refused like any stray byte. */
    if (!take_segment(&compact, &out_segments->header) ||
        !take_segment(&compact, &out_segments->encrypted_key) ||
        !take_segment(&compact, &out_segments->iv) ||
        !take_segment(&compact, &out_segments->cipher))
        return false;
    out_segments->tag = compact;
    return true;
}

static bool is_member(const struct json_value *header, struct str name, struct str wanted)
{
    struct str text;

    return json_get_string(json_find(header, name), &text) == RC_OK && str_equal(text, wanted);
}

static enum rc check_header(struct str encoded, struct arena *arena)
{
    static const char ours[] = JWE_DIRECT_START;
    struct buffer text;
    struct json_document *document = NULL;
    const struct json_value *header;
    enum rc rc;

    /* Nearly every one was made here. */
    if (str_equal(encoded, (struct str){ ours, sizeof(ours) - 3 }))
        return RC_OK;
    text = buffer_over(arena_alloc(arena, encoded.len), encoded.len);
    if (base64url_decode(encoded, &text) != RC_OK)
        return RC_INVALID;
    /* json_parse refuses duplicate members: RFC 7516 4 */
    rc = json_parse(buffer_str(&text), &document);
    if (rc != RC_OK)
        return rc;
    header = json_root(document);
    /* RFC 7516 4.1.13: we know no extension. RFC 8725 3.6: nothing is inflated. */
    if (!json_is_object(header) || !is_member(header, STR("alg"), STR("dir")) ||
        !is_member(header, STR("enc"), STR("A128CBC-HS256")) ||
        json_find(header, STR("zip")) != NULL || json_find(header, STR("crit")) != NULL)
        rc = RC_INVALID;
    json_document_free(document);
    return rc;
}

static bool decode_exactly(struct str text, unsigned char *out_bytes, size_t len)
{
    struct buffer bytes = buffer_over(out_bytes, len);

    return base64url_decode(text, &bytes) == RC_OK && bytes.len == len;
}

enum rc jwe_decrypt_direct(const unsigned char key[static JWE_KEY_BYTES], struct str compact,
                           struct arena *arena, struct str *out_plain)
{
    unsigned char iv[JWE_IV_BYTES], tag[CBC_HMAC_TAG_BYTES];
    struct buffer cipher, plain;
    struct segments segments;
    enum rc rc;

    /* RFC 7518 4.5: with "dir" the encrypted key is empty. */
    if (compact.len > TOKEN_VALUE_BYTES_MAX || !split(compact, &segments) ||
        segments.encrypted_key.len != 0 || !decode_exactly(segments.iv, iv, sizeof(iv)) ||
        !decode_exactly(segments.tag, tag, sizeof(tag)))
        return RC_INVALID;
    rc = check_header(segments.header, arena);
    if (rc != RC_OK)
        return rc;
    cipher = buffer_over(arena_alloc(arena, segments.cipher.len / 4 * 3 + 2),
                         segments.cipher.len / 4 * 3 + 2);
    if (base64url_decode(segments.cipher, &cipher) != RC_OK)
        return RC_INVALID;
    plain = buffer_over(cipher.at, cipher.len); /* in place */
    rc = cbc_hmac_decrypt(key, iv, segments.header, buffer_str(&cipher), tag, &plain);
    if (rc == RC_OK)
        *out_plain = buffer_str(&plain);
    return rc;
}
