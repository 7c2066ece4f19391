/*
 * web/endpoint.h: a row of the endpoint table, and what handlers share. For this room only.
 */
#ifndef JETON_WEB_ENDPOINT_H
#define JETON_WEB_ENDPOINT_H

#include <stdatomic.h>

#include "codec/form.h"
#include "dialect/dialect.h"
#include "web/process_meters.h"
#include "web/web.h"

/* One request on its way through a handler. */
struct web_call {
    struct web *web;
    struct http_exchange *exchange;
    const struct endpoint *endpoint;
    struct oauth_call oauth;
    struct form form;        /* of the body, for rows with a form */
    struct str rest;         /* of the path, for rows that take it */
    struct str wanted_scope; /* that a token lacks, for the challenge: read as a scope, or ours */
    bool has_oauth;          /* a handler used `oauth`: its log fields mean something */
};

enum body_kind {
    BODY_NONE,         /* a body is ignored, or the dialect's to read            */
    BODY_FORM,         /* application/x-www-form-urlencoded                      */
    BODY_FORM_OR_JSON, /* or a flat JSON object, as u-Auth's documentation shows */
    BODY_MAYBE_FORM    /* a POST may have a form, and need not; anything else is ignored */
};

enum cache_policy {
    CACHE_NO_STORE, /* RFC 6749 5.1, RFC 7662 2.2 */
    CACHE_BRIEF,    /* public documents that change with keys and services */
    CACHE_LONG,     /* parts of a release */
    CACHE_OWN       /* the handler, or the dialect, says */
};

/* How an error looks. */
enum error_style { ERROR_JSON, ERROR_BEARER, ERROR_PAGE, ERROR_PROBLEM };

enum {
    METHOD_GET = 1u << HTTP_GET,
    METHOD_POST = 1u << HTTP_POST,
    METHOD_PUT = 1u << HTTP_PUT,
    METHOD_DELETE = 1u << HTTP_DELETE,
    METHOD_ANY = 0x7fff
};

/*
 * Fills in the answer, or says why not.
 *
 * Answers: RC_OK · RC_REFUSED with call->oauth.refusal · RC_WOULD_BLOCK · RC_NEEDS_HASH.  Faults:
 * any
 */
typedef enum rc endpoint_handler(struct web_call *call);

/* A page's, see web/page_call.h. */
struct page_call;
typedef enum rc page_handler(struct page_call *page);

struct endpoint {
    const char *name; /* for metrics and logs */
    struct str path;
    int listener_tag;
    unsigned methods;     /* bits; HEAD comes with GET */
    enum lane first_lane; /* where the handler is asked first */
    enum body_kind body;
    enum cache_policy cache;
    enum error_style errors;
    bool ignores_slash; /* answers with a '/' at the end of the path too */
    endpoint_handler *handler;
    const char *metadata_key; /* in the metadata documents, or NULL */
    const char *source;
    /* Whose switch, prefix and host hold for the row; NULL: nobody's. */
    const struct dialect *dialect;
    /* Instead of `handler`: it checks methods and reads the body itself, writes all headers, and
     * the dialect answers refusals and faults. */
    dialect_handler *dialect_handler;
    /* Programs in browsers may call it from any origin: without cookies, which it does not look at
     * (answer_cors). */
    bool has_cors;
    bool needs_registration; /* it is there only where clients may register themselves */
    bool takes_rest;         /* the row stands for every path below its own, which ends with '/' */
    /* With takes_rest: only for paths that end so, with one segment before it, which is the rest.
     */
    struct str tail;
    page_handler *page;                  /* instead of `handler` */
    unsigned needs;                      /* of a page: bits of enum page_need */
    const struct api_resource *resource; /* with api_admin_endpoint: its verbs */
};

enum { ENDPOINT_COUNT_MAX = 160, STATUS_CLASS_COUNT = 6, LATENCY_BUCKET_COUNT = 12 };

/* Numbers of one endpoint. */
struct endpoint_counts {
    _Atomic uint64_t answers[STATUS_CLASS_COUNT]; /* by the status's first digit */
    _Atomic uint64_t latency[LATENCY_BUCKET_COUNT];
    _Atomic uint64_t latency_ns;
};

struct web {
    const struct oauth *oauth;
    const struct dialect_settings *dialects;
    struct mail_meters *mail;
    struct logout_meters *logouts;
    const struct outbox *outbox;                 /* NULL: no mail is sent */
    const struct web_registration *registration; /* NULL: off */
    const struct brand *brand;
    _Atomic(const struct http_server *) server;
    _Atomic bool is_draining;
    struct endpoint_counts counts[ENDPOINT_COUNT_MAX];
    _Atomic uint64_t refusals[OAUTH_ERROR_COUNT];
    _Atomic uint64_t tokens_issued[GRANT_TYPE_COUNT];
    _Atomic uint64_t malformed_paths; /* requests for no endpoint */
    /* Paths of the well-known documents of an issuer that has a path (RFC 8414 3.1). */
    struct str issuer_path; /* "/tenant", or empty                                */
    struct str root;        /* the issuer without its path: where endpoints stand */
    /* Of web/page_cookie.h, from the master key: the same after a restart and on every node. */
    struct hmac_key *form_key;
    unsigned char handle_key[SEAL_KEY_BYTES];
    int64_t permanent_days_max;    /* of permanent tokens' life; 0: no limit */
    struct passkey_site *passkeys; /* web/passkey_pages.h's */
    struct process_meters process;
};

/* Upper bounds of the latency histogram, in nanoseconds; the last one is INT64_MAX. */
extern const int64_t web_latency_bounds_ns[LATENCY_BUCKET_COUNT];

extern const struct endpoint endpoints[];
extern const size_t endpoint_count;

/* Whether the operator's settings let the row answer. */
bool endpoint_is_offered(const struct web *web, const struct endpoint *endpoint);

/* The row for a request, or NULL; out_is_method_wrong tells 405 from 404. */
const struct endpoint *endpoint_find(const struct web *web, const struct http_request *request,
                                     bool *out_is_method_wrong, struct str *out_rest);

/* Whether the path is the row's, with or without a slash at its end as the row allows. */
bool endpoint_has_path(const struct endpoint *endpoint, struct str path);

/* ---- answers (answer.c) --------------------------------------------------------------------- */

void answer_json(struct http_exchange *exchange, int status);
void answer_cache(struct http_exchange *exchange, enum cache_policy policy);
void answer_refusal(struct web_call *call);
/* Logs the fault and answers it as the refusal that it is to the client. */
void answer_fault(struct web_call *call, enum rc rc);
void answer_not_found(struct http_exchange *exchange);
/* Lets scripts of any origin read the answer, whatever it is, where the row says so. Last of all.
 */
void answer_cors(struct http_exchange *exchange, const struct endpoint *endpoint);
/* What browsers ask before they send what a page wants (Fetch 4.8). */
void answer_preflight(struct http_exchange *exchange, const struct endpoint *endpoint);
void answer_method_not_allowed(struct http_exchange *exchange, const struct endpoint *endpoint);

/* ---- parameters (parameters.c) -------------------------------------------------------------- */

/* Reads the body as the row says. RC_OK, or RC_REFUSED invalid_request. */
enum rc parameters_read(struct web_call *call) MUST_CHECK;

/* A parameter, or NULL: one without a value counts as not sent (RFC 6749 3.1). */
const struct str *parameters_find(const struct web_call *call, struct str name);

struct client_credentials;

/* Credentials of the Authorization header and the body. RC_OK, or RC_REFUSED. */
enum rc parameters_credentials(struct web_call *call,
                               struct client_credentials *out_credentials) MUST_CHECK;

/*
 * The access token of the Authorization header, as Bearer or as DPoP.
 *
 * Answers: RC_OK · RC_NOT_FOUND none was sent · RC_REFUSED invalid_request two headers,
 * invalid_token malformed
 * Source:  RFC 6750 2.1; RFC 9449 7.1
 */
enum rc parameters_access_token(struct web_call *call, struct str *out_token,
                                bool *out_is_dpop) MUST_CHECK;

/* A parameter as a secret in the arena, NULL when it was not sent; an empty one is a secret too.
 * RC_OK, or RC_REFUSED too long.
 */
enum rc parameters_secret(struct web_call *call, struct str name,
                          const struct secret **out_secret) MUST_CHECK;

/* The call as a dialect's functions take it. */
struct dialect_call dialect_call_of(struct web_call *call);

/* ---- handlers ------------------------------------------------------------------------------- */

endpoint_handler token_endpoint;
endpoint_handler introspection_endpoint;
endpoint_handler revocation_endpoint;
endpoint_handler userinfo_endpoint;
endpoint_handler forward_auth_endpoint;
endpoint_handler registration_endpoint;
endpoint_handler registered_client_endpoint;
endpoint_handler openapi_endpoint;
endpoint_handler metadata_endpoint;
endpoint_handler openid_configuration_endpoint;
endpoint_handler jwks_endpoint;
endpoint_handler style_endpoint;
endpoint_handler script_endpoint;
endpoint_handler brand_logo_endpoint;
endpoint_handler brand_theme_endpoint;
page_handler start_page;
page_handler language_page;
page_handler tokens_page;
page_handler token_new_page;
page_handler token_revoke_page;
page_handler token_rename_page;
page_handler token_rotate_page;
page_handler password_forgotten_page;
page_handler password_reset_page;
page_handler email_verify_page;
page_handler email_again_page;
page_handler email_cancel_page;
page_handler register_page;
endpoint_handler api_tokens_endpoint;
endpoint_handler api_token_endpoint;
endpoint_handler api_token_rotate_endpoint;
endpoint_handler api_admin_endpoint;
endpoint_handler live_endpoint;
endpoint_handler ready_endpoint;
endpoint_handler metrics_endpoint;

#endif
