#include "web/web.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/uri.h"
#include "web/challenge.h"
#include "web/page_cookie.h"
#include "web/passkey_pages.h"

/*
 * What one pass over one request takes from the arena at the most: every name and value of a form
 * or a JSON object anew (16 bytes of rounding, and a number's text may be longer than what was
 * sent), the Authorization header (decoded, as UTF-8, and its two parts decoded once more), the
 * secrets, and then what oauth does with them, or the metadata's list of scope words.
 */
enum {
    FORM_ARENA_BYTES_MAX = HTTP_BODY_BYTES_MAX + 2 * (FORM_FIELD_COUNT_MAX + 1) * 48,
    BASIC_ARENA_BYTES_MAX = 4 * HTTP_HEAD_BYTES_MAX,
    SECRETS_ARENA_BYTES_MAX = 4 * ((int)sizeof(struct secret) + 16),
    CALL_ARENA_BYTES_MAX = FORM_ARENA_BYTES_MAX + BASIC_ARENA_BYTES_MAX + SECRETS_ARENA_BYTES_MAX +
                           OAUTH_ARENA_BYTES_MAX
};

/* The slab's least size, as http/exchange.c has it. */
_Static_assert((int)CALL_ARENA_BYTES_MAX <= (int)HTTP_ARENA_BYTES, "arena_alloc never fails");
_Static_assert(HTTP_ANSWER_BYTES_MAX / 4 <= (int)OAUTH_ARENA_BYTES_MAX, "nor in the metadata");

const int64_t web_latency_bounds_ns[LATENCY_BUCKET_COUNT] = {
    50000,    100000,   250000,    500000,    1000000,    2500000,
    10000000, 50000000, 100000000, 500000000, 1000000000, INT64_MAX,
};

enum rc web_open(const struct web_config *config, struct web **out_web, struct buffer *out_error)
{
    struct web *web;
    struct uri issuer;

    if (uri_parse(config->oauth->issuer, &issuer) != RC_OK) {
        buffer_append_format(out_error, "the issuer is not a URL");
        return RC_INVALID;
    }
    web = calloc(1, sizeof(*web));
    ASSERT(web != NULL);
    web->oauth = config->oauth;
    web->dialects = config->dialects;
    web->mail = config->mail;
    web->logouts = config->logouts;
    web->outbox = config->outbox;
    web->registration = config->registration;
    web->brand = config->brand;
    web->permanent_days_max = config->permanent_days_max;
    web->issuer_path = issuer.path;
    web->root = oauth_root_of(config->oauth->issuer);
    page_keys_init(web);
    passkey_site_init(web);
    process_meters_open(&web->process);
    web_set_server(web, config->server);
    *out_web = web;
    return RC_OK;
}

void web_close(struct web *web)
{
    if (web == NULL)
        return;
    page_keys_deinit(web);
    passkey_site_deinit(web);
    process_meters_close(&web->process);
    free(web);
}

struct letter_head web_letter_head(const struct web *web)
{
    return (struct letter_head){ .outbox = web->outbox,
                                 .brand = web->brand->name,
                                 .root = web->root,
                                 .language = page_language_find(STR("en")) };
}

void web_set_server(struct web *web, const struct http_server *server)
{
    atomic_store(&web->server, server);
}

void web_begin_drain(struct web *web)
{
    atomic_store(&web->is_draining, true);
}

static void count_answer(struct web *web, const struct endpoint *endpoint,
                         const struct http_exchange *exchange)
{
    struct endpoint_counts *counts = &web->counts[endpoint - endpoints];
    int64_t took_ns = clock_monotonic_ns() - exchange->arrived_ns;
    int status_class = exchange->response.status / 100;
    size_t bucket = 0;

    while (took_ns > web_latency_bounds_ns[bucket])
        bucket++;
    atomic_fetch_add_explicit(&counts->answers[status_class % STATUS_CLASS_COUNT], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->latency[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->latency_ns, (uint64_t)took_ns, memory_order_relaxed);
}

/* One line for every grant and every refusal of an endpoint that grants or ends something. */
static void log_outcome(const struct web_call *call, enum rc rc)
{
    const struct http_exchange *exchange = call->exchange;
    const struct oauth_call *oauth = &call->oauth;
    bool is_refused = rc == RC_REFUSED;
    char address[HTTP_ADDRESS_TEXT_BYTES];
    struct str from;

    if ((!is_refused && !call->has_oauth) || !log_is_on(LOG_INFO))
        return;
    from = http_address_format(&exchange->request.client, address);
    if (!is_refused)
        log_event(LOG_INFO, call->endpoint->name, LOG_TEXT("request_id", exchange->request.id),
                  LOG_STR("address", from), LOG_STR("client_id", oauth->log_client_id),
                  LOG_STR("username", oauth->log_username),
                  LOG_INT("token_id", oauth->log_token_id));
    else
        log_event(
            LOG_INFO, "refused", LOG_TEXT("request_id", exchange->request.id),
            LOG_TEXT("endpoint", call->endpoint->name), LOG_STR("address", from),
            LOG_STR("client_id", oauth->log_client_id), LOG_STR("username", oauth->log_username),
            LOG_STR("error", oauth_error_wire(oauth->refusal.error)),
            LOG_STR("description", oauth->refusal.description),
            LOG_TEXT("why", oauth->refusal.log_detail == NULL ? "" : oauth->refusal.log_detail));
}

/* What may prove a key (RFC 9449 4.1). The address is the issuer's, not what the request claims. */
static struct proof_presented proof_of(const struct web_call *call)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_header *header = http_find_header(request, STR("dpop"));
    struct proof_presented proof = { .method = request->method_text,
                                     .has_certificate = request->has_certificate,
                                     .certificate = request->certificate,
                                     .is_certificate_trusted = request->is_certificate_trusted };

    if (header == NULL)
        return proof;
    proof.proof_count = http_count_headers(request, STR("dpop"));
    proof.proof = header->value;
    proof.uri = arena_format(call->oauth.arena, "%.*s%.*s", STR_ARGS(call->web->root),
                             STR_ARGS(request->path));
    return proof;
}

static void init_call(struct web_call *call, struct web *web, struct http_exchange *exchange,
                      const struct endpoint *endpoint, struct str rest)
{
    call->web = web;
    call->exchange = exchange;
    call->endpoint = endpoint;
    call->rest = rest;
    call->wanted_scope = STR("");
    call->has_oauth = false;
    call->form.field_count = 0;
    call->form.has_duplicate = false;
    call->form.duplicate_name = STR("");
    call->oauth = (struct oauth_call){ .oauth = web->oauth,
                                       .arena = exchange->arena,
                                       .now = clock_now_s(),
                                       .may_block = exchange->lane != LANE_LOOP,
                                       .may_hash = exchange->lane == LANE_HASH };
    memcpy(call->oauth.address, exchange->request.client.bytes, sizeof(call->oauth.address));
    call->oauth.proof = proof_of(call);
}

struct dialect_call dialect_call_of(struct web_call *call)
{
    return (struct dialect_call){ .oauth = &call->oauth,
                                  .exchange = call->exchange,
                                  .settings = call->web->dialects,
                                  .rest = call->rest };
}

static enum rc handle(struct web_call *call)
{
    struct dialect_call dialect_call;
    enum rc rc;

    if (call->endpoint->dialect_handler == NULL) {
        rc = call->exchange->request.method == HTTP_POST || call->endpoint->page == NULL
                 ? parameters_read(call)
                 : RC_OK;
        if (rc != RC_OK)
            return rc;
        return call->endpoint->page != NULL ? page_serve(call) : call->endpoint->handler(call);
    }
    dialect_call = dialect_call_of(call);
    rc = call->endpoint->dialect_handler(&dialect_call);
    /* A line for whatever gave or ended a token; none for each check of one. */
    call->has_oauth = call->oauth.has_issued ||
                      (call->endpoint->first_lane == LANE_WORK && call->oauth.log_token_id != 0);
    return rc;
}

static void count_issued(const struct web_call *call)
{
    if (call->oauth.has_issued)
        atomic_fetch_add_explicit(&call->web->tokens_issued[call->oauth.issued_by], 1,
                                  memory_order_relaxed);
}

static enum http_verdict finish(struct web_call *call, enum rc rc)
{
    switch (rc) {
    case RC_OK:
        answer_cache(call->exchange, call->endpoint->cache);
        count_issued(call);
        break;
    case RC_REFUSED:
        answer_refusal(call);
        break;
    case RC_WOULD_BLOCK:
        return HTTP_TO_WORK;
    case RC_NEEDS_HASH:
        return HTTP_TO_HASH;
    case RC_NOT_FOUND:
    case RC_EXISTS:
    case RC_SPENT:
    case RC_INVALID:
    case RC_TOO_LARGE:
    case RC_BUSY:
    case RC_UNAVAILABLE:
    case RC_CORRUPT:
    case RC_SYSTEM:
    case RC_CRYPTO:
        answer_fault(call, rc);
        break;
    }
    challenge_add_nonce(call);
    answer_cors(call->exchange, call->endpoint);
    if (rc == RC_OK || rc == RC_REFUSED)
        log_outcome(call, rc);
    count_answer(call->web, call->endpoint, call->exchange);
    return HTTP_ANSWERED;
}

static enum http_verdict serve_endpoint(struct web *web, struct http_exchange *exchange,
                                        const struct endpoint *endpoint, struct str rest)
{
    UNINITIALIZED struct web_call call; /* its form alone has 2 KiB; init_call leaves nothing out */

    if (exchange->lane == LANE_LOOP && endpoint->first_lane == LANE_WORK)
        return HTTP_TO_WORK;
    /* Each lane begins anew, so that the slab must hold one pass only. */
    arena_reset(exchange->arena);
    exchange->note = NULL;
    http_reset_response(exchange);
    init_call(&call, web, exchange, endpoint, rest);
    return finish(&call, handle(&call));
}

/* To a browser as a page, to a program as JSON. */
static void answer_nothing_here(struct web *web, struct http_exchange *exchange)
{
    const struct http_header *accept = http_find_header(&exchange->request, STR("accept"));
    UNINITIALIZED struct web_call call;

    if (exchange->request.listener_tag != WEB_LISTENER_PUBLIC || accept == NULL ||
        memmem(accept->value.at, accept->value.len, "text/html", 9) == NULL) {
        answer_not_found(exchange);
        return;
    }
    arena_reset(exchange->arena);
    http_reset_response(exchange);
    init_call(&call, web, exchange, NULL, STR(""));
    page_answer_not_found(&call);
}

enum http_verdict web_serve(void *context, struct http_exchange *exchange)
{
    struct web *web = context;
    struct str rest;
    bool is_method_wrong;
    const struct endpoint *endpoint =
        endpoint_find(web, &exchange->request, &is_method_wrong, &rest);

    if (endpoint != NULL && !is_method_wrong)
        return serve_endpoint(web, exchange, endpoint, rest);
    if (endpoint == NULL) {
        atomic_fetch_add_explicit(&web->malformed_paths, 1, memory_order_relaxed);
        answer_nothing_here(web, exchange);
    } else {
        if (endpoint->has_cors && exchange->request.method == HTTP_OPTIONS)
            answer_preflight(exchange, endpoint);
        else
            answer_method_not_allowed(exchange, endpoint);
        answer_cors(exchange, endpoint);
        count_answer(web, endpoint, exchange);
    }
    return HTTP_ANSWERED;
}

void web_done(void *context, const struct http_exchange *exchange)
{
    char address[HTTP_ADDRESS_TEXT_BYTES];

    (void)context;
    log_event(LOG_DEBUG, "request", LOG_TEXT("request_id", exchange->request.id),
              LOG_STR("method", exchange->request.method_text),
              LOG_STR("path", exchange->request.path), LOG_INT("status", exchange->response.status),
              LOG_STR("address", http_address_format(&exchange->request.client, address)),
              LOG_INT("took_us", (clock_monotonic_ns() - exchange->arrived_ns) / 1000));
}
