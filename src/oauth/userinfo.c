#include "oauth/userinfo.h"

#include "oauth/id_token.h"
#include "store/authorized.h"

/* What an answer is made of. */
struct person {
    struct str subject;
    struct str scope;
    struct str claims; /* as the client asked at the authorization endpoint; or empty */
    struct account account;
};

static enum rc refuse(struct oauth_call *call, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_TOKEN, "the token is not active", why);
}

static enum rc read_person(struct oauth_call *call, const struct live_grant *grant,
                           struct person *out_person)
{
    struct authorization authorization = { .id = 0 };
    enum rc rc;

    if (grant->account_id == 0)
        return refuse(call, "it stands for no person");
    rc = store_find_account(call->oauth->store, grant->account_id, call->arena,
                            &out_person->account);
    if (rc == RC_NOT_FOUND || (rc == RC_OK && out_person->account.is_disabled)) /* RT-10 */
        return refuse(call, "the account is gone or disabled");
    if (rc == RC_OK && grant->authorization_id != 0)
        rc = store_find_authorization(call->oauth->store, grant->authorization_id, call->arena,
                                      &authorization);
    if (rc == RC_NOT_FOUND)
        return refuse(call, "its authorization has gone");
    if (rc != RC_OK)
        return rc;
    call->log_username = out_person->account.name;
    out_person->subject = arena_copy(call->arena, grant->subject);
    out_person->scope = arena_copy(call->arena, grant->scope);
    out_person->claims = authorization.claims;
    return RC_OK;
}

static void format(struct oauth_call *call, const struct person *person,
                   const struct client *client, bool is_jwt, struct buffer *to)
{
    struct json_out json = json_out_over(to);

    json_begin_object(&json);
    json_member_string(&json, STR("sub"), person->subject); /* Core 5.3.2 */
    if (is_jwt) {
        json_member_string(&json, STR("iss"), call->oauth->issuer);
        json_member_string(&json, STR("aud"), client->client_id);
    }
    claims_format(&person->account, person->scope, person->claims, CLAIMS_USERINFO, call->arena,
                  &json);
    json_end_object(&json);
}

static enum rc answer(struct oauth_call *call, const struct person *person,
                      const struct client *client, struct buffer *out_body, bool *out_is_jwt)
{
    struct client_metadata metadata;
    struct buffer claims;
    enum rc rc = client_metadata_read(client, call->arena, &metadata);

    if (rc != RC_OK)
        return rc;
    *out_is_jwt = metadata.has_userinfo_alg;
    if (!metadata.has_userinfo_alg) {
        format(call, person, client, false, out_body);
        return RC_OK;
    }
    claims =
        buffer_over(arena_alloc(call->arena, USERINFO_CLAIMS_BYTES_MAX), USERINFO_CLAIMS_BYTES_MAX);
    format(call, person, client, true, &claims);
    if (claims.overflow)
        return RC_TOO_LARGE;
    return token_sign(call->oauth->tokens, metadata.userinfo_alg, STR("JWT"), buffer_str(&claims),
                      call->now, out_body);
}

enum rc userinfo_answer(struct oauth_call *call, const struct token_presented *presented,
                        bool scheme_is_dpop, struct buffer *out_body, bool *out_is_jwt)
{
    const struct bearer_demand demand = { .scope = STR("openid"),
                                          .scheme_is_dpop = scheme_is_dpop };
    struct catalog_client *entry = NULL;
    struct token_view view;
    struct person person;
    enum rc rc;

    if (!call->may_block)
        return RC_WOULD_BLOCK;
    rc = bearer_check(call, presented, &demand, &view);
    if (rc != RC_OK)
        return rc;
    rc = read_person(call, view.live.grant, &person);
    if (rc == RC_OK)
        rc = catalog_find_client_by_id(call->oauth->catalog, view.live.grant->client_id, true,
                                       &entry);
    token_view_put(call->oauth->tokens, &view);
    if (rc == RC_NOT_FOUND)
        return refuse(call, "the client is gone");
    if (rc != RC_OK)
        return rc;
    call->log_client_id = arena_copy(call->arena, entry->client.client_id);
    rc = entry->client.is_disabled ? refuse(call, "the client is disabled")
                                   : answer(call, &person, &entry->client, out_body, out_is_jwt);
    catalog_client_put(entry);
    return rc;
}
