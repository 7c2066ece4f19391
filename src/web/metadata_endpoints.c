#include "codec/json.h"
#include "oauth/admission.h"
#include "oauth/proof.h"
#include "oauth/scope.h"
#include "token/keys.h"
#include "web/page_call.h"

/* RFC 8414 2. Every link is the issuer and the row's path: never what a request claims (MD-03). */
static void add_endpoints(const struct web_call *call, struct json_out *json)
{
    for (size_t i = 0; i < endpoint_count; i++)
        if (endpoints[i].metadata_key != NULL && endpoint_is_offered(call->web, &endpoints[i]))
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

/* OpenID Connect's words belong to no service. */
static enum rc add_scopes(struct web_call *call, struct json_out *json)
{
    struct buffer words = buffer_over(arena_alloc(call->exchange->arena, HTTP_ANSWER_BYTES_MAX / 4),
                                      HTTP_ANSWER_BYTES_MAX / 4);
    enum rc rc;

    BUFFER_APPEND_LITERAL(&words, "openid profile email offline_access ");
    rc = scope_list_offered(&call->oauth, &words);
    if (rc == RC_OK && !words.overflow)
        json_member_words(json, STR("scopes_supported"), str_trim(buffer_str(&words)));
    return rc;
}

/* Lists that are the same for everybody. */
struct fixed_member {
    const char *name;
    const char *words;
};

static void add_fixed(const struct fixed_member *members, size_t count, struct json_out *json)
{
    for (size_t i = 0; i < count; i++)
        json_member_words(json, str_of(members[i].name), str_of(members[i].words));
}

#define ADD_FIXED(members, json) add_fixed(members, sizeof(members) / sizeof((members)[0]), json)

/* What we sign with: a key of each kind is made when it is first asked for. And what clients may.
 */
#define OUR_ALGS    "ES256 EdDSA RS256"
#define CLIENT_ALGS "ES256 EdDSA RS256 PS256"
#define WITH_SECRET_OR_KEY                                                                         \
    "client_secret_basic client_secret_post private_key_jwt tls_client_auth "                      \
    "self_signed_tls_client_auth"

/* RFC 8414 2; RFC 7523; RFC 8705 2. */
static void add_client_authentication(struct json_out *json)
{
    static const struct fixed_member members[] = {
        { "token_endpoint_auth_methods_supported", WITH_SECRET_OR_KEY " none" },
        { "token_endpoint_auth_signing_alg_values_supported", CLIENT_ALGS },
        { "introspection_endpoint_auth_methods_supported", WITH_SECRET_OR_KEY },
        { "introspection_endpoint_auth_signing_alg_values_supported", CLIENT_ALGS },
        { "introspection_signing_alg_values_supported", OUR_ALGS }, /* RFC 9701 7 */
        { "revocation_endpoint_auth_methods_supported", WITH_SECRET_OR_KEY " none" },
        { "revocation_endpoint_auth_signing_alg_values_supported", CLIENT_ALGS },
        { "dpop_signing_alg_values_supported", PROOF_ALGS }, /* RFC 9449 5.1 */
    };

    ADD_FIXED(members, json);
    /* RFC 8705 3.3 */
    json_member_bool(json, STR("tls_client_certificate_bound_access_tokens"), true);
}

/* OpenID Connect Prompt Create 1.0: where people may make accounts for themselves. */
static void add_prompts(const struct web *web, struct json_out *json)
{
    bool may_create = web->registration != NULL && web->registration->is_on && web->outbox != NULL;

    json_member_words(json, STR("prompt_values_supported"),
                      may_create ? STR("none login consent select_account create")
                                 : STR("none login consent select_account"));
}

/* The authorization endpoint and what comes there. */
static void add_authorization(const struct web_call *call, struct json_out *json)
{
    static const struct fixed_member members[] = {
        { "response_types_supported", "code" },
        { "response_modes_supported", "query form_post" },
        { "code_challenge_methods_supported", "S256" },                 /* RFC 7636 6.2.1 */
        { "request_object_signing_alg_values_supported", CLIENT_ALGS }, /* RFC 9101 10.5 */
    };
    struct str types = call->web->oauth->details_types;
    const struct client_admission *admission = call->web->oauth->admission;

    ADD_FIXED(members, json);
    add_prompts(call->web, json);
    if (admission != NULL && admission->takes_documents)
        json_member_bool(json, STR("client_id_metadata_document_supported"), true);
    json_member_bool(json, STR("authorization_response_iss_parameter_supported"), true);
    json_member_bool(json, STR("require_pushed_authorization_requests"), false); /* RFC 9126 5 */
    json_member_bool(json, STR("require_signed_request_object"), false);
    json_member_bool(json, STR("request_parameter_supported"), true);
    /* OpenID Connect Core 6.2 means addresses of clients' own; only what was pushed is known here
     * (PA-03), which RFC 9126 5 advertises. */
    json_member_bool(json, STR("request_uri_parameter_supported"), false);
    json_member_bool(json, STR("require_request_uri_registration"), false);
    if (types.len > 0) /* RFC 9396 10 */
        json_member_words(json, STR("authorization_details_types_supported"), types);
}

static void add_languages(struct json_out *json)
{
    json_name(json, STR("ui_locales_supported"));
    json_begin_array(json);
    for (size_t i = 0; i < page_language_count; i++)
        json_text(json, page_languages[i].code);
    json_end_array(json);
}

/* OpenID Connect Discovery 3; RP-Initiated Logout 2.1; Back-Channel Logout 2.1. */
static void add_openid(struct json_out *json)
{
    static const struct fixed_member members[] = {
        { "subject_types_supported", "public pairwise" },
        { "id_token_signing_alg_values_supported", OUR_ALGS },
        { "userinfo_signing_alg_values_supported", OUR_ALGS },
        { "claim_types_supported", "normal" },
        { "claims_supported", "iss sub aud azp exp iat auth_time nonce acr amr sid at_hash name "
                              "preferred_username email email_verified" },
        { "acr_values_supported", "urn:jeton:acr:1fa urn:jeton:acr:2fa phr" },
    };

    ADD_FIXED(members, json);
    json_member_bool(json, STR("claims_parameter_supported"), true);
    json_member_bool(json, STR("backchannel_logout_supported"), true);
    json_member_bool(json, STR("backchannel_logout_session_supported"), true);
}

/* Both documents say the same: who reads one needs not know which. */
static enum rc answer_metadata(struct web_call *call)
{
    struct json_out json = json_out_over(&call->exchange->response.body);
    enum rc rc;

    json_begin_object(&json);
    json_member_string(&json, STR("issuer"), call->web->oauth->issuer);
    add_endpoints(call, &json);
    rc = add_scopes(call, &json);
    if (rc != RC_OK)
        return rc;
    add_grant_types(&json);
    add_authorization(call, &json);
    add_client_authentication(&json);
    add_openid(&json);
    add_languages(&json);
    json_end_object(&json);
    answer_json(call->exchange, 200);
    return RC_OK;
}

enum rc metadata_endpoint(struct web_call *call)
{
    return answer_metadata(call);
}

enum rc openid_configuration_endpoint(struct web_call *call)
{
    return answer_metadata(call);
}

enum rc jwks_endpoint(struct web_call *call)
{
    enum rc rc = key_ring_format_jwks(token_room_keys(call->web->oauth->tokens), call->oauth.now,
                                      call->oauth.may_block, &call->exchange->response.body);

    if (rc != RC_OK)
        return rc;
    answer_json(call->exchange, 200);
    return RC_OK;
}
