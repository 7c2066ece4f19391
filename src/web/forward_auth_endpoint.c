#include "codec/basic.h"
#include "codec/uri.h"
#include "oauth/introspection.h"
#include "oauth/scope.h"
#include "web/endpoint.h"

/*
 * For reverse proxies that ask before they pass a request on: nginx auth_request, Caddy
 * forward_auth, Traefik ForwardAuth. 200 lets the request through, with headers that say whose it
 * is; 401 and 403 carry a challenge (RFC 6750 3). The query of this endpoint's own URL may demand a
 * service and a scope: /forward-auth?service=api.example&scope=read.
 */

enum {
    LIST_BYTES_MAX = HTTP_ANSWER_HEADER_BYTES_MAX / 4, /* a longer scope or audience is left out */
    OTHER_HEADERS_BYTES_MAX = 512 /* the names, the expiry, and what every answer has */
};

_Static_assert(3 * (ACCOUNT_NAME_BYTES_MAX + CLIENT_ID_BYTES_MAX) + 2 * LIST_BYTES_MAX +
                       OTHER_HEADERS_BYTES_MAX <=
                   (int)HTTP_ANSWER_HEADER_BYTES_MAX,
               "all headers fit, with every name encoded");

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

    if (header == NULL) /* RFC 6750 3.1: no error code without a token */
        return oauth_refuse(&call->oauth, OAUTH_INVALID_TOKEN, "", NULL);
    if (http_count_headers(request, STR("authorization")) > 1)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_REQUEST,
                            "more than one Authorization header", NULL);
    rc = bearer_parse(header->value, out_token);
    if (rc == RC_NOT_FOUND)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_TOKEN, "", NULL);
    if (rc != RC_OK)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_TOKEN, "the token is malformed", NULL);
    return RC_OK;
}

/* Names may be any UTF-8: header values are visible ASCII, and a comma is kept from lists. */
static void add_text_header(struct web_call *call, struct str name, struct str text)
{
    size_t max_bytes = 3 * text.len;
    struct buffer value = buffer_over(arena_alloc(call->exchange->arena, max_bytes + 1), max_bytes);
    bool is_plain = true;

    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x20 || text.at[i] > 0x7e || text.at[i] == '%' || text.at[i] == ',')
            is_plain = false;
    if (!is_plain)
        uri_encode(text, &value);
    http_add_header(call->exchange, name, is_plain ? text : buffer_str(&value));
}

static void add_identity(struct web_call *call, const struct token_view *view)
{
    const struct live_grant *grant = view->live.grant;

    if (grant->username.len > 0)
        add_text_header(call, STR("Remote-User"), grant->username);
    add_text_header(call, STR("X-Auth-Subject"), grant->subject);
    add_text_header(call, STR("X-Auth-Client"), grant->client_name);
    if (grant->scope.len > 0 && grant->scope.len <= LIST_BYTES_MAX)
        http_add_header(call->exchange, STR("X-Auth-Scope"), grant->scope);
    if (grant->audience.len > 0 && grant->audience.len <= LIST_BYTES_MAX)
        http_add_header(call->exchange, STR("X-Auth-Audience"), grant->audience);
    if (view->live.expires_at != 0) {
        char memory[24];
        struct buffer value = buffer_over(memory, sizeof(memory));

        buffer_append_u64(&value, (uint64_t)view->live.expires_at);
        http_add_header(call->exchange, STR("X-Auth-Expires"), buffer_str(&value));
    }
}

enum rc forward_auth_endpoint(struct web_call *call)
{
    struct bearer_demand demand;
    struct token_view view;
    struct str token;
    enum rc rc = read_demand(call, &demand);

    if (rc == RC_OK)
        rc = read_bearer(call, &token);
    if (rc == RC_OK)
        rc = bearer_check(&call->oauth, token, &demand, &view);
    if (rc != RC_OK)
        return rc;
    add_identity(call, &view);
    token_view_put(call->oauth.oauth->tokens, &view);
    call->exchange->response.status = 200;
    return RC_OK;
}
