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

/* The hash is the last part, of the length that the kind has. */
static bool crypt_is_whole(struct str stored_hash, size_t hash_bytes)
{
    char setting[PASSWORD_HASH_BYTES_MAX] = { 0 };

    memcpy(setting, stored_hash.at, stored_hash.len);
    return stored_hash.len > hash_bytes && strlen(strrchr(setting, '$') + 1) == hash_bytes &&
           crypt_checksalt(setting) != CRYPT_SALT_INVALID;
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

/* "i=29000$salt$hash", or the rounds without their name. */
static bool parse_pbkdf2(struct str rest, uint64_t *out_rounds, struct phc *out_phc)
{
    (void)skip(&rest, STR("i="));
    return take_number(&rest, '$', PBKDF2_ROUND_COUNT_MAX, out_rounds) && *out_rounds > 0 &&
           parse_phc(rest, out_phc);
}

static enum rc verify_pbkdf2(const struct secret *password, struct str rest, const EVP_MD *digest)
{
    struct str text = secret_expose(password);
    unsigned char derived[HASH_BYTES_MAX];
    struct phc phc = { 0 };
    uint64_t rounds;

    if (!parse_pbkdf2(rest, &rounds, &phc))
        return RC_REFUSED;
    if (PKCS5_PBKDF2_HMAC(text.at, (int)text.len, phc.salt, (int)phc.salt_bytes, (int)rounds,
                          digest, (int)phc.hash_bytes, derived) != 1)
        return RC_CRYPTO;
    return compare(&phc, derived);
}

struct scrypt_cost {
    uint64_t log_n, r, p;
};

/* "ln=15,r=8,p=1$salt$hash". */
static bool parse_scrypt(struct str rest, struct scrypt_cost *cost, struct phc *out_phc)
{
    if (!skip(&rest, STR("ln=")) || !take_number(&rest, ',', SCRYPT_LOG_N_MAX, &cost->log_n) ||
        !skip(&rest, STR("r=")) || !take_number(&rest, ',', SCRYPT_R_MAX, &cost->r) ||
        !skip(&rest, STR("p=")) || !take_number(&rest, '$', SCRYPT_P_MAX, &cost->p))
        return false;
    /* RFC 7914 6: 128 · r · N bytes of memory, p times over. */
    return cost->log_n > 0 && cost->r > 0 && cost->p > 0 &&
           (128 * cost->r * cost->p) << cost->log_n <= SCRYPT_WORK_BYTES_MAX &&
           parse_phc(rest, out_phc);
}

static enum rc verify_scrypt(const struct secret *password, struct str rest)
{
    unsigned char derived[HASH_BYTES_MAX];
    struct scrypt_cost cost;
    struct phc phc = { 0 };

    if (!parse_scrypt(rest, &cost, &phc))
        return RC_REFUSED;
    if (crypto_pwhash_scryptsalsa208sha256_ll(
            password->bytes, password->len, phc.salt, phc.salt_bytes, UINT64_C(1) << cost.log_n,
            (uint32_t)cost.r, (uint32_t)cost.p, derived, phc.hash_bytes) != 0)
        return RC_CRYPTO;
    return compare(&phc, derived);
}

/* ---- LDAP ---- */

/* A digest of the password and the salt, and the salt behind it. */
struct salted {
    const EVP_MD *digest;
    size_t digest_bytes;
    unsigned char bytes[EVP_MAX_MD_SIZE + HASH_BYTES_MAX];
    size_t len;
};

/* RFC 2307 5.3 has {SHA}; the salted ones are as every LDAP server writes them. One without a salt
 * is not taken: tables of those are for everybody to download. */
static bool parse_salted(struct str text, struct salted *out_salted)
{
    if (skip(&text, STR("{SSHA}")))
        *out_salted = (struct salted){ .digest = EVP_sha1(), .digest_bytes = 20 };
    else if (skip(&text, STR("{SSHA256}")))
        *out_salted = (struct salted){ .digest = EVP_sha256(), .digest_bytes = 32 };
    else if (skip(&text, STR("{SSHA512}")))
        *out_salted = (struct salted){ .digest = EVP_sha512(), .digest_bytes = 64 };
    else
        return false;
    return sodium_base642bin(out_salted->bytes, sizeof(out_salted->bytes), text.at, text.len, NULL,
                             &out_salted->len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           out_salted->len > out_salted->digest_bytes;
}

/* In a context of its own: the thread's is SHA-256's and stays so. */
static enum rc verify_salted(const struct secret *password, const struct salted *salted)
{
    size_t salt_bytes = salted->len - salted->digest_bytes;
    unsigned char message[SECRET_BYTES_MAX + sizeof(salted->bytes)];
    unsigned char digest[EVP_MAX_MD_SIZE];
    int is_made;

    memcpy(message, password->bytes, password->len);
    memcpy(message + password->len, salted->bytes + salted->digest_bytes, salt_bytes);
    is_made = EVP_Digest(message, password->len + salt_bytes, digest, NULL, salted->digest, NULL);
    explicit_bzero(message, sizeof(message));
    if (is_made != 1)
        return RC_CRYPTO;
    return secret_bytes_equal(digest, salted->bytes, salted->digest_bytes) ? RC_OK : RC_REFUSED;
}

/* ---- any ---- */

bool password_import_is_known(struct str stored_hash)
{
    struct str rest = stored_hash;
    struct scrypt_cost cost;
    struct salted salted;
    struct phc phc;
    uint64_t rounds;

    if (skip(&rest, STR("$pbkdf2-sha256$")) || skip(&rest, STR("$pbkdf2-sha512$")))
        return parse_pbkdf2(rest, &rounds, &phc);
    if (skip(&rest, STR("$scrypt$")))
        return parse_scrypt(rest, &cost, &phc);
    if (str_starts_with(stored_hash, STR("{")))
        return parse_salted(stored_hash, &salted);
    return crypt_is_bounded(stored_hash) &&
           crypt_is_whole(stored_hash, str_starts_with(stored_hash, STR("$6$"))  ? 86
                                       : str_starts_with(stored_hash, STR("$2")) ? 53
                                                                                 : 43);
}

enum rc password_import_verify(const struct secret *password, struct str stored_hash)
{
    struct str rest = stored_hash;
    struct salted salted;

    if (skip(&rest, STR("$pbkdf2-sha256$")))
        return verify_pbkdf2(password, rest, library_algorithms()->sha256);
    if (skip(&rest, STR("$pbkdf2-sha512$")))
        return verify_pbkdf2(password, rest, library_algorithms()->sha512);
    if (skip(&rest, STR("$scrypt$")))
        return verify_scrypt(password, rest);
    if (parse_salted(stored_hash, &salted))
        return verify_salted(password, &salted);
    return crypt_is_bounded(stored_hash) ? verify_crypt(password, stored_hash) : RC_REFUSED;
}
