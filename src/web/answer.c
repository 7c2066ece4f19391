#include "base/log.h"
#include "codec/json.h"
#include "web/challenge.h"
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

/* What is wrong with a registration, not with the token that came with it. */
static bool is_of_registration(enum oauth_error error)
{
    return error == OAUTH_INVALID_REDIRECT_URI || error == OAUTH_INVALID_CLIENT_METADATA ||
           error == OAUTH_UNAPPROVED_STATEMENT || error == OAUTH_TOO_MANY_REQUESTS;
}

static void add_challenge(struct web_call *call, const struct refusal *refusal)
{
    if (is_of_registration(refusal->error))
        return;
    if (call->endpoint->errors == ERROR_BEARER) {
        challenge_add(call, call->wanted_scope);
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

    answer_json(exchange, call->endpoint->errors == ERROR_BEARER
                              ? challenge_status(refusal->error)
                              : oauth_error_status(refusal->error));
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
    /* That a shared store is away is said once, by daemon/database_watch.c. */
    bool is_said = rc == RC_UNAVAILABLE && oauth_read_feed_meters(call->web->oauth).is_shared;
    enum log_level level = is_said ? LOG_DEBUG : LOG_ERROR;

    call->oauth.refusal = (struct refusal){
        .error = is_passing ? OAUTH_TEMPORARILY_UNAVAILABLE : OAUTH_SERVER_ERROR,
        .retry_after_s = is_passing ? 1 : 0,
    };
    answer_refusal(call);
    log_event(level, "fault", LOG_TEXT("request_id", call->exchange->request.id),
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

void answer_cors(struct http_exchange *exchange, const struct endpoint *endpoint)
{
    if (!endpoint->has_cors)
        return;
    http_add_header_lines(exchange,
                          STR("Access-Control-Allow-Origin: *\r\n"
                              "Access-Control-Expose-Headers: WWW-Authenticate, DPoP-Nonce\r\n"));
}

/* "GET, POST" */
static void append_methods(const struct endpoint *endpoint, bool names_head, struct str between,
                           struct buffer *to)
{
    static const struct {
        unsigned bit;
        struct str name;
        struct str with_head;
    } methods[] = { { METHOD_GET, { "GET", 3 }, { "GET, HEAD", 9 } },
                    { METHOD_POST, { "POST", 4 }, { "POST", 4 } },
                    { METHOD_PUT, { "PUT", 3 }, { "PUT", 3 } },
                    { METHOD_DELETE, { "DELETE", 6 }, { "DELETE", 6 } } };
    size_t begin = to->len;

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if ((endpoint->methods & methods[i].bit) == 0)
            continue;
        if (to->len > begin)
            buffer_append_str(to, between);
        buffer_append_str(to, names_head ? methods[i].with_head : methods[i].name);
    }
}

void answer_preflight(struct http_exchange *exchange, const struct endpoint *endpoint)
{
    char memory[64];
    struct buffer allowed = buffer_over(memory, sizeof(memory));

    append_methods(endpoint, false, STR(", "), &allowed);
    http_reset_response(exchange);
    exchange->response.status = 204;
    http_add_header(exchange, STR("Access-Control-Allow-Methods"), buffer_str(&allowed));
    http_add_header_lines(exchange,
                          STR("Access-Control-Allow-Headers: Authorization, Content-Type, DPoP\r\n"
                              "Access-Control-Max-Age: 86400\r\n"));
}

/* RFC 9110 15.5.6: a 405 names the methods there are. */
void answer_method_not_allowed(struct http_exchange *exchange, const struct endpoint *endpoint)
{
    char memory[64];
    char words_memory[64];
    struct buffer allowed = buffer_over(memory, sizeof(memory));
    struct buffer words = buffer_over(words_memory, sizeof(words_memory));

    append_methods(endpoint, true, STR(", "), &allowed);
    BUFFER_APPEND_LITERAL(&words, "use ");
    append_methods(endpoint, false, STR(" or "), &words);
    BUFFER_APPEND_LITERAL(&words, " here");
    http_reset_response(exchange);
    answer_json(exchange, 405);
    answer_cache(exchange, CACHE_NO_STORE);
    http_add_header(exchange, STR("Allow"), buffer_str(&allowed));
    format_error(&exchange->response.body, STR("invalid_request"), buffer_str(&words));
}
