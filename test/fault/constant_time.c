/*
 * Compares secrets as the rooms do, with the secrets marked undefined: under valgrind's memcheck,
 * which complains of each branch and each address that depends on such bytes, this shows that the
 * time of a comparison says nothing of them. The verdict alone is public.
 *
 * `good` runs them all; `control` is a comparison that leaves early, and has to be found.
 */
#include <stdio.h>
#include <string.h>

#include <valgrind/memcheck.h>

#include "account/secret_check.h"
#include "base/secret.h"
#include "codec/base64url.h"
#include "crypto/cbc_hmac.h"
#include "crypto/library.h"
#include "oauth/pkce.h"

enum { STATUS_NOT_WATCHED = 77 };

bool __real_secret_bytes_equal(const void *a, const void *b, size_t len);
bool __wrap_secret_bytes_equal(const void *a, const void *b, size_t len);

/* The verdict is what the client is told. */
bool __wrap_secret_bytes_equal(const void *a, const void *b, size_t len)
{
    bool is_equal = __real_secret_bytes_equal(a, b, len);

    VALGRIND_MAKE_MEM_DEFINED(&is_equal, sizeof(is_equal));
    return is_equal;
}

/* Two byte ranges that differ at the end alone, at the start alone, or nowhere. */
static int compare(bool (*equal)(const void *, const void *, size_t), size_t len)
{
    unsigned char a[64] = { 1, 2, 3 };
    unsigned char b[64] = { 1, 2, 3 };
    int count = 0;

    for (size_t differs_at = 0; differs_at <= len; differs_at++) {
        bool is_equal;

        memcpy(b, a, sizeof(b));
        if (differs_at < len)
            b[differs_at] ^= 1;
        VALGRIND_MAKE_MEM_UNDEFINED(a, sizeof(a));
        VALGRIND_MAKE_MEM_UNDEFINED(b, sizeof(b));
        is_equal = equal(a, b, len);
        VALGRIND_MAKE_MEM_DEFINED(&is_equal, sizeof(is_equal));
        VALGRIND_MAKE_MEM_DEFINED(a, sizeof(a));
        VALGRIND_MAKE_MEM_DEFINED(b, sizeof(b));
        count += is_equal ? 1 : 0;
    }
    return count == 1 ? 0 : 1;
}

static bool leaves_early(const void *a, const void *b, size_t len)
{
    const volatile unsigned char *left = a;
    const volatile unsigned char *right = b;

    for (size_t i = 0; i < len; i++)
        if (left[i] != right[i])
            return false;
    return true;
}

/* A token's digest, a cookie's, a session's: of 32 bytes. */
static int token_digest(void)
{
    unsigned char secret[16] = { 9 };
    unsigned char digest[SHA256_BYTES];
    unsigned char stored[SHA256_BYTES];

    digest_sha256((struct str){ (const char *)secret, sizeof(secret) }, stored);
    VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof(secret));
    VALGRIND_MAKE_MEM_UNDEFINED(stored, sizeof(stored));
    digest_sha256((struct str){ (const char *)secret, sizeof(secret) }, digest);
    return secret_bytes_equal(digest, stored, sizeof(digest)) ? 0 : 1;
}

/* A proof against forged forms: a MAC as text. How it is written, which is by a table of one line
 * of the cache, is not looked at. */
static int csrf_proof(void)
{
    static const unsigned char key_bytes[32] = { 5 };
    struct hmac_key *key = hmac_key_new(key_bytes);
    unsigned char mac[SHA256_BYTES];
    char expected[BASE64URL_TEXT_BYTES(SHA256_BYTES)];
    struct buffer text = buffer_over(expected, sizeof(expected));
    char cookie[] = "the-cookie-of-a-session";
    int status;

    VALGRIND_MAKE_MEM_UNDEFINED(cookie, sizeof(cookie) - 1);
    hmac_sha256(key, (struct str){ cookie, sizeof(cookie) - 1 }, STR("csrf"), mac);
    VALGRIND_MAKE_MEM_DEFINED(mac, sizeof(mac));
    base64url_encode((struct str){ (const char *)mac, sizeof(mac) }, &text);
    VALGRIND_MAKE_MEM_UNDEFINED(expected, text.len);
    status = secret_bytes_equal(expected, expected, text.len) ? 0 : 1;
    hmac_key_free(key);
    return status;
}

/* A client secret that Jeton made: against its stored form, and against the memory of the last. */
static int client_secret(void)
{
    static const unsigned char key_bytes[2][32] = { { 6 }, { 7 } };
    struct secret_checker checker = { hmac_key_new(key_bytes[0]),
                                      hmac_key_new(key_bytes[1]),
                                      { 64, 1 } };
    char stored[PASSWORD_HASH_BYTES_MAX];
    struct secret_memory memory = { 0 };
    struct secret secret = { 0 };
    enum rc rc = secret_set(&secret, STR("0123456789abcdef"));

    secret_store_made(&checker, &secret, stored);
    VALGRIND_MAKE_MEM_UNDEFINED(secret.bytes, secret.len);
    for (int i = 0; i < 2 && rc == RC_OK; i++)
        rc = secret_check(&checker, &secret, str_of(stored), &memory, false);
    return rc == RC_OK ? 0 : 1;
}

/* The tag of a session token (JWE): the MAC's half of the key is unknown, and so the right tag. */
static int session_tag(void)
{
    unsigned char key[CBC_HMAC_KEY_BYTES] = { 8 };
    unsigned char iv[CBC_HMAC_IV_BYTES] = { 9 };
    unsigned char tag[CBC_HMAC_TAG_BYTES];
    char memory[2][64];
    struct buffer cipher = buffer_over(memory[0], sizeof(memory[0]));
    struct buffer plain = buffer_over(memory[1], sizeof(memory[1]));
    enum rc rc;

    if (cbc_hmac_encrypt(key, iv, STR("head"), STR("a session"), &cipher, tag) != RC_OK)
        return 1;
    for (size_t differs_at = 0; differs_at <= sizeof(tag); differs_at++) {
        unsigned char sent[CBC_HMAC_TAG_BYTES];

        memcpy(sent, tag, sizeof(sent));
        if (differs_at < sizeof(tag))
            sent[differs_at] ^= 1;
        VALGRIND_MAKE_MEM_UNDEFINED(key, CBC_HMAC_KEY_BYTES / 2);
        rc = cbc_hmac_decrypt(key, iv, STR("head"), buffer_str(&cipher), sent, &plain);
        if (rc != (differs_at < sizeof(tag) ? RC_INVALID : RC_OK))
            return 1;
    }
    return 0;
}

/* The challenge that a code was asked with; the verifier is what the client has just sent. */
static int code_challenge(void)
{
    char challenge[] = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; /* RFC 7636 B */
    struct secret verifier = { 0 };

    if (secret_set(&verifier, STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")) != RC_OK)
        return 1;
    VALGRIND_MAKE_MEM_UNDEFINED(challenge, sizeof(challenge) - 1);
    return pkce_verify(&verifier, (struct str){ challenge, sizeof(challenge) - 1 }) ? 0 : 1;
}

/* Six digits. */
static int totp_code(void)
{
    return compare(secret_bytes_equal, 6);
}

static int of_length(void)
{
    return compare(secret_bytes_equal, 32) | compare(secret_bytes_equal, 43) |
           compare(secret_bytes_equal, 64);
}

static int whole_secret(void)
{
    struct secret a = { 0 };
    struct secret b = { 0 };
    bool is_equal =
        secret_set(&a, STR("a secret")) == RC_OK && secret_set(&b, STR("a Secret")) == RC_OK;

    VALGRIND_MAKE_MEM_UNDEFINED(a.bytes, a.len);
    VALGRIND_MAKE_MEM_UNDEFINED(b.bytes, b.len);
    is_equal = is_equal && secret_equal(&a, &b);
    VALGRIND_MAKE_MEM_DEFINED(&is_equal, sizeof(is_equal));
    return is_equal ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (!RUNNING_ON_VALGRIND || argc != 2)
        return STATUS_NOT_WATCHED;
    crypto_init();
    if (strcmp(argv[1], "control") == 0)
        return compare(leaves_early, 32);
    return of_length() | whole_secret() | token_digest() | client_secret() | csrf_proof() |
           totp_code() | session_tag() | code_challenge();
}
