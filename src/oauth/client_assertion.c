#include "codec/json.h"
#include "crypto/digest.h"
#include "oauth/client_auth.h"
#include "oauth/client_keys.h"
#include "store/shared.h"

enum { JTI_BYTES_MAX = 256, ISSUER_PATH_BYTES_MAX = 512 };

/* What an assertion says; views into its document. */
struct claims {
    struct str issuer;
    struct str subject;
    struct str jti;
    int64_t expires_at;
};

enum rc client_assertion_read(struct oauth_call *call, struct str assertion,
                              struct str *out_client_id)
{
    size_t mark = call->arena->used_bytes;
    char memory[CLIENT_ID_BYTES_MAX];
    struct json_document *document = NULL;
    struct str subject = { NULL, 0 };
    struct jws jws;
    enum rc rc = jws_parse(assertion, call->arena, &jws);

    if (rc == RC_OK)
        rc = json_parse(jws.payload, &document);
    if (rc == RC_OK) {
        rc = json_get_string(json_find(json_root(document), STR("sub")), &subject);
        rc = rc == RC_OK && subject.len > 0 && subject.len <= sizeof(memory) ? RC_OK : RC_INVALID;
    }
    if (rc == RC_OK)
        memcpy(memory, subject.at, subject.len);
    subject.at = memory;
    json_document_free(document);
    arena_rewind(call->arena, mark);
    if (rc == RC_OK)
        *out_client_id = arena_copy(call->arena, subject);
    return rc;
}

/* RFC 7519 2: a NumericDate may have a fraction, which says nothing here. */
static bool read_date(const struct json_value *value, struct arena *arena, int64_t *out_date)
{
    struct str text;
    uint64_t number;

    if (json_get_number(value, out_date) == RC_OK)
        return *out_date >= 0;
    if (json_format_scalar(value, arena, &text) != RC_OK)
        return false;
    text.len = str_index_of(text, '.');
    if (!str_parse_u64(text, INT64_MAX / 2, &number))
        return false;
    *out_date = (int64_t)number;
    return true;
}

/* A moment that must not lie in the future, when it is there at all. */
static bool has_begun(const struct json_value *root, struct str name, struct oauth_call *call)
{
    const struct json_value *value = json_find(root, name);
    int64_t at;

    return value == NULL ||
           (read_date(value, call->arena, &at) && at <= call->now + CLIENT_ASSERTION_SKEW_S);
}

static bool is_endpoint(const struct oauth_call *call, struct str audience, struct str path)
{
    struct str root = call->oauth->root.len > 0 ? call->oauth->root : call->oauth->issuer;

    return str_starts_with(audience, root) && str_equal(str_from(audience, root.len), path);
}

/*
 * RFC 7523 3 point 3: we are the audience. By FAPI 2.0 (Security Profile 5.3.2.1) as the issuer, in
 * a string; other clients may still name the endpoint, or send an array of one (RFC 7519 4.1.3,
 * RFC 9126 2).
 */
static bool is_for_us(const struct oauth_call *call, const struct client *client,
                      const struct json_value *value)
{
    bool is_fapi = client_is_fapi(client);
    struct str audience;

    if (json_is_array(value) && !is_fapi && json_count(value) == 1)
        value = json_item(value, 0);
    if (json_get_string(value, &audience) != RC_OK)
        return false;
    if (str_equal(audience, call->oauth->issuer))
        return true;
    return !is_fapi && (is_endpoint(call, audience, STR("/oauth2/token")) ||
                        is_endpoint(call, audience, STR("/oauth2/par")));
}

/*
 * Whether it may have been used before the store was restored: what was seen then is not known. A
 * client's clock may be ahead.
 */
static bool is_from_before(const struct json_value *root, int64_t expires_at,
                           struct oauth_call *call)
{
    const struct json_value *value = json_find(root, STR("iat"));
    int64_t restored_at = store_restored(call->oauth->store).at;
    int64_t at = expires_at - CLIENT_ASSERTION_LIFE_S_MAX;

    return restored_at != 0 && (value == NULL || read_date(value, call->arena, &at)) &&
           at <= restored_at + CLIENT_ASSERTION_SKEW_S;
}

/* NULL when all is well, else why not. */
static const char *judge(struct oauth_call *call, const struct client *client,
                         const struct json_value *root, struct claims *claims)
{
    if (!json_is_object(root))
        return "assertion: no object";
    if (json_get_string(json_find(root, STR("iss")), &claims->issuer) != RC_OK ||
        !str_equal(claims->issuer, client->client_id)) /* RFC 7523 3 point 1 */
        return "assertion: iss is not the client";
    if (json_get_string(json_find(root, STR("sub")), &claims->subject) != RC_OK ||
        claims->subject.len == 0) /* point 2 */
        return "assertion: no sub";
    if (!is_for_us(call, client, json_find(root, STR("aud"))))
        return "assertion: aud is somebody else";
    if (!read_date(json_find(root, STR("exp")), call->arena, &claims->expires_at))
        return "assertion: no exp"; /* point 4 */
    if (claims->expires_at <= call->now)
        return "assertion: expired";
    /* CA-08: what is remembered of it is forgotten soon. */
    if (claims->expires_at > call->now + CLIENT_ASSERTION_LIFE_S_MAX + CLIENT_ASSERTION_SKEW_S)
        return "assertion: exp is too far away";
    if (!has_begun(root, STR("nbf"), call)) /* point 5 */
        return "assertion: not yet good";
    if (!has_begun(root, STR("iat"), call)) /* point 6 */
        return "assertion: made in the future";
    if (is_from_before(root, claims->expires_at, call))
        return "assertion: made before the server was restored from a backup";
    /* Point 7: we ask for it, or it could be replayed. */
    if (json_get_string(json_find(root, STR("jti")), &claims->jti) != RC_OK ||
        claims->jti.len == 0 || claims->jti.len > JTI_BYTES_MAX)
        return "assertion: no jti";
    return NULL;
}

/* RFC 8725 3.11: what a client signs for another purpose says so by its type. */
static bool is_typed_so(struct str typ, struct str own)
{
    return typ.len == 0 || str_equal_nocase(typ, STR("JWT")) ||
           (own.len > 0 && str_equal_nocase(typ, own));
}

/* One jti is good once, whatever for. */
static void take(struct oauth_call *call, const struct client *client, const struct claims *claims,
                 struct client_grant_assertion *out_taken)
{
    struct str text = arena_format(call->arena, "assertion\n%.*s\n%.*s",
                                   STR_ARGS(client->client_id), STR_ARGS(claims->jti));

    digest_sha256(text, out_taken->digest);
    out_taken->until = claims->expires_at + 1;
    out_taken->subject = arena_copy(call->arena, claims->subject);
}

/* own_typ   that it may have beside JWT and none; empty: none */
static enum rc check(struct oauth_call *call, const struct client *client, struct str assertion,
                     struct str own_typ, struct client_grant_assertion *out_taken,
                     const char **out_why)
{
    struct json_document *document = NULL;
    struct client_metadata metadata;
    struct claims claims = { 0 };
    struct jws jws;
    enum rc rc;

    if (!call->may_block)
        return RC_WOULD_BLOCK; /* in the end its jti is written down */
    rc = client_metadata_read(client, call->arena, &metadata);
    if (rc != RC_OK)
        return rc;
    *out_why = "assertion: no key of the client signed it";
    rc = client_keys_verify(call, client, &metadata, assertion, metadata.has_assertion_alg,
                            metadata.assertion_alg, &jws);
    if (rc != RC_OK)
        return rc;
    *out_why = is_typed_so(jws.typ, own_typ) ? NULL : "assertion: typ is of something else";
    rc = *out_why == NULL ? json_parse(jws.payload, &document) : RC_REFUSED;
    if (rc == RC_INVALID) {
        *out_why = "assertion: no JSON";
        return RC_REFUSED;
    }
    if (rc != RC_OK)
        return rc;
    *out_why = judge(call, client, json_root(document), &claims);
    if (*out_why == NULL)
        take(call, client, &claims, out_taken);
    json_document_free(document);
    return *out_why == NULL ? RC_OK : RC_REFUSED;
}

enum rc client_assertion_check(struct oauth_call *call, const struct client *client,
                               struct str assertion, const char **out_why)
{
    struct client_grant_assertion taken;
    enum rc rc = check(call, client, assertion, STR("client-authentication+jwt"), &taken, out_why);

    if (rc != RC_OK)
        return rc;
    if (!str_equal(taken.subject, client->client_id)) { /* RFC 7523 3 point 2B */
        *out_why = "assertion: sub is not the client";
        return RC_REFUSED;
    }
    memcpy(call->assertion_digest, taken.digest, sizeof(call->assertion_digest));
    call->assertion_until = taken.until;
    call->has_assertion = true;
    return RC_OK;
}

enum rc client_assertion_check_grant(struct oauth_call *call, const struct client *client,
                                     struct str assertion,
                                     struct client_grant_assertion *out_assertion,
                                     const char **out_why)
{
    return check(call, client, assertion, STR(""), out_assertion, out_why);
}
