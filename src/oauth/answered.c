#include "oauth/answered.h"

#include "crypto/digest.h"
#include "crypto/seal.h"

/* What an answer is sealed for: its row, so that none stands in for another's. */
static struct str seal_name(const struct answered_desk *desk, int64_t id)
{
    return arena_format(desk->arena, "answered %lld", (long long)id);
}

/* Whose key it is comes first, with its length, so that no two pairs are written alike. */
static void digest_key(const struct answered_desk *desk, const struct answered_request *request,
                       unsigned char out_digest[static DIGEST_BYTES])
{
    struct str text = arena_format(desk->arena, "%zu %.*s %.*s", request->caller.len,
                                   STR_ARGS(request->caller), STR_ARGS(request->key));

    digest_sha256(text, out_digest);
}

/* A request may hold a password, which nobody who has the store alone is to try words on. */
static void digest_request(const struct answered_desk *desk, const struct answered_request *request,
                           unsigned char out_digest[static DIGEST_BYTES])
{
    struct hmac_key *key = hmac_key_new(desk->seal_key);

    hmac_sha256(key, STR("answered request"),
                (struct str){ (const char *)request->request, DIGEST_BYTES }, out_digest);
    hmac_key_free(key);
}

static enum rc open_answer(const struct answered_desk *desk, const struct answered *found,
                           struct answered_answer *out_answer)
{
    struct buffer plain =
        buffer_over(arena_alloc(desk->arena, found->sealed.len + 1), found->sealed.len + 1);

    if (unseal(desk->seal_key, seal_name(desk, found->id), found->sealed, &plain) != RC_OK)
        return RC_CORRUPT;
    *out_answer = (struct answered_answer){ found->status, buffer_str(&plain) };
    return RC_EXISTS;
}

enum rc answered_begin(const struct answered_desk *desk, const struct answered_request *request,
                       int64_t *out_id, struct answered_answer *out_answer)
{
    struct answered row = { .until = desk->now + ANSWERED_S };
    struct answered found;
    UNINITIALIZED struct store_unit unit;
    enum rc rc = store_next_id(desk->store, SEQUENCE_NOUN, &row.id);

    if (rc != RC_OK)
        return rc == RC_BUSY ? RC_UNAVAILABLE : rc;
    digest_key(desk, request, row.digest);
    digest_request(desk, request, row.request);
    store_unit_init(&unit);
    store_insert_answered(&unit, &row, desk->now);
    rc = store_commit(desk->store, &unit);
    if (rc == RC_OK)
        *out_id = row.id;
    if (rc != RC_EXISTS)
        return rc == RC_BUSY ? RC_UNAVAILABLE : rc;
    rc = store_find_answered(desk->store, row.digest, desk->now, desk->arena, &found);
    if (rc == RC_NOT_FOUND) /* it was forgotten just now */
        return RC_BUSY;
    if (rc != RC_OK)
        return rc == RC_BUSY ? RC_UNAVAILABLE : rc;
    if (!secret_bytes_equal(found.request, row.request, DIGEST_BYTES))
        return RC_SPENT;
    return found.status == 0 ? RC_BUSY : open_answer(desk, &found, out_answer);
}

enum rc answered_finish(const struct answered_desk *desk, int64_t id,
                        const struct answered_answer *answer)
{
    size_t sealed_bytes = answer->text.len + SEAL_OVERHEAD_BYTES;
    struct buffer sealed = buffer_over(arena_alloc(desk->arena, sealed_bytes), sealed_bytes);
    struct answered row = { .id = id, .status = answer->status };
    UNINITIALIZED struct store_unit unit;

    ASSERT(seal(desk->seal_key, seal_name(desk, id), answer->text, &sealed) == RC_OK);
    row.sealed = buffer_str(&sealed);
    store_unit_init(&unit);
    store_finish_answered(&unit, &row);
    return store_commit(desk->store, &unit);
}

enum rc answered_forget(const struct answered_desk *desk, int64_t id)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_delete_answered(&unit, id);
    return store_commit(desk->store, &unit);
}
