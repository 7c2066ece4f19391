#include "web/api_admin.h"

#include "codec/uri.h"
#include "crypto/digest.h"
#include "oauth/answered.h"
#include "oauth/introspection.h"

/* Who calls /api/v1/admin, and how a call runs: see web/api_admin.h. */

enum { ARENA_BYTES = 12 * 1024 * 1024 }; /* pages of it that are not used cost nothing */

/* ---- who calls ------------------------------------------------------------------------------- */

static enum rc refuse_token(struct web_call *call, const char *description)
{
    return oauth_refuse(&call->oauth, OAUTH_INVALID_TOKEN, description, NULL);
}

static enum rc take_account(struct api_admin *api, int64_t account_id)
{
    struct web_call *call = api->call;
    enum rc rc = account_find(api->store, account_id, call->oauth.arena, &api->account);

    if (rc == RC_NOT_FOUND || (rc == RC_OK && api->account.is_disabled))
        return refuse_token(call, "the token is not active");
    if (rc != RC_OK)
        return rc;
    if (!api->account.is_admin)
        return oauth_refuse(&call->oauth, OAUTH_INSUFFICIENT_SCOPE,
                            "the token's owner is no administrator", NULL);
    call->oauth.log_username = api->account.name;
    api->admin.by = arena_format(call->oauth.arena, "administrator %.*s by the API",
                                 STR_ARGS(api->account.name));
    return RC_OK;
}

/* Registered by an operator: one that registered itself was given no such scope by anybody. What it
 * is registered for today counts, not what its token once got: it could give itself the rest. */
static enum rc take_client(struct api_admin *api, int64_t client_id, bool writes)
{
    struct web_call *call = api->call;
    struct client client;
    bool is_good;
    enum rc rc = registry_find_client(api->store, client_id, &api->arena, &client);

    if (rc == RC_NOT_FOUND)
        return refuse_token(call, "the token is not active");
    if (rc != RC_OK)
        return rc;
    is_good = !client.is_disabled &&
              (client.policy & (CLIENT_IS_REGISTERED | CLIENT_IS_DOCUMENT)) == 0 &&
              (str_has_word(client.scope, STR(SCOPE_ADMIN_WORD)) ||
               (!writes && str_has_word(client.scope, STR(SCOPE_ADMIN_READ_WORD))));
    api->client_id = client_id;
    call->oauth.log_client_id = arena_copy(call->oauth.arena, client.client_id);
    api->admin.by =
        arena_format(call->oauth.arena, "client %.*s by the API", STR_ARGS(client.client_id));
    return is_good ? RC_OK : refuse_token(call, "the token is not active");
}

/* Answers: RC_OK · RC_REFUSED.  Faults: the store's */
static enum rc find_caller(struct api_admin *api, bool writes)
{
    struct web_call *call = api->call;
    struct token_presented presented = { .address = call->exchange->request.client.bytes };
    struct bearer_demand demand = { .scope = STR("") };
    struct token_view view;
    const struct live_grant *grant;
    int64_t account_id, client_id;
    bool is_ours, is_enough;
    enum rc rc = parameters_access_token(call, &presented.value, &demand.scheme_is_dpop);

    call->wanted_scope = writes ? STR(SCOPE_ADMIN_WORD) : STR(SCOPE_ADMIN_READ_WORD);
    if (rc == RC_NOT_FOUND)
        return refuse_token(call, "");
    if (rc == RC_OK)
        rc = bearer_check(&call->oauth, &presented, &demand, &view);
    if (rc != RC_OK)
        return rc;
    grant = view.live.grant;
    is_ours = grant->audience.len == 0; /* what a service sees, too, is no good here */
    is_enough = str_has_word(grant->scope, STR(SCOPE_ADMIN_WORD)) ||
                (!writes && str_has_word(grant->scope, STR(SCOPE_ADMIN_READ_WORD)));
    account_id = grant->account_id;
    client_id = grant->client_id;
    token_view_put(call->oauth.oauth->tokens, &view);
    if (!is_ours)
        return refuse_token(call, "the token is not for this API");
    if (!is_enough) /* RFC 6750 3.1 */
        return oauth_refuse(&call->oauth, OAUTH_INSUFFICIENT_SCOPE,
                            "the token does not have the scope", NULL);
    call->has_oauth = true;
    return account_id != 0 ? take_account(api, account_id) : take_client(api, client_id, writes);
}

/* ---- answers --------------------------------------------------------------------------------- */

enum rc api_answer_missing(struct api_admin *api)
{
    api_answer_problem(api->call, 404, STR("not_found"), STR("there is none of this id"));
    return RC_OK;
}

enum rc api_answer_conflict(struct api_admin *api, const char *detail)
{
    api_answer_problem(api->call, 409, STR("conflict"), str_of(detail));
    return RC_OK;
}

static const struct http_header *find_match(const struct api_admin *api)
{
    return http_find_header(&api->call->exchange->request, STR("if-match"));
}

enum rc api_answer_overtaken(struct api_admin *api)
{
    api_answer_problem(api->call, find_match(api) != NULL ? 412 : 409, STR("changed_meanwhile"),
                       STR("it was changed meanwhile: read it again"));
    return RC_OK;
}

enum rc api_answer_none(struct api_admin *api)
{
    api->call->exchange->response.status = 204;
    return RC_OK;
}

enum rc api_answer_done(struct api_admin *api, enum rc rc)
{
    if (rc == RC_NOT_FOUND)
        return api_answer_missing(api);
    return rc == RC_OK ? api_answer_none(api) : rc;
}

/* RFC 9110 8.8.3: of what is shown, without a secret. */
static struct str etag_of(struct api_admin *api, struct str shown)
{
    unsigned char digest[SHA256_BYTES];
    uint64_t number = 0;

    digest_sha256(shown, digest);
    for (size_t i = 0; i < sizeof(number); i++)
        number = number << 8 | digest[i];
    return arena_format(&api->arena, "\"%016llx\"", (unsigned long long)number);
}

enum rc api_answer(struct api_admin *api, int status, api_format *format, const void *noun,
                   struct str secret)
{
    struct buffer *body = &api->call->exchange->response.body;
    struct json_out json = json_out_over(body);
    enum rc rc;

    answer_json(api->call->exchange, status);
    json_begin_object(&json);
    rc = format(api, noun, &json);
    if (rc != RC_OK || body->overflow)
        return rc == RC_OK ? RC_TOO_LARGE : rc;
    api->etag = etag_of(api, buffer_str(body));
    if (secret.len > 0)
        json_member_string(&json, STR("secret"), secret);
    json_end_object(&json);
    return RC_OK;
}

/* RFC 9110 8.8.3.2: strong comparison, so that W/"…" names nothing. */
static bool names_etag(struct str value, struct str etag)
{
    const char *at = memmem(value.at, value.len, etag.at, etag.len);

    return at != NULL && (at == value.at || at[-1] != '/');
}

/* RFC 9110 13.1.1 */
bool api_is_match(struct api_admin *api, api_format *format, const void *noun)
{
    const struct http_header *header = find_match(api);
    struct buffer *body = &api->call->exchange->response.body;
    struct json_out json = json_out_over(body);
    struct str etag;
    bool is_match;

    if (header == NULL || str_equal(str_trim(header->value), STR("*")))
        return true;
    json_begin_object(&json);
    is_match = format(api, noun, &json) == RC_OK && !body->overflow;
    etag = etag_of(api, buffer_str(body));
    http_reset_response(api->call->exchange);
    is_match = is_match && names_etag(header->value, etag);
    if (!is_match)
        api_answer_problem(api->call, 412, STR("changed_meanwhile"),
                           STR("it is not what If-Match names: read it again"));
    return is_match;
}

/* ---- Idempotency-Key ------------------------------------------------------------------------- */

/* What is kept of an answer: where it led and its ETag on lines of their own, then the body. */
static struct str keep_text(struct api_admin *api)
{
    struct str body = buffer_str(&api->call->exchange->response.body);
    size_t bytes = api->location.len + api->etag.len + body.len + 2;
    struct buffer text = buffer_over(arena_alloc(&api->arena, bytes), bytes);

    buffer_append_str(&text, api->location);
    buffer_append_byte(&text, '\n');
    buffer_append_str(&text, api->etag);
    buffer_append_byte(&text, '\n');
    buffer_append_str(&text, body);
    return buffer_str(&text);
}

static struct str take_line(struct str *text)
{
    size_t len = str_index_of(*text, '\n');
    struct str line = { text->at, len };

    *text = str_from(*text, len < text->len ? len + 1 : len);
    return line;
}

static void answer_again(struct api_admin *api, const struct answered_answer *answer)
{
    struct http_exchange *exchange = api->call->exchange;
    struct str text = answer->text;

    api->location = take_line(&text);
    api->etag = take_line(&text);
    exchange->response.status = (int)answer->status;
    if (answer->status >= 400) /* as problem_answer writes it */
        http_add_header_lines(exchange, STR("Content-Type: application/problem+json\r\n"
                                            "X-Content-Type-Options: nosniff\r\n"));
    else if (text.len > 0)
        answer_json(exchange, (int)answer->status);
    buffer_append_str(&exchange->response.body, text);
}

/* A String (RFC 9651 3.3.3), or the same without quotes. False: the answer is written. */
static bool read_key(struct api_admin *api, struct str *out_key)
{
    const struct http_request *request = &api->call->exchange->request;
    const struct http_header *header = http_find_header(request, STR("idempotency-key"));
    struct str key = header == NULL ? STR("") : str_trim(header->value);
    bool is_quoted = key.len > 2 && key.at[0] == '"' && key.at[key.len - 1] == '"';

    *out_key = STR("");
    if (header == NULL)
        return true;
    if (is_quoted)
        key = (struct str){ key.at + 1, key.len - 2 };
    for (size_t i = 0; i < key.len; i++)
        if (key.at[i] < 0x20 || key.at[i] > 0x7e || key.at[i] == '"' || key.at[i] == '\\')
            key.len = 0;
    if (key.len == 0 || key.len > ANSWERED_KEY_BYTES_MAX ||
        http_count_headers(request, STR("idempotency-key")) > 1) {
        api_answer_problem(api->call, 400, STR("invalid_request"),
                           STR("Idempotency-Key is one text of at most 255 characters, in quotes"));
        return false;
    }
    *out_key = key;
    return true;
}

/* Method, path and body; and what the change was to rest on. */
static void digest_request(struct api_admin *api, unsigned char out_digest[static DIGEST_BYTES])
{
    const struct http_request *request = &api->call->exchange->request;
    const struct http_header *match = find_match(api);
    size_t bytes_max = request->body.len + request->path.len + request->query.len +
                       (match == NULL ? 0 : match->value.len) + 16;
    struct buffer text = buffer_over(arena_alloc(&api->arena, bytes_max), bytes_max);

    buffer_append_format(&text, "%d\n", (int)request->method);
    buffer_append_str(&text, request->path);
    buffer_append_byte(&text, '\n');
    buffer_append_str(&text, request->query);
    buffer_append_byte(&text, '\n');
    buffer_append_str(&text, match == NULL ? STR("") : match->value);
    buffer_append_byte(&text, '\n');
    buffer_append_str(&text, request->body);
    ASSERT(!text.overflow);
    digest_sha256(buffer_str(&text), out_digest);
}

/* The key was noted: acts, and keeps the answer. After a fault nobody knows whether something was
 * done, unless it was said to be too much: then nothing was. */
static enum rc act_once(struct api_admin *api, api_verb *verb, const struct answered_desk *desk,
                        int64_t id)
{
    struct answered_answer answer;
    enum rc rc = verb(api);

    if (rc == RC_BUSY && !api->call->endpoint->resource->in_parts) {
        enum rc forgotten = answered_forget(desk, id);

        return forgotten == RC_OK ? rc : forgotten;
    }
    if (rc != RC_OK)
        return rc;
    answer.status = api->call->exchange->response.status;
    answer.text = keep_text(api);
    return answered_finish(desk, id, &answer);
}

static enum rc act(struct api_admin *api, api_verb *verb, struct str key)
{
    const struct answered_desk desk = { .store = api->store,
                                        .seal_key = api->call->web->handle_key,
                                        .arena = &api->arena,
                                        .now = api->admin.now };
    struct answered_request request = { .key = key };
    struct answered_answer answer;
    int64_t id;
    enum rc rc;

    request.caller =
        arena_format(&api->arena, "%s %lld", api->account.id != 0 ? "account" : "client",
                     (long long)(api->account.id != 0 ? api->account.id : api->client_id));
    digest_request(api, request.request);
    rc = answered_begin(&desk, &request, &id, &answer);
    if (rc == RC_OK)
        return act_once(api, verb, &desk, id);
    if (rc == RC_EXISTS)
        answer_again(api, &answer);
    else if (rc == RC_SPENT)
        api_answer_problem(api->call, 422, STR("idempotency_key_reused"),
                           STR("this Idempotency-Key came with another request"));
    else if (rc == RC_BUSY)
        api_answer_problem(api->call, 409, STR("under_way"),
                           STR("the request of this Idempotency-Key is under way, or nobody knows "
                               "whether it was done: look first"));
    else
        return rc;
    return RC_OK;
}

/* ---- a call ---------------------------------------------------------------------------------- */

static api_verb *verb_of(const struct api_resource *resource, enum http_method method)
{
    if (method == HTTP_GET || method == HTTP_HEAD)
        return resource->get;
    if (method == HTTP_POST)
        return resource->post;
    if (method == HTTP_PATCH)
        return resource->patch;
    return method == HTTP_DELETE ? resource->remove : NULL;
}

/* RFC 9110 15.5.6 */
static void answer_wrong_method(struct api_admin *api, const struct api_resource *resource)
{
    struct str allowed = arena_format(
        &api->arena, "%s%s%s%s", resource->get != NULL ? "GET, HEAD, " : "",
        resource->post != NULL ? "POST, " : "", resource->patch != NULL ? "PATCH, " : "",
        resource->remove != NULL ? "DELETE, " : "");

    allowed.len -= 2;
    api_answer_problem(api->call, 405, STR("method_not_allowed"), STR(""));
    http_add_header(api->call->exchange, STR("Allow"), allowed);
}

/* The key of a request that changes something; what only ends something may be sent again anyway.
 */
static enum rc run(struct api_admin *api, api_verb *verb, enum http_method method)
{
    struct str key = STR("");

    if ((method == HTTP_POST || method == HTTP_PATCH) && !read_key(api, &key))
        return RC_OK;
    return key.len > 0 ? act(api, verb, key) : verb(api);
}

static enum rc run_with_body(struct api_admin *api, const struct api_resource *resource,
                             enum http_method method)
{
    struct json_document *document;
    struct str password;
    enum rc rc;

    if ((resource->bodies & 1u << method) == 0)
        return run(api, verb_of(resource, method), method);
    rc = api_read_object(api->call, &document);
    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    api->body = json_root(document);
    if (resource->hashes && !api->call->oauth.may_hash &&
        json_get_string(json_find(api->body, STR("password")), &password) == RC_OK)
        rc = RC_NEEDS_HASH; /* before anything is done */
    else
        rc = run(api, verb_of(resource, method), method);
    json_document_free(document);
    return rc;
}

/* Before the proof of a key is taken, which is good once. */
static bool needs_hash(const struct web_call *call)
{
    struct str body = call->exchange->request.body;

    return call->endpoint->resource->hashes && !call->oauth.may_hash && body.len > 0 &&
           http_find_header(&call->exchange->request, STR("authorization")) != NULL &&
           memmem(body.at, body.len, "\"password\"", 10) != NULL;
}

static enum rc serve(struct api_admin *api)
{
    struct web_call *call = api->call;
    const struct api_resource *resource = call->endpoint->resource;
    enum http_method method = call->exchange->request.method;
    enum rc rc = find_caller(api, method != HTTP_GET && method != HTTP_HEAD);

    if (rc != RC_OK)
        return rc;
    if (verb_of(resource, method) == NULL) {
        answer_wrong_method(api, resource);
        return RC_OK;
    }
    rc = run_with_body(api, resource, method);
    if (rc != RC_OK)
        return rc;
    if (api->location.len > 0)
        http_add_header(call->exchange, STR("Location"), api->location);
    if (api->etag.len > 0)
        http_add_header(call->exchange, STR("ETag"), api->etag);
    return RC_OK;
}

enum rc api_admin_endpoint(struct web_call *call)
{
    const struct oauth *oauth = call->oauth.oauth;
    struct api_admin api = { .call = call,
                             .store = oauth->store,
                             .admin = { .address = call->exchange->request.client.bytes,
                                        .now = call->oauth.now,
                                        .arena = call->oauth.arena } };
    enum rc rc;

    if (needs_hash(call))
        return RC_NEEDS_HASH;
    api.desk = (struct registry_desk){ oauth->store, oauth->door->throttle, &api.admin };
    arena_init(&api.arena, ARENA_BYTES);
    rc = serve(&api);
    arena_deinit(&api.arena);
    return rc;
}
