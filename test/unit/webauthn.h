/*
 * test/unit/webauthn.h: the recorded ceremonies of test/vectors/webauthn, and an authenticator made
 * of software, for answers that are signed as they should be and wrong in one thing alone.
 */
#ifndef JETON_TEST_WEBAUTHN_H
#define JETON_TEST_WEBAUTHN_H

#include "base/buffer.h"
#include "codec/base64url.h"
#include "crypto/passkey.h"
#include "vectors.h"

/* ---- what was recorded ---- */

/* Everything decoded, on the heap; ceremony_deinit frees it. */
struct recorded {
    const char *name;
    struct str rp_id;
    struct str origin;
    bool is_user_verified;
    struct bytes user_handle;
    struct bytes public_key;
    struct bytes credential_id;
    struct bytes create_challenge;
    struct bytes create_client_data;
    struct bytes attestation_object;
    struct bytes get_challenge;
    struct bytes get_client_data;
    struct bytes authenticator_data;
    struct bytes signature;
    struct bytes sent_user_handle; /* empty: none was sent */
    uint32_t create_count;
    uint32_t get_count;
};

enum { RECORDED_COUNT = 6 };

static inline struct bytes base64url_bytes(const char *text)
{
    struct str view = str_of(text);
    struct bytes bytes = { .at = malloc(view.len + 1) };
    struct buffer buffer = buffer_over(bytes.at, view.len);

    ASSERT(bytes.at != NULL);
    ASSERT(base64url_decode(view, &buffer) == RC_OK);
    /* Of exactly its size, so that a sanitizer sees a read past the end. */
    bytes.at = realloc(bytes.at, buffer.len == 0 ? 1 : buffer.len);
    ASSERT(bytes.at != NULL);
    bytes.len = buffer.len;
    return bytes;
}

static inline struct bytes vector_bytes(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return base64url_bytes(text == NULL ? "" : text);
}

static inline struct recorded recorded_load(const json_t *test)
{
    const json_t *create = json_object_get(test, "registration");
    const json_t *get = json_object_get(test, "assertion");
    const json_t *create_credential = json_object_get(create, "credential");
    const json_t *get_credential = json_object_get(get, "credential");
    const json_t *made = json_object_get(create_credential, "response");
    const json_t *got = json_object_get(get_credential, "response");

    return (struct recorded){
        .name = vector_string(test, "name"),
        .rp_id = str_of(vector_string(test, "rp_id")),
        .origin = str_of(vector_string(test, "origin")),
        .is_user_verified = json_is_true(json_object_get(test, "user_verified")),
        .user_handle = vector_bytes(test, "user_handle"),
        .public_key = vector_bytes(test, "credential_public_key_cose"),
        .credential_id = vector_bytes(create_credential, "rawId"),
        .create_challenge = vector_bytes(create, "challenge"),
        .create_client_data = vector_bytes(made, "clientDataJSON"),
        .attestation_object = vector_bytes(made, "attestationObject"),
        .get_challenge = vector_bytes(get, "challenge"),
        .get_client_data = vector_bytes(got, "clientDataJSON"),
        .authenticator_data = vector_bytes(got, "authenticatorData"),
        .signature = vector_bytes(got, "signature"),
        .sent_user_handle = vector_bytes(got, "userHandle"),
        .create_count = (uint32_t)vector_int(create, "sign_count"),
        .get_count = (uint32_t)vector_int(get, "sign_count"),
    };
}

static inline void recorded_free(struct recorded *recorded)
{
    free(recorded->user_handle.at);
    free(recorded->public_key.at);
    free(recorded->credential_id.at);
    free(recorded->create_challenge.at);
    free(recorded->create_client_data.at);
    free(recorded->attestation_object.at);
    free(recorded->get_challenge.at);
    free(recorded->get_client_data.at);
    free(recorded->authenticator_data.at);
    free(recorded->signature.at);
    free(recorded->sent_user_handle.at);
}

/* The document that the names and texts point into; json_decref it after recorded_free. */
static inline json_t *recorded_load_all(struct recorded out_all[static RECORDED_COUNT])
{
    json_t *document = vector_load("webauthn/chromium_virtual.json");
    const json_t *cases = json_object_get(document, "cases");

    ASSERT(json_array_size(cases) == RECORDED_COUNT);
    for (size_t i = 0; i < RECORDED_COUNT; i++)
        out_all[i] = recorded_load(json_array_get(cases, i));
    return document;
}

static inline void recorded_free_all(struct recorded all[static RECORDED_COUNT], json_t *document)
{
    for (size_t i = 0; i < RECORDED_COUNT; i++)
        recorded_free(&all[i]);
    json_decref(document);
}

/* ---- made by software ---- */

enum {
    SOFT_UP = 0x01,
    SOFT_UV = 0x04,
    SOFT_BE = 0x08,
    SOFT_BS = 0x10,
    SOFT_AT = 0x40,
    SOFT_ED = 0x80
};

static inline void append_head(struct buffer *to, unsigned major, size_t argument)
{
    if (argument < 24) {
        buffer_append_byte(to, (char)(major << 5 | argument));
    } else if (argument < 256) {
        buffer_append_byte(to, (char)(major << 5 | 24));
        buffer_append_byte(to, (char)argument);
    } else {
        buffer_append_byte(to, (char)(major << 5 | 25));
        buffer_append_byte(to, (char)(argument >> 8));
        buffer_append_byte(to, (char)argument);
    }
}

static inline void append_bytes(struct buffer *to, struct str bytes)
{
    append_head(to, 2, bytes.len);
    buffer_append_str(to, bytes);
}

static inline void append_text(struct buffer *to, const char *text)
{
    append_head(to, 3, strlen(text));
    buffer_append_str(to, str_of(text));
}

/* A COSE_Key of Ed25519. */
static inline void append_eddsa_key(struct buffer *to, const unsigned char x[static 32])
{
    BUFFER_APPEND_LITERAL(to, "\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20");
    buffer_append(to, x, 32);
}

/* What authenticator data is made of; extensions and what trails is raw. */
struct soft_data {
    const char *rp_id;
    unsigned flags;
    uint32_t count;
    struct str credential_id; /* with SOFT_AT, as the next */
    struct str public_key;
    struct str extensions;
    struct str trailing;
};

static inline void append_data(struct buffer *to, const struct soft_data *data)
{
    unsigned char hash[SHA256_BYTES];

    digest_sha256(str_of(data->rp_id), hash);
    buffer_append(to, hash, sizeof(hash));
    buffer_append_byte(to, (char)data->flags);
    for (int shift = 24; shift >= 0; shift -= 8)
        buffer_append_byte(to, (char)(data->count >> shift));
    if (data->credential_id.len > 0) {
        buffer_append(to, "soft-authenticat", PASSKEY_AAGUID_BYTES);
        buffer_append_byte(to, (char)(data->credential_id.len >> 8));
        buffer_append_byte(to, (char)data->credential_id.len);
        buffer_append_str(to, data->credential_id);
        buffer_append_str(to, data->public_key);
    }
    buffer_append_str(to, data->extensions);
    buffer_append_str(to, data->trailing);
}

/* statement: an encoded map. */
static inline void append_object(struct buffer *to, const char *format, struct str statement,
                                 struct str data)
{
    append_head(to, 5, 3);
    append_text(to, "fmt");
    append_text(to, format);
    append_text(to, "attStmt");
    buffer_append_str(to, statement);
    append_text(to, "authData");
    append_bytes(to, data);
}

/* Signs as an authenticator does; out_signature has SIGNER_SIGNATURE_BYTES_MAX bytes. */
static inline struct str soft_sign(const struct signer *signer, struct str data,
                                   struct str client_data, unsigned char *out_signature)
{
    char memory[4096];
    struct buffer message = buffer_over(memory, sizeof(memory));
    unsigned char hash[SHA256_BYTES];
    size_t len;

    digest_sha256(client_data, hash);
    buffer_append_str(&message, data);
    buffer_append(&message, hash, sizeof(hash));
    ASSERT(!message.overflow);
    ASSERT(signer_sign(signer, buffer_str(&message), out_signature, &len) == RC_OK);
    return (struct str){ (const char *)out_signature, len };
}

#endif
