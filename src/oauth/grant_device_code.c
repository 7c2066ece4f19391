#include "crypto/digest.h"
#include "oauth/device.h"
#include "oauth/proof.h"
#include "oauth/token_request.h"
#include "store/authorized.h"

/*
 * RFC 8628 3.4, 3.5. A poll that comes before the person's answer is put down, so that the next one
 * can be told to slow down. What was allowed is redeemed by one conditional update in the
 * transaction of the tokens.
 */

/* A poll. */
struct poll {
    struct oauth_call *call;
    const struct token_request *request;
    const struct client *client;
    struct device_request device;
    struct authorization authorization;
    struct account account;
    struct issue_plan plan;
    struct permission access; /* of the first access token */
    struct store_unit unit;
};

static enum rc refuse_code(struct oauth_call *call, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_GRANT, "the device code is not valid", why);
}

static enum rc refuse_access(struct oauth_call *call, const char *why)
{
    return oauth_refuse(call, OAUTH_ACCESS_DENIED, "the device was not allowed to go on", why);
}

/* ---- before the answer ----------------------------------------------------------------------- */

/* The clock has whole seconds: a poll in time may look as if it came up to one too early. */
static bool is_too_soon(const struct poll *poll)
{
    const struct device_request *device = &poll->device;

    return device->polled_at != 0 && poll->call->now < device->polled_at + device->interval_s - 1;
}

static enum rc put_off(struct poll *poll)
{
    struct oauth_call *call = poll->call;
    bool is_soon = is_too_soon(poll);
    int64_t interval_s = poll->device.interval_s + (is_soon ? DEVICE_INTERVAL_S : 0);
    enum rc rc;

    store_unit_init(&poll->unit);
    store_poll_device_request(&poll->unit, poll->device.id, interval_s, call->now);
    rc = oauth_commit(call, &poll->unit);
    if (rc != RC_OK)
        return rc;
    call->is_recorded = true; /* nobody needs an event for each poll */
    return is_soon
               ? oauth_refuse(call, OAUTH_SLOW_DOWN, "wait five seconds longer between polls", NULL)
               : oauth_refuse(call, OAUTH_AUTHORIZATION_PENDING, "the person has not answered yet",
                              NULL);
}

/* ---- redeeming ------------------------------------------------------------------------------- */

/* What was allowed must still be permitted, in full. */
static enum rc permit(struct poll *poll)
{
    struct oauth_call *call = poll->call;
    const struct scope_allowed allowed = { .scope = poll->device.scope,
                                           .audience = poll->device.audience,
                                           .resources = poll->request->resources };
    enum rc rc =
        scope_permit_allowed(call, poll->client, &allowed, &poll->plan.permission, &poll->access);

    if (rc == RC_NOT_FOUND)
        return refuse_code(call, "its scope is no longer permitted");
    if (rc == RC_OK && allowed.resources.len > 0)
        poll->plan.access = &poll->access;
    return rc;
}

/* DV-06; and who signed out everywhere or changed the password takes back what nobody has used. */
static enum rc find_person(struct poll *poll)
{
    struct oauth_call *call = poll->call;
    struct store *store = call->oauth->store;
    enum rc rc = store_find_authorization(store, poll->device.authorization_id, call->arena,
                                          &poll->authorization);

    if (rc == RC_OK)
        rc = store_find_account(store, poll->authorization.account_id, call->arena, &poll->account);
    if (rc == RC_NOT_FOUND || (rc == RC_OK && poll->account.is_disabled))
        return refuse_access(call, "the account is gone or disabled");
    if (rc == RC_OK)
        rc = store_find_login(store, poll->account.id, poll->authorization.login_id);
    if (rc == RC_NOT_FOUND)
        return refuse_access(call, "its sign-in has ended");
    if (rc != RC_OK)
        return rc;
    call->log_username = poll->account.name;
    poll->plan.account = &poll->account;
    poll->plan.authorization = &poll->authorization;
    return RC_OK;
}

/* RFC 9396 6 */
static enum rc check_details(struct poll *poll)
{
    const struct str *asked = poll->request->details;

    return asked == NULL ? RC_OK
                         : details_check_same(poll->call, *asked, poll->authorization.details);
}

/* Whose key the request was made with has to prove it. */
static enum rc check_binding(struct poll *poll)
{
    return poll->device.binding.kind == BINDING_NONE ||
                   binding_equal(&poll->device.binding, &poll->plan.binding)
               ? RC_OK
               : refuse_code(poll->call, "another key than that of the request");
}

static enum rc redeem(struct poll *poll, struct buffer *out_json)
{
    struct oauth_call *call = poll->call;
    struct token_answer answer;
    enum rc rc;

    store_unit_init(&poll->unit);
    rc = proof_read(call, (poll->client->policy & CLIENT_BINDS_TLS) != 0, &poll->unit,
                    &poll->plan.binding);
    if (rc == RC_OK)
        rc = check_binding(poll);
    if (rc == RC_OK)
        rc = find_person(poll);
    if (rc == RC_OK)
        rc = check_details(poll);
    if (rc == RC_OK)
        rc = permit(poll);
    if (rc != RC_OK)
        return rc;
    store_spend_device_request(&poll->unit, poll->device.id, call->now);
    store_expect_login(&poll->unit, poll->account.id, poll->authorization.login_id);
    rc = token_issue(call, &poll->plan, &poll->unit, &answer);
    if (rc == RC_OK)
        poll->request->profile->format(&answer, out_json);
    if (rc == RC_SPENT) /* DV-04: another poll was quicker */
        return refuse_code(call, "redeemed a moment before, or expired");
    return rc == RC_NOT_FOUND ? refuse_access(call, "the account is gone or disabled") : rc;
}

static enum rc answer_state(struct poll *poll, struct buffer *out_json)
{
    struct oauth_call *call = poll->call;

    if (poll->device.state == DEVICE_SPENT) /* DV-04 */
        return refuse_code(call, "redeemed before");
    if (poll->device.expires_at <= call->now)
        return oauth_refuse(call, OAUTH_EXPIRED_TOKEN, "the device code has expired", NULL);
    switch (poll->device.state) {
    case DEVICE_WAITING:
        return put_off(poll);
    case DEVICE_ALLOWED:
        return redeem(poll, out_json);
    case DEVICE_DENIED:
    case DEVICE_SPENT:
        break;
    }
    return refuse_access(call, "the person said no");
}

enum rc grant_device_code_answer(struct oauth_call *call, const struct token_request *request,
                                 const struct client *client, struct buffer *out_json)
{
    bool has_refresh = (client->grant_types & 1u << GRANT_TYPE_REFRESH_TOKEN) != 0;
    unsigned char digest[DIGEST_BYTES];
    struct poll *poll;
    enum rc rc;

    /* RFC 6749 3.2: without a value is as if omitted. */
    if (request->code_value == NULL || request->code_value->len == 0)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "device_code is missing", NULL);
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    poll = arena_alloc(call->arena, sizeof(*poll));
    poll->call = call;
    poll->request = request;
    poll->client = client;
    poll->plan = (struct issue_plan){ .grant_type = GRANT_TYPE_DEVICE_CODE,
                                      .client = client,
                                      .has_refresh = has_refresh,
                                      .keeps_refresh = refresh_is_kept(call, request, client),
                                      .has_own_grant = true };
    digest_sha256(secret_expose(request->code_value), digest);
    rc = store_find_device_request(call->oauth->store, digest, call->arena, &poll->device);
    if (rc == RC_NOT_FOUND)
        return refuse_code(call, "unknown");
    if (rc != RC_OK)
        return rc;
    if (poll->device.client_id != client->id) /* DV-04; RFC 8628 3.4 */
        return refuse_code(call, "issued to another client");
    return answer_state(poll, out_json);
}
