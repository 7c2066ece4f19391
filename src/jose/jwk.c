#include "codec/base64url.h"
#include "codec/json.h"
#include "jose/jose.h"

enum { P256_BYTES = 32, ED25519_BYTES = 32 };

/* The longest thumbprint input is that of an RSA key of 4096 bits. */
enum { THUMBPRINT_INPUT_BYTES_MAX = 1024 };

struct str jose_alg_format(enum signer_kind kind)
{
    static const struct str names[] = {
        [SIGNER_ES256] = { "ES256", 5 }, /* RFC 7518 3.4 */
        [SIGNER_EDDSA] = { "EdDSA", 5 }, /* RFC 8037 3.1 */
        [SIGNER_RS256] = { "RS256", 5 }, /* RFC 7518 3.3 */
        [SIGNER_PS256] = { "PS256", 5 }, /* RFC 7518 3.5 */
    };

    return names[kind];
}

/* ---- out ---- */

static void append_number(struct json_out *json, struct str name, const unsigned char *bytes,
                          size_t len)
{
    char text[BASE64URL_TEXT_BYTES(sizeof(((struct public_key *)0)->n))];
    struct buffer encoded = buffer_over(text, sizeof(text));

    base64url_encode((struct str){ (const char *)bytes, len }, &encoded);
    ASSERT(!encoded.overflow);
    json_member_string(json, name, buffer_str(&encoded));
}

/* The members that make the key, in the order of their names: RFC 7638 3.2, RFC 8037 2 */
static void append_key_members(struct json_out *json, const struct public_key *key)
{
    switch (key->kind) {
    case SIGNER_ES256:
        json_member_string(json, STR("crv"), STR("P-256"));
        json_member_string(json, STR("kty"), STR("EC"));
        append_number(json, STR("x"), key->x, P256_BYTES);
        append_number(json, STR("y"), key->y, P256_BYTES);
        break;
    case SIGNER_EDDSA:
        json_member_string(json, STR("crv"), STR("Ed25519"));
        json_member_string(json, STR("kty"), STR("OKP"));
        append_number(json, STR("x"), key->x, ED25519_BYTES);
        break;
    case SIGNER_RS256:
    case SIGNER_PS256:
        append_number(json, STR("e"), key->e, key->e_bytes);
        json_member_string(json, STR("kty"), STR("RSA"));
        append_number(json, STR("n"), key->n, key->n_bytes);
        break;
    }
}

void jwk_format_public(const struct public_key *key, struct str kid, struct buffer *out_json)
{
    struct json_out json = json_out_over(out_json);

    json_begin_object(&json);
    append_key_members(&json, key);
    json_member_string(&json, STR("use"), STR("sig"));
    json_member_string(&json, STR("alg"), jose_alg_format(key->kind));
    json_member_string(&json, STR("kid"), kid);
    json_end_object(&json);
}

void jwk_thumbprint_digest(const struct public_key *key,
                           unsigned char out_digest[static SHA256_BYTES])
{
    char memory[THUMBPRINT_INPUT_BYTES_MAX];
    struct buffer input = buffer_over(memory, sizeof(memory));
    struct json_out json = json_out_over(&input);

    json_begin_object(&json);
    append_key_members(&json, key);
    json_end_object(&json);
    ASSERT(!input.overflow);
    digest_sha256(buffer_str(&input), out_digest);
}

void jwk_thumbprint(const struct public_key *key, char out_text[static JWK_THUMBPRINT_TEXT_BYTES])
{
    struct buffer text = buffer_over(out_text, JWK_THUMBPRINT_TEXT_BYTES);
    unsigned char digest[SHA256_BYTES];

    jwk_thumbprint_digest(key, digest);
    base64url_encode((struct str){ (const char *)digest, sizeof(digest) }, &text);
    ASSERT(!text.overflow);
}

/* ---- in ---- */

static bool member_is(const struct json_value *jwk, struct str name, struct str wanted)
{
    struct str text;

    return json_get_string(json_find(jwk, name), &text) == RC_OK && str_equal(text, wanted);
}

/* An absent member restricts nothing. */
static bool member_allows(const struct json_value *jwk, struct str name, struct str wanted)
{
    return json_find(jwk, name) == NULL || member_is(jwk, name, wanted);
}

static bool has_private_member(const struct json_value *jwk)
{
    /* RFC 7518 6.2.2, 6.3.2, 6.4.1; RFC 8037 2 */
    static const struct str names[] = { { "d", 1 },  { "p", 1 },  { "q", 1 },   { "dp", 2 },
                                        { "dq", 2 }, { "qi", 2 }, { "oth", 3 }, { "k", 1 } };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_find(jwk, names[i]) != NULL)
            return true;
    }
    return false;
}

/* RFC 7517 4.3: key_ops, when present, names what the key may do. */
static bool operations_allow_verify(const struct json_value *jwk)
{
    const struct json_value *operations = json_find(jwk, STR("key_ops"));
    bool allows = false;

    if (operations == NULL)
        return true;
    if (!json_is_array(operations))
        return false;
    for (size_t i = 0; i < json_count(operations); i++) {
        struct str operation;

        if (json_get_string(json_item(operations, i), &operation) != RC_OK)
            return false;
        allows = allows || str_equal(operation, STR("verify"));
    }
    return allows;
}

static bool read_bytes(const struct json_value *jwk, struct str name, unsigned char *out_bytes,
                       size_t max_bytes, size_t *out_len)
{
    struct buffer bytes = buffer_over(out_bytes, max_bytes);
    struct str text;

    if (json_get_string(json_find(jwk, name), &text) != RC_OK ||
        base64url_decode(text, &bytes) != RC_OK)
        return false;
    *out_len = bytes.len;
    return true;
}

/* RFC 7518 6.2.1.2: a coordinate has its full length, zeros in front included. */
static bool read_exactly(const struct json_value *jwk, struct str name, size_t exact_bytes,
                         unsigned char *out_bytes)
{
    size_t len;

    return read_bytes(jwk, name, out_bytes, exact_bytes, &len) && len == exact_bytes;
}

/* RFC 7518 2, Base64urlUInt: the fewest bytes that hold the number. */
static bool read_minimal(const struct json_value *jwk, struct str name, unsigned char *out_bytes,
                         size_t max_bytes, size_t *out_len)
{
    return read_bytes(jwk, name, out_bytes, max_bytes, out_len) && *out_len > 0 &&
           out_bytes[0] != 0;
}

static bool read_key_members(const struct json_value *jwk, struct public_key *key)
{
    if (member_is(jwk, STR("kty"), STR("EC")) && member_is(jwk, STR("crv"), STR("P-256"))) {
        key->kind = SIGNER_ES256;
        return read_exactly(jwk, STR("x"), P256_BYTES, key->x) &&
               read_exactly(jwk, STR("y"), P256_BYTES, key->y);
    }
    if (member_is(jwk, STR("kty"), STR("OKP")) && member_is(jwk, STR("crv"), STR("Ed25519"))) {
        key->kind = SIGNER_EDDSA;
        return read_exactly(jwk, STR("x"), ED25519_BYTES, key->x);
    }
    if (member_is(jwk, STR("kty"), STR("RSA"))) {
        key->kind = member_is(jwk, STR("alg"), STR("PS256")) ? SIGNER_PS256 : SIGNER_RS256;
        return read_minimal(jwk, STR("n"), key->n, sizeof(key->n), &key->n_bytes) &&
               read_minimal(jwk, STR("e"), key->e, sizeof(key->e), &key->e_bytes);
    }
    return false;
}

enum rc jwk_read_public(const struct json_value *jwk, struct public_key *out_key)
{
    struct public_key key = { 0 };

    /* RFC 8725 3.1: a key is for one algorithm. */
    if (!json_is_object(jwk) || has_private_member(jwk) || !read_key_members(jwk, &key) ||
        !member_allows(jwk, STR("alg"), jose_alg_format(key.kind)) ||
        !member_allows(jwk, STR("use"), STR("sig")) || !operations_allow_verify(jwk))
        return RC_INVALID;
    *out_key = key;
    return RC_OK;
}

enum rc jwk_parse_public(struct str json, struct public_key *out_key)
{
    struct json_document *document = NULL;
    enum rc rc;

    rc = json_parse(json, &document);
    if (rc != RC_OK)
        return rc;
    rc = jwk_read_public(json_root(document), out_key);
    json_document_free(document);
    return rc;
}
