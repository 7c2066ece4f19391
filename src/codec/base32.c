#include "codec/base32.h"

#include "codec/alphabet.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static const unsigned char values[256] = {
    ALPHABET_UPPER(0),
    ALPHABET_LOWER(0),
    ['2'] = ALPHABET_MEMBER + 26,
    ['3'] = ALPHABET_MEMBER + 27,
    ['4'] = ALPHABET_MEMBER + 28,
    ['5'] = ALPHABET_MEMBER + 29,
    ['6'] = ALPHABET_MEMBER + 30,
    ['7'] = ALPHABET_MEMBER + 31,
};

void base32_encode(struct str bytes, struct buffer *out_text)
{
    uint32_t bits = 0;
    unsigned bit_count = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.at[i];
        bit_count += 8;
        for (; bit_count >= 5; bit_count -= 5)
            buffer_append_byte(out_text, alphabet[bits >> (bit_count - 5) & 31]);
    }
    if (bit_count > 0)
        buffer_append_byte(out_text, alphabet[bits << (5 - bit_count) & 31]);
}

enum rc base32_decode(struct str text, struct buffer *out_bytes)
{
    struct buffer bytes = *out_bytes;
    uint32_t bits = 0;
    unsigned bit_count = 0;

    /* RFC 4648 6: one, three and six characters stand for no whole number of bytes. */
    if (text.len % 8 == 1 || text.len % 8 == 3 || text.len % 8 == 6)
        return RC_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char value = values[(unsigned char)text.at[i]];

        if (value == 0)
            return RC_INVALID;
        bits = bits << 5 | (value & 31U);
        bit_count += 5;
        if (bit_count >= 8) {
            bit_count -= 8;
            buffer_append_byte(&bytes, (char)(bits >> bit_count));
        }
    }
    /* Bits that stand for no byte must be zero, or one byte string had many texts: RFC 4648 3.5 */
    if ((bits & ((1U << bit_count) - 1)) != 0)
        return RC_INVALID;
    if (bytes.overflow)
        return RC_TOO_LARGE;
    *out_bytes = bytes;
    return RC_OK;
}
