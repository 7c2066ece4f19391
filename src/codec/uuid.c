#include "codec/uuid.h"

/* Where a byte's two digits stand: groups of 4, 2, 2, 2 and 6 bytes with a dash between them. */
static size_t digits_at(size_t byte)
{
    return 2 * byte + (byte >= 4) + (byte >= 6) + (byte >= 8) + (byte >= 10);
}

static bool is_dash_place(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

void uuid_format(const unsigned char bytes[static UUID_BYTES],
                 char out_text[static UUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    memset(out_text, '-', UUID_TEXT_BYTES);
    for (size_t i = 0; i < UUID_BYTES; i++) {
        out_text[digits_at(i)] = digits[bytes[i] >> 4];
        out_text[digits_at(i) + 1] = digits[bytes[i] & 15];
    }
}

/* -1 for another byte. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

enum rc uuid_parse(struct str text, unsigned char out_bytes[static UUID_BYTES])
{
    unsigned char bytes[UUID_BYTES];

    if (text.len != UUID_TEXT_BYTES)
        return RC_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        if (is_dash_place(i) ? text.at[i] != '-' : hex_value(text.at[i]) < 0)
            return RC_INVALID;
    }
    for (size_t i = 0; i < UUID_BYTES; i++) {
        const char *at = text.at + digits_at(i);

        bytes[i] = (unsigned char)(hex_value(at[0]) << 4 | hex_value(at[1]));
    }
    memcpy(out_bytes, bytes, UUID_BYTES);
    return RC_OK;
}

void uuid_mark_random(unsigned char bytes[static UUID_BYTES])
{
    bytes[6] = (unsigned char)(0x40 | (bytes[6] & 0x0f)); /* RFC 9562 5.4: version 4   */
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f)); /* RFC 9562 4.1: its variant */
}
