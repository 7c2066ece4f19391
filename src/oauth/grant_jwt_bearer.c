#include "oauth/authorization.h"
#include "oauth/id_token.h"
#include "oauth/proof.h"
#include "oauth/token_request.h"
#include "store/authorized.h"

/*
 * RFC 7523 2.1. A client that an administrator gave this grant type says by its own signature for
 * whom it acts. That is no authentication of a person, so the tokens carry no acr and no auth_time,
 * there is no refresh token, and nothing is given that the person has not allowed this client at
 * the page before. An operator may trust a client instead, but for accounts with a second factor:
 * there the person has to have been asked, with that factor, once.
 */

struct bearer {
    struct oauth_call *call;
    const struct token_request *request;
    const struct client *client;
    struct client_metadata metadata;
    struct client_grant_assertion assertion;
    struct account account;
    struct authorization authorization;
    struct issue_plan plan;
    struct store_unit unit;
};

static enum rc refuse(struct bearer *bearer, const char *why)
{
    return oauth_refuse(bearer->call, OAUTH_INVALID_GRANT, "the assertion is not valid", why);
}

/* By the account's name; or as the client knows the subject, where that is no pairwise one. */
static enum rc find_account(struct bearer *bearer)
{
    struct oauth_call *call = bearer->call;
    const struct str prefix = STR("account:");
    struct str subject = bearer->assertion.subject;
    bool is_pairwise = (bearer->client->policy & CLIENT_IS_PAIRWISE) != 0;
    uint64_t id;
    enum rc rc;

    if (subject.len > ACCOUNT_NAME_BYTES_MAX)
        return refuse(bearer, "sub is no account");
    if (!is_pairwise && str_starts_with(subject, prefix) &&
        str_parse_u64(str_from(subject, prefix.len), INT64_MAX, &id))
        rc = store_find_account(call->oauth->store, (int64_t)id, call->arena, &bearer->account);
    else
        rc = store_find_account_by_name(call->oauth->store, subject, call->arena, &bearer->account);
    if (rc == RC_NOT_FOUND || (rc == RC_OK && bearer->account.is_disabled))
        return refuse(bearer, "sub is no account, or one that is disabled");
    if (rc == RC_OK)
        call->log_username = bearer->account.name;
    return rc;
}

static enum rc check_consent(struct bearer *bearer)
{
    struct client asking = *bearer->client;
    bool is_given = false;
    enum rc rc;

    if (bearer->account.has_second_factor)
        asking.policy &= ~(unsigned)CLIENT_IS_TRUSTED;
    rc = consent_is_given(bearer->call, &asking, bearer->account.id, bearer->plan.permission.scope,
                          STR(""), &is_given);
    if (rc != RC_OK || is_given)
        return rc;
    return refuse(bearer, "the person has not allowed that");
}

static enum rc draft_subject(struct bearer *bearer)
{
    struct oauth_call *call = bearer->call;
    int64_t lifetime_s = bearer->plan.permission.shape.lifetime_s;

    if ((bearer->client->policy & CLIENT_IS_PAIRWISE) == 0)
        return RC_OK;
    bearer->authorization =
        (struct authorization){ .account_id = bearer->account.id,
                                .client_id = bearer->client->id,
                                .subject = subject_of(call, bearer->client, &bearer->metadata,
                                                      bearer->account.id),
                                .created_at = call->now,
                                .expires_at = call->now + (lifetime_s == 0 ? 1 : lifetime_s) };
    bearer->plan.authorization = &bearer->authorization;
    bearer->plan.inserts_authorization = true;
    return store_next_id(call->oauth->store, SEQUENCE_NOUN, &bearer->authorization.id);
}

static enum rc issue(struct bearer *bearer, struct buffer *out_json)
{
    struct oauth_call *call = bearer->call;
    struct token_answer answer;
    enum rc rc;

    bearer->plan.account = &bearer->account;
    store_unit_init(&bearer->unit);
    rc = proof_read(call, (bearer->client->policy & CLIENT_BINDS_TLS) != 0, &bearer->unit,
                    &bearer->plan.binding);
    if (rc != RC_OK)
        return rc;
    store_insert_seen(&bearer->unit, bearer->assertion.digest, bearer->assertion.until);
    rc = token_issue(call, &bearer->plan, &bearer->unit, &answer);
    if (rc == RC_SPENT) /* RFC 7523 3 point 7 */
        return refuse(bearer, "the assertion came before");
    if (rc == RC_OK)
        bearer->request->profile->format(&answer, out_json);
    return rc;
}

static enum rc run(struct bearer *bearer, struct buffer *out_json)
{
    struct oauth_call *call = bearer->call;
    struct scope_demand demand = { .scope = bearer->request->scope,
                                   .resources = bearer->request->resources };
    const char *why = NULL;
    enum rc rc = client_assertion_check_grant(call, bearer->client, *bearer->request->assertion,
                                              &bearer->assertion, &why);

    if (rc == RC_REFUSED)
        return refuse(bearer, why);
    if (rc == RC_OK)
        rc = client_metadata_read(bearer->client, call->arena, &bearer->metadata);
    if (rc == RC_OK)
        rc = find_account(bearer);
    if (rc == RC_OK)
        rc = scope_permit_demand(call, bearer->client, &demand, &bearer->plan.permission);
    if (rc == RC_OK)
        rc = check_consent(bearer);
    if (rc == RC_OK)
        rc = draft_subject(bearer);
    return rc == RC_OK ? issue(bearer, out_json) : rc;
}

enum rc grant_jwt_bearer_answer(struct oauth_call *call, const struct token_request *request,
                                const struct client *client, struct buffer *out_json)
{
    struct bearer *bearer;

    if (client->type != CLIENT_CONFIDENTIAL)
        return oauth_refuse_for(call, OAUTH_UNAUTHORIZED_CLIENT, REASON_GRANT_TYPE_NOT_ALLOWED,
                                "only confidential clients may use this grant type", NULL);
    if (request->assertion == NULL)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "assertion is missing", NULL);
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    bearer = arena_alloc(call->arena, sizeof(*bearer));
    bearer->call = call;
    bearer->request = request;
    bearer->client = client;
    bearer->plan = (struct issue_plan){ .grant_type = GRANT_TYPE_JWT_BEARER, .client = client };
    return run(bearer, out_json);
}
