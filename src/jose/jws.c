#include "base/limits.h"
#include "codec/base64url.h"
#include "codec/json.h"
#include "jose/jose.h"

/* Our own headers: alg, typ and a kid are below 200 bytes; a kid may be as long as a client's. */
enum { HEADER_BYTES_MAX = 2048 };

/* ---- signing ---- */

static enum rc append_signed(const struct signer *signer, enum signer_kind kind, struct str typ,
                             struct str kid, struct str payload, struct buffer *compact)
{
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    char memory[HEADER_BYTES_MAX];
    struct buffer header = buffer_over(memory, sizeof(memory));
    struct json_out json = json_out_over(&header);
    size_t start = compact->len;
    size_t signature_bytes = 0;
    enum rc rc;

    json_begin_object(&json);
    json_member_string(&json, STR("alg"), jose_alg_format(kind));
    if (typ.len > 0)
        json_member_string(&json, STR("typ"), typ);
    if (kid.len > 0)
        json_member_string(&json, STR("kid"), kid);
    json_end_object(&json);
    base64url_encode(buffer_str(&header), compact);
    buffer_append_byte(compact, '.');
    base64url_encode(payload, compact);
    if (header.overflow || compact->overflow)
        return RC_TOO_LARGE;
    /* RFC 7515 5.1: the signing input is both texts and the dot between them. */
    rc = signer_sign(signer, (struct str){ compact->at + start, compact->len - start }, signature,
                     &signature_bytes);
    if (rc != RC_OK)
        return rc;
    buffer_append_byte(compact, '.');
    base64url_encode((struct str){ (const char *)signature, signature_bytes }, compact);
    return compact->overflow ? RC_TOO_LARGE : RC_OK;
}

enum rc jws_sign(const struct signer *signer, struct str typ, struct str kid, struct str payload,
                 struct buffer *out_compact)
{
    struct buffer compact = *out_compact;
    enum rc rc = append_signed(signer, signer_kind(signer), typ, kid, payload, &compact);

    if (rc == RC_OK)
        *out_compact = compact;
    return rc;
}

/* ---- parsing ---- */

static enum rc decode_into(struct arena *arena, struct str text, struct str *out_bytes)
{
    size_t max_bytes = text.len / 4 * 3 + 2;
    struct buffer bytes = buffer_over(arena_alloc(arena, max_bytes), max_bytes);

    if (base64url_decode(text, &bytes) != RC_OK)
        return RC_INVALID;
    *out_bytes = buffer_str(&bytes);
    return RC_OK;
}

/* A header member that must be a string when it is there; empty when it is not. */
static bool read_string(const struct json_value *header, struct str name, struct arena *arena,
                        struct str *out_text)
{
    const struct json_value *member = json_find(header, name);
    struct str text = { NULL, 0 };

    if (member != NULL && json_get_string(member, &text) != RC_OK)
        return false;
    *out_text = arena_copy(arena, text);
    return true;
}

static bool has_refused_member(const struct json_value *header, bool may_have_key)
{
    /* RFC 7515 4.1.11: we know no extension, and b64 (RFC 7797) is one, crit or not.
     * RFC 8725 3.10: keys come from those we trust, never from the token. */
    static const struct str names[] = { { "crit", 4 }, { "b64", 3 }, { "jku", 3 },
                                        { "x5c", 3 },  { "x5u", 3 }, { "zip", 3 } };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_find(header, names[i]) != NULL)
            return true;
    }
    return !may_have_key && json_find(header, STR("jwk")) != NULL;
}

/* An RSA key that does not say for which of two algorithms it is, is for the header's. */
static enum rc read_key(const struct json_value *jwk, struct str alg, struct public_key *out_key)
{
    enum rc rc = jwk_read_public(jwk, out_key);

    if (rc == RC_OK && out_key->kind == SIGNER_RS256 && json_find(jwk, STR("alg")) == NULL &&
        str_equal(alg, jose_alg_format(SIGNER_PS256)))
        out_key->kind = SIGNER_PS256;
    return rc;
}

/* out_key  NULL: there may be none; else there has to be one */
static enum rc parse_header(struct str text, struct arena *arena, struct jws *jws,
                            struct public_key *out_key)
{
    struct json_document *document = NULL;
    const struct json_value *header;
    enum rc rc;

    /* json_parse refuses duplicate members: RFC 7515 4 */
    rc = json_parse(text, &document);
    if (rc != RC_OK)
        return rc;
    header = json_root(document);
    if (!json_is_object(header) || has_refused_member(header, out_key != NULL) ||
        !read_string(header, STR("alg"), arena, &jws->alg) || jws->alg.len == 0 ||
        !read_string(header, STR("typ"), arena, &jws->typ) ||
        !read_string(header, STR("kid"), arena, &jws->kid))
        rc = RC_INVALID;
    if (rc == RC_OK && out_key != NULL)
        rc = read_key(json_find(header, STR("jwk")), jws->alg, out_key);
    json_document_free(document);
    return rc;
}

static enum rc parse_compact(struct str compact, struct arena *arena, struct jws *out_jws,
                             struct public_key *out_key)
{
    struct str header_text, header, payload_text, signature_text, rest;
    struct jws jws = { 0 };
    size_t dot;
    enum rc rc;

    if (compact.len > TOKEN_VALUE_BYTES_MAX)
        return RC_INVALID;
    dot = str_index_of(compact, '.');
    if (dot == compact.len)
        return RC_INVALID;
    header_text = (struct str){ compact.at, dot };
    rest = str_from(compact, dot + 1);
    dot = str_index_of(rest, '.');
    if (dot == rest.len)
        return RC_INVALID;
    payload_text = (struct str){ rest.at, dot };
    /* A further dot is no base64url: five segments are refused like any stray byte. */
    signature_text = str_from(rest, dot + 1);
    jws.signing_input = (struct str){ compact.at, header_text.len + 1 + payload_text.len };
    /* RFC 8725 3.2: an unsecured JWS, whose signature is empty, is none for us. */
    if (signature_text.len == 0 || decode_into(arena, header_text, &header) != RC_OK ||
        decode_into(arena, payload_text, &jws.payload) != RC_OK ||
        decode_into(arena, signature_text, &jws.signature) != RC_OK)
        return RC_INVALID;
    rc = parse_header(header, arena, &jws, out_key);
    if (rc == RC_OK)
        *out_jws = jws;
    return rc;
}

enum rc jws_parse(struct str compact, struct arena *arena, struct jws *out_jws)
{
    return parse_compact(compact, arena, out_jws, NULL);
}

enum rc jws_parse_proof(struct str compact, struct arena *arena, struct jws *out_jws,
                        struct public_key *out_key)
{
    return parse_compact(compact, arena, out_jws, out_key);
}

/* ---- verifying ---- */

enum rc jws_verify_with(const struct jws *jws, const struct verifier *verifier)
{
    /* RFC 8725 3.1: the key says which algorithm, the token can only agree. */
    if (!str_equal(jws->alg, jose_alg_format(verifier_kind(verifier))))
        return RC_REFUSED;
    return verifier_verify(verifier, jws->signing_input, jws->signature);
}

enum rc jws_verify(const struct jws *jws, const struct public_key *key)
{
    struct verifier *verifier = NULL;
    enum rc rc;

    if (!str_equal(jws->alg, jose_alg_format(key->kind)) || verifier_new(key, &verifier) != RC_OK)
        return RC_REFUSED;
    rc = jws_verify_with(jws, verifier);
    verifier_free(verifier);
    return rc;
}
