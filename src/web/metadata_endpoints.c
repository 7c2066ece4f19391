#include "codec/json.h"
#include "oauth/scope.h"
#include "token/keys.h"
#include "web/endpoint.h"

/* RFC 8414 2. Every link is the issuer and the row's path: never what a request claims (MD-03). */
static void add_endpoints(const struct web_call *call, struct json_out *json)
{
    for (size_t i = 0; i < endpoint_count; i++)
        if (endpoints[i].metadata_key != NULL)
            json_member_string(json, str_of(endpoints[i].metadata_key),
                               arena_format(call->exchange->arena, "%.*s%.*s",
                                            STR_ARGS(call->web->root),
                                            STR_ARGS(endpoints[i].path)));
}

static void add_grant_types(struct json_out *json)
{
    json_name(json, STR("grant_types_supported"));
    json_begin_array(json);
    for (int type = 0; type < GRANT_TYPE_COUNT; type++)
        json_text(json, grant_type_format((enum grant_type)type));
    json_end_array(json);
}

static void add_algs(const struct web_call *call, struct json_out *json, struct str name)
{
    unsigned algs = key_ring_algs(token_room_keys(call->web->oauth->tokens));

    json_name(json, name);
    json_begin_array(json);
    for (int alg = 0; alg < ALG_COUNT; alg++)
        if ((algs & 1u << alg) != 0)
            json_text(json, signing_alg_format((enum signing_alg)alg));
    json_end_array(json);
}

static enum rc add_scopes(struct web_call *call, struct json_out *json)
{
    struct buffer words = buffer_over(arena_alloc(call->exchange->arena, HTTP_ANSWER_BYTES_MAX / 4),
                                      HTTP_ANSWER_BYTES_MAX / 4);
    enum rc rc = scope_list_offered(&call->oauth, &words);

    if (rc == RC_OK && !words.overflow && words.len > 0)
        json_member_words(json, STR("scopes_supported"), buffer_str(&words));
    return rc;
}

static enum rc answer_metadata(struct web_call *call, bool is_openid)
{
    static const struct str with_secret = { "client_secret_basic client_secret_post", 38 };
    static const struct str or_none = { "client_secret_basic client_secret_post none", 43 };
    struct json_out json = json_out_over(&call->exchange->response.body);
    enum rc rc;

    json_begin_object(&json);
    json_member_string(&json, STR("issuer"), call->web->oauth->issuer);
    add_endpoints(call, &json);
    rc = add_scopes(call, &json);
    if (rc != RC_OK)
        return rc;
    /* Required by the standard, and empty as long as there is no authorization endpoint. */
    json_member_words(&json, STR("response_types_supported"), STR(""));
    add_grant_types(&json);
    json_member_words(&json, STR("token_endpoint_auth_methods_supported"), or_none);
    json_member_words(&json, STR("introspection_endpoint_auth_methods_supported"), with_secret);
    json_member_words(&json, STR("revocation_endpoint_auth_methods_supported"), or_none);
    if (is_openid) {
        json_member_words(&json, STR("subject_types_supported"), STR("public"));
        add_algs(call, &json, STR("id_token_signing_alg_values_supported"));
    }
    json_end_object(&json);
    answer_json(call->exchange, 200);
    http_add_header(call->exchange, STR("Access-Control-Allow-Origin"), STR("*"));
    return RC_OK;
}

enum rc metadata_endpoint(struct web_call *call)
{
    return answer_metadata(call, false);
}

enum rc openid_configuration_endpoint(struct web_call *call)
{
    return answer_metadata(call, true);
}

enum rc jwks_endpoint(struct web_call *call)
{
    enum rc rc = key_ring_format_jwks(token_room_keys(call->web->oauth->tokens), call->oauth.now,
                                      call->oauth.may_block, &call->exchange->response.body);

    if (rc != RC_OK)
        return rc;
    answer_json(call->exchange, 200);
    http_add_header(call->exchange, STR("Access-Control-Allow-Origin"), STR("*"));
    return RC_OK;
}
