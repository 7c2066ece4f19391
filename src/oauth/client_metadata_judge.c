#include <arpa/inet.h>

#include "codec/uri.h"
#include "oauth/client_metadata_members.h"
#include "oauth/scope.h"

enum {
    TEXT_BYTES_MAX = 1024,
    ITEM_COUNT_MAX = 32,
    JWK_COUNT_MAX = 16,
    SECONDS_MAX = 10 * 365 * 24 * 3600
};

/* What anybody may register for itself. The others let a client act for people who are not there:
 * an operator's to give (RFC 9700 2.4, RFC 8693 5). */
static const unsigned open_grant_types =
    1u << GRANT_TYPE_AUTHORIZATION_CODE | 1u << GRANT_TYPE_REFRESH_TOKEN |
    1u << GRANT_TYPE_CLIENT_CREDENTIALS | 1u << GRANT_TYPE_DEVICE_CODE;

/* A registration under judgement; the client is not touched before all of it is sound. */
struct judge {
    struct client client;
    struct client_metadata metadata;
    struct arena *arena;
    bool is_operator;
    bool names_application;
    bool names_response_types;
    struct metadata_problem *problem;
};

static enum rc refuse(struct judge *judge, struct str member, const char *sentence)
{
    *judge->problem = (struct metadata_problem){ .error = OAUTH_INVALID_CLIENT_METADATA,
                                                 .member = member,
                                                 .sentence = str_of(sentence) };
    return RC_REFUSED;
}

static enum rc refuse_redirect(struct judge *judge, const char *sentence)
{
    enum rc rc = refuse(judge, STR("redirect_uris"), sentence);

    judge->problem->error = OAUTH_INVALID_REDIRECT_URI; /* RFC 7591 3.2.2 */
    return rc;
}

/* ---- single members -------------------------------------------------------------------------- */

static bool is_https_url(struct str text, bool may_be_http)
{
    struct uri uri;

    return text.len <= REDIRECT_URI_BYTES_MAX && uri_parse(text, &uri) == RC_OK &&
           uri.host.len > 0 && !uri.has_userinfo && !uri.has_fragment &&
           (str_equal_nocase(uri.scheme, STR("https")) ||
            (may_be_http && str_equal_nocase(uri.scheme, STR("http"))));
}

static struct str take_line(struct str *lines)
{
    size_t len = str_index_of(*lines, '\n');
    struct str line = { lines->at, len };

    *lines = str_from(*lines, len < lines->len ? len + 1 : len);
    return line;
}

static bool are_lines_sound(struct str lines, bool are_redirects)
{
    size_t count = 0;

    while (lines.len > 0) {
        struct str line = take_line(&lines);

        if (++count > ITEM_COUNT_MAX || line.len > REDIRECT_URI_BYTES_MAX ||
            (are_redirects && redirect_uri_check(line) != RC_OK))
            return false;
    }
    return true;
}

static bool are_modes_sound(struct str modes)
{
    struct str mode;

    while (str_next_word(&modes, &mode))
        if (!str_equal(mode, STR("query")) && !str_equal(mode, STR("form_post")))
            return false;
    return true;
}

static bool is_address(struct str text)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char bytes[16];

    if (text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET, copy, bytes) == 1 || inet_pton(AF_INET6, copy, bytes) == 1;
}

static enum rc judge_text(struct judge *judge, const struct metadata_member *member)
{
    struct str text = *metadata_text(member, &judge->metadata);

    if (member->form == FORM_HTTPS && !is_https_url(text, false))
        return refuse(judge, member->name, "it must be an https URL");
    if (member->form == FORM_PAGE && !is_https_url(text, true))
        return refuse(judge, member->name, "it must be a URL of the web");
    if (member->form == FORM_REDIRECTS && !are_lines_sound(text, true))
        return refuse(judge, member->name, "each must be what a redirect URI must be");
    if (member->form == FORM_LINES && !are_lines_sound(text, false))
        return refuse(judge, member->name, "there are too many, or one is too long");
    if (member->form == FORM_MODES && !are_modes_sound(text))
        return refuse(judge, member->name, "only query and form_post are offered");
    if (text.len > (member->form == FORM_WORDS ? SCOPE_BYTES_MAX : TEXT_BYTES_MAX) &&
        (member->form == FORM_TEXT || member->form == FORM_WORDS))
        return refuse(judge, member->name, "it is too long");
    if (text.len == 0)
        return member->form == FORM_TEXT || member->form == FORM_HTTPS || member->form == FORM_PAGE
                   ? refuse(judge, member->name, "it must not be empty")
                   : RC_OK;
    if (str_equal(member->name, STR("tls_client_auth_san_ip")) && !is_address(text))
        return refuse(judge, member->name, "it must be an IP address");
    return RC_OK;
}

static bool has_private_part(const struct json_value *jwk)
{
    /* RFC 7518 6.2.2, 6.3.2, 6.4.1; RFC 8037 2 */
    return json_find(jwk, STR("d")) != NULL || json_find(jwk, STR("p")) != NULL ||
           json_find(jwk, STR("q")) != NULL || json_find(jwk, STR("k")) != NULL;
}

/* Keys of other kinds and for other uses are passed over when a signature is checked. */
static enum rc judge_key(struct judge *judge, const struct json_value *jwk)
{
    struct verifier *verifier = NULL;
    struct public_key key;

    if (!json_is_object(jwk))
        return refuse(judge, STR("jwks"), "it must be a JWK Set");
    if (has_private_part(jwk))
        return refuse(judge, STR("jwks"), "it must hold public keys alone");
    if (jwk_read_public(jwk, &key) != RC_OK)
        return RC_OK;
    /* KY-03: RSA of 2048 bits and more, points on their curves. */
    if (verifier_new(&key, &verifier) != RC_OK)
        return refuse(judge, STR("jwks"), "a key in it is not sound");
    verifier_free(verifier);
    return RC_OK;
}

static enum rc judge_jwks(struct judge *judge, const struct json_value *value)
{
    const struct json_value *keys = json_find(value, STR("keys"));
    struct str text;
    enum rc rc = RC_OK;

    if (!json_is_array(keys))
        return refuse(judge, STR("jwks"), "it must be a JWK Set");
    if (json_count(keys) > JWK_COUNT_MAX)
        return refuse(judge, STR("jwks"), "there are too many keys in it");
    for (size_t i = 0; rc == RC_OK && i < json_count(keys); i++)
        rc = judge_key(judge, json_item(keys, i));
    if (rc != RC_OK)
        return rc;
    text = json_format(value, judge->arena);
    if (text.len > CLIENT_METADATA_BYTES_MAX / 2)
        return refuse(judge, STR("jwks"), "it is too long");
    judge->metadata.jwks = text;
    return RC_OK;
}

static enum rc judge_member(struct judge *judge, const struct metadata_member *member,
                            const struct json_value *value)
{
    if (member->is_operators && !judge->is_operator)
        return refuse(judge, member->name, "only an operator may set it");
    metadata_clear(member, &judge->metadata);
    if (json_is_null(value)) /* RFC 7592 2.2: as if it were not there */
        return RC_OK;
    if (member->form == FORM_JWKS)
        return judge_jwks(judge, value);
    if (metadata_take(member, value, judge->arena, &judge->metadata) != RC_OK)
        return refuse(judge, member->name, "it has a value that is not offered");
    judge->names_application = judge->names_application || member->form == FORM_APPLICATION;
    switch (member->form) {
    case FORM_HTTPS:
    case FORM_PAGE:
    case FORM_TEXT:
    case FORM_REDIRECTS:
    case FORM_LINES:
    case FORM_WORDS:
    case FORM_MODES:
        return judge_text(judge, member);
    case FORM_SECONDS:
        return judge->metadata.default_max_age_s >= 0 &&
                       judge->metadata.default_max_age_s <= SECONDS_MAX
                   ? RC_OK
                   : refuse(judge, member->name, "it must be a number of seconds");
    case FORM_JWKS:
    case FORM_BOOL:
    case FORM_APPLICATION:
    case FORM_ALG:
    case FORM_CLIENT_ALG:
        break;
    }
    return RC_OK;
}

/* ---- what has a column ----------------------------------------------------------------------- */

typedef enum rc column_judge(struct judge *judge, const struct json_value *value);

static enum rc judge_name(struct judge *judge, const struct json_value *value)
{
    struct str name;

    if (json_get_string(value, &name) != RC_OK || name.len == 0 ||
        name.len > SERVICE_NAME_BYTES_MAX || str_has_control(name))
        return refuse(judge, STR("client_name"),
                      "it must be a text of at most 255 bytes, without control characters");
    judge->client.name = arena_copy(judge->arena, name);
    return RC_OK;
}

static enum rc judge_redirect_uris(struct judge *judge, const struct json_value *value)
{
    const struct metadata_member list = { .form = FORM_REDIRECTS };
    struct client_metadata room; /* its first member takes the list */

    memset(&room, 0, sizeof(room));
    if (metadata_take(&list, value, judge->arena, &room) != RC_OK)
        return refuse_redirect(judge, "it must be an array of URIs");
    if (!are_lines_sound(*metadata_text(&list, &room), false))
        return refuse_redirect(judge, "there are too many, or one is too long");
    /* AZ-03. RFC 9700 2.6; RFC 8252 7.1, 7.3 */
    if (!are_lines_sound(*metadata_text(&list, &room), true))
        return refuse_redirect(judge, "each must be absolute and without a fragment, and https, "
                                      "http for a loopback address, or a scheme such as "
                                      "com.example.app");
    judge->client.redirect_uris = *metadata_text(&list, &room);
    return RC_OK;
}

static enum rc judge_grant_types(struct judge *judge, const struct json_value *value)
{
    unsigned types = 0;

    if (!json_is_array(value))
        return refuse(judge, STR("grant_types"), "it must be an array");
    for (size_t i = 0; i < json_count(value); i++) {
        enum grant_type type;
        struct str text;

        if (json_get_string(json_item(value, i), &text) != RC_OK ||
            grant_type_parse(text, &type) != RC_OK)
            return refuse(judge, STR("grant_types"), "it has a grant type that is not offered");
        types |= 1u << type;
    }
    if (!judge->is_operator && (types & ~open_grant_types) != 0)
        return refuse(judge, STR("grant_types"), "only an operator may give one of them");
    judge->client.grant_types = types;
    return RC_OK;
}

static enum rc judge_response_types(struct judge *judge, const struct json_value *value)
{
    struct str type;

    if (!json_is_array(value))
        return refuse(judge, STR("response_types"), "it must be an array");
    for (size_t i = 0; i < json_count(value); i++)
        if (json_get_string(json_item(value, i), &type) != RC_OK || !str_equal(type, STR("code")))
            return refuse(judge, STR("response_types"), "only code is offered"); /* AZ-09 */
    judge->names_response_types = json_count(value) > 0;
    return RC_OK;
}

static enum rc judge_scope(struct judge *judge, const struct json_value *value)
{
    struct str scope;

    if (json_get_string(value, &scope) != RC_OK || !scope_is_sound(scope))
        return refuse(judge, STR("scope"), "it must be words with single spaces between them");
    judge->client.scope = arena_copy(judge->arena, scope);
    return RC_OK;
}

static enum rc judge_auth_method(struct judge *judge, const struct json_value *value)
{
    struct client *client = &judge->client;
    struct str text = { NULL, 0 };
    enum client_auth_method method = AUTH_SECRET;
    enum rc rc = json_get_string(value, &text);
    bool is_none = rc == RC_OK && str_equal(text, STR("none"));

    /* AUTH_SECRET is no registered method. */
    if (rc != RC_OK ||
        (!is_none && (client_auth_method_parse(text, &method) != RC_OK || method == AUTH_SECRET)))
        return refuse(judge, STR("token_endpoint_auth_method"), "it is not offered");
    client->type = is_none ? CLIENT_PUBLIC : CLIENT_CONFIDENTIAL;
    client->auth_method = method;
    if (!client_has_secret(client)) { /* CA-03: what was good before is not any more */
        client->secret_hash = STR("");
        client->previous_secret_hash = STR("");
        client->previous_secret_until = 0;
    }
    return RC_OK;
}

static enum rc judge_subject_type(struct judge *judge, const struct json_value *value)
{
    struct str text = { NULL, 0 };

    if (json_get_string(value, &text) != RC_OK ||
        (!str_equal(text, STR("public")) && !str_equal(text, STR("pairwise"))))
        return refuse(judge, STR("subject_type"), "it must be public or pairwise");
    judge->client.policy &= ~(unsigned)CLIENT_IS_PAIRWISE;
    if (str_equal(text, STR("pairwise")))
        judge->client.policy |= CLIENT_IS_PAIRWISE;
    return RC_OK;
}

static enum rc judge_policy(struct judge *judge, const struct metadata_policy *policy,
                            const struct json_value *value)
{
    bool is_set = false;

    if (policy->is_operators && !judge->is_operator)
        return refuse(judge, policy->name, "only an operator may set it");
    if (!json_is_null(value) && json_get_bool(value, &is_set) != RC_OK)
        return refuse(judge, policy->name, "it must be true or false");
    judge->client.policy &= ~policy->bit;
    if (is_set)
        judge->client.policy |= policy->bit;
    return RC_OK;
}

/* A column that is null is given its default again. */
static void clear_column(struct judge *judge, struct str name)
{
    struct client *client = &judge->client;

    if (str_equal(name, STR("client_name")))
        client->name = client->client_id;
    else if (str_equal(name, STR("redirect_uris")))
        client->redirect_uris = STR("");
    else if (str_equal(name, STR("grant_types")))
        client->grant_types = 0;
    else if (str_equal(name, STR("scope")))
        client->scope = STR("");
    else if (str_equal(name, STR("subject_type")))
        client->policy &= ~(unsigned)CLIENT_IS_PAIRWISE;
}

static const struct {
    struct str name;
    column_judge *judge;
} columns[] = {
    { { "client_name", 11 }, judge_name },
    { { "redirect_uris", 13 }, judge_redirect_uris },
    { { "grant_types", 11 }, judge_grant_types },
    { { "response_types", 14 }, judge_response_types },
    { { "scope", 5 }, judge_scope },
    { { "token_endpoint_auth_method", 26 }, judge_auth_method },
    { { "subject_type", 12 }, judge_subject_type },
};

enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

bool client_metadata_knows(struct str name)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (str_equal(columns[i].name, name))
            return true;
    for (const struct metadata_policy *policy = metadata_policies; policy->bit != 0; policy++)
        if (str_equal(policy->name, name))
            return true;
    for (const struct metadata_member *member = metadata_members; member->name.len > 0; member++)
        if (str_equal(member->name, name))
            return true;
    return false;
}

static enum rc merge_columns(struct judge *judge, const struct json_value *root)
{
    enum rc rc = RC_OK;

    for (size_t i = 0; rc == RC_OK && i < COLUMN_COUNT; i++) {
        const struct json_value *value = json_find(root, columns[i].name);

        if (value != NULL && json_is_null(value))
            clear_column(judge, columns[i].name);
        else if (value != NULL)
            rc = columns[i].judge(judge, value);
    }
    return rc;
}

static enum rc merge(struct judge *judge, struct str text)
{
    struct json_document *document = NULL;
    const struct json_value *root;
    const struct json_value *value;
    enum rc rc = json_parse(text, &document);

    if (rc_is_fault(rc))
        return rc;
    root = rc == RC_OK ? json_root(document) : NULL;
    rc = root != NULL && json_is_object(root)
             ? merge_columns(judge, root)
             : refuse(judge, STR(""),
                      "the metadata must be one JSON object, no name twice in it, at "
                      "most 16 levels deep");
    for (const struct metadata_policy *policy = metadata_policies; rc == RC_OK && policy->bit != 0;
         policy++) {
        value = json_find(root, policy->name);
        if (value != NULL)
            rc = judge_policy(judge, policy, value);
    }
    for (const struct metadata_member *member = metadata_members;
         rc == RC_OK && member->name.len > 0; member++) {
        value = json_find(root, member->name);
        if (value != NULL)
            rc = judge_member(judge, member, value);
    }
    json_document_free(document);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static enum rc check_grants(struct judge *judge)
{
    struct client *client = &judge->client;
    const unsigned code = 1u << GRANT_TYPE_AUTHORIZATION_CODE;

    if (client->grant_types == 0)
        client->grant_types = code; /* RFC 7591 2 */
    /* RFC 6749 4.4: confidential clients only. An empty secret proves nothing either. */
    if (client->type != CLIENT_CONFIDENTIAL &&
        (client->grant_types & 1u << GRANT_TYPE_CLIENT_CREDENTIALS) != 0)
        return refuse(judge, STR("grant_types"),
                      "client_credentials is for clients that authenticate");
    if (client->grant_types == 1u << GRANT_TYPE_REFRESH_TOKEN)
        return refuse(judge, STR("grant_types"), "refresh_token alone never gives a first token");
    /* RFC 7591 2.1 */
    if (judge->names_response_types && (client->grant_types & code) == 0)
        return refuse(judge, STR("response_types"), "code needs the grant type authorization_code");
    if ((client->grant_types & code) != 0 && client->redirect_uris.len == 0)
        return refuse_redirect(judge, "the grant type authorization_code needs a redirect URI");
    return RC_OK;
}

static bool is_for_native(struct str redirect_uri)
{
    return !(redirect_uri.len > 6 &&
             str_equal_nocase((struct str){ redirect_uri.at, 6 }, STR("https:")));
}

/*
 * RFC 8252 7; OpenID Connect Registration 1.0 2, application_type: http and private-use schemes are
 * for native clients. One that does not say what it is, is what its redirect URIs say.
 */
static enum rc check_redirect_uris(struct judge *judge)
{
    struct str uris = judge->client.redirect_uris;

    while (uris.len > 0) {
        if (!is_for_native(take_line(&uris)) || judge->metadata.is_native)
            continue;
        if (judge->names_application)
            return refuse_redirect(judge, "those of a web application must be https");
        judge->metadata.is_native = true;
    }
    return RC_OK;
}

static size_t count_tls_names(const struct client_metadata *metadata)
{
    return (size_t)(metadata->tls_subject_dn.len > 0) + (metadata->tls_san_dns.len > 0) +
           (metadata->tls_san_uri.len > 0) + (metadata->tls_san_ip.len > 0) +
           (metadata->tls_san_email.len > 0);
}

static enum rc check_keys(struct judge *judge)
{
    const struct client_metadata *metadata = &judge->metadata;
    const struct client *client = &judge->client;
    bool is_confidential = client->type == CLIENT_CONFIDENTIAL;
    bool needs_keys = is_confidential && (client->auth_method == AUTH_PRIVATE_KEY_JWT ||
                                          client->auth_method == AUTH_TLS_SELF_SIGNED);

    if (metadata->jwks.len > 0 && metadata->jwks_uri.len > 0)
        return refuse(judge, STR("jwks"), "jwks and jwks_uri exclude each other"); /* RFC 7591 2 */
    if (metadata->jwks.len == 0 && metadata->jwks_uri.len == 0) {
        if (needs_keys)
            return refuse(judge, STR("jwks"), "the authentication method needs jwks or jwks_uri");
        if ((client->policy & CLIENT_REQUIRES_SIGNED) != 0)
            return refuse(judge, STR("jwks"), "signed requests need jwks or jwks_uri");
    }
    /* RFC 8705 2.1.2: exactly one of them. */
    if (count_tls_names(metadata) > 1)
        return refuse(judge, STR("tls_client_auth_subject_dn"),
                      "a certificate is known by one name alone");
    if (is_confidential && client->auth_method == AUTH_TLS && count_tls_names(metadata) == 0)
        return refuse(judge, STR("tls_client_auth_subject_dn"),
                      "tls_client_auth needs the name in the certificate");
    return RC_OK;
}

/* KY-03. FAPI 2.0 Security Profile 5.4.1: PS256, ES256 or EdDSA. */
static enum rc check_algorithms(struct judge *judge)
{
    struct client_metadata *metadata = &judge->metadata;

    if (!client_is_fapi(&judge->client))
        return RC_OK;
    if (!metadata->has_id_token_alg) {
        metadata->has_id_token_alg = true;
        metadata->id_token_alg = ALG_ES256;
    }
    for (const struct metadata_member *member = metadata_members; member->name.len > 0; member++) {
        bool *has;

        if ((member->form == FORM_ALG || member->form == FORM_CLIENT_ALG) &&
            *metadata_alg(member, metadata, &has) == ALG_RS256 && *has)
            return refuse(judge, member->name, "RS256 is not for clients of the FAPI 2.0 profile");
    }
    return RC_OK;
}

/* OpenID Connect Core 1.0 8.1: one host stands for the sector, or a document does. */
static enum rc check_sector(struct judge *judge)
{
    struct str uris = judge->client.redirect_uris;
    struct str host = { NULL, 0 };
    struct uri uri;

    if ((judge->client.policy & CLIENT_IS_PAIRWISE) == 0 ||
        judge->metadata.sector_identifier_uri.len > 0)
        return RC_OK;
    while (uris.len > 0) {
        if (uri_parse(take_line(&uris), &uri) != RC_OK ||
            (host.len > 0 && !str_equal_nocase(host, uri.host)))
            return refuse(judge, STR("sector_identifier_uri"),
                          "pairwise subjects over several hosts need it");
        host = uri.host;
    }
    return RC_OK;
}

static enum rc check_logout(struct judge *judge)
{
    struct str uris = judge->metadata.post_logout_redirect_uris;

    while (uris.len > 0)
        if (is_for_native(take_line(&uris)) && !judge->metadata.is_native)
            return refuse(judge, STR("post_logout_redirect_uris"),
                          "those of a web application must be https");
    return RC_OK;
}

enum rc client_metadata_apply_all(const struct str *objects, size_t object_count, bool is_operator,
                                  struct arena *arena, struct client *client,
                                  struct metadata_problem *out_problem)
{
    enum rc (*const checks[])(struct judge *) = { check_grants, check_redirect_uris,
                                                  check_keys,   check_algorithms,
                                                  check_sector, check_logout };
    struct judge judge = {
        .client = *client, .arena = arena, .is_operator = is_operator, .problem = out_problem
    };
    enum rc rc = client_metadata_read(client, arena, &judge.metadata);

    for (size_t i = 0; rc == RC_OK && i < object_count; i++)
        rc = merge(&judge, objects[i]);
    for (size_t i = 0; rc == RC_OK && i < sizeof(checks) / sizeof(checks[0]); i++)
        rc = checks[i](&judge);
    if (rc == RC_OK)
        rc = metadata_keep(&judge.metadata, arena, &judge.client.metadata);
    if (rc == RC_TOO_LARGE)
        rc = refuse(&judge, STR(""), "the metadata is too long");
    if (rc == RC_OK)
        *client = judge.client;
    return rc;
}

enum rc client_metadata_apply(struct str json, bool is_operator, struct arena *arena,
                              struct client *client, struct metadata_problem *out_problem)
{
    return client_metadata_apply_all(&json, 1, is_operator, arena, client, out_problem);
}
