#include "oauth/permanent.h"

#include "oauth/admission.h"
#include "oauth/token_request.h"

/* One on its way. */
struct making {
    const struct account *account;
    const struct permanent_plan *plan;
    const struct permanent *replaced; /* NULL: it is in nobody's place */
    int64_t client_id;
    struct live_grant *grant;
    struct token_draft draft;
    struct permanent permanent;
};

static bool is_living(const struct permanent *permanent, int64_t now)
{
    return permanent->revoked_at == 0 &&
           (permanent->expires_at == 0 || permanent->expires_at > now);
}

/* ---- making ---------------------------------------------------------------------------------- */

static enum rc find_client(struct oauth_call *call, int64_t *out_id)
{
    struct catalog_client *client;
    enum rc rc = catalog_find_client(call->oauth->catalog, STR(OAUTH_PUBLIC_CLIENT_ID),
                                     call->may_block, &client);

    if (rc == RC_NOT_FOUND)
        return RC_CORRUPT; /* oauth_prepare made it */
    if (rc != RC_OK)
        return rc;
    *out_id = client->client.id;
    catalog_client_put(client);
    return RC_OK;
}

static enum rc draft_grant(struct oauth_call *call, struct making *making, struct store_unit *unit)
{
    const struct permission *permission = &making->plan->permission;
    struct grant like = { .id = making->plan->id,
                          .account_id = making->account->id,
                          .scope = permission->scope,
                          .audience = permission->audience,
                          .binding = making->plan->binding };
    struct grant_tie tie = { .permanent = &making->permanent };
    enum rc rc = find_client(call, &making->client_id);

    if (rc != RC_OK)
        return rc;
    like.client_id = making->client_id;
    if (permission->shape.lifetime_s != 0)
        like.expires_at = call->now + permission->shape.lifetime_s;
    return grant_draft_family(token_room_grants(call->oauth->tokens), &like, &tie, call->now, unit,
                              &making->grant);
}

static enum rc draft_token(struct oauth_call *call, struct making *making,
                           struct permanent_fault *out_fault)
{
    struct permanent *permanent = &making->permanent;
    enum rc rc =
        token_draft_permanent(call->oauth->tokens, making->grant, making->plan->permission.shape,
                              call->now, call->arena, &making->draft);

    if (rc == RC_TOO_LARGE)
        return permanent_refuse(PERMANENT_SCOPE_TOO_LONG, STR(""), out_fault);
    if (rc != RC_OK)
        return rc;
    permanent->id = making->grant->id;
    permanent->token_id = making->draft.row.id;
    permanent->created_at = making->draft.row.issued_at;
    permanent->expires_at = making->draft.row.expires_at;
    return RC_OK;
}

static enum rc commit_making(struct oauth_call *call, const struct making *making,
                             struct store_unit *unit, struct permanent_fault *out_fault)
{
    struct event event = { .kind = EVENT_PERMANENT_CHANGED,
                           .account_id = making->account->id,
                           .client_id = making->client_id,
                           .token_id = making->draft.row.id,
                           .detail = STR("made") };
    unsigned token_step = unit->step_count;
    enum rc rc;

    token_issue_insert(call, &making->draft.row, unit);
    store_insert_permanent(unit, &making->permanent);
    if (making->replaced != NULL) {
        store_replace_permanent(unit, making->account->id, making->replaced->id,
                                making->permanent.id);
        event.detail = arena_format(call->arena, "made in place of token %lld",
                                    (long long)making->replaced->token_id);
    }
    oauth_add_event(call, event, unit);
    rc = store_commit(call->oauth->store, unit);
    if (rc == RC_NOT_FOUND && unit->answered_step == token_step)
        return permanent_refuse(PERMANENT_NO_LONGER_PERMITTED, STR(""), out_fault);
    return rc == RC_TOO_LARGE ? permanent_refuse(PERMANENT_TOO_MANY, STR(""), out_fault) : rc;
}

static enum rc end_grant(struct oauth_call *call, const struct permanent *permanent,
                         int64_t client_id, struct str detail)
{
    struct event event = { .kind = EVENT_GRANT_ENDED,
                           .account_id = permanent->account_id,
                           .client_id = client_id,
                           .token_id = permanent->token_id,
                           .detail = detail };
    struct store_unit unit;

    store_unit_init(&unit);
    store_end_grant(&unit, permanent->id, call->now);
    oauth_add_event(call, event, &unit);
    return store_commit(call->oauth->store, &unit);
}

/* A password that was changed meanwhile does not matter: no sign-in is what a token rests on. */
static enum rc look_at_account(struct oauth_call *call, int64_t account_id)
{
    struct account account;
    enum rc rc = store_find_account(call->oauth->store, account_id, call->arena, &account);

    if (rc != RC_OK)
        return rc;
    return account.is_disabled ? RC_NOT_FOUND : RC_OK;
}

/* As after every grant (RT-10): what was disabled while this was under way gets nothing. */
static enum rc look_again(struct oauth_call *call, const struct making *making,
                          struct permanent_fault *out_fault)
{
    enum rc rc = token_issue_look_at(call, making->client_id, making->plan->permission.audience);

    if (rc == RC_OK)
        rc = look_at_account(call, making->account->id);
    if (rc != RC_NOT_FOUND && (rc != RC_OK || !grant_is_ended(making->grant)))
        return rc;
    rc = end_grant(call, &making->permanent, making->client_id,
                   STR("no longer permitted when it was committed"));
    if (rc != RC_OK)
        return rc;
    return permanent_refuse(PERMANENT_NO_LONGER_PERMITTED, STR(""), out_fault);
}

static enum rc make_under_grant(struct oauth_call *call, struct making *making,
                                struct store_unit *unit, struct permanent_fault *out_fault)
{
    enum rc rc = draft_token(call, making, out_fault);

    if (rc == RC_OK)
        rc = commit_making(call, making, unit, out_fault);
    if (rc == RC_OK)
        rc = look_again(call, making, out_fault);
    if (rc != RC_OK)
        return rc;
    token_enter(call->oauth->tokens, &making->draft, call->now);
    call->log_token_id = making->draft.row.id;
    return RC_OK;
}

static enum rc make(struct oauth_call *call, const struct account *account,
                    const struct permanent_plan *plan, const struct permanent *replaced,
                    struct permanent *out_permanent, struct str *out_value,
                    struct permanent_fault *out_fault)
{
    struct making making = { .account = account,
                             .plan = plan,
                             .replaced = replaced,
                             .permanent = { .account_id = account->id,
                                            .name = plan->name,
                                            .scope = plan->permission.scope,
                                            .addresses = plan->addresses } };
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = draft_grant(call, &making, &unit);
    if (rc != RC_OK)
        return rc;
    rc = make_under_grant(call, &making, &unit, out_fault);
    grant_put(token_room_grants(call->oauth->tokens), making.grant);
    if (rc != RC_OK)
        return rc;
    *out_permanent = making.permanent;
    *out_value = making.draft.value;
    return RC_OK;
}

/* Who may let clients register, and administer by the API, is an administrator. */
static enum rc check_owner(const struct account *account, const struct permanent_plan *plan,
                           struct permanent_fault *out_fault)
{
    struct str scope = plan->permission.scope; /* such a word stands alone */

    if (account->is_admin ||
        (!str_equal(scope, STR(ADMISSION_WORD)) && !scope_is_admin_word(scope)))
        return RC_OK;
    return permanent_refuse(PERMANENT_SCOPE_NOT_PERMITTED, scope, out_fault);
}

enum rc permanent_draw_id(struct oauth_call *call, int64_t *out_id)
{
    return store_next_id(call->oauth->store, SEQUENCE_NOUN, out_id);
}

enum rc permanent_create(struct oauth_call *call, const struct account *account,
                         const struct permanent_demand *demand, int64_t lifetime_s_max,
                         struct permanent *out_permanent, struct str *out_value,
                         struct permanent_fault *out_fault)
{
    struct permanent_plan plan;
    enum rc rc = permanent_read(call, demand, lifetime_s_max, &plan, out_fault);

    if (rc == RC_OK)
        rc = check_owner(account, &plan, out_fault);
    return rc == RC_OK ? make(call, account, &plan, NULL, out_permanent, out_value, out_fault) : rc;
}

enum rc permanent_rotate(struct oauth_call *call, const struct account *account, int64_t id,
                         int64_t lifetime_s_max, struct permanent *out_permanent,
                         struct str *out_value, struct permanent_fault *out_fault)
{
    struct permanent_plan plan;
    struct permanent_demand demand;
    struct permanent old;
    enum rc rc = permanent_find(call, account->id, id, &old);

    if (rc != RC_OK)
        return rc;
    if (!is_living(&old, call->now))
        return RC_NOT_FOUND;
    if (old.replaced_by != 0)
        return RC_SPENT;
    demand = (struct permanent_demand){ .name = old.name,
                                        .scope = old.scope,
                                        .addresses = old.addresses };
    if (old.expires_at != 0)
        demand.lifetime_s = old.expires_at - old.created_at;
    rc = permanent_find_binding(call, &old, &demand.binding);
    if (rc != RC_OK)
        return rc;
    /* What the owner may have today decides, not what it was when the old one was made. */
    rc = permanent_read(call, &demand, lifetime_s_max, &plan, out_fault);
    if (rc == RC_OK)
        rc = check_owner(account, &plan, out_fault);
    if (rc != RC_OK)
        return rc;
    rc = make(call, account, &plan, &old, out_permanent, out_value, out_fault);
    /* The commit says the same of one that was revoked meanwhile. */
    if (rc == RC_SPENT && permanent_find(call, account->id, id, &old) == RC_OK &&
        !is_living(&old, call->now))
        return RC_NOT_FOUND;
    return rc;
}

/* ---- looking --------------------------------------------------------------------------------- */

enum rc permanent_find_binding(struct oauth_call *call, const struct permanent *permanent,
                               struct binding *out_binding)
{
    struct grant_book *grants = token_room_grants(call->oauth->tokens);
    struct live_grant *grant;
    enum rc rc = grant_find(grants, permanent->id, true, &grant);

    if (rc == RC_NOT_FOUND) {
        *out_binding = (struct binding){ .kind = BINDING_NONE };
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    *out_binding = grant->binding;
    grant_put(grants, grant);
    return RC_OK;
}

void permanent_update_last_use(struct token_room *tokens, struct permanent *permanent)
{
    struct last_use use;

    if (!token_last_use(tokens, permanent->id, &use) || use.at < permanent->last_used_at)
        return;
    permanent->last_used_at = use.at;
    memcpy(permanent->last_used_address, use.address, sizeof(use.address));
}

enum rc permanent_find(struct oauth_call *call, int64_t account_id, int64_t id,
                       struct permanent *out_permanent)
{
    struct permanent permanent;
    enum rc rc = store_find_permanent(call->oauth->store, id, call->arena, &permanent);

    if (rc != RC_OK)
        return rc;
    if (permanent.account_id != account_id)
        return RC_NOT_FOUND;
    permanent_update_last_use(call->oauth->tokens, &permanent);
    *out_permanent = permanent;
    return RC_OK;
}

enum rc permanent_find_by_token(struct oauth_call *call, int64_t account_id, int64_t token_id,
                                struct permanent *out_permanent)
{
    enum rc rc = store_find_permanent_of_token(call->oauth->store, account_id, token_id,
                                               call->arena, out_permanent);

    if (rc == RC_OK)
        permanent_update_last_use(call->oauth->tokens, out_permanent);
    return rc;
}

enum rc permanent_list(struct oauth_call *call, int64_t account_id, int64_t before_id,
                       struct permanent *out_rows, size_t max, size_t *out_count)
{
    enum rc rc;

    ASSERT(account_id > 0); /* the store takes 0 for everybody's */
    rc = store_list_permanents(call->oauth->store, account_id, before_id, call->arena, out_rows,
                               max, out_count);
    for (size_t i = 0; rc == RC_OK && i < *out_count; i++)
        permanent_update_last_use(call->oauth->tokens, &out_rows[i]);
    return rc;
}

enum rc permanent_list_up(struct oauth_call *call, int64_t account_id, int64_t after_id,
                          struct permanent *out_rows, size_t max, size_t *out_count)
{
    enum rc rc = store_list_permanents_up(call->oauth->store, account_id, after_id, call->arena,
                                          out_rows, max, out_count);

    for (size_t i = 0; rc == RC_OK && i < *out_count / 2; i++) {
        struct permanent row = out_rows[i];

        out_rows[i] = out_rows[*out_count - 1 - i];
        out_rows[*out_count - 1 - i] = row;
    }
    for (size_t i = 0; rc == RC_OK && i < *out_count; i++)
        permanent_update_last_use(call->oauth->tokens, &out_rows[i]);
    return rc;
}

/* ---- changing -------------------------------------------------------------------------------- */

enum rc permanent_rename(struct oauth_call *call, int64_t account_id, int64_t id, struct str name,
                         struct permanent_fault *out_fault)
{
    struct event event = { .kind = EVENT_PERMANENT_CHANGED,
                           .account_id = account_id,
                           .detail = STR("renamed") };
    struct permanent permanent;
    struct store_unit unit;
    enum rc rc = permanent_find(call, account_id, id, &permanent);

    if (rc == RC_OK)
        rc = permanent_read_name(call, name, &permanent.name, out_fault);
    if (rc == RC_OK)
        rc = find_client(call, &event.client_id);
    if (rc != RC_OK)
        return rc;
    event.token_id = permanent.token_id;
    store_unit_init(&unit);
    store_update_permanent(&unit, &permanent);
    oauth_add_event(call, event, &unit);
    call->log_token_id = permanent.token_id;
    return store_commit(call->oauth->store, &unit);
}

enum rc permanent_revoke(struct oauth_call *call, int64_t account_id, int64_t id)
{
    struct permanent permanent;
    int64_t client_id;
    enum rc rc = permanent_find(call, account_id, id, &permanent);

    if (rc != RC_OK || !is_living(&permanent, call->now))
        return rc;
    rc = find_client(call, &client_id);
    if (rc != RC_OK)
        return rc;
    call->log_token_id = permanent.token_id;
    return end_grant(call, &permanent, client_id, STR("revoked by its owner"));
}
