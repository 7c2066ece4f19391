/*
 * Any bytes as a compact JWS. Whatever is taken apart has sound parts, fits the memory that
 * jose/jose.h promises, and is refused by a key that never signed it.
 */
#include "base/limits.h"
#include "crypto/digest.h"
#include "fuzz.h"
#include "jose/jose.h"

static struct verifier *verifiers[3];

static void make_verifiers(void)
{
    static const enum signer_kind kinds[] = { SIGNER_ES256, SIGNER_EDDSA, SIGNER_RS256 };

    crypto_init();
    for (size_t i = 0; i < 3; i++) {
        struct public_key public_key;
        struct signer *signer = NULL;

        ASSERT(signer_generate(kinds[i], &signer) == RC_OK);
        signer_public(signer, &public_key);
        ASSERT(verifier_new(&public_key, &verifiers[i]) == RC_OK);
        signer_free(signer);
    }
}

static void check_parts(struct str compact, const struct jws *jws, const struct arena *arena)
{
    const struct str parts[] = { jws->alg, jws->typ, jws->kid, jws->payload, jws->signature };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        ASSERT(fuzz_is_owned(parts[i], compact, arena));
    ASSERT(jws->alg.len > 0 && jws->signature.len > 0);
    ASSERT(str_is_utf8(jws->alg) && str_is_utf8(jws->typ) && str_is_utf8(jws->kid));
    ASSERT(jws->signing_input.at == compact.at && jws->signing_input.len < compact.len);
    ASSERT(compact.at[jws->signing_input.len] == '.');
    for (size_t i = 0; i < 3; i++)
        ASSERT(jws_verify_with(jws, verifiers[i]) == RC_REFUSED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str compact = fuzz_input(data, size);
    struct arena arena;
    struct jws jws;

    if (verifiers[0] == NULL)
        make_verifiers();
    arena_init(&arena, size * 3 / 2 + 128);
    if (jws_parse(compact, &arena, &jws) == RC_OK) {
        ASSERT(size <= TOKEN_VALUE_BYTES_MAX);
        check_parts(compact, &jws, &arena);
    }
    arena_deinit(&arena);
    return 0;
}
