/* Blocks and their texts belong together one to one; the CRC's tables amount to its definition. */
#include "codec/base62.h"
#include "fuzz.h"

static void check_encode(struct str input)
{
    unsigned char bytes[BASE62_BLOCK_BYTES];
    unsigned char back[BASE62_BLOCK_BYTES];
    char text[BASE62_BLOCK_TEXT_BYTES];

    memcpy(bytes, input.at, sizeof(bytes));
    base62_encode_block(bytes, text);
    ASSERT(base62_decode_block(text, back) == RC_OK);
    ASSERT(memcmp(bytes, back, sizeof(bytes)) == 0);
}

static void check_decode(struct str input)
{
    unsigned char bytes[BASE62_BLOCK_BYTES];
    char back[BASE62_BLOCK_TEXT_BYTES];

    if (base62_decode_block(input.at, bytes) != RC_OK)
        return;
    base62_encode_block(bytes, back);
    ASSERT(memcmp(input.at, back, sizeof(back)) == 0);
}

static void check_crc(struct str input)
{
    uint32_t crc = UINT32_MAX;
    char text[BASE62_CRC_TEXT_BYTES];

    for (size_t i = 0; i < input.len; i++) {
        crc ^= (unsigned char)input.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
    }
    ASSERT(crc32_of(input) == ~crc);
    base62_encode_crc(~crc, text);
    ASSERT(text[0] <= '4'); /* 2^32 = 4 * 62^5 + … */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);

    if (size >= BASE62_BLOCK_BYTES)
        check_encode(input);
    if (size >= BASE62_BLOCK_TEXT_BYTES)
        check_decode(input);
    check_crc(input);
    return 0;
}
