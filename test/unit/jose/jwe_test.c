#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "base/limits.h"
#include "codec/base64url.h"
#include "crypto/cbc_hmac.h"
#include "crypto/digest.h"
#include "jose/jose.h"
#include "jose/jwe.h"

/* Made for this project by another implementation (contracts of the older services, 1.6): key 00 01
 * 02 … 1f, IV a0 a1 … af. */
#define MADE_COMPACT                                                                               \
    "eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0..oKGio6SlpqeoqaqrrK2urw."                     \
    "XhRck6YBi_KmLjbsx9dMP7TG_zS1B3K140YwdOcuBr1SeIc1KGNzxmZP1J6uYdy0.ZDOnN8Kj0gibYFouq4T-Gg"
#define MADE_PLAIN "{\"username\":\"admin\",\"jti\":\"1\",\"exp\":1700000000}"

static unsigned char key[JWE_KEY_BYTES], iv[JWE_IV_BYTES];
static struct arena arena;

static enum rc open_with(const unsigned char *with, struct str compact, struct str *out_plain)
{
    enum rc rc;

    /* What the header promises is enough. */
    arena_init(&arena, compact.len + 128);
    rc = jwe_decrypt_direct(with, compact, &arena, out_plain);
    /* Its memory stands until the next one is opened; a refusal has none. */
    if (rc != RC_OK)
        arena_deinit(&arena);
    return rc;
}

static void assert_opens(struct str compact, struct str wanted)
{
    struct str plain;

    assert_int_equal(open_with(key, compact, &plain), RC_OK);
    assert_true(str_equal(plain, wanted));
    arena_deinit(&arena);
}

static void assert_refused(struct str compact)
{
    struct str plain = STR("untouched");

    assert_int_equal(open_with(key, compact, &plain), RC_INVALID);
    assert_true(str_equal(plain, STR("untouched")));
}

/* RFC 7516 5.1 */
static void test_made_vector(void **state)
{
    char memory[512];
    struct buffer compact = buffer_over(memory, sizeof(memory));

    (void)state;
    assert_int_equal(jwe_encrypt_direct(key, iv, STR(MADE_PLAIN), &compact), RC_OK);
    assert_true(str_equal(buffer_str(&compact), STR(MADE_COMPACT)));
    assert_opens(STR(MADE_COMPACT), STR(MADE_PLAIN));
}

/* A sealed text under any header, sound or not. */
static struct str seal_under(struct str header, char *memory, size_t max_bytes)
{
    struct buffer compact = buffer_over(memory, max_bytes);
    unsigned char tag[CBC_HMAC_TAG_BYTES];
    char text[64];
    struct buffer cipher = buffer_over(text, sizeof(text));

    base64url_encode(header, &compact);
    assert_int_equal(cbc_hmac_encrypt(key, iv, buffer_str(&compact), STR("text"), &cipher, tag),
                     RC_OK);
    BUFFER_APPEND_LITERAL(&compact, "..");
    base64url_encode((struct str){ (char *)iv, sizeof(iv) }, &compact);
    buffer_append_byte(&compact, '.');
    base64url_encode(buffer_str(&cipher), &compact);
    buffer_append_byte(&compact, '.');
    base64url_encode((struct str){ (char *)tag, sizeof(tag) }, &compact);
    assert_false(compact.overflow);
    return buffer_str(&compact);
}

static void test_headers(void **state)
{
    static const char *const good[] = {
        "{\"alg\":\"dir\",\"enc\":\"A128CBC-HS256\"}",
        " { \"typ\" : \"JWT\" , \"enc\":\"A128CBC-HS256\", \"kid\":\"1\", \"alg\":\"dir\" }",
    };
    /* RFC 7516 4, RFC 7516 4.1.13, RFC 8725 3.6 */
    static const char *const bad[] = {
        "",
        "[]",
        "\"dir\"",
        "{}",
        "{\"alg\":\"dir\"}",
        "{\"enc\":\"A128CBC-HS256\"}",
        "{\"alg\":\"DIR\",\"enc\":\"A128CBC-HS256\"}",
        "{\"alg\":\"dir\",\"enc\":\"A128GCM\"}",
        "{\"alg\":\"A256KW\",\"enc\":\"A128CBC-HS256\"}",
        "{\"alg\":[\"dir\"],\"enc\":\"A128CBC-HS256\"}",
        "{\"alg\":\"dir\",\"alg\":\"dir\",\"enc\":\"A128CBC-HS256\"}",
        "{\"alg\":\"dir\",\"enc\":\"A128CBC-HS256\",\"zip\":\"DEF\"}",
        "{\"alg\":\"dir\",\"enc\":\"A128CBC-HS256\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"dir\",\"enc\":\"A128CBC-HS256\"} ",
        "{\"alg\":\"dir\",\"enc\":\"A128CBC-HS256\"}x",
    };
    char memory[512];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_opens(seal_under(str_of(good[i]), memory, sizeof(memory)), STR("text"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct str compact = seal_under(str_of(bad[i]), memory, sizeof(memory));

        /* White space behind the object is JSON still. */
        if (i + 2 == sizeof(bad) / sizeof(bad[0]))
            assert_opens(compact, STR("text"));
        else
            assert_refused(compact);
    }
}

static void test_malformed(void **state)
{
    static const char whole[] = MADE_COMPACT;
    char memory[sizeof(whole) + 8];
    unsigned char other[JWE_KEY_BYTES];
    struct str plain;

    (void)state;
    for (size_t len = 0; len < sizeof(whole) - 1; len++)
        assert_refused((struct str){ whole, len });
    for (size_t at = 0; at < sizeof(whole) - 1; at++) {
        memcpy(memory, whole, sizeof(whole));
        memory[at] = memory[at] == 'A' ? 'B' : 'A';
        assert_refused((struct str){ memory, sizeof(whole) - 1 });
        memory[at] = '=';
        assert_refused((struct str){ memory, sizeof(whole) - 1 });
    }
    assert_refused(STR(MADE_COMPACT "."));
    assert_refused(STR(MADE_COMPACT ".AAAA"));
    assert_refused(STR(MADE_COMPACT "="));
    assert_refused(STR(MADE_COMPACT " "));
    assert_refused(STR(" " MADE_COMPACT));
    /* RFC 7518 4.5: an encrypted key beside "dir" */
    assert_refused(
        STR("eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0.AAAA.oKGio6SlpqeoqaqrrK2urw."
            "XhRck6YBi_KmLjbsx9dMP7TG_zS1B3K140YwdOcuBr1SeIc1KGNzxmZP1J6uYdy0."
            "ZDOnN8Kj0gibYFouq4T-Gg"));
    for (size_t bit = 0; bit < sizeof(other) * 8; bit++) {
        memcpy(other, key, sizeof(other));
        other[bit / 8] ^= (unsigned char)(1U << bit % 8);
        /* The first half authenticates; the second may still leave a padding by chance. */
        if (bit < sizeof(other) * 4)
            assert_int_equal(open_with(other, STR(MADE_COMPACT), &plain), RC_INVALID);
    }
}

static void test_lengths(void **state)
{
    static char text[TOKEN_VALUE_BYTES_MAX], memory[2 * TOKEN_VALUE_BYTES_MAX];
    struct buffer compact = buffer_over(memory, TOKEN_VALUE_BYTES_MAX);

    (void)state;
    memset(text, 't', sizeof(text));
    for (size_t len = 0; len < 12000; len += len < 40 ? 1 : 997) {
        compact = buffer_over(memory, TOKEN_VALUE_BYTES_MAX);
        assert_int_equal(jwe_encrypt_direct(key, iv, (struct str){ text, len }, &compact), RC_OK);
        assert_opens(buffer_str(&compact), (struct str){ text, len });
    }
    compact = buffer_over(memory, 100);
    assert_int_equal(jwe_encrypt_direct(key, iv, STR(MADE_PLAIN), &compact), RC_TOO_LARGE);
    assert_int_equal(compact.len, 0);
    compact = buffer_over(memory, sizeof(memory));
    assert_int_equal(jwe_encrypt_direct(key, iv, (struct str){ text, sizeof(text) }, &compact),
                     RC_TOO_LARGE);
    /* Longer than a token may be, though its last segments are sound. */
    memset(memory, 'A', TOKEN_VALUE_BYTES_MAX);
    memcpy(memory + TOKEN_VALUE_BYTES_MAX, MADE_COMPACT, sizeof(MADE_COMPACT));
    assert_refused((struct str){ memory, TOKEN_VALUE_BYTES_MAX + sizeof(MADE_COMPACT) - 1 });
}

/* ---- others' vectors ---- */

/* The group's secret key when it is as long as ours, or else our own. */
static void read_key(json_t *group, unsigned char out_key[static JWE_KEY_BYTES])
{
    const char *text = json_string_value(json_object_get(json_object_get(group, "private"), "k"));
    struct buffer bytes = buffer_over(out_key, JWE_KEY_BYTES);

    memcpy(out_key, key, JWE_KEY_BYTES);
    if (text != NULL && strlen(text) == BASE64URL_TEXT_BYTES(JWE_KEY_BYTES))
        assert_int_equal(base64url_decode(str_of(text), &bytes), RC_OK);
}

static struct str token_text(json_t *test)
{
    json_t *token = json_object_get(test, "jwe");

    return json_is_string(token) ? str_of(json_string_value(token)) : vector_dump(token);
}

/* None is "dir" with A128CBC-HS256, so all must be refused, also where ours is the right content
 * encryption and the key is one that wraps. */
static void refuse_all(const char *file, unsigned wanted_count, unsigned own_content_count)
{
    json_t *document = vector_load(file);
    struct tally tally = { 0 };
    unsigned own_count = 0;
    json_t *group, *test;
    size_t i, j;

    json_array_foreach(json_object_get(document, "testGroups"), i, group)
    {
        unsigned char group_key[JWE_KEY_BYTES];

        read_key(group, group_key);
        json_array_foreach(json_object_get(group, "tests"), j, test)
        {
            const char *enc = json_string_value(json_object_get(test, "enc"));
            struct str plain;

            if (json_object_get(test, "jwe") == NULL)
                continue;
            own_count += enc != NULL && strcmp(enc, "A128CBC-HS256") == 0;
            tally_verdict(&tally, test, open_with(group_key, token_text(test), &plain) == RC_OK,
                          false);
        }
    }
    json_decref(document);
    tally_print(&tally, file);
    assert_int_equal(tally.checked, wanted_count);
    assert_int_equal(own_count, own_content_count);
    assert_int_equal(tally.wrong, 0);
}

static void test_wycheproof(void **state)
{
    (void)state;
    refuse_all("wycheproof/json_web_encryption_test.json", 139, 30);
    refuse_all("wycheproof/json_web_crypto_test.json", 34, 0);
}

static struct bytes base64url_bytes(const json_t *object, const char *name)
{
    const char *text = vector_string(object, name);
    struct bytes bytes = { malloc(strlen(text) + 1), 0 };
    struct buffer to = buffer_over(bytes.at, strlen(text));

    assert_int_equal(base64url_decode(str_of(text), &to), RC_OK);
    bytes.len = to.len;
    return bytes;
}

/* The content of RFC 7520 5.1, 5.3, 5.5 and 5.7 under the content encryption key given there. */
static void open_content(const json_t *document)
{
    const json_t *generated = json_object_get(document, "generated");
    const json_t *content = json_object_get(document, "encrypting_content");
    const json_t *holder = json_object_get(generated, "cek") != NULL
                               ? generated
                               : json_object_get(document, "encrypting_key");
    struct bytes cek = base64url_bytes(holder, "cek"), nonce = base64url_bytes(generated, "iv"),
                 cipher = base64url_bytes(content, "ciphertext"),
                 tag = base64url_bytes(content, "tag");
    struct str wanted = str_of(vector_string(json_object_get(document, "input"), "plaintext"));
    static char memory[4096];
    struct buffer plain = buffer_over(memory, sizeof(memory));

    assert_int_equal(cek.len, JWE_KEY_BYTES);
    assert_int_equal(nonce.len, JWE_IV_BYTES);
    assert_int_equal(cbc_hmac_decrypt(cek.at, nonce.at,
                                      str_of(vector_string(content, "protected_b64u")),
                                      bytes_str(cipher), tag.at, &plain),
                     RC_OK);
    assert_true(str_equal(buffer_str(&plain), wanted));
    free(cek.at);
    free(nonce.at);
    free(cipher.at);
    free(tag.at);
}

static void test_cookbook(void **state)
{
    unsigned refused_count = 0, opened_count = 0;

    (void)state;
    for (unsigned i = 1; i <= 13; i++) {
        json_t *document, *compact, *enc;
        char file[64];
        struct str plain;

        snprintf(file, sizeof(file), "jose-cookbook/jwe/5_%u.json", i);
        document = vector_load(file);
        compact = json_object_get(json_object_get(document, "output"), "compact");
        enc = json_object_get(json_object_get(document, "input"), "enc");
        if (compact != NULL) {
            assert_int_equal(open_with(key, str_of(json_string_value(compact)), &plain),
                             RC_INVALID);
            refused_count++;
        }
        if (strcmp(json_string_value(enc), "A128CBC-HS256") == 0) {
            open_content(document);
            opened_count++;
        }
        json_decref(document);
    }
    assert_int_equal(refused_count, 9);
    assert_int_equal(opened_count, 4);
}

/* codec gives jansson memory of its own at its first parse. Vectors must not be loaded before. */
static void use_codec_memory(void)
{
    struct public_key public_key;

    ASSERT(jwk_parse_public(STR("{}"), &public_key) == RC_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_vector), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_malformed),   cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_wycheproof),  cmocka_unit_test(test_cookbook),
    };

    crypto_init();
    use_codec_memory();
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(iv); i++)
        iv[i] = (unsigned char)(0xa0 + i);
    return cmocka_run_group_tests_name("jose/jwe", tests, NULL, NULL);
}
