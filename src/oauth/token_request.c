#include "oauth/token_request.h"

#include "oauth/proof.h"

static bool has_grant_type(const struct client *client, enum grant_type type)
{
    return (client->grant_types & 1u << type) != 0;
}

static enum rc refuse_nobody(struct oauth_call *call, const char *why)
{
    return oauth_refuse_for(call, OAUTH_INVALID_CLIENT, REASON_NO_CLIENT,
                            "client authentication is required", why);
}

static enum rc answer_grant(struct oauth_call *call, const struct token_request *request,
                            enum grant_type type, const struct client *client,
                            bool is_authenticated, struct buffer *out_json)
{
    enum rc rc;

    /* ASVS 10.4.4: only what the client is registered for. Without a client it is the services
     * that decide, in the password grant alone. */
    if (is_authenticated && (!has_grant_type(client, type) ||
                             /* FAPI 2.0 Security Profile 5.3.2.1 */
                             (type == GRANT_TYPE_PASSWORD && call->is_fapi)))
        return oauth_refuse_for(call, OAUTH_UNAUTHORIZED_CLIENT, REASON_GRANT_TYPE_NOT_ALLOWED,
                                "the client is not registered for this grant type", NULL);
    if (!is_authenticated && (type != GRANT_TYPE_PASSWORD || request->anonymous_profile == NULL))
        return refuse_nobody(call, "no client");
    /* RFC 9396 6: a person allows them; none is there, and nothing is silently left out. */
    if (request->details != NULL &&
        (type == GRANT_TYPE_CLIENT_CREDENTIALS || type == GRANT_TYPE_PASSWORD))
        return oauth_refuse(call, OAUTH_INVALID_DETAILS,
                            "authorization_details are allowed by a person at the authorization "
                            "endpoint",
                            NULL);
    rc = proof_require(call, client->policy);
    if (rc != RC_OK)
        return rc;
    switch (type) {
    case GRANT_TYPE_PASSWORD:
        return grant_password_answer(call, request, client, is_authenticated, out_json);
    case GRANT_TYPE_CLIENT_CREDENTIALS:
        return grant_client_credentials_answer(call, request, client, out_json);
    case GRANT_TYPE_REFRESH_TOKEN:
        return grant_refresh_token_answer(call, request, client, out_json);
    case GRANT_TYPE_AUTHORIZATION_CODE:
        return grant_authorization_code_answer(call, request, client, out_json);
    case GRANT_TYPE_DEVICE_CODE:
        return grant_device_code_answer(call, request, client, out_json);
    case GRANT_TYPE_TOKEN_EXCHANGE:
        return grant_token_exchange_answer(call, request, client, out_json);
    case GRANT_TYPE_JWT_BEARER:
        return grant_jwt_bearer_answer(call, request, client, out_json);
    case GRANT_TYPE_COUNT:
        break;
    }
    ASSERT(false);
    return RC_SYSTEM;
}

/* The built-in client stands in where nobody authenticates; naming it is the same. */
static enum rc find_client(struct oauth_call *call, const struct token_request *request,
                           struct catalog_client **out_client, bool *out_is_authenticated)
{
    struct str built_in = STR(OAUTH_PUBLIC_CLIENT_ID);
    enum rc rc = client_authenticate(call, &request->credentials, out_client);

    if (rc == RC_NOT_FOUND) {
        rc = catalog_find_client(call->oauth->catalog, built_in, call->may_block, out_client);
        if (rc == RC_OK && (*out_client)->client.is_disabled) {
            catalog_client_put(*out_client);
            return refuse_nobody(call, "public_client is disabled");
        }
    }
    if (rc == RC_OK)
        *out_is_authenticated = !str_equal((*out_client)->client.client_id, built_in);
    return rc;
}

enum rc token_request_answer(struct oauth_call *call, const struct token_request *request,
                             struct buffer *out_json)
{
    struct catalog_client *client;
    bool is_authenticated = false;
    enum grant_type type;
    enum rc rc;

    if (request->grant_type == NULL)
        return oauth_refuse_for(call, OAUTH_INVALID_REQUEST, REASON_NO_GRANT_TYPE,
                                "grant_type is missing", NULL);
    if (grant_type_parse(*request->grant_type, &type) != RC_OK)
        return oauth_refuse(call, OAUTH_UNSUPPORTED_GRANT_TYPE, "this grant type is not offered",
                            NULL);
    rc = find_client(call, request, &client, &is_authenticated);
    if (rc != RC_OK)
        return rc;
    call->log_client_id = arena_copy(call->arena, client->client.client_id);
    rc = answer_grant(call, request, type, &client->client, is_authenticated, out_json);
    if (rc == RC_REFUSED && is_authenticated && client->client.type == CLIENT_CONFIDENTIAL)
        rc = oauth_record_refusal(call, client->client.id);
    catalog_client_put(client);
    return client_auth_finish(call, rc);
}
