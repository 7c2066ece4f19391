#include "oauth/proof_check.h"

#include "codec/base64url.h"
#include "codec/json.h"
#include "codec/uri.h"
#include "jose/jose.h"

enum { NONCE_BYTES = 16, NONCE_TEXT_BYTES = 22, URI_BYTES_MAX = 4096 };

static const struct str nonce_label = { "dpop nonce", 10 };

static enum rc refuse_proof(struct oauth_call *call, const char *description)
{
    return oauth_refuse(call, OAUTH_INVALID_PROOF, description, NULL);
}

/* ---- nonces ---------------------------------------------------------------------------------- */

/* Those of before a restoration of the store are not good any more. */
static void format_nonce(const struct oauth_call *call, int64_t at,
                         char out_text[static NONCE_TEXT_BYTES])
{
    const int64_t message[] = { at / PROOF_NONCE_S, call->oauth->proofs->restored_at };
    struct buffer text = buffer_over(out_text, NONCE_TEXT_BYTES);
    unsigned char mac[SHA256_BYTES];

    hmac_sha256(call->oauth->proofs->nonce_key, nonce_label,
                (struct str){ (const char *)message, sizeof(message) }, mac);
    base64url_encode((struct str){ (const char *)mac, NONCE_BYTES }, &text);
    ASSERT(!text.overflow);
}

void proof_offer_nonce(struct oauth_call *call)
{
    char text[NONCE_TEXT_BYTES];

    format_nonce(call, call->now, text);
    call->dpop_nonce = arena_copy(call->arena, (struct str){ text, sizeof(text) });
}

/* The newest, the one before, and the next one, which a node has whose clock is a little ahead. */
static bool is_good_nonce(const struct oauth_call *call, struct str nonce)
{
    const int64_t moments[] = { call->now, call->now - PROOF_NONCE_S, call->now + PROOF_SKEW_S };
    char text[NONCE_TEXT_BYTES];

    if (nonce.len != sizeof(text))
        return false;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        format_nonce(call, moments[i], text);
        if (secret_bytes_equal(text, nonce.at, sizeof(text)))
            return true;
    }
    return false;
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* Views of the document. What is absent is empty. */
struct claims {
    struct str jti, htm, htu, nonce, ath;
    bool has_nonce;
    int64_t iat;
};

/* Absent is fine; another type is not. */
static bool read_text(const struct json_value *object, struct str name, struct str *out_text)
{
    const struct json_value *member = json_find(object, name);

    return member == NULL || json_get_string(member, out_text) == RC_OK;
}

/* Check 3: all that is required is there (RFC 9449 4.2), and of its type. */
static bool read_claims(const struct json_value *object, struct claims *out_claims)
{
    struct claims claims = { .has_nonce = json_find(object, STR("nonce")) != NULL };

    if (!json_is_object(object) || !read_text(object, STR("jti"), &claims.jti) ||
        !read_text(object, STR("htm"), &claims.htm) ||
        !read_text(object, STR("htu"), &claims.htu) ||
        !read_text(object, STR("nonce"), &claims.nonce) ||
        !read_text(object, STR("ath"), &claims.ath) ||
        json_get_number(json_find(object, STR("iat")), &claims.iat) != RC_OK)
        return false;
    if (claims.jti.len == 0 || claims.jti.len > PROOF_JTI_BYTES_MAX || claims.htm.len == 0 ||
        claims.htu.len == 0)
        return false;
    *out_claims = claims;
    return true;
}

static bool is_same_uri(struct str a, struct str b)
{
    char memory[2][URI_BYTES_MAX];
    struct buffer one = buffer_over(memory[0], URI_BYTES_MAX);
    struct buffer other = buffer_over(memory[1], URI_BYTES_MAX);

    return uri_normalise(a, &one) == RC_OK && uri_normalise(b, &other) == RC_OK &&
           str_equal(buffer_str(&one), buffer_str(&other));
}

static bool is_hash_of(struct str ath, struct str token)
{
    char memory[BASE64URL_TEXT_BYTES(SHA256_BYTES)];
    struct buffer text = buffer_over(memory, sizeof(memory));
    unsigned char digest[SHA256_BYTES];

    digest_sha256(token, digest);
    base64url_encode((struct str){ (const char *)digest, sizeof(digest) }, &text);
    return ath.len == text.len && secret_bytes_equal(ath.at, text.at, text.len);
}

static enum rc check_time(struct oauth_call *call, const struct claims *claims)
{
    if (claims->iat > call->now + PROOF_SKEW_S)
        return refuse_proof(call, "iat is in the future: the clocks differ");
    /* Not iat + a constant: iat is anybody's number. */
    if (claims->iat < call->now - PROOF_AGE_S_MAX)
        return refuse_proof(call, "iat is too long ago");
    /* RFC 9449 11.1: which of them were seen is not known. */
    if (claims->iat <= call->oauth->proofs->restored_at)
        return refuse_proof(call, "iat is before the server was restored from a backup");
    return RC_OK;
}

/*
 * RFC 9449 8 and 9: once a nonce was offered it has to be right, and it may be asked for. It is
 * where the store was just restored: a proof of before, of a clock that is ahead, is not known by
 * its time.
 */
static enum rc check_nonce(struct oauth_call *call, const struct claims *claims)
{
    const struct proof_book *book = call->oauth->proofs;
    bool asks_nonce = book->asks_nonce || claims->iat <= book->restored_at + PROOF_SKEW_S;

    if (claims->has_nonce ? is_good_nonce(call, claims->nonce) : !asks_nonce)
        return RC_OK;
    return oauth_refuse(call, OAUTH_USE_NONCE, "use the nonce of the header DPoP-Nonce",
                        claims->has_nonce ? "an old or unknown nonce" : NULL);
}

/* Checks 8 to 12. The key comes last: before it nothing says whose proof this is. */
static enum rc check_claims(struct oauth_call *call, const struct claims *claims,
                            const struct proof_demand *demand, const unsigned char *thumbprint)
{
    const struct proof_presented *presented = &call->proof;
    enum rc rc;

    if (!str_equal(claims->htm, presented->method)) /* RFC 9449 4.3, 8; methods have case */
        return refuse_proof(call, "htm is not the method of this request");
    if (presented->uri.len == 0)
        return oauth_refuse(call, OAUTH_INVALID_PROOF, "htu is not the address of this request",
                            "the proxy does not say which address was asked for");
    if (!is_same_uri(claims->htu, presented->uri)) /* RFC 9449 4.3, 9 */
        return refuse_proof(call, "htu is not the address of this request");
    rc = check_time(call, claims); /* RFC 9449 4.3, 11 and 11.1 */
    if (rc == RC_OK)
        rc = check_nonce(call, claims); /* RFC 9449 4.3, 10 */
    if (rc != RC_OK)
        return rc;
    if (demand->token != NULL && !is_hash_of(claims->ath, *demand->token)) /* RFC 9449 4.3, 12a */
        return refuse_proof(call, "ath is not the hash of the access token");
    if (demand->thumbprint != NULL && /* RFC 9449 4.3, 12b */
        !secret_bytes_equal(demand->thumbprint, thumbprint, DIGEST_BYTES))
        return oauth_refuse(call, OAUTH_INVALID_TOKEN, "the token is bound to another key", NULL);
    return RC_OK;
}

/* ---- the proof ------------------------------------------------------------------------------- */

/* Whose jti it is and itself. The length of the first is fixed. */
static void digest_seen(const unsigned char *thumbprint, struct str jti,
                        unsigned char out_digest[static DIGEST_BYTES])
{
    char memory[DIGEST_BYTES + PROOF_JTI_BYTES_MAX];
    struct buffer both = buffer_over(memory, sizeof(memory));

    buffer_append(&both, thumbprint, DIGEST_BYTES);
    buffer_append_str(&both, jti);
    ASSERT(!both.overflow);
    digest_sha256(buffer_str(&both), out_digest);
}

static enum rc check_payload(struct oauth_call *call, struct str payload,
                             const struct proof_demand *demand, struct proof *proof)
{
    struct json_document *document = NULL;
    struct claims claims;
    enum rc rc = json_parse(payload, &document);

    if (rc == RC_INVALID)
        return refuse_proof(call, "its claims are no JSON object");
    if (rc != RC_OK)
        return rc;
    if (read_claims(json_root(document), &claims)) {
        rc = check_claims(call, &claims, demand, proof->thumbprint);
        digest_seen(proof->thumbprint, claims.jti, proof->seen_digest);
        proof->seen_until = call->now + PROOF_AGE_S_MAX + 2 * PROOF_SKEW_S;
    } else {
        rc = refuse_proof(call, "jti, htm, htu and iat are needed");
    }
    json_document_free(document);
    return rc;
}

/* Checks 1 to 7. */
static enum rc check_signature(struct oauth_call *call, struct jws *out_jws,
                               struct public_key *out_key)
{
    const struct proof_presented *presented = &call->proof;
    enum rc rc;

    if (presented->proof_count > 1) /* RFC 9449 4.3, 1 */
        return refuse_proof(call, "more than one header DPoP");
    if (presented->proof.len > PROOF_BYTES_MAX)
        return refuse_proof(call, "it is too long");
    /* RFC 9449 4.3, 2, 3 and 7: strictly, with a jwk that is public and of a kind of ours */
    rc = jws_parse_proof(presented->proof, call->arena, out_jws, out_key);
    if (rc == RC_INVALID)
        return refuse_proof(call, "it is no signed JWT with a public key of ours to verify it");
    if (rc != RC_OK)
        return rc;
    if (!str_equal(out_jws->typ, STR("dpop+jwt"))) /* RFC 9449 4.3, 4 */
        return refuse_proof(call, "typ is not dpop+jwt");
    /* FAPI 2.0 Security Profile 5.4.1 */
    if (call->is_fapi && str_equal(out_jws->alg, STR("RS256")))
        return refuse_proof(call, "RS256 is not for clients of the FAPI 2.0 profile");
    /* RFC 9449 4.3, 5 and 6: the key says which algorithm, and all of ours are asymmetric */
    rc = jws_verify(out_jws, out_key);
    return rc == RC_REFUSED ? refuse_proof(call, "its signature is wrong") : rc;
}

enum rc proof_check(struct oauth_call *call, const struct proof_demand *demand,
                    struct proof *out_proof)
{
    struct public_key key;
    struct proof proof;
    struct jws jws;
    enum rc rc;

    /* RFC 9449 8.2: whoever sends proofs is told what the next one may carry, also when this one is
     * refused. */
    proof_offer_nonce(call);
    rc = check_signature(call, &jws, &key);
    if (rc != RC_OK)
        return rc;
    jwk_thumbprint_digest(&key, proof.thumbprint);
    rc = check_payload(call, jws.payload, demand, &proof);
    if (rc == RC_OK)
        *out_proof = proof;
    return rc;
}
