#include "crypto/totp.h"

#include <openssl/core_names.h>

#include "base/rc.h"
#include "crypto/library.h"

enum { SHA1_BYTES = 20, COUNTER_BYTES = 8 };

/* A context of its own for each code: they are rare, and nothing of a secret stays behind. */
static void hmac_sha1(struct str key, const unsigned char *counter, unsigned char *out_mac)
{
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(library_algorithms()->hmac);
    char digest_name[] = "SHA1";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, sizeof(digest_name) - 1),
        OSSL_PARAM_END,
    };
    size_t mac_bytes = 0;

    ASSERT(context != NULL);
    ASSERT(EVP_MAC_init(context, str_bytes(key), key.len, params) == 1);
    ASSERT(EVP_MAC_update(context, counter, COUNTER_BYTES) == 1);
    ASSERT(EVP_MAC_final(context, out_mac, &mac_bytes, SHA1_BYTES) == 1);
    ASSERT(mac_bytes == SHA1_BYTES);
    EVP_MAC_CTX_free(context);
}

void totp_format(struct str secret, int64_t step, int digit_count, char *out_digits)
{
    unsigned char counter[COUNTER_BYTES], mac[SHA1_BYTES];
    const unsigned char *at;
    uint32_t number;

    ASSERT(secret.len > 0 && digit_count >= TOTP_DIGIT_COUNT && digit_count <= 8);
    for (size_t i = 0; i < COUNTER_BYTES; i++)
        counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
    hmac_sha1(secret, counter, mac);
    /* RFC 4226 5.3: the last four bits say where the 31 bits of the number begin. */
    at = mac + (mac[SHA1_BYTES - 1] & 0x0f);
    number = (uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    for (int i = digit_count - 1; i >= 0; i--, number /= 10)
        out_digits[i] = (char)('0' + number % 10);
    explicit_bzero(mac, sizeof(mac));
}
