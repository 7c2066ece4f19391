/*
 * Keys, attestation objects and signatures of authenticators; the ceremonies that they are part of
 * are tested in the account room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../webauthn.h"

static struct recorded all[RECORDED_COUNT];
static json_t *document;

static enum rc check_key(const char *hex)
{
    struct bytes key = hex_decode(hex);
    enum rc rc = passkey_public_key_check(bytes_str(key));

    free(key.at);
    return rc;
}

static void test_recorded_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECORDED_COUNT; i++)
        assert_int_equal(passkey_public_key_check(bytes_str(all[i].public_key)), RC_OK);
}

/* Each byte of a key's frame, its types and lengths, is needed; a member more is too many. */
static void test_no_byte_of_a_keys_frame_may_change(void **state)
{
    static const struct {
        size_t recorded;
        size_t frame_bytes; /* before the first coordinate or the modulus */
    } rows[] = { { 0, 10 }, { 2, 11 }, { 3, 10 } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes key = all[rows[i].recorded].public_key;
        unsigned char changed[PASSKEY_PUBLIC_KEY_BYTES_MAX + 1];
        struct str view = { (const char *)changed, key.len };

        memcpy(changed, key.at, key.len);
        for (size_t at = 0; at < rows[i].frame_bytes; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                changed[at] = (unsigned char)byte;
                assert_int_equal(passkey_public_key_check(view),
                                 byte == key.at[at] ? RC_OK : RC_INVALID);
            }
            changed[at] = key.at[at];
        }
        for (size_t len = 0; len < key.len; len++)
            assert_int_equal(passkey_public_key_check((struct str){ view.at, len }), RC_INVALID);
        /* Left over, and then as a member: key_ops, and the key's id. */
        memcpy(changed + key.len, "\x04\x80", 2);
        assert_int_equal(passkey_public_key_check((struct str){ view.at, key.len + 2 }),
                         RC_INVALID);
        changed[0]++;
        assert_int_equal(passkey_public_key_check((struct str){ view.at, key.len + 2 }),
                         RC_INVALID);
        /* A member that is there twice. */
        memcpy(changed + key.len, "\x01", 1);
        memcpy(changed + key.len + 1, key.at + 2, 1);
        assert_int_equal(passkey_public_key_check((struct str){ view.at, key.len + 2 }),
                         RC_INVALID);
    }
}

/* WebAuthn 5.8.5, 6.5.1 */
static void test_keys_that_are_none(void **state)
{
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define EDDSA "a4010103272006215820"
    static const char *const rows[] = {
        "",
        "a0",
        "80",
        "00",
        "a50102032620012158"
        "20" ZEROS "225820" ZEROS, /* off the curve */
        "a50102032620012158"
        "20" ONES "225820" ONES,
        "a50102032620012158"
        "20" ZEROS "22f5", /* compressed */
        EDDSA ZEROS,       /* a point of small order */
        EDDSA "0100000000000000000000000000000000000000000000000000000000000000",
        EDDSA "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        EDDSA ONES,                           /* not canonical */
        "a401030339010020430000012143010001", /* a small modulus */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(check_key(rows[i]), RC_INVALID);
}

/* Exponents that are even or small, moduli that are even or short, whatever their frame. */
static void test_weak_rsa_keys(void **state)
{
    struct bytes key = all[2].public_key;
    unsigned char changed[PASSKEY_PUBLIC_KEY_BYTES_MAX];
    struct str view = { (const char *)changed, key.len };

    (void)state;
    memcpy(changed, key.at, key.len);
    memcpy(changed + key.len - 3, "\x00\x00\x03", 3);
    assert_int_equal(passkey_public_key_check(view), RC_INVALID);
    memcpy(changed + key.len - 3, "\x00\x00\x01", 3);
    assert_int_equal(passkey_public_key_check(view), RC_INVALID);
    memcpy(changed + key.len - 3, "\x01\x00\x02", 3);
    assert_int_equal(passkey_public_key_check(view), RC_INVALID);
    memcpy(changed, key.at, key.len);
    changed[11] = 0; /* of the modulus: 2040 bits */
    assert_int_equal(passkey_public_key_check(view), RC_INVALID);
}

static void test_attestation_objects(void **state)
{
    static const char *const formats[RECORDED_COUNT] = { "none", "packed",   "none",
                                                         "none", "fido-u2f", "none" };

    (void)state;
    for (size_t i = 0; i < RECORDED_COUNT; i++) {
        struct attestation attestation;
        unsigned char hash[SHA256_BYTES];

        assert_int_equal(attestation_parse(bytes_str(all[i].attestation_object), &attestation),
                         RC_OK);
        assert_true(str_equal(attestation.format, str_of(formats[i])));
        assert_true(str_equal(attestation.data.public_key, bytes_str(all[i].public_key)));
        digest_sha256(bytes_str(all[i].create_client_data), hash);
        assert_int_equal(attestation_verify(&attestation, hash, all[i].rp_id), RC_OK);
        hash[0] ^= 1;
        assert_int_equal(attestation_verify(&attestation, hash, all[i].rp_id),
                         strcmp(formats[i], "none") == 0 ? RC_OK : RC_REFUSED);
    }
}

/* A map that has more than the three members, or fewer, or others, or of other types. */
static void test_objects_of_another_shape(void **state)
{
    static const char *const rows[] = {
        "a0",
        "a263666d74646e6f6e656761747453746d74a0",
        "a363666d74646e6f6e656761747453746d74a068617574684461746100",
        "a363666d74646e6f6e656761747453746d74a0686175746844617461a0",
        "a363666d74446e6f6e656761747453746d74a068617574684461746140",
        "a363666d74646e6f6e656761747453746d748068617574684461746140",
        "a363666d74646e6f6e656761747453746d74a068617574684461746140",
        "8363666d74646e6f6e65a0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes object = hex_decode(rows[i]);
        struct attestation attestation;

        assert_int_equal(attestation_parse(bytes_str(object), &attestation), RC_INVALID);
        free(object.at);
    }
}

/* A good object with one member more. */
static void test_objects_have_three_members(void **state)
{
    struct bytes good = all[0].attestation_object;
    unsigned char more[512];
    struct attestation attestation;

    (void)state;
    memcpy(more, good.at, good.len);
    memcpy(more + good.len,
           "\x65"
           "epAtt\xf4",
           7);
    more[0]++;
    assert_int_equal(
        attestation_parse((struct str){ (const char *)more, good.len + 7 }, &attestation),
        RC_INVALID);
    more[0]--;
    assert_int_equal(attestation_parse((struct str){ (const char *)more, good.len }, &attestation),
                     RC_OK);
}

/* A good object but for a filling that makes it too long. */
static void test_objects_have_a_maximum(void **state)
{
    static char memory[PASSKEY_ATTESTATION_BYTES_MAX + 64], filling[PASSKEY_ATTESTATION_BYTES_MAX];
    struct attestation attestation, good;

    (void)state;
    assert_int_equal(attestation_parse(bytes_str(all[0].attestation_object), &good), RC_OK);
    for (size_t more = 0; more < 2; more++) {
        struct buffer object = buffer_over(memory, sizeof(memory));
        struct buffer statement;
        static char statement_memory[PASSKEY_ATTESTATION_BYTES_MAX];
        size_t frame = 1 + 4 + 5 + 8 + 1 + 2 + 3 + 9 + 2 + good.data.encoded.len;

        statement = buffer_over(statement_memory, sizeof(statement_memory));
        append_head(&statement, 5, 1);
        append_text(&statement, "x");
        append_bytes(&statement,
                     (struct str){ filling, PASSKEY_ATTESTATION_BYTES_MAX - frame + more });
        append_object(&object, "none", buffer_str(&statement), good.data.encoded);
        assert_false(object.overflow || statement.overflow);
        assert_int_equal(object.len, PASSKEY_ATTESTATION_BYTES_MAX + more);
        assert_int_equal(attestation_parse(buffer_str(&object), &attestation),
                         more == 0 ? RC_OK : RC_INVALID);
    }
}

/* WebAuthn 8.6, 8.2: a statement is one of its format and of its key's algorithm. */
static void test_statements_do_not_change_places(void **state)
{
    struct attestation packed, u2f, swapped;
    unsigned char hash[SHA256_BYTES];

    (void)state;
    assert_int_equal(attestation_parse(bytes_str(all[1].attestation_object), &packed), RC_OK);
    assert_int_equal(attestation_parse(bytes_str(all[4].attestation_object), &u2f), RC_OK);
    digest_sha256(bytes_str(all[1].create_client_data), hash);
    swapped = packed;
    swapped.statement = u2f.statement;
    assert_int_equal(attestation_verify(&swapped, hash, all[1].rp_id), RC_REFUSED);
    swapped = packed;
    swapped.format = u2f.format;
    assert_int_equal(attestation_verify(&swapped, hash, all[1].rp_id), RC_REFUSED);
    swapped = packed;
    swapped.data = u2f.data;
    assert_int_equal(attestation_verify(&swapped, hash, all[1].rp_id), RC_REFUSED);
    assert_int_equal(attestation_verify(&packed, hash, STR("example.org")), RC_REFUSED);
    digest_sha256(bytes_str(all[4].create_client_data), hash);
    assert_int_equal(attestation_verify(&u2f, hash, all[4].rp_id), RC_OK);
    /* Of a key that U2F does not know. */
    assert_int_equal(attestation_parse(bytes_str(all[3].attestation_object), &swapped), RC_OK);
    swapped.format = u2f.format;
    swapped.statement = u2f.statement;
    assert_int_equal(attestation_verify(&swapped, hash, all[4].rp_id), RC_REFUSED);
}

static enum rc verify(const struct recorded *recorded, struct str signature, struct str rp_id)
{
    struct authenticator_data data;
    unsigned char hash[SHA256_BYTES];

    assert_int_equal(authenticator_data_parse(bytes_str(recorded->authenticator_data), &data),
                     RC_OK);
    digest_sha256(bytes_str(recorded->get_client_data), hash);
    return assertion_verify(&data, hash, signature, rp_id, bytes_str(recorded->public_key));
}

static void test_signatures(void **state)
{
    static char zeros[PASSKEY_SIGNATURE_BYTES_MAX + 1];

    (void)state;
    for (size_t i = 0; i < RECORDED_COUNT; i++) {
        assert_int_equal(verify(&all[i], bytes_str(all[i].signature), all[i].rp_id), RC_OK);
        assert_int_equal(verify(&all[i], bytes_str(all[i].signature), STR("example.org")),
                         RC_REFUSED);
        for (size_t len = 0; len <= sizeof(zeros); len++)
            assert_int_equal(verify(&all[i], (struct str){ zeros, len }, all[i].rp_id), RC_REFUSED);
    }
    /* ECDSA with r = s = 0. */
    assert_int_equal(verify(&all[0], STR("\x30\x06\x02\x01\x00\x02\x01\x00"), all[0].rp_id),
                     RC_REFUSED);
}

/* ---- made by software ----------------------------------------------------------------------- */

enum { MADE_BYTES = 4096 };

/* An attestation that an Ed25519 key signs for itself (WebAuthn 8.2), with these extensions in hex
 * and this algorithm in its statement. */
static enum rc verify_made(const char *extensions, unsigned alg, size_t credential_id_bytes)
{
    static char credential_id[PASSKEY_CREDENTIAL_ID_BYTES_MAX + 1];
    static char memories[4][MADE_BYTES];
    struct buffer key = buffer_over(memories[0], MADE_BYTES);
    struct buffer data = buffer_over(memories[1], MADE_BYTES);
    struct buffer statement = buffer_over(memories[2], MADE_BYTES);
    struct buffer object = buffer_over(memories[3], MADE_BYTES);
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX], hash[SHA256_BYTES];
    struct bytes more = hex_decode(extensions);
    struct soft_data soft = { .rp_id = "example.org",
                              .flags = SOFT_UP | SOFT_UV | SOFT_AT,
                              .credential_id = { credential_id, credential_id_bytes } };
    struct attestation attestation;
    struct public_key public_key;
    struct signer *signer;
    enum rc rc;

    if (more.len > 0)
        soft.flags |= SOFT_ED;
    soft.extensions = bytes_str(more);
    assert_int_equal(signer_generate(SIGNER_EDDSA, &signer), RC_OK);
    signer_public(signer, &public_key);
    append_eddsa_key(&key, public_key.x);
    soft.public_key = buffer_str(&key);
    append_data(&data, &soft);
    append_head(&statement, 5, 2);
    append_text(&statement, "alg");
    append_head(&statement, 1, alg);
    append_text(&statement, "sig");
    append_bytes(&statement, soft_sign(signer, buffer_str(&data), STR("{}"), signature));
    append_object(&object, "packed", buffer_str(&statement), buffer_str(&data));
    rc = attestation_parse(buffer_str(&object), &attestation);
    digest_sha256(STR("{}"), hash);
    if (rc == RC_OK)
        rc = attestation_verify(&attestation, hash, STR("example.org"));
    signer_free(signer);
    free(more.at);
    return rc;
}

static void test_self_attestation(void **state)
{
    (void)state;
    assert_int_equal(verify_made("", 7, 16), RC_OK);      /* EdDSA: -8 */
    assert_int_equal(verify_made("", 6, 16), RC_REFUSED); /* ES256: -7 */
    assert_int_equal(verify_made("", 256, 16), RC_REFUSED);
    /* WebAuthn 6.5.1 */
    assert_int_equal(verify_made("", 7, 512), RC_OK);
    assert_int_not_equal(verify_made("", 7, PASSKEY_CREDENTIAL_ID_BYTES_MAX), RC_INVALID);
    assert_int_equal(verify_made("", 7, PASSKEY_CREDENTIAL_ID_BYTES_MAX + 1), RC_INVALID);
}

/* WebAuthn 7.1 step 28: what an authenticator adds is passed over, but not what it cannot mean. */
static void test_extensions_of_attestations(void **state)
{
    static const struct {
        const char *extensions;
        enum rc expected;
    } rows[] = {
        { "a16863726564426c6f62f5", RC_OK },                  /* credBlob: true */
        { "a16863726564426c6f62f4", RC_OK },                  /* credBlob: false */
        { "a16b686d61632d736563726574f5", RC_OK },            /* hmac-secret: true */
        { "a16b686d61632d736563726574f4", RC_OK },            /* hmac-secret: false */
        { "a16b6372656450726f7465637403", RC_OK },            /* credProtect: 3 */
        { "a16b6372656450726f74656374190100", RC_REFUSED },   /* credProtect: 256 */
        { "a16b6372656450726f7465637420", RC_REFUSED },       /* credProtect: -1 */
        { "a16b6372656450726f7465637409", RC_REFUSED },       /* credProtect: 9 */
        { "a16c6d696e50696e4c656e67746804", RC_OK },          /* minPinLength: 4 */
        { "a16c6d696e50696e4c656e677468190100", RC_REFUSED }, /* minPinLength: 256 */
        { "a16c6d696e50696e4c656e67746820", RC_REFUSED },     /* minPinLength: -1 */
        { "a0", RC_OK },
        { "80", RC_INVALID },   /* no map */
        { "a1", RC_INVALID },   /* and nothing in it */
        { "a0a0", RC_INVALID }, /* more than the data says */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum rc rc = verify_made(rows[i].extensions, 7, 16);

        if (rc != rows[i].expected)
            fail_msg("%s: %s", rows[i].extensions, rc_words(rc));
    }
}

static void test_keys_and_data_have_a_maximum(void **state)
{
    static char zeros[PASSKEY_AUTHENTICATOR_DATA_BYTES_MAX + 1];
    struct authenticator_data data;

    (void)state;
    assert_int_equal(
        passkey_public_key_check((struct str){ zeros, PASSKEY_PUBLIC_KEY_BYTES_MAX + 1 }),
        RC_INVALID);
    assert_int_equal(authenticator_data_parse((struct str){ zeros, sizeof(zeros) }, &data),
                     RC_INVALID);
}

/* WebAuthn 6.1 */
static void test_authenticator_data(void **state)
{
    struct authenticator_data data;
    char memory[64];
    struct buffer encoded = buffer_over(memory, sizeof(memory));
    struct soft_data soft = { .rp_id = "example.org",
                              .flags = SOFT_UP | SOFT_BE | SOFT_BS,
                              .count = 0x01020304 };

    (void)state;
    append_data(&encoded, &soft);
    assert_int_equal(authenticator_data_parse(buffer_str(&encoded), &data), RC_OK);
    assert_true(data.is_user_present && !data.is_user_verified);
    assert_true(data.is_backup_eligible && data.is_backed_up);
    assert_int_equal(data.sign_count, 0x01020304);
    assert_int_equal(data.credential_id.len + data.public_key.len + data.extensions.len, 0);
    for (size_t len = 0; len < encoded.len; len++)
        assert_int_equal(authenticator_data_parse((struct str){ memory, len }, &data), RC_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_keys),
        cmocka_unit_test(test_no_byte_of_a_keys_frame_may_change),
        cmocka_unit_test(test_keys_that_are_none),
        cmocka_unit_test(test_weak_rsa_keys),
        cmocka_unit_test(test_attestation_objects),
        cmocka_unit_test(test_objects_of_another_shape),
        cmocka_unit_test(test_objects_have_three_members),
        cmocka_unit_test(test_objects_have_a_maximum),
        cmocka_unit_test(test_statements_do_not_change_places),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_self_attestation),
        cmocka_unit_test(test_extensions_of_attestations),
        cmocka_unit_test(test_keys_and_data_have_a_maximum),
        cmocka_unit_test(test_authenticator_data),
    };
    int failed;

    crypto_init();
    document = recorded_load_all(all);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    recorded_free_all(all, document);
    return failed;
}
