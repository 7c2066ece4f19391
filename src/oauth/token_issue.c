#include "codec/uuid.h"
#include "crypto/random.h"
#include "oauth/id_token.h"
#include "oauth/proof.h"
#include "oauth/token_request.h"
#include "store/authorized.h"
#include "store/shared.h"

bool refresh_is_kept(const struct oauth_call *call, const struct token_request *request,
                     const struct client *client)
{
    return request->profile->keeps_refresh ||
           (client->type == CLIENT_CONFIDENTIAL && call->is_fapi);
}

int64_t refresh_expiry(const struct client *client, bool is_kept, int64_t family_created_at,
                       int64_t now)
{
    int64_t idle_end = now + client->refresh_idle_lifetime_s;
    int64_t absolute_end = family_created_at + client->refresh_lifetime_s;

    return is_kept || absolute_end < idle_end ? absolute_end : idle_end;
}

enum rc token_issue_draft_access(struct oauth_call *call, struct live_grant *grant,
                                 struct token_shape shape, struct token_draft *out_draft)
{
    enum rc rc;

    /* Whoever verifies these by themselves would not learn that the holder has to prove a key. */
    if (grant->binding.kind != BINDING_NONE &&
        (shape.format == TOKEN_JWE || shape.format == TOKEN_SPRING_JWT))
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "tokens of this kind cannot be bound to a key", NULL);
    rc = token_draft_access(call->oauth->tokens, grant, shape, call->now, call->arena, out_draft);
    return rc == RC_TOO_LARGE ? oauth_refuse(call, OAUTH_INVALID_SCOPE,
                                             "the scope is too long for a signed token", NULL)
                              : rc;
}

/* ---- the second look ------------------------------------------------------------------------ */

static enum rc look_at_client(struct oauth_call *call, int64_t client_id)
{
    struct catalog_client *entry;
    bool is_disabled;
    enum rc rc =
        catalog_find_client_by_id(call->oauth->catalog, client_id, call->may_block, &entry);

    if (rc != RC_OK)
        return rc;
    is_disabled = entry->client.is_disabled;
    catalog_client_put(entry);
    return is_disabled ? RC_NOT_FOUND : RC_OK;
}

static enum rc look_at_services(struct oauth_call *call, struct str audience)
{
    struct str service_id;

    while (str_next_word(&audience, &service_id)) {
        struct catalog_service *entry;
        bool is_disabled;
        enum rc rc =
            catalog_find_service(call->oauth->catalog, service_id, call->may_block, &entry);

        if (rc != RC_OK)
            return rc;
        is_disabled = entry->service.is_disabled;
        catalog_service_put(entry);
        if (is_disabled)
            return RC_NOT_FOUND;
    }
    return RC_OK;
}

enum rc token_issue_look_at(struct oauth_call *call, int64_t client_id, struct str audience)
{
    enum rc rc = look_at_client(call, client_id);

    return rc == RC_OK ? look_at_services(call, audience) : rc;
}

static enum rc look_at_account(struct oauth_call *call, const struct issue_plan *plan)
{
    struct account account;
    enum rc rc;

    if (plan->account == NULL)
        return RC_OK;
    rc = store_find_account(call->oauth->store, plan->account->id, call->arena, &account);
    if (rc != RC_OK)
        return rc;
    if (account.is_disabled)
        return RC_NOT_FOUND;
    /* A refresh rests on no sign-in: one of a better hash must not end it. */
    if (plan->grant_type == GRANT_TYPE_REFRESH_TOKEN)
        return RC_OK;
    /* What it was signed in with must still be all that is asked for (CA-12). */
    return str_equal(account.password_hash, plan->account->password_hash) &&
                   (plan->account->has_second_factor || !account.has_second_factor)
               ? RC_OK
               : RC_NOT_FOUND;
}

static enum rc end_again(struct oauth_call *call, const struct issue_plan *plan,
                         const struct live_grant *grant)
{
    bool is_refresh = plan->grant_type == GRANT_TYPE_REFRESH_TOKEN;
    struct event event = { .kind = EVENT_GRANT_ENDED,
                           .account_id = grant->account_id,
                           .client_id = grant->client_id,
                           .detail = STR("no longer permitted when it was committed") };
    struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    store_end_grant(&unit, grant->id, call->now);
    oauth_add_event(call, event, &unit);
    rc = store_commit(call->oauth->store, &unit);
    if (rc != RC_OK)
        return rc;
    call->is_recorded = true;
    return oauth_refuse_for(call, OAUTH_INVALID_GRANT,
                            is_refresh ? REASON_REFRESH_ENDED : REASON_NONE,
                            "the grant is no longer permitted", "disabled or changed meanwhile");
}

/*
 * Whoever disables a client, an account or a service commits that first and ends the grants that
 * there are then (RT-10). A grant that was committed before is among them; one that came later is
 * found here, by a look after its own commit, and nobody knows its tokens yet.
 *
 * The family of a code may have been ended by another use of the code (RFC 6749 4.1.2) before its
 * first use was answered. The first use is answered all the same, as if it had been so a moment
 * before: of many at once there is one that succeeds (CP-06), and what it gave has ended.
 */
static enum rc look_again(struct oauth_call *call, const struct issue_plan *plan,
                          const struct live_grant *grant)
{
    enum rc rc = token_issue_look_at(call, plan->client->id, plan->permission.audience);

    if (rc == RC_OK)
        rc = look_at_account(call, plan);
    if (rc == RC_NOT_FOUND ||
        (rc == RC_OK && grant_is_ended(grant) && plan->grant_type != GRANT_TYPE_AUTHORIZATION_CODE))
        return end_again(call, plan, grant);
    return rc;
}

/* ---- issuing -------------------------------------------------------------------------------- */

/* Tokens on their way: an access token, and a refresh token where the plan has one. */
struct issue {
    const struct issue_plan *plan;
    struct live_grant *grant;  /* of the access token */
    struct live_grant *family; /* that the grant is a part of, held as well; NULL: it is none */
    struct str session_id;     /* empty: none */
    struct token_draft access;
    struct token_draft refresh;
    struct str id_token; /* empty: none */
};

/* The id that the outside will know; the store keeps its digest alone. */
static struct str make_session_id(struct arena *arena)
{
    char *text = arena_alloc(arena, UUID_TEXT_BYTES);
    unsigned char bytes[UUID_BYTES];

    random_bytes(bytes, sizeof(bytes));
    uuid_mark_random(bytes);
    uuid_format(bytes, text);
    explicit_bzero(bytes, sizeof(bytes));
    return (struct str){ text, UUID_TEXT_BYTES };
}

/* Nothing sets this token apart from others of the same account, client, scope and audience. */
static bool may_share_grant(const struct issue_plan *plan)
{
    return plan->session == NULL && !plan->has_refresh && !plan->has_own_grant &&
           plan->authorization == NULL && plan->parent_id == 0 &&
           plan->binding.kind == BINDING_NONE;
}

/* A grant that nobody shares. */
static enum rc draft_grant(struct oauth_call *call, struct issue *issue, struct grant *like,
                           struct store_unit *unit)
{
    const struct issue_plan *plan = issue->plan;
    struct grant_tie tie = { .authorization = plan->authorization };
    struct session session;

    if (plan->inserts_authorization)
        store_insert_authorization(unit, plan->authorization);
    if (plan->session != NULL) {
        session = *plan->session;
        issue->session_id = make_session_id(call->arena);
        digest_sha256(issue->session_id, session.digest);
        tie.session = &session;
    }
    return grant_draft_family(token_room_grants(call->oauth->tokens), like, &tie, call->now, unit,
                              &issue->grant);
}

static enum rc find_grant(struct oauth_call *call, struct issue *issue, struct store_unit *unit)
{
    const struct issue_plan *plan = issue->plan;
    int64_t lifetime_s = plan->permission.shape.lifetime_s;
    struct grant like = { .id = plan->grant_id,
                          .parent_id = plan->parent_id,
                          .account_id = plan->account == NULL ? 0 : plan->account->id,
                          .client_id = plan->client->id,
                          .scope = plan->permission.scope,
                          .audience = plan->permission.audience,
                          .binding = plan->binding,
                          .is_session = plan->session != NULL };

    if (may_share_grant(plan))
        return grant_find_standing(token_room_grants(call->oauth->tokens), &like, call->now,
                                   &issue->grant);
    if (lifetime_s != 0)
        like.expires_at = call->now + lifetime_s;
    /* A last refresh at the end of the family's life gives an access token of full life. */
    if (lifetime_s != 0 && plan->has_refresh)
        like.expires_at += plan->client->refresh_lifetime_s;
    return draft_grant(call, issue, &like, unit);
}

/* An access token for a part of its family has a grant of its own, which ends with the family. */
static enum rc narrow_grant(struct oauth_call *call, struct issue *issue, struct store_unit *unit)
{
    const struct permission *access = issue->plan->access;
    struct live_grant *family = issue->grant;
    struct grant part = { .account_id = family->account_id,
                          .client_id = family->client_id,
                          .binding = family->binding,
                          .parent_id = family->id };
    struct grant_tie tie = { .authorization = issue->plan->authorization };
    enum rc rc;

    if (access == NULL ||
        (str_equal(access->scope, family->scope) && str_equal(access->audience, family->audience)))
        return RC_OK;
    part.scope = access->scope;
    part.audience = access->audience;
    if (access->shape.lifetime_s != 0)
        part.expires_at = call->now + access->shape.lifetime_s;
    rc = grant_draft_family(token_room_grants(call->oauth->tokens), &part, &tie, call->now, unit,
                            &issue->grant);
    if (rc == RC_OK)
        issue->family = family;
    return rc;
}

static const struct permission *access_of(const struct issue_plan *plan)
{
    return plan->access == NULL ? &plan->permission : plan->access;
}

static enum rc draft_tokens(struct oauth_call *call, struct issue *issue)
{
    const struct issue_plan *plan = issue->plan;
    struct live_grant *family = issue->family == NULL ? issue->grant : issue->family;
    struct token_shape shape = access_of(plan)->shape;
    enum rc rc;

    shape.account = plan->account;
    shape.session_id = issue->session_id;
    rc = token_issue_draft_access(call, issue->grant, shape, &issue->access);
    if (rc == RC_OK)
        rc = token_issue_id_token(call, plan, issue->access.value, &issue->id_token);
    if (rc != RC_OK || !plan->has_refresh)
        return rc;
    return token_draft_refresh(
        call->oauth->tokens, family,
        refresh_expiry(plan->client, plan->keeps_refresh, call->now, call->now), call->now,
        call->arena, &issue->refresh);
}

/* Of the grants that a person gives at a page. */
static bool gives_id_token(const struct issue_plan *plan)
{
    return plan->grant_type == GRANT_TYPE_AUTHORIZATION_CODE ||
           plan->grant_type == GRANT_TYPE_DEVICE_CODE ||
           plan->grant_type == GRANT_TYPE_REFRESH_TOKEN;
}

enum rc token_issue_id_token(struct oauth_call *call, const struct issue_plan *plan,
                             struct str access_token, struct str *out_jwt)
{
    struct client_metadata metadata;
    struct id_token id_token = { .client = plan->client,
                                 .metadata = &metadata,
                                 .account = plan->account,
                                 .authorization = plan->authorization,
                                 .scope = plan->permission.scope,
                                 .access_token = access_token,
                                 .has_nonce = plan->grant_type != GRANT_TYPE_REFRESH_TOKEN };
    enum rc rc;

    *out_jwt = STR("");
    if (plan->authorization == NULL || plan->account == NULL || !gives_id_token(plan) ||
        !str_has_word(plan->permission.scope, STR("openid")))
        return RC_OK;
    rc = client_metadata_read(plan->client, call->arena, &metadata);
    if (rc == RC_OK)
        rc = id_token_make(call, &id_token, out_jwt);
    return rc == RC_TOO_LARGE
               ? oauth_refuse(call, OAUTH_INVALID_REQUEST, "the ID token is too long", NULL)
               : rc;
}

static enum event_kind event_kind_of(const struct issue_plan *plan)
{
    if (plan->session != NULL)
        return EVENT_SESSION_BEGUN;
    return plan->grant_type == GRANT_TYPE_REFRESH_TOKEN ? EVENT_TOKEN_REFRESHED
                                                        : EVENT_TOKEN_ISSUED;
}

void token_issue_insert(struct oauth_call *call, const struct token *token, struct store_unit *unit)
{
    if (store_is_shared(call->oauth->store))
        store_insert_permitted_token(unit, token);
    else
        store_insert_token(unit, token);
}

/* Of a client or service that another node disabled a moment before, or of a grant that it ended:
 * they are not known here yet. */
static enum rc refuse_unpermitted(struct oauth_call *call)
{
    return oauth_refuse(call, OAUTH_INVALID_GRANT, "the grant is no longer permitted",
                        "disabled or ended at another node");
}

static enum rc commit_tokens(struct oauth_call *call, const struct issue *issue,
                             struct store_unit *unit)
{
    unsigned token_step = unit->step_count;
    enum rc rc;
    struct event event = { .kind = event_kind_of(issue->plan),
                           .account_id = issue->grant->account_id,
                           .client_id = issue->grant->client_id,
                           .token_id = issue->access.row.id };

    token_issue_insert(call, &issue->access.row, unit);
    if (issue->plan->has_refresh)
        store_insert_token(unit, &issue->refresh.row);
    token_note_issue(issue->grant, call->now, unit);
    oauth_add_event(call, event, unit);
    rc = oauth_commit(call, unit);
    return rc == RC_NOT_FOUND && unit->answered_step == token_step ? refuse_unpermitted(call) : rc;
}

static void enter_tokens(struct oauth_call *call, const struct issue *issue)
{
    token_enter(call->oauth->tokens, &issue->access, call->now);
    if (issue->plan->has_refresh)
        token_enter(call->oauth->tokens, &issue->refresh, call->now);
    call->log_token_id = issue->access.row.id;
    call->has_issued = true;
    call->issued_by = issue->plan->grant_type;
}

static enum rc issue_tokens(struct oauth_call *call, struct issue *issue, struct store_unit *unit,
                            struct token_answer *out_answer)
{
    const struct issue_plan *plan = issue->plan;
    enum rc rc = draft_tokens(call, issue);

    if (rc == RC_OK)
        rc = proof_settle(call, unit, commit_tokens(call, issue, unit));
    if (rc == RC_OK)
        rc = look_again(call, plan, issue->grant);
    if (rc != RC_OK)
        return rc;
    enter_tokens(call, issue);
    *out_answer =
        (struct token_answer){ .access_token = issue->access.value,
                               .refresh_token = issue->refresh.value,
                               .scope = access_of(plan)->scope,
                               .jti = issue->access.jti,
                               .session_id = issue->session_id,
                               .id_token = issue->id_token,
                               .binding = plan->binding.kind,
                               .account = plan->account,
                               .expires_in_s = token_expires_in(&issue->access.row, call->now),
                               .expires_in_as_string = plan->permission.expires_in_as_string };
    if (plan->authorization != NULL)
        out_answer->details = plan->authorization->details;
    return RC_OK;
}

enum rc token_issue(struct oauth_call *call, const struct issue_plan *plan, struct store_unit *unit,
                    struct token_answer *out_answer)
{
    struct grant_book *grants = token_room_grants(call->oauth->tokens);
    struct issue issue = { .plan = plan };
    enum rc rc = find_grant(call, &issue, unit);

    if (rc == RC_TOO_LARGE)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "what was allowed is too long", NULL);
    if (rc != RC_OK)
        return rc;
    rc = narrow_grant(call, &issue, unit);
    if (rc == RC_OK)
        rc = issue_tokens(call, &issue, unit, out_answer);
    grant_put(grants, issue.grant);
    if (issue.family != NULL)
        grant_put(grants, issue.family);
    return rc;
}

enum rc token_issue_under(struct oauth_call *call, const struct issue_plan *plan,
                          struct live_grant *grant, struct store_unit *unit,
                          struct token_answer *out_answer)
{
    struct issue issue = { .plan = plan, .grant = grant };

    return issue_tokens(call, &issue, unit, out_answer);
}
