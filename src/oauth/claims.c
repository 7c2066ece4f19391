#include "codec/json.h"
#include "oauth/authorization_parts.h"
#include "oauth/id_token.h"

/* ---- what is told of a person ---------------------------------------------------------------- */

/* A claim of ours, the scope word that asks for it, and how it is written. */
struct account_claim {
    struct str name;
    struct str scope;
    bool (*has)(const struct account *account);
    void (*format)(const struct account *account, struct str name, struct json_out *json);
};

static bool has_full_name(const struct account *account)
{
    return account->full_name.len > 0;
}

static bool has_name(const struct account *account)
{
    return account->name.len > 0;
}

static bool has_email(const struct account *account)
{
    return account->email.len > 0;
}

static void format_full_name(const struct account *account, struct str name, struct json_out *json)
{
    json_member_string(json, name, account->full_name);
}

static void format_name(const struct account *account, struct str name, struct json_out *json)
{
    json_member_string(json, name, account->name);
}

static void format_email(const struct account *account, struct str name, struct json_out *json)
{
    json_member_string(json, name, account->email);
}

static void format_verified(const struct account *account, struct str name, struct json_out *json)
{
    json_member_bool(json, name, account->email_verified_at != 0);
}

/* OpenID Connect Core 5.1, 5.4: what we know of. */
static const struct account_claim account_claims[] = {
    { { "name", 4 }, { "profile", 7 }, has_full_name, format_full_name },
    { { "preferred_username", 18 }, { "profile", 7 }, has_name, format_name },
    { { "email", 5 }, { "email", 5 }, has_email, format_email },
    { { "email_verified", 14 }, { "email", 5 }, has_email, format_verified },
};

void claims_format(const struct account *account, struct str scope, struct str claims,
                   enum claims_place place, struct arena *arena, struct json_out *json)
{
    struct json_document *document = NULL;
    const struct json_value *asked = NULL;

    (void)arena;
    /* It was checked when it came; what cannot be read now asks for nothing. */
    if (claims.len > 0 && json_parse(claims, &document) == RC_OK)
        asked = json_find(json_root(document),
                          place == CLAIMS_ID_TOKEN ? STR("id_token") : STR("userinfo"));
    for (size_t i = 0; i < sizeof(account_claims) / sizeof(account_claims[0]); i++) {
        const struct account_claim *claim = &account_claims[i];
        /* Core 5.4: as there is an access token, scope is about userinfo. */
        bool is_asked = json_find(asked, claim->name) != NULL ||
                        (place == CLAIMS_USERINFO && str_has_word(scope, claim->scope));

        if (is_asked && claim->has(account))
            claim->format(account, claim->name, json);
    }
    json_document_free(document);
}

/* ---- the parameter claims -------------------------------------------------------------------- */

enum {
    CLAIMS_WORDS_BYTES_MAX = 16, /* " profile email" */
    CLAIMS_KEPT_BYTES_MAX = 256  /* each of ours at both places */
};

static enum rc refuse(struct oauth_call *call)
{
    return oauth_refuse(call, OAUTH_INVALID_REQUEST, "the parameter claims is malformed", NULL);
}

/* Core 5.5.1: null, or an object with essential, value and values. */
static bool is_sound_claim(const struct json_value *claim)
{
    const struct json_value *essential = json_find(claim, STR("essential"));
    const struct json_value *values = json_find(claim, STR("values"));
    bool flag;

    if (json_is_null(claim))
        return true;
    return json_is_object(claim) &&
           (essential == NULL || json_get_bool(essential, &flag) == RC_OK) &&
           (values == NULL || json_is_array(values));
}

static bool are_sound_claims(const struct json_value *place)
{
    struct str name;

    if (place == NULL)
        return true;
    for (size_t i = 0; i < json_count(place); i++)
        if (!is_sound_claim(json_member(place, i, &name)))
            return false;
    return json_is_object(place);
}

/* value and values as words; what is no string, or no word, asks for nothing that we have. */
static struct str join_values(const struct json_value *claim, struct arena *arena)
{
    struct buffer words = buffer_over(arena_alloc(arena, CLAIMS_BYTES_MAX), CLAIMS_BYTES_MAX);
    const struct json_value *values = json_find(claim, STR("values"));
    struct str word;

    if (json_get_string(json_find(claim, STR("value")), &word) == RC_OK)
        buffer_append_str(&words, word);
    for (size_t i = 0; i < json_count(values); i++) {
        if (json_get_string(json_item(values, i), &word) != RC_OK)
            continue;
        if (words.len > 0)
            buffer_append_byte(&words, ' ');
        buffer_append_str(&words, word);
    }
    return buffer_str(&words);
}

/* Core 5.5.1.1. */
static void read_acr(struct oauth_call *call, const struct json_value *acr,
                     struct authorization_request *request)
{
    struct str values = join_values(acr, call->arena);
    bool is_essential = false;

    if (json_get_bool(json_find(acr, STR("essential")), &is_essential) != RC_OK)
        is_essential = false;
    if (values.len == 0)
        return;
    request->acr_values = values;
    request->is_acr_essential = is_essential;
}

/* What a place asks for that may be told, by name; its scope words join those to be allowed. */
static void keep_place(const struct json_value *asked, struct str scope, struct buffer *words,
                       struct json_out *json)
{
    json_begin_object(json);
    for (size_t i = 0; i < sizeof(account_claims) / sizeof(account_claims[0]); i++) {
        const struct account_claim *claim = &account_claims[i];

        if (json_find(asked, claim->name) == NULL || !str_has_word(scope, claim->scope))
            continue;
        json_name(json, claim->name);
        json_raw(json, STR("null"));
        if (str_has_word(buffer_str(words), claim->scope))
            continue;
        if (words->len > 0)
            buffer_append_byte(words, ' ');
        buffer_append_str(words, claim->scope);
    }
    json_end_object(json);
}

static void keep_claims(struct oauth_call *call, const struct json_value *root,
                        struct authorization_request *request)
{
    const struct str registered = request->client->client.scope;
    size_t words_bytes_max = request->consent_scope.len + CLAIMS_WORDS_BYTES_MAX;
    struct buffer words = buffer_over(arena_alloc(call->arena, words_bytes_max), words_bytes_max);
    struct buffer kept =
        buffer_over(arena_alloc(call->arena, CLAIMS_KEPT_BYTES_MAX), CLAIMS_KEPT_BYTES_MAX);
    struct json_out json = json_out_over(&kept);

    buffer_append_str(&words, request->consent_scope);
    json_begin_object(&json);
    json_name(&json, STR("userinfo"));
    keep_place(json_find(root, STR("userinfo")), registered, &words, &json);
    json_name(&json, STR("id_token"));
    keep_place(json_find(root, STR("id_token")), registered, &words, &json);
    json_end_object(&json);
    request->claims = buffer_str(&kept);
    request->consent_scope = buffer_str(&words);
}

static enum rc read_members(struct oauth_call *call, const struct json_value *root,
                            struct authorization_request *request)
{
    const struct json_value *id_token = json_find(root, STR("id_token"));
    struct str subject;

    if (!json_is_object(root) || !are_sound_claims(id_token) ||
        !are_sound_claims(json_find(root, STR("userinfo"))))
        return refuse(call);
    read_acr(call, json_find(id_token, STR("acr")), request);
    /* Core 5.5.1: nobody else's ID token may be the answer. */
    if (json_get_string(json_find(json_find(id_token, STR("sub")), STR("value")), &subject) ==
        RC_OK)
        request->hinted_subject = arena_copy(call->arena, subject);
    keep_claims(call, root, request);
    return RC_OK;
}

enum rc claims_read(struct oauth_call *call, struct str text, struct authorization_request *request)
{
    struct json_document *document;
    enum rc rc;

    if (text.len > CLAIMS_BYTES_MAX)
        return refuse(call);
    rc = json_parse(text, &document);
    if (rc == RC_INVALID)
        return refuse(call);
    if (rc != RC_OK)
        return rc;
    rc = read_members(call, json_root(document), request);
    json_document_free(document);
    return rc;
}
