#include "crypto/password.h"

#include <errno.h>
#include <sodium.h>

#include "crypto/password_import.h"

enum { LANE_COUNT_MAX = 16 };

struct argon2_cost {
    bool is_argon2id;
    uint64_t memory_kib;
    uint64_t passes;
    uint64_t lanes;
    struct str salt_and_hash; /* "salt$hash" */
};

_Static_assert(crypto_pwhash_STRBYTES <= PASSWORD_HASH_BYTES_MAX, "a hash must fit");

static bool skip(struct str *rest, struct str prefix)
{
    if (!str_starts_with(*rest, prefix))
        return false;
    *rest = str_from(*rest, prefix.len);
    return true;
}

/* "name=digits" up to the byte that ends it. */
static bool take_number(struct str *rest, struct str name, char end, uint64_t max,
                        uint64_t *out_number)
{
    size_t len;

    if (!skip(rest, name))
        return false;
    len = str_index_of(*rest, end);
    if (len == rest->len || !str_parse_u64((struct str){ rest->at, len }, max, out_number))
        return false;
    *rest = str_from(*rest, len + 1);
    return true;
}

/* The costs of "$argon2id$v=19$m=…,t=…,p=…$". */
static bool parse_argon2(struct str stored_hash, struct argon2_cost *out_cost)
{
    struct argon2_cost cost = { 0 };
    struct str rest = stored_hash;

    cost.is_argon2id = skip(&rest, STR("$argon2id$"));
    if (!cost.is_argon2id && !skip(&rest, STR("$argon2i$")))
        return false;
    if (!skip(&rest, STR("v=19$")) ||
        !take_number(&rest, STR("m="), ',', PASSWORD_MEMORY_KIB_MAX, &cost.memory_kib) ||
        !take_number(&rest, STR("t="), ',', PASSWORD_PASSES_MAX, &cost.passes) ||
        !take_number(&rest, STR("p="), '$', LANE_COUNT_MAX, &cost.lanes))
        return false;
    if (cost.memory_kib * cost.passes > PASSWORD_WORK_KIB_MAX)
        return false;
    cost.salt_and_hash = rest;
    *out_cost = cost;
    return true;
}

static bool decode(struct str text, unsigned char *out_bytes, size_t max, size_t *out_len)
{
    return sodium_base642bin(out_bytes, max, text.at, text.len, NULL, out_len, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0;
}

/* "…$salt$hash", each not empty. */
static bool argon2_is_whole(struct str stored_hash)
{
    unsigned part_count = 0;
    size_t part_bytes = 0;

    for (size_t i = 0; i < stored_hash.len; i++) {
        if (stored_hash.at[i] != '$') {
            part_bytes++;
        } else if (part_bytes > 0 || i == 0) {
            part_bytes = 0;
            part_count++;
        }
    }
    return part_count == 5 && part_bytes > 0;
}

/* A dearer hash could be made, but not be checked again. */
static bool cost_is_bounded(struct password_cost cost)
{
    return cost.memory_kib <= PASSWORD_MEMORY_KIB_MAX && cost.passes <= PASSWORD_PASSES_MAX &&
           (uint64_t)cost.memory_kib * cost.passes <= PASSWORD_WORK_KIB_MAX;
}

enum rc password_hash(const struct secret *password, struct password_cost cost,
                      char out_hash[static PASSWORD_HASH_BYTES_MAX])
{
    struct str text = secret_expose(password);
    char hash[crypto_pwhash_STRBYTES];

    if (!cost_is_bounded(cost) ||
        crypto_pwhash_str_alg(hash, text.at, text.len, cost.passes, (size_t)cost.memory_kib * 1024,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return RC_CRYPTO;
    memcpy(out_hash, hash, sizeof(hash)); /* ends in NULs */
    return RC_OK;
}

/*
 * What the library makes itself: one lane, and its length of a salt. Its own comparison calls it a
 * mismatch when it has no memory, and a right password would count as a failure.
 */
static enum rc verify_own(struct str text, const struct argon2_cost *cost, bool *out_is_own)
{
    size_t end = str_index_of(cost->salt_and_hash, '$');
    struct str salt_text = { cost->salt_and_hash.at, end };
    unsigned char salt[crypto_pwhash_SALTBYTES];
    unsigned char expected[64];
    unsigned char hash[sizeof(expected)];
    size_t salt_len;
    size_t len;
    bool is_same;

    *out_is_own =
        cost->is_argon2id && cost->lanes == 1 && end < cost->salt_and_hash.len &&
        cost->passes >= crypto_pwhash_argon2id_OPSLIMIT_MIN &&
        cost->memory_kib * 1024 >= crypto_pwhash_argon2id_MEMLIMIT_MIN &&
        decode(salt_text, salt, sizeof(salt), &salt_len) && salt_len == sizeof(salt) &&
        decode(str_from(cost->salt_and_hash, end + 1), expected, sizeof(expected), &len) &&
        len >= crypto_pwhash_argon2id_BYTES_MIN;
    if (!*out_is_own)
        return RC_REFUSED;
    if (crypto_pwhash(hash, len, text.at, text.len, salt, cost->passes,
                      (size_t)cost->memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return RC_CRYPTO;
    is_same = sodium_memcmp(hash, expected, len) == 0;
    explicit_bzero(hash, sizeof(hash));
    return is_same ? RC_OK : RC_REFUSED;
}

static enum rc verify_argon2(const struct secret *password, struct str stored_hash,
                             const struct argon2_cost *cost)
{
    char hash[PASSWORD_HASH_BYTES_MAX] = { 0 };
    bool is_own;
    enum rc rc = verify_own(secret_expose(password), cost, &is_own);
    struct str text = secret_expose(password);

    if (is_own)
        return rc;
    memcpy(hash, stored_hash.at, stored_hash.len);
    errno = 0;
    if (crypto_pwhash_str_verify(hash, text.at, text.len) == 0)
        return RC_OK;
    return errno == ENOMEM ? RC_CRYPTO : RC_REFUSED;
}

enum rc password_verify(const struct secret *password, struct str stored_hash)
{
    struct argon2_cost cost;

    if (stored_hash.len >= PASSWORD_HASH_BYTES_MAX || str_has_control(stored_hash))
        return RC_REFUSED;
    if (parse_argon2(stored_hash, &cost))
        return verify_argon2(password, stored_hash, &cost);
    return password_import_verify(password, stored_hash);
}

bool password_is_known(struct str stored_hash)
{
    struct argon2_cost cost;

    if (stored_hash.len >= PASSWORD_HASH_BYTES_MAX || str_has_control(stored_hash))
        return false;
    return parse_argon2(stored_hash, &cost) ? argon2_is_whole(stored_hash)
                                            : password_import_is_known(stored_hash);
}

void password_verify_nothing(const struct secret *password, struct password_cost cost)
{
    static const unsigned char salt[crypto_pwhash_SALTBYTES];
    struct str text = secret_expose(password);
    unsigned char hash[32]; /* as long as the one in a stored string */

    /* Without memory there is no work to be like. */
    if (crypto_pwhash(hash, sizeof(hash), text.at, text.len, salt, cost.passes,
                      (size_t)cost.memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0)
        explicit_bzero(hash, sizeof(hash));
}

bool password_needs_upgrade(struct str stored_hash, struct password_cost cost)
{
    struct argon2_cost stored;

    return !parse_argon2(stored_hash, &stored) || !stored.is_argon2id ||
           stored.memory_kib < cost.memory_kib || stored.passes < cost.passes;
}
