#include "oauth/id_token.h"

#include "codec/base64url.h"
#include "codec/uri.h"
#include "crypto/digest.h"

enum {
    ID_TOKEN_LIFETIME_S = 3600,
    ID_TOKEN_CLAIMS_BYTES_MAX = TOKEN_VALUE_BYTES_MAX * 11 / 16, /* and a signature */
    HASH_TEXT_BYTES_MAX = BASE64URL_TEXT_BYTES(SHA512_BYTES)
};

/* ---- subjects -------------------------------------------------------------------------------- */

static struct str encode(struct arena *arena, const unsigned char *bytes, size_t len)
{
    struct buffer text = buffer_over(arena_alloc(arena, HASH_TEXT_BYTES_MAX), HASH_TEXT_BYTES_MAX);

    base64url_encode((struct str){ (const char *)bytes, len }, &text);
    return buffer_str(&text);
}

/* Core 8.1: the host of sector_identifier_uri, or of the redirect URIs, which the registration saw
 * to be one where there is no sector_identifier_uri. */
static struct str sector_of(const struct client *client, const struct client_metadata *metadata)
{
    struct str text = metadata->sector_identifier_uri;
    struct uri uri;

    if (text.len == 0)
        text = (struct str){ client->redirect_uris.at, str_index_of(client->redirect_uris, '\n') };
    if (uri_parse(text, &uri) != RC_OK || uri.host.len == 0)
        return client->client_id;
    return uri.host;
}

struct str subject_of(struct oauth_call *call, const struct client *client,
                      const struct client_metadata *metadata, int64_t account_id)
{
    unsigned char mac[SHA256_BYTES];
    struct str sector;

    if ((client->policy & CLIENT_IS_PAIRWISE) == 0)
        return arena_format(call->arena, "account:%lld", (long long)account_id);
    sector = sector_of(client, metadata);
    hmac_sha256(call->oauth->subject_key, STR("pairwise subject:"),
                arena_format(call->arena, "%lld:%.*s", (long long)account_id, STR_ARGS(sector)),
                mac);
    return encode(call->arena, mac, sizeof(mac));
}

bool subject_is(struct oauth_call *call, const struct client *client,
                const struct client_metadata *metadata, int64_t account_id, struct str subject)
{
    return str_equal(subject_of(call, client, metadata, account_id), subject);
}

struct str sid_of(struct oauth_call *call, int64_t login_id)
{
    unsigned char mac[SHA256_BYTES];

    hmac_sha256(call->oauth->subject_key, STR("session:"),
                arena_format(call->arena, "%lld", (long long)login_id), mac);
    return encode(call->arena, mac, sizeof(mac));
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Core 3.1.3.6: the left half of the hash that goes with the algorithm; Ed25519's is SHA-512 (RFC
 * 8032 5.1). */
static struct str at_hash(struct oauth_call *call, enum signing_alg alg, struct str access_token)
{
    unsigned char digest[SHA512_BYTES];

    if (alg == ALG_EDDSA) {
        digest_sha512(access_token, digest);
        return encode(call->arena, digest, SHA512_BYTES / 2);
    }
    digest_sha256(access_token, digest);
    return encode(call->arena, digest, SHA256_BYTES / 2);
}

static void format_claims(struct oauth_call *call, const struct id_token *id_token,
                          struct str audience, struct buffer *to)
{
    const struct authorization *authorization = id_token->authorization;
    struct json_out json = json_out_over(to);

    json_begin_object(&json);
    json_member_string(&json, STR("iss"), call->oauth->issuer);
    json_member_string(
        &json, STR("sub"),
        authorization->subject.len > 0
            ? authorization->subject
            : subject_of(call, id_token->client, id_token->metadata, authorization->account_id));
    json_member_string(&json, STR("aud"), audience);
    json_member_string(&json, STR("azp"), audience);
    json_member_number(&json, STR("exp"), call->now + ID_TOKEN_LIFETIME_S);
    json_member_number(&json, STR("iat"), call->now);
    json_member_number(&json, STR("auth_time"), authorization->auth_time);
    if (id_token->has_nonce && authorization->nonce.len > 0) /* CP-11 */
        json_member_string(&json, STR("nonce"), authorization->nonce);
    if (authorization->acr.len > 0)
        json_member_string(&json, STR("acr"), authorization->acr);
    if (authorization->amr.len > 0)
        json_member_words(&json, STR("amr"), authorization->amr);
    if (authorization->sid.len > 0)
        json_member_string(&json, STR("sid"), authorization->sid);
    if (id_token->access_token.len > 0)
        json_member_string(&json, STR("at_hash"),
                           at_hash(call, id_token->metadata->id_token_alg, id_token->access_token));
    claims_format(id_token->account, id_token->scope, authorization->claims, CLAIMS_ID_TOKEN,
                  call->arena, &json);
    json_end_object(&json);
}

enum rc id_token_make(struct oauth_call *call, const struct id_token *id_token, struct str *out_jwt)
{
    struct buffer claims =
        buffer_over(arena_alloc(call->arena, ID_TOKEN_CLAIMS_BYTES_MAX), ID_TOKEN_CLAIMS_BYTES_MAX);
    struct buffer jwt =
        buffer_over(arena_alloc(call->arena, TOKEN_VALUE_BYTES_MAX), TOKEN_VALUE_BYTES_MAX);
    enum rc rc;

    format_claims(call, id_token, id_token->client->client_id, &claims);
    if (claims.overflow)
        return RC_TOO_LARGE;
    rc = token_sign(call->oauth->tokens, id_token->metadata->id_token_alg, STR("JWT"),
                    buffer_str(&claims), call->now, &jwt);
    if (rc == RC_OK)
        *out_jwt = buffer_str(&jwt);
    return rc;
}

/* ---- reading a hint -------------------------------------------------------------------------- */

static struct str take(const struct json_value *claims, struct str name, struct arena *arena)
{
    struct str text;

    return json_get_string(json_find(claims, name), &text) == RC_OK ? arena_copy(arena, text)
                                                                    : STR("");
}

/* What only ID tokens of ours have together: access tokens are of another type or have no issuer,
 * and what else is signed for clients says nothing of when somebody was authenticated. */
static bool is_id_token(const struct json_value *claims, struct str issuer, struct arena *arena)
{
    int64_t number;

    return str_equal(take(claims, STR("iss"), arena), issuer) &&
           json_get_number(json_find(claims, STR("auth_time")), &number) == RC_OK &&
           json_get_number(json_find(claims, STR("exp")), &number) == RC_OK &&
           json_find(claims, STR("azp")) != NULL && json_find(claims, STR("jti")) == NULL;
}

enum rc id_token_hint_read(struct oauth_call *call, struct str jwt, struct id_token_hint *out_hint)
{
    struct json_document *document;
    struct id_token_hint hint;
    struct jws jws;
    enum rc rc = token_verify_own(call->oauth->tokens, jwt, call->now, call->arena, &jws);

    if (rc != RC_OK)
        return rc;
    if (!str_equal(jws.typ, STR("JWT"))) /* RFC 8725 3.11 */
        return RC_NOT_FOUND;
    rc = json_parse(jws.payload, &document);
    if (rc != RC_OK)
        return rc == RC_INVALID ? RC_NOT_FOUND : rc;
    hint = (struct id_token_hint){ .subject = take(json_root(document), STR("sub"), call->arena),
                                   .audience = take(json_root(document), STR("aud"), call->arena),
                                   .sid = take(json_root(document), STR("sid"), call->arena) };
    if (!is_id_token(json_root(document), call->oauth->issuer, call->arena) ||
        hint.subject.len == 0 || hint.audience.len == 0)
        rc = RC_NOT_FOUND;
    json_document_free(document);
    if (rc == RC_OK)
        *out_hint = hint;
    return rc;
}
