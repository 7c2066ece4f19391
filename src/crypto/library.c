#include "crypto/library.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/rc.h"
#include "base/reserve.h"
#include "crypto/digest.h"

struct kept_context {
    uint64_t number; /* 0: the place is free */
    void *context;
    void (*free_context)(void *context);
};

struct thread_state {
    EVP_MD_CTX *digest;
    EVP_CIPHER_CTX *cipher; /* NULL until it is asked for, as the next one */
    EVP_MAC_CTX *mac;
    struct kept_context kept[KEPT_CONTEXT_COUNT];
};

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static struct algorithms algorithms;
static pthread_key_t thread_key;
static _Atomic uint64_t last_number;

static _Thread_local struct thread_state *thread_state;

static void free_thread_state(void *argument)
{
    struct thread_state *state = argument;

    thread_state = NULL;
    for (size_t i = 0; i < KEPT_CONTEXT_COUNT; i++) {
        if (state->kept[i].number != 0)
            state->kept[i].free_context(state->kept[i].context);
    }
    EVP_MD_CTX_free(state->digest);
    EVP_CIPHER_CTX_free(state->cipher);
    EVP_MAC_CTX_free(state->mac);
    OPENSSL_free(state);
}

/* The library calls these with the places of its own source. */
static void *library_alloc(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return reserve_alloc(bytes);
}

static void *library_realloc(void *old, size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return reserve_realloc(old, bytes);
}

static void library_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    reserve_free(block);
}

static void init(void)
{
    /* Refused when somebody has used the library before: then it has no reserve. */
    (void)CRYPTO_set_mem_functions(library_alloc, library_realloc, library_free);
    /* Without an exit handler of the library: it would pull the floor from under threads that still
     * sign while another one calls exit. */
    ASSERT(OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) == 1);
    ASSERT(sodium_init() >= 0);
    algorithms = (struct algorithms){
        .sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
        .sha512 = EVP_MD_fetch(NULL, "SHA512", NULL),
        .hmac = EVP_MAC_fetch(NULL, "HMAC", NULL),
        .aes_128_cbc = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL),
        .aes_256_ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL),
        .aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL),
    };
    ASSERT(algorithms.sha256 != NULL && algorithms.sha512 != NULL && algorithms.hmac != NULL &&
           algorithms.aes_128_cbc != NULL && algorithms.aes_256_ecb != NULL &&
           algorithms.aes_256_gcm != NULL);
    ASSERT(pthread_key_create(&thread_key, free_thread_state) == 0);
}

void crypto_init(void)
{
    ASSERT(pthread_once(&init_once, init) == 0);
}

const struct algorithms *library_algorithms(void)
{
    ASSERT(algorithms.aes_256_gcm != NULL);
    return &algorithms;
}

uint64_t library_next_number(void)
{
    return atomic_fetch_add(&last_number, 1) + 1;
}

static struct thread_state *new_thread_state(void)
{
    struct thread_state *state = OPENSSL_zalloc(sizeof(*state));

    ASSERT(state != NULL);
    state->digest = EVP_MD_CTX_new();
    ASSERT(state->digest != NULL);
    /* Init with the algorithm once here; later calls with the same one only reset the state. */
    ASSERT(EVP_DigestInit_ex2(state->digest, library_algorithms()->sha256, NULL) == 1);
    ASSERT(pthread_setspecific(thread_key, state) == 0);
    return state;
}

static inline struct thread_state *own_thread_state(void)
{
    if (thread_state == NULL)
        thread_state = new_thread_state();
    return thread_state;
}

EVP_MD_CTX *library_digest_context(void)
{
    return own_thread_state()->digest;
}

EVP_CIPHER_CTX *library_cipher_context(void)
{
    struct thread_state *state = own_thread_state();

    if (state->cipher == NULL)
        state->cipher = EVP_CIPHER_CTX_new();
    ASSERT(state->cipher != NULL);
    return state->cipher;
}

EVP_MAC_CTX *library_mac_context(void)
{
    struct thread_state *state = own_thread_state();
    char digest_name[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, sizeof(digest_name) - 1),
        OSSL_PARAM_END,
    };

    if (state->mac == NULL) {
        state->mac = EVP_MAC_CTX_new(library_algorithms()->hmac);
        ASSERT(state->mac != NULL && EVP_MAC_CTX_set_params(state->mac, params) == 1);
    }
    return state->mac;
}

void *library_kept_context(const struct kept_kind *kind, uint64_t number, const void *object)
{
    /* Numbers are handed out in sequence: two objects meet in one place only when the newer one
     * came KEPT_CONTEXT_COUNT or more later. Then they take turns, which costs time, not safety. */
    struct kept_context *kept = &own_thread_state()->kept[number % KEPT_CONTEXT_COUNT];

    if (kept->number == number)
        return kept->context;
    if (kept->number != 0)
        kept->free_context(kept->context);
    *kept = (struct kept_context){ number, kind->new_context(object), kind->free_context };
    return kept->context;
}

unsigned char *guarded_copy(const unsigned char *bytes, size_t len)
{
    unsigned char *copy = sodium_malloc(len);

    ASSERT(copy != NULL);
    memcpy(copy, bytes, len);
    return copy;
}

void guarded_free(unsigned char *bytes)
{
    sodium_free(bytes); /* wipes; NULL is fine */
}
