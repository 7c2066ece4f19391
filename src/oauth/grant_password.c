#include "oauth/proof.h"
#include "oauth/token_request.h"

/* A first RSA key takes most of a second to make: not on the lane that hashes. */
static enum rc prepare_key(struct oauth_call *call, const struct token_shape *shape)
{
    struct ring_key *key;
    enum rc rc;

    if (shape->format != TOKEN_JWT && shape->format != TOKEN_SPRING_JWT)
        return RC_OK;
    rc = key_ring_find(token_room_keys(call->oauth->tokens), shape->alg, call->now, &key);
    if (rc == RC_OK)
        ring_key_put(key);
    return rc;
}

/* RFC 6749 4.3, confined as CA-12 says: to clients registered for it, and to services that an
 * administrator opened to it. */
enum rc grant_password_answer(struct oauth_call *call, const struct token_request *request,
                              const struct client *client, bool is_authenticated,
                              struct buffer *out_json)
{
    const struct token_profile *profile =
        is_authenticated ? request->profile : request->anonymous_profile;
    struct issue_plan plan = { .grant_type = GRANT_TYPE_PASSWORD, .client = client };
    struct scope_demand demand = { .scope = request->scope, .resources = request->resources };
    struct token_answer answer;
    struct account account;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    /* An empty password is not "omitted" (RFC 6749 3.2) but a wrong one: it gets the answer, and
     * costs the time, of every other failed sign-in. */
    if (request->username == NULL || request->password == NULL)
        return oauth_refuse(
            call, OAUTH_INVALID_REQUEST,
            request->username == NULL ? "username is missing" : "password is missing", NULL);
    call->log_username = *request->username;
    if (is_authenticated)
        rc = scope_permit_demand(call, client, &demand, &plan.permission);
    else
        rc = scope_permit(call, client, true, request->scope, &plan.permission);
    if (rc != RC_OK)
        return rc;
    token_profile_shape(profile, &plan.permission);
    if (!call->may_hash)
        rc = call->may_block ? prepare_key(call, &plan.permission.shape) : RC_WOULD_BLOCK;
    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    /* Before the password, on the lane that hashes alone: a bad proof costs no hash. */
    if (call->may_hash)
        rc = proof_read(call, (client->policy & CLIENT_BINDS_TLS) != 0, &unit, &plan.binding);
    if (rc != RC_OK)
        return rc;
    rc = oauth_sign_in(call, *request->username, request->password, request->code,
                       profile->asks_code, &unit, &account);
    if (rc != RC_OK)
        return rc;
    plan.account = &account;
    plan.has_refresh =
        is_authenticated && (client->grant_types & 1u << GRANT_TYPE_REFRESH_TOKEN) != 0;
    plan.keeps_refresh = refresh_is_kept(call, request, client);
    rc = token_issue(call, &plan, &unit, &answer);
    if (rc == RC_OK)
        profile->format(&answer, out_json);
    return rc == RC_SPENT ? oauth_refuse_spent_code(call) : rc;
}
