#include "crypto/block.h"

#include <stdlib.h>

#include "base/rc.h"
#include "crypto/library.h"

struct block_key {
    uint64_t number;
    unsigned char *key; /* guarded; threads make their contexts from it */
};

struct block_contexts {
    EVP_CIPHER_CTX *encrypt;
    EVP_CIPHER_CTX *decrypt;
};

static EVP_CIPHER_CTX *new_cipher_context(const struct block_key *key, int is_encrypt)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    ASSERT(context != NULL);
    ASSERT(EVP_CipherInit_ex2(context, library_algorithms()->aes_256_ecb, key->key, NULL,
                              is_encrypt, NULL) == 1);
    /* One block in, one block out, nothing held back. */
    ASSERT(EVP_CIPHER_CTX_set_padding(context, 0) == 1);
    return context;
}

static void *new_contexts(const void *object)
{
    struct block_contexts *contexts = OPENSSL_zalloc(sizeof(*contexts));

    ASSERT(contexts != NULL);
    contexts->encrypt = new_cipher_context(object, 1);
    contexts->decrypt = new_cipher_context(object, 0);
    return contexts;
}

static void free_contexts(void *context)
{
    struct block_contexts *contexts = context;

    EVP_CIPHER_CTX_free(contexts->encrypt);
    EVP_CIPHER_CTX_free(contexts->decrypt);
    OPENSSL_free(contexts);
}

static const struct kept_kind block_kind = { new_contexts, free_contexts };

struct block_key *block_key_new(const unsigned char key[static BLOCK_KEY_BYTES])
{
    struct block_key *made = calloc(1, sizeof(*made));

    ASSERT(made != NULL);
    made->number = library_next_number();
    made->key = guarded_copy(key, BLOCK_KEY_BYTES);
    return made;
}

void block_key_free(struct block_key *key)
{
    if (key == NULL)
        return;
    guarded_free(key->key);
    free(key);
}

void block_encrypt(const struct block_key *key, const unsigned char in[static BLOCK_BYTES],
                   unsigned char out_block[static BLOCK_BYTES])
{
    struct block_contexts *contexts = library_kept_context(&block_kind, key->number, key);
    int written = 0;

    ASSERT(EVP_EncryptUpdate(contexts->encrypt, out_block, &written, in, BLOCK_BYTES) == 1);
    ASSERT(written == BLOCK_BYTES);
}

void block_decrypt(const struct block_key *key, const unsigned char in[static BLOCK_BYTES],
                   unsigned char out_block[static BLOCK_BYTES])
{
    struct block_contexts *contexts = library_kept_context(&block_kind, key->number, key);
    int written = 0;

    ASSERT(EVP_DecryptUpdate(contexts->decrypt, out_block, &written, in, BLOCK_BYTES) == 1);
    ASSERT(written == BLOCK_BYTES);
}
