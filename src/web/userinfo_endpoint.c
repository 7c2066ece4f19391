#include "oauth/userinfo.h"
#include "web/endpoint.h"

/* RFC 6750 2: by the header, or as a field of a form; never by the query, where it ends in logs
 * (BE-03), and not by two ways at once (BE-04). */
static enum rc read_token(struct web_call *call, struct str *out_token, bool *out_is_dpop)
{
    const struct str *field = parameters_find(call, STR("access_token"));
    struct form query;
    enum rc rc;

    if (form_parse(call->exchange->request.query, call->exchange->arena, &query) == RC_OK &&
        form_find(&query, STR("access_token")) != NULL)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST,
                            "send the token in the Authorization header, not in the URL", NULL);
    rc = parameters_access_token(call, out_token, out_is_dpop);
    if (rc != RC_NOT_FOUND && field != NULL)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST,
                            "the token was sent in two ways at once", NULL);
    if (rc != RC_NOT_FOUND)
        return rc;
    if (field == NULL) /* RFC 6750 3.1: no error code without a token */
        return oauth_refuse(&call->oauth, OAUTH_INVALID_TOKEN, "", NULL);
    *out_token = *field;
    *out_is_dpop = false;
    return RC_OK;
}

enum rc userinfo_endpoint(struct web_call *call)
{
    struct token_presented presented = { .address = call->exchange->request.client.bytes };
    bool is_dpop, is_jwt;
    enum rc rc = read_token(call, &presented.value, &is_dpop);

    call->wanted_scope = STR("openid");
    if (rc == RC_OK)
        rc = userinfo_answer(&call->oauth, &presented, is_dpop, &call->exchange->response.body,
                             &is_jwt);
    if (rc != RC_OK)
        return rc;
    call->has_oauth = true;
    if (!is_jwt) {
        answer_json(call->exchange, 200);
        return RC_OK;
    }
    call->exchange->response.status = 200;
    http_add_header_lines(call->exchange, STR("Content-Type: application/jwt\r\n" /* Core 5.3.2 */
                                              "X-Content-Type-Options: nosniff\r\n"));
    return RC_OK;
}
