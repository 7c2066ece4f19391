#include "codec/basic.h"
#include "oauth/introspection.h"
#include "oauth/proof.h"
#include "web/api_request.h"
#include "web/permanent_view.h"

/*
 * Permanent tokens for scripts: /api/v1/tokens (docs/api-tokens.md).
 *
 * Whoever calls has to send a Bearer token of the scope jeton:tokens, whose audience is the issuer:
 * one that a service of some other audience sees, too, is no good here. Cookies are not looked at,
 * so no page of another site can call in its visitor's name. Such tokens are made and rotated in
 * the pages alone, where their owner has to prove who they are; a stolen one cannot renew itself.
 *
 * The id of a token is its jti, as introspection shows it.
 */

/* ---- who calls ------------------------------------------------------------------------------- */

static enum rc refuse_token(struct web_call *call, const char *description)
{
    return oauth_refuse(&call->oauth, OAUTH_INVALID_TOKEN, description, NULL);
}

static enum rc read_token(struct web_call *call, struct str *out_token, bool *out_is_dpop)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_header *header = http_find_header(request, STR("authorization"));
    enum rc rc;

    if (header == NULL)
        return refuse_token(call, "");
    if (http_count_headers(request, STR("authorization")) > 1)
        return refuse_token(call, "more than one Authorization header");
    rc = access_token_parse(header->value, out_token, out_is_dpop);
    if (rc == RC_NOT_FOUND) /* RFC 6750 3.1: another scheme is no token */
        return refuse_token(call, "");
    return rc == RC_INVALID ? refuse_token(call, "the token is malformed") : rc;
}

/* out_binding  of the caller's own token, which is proven then; NULL: nobody asks
 * Answers: RC_OK · RC_REFUSED.  Faults: the store's */
static enum rc find_caller(struct web_call *call, struct account *out_account,
                           struct binding *out_binding)
{
    struct token_presented presented = { .address = call->exchange->request.client.bytes };
    struct bearer_demand demand = { .scope = STR(PERMANENT_TOKENS_WORD) };
    struct token_view view;
    int64_t account_id;
    bool is_ours;
    enum rc rc = read_token(call, &presented.value, &demand.scheme_is_dpop);

    if (rc == RC_OK)
        rc = bearer_check(&call->oauth, &presented, &demand, &view);
    if (rc != RC_OK)
        return rc;
    is_ours = view.live.grant->audience.len == 0;
    account_id = view.live.grant->account_id;
    if (out_binding != NULL)
        *out_binding = view.live.grant->binding;
    token_view_put(call->oauth.oauth->tokens, &view);
    if (!is_ours || account_id == 0)
        return refuse_token(call, "the token is not for this API");
    rc = account_find(call->oauth.oauth->store, account_id, call->oauth.arena, out_account);
    if (rc == RC_NOT_FOUND || (rc == RC_OK && out_account->is_disabled))
        return refuse_token(call, "the token is not active");
    if (rc == RC_OK) {
        call->has_oauth = true;
        call->oauth.log_username = out_account->name;
    }
    return rc;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer_no_token(struct web_call *call)
{
    api_answer_problem(call, 404, STR("not_found"), STR("this account has no token of this id"));
}

static bool has_method(struct web_call *call, enum http_method method)
{
    enum http_method asked = call->exchange->request.method;

    return asked == method || (method == HTTP_GET && asked == HTTP_HEAD);
}

/* RFC 9110 15.5.6 */
static void answer_wrong_method(struct web_call *call, struct str allowed)
{
    api_answer_problem(call, 405, STR("method_not_allowed"), STR(""));
    http_add_header(call->exchange, STR("Allow"), allowed);
}

static void format_time(struct json_out *json, struct str name, int64_t at)
{
    if (at != 0) {
        json_member_number(json, name, at);
        return;
    }
    json_name(json, name);
    json_raw(json, STR("null"));
}

static void format_text(struct json_out *json, struct str name, struct str text)
{
    if (text.len > 0) {
        json_member_string(json, name, text);
        return;
    }
    json_name(json, name);
    json_raw(json, STR("null"));
}

static struct str id_of(struct web_call *call, int64_t token_id)
{
    char *text = arena_alloc(call->oauth.arena, TOKEN_JTI_BYTES_MAX);

    return token_jti_of(call->oauth.oauth->tokens,
                        (struct token_handle){ .id = token_id, .kind = TOKEN_PERMANENT }, text);
}

/* The id of the token that a rotation made; empty when there is none or it has left the store. */
static enum rc successor_of(struct web_call *call, const struct permanent *permanent,
                            struct str *out_id)
{
    struct permanent successor = { .token_id = 0 };
    enum rc rc = RC_NOT_FOUND;

    if (permanent->replaced_by != 0)
        rc =
            permanent_find(&call->oauth, permanent->account_id, permanent->replaced_by, &successor);
    if (rc == RC_OK)
        *out_id = id_of(call, successor.token_id);
    else if (rc == RC_NOT_FOUND)
        *out_id = STR("");
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* value: shown to whoever made it, empty otherwise */
static enum rc format_permanent(struct web_call *call, const struct permanent *permanent,
                                struct str value, struct json_out *json)
{
    static const struct str states[] = {
        [PERMANENT_ACTIVE] = { "active", 6 },     [PERMANENT_EXPIRES_SOON] = { "expires_soon", 12 },
        [PERMANENT_REPLACED] = { "replaced", 8 }, [PERMANENT_EXPIRED] = { "expired", 7 },
        [PERMANENT_REVOKED] = { "revoked", 7 },
    };
    struct binding binding;
    struct str successor;
    enum rc rc = successor_of(call, permanent, &successor);

    if (rc == RC_OK)
        rc = permanent_find_binding(&call->oauth, permanent, &binding);
    if (rc != RC_OK)
        return rc;
    json_begin_object(json);
    json_member_string(json, STR("id"), id_of(call, permanent->token_id));
    json_member_string(json, STR("name"), permanent->name);
    json_member_words(json, STR("scopes"), permanent->scope);
    json_member_words(json, STR("addresses"), permanent->addresses);
    binding_format(&binding, json);
    json_member_string(json, STR("state"), states[permanent_state_of(permanent, call->oauth.now)]);
    json_member_number(json, STR("created_at"), permanent->created_at);
    format_time(json, STR("expires_at"), permanent->expires_at);
    format_time(json, STR("revoked_at"), permanent->revoked_at);
    format_time(json, STR("last_used_at"), permanent->last_used_at);
    format_text(json, STR("last_used_from"),
                permanent_last_used_from(permanent, call->oauth.arena));
    format_text(json, STR("replaced_by"), successor);
    if (value.len > 0)
        json_member_string(json, STR("token"), value);
    json_end_object(json);
    return RC_OK;
}

static enum rc answer_permanent(struct web_call *call, int status,
                                const struct permanent *permanent, struct str value)
{
    struct json_out json = json_out_over(&call->exchange->response.body);

    answer_json(call->exchange, status);
    call->oauth.log_token_id = permanent->token_id;
    return format_permanent(call, permanent, value, &json);
}

/* 201 with the value, which is never shown again. */
static enum rc answer_created(struct web_call *call, const struct permanent *permanent,
                              struct str value)
{
    enum rc rc = answer_permanent(call, 201, permanent, value);
    struct str id = id_of(call, permanent->token_id);

    http_add_header(call->exchange, STR("Location"),
                    arena_format(call->oauth.arena, "/api/v1/tokens/%.*s", STR_ARGS(id)));
    return rc;
}

/* ---- one token ------------------------------------------------------------------------------- */

/* Answers: RC_OK · RC_NOT_FOUND.  Faults: the store's */
static enum rc find_by_id(struct web_call *call, const struct account *account, struct str id,
                          struct permanent *out_permanent)
{
    struct token_handle handle;

    if (token_jti_parse(call->oauth.oauth->tokens, id, &handle) != RC_OK ||
        handle.kind != TOKEN_PERMANENT)
        return RC_NOT_FOUND;
    return permanent_find_by_token(&call->oauth, account->id, handle.id, out_permanent);
}

/* ---- verbs ----------------------------------------------------------------------------------- */

/* The key of the caller's own token, or of a proof that came with a Bearer token. */
static enum rc take_key(struct web_call *call, const struct binding *of_caller,
                        struct binding *out_binding)
{
    if (call->oauth.proof.proof_count == 0 || of_caller->kind != BINDING_DPOP)
        return proof_take(&call->oauth, out_binding);
    *out_binding = *of_caller;
    return RC_OK;
}

static enum rc make_token(struct web_call *call, const struct account *account,
                          const struct binding *of_caller, const struct json_value *object)
{
    struct permanent_demand demand = { .id = 0 };
    struct permanent permanent;
    struct permanent_fault fault;
    struct str value;
    enum rc rc;

    if (!api_read_demand(call, object, &demand))
        return RC_OK;
    rc = take_key(call, of_caller, &demand.binding);
    if (rc != RC_OK)
        return rc;
    rc = permanent_create(&call->oauth, account, &demand, call->web->permanent_days_max * 24 * 3600,
                          &permanent, &value, &fault);
    if (rc == RC_REFUSED) {
        api_answer_fault_of(call, &fault);
        return RC_OK;
    }
    return rc == RC_OK ? answer_created(call, &permanent, value) : rc;
}

static enum rc create(struct web_call *call, const struct account *account,
                      const struct binding *of_caller)
{
    struct json_document *document;
    enum rc rc = api_read_object(call, &document);

    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    rc = make_token(call, account, of_caller, json_root(document));
    json_document_free(document);
    return rc;
}

/* Answers: RC_OK · RC_INVALID the query names no place in this list */
static enum rc read_place(struct web_call *call, const struct account *account,
                          int64_t *out_before_id)
{
    struct form *query = &call->form;
    const struct str *before;
    struct permanent permanent;
    enum rc rc = form_parse(call->exchange->request.query, call->oauth.arena, query);

    *out_before_id = INT64_MAX;
    before = rc == RC_OK && !query->has_duplicate ? form_find(query, STR("before")) : NULL;
    if (before == NULL)
        return rc == RC_OK && query->field_count == 0 ? RC_OK : RC_INVALID;
    rc = find_by_id(call, account, *before, &permanent);
    if (rc == RC_OK)
        *out_before_id = permanent.id;
    return rc == RC_NOT_FOUND ? RC_INVALID : rc;
}

static enum rc format_list(struct web_call *call, const struct permanent *rows, size_t count,
                           bool has_more)
{
    struct json_out json = json_out_over(&call->exchange->response.body);
    enum rc rc = RC_OK;

    json_begin_object(&json);
    json_name(&json, STR("tokens"));
    json_begin_array(&json);
    for (size_t i = 0; i < count && rc == RC_OK; i++)
        rc = format_permanent(call, &rows[i], STR(""), &json);
    json_end_array(&json);
    format_text(&json, STR("next"),
                has_more ? arena_format(call->oauth.arena, "/api/v1/tokens?before=%.*s",
                                        STR_ARGS(id_of(call, rows[count - 1].token_id)))
                         : STR(""));
    json_end_object(&json);
    return rc;
}

static enum rc list(struct web_call *call, const struct account *account)
{
    struct permanent *rows =
        arena_alloc(call->oauth.arena, (PERMANENT_ROW_COUNT + 1) * sizeof(*rows));
    int64_t before_id;
    size_t count;
    bool has_more;
    enum rc rc = read_place(call, account, &before_id);

    if (rc == RC_INVALID) {
        api_answer_problem(call, 400, STR("invalid_request"),
                           STR("the query has one parameter, before: the id of a token"));
        return RC_OK;
    }
    if (rc == RC_OK)
        rc = permanent_list(&call->oauth, account->id, before_id, rows, PERMANENT_ROW_COUNT + 1,
                            &count);
    if (rc != RC_OK)
        return rc;
    answer_json(call->exchange, 200);
    has_more = count > PERMANENT_ROW_COUNT;
    return format_list(call, rows, has_more ? PERMANENT_ROW_COUNT : count, has_more);
}

enum rc api_tokens_endpoint(struct web_call *call)
{
    struct account account;
    struct binding binding;
    enum rc rc = find_caller(call, &account, &binding);

    if (rc != RC_OK)
        return rc;
    if (has_method(call, HTTP_GET))
        return list(call, &account);
    if (has_method(call, HTTP_POST))
        return create(call, &account, &binding);
    answer_wrong_method(call, STR("GET, HEAD, POST"));
    return RC_OK;
}

static enum rc rename_to(struct web_call *call, const struct account *account,
                         const struct permanent *old, const struct json_value *object)
{
    struct permanent permanent;
    struct permanent_fault fault;
    struct str name;
    enum rc rc;

    if (!api_has_only(call, object, STR("name")) || !api_read_name(call, object, &name))
        return RC_OK;
    rc = permanent_rename(&call->oauth, account->id, old->id, name, &fault);
    if (rc == RC_REFUSED) {
        api_answer_fault_of(call, &fault);
        return RC_OK;
    }
    if (rc == RC_OK)
        rc = permanent_find(&call->oauth, account->id, old->id, &permanent);
    return rc == RC_OK ? answer_permanent(call, 200, &permanent, STR("")) : rc;
}

static enum rc patch(struct web_call *call, const struct account *account,
                     const struct permanent *permanent)
{
    struct json_document *document;
    enum rc rc = api_read_object(call, &document);

    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    rc = rename_to(call, account, permanent, json_root(document));
    json_document_free(document);
    return rc;
}

static enum rc revoke(struct web_call *call, const struct account *account,
                      const struct permanent *permanent)
{
    enum rc rc = permanent_revoke(&call->oauth, account->id, permanent->id);

    if (rc != RC_OK)
        return rc;
    call->oauth.log_token_id = permanent->token_id;
    call->exchange->response.status = 204;
    return RC_OK;
}

static enum rc rotate(struct web_call *call, const struct account *account,
                      const struct permanent *old)
{
    struct permanent permanent;
    struct permanent_fault fault;
    struct str value;
    enum rc rc;

    if (permanent_is_own_word(old->scope)) {
        api_answer_problem(call, 403, STR("forbidden"),
                           STR("tokens with such a scope are rotated in the pages only"));
        return RC_OK;
    }
    rc = permanent_rotate(&call->oauth, account, old->id, call->web->permanent_days_max * 24 * 3600,
                          &permanent, &value, &fault);
    if (rc == RC_OK)
        return answer_created(call, &permanent, value);
    if (rc == RC_REFUSED)
        api_answer_fault_of(call, &fault);
    else if (rc == RC_SPENT)
        api_answer_problem(call, 409, STR("replaced_already"),
                           STR("rotate the token that replaced_by names"));
    else if (rc == RC_NOT_FOUND)
        api_answer_problem(call, 409, STR("not_active"), STR("the token is expired or revoked"));
    else
        return rc;
    return RC_OK;
}

typedef enum rc token_verb(struct web_call *call, const struct account *account,
                           const struct permanent *permanent);

static enum rc show(struct web_call *call, const struct account *account,
                    const struct permanent *permanent)
{
    (void)account;
    return answer_permanent(call, 200, permanent, STR(""));
}

/* A verb on the token that the path names; NULL: the path has other verbs. */
static enum rc do_verb(struct web_call *call, token_verb *verb, struct str allowed)
{
    struct account account;
    struct permanent permanent;
    enum rc rc = find_caller(call, &account, NULL);

    if (rc != RC_OK)
        return rc;
    rc = find_by_id(call, &account, call->rest, &permanent);
    if (rc == RC_NOT_FOUND) {
        answer_no_token(call);
        return RC_OK;
    }
    if (rc == RC_OK && verb == NULL) {
        answer_wrong_method(call, allowed);
        return RC_OK;
    }
    return rc == RC_OK ? verb(call, &account, &permanent) : rc;
}

enum rc api_token_endpoint(struct web_call *call)
{
    token_verb *verb = NULL;

    if (has_method(call, HTTP_GET))
        verb = show;
    else if (has_method(call, HTTP_PATCH))
        verb = patch;
    else if (has_method(call, HTTP_DELETE))
        verb = revoke;
    return do_verb(call, verb, STR("GET, HEAD, PATCH, DELETE"));
}

enum rc api_token_rotate_endpoint(struct web_call *call)
{
    return do_verb(call, has_method(call, HTTP_POST) ? rotate : NULL, STR("POST"));
}
