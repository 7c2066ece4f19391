/* Whatever is read as a token value is written back as the same text. */
#include <stdlib.h>

#include "base/secret.h"
#include "crypto/digest.h"
#include "token/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[BLOCK_KEY_BYTES] = { 1 };
    static struct value_codec codec;
    unsigned char secret[TOKEN_SECRET_BYTES];
    struct token_handle handle;
    char memory[TOKEN_TEXT_BYTES_MAX];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct str value = { (const char *)data, size };

    if (codec.handle_key == NULL) {
        crypto_init();
        codec = (struct value_codec){ block_key_new(key), "jt", 2 };
    }
    if (token_value_parse(&codec, value, &handle, secret) != RC_OK)
        return 0;
    token_value_format(&codec, handle, secret, &text);
    if (!str_equal(buffer_str(&text), value))
        abort();
    return 0;
}
