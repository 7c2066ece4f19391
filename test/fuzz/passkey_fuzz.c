/*
 * Any bytes as what a browser and an authenticator send, the first byte saying what of it: CBOR, an
 * attestation object, authenticator data with a signature, a COSE_Key, or a whole registration (two
 * bytes of length, the client data, the attestation object). Views lie inside, what is read is read
 * the same again, and of all assertions only the one that was signed is taken.
 */
#include "account/passkey.h"
#include "crypto/cbor_view.h"
#include "fuzz.h"

static const unsigned char hash[SHA256_BYTES] = { 1 };

static void check_cbor(struct str input)
{
    struct cbor_view view, again;
    struct str rest = input;

    if (cbor_view_read(&rest, &view) != RC_OK) {
        ASSERT(rest.at == input.at && rest.len == input.len);
        return;
    }
    ASSERT(view.encoded.at == input.at && view.encoded.len + rest.len == input.len);
    ASSERT(fuzz_is_within(view.inside, view.encoded));
    ASSERT(cbor_view_parse(view.encoded, &again) == RC_OK && again.number == view.number);
    if (view.kind == CBOR_VIEW_MAP)
        (void)cbor_view_find_text(&view, STR("fmt"), CBOR_VIEW_TEXT, &again);
}

static void check_data(const struct authenticator_data *data, struct str input)
{
    ASSERT(fuzz_is_within(data->encoded, input) && data->rp_id_hash.len == SHA256_BYTES);
    ASSERT(fuzz_is_within(data->credential_id, data->encoded));
    ASSERT(fuzz_is_within(data->public_key, data->encoded));
    ASSERT(fuzz_is_within(data->extensions, data->encoded));
}

static void check_attestation(struct str input)
{
    struct attestation attestation;

    if (attestation_parse(input, &attestation) != RC_OK)
        return;
    check_data(&attestation.data, input);
    ASSERT(attestation.data.aaguid.len == PASSKEY_AAGUID_BYTES);
    ASSERT(attestation.data.credential_id.len <= PASSKEY_CREDENTIAL_ID_BYTES_MAX);
    if (passkey_public_key_check(attestation.data.public_key) == RC_OK)
        ASSERT(!rc_is_fault(attestation_verify(&attestation, hash, STR("localhost"))));
}

/* The input is authenticator data and 64 bytes. Key and hash are those of the recorded ceremony
 * with EdDSA, where one signature is right and no other. */
static void check_assertion(struct str input)
{
    static const unsigned char key[] = { 0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58,
                                         0x20, 0x88, 0x78, 0x29, 0x44, 0xb6, 0xa6, 0xa3, 0x8d,
                                         0xa9, 0x4b, 0xb5, 0x15, 0xd4, 0x76, 0x02, 0xe8, 0x3b,
                                         0x77, 0xe4, 0x15, 0xbf, 0xcf, 0x6e, 0xac, 0x14, 0x78,
                                         0xe9, 0x39, 0x29, 0x99, 0xeb, 0x94 };
    static const unsigned char client_data_hash[SHA256_BYTES] = {
        0x39, 0x87, 0xaf, 0xd9, 0xef, 0x4e, 0xe9, 0xdd, 0xce, 0x4e, 0xf2,
        0x98, 0x03, 0xd1, 0x14, 0x9e, 0x41, 0x07, 0xca, 0x5a, 0x5a, 0x18,
        0x6d, 0xa5, 0x55, 0x29, 0xd8, 0xab, 0xf0, 0x37, 0x2b, 0x74
    };
    static const unsigned char right_digest[SHA256_BYTES] = {
        0xc6, 0xff, 0xdd, 0xb2, 0xbf, 0xfe, 0xd7, 0xfc, 0x3d, 0x7e, 0x7e,
        0x6c, 0xf6, 0x3d, 0x7f, 0xe7, 0x48, 0x82, 0xa4, 0x7e, 0xc9, 0x69,
        0x05, 0x34, 0x8f, 0xcc, 0x75, 0x93, 0xfe, 0x2e, 0xdb, 0xcc
    };
    unsigned char digest[SHA256_BYTES];
    struct authenticator_data data;
    struct str signature, signed_data;
    enum rc rc;

    if (input.len < 64)
        return;
    signature = str_from(input, input.len - 64);
    signed_data = (struct str){ input.at, input.len - 64 };
    if (authenticator_data_parse(signed_data, &data) != RC_OK)
        return;
    check_data(&data, signed_data);
    ASSERT(data.public_key.len == 0 && data.credential_id.len == 0);
    rc = assertion_verify(&data, client_data_hash, signature, STR("localhost"),
                          (struct str){ (const char *)key, sizeof(key) });
    digest_sha256(input, digest);
    ASSERT(rc == (memcmp(digest, right_digest, sizeof(digest)) == 0 ? RC_OK : RC_REFUSED));
}

static void check_key(struct str input)
{
    struct authenticator_data data = { .encoded = STR("x") };

    /* What passes as a key can be verified with. */
    if (passkey_public_key_check(input) == RC_OK)
        ASSERT(assertion_verify(&data, hash, STR("x"), STR("localhost"), input) == RC_REFUSED);
}

static void check_registration(struct str input)
{
    static const struct str origin = { "http://localhost:8765", 21 };
    static const struct passkey_ceremony ceremony = { .challenge = { "0123456789abcdef", 16 },
                                                      .origins = &origin,
                                                      .origin_count = 1,
                                                      .rp_id = { "localhost", 9 } };
    struct passkey_registration_result result;
    struct passkey_registration registration = { .credential_id = { "0123456789abcdef", 16 } };
    size_t len;

    if (input.len < 2)
        return;
    len = (size_t)((unsigned char)input.at[0] << 8 | (unsigned char)input.at[1]);
    input = str_from(input, 2);
    if (len > input.len)
        return;
    registration.client_data = (struct str){ input.at, len };
    registration.attestation_object = str_from(input, len);
    ASSERT(passkey_check_registration(&ceremony, &registration, &result) == RC_OK);
    if (result.verdict == PASSKEY_OK)
        ASSERT(fuzz_is_within(result.passkey.public_key, registration.attestation_object));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);

    crypto_init();
    if (size == 0)
        return 0;
    input = str_from(input, 1);
    switch (data[0]) {
    case 'c':
        check_cbor(input);
        break;
    case 'o':
        check_attestation(input);
        break;
    case 'a':
        check_assertion(input);
        break;
    case 'k':
        check_key(input);
        break;
    case 'r':
        check_registration(input);
        break;
    default:
        break;
    }
    return 0;
}
