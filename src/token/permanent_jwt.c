#include "token/room.h"

enum {
    PAGE_ROW_COUNT = 8,
    /* Their names, scopes and addresses. */
    PAGE_ARENA_BYTES = PAGE_ROW_COUNT * (SCOPE_BYTES_MAX + 4096)
};

/* What a living JWT has to be, for a key to be needed. */
struct period {
    int64_t from;
    int64_t until;
    int64_t now;
};

static enum rc look_at(struct store *store, const struct permanent *row,
                       const struct period *period, bool *out_lives)
{
    struct token token;
    enum rc rc;

    if (row->created_at < period->from || row->created_at > period->until || row->revoked_at != 0 ||
        (row->expires_at != 0 && row->expires_at <= period->now))
        return RC_OK;
    rc = store_find_token(store, row->token_id, &token);
    if (rc == RC_OK)
        *out_lives = token.format == TOKEN_JWT;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

enum rc permanent_jwt_lives(struct store *store, int64_t issued_from, int64_t issued_until,
                            int64_t now, bool *out_lives)
{
    const struct period period = { issued_from, issued_until, now };
    struct permanent rows[PAGE_ROW_COUNT];
    int64_t before_id = INT64_MAX;
    bool lives = false;
    struct arena arena;
    size_t count;
    enum rc rc;

    arena_init(&arena, PAGE_ARENA_BYTES);
    do {
        count = 0;
        arena_reset(&arena);
        rc = store_list_permanents(store, 0, before_id, &arena, rows, PAGE_ROW_COUNT, &count);
        for (size_t i = 0; rc == RC_OK && i < count && !lives; i++) {
            rc = look_at(store, &rows[i], &period, &lives);
            before_id = rows[i].id;
        }
    } while (rc == RC_OK && count > 0 && !lives);
    arena_deinit(&arena);
    if (rc == RC_OK)
        *out_lives = lives;
    return rc;
}
