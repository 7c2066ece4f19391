#include "crypto/password_import.h"

#include <crypt.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "crypto/library.h"
#include "crypto/password.h"

/* What an imported hash may ask for: about a second of one core, and 256 MiB. */
enum {
    BCRYPT_COST_MAX = 14,
    SHA_CRYPT_ROUND_COUNT_MAX = 1000000,
    PBKDF2_ROUND_COUNT_MAX = 2000000,
    SCRYPT_LOG_N_MAX = 17,
    SCRYPT_R_MAX = 32,
    SCRYPT_P_MAX = 16,
    SCRYPT_WORK_BYTES_MAX = 256 * 1024 * 1024
};

enum { HASH_BYTES_MAX = 64, HASH_BYTES_MIN = 16 };

static bool skip(struct str *rest, struct str prefix)
{
    if (!str_starts_with(*rest, prefix))
        return false;
    *rest = str_from(*rest, prefix.len);
    return true;
}

/* What stands before the next `end`, which is taken too. */
static bool take_until(struct str *rest, char end, struct str *out_part)
{
    size_t len = str_index_of(*rest, end);

    if (len == rest->len)
        return false;
    *out_part = (struct str){ rest->at, len };
    *rest = str_from(*rest, len + 1);
    return true;
}

static bool take_number(struct str *rest, char end, uint64_t max, uint64_t *out_number)
{
    struct str digits;

    return take_until(rest, end, &digits) && str_parse_u64(digits, max, out_number);
}

/* ---- crypt(3) ---- */

static bool bcrypt_is_bounded(struct str rest)
{
    uint64_t cost;

    return take_number(&rest, '$', BCRYPT_COST_MAX, &cost);
}

static bool sha_crypt_is_bounded(struct str rest)
{
    uint64_t rounds;

    return !skip(&rest, STR("rounds=")) ||
           take_number(&rest, '$', SHA_CRYPT_ROUND_COUNT_MAX, &rounds);
}

/* crypt(5): the settings that costs 1 to 8 have; 5 is the default and 8 takes 64 MiB. */
static bool yescrypt_is_bounded(struct str rest)
{
    static const struct str settings[] = { { "j75", 3 }, { "j85", 3 }, { "j7T", 3 }, { "j8T", 3 },
                                           { "j9T", 3 }, { "jAT", 3 }, { "jBT", 3 }, { "jCT", 3 } };
    struct str setting;

    if (!take_until(&rest, '$', &setting))
        return false;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (str_equal(setting, settings[i]))
            return true;
    }
    return false;
}

static bool crypt_is_bounded(struct str stored_hash)
{
    struct str rest = stored_hash;

    if (skip(&rest, STR("$2a$")) || skip(&rest, STR("$2b$")) || skip(&rest, STR("$2y$")))
        return bcrypt_is_bounded(rest);
    if (skip(&rest, STR("$5$")) || skip(&rest, STR("$6$")))
        return sha_crypt_is_bounded(rest);
    return skip(&rest, STR("$y$")) && yescrypt_is_bounded(rest);
}

static enum rc verify_crypt(const struct secret *password, struct str stored_hash)
{
    struct str text = secret_expose(password);
    char setting[PASSWORD_HASH_BYTES_MAX] = { 0 };
    char phrase[SECRET_BYTES_MAX + 1] = { 0 };
    struct crypt_data *data;
    const char *hash;
    bool matches;

    /* crypt reads C strings: what it would cut off must not be ignored. */
    if (memchr(text.at, '\0', text.len) != NULL)
        return RC_REFUSED;
    data = calloc(1, sizeof(*data));
    if (data == NULL)
        return RC_CRYPTO;
    memcpy(setting, stored_hash.at, stored_hash.len);
    memcpy(phrase, text.at, text.len);
    hash = crypt_rn(phrase, setting, data, (int)sizeof(*data));
    matches = hash != NULL && strlen(hash) == stored_hash.len &&
              secret_bytes_equal(hash, stored_hash.at, stored_hash.len);
    explicit_bzero(phrase, sizeof(phrase));
    explicit_bzero(data, sizeof(*data));
    free(data);
    return matches ? RC_OK : RC_REFUSED;
}

/* ---- PHC strings ---- */

/* Base64 without padding; '.' stands for '+' in the form that passlib writes. */
static bool decode_part(struct str text, unsigned char *out_bytes, size_t max_bytes,
                        size_t *out_len)
{
    char plain[PASSWORD_HASH_BYTES_MAX];

    for (size_t i = 0; i < text.len; i++)
        plain[i] = text.at[i] == '.' ? '+' : text.at[i];
    return sodium_base642bin(out_bytes, max_bytes, plain, text.len, NULL, out_len, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0;
}

struct phc {
    unsigned char salt[HASH_BYTES_MAX];
    size_t salt_bytes;
    unsigned char hash[HASH_BYTES_MAX];
    size_t hash_bytes;
};

/* "salt$hash", the end of a PHC string. A short hash would be easy to meet by chance. */
static bool parse_phc(struct str rest, struct phc *out_phc)
{
    struct str salt;

    return take_until(&rest, '$', &salt) &&
           decode_part(salt, out_phc->salt, sizeof(out_phc->salt), &out_phc->salt_bytes) &&
           decode_part(rest, out_phc->hash, sizeof(out_phc->hash), &out_phc->hash_bytes) &&
           out_phc->hash_bytes >= HASH_BYTES_MIN;
}

static enum rc compare(const struct phc *phc, unsigned char *derived)
{
    bool matches = secret_bytes_equal(derived, phc->hash, phc->hash_bytes);

    explicit_bzero(derived, phc->hash_bytes);
    return matches ? RC_OK : RC_REFUSED;
}

/* "$pbkdf2-sha256$i=29000$salt$hash", or the rounds without their name. */
static enum rc verify_pbkdf2(const struct secret *password, struct str rest, const EVP_MD *digest)
{
    struct str text = secret_expose(password);
    unsigned char derived[HASH_BYTES_MAX];
    struct phc phc = { 0 };
    uint64_t rounds;

    (void)skip(&rest, STR("i="));
    if (!take_number(&rest, '$', PBKDF2_ROUND_COUNT_MAX, &rounds) || rounds == 0 ||
        !parse_phc(rest, &phc))
        return RC_REFUSED;
    if (PKCS5_PBKDF2_HMAC(text.at, (int)text.len, phc.salt, (int)phc.salt_bytes, (int)rounds,
                          digest, (int)phc.hash_bytes, derived) != 1)
        return RC_CRYPTO;
    return compare(&phc, derived);
}

/* "$scrypt$ln=15,r=8,p=1$salt$hash". */
static enum rc verify_scrypt(const struct secret *password, struct str rest)
{
    unsigned char derived[HASH_BYTES_MAX];
    uint64_t log_n, r, p;
    struct phc phc = { 0 };

    if (!skip(&rest, STR("ln=")) || !take_number(&rest, ',', SCRYPT_LOG_N_MAX, &log_n) ||
        !skip(&rest, STR("r=")) || !take_number(&rest, ',', SCRYPT_R_MAX, &r) ||
        !skip(&rest, STR("p=")) || !take_number(&rest, '$', SCRYPT_P_MAX, &p))
        return RC_REFUSED;
    /* RFC 7914 6: 128 · r · N bytes of memory, p times over. */
    if (log_n == 0 || r == 0 || p == 0 || (128 * r * p) << log_n > SCRYPT_WORK_BYTES_MAX ||
        !parse_phc(rest, &phc))
        return RC_REFUSED;
    if (crypto_pwhash_scryptsalsa208sha256_ll(password->bytes, password->len, phc.salt,
                                              phc.salt_bytes, UINT64_C(1) << log_n, (uint32_t)r,
                                              (uint32_t)p, derived, phc.hash_bytes) != 0)
        return RC_CRYPTO;
    return compare(&phc, derived);
}

enum rc password_import_verify(const struct secret *password, struct str stored_hash)
{
    struct str rest = stored_hash;

    if (skip(&rest, STR("$pbkdf2-sha256$")))
        return verify_pbkdf2(password, rest, library_algorithms()->sha256);
    if (skip(&rest, STR("$pbkdf2-sha512$")))
        return verify_pbkdf2(password, rest, library_algorithms()->sha512);
    if (skip(&rest, STR("$scrypt$")))
        return verify_scrypt(password, rest);
    return crypt_is_bounded(stored_hash) ? verify_crypt(password, stored_hash) : RC_REFUSED;
}
