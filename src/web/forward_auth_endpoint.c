#include "dialect/identity.h"
#include "oauth/introspection.h"
#include "oauth/scope.h"
#include "web/endpoint.h"

/*
 * For reverse proxies that ask before they pass a request on: nginx auth_request, Caddy
 * forward_auth, Traefik ForwardAuth. 200 lets the request through, with headers that say whose it
 * is; 401 and 403 carry a challenge (RFC 6750 3). The query of this endpoint's own URL may demand a
 * service and a scope: /forward-auth?service=api.example&scope=read; and how its person must have
 * been authenticated: &acr_values=phr&max_age=300 (RFC 9470). Where Spectrum is switched on,
 * the token may be in its cookie instead.
 */

enum { ACR_VALUES_BYTES_MAX = 512 };

/* RFC 9470 3: what goes back in the challenge, too. */
static enum rc read_authentication(struct web_call *call, struct bearer_demand *demand)
{
    const struct str *acr_values = parameters_find(call, STR("acr_values"));
    const struct str *max_age = parameters_find(call, STR("max_age"));
    uint64_t max_age_s;

    if (acr_values != NULL)
        demand->acr_values = *acr_values;
    if (!scope_is_sound(demand->acr_values) || demand->acr_values.len > ACR_VALUES_BYTES_MAX)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST, "acr_values is malformed", NULL);
    if (max_age == NULL)
        return RC_OK;
    if (!str_parse_u64(*max_age, INT32_MAX, &max_age_s))
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST, "max_age is malformed", NULL);
    demand->has_max_age = true;
    demand->max_age_s = (int64_t)max_age_s;
    return RC_OK;
}

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
    if (!scope_is_sound(out_demand->scope) || out_demand->scope.len > SCOPE_BYTES_MAX / 2 ||
        out_demand->service_id.len > SERVICE_ID_BYTES_MAX)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST, "the query is malformed", NULL);
    call->wanted_scope = out_demand->scope;
    return read_authentication(call, out_demand);
}

/* A header that a proxy sends once; empty when it does not, or not so. */
static struct str find_once(const struct http_request *request, struct str name)
{
    const struct http_header *header = http_find_header(request, name);

    return header != NULL && http_count_headers(request, name) == 1 ? header->value : STR("");
}

static bool has_any(const struct http_request *request, struct str name, struct str other)
{
    return http_find_header(request, name) != NULL || http_find_header(request, other) != NULL;
}

/*
 * A proof is for the request that the proxy asks about (RFC 9449 4.3), so the proxy has to say
 * which one that is: by X-Forwarded-Method, -Proto, -Host and -Uri (Traefik, Caddy), or by
 * X-Original-Method and X-Original-URL (nginx). Without these, or from whoever is not trusted, no
 * proof fits; nor where both ways are taken at once, as a proxy sets one of them and lets a
 * client's own headers of the other one through.
 */
static void take_original(struct web_call *call)
{
    const struct http_request *request = &call->exchange->request;
    struct proof_presented *proof = &call->oauth.proof;
    bool is_forwarded = has_any(request, STR("x-forwarded-method"), STR("x-forwarded-uri"));
    bool is_original = has_any(request, STR("x-original-method"), STR("x-original-uri")) ||
                       http_find_header(request, STR("x-original-url")) != NULL;
    struct str url, proto, host, target;

    proof->uri = STR("");
    if (proof->proof_count == 0 || !request->is_from_trusted_proxy || is_forwarded == is_original)
        return;
    proof->method =
        find_once(request, is_forwarded ? STR("x-forwarded-method") : STR("x-original-method"));
    url = find_once(request, STR("x-original-url"));
    proto = find_once(request, STR("x-forwarded-proto"));
    host = find_once(request, STR("x-forwarded-host"));
    target = find_once(request, is_forwarded ? STR("x-forwarded-uri") : STR("x-original-uri"));
    if (url.len > 0)
        proof->uri = url;
    else if (proto.len > 0 && host.len > 0 && target.len > 0 && target.at[0] == '/')
        proof->uri = arena_format(call->exchange->arena, "%.*s://%.*s%.*s", STR_ARGS(proto),
                                  STR_ARGS(host), STR_ARGS(target));
}

static enum rc read_presented(struct web_call *call, struct token_presented *out_presented,
                              bool *out_is_dpop)
{
    const struct http_request *request = &call->exchange->request;
    const struct dialect_settings *dialects = call->web->dialects;
    struct token_presented with_cookies = { 0 };
    bool has_cookie =
        dialect_spectrum.is_on(dialects) && spectrum_presented(request, &with_cookies) == RC_OK;
    struct str token;
    bool is_dpop = false;
    enum rc rc = parameters_access_token(call, &token, &is_dpop);

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
    *out_is_dpop = is_dpop;
    return RC_OK;
}

enum rc forward_auth_endpoint(struct web_call *call)
{
    struct bearer_demand demand;
    struct token_presented presented;
    struct identity identity;
    struct token_view view;
    enum rc rc = read_demand(call, &demand);

    take_original(call);
    if (rc == RC_OK)
        rc = read_presented(call, &presented, &demand.scheme_is_dpop);
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
