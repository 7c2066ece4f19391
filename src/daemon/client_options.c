#include "daemon/client_options.h"

#include "codec/json.h"
#include "oauth/client_metadata.h"
#include "oauth/registry_admin.h"

enum { OPTIONS_JSON_BYTES_MAX = 256 * 1024 };

struct member {
    const char *option;
    struct str name;
};

static const struct member texts[] = {
    { "auth-method", { "token_endpoint_auth_method", 26 } },
    { "jwks-uri", { "jwks_uri", 8 } },
    { "tls-subject", { "tls_client_auth_subject_dn", 26 } },
    { "back-channel-logout-uri", { "backchannel_logout_uri", 22 } },
    { "id-token-alg", { "id_token_signed_response_alg", 28 } },
};

static const struct member flags[] = {
    { "trusted", { "jeton_trusted", 13 } },
    { "require-pushed", { "require_pushed_authorization_requests", 37 } },
    { "require-signed", { "require_signed_request_object", 29 } },
    { "bind-dpop", { "dpop_bound_access_tokens", 24 } },
    { "bind-tls", { "tls_client_certificate_bound_access_tokens", 42 } },
};

static void write_list(const struct options *options, struct member member, struct json_out *json)
{
    const char *text;

    if (!options_has(options, member.option))
        return;
    json_name(json, member.name);
    json_begin_array(json);
    for (size_t i = 0; (text = options_find_nth(options, member.option, i)) != NULL; i++)
        json_text(json, str_of(text));
    json_end_array(json);
}

static void write_text(const struct options *options, struct member member, struct json_out *json)
{
    const char *text = options_find(options, member.option);

    if (text != NULL)
        json_member_string(json, member.name, str_of(text));
}

/* "client_secret" is no registered method: daemon/command_client.c reads it. */
static bool is_our_word(const struct options *options, struct member member)
{
    const char *text = options_find(options, member.option);

    return text != NULL && str_equal(str_of(member.option), STR("auth-method")) &&
           str_equal(str_of(text), STR("client_secret"));
}

static struct str write_object(struct command_context *context, const struct options *options)
{
    struct buffer text =
        buffer_over(arena_alloc(context->arena, OPTIONS_JSON_BYTES_MAX), OPTIONS_JSON_BYTES_MAX);
    struct json_out json = json_out_over(&text);
    const char *jwks = options_find(options, "jwks");

    json_begin_object(&json);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!is_our_word(options, texts[i]))
            write_text(options, texts[i], &json);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (options_has(options, flags[i].option))
            json_member_bool(&json, flags[i].name, true);
    if (options_has(options, "pairwise"))
        json_member_string(&json, STR("subject_type"), STR("pairwise"));
    write_list(options, (struct member){ "post-logout-uri", STR("post_logout_redirect_uris") },
               &json);
    if (jwks != NULL) {
        json_name(&json, STR("jwks"));
        json_raw(&json, str_of(jwks));
    }
    json_end_object(&json);
    return text.overflow ? STR("") : buffer_str(&text);
}

int client_options_apply(struct command_context *context, const struct options *options,
                         struct client *client)
{
    const char *metadata = options_find(options, "metadata");
    struct str objects[2] = { metadata != NULL ? str_of(metadata) : STR("{}"),
                              write_object(context, options) };
    struct metadata_problem problem;
    enum rc rc;

    /* The built-in ones have no grant types, which would not do for another. */
    if (registry_is_built_in(client) && metadata == NULL && str_equal(objects[1], STR("{}")))
        return STATUS_DONE;
    rc = client_metadata_apply_all(objects, 2, true, context->arena, client, &problem);
    if (rc == RC_REFUSED && problem.member.len == 0)
        return command_refuse(context, "%.*s", STR_ARGS(problem.sentence));
    if (rc == RC_REFUSED)
        return command_refuse(context, "%.*s: %.*s", STR_ARGS(problem.member),
                              STR_ARGS(problem.sentence));
    return rc == RC_OK ? STATUS_DONE : command_fault(context, rc);
}
