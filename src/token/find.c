#include "store/shared.h"
#include "token/room.h"

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
                             struct live_view *out_view, enum token_inactive *out_why)
{
    struct live_epoch epoch = live_epoch(room->live);
    struct token_record record;
    bool is_expired;
    enum rc rc = read_row(room, claim, &record);

    if (rc == RC_NOT_FOUND)
        *out_why = TOKEN_UNKNOWN;
    if (rc != RC_OK)
        return rc;
    is_expired = record.row.expires_at != 0 && record.row.expires_at <= now;
    if (record.row.is_revoked || is_expired || grant_is_ended(record.grant)) {
        *out_why = is_expired && !record.row.is_revoked ? TOKEN_EXPIRED : TOKEN_REVOKED;
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

/* Whether a token that is tied to a session or to networks is presented as that asks. */
static enum rc check_tie(struct token_room *room, const struct live_grant *grant,
                         const struct token_presented *presented, int64_t now, bool may_block,
                         enum token_inactive *out_why)
{
    if (grant->session != NULL)
        return session_check(room->store, grant, presented, now, may_block, out_why);
    if (grant->permanent == NULL || permanent_admits(grant->permanent, presented->address))
        return RC_OK;
    *out_why = TOKEN_ADDRESS_WRONG;
    return RC_NOT_FOUND;
}

enum rc token_find(struct token_room *room, const struct token_presented *presented, int64_t now,
                   bool may_block, struct token_view *out_view, enum token_inactive *out_why)
{
    struct claim claim;
    struct live_view live;
    enum rc rc = claim_read(&room->codec, presented->value, &claim);

    /* A refresh token is not an access token (IN-05). */
    if (rc != RC_OK || claim.handle.kind == TOKEN_REFRESH) {
        *out_why = TOKEN_UNKNOWN;
        return RC_NOT_FOUND;
    }
    rc = live_find(room->live, claim.handle.id, claim.digest, now, &live, out_why);
    if (rc == RC_WOULD_BLOCK && may_block)
        rc = find_in_store(room, &claim, now, &live, out_why);
    if (rc != RC_OK)
        return rc;
    rc = check_tie(room, live.grant, presented, now, may_block, out_why);
    if (rc != RC_OK) {
        grant_put(room->grants, live.grant);
        return rc;
    }
    out_view->id = claim.handle.id;
    out_view->live = live;
    memcpy(out_view->handle, claim.handle_bytes, TOKEN_HANDLE_BYTES);
    return RC_OK;
}

enum rc token_use(struct token_room *room, const struct token_view *view,
                  const unsigned char *address, int64_t now, bool may_block)
{
    struct live_grant *grant = view->live.grant;

    if (grant->session != NULL)
        return session_use(room->store, grant, now, may_block);
    if (grant->permanent != NULL)
        last_use_note(&room->last_uses, grant, address, now);
    else
        grant_note_use(grant, now);
    return RC_OK;
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
    enum token_inactive why;
    enum rc rc = live_find(room->live, claim->handle.id, claim->digest, 0, &view, &why);

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

    if (claim_read(&room->codec, value, &claim) != RC_OK)
        return RC_NOT_FOUND;
    /* That another process has spent it is in the store alone. */
    if (!(claim.handle.kind == TOKEN_REFRESH && store_is_shared(room->store)) &&
        read_live(room, &claim, out_record) == RC_OK)
        return RC_OK;
    return read_row(room, &claim, out_record);
}
