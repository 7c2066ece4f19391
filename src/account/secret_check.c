#include "account/secret_check.h"

#define MADE_PREFIX "hmac:"

enum { MADE_PREFIX_BYTES = sizeof(MADE_PREFIX) - 1, MADE_TEXT_BYTES = MADE_PREFIX_BYTES + 64 };

_Static_assert((int)MADE_TEXT_BYTES < (int)PASSWORD_HASH_BYTES_MAX, "the stored form must fit");

enum { MEMORY_UNKNOWN = 0, MEMORY_WRITING = 1, MEMORY_SET = 2 };

/* Not by a table: where a load comes from can be seen in its time. */
static char hex_digit(unsigned value)
{
    return (char)('0' + value + ((9 - value) >> 8 & ('a' - '0' - 10)));
}

void secret_store_made(const struct secret_checker *checker, const struct secret *secret,
                       char out_hash[static PASSWORD_HASH_BYTES_MAX])
{
    unsigned char mac[SHA256_BYTES];

    hmac_sha256(checker->stored_key, STR("secret:"), secret_expose(secret), mac);
    memcpy(out_hash, MADE_PREFIX, MADE_PREFIX_BYTES);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out_hash[MADE_PREFIX_BYTES + 2 * i] = hex_digit(mac[i] >> 4);
        out_hash[MADE_PREFIX_BYTES + 2 * i + 1] = hex_digit(mac[i] & 15U);
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

bool secret_is_chosen(struct str stored_hash)
{
    return str_starts_with(stored_hash, STR("$"));
}

bool secret_may_overlap(struct str stored_hash, struct str previous_hash)
{
    return !secret_is_chosen(stored_hash) || !secret_is_chosen(previous_hash);
}

/* Whether it is this one, as far as that can be told without a password hash. */
static bool is_quickly_right(const struct secret_checker *checker, const struct secret *presented,
                             const struct secret_form *form)
{
    if (form->stored_hash.len == 0)
        return false;
    if (is_remembered(checker, presented, form->memory))
        return true;
    if (!is_made(checker, presented, form->stored_hash))
        return false;
    remember(checker, presented, form->memory);
    return true;
}

enum rc secret_check_either(const struct secret_checker *checker, const struct secret *presented,
                            const struct secret_form *current, const struct secret_form *previous,
                            bool may_hash)
{
    /* The one hash that a failure costs is of the form that needs it; and where neither does
     * (unknown client, or made secrets), the same work for nothing. */
    const struct secret_form *hashed = secret_is_chosen(current->stored_hash) ? current : previous;
    enum rc rc;

    if (is_quickly_right(checker, presented, current) ||
        is_quickly_right(checker, presented, previous))
        return RC_OK;
    if (!may_hash)
        return RC_WOULD_BLOCK;
    if (!secret_is_chosen(hashed->stored_hash)) {
        password_verify_nothing(presented, checker->cost);
        return RC_REFUSED;
    }
    rc = password_verify(presented, hashed->stored_hash);
    if (rc == RC_OK)
        remember(checker, presented, hashed->memory);
    return rc;
}

enum rc secret_check(const struct secret_checker *checker, const struct secret *presented,
                     struct str stored_hash, struct secret_memory *memory, bool may_hash)
{
    const struct secret_form current = { stored_hash, memory };
    const struct secret_form none = { .memory = NULL };

    return secret_check_either(checker, presented, &current, &none, may_hash);
}

struct str secret_throttle_name(struct arena *arena, struct str id)
{
    return arena_format(arena, "client:%.*s", STR_ARGS(id));
}
