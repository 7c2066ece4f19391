#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <sodium.h>
#include <stdlib.h>

#include "crypto/library.h"

enum { HMAC_KEY_BYTES = 32 };

struct hmac_key {
    uint64_t number;
    unsigned char *key; /* guarded; threads make their contexts from it */
};

void digest_sha256(struct str message, unsigned char out_digest[static SHA256_BYTES])
{
    EVP_MD_CTX *context = library_digest_context();

    ASSERT(EVP_DigestInit_ex2(context, NULL, NULL) == 1);
    ASSERT(EVP_DigestUpdate(context, message.at, message.len) == 1);
    ASSERT(EVP_DigestFinal_ex(context, out_digest, NULL) == 1);
}

struct digest_stream {
    EVP_MD_CTX *context;
};

struct digest_stream *digest_stream_new(void)
{
    struct digest_stream *stream = OPENSSL_malloc(sizeof(*stream));

    ASSERT(stream != NULL);
    stream->context = EVP_MD_CTX_new();
    ASSERT(stream->context != NULL);
    ASSERT(EVP_MD_CTX_copy_ex(stream->context, library_digest_context()) == 1);
    ASSERT(EVP_DigestInit_ex2(stream->context, NULL, NULL) == 1);
    return stream;
}

void digest_stream_add(struct digest_stream *stream, struct str piece)
{
    ASSERT(EVP_DigestUpdate(stream->context, piece.at, piece.len) == 1);
}

void digest_stream_end(struct digest_stream *stream, unsigned char out_digest[static SHA256_BYTES])
{
    ASSERT(EVP_DigestFinal_ex(stream->context, out_digest, NULL) == 1);
    EVP_MD_CTX_free(stream->context);
    OPENSSL_free(stream);
}

void digest_sha512(struct str message, unsigned char out_digest[static SHA512_BYTES])
{
    ASSERT(crypto_hash_sha512(out_digest, str_bytes(message), message.len) == 0);
}

static EVP_MAC_CTX *new_context(const unsigned char key[static HMAC_KEY_BYTES])
{
    char digest_name[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, sizeof(digest_name) - 1),
        OSSL_PARAM_END,
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(library_algorithms()->hmac);

    ASSERT(context != NULL);
    ASSERT(EVP_MAC_init(context, key, HMAC_KEY_BYTES, params) == 1);
    return context;
}

static void *new_kept_context(const void *object)
{
    const struct hmac_key *key = object;

    return new_context(key->key);
}

static void free_kept_context(void *context)
{
    EVP_MAC_CTX_free(context);
}

static const struct kept_kind mac_kind = { new_kept_context, free_kept_context };

struct hmac_key *hmac_key_new(const unsigned char key[static 32])
{
    struct hmac_key *made = calloc(1, sizeof(*made));

    ASSERT(made != NULL);
    made->number = library_next_number();
    made->key = guarded_copy(key, HMAC_KEY_BYTES);
    return made;
}

void hmac_key_free(struct hmac_key *key)
{
    if (key == NULL)
        return;
    guarded_free(key->key);
    free(key);
}

static void mac_over(EVP_MAC_CTX *context, struct str label, struct str message,
                     unsigned char out_mac[static SHA256_BYTES])
{
    size_t mac_bytes = 0;

    if (label.len > 0)
        ASSERT(EVP_MAC_update(context, str_bytes(label), label.len) == 1);
    if (message.len > 0)
        ASSERT(EVP_MAC_update(context, str_bytes(message), message.len) == 1);
    ASSERT(EVP_MAC_final(context, out_mac, &mac_bytes, SHA256_BYTES) == 1);
    ASSERT(mac_bytes == SHA256_BYTES);
}

void hmac_sha256(const struct hmac_key *key, struct str label, struct str message,
                 unsigned char out_mac[static SHA256_BYTES])
{
    EVP_MAC_CTX *context = library_kept_context(&mac_kind, key->number, key);

    /* No key: the kept one, whose schedule stays. */
    ASSERT(EVP_MAC_init(context, NULL, 0, NULL) == 1);
    mac_over(context, label, message, out_mac);
}

void digest_keyed(const struct hmac_key *key, struct str message,
                  unsigned char out_digest[static SHA256_BYTES])
{
    EVP_MD_CTX *context = library_digest_context();

    ASSERT(EVP_DigestInit_ex2(context, NULL, NULL) == 1);
    /* The key has one length, so no other key and message make the same text. */
    ASSERT(EVP_DigestUpdate(context, key->key, HMAC_KEY_BYTES) == 1);
    ASSERT(EVP_DigestUpdate(context, message.at, message.len) == 1);
    ASSERT(EVP_DigestFinal_ex(context, out_digest, NULL) == 1);
}

/* A MAC under a key that is used once: nothing of it stays with the thread. */
static void hmac_once(const unsigned char key[static HMAC_KEY_BYTES], struct str label,
                      struct str message, unsigned char out_mac[static SHA256_BYTES])
{
    EVP_MAC_CTX *context = new_context(key);

    mac_over(context, label, message, out_mac);
    EVP_MAC_CTX_free(context);
}

void hkdf_sha256(struct str key_material, struct str info, unsigned char out_key[static 32])
{
    /* RFC 5869 2.2: an absent salt is a string of zeros as long as the hash. */
    static const unsigned char no_salt[HMAC_KEY_BYTES];
    unsigned char pseudorandom_key[SHA256_BYTES];

    hmac_once(no_salt, (struct str){ NULL, 0 }, key_material, pseudorandom_key);
    /* RFC 5869 2.3: T(1) is a MAC over info and the byte 1, and is all that 32 bytes need. */
    hmac_once(pseudorandom_key, info, STR("\x01"), out_key);
    explicit_bzero(pseudorandom_key, sizeof(pseudorandom_key));
}
