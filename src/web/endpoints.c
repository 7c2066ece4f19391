#include "web/endpoint.h"

#define PATH(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* clang-format off */
const struct endpoint endpoints[] = {
    { "token", PATH("/oauth2/token"), WEB_LISTENER_PUBLIC, METHOD_POST, LANE_WORK,
      BODY_FORM_OR_JSON, CACHE_NO_STORE, ERROR_JSON, true, token_endpoint,
      "token_endpoint", "RFC 6749 3.2" },
    { "introspection", PATH("/oauth2/introspect"), WEB_LISTENER_PUBLIC, METHOD_POST, LANE_LOOP,
      BODY_FORM, CACHE_NO_STORE, ERROR_JSON, true, introspection_endpoint,
      "introspection_endpoint", "RFC 7662 2" },
    { "revocation", PATH("/oauth2/revoke"), WEB_LISTENER_PUBLIC, METHOD_POST, LANE_WORK,
      BODY_FORM, CACHE_NO_STORE, ERROR_JSON, true, revocation_endpoint,
      "revocation_endpoint", "RFC 7009 2" },
    { "forward_auth", PATH("/forward-auth"), WEB_LISTENER_PUBLIC, METHOD_ANY, LANE_LOOP,
      BODY_NONE, CACHE_NO_STORE, ERROR_BEARER, true, forward_auth_endpoint,
      NULL, "RFC 6750 3" },
    { "jwks", PATH("/oauth2/jwks"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_BRIEF, ERROR_JSON, false, jwks_endpoint,
      "jwks_uri", "RFC 7517 5" },
    { "jwks_well_known", PATH("/.well-known/jwks.json"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_BRIEF, ERROR_JSON, false, jwks_endpoint,
      NULL, "RFC 7517 5" },
    { "metadata", PATH("/.well-known/oauth-authorization-server"), WEB_LISTENER_PUBLIC, METHOD_GET,
      LANE_LOOP, BODY_NONE, CACHE_BRIEF, ERROR_JSON, false, metadata_endpoint,
      NULL, "RFC 8414 3" },
    { "openid_configuration", PATH("/.well-known/openid-configuration"), WEB_LISTENER_PUBLIC,
      METHOD_GET, LANE_LOOP, BODY_NONE, CACHE_BRIEF, ERROR_JSON, false,
      openid_configuration_endpoint, NULL, "OpenID Connect Discovery 1.0 4" },
    { "start_page", PATH("/"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_NO_STORE, ERROR_JSON, false, start_page_endpoint, NULL, NULL },
    { "style", PATH("/style.css"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_LONG, ERROR_JSON, false, style_endpoint, NULL, NULL },
    { "livez", PATH("/livez"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_NO_STORE, ERROR_JSON, false, live_endpoint, NULL, NULL },
    { "readyz", PATH("/readyz"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_NO_STORE, ERROR_JSON, false, ready_endpoint, NULL, NULL },
    { "metrics", PATH("/metrics"), WEB_LISTENER_METRICS, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_NO_STORE, ERROR_JSON, false, metrics_endpoint, NULL, NULL },
};
/* clang-format on */

const size_t endpoint_count = sizeof(endpoints) / sizeof(endpoints[0]);

_Static_assert(sizeof(endpoints) / sizeof(endpoints[0]) <= ENDPOINT_COUNT_MAX,
               "every endpoint has its counts");

static const struct str well_known = { "/.well-known/", 13 };

static bool is_path_of(const struct endpoint *endpoint, struct str path)
{
    if (endpoint->ignores_slash && path.len == endpoint->path.len + 1 &&
        path.at[path.len - 1] == '/')
        path.len--;
    return str_equal(endpoint->path, path);
}

/*
 * An issuer with a path has its documents at two more places: RFC 8414 3.1 puts the issuer's path
 * behind the well-known one, OpenID Connect Discovery 4 before it.
 */
static struct str without_issuer_path(const struct web *web, struct str path)
{
    size_t extra = web->issuer_path.len;

    if (extra == 0 || path.len <= extra)
        return path;
    if (str_starts_with(path, web->issuer_path) &&
        str_starts_with(str_from(path, extra), well_known))
        return str_from(path, extra);
    if (str_starts_with(path, well_known) && str_ends_with(path, web->issuer_path))
        return (struct str){ path.at, path.len - extra };
    return path;
}

static bool has_method(const struct endpoint *endpoint, enum http_method method)
{
    enum http_method as = method == HTTP_HEAD ? HTTP_GET : method;

    return endpoint->methods == METHOD_ANY || (endpoint->methods & 1u << as) != 0;
}

const struct endpoint *endpoint_find(const struct web *web, const struct http_request *request,
                                     bool *out_is_method_wrong)
{
    struct str path = without_issuer_path(web, request->path);

    for (size_t i = 0; i < endpoint_count; i++) {
        if (endpoints[i].listener_tag != request->listener_tag || !is_path_of(&endpoints[i], path))
            continue;
        *out_is_method_wrong = !has_method(&endpoints[i], request->method);
        return &endpoints[i];
    }
    *out_is_method_wrong = false;
    return NULL;
}
