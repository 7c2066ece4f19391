#include "codec/json.h"
#include "oauth/token_request.h"

/* u-Auth prints its members in another order, and no others (contracts part 2.2). */
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

static enum rc find_grant(struct oauth_call *call, const struct issue_plan *plan,
                          struct store_unit *unit, struct live_grant **out_grant)
{
    struct grant_book *grants = token_room_grants(call->oauth->tokens);
    struct grant like = { .account_id = plan->account_id,
                          .client_id = plan->client->id,
                          .scope = plan->permission.scope,
                          .audience = plan->permission.audience };

    if (plan->has_refresh)
        return grant_draft_family(grants, &like, call->now, unit, out_grant);
    return grant_find_standing(grants, &like, call->now, out_grant);
}

static void add_event(struct oauth_call *call, const struct issue_plan *plan, int64_t token_id,
                      struct store_unit *unit)
{
    struct event event = { .at = call->now,
                           .kind = EVENT_TOKEN_ISSUED,
                           .account_id = plan->account_id,
                           .client_id = plan->client->id,
                           .token_id = token_id };

    memcpy(event.address, call->address, sizeof(event.address));
    store_insert_event(unit, &event);
}

static enum rc issue_under(struct oauth_call *call, const struct issue_plan *plan,
                           struct live_grant *grant, struct store_unit *unit,
                           struct buffer *out_json)
{
    struct token_room *tokens = call->oauth->tokens;
    struct token_draft access;
    struct token_draft refresh = { .value = STR("") };
    struct token_answer answer = { .scope = plan->permission.scope,
                                   .expires_in_s = plan->permission.shape.lifetime_s,
                                   .is_uauth = plan->is_uauth,
                                   .expires_in_as_string = plan->permission.expires_in_as_string };
    enum rc rc =
        token_draft_access(tokens, grant, plan->permission.shape, call->now, call->arena, &access);

    if (rc == RC_OK && plan->has_refresh)
        rc = token_draft_refresh(tokens, grant, refresh_expiry(plan->client, call->now, call->now),
                                 call->now, call->arena, &refresh);
    if (rc != RC_OK)
        return rc;
    store_insert_token(unit, &access.row);
    if (plan->has_refresh)
        store_insert_token(unit, &refresh.row);
    add_event(call, plan, access.row.id, unit);
    rc = store_commit(call->oauth->store, unit);
    if (rc != RC_OK)
        return rc;
    token_enter(tokens, &access, call->now);
    call->log_token_id = access.row.id;
    answer.access_token = access.value;
    answer.refresh_token = refresh.value;
    token_answer_format(&answer, out_json);
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
