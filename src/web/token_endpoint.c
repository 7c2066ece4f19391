#include "base/log.h"
#include "oauth/grant_token_exchange.h"
#include "web/endpoint.h"

/*
 * u-Auth's documentation shows a curl command of several lines whose backslash and line end stand
 * inside the quotes and are sent. Such an end is cut off, and blanks around the value; a password
 * is never touched.
 */
static const struct str *trim_pasted(struct web_call *call, struct str name)
{
    const struct str *sent = parameters_find(call, name);
    struct str *trimmed;

    if (sent == NULL)
        return NULL;
    trimmed = arena_alloc(call->exchange->arena, sizeof(*trimmed));
    *trimmed = str_trim(*sent);
    if (trimmed->len < sent->len && trimmed->len > 0 && trimmed->at[trimmed->len - 1] == '\\') {
        trimmed->len--;
        *trimmed = str_trim(*trimmed);
    }
    return trimmed->len == 0 ? NULL : trimmed;
}

static bool ends_like_pasted(const struct str *password)
{
    return password != NULL && str_ends_with(*password, STR("\\\n"));
}

static void log_refused_hint(struct web_call *call)
{
    if (call->oauth.refusal.error == OAUTH_INVALID_GRANT &&
        ends_like_pasted(form_find(&call->form, STR("password"))))
        log_event(LOG_WARN, "pasted_line_end", LOG_TEXT("request_id", call->exchange->request.id),
                  LOG_TEXT("hint", "the password ends with a backslash and a line end: a command "
                                   "of several lines was pasted with its line ends in quotes"));
}

/* Whether this is u-Auth's place, too: there, users of some services need no client. */
static const struct token_profile *anonymous_profile(const struct web_call *call)
{
    struct str path;
    bool is_uauth =
        dialect_claims(&dialect_uauth, call->web->dialects, &call->exchange->request, &path) &&
        endpoint_has_path(call->endpoint, path);

    return is_uauth ? &uauth_profile : NULL;
}

/* What the grants of RFC 6749 4.1 and its extensions bring. */
static enum rc read_grant(struct web_call *call, struct token_request *request)
{
    bool is_device = request->grant_type != NULL &&
                     str_equal(*request->grant_type, grant_type_format(GRANT_TYPE_DEVICE_CODE));
    enum rc rc;

    request->redirect_uri = parameters_find(call, STR("redirect_uri"));
    request->assertion = parameters_find(call, STR("assertion"));
    request->details = parameters_find(call, STR("authorization_details"));
    rc =
        parameters_secret(call, is_device ? STR("device_code") : STR("code"), &request->code_value);
    if (rc == RC_OK)
        rc = parameters_secret(call, STR("code_verifier"), &request->code_verifier);
    if (rc != RC_OK)
        return rc;
    rc = form_join(&call->form, STR("resource"), call->exchange->arena, &request->resources);
    if (rc == RC_INVALID || request->resources.len > SCOPE_BYTES_MAX)
        return oauth_refuse(&call->oauth, OAUTH_INVALID_TARGET, "a resource is malformed", NULL);
    return rc;
}

static enum rc read_exchange(struct web_call *call, struct token_request *request)
{
    struct token_exchange *exchange = arena_alloc(call->exchange->arena, sizeof(*exchange));
    enum rc rc;

    exchange->subject_token = parameters_find(call, STR("subject_token"));
    exchange->subject_token_type = parameters_find(call, STR("subject_token_type"));
    exchange->actor_token = parameters_find(call, STR("actor_token"));
    exchange->actor_token_type = parameters_find(call, STR("actor_token_type"));
    exchange->requested_token_type = parameters_find(call, STR("requested_token_type"));
    rc = form_join(&call->form, STR("audience"), call->exchange->arena, &exchange->audiences);
    if (rc == RC_INVALID || exchange->audiences.len > SCOPE_BYTES_MAX) /* RFC 8693 2.1 */
        return oauth_refuse(&call->oauth, OAUTH_INVALID_TARGET, "an audience is malformed", NULL);
    request->exchange = exchange;
    return rc;
}

enum rc token_endpoint(struct web_call *call)
{
    struct token_request request = { .grant_type = trim_pasted(call, STR("grant_type")),
                                     .scope = trim_pasted(call, STR("scope")),
                                     .username = trim_pasted(call, STR("username")),
                                     .profile = &token_profile_standard,
                                     .anonymous_profile = anonymous_profile(call) };
    enum rc rc = parameters_credentials(call, &request.credentials);

    call->has_oauth = true;
    if (rc == RC_OK)
        rc = parameters_secret(call, STR("password"), &request.password);
    if (rc == RC_OK)
        rc = parameters_secret(call, STR("refresh_token"), &request.refresh_token);
    if (rc == RC_OK)
        rc = read_grant(call, &request);
    if (rc == RC_OK)
        rc = read_exchange(call, &request);
    if (rc != RC_OK)
        return rc;
    rc = token_request_answer(&call->oauth, &request, &call->exchange->response.body);
    if (rc == RC_REFUSED)
        log_refused_hint(call);
    if (rc != RC_OK)
        return rc;
    answer_json(call->exchange, 200);
    return RC_OK;
}
