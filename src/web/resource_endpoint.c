#include "web/resource_endpoint.h"

#include "codec/json.h"
#include "oauth/proof.h"
#include "oauth/scope.h"

static struct str resource_of(struct web_call *call, struct str service_id)
{
    return str_starts_with(service_id, STR("https://")) ||
                   str_starts_with(service_id, STR("http://"))
               ? service_id
               : arena_format(call->exchange->arena, "https://%.*s", STR_ARGS(service_id));
}

/* RFC 9728 2 */
static void format(struct web_call *call, const struct service *service, struct json_out *json)
{
    const struct oauth *oauth = call->web->oauth;

    json_begin_object(json);
    json_member_string(json, STR("resource"), resource_of(call, service->service_id));
    json_name(json, STR("authorization_servers"));
    json_begin_array(json);
    json_text(json, oauth->issuer);
    json_end_array(json);
    json_name(json, STR("bearer_methods_supported"));
    json_begin_array(json);
    json_text(json, STR("header")); /* RFC 9700 4.3.2: nowhere else */
    json_end_array(json);
    if (service->scope.len > 0)
        json_member_words(json, STR("scopes_supported"), service->scope);
    if (service->name.len > 0)
        json_member_string(json, STR("resource_name"), service->name);
    if (oauth->details_types.len > 0)
        json_member_words(json, STR("authorization_details_types_supported"), oauth->details_types);
    json_member_words(json, STR("dpop_signing_alg_values_supported"), STR(PROOF_ALGS));
    json_member_bool(json, STR("tls_client_certificate_bound_access_tokens"), true);
    json_end_object(json);
}

enum rc protected_resource_endpoint(struct web_call *call)
{
    struct json_out json = json_out_over(&call->exchange->response.body);
    struct service service;
    struct str service_id;
    enum rc rc = form_decode(call->rest, call->exchange->arena, &service_id);

    if (rc == RC_OK)
        rc = scope_find_service(&call->oauth, service_id, &service);
    if (rc == RC_INVALID || rc == RC_NOT_FOUND) {
        answer_not_found(call->exchange);
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    format(call, &service, &json);
    answer_json(call->exchange, 200);
    http_add_header(call->exchange, STR("Access-Control-Allow-Origin"), STR("*"));
    return RC_OK;
}
