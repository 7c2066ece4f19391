/*
 * Any bytes as a public JWK. What is read is written and read again as the same key with the same
 * thumbprint, and whether it is sound or not can be asked.
 */
#include "crypto/digest.h"
#include "fuzz.h"
#include "jose/jose.h"

static void check_key(const struct public_key *key)
{
    char first[JWK_THUMBPRINT_TEXT_BYTES], second[JWK_THUMBPRINT_TEXT_BYTES];
    struct verifier *verifier = NULL;
    struct public_key again;
    char memory[2048];
    struct buffer json = buffer_over(memory, sizeof(memory));

    jwk_thumbprint(key, first);
    jwk_format_public(key, (struct str){ first, sizeof(first) }, &json);
    ASSERT(!json.overflow);
    ASSERT(jwk_parse_public(buffer_str(&json), &again) == RC_OK);
    ASSERT(memcmp(key, &again, sizeof(again)) == 0);
    jwk_thumbprint(&again, second);
    ASSERT(memcmp(first, second, sizeof(first)) == 0);
    if (verifier_new(key, &verifier) == RC_OK)
        ASSERT(verifier_verify(verifier, STR("message"), STR("signature")) == RC_REFUSED);
    verifier_free(verifier);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct public_key key;

    crypto_init();
    crypto_init();
    if (jwk_parse_public(fuzz_input(data, size), &key) == RC_OK)
        check_key(&key);
    return 0;
}
