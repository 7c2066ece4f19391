#include "store/authorized.h"
#include "token/room.h"

/* ---- from the store ------------------------------------------------------------------------- */

enum rc tie_find(struct store *store, const struct grant *row, struct arena *arena,
                 struct tie_rows *out_rows)
{
    enum rc rc = RC_NOT_FOUND;

    out_rows->tie = (struct grant_tie){ .session = NULL };
    if (row->authorization_id != 0) {
        rc =
            store_find_authorization(store, row->authorization_id, arena, &out_rows->authorization);
        if (rc == RC_OK)
            out_rows->tie.authorization = &out_rows->authorization;
        if (rc != RC_OK && rc != RC_NOT_FOUND)
            return rc;
        rc = RC_NOT_FOUND;
    }
    if (row->is_session) {
        rc = store_find_session(store, row->id, arena, &out_rows->session);
        if (rc == RC_OK)
            out_rows->tie.session = &out_rows->session;
    } else if (row->is_permanent) {
        rc = store_find_permanent(store, row->id, arena, &out_rows->permanent);
        if (rc == RC_OK)
            out_rows->tie.permanent = &out_rows->permanent;
    }
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

bool tie_is_missing(const struct grant *row, const struct grant_tie *tie)
{
    return (row->is_session && tie->session == NULL) ||
           (row->is_permanent && tie->permanent == NULL) ||
           (row->authorization_id != 0 && tie->authorization == NULL);
}

/* ---- in memory ------------------------------------------------------------------------------ */

enum rc tie_read(const struct grant_tie *tie, struct tie_limits *out_limits)
{
    struct str addresses = tie->permanent == NULL ? STR("") : tie->permanent->addresses;
    struct str word;

    out_limits->network_count = 0;
    while (str_next_word(&addresses, &word)) {
        struct network *network = &out_limits->networks[out_limits->network_count];

        /* What cannot be read must not let anybody in. */
        if (out_limits->network_count == PERMANENT_NETWORK_COUNT_MAX ||
            network_parse(word, network) != RC_OK)
            return RC_CORRUPT;
        out_limits->network_count++;
    }
    return RC_OK;
}

size_t tie_bytes(const struct grant_tie *tie, const struct tie_limits *limits)
{
    if (tie->session != NULL)
        return sizeof(struct live_session);
    if (tie->permanent != NULL)
        return sizeof(struct live_permanent) + limits->network_count * sizeof(struct network);
    return 0;
}

static void session_init(struct live_session *live, const struct session *row)
{
    memcpy(live->digest, row->digest, sizeof(live->digest));
    memcpy(live->address, row->address, sizeof(live->address));
    live->address_bits = row->address_bits;
    live->idle_s = row->idle_s;
    atomic_init(&live->last_active_at, row->last_active_at);
    atomic_init(&live->saved_at, row->last_active_at);
}

static void permanent_init(struct live_permanent *live, const struct permanent *row,
                           const struct tie_limits *limits)
{
    uint64_t used_from[2];

    memcpy(used_from, row->last_used_address, sizeof(used_from));
    atomic_init(&live->used_at, row->last_used_at);
    atomic_init(&live->used_from[0], used_from[0]);
    atomic_init(&live->used_from[1], used_from[1]);
    live->is_noted = false;
    live->next_noted = NULL;
    live->network_count = limits->network_count;
    memcpy(live->networks, limits->networks, limits->network_count * sizeof(struct network));
}

void tie_init(struct live_grant *grant, const struct grant_tie *tie,
              const struct tie_limits *limits)
{
    void *at = grant + 1;

    if (tie->session != NULL) {
        grant->session = at;
        session_init(grant->session, tie->session);
    } else if (tie->permanent != NULL) {
        grant->permanent = at;
        permanent_init(grant->permanent, tie->permanent, limits);
    }
}
