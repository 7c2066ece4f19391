#include "oauth/registration.h"
#include "web/account_pages.h"
#include "web/admin_registry_pages.h"
#include "web/api_admin.h"
#include "web/api_page.h"
#include "web/authorize_pages.h"
#include "web/device_pages.h"
#include "web/logout_pages.h"
#include "web/passkey_pages.h"
#include "web/resource_endpoint.h"

#define PATH(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* A dialect's own row. */
#define ROW(row_name, literal, lane, its_dialect, its_handler, ...)                                \
    {                                                                                              \
        .name = row_name, .path = PATH(literal), .listener_tag = WEB_LISTENER_PUBLIC,              \
        .methods = METHOD_ANY, .first_lane = lane, .cache = CACHE_OWN, .ignores_slash = true,      \
        .dialect = &(its_dialect), .dialect_handler = its_handler, __VA_ARGS__                     \
    }

/* A page, see web/page_call.h: its handler, and what else there is to say of the row. */
#define PAGE(row_name, literal, its_methods, lane, its_needs, ...)                                 \
    {                                                                                              \
        .name = row_name, .path = PATH(literal), .listener_tag = WEB_LISTENER_PUBLIC,              \
        .methods = its_methods, .first_lane = lane, .body = BODY_FORM, .cache = CACHE_NO_STORE,    \
        .errors = ERROR_PAGE, .needs = its_needs, .page = __VA_ARGS__                              \
    }

/* What an administrator does to an account: asked about, then done. */
#define ACCOUNT_ACT(literal, act)                                                                  \
    PAGE("admin_account_" #act, "/admin/accounts/", METHOD_GET | METHOD_POST, LANE_WORK,           \
         NEEDS_ADMIN | NEEDS_PROOF, admin_account_##act##_page, .takes_rest = true,                \
         .tail = PATH("/" literal))

/* The same to a service or a client. */
#define SERVICE_ACT(literal, act)                                                                  \
    PAGE("admin_service_" #act, "/admin/services/", METHOD_GET | METHOD_POST, LANE_WORK,           \
         NEEDS_ADMIN | NEEDS_PROOF, admin_service_##act##_page, .takes_rest = true,                \
         .tail = PATH("/" literal))
#define CLIENT_ACT(literal, act)                                                                   \
    PAGE("admin_client_" #act, "/admin/clients/", METHOD_GET | METHOD_POST, LANE_WORK,             \
         NEEDS_ADMIN | NEEDS_PROOF, admin_client_##act##_page, .takes_rest = true,                 \
         .tail = PATH("/" literal))

/* For scripts; the handler looks at method and body. */
#define API(row_name, literal, its_handler, ...)                                                   \
    {                                                                                              \
        .name = row_name, .path = PATH(literal), .listener_tag = WEB_LISTENER_PUBLIC,              \
        .methods = METHOD_ANY, .first_lane = LANE_WORK, .cache = CACHE_NO_STORE,                   \
        .errors = ERROR_PROBLEM, .handler = its_handler, .source = "RFC 9457", __VA_ARGS__         \
    }

/* For administrators' programs; see web/api_admin.h. */
#define ADMIN_API(row_name, literal, its_resource, ...)                                            \
    API(row_name, "/api/v1/admin/" literal, api_admin_endpoint, .resource = &(its_resource),       \
        __VA_ARGS__)
#define ADMIN_PART(row_name, literal, its_tail, its_resource)                                      \
    ADMIN_API(row_name, literal, its_resource, .takes_rest = true, .tail = PATH(its_tail))

/* clang-format off */
const struct endpoint endpoints[] = {
    { "token", PATH("/oauth2/token"), WEB_LISTENER_PUBLIC, METHOD_POST, LANE_WORK,
      BODY_FORM_OR_JSON, CACHE_NO_STORE, ERROR_JSON, true, token_endpoint,
      "token_endpoint", .has_cors = true, .source = "RFC 6749 3.2" },
    { "introspection", PATH("/oauth2/introspect"), WEB_LISTENER_PUBLIC, METHOD_POST, LANE_LOOP,
      BODY_FORM, CACHE_NO_STORE, ERROR_JSON, true, introspection_endpoint,
      "introspection_endpoint", .source = "RFC 7662 2" },
    { "revocation", PATH("/oauth2/revoke"), WEB_LISTENER_PUBLIC, METHOD_POST, LANE_WORK,
      BODY_FORM, CACHE_NO_STORE, ERROR_JSON, true, revocation_endpoint,
      "revocation_endpoint", .has_cors = true, .source = "RFC 7009 2" },
    { "forward_auth", PATH("/forward-auth"), WEB_LISTENER_PUBLIC, METHOD_ANY, LANE_LOOP,
      BODY_NONE, CACHE_NO_STORE, ERROR_BEARER, true, forward_auth_endpoint,
      NULL, .source = "RFC 6750 3" },
    { "jwks", PATH("/oauth2/jwks"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_BRIEF, ERROR_JSON, false, jwks_endpoint,
      "jwks_uri", .has_cors = true, .source = "RFC 7517 5" },
    { "jwks_well_known", PATH("/.well-known/jwks.json"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_BRIEF, ERROR_JSON, false, jwks_endpoint,
      NULL, .has_cors = true, .source = "RFC 7517 5" },
    { "metadata", PATH("/.well-known/oauth-authorization-server"), WEB_LISTENER_PUBLIC, METHOD_GET,
      LANE_LOOP, BODY_NONE, CACHE_BRIEF, ERROR_JSON, false, metadata_endpoint,
      NULL, .has_cors = true, .source = "RFC 8414 3" },
    { "openid_configuration", PATH("/.well-known/openid-configuration"), WEB_LISTENER_PUBLIC,
      METHOD_GET, LANE_LOOP, BODY_NONE, CACHE_BRIEF, ERROR_JSON, false,
      openid_configuration_endpoint, NULL, .has_cors = true,
      .source = "OpenID Connect Discovery 1.0 4" },
    { "protected_resource", PATH(PROTECTED_RESOURCE_PATH), WEB_LISTENER_PUBLIC, METHOD_GET,
      LANE_LOOP, BODY_NONE, CACHE_BRIEF, ERROR_JSON, false, protected_resource_endpoint, NULL,
      .source = "RFC 9728 3", .takes_rest = true },
    PAGE("start_page", "/", METHOD_GET, LANE_LOOP, NEEDS_NOBODY, start_page),
    PAGE("api_page", "/api", METHOD_GET, LANE_WORK, NEEDS_NOBODY, api_page),
    { "style", PATH("/style.css"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_LONG, ERROR_JSON, false, style_endpoint, NULL, .source = NULL },
    { "script", PATH("/app.js"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_LONG, ERROR_JSON, false, script_endpoint, NULL, .source = NULL },
    { "brand_logo", PATH("/brand/logo"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_OWN, ERROR_JSON, false, brand_logo_endpoint, NULL, .source = NULL },
    { "brand_theme", PATH("/brand/theme.css"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_OWN, ERROR_JSON, false, brand_theme_endpoint, NULL, .source = NULL },
    PAGE("language", "/language", METHOD_GET, LANE_LOOP, NEEDS_NOBODY, language_page),
    { "livez", PATH("/livez"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_NO_STORE, ERROR_JSON, false, live_endpoint, NULL, .source = NULL },
    { "readyz", PATH("/readyz"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_NO_STORE, ERROR_JSON, false, ready_endpoint, NULL, .source = NULL },
    { "openapi", PATH("/openapi.json"), WEB_LISTENER_PUBLIC, METHOD_GET, LANE_WORK,
      BODY_NONE, CACHE_BRIEF, ERROR_JSON, false, openapi_endpoint, NULL, .has_cors = true,
      .source = "OpenAPI 3.1.0" },
    { "metrics", PATH("/metrics"), WEB_LISTENER_METRICS, METHOD_GET, LANE_LOOP,
      BODY_NONE, CACHE_NO_STORE, ERROR_JSON, false, metrics_endpoint, NULL, .source = NULL },
    /* Dialects: of two rows that could stand for a path, the first one does. Where u-Auth has no
     * prefix its place is the standard's, above. */
    { "token_uauth", PATH("/oauth2/token"), WEB_LISTENER_PUBLIC, METHOD_POST, LANE_WORK,
      BODY_FORM_OR_JSON, CACHE_NO_STORE, ERROR_JSON, true, token_endpoint,
      NULL, .source = "RFC 6749 3.2", .dialect = &dialect_uauth },
    ROW("threedm_token", "/oauth/oauth/token", LANE_WORK, dialect_3dm,
        threedm_token, .source = "RFC 6749 3.2"),
    ROW("threedm_check_token", "/oauth/oauth/check_token", LANE_LOOP, dialect_3dm,
        threedm_check_token, .source = "Spring Security OAuth"),
    ROW("threedm_token_key", "/oauth/oauth/token_key", LANE_WORK, dialect_3dm,
        threedm_token_key, .source = "Spring Security OAuth"),
    ROW("spectrum_forward_auth", "/security/forward-auth", LANE_LOOP, dialect_spectrum,
        spectrum_forward_auth, .source = "RFC 6750 3"),
    ROW("spectrum_session_token", "/security/rest/token/access/session/", LANE_WORK,
        dialect_spectrum, spectrum_session_token, .source = "Spectrum", .takes_rest = true),
    ROW("spectrum_open_token", "/security/rest/token/access/", LANE_WORK, dialect_spectrum,
        spectrum_open_token, .source = "Spectrum", .takes_rest = true),
    ROW("spectrum_logout", "/security/rest/token/logout", LANE_WORK, dialect_spectrum,
        spectrum_logout, .source = "Spectrum"),
    ROW("spectrum_wadl", "/security/rest", LANE_LOOP, dialect_spectrum,
        spectrum_wadl, .source = "Spectrum"),
    ROW("spectrum_soap_token", "/security/TokenManagerService", LANE_WORK, dialect_spectrum,
        spectrum_soap_token_manager, .source = "SOAP 1.1"),
    ROW("spectrum_soap_logout", "/security/TokenLogoutService", LANE_WORK, dialect_spectrum,
        spectrum_soap_token_logout, .source = "SOAP 1.1"),
    ROW("spectrum_other", "/security/", LANE_LOOP, dialect_spectrum,
        spectrum_not_found, .source = "Spectrum", .takes_rest = true),
    /* The authorization endpoint. */
    PAGE("authorize", "/oauth2/authorize", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_BROWSER | TAKES_FOREIGN_FORMS, authorize_page,
         .metadata_key = "authorization_endpoint", .source = "RFC 6749 3.1"),
    PAGE("consent", "/oauth2/consent", METHOD_POST, LANE_WORK, NEEDS_BROWSER, consent_page),
    { "pushed_request", PATH("/oauth2/par"), WEB_LISTENER_PUBLIC, METHOD_POST, LANE_WORK,
      BODY_FORM, CACHE_NO_STORE, ERROR_JSON, true, pushed_request_endpoint,
      "pushed_authorization_request_endpoint", .has_cors = true, .source = "RFC 9126 2" },
    /* Clients that register themselves. */
    { "registration", PATH(REGISTRATION_PATH), WEB_LISTENER_PUBLIC, METHOD_POST, LANE_WORK,
      BODY_NONE, CACHE_NO_STORE, ERROR_BEARER, true, registration_endpoint,
      "registration_endpoint", .has_cors = true, .source = "RFC 7591 3",
      .needs_registration = true },
    { "registered_client", PATH(REGISTRATION_PATH "/"), WEB_LISTENER_PUBLIC,
      METHOD_GET | METHOD_PUT | METHOD_DELETE, LANE_WORK, BODY_NONE, CACHE_NO_STORE, ERROR_BEARER,
      false, registered_client_endpoint, NULL, .has_cors = true, .source = "RFC 7592 2",
      .needs_registration = true, .takes_rest = true },
    /* Devices. */
    { "device_authorization", PATH("/oauth2/device_authorization"), WEB_LISTENER_PUBLIC,
      METHOD_POST, LANE_WORK, BODY_FORM, CACHE_NO_STORE, ERROR_JSON, true,
      device_authorization_endpoint, "device_authorization_endpoint", .has_cors = true,
      .source = "RFC 8628 3.1" },
    PAGE("device", "/device", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_BROWSER | NEEDS_SIGN_IN,
         device_page, .source = "RFC 8628 3.3"),
    /* OpenID Connect. */
    { "userinfo", PATH("/oauth2/userinfo"), WEB_LISTENER_PUBLIC, METHOD_GET | METHOD_POST,
      LANE_WORK, BODY_MAYBE_FORM, CACHE_NO_STORE, ERROR_BEARER, true, userinfo_endpoint,
      "userinfo_endpoint", .has_cors = true, .source = "OpenID Connect Core 1.0 5.3" },
    PAGE("logout", "/oauth2/logout", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_BROWSER | TAKES_FOREIGN_FORMS, logout_page,
         .metadata_key = "end_session_endpoint",
         .source = "OpenID Connect RP-Initiated Logout 1.0 2"),
    PAGE("logout_confirmed", "/oauth2/logout/confirmed", METHOD_POST, LANE_WORK, NEEDS_BROWSER,
         logout_confirmed_page),
    /* Pages for people. */
    PAGE("sign_in", "/sign-in", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_BROWSER, sign_in_page),
    PAGE("sign_in_code", "/sign-in/code", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_BROWSER,
         sign_in_code_page),
    PAGE("sign_in_again", "/sign-in/again", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_SIGN_IN,
         sign_in_again_page),
    PAGE("sign_in_passkey", "/sign-in/passkey", METHOD_POST, LANE_WORK, NEEDS_BROWSER,
         sign_in_passkey_page, .source = "WebAuthn 7.2"),
    PAGE("passkey_new", "/account/passkeys/new", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_SIGN_IN | NEEDS_PROOF, passkey_new_page, .source = "WebAuthn 7.1"),
    PAGE("password_forgotten", "/password-forgotten", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_BROWSER, password_forgotten_page),
    PAGE("password_reset", "/password-reset", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_BROWSER,
         password_reset_page),
    PAGE("email_again", "/account/verify-email", METHOD_POST, LANE_WORK, NEEDS_SIGN_IN,
         email_again_page),
    PAGE("email_cancel", "/account/cancel-email", METHOD_POST, LANE_WORK, NEEDS_SIGN_IN,
         email_cancel_page),
    PAGE("email_verify", "/email-verify", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_BROWSER,
         email_verify_page),
    PAGE("register", "/register", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_BROWSER,
         register_page),
    PAGE("sign_out", "/sign-out", METHOD_POST, LANE_WORK, NEEDS_BROWSER, sign_out_page),
    PAGE("account", "/account", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_SIGN_IN, account_page),
    PAGE("password", "/account/password", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_SIGN_IN,
         password_page),
    PAGE("factor_new", "/account/factors/new", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_SIGN_IN | NEEDS_PROOF, factor_new_page),
    PAGE("factor_rename", "/account/factors/", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_SIGN_IN | NEEDS_PROOF, factor_rename_page, .takes_rest = true,
         .tail = PATH("/rename")),
    PAGE("factor_remove", "/account/factors/", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_SIGN_IN | NEEDS_PROOF, factor_remove_page, .takes_rest = true,
         .tail = PATH("/remove")),
    PAGE("recovery_codes", "/account/recovery-codes", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_SIGN_IN | NEEDS_PROOF, recovery_codes_page),
    PAGE("sessions", "/sessions", METHOD_GET, LANE_WORK, NEEDS_SIGN_IN, sessions_page),
    PAGE("session_end", "/sessions/", METHOD_POST, LANE_WORK, NEEDS_SIGN_IN, session_end_page,
         .takes_rest = true, .tail = PATH("/end")),
    PAGE("sessions_end_others", "/sessions/end-others", METHOD_POST, LANE_WORK, NEEDS_SIGN_IN,
         sessions_end_others_page),
    PAGE("applications", "/applications", METHOD_GET, LANE_WORK, NEEDS_SIGN_IN, applications_page),
    PAGE("application_revoke", "/applications/", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_SIGN_IN, application_revoke_page, .takes_rest = true, .tail = PATH("/revoke")),
    PAGE("tokens", "/tokens", METHOD_GET, LANE_WORK, NEEDS_SIGN_IN, tokens_page),
    PAGE("token_new", "/tokens/new", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_SIGN_IN,
         token_new_page),
    PAGE("token_revoke", "/tokens/", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_SIGN_IN,
         token_revoke_page, .takes_rest = true, .tail = PATH("/revoke")),
    PAGE("token_rename", "/tokens/", METHOD_GET | METHOD_POST, LANE_WORK, NEEDS_SIGN_IN,
         token_rename_page, .takes_rest = true, .tail = PATH("/rename")),
    PAGE("token_rotate", "/tokens/", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_SIGN_IN | NEEDS_PROOF, token_rotate_page, .takes_rest = true,
         .tail = PATH("/rotate")),
    /* Pages for administrators. */
    PAGE("admin_tokens", "/admin/tokens", METHOD_GET, LANE_WORK, NEEDS_ADMIN, admin_tokens_page),
    PAGE("admin_tokens_find", "/admin/tokens/find", METHOD_POST, LANE_WORK, NEEDS_ADMIN,
         admin_tokens_find_page),
    PAGE("admin_token_revoke", "/admin/tokens/", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_ADMIN | NEEDS_PROOF, admin_token_revoke_page, .takes_rest = true,
         .tail = PATH("/revoke")),
    PAGE("admin_accounts", "/admin/accounts", METHOD_GET, LANE_WORK, NEEDS_ADMIN,
         admin_accounts_page),
    PAGE("admin_account_new", "/admin/accounts/new", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_ADMIN | NEEDS_PROOF, admin_account_new_page),
    ACCOUNT_ACT("disable", disable), ACCOUNT_ACT("enable", enable), ACCOUNT_ACT("unlock", unlock),
    ACCOUNT_ACT("reset-factors", reset_factors), ACCOUNT_ACT("end-sessions", end_sessions),
    ACCOUNT_ACT("revoke-tokens", revoke_tokens),
    ACCOUNT_ACT("edit", edit),
    PAGE("admin_account", "/admin/accounts/", METHOD_GET, LANE_WORK, NEEDS_ADMIN,
         admin_account_page, .takes_rest = true),
    PAGE("admin_services", "/admin/services", METHOD_GET, LANE_WORK, NEEDS_ADMIN,
         admin_services_page),
    PAGE("admin_service_new", "/admin/services/new", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_ADMIN | NEEDS_PROOF, admin_service_new_page),
    SERVICE_ACT("edit", edit), SERVICE_ACT("secret", secret),
    SERVICE_ACT("remove-secret", remove_secret), SERVICE_ACT("disable", disable),
    SERVICE_ACT("enable", enable),
    PAGE("admin_service", "/admin/services/", METHOD_GET, LANE_WORK, NEEDS_ADMIN,
         admin_service_page, .takes_rest = true),
    PAGE("admin_clients", "/admin/clients", METHOD_GET, LANE_WORK, NEEDS_ADMIN,
         admin_clients_page),
    PAGE("admin_client_new", "/admin/clients/new", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_ADMIN | NEEDS_PROOF, admin_client_new_page),
    CLIENT_ACT("edit", edit), CLIENT_ACT("secret", secret),
    CLIENT_ACT("end-overlap", end_overlap), CLIENT_ACT("disable", disable),
    CLIENT_ACT("enable", enable), CLIENT_ACT("revoke-tokens", revoke_tokens),
    PAGE("admin_client", "/admin/clients/", METHOD_GET, LANE_WORK, NEEDS_ADMIN,
         admin_client_page, .takes_rest = true),
    PAGE("admin_keys", "/admin/keys", METHOD_GET, LANE_WORK, NEEDS_ADMIN, admin_keys_page),
    PAGE("admin_keys_rotate", "/admin/keys/rotate", METHOD_GET | METHOD_POST, LANE_WORK,
         NEEDS_ADMIN | NEEDS_PROOF, admin_keys_rotate_page),
    PAGE("admin_events", "/admin/events", METHOD_GET, LANE_WORK, NEEDS_ADMIN, admin_events_page),
    /* Permanent tokens for scripts. */
    API("api_tokens", "/api/v1/tokens", api_tokens_endpoint, .takes_rest = false),
    API("api_token_rotate", "/api/v1/tokens/", api_token_rotate_endpoint, .takes_rest = true,
        .tail = PATH("/rotate")),
    API("api_token", "/api/v1/tokens/", api_token_endpoint, .takes_rest = true),
    /* Administration by programs. */
    ADMIN_API("api_server", "server", api_server_resource, .takes_rest = false),
    ADMIN_API("api_accounts", "accounts", api_accounts_resource, .takes_rest = false),
    ADMIN_PART("api_account_unlock", "accounts/", "/unlock", api_account_unlock_resource),
    ADMIN_PART("api_account_factors", "accounts/", "/factors", api_account_factors_resource),
    ADMIN_PART("api_account_recovery", "accounts/", "/recovery-codes",
               api_account_recovery_resource),
    ADMIN_PART("api_account_sessions", "accounts/", "/sessions", api_account_sessions_resource),
    ADMIN_PART("api_account_grants", "accounts/", "/grants", api_account_grants_resource),
    ADMIN_PART("api_account_tokens", "accounts/", "/tokens", api_account_tokens_resource),
    ADMIN_API("api_account", "accounts/", api_account_resource, .takes_rest = true),
    ADMIN_API("api_session", "sessions/", api_session_resource, .takes_rest = true),
    ADMIN_API("api_factor", "factors/", api_factor_resource, .takes_rest = true),
    ADMIN_API("api_services", "services", api_services_resource, .takes_rest = false),
    ADMIN_PART("api_service_secret", "services/", "/secret", api_service_secret_resource),
    ADMIN_PART("api_service_grants", "services/", "/grants", api_service_grants_resource),
    ADMIN_API("api_service", "services/", api_service_resource, .takes_rest = true),
    ADMIN_API("api_clients", "clients", api_clients_resource, .takes_rest = false),
    ADMIN_PART("api_client_secret", "clients/", "/secret", api_client_secret_resource),
    ADMIN_PART("api_client_old_secret", "clients/", "/previous-secret",
               api_client_old_secret_resource),
    ADMIN_PART("api_client_grants", "clients/", "/grants", api_client_grants_resource),
    ADMIN_API("api_client", "clients/", api_client_resource, .takes_rest = true),
    ADMIN_API("api_all_tokens", "tokens", api_admin_tokens_resource, .takes_rest = false),
    ADMIN_API("api_token_lookup", "tokens/lookup", api_token_lookup_resource,
              .takes_rest = false),
    ADMIN_API("api_any_token", "tokens/", api_admin_token_resource, .takes_rest = true),
    ADMIN_API("api_events", "events", api_events_resource, .takes_rest = false),
    ADMIN_API("api_checkpoints", "checkpoints", api_checkpoints_resource, .takes_rest = false),
    ADMIN_API("api_keys", "keys", api_keys_resource, .takes_rest = false),
    ADMIN_API("api_keys_rotate", "keys/rotate", api_keys_rotate_resource, .takes_rest = false),
    ADMIN_API("api_mails", "mails", api_mails_resource, .takes_rest = false),
    ADMIN_API("api_mails_retry", "mails/retry", api_mails_retry_resource, .takes_rest = false),
    ADMIN_API("api_mails_test", "mails/test", api_mails_test_resource, .takes_rest = false),
};
/* clang-format on */

const size_t endpoint_count = sizeof(endpoints) / sizeof(endpoints[0]);

_Static_assert(sizeof(endpoints) / sizeof(endpoints[0]) <= ENDPOINT_COUNT_MAX,
               "every endpoint has its counts");

static const struct str well_known = { "/.well-known/", 13 };

bool endpoint_has_path(const struct endpoint *endpoint, struct str path)
{
    if (endpoint->ignores_slash && path.len == endpoint->path.len + 1 &&
        path.at[path.len - 1] == '/')
        path.len--;
    return str_equal(endpoint->path, path);
}

/* Whether the row stands for the path; and then what is left of it. */
static bool takes(const struct endpoint *endpoint, struct str path, struct str *out_rest)
{
    struct str rest;

    if (!endpoint->takes_rest) {
        *out_rest = STR("");
        return endpoint_has_path(endpoint, path);
    }
    if (!str_starts_with(path, endpoint->path))
        return false;
    rest = str_from(path, endpoint->path.len);
    if (endpoint->tail.len > 0) {
        if (rest.len <= endpoint->tail.len || !str_ends_with(rest, endpoint->tail))
            return false;
        rest.len -= endpoint->tail.len;
        if (str_index_of(rest, '/') < rest.len)
            return false;
    }
    *out_rest = rest;
    return true;
}

/* A request's path as rows without a dialect have it, and as the last dialect that was asked. */
struct lookup {
    const struct web *web;
    const struct http_request *request;
    struct str plain;
    const struct dialect *dialect;
    bool is_claimed;
    struct str claimed;
};

/* Rows of one dialect stand together, so that each is asked once. */
static bool path_for(struct lookup *lookup, const struct dialect *dialect, struct str *out_path)
{
    if (dialect == NULL) {
        *out_path = lookup->plain;
        return true;
    }
    if (lookup->dialect != dialect) {
        lookup->dialect = dialect;
        lookup->is_claimed =
            dialect_claims(dialect, lookup->web->dialects, lookup->request, &lookup->claimed);
    }
    if (lookup->is_claimed)
        *out_path = lookup->claimed;
    return lookup->is_claimed;
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

bool endpoint_is_offered(const struct web *web, const struct endpoint *endpoint)
{
    const struct client_admission *admission = web->oauth->admission;

    return !endpoint->needs_registration ||
           (admission != NULL && admission->registration != REGISTRATION_OFF);
}

const struct endpoint *endpoint_find(const struct web *web, const struct http_request *request,
                                     bool *out_is_method_wrong, struct str *out_rest)
{
    struct lookup lookup = { .web = web,
                             .request = request,
                             .plain = without_issuer_path(web, request->path) };

    for (size_t i = 0; i < endpoint_count; i++) {
        struct str path;

        if (endpoints[i].listener_tag != request->listener_tag ||
            !endpoint_is_offered(web, &endpoints[i]) ||
            !path_for(&lookup, endpoints[i].dialect, &path) ||
            !takes(&endpoints[i], path, out_rest))
            continue;
        *out_is_method_wrong = !has_method(&endpoints[i], request->method);
        return &endpoints[i];
    }
    *out_is_method_wrong = false;
    return NULL;
}
