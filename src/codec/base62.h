/*
 * codec/base62.h: fixed-width base62 (0-9 A-Z a-z, most significant first) of the parts of a token
 * value, and the CRC-32 (ISO 3309, as in zlib) that ends it.
 */
#ifndef JETON_CODEC_BASE62_H
#define JETON_CODEC_BASE62_H

#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"

enum {
    BASE62_BLOCK_BYTES = 32,      /* a handle and a secret               */
    BASE62_BLOCK_TEXT_BYTES = 43, /* 62^43 > 2^256                       */
    BASE62_CRC_TEXT_BYTES = 6     /* 62^6 > 2^32                         */
};

/* The 256-bit big-endian number, padded with '0' at the front. */
void base62_encode_block(const unsigned char bytes[static BASE62_BLOCK_BYTES],
                         char out_text[static BASE62_BLOCK_TEXT_BYTES]);

/* RC_INVALID for another character or a number of 2^256 or more. */
enum rc base62_decode_block(const char text[static BASE62_BLOCK_TEXT_BYTES],
                            unsigned char out_bytes[static BASE62_BLOCK_BYTES]) MUST_CHECK;

void base62_encode_crc(uint32_t crc, char out_text[static BASE62_CRC_TEXT_BYTES]);

uint32_t crc32_of(struct str bytes);

#endif
