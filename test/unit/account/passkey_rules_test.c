/*
 * The rules of WebAuthn 7.1 and 7.2, one by one (PW-12): each answer is signed as it should be and
 * breaks one rule alone, so that nothing but this rule can refuse it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "passkey_answers.h"

/* ---- client data ---- */

static void test_good_answers_pass(void **state)
{
    struct creation creation = good_creation();
    struct proof proof = good_proof();
    struct passkey_assertion_result result;
    struct passkey passkey;

    (void)state;
    assert_int_equal(create_for(&verified, &creation, &passkey), PASSKEY_OK);
    assert_true(str_equal(passkey.credential_id, STR(CREDENTIAL)));
    assert_true(str_equal(passkey.public_key, key));
    assert_memory_equal(passkey.aaguid, "soft-authenticat", PASSKEY_AAGUID_BYTES);
    assert_int_equal(passkey.sign_count, 7);
    assert_int_equal(get_for(&verified, &proof, &result), PASSKEY_OK);
    assert_int_equal(result.sign_count, 8);
}

/* WebAuthn 7.1 steps 7 to 9 */
static void test_type_challenge_and_origin(void **state)
{
    static const char *const wrong_origins[] = {
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "https://evil.example", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "http://login.example.org", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "https://login.example.org/", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "https://login.example.org:443", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "https://login.example.org.evil.example", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "https://x.login.example.org", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "https://LOGIN.example.org", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "https://login.example.or", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "android:apk-key-hash:abc", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "null", ""),
        CLIENT_DATA(CREATE, CHALLENGE_TEXT, "", ""),
    };

    (void)state;
    assert_int_equal(
        create_with_client_data(CLIENT_DATA(CREATE, CHALLENGE_TEXT, "https://example.org", "")),
        PASSKEY_OK);
    assert_int_equal(create_with_client_data(GOOD_GET), PASSKEY_TYPE);
    assert_int_equal(
        create_with_client_data(CLIENT_DATA("Webauthn.create", CHALLENGE_TEXT, ORIGIN, "")),
        PASSKEY_TYPE);
    assert_int_equal(get_with_client_data(STR(GOOD_CREATE)), PASSKEY_TYPE);
    assert_int_equal(get_with_client_data(STR(CLIENT_DATA("", CHALLENGE_TEXT, ORIGIN, ""))),
                     PASSKEY_TYPE);
    assert_int_equal(create_with_client_data(CLIENT_DATA(CREATE, "", ORIGIN, "")),
                     PASSKEY_CHALLENGE);
    assert_int_equal(create_with_client_data(CLIENT_DATA(CREATE, CHALLENGE_TEXT "=", ORIGIN, "")),
                     PASSKEY_CHALLENGE);
    /* The same bytes with stray bits at the end. */
    assert_int_equal(create_with_client_data(CLIENT_DATA(
                         CREATE, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZ", ORIGIN, "")),
                     PASSKEY_CHALLENGE);
    for (size_t i = 0; i < sizeof(wrong_origins) / sizeof(wrong_origins[0]); i++)
        assert_int_equal(create_with_client_data(wrong_origins[i]), PASSKEY_ORIGIN);
    assert_int_equal(
        get_with_client_data(STR(CLIENT_DATA(GET, CHALLENGE_TEXT, "https://evil.example", ""))),
        PASSKEY_ORIGIN);
}

/* WebAuthn 7.1 steps 10, 11, 7.2 steps 13, 14 */
static void test_frames_are_refused(void **state)
{
#define WITH(more) CLIENT_DATA(GET, CHALLENGE_TEXT, ORIGIN, more)
    (void)state;
    assert_int_equal(get_with_client_data(STR(WITH(""))), PASSKEY_OK);
    assert_int_equal(get_with_client_data(STR(WITH(",\"crossOrigin\":true"))), PASSKEY_FRAMED);
    assert_int_equal(get_with_client_data(STR(WITH(",\"topOrigin\":\"https://evil.example\""))),
                     PASSKEY_FRAMED);
    assert_int_equal(get_with_client_data(STR(WITH(",\"topOrigin\":\"" ORIGIN "\""))),
                     PASSKEY_FRAMED);
    assert_int_equal(get_with_client_data(STR(WITH(",\"crossOrigin\":\"true\""))),
                     PASSKEY_MALFORMED);
    assert_int_equal(get_with_client_data(STR(WITH(",\"crossOrigin\":1"))), PASSKEY_MALFORMED);
    assert_int_equal(get_with_client_data(STR(WITH(",\"crossOrigin\":null"))), PASSKEY_MALFORMED);
}

/* WebAuthn 7.1 steps 5, 6, 7.2 steps 8, 9 */
static void test_client_data_is_sound_json(void **state)
{
    static char longest[PASSKEY_CLIENT_DATA_BYTES_MAX + 1];
    static const char *const malformed[] = {
        "",
        "{}",
        "[]",
        "null",
        "\"webauthn.get\"",
        WITH("") "x",
        WITH(",\"origin\":\"" ORIGIN "\""),
        WITH(",\"type\":\"" GET "\""),
        "{\"type\":\"" GET "\",\"challenge\":\"" CHALLENGE_TEXT "\"}",
        "{\"type\":\"" GET "\",\"origin\":\"" ORIGIN "\"}",
        "{\"challenge\":\"" CHALLENGE_TEXT "\",\"origin\":\"" ORIGIN "\"}",
        "{\"type\":[\"" GET "\"],\"challenge\":\"" CHALLENGE_TEXT "\",\"origin\":\"" ORIGIN "\"}",
        "{\"type\":\"" GET "\",\"challenge\":\"" CHALLENGE_TEXT "\",\"origin\":[\"" ORIGIN "\"]}",
        "\xff\xfe{\"type\":\"" GET "\"}",
        WITH(",\"other\":\"\xff\""),
    };
    struct str good = STR(GOOD_GET);

    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_int_equal(get_with_client_data(str_of(malformed[i])), PASSKEY_MALFORMED);
    assert_int_equal(get_with_client_data(STR("\xef\xbb\xbf" GOOD_GET)), PASSKEY_OK);
    assert_int_equal(get_with_client_data(STR("\xef\xbb\xbf\xef\xbb\xbf" GOOD_GET)),
                     PASSKEY_MALFORMED);
    assert_int_equal(get_with_client_data(STR(WITH(",\"other_keys\":{\"may\":[\"follow\"]}"))),
                     PASSKEY_OK);
    memset(longest, ' ', sizeof(longest));
    memcpy(longest, good.at, good.len);
    assert_int_equal(get_with_client_data((struct str){ longest, sizeof(longest) - 1 }),
                     PASSKEY_OK);
    assert_int_equal(get_with_client_data((struct str){ longest, sizeof(longest) }),
                     PASSKEY_MALFORMED);
#undef WITH
}

/* ---- authenticator data ---- */

/* WebAuthn 7.1 steps 14 to 17, 7.2 steps 15 to 18 */
static void test_flags_and_relying_party(void **state)
{
    static const struct {
        unsigned flags;
        enum passkey_verdict verdict;
    } rows[] = {
        { SOFT_UP | SOFT_UV, PASSKEY_OK },
        { SOFT_UV, PASSKEY_ABSENT },
        { 0, PASSKEY_ABSENT },
        { SOFT_UP, PASSKEY_UNVERIFIED },
        { SOFT_UP | SOFT_UV | SOFT_BS, PASSKEY_BACKUP },
        { SOFT_UP | SOFT_UV | 0x02 | 0x20, PASSKEY_OK }, /* reserved bits */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct creation creation = good_creation();
        struct proof proof = good_proof();

        creation.data.flags = rows[i].flags | SOFT_AT;
        proof.data.flags = rows[i].flags;
        assert_int_equal(create(&creation), rows[i].verdict);
        assert_int_equal(get(&proof), rows[i].verdict);
        creation.data.rp_id = proof.data.rp_id = "login.example.org";
        assert_int_equal(create(&creation), PASSKEY_RP_ID);
        assert_int_equal(get(&proof), PASSKEY_RP_ID);
    }
}

static void test_user_verification_is_asked_only_where_needed(void **state)
{
    struct passkey_ceremony preferred = verified;
    struct creation creation = good_creation();
    struct proof proof = good_proof();
    struct passkey_assertion_result result;
    struct passkey passkey;

    (void)state;
    preferred.needs_user_verification = false;
    creation.data.flags = SOFT_UP | SOFT_AT;
    proof.data.flags = SOFT_UP;
    assert_int_equal(create_for(&preferred, &creation, &passkey), PASSKEY_OK);
    assert_false(passkey.is_user_verified);
    assert_int_equal(get_for(&preferred, &proof, &result), PASSKEY_OK);
    assert_false(result.is_user_verified);
    creation.data.flags |= SOFT_UV;
    proof.data.flags |= SOFT_UV;
    assert_int_equal(create_for(&preferred, &creation, &passkey), PASSKEY_OK);
    assert_true(passkey.is_user_verified);
    assert_int_equal(get_for(&preferred, &proof, &result), PASSKEY_OK);
    assert_true(result.is_user_verified);
}

/* WebAuthn 7.2 step 19 */
static void test_backup_eligibility_never_changes(void **state)
{
    struct creation creation = good_creation();
    struct proof proof = good_proof();
    struct passkey_assertion_result result;
    struct passkey passkey;

    (void)state;
    creation.data.flags |= SOFT_BE;
    assert_int_equal(create_for(&verified, &creation, &passkey), PASSKEY_OK);
    assert_true(passkey.is_backup_eligible && !passkey.is_backed_up);
    proof.data.flags |= SOFT_BE;
    assert_int_equal(get(&proof), PASSKEY_BACKUP);
    proof.stored.is_backup_eligible = true;
    assert_int_equal(get_for(&verified, &proof, &result), PASSKEY_OK);
    assert_false(result.is_backed_up);
    proof.data.flags |= SOFT_BS;
    assert_int_equal(get_for(&verified, &proof, &result), PASSKEY_OK);
    assert_true(result.is_backed_up);
    proof.data.flags &= ~(unsigned)(SOFT_BE | SOFT_BS);
    assert_int_equal(get(&proof), PASSKEY_BACKUP);
}

/* WebAuthn 7.2 step 22; PW-12 */
static void test_the_counter_has_to_grow(void **state)
{
    static const struct {
        uint32_t stored;
        uint32_t sent;
        enum passkey_verdict verdict;
    } rows[] = {
        { 0, 0, PASSKEY_OK },
        { 0, 1, PASSKEY_OK },
        { 7, 8, PASSKEY_OK },
        { 7, UINT32_MAX, PASSKEY_OK },
        { 7, 7, PASSKEY_COUNTER },
        { 7, 6, PASSKEY_COUNTER },
        { 7, 0, PASSKEY_COUNTER },
        { UINT32_MAX, 0, PASSKEY_COUNTER },
        { UINT32_MAX, UINT32_MAX, PASSKEY_COUNTER },
        { 0x100, 0xff, PASSKEY_COUNTER },
        { 0xff, 0x100, PASSKEY_OK },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proof proof = good_proof();

        proof.stored.sign_count = rows[i].stored;
        proof.data.count = rows[i].sent;
        assert_int_equal(get(&proof), rows[i].verdict);
    }
}

/* WebAuthn 6.1 */
static void test_authenticator_data_has_no_more_and_no_less(void **state)
{
    static char many[PASSKEY_AUTHENTICATOR_DATA_BYTES_MAX];
    struct creation creation = good_creation();
    struct proof proof = good_proof();

    (void)state;
    creation.data.trailing = proof.data.trailing = STR("\0");
    assert_int_equal(create(&creation), PASSKEY_MALFORMED);
    assert_int_equal(get(&proof), PASSKEY_MALFORMED);
    creation.data.trailing = proof.data.trailing = (struct str){ many, sizeof(many) };
    assert_int_equal(create(&creation), PASSKEY_MALFORMED);
    assert_int_equal(get(&proof), PASSKEY_MALFORMED);
    creation.data.trailing = proof.data.trailing = STR("");
    /* A flag that promises what is not there, and the other way round. */
    creation.data.flags |= SOFT_ED;
    proof.data.flags |= SOFT_ED;
    assert_int_equal(create(&creation), PASSKEY_MALFORMED);
    assert_int_equal(get(&proof), PASSKEY_MALFORMED);
    creation.data.flags &= ~(unsigned)(SOFT_ED | SOFT_AT);
    proof.data.flags &= ~(unsigned)SOFT_ED;
    assert_int_equal(create(&creation), PASSKEY_MALFORMED);
    proof.data.credential_id = STR(CREDENTIAL);
    proof.data.public_key = key;
    assert_int_equal(get(&proof), PASSKEY_MALFORMED);
    proof.data.flags |= SOFT_AT;
    assert_int_equal(get(&proof), PASSKEY_MALFORMED);
}

/* As long as may be, in an extension that says nothing, and one byte more. */
static void test_authenticator_data_has_a_maximum(void **state)
{
    static char filling[PASSKEY_AUTHENTICATOR_DATA_BYTES_MAX];
    char memory[PASSKEY_AUTHENTICATOR_DATA_BYTES_MAX + 64];

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct buffer extensions = buffer_over(memory, sizeof(memory));
        struct proof proof = good_proof();

        append_head(&extensions, 5, 1);
        append_text(&extensions, "x");
        /* 37 bytes without extensions, and 6 that frame this one. */
        append_bytes(&extensions, (struct str){ filling, sizeof(filling) - 37 - 6 + more });
        proof.data.flags |= SOFT_ED;
        proof.data.extensions = buffer_str(&extensions);
        assert_int_equal(get(&proof), more == 0 ? PASSKEY_OK : PASSKEY_MALFORMED);
    }
}

/* WebAuthn 7.1 step 28, 7.2 step 23: what nobody asked for is not looked at, but is sound. */
static void test_unsolicited_extensions(void **state)
{
    const struct {
        struct str encoded;
        enum passkey_verdict created, got;
    } rows[] = {
        { STR("\xa0"), PASSKEY_OK, PASSKEY_OK },
        { STR("\xa1\x6b"
              "credProtect\x02"),
          PASSKEY_OK, PASSKEY_OK },
        { STR("\xa2\x6b"
              "credProtect\x03\x6bhmac-secret\xf5"),
          PASSKEY_OK, PASSKEY_SIGNATURE },
        { STR("\xa1\x6bhmac-secret\xf4"), PASSKEY_OK, PASSKEY_SIGNATURE },
        { STR("\xa1\x6bhmac-secret\x43"
              "abc"),
          PASSKEY_STATEMENT, PASSKEY_OK },
        { STR("\xa1\x68"
              "credBlob\xf5"),
          PASSKEY_OK, PASSKEY_SIGNATURE },
        { STR("\xa1\x68"
              "credBlob\x41x"),
          PASSKEY_STATEMENT, PASSKEY_OK },
        { STR("\xa1\x6cminPinLength\x04"), PASSKEY_OK, PASSKEY_OK },
        { STR("\xa1\x63uvm\x81\x83\x02\x04\x02"), PASSKEY_OK, PASSKEY_OK },
        { STR("\xa1\x64what\xa1\x61x\xf6"), PASSKEY_OK, PASSKEY_OK },
        { STR("\x80"), PASSKEY_MALFORMED, PASSKEY_MALFORMED },
        { STR("\xa1\x61x"), PASSKEY_MALFORMED, PASSKEY_MALFORMED },
        { STR("\xa2\x61x\x01\x61x\x01"), PASSKEY_MALFORMED, PASSKEY_MALFORMED },
        { STR("\xbf\xff"), PASSKEY_MALFORMED, PASSKEY_MALFORMED },
        { STR("\xbb\xff\xff\xff\xff\xff\xff\xff\xff"), PASSKEY_MALFORMED, PASSKEY_MALFORMED },
        { STR("\xa1\x61x\x9b\x00\x00\x00\xff\xff\xff\xff\xff"), PASSKEY_MALFORMED,
          PASSKEY_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct creation creation = good_creation();
        struct proof proof = good_proof();

        creation.data.flags |= SOFT_ED;
        proof.data.flags |= SOFT_ED;
        creation.data.extensions = proof.data.extensions = rows[i].encoded;
        assert_int_equal(get(&proof), rows[i].got);
        /* Under a statement of the credential's own, where libfido2 looks at them too. */
        creation.format = "packed";
        creation.statement = STR("");
        assert_int_equal(create(&creation), rows[i].created);
    }
}

/* ---- credential, user, statement ---- */

/* WebAuthn 7.2 steps 5, 6; PW-12 */
static void test_the_credential_is_that_users(void **state)
{
    const struct {
        struct str owner, expected, sent;
        enum passkey_verdict verdict;
    } rows[] = {
        { STR(HANDLE), STR(HANDLE), STR(HANDLE), PASSKEY_OK },
        { STR(HANDLE), STR(HANDLE), STR(""), PASSKEY_OK },
        { STR(HANDLE), STR(""), STR(HANDLE), PASSKEY_OK },
        { STR(HANDLE), STR(""), STR(""), PASSKEY_USER },
        { STR(HANDLE), STR(""), STR("user-handle-0002"), PASSKEY_USER },
        { STR(HANDLE), STR(HANDLE), STR("user-handle-0002"), PASSKEY_USER },
        { STR("user-handle-0002"), STR(HANDLE), STR(HANDLE), PASSKEY_USER },
        { STR("user-handle-0002"), STR(HANDLE), STR("user-handle-0002"), PASSKEY_USER },
        { STR("user-handle-0002"), STR(HANDLE), STR(""), PASSKEY_USER },
    };
    struct proof proof = good_proof();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        proof.owner = (struct passkey_owner){ rows[i].owner, rows[i].expected };
        proof.user_handle = rows[i].sent;
        assert_int_equal(get(&proof), rows[i].verdict);
    }
    proof = good_proof();
    proof.stored.credential_id = STR("another credential");
    assert_int_equal(get(&proof), PASSKEY_CREDENTIAL);
}

static void test_credential_ids(void **state)
{
    static char long_id[PASSKEY_CREDENTIAL_ID_BYTES_MAX + 1];
    struct creation creation = good_creation();

    (void)state;
    creation.data.credential_id = STR("another credential id");
    assert_int_equal(create(&creation), PASSKEY_CREDENTIAL);
    /* WebAuthn 6.5.1, 7.1 step 25 */
    creation.data.credential_id = (struct str){ long_id, PASSKEY_CREDENTIAL_ID_BYTES_MAX };
    assert_int_equal(create(&creation), PASSKEY_CREDENTIAL);
    creation.data.credential_id = (struct str){ long_id, PASSKEY_CREDENTIAL_ID_BYTES_MAX + 1 };
    assert_int_equal(create(&creation), PASSKEY_MALFORMED);
}

/* WebAuthn 7.1 steps 21, 22, 8.2, 8.6, 8.7 */
static void test_statements(void **state)
{
    const struct {
        const char *format;
        struct str statement;
        const char *alg;
        enum passkey_verdict verdict;
    } rows[] = {
        { "none", STR("\xa0"), "", PASSKEY_OK },
        { "none", STR("\xa1\x63\x61lg\x27"), "", PASSKEY_STATEMENT },
        { "none", STR(""), "\x27", PASSKEY_STATEMENT },
        { "packed", STR(""), "\x27", PASSKEY_OK },
        { "packed", STR(""), "\x26", PASSKEY_STATEMENT },
        { "packed", STR("\xa0"), "", PASSKEY_STATEMENT },
        { "packed", STR("\xa2\x63\x61lg\x27\x63sig\x40"), "", PASSKEY_STATEMENT },
        { "packed", STR("\xa2\x63\x61lg\x27\x63sig\x41\x00"), "", PASSKEY_STATEMENT },
        { "packed", STR("\xa3\x63\x61lg\x27\x63sig\x41\x00\x63x5c\x80"), "", PASSKEY_STATEMENT },
        { "packed", STR("\xa3\x63\x61lg\x27\x63sig\x41\x00\x63x5c\x81\x41\x00"), "",
          PASSKEY_STATEMENT },
        { "packed", STR("\xa3\x63\x61lg\x27\x63sig\x41\x00\x63x5c\x81\x01"), "",
          PASSKEY_STATEMENT },
        { "packed", STR("\xa3\x63\x61lg\x27\x63sig\x41\x00\x63zzz\x00"), "", PASSKEY_STATEMENT },
        { "fido-u2f", STR(""), "\x27", PASSKEY_STATEMENT },
        { "fido-u2f", STR("\xa2\x63sig\x41\x00\x63x5c\x81\x41\x00"), "", PASSKEY_STATEMENT },
        { "tpm", STR("\xa0"), "", PASSKEY_STATEMENT },
        { "apple", STR("\xa0"), "", PASSKEY_STATEMENT },
        { "None", STR("\xa0"), "", PASSKEY_STATEMENT },
        { "", STR("\xa0"), "", PASSKEY_STATEMENT },
        { "none", STR("\x80"), "", PASSKEY_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct creation creation = good_creation();

        creation.format = rows[i].format;
        creation.statement = rows[i].statement;
        creation.alg = rows[i].alg;
        assert_int_equal(create(&creation), rows[i].verdict);
    }
}

/* WebAuthn 7.1 step 20: whatever the key is, it is looked at. */
static void test_keys_that_were_not_asked_for(void **state)
{
    struct creation creation = good_creation();
    char changed[64];

    (void)state;
    memcpy(changed, key.at, key.len);
    creation.data.public_key = (struct str){ changed, key.len };
    changed[4] = 0x28; /* -9 */
    assert_int_equal(create(&creation), PASSKEY_KEY);
    changed[4] = 0x26; /* ES256, but an OKP key */
    assert_int_equal(create(&creation), PASSKEY_KEY);
}

static void test_a_damaged_record_is_a_fault(void **state)
{
    struct passkey_assertion_result result = { .verdict = PASSKEY_TYPE };
    struct passkey_assertion assertion = { .credential_id = STR(CREDENTIAL),
                                           .client_data = STR(GOOD_GET),
                                           .signature = STR("x"),
                                           .user_handle = STR(HANDLE) };
    struct proof proof = good_proof();
    char memory[64];
    struct buffer data = buffer_over(memory, sizeof(memory));

    (void)state;
    append_data(&data, &proof.data);
    assertion.authenticator_data = buffer_str(&data);
    proof.stored.public_key.len--;
    assert_int_equal(
        passkey_check_assertion(&verified, &assertion, &proof.stored, &proof.owner, &result),
        RC_CORRUPT);
    assert_int_equal(result.verdict, PASSKEY_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_answers_pass),
        cmocka_unit_test(test_type_challenge_and_origin),
        cmocka_unit_test(test_frames_are_refused),
        cmocka_unit_test(test_client_data_is_sound_json),
        cmocka_unit_test(test_flags_and_relying_party),
        cmocka_unit_test(test_user_verification_is_asked_only_where_needed),
        cmocka_unit_test(test_backup_eligibility_never_changes),
        cmocka_unit_test(test_the_counter_has_to_grow),
        cmocka_unit_test(test_authenticator_data_has_no_more_and_no_less),
        cmocka_unit_test(test_authenticator_data_has_a_maximum),
        cmocka_unit_test(test_unsolicited_extensions),
        cmocka_unit_test(test_the_credential_is_that_users),
        cmocka_unit_test(test_credential_ids),
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_keys_that_were_not_asked_for),
        cmocka_unit_test(test_a_damaged_record_is_a_fault),
    };
    int failed;

    crypto_init();
    make_key();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    signer_free(signer);
    return failed;
}
