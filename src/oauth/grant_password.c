#include "oauth/token_request.h"

/* One answer for every reason (PW-07). */
static const char *const wrong_password = "the user name or the password is wrong";

static enum rc authenticate(struct oauth_call *call, const struct token_request *request,
                            struct store_unit *unit, struct account *out_account)
{
    int64_t wait_s = 0;
    const char *why = NULL;
    enum rc rc = account_authenticate(call->oauth->door, *request->username, request->password,
                                      call->address, call->now, call->arena, unit, out_account,
                                      &why, &wait_s);

    call->is_recorded = rc == RC_NOT_FOUND;
    if (rc == RC_NOT_FOUND)
        return oauth_refuse(call, OAUTH_INVALID_GRANT, wrong_password, why);
    if (rc == RC_REFUSED) {
        rc = oauth_refuse(call, OAUTH_TOO_MANY_REQUESTS, "too many failures from this address",
                          "address throttled");
        call->refusal.retry_after_s = wait_s;
    }
    return rc;
}

/* RFC 6749 4.3, confined as CA-12 says: to clients registered for it, and to services that an
 * administrator opened to it. */
enum rc grant_password_answer(struct oauth_call *call, const struct token_request *request,
                              const struct client *client, bool is_authenticated,
                              struct buffer *out_json)
{
    struct issue_plan plan = { .client = client, .is_uauth = !is_authenticated };
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
    rc = scope_permit(call, client, !is_authenticated, request->scope, &plan.permission);
    if (rc != RC_OK)
        return rc;
    if (!call->may_hash)
        return RC_NEEDS_HASH;
    store_unit_init(&unit);
    rc = authenticate(call, request, &unit, &account);
    if (rc != RC_OK)
        return rc;
    plan.account_id = account.id;
    plan.password_hash = account.password_hash;
    plan.has_refresh =
        is_authenticated && (client->grant_types & 1u << GRANT_TYPE_REFRESH_TOKEN) != 0;
    return token_issue(call, &plan, &unit, out_json);
}
