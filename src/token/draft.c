#include "base/buffer.h"
#include "codec/base64url.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "jose/jose.h"
#include "token/room.h"

enum {
    /* Tokens that outlive this have ids of their own range: they would keep segments of
     * short-lived ones from being dropped. */
    SHORT_LIFETIME_S_MAX = 86400,
    /* Escaping may make six bytes of one. */
    PAYLOAD_BYTES_MAX = TOKEN_VALUE_BYTES_MAX / 2
};

void token_jti_format(const unsigned char handle[static TOKEN_HANDLE_BYTES],
                      char out_text[static TOKEN_JTI_BYTES])
{
    struct buffer text = buffer_over(out_text, TOKEN_JTI_BYTES);

    base64url_encode((struct str){ (const char *)handle, TOKEN_HANDLE_BYTES }, &text);
}

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

/* RFC 9068 2.2: the claims of a JWT access token. */
static void format_claims(const struct token_room *room, const struct live_grant *grant,
                          const struct token *row, struct buffer *to)
{
    unsigned char handle[TOKEN_HANDLE_BYTES];
    char jti[TOKEN_JTI_BYTES];
    struct json_out json = json_out_over(to);

    token_handle_encode(&room->codec, (struct token_handle){ row->id, row->kind }, handle);
    token_jti_format(handle, jti);
    json_begin_object(&json);
    json_member_string(&json, STR("jti"), (struct str){ jti, sizeof(jti) });
    json_member_string(&json, STR("iss"), room->issuer);
    json_member_string(&json, STR("sub"), grant->subject);
    grant_format_audience(grant->audience, room->issuer, &json);
    json_member_string(&json, STR("client_id"), grant->client_name);
    json_member_number(&json, STR("iat"), row->issued_at);
    if (row->expires_at != 0)
        json_member_number(&json, STR("exp"), row->expires_at);
    if (grant->scope.len > 0)
        json_member_string(&json, STR("scope"), grant->scope);
    json_end_object(&json);
}

static enum rc draft_jwt(struct token_room *room, enum signing_alg alg, int64_t now,
                         struct arena *arena, struct token_draft *draft)
{
    struct buffer claims = buffer_over(arena_alloc(arena, PAYLOAD_BYTES_MAX), PAYLOAD_BYTES_MAX);
    struct buffer text =
        buffer_over(arena_alloc(arena, TOKEN_VALUE_BYTES_MAX), TOKEN_VALUE_BYTES_MAX);
    struct ring_key *key;
    enum rc rc = key_ring_find(room->keys, alg, now, &key);

    if (rc != RC_OK)
        return rc;
    draft->row.format = TOKEN_JWT;
    format_claims(room, draft->grant, &draft->row, &claims);
    rc = claims.overflow ? RC_TOO_LARGE
                         : jws_sign(ring_key_signer(key), STR("at+jwt"), ring_key_id(key),
                                    buffer_str(&claims), &text);
    ring_key_put(key);
    if (rc != RC_OK)
        return rc;
    draft->value = buffer_str(&text);
    digest_sha256(draft->value, draft->row.digest);
    return RC_OK;
}

enum rc token_draft_access(struct token_room *room, struct live_grant *grant,
                           struct token_shape shape, int64_t now, struct arena *arena,
                           struct token_draft *out_draft)
{
    struct token_draft draft;
    enum rc rc = draft_row(room, grant, TOKEN_ACCESS, now + shape.lifetime_s, now, &draft);

    if (rc != RC_OK)
        return rc;
    if (shape.format == TOKEN_JWT)
        rc = draft_jwt(room, shape.alg, now, arena, &draft);
    else
        draft_opaque(room, arena, &draft);
    if (rc == RC_OK)
        *out_draft = draft;
    return rc;
}

enum rc token_draft_refresh(struct token_room *room, struct live_grant *grant, int64_t expires_at,
                            int64_t now, struct arena *arena, struct token_draft *out_draft)
{
    struct token_draft draft;
    enum rc rc = draft_row(room, grant, TOKEN_REFRESH, expires_at, now, &draft);

    if (rc != RC_OK)
        return rc;
    draft_opaque(room, arena, &draft);
    *out_draft = draft;
    return RC_OK;
}

void token_enter(struct token_room *room, const struct token_draft *draft, int64_t now)
{
    /* From the commit on others may know the token: a replayed refresh hands it out, the command
     * line lists it. The draft's epoch is from before, so a revocation since then is seen. */
    live_put(room->live, &draft->row, draft->grant, draft->epoch, now);
}
