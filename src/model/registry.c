#include "model/registry.h"

static const struct str grant_type_texts[GRANT_TYPE_COUNT] = {
    [GRANT_TYPE_PASSWORD] = { "password", 8 },
    [GRANT_TYPE_CLIENT_CREDENTIALS] = { "client_credentials", 18 },
    [GRANT_TYPE_REFRESH_TOKEN] = { "refresh_token", 13 },
    [GRANT_TYPE_AUTHORIZATION_CODE] = { "authorization_code", 18 },
    [GRANT_TYPE_DEVICE_CODE] = { "urn:ietf:params:oauth:grant-type:device_code", 44 },
    [GRANT_TYPE_TOKEN_EXCHANGE] = { "urn:ietf:params:oauth:grant-type:token-exchange", 47 },
    [GRANT_TYPE_JWT_BEARER] = { "urn:ietf:params:oauth:grant-type:jwt-bearer", 43 },
};

static const struct str binding_kind_texts[BINDING_KIND_COUNT] = {
    [BINDING_NONE] = { "", 0 },
    [BINDING_DPOP] = { "jkt", 3 },
    [BINDING_TLS] = { "x5t#S256", 8 },
};

static const struct str client_auth_method_texts[AUTH_METHOD_COUNT] = {
    [AUTH_SECRET] = { "client_secret", 13 },
    [AUTH_SECRET_BASIC] = { "client_secret_basic", 19 },
    [AUTH_SECRET_POST] = { "client_secret_post", 18 },
    [AUTH_PRIVATE_KEY_JWT] = { "private_key_jwt", 15 },
    [AUTH_TLS] = { "tls_client_auth", 15 },
    [AUTH_TLS_SELF_SIGNED] = { "self_signed_tls_client_auth", 27 },
};

static const struct str token_format_texts[TOKEN_FORMAT_COUNT] = {
    [TOKEN_OPAQUE] = { "opaque", 6 },
    [TOKEN_JWT] = { "jwt", 3 },
    [TOKEN_JWE] = { "jwe", 3 },
    [TOKEN_SPRING_JWT] = { "spring-jwt", 10 },
};

static const struct str signing_alg_texts[ALG_COUNT + 1] = {
    [ALG_ES256] = { "ES256", 5 },
    [ALG_EDDSA] = { "EdDSA", 5 },
    [ALG_RS256] = { "RS256", 5 },
    [ALG_PS256] = { "PS256", 5 },
};

static const char *const event_kind_texts[] = {
    [EVENT_TOKEN_ISSUED] = "token_issued",
    [EVENT_TOKEN_REFRESHED] = "token_refreshed",
    [EVENT_TOKEN_REVOKED] = "token_revoked",
    [EVENT_REFRESH_REUSED] = "refresh_token_reused",
    [EVENT_PASSWORD_FAILED] = "password_failed",
    [EVENT_CLIENT_FAILED] = "client_authentication_failed",
    [EVENT_GRANT_ENDED] = "grant_ended",
    [EVENT_ACCOUNT_CHANGED] = "account_changed",
    [EVENT_CLIENT_CHANGED] = "client_changed",
    [EVENT_SERVICE_CHANGED] = "service_changed",
    [EVENT_KEY_CHANGED] = "key_changed",
    [EVENT_DENIED] = "denied",
    [EVENT_SESSION_BEGUN] = "session_begun",
    [EVENT_FACTOR_CHANGED] = "factor_changed",
    [EVENT_FACTOR_FAILED] = "factor_failed",
    [EVENT_ACCOUNT_LOCKED] = "account_locked",
    [EVENT_SIGNED_IN] = "signed_in",
    [EVENT_SIGNED_OUT] = "signed_out",
    [EVENT_PERMANENT_CHANGED] = "permanent_changed",
    [EVENT_CONSENT_GIVEN] = "consent_given",
    [EVENT_CONSENT_DENIED] = "consent_denied",
    [EVENT_CODE_REUSED] = "authorization_code_reused",
    [EVENT_RESTORED] = "restored",
    [EVENT_AUDIT_TRIMMED] = "audit_trimmed",
};

static const struct str token_kind_texts[TOKEN_KIND_COUNT] = {
    [TOKEN_ACCESS] = { "access", 6 },
    [TOKEN_REFRESH] = { "refresh", 7 },
    [TOKEN_PERMANENT] = { "permanent", 9 },
};

static const char token_kind_letters[TOKEN_KIND_COUNT] = { 'a', 'r', 'p' };

/* Index of text among count texts, or count. */
static size_t text_index(const struct str *texts, size_t count, struct str text)
{
    size_t index = 0;

    while (index < count && !str_equal(texts[index], text))
        index++;
    return index;
}

struct str grant_type_format(enum grant_type type)
{
    return grant_type_texts[type];
}

enum rc grant_type_parse(struct str text, enum grant_type *out_type)
{
    size_t index = text_index(grant_type_texts, GRANT_TYPE_COUNT, text);

    if (index == GRANT_TYPE_COUNT)
        return RC_NOT_FOUND;
    *out_type = (enum grant_type)index;
    return RC_OK;
}

struct str client_auth_method_format(enum client_auth_method method)
{
    return client_auth_method_texts[method];
}

enum rc client_auth_method_parse(struct str text, enum client_auth_method *out_method)
{
    size_t index = text_index(client_auth_method_texts, AUTH_METHOD_COUNT, text);

    if (index == AUTH_METHOD_COUNT)
        return RC_NOT_FOUND;
    *out_method = (enum client_auth_method)index;
    return RC_OK;
}

struct str binding_kind_format(enum binding_kind kind)
{
    return binding_kind_texts[kind];
}

struct str token_format_format(enum token_format format)
{
    return token_format_texts[format];
}

enum rc token_format_parse(struct str text, enum token_format *out_format)
{
    /* The others belong to a dialect, whatever the service. */
    const size_t choice_count = TOKEN_JWT + 1;
    size_t index = text_index(token_format_texts, choice_count, text);

    if (index == choice_count)
        return RC_NOT_FOUND;
    *out_format = (enum token_format)index;
    return RC_OK;
}

struct str signing_alg_format(enum signing_alg alg)
{
    return signing_alg_texts[alg];
}

enum rc signing_alg_parse(struct str text, enum signing_alg *out_alg)
{
    size_t index = text_index(signing_alg_texts, ALG_COUNT, text);

    if (index == ALG_COUNT)
        return RC_NOT_FOUND;
    *out_alg = (enum signing_alg)index;
    return RC_OK;
}

enum rc signing_alg_parse_client(struct str text, enum signing_alg *out_alg)
{
    size_t index = text_index(signing_alg_texts, ALG_COUNT + 1, text);

    if (index > ALG_COUNT)
        return RC_NOT_FOUND;
    *out_alg = (enum signing_alg)index;
    return RC_OK;
}

struct str event_kind_format(enum event_kind kind)
{
    size_t count = sizeof(event_kind_texts) / sizeof(event_kind_texts[0]);

    if ((size_t)kind >= count || event_kind_texts[kind] == NULL)
        return STR("unknown");
    return str_of(event_kind_texts[kind]);
}

struct str token_kind_format(enum token_kind kind)
{
    return token_kind_texts[kind];
}

char token_kind_letter(enum token_kind kind)
{
    return token_kind_letters[kind];
}
