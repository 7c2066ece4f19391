#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/rc.h"
#include "crypto/block.h"
#include "crypto/cbc_hmac.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "crypto/signer.h"

enum { THREAD_COUNT = 4, ROUND_COUNT = 300, SIGN_EVERY = 15, RSA_SIGN_EVERY = 100 };

/* What all threads share, and what one thread alone got from it before. */
static struct {
    struct hmac_key *mac_key;
    struct block_key *block_key;
    struct signer *signers[3];
    struct verifier *verifiers[3];
    unsigned char mac[SHA256_BYTES], digest[SHA256_BYTES], block[BLOCK_BYTES];
} shared;

static const unsigned char key_bytes[32] = { 7 };
static const unsigned char plain_block[BLOCK_BYTES] = { 9 };
static atomic_uint wrong_count;

static void expect(bool promise)
{
    if (!promise)
        atomic_fetch_add(&wrong_count, 1);
}

static void use_signer(size_t index)
{
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    size_t len = 0;

    expect(signer_sign(shared.signers[index], STR("message"), signature, &len) == RC_OK);
    expect(verifier_verify(shared.verifiers[index], STR("message"),
                           (struct str){ (const char *)signature, len }) == RC_OK);
    expect(verifier_verify(shared.verifiers[index], STR("massage"),
                           (struct str){ (const char *)signature, len }) == RC_REFUSED);
}

static void use_seal(void)
{
    char memory[64], plain_memory[64];
    struct buffer sealed = buffer_over(memory, sizeof(memory));
    struct buffer plain = buffer_over(plain_memory, sizeof(plain_memory));

    expect(seal(key_bytes, STR("name"), STR("text"), &sealed) == RC_OK);
    expect(unseal(key_bytes, STR("name"), buffer_str(&sealed), &plain) == RC_OK);
    expect(str_equal(buffer_str(&plain), STR("text")));
}

/* Keys as bytes: another one each time, in the contexts that the thread keeps. */
static void use_cbc_hmac(unsigned round)
{
    const unsigned char key[CBC_HMAC_KEY_BYTES] = { (unsigned char)round };
    const unsigned char iv[CBC_HMAC_IV_BYTES] = { (unsigned char)(round >> 8) };
    unsigned char tag[CBC_HMAC_TAG_BYTES];
    char memory[64], plain_memory[64];
    struct buffer cipher = buffer_over(memory, sizeof(memory));
    struct buffer plain = buffer_over(plain_memory, sizeof(plain_memory));

    expect(cbc_hmac_encrypt(key, iv, STR("name"), STR("text"), &cipher, tag) == RC_OK);
    expect(cbc_hmac_decrypt(key, iv, STR("name"), buffer_str(&cipher), tag, &plain) == RC_OK);
    expect(str_equal(buffer_str(&plain), STR("text")));
    tag[round % sizeof(tag)] ^= 1;
    expect(cbc_hmac_decrypt(key, iv, STR("name"), buffer_str(&cipher), tag, &plain) == RC_INVALID);
}

/* Objects of this thread alone, so that contexts come and go beside the shared ones. */
static void use_own_keys(unsigned round)
{
    unsigned char bytes[32] = { (unsigned char)round, (unsigned char)(round >> 8) };
    struct hmac_key *mac_key = hmac_key_new(bytes);
    struct block_key *block_key = block_key_new(bytes);
    unsigned char mac[SHA256_BYTES], block[BLOCK_BYTES];

    hmac_sha256(mac_key, STR("label"), STR("message"), mac);
    expect(memcmp(mac, shared.mac, sizeof(mac)) != 0);
    block_encrypt(block_key, plain_block, block);
    block_decrypt(block_key, block, block);
    expect(memcmp(block, plain_block, sizeof(block)) == 0);
    hmac_key_free(mac_key);
    block_key_free(block_key);
}

static void *use_everything(void *argument)
{
    unsigned char mac[SHA256_BYTES], digest[SHA256_BYTES], block[BLOCK_BYTES];

    crypto_init(); /* again, and at once with the others */
    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        digest_sha256(STR("message"), digest);
        expect(memcmp(digest, shared.digest, sizeof(digest)) == 0);
        hmac_sha256(shared.mac_key, STR("label"), STR("message"), mac);
        expect(memcmp(mac, shared.mac, sizeof(mac)) == 0);
        block_encrypt(shared.block_key, plain_block, block);
        expect(memcmp(block, shared.block, sizeof(block)) == 0);
        block_decrypt(shared.block_key, block, block);
        expect(memcmp(block, plain_block, sizeof(block)) == 0);
        use_seal();
        use_cbc_hmac(round);
        use_own_keys(round + 8);
        if (round % SIGN_EVERY == 0) {
            use_signer(0);
            use_signer(1);
        }
        if (round % RSA_SIGN_EVERY == 0)
            use_signer(2);
    }
    return argument;
}

static void test_shared_objects(void **state)
{
    static const enum signer_kind kinds[] = { SIGNER_ES256, SIGNER_EDDSA, SIGNER_RS256 };
    pthread_t threads[THREAD_COUNT];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct public_key public_key;

        assert_int_equal(signer_generate(kinds[i], &shared.signers[i]), RC_OK);
        signer_public(shared.signers[i], &public_key);
        assert_int_equal(verifier_new(&public_key, &shared.verifiers[i]), RC_OK);
    }
    shared.mac_key = hmac_key_new(key_bytes);
    shared.block_key = block_key_new(key_bytes);
    digest_sha256(STR("message"), shared.digest);
    hmac_sha256(shared.mac_key, STR("label"), STR("message"), shared.mac);
    block_encrypt(shared.block_key, plain_block, shared.block);

    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_everything, NULL), 0);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&wrong_count), 0);

    for (size_t i = 0; i < 3; i++) {
        signer_free(shared.signers[i]);
        verifier_free(shared.verifiers[i]);
    }
    hmac_key_free(shared.mac_key);
    block_key_free(shared.block_key);
}

static void *hash_once(void *argument)
{
    unsigned char digest[SHA256_BYTES];

    hmac_sha256(argument, STR("label"), STR("message"), digest);
    return NULL;
}

/* Each thread leaves its contexts to be freed; the leak check at the end of the process sees to it
 * that they are. */
static void test_many_short_threads(void **state)
{
    struct hmac_key *key = hmac_key_new(key_bytes);

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, hash_once, key), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    hmac_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_objects),
        cmocka_unit_test(test_many_short_threads),
    };

    crypto_init();
    return cmocka_run_group_tests_name("crypto/threads", tests, NULL, NULL);
}
