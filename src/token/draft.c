#include "base/buffer.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "jose/jose.h"
#include "store/shared.h"
#include "token/room.h"

enum {
    /* Tokens that outlive this have ids of their own range: they would keep segments of
     * short-lived ones from being dropped. */
    SHORT_LIFETIME_S_MAX = 86400,
    /* Escaping may make six bytes of one. */
    PAYLOAD_BYTES_MAX = TOKEN_VALUE_BYTES_MAX / 4 * 3
};

/* Draws an id and fills the draft's common part. */
static enum rc draft_row(struct token_room *room, struct live_grant *grant, enum token_kind kind,
                         int64_t expires_at, int64_t now, struct token_draft *out_draft)
{
    struct token_draft draft = { .grant = grant, .epoch = live_epoch(room->live) };
    bool is_short;
    enum rc rc;

    /* No token outlives the record of its grant. */
    if (grant->expires_at != 0 && (expires_at == 0 || expires_at > grant->expires_at))
        expires_at = grant->expires_at;
    is_short = kind == TOKEN_ACCESS && expires_at != 0 && expires_at - now <= SHORT_LIFETIME_S_MAX;
    draft.row = (struct token){ .grant_id = grant->id,
                                .kind = kind,
                                .format = TOKEN_OPAQUE,
                                .issued_at = now,
                                .expires_at = expires_at };
    rc = store_next_id(room->store, is_short ? SEQUENCE_TOKEN : SEQUENCE_LONG_TOKEN, &draft.row.id);
    if (rc == RC_OK)
        *out_draft = draft;
    return rc;
}

/* Gives the row an opaque value and the digest of its secret. */
static void draft_opaque(struct token_room *room, struct arena *arena, struct token_draft *draft)
{
    unsigned char secret[TOKEN_SECRET_BYTES];
    struct buffer text =
        buffer_over(arena_alloc(arena, TOKEN_TEXT_BYTES_MAX), TOKEN_TEXT_BYTES_MAX);
    struct token_handle handle = { draft->row.id, draft->row.kind };

    random_bytes(secret, sizeof(secret));
    token_value_format(&room->codec, handle, secret, &text);
    digest_sha256((struct str){ (const char *)secret, sizeof(secret) }, draft->row.digest);
    explicit_bzero(secret, sizeof(secret));
    draft->value = buffer_str(&text);
}

/* The draft's handle, and its jti in the form of its format. */
static void name_draft(struct token_room *room, struct arena *arena, struct token_draft *draft,
                       unsigned char out_handle[static TOKEN_HANDLE_BYTES])
{
    char *text = arena_alloc(arena, TOKEN_JTI_BYTES_MAX);

    token_handle_encode(&room->codec, (struct token_handle){ draft->row.id, draft->row.kind },
                        out_handle);
    draft->jti = token_jti_format(out_handle, draft->row.format, text);
}

/* RFC 9068 2.2: the claims of a JWT access token. */
static void format_jwt_claims(const struct token_room *room, const struct token_draft *draft,
                              struct json_out *json)
{
    const struct live_grant *grant = draft->grant;

    json_member_string(json, STR("jti"), draft->jti);
    json_member_string(json, STR("iss"), room->issuer);
    json_member_string(json, STR("sub"), grant->subject);
    grant_format_audience(grant->audience, room->issuer, json);
    json_member_string(json, STR("client_id"), grant->client_name);
    json_member_number(json, STR("iat"), draft->row.issued_at);
    if (draft->row.expires_at != 0)
        json_member_number(json, STR("exp"), draft->row.expires_at);
    if (grant->scope.len > 0)
        json_member_string(json, STR("scope"), grant->scope);
    buffer_append_str(json->to, grant->claims);
}

/* What Spring Security OAuth up to 2.4.0 writes, and 3DM's three members; contracts 3.3. Only what
 * a user authenticated has a user_name. */
static void format_spring_claims(const struct token_draft *draft, const struct account *account,
                                 struct json_out *json)
{
    const struct live_grant *grant = draft->grant;
    bool is_admin = account != NULL && account->is_admin;

    json_member_string(json, STR("jti"), draft->jti);
    if (grant->username.len > 0)
        json_member_string(json, STR("user_name"), grant->username);
    json_member_words(json, STR("scope"), grant->scope);
    if (draft->row.expires_at != 0)
        json_member_number(json, STR("exp"), draft->row.expires_at);
    if (grant->account_id == 0)
        json_member_words(json, STR("authorities"), STR("ROLE_CLIENT"));
    else
        json_member_words(json, STR("authorities"),
                          is_admin ? STR("ROLE_USER ROLE_ADMIN") : STR("ROLE_USER"));
    json_member_string(json, STR("client_id"), grant->client_name);
    if (grant->audience.len > 0)
        json_member_words(json, STR("aud"), grant->audience);
    if (account == NULL)
        return;
    json_member_number(json, STR("userid"), account->id);
    json_member_string(json, STR("fullname"), account->full_name);
    json_member_string(json, STR("username"), account->name);
}

/* What Spectrum's tokens hold is unknown outside of it; contracts 1.6 proposes these. */
static void format_jwe_claims(const struct token_draft *draft, struct str session_id,
                              struct json_out *json)
{
    const struct live_grant *grant = draft->grant;

    if (grant->username.len > 0)
        json_member_string(json, STR("username"), grant->username);
    json_member_string(json, STR("jti"), draft->jti);
    json_member_string(json, STR("sub"), grant->subject);
    json_member_number(json, STR("iat"), draft->row.issued_at);
    if (draft->row.expires_at != 0)
        json_member_number(json, STR("exp"), draft->row.expires_at);
    if (session_id.len > 0)
        json_member_string(json, STR("sid"), session_id);
}

enum rc token_sign(struct token_room *room, enum signing_alg alg, struct str typ, struct str claims,
                   int64_t now, struct buffer *out_jwt)
{
    struct ring_key *key;
    enum rc rc = key_ring_find(room->keys, alg, now, &key);

    if (rc != RC_OK)
        return rc;
    rc = jws_sign(ring_key_signer(key), typ, ring_key_id(key), claims, out_jwt);
    ring_key_put(key);
    return rc;
}

enum rc token_verify_own(struct token_room *room, struct str jwt, int64_t now, struct arena *arena,
                         struct jws *out_jws)
{
    struct ring_key *key;
    struct jws jws;
    enum rc rc = jws_parse(jwt, arena, &jws);

    if (rc == RC_INVALID)
        return RC_NOT_FOUND;
    if (rc == RC_OK)
        rc = key_ring_find_by_id(room->keys, jws.kid, now, &key);
    if (rc != RC_OK)
        return rc;
    /* The algorithm is the key's own (RFC 8725 3.1). */
    rc = jws_verify(&jws, ring_key_public(key));
    ring_key_put(key);
    if (rc == RC_REFUSED)
        return RC_NOT_FOUND;
    if (rc == RC_OK)
        *out_jws = jws;
    return rc;
}

static enum rc sign_claims(struct token_room *room, const struct token_shape *shape, int64_t now,
                           struct str claims, struct buffer *out_text)
{
    struct ring_key *key;
    enum rc rc;

    if (shape->format != TOKEN_SPRING_JWT) /* RFC 9068 2.1 */
        return token_sign(room, shape->alg, STR("at+jwt"), claims, now, out_text);
    rc = key_ring_find(room->keys, ALG_RS256, now, &key);
    if (rc != RC_OK)
        return rc;
    /* Spring's header has no kid. */
    rc = jws_sign(ring_key_signer(key), STR("JWT"), STR(""), claims, out_text);
    ring_key_put(key);
    return rc;
}

/* Gives the row a text that holds its claims, and the digest of the whole of it. */
static enum rc draft_compact(struct token_room *room, const struct token_shape *shape, int64_t now,
                             const unsigned char handle[static TOKEN_HANDLE_BYTES],
                             struct arena *arena, struct token_draft *draft)
{
    struct buffer claims = buffer_over(arena_alloc(arena, PAYLOAD_BYTES_MAX), PAYLOAD_BYTES_MAX);
    struct buffer text =
        buffer_over(arena_alloc(arena, TOKEN_VALUE_BYTES_MAX), TOKEN_VALUE_BYTES_MAX);
    struct json_out json = json_out_over(&claims);
    enum rc rc;

    json_begin_object(&json);
    if (shape->format == TOKEN_JWE)
        format_jwe_claims(draft, shape->session_id, &json);
    else if (shape->format == TOKEN_SPRING_JWT)
        format_spring_claims(draft, shape->account, &json);
    else
        format_jwt_claims(room, draft, &json);
    json_end_object(&json);
    if (claims.overflow)
        return RC_TOO_LARGE;
    /* The handle is a block that a cipher under a secret key made of a number that never comes
     * twice: nobody foresees it, and it never repeats (NIST SP 800-38A appendix C). */
    if (shape->format == TOKEN_JWE)
        rc = jwe_encrypt_direct(room->jwe_key, handle, buffer_str(&claims), &text);
    else
        rc = sign_claims(room, shape, now, buffer_str(&claims), &text);
    if (rc != RC_OK)
        return rc;
    draft->value = buffer_str(&text);
    digest_sha256(draft->value, draft->row.digest);
    return RC_OK;
}

static enum rc draft_shaped(struct token_room *room, struct live_grant *grant, enum token_kind kind,
                            struct token_shape shape, int64_t now, struct arena *arena,
                            struct token_draft *out_draft)
{
    int64_t expires_at = shape.lifetime_s == 0 ? 0 : now + shape.lifetime_s;
    unsigned char handle[TOKEN_HANDLE_BYTES];
    struct token_draft draft;
    enum rc rc = draft_row(room, grant, kind, expires_at, now, &draft);

    if (rc != RC_OK)
        return rc;
    draft.row.format = shape.format;
    name_draft(room, arena, &draft, handle);
    if (shape.format == TOKEN_OPAQUE)
        draft_opaque(room, arena, &draft);
    else
        rc = draft_compact(room, &shape, now, handle, arena, &draft);
    if (rc == RC_OK)
        *out_draft = draft;
    return rc;
}

enum rc token_draft_access(struct token_room *room, struct live_grant *grant,
                           struct token_shape shape, int64_t now, struct arena *arena,
                           struct token_draft *out_draft)
{
    return draft_shaped(room, grant, TOKEN_ACCESS, shape, now, arena, out_draft);
}

enum rc token_draft_permanent(struct token_room *room, struct live_grant *grant,
                              struct token_shape shape, int64_t now, struct arena *arena,
                              struct token_draft *out_draft)
{
    ASSERT(grant->permanent != NULL);
    return draft_shaped(room, grant, TOKEN_PERMANENT, shape, now, arena, out_draft);
}

enum rc token_draft_refresh(struct token_room *room, struct live_grant *grant, int64_t expires_at,
                            int64_t now, struct arena *arena, struct token_draft *out_draft)
{
    unsigned char handle[TOKEN_HANDLE_BYTES];
    struct token_draft draft;
    enum rc rc = draft_row(room, grant, TOKEN_REFRESH, expires_at, now, &draft);

    if (rc != RC_OK)
        return rc;
    name_draft(room, arena, &draft, handle);
    draft_opaque(room, arena, &draft);
    *out_draft = draft;
    return RC_OK;
}

void token_enter(struct token_room *room, const struct token_draft *draft, int64_t now)
{
    /* token_read will not look for it. */
    if (draft->row.kind == TOKEN_REFRESH && store_is_shared(room->store))
        return;
    /* From the commit on others may know the token: a replayed refresh hands it out, the command
     * line lists it, another node is asked about it. The draft's epoch is from before, so a
     * revocation since then is seen. */
    live_put(room->live, &draft->row, draft->grant, draft->epoch, now);
}
