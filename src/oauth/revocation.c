#include "oauth/revocation.h"

enum rc revocation_end(struct oauth_call *call, const struct token_record *record)
{
    /* A session has one token and ends with it, and so has what makes a token permanent. */
    bool is_family = record->row.kind != TOKEN_ACCESS || record->grant->session != NULL;
    struct event event = { .kind = is_family ? EVENT_GRANT_ENDED : EVENT_TOKEN_REVOKED,
                           .account_id = record->grant->account_id,
                           .client_id = record->grant->client_id,
                           .token_id = record->row.id };
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    if (is_family)
        store_end_grant(&unit, record->grant->id, call->now);
    else
        store_revoke_token(&unit, record->row.id, call->now, record->row.expires_at);
    oauth_add_event(call, event, &unit);
    call->log_token_id = record->row.id;
    return oauth_commit(call, &unit);
}

static bool is_over(const struct oauth_call *call, const struct token_record *record)
{
    return record->row.is_revoked || grant_is_ended(record->grant) ||
           (record->row.expires_at != 0 && record->row.expires_at <= call->now);
}

static enum rc revoke_for(struct oauth_call *call, const struct client *client,
                          const struct str *token)
{
    struct token_record record;
    enum rc rc = token_read(call->oauth->tokens, *token, &record);

    if (rc == RC_NOT_FOUND)
        return RC_OK; /* RFC 7009 2.2: the purpose is reached */
    if (rc != RC_OK)
        return rc;
    if (record.grant->client_id == client->id && !is_over(call, &record))
        rc = revocation_end(call, &record);
    grant_put(token_room_grants(call->oauth->tokens), record.grant);
    return rc;
}

enum rc revocation_answer(struct oauth_call *call, const struct client_credentials *credentials,
                          const struct str *token)
{
    struct catalog_client *client;
    enum rc rc = client_require(call, credentials, &client);

    if (rc != RC_OK)
        return rc;
    if (token == NULL)
        rc = oauth_refuse(call, OAUTH_INVALID_REQUEST, "token is missing", NULL);
    else if (!call->may_block)
        rc = RC_WOULD_BLOCK;
    else
        rc = revoke_for(call, &client->client, token);
    catalog_client_put(client);
    return client_auth_finish(call, rc);
}
