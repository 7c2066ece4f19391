#include "crypto/digest.h"
#include "crypto/seal.h"
#include "oauth/token_request.h"

/*
 * RFC 6749 6, with rotation (RFC 9700 4.14.2). Each use spends the token in the same transaction
 * that inserts its successor. A second use by the same client within OAUTH_REFRESH_REPLAY_S, while
 * the successor is still unused, gets the very same answer again: it was lost on the way. Any other
 * second use ends the family.
 */

static const char *const bad_refresh_token = "the refresh token is not valid";
static const struct str replay_name = { "refresh replay", 14 };

static enum rc refuse_token(struct oauth_call *call, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_GRANT, bad_refresh_token, why);
}

/* The key of a replayed answer comes from the old token, so the store alone cannot open it. */
static void derive_replay_key(struct oauth_call *call, const struct secret *refresh_token,
                              unsigned char out_key[static SEAL_KEY_BYTES])
{
    hmac_sha256(token_room_replay_key(call->oauth->tokens), replay_name,
                secret_expose(refresh_token), out_key);
}

static enum rc end_family(struct oauth_call *call, const struct token_record *record)
{
    struct event event = { .kind = EVENT_REFRESH_REUSED,
                           .account_id = record->grant->account_id,
                           .client_id = record->grant->client_id,
                           .token_id = record->row.id };
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    store_end_grant(&unit, record->grant->id, call->now);
    oauth_add_event(call, event, &unit);
    rc = store_commit(call->oauth->store, &unit);
    call->is_recorded = rc == RC_OK;
    return rc == RC_OK ? refuse_token(call, "reused: the family has been ended") : rc;
}

/*
 * The sealed answer that a token was spent for.
 *
 * Answers: RC_OK · RC_NOT_FOUND its time is over, or its refresh token was used, so that it did
 * arrive
 */
static enum rc find_answer(struct oauth_call *call, int64_t token_id, struct str *out_sealed)
{
    struct store *store = call->oauth->store;
    struct spent_token spent;
    struct token successor;
    enum rc rc = store_find_spent(store, token_id, &spent);

    if (rc == RC_OK)
        rc = store_find_token(store, spent.successor_id, &successor);
    if (rc == RC_OK && (successor.is_spent || successor.is_revoked))
        rc = RC_NOT_FOUND;
    return rc == RC_OK
               ? store_find_replay(store, spent.successor_id, call->now, call->arena, out_sealed)
               : rc;
}

static enum rc check_account(struct oauth_call *call, int64_t account_id)
{
    struct account account;
    enum rc rc;

    if (account_id == 0)
        return RC_OK;
    rc = store_find_account(call->oauth->store, account_id, call->arena, &account);
    if (rc == RC_NOT_FOUND || (rc == RC_OK && account.is_disabled))
        return refuse_token(call, "the account is gone or disabled");
    return rc;
}

static enum rc open_replay(struct oauth_call *call, const struct secret *refresh_token,
                           struct str sealed, struct buffer *out_json)
{
    unsigned char key[SEAL_KEY_BYTES];
    enum rc rc;

    derive_replay_key(call, refresh_token, key);
    rc = unseal(key, replay_name, sealed, out_json);
    explicit_bzero(key, sizeof(key));
    return rc == RC_INVALID ? RC_CORRUPT : rc;
}

/* A refresh token that was spent before. */
static enum rc answer_again(struct oauth_call *call, const struct token_request *request,
                            const struct token_record *record, struct buffer *out_json)
{
    struct str sealed;
    enum rc rc = find_answer(call, record->row.id, &sealed);

    if (rc == RC_NOT_FOUND)
        return end_family(call, record);
    if (rc == RC_OK)
        rc = check_account(call, record->grant->account_id); /* RT-10 */
    if (rc == RC_OK && grant_is_ended(record->grant))        /* RT-06 */
        return refuse_token(call, "revoked meanwhile");
    return rc == RC_OK ? open_replay(call, request->refresh_token, sealed, out_json) : rc;
}

/* What the family was granted must still be allowed in full (RT-10), and what is asked for must be
 * part of it (RT-08). */
static enum rc check_scope(struct oauth_call *call, const struct token_request *request,
                           const struct client *client, const struct live_grant *grant,
                           struct permission *out_permission)
{
    enum rc rc = scope_permit(call, client, false, &grant->scope, out_permission);

    if (rc == RC_REFUSED)
        return refuse_token(call, "its scope is no longer permitted");
    if (rc != RC_OK || request->scope == NULL)
        return rc;
    rc = scope_permit(call, client, false, request->scope, out_permission);
    if (rc == RC_OK && !scope_contains(grant->scope, out_permission->scope))
        return oauth_refuse(call, OAUTH_INVALID_SCOPE,
                            "a refresh may ask for less scope, not for more", NULL);
    return rc;
}

/* What has to be true of any refresh token that is used. That its account is not disabled is for
 * the commit to say, like all that may change until then (RT-10). */
static enum rc check_record(struct oauth_call *call, const struct client *client,
                            const struct token_record *record)
{
    if (record->row.kind != TOKEN_REFRESH)
        return refuse_token(call, "not a refresh token");
    if (record->grant->client_id != client->id) /* RFC 6749 6 */
        return refuse_token(call, "issued to another client");
    if (record->row.is_revoked || grant_is_ended(record->grant))
        return refuse_token(call, "revoked");
    if (record->row.expires_at <= call->now)
        return refuse_token(call, "expired");
    /* The client's lifetimes may have been shortened since. */
    if (refresh_expiry(client, record->grant->created_at, call->now) <= call->now)
        return refuse_token(call, "its family has lived long enough");
    return RC_OK;
}

/* A narrower scope needs a grant of its own, which ends with the family; so does an audience that
 * has changed because words moved to another service. */
static enum rc find_access_grant(struct oauth_call *call, const struct permission *permission,
                                 struct live_grant *family, struct store_unit *unit,
                                 struct live_grant **out_grant)
{
    struct grant narrowed = { .account_id = family->account_id,
                              .client_id = family->client_id,
                              .scope = permission->scope,
                              .audience = permission->audience,
                              .parent_id = family->id,
                              .expires_at = call->now + permission->shape.lifetime_s };

    if (str_equal(permission->scope, family->scope) &&
        str_equal(permission->audience, family->audience)) {
        *out_grant = grant_hold(family);
        return RC_OK;
    }
    return grant_draft_family(token_room_grants(call->oauth->tokens), &narrowed, call->now, unit,
                              out_grant);
}

/* A rotation on its way: everything drafted, nothing stored. */
struct rotation {
    struct permission permission;
    struct token_draft access;
    struct token_draft refresh;
    struct store_unit unit;
};

static enum rc seal_answer(struct oauth_call *call, const struct token_request *request,
                           struct str answer, struct str *out_sealed)
{
    size_t sealed_bytes = answer.len + SEAL_OVERHEAD_BYTES;
    struct buffer sealed = buffer_over(arena_alloc(call->arena, sealed_bytes), sealed_bytes);
    unsigned char key[SEAL_KEY_BYTES];
    enum rc rc;

    derive_replay_key(call, request->refresh_token, key);
    rc = seal(key, replay_name, answer, &sealed);
    explicit_bzero(key, sizeof(key));
    *out_sealed = buffer_str(&sealed);
    return rc;
}

/* The answer is written first, as the store keeps it sealed; it leaves only after the commit. */
static enum rc commit_rotation(struct oauth_call *call, const struct token_request *request,
                               const struct token_record *record, struct rotation *rotation,
                               struct buffer *out_json)
{
    struct token_answer answer = { .access_token = rotation->access.value,
                                   .refresh_token = rotation->refresh.value,
                                   .scope = rotation->permission.scope,
                                   .expires_in_s = rotation->access.row.expires_at - call->now };
    struct event event = { .kind = EVENT_TOKEN_REFRESHED,
                           .account_id = record->grant->account_id,
                           .client_id = record->grant->client_id,
                           .token_id = rotation->access.row.id };
    size_t answer_start = out_json->len;
    struct str sealed;
    enum rc rc;

    token_answer_format(&answer, out_json);
    rc = seal_answer(call, request, str_from(buffer_str(out_json), answer_start), &sealed);
    if (rc == RC_OK) {
        store_insert_token(&rotation->unit, &rotation->access.row);
        store_insert_token(&rotation->unit, &rotation->refresh.row);
        store_insert_replay(&rotation->unit, rotation->refresh.row.id,
                            call->now + OAUTH_REFRESH_REPLAY_S, sealed);
        oauth_add_event(call, event, &rotation->unit);
        rc = store_commit(call->oauth->store, &rotation->unit);
    }
    if (rc != RC_OK) {
        explicit_bzero(out_json->at + answer_start, out_json->len - answer_start);
        out_json->len = answer_start;
    }
    return rc;
}

/* Drafts the access token under its grant, commits, and lets the live-token table know. */
static enum rc finish_rotation(struct oauth_call *call, const struct token_request *request,
                               const struct token_record *record, struct rotation *rotation,
                               struct buffer *out_json)
{
    struct live_grant *grant;
    enum rc rc =
        find_access_grant(call, &rotation->permission, record->grant, &rotation->unit, &grant);

    if (rc != RC_OK)
        return rc;
    rc = token_issue_draft_access(call, grant, rotation->permission.shape, &rotation->access);
    if (rc == RC_OK)
        rc = commit_rotation(call, request, record, rotation, out_json);
    if (rc == RC_OK) {
        token_enter(call->oauth->tokens, &rotation->access, call->now);
        token_enter(call->oauth->tokens, &rotation->refresh, call->now);
        call->log_token_id = rotation->access.row.id;
    }
    grant_put(token_room_grants(call->oauth->tokens), grant);
    return rc;
}

/* Spends, inserts the successor, answers; RC_SPENT when another request was first. */
static enum rc rotate(struct oauth_call *call, const struct token_request *request,
                      const struct client *client, const struct token_record *record,
                      struct rotation *rotation, struct buffer *out_json)
{
    int64_t expires_at = refresh_expiry(client, record->grant->created_at, call->now);
    enum rc rc = token_draft_refresh(call->oauth->tokens, record->grant, expires_at, call->now,
                                     call->arena, &rotation->refresh);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&rotation->unit);
    /* The one step that may say no stands first. */
    store_spend_token(&rotation->unit, record->row.id, record->row.grant_id,
                      rotation->refresh.row.id, call->now, record->row.expires_at);
    return finish_rotation(call, request, record, rotation, out_json);
}

static enum rc answer_record(struct oauth_call *call, const struct token_request *request,
                             const struct client *client, const struct token_record *record,
                             struct buffer *out_json)
{
    struct rotation *rotation = arena_alloc(call->arena, sizeof(*rotation));
    enum rc rc = check_record(call, client, record);

    if (rc != RC_OK)
        return rc;
    if (record->row.is_spent)
        return answer_again(call, request, record, out_json);
    rc = check_scope(call, request, client, record->grant, &rotation->permission);
    if (rc == RC_OK)
        rc = rotate(call, request, client, record, rotation, out_json);
    if (rc == RC_SPENT)
        return answer_again(call, request, record, out_json);
    return rc == RC_NOT_FOUND ? refuse_token(call, "revoked or its account disabled") : rc;
}

enum rc grant_refresh_token_answer(struct oauth_call *call, const struct token_request *request,
                                   const struct client *client, struct buffer *out_json)
{
    struct token_record record;
    enum rc rc;

    /* RFC 6749 3.2: without a value is as if omitted. */
    if (request->refresh_token == NULL || request->refresh_token->len == 0)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "refresh_token is missing", NULL);
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    rc = token_read(call->oauth->tokens, secret_expose(request->refresh_token), &record);
    if (rc == RC_NOT_FOUND)
        return refuse_token(call, "unknown");
    if (rc != RC_OK)
        return rc;
    call->log_username = arena_copy(call->arena, record.grant->username);
    rc = answer_record(call, request, client, &record, out_json);
    grant_put(token_room_grants(call->oauth->tokens), record.grant);
    return rc;
}
