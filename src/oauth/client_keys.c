#include "oauth/client_keys.h"

#include "codec/json.h"
#include "oauth/fetcher.h"

enum { TRY_COUNT_MAX = 32 }; /* bounds the work of a JWT that names no key */

_Static_assert((int)CLIENT_KEYS_BYTES_MAX >= (int)FETCHER_BYTES_MAX, "a fetched set fits");

/* What a key set says to a JWT. */
enum match {
    MATCH_NONE, /* no key of it could have signed this */
    MATCH_WRONG,
    MATCH_RIGHT
};

static bool alg_is_allowed(const struct client *client, struct str name, bool has_alg,
                           enum signing_alg wanted)
{
    enum signing_alg alg;

    /* RFC 8725 3.1, 3.2: a list of ours, and none is not in it. */
    if (signing_alg_parse_client(name, &alg) != RC_OK)
        return false;
    if (has_alg && alg != wanted)
        return false;
    /* KY-03. FAPI 2.0 Security Profile 5.4.1 */
    return alg != ALG_RS256 || !client_is_fapi(client);
}

/* A key as it would have to be for this JWT; false when it is another's. */
static bool read_key(const struct json_value *jwk, const struct jws *jws, struct public_key *key)
{
    struct str kid;

    /* RFC 7515 4.1.4: by name where both have one. */
    if (jws->kid.len > 0 && json_get_string(json_find(jwk, STR("kid")), &kid) == RC_OK &&
        !str_equal(kid, jws->kid))
        return false;
    if (jwk_read_public(jwk, key) != RC_OK)
        return false;
    /* An RSA key that does not say what it is for may be for either. */
    if (key->kind == SIGNER_RS256 && json_find(jwk, STR("alg")) == NULL &&
        str_equal(jws->alg, STR("PS256")))
        key->kind = SIGNER_PS256;
    return str_equal(jws->alg, jose_alg_format(key->kind));
}

static enum rc try_set(struct str set, const struct jws *jws, enum match *out_match)
{
    struct json_document *document = NULL;
    const struct json_value *keys;
    struct public_key key;
    size_t try_count = 0;
    enum rc rc = json_parse(set, &document);

    *out_match = MATCH_NONE;
    if (rc != RC_OK)
        return rc == RC_INVALID ? RC_OK : rc;
    keys = json_find(json_root(document), STR("keys"));
    if (!json_is_array(keys))
        keys = NULL;
    for (size_t i = 0; keys != NULL && i < json_count(keys) && *out_match != MATCH_RIGHT; i++) {
        if (!read_key(json_item(keys, i), jws, &key))
            continue;
        if (++try_count > TRY_COUNT_MAX)
            break;
        *out_match = jws_verify(jws, &key) == RC_OK ? MATCH_RIGHT : MATCH_WRONG;
    }
    json_document_free(document);
    return RC_OK;
}

static enum rc try_fetched(struct oauth_call *call, const struct client_metadata *metadata,
                           int64_t max_age_s, const struct jws *jws, enum match *out_match)
{
    size_t mark = call->arena->used_bytes;
    struct str set;
    enum rc rc = fetcher_get(call->oauth->fetcher, metadata->jwks_uri, max_age_s, call->now,
                             call->arena, &set);

    if (rc == RC_NOT_FOUND) {
        *out_match = MATCH_NONE;
        return RC_OK;
    }
    if (rc == RC_OK)
        rc = try_set(set, jws, out_match);
    arena_rewind(call->arena, mark);
    return rc;
}

enum rc client_keys_verify(struct oauth_call *call, const struct client *client,
                           const struct client_metadata *metadata, struct str jwt, bool has_alg,
                           enum signing_alg alg, struct jws *out_jws)
{
    enum match match = MATCH_NONE;
    struct jws jws;
    enum rc rc = jws_parse(jwt, call->arena, &jws);

    if (rc != RC_OK)
        return rc == RC_INVALID ? RC_REFUSED : rc;
    if (!alg_is_allowed(client, jws.alg, has_alg, alg))
        return RC_REFUSED;
    if (metadata->jwks.len > 0) {
        rc = try_set(metadata->jwks, &jws, &match);
    } else if (metadata->jwks_uri.len > 0 && call->oauth->fetcher != NULL) {
        if (!call->may_block)
            return RC_WOULD_BLOCK;
        rc = try_fetched(call, metadata, CLIENT_KEYS_LIFE_S, &jws, &match);
        if (rc == RC_OK && match == MATCH_NONE) /* it may be a new one */
            rc = try_fetched(call, metadata, CLIENT_KEYS_PAUSE_S, &jws, &match);
    }
    if (rc != RC_OK)
        return rc;
    if (match != MATCH_RIGHT)
        return RC_REFUSED;
    *out_jws = jws;
    return RC_OK;
}

/* The same certificate as it stands in a JWK: the first of x5c, or its thumbprint. */
static bool key_has_certificate(const struct json_value *jwk, struct str base64,
                                struct str thumbprint)
{
    struct str text;

    if (json_get_string(json_item(json_find(jwk, STR("x5c")), 0), &text) == RC_OK)
        return str_equal(text, base64); /* tidy: public */
    return json_get_string(json_find(jwk, STR("x5t#S256")), &text) == RC_OK &&
           str_equal(text, thumbprint);
}

static enum rc look_for_certificate(struct str set, struct str base64, struct str thumbprint,
                                    bool *out_has)
{
    struct json_document *document = NULL;
    const struct json_value *keys;
    enum rc rc = json_parse(set, &document);

    *out_has = false;
    if (rc != RC_OK)
        return rc == RC_INVALID ? RC_OK : rc;
    keys = json_find(json_root(document), STR("keys"));
    for (size_t i = 0; json_is_array(keys) && i < json_count(keys) && !*out_has; i++)
        *out_has = key_has_certificate(json_item(keys, i), base64, thumbprint);
    json_document_free(document);
    return RC_OK;
}

enum rc client_keys_find_certificate(struct oauth_call *call,
                                     const struct client_metadata *metadata, struct str base64,
                                     struct str thumbprint)
{
    static const int64_t ages_s[] = { CLIENT_KEYS_LIFE_S, CLIENT_KEYS_PAUSE_S };
    size_t mark = call->arena->used_bytes;
    bool has = false;
    enum rc rc = RC_OK;

    if (metadata->jwks.len > 0) {
        rc = look_for_certificate(metadata->jwks, base64, thumbprint, &has);
    } else if (metadata->jwks_uri.len > 0 && call->oauth->fetcher != NULL) {
        if (!call->may_block)
            return RC_WOULD_BLOCK;
        for (size_t i = 0; rc == RC_OK && !has && i < 2; i++) {
            struct str set;

            rc = fetcher_get(call->oauth->fetcher, metadata->jwks_uri, ages_s[i], call->now,
                             call->arena, &set);
            if (rc == RC_OK)
                rc = look_for_certificate(set, base64, thumbprint, &has);
            else if (rc == RC_NOT_FOUND)
                rc = RC_OK;
            arena_rewind(call->arena, mark);
        }
    }
    if (rc != RC_OK)
        return rc;
    return has ? RC_OK : RC_REFUSED;
}
