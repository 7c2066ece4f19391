/* The bytes that seal the audit trail: digest and signature of given events, as they have to be. */
#include "fixture.h"

#include "account/trail.h"

/*
 * Made with Python from docs/audit.md alone; test/blackbox/test_audit.py computes the same from an
 * export. The master key is bytes 0 to 31.
 */
static const char first_digest[] =
    "f95a22c6206f7fdff42916a9bc176e39e8495dbd6b22b0c63ad969f08a631e62";
static const char second_digest[] =
    "9dffc37567440016f537109eb3661e081cd41c7cf0904c5dad28391a14a4699d";
static const char empty_digest[] =
    "5de60cc0e6b202bd122700ea2e7de54db5b9117c22241a3a87a8be2f054a0717";
static const char public_key[] = "a5d68976b8a02cb3a61a58edc26fa60ca82923d05630acdbc843e8f966aa6a80";
static const char signature[] = "a3457a5f9925881a6731896232b291259f4d438cdbdd5f9e78630cf638eab1e4"
                                "acab1015257548beef2f59d56f250f6c49c1f381d09eaa1a919dd3b3167e8304";

static const unsigned char no_digest[DIGEST_BYTES];

static const char ipv6[] = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01";
static const char ipv4[] = "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01";

static const struct trail_event events[] = {
    { .id = 1,
      .at = 1795389368,
      .kind = 1,
      .account_id = 2,
      .client_id = 3,
      .token_id = 4295233537,
      .address = { ipv4, 16 },
      .detail = { "", 0 } },
    { .id = 4294967298,
      .at = 1795389369,
      .kind = 24,
      .token_id = -7,
      .address = { ipv6, 16 },
      .detail = { "Z\xc3\xbcrich \xe2\x82\xac", 11 } },
    { .id = INT64_MAX,
      .at = INT64_MIN,
      .kind = -1,
      .address = { "", 0 },
      .detail = { "a\0b\n", 4 } },
};

static struct str hex(const unsigned char *bytes, size_t len, char *out_text)
{
    for (size_t i = 0; i < len; i++)
        snprintf(out_text + 2 * i, 3, "%02x", bytes[i]);
    return (struct str){ out_text, 2 * len };
}

static void assert_hex(const unsigned char *bytes, size_t len, const char *expected)
{
    char text[2 * 64 + 1];

    assert_int_equal(strlen(expected), 2 * len);
    assert_memory_equal(hex(bytes, len, text).at, expected, 2 * len);
}

static void sum(int64_t number, const unsigned char *previous, const struct trail_event *from,
                size_t count, unsigned char out_digest[static DIGEST_BYTES])
{
    struct digest_stream *stream = trail_digest_begin(number, previous);

    for (size_t i = 0; i < count; i++)
        trail_digest_add(stream, &from[i]);
    digest_stream_end(stream, out_digest);
}

static void test_digests_are_those_of_the_paper(void **state)
{
    unsigned char first[DIGEST_BYTES];
    unsigned char digest[DIGEST_BYTES];

    (void)state;
    sum(1, no_digest, events, 2, first);
    assert_hex(first, sizeof(first), first_digest);
    sum(2, first, events + 2, 1, digest);
    assert_hex(digest, sizeof(digest), second_digest);
    sum(INT64_MAX, first, NULL, 0, digest);
    assert_hex(digest, sizeof(digest), empty_digest);
}

/* Address and detail have lengths before them: no byte can pass from one to the other, or on. */
static void test_every_column_and_border_counts(void **state)
{
    struct trail_event changed[9];
    unsigned char digest[DIGEST_BYTES];
    unsigned char other[DIGEST_BYTES];

    (void)state;
    for (size_t i = 0; i < 9; i++)
        changed[i] = events[1];
    changed[0].id++;
    changed[1].at++;
    changed[2].kind++;
    changed[3].account_id++;
    changed[4].client_id++;
    changed[5].token_id++;
    changed[6].address.len--;
    changed[7].detail.len--;
    changed[8].address.len = 0;
    sum(1, no_digest, &events[1], 1, digest);
    for (size_t i = 0; i < 9; i++) {
        sum(1, no_digest, &changed[i], 1, other);
        assert_memory_not_equal(other, digest, DIGEST_BYTES);
    }
    sum(2, no_digest, &events[1], 1, other);
    assert_memory_not_equal(other, digest, DIGEST_BYTES);
    sum(1, digest, &events[1], 1, other);
    assert_memory_not_equal(other, digest, DIGEST_BYTES);
}

static struct checkpoint signed_checkpoint(const struct trail_key *key)
{
    struct checkpoint checkpoint = {
        .number = 2, .last_event_id = INT64_MAX, .event_count = 1, .at = 1795389370
    };
    unsigned char first[DIGEST_BYTES];

    sum(1, no_digest, events, 2, first);
    sum(2, first, events + 2, 1, checkpoint.digest);
    assert_int_equal(trail_sign(key, &checkpoint), RC_OK);
    return checkpoint;
}

static void test_a_signature_is_that_of_the_paper(void **state)
{
    unsigned char master_key[32];
    struct checkpoint checkpoint;
    struct trail_key key;

    (void)state;
    for (unsigned i = 0; i < sizeof(master_key); i++)
        master_key[i] = (unsigned char)i;
    assert_int_equal(trail_key_open(master_key, &key), RC_OK);
    assert_hex(key.public_bytes, sizeof(key.public_bytes), public_key);
    checkpoint = signed_checkpoint(&key);
    assert_hex(checkpoint.public_key, TRAIL_KEY_BYTES, public_key);
    assert_hex(checkpoint.signature, TRAIL_SIGNATURE_BYTES, signature);
    assert_int_equal(trail_verify(key.public_bytes, &checkpoint), RC_OK);
    trail_key_close(&key);
}

static void test_a_signature_covers_every_member(void **state)
{
    struct fixture *fixture = *state;
    struct checkpoint good;
    struct checkpoint bad[7];
    struct trail_key key;

    assert_int_equal(trail_key_open(fixture->master_key, &key), RC_OK);
    good = signed_checkpoint(&key);
    for (size_t i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].number++;
    bad[1].last_event_id--;
    bad[2].event_count++;
    bad[3].at++;
    bad[4].digest[31] ^= 1;
    bad[5].public_key[0] ^= 1;
    bad[6].signature[63] ^= 1;
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(trail_verify(key.public_bytes, &bad[i]), RC_REFUSED);
    assert_int_equal(trail_verify(key.public_bytes, &good), RC_OK);
    trail_key_close(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_digests_are_those_of_the_paper),
        WITH_STORE(test_every_column_and_border_counts),
        WITH_STORE(test_a_signature_is_that_of_the_paper),
        WITH_STORE(test_a_signature_covers_every_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
