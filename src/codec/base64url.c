#include "codec/base64url.h"

#include "codec/alphabet.h"

static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const unsigned char url_values[256] = {
    ALPHABET_UPPER(0),
    ALPHABET_LOWER(26),
    ALPHABET_DIGITS(52),
    ['-'] = ALPHABET_MEMBER + 62,
    ['_'] = ALPHABET_MEMBER + 63,
};

static const unsigned char base64_values[256] = {
    ALPHABET_UPPER(0),
    ALPHABET_LOWER(26),
    ALPHABET_DIGITS(52),
    ['+'] = ALPHABET_MEMBER + 62,
    ['/'] = ALPHABET_MEMBER + 63,
};

void base64url_encode(struct str bytes, struct buffer *out_text)
{
    size_t text_bytes = BASE64URL_TEXT_BYTES(bytes.len);
    const unsigned char *from = (const unsigned char *)bytes.at;
    char *to = out_text->at + out_text->len;
    size_t left = bytes.len;

    if (out_text->overflow || text_bytes > out_text->max_bytes - out_text->len) {
        out_text->overflow = true;
        return;
    }
    for (; left >= 3; left -= 3, from += 3) {
        *to++ = url_alphabet[from[0] >> 2];
        *to++ = url_alphabet[(from[0] << 4 | from[1] >> 4) & 0x3f];
        *to++ = url_alphabet[(from[1] << 2 | from[2] >> 6) & 0x3f];
        *to++ = url_alphabet[from[2] & 0x3f];
    }
    if (left > 0) {
        unsigned second = left == 2 ? from[1] : 0;

        *to++ = url_alphabet[from[0] >> 2];
        *to++ = url_alphabet[((unsigned)from[0] << 4 | second >> 4) & 0x3f];
        if (left == 2)
            *to++ = url_alphabet[second << 2 & 0x3f];
    }
    out_text->len += text_bytes;
}

/* Four characters at a time; the AND of all entries shows at the end whether each was a member. */
static enum rc decode(const unsigned char values[static 256], struct str text,
                      struct buffer *out_bytes)
{
    const unsigned char *from = (const unsigned char *)text.at;
    size_t byte_count = text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1);
    unsigned char *to = (unsigned char *)out_bytes->at + out_bytes->len;
    size_t left = text.len;
    uint32_t seen = ALPHABET_MEMBER;
    uint32_t stray = 0;

    if (text.len % 4 == 1)
        return RC_INVALID;
    if (out_bytes->overflow || byte_count > out_bytes->max_bytes - out_bytes->len)
        return RC_TOO_LARGE;
    for (; left >= 4; left -= 4, from += 4, to += 3) {
        uint32_t a = values[from[0]], b = values[from[1]], c = values[from[2]], d = values[from[3]];

        seen &= a & b & c & d;
        to[0] = (unsigned char)(a << 2 | (b >> 4 & 3));
        to[1] = (unsigned char)(b << 4 | (c >> 2 & 15));
        to[2] = (unsigned char)(c << 6 | (d & ALPHABET_VALUE));
    }
    if (left > 0) {
        uint32_t a = values[from[0]], b = values[from[1]];

        seen &= a & b;
        to[0] = (unsigned char)(a << 2 | (b >> 4 & 3));
        stray = b & 15;
        if (left == 3) {
            uint32_t c = values[from[2]];

            seen &= c;
            to[1] = (unsigned char)(b << 4 | (c >> 2 & 15));
            stray = c & 3;
        }
    }
    /* Bits that stand for no byte must be zero, or one byte string had many texts: RFC 4648 3.5 */
    if (seen == 0 || stray != 0)
        return RC_INVALID;
    out_bytes->len += byte_count;
    return RC_OK;
}

enum rc base64url_decode(struct str text, struct buffer *out_bytes)
{
    return decode(url_values, text, out_bytes);
}

enum rc base64_decode(struct str text, struct buffer *out_bytes)
{
    if (text.len > 0 && text.len % 4 == 0) {
        if (text.at[text.len - 1] == '=')
            text.len--;
        if (text.at[text.len - 1] == '=')
            text.len--;
    }
    return decode(base64_values, text, out_bytes);
}
