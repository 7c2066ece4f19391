#include "codec/base64url.h"
#include "oauth/authorization_parts.h"
#include "oauth/id_token.h"

/*
 * What has to be true of a request once its client and redirect URI are known: one row each, in the
 * order of the table at the end. The first row that says no makes the answer.
 */

enum { CHALLENGE_BYTES = 43, ACR_VALUES_BYTES_MAX = 512, HINT_BYTES_MAX = 255 };

static const struct str *find(const struct authorization_reading *reading, const char *name)
{
    return authorization_parameter(reading->parameters, str_of(name));
}

static enum rc refuse(struct authorization_reading *reading, enum oauth_error error,
                      const char *description)
{
    return oauth_refuse(reading->call, error, description, NULL);
}

static const struct client *client_of(const struct authorization_reading *reading)
{
    return &reading->request.client->client;
}

/* ---- the client's registration --------------------------------------------------------------- */

static enum rc check_grant_type(struct authorization_reading *reading)
{
    return (client_of(reading)->grant_types & 1u << GRANT_TYPE_AUTHORIZATION_CODE) != 0
               ? RC_OK
               : refuse(reading, OAUTH_UNAUTHORIZED_CLIENT,
                        "the client is not registered for authorization_code");
}

static enum rc check_pushed(struct authorization_reading *reading)
{
    bool is_pushed = reading->is_push || reading->is_from_push;

    return is_pushed || (client_of(reading)->policy & CLIENT_REQUIRES_PUSHED) == 0
               ? RC_OK
               : refuse(reading, OAUTH_INVALID_REQUEST,
                        "this client has to push its authorization requests");
}

/* What was pushed was signed when it was pushed. */
static enum rc check_signed(struct authorization_reading *reading)
{
    bool is_signed = reading->is_signed || reading->is_from_push;

    return is_signed || (client_of(reading)->policy & CLIENT_REQUIRES_SIGNED) == 0
               ? RC_OK
               : refuse(reading, OAUTH_INVALID_REQUEST,
                        "this client has to sign its authorization requests");
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static enum rc check_response_type(struct authorization_reading *reading)
{
    const struct str *type = find(reading, "response_type");

    if (type == NULL)
        return refuse(reading, OAUTH_INVALID_REQUEST, "response_type is missing");
    return str_equal(*type, STR("code")) /* RFC 9700 2.1.2: no token from here */
               ? RC_OK
               : refuse(reading, OAUTH_UNSUPPORTED_RESPONSE_TYPE, "response_type must be code");
}

static enum rc check_registration(struct authorization_reading *reading)
{
    return find(reading, "registration") == NULL
               ? RC_OK
               : refuse(reading, OAUTH_REGISTRATION_NOT_SUPPORTED,
                        "the parameter registration is not supported");
}

static bool is_digest(struct str text)
{
    unsigned char digest[DIGEST_BYTES];

    return thumbprint_decode(text, digest) == RC_OK;
}

/* RFC 9700 2.1.1: where a client authenticates, proof keys are recommended. */
static bool may_omit_challenge(const struct authorization_reading *reading)
{
    const struct client *client = client_of(reading);

    return reading->request.metadata.may_omit_pkce && client->type == CLIENT_CONFIDENTIAL &&
           !client_is_fapi(client);
}

static enum rc check_challenge(struct authorization_reading *reading)
{
    const struct str *challenge = find(reading, "code_challenge");
    const struct str *method = find(reading, "code_challenge_method");

    if (challenge == NULL && method == NULL && may_omit_challenge(reading))
        return RC_OK;
    if (challenge == NULL) /* RFC 7636 4.4.1 */
        return refuse(reading, OAUTH_INVALID_REQUEST, "code_challenge is missing");
    if (method == NULL || !str_equal(*method, STR("S256"))) /* absent: plain (RFC 7636 4.3) */
        return refuse(reading, OAUTH_INVALID_REQUEST, "code_challenge_method must be S256");
    if (!is_digest(*challenge))
        return refuse(reading, OAUTH_INVALID_REQUEST, "code_challenge is malformed");
    reading->request.challenge = arena_copy(reading->call->arena, *challenge);
    return RC_OK;
}

static enum rc check_scope(struct authorization_reading *reading)
{
    struct authorization_request *request = &reading->request;
    struct scope_demand demand = { .scope = find(reading, "scope"), .has_person = true };
    enum rc rc =
        form_join(reading->parameters, STR("resource"), reading->call->arena, &demand.resources);

    if (rc == RC_INVALID ||
        demand.resources.len > SCOPE_BYTES_MAX) /* RFC 8707 2: an absolute URI */
        return refuse(reading, OAUTH_INVALID_TARGET, "a resource is malformed");
    rc = scope_permit_demand(reading->call, client_of(reading), &demand, &request->permission);
    if (rc != RC_OK)
        return rc;
    request->consent_scope = request->permission.scope;
    request->is_openid = str_has_word(request->permission.scope, STR("openid"));
    /* OpenID Connect Core 3.1.2.1: there it must be sent. */
    if (request->is_openid && !request->has_redirect_uri)
        return refuse(reading, OAUTH_INVALID_REQUEST, "redirect_uri is missing");
    return RC_OK;
}

static enum rc check_details(struct authorization_reading *reading)
{
    const struct str *details = find(reading, "authorization_details");

    return details == NULL ? RC_OK
                           : details_check(reading->call, &reading->request.metadata, *details,
                                           &reading->request.details);
}

static enum rc check_binding(struct authorization_reading *reading)
{
    const struct str *thumbprint = find(reading, "dpop_jkt");
    struct binding *binding = &reading->request.binding;

    if (thumbprint == NULL)
        return RC_OK;
    if (thumbprint_decode(*thumbprint, binding->thumbprint) != RC_OK)
        return refuse(reading, OAUTH_INVALID_REQUEST, "dpop_jkt is no SHA-256 thumbprint");
    binding->kind = BINDING_DPOP;
    return RC_OK;
}

/* ---- OpenID Connect -------------------------------------------------------------------------- */

static enum rc check_nonce(struct authorization_reading *reading)
{
    const struct str *nonce = find(reading, "nonce");

    if (nonce != NULL)
        reading->request.nonce = arena_copy(reading->call->arena, *nonce);
    return RC_OK;
}

static bool read_prompt(struct str words, unsigned *out_prompt)
{
    static const struct {
        struct str word;
        enum prompt bit;
    } table[] = {
        { { "none", 4 }, PROMPT_NONE },       { { "login", 5 }, PROMPT_LOGIN },
        { { "consent", 7 }, PROMPT_CONSENT }, { { "select_account", 14 }, PROMPT_SELECT_ACCOUNT },
        { { "create", 6 }, PROMPT_CREATE },
    };
    const size_t count = sizeof(table) / sizeof(table[0]);
    unsigned prompt = 0;
    struct str word;

    while (str_next_word(&words, &word)) {
        size_t i = 0;

        while (i < count && !str_equal(table[i].word, word))
            i++;
        if (i == count)
            return false;
        prompt |= table[i].bit;
    }
    *out_prompt = prompt;
    /* OpenID Connect Core 3.1.2.1: none stands alone. */
    return (prompt & PROMPT_NONE) == 0 || prompt == PROMPT_NONE;
}

static enum rc check_prompt(struct authorization_reading *reading)
{
    const struct str *prompt = find(reading, "prompt");

    return prompt == NULL || read_prompt(*prompt, &reading->request.prompt)
               ? RC_OK
               : refuse(reading, OAUTH_INVALID_REQUEST,
                        "prompt has a word that is unknown, or one beside none");
}

static enum rc check_max_age(struct authorization_reading *reading)
{
    const struct str *text = find(reading, "max_age");
    uint64_t max_age_s;

    reading->request.max_age_s = reading->request.metadata.default_max_age_s;
    if (text == NULL)
        return RC_OK;
    if (!str_parse_u64(*text, INT32_MAX, &max_age_s))
        return refuse(reading, OAUTH_INVALID_REQUEST, "max_age is no number of seconds");
    reading->request.max_age_s = (int64_t)max_age_s;
    return RC_OK;
}

/* Before claims, which may ask for a class with more force. */
static enum rc check_acr_values(struct authorization_reading *reading)
{
    const struct str *sent = find(reading, "acr_values");
    struct str values = sent == NULL ? reading->request.metadata.default_acr_values : *sent;

    if (values.len > ACR_VALUES_BYTES_MAX)
        return refuse(reading, OAUTH_INVALID_REQUEST, "acr_values is too long");
    reading->request.acr_values = arena_copy(reading->call->arena, values);
    return RC_OK;
}

/* After scope, to which it adds. */
static enum rc check_claims(struct authorization_reading *reading)
{
    const struct str *claims = find(reading, "claims");

    return claims == NULL ? RC_OK : claims_read(reading->call, *claims, &reading->request);
}

/* What is too long to be a name or a language is as if it was not sent. */
static enum rc check_hints(struct authorization_reading *reading)
{
    const struct str *login = find(reading, "login_hint");
    const struct str *locales = find(reading, "ui_locales");

    if (login != NULL && login->len <= HINT_BYTES_MAX)
        reading->request.login_hint = arena_copy(reading->call->arena, *login);
    if (locales != NULL && locales->len <= HINT_BYTES_MAX)
        reading->request.ui_locales = arena_copy(reading->call->arena, *locales);
    return RC_OK;
}

static enum rc check_id_token_hint(struct authorization_reading *reading)
{
    const struct str *jwt = find(reading, "id_token_hint");
    struct id_token_hint hint;
    enum rc rc;

    if (jwt == NULL)
        return RC_OK;
    if (!reading->call->may_block)
        return RC_WOULD_BLOCK;
    rc = id_token_hint_read(reading->call, *jwt, &hint);
    if (rc == RC_NOT_FOUND ||
        (rc == RC_OK && !str_equal(hint.audience, client_of(reading)->client_id)))
        return refuse(reading, OAUTH_INVALID_REQUEST, "id_token_hint is no ID token of ours");
    if (rc == RC_OK)
        reading->request.hinted_subject = hint.subject;
    return rc;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum rc (*check)(struct authorization_reading *reading);
    const char *source;
} checks[] = {
    { "grant type of the client", check_grant_type, "RFC 6749 4.1.2.1; ASVS 10.4.4" },
    { "requests that have to be pushed", check_pushed, "RFC 9126 6" },
    { "requests that have to be signed", check_signed, "RFC 9101 10.5" },
    { "registration", check_registration, "OpenID Connect Core 7.2.1, 3.1.2.6" },
    { "response_type", check_response_type, "RFC 6749 3.1.1; RFC 9700 2.1.2" },
    { "code_challenge", check_challenge, "RFC 7636 4.3, 4.4; RFC 9700 2.1.1" },
    { "scope and resource", check_scope, "RFC 6749 3.3; RFC 8707 2" },
    { "authorization_details", check_details, "RFC 9396 2, 5" },
    { "dpop_jkt", check_binding, "RFC 9449 10" },
    { "nonce", check_nonce, "OpenID Connect Core 3.1.2.1" },
    { "prompt", check_prompt, "OpenID Connect Core 3.1.2.1; Prompt Create 4" },
    { "max_age", check_max_age, "OpenID Connect Core 3.1.2.1" },
    { "acr_values", check_acr_values, "OpenID Connect Core 3.1.2.1; RFC 9470 4" },
    { "claims", check_claims, "OpenID Connect Core 5.5; AZ-18" },
    { "login_hint and ui_locales", check_hints, "OpenID Connect Core 3.1.2.1" },
    { "id_token_hint", check_id_token_hint, "OpenID Connect Core 3.1.2.1" },
};

enum rc thumbprint_decode(struct str text, unsigned char out_thumbprint[static DIGEST_BYTES])
{
    unsigned char bytes[DIGEST_BYTES];
    struct buffer decoded = buffer_over(bytes, sizeof(bytes));

    if (text.len != CHALLENGE_BYTES || base64url_decode(text, &decoded) != RC_OK)
        return RC_INVALID;
    memcpy(out_thumbprint, bytes, sizeof(bytes));
    return RC_OK;
}

enum rc authorization_judge(struct authorization_reading *reading)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; rc == RC_OK && i < sizeof(checks) / sizeof(checks[0]); i++)
        rc = checks[i].check(reading);
    return rc;
}
