/*
 * Any bytes as a compact JWE: what opens under the key fits the memory that jose/jwe.h promises;
 * and any bytes as a plain text: sealed they open again, and no longer with one byte changed.
 */
#include "base/limits.h"
#include "crypto/digest.h"
#include "fuzz.h"
#include "jose/jwe.h"

/* The key of the corpus: 00 01 02 … 1f. */
static unsigned char key[JWE_KEY_BYTES];
static const unsigned char iv[JWE_IV_BYTES] = { 0xa0 };

static void make_key(void)
{
    crypto_init();
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (unsigned char)i;
}

static enum rc open_in(struct str compact, struct arena *arena, struct str *out_plain)
{
    arena_init(arena, compact.len + 128);
    return jwe_decrypt_direct(key, compact, arena, out_plain);
}

static void check_opening(struct str compact)
{
    struct arena arena;
    struct str plain;

    if (open_in(compact, &arena, &plain) == RC_OK) {
        ASSERT(compact.len <= TOKEN_VALUE_BYTES_MAX);
        ASSERT(fuzz_is_owned(plain, compact, &arena) && plain.len < compact.len);
    }
    arena_deinit(&arena);
}

static void check_sealing(struct str plain)
{
    char memory[4096];
    struct buffer compact = buffer_over(memory, sizeof(memory));
    struct arena arena;
    struct str again;
    size_t at;

    if (jwe_encrypt_direct(key, iv, plain, &compact) != RC_OK)
        return;
    ASSERT(open_in(buffer_str(&compact), &arena, &again) == RC_OK && str_equal(again, plain));
    arena_deinit(&arena);
    at = (plain.len == 0 ? 7 : 7 + (unsigned char)plain.at[0]) % compact.len;
    memory[at] = memory[at] == 'A' ? 'B' : 'A';
    ASSERT(open_in(buffer_str(&compact), &arena, &again) == RC_INVALID);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (key[1] == 0)
        make_key();
    check_opening(fuzz_input(data, size));
    check_sealing(fuzz_input(data, size));
    return 0;
}
