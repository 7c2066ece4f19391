#include "crypto/digest.h"
#include "crypto/seal.h"
#include "oauth/details.h"
#include "oauth/proof.h"
#include "oauth/token_request.h"
#include "store/authorized.h"

/*
 * RFC 6749 6, with rotation (RFC 9700 4.14.2). Each use spends the token in the same transaction
 * that inserts its successor. A second use by the same client within OAUTH_REFRESH_REPLAY_S, while
 * the successor is still unused, gets the very same answer again: it was lost on the way. Any other
 * second use ends the family.
 *
 * Where the profile keeps refresh tokens, or the client is a confidential one of FAPI 2.0, a use
 * spends nothing: the same checks, another access token under the family, and the token is handed
 * back as it was, with the life that it had. One that was spent elsewhere is no good there either,
 * and the profile looks for no lost answer.
 */

static const char *const bad_refresh_token = "the refresh token is not valid";
static const struct str replay_name = { "refresh replay", 14 };

static enum rc refuse_token(struct oauth_call *call, enum refusal_reason reason, const char *why)
{
    return oauth_refuse_for(call, OAUTH_INVALID_GRANT, reason, bad_refresh_token, why);
}

static enum rc refuse_ended(struct oauth_call *call, const char *why)
{
    return refuse_token(call, REASON_REFRESH_ENDED, why);
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
    rc = oauth_commit(call, &unit);
    call->is_recorded = rc == RC_OK;
    return rc == RC_OK ? refuse_ended(call, "reused: the family has been ended") : rc;
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

/* The account of a grant; NULL: the client itself. */
static enum rc find_account(struct oauth_call *call, const struct live_grant *grant,
                            const struct account **out_account)
{
    struct account *account;
    enum rc rc;

    *out_account = NULL;
    if (grant->account_id == 0)
        return RC_OK;
    account = arena_alloc(call->arena, sizeof(*account));
    rc = store_find_account(call->oauth->store, grant->account_id, call->arena, account);
    if (rc == RC_NOT_FOUND || (rc == RC_OK && account->is_disabled))
        return refuse_ended(call, "the account is gone or disabled");
    if (rc == RC_OK)
        *out_account = account;
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

/* ---- who holds it ---------------------------------------------------------------------------- */

/*
 * What the new access token is bound to. A refresh token of a public client is as bound as its
 * family (RFC 9449 5, RFC 8705 7.1). One of a confidential client is the client's, who may have
 * another key by now; but what was bound is not set free.
 */
static enum rc read_binding(struct oauth_call *call, const struct client *client,
                            const struct token_record *record, struct store_unit *unit,
                            struct binding *out_binding)
{
    const struct binding *family = &record->grant->binding;
    bool binds_tls = (client->policy & CLIENT_BINDS_TLS) != 0 || family->kind == BINDING_TLS;
    struct binding binding;
    enum rc rc = proof_read(call, binds_tls, unit, &binding);

    if (rc != RC_OK)
        return rc;
    if (family->kind == BINDING_DPOP && binding.kind == BINDING_NONE)
        return proof_require(call, CLIENT_BINDS_DPOP);
    if (family->kind == BINDING_TLS && binding.kind == BINDING_NONE)
        return proof_require(call, CLIENT_BINDS_TLS);
    if (family->kind != BINDING_NONE && client->type != CLIENT_CONFIDENTIAL &&
        !binding_equal(family, &binding))
        return refuse_token(call, REASON_NONE, "bound to another key");
    *out_binding = binding;
    return RC_OK;
}

/* The proof of a request that no token is drafted for. */
static enum rc check_holder(struct oauth_call *call, const struct client *client,
                            const struct token_record *record)
{
    UNINITIALIZED struct store_unit unit;
    struct binding binding;
    enum rc rc;

    store_unit_init(&unit);
    rc = read_binding(call, client, record, &unit, &binding);
    return rc == RC_OK ? proof_commit(call, &unit) : rc;
}

/* ---- a second use ---------------------------------------------------------------------------- */

/* A refresh token that was spent before. Whoever lacks its key ends nothing by it. */
static enum rc answer_again(struct oauth_call *call, const struct token_request *request,
                            const struct client *client, const struct token_record *record,
                            struct buffer *out_json)
{
    const struct account *account;
    struct str sealed;
    enum rc rc = check_holder(call, client, record);

    if (rc != RC_OK)
        return rc;
    if (request->profile->keeps_refresh)
        return end_family(call, record);
    rc = find_answer(call, record->row.id, &sealed);
    if (rc == RC_NOT_FOUND)
        return end_family(call, record);
    if (rc == RC_OK)
        rc = find_account(call, record->grant, &account); /* RT-10 */
    if (rc == RC_OK && grant_is_ended(record->grant))     /* RT-06 */
        return refuse_ended(call, "revoked meanwhile");
    return rc == RC_OK ? open_replay(call, request->refresh_token, sealed, out_json) : rc;
}

/* RT-08: what is asked for must be part of what there is. */
static enum rc refuse_growth(struct oauth_call *call, struct str whole, struct str part)
{
    struct str word = STR("");
    enum rc rc;

    while (str_next_word(&part, &word) && str_has_word(whole, word))
        continue;
    rc = oauth_refuse_for(call, OAUTH_INVALID_SCOPE, REASON_SCOPE_UNKNOWN,
                          "a refresh may ask for less scope, not for more", NULL);
    call->refusal.word = word;
    return rc;
}

/* What the family was granted must still be allowed in full (RT-10), and what is asked for must be
 * part of it (RT-08). What a person allowed was for its audience, whatever its words stand for by
 * now; resource asks for less of that (RFC 8707 2.2). */
static enum rc check_scope(struct oauth_call *call, const struct token_request *request,
                           const struct client *client, const struct live_grant *grant,
                           struct permission *out_permission)
{
    bool has_person = grant->authorization_id != 0;
    struct scope_demand demand = { .scope = &grant->scope, .has_person = has_person };
    enum rc rc;

    if (has_person)
        demand.resources = grant->audience;
    rc = scope_permit_demand(call, client, &demand, out_permission);
    if (rc == RC_REFUSED)
        return refuse_ended(call, "its scope is no longer permitted");
    if (rc == RC_OK && request->resources.len > 0) {
        rc = scope_check_resources(call, grant->audience, request->resources);
        demand.resources = request->resources;
    }
    if (request->scope != NULL)
        demand.scope = request->scope;
    demand.leaves_out = request->resources.len == 0; /* RFC 6749 6: less scope is no other target */
    if (rc == RC_OK && (request->scope != NULL || request->resources.len > 0)) {
        rc = scope_permit_demand(call, client, &demand, out_permission);
        if (rc == RC_OK && !scope_contains(grant->scope, out_permission->scope))
            return refuse_growth(call, grant->scope, out_permission->scope);
    }
    if (rc == RC_OK)
        token_profile_shape(request->profile, out_permission);
    return rc;
}

/* What has to be true of any refresh token that is used. That its account is not disabled is for
 * the commit to say, like all that may change until then (RT-10). */
static enum rc check_record(struct oauth_call *call, const struct client *client,
                            const struct token_record *record)
{
    if (record->row.kind != TOKEN_REFRESH)
        return refuse_token(call, REASON_REFRESH_NO_REFRESH_TOKEN, "not a refresh token");
    if (record->grant->client_id != client->id) /* RFC 6749 6 */
        return refuse_token(call, REASON_REFRESH_OF_OTHER_CLIENT, "issued to another client");
    if (record->row.is_revoked || grant_is_ended(record->grant))
        return refuse_ended(call, "revoked");
    if (record->row.expires_at <= call->now)
        return refuse_token(call, REASON_REFRESH_EXPIRED, "expired");
    /* The client's lifetimes may have been shortened since. */
    if (refresh_expiry(client, true, record->grant->created_at, call->now) <= call->now)
        return refuse_token(call, REASON_REFRESH_EXPIRED, "its family has lived long enough");
    return RC_OK;
}

/* A narrower scope needs a grant of its own, which ends with the family; so does an audience that
 * has changed because words moved to another service, and another key. */
static enum rc find_access_grant(struct oauth_call *call, const struct permission *permission,
                                 const struct binding *binding, struct live_grant *family,
                                 struct store_unit *unit, struct live_grant **out_grant)
{
    struct grant narrowed = { .account_id = family->account_id,
                              .client_id = family->client_id,
                              .scope = permission->scope,
                              .audience = permission->audience,
                              .binding = *binding,
                              .parent_id = family->id };

    if (permission->shape.lifetime_s != 0)
        narrowed.expires_at = call->now + permission->shape.lifetime_s;
    if (str_equal(permission->scope, family->scope) &&
        str_equal(permission->audience, family->audience) &&
        binding_equal(binding, &family->binding)) {
        *out_grant = grant_hold(family);
        return RC_OK;
    }
    return grant_draft_family(token_room_grants(call->oauth->tokens), &narrowed, NULL, call->now,
                              unit, out_grant);
}

/* What the family rests on; NULL: nothing that is kept. RFC 9396 6: what was allowed is what there
 * is. */
static enum rc find_authorization(struct oauth_call *call, const struct token_request *request,
                                  const struct live_grant *grant,
                                  const struct authorization **out_authorization)
{
    struct authorization *authorization = NULL;
    struct str details = STR("");
    enum rc rc = RC_OK;

    if (grant->authorization_id != 0) {
        authorization = arena_alloc(call->arena, sizeof(*authorization));
        rc = store_find_authorization(call->oauth->store, grant->authorization_id, call->arena,
                                      authorization);
        if (rc != RC_OK)
            return rc;
        details = authorization->details;
    }
    *out_authorization = authorization;
    return request->details == NULL ? RC_OK : details_check_same(call, *request->details, details);
}

/* ---- the refresh token is kept --------------------------------------------------------------- */

static enum rc issue_kept(struct oauth_call *call, struct issue_plan *plan,
                          const struct token_record *record, struct token_answer *out_answer)
{
    UNINITIALIZED struct store_unit unit;
    struct live_grant *grant;
    enum rc rc;

    store_unit_init(&unit);
    rc = read_binding(call, plan->client, record, &unit, &plan->binding);
    if (rc == RC_OK)
        rc = find_access_grant(call, &plan->permission, &plan->binding, record->grant, &unit,
                               &grant);
    if (rc != RC_OK)
        return rc;
    rc = token_issue_under(call, plan, grant, &unit, out_answer);
    grant_put(token_room_grants(call->oauth->tokens), grant);
    return rc;
}

/* Here no spending step asks for the account: a look before the commit and one after it do. */
static enum rc answer_kept(struct oauth_call *call, const struct token_request *request,
                           const struct client *client, const struct token_record *record,
                           struct buffer *out_json)
{
    struct issue_plan plan = { .grant_type = GRANT_TYPE_REFRESH_TOKEN, .client = client };
    struct token_answer answer;
    enum rc rc = check_scope(call, request, client, record->grant, &plan.permission);

    if (rc == RC_OK)
        rc = find_authorization(call, request, record->grant, &plan.authorization);
    if (rc == RC_OK)
        rc = find_account(call, record->grant, &plan.account);
    if (rc == RC_OK)
        rc = issue_kept(call, &plan, record, &answer);
    if (rc != RC_OK)
        return rc;
    answer.refresh_token = secret_expose(request->refresh_token);
    request->profile->format(&answer, out_json);
    return RC_OK;
}

/* ---- the refresh token is rotated ------------------------------------------------------------ */

/* A rotation on its way: everything drafted, nothing stored. */
struct rotation {
    struct permission permission;
    struct binding binding;                    /* of the access token */
    const struct account *account;             /* where the answer has to do with it, else NULL */
    const struct authorization *authorization; /* what the family rests on; NULL: none */
    struct str id_token;                       /* empty: none */
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
                                   .jti = rotation->access.jti,
                                   .id_token = rotation->id_token,
                                   .binding = rotation->binding.kind,
                                   .account = rotation->account,
                                   .expires_in_s =
                                       token_expires_in(&rotation->access.row, call->now) };
    struct event event = { .kind = EVENT_TOKEN_REFRESHED,
                           .account_id = record->grant->account_id,
                           .client_id = record->grant->client_id,
                           .token_id = rotation->access.row.id };
    size_t answer_start = out_json->len;
    struct str sealed;
    enum rc rc;

    if (rotation->authorization != NULL)
        answer.details = rotation->authorization->details;
    request->profile->format(&answer, out_json);
    rc = seal_answer(call, request, str_from(buffer_str(out_json), answer_start), &sealed);
    if (rc == RC_OK) {
        token_issue_insert(call, &rotation->access.row, &rotation->unit);
        store_insert_token(&rotation->unit, &rotation->refresh.row);
        token_note_issue(record->grant, call->now, &rotation->unit);
        store_insert_replay(&rotation->unit, rotation->refresh.row.id,
                            call->now + OAUTH_REFRESH_REPLAY_S, sealed);
        oauth_add_event(call, event, &rotation->unit);
        rc = proof_settle(call, &rotation->unit, oauth_commit(call, &rotation->unit));
    }
    if (rc != RC_OK) {
        explicit_bzero(out_json->at + answer_start, out_json->len - answer_start);
        out_json->len = answer_start;
    }
    return rc;
}

/* OpenID Connect Core 12.2. */
static enum rc make_id_token(struct oauth_call *call, const struct client *client,
                             struct rotation *rotation)
{
    struct issue_plan plan = { .grant_type = GRANT_TYPE_REFRESH_TOKEN,
                               .client = client,
                               .account = rotation->account,
                               .permission = rotation->permission,
                               .authorization = rotation->authorization };

    return token_issue_id_token(call, &plan, rotation->access.value, &rotation->id_token);
}

/* Drafts the access token under its grant, commits, and lets the live-token table know. */
static enum rc finish_rotation(struct oauth_call *call, const struct token_request *request,
                               const struct client *client, const struct token_record *record,
                               struct rotation *rotation, struct buffer *out_json)
{
    struct token_shape shape = rotation->permission.shape;
    struct live_grant *grant;
    enum rc rc = find_access_grant(call, &rotation->permission, &rotation->binding, record->grant,
                                   &rotation->unit, &grant);

    if (rc != RC_OK)
        return rc;
    shape.account = rotation->account;
    rc = token_issue_draft_access(call, grant, shape, &rotation->access);
    if (rc == RC_OK)
        rc = make_id_token(call, client, rotation);
    if (rc == RC_OK)
        rc = commit_rotation(call, request, record, rotation, out_json);
    if (rc == RC_OK) {
        token_enter(call->oauth->tokens, &rotation->access, call->now);
        token_enter(call->oauth->tokens, &rotation->refresh, call->now);
        call->log_token_id = rotation->access.row.id;
        call->has_issued = true;
        call->issued_by = GRANT_TYPE_REFRESH_TOKEN;
    }
    grant_put(token_room_grants(call->oauth->tokens), grant);
    return rc;
}

/* Spends, inserts the successor, answers; RC_SPENT when another request was first. */
static enum rc rotate(struct oauth_call *call, const struct token_request *request,
                      const struct client *client, const struct token_record *record,
                      struct rotation *rotation, struct buffer *out_json)
{
    int64_t expires_at = refresh_expiry(client, false, record->grant->created_at, call->now);
    enum rc rc = token_draft_refresh(call->oauth->tokens, record->grant, expires_at, call->now,
                                     call->arena, &rotation->refresh);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&rotation->unit);
    rc = read_binding(call, client, record, &rotation->unit, &rotation->binding);
    if (rc != RC_OK)
        return rc;
    /* Before all else but the proof: a unit whose first step alone may say no is cheaper. */
    store_spend_token(&rotation->unit, record->row.id, record->row.grant_id,
                      rotation->refresh.row.id, call->now, record->row.expires_at);
    return finish_rotation(call, request, client, record, rotation, out_json);
}

/* The standard's answer and tokens name nobody, so the account need not be read for them; but for
 * an ID token. */
static bool names_account(const struct token_profile *profile, const struct rotation *rotation)
{
    return profile->has_shape || profile->format != token_answer_format ||
           rotation->authorization != NULL;
}

static enum rc answer_rotated(struct oauth_call *call, const struct token_request *request,
                              const struct client *client, const struct token_record *record,
                              struct buffer *out_json)
{
    struct rotation *rotation = arena_alloc(call->arena, sizeof(*rotation));
    enum rc rc = check_scope(call, request, client, record->grant, &rotation->permission);

    if (rc == RC_OK)
        rc = find_authorization(call, request, record->grant, &rotation->authorization);
    if (rc == RC_OK && names_account(request->profile, rotation))
        rc = find_account(call, record->grant, &rotation->account);
    if (rc == RC_OK)
        rc = rotate(call, request, client, record, rotation, out_json);
    if (rc == RC_SPENT)
        return answer_again(call, request, client, record, out_json);
    return rc == RC_NOT_FOUND ? refuse_ended(call, "revoked or its account disabled") : rc;
}

static enum rc answer_record(struct oauth_call *call, const struct token_request *request,
                             const struct client *client, const struct token_record *record,
                             struct buffer *out_json)
{
    enum rc rc = check_record(call, client, record);

    if (rc != RC_OK)
        return rc;
    if (record->row.is_spent)
        return answer_again(call, request, client, record, out_json);
    return refresh_is_kept(call, request, client)
               ? answer_kept(call, request, client, record, out_json)
               : answer_rotated(call, request, client, record, out_json);
}

enum rc grant_refresh_token_answer(struct oauth_call *call, const struct token_request *request,
                                   const struct client *client, struct buffer *out_json)
{
    struct token_record record;
    enum rc rc;

    /* RFC 6749 3.2: without a value is as if omitted. */
    if (request->refresh_token == NULL || request->refresh_token->len == 0)
        return oauth_refuse_for(call, OAUTH_INVALID_REQUEST, REASON_NO_REFRESH_TOKEN,
                                "refresh_token is missing", NULL);
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    rc = token_read(call->oauth->tokens, secret_expose(request->refresh_token), &record);
    if (rc == RC_NOT_FOUND)
        return refuse_token(call, REASON_REFRESH_UNKNOWN, "unknown");
    if (rc != RC_OK)
        return rc;
    call->log_username = arena_copy(call->arena, record.grant->username);
    rc = answer_record(call, request, client, &record, out_json);
    grant_put(token_room_grants(call->oauth->tokens), record.grant);
    return rc;
}
