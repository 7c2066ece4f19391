#include "account/passkey.h"

#include "base/secret.h"
#include "codec/base64url.h"
#include "codec/json.h"

enum { CHALLENGE_BYTES_MIN = 16 };

const char *passkey_verdict_words(enum passkey_verdict verdict)
{
    static const char *const words[] = {
        [PASSKEY_OK] = "ok",
        [PASSKEY_MALFORMED] = "malformed",
        [PASSKEY_TYPE] = "answer to another kind of ceremony",
        [PASSKEY_CHALLENGE] = "another challenge",
        [PASSKEY_ORIGIN] = "another origin",
        [PASSKEY_FRAMED] = "made in a frame of another site",
        [PASSKEY_RP_ID] = "another relying party",
        [PASSKEY_ABSENT] = "no user present",
        [PASSKEY_UNVERIFIED] = "user not verified",
        [PASSKEY_BACKUP] = "wrong backup flags",
        [PASSKEY_KEY] = "key not acceptable",
        [PASSKEY_STATEMENT] = "attestation statement not acceptable",
        [PASSKEY_CREDENTIAL] = "another credential",
        [PASSKEY_USER] = "credential of another account",
        [PASSKEY_SIGNATURE] = "wrong signature",
        [PASSKEY_COUNTER] = "signature counter has not grown",
    };

    return words[verdict];
}

/* ---- client data ---- */

/* WebAuthn 7.1 step 8, 7.2 step 11: equal as text, so that there is but one way to write it. */
static bool is_challenge(struct str text, struct str challenge)
{
    char memory[BASE64URL_TEXT_BYTES(PASSKEY_CHALLENGE_BYTES_MAX)];
    struct buffer expected = buffer_over(memory, sizeof(memory));

    ASSERT(challenge.len >= CHALLENGE_BYTES_MIN && challenge.len <= PASSKEY_CHALLENGE_BYTES_MAX);
    base64url_encode(challenge, &expected);
    return text.len == expected.len && secret_bytes_equal(text.at, expected.at, text.len);
}

static bool is_expected_origin(struct str origin, const struct passkey_ceremony *ceremony)
{
    for (size_t i = 0; i < ceremony->origin_count; i++) {
        if (str_equal(origin, ceremony->origins[i]))
            return true;
    }
    return false;
}

static enum passkey_verdict check_members(const struct json_value *root, struct str type,
                                          const struct passkey_ceremony *ceremony)
{
    struct str sent_type, challenge, origin;
    bool is_cross_origin = false;
    enum rc rc;

    if (json_get_string(json_find(root, STR("type")), &sent_type) != RC_OK ||
        json_get_string(json_find(root, STR("challenge")), &challenge) != RC_OK ||
        json_get_string(json_find(root, STR("origin")), &origin) != RC_OK)
        return PASSKEY_MALFORMED;
    rc = json_get_bool(json_find(root, STR("crossOrigin")), &is_cross_origin);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return PASSKEY_MALFORMED;
    if (!str_equal(sent_type, type)) /* WebAuthn 7.1 step 7, 7.2 step 10 */
        return PASSKEY_TYPE;
    if (!is_challenge(challenge, ceremony->challenge))
        return PASSKEY_CHALLENGE;
    if (!is_expected_origin(origin, ceremony)) /* WebAuthn 7.1 step 9, 7.2 step 12 */
        return PASSKEY_ORIGIN;
    /* WebAuthn 7.1 steps 10, 11, 7.2 steps 13, 14 */
    if (is_cross_origin || json_find(root, STR("topOrigin")) != NULL)
        return PASSKEY_FRAMED;
    return PASSKEY_OK;
}

/* RC_REFUSED: it is not JSON, or too long. Else json_document_free. */
static enum rc parse_client_data(struct str client_data, struct json_document **out_document)
{
    static const struct str byte_order_mark = { "\xef\xbb\xbf", 3 };
    enum rc rc;

    if (client_data.len > PASSKEY_CLIENT_DATA_BYTES_MAX)
        return RC_REFUSED;
    /* WebAuthn 7.1 step 5, 7.2 step 8: UTF-8 decoding takes it off. */
    if (str_starts_with(client_data, byte_order_mark))
        client_data = str_from(client_data, byte_order_mark.len);
    rc = json_parse(client_data, out_document);
    return rc == RC_OK || rc_is_fault(rc) ? rc : RC_REFUSED;
}

static enum rc check_client_data(struct str client_data, struct str type,
                                 const struct passkey_ceremony *ceremony,
                                 enum passkey_verdict *out_verdict)
{
    struct json_document *document;
    enum rc rc = parse_client_data(client_data, &document);

    *out_verdict = PASSKEY_MALFORMED;
    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    if (json_is_object(json_root(document)))
        *out_verdict = check_members(json_root(document), type, ceremony);
    json_document_free(document);
    return RC_OK;
}

enum rc passkey_read_challenge(struct str client_data, struct buffer *out_challenge)
{
    struct json_document *document;
    struct str text;
    enum rc rc = parse_client_data(client_data, &document);

    if (rc != RC_OK)
        return rc;
    rc = RC_REFUSED;
    if (json_is_object(json_root(document)) &&
        json_get_string(json_find(json_root(document), STR("challenge")), &text) == RC_OK &&
        text.len <= BASE64URL_TEXT_BYTES(PASSKEY_CHALLENGE_BYTES_MAX) &&
        base64url_decode(text, out_challenge) == RC_OK)
        rc = RC_OK;
    json_document_free(document);
    return rc;
}

/* ---- authenticator data ---- */

static enum passkey_verdict check_data(const struct authenticator_data *data,
                                       const struct passkey_ceremony *ceremony)
{
    unsigned char hash[SHA256_BYTES];

    digest_sha256(ceremony->rp_id, hash);
    /* WebAuthn 7.1 step 14, 7.2 step 15 */
    if (!secret_bytes_equal(data->rp_id_hash.at, hash, sizeof(hash)))
        return PASSKEY_RP_ID;
    if (!data->is_user_present) /* WebAuthn 7.1 step 15, 7.2 step 16 */
        return PASSKEY_ABSENT;
    /* WebAuthn 7.1 step 16, 7.2 step 17 */
    if (ceremony->needs_user_verification && !data->is_user_verified)
        return PASSKEY_UNVERIFIED;
    if (data->is_backed_up && !data->is_backup_eligible) /* WebAuthn 7.1 step 17, 7.2 step 18 */
        return PASSKEY_BACKUP;
    return PASSKEY_OK;
}

/* ---- registration ---- */

static void fill_passkey(const struct authenticator_data *data, struct passkey *out_passkey)
{
    *out_passkey = (struct passkey){
        .credential_id = data->credential_id,
        .public_key = data->public_key,
        .sign_count = data->sign_count,
        .is_user_verified = data->is_user_verified,
        .is_backup_eligible = data->is_backup_eligible,
        .is_backed_up = data->is_backed_up,
    };
    memcpy(out_passkey->aaguid, data->aaguid.at, sizeof(out_passkey->aaguid));
}

static enum rc check_attestation(const struct passkey_ceremony *ceremony,
                                 const struct passkey_registration *registration,
                                 struct passkey_registration_result *result)
{
    unsigned char client_data_hash[SHA256_BYTES];
    struct attestation attestation;
    enum rc rc;

    result->verdict = PASSKEY_MALFORMED;
    if (attestation_parse(registration->attestation_object, &attestation) != RC_OK)
        return RC_OK;
    result->verdict = check_data(&attestation.data, ceremony);
    if (result->verdict != PASSKEY_OK)
        return RC_OK;
    result->verdict = PASSKEY_CREDENTIAL;
    if (!str_equal(attestation.data.credential_id, registration->credential_id))
        return RC_OK;
    result->verdict = PASSKEY_KEY;
    if (passkey_public_key_check(attestation.data.public_key) != RC_OK) /* WebAuthn 7.1 step 20 */
        return RC_OK;
    digest_sha256(registration->client_data, client_data_hash);
    rc = attestation_verify(&attestation, client_data_hash, ceremony->rp_id);
    if (rc != RC_OK && rc != RC_REFUSED)
        return rc;
    result->verdict = rc == RC_OK ? PASSKEY_OK : PASSKEY_STATEMENT;
    if (rc == RC_OK)
        fill_passkey(&attestation.data, &result->passkey);
    return RC_OK;
}

enum rc passkey_check_registration(const struct passkey_ceremony *ceremony,
                                   const struct passkey_registration *registration,
                                   struct passkey_registration_result *out_result)
{
    struct passkey_registration_result result = { .verdict = PASSKEY_MALFORMED };
    enum rc rc;

    rc = check_client_data(registration->client_data, STR("webauthn.create"), ceremony,
                           &result.verdict);
    if (rc == RC_OK && result.verdict == PASSKEY_OK)
        rc = check_attestation(ceremony, registration, &result);
    if (rc == RC_OK)
        *out_result = result;
    return rc;
}

/* ---- authentication ---- */

/* WebAuthn 7.2 steps 5, 6 */
static enum passkey_verdict check_owner(const struct passkey_assertion *assertion,
                                        const struct passkey *stored,
                                        const struct passkey_owner *owner)
{
    bool is_expected = owner->expected_user_handle.len > 0;

    ASSERT(owner->user_handle.len > 0);
    if (!str_equal(assertion->credential_id, stored->credential_id))
        return PASSKEY_CREDENTIAL;
    if (is_expected && !str_equal(owner->user_handle, owner->expected_user_handle))
        return PASSKEY_USER;
    /* It may be missing only when it is known whom to expect. */
    if (assertion->user_handle.len == 0)
        return is_expected ? PASSKEY_OK : PASSKEY_USER;
    return str_equal(assertion->user_handle, owner->user_handle) ? PASSKEY_OK : PASSKEY_USER;
}

static enum rc check_signed_data(const struct passkey_ceremony *ceremony,
                                 const struct passkey_assertion *assertion,
                                 const struct passkey *stored,
                                 struct passkey_assertion_result *result)
{
    unsigned char client_data_hash[SHA256_BYTES];
    struct authenticator_data data;
    enum rc rc;

    result->verdict = PASSKEY_MALFORMED;
    if (authenticator_data_parse(assertion->authenticator_data, &data) != RC_OK)
        return RC_OK;
    result->verdict = check_data(&data, ceremony);
    if (result->verdict != PASSKEY_OK)
        return RC_OK;
    result->verdict = PASSKEY_BACKUP;
    if (data.is_backup_eligible != stored->is_backup_eligible) /* WebAuthn 7.2 step 19 */
        return RC_OK;
    digest_sha256(assertion->client_data, client_data_hash); /* WebAuthn 7.2 step 20 */
    rc = assertion_verify(&data, client_data_hash, assertion->signature, ceremony->rp_id,
                          stored->public_key);
    result->verdict = PASSKEY_SIGNATURE;
    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    /* WebAuthn 7.2 step 22; after the signature, so that a stranger cannot ring this alarm. */
    result->verdict = PASSKEY_COUNTER;
    if ((data.sign_count != 0 || stored->sign_count != 0) && data.sign_count <= stored->sign_count)
        return RC_OK;
    *result = (struct passkey_assertion_result){ .verdict = PASSKEY_OK,
                                                 .sign_count = data.sign_count,
                                                 .is_user_verified = data.is_user_verified,
                                                 .is_backed_up = data.is_backed_up };
    return RC_OK;
}

enum rc passkey_check_assertion(const struct passkey_ceremony *ceremony,
                                const struct passkey_assertion *assertion,
                                const struct passkey *stored, const struct passkey_owner *owner,
                                struct passkey_assertion_result *out_result)
{
    struct passkey_assertion_result result = { .verdict = check_owner(assertion, stored, owner) };
    enum rc rc = RC_OK;

    if (result.verdict == PASSKEY_OK)
        rc = check_client_data(assertion->client_data, STR("webauthn.get"), ceremony,
                               &result.verdict);
    if (rc == RC_OK && result.verdict == PASSKEY_OK)
        rc = check_signed_data(ceremony, assertion, stored, &result);
    if (rc == RC_OK)
        *out_result = result;
    return rc;
}

/* ---- what is told to the browser ---- */

static void write_bytes(struct json_out *json, struct str name, struct str bytes)
{
    char memory[BASE64URL_TEXT_BYTES(PASSKEY_CREDENTIAL_ID_BYTES_MAX)];
    struct buffer text = buffer_over(memory, sizeof(memory));

    base64url_encode(bytes, &text);
    ASSERT(!text.overflow);
    json_member_string(json, name, buffer_str(&text));
}

static void write_descriptors(struct json_out *json, struct str name,
                              const struct passkey_descriptor *descriptors, size_t count)
{
    json_name(json, name);
    json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(json);
        json_member_string(json, STR("type"), STR("public-key"));
        write_bytes(json, STR("id"), descriptors[i].credential_id);
        if (descriptors[i].transports.len > 0)
            json_member_words(json, STR("transports"), descriptors[i].transports);
        json_end_object(json);
    }
    json_end_array(json);
}

static struct str verification_word(bool is_needed)
{
    return is_needed ? STR("required") : STR("preferred");
}

static void write_algorithms(struct json_out *json)
{
    static const int algorithms[] = { -8, -7, -257 }; /* EdDSA, ES256, RS256: the best one first */

    json_name(json, STR("pubKeyCredParams"));
    json_begin_array(json);
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        json_begin_object(json);
        json_member_string(json, STR("type"), STR("public-key"));
        json_member_number(json, STR("alg"), algorithms[i]);
        json_end_object(json);
    }
    json_end_array(json);
}

static void write_user(struct json_out *json, const struct passkey_creation *creation)
{
    bool has_full_name = creation->user_full_name.len > 0;

    ASSERT(creation->user_handle.len == PASSKEY_USER_HANDLE_BYTES);
    json_name(json, STR("user"));
    json_begin_object(json);
    write_bytes(json, STR("id"), creation->user_handle);
    json_member_string(json, STR("name"), creation->user_name);
    json_member_string(json, STR("displayName"),
                       has_full_name ? creation->user_full_name : creation->user_name);
    json_end_object(json);
}

void passkey_format_creation(const struct passkey_creation *creation, struct buffer *out_json)
{
    struct json_out json = json_out_over(out_json);

    json_begin_object(&json);
    json_name(&json, STR("rp"));
    json_begin_object(&json);
    json_member_string(&json, STR("id"), creation->rp_id);
    json_member_string(&json, STR("name"), creation->rp_name);
    json_end_object(&json);
    write_user(&json, creation);
    write_bytes(&json, STR("challenge"), creation->challenge);
    write_algorithms(&json);
    json_member_number(&json, STR("timeout"), PASSKEY_TIMEOUT_MS);
    write_descriptors(&json, STR("excludeCredentials"), creation->registered,
                      creation->registered_count);
    json_name(&json, STR("authenticatorSelection"));
    json_begin_object(&json);
    json_member_string(&json, STR("residentKey"), STR("preferred"));
    json_member_bool(&json, STR("requireResidentKey"), false);
    json_member_string(&json, STR("userVerification"),
                       verification_word(creation->needs_user_verification));
    json_end_object(&json);
    json_member_string(&json, STR("attestation"), STR("none"));
    json_end_object(&json);
}

void passkey_format_request(const struct passkey_request *request, struct buffer *out_json)
{
    struct json_out json = json_out_over(out_json);

    json_begin_object(&json);
    write_bytes(&json, STR("challenge"), request->challenge);
    json_member_string(&json, STR("rpId"), request->rp_id);
    json_member_number(&json, STR("timeout"), PASSKEY_TIMEOUT_MS);
    write_descriptors(&json, STR("allowCredentials"), request->allowed, request->allowed_count);
    json_member_string(&json, STR("userVerification"),
                       verification_word(request->needs_user_verification));
    json_end_object(&json);
}
