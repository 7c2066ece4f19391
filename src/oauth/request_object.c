#include "codec/json.h"
#include "oauth/authorization_parts.h"
#include "oauth/client_keys.h"

/*
 * Request objects (RFC 9101). Their claims are the request's parameters, and the only ones. Beyond
 * the signature they have to be meant for us, by this client, and now; and they must not be
 * something else that the client signs (RFC 8725 3.11), an assertion above all.
 */

enum {
    OBJECT_LIFE_S_MAX = 3600, /* from nbf to exp, and of nbf in the past (FAPI 2.0 Message Signing
                                 5.3.1) */
    OBJECT_SKEW_S = 10
};

static enum rc refuse(struct oauth_call *call, const char *description, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_REQUEST_OBJECT, description, why);
}

/* ---- what has to be true of it --------------------------------------------------------------- */

/* RFC 9101 4, 10.8; RFC 8725 3.11: its own type, the general one, or none. */
static bool has_sound_type(const struct jws *jws)
{
    return jws->typ.len == 0 || str_equal_nocase(jws->typ, STR("oauth-authz-req+jwt")) ||
           str_equal_nocase(jws->typ, STR("application/oauth-authz-req+jwt")) ||
           str_equal_nocase(jws->typ, STR("JWT"));
}

static bool is_string(const struct json_value *value, struct str expected)
{
    struct str text;

    return json_get_string(value, &text) == RC_OK && str_equal(text, expected);
}

/* RFC 7519 4.1.3: one string, or an array of them. */
static bool is_for_us(const struct json_value *audience, struct str issuer)
{
    for (size_t i = 0; i < json_count(audience) && json_is_array(audience); i++)
        if (is_string(json_item(audience, i), issuer))
            return true;
    return is_string(audience, issuer);
}

static enum rc check_parties(struct oauth_call *call, const struct client *client, bool is_strict,
                             const struct json_value *claims)
{
    const struct json_value *iss = json_find(claims, STR("iss"));
    const struct json_value *aud = json_find(claims, STR("aud"));

    if (!is_string(json_find(claims, STR("client_id")), client->client_id)) /* RFC 9101 5 */
        return refuse(call, "client_id of the request object is not the client", NULL);
    if (iss != NULL && !is_string(iss, client->client_id))
        return refuse(call, "iss of the request object is not the client", NULL);
    if (aud == NULL ? is_strict : !is_for_us(aud, call->oauth->issuer))
        return refuse(call, "aud of the request object is not this server", NULL);
    if (is_string(json_find(claims, STR("sub")), client->client_id)) /* RFC 9101 10.8 */
        return refuse(call, "sub of the request object is the client", NULL);
    if (json_find(claims, STR("request")) != NULL || json_find(claims, STR("request_uri")) != NULL)
        return refuse(call, "a request object cannot hold another one", NULL); /* RFC 9101 4 */
    return RC_OK;
}

static enum rc check_times(struct oauth_call *call, bool is_strict, const struct json_value *claims)
{
    int64_t exp = INT64_MAX, nbf = 0, now = call->now;
    enum rc has_exp = json_get_number(json_find(claims, STR("exp")), &exp);
    enum rc has_nbf = json_get_number(json_find(claims, STR("nbf")), &nbf);

    if (has_exp == RC_INVALID || has_nbf == RC_INVALID ||
        (is_strict && (has_exp != RC_OK || has_nbf != RC_OK)))
        return refuse(call, "exp or nbf of the request object is missing or malformed", NULL);
    if (exp <= now) /* RFC 7519 4.1.4 */
        return refuse(call, "the request object has expired", NULL);
    if (nbf > now + OBJECT_SKEW_S) /* RFC 7519 4.1.5 */
        return refuse(call, "the request object is not valid yet", NULL);
    if (is_strict && (nbf < now - OBJECT_LIFE_S_MAX || exp - nbf > OBJECT_LIFE_S_MAX))
        return refuse(call, "the request object lives for too long", NULL);
    return RC_OK;
}

/* ---- its claims as parameters ---------------------------------------------------------------- */

/* Claims that are of the JWT, not of the request. */
static bool is_about_jwt(struct str name)
{
    return str_has_word(STR("iss aud exp nbf iat jti sub"), name);
}

static bool add_field(struct form *form, struct str name, struct str value)
{
    if (form->field_count == FORM_FIELD_COUNT_MAX)
        return false;
    form->fields[form->field_count++] = (struct form_field){ name, value };
    return true;
}

/* RFC 9101 4: strings and numbers as they are, structures as JSON; RFC 8707: resource may be an
 * array. */
static bool add_claim(struct form *form, struct str name, const struct json_value *value,
                      struct arena *arena)
{
    struct str text;

    if (json_is_null(value))
        return true;
    if (json_get_string(value, &text) == RC_OK)
        return add_field(form, name, arena_copy(arena, text));
    if (!str_equal(name, STR("resource")) || !json_is_array(value))
        return add_field(form, name, json_format(value, arena));
    for (size_t i = 0; i < json_count(value); i++) {
        if (json_get_string(json_item(value, i), &text) != RC_OK ||
            !add_field(form, name, arena_copy(arena, text)))
            return false;
    }
    return true;
}

static enum rc read_parameters(struct oauth_call *call, const struct json_value *claims,
                               const struct form **out_parameters)
{
    struct form *form = arena_alloc(call->arena, sizeof(*form));

    if (json_count(claims) > FORM_FIELD_COUNT_MAX)
        return refuse(call, "the request object has too many claims", NULL);
    for (size_t i = 0; i < json_count(claims); i++) {
        struct str name;
        const struct json_value *value = json_member(claims, i, &name);

        if (!is_about_jwt(name) &&
            !add_claim(form, arena_copy(call->arena, name), value, call->arena))
            return refuse(call, "a claim of the request object is malformed", NULL);
    }
    *out_parameters = form;
    return RC_OK;
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum rc read_claims(struct oauth_call *call, const struct client *client,
                           const struct json_value *claims, const struct form **out_parameters)
{
    bool is_strict = (client->policy & CLIENT_REQUIRES_SIGNED) != 0;
    enum rc rc;

    if (!json_is_object(claims))
        return refuse(call, "the request object holds no JSON object", NULL);
    rc = check_parties(call, client, is_strict, claims);
    if (rc == RC_OK)
        rc = check_times(call, is_strict, claims);
    return rc == RC_OK ? read_parameters(call, claims, out_parameters) : rc;
}

enum rc request_object_open(struct oauth_call *call, const struct client *client,
                            const struct client_metadata *metadata, struct str jwt,
                            const struct form **out_parameters)
{
    struct json_document *document;
    struct jws jws;
    enum rc rc;

    if (metadata->jwks.len == 0 && metadata->jwks_uri.len == 0)
        return oauth_refuse(call, OAUTH_REQUEST_NOT_SUPPORTED,
                            "the client has no keys to sign a request object with", NULL);
    if (jwt.len > REQUEST_OBJECT_BYTES_MAX)
        return refuse(call, "the request object is too long", NULL);
    rc = client_keys_verify(call, client, metadata, jwt, metadata->has_request_alg,
                            metadata->request_alg, &jws);
    if (rc == RC_REFUSED) /* RFC 9101 6.2 */
        return refuse(call, "the request object is malformed or its signature is wrong",
                      "signature");
    if (rc != RC_OK)
        return rc;
    if (!has_sound_type(&jws))
        return refuse(call, "typ of the request object is not its own", NULL);
    rc = json_parse(jws.payload, &document);
    if (rc == RC_INVALID)
        return refuse(call, "the request object holds no JSON object", NULL);
    if (rc != RC_OK)
        return rc;
    rc = read_claims(call, client, json_root(document), out_parameters);
    json_document_free(document);
    return rc;
}
