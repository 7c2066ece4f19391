#include "codec/basic.h"
#include "oauth/client_auth.h"
#include "web/endpoint.h"

static enum rc refuse_request(struct web_call *call, const char *description)
{
    return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST, description, NULL);
}

/* The media type without its parameters. */
static struct str media_type(const struct http_request *request)
{
    const struct http_header *header = http_find_header(request, STR("content-type"));

    if (header == NULL)
        return STR("");
    return str_trim((struct str){ header->value.at, str_index_of(header->value, ';') });
}

static bool is_form(const struct http_request *request, struct str type)
{
    return request->method == HTTP_POST &&
           str_equal_nocase(type, STR("application/x-www-form-urlencoded"));
}

enum rc parameters_read(struct web_call *call)
{
    const struct http_request *request = &call->exchange->request;
    struct str type = media_type(request);
    enum rc rc;

    if (call->endpoint->body == BODY_NONE ||
        (call->endpoint->body == BODY_MAYBE_FORM && !is_form(request, type)))
        return RC_OK;
    if (http_count_headers(request, STR("content-type")) > 1)
        return refuse_request(call, "more than one Content-Type");
    if (str_equal_nocase(type, STR("application/x-www-form-urlencoded")))
        rc = form_parse(request->body, call->exchange->arena, &call->form);
    else if (call->endpoint->body == BODY_FORM_OR_JSON &&
             str_equal_nocase(type, STR("application/json")))
        rc = form_parse_json(request->body, call->exchange->arena, &call->form);
    else
        return refuse_request(call, call->endpoint->body == BODY_FORM_OR_JSON
                                        ? "Content-Type must be application/x-www-form-urlencoded "
                                          "or application/json"
                                        : "Content-Type must be application/x-www-form-urlencoded");
    if (rc == RC_TOO_LARGE)
        return refuse_request(call, "too many parameters");
    if (rc != RC_OK)
        return refuse_request(call, "the body is malformed");
    /* RFC 6749 3.2; RFC 8707 2 and RFC 8693 2.1 have two that may */
    if (form_has_repeated(&call->form, STR("resource audience")))
        return refuse_request(call, "a parameter was sent more than once");
    return RC_OK;
}

const struct str *parameters_find(const struct web_call *call, struct str name)
{
    const struct str *value = form_find(&call->form, name);

    return value == NULL || value->len == 0 ? NULL : value;
}

static const struct secret *as_secret(struct web_call *call, struct str text)
{
    struct secret *secret = arena_alloc(call->exchange->arena, sizeof(*secret));

    return secret_set(secret, text) == RC_OK ? secret : NULL;
}

enum rc parameters_secret(struct web_call *call, struct str name, const struct secret **out_secret)
{
    const struct str *value = form_find(&call->form, name);
    const struct secret *secret = NULL;

    if (value != NULL) {
        secret = as_secret(call, *value);
        if (secret == NULL)
            return refuse_request(call, "a parameter is too long");
    }
    *out_secret = secret;
    return RC_OK;
}

enum rc parameters_access_token(struct web_call *call, struct str *out_token, bool *out_is_dpop)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_header *header = http_find_header(request, STR("authorization"));
    enum rc rc;

    if (header == NULL)
        return RC_NOT_FOUND;
    if (http_count_headers(request, STR("authorization")) > 1)
        return refuse_request(call, "more than one Authorization header");
    rc = access_token_parse(header->value, out_token, out_is_dpop);
    return rc == RC_INVALID
               ? oauth_refuse(&call->oauth, OAUTH_INVALID_TOKEN, "the token is malformed", NULL)
               : rc;
}

/* RFC 6749 2.3.1: id and secret are form-encoded inside Basic. What is no valid encoding was sent
 * raw by a client that does not know. */
static struct str decode(struct web_call *call, struct str text)
{
    struct str decoded;

    return form_decode(text, call->exchange->arena, &decoded) == RC_OK ? decoded : text;
}

static enum rc read_basic(struct web_call *call, struct client_credentials *credentials)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_header *header = http_find_header(request, STR("authorization"));
    struct str user;
    struct str password;
    enum rc rc;

    if (header == NULL)
        return RC_OK;
    if (http_count_headers(request, STR("authorization")) > 1)
        return refuse_request(call, "more than one Authorization header");
    rc = basic_parse(header->value, call->exchange->arena, &user, &password);
    if (rc != RC_OK)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_CLIENT,
                            "the Authorization header is not usable: Basic is expected",
                            "malformed Authorization");
    credentials->has_basic = true;
    credentials->basic_id = decode(call, user);
    credentials->basic_secret = as_secret(call, decode(call, password));
    if (credentials->basic_secret == NULL)
        return refuse_request(call, "the client secret is too long");
    return RC_OK;
}

enum rc parameters_credentials(struct web_call *call, struct client_credentials *out_credentials)
{
    const struct str *id = parameters_find(call, STR("client_id"));
    struct client_credentials credentials = { 0 };
    enum rc rc = read_basic(call, &credentials);

    if (rc != RC_OK)
        return rc;
    if (id != NULL) {
        credentials.has_body_id = true;
        credentials.body_id = *id;
    }
    credentials.assertion_type = parameters_find(call, STR("client_assertion_type"));
    credentials.assertion = parameters_find(call, STR("client_assertion"));
    credentials.assertion_type = parameters_find(call, STR("client_assertion_type"));
    credentials.assertion = parameters_find(call, STR("client_assertion"));
    rc = parameters_secret(call, STR("client_secret"), &credentials.body_secret);
    if (rc == RC_OK)
        *out_credentials = credentials;
    return rc;
}
