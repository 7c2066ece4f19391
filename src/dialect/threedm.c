#include "dialect/threedm.h"

#include "codec/base64url.h"
#include "codec/basic.h"
#include "codec/json.h"
#include "oauth/introspection.h"

/*
 * The client authenticates before anything else is looked at, as the framework's filters do it;
 * token_request_answer does so once more, which costs nothing when it has just been done.
 */

enum { PEM_BYTES_MAX = 1024 };

/* ---- reading ----------------------------------------------------------------------------------
 */

/* RFC 6749 3.2: a parameter without a value is as if omitted. */
static const struct str *find(const struct threedm_request *request, struct str name)
{
    const struct str *value = form_find(&request->form, name);

    return value == NULL || value->len == 0 ? NULL : value;
}

/* A secret of the text; NULL when it is too long to be one. */
static const struct secret *as_secret(struct dialect_call *call, struct str text)
{
    struct secret *secret = arena_alloc(call->exchange->arena, sizeof(*secret));

    return secret_set(secret, text) == RC_OK ? secret : NULL;
}

static enum rc refuse_request(struct dialect_call *call, const char *description)
{
    return oauth_refuse(call->oauth, OAUTH_INVALID_REQUEST, description, NULL);
}

static enum rc refuse_client(struct dialect_call *call, const char *why)
{
    return oauth_refuse_for(call->oauth, OAUTH_INVALID_CLIENT, REASON_WRONG_CLIENT,
                            "client authentication failed", why);
}

static bool has_form(const struct http_request *request)
{
    const struct http_header *header = http_find_header(request, STR("content-type"));
    struct str type = header == NULL ? STR("") : header->value;

    return request->method == HTTP_POST &&
           str_equal_nocase(str_trim((struct str){ type.at, str_index_of(type, ';') }),
                            STR("application/x-www-form-urlencoded"));
}

/* A body of another kind holds no parameters. */
static enum rc read_form(struct dialect_call *call, struct threedm_request *request)
{
    enum rc rc;

    if (!has_form(&call->exchange->request))
        return RC_OK;
    rc = form_parse(call->exchange->request.body, call->exchange->arena, &request->form);
    if (rc == RC_TOO_LARGE)
        return refuse_request(call, "too many parameters");
    if (rc != RC_OK)
        return refuse_request(call, "the body is malformed");
    if (request->form.has_duplicate) /* RFC 6749 3.2 */
        return refuse_request(call, "a parameter was sent more than once");
    return RC_OK;
}

/* Basic, read raw: what the standard's endpoint decodes here stands for itself. */
static enum rc read_basic(struct dialect_call *call, struct threedm_request *request)
{
    const struct http_header *header =
        http_find_header(&call->exchange->request, STR("authorization"));
    struct str user;
    struct str password;
    enum rc rc;

    if (header == NULL)
        return RC_OK;
    if (http_count_headers(&call->exchange->request, STR("authorization")) > 1)
        return refuse_request(call, "more than one Authorization header");
    rc = basic_parse(header->value, call->exchange->arena, &user, &password);
    if (rc == RC_NOT_FOUND) /* another scheme is as if none */
        return RC_OK;
    request->attempt = ATTEMPT_BASIC;
    if (rc != RC_OK)
        return refuse_client(call, "malformed Authorization");
    request->credentials.has_basic = true;
    request->credentials.basic_id = user;
    request->credentials.basic_secret = as_secret(call, password);
    return request->credentials.basic_secret == NULL ? refuse_client(call, "the secret is too long")
                                                     : RC_OK;
}

static enum rc read_body_pair(struct dialect_call *call, struct threedm_request *request)
{
    const struct str *id = find(request, STR("client_id"));
    const struct str *secret = find(request, STR("client_secret"));

    if (id != NULL) {
        request->credentials.has_body_id = true;
        request->credentials.body_id = *id;
        if (request->attempt == ATTEMPT_NONE)
            request->attempt = ATTEMPT_FORM;
    }
    if (secret == NULL)
        return RC_OK;
    request->credentials.body_secret = as_secret(call, *secret);
    if (request->credentials.body_secret != NULL)
        return RC_OK;
    request->attempt = ATTEMPT_FORM;
    return refuse_client(call, "the secret is too long");
}

/* Reads what every endpoint needs, and leaves it in the exchange's note. */
static enum rc read_request(struct dialect_call *call, struct threedm_request **out_request)
{
    struct threedm_request *request = arena_alloc(call->exchange->arena, sizeof(*request));
    const struct str *grant_type;
    enum rc rc;

    call->exchange->note = request;
    rc = read_form(call, request);
    if (rc == RC_OK)
        rc = read_basic(call, request);
    if (rc == RC_OK)
        rc = read_body_pair(call, request);
    if (rc != RC_OK)
        return rc;
    grant_type = find(request, STR("grant_type"));
    request->grant_type = grant_type == NULL ? STR("") : *grant_type;
    *out_request = request;
    return RC_OK;
}

/* ---- the client -------------------------------------------------------------------------------
 */

/* The pair that authenticates: Basic where it was sent, else the body's. */
static enum rc choose_credentials(struct dialect_call *call, const struct threedm_request *request,
                                  struct client_credentials *out_credentials)
{
    struct client_credentials used = request->credentials;

    if (!used.has_basic && !used.has_body_id)
        return oauth_refuse_for(call->oauth, OAUTH_INVALID_CLIENT, REASON_NO_CLIENT,
                                "client authentication is required", "no client");
    if (used.has_basic) {
        used.has_body_id = false;
        used.body_secret = NULL;
    }
    *out_credentials = used;
    return RC_OK;
}

/* What the body says beside Basic must agree with it. */
static enum rc check_body_pair(struct dialect_call *call, struct threedm_request *request)
{
    const struct client_credentials *sent = &request->credentials;

    if (!sent->has_basic)
        return RC_OK;
    if (sent->has_body_id && !str_equal(sent->body_id, sent->basic_id))
        return oauth_refuse_for(call->oauth, OAUTH_INVALID_CLIENT, REASON_CLIENT_MISMATCH,
                                "client_id is not the client of the Authorization header", NULL);
    if (sent->body_secret != NULL && !secret_equal(sent->body_secret, sent->basic_secret)) {
        request->attempt = ATTEMPT_FORM;
        return refuse_client(call, "client_secret is not that of the Authorization header");
    }
    return RC_OK;
}

static enum rc authenticate(struct dialect_call *call, struct threedm_request *request,
                            struct catalog_client **out_client)
{
    struct client_credentials used;
    struct catalog_client *client;
    enum rc rc = choose_credentials(call, request, &used);

    if (rc == RC_OK)
        rc = client_authenticate(call->oauth, &used, &client);
    if (rc != RC_OK)
        return rc;
    rc = check_body_pair(call, request);
    if (rc == RC_OK)
        *out_client = client;
    else
        catalog_client_put(client);
    return rc;
}

/* RFC 9110 15.5.6 */
static void answer_wrong_method(struct dialect_call *call, struct str allowed)
{
    struct str description =
        arena_format(call->exchange->arena, "Request method '%.*s' not supported",
                     STR_ARGS(call->exchange->request.method_text));

    http_add_header(call->exchange, STR("Allow"), allowed);
    threedm_answer_error(call, 405, STR("method_not_allowed"), description);
}

/* ---- the token endpoint -----------------------------------------------------------------------
 */

static struct token_profile profile_of(const struct dialect_settings *settings)
{
    return (struct token_profile){
        .format = threedm_token_format,
        .has_shape = true,
        .shape = { .format = TOKEN_SPRING_JWT,
                   .alg = ALG_RS256,
                   .lifetime_s = settings->threedm_lifetime_s },
        .asks_code = true,
        .keeps_refresh = !settings->threedm_rotates,
    };
}

/* Single spaces, as the core wants them; the framework takes any. NULL: no scope is asked for. */
static const struct str *read_scope(struct dialect_call *call,
                                    const struct threedm_request *request)
{
    const struct str *sent = find(request, STR("scope"));
    struct buffer words;
    struct str *scope;
    struct str rest;
    struct str word;

    if (sent == NULL || sent->len > SCOPE_BYTES_MAX) /* the core refuses what is longer */
        return sent;
    rest = *sent;
    words = buffer_over(arena_alloc(call->exchange->arena, rest.len), rest.len);
    scope = arena_alloc(call->exchange->arena, sizeof(*scope));
    while (str_next_word(&rest, &word)) {
        if (words.len > 0)
            buffer_append_byte(&words, ' ');
        buffer_append_str(&words, word);
    }
    *scope = buffer_str(&words);
    return scope->len == 0 ? NULL : scope;
}

/* A text too long for a refresh token of ours is at best an access token. */
static enum rc refuse_long_token(struct dialect_call *call, struct str value)
{
    const struct oauth *oauth = call->oauth->oauth;
    struct token_record record;
    enum rc rc;

    if (!call->oauth->may_block)
        return RC_WOULD_BLOCK;
    rc = token_read(oauth->tokens, value, &record);
    if (rc == RC_OK)
        grant_put(token_room_grants(oauth->tokens), record.grant);
    else if (rc != RC_NOT_FOUND)
        return rc;
    return oauth_refuse_for(call->oauth, OAUTH_INVALID_GRANT,
                            rc == RC_OK ? REASON_REFRESH_NO_REFRESH_TOKEN : REASON_REFRESH_UNKNOWN,
                            "the refresh token is not valid", "longer than any of ours");
}

/* Name and password that were not sent are empty ones: wrong, like any other. */
static enum rc read_user(struct dialect_call *call, const struct threedm_request *request,
                         struct token_request *token_request)
{
    static const struct str empty = { "", 0 };
    const struct str *name = form_find(&request->form, STR("username"));
    const struct str *password = form_find(&request->form, STR("password"));

    token_request->username = name == NULL ? &empty : name;
    token_request->password = as_secret(call, password == NULL ? empty : *password);
    token_request->code = find(request, STR("twofactor"));
    return token_request->password == NULL ? refuse_request(call, "the password is too long")
                                           : RC_OK;
}

static enum rc read_refresh_token(struct dialect_call *call, const struct threedm_request *request,
                                  struct token_request *token_request)
{
    const struct str *value = find(request, STR("refresh_token"));

    if (value == NULL)
        return RC_OK;
    token_request->refresh_token = as_secret(call, *value);
    return token_request->refresh_token == NULL ? refuse_long_token(call, *value) : RC_OK;
}

/* What the client would get without asking for a scope. */
static void find_client_scope(struct dialect_call *call, struct threedm_request *request,
                              const struct client *client)
{
    struct refusal refusal = call->oauth->refusal;
    struct permission permission;

    if (scope_permit(call->oauth, client, false, NULL, &permission) == RC_OK)
        request->client_scope = permission.scope;
    call->oauth->refusal = refusal;
}

static enum rc check_grant(struct dialect_call *call, const struct threedm_request *request,
                           const struct client *client, const struct str *scope)
{
    if (scope == NULL && client->scope.len == 0 && client->service_ids.len == 0)
        return oauth_refuse(call->oauth, OAUTH_INVALID_SCOPE,
                            "Empty scope (either the client or the user is not allowed the "
                            "requested scopes)",
                            "the client is registered for no scope");
    if (str_equal(request->grant_type, STR("implicit")))
        return oauth_refuse(call->oauth, OAUTH_INVALID_GRANT,
                            "Implicit grant type not supported from token endpoint", NULL);
    return RC_OK;
}

static enum rc answer_client(struct dialect_call *call, struct threedm_request *request,
                             const struct client *client)
{
    struct token_profile profile = profile_of(call->settings);
    struct token_request token_request = { .profile = &profile,
                                           .scope = read_scope(call, request) };
    enum rc rc = choose_credentials(call, request, &token_request.credentials);

    if (request->grant_type.len > 0)
        token_request.grant_type = &request->grant_type;
    if (rc == RC_OK)
        rc = check_grant(call, request, client, token_request.scope);
    if (rc == RC_OK)
        rc = read_user(call, request, &token_request);
    if (rc == RC_OK)
        rc = read_refresh_token(call, request, &token_request);
    if (rc == RC_OK)
        rc = token_request_answer(call->oauth, &token_request, &call->exchange->response.body);
    if (rc == RC_REFUSED && call->oauth->refusal.reason == REASON_SCOPE_UNKNOWN)
        find_client_scope(call, request, client);
    if (rc == RC_OK)
        threedm_answer(call, 200);
    return rc;
}

enum rc threedm_token(struct dialect_call *call)
{
    struct threedm_request *request;
    struct catalog_client *client;
    enum rc rc = read_request(call, &request);

    if (rc == RC_OK)
        rc = authenticate(call, request, &client);
    if (rc != RC_OK)
        return rc;
    if (call->exchange->request.method == HTTP_POST)
        rc = answer_client(call, request, &client->client);
    else
        answer_wrong_method(call, STR("POST"));
    catalog_client_put(client);
    return rc;
}

/* ---- check_token ------------------------------------------------------------------------------
 */

static enum rc answer_not_found(struct dialect_call *call)
{
    threedm_answer_error(call, 404, STR("not_found"), STR("Not Found"));
    return RC_OK;
}

/* The claims of another kind of token of ours, under the names that the framework has for them. */
static void format_claims(const struct token_view *view, struct json_out *json)
{
    const struct live_grant *grant = view->live.grant;
    char jti[TOKEN_JTI_BYTES_MAX];

    if (grant->audience.len > 0)
        json_member_words(json, STR("aud"), grant->audience);
    if (grant->username.len > 0)
        json_member_string(json, STR("user_name"), grant->username);
    json_member_words(json, STR("scope"), grant->scope);
    if (view->live.expires_at != 0)
        json_member_number(json, STR("exp"), view->live.expires_at);
    json_member_string(json, STR("jti"), token_jti_format(view->handle, view->live.format, jti));
    json_member_string(json, STR("client_id"), grant->client_name);
}

/* The claims of a JWT without their closing brace. */
static struct str read_claims(struct dialect_call *call, struct str value)
{
    struct buffer claims;
    size_t dot = str_index_of(value, '.');
    struct str payload = str_from(value, dot + 1);

    payload.len = str_index_of(payload, '.');
    claims = buffer_over(arena_alloc(call->exchange->arena, payload.len), payload.len);
    /* The token is known, so this is what was written when it was made. */
    ASSERT(base64url_decode(payload, &claims) == RC_OK && claims.len > 2);
    return (struct str){ claims.at, claims.len - 1 };
}

static void write_claims(struct dialect_call *call, struct str value, const struct token_view *view)
{
    struct buffer *body = &call->exchange->response.body;
    struct json_out json = json_out_over(body);

    if (view->live.format == TOKEN_SPRING_JWT) {
        buffer_append_str(body, read_claims(call, value));
        json.needs_comma = true;
    } else {
        json_begin_object(&json);
        format_claims(view, &json);
    }
    json_member_bool(&json, STR("active"), true);
    json_end_object(&json);
}

static enum rc answer_check(struct dialect_call *call, const struct threedm_request *request)
{
    const struct bearer_demand demand = { .service_id = STR("") };
    const struct str *value = find(request, STR("token"));
    struct token_presented presented;
    struct token_view view;
    enum rc rc;

    if (value == NULL)
        return refuse_request(call, "Required String parameter 'token' is not present");
    presented = (struct token_presented){ .value = *value };
    rc = bearer_check(call->oauth, &presented, &demand, &view);
    if (rc != RC_OK)
        return rc;
    write_claims(call, *value, &view);
    token_view_put(call->oauth->oauth->tokens, &view);
    threedm_answer(call, 200);
    return RC_OK;
}

enum rc threedm_check_token(struct dialect_call *call)
{
    struct client_credentials used;
    struct threedm_request *request;
    struct caller caller;
    enum rc rc;

    if (!call->settings->threedm_check_token)
        return answer_not_found(call);
    rc = read_request(call, &request);
    if (rc == RC_OK)
        rc = choose_credentials(call, request, &used);
    if (rc == RC_OK)
        rc = caller_authenticate(call->oauth, &used, &caller);
    if (rc != RC_OK)
        return rc;
    caller_put(&caller);
    rc = check_body_pair(call, request);
    if (rc == RC_OK && call->exchange->request.method != HTTP_POST)
        answer_wrong_method(call, STR("POST"));
    else if (rc == RC_OK)
        rc = answer_check(call, request);
    return rc;
}

/* ---- token_key --------------------------------------------------------------------------------
 */

/* The framework writes the Base64 in one line, and no line end behind the last one. */
static struct str as_one_line(struct str pem, struct arena *arena)
{
    struct buffer text = buffer_over(arena_alloc(arena, pem.len), pem.len);

    while (pem.len > 0) {
        size_t end = str_index_of(pem, '\n');
        struct str line = { pem.at, end };

        if (str_starts_with(line, STR("-----END")))
            buffer_append_byte(&text, '\n');
        buffer_append_str(&text, line);
        if (str_starts_with(line, STR("-----BEGIN")))
            buffer_append_byte(&text, '\n');
        pem = str_from(pem, end < pem.len ? end + 1 : end);
    }
    ASSERT(!text.overflow);
    return buffer_str(&text);
}

static enum rc find_public_key(struct dialect_call *call, struct buffer *out_pem)
{
    struct ring_key *key;
    struct public_key public_key;
    enum rc rc;

    if (!call->oauth->may_block)
        return RC_WOULD_BLOCK;
    rc = key_ring_find(token_room_keys(call->oauth->oauth->tokens), ALG_RS256, call->oauth->now,
                       &key);
    if (rc != RC_OK)
        return rc;
    signer_public(ring_key_signer(key), &public_key);
    rc = public_key_format_pem(&public_key, out_pem);
    ring_key_put(key);
    ASSERT(rc != RC_INVALID && !out_pem->overflow);
    return rc;
}

enum rc threedm_token_key(struct dialect_call *call)
{
    struct json_out json = json_out_over(&call->exchange->response.body);
    enum http_method method = call->exchange->request.method;
    char memory[PEM_BYTES_MAX];
    struct buffer pem = buffer_over(memory, sizeof(memory));
    enum rc rc;

    if (!call->settings->threedm_token_key)
        return answer_not_found(call);
    if (method != HTTP_GET && method != HTTP_HEAD) {
        answer_wrong_method(call, STR("GET, HEAD"));
        return RC_OK;
    }
    rc = find_public_key(call, &pem);
    if (rc != RC_OK)
        return rc;
    json_begin_object(&json);
    json_member_string(&json, STR("alg"), STR("SHA256withRSA")); /* Java's name for RS256 */
    json_member_string(&json, STR("value"), as_one_line(buffer_str(&pem), call->exchange->arena));
    json_end_object(&json);
    threedm_answer(call, 200);
    return RC_OK;
}

/* ---- the dialect ------------------------------------------------------------------------------
 */

static bool is_on(const struct dialect_settings *settings)
{
    return settings->threedm;
}

static struct str prefix(const struct dialect_settings *settings)
{
    return settings->threedm_prefix;
}

static struct str host(const struct dialect_settings *settings)
{
    return settings->threedm_host;
}

const struct dialect dialect_3dm = { .name = "3DM",
                                     .is_on = is_on,
                                     .prefix = prefix,
                                     .host = host,
                                     .answer_refusal = threedm_answer_refusal };
