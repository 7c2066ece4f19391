#include "codec/json.h"
#include "oauth/token_request.h"

/* u-Auth prints its members in another order, and no others. */
static void format_uauth(const struct token_answer *answer, struct json_out *json)
{
    json_member_string(json, STR("token_type"), STR("Bearer"));
    json_member_string(json, STR("scope"), answer->scope);
    json_member_string(json, STR("access_token"), answer->access_token);
}

static void format_standard(const struct token_answer *answer, struct json_out *json)
{
    json_member_string(json, STR("access_token"), answer->access_token);
    json_member_string(json, STR("token_type"), STR("Bearer"));
}

static void format_expiry(const struct token_answer *answer, struct json_out *json)
{
    json_name(json, STR("expires_in"));
    if (answer->expires_in_as_string) {
        char digits[24];
        struct buffer text = buffer_over(digits, sizeof(digits));

        buffer_append_u64(&text, (uint64_t)answer->expires_in_s);
        json_text(json, buffer_str(&text));
    } else {
        json_number(json, answer->expires_in_s);
    }
}

void token_answer_format(const struct token_answer *answer, struct buffer *out_json)
{
    struct json_out json = json_out_over(out_json);

    json_begin_object(&json);
    if (answer->is_uauth)
        format_uauth(answer, &json);
    else
        format_standard(answer, &json);
    format_expiry(answer, &json);
    if (!answer->is_uauth && answer->refresh_token.len > 0)
        json_member_string(&json, STR("refresh_token"), answer->refresh_token);
    if (!answer->is_uauth && answer->scope.len > 0)
        json_member_string(&json, STR("scope"), answer->scope);
    json_end_object(&json);
}

int64_t refresh_expiry(const struct client *client, int64_t family_created_at, int64_t now)
{
    int64_t idle_end = now + client->refresh_idle_lifetime_s;
    int64_t absolute_end = family_created_at + client->refresh_lifetime_s;

    return idle_end < absolute_end ? idle_end : absolute_end;
}

enum rc token_issue_draft_access(struct oauth_call *call, struct live_grant *grant,
                                 struct token_shape shape, struct token_draft *out_draft)
{
    enum rc rc =
        token_draft_access(call->oauth->tokens, grant, shape, call->now, call->arena, out_draft);

    return rc == RC_TOO_LARGE ? oauth_refuse(call, OAUTH_INVALID_SCOPE,
                                             "the scope is too long for a signed token", NULL)
                              : rc;
}

static enum rc find_grant(struct oauth_call *call, const struct issue_plan *plan,
                          struct store_unit *unit, struct live_grant **out_grant)
{
    struct grant_book *grants = token_room_grants(call->oauth->tokens);
    struct grant like = { .account_id = plan->account_id,
                          .client_id = plan->client->id,
                          .scope = plan->permission.scope,
                          .audience = plan->permission.audience };

    if (!plan->has_refresh)
        return grant_find_standing(grants, &like, call->now, out_grant);
    /* A last refresh at the end of the family's life gives an access token of full life. */
    like.expires_at =
        call->now + plan->client->refresh_lifetime_s + plan->permission.shape.lifetime_s;
    return grant_draft_family(grants, &like, call->now, unit, out_grant);
}

/* ---- the second look ------------------------------------------------------------------------ */

static enum rc look_at_client(struct oauth_call *call, const struct issue_plan *plan)
{
    struct catalog_client *entry;
    bool is_disabled;
    enum rc rc =
        catalog_find_client_by_id(call->oauth->catalog, plan->client->id, call->may_block, &entry);

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

static enum rc look_at_account(struct oauth_call *call, const struct issue_plan *plan)
{
    struct account account;
    enum rc rc;

    if (plan->account_id == 0)
        return RC_OK;
    rc = store_find_account(call->oauth->store, plan->account_id, call->arena, &account);
    if (rc == RC_OK &&
        (account.is_disabled || !str_equal(account.password_hash, plan->password_hash)))
        rc = RC_NOT_FOUND;
    return rc;
}

static enum rc end_again(struct oauth_call *call, const struct live_grant *grant)
{
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
    return oauth_refuse(call, OAUTH_INVALID_GRANT, "the grant is no longer permitted",
                        "disabled or changed meanwhile");
}

/*
 * Whoever disables a client, an account or a service commits that first and ends the grants that
 * there are then (RT-10). A grant that was committed before is among them; one that came later is
 * found here, by a look after its own commit, and nobody knows its tokens yet.
 */
static enum rc look_again(struct oauth_call *call, const struct issue_plan *plan,
                          const struct live_grant *grant)
{
    enum rc rc = look_at_client(call, plan);

    if (rc == RC_OK)
        rc = look_at_services(call, plan->permission.audience);
    if (rc == RC_OK)
        rc = look_at_account(call, plan);
    if (rc == RC_NOT_FOUND || (rc == RC_OK && grant_is_ended(grant)))
        return end_again(call, grant);
    return rc;
}

/* ---- issuing -------------------------------------------------------------------------------- */

/* Access token, and refresh token where the plan has one. */
struct issue_drafts {
    struct token_draft access;
    struct token_draft refresh;
};

static enum rc draft_tokens(struct oauth_call *call, const struct issue_plan *plan,
                            struct live_grant *grant, struct issue_drafts *out_drafts)
{
    int64_t refresh_expires_at = refresh_expiry(plan->client, call->now, call->now);
    enum rc rc = token_issue_draft_access(call, grant, plan->permission.shape, &out_drafts->access);

    if (rc != RC_OK || !plan->has_refresh)
        return rc;
    return token_draft_refresh(call->oauth->tokens, grant, refresh_expires_at, call->now,
                               call->arena, &out_drafts->refresh);
}

static enum rc commit_tokens(struct oauth_call *call, const struct issue_plan *plan,
                             const struct issue_drafts *drafts, struct store_unit *unit)
{
    struct event event = { .kind = EVENT_TOKEN_ISSUED,
                           .account_id = plan->account_id,
                           .client_id = plan->client->id,
                           .token_id = drafts->access.row.id };

    store_insert_token(unit, &drafts->access.row);
    if (plan->has_refresh)
        store_insert_token(unit, &drafts->refresh.row);
    oauth_add_event(call, event, unit);
    return store_commit(call->oauth->store, unit);
}

static enum rc issue_under(struct oauth_call *call, const struct issue_plan *plan,
                           struct live_grant *grant, struct store_unit *unit,
                           struct buffer *out_json)
{
    struct issue_drafts drafts = { .refresh = { .value = STR("") } };
    enum rc rc = draft_tokens(call, plan, grant, &drafts);

    if (rc == RC_OK)
        rc = commit_tokens(call, plan, &drafts, unit);
    if (rc == RC_OK)
        rc = look_again(call, plan, grant);
    if (rc != RC_OK)
        return rc;
    token_enter(call->oauth->tokens, &drafts.access, call->now);
    if (plan->has_refresh)
        token_enter(call->oauth->tokens, &drafts.refresh, call->now);
    call->log_token_id = drafts.access.row.id;
    token_answer_format(
        &(struct token_answer){ .access_token = drafts.access.value,
                                .refresh_token = drafts.refresh.value,
                                .scope = plan->permission.scope,
                                .expires_in_s = drafts.access.row.expires_at - call->now,
                                .is_uauth = plan->is_uauth,
                                .expires_in_as_string = plan->permission.expires_in_as_string },
        out_json);
    return RC_OK;
}

enum rc token_issue(struct oauth_call *call, const struct issue_plan *plan, struct store_unit *unit,
                    struct buffer *out_json)
{
    struct live_grant *grant;
    enum rc rc = find_grant(call, plan, unit, &grant);

    if (rc != RC_OK)
        return rc;
    rc = issue_under(call, plan, grant, unit, out_json);
    grant_put(token_room_grants(call->oauth->tokens), grant);
    return rc;
}
