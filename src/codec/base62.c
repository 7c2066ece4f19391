#include "codec/base62.h"

#include <endian.h>

#include "codec/alphabet.h"

/* The widest product of a limb. */
__extension__ typedef unsigned __int128 wide;

enum {
    LIMB_COUNT = 4,
    CHUNK_COUNT = 4, /* after the three leading digits */
    CHUNK_DIGIT_COUNT = 10,
    LEAD_DIGIT_COUNT = 3, /* 3 + 4 * 10 = BASE62_BLOCK_TEXT_BYTES */
};

/* Ten digits at a time: the most that a 64-bit limb holds. */
static const uint64_t chunk_base = UINT64_C(839299365868340224); /* 62^10 */

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static const unsigned char values[256] = { ALPHABET_DIGITS(0), ALPHABET_UPPER(10),
                                           ALPHABET_LOWER(36) };

static void put_digits(uint64_t number, char *text, size_t digit_count)
{
    while (digit_count-- > 0) {
        text[digit_count] = alphabet[number % 62];
        number /= 62;
    }
}

/* Divides the limbs, most significant first, in place; returns the remainder. */
static uint64_t divide(uint64_t limbs[static LIMB_COUNT], uint64_t divisor)
{
    uint64_t remainder = 0;

    for (size_t i = 0; i < LIMB_COUNT; i++) {
        wide number = (wide)remainder << 64 | limbs[i];

        if (number == 0)
            continue;
        limbs[i] = (uint64_t)(number / divisor);
        remainder = (uint64_t)number - limbs[i] * divisor;
    }
    return remainder;
}

void base62_encode_block(const unsigned char bytes[static BASE62_BLOCK_BYTES],
                         char out_text[static BASE62_BLOCK_TEXT_BYTES])
{
    uint64_t limbs[LIMB_COUNT] = { 0 };

    for (size_t i = 0; i < BASE62_BLOCK_BYTES; i++)
        limbs[i / 8] = limbs[i / 8] << 8 | bytes[i];
    for (size_t chunk = CHUNK_COUNT; chunk-- > 0;)
        put_digits(divide(limbs, chunk_base),
                   out_text + LEAD_DIGIT_COUNT + chunk * CHUNK_DIGIT_COUNT, CHUNK_DIGIT_COUNT);
    put_digits(limbs[LIMB_COUNT - 1], out_text, LEAD_DIGIT_COUNT);
}

/* Multiplies and adds in place, most significant limb first; returns what no longer fits. */
static uint64_t multiply_add(uint64_t limbs[static LIMB_COUNT], uint64_t factor, uint64_t addend)
{
    for (size_t i = LIMB_COUNT; i-- > 0;) {
        wide product = (wide)limbs[i] * factor + addend;

        limbs[i] = (uint64_t)product;
        addend = (uint64_t)(product >> 64);
    }
    return addend;
}

/* The number that some digits stand for; *seen is ANDed with their entries. */
static inline uint64_t take_digits(const char *text, size_t digit_count, unsigned *seen)
{
    uint64_t number = 0;

    for (size_t i = 0; i < digit_count; i++) {
        unsigned value = values[(unsigned char)text[i]];

        *seen &= value;
        number = number * 62 + (value & ALPHABET_VALUE);
    }
    return number;
}

enum rc base62_decode_block(const char text[static BASE62_BLOCK_TEXT_BYTES],
                            unsigned char out_bytes[static BASE62_BLOCK_BYTES])
{
    unsigned seen = ALPHABET_MEMBER;
    uint64_t limbs[LIMB_COUNT] = { 0 };
    uint64_t beyond = 0;

    limbs[LIMB_COUNT - 1] = take_digits(text, LEAD_DIGIT_COUNT, &seen);
    for (size_t at = LEAD_DIGIT_COUNT; at < BASE62_BLOCK_TEXT_BYTES; at += CHUNK_DIGIT_COUNT)
        beyond |= multiply_add(limbs, chunk_base, take_digits(text + at, CHUNK_DIGIT_COUNT, &seen));
    if (seen == 0 || beyond != 0)
        return RC_INVALID;
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        uint64_t big_endian = htobe64(limbs[i]);

        memcpy(out_bytes + sizeof(big_endian) * i, &big_endian, sizeof(big_endian));
    }
    return RC_OK;
}

void base62_encode_crc(uint32_t crc, char out_text[static BASE62_CRC_TEXT_BYTES])
{
    put_digits(crc, out_text, BASE62_CRC_TEXT_BYTES);
}

/*
 * CRC-32 is linear: the entry of a byte is the XOR of the entries of its bits. So a table is
 * written down as eight entries, and the preprocessor spells out the other 248. Four tables, for a
 * byte that is followed by none, one, two or three others, take four bytes in a step.
 */
#define BIT(byte, bit, entry) ((byte) >> (bit)&1 ? UINT32_C(entry) : 0)
#define ENTRY0(byte)                                                                               \
    (BIT(byte, 0, 0x77073096) ^ BIT(byte, 1, 0xee0e612c) ^ BIT(byte, 2, 0x076dc419) ^              \
     BIT(byte, 3, 0x0edb8832) ^ BIT(byte, 4, 0x1db71064) ^ BIT(byte, 5, 0x3b6e20c8) ^              \
     BIT(byte, 6, 0x76dc4190) ^ BIT(byte, 7, 0xedb88320))
#define ENTRY1(byte)                                                                               \
    (BIT(byte, 0, 0x191b3141) ^ BIT(byte, 1, 0x32366282) ^ BIT(byte, 2, 0x646cc504) ^              \
     BIT(byte, 3, 0xc8d98a08) ^ BIT(byte, 4, 0x4ac21251) ^ BIT(byte, 5, 0x958424a2) ^              \
     BIT(byte, 6, 0xf0794f05) ^ BIT(byte, 7, 0x3b83984b))
#define ENTRY2(byte)                                                                               \
    (BIT(byte, 0, 0x01c26a37) ^ BIT(byte, 1, 0x0384d46e) ^ BIT(byte, 2, 0x0709a8dc) ^              \
     BIT(byte, 3, 0x0e1351b8) ^ BIT(byte, 4, 0x1c26a370) ^ BIT(byte, 5, 0x384d46e0) ^              \
     BIT(byte, 6, 0x709a8dc0) ^ BIT(byte, 7, 0xe1351b80))
#define ENTRY3(byte)                                                                               \
    (BIT(byte, 0, 0xb8bc6765) ^ BIT(byte, 1, 0xaa09c88b) ^ BIT(byte, 2, 0x8f629757) ^              \
     BIT(byte, 3, 0xc5b428ef) ^ BIT(byte, 4, 0x5019579f) ^ BIT(byte, 5, 0xa032af3e) ^              \
     BIT(byte, 6, 0x9b14583d) ^ BIT(byte, 7, 0xed59b63b))
#define ROW4(entry, byte) entry(byte), entry(byte + 1), entry(byte + 2), entry(byte + 3)
#define ROW16(entry, byte)                                                                         \
    ROW4(entry, byte), ROW4(entry, byte + 4), ROW4(entry, byte + 8), ROW4(entry, byte + 12)
#define ROW64(entry, byte)                                                                         \
    ROW16(entry, byte), ROW16(entry, byte + 16), ROW16(entry, byte + 32), ROW16(entry, byte + 48)
#define TABLE(entry)                                                                               \
    {                                                                                              \
        ROW64(entry, 0), ROW64(entry, 64), ROW64(entry, 128), ROW64(entry, 192)                    \
    }

static const uint32_t crc_tables[4][256] = { TABLE(ENTRY0), TABLE(ENTRY1), TABLE(ENTRY2),
                                             TABLE(ENTRY3) };

uint32_t crc32_of(struct str bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    size_t left = bytes.len;
    uint32_t crc = UINT32_MAX;

    for (; left >= 4; left -= 4, at += 4) {
        crc ^= at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = crc_tables[3][crc & 0xff] ^ crc_tables[2][crc >> 8 & 0xff] ^
              crc_tables[1][crc >> 16 & 0xff] ^ crc_tables[0][crc >> 24];
    }
    while (left-- > 0)
        crc = crc >> 8 ^ crc_tables[0][(crc ^ *at++) & 0xff];
    return ~crc;
}
