#include "codec/base64url.h"
#include "codec/json.h"
#include "codec/uri.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "oauth/authorization_parts.h"
#include "oauth/proof.h"
#include "store/authorized.h"

/*
 * Pushed authorization requests (RFC 9126). What is kept are the parameters that count, those of
 * the request object where there was one, without what authenticated the client. They are judged
 * now, for the client to learn what is wrong, and once more when the browser comes.
 */

enum { URI_VALUE_BYTES = 32, URI_VALUE_CHARS = 43 };

/* ---- at the authorization endpoint ----------------------------------------------------------- */

static enum rc refuse_uri(struct oauth_call *call, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_REQUEST_URI,
                        "the request_uri is unknown, used, expired or of another client", why);
}

enum rc pushed_request_open(struct oauth_call *call, const struct client *client, struct str uri,
                            const struct form **out_parameters, int64_t *out_id)
{
    const struct str prefix = STR(REQUEST_URI_PREFIX);
    unsigned char digest[DIGEST_BYTES];
    struct pushed_request pushed;
    struct form *form;
    enum rc rc;

    if (!str_starts_with(uri, prefix)) /* RFC 9101 10.4: nothing is fetched (PA-03) */
        return oauth_refuse(call, OAUTH_REQUEST_URI_NOT_SUPPORTED,
                            "request_uri must be one of a pushed request", NULL);
    if (uri.len != prefix.len + URI_VALUE_CHARS)
        return refuse_uri(call, "malformed");
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    digest_sha256(str_from(uri, prefix.len), digest);
    rc = store_find_pushed_request(call->oauth->store, digest, call->now, call->arena, &pushed);
    if (rc == RC_NOT_FOUND)
        return refuse_uri(call, "unknown, used or expired");
    if (rc != RC_OK)
        return rc;
    if (pushed.client_id != client->id) /* RFC 9126 2.2 (PA-02) */
        return refuse_uri(call, "pushed by another client");
    form = arena_alloc(call->arena, sizeof(*form));
    rc = form_parse(pushed.parameters, call->arena, form);
    if (rc != RC_OK)
        return RC_CORRUPT;
    *out_parameters = form;
    *out_id = pushed.id;
    return RC_OK;
}

/* ---- at its own endpoint --------------------------------------------------------------------- */

/* A request that is being pushed. */
struct push {
    struct oauth_call *call;
    struct authorization_reading reading;
    struct store_unit unit;
    struct str parameters;
};

/* RFC 9449 10.1: a proof binds like dpop_jkt, and must not say something else. */
static enum rc bind(struct push *push)
{
    struct binding *asked = &push->reading.request.binding;
    struct binding proven;
    enum rc rc = proof_read(push->call, false, &push->unit, &proven);

    if (rc != RC_OK || proven.kind != BINDING_DPOP)
        return rc;
    if (asked->kind == BINDING_DPOP && !binding_equal(asked, &proven))
        return oauth_refuse(push->call, OAUTH_INVALID_PROOF, "dpop_jkt is not the key of the proof",
                            NULL);
    *asked = proven;
    return RC_OK;
}

/* What is not of the request: how the client authenticated, the envelope, and what is added. */
static bool is_kept(struct str name)
{
    return !str_has_word(
        STR("client_secret client_assertion client_assertion_type request dpop_jkt"), name);
}

static void add_parameter(struct buffer *text, struct str name, struct str value)
{
    if (text->len > 0)
        buffer_append_byte(text, '&');
    uri_encode(name, text);
    buffer_append_byte(text, '=');
    uri_encode(value, text);
}

static enum rc write_parameters(struct push *push)
{
    const struct form *form = push->reading.parameters;
    const struct binding *binding = &push->reading.request.binding;
    struct buffer text = buffer_over(arena_alloc(push->call->arena, PUSHED_PARAMETERS_BYTES_MAX),
                                     PUSHED_PARAMETERS_BYTES_MAX);
    char thumbprint[URI_VALUE_CHARS];
    struct buffer encoded = buffer_over(thumbprint, sizeof(thumbprint));

    for (size_t i = 0; i < form->field_count; i++)
        if (is_kept(form->fields[i].name))
            add_parameter(&text, form->fields[i].name, form->fields[i].value);
    base64url_encode((struct str){ (const char *)binding->thumbprint, DIGEST_BYTES }, &encoded);
    if (binding->kind == BINDING_DPOP)
        add_parameter(&text, STR("dpop_jkt"), buffer_str(&encoded));
    if (text.overflow)
        return oauth_refuse(push->call, OAUTH_INVALID_REQUEST, "the request is too long", NULL);
    push->parameters = buffer_str(&text);
    return RC_OK;
}

/* Draws a value, inserts the row, commits it with the proof's jti. */
static enum rc commit_push(struct push *push, char out_value[static URI_VALUE_CHARS])
{
    struct oauth_call *call = push->call;
    struct pushed_request row = { .client_id = push->reading.request.client->client.id,
                                  .parameters = push->parameters,
                                  .expires_at = call->now + PUSHED_LIFETIME_S };
    struct buffer value = buffer_over(out_value, URI_VALUE_CHARS);
    unsigned char bytes[URI_VALUE_BYTES];
    enum rc rc = store_next_id(call->oauth->store, SEQUENCE_NOUN, &row.id);

    if (rc != RC_OK)
        return rc;
    random_bytes(bytes, sizeof(bytes));
    base64url_encode((struct str){ (const char *)bytes, sizeof(bytes) }, &value);
    digest_sha256(buffer_str(&value), row.digest);
    store_insert_pushed_request(&push->unit, &row);
    rc = oauth_commit_request(call, &push->reading.request.client->client, &push->unit);
    return rc == RC_SPENT ? proof_refuse_replay(call) : rc;
}

static enum rc push_request(struct push *push, struct buffer *out_json)
{
    struct json_out json = json_out_over(out_json);
    char value[URI_VALUE_CHARS];
    enum rc rc = authorization_read_known(&push->reading);

    if (rc == RC_OK)
        rc = bind(push);
    if (rc == RC_OK)
        rc = write_parameters(push);
    if (rc == RC_OK)
        rc = commit_push(push, value);
    if (rc != RC_OK)
        return rc;
    json_begin_object(&json);
    json_member_string(
        &json, STR("request_uri"),
        arena_format(push->call->arena, REQUEST_URI_PREFIX "%.*s", URI_VALUE_CHARS, value));
    json_member_number(&json, STR("expires_in"), PUSHED_LIFETIME_S);
    json_end_object(&json);
    return RC_OK;
}

enum rc pushed_request_answer(struct oauth_call *call, const struct client_credentials *credentials,
                              const struct form *parameters, struct buffer *out_json)
{
    struct push *push;
    struct catalog_client *client;
    enum rc rc;

    if (!call->may_block)
        return RC_WOULD_BLOCK;
    rc = client_require(call, credentials, &client);
    if (rc != RC_OK)
        return rc;
    call->log_client_id = arena_copy(call->arena, client->client.client_id);
    push = arena_alloc(call->arena, sizeof(*push));
    push->call = call;
    push->reading = (struct authorization_reading){
        .call = call, .parameters = parameters, .is_push = true, .request = { .client = client }
    };
    store_unit_init(&push->unit);
    rc = push_request(push, out_json);
    if (rc == RC_REFUSED && client->client.type == CLIENT_CONFIDENTIAL)
        rc = oauth_record_refusal(call, client->client.id);
    catalog_client_put(client);
    return client_auth_finish(call, rc);
}
