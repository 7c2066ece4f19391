#include "token/room.h"

enum {
    SAVE_PART = 30, /* of the idle time */
    SAVE_AFTER_S_MIN = 1,
    SAVE_AFTER_S_MAX = 60,
    ADDRESS_BITS = 128,
    SESSION_ARENA_BYTES = 4096
};

_Static_assert((int)DEVICE_BYTES_MAX < (int)SESSION_ARENA_BYTES / 2, "a session's row fits");

/* A narrowed grant has the session of its parent. */
static int64_t session_id_of(const struct live_grant *grant)
{
    bool is_of_parent = grant->parent != NULL && grant->parent->session == grant->session;

    return is_of_parent ? grant->parent->id : grant->id;
}

static bool is_session(const struct live_session *session, struct str presented)
{
    unsigned char digest[DIGEST_BYTES];

    digest_sha256(presented, digest);
    return secret_bytes_equal(session->digest, digest, DIGEST_BYTES);
}

/* Whether an address begins with as many bits of the session's as it was tied to. */
static bool is_address(const struct live_session *session, const unsigned char *presented)
{
    struct network tied = { .prefix_bits = session->address_bits };

    memcpy(tied.bytes, session->address, sizeof(tied.bytes));
    if (tied.prefix_bits > ADDRESS_BITS)
        tied.prefix_bits = ADDRESS_BITS;
    return tied.prefix_bits == 0 || (presented != NULL && network_has(&tied, presented));
}

static void raise_to(_Atomic int64_t *at, int64_t to)
{
    int64_t was = atomic_load(at);

    while (was < to && !atomic_compare_exchange_weak(at, &was, to))
        continue;
}

static void lower_to(_Atomic int64_t *at, int64_t to)
{
    int64_t was = atomic_load(at);

    while (was > to && !atomic_compare_exchange_weak(at, &was, to))
        continue;
}

static bool is_idle(struct live_session *session, int64_t now)
{
    return now - atomic_load(&session->last_active_at) >= session->idle_s;
}

/* Learns what other nodes have saved. A row that is gone says nothing. */
static enum rc session_reload(struct store *store, struct live_session *session, int64_t id)
{
    struct session row;
    struct arena arena;
    enum rc rc;

    arena_init(&arena, SESSION_ARENA_BYTES);
    rc = store_find_session(store, id, &arena, &row);
    arena_deinit(&arena);
    if (rc == RC_OK) {
        raise_to(&session->saved_at, row.last_active_at);
        raise_to(&session->last_active_at, row.last_active_at);
    }
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static int64_t save_after_s(const struct live_session *session)
{
    int64_t part = session->idle_s / SAVE_PART;

    if (part < SAVE_AFTER_S_MIN)
        return SAVE_AFTER_S_MIN;
    return part > SAVE_AFTER_S_MAX ? SAVE_AFTER_S_MAX : part;
}

/*
 * Tells the store of a use, unless another thread does so already: who moves saved_at commits.
 * Afterwards it is set right whatever others did with it meanwhile; where two commits cross, it is
 * rather too low, which costs one commit more.
 */
static enum rc session_save(struct store *store, struct live_session *session, int64_t id,
                            int64_t saved_at, int64_t now)
{
    struct store_unit unit;
    enum rc rc;

    if (!atomic_compare_exchange_strong(&session->saved_at, &saved_at, now))
        return RC_OK;
    store_unit_init(&unit);
    store_touch_session(&unit, id, now);
    rc = store_commit(store, &unit);
    if (rc == RC_OK)
        raise_to(&session->saved_at, now);
    else
        lower_to(&session->saved_at, saved_at);
    return rc;
}

enum rc session_check(struct store *store, const struct live_grant *grant,
                      const struct token_presented *presented, int64_t now, bool may_block,
                      enum token_inactive *out_why)
{
    struct live_session *session = grant->session;
    enum rc rc = RC_NOT_FOUND;

    if (presented->session.len == 0) {
        *out_why = TOKEN_SESSION_MISSING;
        return rc;
    }
    if (!is_session(session, presented->session)) {
        *out_why = TOKEN_SESSION_WRONG;
        return rc;
    }
    if (!is_address(session, presented->address)) {
        *out_why = TOKEN_ADDRESS_WRONG;
        return rc;
    }
    if (!is_idle(session, now))
        return RC_OK;
    if (!may_block)
        return RC_WOULD_BLOCK;
    rc = session_reload(store, session, session_id_of(grant));
    if (rc == RC_OK && is_idle(session, now)) {
        *out_why = TOKEN_SESSION_IDLE;
        return RC_NOT_FOUND;
    }
    return rc;
}

enum rc session_use(struct store *store, const struct live_grant *grant, int64_t now,
                    bool may_block)
{
    struct live_session *session = grant->session;
    int64_t saved_at = atomic_load(&session->saved_at);
    enum rc rc;

    if (now - saved_at >= save_after_s(session)) {
        if (!may_block)
            return RC_WOULD_BLOCK;
        rc = session_save(store, session, session_id_of(grant), saved_at, now);
        /* What the store has keeps the session alive over a restart a while longer, or not. */
        if (rc != RC_OK && now - saved_at >= session->idle_s)
            return rc;
    }
    raise_to(&session->last_active_at, now);
    return RC_OK;
}
