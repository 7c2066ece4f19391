#include "oauth/registration.h"

#include "web/endpoint.h"

/* RFC 6750 2.1; an initial access token may be bound to a key (RFC 9449 7). */
static enum rc read_token(struct web_call *call, struct registration_token *out_token)
{
    struct registration_token token = { .value = STR("") };
    enum rc rc = parameters_access_token(call, &token.value, &token.is_dpop);

    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    *out_token = token;
    return RC_OK;
}

/* RFC 7591 3.1. What a page of another site can send without asking its visitor's browser first is
 * none. */
static enum rc check_body(struct web_call *call)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_header *header = http_find_header(request, STR("content-type"));
    struct str type = header == NULL ? STR("") : header->value;

    type = str_trim((struct str){ type.at, str_index_of(type, ';') });
    if (str_equal_nocase(type, STR("application/json")))
        return RC_OK;
    return oauth_refuse(&call->oauth, OAUTH_INVALID_CLIENT_METADATA,
                        "Content-Type must be application/json", NULL);
}

enum rc registration_endpoint(struct web_call *call)
{
    struct registration_token token;
    enum rc rc = read_token(call, &token);

    call->has_oauth = true;
    if (rc == RC_OK)
        rc = check_body(call);
    if (rc == RC_OK)
        rc = registration_create(&call->oauth, &token, call->exchange->request.body,
                                 &call->exchange->response.body);
    if (rc == RC_OK)
        answer_json(call->exchange, 201); /* RFC 7591 3.2.1 */
    return rc;
}

static enum rc manage(struct web_call *call, const struct registration_token *token)
{
    struct http_exchange *exchange = call->exchange;
    enum rc rc;

    if (exchange->request.method == HTTP_DELETE) {
        rc = registration_delete(&call->oauth, call->rest, token);
        if (rc == RC_OK)
            exchange->response.status = 204; /* RFC 7592 2.3 */
        return rc;
    }
    if (exchange->request.method == HTTP_PUT) {
        rc = check_body(call);
        if (rc == RC_OK)
            rc = registration_update(&call->oauth, call->rest, token, exchange->request.body,
                                     &exchange->response.body);
    } else {
        rc = registration_read(&call->oauth, call->rest, token, &exchange->response.body);
    }
    if (rc == RC_OK)
        answer_json(exchange, 200);
    return rc;
}

enum rc registered_client_endpoint(struct web_call *call)
{
    struct registration_token token;
    enum rc rc = read_token(call, &token);

    call->has_oauth = true;
    return rc == RC_OK ? manage(call, &token) : rc;
}
