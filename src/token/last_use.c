#include "token/room.h"

/*
 * Who checks a token writes nothing: a use is noted in memory, and the room's own thread saves the
 * notes. A grant with a note is held, so that no note is lost when its grant is forgotten.
 */

void last_use_init(struct last_use_list *list)
{
    pthread_mutex_init(&list->lock, NULL);
    list->first = NULL;
}

bool permanent_admits(const struct live_permanent *permanent, const unsigned char *address)
{
    if (permanent->network_count == 0)
        return true;
    for (unsigned i = 0; address != NULL && i < permanent->network_count; i++)
        if (network_has(&permanent->networks[i], address))
            return true;
    return false;
}

/* The lock is held; the grant's reference becomes the list's. */
static void push(struct last_use_list *list, struct live_grant *grant)
{
    grant->permanent->is_noted = true;
    grant->permanent->next_noted = list->first;
    list->first = grant;
}

void last_use_note(struct last_use_list *list, struct live_grant *grant,
                   const unsigned char *address, int64_t now)
{
    struct live_permanent *permanent = grant->permanent;
    uint64_t from[2] = { 0, 0 };

    if (address != NULL)
        memcpy(from, address, sizeof(from));
    /* Most uses are of the same second and from the same place as the one before. */
    if (atomic_load_explicit(&permanent->used_at, memory_order_relaxed) == now &&
        atomic_load_explicit(&permanent->used_from[0], memory_order_relaxed) == from[0] &&
        atomic_load_explicit(&permanent->used_from[1], memory_order_relaxed) == from[1])
        return;
    pthread_mutex_lock(&list->lock);
    if (atomic_load(&permanent->used_at) <= now) {
        atomic_store(&permanent->used_from[0], from[0]);
        atomic_store(&permanent->used_from[1], from[1]);
        atomic_store(&permanent->used_at, now);
        if (!permanent->is_noted)
            push(list, grant_hold(grant));
    }
    pthread_mutex_unlock(&list->lock);
}

/* The lock is held. */
static struct last_use read_use(struct live_permanent *permanent)
{
    struct last_use use = { .at = atomic_load(&permanent->used_at) };
    uint64_t from[2] = { atomic_load(&permanent->used_from[0]),
                         atomic_load(&permanent->used_from[1]) };

    memcpy(use.address, from, sizeof(use.address));
    return use;
}

/* Takes up to a unit's worth of notes off the list; their references come along. */
static size_t take(struct last_use_list *list, struct live_grant **out_grants,
                   struct last_use *out_uses)
{
    size_t count = 0;

    pthread_mutex_lock(&list->lock);
    while (list->first != NULL && count < STORE_UNIT_STEP_COUNT_MAX) {
        struct live_grant *grant = list->first;

        list->first = grant->permanent->next_noted;
        grant->permanent->is_noted = false;
        out_uses[count] = read_use(grant->permanent);
        out_grants[count++] = grant;
    }
    pthread_mutex_unlock(&list->lock);
    return count;
}

/* Puts a note back that could not be saved, unless there is a newer one. */
static void give_back(struct last_use_list *list, struct grant_book *grants,
                      struct live_grant *grant)
{
    bool is_noted;

    pthread_mutex_lock(&list->lock);
    is_noted = grant->permanent->is_noted;
    if (!is_noted)
        push(list, grant);
    pthread_mutex_unlock(&list->lock);
    if (is_noted)
        grant_put(grants, grant);
}

enum rc last_use_save(struct last_use_list *list, struct store *store, struct grant_book *grants)
{
    struct live_grant *noted[STORE_UNIT_STEP_COUNT_MAX];
    struct last_use uses[STORE_UNIT_STEP_COUNT_MAX];
    struct store_unit unit;
    enum rc rc = RC_OK;
    size_t count;

    while (rc == RC_OK && (count = take(list, noted, uses)) > 0) {
        store_unit_init(&unit);
        for (size_t i = 0; i < count; i++)
            store_touch_permanent(&unit, noted[i]->id, uses[i].at, uses[i].address);
        rc = store_commit(store, &unit);
        for (size_t i = 0; i < count; i++) {
            if (rc == RC_OK)
                grant_put(grants, noted[i]);
            else
                give_back(list, grants, noted[i]);
        }
    }
    return rc;
}

void last_use_deinit(struct last_use_list *list, struct grant_book *grants)
{
    struct live_grant *noted[STORE_UNIT_STEP_COUNT_MAX];
    struct last_use uses[STORE_UNIT_STEP_COUNT_MAX];
    size_t count;

    while ((count = take(list, noted, uses)) > 0)
        for (size_t i = 0; i < count; i++)
            grant_put(grants, noted[i]);
    pthread_mutex_destroy(&list->lock);
}

void grant_note_use(struct live_grant *grant, int64_t now)
{
    /* Most uses are of the same second as the one before, and then nobody writes. */
    if (atomic_load_explicit(&grant->used_at, memory_order_relaxed) < now)
        atomic_store_explicit(&grant->used_at, now, memory_order_relaxed);
}

void token_note_issue(struct live_grant *grant, int64_t now, struct store_unit *unit)
{
    int64_t saved_at = atomic_load(&grant->use_saved_at);

    if (grant->account_id == 0)
        return;
    grant_note_use(grant, now);
    if (now - saved_at >= GRANT_USE_SAVED_S &&
        atomic_compare_exchange_strong(&grant->use_saved_at, &saved_at, now))
        store_touch_grant(unit, grant->id, now);
}

int64_t token_grant_last_use(struct token_room *room, int64_t grant_id)
{
    struct live_grant *grant;
    int64_t used_at;

    if (grant_find(room->grants, grant_id, false, &grant) != RC_OK)
        return 0;
    used_at = atomic_load_explicit(&grant->used_at, memory_order_relaxed);
    grant_put(room->grants, grant);
    return used_at;
}

bool token_last_use(struct token_room *room, int64_t grant_id, struct last_use *out_use)
{
    struct live_grant *grant;
    bool is_used = false;

    if (grant_find(room->grants, grant_id, false, &grant) != RC_OK)
        return false;
    if (grant->permanent != NULL) {
        pthread_mutex_lock(&room->last_uses.lock);
        is_used = atomic_load(&grant->permanent->used_at) != 0;
        if (is_used)
            *out_use = read_use(grant->permanent);
        pthread_mutex_unlock(&room->last_uses.lock);
    }
    grant_put(room->grants, grant);
    return is_used;
}
