/* Streams: every chunk is the next one of its stream, under its key, or it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/base64url.h"
#include "crypto/digest.h"
#include "crypto/stream.h"

enum { CHUNK_COUNT = 3, CHUNK_BYTES = 64, SEALED_BYTES = CHUNK_BYTES + STREAM_OVERHEAD_BYTES };

/* A stream of three chunks, each of one letter. */
struct sealed {
    unsigned char key[STREAM_KEY_BYTES];
    unsigned char header[STREAM_HEADER_BYTES];
    unsigned char chunks[CHUNK_COUNT][SEALED_BYTES];
};

static struct str view(const unsigned char *bytes, size_t len)
{
    return (struct str){ (const char *)bytes, len };
}

static struct sealed seal_three(void)
{
    struct sealed sealed = { .key = { 7 } };
    unsigned char plain[CHUNK_BYTES];
    struct stream stream;

    stream_seal_begin(&stream, sealed.key, sealed.header);
    for (int i = 0; i < CHUNK_COUNT; i++) {
        memset(plain, 'a' + i, CHUNK_BYTES);
        stream_seal(&stream, view(plain, CHUNK_BYTES), STR("name"), i == CHUNK_COUNT - 1,
                    sealed.chunks[i]);
    }
    stream_end(&stream);
    return sealed;
}

static enum rc open_one(struct stream *stream, const struct sealed *sealed, int chunk,
                        struct str associated, unsigned char *out_plain, bool *out_is_last)
{
    return stream_open(stream, view(sealed->chunks[chunk], SEALED_BYTES), associated, out_plain,
                       out_is_last);
}

static void test_what_was_sealed_is_opened(void **state)
{
    struct sealed sealed = seal_three();
    unsigned char plain[CHUNK_BYTES];
    struct stream stream;
    bool is_last = true;

    (void)state;
    assert_int_equal(stream_open_begin(&stream, sealed.key, sealed.header), RC_OK);
    for (int i = 0; i < CHUNK_COUNT; i++) {
        assert_int_equal(open_one(&stream, &sealed, i, STR("name"), plain, &is_last), RC_OK);
        assert_int_equal(is_last, i == CHUNK_COUNT - 1);
        for (int at = 0; at < CHUNK_BYTES; at++)
            assert_int_equal(plain[at], 'a' + i);
    }
    stream_end(&stream);
    for (size_t at = 0; at < sizeof(stream); at++)
        assert_int_equal(stream.state[at], 0);
}

/* Two streams of one key have nothing in common. */
static void test_every_stream_is_its_own(void **state)
{
    struct sealed one = seal_three();
    struct sealed other = seal_three();
    unsigned char plain[CHUNK_BYTES];
    struct stream stream;
    bool is_last;

    (void)state;
    assert_memory_not_equal(one.header, other.header, STREAM_HEADER_BYTES);
    assert_memory_not_equal(one.chunks[0], other.chunks[0], SEALED_BYTES);
    assert_int_equal(stream_open_begin(&stream, one.key, one.header), RC_OK);
    assert_int_equal(open_one(&stream, &other, 0, STR("name"), plain, &is_last), RC_INVALID);
}

static void test_order_matters(void **state)
{
    static const int orders[][2] = { { 1, -1 }, { 2, -1 }, { 0, 0 }, { 0, 2 } };
    struct sealed sealed = seal_three();
    unsigned char plain[CHUNK_BYTES];
    struct stream stream;
    bool is_last = false;

    (void)state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        int bad = orders[i][1] < 0 ? orders[i][0] : orders[i][1];

        assert_int_equal(stream_open_begin(&stream, sealed.key, sealed.header), RC_OK);
        if (orders[i][1] >= 0)
            assert_int_equal(open_one(&stream, &sealed, orders[i][0], STR("name"), plain, &is_last),
                             RC_OK);
        assert_int_equal(open_one(&stream, &sealed, bad, STR("name"), plain, &is_last), RC_INVALID);
        assert_false(is_last);
    }
}

static void test_nothing_can_be_changed(void **state)
{
    struct sealed sealed = seal_three();
    unsigned char plain[CHUNK_BYTES];
    struct stream stream;
    bool is_last = false;

    (void)state;
    for (size_t at = 0; at < SEALED_BYTES; at++) {
        assert_int_equal(stream_open_begin(&stream, sealed.key, sealed.header), RC_OK);
        sealed.chunks[0][at] ^= 0x10;
        assert_int_equal(open_one(&stream, &sealed, 0, STR("name"), plain, &is_last), RC_INVALID);
        sealed.chunks[0][at] ^= 0x10;
    }
    for (size_t len = 0; len < SEALED_BYTES; len++) {
        assert_int_equal(stream_open_begin(&stream, sealed.key, sealed.header), RC_OK);
        assert_int_equal(
            stream_open(&stream, view(sealed.chunks[0], len), STR("name"), plain, &is_last),
            RC_INVALID);
    }
    assert_int_equal(stream_open_begin(&stream, sealed.key, sealed.header), RC_OK);
    assert_int_equal(open_one(&stream, &sealed, 0, STR("other"), plain, &is_last), RC_INVALID);
    sealed.key[0] ^= 1;
    assert_int_equal(stream_open_begin(&stream, sealed.key, sealed.header), RC_OK);
    assert_int_equal(open_one(&stream, &sealed, 0, STR("name"), plain, &is_last), RC_INVALID);
    sealed.key[0] ^= 1;
    sealed.header[3] ^= 1;
    assert_int_equal(stream_open_begin(&stream, sealed.key, sealed.header), RC_OK);
    assert_int_equal(open_one(&stream, &sealed, 0, STR("name"), plain, &is_last), RC_INVALID);
}

/* A chunk may be empty: then it is the overhead alone. */
static void test_empty_chunk(void **state)
{
    unsigned char key[STREAM_KEY_BYTES] = { 9 };
    unsigned char header[STREAM_HEADER_BYTES];
    unsigned char chunk[STREAM_OVERHEAD_BYTES];
    struct stream stream;
    bool is_last = false;

    (void)state;
    stream_seal_begin(&stream, key, header);
    stream_seal(&stream, STR(""), STR(""), true, chunk);
    assert_int_equal(stream_open_begin(&stream, key, header), RC_OK);
    assert_int_equal(stream_open(&stream, view(chunk, sizeof(chunk)), STR(""),
                                 (unsigned char[1]){ 0 }, &is_last),
                     RC_OK);
    assert_true(is_last);
}

/* Base64 as password hashes have it: without padding. */
static void append_base64(struct buffer *to, const unsigned char *bytes, size_t len)
{
    size_t from = to->len;

    base64url_encode(view(bytes, len), to);
    for (size_t at = from; at < to->len; at++)
        to->at[at] = to->at[at] == '-' ? '+' : to->at[at] == '_' ? '/' : to->at[at];
}

/* The key is Argon2id's tag: the hash of the same word, written as others write it, is the same. */
static void test_key_of_passphrase(void **state)
{
    unsigned char salt[STREAM_SALT_BYTES] = { 1, 2, 3 };
    struct password_cost cost = { 64, 2 };
    unsigned char key[STREAM_KEY_BYTES], again[STREAM_KEY_BYTES];
    struct secret word = { 0 };
    char memory[256];
    struct buffer phc = buffer_over(memory, sizeof(memory));

    (void)state;
    assert_int_equal(secret_set(&word, STR("correct horse battery staple")), RC_OK);
    assert_int_equal(stream_key_of_passphrase(&word, cost, salt, key), RC_OK);
    buffer_append_str(&phc, STR("$argon2id$v=19$m=64,t=2,p=1$"));
    append_base64(&phc, salt, sizeof(salt));
    buffer_append_byte(&phc, '$');
    append_base64(&phc, key, sizeof(key));
    assert_int_equal(password_verify(&word, buffer_str(&phc)), RC_OK);
    salt[0]++;
    assert_int_equal(stream_key_of_passphrase(&word, cost, salt, again), RC_OK);
    assert_memory_not_equal(key, again, STREAM_KEY_BYTES);
}

static void test_costs_that_are_refused(void **state)
{
    static const struct password_cost costs[] = {
        { 64, 0 },
        { 64, PASSWORD_PASSES_MAX + 1 },
        { 7, 1 },
        { PASSWORD_MEMORY_KIB_MAX + 1, 1 },
        { PASSWORD_MEMORY_KIB_MAX, PASSWORD_WORK_KIB_MAX / PASSWORD_MEMORY_KIB_MAX + 1 },
    };
    const unsigned char salt[STREAM_SALT_BYTES] = { 1 };
    unsigned char key[STREAM_KEY_BYTES];
    struct secret word = { 0 };

    (void)state;
    assert_int_equal(secret_set(&word, STR("word")), RC_OK);
    for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
        assert_int_equal(stream_key_of_passphrase(&word, costs[i], salt, key), RC_INVALID);
}

static int begin(void **state)
{
    (void)state;
    crypto_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_sealed_is_opened),
        cmocka_unit_test(test_every_stream_is_its_own),
        cmocka_unit_test(test_order_matters),
        cmocka_unit_test(test_nothing_can_be_changed),
        cmocka_unit_test(test_empty_chunk),
        cmocka_unit_test(test_key_of_passphrase),
        cmocka_unit_test(test_costs_that_are_refused),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
