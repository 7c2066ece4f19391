#include "codec/json.h"
#include "dialect/threedm.h"

/* ---- the framework's words --------------------------------------------------------------------
 */

#define TEXT_OF(literal)                                                                           \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct str basic_challenge = TEXT_OF("Basic realm=\"oauth2/client\"");
static const struct str nobody = TEXT_OF("Full authentication is required to access this resource");

#define ROW(status, error, description)                                                            \
    {                                                                                              \
        status, TEXT_OF(error), TEXT_OF(description), TEXT_OF(""), TEXT_OF("")                     \
    }
#define ROW_WITH(status, error, description, extra_name, extra_text)                               \
    {                                                                                              \
        status, TEXT_OF(error), TEXT_OF(description), TEXT_OF(extra_name), TEXT_OF(extra_text)     \
    }

/* By reason. A description that ends in ": " gets the word that it is about. */
/* clang-format off */
static const struct threedm_error rows[] = {
    [REASON_NO_CLIENT] =
        ROW(401, "unauthorized", "Full authentication is required to access this resource"),
    [REASON_WRONG_CLIENT] = ROW(401, "invalid_client", "Bad client credentials"),
    [REASON_CLIENT_MISMATCH] =
        ROW(401, "invalid_client", "Given client ID does not match authenticated client"),
    [REASON_NO_GRANT_TYPE] = ROW(400, "invalid_request", "Missing grant type"),
    [REASON_GRANT_TYPE_NOT_ALLOWED] = ROW(401, "invalid_client", "Unauthorized grant type: "),
    [REASON_WRONG_PASSWORD] = ROW(400, "invalid_grant", "Bad credentials"),
    [REASON_ACCOUNT_DISABLED] = ROW(400, "invalid_grant", "User is disabled"),
    [REASON_CODE_MISSING] =
        ROW_WITH(400, "invalid_grant", "Two-factor code required", "twofactor", "required"),
    [REASON_CODE_WRONG] =
        ROW_WITH(400, "invalid_grant", "Invalid two-factor code", "twofactor", "invalid"),
    [REASON_SCOPE_UNKNOWN] = ROW_WITH(400, "invalid_scope", "Invalid scope: ", "scope", ""),
    [REASON_NO_REFRESH_TOKEN] =
        ROW(400, "invalid_request", "refresh_token parameter not provided"),
    /* The framework's store of signed refresh tokens reads a text that is none as this. */
    [REASON_REFRESH_UNKNOWN] = ROW(401, "invalid_token", "Cannot convert access token to JSON"),
    [REASON_REFRESH_NO_REFRESH_TOKEN] =
        ROW(401, "invalid_token", "Encoded token is not a refresh token"),
    [REASON_REFRESH_OF_OTHER_CLIENT] =
        ROW(400, "invalid_grant", "Wrong client for this refresh token"),
    [REASON_REFRESH_EXPIRED] = ROW(401, "invalid_token", "Invalid refresh token (expired)"),
    [REASON_TOKEN_EXPIRED] = ROW(400, "invalid_token", "Token has expired"),
    [REASON_REFRESH_ENDED] = ROW(400, "invalid_grant", "Invalid refresh token"),
};
/* clang-format on */

/* What has no reason of its own. */
static struct threedm_error error_without_reason(const struct refusal *refusal)
{
    struct threedm_error error = { .status = oauth_error_status(refusal->error),
                                   .error = oauth_error_wire(refusal->error),
                                   .description = refusal->description };

    if (refusal->error == OAUTH_UNSUPPORTED_GRANT_TYPE) {
        error.description = STR("Unsupported grant type");
    } else if (refusal->error == OAUTH_SERVER_ERROR) {
        error.description = STR("Internal Server Error");
    } else if (refusal->error == OAUTH_TEMPORARILY_UNAVAILABLE) {
        error.description = STR("Service Unavailable");
    } else if (refusal->error == OAUTH_INVALID_TOKEN) { /* of check_token, where it is no 401 */
        error.status = 400;
        error.description = STR("Token was not recognised");
    }
    return error;
}

struct threedm_error threedm_error_of(const struct refusal *refusal,
                                      const struct threedm_request *request, struct arena *arena)
{
    struct threedm_error error;
    struct str word = STR("");

    if ((size_t)refusal->reason >= sizeof(rows) / sizeof(rows[0]) ||
        rows[refusal->reason].status == 0)
        return error_without_reason(refusal);
    error = rows[refusal->reason];
    if (refusal->reason == REASON_SCOPE_UNKNOWN) {
        word = refusal->word;
        error.extra_text = request == NULL ? STR("") : request->client_scope;
    } else if (refusal->reason == REASON_GRANT_TYPE_NOT_ALLOWED && request != NULL) {
        word = request->grant_type; /* one of ours, or it would not be a known one */
    }
    if (str_ends_with(error.description, STR(": ")))
        error.description =
            arena_format(arena, "%.*s%.*s", STR_ARGS(error.description), STR_ARGS(word));
    return error;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

void threedm_answer(struct dialect_call *call, int status)
{
    call->exchange->response.status = status;
    http_add_header_lines(call->exchange, STR("Content-Type: application/json;charset=UTF-8\r\n"
                                              "X-Content-Type-Options: nosniff\r\n"
                                              "Cache-Control: no-store\r\n" /* RFC 6749 5.1 */
                                              "Pragma: no-cache\r\n"));
}

static void write_error(struct dialect_call *call, const struct threedm_error *error)
{
    struct json_out json = json_out_over(&call->exchange->response.body);

    json_begin_object(&json);
    json_member_string(&json, STR("error"), error->error);
    json_member_string(&json, STR("error_description"), error->description);
    if (error->extra_name.len > 0)
        json_member_string(&json, error->extra_name, error->extra_text);
    json_end_object(&json);
}

void threedm_answer_error(struct dialect_call *call, int status, struct str error,
                          struct str description)
{
    const struct threedm_error whole = { status, error, description, STR(""), STR("") };

    threedm_answer(call, status);
    write_error(call, &whole);
}

/* The error page of a Spring Boot server that has no handler of its own for such failures. */
static void answer_error_page(struct dialect_call *call, struct str message)
{
    struct json_out json = json_out_over(&call->exchange->response.body);

    threedm_answer(call, 401);
    http_add_header(call->exchange, STR("WWW-Authenticate"), basic_challenge);
    json_begin_object(&json);
    json_member_number(&json, STR("timestamp"), call->oauth->now * 1000);
    json_member_number(&json, STR("status"), 401);
    json_member_string(&json, STR("error"), STR("Unauthorized"));
    json_member_string(&json, STR("message"), message);
    json_member_string(&json, STR("path"), call->exchange->request.path);
    json_end_object(&json);
}

/* The scheme and its parameters. Descriptions are words of ours and of the scope's alphabet, so
 * nothing needs quoting. */
static void add_challenge(struct dialect_call *call, const char *scheme,
                          const struct threedm_error *error)
{
    struct str value =
        arena_format(call->exchange->arena, "%s error=\"%.*s\", error_description=\"%.*s\"", scheme,
                     STR_ARGS(error->error), STR_ARGS(error->description));

    http_add_header(call->exchange, STR("WWW-Authenticate"), value);
}

static void add_client_challenge(struct dialect_call *call, enum threedm_attempt attempt,
                                 const struct threedm_error *error)
{
    if (attempt == ATTEMPT_NONE)
        add_challenge(call, "Basic realm=\"oauth2/client\",", error);
    else if (attempt == ATTEMPT_FORM)
        add_challenge(call, "Form realm=\"oauth2/client\",", error);
    else
        http_add_header(call->exchange, STR("WWW-Authenticate"), basic_challenge);
}

static void add_retry_after(struct dialect_call *call, int64_t seconds)
{
    http_add_header(call->exchange, STR("Retry-After"),
                    arena_format(call->exchange->arena, "%lld", (long long)seconds));
}

void threedm_answer_refusal(struct dialect_call *call)
{
    const struct threedm_request *request = call->exchange->note;
    const struct refusal *refusal = &call->oauth->refusal;
    enum threedm_attempt attempt = request == NULL ? ATTEMPT_NONE : request->attempt;
    struct threedm_error error = threedm_error_of(refusal, request, call->exchange->arena);
    bool is_client_failure =
        refusal->reason == REASON_NO_CLIENT || refusal->reason == REASON_WRONG_CLIENT;

    if (refusal->reason == REASON_NO_CLIENT)
        attempt = ATTEMPT_NONE;
    if (is_client_failure && attempt != ATTEMPT_FORM &&
        call->settings->threedm_client_error == CLIENT_ERROR_BOOT) {
        answer_error_page(call, attempt == ATTEMPT_NONE ? nobody : STR("Bad credentials"));
        return;
    }
    threedm_answer(call, error.status);
    if (is_client_failure)
        add_client_challenge(call, attempt, &error);
    else if (error.status == 401)
        add_challenge(call, "Bearer", &error);
    if (refusal->retry_after_s > 0)
        add_retry_after(call, refusal->retry_after_s);
    write_error(call, &error);
}

void threedm_token_format(const struct token_answer *answer, struct buffer *out_json)
{
    struct json_out json = json_out_over(out_json);

    json_begin_object(&json);
    json_member_string(&json, STR("access_token"), answer->access_token);
    json_member_string(&json, STR("token_type"), STR("bearer"));
    if (answer->refresh_token.len > 0)
        json_member_string(&json, STR("refresh_token"), answer->refresh_token);
    /* The framework counts whole seconds that are left when the answer is written: one less. */
    if (answer->expires_in_s > 0)
        json_member_number(&json, STR("expires_in"), answer->expires_in_s - 1);
    json_member_string(&json, STR("scope"), answer->scope);
    if (answer->account != NULL)
        json_member_string(&json, STR("fullname"), answer->account->full_name);
    json_member_string(&json, STR("jti"), answer->jti);
    if (answer->account != NULL) {
        json_member_number(&json, STR("userid"), answer->account->id);
        json_member_string(&json, STR("username"), answer->account->name);
    }
    json_end_object(&json);
}
