#include "oauth/client_metadata_members.h"

#include <stddef.h>

#define ANYONE   false
#define OPERATOR true

/* Only algorithms have a second place; the others' is their own, which nobody looks at. */
#define HAS_JWKS(member)        offsetof(struct client_metadata, member)
#define HAS_HTTPS(member)       offsetof(struct client_metadata, member)
#define HAS_PAGE(member)        offsetof(struct client_metadata, member)
#define HAS_TEXT(member)        offsetof(struct client_metadata, member)
#define HAS_REDIRECTS(member)   offsetof(struct client_metadata, member)
#define HAS_LINES(member)       offsetof(struct client_metadata, member)
#define HAS_WORDS(member)       offsetof(struct client_metadata, member)
#define HAS_MODES(member)       offsetof(struct client_metadata, member)
#define HAS_BOOL(member)        offsetof(struct client_metadata, member)
#define HAS_APPLICATION(member) offsetof(struct client_metadata, member)
#define HAS_SECONDS(member)     offsetof(struct client_metadata, member)
#define HAS_ALG(member)         offsetof(struct client_metadata, has_##member)
#define HAS_CLIENT_ALG(member)  offsetof(struct client_metadata, has_##member)

const struct metadata_member metadata_members[] = {
#define MEMBER(form, member, name, who)                                                            \
    { FORM_##form,                                                                                 \
      { name, sizeof(name) - 1 },                                                                  \
      offsetof(struct client_metadata, member),                                                    \
      HAS_##form(member),                                                                          \
      who },
#include "oauth/client_metadata.def"
#undef MEMBER
    { 0 },
};

struct str *metadata_text(const struct metadata_member *member, struct client_metadata *metadata)
{
    return (struct str *)(void *)((char *)metadata + member->offset);
}

bool *metadata_flag(const struct metadata_member *member, struct client_metadata *metadata)
{
    return (bool *)((char *)metadata + member->offset);
}

int64_t *metadata_seconds(const struct metadata_member *member, struct client_metadata *metadata)
{
    return (int64_t *)(void *)((char *)metadata + member->offset);
}

enum signing_alg *metadata_alg(const struct metadata_member *member,
                               struct client_metadata *metadata, bool **out_has)
{
    *out_has = (bool *)((char *)metadata + member->has_offset);
    return (enum signing_alg *)(void *)((char *)metadata + member->offset);
}

void metadata_clear(const struct metadata_member *member, struct client_metadata *metadata)
{
    bool *has;

    switch (member->form) {
    case FORM_JWKS:
    case FORM_HTTPS:
    case FORM_PAGE:
    case FORM_TEXT:
    case FORM_REDIRECTS:
    case FORM_LINES:
    case FORM_WORDS:
    case FORM_MODES:
        *metadata_text(member, metadata) = (struct str){ NULL, 0 };
        break;
    case FORM_BOOL:
    case FORM_APPLICATION:
        *metadata_flag(member, metadata) = false;
        break;
    case FORM_ALG:
    case FORM_CLIENT_ALG:
        *metadata_alg(member, metadata, &has) = ALG_RS256; /* OpenID Connect Registration 1.0 2 */
        *has = false;
        break;
    case FORM_SECONDS:
        *metadata_seconds(member, metadata) = -1;
        break;
    }
}

/* ---- reading ---- */

/* The strings of an array with a byte between them. */
static enum rc take_list(const struct json_value *value, char between, struct arena *arena,
                         struct str *out_list)
{
    struct buffer list;
    size_t bytes = 0;
    struct str item;

    if (!json_is_array(value))
        return RC_INVALID;
    for (size_t i = 0; i < json_count(value); i++) {
        if (json_get_string(json_item(value, i), &item) != RC_OK || item.len == 0 ||
            str_has_control(item) || str_index_of(item, between) < item.len)
            return RC_INVALID;
        bytes += item.len + 1;
    }
    list = buffer_over(arena_alloc(arena, bytes), bytes);
    for (size_t i = 0; i < json_count(value); i++) {
        if (json_get_string(json_item(value, i), &item) != RC_OK)
            return RC_INVALID;
        if (i > 0)
            buffer_append_byte(&list, between);
        buffer_append_str(&list, item);
    }
    *out_list = buffer_str(&list);
    return RC_OK;
}

static enum rc take_alg(const struct metadata_member *member, struct str name,
                        struct client_metadata *metadata)
{
    enum signing_alg alg;
    bool *has;
    enum rc rc = member->form == FORM_ALG ? signing_alg_parse(name, &alg)
                                          : signing_alg_parse_client(name, &alg);

    if (rc != RC_OK)
        return RC_INVALID;
    *metadata_alg(member, metadata, &has) = alg;
    *has = true;
    return RC_OK;
}

static enum rc take_text(const struct json_value *value, struct arena *arena, struct str *out_text)
{
    struct str text;

    if (json_get_string(value, &text) != RC_OK || str_has_control(text))
        return RC_INVALID;
    *out_text = arena_copy(arena, text);
    return RC_OK;
}

enum rc metadata_take(const struct metadata_member *member, const struct json_value *value,
                      struct arena *arena, struct client_metadata *metadata)
{
    struct str text = { NULL, 0 };
    enum rc rc;

    switch (member->form) {
    case FORM_JWKS:
    case FORM_HTTPS:
    case FORM_PAGE:
    case FORM_TEXT:
        return take_text(value, arena, metadata_text(member, metadata));
    case FORM_REDIRECTS:
    case FORM_LINES:
        return take_list(value, '\n', arena, metadata_text(member, metadata));
    case FORM_WORDS:
    case FORM_MODES:
        return take_list(value, ' ', arena, metadata_text(member, metadata));
    case FORM_BOOL:
        return json_get_bool(value, metadata_flag(member, metadata));
    case FORM_APPLICATION:
        rc = json_get_string(value, &text);
        *metadata_flag(member, metadata) = str_equal(text, STR("native"));
        return rc == RC_OK && (str_equal(text, STR("native")) || str_equal(text, STR("web")))
                   ? RC_OK
                   : RC_INVALID;
    case FORM_ALG:
    case FORM_CLIENT_ALG:
        rc = json_get_string(value, &text);
        return rc == RC_OK ? take_alg(member, text, metadata) : RC_INVALID;
    case FORM_SECONDS:
        return json_get_number(value, metadata_seconds(member, metadata));
    }
    return RC_INVALID;
}

enum rc client_metadata_read(const struct client *client, struct arena *arena,
                             struct client_metadata *out_metadata)
{
    struct client_metadata metadata;
    struct json_document *document = NULL;
    enum rc rc;

    memset(&metadata, 0, sizeof(metadata));
    for (const struct metadata_member *member = metadata_members; member->name.len > 0; member++)
        metadata_clear(member, &metadata);
    if (client->metadata.len > 0) {
        rc = json_parse(client->metadata, &document);
        if (rc != RC_OK)
            return rc == RC_INVALID ? RC_CORRUPT : rc;
    }
    rc = RC_OK;
    for (const struct metadata_member *member = metadata_members;
         document != NULL && rc == RC_OK && member->name.len > 0; member++) {
        const struct json_value *value = json_find(json_root(document), member->name);

        if (value != NULL)
            rc = metadata_take(member, value, arena, &metadata);
    }
    json_document_free(document);
    if (rc != RC_OK)
        return RC_CORRUPT;
    *out_metadata = metadata;
    return RC_OK;
}

/* ---- writing ---- */

bool metadata_has(const struct metadata_member *member, const struct client_metadata *metadata)
{
    struct client_metadata copy = *metadata;
    bool *has;

    switch (member->form) {
    case FORM_JWKS:
    case FORM_HTTPS:
    case FORM_PAGE:
    case FORM_TEXT:
    case FORM_REDIRECTS:
    case FORM_LINES:
    case FORM_WORDS:
    case FORM_MODES:
        return metadata_text(member, &copy)->len > 0;
    case FORM_BOOL:
    case FORM_APPLICATION:
        return *metadata_flag(member, &copy);
    case FORM_ALG:
    case FORM_CLIENT_ALG:
        (void)metadata_alg(member, &copy, &has);
        return *has;
    case FORM_SECONDS:
        return *metadata_seconds(member, &copy) >= 0;
    }
    return false;
}

/* An array of the lines. */
static void format_lines(struct str lines, struct json_out *json)
{
    json_begin_array(json);
    while (lines.len > 0) {
        size_t len = str_index_of(lines, '\n');

        json_text(json, (struct str){ lines.at, len });
        lines = str_from(lines, len < lines.len ? len + 1 : len);
    }
    json_end_array(json);
}

void metadata_format_member(const struct metadata_member *member,
                            const struct client_metadata *metadata, bool is_kept,
                            struct json_out *json)
{
    struct client_metadata copy = *metadata;
    bool *has;

    if (!metadata_has(member, metadata))
        return;
    switch (member->form) {
    case FORM_JWKS:
        json_name(json, member->name);
        if (is_kept)
            json_text(json, metadata->jwks);
        else
            json_raw(json, metadata->jwks);
        break;
    case FORM_HTTPS:
    case FORM_PAGE:
    case FORM_TEXT:
        json_member_string(json, member->name, *metadata_text(member, &copy));
        break;
    case FORM_REDIRECTS:
    case FORM_LINES:
        json_name(json, member->name);
        format_lines(*metadata_text(member, &copy), json);
        break;
    case FORM_WORDS:
    case FORM_MODES:
        json_member_words(json, member->name, *metadata_text(member, &copy));
        break;
    case FORM_BOOL:
        json_member_bool(json, member->name, true);
        break;
    case FORM_APPLICATION:
        json_member_string(json, member->name, STR("native"));
        break;
    case FORM_ALG:
    case FORM_CLIENT_ALG:
        json_member_string(json, member->name,
                           signing_alg_format(*metadata_alg(member, &copy, &has)));
        break;
    case FORM_SECONDS:
        json_member_number(json, member->name, *metadata_seconds(member, &copy));
        break;
    }
}

static void format_grant_types(const struct client *client, struct json_out *json)
{
    json_name(json, STR("grant_types"));
    json_begin_array(json);
    for (unsigned type = 0; type < GRANT_TYPE_COUNT; type++)
        if ((client->grant_types & 1u << type) != 0)
            json_text(json, grant_type_format((enum grant_type)type));
    json_end_array(json);
    json_name(json, STR("response_types"));
    json_begin_array(json);
    if ((client->grant_types & 1u << GRANT_TYPE_AUTHORIZATION_CODE) != 0)
        json_text(json, STR("code"));
    json_end_array(json);
}

const struct metadata_policy metadata_policies[] = {
    { CLIENT_REQUIRES_PUSHED,
      { "require_pushed_authorization_requests",
        sizeof("require_pushed_authorization_requests") - 1 },
      false },
    { CLIENT_REQUIRES_SIGNED,
      { "require_signed_request_object", sizeof("require_signed_request_object") - 1 },
      false },
    { CLIENT_BINDS_DPOP,
      { "dpop_bound_access_tokens", sizeof("dpop_bound_access_tokens") - 1 },
      false },
    { CLIENT_BINDS_TLS,
      { "tls_client_certificate_bound_access_tokens",
        sizeof("tls_client_certificate_bound_access_tokens") - 1 },
      false },
    { CLIENT_IS_TRUSTED, { "jeton_trusted", sizeof("jeton_trusted") - 1 }, true },
    { 0 },
};

enum rc client_metadata_format(const struct client *client, struct arena *arena,
                               struct json_out *json)
{
    /* RFC 7591 2: the default, which AUTH_SECRET takes, too. */
    enum client_auth_method method =
        client->auth_method == AUTH_SECRET ? AUTH_SECRET_BASIC : client->auth_method;
    struct client_metadata metadata;
    enum rc rc = client_metadata_read(client, arena, &metadata);

    if (rc != RC_OK)
        return rc;
    json_member_string(json, STR("client_name"), client->name);
    json_name(json, STR("redirect_uris"));
    format_lines(client->redirect_uris, json);
    format_grant_types(client, json);
    json_member_string(json, STR("scope"), client->scope);
    json_member_string(json, STR("token_endpoint_auth_method"),
                       client->type == CLIENT_PUBLIC ? STR("none")
                                                     : client_auth_method_format(method));
    if (!metadata.is_native)
        json_member_string(json, STR("application_type"), STR("web"));
    json_member_string(json, STR("subject_type"),
                       (client->policy & CLIENT_IS_PAIRWISE) != 0 ? STR("pairwise")
                                                                  : STR("public"));
    for (const struct metadata_policy *policy = metadata_policies; policy->bit != 0; policy++)
        if ((client->policy & policy->bit) != 0)
            json_member_bool(json, policy->name, true);
    for (const struct metadata_member *member = metadata_members; member->name.len > 0; member++)
        metadata_format_member(member, &metadata, false, json);
    return RC_OK;
}

enum rc metadata_keep(const struct client_metadata *metadata, struct arena *arena,
                      struct str *out_json)
{
    struct buffer text =
        buffer_over(arena_alloc(arena, CLIENT_METADATA_BYTES_MAX), CLIENT_METADATA_BYTES_MAX);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    for (const struct metadata_member *member = metadata_members; member->name.len > 0; member++)
        metadata_format_member(member, metadata, true, &json);
    json_end_object(&json);
    if (text.overflow)
        return RC_TOO_LARGE;
    *out_json = text.len > 2 ? buffer_str(&text) : (struct str){ NULL, 0 };
    return RC_OK;
}

bool client_has_secret(const struct client *client)
{
    return client->type == CLIENT_CONFIDENTIAL &&
           (client->auth_method == AUTH_SECRET || client->auth_method == AUTH_SECRET_BASIC ||
            client->auth_method == AUTH_SECRET_POST);
}

bool client_is_fapi(const struct client *client)
{
    return (client->policy & CLIENT_REQUIRES_PUSHED) != 0 &&
           (client->policy & (CLIENT_BINDS_DPOP | CLIENT_BINDS_TLS)) != 0;
}
