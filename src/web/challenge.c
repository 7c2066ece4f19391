#include "web/challenge.h"

#include "codec/uri.h"
#include "oauth/proof.h"
#include "web/resource_endpoint.h"

/* Of one header: proxies take 4 KiB of them all. */
enum { CHALLENGE_BYTES_MAX = 4 * 1024 };

static bool is_of_proof(enum oauth_error error)
{
    return error == OAUTH_INVALID_PROOF || error == OAUTH_USE_NONCE;
}

int challenge_status(enum oauth_error error)
{
    return is_of_proof(error) ? 401 : oauth_error_status(error);
}

static bool has_dpop_scheme(const struct http_request *request)
{
    const struct http_header *header = http_find_header(request, STR("authorization"));
    struct str scheme;

    if (header == NULL)
        return false;
    scheme = (struct str){ header->value.at, str_index_of(header->value, ' ') };
    return str_equal_nocase(scheme, STR("DPoP"));
}

/* RFC 6750 3: words of ours only, and a scope that was read as one, so nothing needs quoting. */
static void add_error(const struct refusal *refusal, struct str scope, struct buffer *value)
{
    if (refusal->description.len == 0)
        return;
    BUFFER_APPEND_LITERAL(value, ", error=\"");
    buffer_append_str(value, oauth_error_wire(refusal->error));
    BUFFER_APPEND_LITERAL(value, "\", error_description=\"");
    buffer_append_str(value, refusal->description);
    BUFFER_APPEND_LITERAL(value, "\"");
    if (refusal->error != OAUTH_INSUFFICIENT_SCOPE || scope.len == 0)
        return;
    BUFFER_APPEND_LITERAL(value, ", scope=\"");
    buffer_append_str(value, scope);
    BUFFER_APPEND_LITERAL(value, "\"");
}

static void add_parameter(struct buffer *value, struct str name, struct str text)
{
    BUFFER_APPEND_LITERAL(value, ", ");
    buffer_append_str(value, name);
    BUFFER_APPEND_LITERAL(value, "=\"");
    buffer_append_str(value, text);
    BUFFER_APPEND_LITERAL(value, "\"");
}

/* RFC 9470 3: what the authorization request has to ask for. Both were read as sound. */
static void add_authentication(const struct web_call *call, struct buffer *value)
{
    const struct str *acr_values = form_find(&call->form, STR("acr_values"));
    const struct str *max_age = form_find(&call->form, STR("max_age"));

    if (call->oauth.refusal.error != OAUTH_INSUFFICIENT_AUTHENTICATION)
        return;
    if (acr_values != NULL && acr_values->len > 0)
        add_parameter(value, STR("acr_values"), *acr_values);
    if (max_age != NULL && max_age->len > 0)
        add_parameter(value, STR("max_age"), *max_age);
}

/* RFC 9728 5.1: where the service that was demanded is described. */
static void add_resource(const struct web_call *call, struct buffer *value)
{
    const struct str *service_id = form_find(&call->form, STR("service"));

    if (service_id == NULL || service_id->len == 0 || service_id->len > SERVICE_ID_BYTES_MAX)
        return;
    BUFFER_APPEND_LITERAL(value, ", resource_metadata=\"");
    buffer_append_str(value, call->web->root);
    BUFFER_APPEND_LITERAL(value, PROTECTED_RESOURCE_PATH);
    uri_encode(*service_id, value);
    BUFFER_APPEND_LITERAL(value, "\"");
}

static void add_bearer(struct web_call *call, struct str scope)
{
    char memory[CHALLENGE_BYTES_MAX];
    struct buffer value = buffer_over(memory, sizeof(memory));

    BUFFER_APPEND_LITERAL(&value, "Bearer realm=\"jeton\"");
    add_error(&call->oauth.refusal, scope, &value);
    add_authentication(call, &value);
    add_resource(call, &value);
    http_add_header(call->exchange, STR("WWW-Authenticate"), buffer_str(&value));
}

/* RFC 9449 7.1: algs says what a proof may be signed with. */
static void add_dpop(struct web_call *call, bool names_error, struct str scope)
{
    char memory[CHALLENGE_BYTES_MAX];
    struct buffer value = buffer_over(memory, sizeof(memory));

    BUFFER_APPEND_LITERAL(&value, "DPoP realm=\"jeton\", algs=\"" PROOF_ALGS "\"");
    if (names_error) {
        add_error(&call->oauth.refusal, scope, &value);
        add_authentication(call, &value);
    }
    add_resource(call, &value);
    http_add_header(call->exchange, STR("WWW-Authenticate"), buffer_str(&value));
}

void challenge_add(struct web_call *call, struct str scope)
{
    enum oauth_error error = call->oauth.refusal.error;

    if (is_of_proof(error) || has_dpop_scheme(&call->exchange->request)) {
        add_dpop(call, true, scope);
        return;
    }
    add_bearer(call, scope);
    if (error == OAUTH_INVALID_TOKEN) /* RFC 9449 7.2 */
        add_dpop(call, false, scope);
}

void challenge_add_nonce(struct web_call *call)
{
    static const struct str cors = { "Access-Control-Allow-Origin:", 28 };
    const struct buffer *headers = &call->exchange->response.headers;

    if (call->oauth.dpop_nonce.len == 0)
        return;
    if (!call->endpoint->has_cors && headers->len > 0 &&
        memmem(headers->at, headers->len, cors.at, cors.len) != NULL)
        http_add_header(call->exchange, STR("Access-Control-Expose-Headers"),
                        STR("DPoP-Nonce, WWW-Authenticate"));
    http_add_header(call->exchange, STR("DPoP-Nonce"), call->oauth.dpop_nonce);
}
