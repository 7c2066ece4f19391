#include "crypto/seal.h"

#include <limits.h>
#include <openssl/err.h>

#include "crypto/library.h"
#include "crypto/random.h"

enum { SEAL_VERSION = 1, NONCE_BYTES = 12, TAG_BYTES = 16 };

/* Made and freed for each call, so that no key schedule stays behind. */
static EVP_CIPHER_CTX *new_context(const unsigned char *key, const unsigned char *nonce,
                                   struct str name, int is_encrypt)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int len = 0;

    ASSERT(context != NULL);
    ASSERT(name.len <= INT_MAX);
    ASSERT(EVP_CipherInit_ex2(context, library_algorithms()->aes_256_gcm, key, nonce, is_encrypt,
                              NULL) == 1);
    if (name.len > 0)
        ASSERT(EVP_CipherUpdate(context, NULL, &len, str_bytes(name), (int)name.len) == 1);
    return context;
}

enum rc seal(const unsigned char key[static SEAL_KEY_BYTES], struct str name, struct str plain,
             struct buffer *out_sealed)
{
    EVP_CIPHER_CTX *context;
    unsigned char *at, *text;
    int len = 0;

    if (out_sealed->overflow || plain.len > INT_MAX - SEAL_OVERHEAD_BYTES ||
        plain.len + SEAL_OVERHEAD_BYTES > out_sealed->max_bytes - out_sealed->len)
        return RC_TOO_LARGE;
    at = (unsigned char *)out_sealed->at + out_sealed->len;
    text = at + 1 + NONCE_BYTES;
    at[0] = SEAL_VERSION;
    random_bytes(at + 1, NONCE_BYTES);
    context = new_context(key, at + 1, name, 1);
    if (plain.len > 0)
        ASSERT(EVP_EncryptUpdate(context, text, &len, str_bytes(plain), (int)plain.len) == 1);
    ASSERT((size_t)len == plain.len);
    ASSERT(EVP_EncryptFinal_ex(context, text + plain.len, &len) == 1);
    ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, text + plain.len) == 1);
    EVP_CIPHER_CTX_free(context);
    out_sealed->len += plain.len + SEAL_OVERHEAD_BYTES;
    return RC_OK;
}

enum rc unseal(const unsigned char key[static SEAL_KEY_BYTES], struct str name, struct str sealed,
               struct buffer *out_plain)
{
    unsigned char tag[TAG_BYTES], nothing[1];
    const unsigned char *nonce, *text;
    EVP_CIPHER_CTX *context;
    unsigned char *plain;
    size_t plain_bytes;
    bool is_authentic;
    int len = 0;

    if (sealed.len < SEAL_OVERHEAD_BYTES || sealed.len > INT_MAX || sealed.at[0] != SEAL_VERSION)
        return RC_INVALID;
    plain_bytes = sealed.len - SEAL_OVERHEAD_BYTES;
    if (out_plain->overflow || plain_bytes > out_plain->max_bytes - out_plain->len)
        return RC_TOO_LARGE;
    nonce = str_bytes(sealed) + 1;
    text = nonce + NONCE_BYTES;
    plain = plain_bytes == 0 ? nothing : (unsigned char *)out_plain->at + out_plain->len;
    memcpy(tag, text + plain_bytes, TAG_BYTES);
    context = new_context(key, nonce, name, 0);
    if (plain_bytes > 0)
        ASSERT(EVP_DecryptUpdate(context, plain, &len, text, (int)plain_bytes) == 1);
    ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1);
    is_authentic = EVP_DecryptFinal_ex(context, plain + len, &len) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!is_authentic) {
        explicit_bzero(plain, plain_bytes); /* NIST SP 800-38D 7.2: nothing of it may be used */
        ERR_clear_error();
        return RC_INVALID;
    }
    out_plain->len += plain_bytes;
    return RC_OK;
}
