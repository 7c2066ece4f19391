#include "oauth/introspection.h"

#include "oauth/authorization.h"
#include "oauth/client_metadata.h"
#include "oauth/proof.h"
#include "oauth/scope.h"

enum {
    /* The members of a grant, escaped, its claims, and what is of the token. */
    INTROSPECTION_BYTES_MAX =
        6 * (2 * SCOPE_BYTES_MAX + 3 * CLIENT_ID_BYTES_MAX + TOKEN_ISSUER_BYTES_MAX) +
        3 * SCOPE_WORD_COUNT_MAX + TOKEN_CLAIMS_BYTES_MAX + 1024
};

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
    buffer_append_str(to, view->live.grant->claims); /* RFC 8705 3.2, RFC 9449 6.2 */
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

/* ---- signed answers (RFC 9701) --------------------------------------------------------------- */

static enum rc find_alg(struct oauth_call *call, const struct caller *caller,
                        enum signing_alg *out_alg)
{
    struct client_metadata metadata;
    enum rc rc;

    if (caller->service != NULL) {
        *out_alg = caller->service->service.alg;
        return RC_OK;
    }
    rc = client_metadata_read(&caller->client->client, call->arena, &metadata);
    if (rc == RC_OK) /* RFC 9701 6 */
        *out_alg = metadata.has_introspection_alg ? metadata.introspection_alg : ALG_RS256;
    return rc;
}

static struct str caller_id(const struct caller *caller)
{
    return caller->service != NULL ? caller->service->service.service_id
                                   : caller->client->client.client_id;
}

static enum rc sign(struct oauth_call *call, const struct caller *caller, struct str answer,
                    struct buffer *out_jwt)
{
    size_t bytes_max = answer.len + 6 * (TOKEN_ISSUER_BYTES_MAX + SERVICE_ID_BYTES_MAX) + 128;
    struct buffer claims = buffer_over(arena_alloc(call->arena, bytes_max), bytes_max);
    struct json_out json = json_out_over(&claims);
    enum signing_alg alg;
    enum rc rc = find_alg(call, caller, &alg);

    if (rc != RC_OK)
        return rc;
    json_begin_object(&json);
    json_member_string(&json, STR("iss"), call->oauth->issuer);
    json_member_string(&json, STR("aud"), caller_id(caller));
    json_member_number(&json, STR("iat"), call->now);
    json_name(&json, STR("token_introspection"));
    json_raw(&json, answer);
    json_end_object(&json);
    ASSERT(!claims.overflow);
    /* No sub and no exp: it is not to be taken for an access token (RFC 9701 8.1). */
    return token_sign(call->oauth->tokens, alg, STR("token-introspection+jwt"), buffer_str(&claims),
                      call->now, out_jwt);
}

static enum rc answer_signed(struct oauth_call *call, const struct caller *caller,
                             const struct token_presented *presented, struct buffer *out_jwt)
{
    struct buffer json;
    enum rc rc;

    if (!call->may_block)
        return RC_WOULD_BLOCK;
    json = buffer_over(arena_alloc(call->arena, INTROSPECTION_BYTES_MAX), INTROSPECTION_BYTES_MAX);
    rc = answer_caller(call, caller, presented, &json);
    ASSERT(rc != RC_OK || !json.overflow);
    return rc == RC_OK ? sign(call, caller, buffer_str(&json), out_jwt) : rc;
}

/* ---- the endpoint ---------------------------------------------------------------------------- */

static enum rc answer(struct oauth_call *call, const struct client_credentials *credentials,
                      const struct token_presented *presented, bool is_signed, struct buffer *out)
{
    struct caller caller;
    enum rc rc = caller_authenticate(call, credentials, &caller);

    if (rc != RC_OK)
        return rc;
    if (presented == NULL)
        rc = oauth_refuse(call, OAUTH_INVALID_REQUEST, "token is missing", NULL);
    else if (is_signed)
        rc = answer_signed(call, &caller, presented, out);
    else
        rc = answer_caller(call, &caller, presented, out);
    caller_put(&caller);
    return client_auth_finish(call, rc);
}

enum rc introspection_answer(struct oauth_call *call, const struct client_credentials *credentials,
                             const struct token_presented *presented, struct buffer *out_json)
{
    return answer(call, credentials, presented, false, out_json);
}

enum rc introspection_answer_signed(struct oauth_call *call,
                                    const struct client_credentials *credentials,
                                    const struct token_presented *presented, struct buffer *out_jwt)
{
    return answer(call, credentials, presented, true, out_jwt);
}

/* ---- for resource servers -------------------------------------------------------------------- */

/* RFC 9470 3: how the token's person was authenticated, and when; what is not known is not enough.
 */
static enum rc check_authentication(struct oauth_call *call, const struct live_grant *grant,
                                    const struct bearer_demand *demand)
{
    struct str rest = demand->acr_values;
    bool is_reached = rest.len == 0;
    struct str wanted;

    while (!is_reached && str_next_word(&rest, &wanted))
        is_reached = acr_reaches(grant->acr, wanted);
    if (!is_reached)
        return oauth_refuse(call, OAUTH_INSUFFICIENT_AUTHENTICATION,
                            "a stronger authentication is required", NULL);
    if (demand->has_max_age &&
        (grant->auth_time == 0 || call->now - grant->auth_time > demand->max_age_s))
        return oauth_refuse(call, OAUTH_INSUFFICIENT_AUTHENTICATION,
                            "a more recent authentication is required", NULL);
    return RC_OK;
}

static enum rc check_demand(struct oauth_call *call, const struct token_view *view,
                            const struct bearer_demand *demand)
{
    const struct live_grant *grant = view->live.grant;

    if (demand->service_id.len > 0 && !str_has_word(grant->audience, demand->service_id))
        return oauth_refuse(call, OAUTH_INVALID_TOKEN, "the token is for another service", NULL);
    if (!scope_contains(grant->scope, demand->scope))
        return oauth_refuse(call, OAUTH_INSUFFICIENT_SCOPE, "the token lacks a required scope",
                            NULL);
    return check_authentication(call, grant, demand);
}

/* What the proof that comes with a token is held to is a matter of whom it was issued to. */
static enum rc check_holder(struct oauth_call *call, const struct token_presented *presented,
                            const struct bearer_demand *demand, const struct live_grant *grant)
{
    struct catalog_client *entry;
    enum rc rc = RC_OK;

    if (grant->binding.kind == BINDING_DPOP && grant->client_id != 0) {
        rc = catalog_find_client_by_id(call->oauth->catalog, grant->client_id, call->may_block,
                                       &entry);
        if (rc == RC_OK) {
            call->is_fapi = client_is_fapi(&entry->client);
            catalog_client_put(entry);
        }
    }
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    return proof_check_holder(call, &grant->binding, demand->scheme_is_dpop, presented->value);
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
    rc = check_holder(call, presented, demand, view.live.grant);
    if (rc == RC_OK)
        rc = check_demand(call, &view, demand);
    if (rc == RC_OK)
        rc = use(call, &view, presented);
    if (rc == RC_OK)
        *out_view = view;
    else
        token_view_put(call->oauth->tokens, &view);
    return rc;
}
