#include "oauth/grant_token_exchange.h"

#include "codec/json.h"
#include "oauth/details.h"
#include "oauth/id_token.h"
#include "oauth/proof.h"
#include "store/authorized.h"

/* RFC 8693. Whatever is wrong with a token that was sent is invalid_request (2.2.2). */

/* A token that was sent, found. */
struct sent {
    struct str value;
    struct token_view view;
    bool is_held;
};

struct exchange {
    struct oauth_call *call;
    const struct token_request *request;
    const struct token_exchange *sent;
    const struct client *client;
    struct client_metadata metadata;
    struct sent subject;
    struct sent actor;
    struct authorization prior; /* what the subject's token rests on; or zeros */
    struct authorization authorization;
    struct account account;
    struct issue_plan plan;
    struct store_unit unit;
};

static enum rc refuse(struct exchange *exchange, const char *description, const char *why)
{
    return oauth_refuse(exchange->call, OAUTH_INVALID_REQUEST, description, why);
}

/* ---- what was sent --------------------------------------------------------------------------- */

static bool is_type(const struct str *type, enum token_format format)
{
    if (str_equal(*type, STR(TOKEN_TYPE_ACCESS)))
        return true;
    return format == TOKEN_JWT && str_equal(*type, STR(TOKEN_TYPE_JWT));
}

/* TX-03: an active access token of ours, of the type that it is said to be. */
static enum rc find_token(struct exchange *exchange, struct str value, const struct str *type,
                          struct sent *out_sent)
{
    struct oauth_call *call = exchange->call;
    const struct token_presented presented = { .value = value };
    enum token_inactive why;
    enum rc rc = token_find(call->oauth->tokens, &presented, call->now, call->may_block,
                            &out_sent->view, &why);

    if (rc == RC_NOT_FOUND)
        return refuse(exchange, "a token is unknown, expired or revoked",
                      token_inactive_words(why));
    if (rc != RC_OK)
        return rc;
    out_sent->value = value;
    out_sent->is_held = true;
    if (!is_type(type, out_sent->view.live.format))
        return refuse(exchange, "a token is not of the type that was named", NULL);
    /* Where such a token is used says whether it is good; here nobody can know. */
    if (out_sent->view.live.grant->session != NULL)
        return refuse(exchange, "tokens of a session cannot be exchanged", NULL);
    return RC_OK;
}

/* TX-04: what is missing is an error, never something else instead. */
static enum rc check_sent(struct exchange *exchange)
{
    const struct token_exchange *sent = exchange->sent;

    if (sent == NULL || sent->subject_token == NULL || sent->subject_token_type == NULL)
        return refuse(exchange, "subject_token and subject_token_type are needed", NULL);
    if ((sent->actor_token == NULL) != (sent->actor_token_type == NULL)) /* RFC 8693 2.1 */
        return refuse(exchange, "actor_token and actor_token_type go together", NULL);
    if (sent->requested_token_type != NULL &&
        !str_equal(*sent->requested_token_type, STR(TOKEN_TYPE_ACCESS)))
        return refuse(exchange, "nothing but access tokens are issued here", NULL);
    return RC_OK;
}

static bool is_listed(struct str list, struct str words)
{
    struct str word;

    while (str_next_word(&words, &word))
        if (str_has_word(list, word))
            return true;
    return false;
}

static size_t depth_of(const struct live_grant *grant)
{
    size_t depth = 0;

    for (; grant->parent != NULL; grant = grant->parent)
        depth++;
    return depth;
}

/* TX-01: whose tokens the client may exchange. */
static enum rc check_subject(struct exchange *exchange)
{
    const struct live_grant *grant = exchange->subject.view.live.grant;
    struct str subjects = exchange->metadata.exchange_subjects;
    bool is_own = grant->client_id == exchange->client->id;

    if (!is_own && !str_has_word(subjects, grant->client_name) &&
        !is_listed(subjects, grant->audience))
        return refuse(exchange, "the client may not exchange this token", "not by its policy");
    /* The subject would be another one. */
    if (!is_own && grant->account_id == 0)
        return refuse(exchange, "the client may not exchange this token", "of a client itself");
    if (depth_of(grant) >= EXCHANGE_DEPTH_MAX)
        return refuse(exchange, "the token was exchanged too often", NULL);
    return RC_OK;
}

/* Nobody but who acts: the token is one of the client's own. */
static enum rc find_actor(struct exchange *exchange)
{
    const struct token_exchange *sent = exchange->sent;
    enum rc rc;

    if (sent->actor_token == NULL)
        return RC_OK;
    rc = find_token(exchange, *sent->actor_token, sent->actor_token_type, &exchange->actor);
    if (rc == RC_OK && exchange->actor.view.live.grant->client_id != exchange->client->id)
        rc = refuse(exchange, "the actor's token is not the client's own", NULL);
    return rc;
}

/* RFC 9449 6, RFC 8705 3: bound tokens are good for who holds the key alone, here as well. */
static enum rc check_holder(struct exchange *exchange, const struct sent *sent)
{
    const struct binding *binding;

    if (!sent->is_held)
        return RC_OK;
    binding = &sent->view.live.grant->binding;
    return binding->kind == BINDING_NONE || binding_equal(binding, &exchange->plan.binding)
               ? RC_OK
               : refuse(exchange, "a token is bound to a key that was not proven", NULL);
}

static bool is_of_certificate(const struct sent *sent)
{
    return sent->is_held && sent->view.live.grant->binding.kind == BINDING_TLS;
}

static enum rc check_holders(struct exchange *exchange)
{
    bool binds_tls = (exchange->client->policy & CLIENT_BINDS_TLS) != 0 ||
                     is_of_certificate(&exchange->subject) || is_of_certificate(&exchange->actor);
    enum rc rc = proof_read(exchange->call, binds_tls, &exchange->unit, &exchange->plan.binding);

    if (rc == RC_OK)
        rc = check_holder(exchange, &exchange->subject);
    return rc == RC_OK ? check_holder(exchange, &exchange->actor) : rc;
}

/* ---- what is given --------------------------------------------------------------------------- */

/* Whether the client is registered for a word of the subject's. */
static enum rc has_word(struct exchange *exchange, struct str word, bool *out_has)
{
    const struct client *client = exchange->client;
    const struct str prefix = STR(SCOPE_SERVICE_PREFIX);
    struct catalog_service *owner;
    enum rc rc;

    *out_has = str_has_word(client->scope, word);
    if (*out_has)
        return RC_OK;
    if (str_starts_with(word, prefix)) {
        *out_has = str_has_word(client->service_ids, str_from(word, prefix.len));
        return RC_OK;
    }
    rc = catalog_find_owner(exchange->call->oauth->catalog, word, true, &owner);
    if (rc == RC_NOT_FOUND)
        return RC_OK;
    if (rc != RC_OK)
        return rc;
    *out_has = str_has_word(client->service_ids, owner->service.service_id);
    catalog_service_put(owner);
    return RC_OK;
}

/* Where no scope is asked for: what of the subject's the client may have. */
static enum rc default_scope(struct exchange *exchange, struct str *out_scope)
{
    struct str rest = exchange->subject.view.live.grant->scope;
    struct buffer words =
        buffer_over(arena_alloc(exchange->call->arena, rest.len + 1), rest.len + 1);
    struct str word;

    while (str_next_word(&rest, &word)) {
        bool has;
        enum rc rc = has_word(exchange, word, &has);

        if (rc != RC_OK)
            return rc;
        if (has && words.len > 0)
            buffer_append_byte(&words, ' ');
        if (has)
            buffer_append_str(&words, word);
    }
    *out_scope = buffer_str(&words);
    return RC_OK;
}

static enum rc refuse_target(struct exchange *exchange, const char *why)
{
    return oauth_refuse(exchange->call, OAUTH_INVALID_TARGET,
                        "the client may not exchange tokens for that", why);
}

/* TX-02: no word that the subject's token does not have; TX-01: no service that an operator has not
 * named for this client. */
static enum rc permit(struct exchange *exchange)
{
    struct oauth_call *call = exchange->call;
    const struct token_request *request = exchange->request;
    struct permission *permission = &exchange->plan.permission;
    const struct live_grant *subject = exchange->subject.view.live.grant;
    struct scope_demand demand = { .resources = request->resources,
                                   .has_person = subject->account_id != 0 };
    struct str scope;
    enum rc rc = RC_OK;

    if (exchange->sent->audiences.len > 0)
        demand.resources = arena_format(call->arena, "%.*s%s%.*s", STR_ARGS(request->resources),
                                        request->resources.len > 0 ? " " : "",
                                        STR_ARGS(exchange->sent->audiences));
    if (request->scope != NULL)
        scope = *request->scope;
    else
        rc = default_scope(exchange, &scope);
    demand.scope = &scope;
    if (rc == RC_OK && !scope_contains(subject->scope, scope))
        return oauth_refuse(call, OAUTH_INVALID_SCOPE,
                            "the scope is wider than that of the subject's token", NULL);
    if (rc == RC_OK)
        rc = scope_permit_demand(call, exchange->client, &demand, permission);
    if (rc != RC_OK)
        return rc;
    if (permission->audience.len == 0)
        return refuse_target(exchange, "no service");
    return scope_contains(exchange->metadata.exchange_audiences, permission->audience)
               ? RC_OK
               : refuse_target(exchange, "not by its policy");
}

/* TX-02 */
static void limit_lifetime(struct exchange *exchange)
{
    int64_t expires_at = exchange->subject.view.live.expires_at;
    int64_t left_s = expires_at - exchange->call->now;
    int64_t *lifetime_s = &exchange->plan.permission.shape.lifetime_s;

    if (expires_at != 0 && (*lifetime_s == 0 || *lifetime_s > left_s))
        *lifetime_s = left_s;
}

static enum rc find_prior(struct exchange *exchange)
{
    struct oauth_call *call = exchange->call;
    const struct live_grant *grant = exchange->subject.view.live.grant;
    enum rc rc = RC_OK;

    if (grant->authorization_id != 0)
        rc = store_find_authorization(call->oauth->store, grant->authorization_id, call->arena,
                                      &exchange->prior);
    if (rc == RC_OK && grant->account_id != 0) {
        rc = store_find_account(call->oauth->store, grant->account_id, call->arena,
                                &exchange->account);
        exchange->plan.account = &exchange->account;
    }
    if (rc == RC_NOT_FOUND || (rc == RC_OK && exchange->account.is_disabled))
        return refuse(exchange, "a token is unknown, expired or revoked", "its account is gone");
    call->log_username = exchange->account.name;
    return rc;
}

/* RFC 8693 4.1: who acts now stands outside of who acted before. */
static enum rc chain_actor(struct exchange *exchange)
{
    const struct live_grant *actor;
    struct buffer text;
    struct json_out json;

    exchange->authorization.actor = exchange->prior.actor;
    if (!exchange->actor.is_held)
        return RC_OK;
    actor = exchange->actor.view.live.grant;
    text = buffer_over(arena_alloc(exchange->call->arena, EXCHANGE_ACTOR_BYTES_MAX),
                       EXCHANGE_ACTOR_BYTES_MAX);
    json = json_out_over(&text);
    json_begin_object(&json);
    json_member_string(&json, STR("sub"), actor->subject);
    json_member_string(&json, STR("client_id"), actor->client_name);
    if (exchange->prior.actor.len > 0) {
        json_name(&json, STR("act"));
        json_raw(&json, exchange->prior.actor);
    }
    json_end_object(&json);
    if (text.overflow)
        return refuse(exchange, "the token was exchanged too often", "act is too long");
    exchange->authorization.actor = buffer_str(&text);
    return RC_OK;
}

/* RFC 9396: none where none is asked for, and none that the subject's token does not have. */
static enum rc take_details(struct exchange *exchange)
{
    const struct str *asked = exchange->request->details;
    struct str *details = &exchange->authorization.details;
    enum rc rc;

    if (asked == NULL)
        return RC_OK;
    rc = details_check(exchange->call, &exchange->metadata, *asked, details);
    if (rc == RC_OK && !details_contain(exchange->prior.details, *details, exchange->call->arena))
        rc = oauth_refuse(exchange->call, OAUTH_INVALID_DETAILS,
                          "the subject's token does not have them", NULL);
    return rc;
}

/* What the new token says of its person: what the subject's says, and no more. */
static enum rc draft_authorization(struct exchange *exchange)
{
    struct oauth_call *call = exchange->call;
    const struct live_grant *grant = exchange->subject.view.live.grant;
    const struct authorization *prior = &exchange->prior;
    int64_t lifetime_s = exchange->plan.permission.shape.lifetime_s;
    bool is_pairwise = (exchange->client->policy & CLIENT_IS_PAIRWISE) != 0;
    enum rc rc;

    exchange->authorization =
        (struct authorization){ .account_id = grant->account_id,
                                .client_id = exchange->client->id,
                                .subject = prior->subject,
                                .acr = prior->acr,
                                .amr = prior->amr,
                                .auth_time = prior->auth_time,
                                .created_at = call->now,
                                .expires_at = call->now + (lifetime_s == 0 ? 1 : lifetime_s) };
    if (prior->subject.len == 0 && is_pairwise && grant->account_id != 0)
        exchange->authorization.subject =
            subject_of(call, exchange->client, &exchange->metadata, grant->account_id);
    rc = store_next_id(call->oauth->store, SEQUENCE_NOUN, &exchange->authorization.id);
    if (rc == RC_OK)
        rc = chain_actor(exchange);
    return rc == RC_OK ? take_details(exchange) : rc;
}

static enum rc issue(struct exchange *exchange, struct buffer *out_json)
{
    struct oauth_call *call = exchange->call;
    struct token_answer answer;
    enum rc rc =
        token_use(call->oauth->tokens, &exchange->subject.view, NULL, call->now, call->may_block);

    if (rc != RC_OK)
        return rc;
    exchange->plan.authorization = &exchange->authorization;
    exchange->plan.inserts_authorization = true;
    exchange->plan.has_own_grant = true;
    exchange->plan.parent_id = exchange->subject.view.live.grant->id;
    rc = token_issue(call, &exchange->plan, &exchange->unit, &answer);
    if (rc == RC_NOT_FOUND)
        return refuse(exchange, "a token is unknown, expired or revoked", "its grant is gone");
    if (rc != RC_OK)
        return rc;
    answer.issued_token_type = STR(TOKEN_TYPE_ACCESS); /* RFC 8693 2.2.1 */
    exchange->request->profile->format(&answer, out_json);
    return RC_OK;
}

static enum rc run(struct exchange *exchange, struct buffer *out_json)
{
    enum rc rc = check_sent(exchange);

    if (rc == RC_OK)
        rc = client_metadata_read(exchange->client, exchange->call->arena, &exchange->metadata);
    if (rc == RC_OK)
        rc = find_token(exchange, *exchange->sent->subject_token,
                        exchange->sent->subject_token_type, &exchange->subject);
    if (rc == RC_OK)
        rc = check_subject(exchange);
    if (rc == RC_OK)
        rc = find_actor(exchange);
    if (rc == RC_OK)
        rc = check_holders(exchange);
    if (rc == RC_OK)
        rc = permit(exchange);
    if (rc == RC_OK)
        rc = find_prior(exchange);
    if (rc != RC_OK)
        return rc;
    limit_lifetime(exchange);
    rc = draft_authorization(exchange);
    return rc == RC_OK ? issue(exchange, out_json) : rc;
}

static void put(struct exchange *exchange, struct sent *sent)
{
    if (sent->is_held)
        token_view_put(exchange->call->oauth->tokens, &sent->view);
}

enum rc grant_token_exchange_answer(struct oauth_call *call, const struct token_request *request,
                                    const struct client *client, struct buffer *out_json)
{
    struct exchange *exchange;
    enum rc rc;

    if (client->type != CLIENT_CONFIDENTIAL) /* RFC 8693 5: who exchanges is known for certain */
        return oauth_refuse_for(call, OAUTH_UNAUTHORIZED_CLIENT, REASON_GRANT_TYPE_NOT_ALLOWED,
                                "only confidential clients may exchange tokens", NULL);
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    exchange = arena_alloc(call->arena, sizeof(*exchange));
    exchange->call = call;
    exchange->request = request;
    exchange->sent = request->exchange;
    exchange->client = client;
    exchange->plan =
        (struct issue_plan){ .grant_type = GRANT_TYPE_TOKEN_EXCHANGE, .client = client };
    store_unit_init(&exchange->unit);
    rc = run(exchange, out_json);
    put(exchange, &exchange->subject);
    put(exchange, &exchange->actor);
    return rc;
}
