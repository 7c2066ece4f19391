#include "http/address.h"
#include "oauth/applications.h"
#include "web/admin_acts.h"
#include "web/api_admin.h"
#include "web/permanent_view.h"

/* What was granted, by the administration API: applications of an account, and tokens of
 * everybody's. */

/* ---- applications of an account -------------------------------------------------------------- */

static enum rc format_application(struct api_admin *api, const void *noun, struct json_out *json)
{
    const struct application *application = noun;

    (void)api;
    json_member_string(json, STR("client"), application->client_name);
    json_member_string(json, STR("name"), application->name);
    json_member_words(json, STR("scopes"), application->scope);
    json_member_number(json, STR("created_at"), application->created_at);
    api_member_time(json, "last_used_at", application->last_used_at);
    return RC_OK;
}

/* A page has what is found among a bounded number of grants: `limit` is not asked. */
static enum rc list_grants(struct api_admin *api)
{
    struct application *found = arena_alloc(&api->arena, APPLICATION_COUNT_MAX * sizeof(*found));
    struct account account;
    struct api_list page;
    size_t count;
    enum rc rc = api_account_list_begin(api, "grants", STR(""), &account, &page);

    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    page.limit = APPLICATION_COUNT_MAX;
    rc = applications_list(&api->call->oauth, account.id, page.before_id, found, &count,
                           &page.next_id);
    return rc == RC_OK
               ? api_list_answer(api, &page, format_application, found, sizeof(*found), count, 0)
               : rc;
}

/* All of them, or those of a client. */
static enum rc end_grants(struct api_admin *api)
{
    struct grants_filter filter = { .account_id = 0 };
    struct client found;
    struct account account;
    struct api_list page;
    struct str client;
    enum rc rc = api_account_list_begin(api, "grants", STR("client"), &account, &page);

    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    filter.account_id = account.id;
    client = api_filter(api, STR("client"));
    /* An empty one is a mistake, and not all of them. */
    if (client.len > 0 || form_find(&api->call->form, STR("client")) != NULL) {
        rc = registry_find_client_named(api->call->oauth.oauth, client, &api->arena, &found);
        if (rc != RC_OK)
            return api_answer_done(api, rc);
        filter.client_id = found.id;
    }
    return api_answer_done(api, admin_act_end_grants(api->call, &api->admin, &filter));
}

const struct api_resource api_account_grants_resource = { .get = list_grants,
                                                          .remove = end_grants };

/* ---- tokens ---------------------------------------------------------------------------------- */

static struct str jti_of(struct api_admin *api, struct token_handle handle)
{
    return token_jti_of(api->call->oauth.oauth->tokens, handle,
                        arena_alloc(&api->arena, TOKEN_JTI_BYTES_MAX));
}

static void format_permanent(struct api_admin *api, const struct permanent *permanent,
                             struct json_out *json)
{
    json_member_words(json, STR("addresses"), permanent->addresses);
    api_member_time(json, "last_used_at", permanent->last_used_at);
    api_member_text(json, "last_used_from", permanent_last_used_from(permanent, &api->arena));
}

static enum rc format_token(struct api_admin *api, const void *noun, struct json_out *json)
{
    static const struct str states[] = { [TOKEN_FACTS_LIVING] = { "living", 6 },
                                         [TOKEN_FACTS_SPENT] = { "spent", 5 },
                                         [TOKEN_FACTS_EXPIRED] = { "expired", 7 },
                                         [TOKEN_FACTS_ENDED] = { "ended", 5 },
                                         [TOKEN_FACTS_REVOKED] = { "revoked", 7 } };
    const struct token_facts *facts = noun;
    const struct token_handle handle = { .id = facts->row.id, .kind = facts->row.kind };

    json_member_string(json, STR("id"), jti_of(api, handle));
    json_member_string(json, STR("kind"), token_kind_format(facts->row.kind));
    json_member_string(json, STR("state"), states[token_facts_state_of(facts, api->admin.now)]);
    api_member_text(json, "name", facts->permanent.name);
    api_member_text(json, "account", facts->account.name);
    api_member_text(json, "client", facts->client.client_id);
    json_member_words(json, STR("scopes"), facts->grant.scope);
    json_member_words(json, STR("audience"), facts->grant.audience);
    json_member_number(json, STR("created_at"), facts->row.issued_at);
    api_member_time(json, "expires_at", facts->row.expires_at);
    format_permanent(api, &facts->permanent, json);
    return RC_OK;
}

/* A value where a name belongs is not searched for, and not shown again. */
static bool refuse_value(struct api_admin *api, struct str text)
{
    struct token row;

    if (text.len <= TOKEN_JTI_BYTES_MAX ||
        token_facts_find_row(api->call->oauth.oauth->tokens, text, &row) != RC_OK)
        return false;
    api_answer_problem(api->call, 400, STR("invalid_request"),
                       STR("this is the value of a token: send it to tokens/lookup"));
    return true;
}

static enum rc list_tokens(struct api_admin *api)
{
    struct token_facts *found = arena_alloc(&api->arena, API_ROW_COUNT_MAX * sizeof(*found));
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct api_list page;
    struct str text;
    size_t count;
    enum rc rc;

    if (!api_list_begin(api, "tokens", STR("q"), &page))
        return RC_OK;
    text = api_filter(api, STR("q"));
    if (refuse_value(api, text))
        return RC_OK;
    arena_init(&arena, (page.limit + 1) * TOKEN_FACTS_ROW_BYTES_MAX);
    rc = token_facts_search(&api->call->oauth, text, (struct token_place){ page.before_id, false },
                            &arena, found, page.limit, &count, &page.next_id);
    return rc == RC_OK ? api_list_answer(api, &page, format_token, found, sizeof(*found), count,
                                         offsetof(struct token_facts, row.id))
                       : rc;
}

const struct api_resource api_admin_tokens_resource = { .get = list_tokens };

static enum rc lookup(struct api_admin *api)
{
    struct token_facts facts;
    struct token row;
    struct str value;
    enum rc rc;

    if (!api_has_only(api->call, api->body, STR("token")))
        return RC_OK;
    if (json_get_string(json_find(api->body, STR("token")), &value) != RC_OK) {
        api_answer_field(api->call, "token", STR(""), "a value is needed, as a text");
        return RC_OK;
    }
    rc = token_facts_find_row(api->call->oauth.oauth->tokens, str_trim(value), &row);
    if (rc == RC_OK)
        rc = token_facts_complete(&api->call->oauth, &row, &api->arena, &facts);
    if (rc == RC_NOT_FOUND)
        return api_answer_missing(api);
    return rc == RC_OK ? api_answer(api, 200, format_token, &facts, STR("")) : rc;
}

const struct api_resource api_token_lookup_resource = { .post = lookup, .bodies = METHOD_POST };

static enum rc find_token(struct api_admin *api, struct token_facts *out_facts)
{
    return token_facts_find(&api->call->oauth, api->call->rest, &api->arena, out_facts);
}

static enum rc show_token(struct api_admin *api)
{
    struct token_facts facts;
    enum rc rc = find_token(api, &facts);

    if (rc == RC_NOT_FOUND)
        return api_answer_missing(api);
    return rc == RC_OK ? api_answer(api, 200, format_token, &facts, STR("")) : rc;
}

static enum rc revoke_token(struct api_admin *api)
{
    struct token_facts facts;
    enum rc rc = find_token(api, &facts);

    if (rc == RC_OK) {
        api->call->oauth.log_token_id = facts.row.id;
        rc = token_facts_revoke(api->store, &api->admin, &facts);
    }
    return api_answer_done(api, rc);
}

const struct api_resource api_admin_token_resource = { .get = show_token, .remove = revoke_token };

/* ---- permanent tokens of an account ---------------------------------------------------------- */

static enum rc format_own(struct api_admin *api, const void *noun, struct json_out *json)
{
    static const struct str states[] = {
        [PERMANENT_ACTIVE] = { "active", 6 },     [PERMANENT_EXPIRES_SOON] = { "expires_soon", 12 },
        [PERMANENT_REPLACED] = { "replaced", 8 }, [PERMANENT_EXPIRED] = { "expired", 7 },
        [PERMANENT_REVOKED] = { "revoked", 7 },
    };
    const struct permanent *permanent = noun;
    const struct token_handle handle = { .id = permanent->token_id, .kind = TOKEN_PERMANENT };

    json_member_string(json, STR("id"), jti_of(api, handle));
    json_member_string(json, STR("name"), permanent->name);
    json_member_string(json, STR("state"), states[permanent_state_of(permanent, api->admin.now)]);
    json_member_words(json, STR("scopes"), permanent->scope);
    json_member_number(json, STR("created_at"), permanent->created_at);
    api_member_time(json, "expires_at", permanent->expires_at);
    api_member_time(json, "revoked_at", permanent->revoked_at);
    format_permanent(api, permanent, json);
    return RC_OK;
}

static enum rc list_permanents(struct api_admin *api)
{
    struct permanent *found = arena_alloc(&api->arena, (API_ROW_COUNT_MAX + 1) * sizeof(*found));
    struct account account;
    struct api_list page;
    size_t count;
    enum rc rc = api_account_list_begin(api, "permanent tokens", STR(""), &account, &page);

    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    rc = permanent_list(&api->call->oauth, account.id, page.before_id, found, page.limit + 1,
                        &count);
    return rc == RC_OK ? api_list_answer(api, &page, format_own, found, sizeof(*found), count,
                                         offsetof(struct permanent, id))
                       : rc;
}

const struct api_resource api_account_tokens_resource = { .get = list_permanents };
