#include "crypto/digest.h"
#include "oauth/details.h"
#include "oauth/pkce.h"
#include "oauth/proof.h"
#include "oauth/token_request.h"
#include "store/authorized.h"

/*
 * RFC 6749 4.1.3, with PKCE (RFC 7636 4.5). Every code's tokens are a family of their own, whose id
 * is drawn first: one conditional update spends the code for that family, in the transaction that
 * inserts it. Whoever comes with the code once more ends the family (RFC 6749 4.1.2).
 *
 * What is wrong with a redemption by the code's own client uses the code up, too, so that nobody
 * may go on trying. A proof that is to be sent again with a nonce does not: it comes first.
 */

static enum rc refuse_code(struct oauth_call *call, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_GRANT, "the authorization code is not valid", why);
}

/* A redemption on its way. */
struct redemption {
    struct oauth_call *call;
    const struct token_request *request;
    const struct client *client;
    struct code code;
    struct authorization authorization;
    struct account account;
    struct issue_plan plan;
    struct permission access; /* of the first access token */
    struct store_unit unit;
};

/* ---- codes that are no good ------------------------------------------------------------------ */

/* CP-05; the family may be somebody's who got hold of the code. */
static enum rc end_first_redemption(struct redemption *redemption)
{
    struct oauth_call *call = redemption->call;
    struct event event = { .kind = EVENT_CODE_REUSED,
                           .account_id = redemption->authorization.account_id,
                           .client_id = redemption->client->id };
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    store_end_grant(&unit, redemption->code.grant_id, call->now);
    oauth_add_event(call, event, &unit);
    rc = oauth_commit(call, &unit);
    call->is_recorded = rc == RC_OK;
    return rc == RC_OK ? refuse_code(call, "used before: what it gave has been ended") : rc;
}

/* CP-03: the code is used up for a family that never comes to be. */
static enum rc refuse_and_spend(struct redemption *redemption, const char *why)
{
    struct oauth_call *call = redemption->call;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    store_spend_code(&unit, redemption->code.id, redemption->plan.grant_id, call->now);
    rc = oauth_commit(call, &unit);
    return rc_is_fault(rc) || rc == RC_REFUSED ? rc : refuse_code(call, why);
}

/* RFC 6749 4.1.3: the same as in the request; where it had none there is one alone. */
static bool is_same_redirect(const struct redemption *redemption)
{
    const struct str *sent = redemption->request->redirect_uri;
    struct str asked = redemption->code.redirect_uri;

    if (asked.len > 0)
        return sent != NULL && str_equal(*sent, asked);
    return sent == NULL || str_equal(*sent, redemption->client->redirect_uris);
}

/* RFC 9449 10: whose key the request named has to prove it. */
static bool has_named_key(const struct redemption *redemption)
{
    return redemption->code.binding.kind == BINDING_NONE ||
           binding_equal(&redemption->code.binding, &redemption->plan.binding);
}

/* A verifier where there was no challenge is somebody's who took the challenge away (RFC 9700
 * 4.8.2). */
static bool has_right_verifier(const struct redemption *redemption)
{
    const struct secret *verifier = redemption->request->code_verifier;
    struct str challenge = redemption->code.challenge;

    if (challenge.len == 0)
        return verifier == NULL;
    return verifier != NULL && pkce_verify(verifier, challenge); /* RFC 7636 4.6 */
}

static enum rc check_code(struct redemption *redemption)
{
    if (!has_right_verifier(redemption))
        return refuse_and_spend(redemption, "code_verifier is missing or wrong");
    if (!is_same_redirect(redemption))
        return refuse_and_spend(redemption, "redirect_uri is another one");
    if (!has_named_key(redemption))
        return refuse_and_spend(redemption, "another key than dpop_jkt");
    return RC_OK;
}

/* ---- redeeming ------------------------------------------------------------------------------- */

/* What was allowed must still be permitted, in full. */
static enum rc permit(struct redemption *redemption)
{
    struct oauth_call *call = redemption->call;
    const struct scope_allowed allowed = { .scope = redemption->code.scope,
                                           .audience = redemption->code.audience,
                                           .resources = redemption->request->resources };
    enum rc rc = scope_permit_allowed(call, redemption->client, &allowed,
                                      &redemption->plan.permission, &redemption->access);

    if (rc == RC_NOT_FOUND)
        return refuse_code(call, "its scope is no longer permitted");
    if (rc == RC_OK && allowed.resources.len > 0)
        redemption->plan.access = &redemption->access;
    return rc;
}

/* RFC 9396 6: what was allowed is what there is; a part of it cannot be asked for. */
static enum rc check_details(struct redemption *redemption)
{
    const struct str *asked = redemption->request->details;

    return asked == NULL
               ? RC_OK
               : details_check_same(redemption->call, *asked, redemption->authorization.details);
}

static enum rc find_person(struct redemption *redemption)
{
    struct oauth_call *call = redemption->call;
    enum rc rc = store_find_account(call->oauth->store, redemption->authorization.account_id,
                                    call->arena, &redemption->account);

    if (rc == RC_NOT_FOUND || (rc == RC_OK && redemption->account.is_disabled))
        return refuse_code(call, "the account is gone or disabled");
    /* RT-10: who signed out or changed the password meanwhile takes back what nobody has used. */
    if (rc == RC_OK)
        rc = store_find_login(call->oauth->store, redemption->account.id,
                              redemption->authorization.login_id);
    if (rc == RC_NOT_FOUND)
        return refuse_code(call, "its sign-in has ended");
    if (rc != RC_OK)
        return rc;
    call->log_username = redemption->account.name;
    redemption->plan.account = &redemption->account;
    redemption->plan.authorization = &redemption->authorization;
    return RC_OK;
}

/* Another request was quicker, or its account was disabled meanwhile. */
static enum rc refuse_outcome(struct redemption *redemption, enum rc rc)
{
    struct oauth_call *call = redemption->call;

    if (rc == RC_NOT_FOUND)
        return refuse_code(call, "expired, signed out, or its account is disabled");
    if (rc != RC_SPENT)
        return rc;
    rc = store_find_code(call->oauth->store, redemption->code.digest, call->arena,
                         &redemption->code);
    if (rc == RC_NOT_FOUND)
        return refuse_code(call, "gone");
    return rc == RC_OK ? end_first_redemption(redemption) : rc;
}

static enum rc redeem(struct redemption *redemption, struct buffer *out_json)
{
    struct oauth_call *call = redemption->call;
    const struct client *client = redemption->client;
    struct token_answer answer;
    enum rc rc;

    store_unit_init(&redemption->unit);
    rc = proof_read(call, (client->policy & CLIENT_BINDS_TLS) != 0, &redemption->unit,
                    &redemption->plan.binding);
    if (rc == RC_OK)
        rc = check_code(redemption);
    if (rc == RC_OK)
        rc = find_person(redemption);
    if (rc == RC_OK)
        rc = check_details(redemption);
    if (rc == RC_OK)
        rc = permit(redemption);
    if (rc != RC_OK)
        return rc;
    store_spend_code(&redemption->unit, redemption->code.id, redemption->plan.grant_id, call->now);
    store_expect_login(&redemption->unit, redemption->account.id,
                       redemption->authorization.login_id);
    rc = token_issue(call, &redemption->plan, &redemption->unit, &answer);
    if (rc == RC_OK)
        redemption->request->profile->format(&answer, out_json);
    return refuse_outcome(redemption, rc);
}

/* Which code it is, and whether it is this client's to use. */
static enum rc find_code(struct redemption *redemption, struct str value)
{
    struct oauth_call *call = redemption->call;
    struct code *code = &redemption->code;
    unsigned char digest[DIGEST_BYTES];
    enum rc rc;

    digest_sha256(value, digest);
    rc = store_find_code(call->oauth->store, digest, call->arena, code);
    if (rc == RC_NOT_FOUND)
        return refuse_code(call, "unknown");
    if (rc != RC_OK)
        return rc;
    if (code->client_id != redemption->client->id) /* RFC 6749 4.1.3 (CP-08) */
        return refuse_code(call, "issued to another client");
    rc = store_find_authorization(call->oauth->store, code->authorization_id, call->arena,
                                  &redemption->authorization);
    if (rc == RC_NOT_FOUND)
        return refuse_code(call, "its authorization has gone");
    if (rc == RC_OK && code->spent_at != 0)
        return end_first_redemption(redemption);
    if (rc == RC_OK && code->expires_at <= call->now) /* CP-07 */
        return refuse_code(call, "expired");
    return rc;
}

enum rc grant_authorization_code_answer(struct oauth_call *call,
                                        const struct token_request *request,
                                        const struct client *client, struct buffer *out_json)
{
    struct redemption *redemption;
    enum rc rc;

    /* RFC 6749 3.2: without a value is as if omitted. */
    if (request->code_value == NULL || request->code_value->len == 0)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "code is missing", NULL);
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    redemption = arena_alloc(call->arena, sizeof(*redemption));
    redemption->call = call;
    redemption->request = request;
    redemption->client = client;
    redemption->plan = (struct issue_plan){ .grant_type = GRANT_TYPE_AUTHORIZATION_CODE,
                                            .client = client,
                                            .has_refresh = (client->grant_types &
                                                            1u << GRANT_TYPE_REFRESH_TOKEN) != 0,
                                            .keeps_refresh = refresh_is_kept(call, request, client),
                                            .has_own_grant = true };
    rc = store_next_id(call->oauth->store, SEQUENCE_NOUN, &redemption->plan.grant_id);
    if (rc == RC_OK)
        rc = find_code(redemption, secret_expose(request->code_value));
    return rc == RC_OK ? redeem(redemption, out_json) : rc;
}
