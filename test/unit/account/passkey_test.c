/*
 * The ceremonies of passkeys (PW-12): the recorded ones pass, and whatever is changed in them is
 * refused; and each rule of WebAuthn 7.1 and 7.2 by an answer that breaks this rule alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../webauthn.h"
#include "account/passkey.h"

static struct recorded all[RECORDED_COUNT];
static json_t *document;

/* ---- the recorded ceremonies ---- */

static struct passkey_ceremony ceremony_of(const struct recorded *recorded, struct bytes challenge)
{
    return (struct passkey_ceremony){ .challenge = bytes_str(challenge),
                                      .origins = &recorded->origin,
                                      .origin_count = 1,
                                      .rp_id = recorded->rp_id,
                                      .needs_user_verification = recorded->is_user_verified };
}

static struct passkey_registration registration_of(const struct recorded *recorded)
{
    return (struct passkey_registration){
        .credential_id = bytes_str(recorded->credential_id),
        .client_data = bytes_str(recorded->create_client_data),
        .attestation_object = bytes_str(recorded->attestation_object),
    };
}

static enum passkey_verdict check_registration(const struct recorded *recorded,
                                               const struct passkey_registration *registration,
                                               struct passkey *out_passkey)
{
    struct passkey_ceremony ceremony = ceremony_of(recorded, recorded->create_challenge);
    struct passkey_registration_result result;

    assert_int_equal(passkey_check_registration(&ceremony, registration, &result), RC_OK);
    if (out_passkey != NULL)
        *out_passkey = result.passkey;
    return result.verdict;
}

static struct passkey_assertion assertion_of(const struct recorded *recorded)
{
    return (struct passkey_assertion){
        .credential_id = bytes_str(recorded->credential_id),
        .client_data = bytes_str(recorded->get_client_data),
        .authenticator_data = bytes_str(recorded->authenticator_data),
        .signature = bytes_str(recorded->signature),
        .user_handle = bytes_str(recorded->sent_user_handle),
    };
}

static enum passkey_verdict check_assertion(const struct recorded *recorded,
                                            const struct passkey_assertion *assertion,
                                            struct passkey_assertion_result *out_result)
{
    struct passkey_ceremony ceremony = ceremony_of(recorded, recorded->get_challenge);
    struct passkey_owner owner = { bytes_str(recorded->user_handle),
                                   bytes_str(recorded->user_handle) };
    struct passkey stored = { .credential_id = bytes_str(recorded->credential_id),
                              .public_key = bytes_str(recorded->public_key),
                              .sign_count = recorded->create_count };

    assert_int_equal(passkey_check_assertion(&ceremony, assertion, &stored, &owner, out_result),
                     RC_OK);
    return out_result->verdict;
}

/* WebAuthn 7.1 */
static void test_recorded_registrations(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECORDED_COUNT; i++) {
        struct passkey_registration registration = registration_of(&all[i]);
        struct passkey passkey;

        assert_int_equal(check_registration(&all[i], &registration, &passkey), PASSKEY_OK);
        assert_true(str_equal(passkey.credential_id, bytes_str(all[i].credential_id)));
        assert_true(str_equal(passkey.public_key, bytes_str(all[i].public_key)));
        assert_int_equal(passkey.sign_count, all[i].create_count);
        assert_int_equal(passkey.is_user_verified, all[i].is_user_verified);
        assert_false(passkey.is_backup_eligible || passkey.is_backed_up);
    }
}

/* WebAuthn 7.2 */
static void test_recorded_assertions(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECORDED_COUNT; i++) {
        struct passkey_assertion assertion = assertion_of(&all[i]);
        struct passkey_assertion_result result;

        assert_int_equal(check_assertion(&all[i], &assertion, &result), PASSKEY_OK);
        assert_int_equal(result.sign_count, all[i].get_count);
        assert_int_equal(result.is_user_verified, all[i].is_user_verified);
        assert_false(result.is_backed_up);
    }
}

/* A copy of exactly its size; free it. */
static struct bytes copy_of(struct str from, size_t len)
{
    struct bytes copy = { malloc(len == 0 ? 1 : len), len };

    assert_non_null(copy.at);
    if (from.len > 0 && len > 0)
        memcpy(copy.at, from.at, len < from.len ? len : from.len);
    return copy;
}

/* Each byte changed, each beginning of it, and one byte more: none of them passes. */
static void check_part(const struct recorded *recorded, struct passkey_assertion *assertion,
                       struct str *part)
{
    struct str whole = *part;
    struct passkey_assertion_result result;

    for (size_t i = 0; i <= whole.len; i++) {
        struct bytes cut = copy_of(whole, i), changed = copy_of(whole, whole.len);

        *part = bytes_str(cut);
        if (i < whole.len)
            assert_int_not_equal(check_assertion(recorded, assertion, &result), PASSKEY_OK);
        *part = bytes_str(changed);
        if (i < whole.len) {
            changed.at[i] ^= (unsigned char)(1U << i % 8);
            assert_int_not_equal(check_assertion(recorded, assertion, &result), PASSKEY_OK);
        }
        free(cut.at);
        free(changed.at);
    }
    for (unsigned byte = 0; byte < 256; byte += 5) {
        struct bytes longer = copy_of(whole, whole.len + 1);

        longer.at[whole.len] = (unsigned char)byte;
        *part = bytes_str(longer);
        assert_int_not_equal(check_assertion(recorded, assertion, &result), PASSKEY_OK);
        free(longer.at);
    }
    *part = whole;
}

/* PW-12 */
static void test_no_byte_of_an_assertion_may_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECORDED_COUNT; i++) {
        struct passkey_assertion assertion = assertion_of(&all[i]);
        struct passkey_assertion_result result;

        check_part(&all[i], &assertion, &assertion.signature);
        check_part(&all[i], &assertion, &assertion.authenticator_data);
        check_part(&all[i], &assertion, &assertion.client_data);
        check_part(&all[i], &assertion, &assertion.credential_id);
        if (assertion.user_handle.len > 0) {
            struct str sent = assertion.user_handle;

            assertion.user_handle.len--;
            assert_int_equal(check_assertion(&all[i], &assertion, &result), PASSKEY_USER);
            assertion.user_handle = sent;
        }
        assert_int_equal(check_assertion(&all[i], &assertion, &result), PASSKEY_OK);
    }
}

/* The part of an attestation object that its statement signs, by where it stands; len 0: none. */
static struct str signed_part(const struct recorded *recorded)
{
    struct attestation attestation;

    assert_int_equal(attestation_parse(bytes_str(recorded->attestation_object), &attestation),
                     RC_OK);
    if (str_equal(attestation.format, STR("packed")))
        return attestation.data.encoded;
    /* Without a statement, the relying party's id and the key alone can be told to be wrong. */
    return attestation.data.rp_id_hash;
}

static void test_no_byte_of_what_a_registration_signs_may_change(void **state)
{
    unsigned char *bytes;

    (void)state;
    for (size_t i = 0; i < RECORDED_COUNT; i++) {
        struct bytes object =
            copy_of(bytes_str(all[i].attestation_object), all[i].attestation_object.len);
        struct passkey_registration registration = registration_of(&all[i]);
        struct str part = signed_part(&all[i]);
        size_t start = (size_t)(part.at - (const char *)all[i].attestation_object.at);

        bytes = object.at;
        registration.attestation_object = bytes_str(object);
        for (size_t at = start; at < start + part.len; at++) {
            bytes[at] ^= (unsigned char)(1U << at % 8);
            assert_int_not_equal(check_registration(&all[i], &registration, NULL), PASSKEY_OK);
            bytes[at] ^= (unsigned char)(1U << at % 8);
        }
        assert_int_equal(check_registration(&all[i], &registration, NULL), PASSKEY_OK);
        free(object.at);
    }
}

static void test_a_cut_registration_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECORDED_COUNT; i++) {
        struct passkey_registration registration = registration_of(&all[i]);
        struct str whole = registration.attestation_object;

        for (size_t len = 0; len < whole.len; len++) {
            struct bytes cut = copy_of(whole, len);

            registration.attestation_object = bytes_str(cut);
            assert_int_equal(check_registration(&all[i], &registration, NULL), PASSKEY_MALFORMED);
            free(cut.at);
        }
        struct bytes longer = copy_of(whole, whole.len + 1);
        longer.at[whole.len] = 0;
        registration.attestation_object = bytes_str(longer);
        assert_int_equal(check_registration(&all[i], &registration, NULL), PASSKEY_MALFORMED);
        free(longer.at);
    }
}

/* PW-12: an answer of one credential, one challenge, one user is none for another. */
static void test_ceremonies_are_not_exchanged(void **state)
{
    (void)state;
    for (size_t i = 0; i < RECORDED_COUNT; i++) {
        for (size_t j = 0; j < RECORDED_COUNT; j++) {
            struct passkey_ceremony ceremony = ceremony_of(&all[i], all[i].get_challenge);
            struct passkey_assertion assertion = assertion_of(&all[i]);
            struct passkey_owner owner = { bytes_str(all[i].user_handle),
                                           bytes_str(all[i].user_handle) };
            struct passkey stored = { .credential_id = bytes_str(all[i].credential_id),
                                      .public_key = bytes_str(all[j].public_key) };
            struct passkey_registration registration = registration_of(&all[j]);
            struct passkey_assertion_result result;

            if (i == j)
                continue;
            assert_int_equal(
                passkey_check_assertion(&ceremony, &assertion, &stored, &owner, &result), RC_OK);
            assert_int_equal(result.verdict, PASSKEY_SIGNATURE);
            stored.public_key = bytes_str(all[i].public_key);
            owner.user_handle = bytes_str(all[j].user_handle);
            assert_int_equal(
                passkey_check_assertion(&ceremony, &assertion, &stored, &owner, &result), RC_OK);
            assert_int_equal(result.verdict, PASSKEY_USER);
            assert_int_equal(check_registration(&all[i], &registration, NULL), PASSKEY_CHALLENGE);
            registration.client_data = bytes_str(all[i].create_client_data);
            registration.credential_id = bytes_str(all[i].credential_id);
            assert_int_equal(check_registration(&all[i], &registration, NULL),
                             all[i].is_user_verified && !all[j].is_user_verified
                                 ? PASSKEY_UNVERIFIED
                                 : PASSKEY_CREDENTIAL);
        }
    }
}

/* Two ceremonies of one credential do not take each other's answers: WebAuthn 7.1 7, 7.2 10. */
static void test_the_type_of_the_ceremony_counts(void **state)
{
    struct passkey_registration registration = registration_of(&all[0]);
    struct passkey_assertion assertion = assertion_of(&all[0]);
    struct passkey_ceremony ceremony = ceremony_of(&all[0], all[0].get_challenge);
    struct passkey_registration_result created;
    struct passkey_assertion_result got;
    struct recorded swapped = all[0];

    (void)state;
    registration.client_data = bytes_str(all[0].get_client_data);
    assert_int_equal(passkey_check_registration(&ceremony, &registration, &created), RC_OK);
    assert_int_equal(created.verdict, PASSKEY_TYPE);
    swapped.get_challenge = all[0].create_challenge;
    assertion.client_data = bytes_str(all[0].create_client_data);
    assert_int_equal(check_assertion(&swapped, &assertion, &got), PASSKEY_TYPE);
}

/* ---- what is told to the browser ---- */

static json_t *load(struct buffer *text)
{
    json_t *options;

    assert_false(text->overflow);
    options = json_loadb(text->at, text->len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(options);
    return options;
}

static void check_text(const json_t *object, const char *name, const char *text)
{
    assert_string_equal(vector_string(object, name), text);
}

static const struct passkey_descriptor descriptors[] = {
    { { "\x01\x02\x03", 3 }, { "internal hybrid", 15 } },
    { { "\xff\xfe", 2 }, { NULL, 0 } },
};

static void check_descriptors(const json_t *array)
{
    const json_t *first = json_array_get(array, 0), *second = json_array_get(array, 1);

    assert_int_equal(json_array_size(array), 2);
    check_text(first, "type", "public-key");
    check_text(first, "id", "AQID");
    assert_int_equal(json_array_size(json_object_get(first, "transports")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(first, "transports"), 1)),
                        "hybrid");
    check_text(second, "id", "__4");
    assert_null(json_object_get(second, "transports"));
}

/* WebAuthn 5.4 */
static void test_creation_options(void **state)
{
    char memory[4096];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct passkey_creation creation = {
        .challenge = STR("0123456789abcdef0123456789abcdef"),
        .rp_id = STR("example.org"),
        .rp_name = STR("Jeton \"at\" <home>"),
        .user_handle = STR("\0\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"),
        .user_name = STR("alice"),
        .registered = descriptors,
        .registered_count = 2,
        .needs_user_verification = true,
    };
    json_t *options, *selection, *algorithms;

    (void)state;
    passkey_format_creation(&creation, &text);
    options = load(&text);
    check_text(json_object_get(options, "rp"), "id", "example.org");
    check_text(json_object_get(options, "rp"), "name", "Jeton \"at\" <home>");
    check_text(json_object_get(options, "user"), "id", "AAECAwQFBgcICQoLDA0ODw");
    check_text(json_object_get(options, "user"), "name", "alice");
    check_text(json_object_get(options, "user"), "displayName", "alice");
    check_text(options, "challenge", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY");
    check_text(options, "attestation", "none");
    assert_int_equal(vector_int(options, "timeout"), 300000);
    algorithms = json_object_get(options, "pubKeyCredParams");
    assert_int_equal(json_array_size(algorithms), 3);
    assert_int_equal(vector_int(json_array_get(algorithms, 0), "alg"), -8);
    assert_int_equal(vector_int(json_array_get(algorithms, 1), "alg"), -7);
    assert_int_equal(vector_int(json_array_get(algorithms, 2), "alg"), -257);
    check_text(json_array_get(algorithms, 2), "type", "public-key");
    selection = json_object_get(options, "authenticatorSelection");
    check_text(selection, "residentKey", "preferred");
    check_text(selection, "userVerification", "required");
    assert_true(json_is_false(json_object_get(selection, "requireResidentKey")));
    check_descriptors(json_object_get(options, "excludeCredentials"));
    json_decref(options);
}

/* WebAuthn 5.5 */
static void test_request_options(void **state)
{
    char memory[4096];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct passkey_request request = { .challenge = STR("0123456789abcdef"),
                                       .rp_id = STR("example.org"),
                                       .allowed = descriptors,
                                       .allowed_count = 2 };
    json_t *options;

    (void)state;
    passkey_format_request(&request, &text);
    options = load(&text);
    check_text(options, "challenge", "MDEyMzQ1Njc4OWFiY2RlZg");
    check_text(options, "rpId", "example.org");
    check_text(options, "userVerification", "preferred");
    assert_int_equal(vector_int(options, "timeout"), 300000);
    check_descriptors(json_object_get(options, "allowCredentials"));
    json_decref(options);

    text.len = 0;
    request.allowed_count = 0;
    request.needs_user_verification = true;
    passkey_format_request(&request, &text);
    options = load(&text);
    check_text(options, "userVerification", "required");
    assert_int_equal(json_array_size(json_object_get(options, "allowCredentials")), 0);
    json_decref(options);
}

/* A credential id at its longest, as often as an account may have one, and no room for it. */
static void test_options_have_a_maximum(void **state)
{
    static char id[PASSKEY_CREDENTIAL_ID_BYTES_MAX], memory[2048];
    struct passkey_descriptor longest = { { id, sizeof(id) }, STR("usb") };
    struct passkey_request request = { .challenge = STR("0123456789abcdef"),
                                       .rp_id = STR("example.org"),
                                       .allowed = &longest,
                                       .allowed_count = 1 };
    struct buffer text = buffer_over(memory, sizeof(memory));

    (void)state;
    passkey_format_request(&request, &text);
    json_decref(load(&text));
    text = buffer_over(memory, 1000);
    passkey_format_request(&request, &text);
    assert_true(text.overflow);
}

static void test_every_verdict_has_words(void **state)
{
    (void)state;
    for (int verdict = PASSKEY_OK; verdict <= PASSKEY_COUNTER; verdict++)
        assert_true(strlen(passkey_verdict_words((enum passkey_verdict)verdict)) > 1);
}

/* codec gives jansson memory of its own at its first parse. Vectors must not be loaded before. */
static void use_codec_memory(void)
{
    struct passkey_registration empty = { .client_data = STR("{}") };
    struct passkey_registration_result result;

    ASSERT(passkey_check_registration(&(struct passkey_ceremony){ 0 }, &empty, &result) == RC_OK);
    ASSERT(result.verdict == PASSKEY_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_registrations),
        cmocka_unit_test(test_recorded_assertions),
        cmocka_unit_test(test_no_byte_of_an_assertion_may_change),
        cmocka_unit_test(test_no_byte_of_what_a_registration_signs_may_change),
        cmocka_unit_test(test_a_cut_registration_is_malformed),
        cmocka_unit_test(test_ceremonies_are_not_exchanged),
        cmocka_unit_test(test_the_type_of_the_ceremony_counts),
        cmocka_unit_test(test_creation_options),
        cmocka_unit_test(test_request_options),
        cmocka_unit_test(test_options_have_a_maximum),
        cmocka_unit_test(test_every_verdict_has_words),
    };
    int failed;

    crypto_init();
    use_codec_memory();
    document = recorded_load_all(all);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    recorded_free_all(all, document);
    return failed;
}
