/*
 * Whatever is read as a token value of any format names a handle that this installation made, and
 * an opaque value is written back as the same text.
 */
#include "fuzz.h"

#include "crypto/digest.h"
#include "token/room.h"

static struct value_codec fuzz_codec(void)
{
    static const unsigned char key[BLOCK_KEY_BYTES] = { 1 };
    static struct value_codec codec;

    if (codec.handle_key == NULL) {
        crypto_init();
        codec = (struct value_codec){ block_key_new(key), "jt", 2 };
    }
    return codec;
}

static void check_opaque(const struct value_codec *codec, struct str value)
{
    unsigned char secret[TOKEN_SECRET_BYTES];
    struct token_handle handle;
    char memory[TOKEN_TEXT_BYTES_MAX];
    struct buffer text = buffer_over(memory, sizeof(memory));

    if (token_value_parse(codec, value, &handle, secret) != RC_OK)
        return;
    token_value_format(codec, handle, secret, &text);
    ASSERT(str_equal(buffer_str(&text), value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value_codec codec = fuzz_codec();
    struct str value = fuzz_input(data, size);
    unsigned char handle[TOKEN_HANDLE_BYTES];
    struct claim claim;

    check_opaque(&codec, value);
    if (claim_read(&codec, value, &claim) != RC_OK)
        return 0;
    token_handle_encode(&codec, claim.handle, handle);
    ASSERT(memcmp(handle, claim.handle_bytes, sizeof(handle)) == 0);
    ASSERT(claim.handle.id > 0 && claim.handle.kind < TOKEN_KIND_COUNT);
    return 0;
}
