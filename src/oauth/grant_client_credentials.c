#include "oauth/proof.h"
#include "oauth/token_request.h"

/* RFC 6749 4.4. No refresh token is issued (4.4.3). */
enum rc grant_client_credentials_answer(struct oauth_call *call,
                                        const struct token_request *request,
                                        const struct client *client, struct buffer *out_json)
{
    struct issue_plan plan = { .grant_type = GRANT_TYPE_CLIENT_CREDENTIALS, .client = client };
    struct scope_demand demand = { .scope = request->scope,
                                   .resources = request->resources,
                                   .may_administer = true };
    struct token_answer answer;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    /* RFC 6749 4.4: confidential clients only. */
    if (client->type == CLIENT_PUBLIC)
        return oauth_refuse_for(call, OAUTH_UNAUTHORIZED_CLIENT, REASON_GRANT_TYPE_NOT_ALLOWED,
                                "a public client cannot use client_credentials", NULL);
    rc = scope_permit_demand(call, client, &demand, &plan.permission);
    if (rc != RC_OK)
        return rc;
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    token_profile_shape(request->profile, &plan.permission);
    store_unit_init(&unit);
    rc = proof_read(call, (client->policy & CLIENT_BINDS_TLS) != 0, &unit, &plan.binding);
    if (rc != RC_OK)
        return rc;
    rc = token_issue(call, &plan, &unit, &answer);
    if (rc == RC_OK)
        request->profile->format(&answer, out_json);
    return rc;
}
