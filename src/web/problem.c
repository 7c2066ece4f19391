#include "web/problem.h"

#include "codec/json.h"
#include "web/challenge.h"

static struct str title_of(int status)
{
    switch (status) {
    case 400:
        return STR("Bad Request");
    case 401:
        return STR("Unauthorized");
    case 403:
        return STR("Forbidden");
    case 404:
        return STR("Not Found");
    case 405:
        return STR("Method Not Allowed");
    case 409:
        return STR("Conflict");
    case 412:
        return STR("Precondition Failed");
    case 415:
        return STR("Unsupported Media Type");
    case 422:
        return STR("Unprocessable Content");
    case 503:
        return STR("Service Unavailable");
    default:
        return STR("Internal Server Error");
    }
}

static void render(const struct problem *problem, struct buffer *body)
{
    struct json_out json = json_out_over(body);

    json_begin_object(&json);
    json_member_string(&json, STR("title"), title_of(problem->status));
    json_member_number(&json, STR("status"), problem->status);
    json_member_string(&json, STR("error"), problem->error);
    if (problem->detail.len > 0)
        json_member_string(&json, STR("detail"), problem->detail);
    if (problem->field.len > 0)
        json_member_string(&json, STR("field"), problem->field);
    if (problem->value.len > 0)
        json_member_string(&json, STR("value"), problem->value);
    json_end_object(&json);
}

void problem_answer(struct http_exchange *exchange, const struct problem *problem)
{
    http_reset_response(exchange);
    exchange->response.status = problem->status;
    /* RFC 9457 3 */
    http_add_header_lines(exchange, STR("Content-Type: application/problem+json\r\n"
                                        "X-Content-Type-Options: nosniff\r\n"));
    http_add_header(exchange, STR("X-Request-Id"), str_of(exchange->request.id));
    render(problem, &exchange->response.body);
}

static void add_retry_after(struct http_exchange *exchange, int64_t seconds)
{
    char memory[24];
    struct buffer value = buffer_over(memory, sizeof(memory));

    buffer_append_u64(&value, (uint64_t)seconds);
    http_add_header(exchange, STR("Retry-After"), buffer_str(&value));
}

void problem_answer_refusal(struct web_call *call)
{
    const struct refusal *refusal = &call->oauth.refusal;
    struct http_exchange *exchange = call->exchange;
    const struct problem problem = { .status = challenge_status(refusal->error),
                                     .error = oauth_error_wire(refusal->error),
                                     .detail = refusal->description };

    problem_answer(exchange, &problem);
    answer_cache(exchange, CACHE_NO_STORE);
    if (problem.status == 401 || problem.status == 403)
        challenge_add(call,
                      call->wanted_scope.len > 0 ? call->wanted_scope : STR(PERMANENT_TOKENS_WORD));
    if (refusal->retry_after_s > 0)
        add_retry_after(exchange, refusal->retry_after_s);
}
