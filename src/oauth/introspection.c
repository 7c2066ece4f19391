#include "oauth/introspection.h"

#include "oauth/scope.h"

static bool may_see(const struct caller *caller, const struct live_grant *grant)
{
    if (caller->service != NULL)
        return str_has_word(grant->audience, caller->service->service.service_id);
    return caller->client->client.id == grant->client_id;
}

static void format_active(const struct token_view *view, struct buffer *to)
{
    char jti[TOKEN_JTI_BYTES_MAX];

    BUFFER_APPEND_LITERAL(to, "{\"active\":true");
    buffer_append_str(to, view->live.grant->introspection);
    if (view->live.expires_at != 0) {
        BUFFER_APPEND_LITERAL(to, ",\"exp\":");
        buffer_append_u64(to, (uint64_t)view->live.expires_at);
    }
    BUFFER_APPEND_LITERAL(to, ",\"iat\":");
    buffer_append_u64(to, (uint64_t)view->live.issued_at);
    BUFFER_APPEND_LITERAL(to, ",\"jti\":\"");
    buffer_append_str(to, token_jti_format(view->handle, view->live.format, jti));
    BUFFER_APPEND_LITERAL(to, "\"}");
}

static enum rc use(struct oauth_call *call, const struct token_view *view,
                   const struct token_presented *presented)
{
    return token_use(call->oauth->tokens, view, presented->address, call->now, call->may_block);
}

static enum rc answer_caller(struct oauth_call *call, const struct caller *caller,
                             const struct token_presented *presented, struct buffer *out_json)
{
    struct token_view view;
    enum token_inactive why;
    enum rc rc =
        token_find(call->oauth->tokens, presented, call->now, call->may_block, &view, &why);

    if (rc == RC_OK) {
        /* Only what its caller is told of is a use. */
        rc = may_see(caller, view.live.grant) ? use(call, &view, presented) : RC_NOT_FOUND;
        if (rc == RC_OK)
            format_active(&view, out_json);
        token_view_put(call->oauth->tokens, &view);
    }
    if (rc != RC_NOT_FOUND)
        return rc;
    BUFFER_APPEND_LITERAL(out_json, "{\"active\":false}");
    return RC_OK;
}

enum rc introspection_answer(struct oauth_call *call, const struct client_credentials *credentials,
                             const struct token_presented *presented, struct buffer *out_json)
{
    struct caller caller;
    enum rc rc = caller_authenticate(call, credentials, &caller);

    if (rc != RC_OK)
        return rc;
    if (presented == NULL)
        rc = oauth_refuse(call, OAUTH_INVALID_REQUEST, "token is missing", NULL);
    else
        rc = answer_caller(call, &caller, presented, out_json);
    caller_put(&caller);
    return rc;
}

enum rc bearer_check(struct oauth_call *call, const struct token_presented *presented,
                     const struct bearer_demand *demand, struct token_view *out_view)
{
    struct token_view view;
    enum token_inactive why;
    enum rc rc =
        token_find(call->oauth->tokens, presented, call->now, call->may_block, &view, &why);

    if (rc == RC_NOT_FOUND)
        return oauth_refuse_for(call, OAUTH_INVALID_TOKEN,
                                why == TOKEN_EXPIRED ? REASON_TOKEN_EXPIRED : REASON_NONE,
                                "the token is not active", token_inactive_words(why));
    if (rc != RC_OK)
        return rc;
    call->log_token_id = view.id;
    if (demand->service_id.len > 0 && !str_has_word(view.live.grant->audience, demand->service_id))
        rc = oauth_refuse(call, OAUTH_INVALID_TOKEN, "the token is for another service", NULL);
    else if (!scope_contains(view.live.grant->scope, demand->scope))
        rc = oauth_refuse(call, OAUTH_INSUFFICIENT_SCOPE, "the token lacks a required scope", NULL);
    else
        rc = use(call, &view, presented);
    if (rc == RC_OK)
        *out_view = view;
    else
        token_view_put(call->oauth->tokens, &view);
    return rc;
}
