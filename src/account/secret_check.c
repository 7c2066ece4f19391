#include "account/secret_check.h"

#define MADE_PREFIX "hmac:"

enum { MADE_PREFIX_BYTES = sizeof(MADE_PREFIX) - 1, MADE_TEXT_BYTES = MADE_PREFIX_BYTES + 64 };

_Static_assert((int)MADE_TEXT_BYTES < (int)PASSWORD_HASH_BYTES_MAX, "the stored form must fit");

enum { MEMORY_UNKNOWN = 0, MEMORY_WRITING = 1, MEMORY_SET = 2 };

void secret_store_made(const struct secret_checker *checker, const struct secret *secret,
                       char out_hash[static PASSWORD_HASH_BYTES_MAX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char mac[SHA256_BYTES];

    hmac_sha256(checker->stored_key, STR("secret:"), secret_expose(secret), mac);
    memcpy(out_hash, MADE_PREFIX, MADE_PREFIX_BYTES);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out_hash[MADE_PREFIX_BYTES + 2 * i] = digits[mac[i] >> 4];
        out_hash[MADE_PREFIX_BYTES + 2 * i + 1] = digits[mac[i] & 15];
    }
    out_hash[MADE_TEXT_BYTES] = '\0';
}

static bool is_made(const struct secret_checker *checker, const struct secret *presented,
                    struct str stored_hash)
{
    char expected[PASSWORD_HASH_BYTES_MAX];

    if (stored_hash.len != MADE_TEXT_BYTES || !str_starts_with(stored_hash, STR(MADE_PREFIX)))
        return false;
    secret_store_made(checker, presented, expected);
    return secret_bytes_equal(expected, stored_hash.at, MADE_TEXT_BYTES);
}

/*
 * The entry of another hash is another entry, so the MAC need not name the hash. It stays in this
 * process, where only secret_bytes_equal sees it, so it need not be an HMAC (digest.h).
 */
static void memory_mac(const struct secret_checker *checker, const struct secret *presented,
                       unsigned char out_mac[static SHA256_BYTES])
{
    digest_keyed(checker->memory_key, secret_expose(presented), out_mac);
}

static bool is_remembered(const struct secret_checker *checker, const struct secret *presented,
                          struct secret_memory *memory)
{
    unsigned char mac[SHA256_BYTES];

    if (memory == NULL || atomic_load_explicit(&memory->state, memory_order_acquire) != MEMORY_SET)
        return false;
    memory_mac(checker, presented, mac);
    return secret_bytes_equal(mac, memory->mac, SHA256_BYTES);
}

/* Whoever is first writes; the others leave it be. */
static void remember(const struct secret_checker *checker, const struct secret *presented,
                     struct secret_memory *memory)
{
    unsigned expected = MEMORY_UNKNOWN;

    if (memory == NULL ||
        !atomic_compare_exchange_strong(&memory->state, &expected, MEMORY_WRITING))
        return;
    memory_mac(checker, presented, memory->mac);
    atomic_store_explicit(&memory->state, MEMORY_SET, memory_order_release);
}

enum rc secret_check(const struct secret_checker *checker, const struct secret *presented,
                     struct str stored_hash, struct secret_memory *memory, bool may_hash)
{
    enum rc rc;

    if (stored_hash.len > 0 && is_remembered(checker, presented, memory))
        return RC_OK;
    if (is_made(checker, presented, stored_hash)) {
        remember(checker, presented, memory);
        return RC_OK;
    }
    if (!may_hash)
        return RC_WOULD_BLOCK;
    if (!str_starts_with(stored_hash, STR("$"))) {
        /* Unknown client, or a made secret that is wrong: the same work. */
        password_verify_nothing(presented, checker->cost);
        return RC_REFUSED;
    }
    rc = password_verify(presented, stored_hash);
    if (rc == RC_OK)
        remember(checker, presented, memory);
    return rc;
}

struct str secret_throttle_name(struct arena *arena, struct str id)
{
    return arena_format(arena, "client:%.*s", STR_ARGS(id));
}
