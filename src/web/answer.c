#include "base/log.h"
#include "codec/json.h"
#include "web/page_call.h"
#include "web/problem.h"

void answer_cache(struct http_exchange *exchange, enum cache_policy policy)
{
    switch (policy) {
    case CACHE_NO_STORE:
        http_add_header_lines(exchange, STR("Cache-Control: no-store\r\nPragma: no-cache\r\n"));
        break;
    case CACHE_BRIEF:
        http_add_header(exchange, STR("Cache-Control"), STR("public, max-age=300"));
        break;
    case CACHE_LONG:
        http_add_header(exchange, STR("Cache-Control"), STR("public, max-age=86400"));
        break;
    case CACHE_OWN:
        break;
    }
}

void answer_json(struct http_exchange *exchange, int status)
{
    exchange->response.status = status;
    http_add_header_lines(exchange, STR("Content-Type: application/json\r\n"
                                        "X-Content-Type-Options: nosniff\r\n"));
}

static void format_error(struct buffer *body, struct str error, struct str description)
{
    struct json_out json = json_out_over(body);

    json_begin_object(&json);
    json_member_string(&json, STR("error"), error);
    if (description.len > 0)
        json_member_string(&json, STR("error_description"), description);
    json_end_object(&json);
}

/* RFC 6750 3: the challenge. Words of ours only, so nothing needs quoting. */
static void add_bearer_challenge(struct web_call *call, const struct refusal *refusal,
                                 bool names_error)
{
    char memory[HTTP_ANSWER_HEADER_BYTES_MAX];
    struct buffer value = buffer_over(memory, sizeof(memory));
    const struct str *scope = form_find(&call->form, STR("scope"));

    BUFFER_APPEND_LITERAL(&value, "Bearer realm=\"jeton\"");
    if (names_error) {
        BUFFER_APPEND_LITERAL(&value, ", error=\"");
        buffer_append_str(&value, oauth_error_wire(refusal->error));
        BUFFER_APPEND_LITERAL(&value, "\", error_description=\"");
        buffer_append_str(&value, refusal->description);
        BUFFER_APPEND_LITERAL(&value, "\"");
    }
    if (names_error && refusal->error == OAUTH_INSUFFICIENT_SCOPE && scope != NULL) {
        BUFFER_APPEND_LITERAL(&value, ", scope=\"");
        buffer_append_str(&value, *scope);
        BUFFER_APPEND_LITERAL(&value, "\"");
    }
    http_add_header(call->exchange, STR("WWW-Authenticate"), buffer_str(&value));
}

static void add_challenge(struct web_call *call, const struct refusal *refusal)
{
    if (call->endpoint->errors == ERROR_BEARER) {
        /* RFC 6750 3.1: no error code when no token was sent. */
        add_bearer_challenge(call, refusal, refusal->description.len > 0);
    } else if (refusal->error == OAUTH_INVALID_CLIENT) {
        /* RFC 6749 5.2, RFC 9110 15.5.2: a 401 says how to authenticate. */
        http_add_header(call->exchange, STR("WWW-Authenticate"),
                        STR("Basic realm=\"jeton\", charset=\"UTF-8\""));
    }
}

/* The name under which the log tells more about a request that failed. */
static void add_request_id(struct http_exchange *exchange)
{
    http_add_header(exchange, STR("X-Request-Id"), str_of(exchange->request.id));
}

static void add_retry_after(struct http_exchange *exchange, int64_t seconds)
{
    char memory[24];
    struct buffer value = buffer_over(memory, sizeof(memory));

    buffer_append_u64(&value, (uint64_t)seconds);
    http_add_header(exchange, STR("Retry-After"), buffer_str(&value));
}

static void answer_standard_refusal(struct web_call *call)
{
    struct http_exchange *exchange = call->exchange;
    const struct refusal *refusal = &call->oauth.refusal;

    answer_json(exchange, oauth_error_status(refusal->error));
    answer_cache(exchange, CACHE_NO_STORE);
    add_challenge(call, refusal);
    if (refusal->retry_after_s > 0)
        add_retry_after(exchange, refusal->retry_after_s);
    format_error(&exchange->response.body, oauth_error_wire(refusal->error), refusal->description);
}

void answer_refusal(struct web_call *call)
{
    http_reset_response(call->exchange);
    add_request_id(call->exchange);
    if (call->endpoint->dialect_handler != NULL) {
        struct dialect_call dialect_call = dialect_call_of(call);

        call->endpoint->dialect->answer_refusal(&dialect_call);
    } else if (call->endpoint->errors == ERROR_PAGE) {
        page_answer_refusal(call);
    } else if (call->endpoint->errors == ERROR_PROBLEM) {
        problem_answer_refusal(call);
    } else {
        answer_standard_refusal(call);
    }
    atomic_fetch_add_explicit(&call->web->refusals[call->oauth.refusal.error], 1,
                              memory_order_relaxed);
}

void answer_fault(struct web_call *call, enum rc rc)
{
    bool is_passing = rc == RC_UNAVAILABLE || rc == RC_BUSY;

    call->oauth.refusal = (struct refusal){
        .error = is_passing ? OAUTH_TEMPORARILY_UNAVAILABLE : OAUTH_SERVER_ERROR,
        .retry_after_s = is_passing ? 1 : 0,
    };
    answer_refusal(call);
    log_event(LOG_ERROR, "fault", LOG_TEXT("request_id", call->exchange->request.id),
              LOG_TEXT("endpoint", call->endpoint->name), LOG_TEXT("fault", rc_name(rc)),
              LOG_TEXT("words", rc_words(rc)));
}

void answer_not_found(struct http_exchange *exchange)
{
    http_reset_response(exchange);
    answer_json(exchange, 404);
    answer_cache(exchange, CACHE_NO_STORE);
    format_error(&exchange->response.body, STR("not_found"),
                 STR("there is nothing at this path; the start page lists what there is"));
}

/* RFC 9110 15.5.6: a 405 names the methods there are. */
void answer_method_not_allowed(struct http_exchange *exchange, const struct endpoint *endpoint)
{
    bool has_get = (endpoint->methods & METHOD_GET) != 0;
    bool has_post = (endpoint->methods & METHOD_POST) != 0;
    struct str allowed = has_get ? STR("GET, HEAD") : STR("POST");
    struct str words = has_get ? STR("use GET here") : STR("use POST here");

    if (has_get && has_post) {
        allowed = STR("GET, HEAD, POST");
        words = STR("use GET or POST here");
    }
    http_reset_response(exchange);
    answer_json(exchange, 405);
    answer_cache(exchange, CACHE_NO_STORE);
    http_add_header(exchange, STR("Allow"), allowed);
    format_error(&exchange->response.body, STR("invalid_request"), words);
}
