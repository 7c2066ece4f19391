/*
 * Any bytes as a DPoP proof for one request at one moment. Whatever it is, it is refused in words
 * or fits in full, in the memory that oauth/oauth.h promises; and its address, normalised, stays as
 * it is when that is done again.
 */
#include "codec/uri.h"
#include "crypto/digest.h"
#include "fuzz.h"
#include "oauth/proof_check.h"

enum { NOW = 1700000000 };

static const unsigned char master_key[SEAL_KEY_BYTES] = { 7 };

static void check_uri(struct str text)
{
    char memory[2][4096];
    struct buffer once = buffer_over(memory[0], sizeof(memory[0]));
    struct buffer twice = buffer_over(memory[1], sizeof(memory[1]));

    if (uri_normalise(text, &once) != RC_OK)
        return;
    ASSERT(once.len <= text.len + 1);
    ASSERT(uri_normalise(buffer_str(&once), &twice) == RC_OK);
    ASSERT(str_equal(buffer_str(&once), buffer_str(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct proof_book *book;
    static struct oauth oauth;
    struct oauth_call call = { .oauth = &oauth, .now = NOW };
    struct proof_demand demand = { .token = NULL };
    struct arena arena;
    struct proof proof;
    enum rc rc;

    if (book == NULL) {
        crypto_init();
        ASSERT(proof_book_new(master_key, false, 0, &book) == RC_OK);
        oauth.proofs = book;
    }
    arena_init(&arena, OAUTH_PROOF_ARENA_BYTES_MAX);
    call.arena = &arena;
    call.proof = (struct proof_presented){ .method = STR("POST"),
                                           .uri = STR("https://as.example/oauth2/token"),
                                           .proof_count = 1,
                                           .proof = fuzz_input(data, size) };
    rc = proof_check(&call, &demand, &proof);
    ASSERT(rc == RC_OK || rc == RC_REFUSED);
    ASSERT(rc == RC_OK ? proof.seen_until > NOW : call.refusal.description.len > 0);
    ASSERT(call.dpop_nonce.len == 22);
    arena_deinit(&arena);
    check_uri(fuzz_input(data, size));
    return 0;
}
