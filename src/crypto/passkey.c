#include "crypto/passkey.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <openssl/err.h>

#include "crypto/cbor_view.h"
#include "crypto/library.h"

enum {
    FLAG_USER_PRESENT = 1 << 0,
    FLAG_USER_VERIFIED = 1 << 2,
    FLAG_BACKUP_ELIGIBLE = 1 << 3,
    FLAG_BACKED_UP = 1 << 4,
    FLAG_ATTESTED = 1 << 6,
    FLAG_EXTENSIONS = 1 << 7,

    COORDINATE_BYTES = 32,
    RSA_MODULUS_BYTES = 256,
    RSA_EXPONENT_BYTES = 3
};

/* Members of a COSE_Key: RFC 9052 7.1, RFC 9053 7, RFC 8230 4. */
enum { COSE_KEY_TYPE = 1, COSE_KEY_ALG = 3 };
enum { COSE_KEY_CURVE = -1, COSE_KEY_X = -2, COSE_KEY_Y = -3 };
enum { COSE_KEY_N = -1, COSE_KEY_E = -2 };

/* ---- reading ---- */

static bool take(struct str *rest, size_t len, struct str *out_taken)
{
    if (len > rest->len)
        return false;
    *out_taken = (struct str){ rest->at, len };
    *rest = str_from(*rest, len);
    return true;
}

static uint32_t big_endian(struct str bytes)
{
    uint32_t number = 0;

    for (size_t i = 0; i < bytes.len; i++)
        number = number << 8 | (unsigned char)bytes.at[i];
    return number;
}

static bool take_map(struct str *rest, struct str *out_encoded)
{
    struct cbor_view map;

    if (cbor_view_read(rest, &map) != RC_OK || map.kind != CBOR_VIEW_MAP)
        return false;
    *out_encoded = map.encoded;
    return true;
}

static bool take_credential(struct str *rest, struct authenticator_data *data)
{
    struct str length;

    /* WebAuthn 6.5.1: at most 1023 bytes. */
    return take(rest, PASSKEY_AAGUID_BYTES, &data->aaguid) && take(rest, 2, &length) &&
           big_endian(length) > 0 && big_endian(length) <= PASSKEY_CREDENTIAL_ID_BYTES_MAX &&
           take(rest, big_endian(length), &data->credential_id) &&
           take_map(rest, &data->public_key) &&
           data->public_key.len <= PASSKEY_PUBLIC_KEY_BYTES_MAX;
}

static enum rc parse_data(struct str bytes, bool is_attestation,
                          struct authenticator_data *out_data)
{
    struct authenticator_data data = { .encoded = bytes };
    struct str rest = bytes, flags, count;
    unsigned bits;

    if (!take(&rest, SHA256_BYTES, &data.rp_id_hash) || !take(&rest, 1, &flags) ||
        !take(&rest, 4, &count))
        return RC_INVALID;
    bits = big_endian(flags);
    data.sign_count = big_endian(count);
    data.is_user_present = (bits & FLAG_USER_PRESENT) != 0;
    data.is_user_verified = (bits & FLAG_USER_VERIFIED) != 0;
    data.is_backup_eligible = (bits & FLAG_BACKUP_ELIGIBLE) != 0;
    data.is_backed_up = (bits & FLAG_BACKED_UP) != 0;
    /* WebAuthn 6.1: a credential is there in attestations, and only there. */
    if (((bits & FLAG_ATTESTED) != 0) != is_attestation)
        return RC_INVALID;
    if (is_attestation && !take_credential(&rest, &data))
        return RC_INVALID;
    if ((bits & FLAG_EXTENSIONS) != 0 && !take_map(&rest, &data.extensions))
        return RC_INVALID;
    /* WebAuthn 6.1: the data says its own length. */
    if (rest.len > 0)
        return RC_INVALID;
    *out_data = data;
    return RC_OK;
}

enum rc authenticator_data_parse(struct str bytes, struct authenticator_data *out_data)
{
    if (bytes.len > PASSKEY_AUTHENTICATOR_DATA_BYTES_MAX)
        return RC_INVALID;
    return parse_data(bytes, false, out_data);
}

enum rc attestation_parse(struct str object, struct attestation *out_attestation)
{
    struct cbor_view map, format, statement, data;
    struct attestation attestation;

    if (object.len > PASSKEY_ATTESTATION_BYTES_MAX || cbor_view_parse(object, &map) != RC_OK ||
        map.kind != CBOR_VIEW_MAP || map.number != 3)
        return RC_INVALID;
    if (!cbor_view_find_text(&map, STR("fmt"), CBOR_VIEW_TEXT, &format) ||
        !cbor_view_find_text(&map, STR("attStmt"), CBOR_VIEW_MAP, &statement) ||
        !cbor_view_find_text(&map, STR("authData"), CBOR_VIEW_BYTES, &data) ||
        parse_data(data.inside, true, &attestation.data) != RC_OK)
        return RC_INVALID;
    attestation.format = format.inside;
    attestation.statement = statement.encoded;
    *out_attestation = attestation;
    return RC_OK;
}

/* ---- keys ---- */

static bool has_number(const struct cbor_view *map, int64_t key, int64_t number)
{
    struct cbor_view value;

    return cbor_view_find_number(map, key, CBOR_VIEW_NUMBER, &value) && value.number == number;
}

static bool copy_bytes(const struct cbor_view *map, int64_t key, size_t len,
                       unsigned char *out_bytes)
{
    struct cbor_view value;

    if (!cbor_view_find_number(map, key, CBOR_VIEW_BYTES, &value) || value.inside.len != len)
        return false;
    memcpy(out_bytes, value.inside.at, len);
    return true;
}

/* Each branch asks for every member of its kind of key and for the count of them, so that there is
 * no other (WebAuthn 6.5.1). */
static bool parse_key(struct str encoded, struct public_key *out_key)
{
    struct public_key key = { .kind = SIGNER_ES256 };
    struct cbor_view map, alg;
    bool is_key = false;

    if (encoded.len > PASSKEY_PUBLIC_KEY_BYTES_MAX || cbor_view_parse(encoded, &map) != RC_OK ||
        map.kind != CBOR_VIEW_MAP ||
        !cbor_view_find_number(&map, COSE_KEY_ALG, CBOR_VIEW_NUMBER, &alg))
        return false;
    switch (alg.number) {
    case COSE_ES256:
        /* WebAuthn 5.8.5: P-256 and no compressed point. */
        is_key = map.number == 5 && has_number(&map, COSE_KEY_TYPE, COSE_KTY_EC2) &&
                 has_number(&map, COSE_KEY_CURVE, COSE_P256) &&
                 copy_bytes(&map, COSE_KEY_X, COORDINATE_BYTES, key.x) &&
                 copy_bytes(&map, COSE_KEY_Y, COORDINATE_BYTES, key.y);
        break;
    case COSE_EDDSA:
        key.kind = SIGNER_EDDSA;
        /* WebAuthn 5.8.5: Ed25519. */
        is_key = map.number == 4 && has_number(&map, COSE_KEY_TYPE, COSE_KTY_OKP) &&
                 has_number(&map, COSE_KEY_CURVE, COSE_ED25519) &&
                 copy_bytes(&map, COSE_KEY_X, COORDINATE_BYTES, key.x);
        break;
    case COSE_RS256:
        key.kind = SIGNER_RS256;
        key.n_bytes = RSA_MODULUS_BYTES;
        key.e_bytes = RSA_EXPONENT_BYTES;
        is_key = map.number == 4 && has_number(&map, COSE_KEY_TYPE, COSE_KTY_RSA) &&
                 copy_bytes(&map, COSE_KEY_N, RSA_MODULUS_BYTES, key.n) &&
                 copy_bytes(&map, COSE_KEY_E, RSA_EXPONENT_BYTES, key.e);
        break;
    default:
        break;
    }
    if (is_key)
        *out_key = key;
    return is_key;
}

enum rc passkey_public_key_check(struct str public_key)
{
    struct public_key key;
    struct verifier *verifier;
    enum rc rc;

    if (!parse_key(public_key, &key))
        return RC_INVALID;
    rc = verifier_new(&key, &verifier);
    if (rc == RC_OK)
        verifier_free(verifier);
    return rc;
}

static int cose_alg_of(const struct public_key *key)
{
    switch (key->kind) {
    case SIGNER_ES256:
        return COSE_ES256;
    case SIGNER_EDDSA:
        return COSE_EDDSA;
    case SIGNER_RS256:
        return COSE_RS256;
    case SIGNER_PS256: /* parse_key makes none */
        break;
    }
    return COSE_UNSPEC;
}

/* ---- verifying ---- */

/*
 * libfido2 refuses extensions that it was not told to expect. Clients and authenticators may add
 * some of their own accord, and we make no use of any (WebAuthn 7.1 step 28, 7.2 step 23), so it is
 * told to expect whatever is there.
 */
static bool expect_assertion_extensions(fido_assert_t *assertion, struct str extensions)
{
    struct cbor_view map, value;
    int mask = 0;

    if (extensions.len == 0)
        return true;
    if (cbor_view_parse(extensions, &map) != RC_OK)
        return false;
    if (cbor_view_find_text(&map, STR("hmac-secret"), CBOR_VIEW_BYTES, &value))
        mask |= FIDO_EXT_HMAC_SECRET;
    if (cbor_view_find_text(&map, STR("credBlob"), CBOR_VIEW_BYTES, &value))
        mask |= FIDO_EXT_CRED_BLOB;
    return fido_assert_set_extensions(assertion, mask) == FIDO_OK;
}

static bool expect_credential_extensions(fido_cred_t *credential, struct str extensions)
{
    struct cbor_view map, value;
    int mask = 0;

    if (extensions.len == 0)
        return true;
    if (cbor_view_parse(extensions, &map) != RC_OK)
        return false;
    if (cbor_view_find_text(&map, STR("hmac-secret"), CBOR_VIEW_BOOL, &value) && value.number == 1)
        mask |= FIDO_EXT_HMAC_SECRET;
    if (cbor_view_find_text(&map, STR("credBlob"), CBOR_VIEW_BOOL, &value) && value.number == 1)
        mask |= FIDO_EXT_CRED_BLOB;
    /* First, as it takes back what the others set. */
    if (fido_cred_set_extensions(credential, mask) != FIDO_OK)
        return false;
    if (cbor_view_find_text(&map, STR("credProtect"), CBOR_VIEW_NUMBER, &value) &&
        (value.number < 0 || value.number > UINT8_MAX ||
         fido_cred_set_prot(credential, (int)value.number) != FIDO_OK))
        return false;
    if (cbor_view_find_text(&map, STR("minPinLength"), CBOR_VIEW_NUMBER, &value) &&
        (value.number < 0 || value.number > UINT8_MAX ||
         fido_cred_set_pin_minlen(credential, (size_t)value.number) != FIDO_OK))
        return false;
    return true;
}

/* libfido2 wants it terminated. */
static void copy_rp_id(struct str rp_id, char out_text[static PASSKEY_RP_ID_BYTES_MAX + 1])
{
    ASSERT(rp_id.len > 0 && rp_id.len <= PASSKEY_RP_ID_BYTES_MAX);
    memcpy(out_text, rp_id.at, rp_id.len);
    out_text[rp_id.len] = '\0';
}

static int verify_es256(const fido_assert_t *assertion, const struct public_key *key)
{
    unsigned char point[2 * COORDINATE_BYTES];
    es256_pk_t *pk = es256_pk_new();
    int code = FIDO_ERR_INTERNAL;

    memcpy(point, key->x, COORDINATE_BYTES);
    memcpy(point + COORDINATE_BYTES, key->y, COORDINATE_BYTES);
    if (pk != NULL && es256_pk_from_ptr(pk, point, sizeof(point)) == FIDO_OK)
        code = fido_assert_verify(assertion, 0, COSE_ES256, pk);
    es256_pk_free(&pk);
    return code;
}

static int verify_eddsa(const fido_assert_t *assertion, const struct public_key *key)
{
    eddsa_pk_t *pk = eddsa_pk_new();
    int code = FIDO_ERR_INTERNAL;

    if (pk != NULL && eddsa_pk_from_ptr(pk, key->x, COORDINATE_BYTES) == FIDO_OK)
        code = fido_assert_verify(assertion, 0, COSE_EDDSA, pk);
    eddsa_pk_free(&pk);
    return code;
}

static int verify_rs256(const fido_assert_t *assertion, const struct public_key *key)
{
    unsigned char numbers[RSA_MODULUS_BYTES + RSA_EXPONENT_BYTES];
    rs256_pk_t *pk = rs256_pk_new();
    int code = FIDO_ERR_INTERNAL;

    memcpy(numbers, key->n, RSA_MODULUS_BYTES);
    memcpy(numbers + RSA_MODULUS_BYTES, key->e, RSA_EXPONENT_BYTES);
    if (pk != NULL && rs256_pk_from_ptr(pk, numbers, sizeof(numbers)) == FIDO_OK)
        code = fido_assert_verify(assertion, 0, COSE_RS256, pk);
    rs256_pk_free(&pk);
    return code;
}

static int verify_with(const fido_assert_t *assertion, const struct public_key *key)
{
    switch (key->kind) {
    case SIGNER_ES256:
        return verify_es256(assertion, key);
    case SIGNER_EDDSA:
        return verify_eddsa(assertion, key);
    case SIGNER_RS256:
        return verify_rs256(assertion, key);
    case SIGNER_PS256:
        break;
    }
    return FIDO_ERR_INTERNAL;
}

enum rc assertion_verify(const struct authenticator_data *data,
                         const unsigned char client_data_hash[static SHA256_BYTES],
                         struct str signature, struct str rp_id, struct str public_key)
{
    char rp_text[PASSKEY_RP_ID_BYTES_MAX + 1];
    struct public_key key;
    fido_assert_t *assertion;
    bool is_signed;

    if (!parse_key(public_key, &key))
        return RC_CORRUPT;
    if (signature.len == 0 || signature.len > PASSKEY_SIGNATURE_BYTES_MAX)
        return RC_REFUSED;
    assertion = fido_assert_new();
    if (assertion == NULL)
        return RC_SYSTEM;
    copy_rp_id(rp_id, rp_text);
    /* What fails inside for want of memory is a refusal too: it fails on the safe side. */
    is_signed =
        fido_assert_set_count(assertion, 1) == FIDO_OK &&
        fido_assert_set_rp(assertion, rp_text) == FIDO_OK &&
        fido_assert_set_up(assertion, FIDO_OPT_TRUE) == FIDO_OK &&
        fido_assert_set_clientdata_hash(assertion, client_data_hash, SHA256_BYTES) == FIDO_OK &&
        fido_assert_set_authdata_raw(assertion, 0, str_bytes(data->encoded), data->encoded.len) ==
            FIDO_OK &&
        fido_assert_set_sig(assertion, 0, str_bytes(signature), signature.len) == FIDO_OK &&
        expect_assertion_extensions(assertion, data->extensions) &&
        verify_with(assertion, &key) == FIDO_OK;
    fido_assert_free(&assertion);
    ERR_clear_error();
    return is_signed ? RC_OK : RC_REFUSED;
}

/* WebAuthn 8.2, 8.6: the members that the formats have, and no others. */
static bool is_statement_of(const struct attestation *attestation, const struct public_key *key,
                            bool *out_is_self)
{
    struct cbor_view map, alg, signature, chain;
    bool has_alg, has_chain;

    if (cbor_view_parse(attestation->statement, &map) != RC_OK ||
        !cbor_view_find_text(&map, STR("sig"), CBOR_VIEW_BYTES, &signature))
        return false;
    has_alg = cbor_view_find_text(&map, STR("alg"), CBOR_VIEW_NUMBER, &alg);
    has_chain = cbor_view_find_text(&map, STR("x5c"), CBOR_VIEW_ARRAY, &chain);
    *out_is_self = !has_chain;
    if (str_equal(attestation->format, STR("fido-u2f")))
        return map.number == 2 && has_chain && chain.number == 1 && key->kind == SIGNER_ES256;
    if (!has_alg || map.number != (has_chain ? 3 : 2))
        return false;
    if (has_chain)
        return chain.number > 0 &&
               (alg.number == COSE_ES256 || alg.number == COSE_EDDSA || alg.number == COSE_RS256);
    return alg.number == cose_alg_of(key);
}

enum rc attestation_verify(const struct attestation *attestation,
                           const unsigned char client_data_hash[static SHA256_BYTES],
                           struct str rp_id)
{
    const struct authenticator_data *data = &attestation->data;
    bool is_packed = str_equal(attestation->format, STR("packed")), is_self, is_signed;
    char rp_text[PASSKEY_RP_ID_BYTES_MAX + 1];
    struct public_key key;
    fido_cred_t *credential;

    /* WebAuthn 8.7: an empty map. */
    if (str_equal(attestation->format, STR("none")))
        return str_equal(attestation->statement, STR("\xa0")) ? RC_OK : RC_REFUSED;
    if ((!is_packed && !str_equal(attestation->format, STR("fido-u2f"))) ||
        !parse_key(data->public_key, &key) || !is_statement_of(attestation, &key, &is_self))
        return RC_REFUSED;
    credential = fido_cred_new();
    if (credential == NULL)
        return RC_SYSTEM;
    copy_rp_id(rp_id, rp_text);
    is_signed =
        fido_cred_set_type(credential, cose_alg_of(&key)) == FIDO_OK &&
        fido_cred_set_rp(credential, rp_text, NULL) == FIDO_OK &&
        fido_cred_set_fmt(credential, is_packed ? "packed" : "fido-u2f") == FIDO_OK &&
        fido_cred_set_clientdata_hash(credential, client_data_hash, SHA256_BYTES) == FIDO_OK &&
        fido_cred_set_authdata_raw(credential, str_bytes(data->encoded), data->encoded.len) ==
            FIDO_OK &&
        fido_cred_set_attstmt(credential, str_bytes(attestation->statement),
                              attestation->statement.len) == FIDO_OK &&
        expect_credential_extensions(credential, data->extensions) &&
        (is_self ? fido_cred_verify_self(credential) : fido_cred_verify(credential)) == FIDO_OK;
    fido_cred_free(&credential);
    ERR_clear_error();
    return is_signed ? RC_OK : RC_REFUSED;
}
