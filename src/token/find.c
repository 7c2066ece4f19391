#include "codec/base64url.h"
#include "crypto/digest.h"
#include "token/room.h"

/* A presented value, taken apart: which token it claims to be, and the digest that must match. */
struct claim {
    struct token_handle handle;
    unsigned char handle_bytes[TOKEN_HANDLE_BYTES];
    unsigned char digest[DIGEST_BYTES];
};

enum {
    /* The payload's first 32 characters hold its first 24 bytes; jti ends at 8 + 22 = 30. */
    JTI_SPAN_CHARS = 40,
    JTI_SPAN_BYTES = 30
};

static enum rc read_opaque(const struct token_room *room, struct str value, struct claim *out_claim)
{
    unsigned char secret[TOKEN_SECRET_BYTES];
    enum rc rc = token_value_parse(&room->codec, value, &out_claim->handle, secret);

    if (rc != RC_OK)
        return rc;
    token_handle_encode(&room->codec, out_claim->handle, out_claim->handle_bytes);
    digest_sha256((struct str){ (const char *)secret, sizeof(secret) }, out_claim->digest);
    explicit_bzero(secret, sizeof(secret));
    return RC_OK;
}

/*
 * A JWT of ours is known by its jti and by the digest of the whole text. That is stricter than
 * checking its signature: one changed bit, or another key's signature, and the digest differs.
 */
static enum rc read_jwt(const struct token_room *room, struct str value, size_t payload_start,
                        struct claim *out_claim)
{
    char bytes[JTI_SPAN_BYTES];
    struct buffer start = buffer_over(bytes, sizeof(bytes));
    struct buffer handle = buffer_over(out_claim->handle_bytes, TOKEN_HANDLE_BYTES);
    size_t prefix = sizeof(JWT_PAYLOAD_START) - 1;
    enum rc rc;

    /* We make none that is longer: no need to hash what anybody sends. */
    if (value.len > TOKEN_VALUE_BYTES_MAX || value.len - payload_start < JTI_SPAN_CHARS)
        return RC_INVALID;
    rc = base64url_decode((struct str){ value.at + payload_start, JTI_SPAN_CHARS }, &start);
    if (rc != RC_OK || memcmp(bytes, JWT_PAYLOAD_START, prefix) != 0)
        return RC_INVALID;
    rc = base64url_decode((struct str){ bytes + prefix, TOKEN_JTI_BYTES }, &handle);
    if (rc == RC_OK)
        rc = token_handle_decode(&room->codec, out_claim->handle_bytes, &out_claim->handle);
    if (rc == RC_OK)
        digest_sha256(value, out_claim->digest);
    return rc;
}

static enum rc read_claim(const struct token_room *room, struct str value, struct claim *out_claim)
{
    size_t dot = str_index_of(value, '.');

    return dot == value.len ? read_opaque(room, value, out_claim)
                            : read_jwt(room, value, dot + 1, out_claim);
}

/* The row of a claim, if the claim is proven; with its grant held. */
static enum rc read_row(struct token_room *room, const struct claim *claim,
                        struct token_record *out_record)
{
    struct token row;
    enum rc rc = store_find_token(room->store, claim->handle.id, &row);

    if (rc != RC_OK)
        return rc;
    if (row.kind != claim->handle.kind ||
        !secret_bytes_equal(row.digest, claim->digest, DIGEST_BYTES))
        return RC_NOT_FOUND;
    rc = grant_find(room->grants, row.grant_id, true, &out_record->grant);
    if (rc == RC_OK)
        out_record->row = row;
    return rc;
}

/* Asks the store about a token that the table does not know, and lets the table know it. */
static enum rc find_in_store(struct token_room *room, const struct claim *claim, int64_t now,
                             struct live_view *out_view)
{
    struct live_epoch epoch = live_epoch(room->live);
    struct token_record record;
    enum rc rc = read_row(room, claim, &record);

    if (rc != RC_OK)
        return rc;
    if (record.row.is_revoked || grant_is_ended(record.grant) ||
        (record.row.expires_at != 0 && record.row.expires_at <= now)) {
        grant_put(room->grants, record.grant);
        return RC_NOT_FOUND;
    }
    live_put(room->live, &record.row, record.grant, epoch, now);
    *out_view = (struct live_view){ .grant = record.grant,
                                    .issued_at = record.row.issued_at,
                                    .expires_at = record.row.expires_at,
                                    .kind = record.row.kind,
                                    .format = record.row.format };
    return RC_OK;
}

enum rc token_find(struct token_room *room, struct str value, int64_t now, bool may_block,
                   struct token_view *out_view)
{
    struct claim claim;
    enum rc rc = read_claim(room, value, &claim);

    /* A refresh token is not an access token (IN-05). */
    if (rc != RC_OK || claim.handle.kind == TOKEN_REFRESH)
        return RC_NOT_FOUND;
    rc = live_find(room->live, claim.handle.id, claim.digest, now, &out_view->live);
    if (rc == RC_WOULD_BLOCK && may_block)
        rc = find_in_store(room, &claim, now, &out_view->live);
    if (rc == RC_OK) {
        out_view->id = claim.handle.id;
        memcpy(out_view->handle, claim.handle_bytes, TOKEN_HANDLE_BYTES);
    }
    return rc;
}

void token_view_put(struct token_room *room, struct token_view *view)
{
    grant_put(room->grants, view->live.grant);
}

/* The row of a claim as the table knows it: neither revoked nor spent. */
static enum rc read_live(struct token_room *room, const struct claim *claim,
                         struct token_record *out_record)
{
    struct live_view view;
    enum rc rc = live_find(room->live, claim->handle.id, claim->digest, 0, &view);

    if (rc != RC_OK)
        return rc;
    out_record->grant = view.grant;
    out_record->row = (struct token){ .id = claim->handle.id,
                                      .grant_id = view.grant->id,
                                      .kind = view.kind,
                                      .format = view.format,
                                      .issued_at = view.issued_at,
                                      .expires_at = view.expires_at };
    memcpy(out_record->row.digest, claim->digest, DIGEST_BYTES);
    return RC_OK;
}

enum rc token_read(struct token_room *room, struct str value, struct token_record *out_record)
{
    struct claim claim;

    if (read_claim(room, value, &claim) != RC_OK)
        return RC_NOT_FOUND;
    if (read_live(room, &claim, out_record) == RC_OK)
        return RC_OK;
    return read_row(room, &claim, out_record);
}

enum rc token_jti_parse(struct token_room *room, struct str text, struct token_handle *out_handle)
{
    unsigned char handle[TOKEN_HANDLE_BYTES];
    struct buffer bytes = buffer_over(handle, sizeof(handle));
    enum rc rc = text.len == TOKEN_JTI_BYTES ? base64url_decode(text, &bytes) : RC_INVALID;

    return rc == RC_OK ? token_handle_decode(&room->codec, handle, out_handle) : rc;
}
