#include "codec/basic.h"
#include "dialect/identity.h"
#include "oauth/introspection.h"
#include "oauth/scope.h"
#include "web/endpoint.h"

/*
 * For reverse proxies that ask before they pass a request on: nginx auth_request, Caddy
 * forward_auth, Traefik ForwardAuth. 200 lets the request through, with headers that say whose it
 * is; 401 and 403 carry a challenge (RFC 6750 3). The query of this endpoint's own URL may demand a
 * service and a scope: /forward-auth?service=api.example&scope=read. Where Spectrum is switched on,
 * the token may be in its cookie instead.
 */

static enum rc read_demand(struct web_call *call, struct bearer_demand *out_demand)
{
    const struct str *service;
    const struct str *scope;

    if (form_parse(call->exchange->request.query, call->exchange->arena, &call->form) != RC_OK ||
        call->form.has_duplicate)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST, "the query is malformed", NULL);
    /* RFC 9700 4.3.2: a token in a URL ends in logs. */
    if (form_find(&call->form, STR("access_token")) != NULL)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST,
                            "send the token in the Authorization header, not in the URL", NULL);
    service = parameters_find(call, STR("service"));
    scope = parameters_find(call, STR("scope"));
    *out_demand = (struct bearer_demand){ .service_id = service == NULL ? STR("") : *service,
                                          .scope = scope == NULL ? STR("") : *scope };
    /* It goes back in the challenge (RFC 6750 3). */
    if (!scope_is_sound(out_demand->scope) || out_demand->scope.len > SCOPE_BYTES_MAX / 2)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST, "the query is malformed", NULL);
    return RC_OK;
}

static enum rc read_bearer(struct web_call *call, struct str *out_token)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_header *header = http_find_header(request, STR("authorization"));
    enum rc rc;

    if (header == NULL)
        return RC_NOT_FOUND;
    if (http_count_headers(request, STR("authorization")) > 1)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST,
                            "more than one Authorization header", NULL);
    rc = bearer_parse(header->value, out_token);
    return rc == RC_INVALID
               ? oauth_refuse(&call->oauth, OAUTH_INVALID_TOKEN, "the token is malformed", NULL)
               : rc;
}

static enum rc read_presented(struct web_call *call, struct token_presented *out_presented)
{
    const struct http_request *request = &call->exchange->request;
    const struct dialect_settings *dialects = call->web->dialects;
    struct token_presented with_cookies = { 0 };
    bool has_cookie =
        dialect_spectrum.is_on(dialects) && spectrum_presented(request, &with_cookies) == RC_OK;
    struct str token;
    enum rc rc = read_bearer(call, &token);

    if (rc == RC_NOT_FOUND && has_cookie) {
        token = with_cookies.value;
        rc = RC_OK;
    }
    if (rc == RC_NOT_FOUND) /* RFC 6750 3.1: no error code without a token */
        return oauth_refuse(&call->oauth, OAUTH_INVALID_TOKEN, "", NULL);
    if (rc != RC_OK)
        return rc;
    *out_presented = (struct token_presented){ .value = token,
                                               .session = with_cookies.session,
                                               .address = request->client.bytes };
    return RC_OK;
}

enum rc forward_auth_endpoint(struct web_call *call)
{
    struct bearer_demand demand;
    struct token_presented presented;
    struct identity identity;
    struct token_view view;
    enum rc rc = read_demand(call, &demand);

    if (rc == RC_OK)
        rc = read_presented(call, &presented);
    if (rc == RC_OK)
        rc = bearer_check(&call->oauth, &presented, &demand, &view);
    if (rc != RC_OK)
        return rc;
    identity = identity_of_token(&view);
    identity_add_headers(call->exchange, &identity);
    token_view_put(call->oauth.oauth->tokens, &view);
    call->exchange->response.status = 200;
    return RC_OK;
}
