#include "codec/base64url.h"
#include "token/room.h"

enum {
    /* Escaping may make six bytes of one: scope, audience, three names and the issuer; then the
     * quotes and commas of the audience's words, and the member names. */
    INTROSPECTION_BYTES_MAX =
        6 * (2 * SCOPE_BYTES_MAX + 3 * CLIENT_ID_BYTES_MAX + TOKEN_ISSUER_BYTES_MAX) +
        3 * SCOPE_WORD_COUNT_MAX + 256
};

_Static_assert((int)ACCOUNT_NAME_BYTES_MAX <= (int)CLIENT_ID_BYTES_MAX, "a name is no longer");
_Static_assert((int)TOKEN_ISSUER_BYTES_MAX <= (int)SCOPE_BYTES_MAX, "nor is such an audience");

static void format_binding(const struct binding *binding, struct json_out *json)
{
    char memory[BASE64URL_TEXT_BYTES(DIGEST_BYTES)];
    struct buffer text = buffer_over(memory, sizeof(memory));

    base64url_encode((struct str){ (const char *)binding->thumbprint, DIGEST_BYTES }, &text);
    json_name(json, STR("cnf")); /* RFC 7800 3.1 */
    json_begin_object(json);
    json_member_string(json, binding_kind_format(binding->kind), buffer_str(&text));
    json_end_object(json);
}

static void format_value(struct str name, struct str value, struct json_out *json)
{
    if (value.len == 0)
        return;
    json_name(json, name);
    json_raw(json, value);
}

/* What the authorization adds to the claims of the grant's tokens. */
static void format_claims(const struct grant *row, const struct authorization *authorization,
                          struct buffer *out_members)
{
    struct json_out json = { .to = out_members, .needs_comma = true };

    if (row->binding.kind != BINDING_NONE)
        format_binding(&row->binding, &json);
    if (authorization == NULL)
        return;
    format_value(STR("act"), authorization->actor, &json); /* RFC 8693 4.1 */
    if (authorization->auth_time != 0)                     /* RFC 9068 2.2.1; RFC 9470 6.2 */
        json_member_number(&json, STR("auth_time"), authorization->auth_time);
    if (authorization->acr.len > 0)
        json_member_string(&json, STR("acr"), authorization->acr);
    format_value(STR("authorization_details"), authorization->details, &json); /* RFC 9396 9 */
}

/* RFC 7519 4.1.3: one audience is a string, several are an array. */
void grant_format_audience(struct str audience, struct str issuer, struct json_out *json)
{
    if (audience.len == 0)
        json_member_string(json, STR("aud"), issuer);
    else if (str_index_of(audience, ' ') == audience.len)
        json_member_string(json, STR("aud"), audience);
    else
        json_member_words(json, STR("aud"), audience);
}

static void format_introspection(struct str issuer, const struct grant *row,
                                 const struct grant_texts *texts, bool tells_name,
                                 struct buffer *to)
{
    struct json_out json = { .to = to, .needs_comma = true };
    bool is_dpop = row->binding.kind == BINDING_DPOP; /* RFC 9449 6.2 */

    if (row->scope.len > 0)
        json_member_string(&json, STR("scope"), row->scope);
    json_member_string(&json, STR("client_id"), texts->client);
    if (texts->username.len > 0 && tells_name)
        json_member_string(&json, STR("username"), texts->username);
    json_member_string(&json, STR("token_type"), is_dpop ? STR("DPoP") : STR("Bearer"));
    json_member_string(&json, STR("sub"), texts->subject);
    grant_format_audience(row->audience, issuer, &json);
    json_member_string(&json, STR("iss"), issuer);
}

static enum rc find_client(const struct grant_texts_source *source, int64_t client_id,
                           struct arena *arena, struct str *out_name)
{
    struct catalog_client *client;
    enum rc rc = catalog_find_client_by_id(source->catalog, client_id, true, &client);

    if (rc != RC_OK)
        return rc;
    *out_name = arena_copy(arena, client->client.client_id);
    catalog_client_put(client);
    return RC_OK;
}

/* Who the tokens speak of. */
static enum rc find_names(const struct grant_texts_source *source, const struct grant *row,
                          struct arena *arena, struct grant_texts *texts)
{
    struct account account;
    enum rc rc = find_client(source, row->client_id, arena, &texts->client);

    if (rc != RC_OK)
        return rc;
    texts->subject = texts->client;
    if (row->account_id == 0)
        return RC_OK;
    rc = store_find_account(source->store, row->account_id, arena, &account);
    if (rc != RC_OK)
        return rc;
    texts->username = account.name;
    /* No client_id begins with "account:", so the two kinds of subject never meet (9700 4.15). */
    texts->subject = arena_format(arena, "account:%lld", (long long)account.id);
    return RC_OK;
}

enum rc grant_texts_make(const struct grant_texts_source *source, const struct grant *row,
                         const struct authorization *authorization, struct arena *arena,
                         struct grant_texts *out_texts)
{
    struct buffer claims =
        buffer_over(arena_alloc(arena, TOKEN_CLAIMS_BYTES_MAX), TOKEN_CLAIMS_BYTES_MAX);
    struct buffer introspection =
        buffer_over(arena_alloc(arena, INTROSPECTION_BYTES_MAX), INTROSPECTION_BYTES_MAX);
    struct grant_texts texts = { .username = STR("") };
    bool is_pairwise =
        row->account_id != 0 && authorization != NULL && authorization->subject.len > 0;
    enum rc rc = find_names(source, row, arena, &texts);

    if (rc != RC_OK)
        return rc;
    if (is_pairwise) /* OpenID Connect Core 8.1 */
        texts.subject = authorization->subject;
    /* Whoever is to know an account by such a subject is not told its name. */
    format_introspection(source->issuer, row, &texts, !is_pairwise, &introspection);
    ASSERT(!introspection.overflow);
    format_claims(row, authorization, &claims);
    if (claims.overflow)
        return RC_TOO_LARGE;
    texts.introspection = buffer_str(&introspection);
    texts.claims = buffer_str(&claims);
    *out_texts = texts;
    return RC_OK;
}
