#include "crypto/cbc_hmac.h"

#include <limits.h>
#include <openssl/err.h>

#include "base/secret.h"
#include "crypto/digest.h"
#include "crypto/library.h"

enum { HALF_KEY_BYTES = 16, CIPHER_BLOCK_BYTES = 16 };

/* RFC 7518 5.2.2.1: the first half of the key authenticates, and the associated data's length in
 * bits comes last, so that no byte can move between the parts. The tag is the MAC's first half. */
static bool make_tag(const unsigned char *key, struct str associated, const unsigned char *iv,
                     struct str cipher, unsigned char out_tag[static CBC_HMAC_TAG_BYTES])
{
    EVP_MAC_CTX *context = library_mac_context();
    uint64_t associated_bits = (uint64_t)associated.len * 8;
    unsigned char mac[SHA256_BYTES], length[sizeof(associated_bits)];
    size_t mac_bytes = 0;

    for (size_t i = 0; i < sizeof(length); i++)
        length[i] = (unsigned char)(associated_bits >> (56 - 8 * i));
    if (EVP_MAC_init(context, key, HALF_KEY_BYTES, NULL) != 1 ||
        (associated.len > 0 &&
         EVP_MAC_update(context, str_bytes(associated), associated.len) != 1) ||
        EVP_MAC_update(context, iv, CBC_HMAC_IV_BYTES) != 1 ||
        EVP_MAC_update(context, str_bytes(cipher), cipher.len) != 1 ||
        EVP_MAC_update(context, length, sizeof(length)) != 1 ||
        EVP_MAC_final(context, mac, &mac_bytes, sizeof(mac)) != 1 || mac_bytes != sizeof(mac))
        return false;
    memcpy(out_tag, mac, CBC_HMAC_TAG_BYTES);
    return true;
}

/* RFC 7518 5.2.2.1: AES in CBC mode with PKCS #7 padding, under the second half of the key. */
static bool run_cipher(const unsigned char *key, const unsigned char *iv, struct str from,
                       int is_encrypt, unsigned char *to, size_t *out_bytes)
{
    EVP_CIPHER_CTX *context = library_cipher_context();
    int len = 0, last_len = 0;

    if (EVP_CipherInit_ex2(context, library_algorithms()->aes_128_cbc, key + HALF_KEY_BYTES, iv,
                           is_encrypt, NULL) != 1 ||
        (from.len > 0 &&
         EVP_CipherUpdate(context, to, &len, str_bytes(from), (int)from.len) != 1) ||
        EVP_CipherFinal_ex(context, to + len, &last_len) != 1)
        return false;
    *out_bytes = (size_t)len + (size_t)last_len;
    return true;
}

enum rc cbc_hmac_encrypt(const unsigned char key[static CBC_HMAC_KEY_BYTES],
                         const unsigned char iv[static CBC_HMAC_IV_BYTES], struct str associated,
                         struct str plain, struct buffer *out_cipher,
                         unsigned char out_tag[static CBC_HMAC_TAG_BYTES])
{
    unsigned char *to = (unsigned char *)out_cipher->at + out_cipher->len;
    size_t room = out_cipher->overflow ? 0 : out_cipher->max_bytes - out_cipher->len;
    size_t cipher_bytes;

    /* There is always padding: a whole block of it when the text ends with one. */
    if (plain.len > INT_MAX - CIPHER_BLOCK_BYTES ||
        plain.len - plain.len % CIPHER_BLOCK_BYTES + CIPHER_BLOCK_BYTES > room)
        return RC_TOO_LARGE;
    if (!run_cipher(key, iv, plain, 1, to, &cipher_bytes) ||
        !make_tag(key, associated, iv, (struct str){ (const char *)to, cipher_bytes }, out_tag)) {
        ERR_clear_error();
        return RC_CRYPTO;
    }
    out_cipher->len += cipher_bytes;
    return RC_OK;
}

enum rc cbc_hmac_decrypt(const unsigned char key[static CBC_HMAC_KEY_BYTES],
                         const unsigned char iv[static CBC_HMAC_IV_BYTES], struct str associated,
                         struct str cipher, const unsigned char tag[static CBC_HMAC_TAG_BYTES],
                         struct buffer *out_plain)
{
    unsigned char *to = (unsigned char *)out_plain->at + out_plain->len;
    size_t room = out_plain->overflow ? 0 : out_plain->max_bytes - out_plain->len;
    unsigned char right_tag[CBC_HMAC_TAG_BYTES];
    size_t plain_bytes;

    if (cipher.len == 0 || cipher.len % CIPHER_BLOCK_BYTES != 0 || cipher.len > INT_MAX)
        return RC_INVALID;
    if (cipher.len > room)
        return RC_TOO_LARGE;
    if (!make_tag(key, associated, iv, cipher, right_tag)) {
        ERR_clear_error();
        return RC_CRYPTO;
    }
    /* RFC 7518 5.2.2.2: the tag first, so that a padding tells nothing to whoever has no key. */
    if (!secret_bytes_equal(tag, right_tag, CBC_HMAC_TAG_BYTES))
        return RC_INVALID;
    if (!run_cipher(key, iv, cipher, 0, to, &plain_bytes)) {
        explicit_bzero(to, cipher.len);
        ERR_clear_error();
        return RC_INVALID;
    }
    out_plain->len += plain_bytes;
    return RC_OK;
}
