/*
 * test/unit/account/passkey_answers.h: answers to ceremonies that are good but for what a test
 * changes in them, and signed with what is changed.
 */
#ifndef JETON_TEST_PASSKEY_ANSWERS_H
#define JETON_TEST_PASSKEY_ANSWERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../webauthn.h"
#include "account/passkey.h"

#define CHALLENGE      "0123456789abcdef0123456789abcdef"
#define CHALLENGE_TEXT "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
#define ORIGIN         "https://login.example.org"
#define HANDLE         "user-handle-0001"
#define CREATE         "webauthn.create"
#define GET            "webauthn.get"
#define CREDENTIAL     "a credential id of some length"

/* The whole client data, with one member's worth of text behind the usual ones. */
#define CLIENT_DATA(type, challenge, origin, more)                                                 \
    "{\"type\":\"" type "\",\"challenge\":\"" challenge "\",\"origin\":\"" origin "\"" more "}"
#define GOOD_CREATE CLIENT_DATA(CREATE, CHALLENGE_TEXT, ORIGIN, ",\"crossOrigin\":false")
#define GOOD_GET    CLIENT_DATA(GET, CHALLENGE_TEXT, ORIGIN, ",\"crossOrigin\":false")

static struct signer *signer;
static char key_memory[64];
static struct str key; /* the signer's, as a COSE_Key */

static const struct str origins[] = { { "https://example.org", 19 }, { ORIGIN, 25 } };
static const struct passkey_ceremony verified = { .challenge = { CHALLENGE, 32 },
                                                  .origins = origins,
                                                  .origin_count = 2,
                                                  .rp_id = { "example.org", 11 },
                                                  .needs_user_verification = true };

/* ---- answers ---- */

/* A good registration but for what is said otherwise. */
struct creation {
    struct soft_data data;
    const char *client_data;
    const char *format;
    struct str statement; /* empty: signed by the credential, with the algorithm below */
    const char *alg;
};

static inline struct creation good_creation(void)
{
    return (struct creation){ .data = { .rp_id = "example.org",
                                        .flags = SOFT_UP | SOFT_UV | SOFT_AT,
                                        .count = 7,
                                        .credential_id = STR(CREDENTIAL),
                                        .public_key = key },
                              .client_data = GOOD_CREATE,
                              .format = "none",
                              .statement = STR("\xa0"),
                              .alg = "\x27" };
}

static inline enum passkey_verdict create_for(const struct passkey_ceremony *ceremony,
                                              const struct creation *creation,
                                              struct passkey *out_passkey)
{
    static char data_memory[4096], object_memory[32768], statement_memory[1024];
    struct buffer data = buffer_over(data_memory, sizeof(data_memory));
    struct buffer object = buffer_over(object_memory, sizeof(object_memory));
    struct buffer statement = buffer_over(statement_memory, sizeof(statement_memory));
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    struct passkey_registration_result result;
    struct passkey_registration registration = { .credential_id = STR(CREDENTIAL),
                                                 .client_data = str_of(creation->client_data) };

    append_data(&data, &creation->data);
    buffer_append_str(&statement, creation->statement);
    if (statement.len == 0) {
        BUFFER_APPEND_LITERAL(&statement, "\xa2\x63\x61lg");
        buffer_append_str(&statement, str_of(creation->alg));
        append_text(&statement, "sig");
        append_bytes(&statement,
                     soft_sign(signer, buffer_str(&data), registration.client_data, signature));
    }
    append_object(&object, creation->format, buffer_str(&statement), buffer_str(&data));
    assert_false(data.overflow || object.overflow || statement.overflow);
    registration.attestation_object = buffer_str(&object);
    assert_int_equal(passkey_check_registration(ceremony, &registration, &result), RC_OK);
    if (out_passkey != NULL)
        *out_passkey = result.passkey;
    return result.verdict;
}

static inline enum passkey_verdict create(const struct creation *creation)
{
    return create_for(&verified, creation, NULL);
}

static inline enum passkey_verdict create_with_client_data(const char *client_data)
{
    struct creation creation = good_creation();

    creation.client_data = client_data;
    return create(&creation);
}

/* A good assertion but for what is said otherwise. */
struct proof {
    struct soft_data data;
    struct str client_data;
    struct passkey stored;
    struct passkey_owner owner;
    struct str user_handle;
};

static inline struct proof good_proof(void)
{
    return (struct proof){
        .data = { .rp_id = "example.org", .flags = SOFT_UP | SOFT_UV, .count = 8 },
        .client_data = STR(GOOD_GET),
        .stored = { .credential_id = STR(CREDENTIAL), .public_key = key, .sign_count = 7 },
        .owner = { STR(HANDLE), STR(HANDLE) },
        .user_handle = STR(HANDLE),
    };
}

static inline enum passkey_verdict get_for(const struct passkey_ceremony *ceremony,
                                           const struct proof *proof,
                                           struct passkey_assertion_result *out_result)
{
    char memory[4096];
    struct buffer data = buffer_over(memory, sizeof(memory));
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    struct passkey_assertion assertion = { .credential_id = STR(CREDENTIAL),
                                           .client_data = proof->client_data,
                                           .user_handle = proof->user_handle };

    append_data(&data, &proof->data);
    assert_false(data.overflow);
    assertion.authenticator_data = buffer_str(&data);
    assertion.signature = soft_sign(signer, buffer_str(&data), proof->client_data, signature);
    assert_int_equal(
        passkey_check_assertion(ceremony, &assertion, &proof->stored, &proof->owner, out_result),
        RC_OK);
    return out_result->verdict;
}

static inline enum passkey_verdict get(const struct proof *proof)
{
    struct passkey_assertion_result result;

    return get_for(&verified, proof, &result);
}

static inline enum passkey_verdict get_with_client_data(struct str client_data)
{
    struct proof proof = good_proof();

    proof.client_data = client_data;
    return get(&proof);
}

static inline void make_key(void)
{
    struct buffer encoded = buffer_over(key_memory, sizeof(key_memory));
    struct public_key public_key;

    ASSERT(signer_generate(SIGNER_EDDSA, &signer) == RC_OK);
    signer_public(signer, &public_key);
    append_eddsa_key(&encoded, public_key.x);
    key = buffer_str(&encoded);
}

#endif
