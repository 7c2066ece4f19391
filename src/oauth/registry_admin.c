#include "oauth/registry_admin.h"

#include "codec/base64url.h"
#include "crypto/random.h"

enum { MADE_SECRET_BYTES = 32 };

void registry_make_secret(const struct secret_checker *checker, struct secret *out_secret,
                          char out_hash[static PASSWORD_HASH_BYTES_MAX])
{
    unsigned char random[MADE_SECRET_BYTES];
    struct buffer text = buffer_over(out_secret->bytes, sizeof(out_secret->bytes));

    random_bytes(random, sizeof(random));
    base64url_encode((struct str){ (const char *)random, sizeof(random) }, &text);
    ASSERT(!text.overflow);
    out_secret->len = text.len;
    explicit_bzero(random, sizeof(random));
    secret_store_made(checker, out_secret, out_hash);
}

enum rc registry_next_id(struct store *store, int64_t *out_id)
{
    return store_next_id(store, SEQUENCE_NOUN, out_id);
}

/* A service's id stands where a client's does. */
static void add_event(const struct registry_desk *desk, enum event_kind kind, int64_t id,
                      const char *act, struct store_unit *unit)
{
    const struct event event = { .kind = kind, .client_id = id };

    admin_add_event(desk->admin, event, act, unit);
}

static void forgive(const struct registry_desk *desk, struct str name, struct store_unit *unit)
{
    throttle_unlock(desk->throttle, secret_throttle_name(desk->admin->arena, name),
                    desk->admin->now, unit);
}

/* ---- services -------------------------------------------------------------------------------- */

enum rc registry_create_service(const struct registry_desk *desk, const struct service *service)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_insert_service(&unit, service);
    forgive(desk, service->service_id, &unit); /* what was tried before there was one */
    add_event(desk, EVENT_SERVICE_CHANGED, service->id, "added", &unit);
    return store_commit(desk->store, &unit);
}

static enum rc update_service(const struct registry_desk *desk, const struct service *before,
                              const struct service *after, bool forgives, const char *act)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_expect_service(&unit, before);
    store_update_service(&unit, after);
    if (forgives)
        forgive(desk, before->service_id, &unit);
    add_event(desk, EVENT_SERVICE_CHANGED, before->id, act, &unit);
    return store_commit(desk->store, &unit);
}

enum rc registry_change_service(const struct registry_desk *desk, const struct service *before,
                                const struct service *after)
{
    return update_service(desk, before, after, false, "changed");
}

enum rc registry_set_service_secret(const struct registry_desk *desk, const struct service *before,
                                    struct str hash)
{
    struct service after = *before;

    after.secret_hash = hash;
    return update_service(desk, before, &after, true,
                          hash.len > 0 ? "secret replaced" : "secret removed");
}

enum rc registry_disable_service(const struct registry_desk *desk, const struct service *before)
{
    struct service after = *before;

    after.is_disabled = true;
    return update_service(desk, before, &after, false, "disabled");
}

enum rc registry_enable_service(const struct registry_desk *desk, const struct service *before)
{
    struct service after = *before;

    after.is_disabled = false;
    return update_service(desk, before, &after, true, "enabled");
}

/* ---- clients --------------------------------------------------------------------------------- */

enum rc registry_create_client(const struct registry_desk *desk, const struct client *client)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_insert_client(&unit, client);
    forgive(desk, client->client_id, &unit); /* what was tried before there was one */
    add_event(desk, EVENT_CLIENT_CHANGED, client->id, "added", &unit);
    return store_commit(desk->store, &unit);
}

int64_t registry_overlap_until(const struct client *client, int64_t now)
{
    return now < client->previous_secret_until ? client->previous_secret_until : 0;
}

/* A secret that is good for nothing any more is not kept. */
static void drop_previous(struct client *client)
{
    client->previous_secret_hash = STR("");
    client->previous_secret_until = 0;
}

static enum rc update_client(const struct registry_desk *desk, const struct client *before,
                             struct client after, bool forgives, const char *act)
{
    UNINITIALIZED struct store_unit unit;

    if (registry_overlap_until(&after, desk->admin->now) == 0)
        drop_previous(&after);
    store_unit_init(&unit);
    store_expect_client(&unit, before);
    store_update_client(&unit, &after);
    if (forgives)
        forgive(desk, before->client_id, &unit);
    add_event(desk, EVENT_CLIENT_CHANGED, before->id, act, &unit);
    return store_commit(desk->store, &unit);
}

enum rc registry_change_client(const struct registry_desk *desk, const struct client *before,
                               const struct client *after)
{
    return update_client(desk, before, *after, false, "changed");
}

enum rc registry_disable_client(const struct registry_desk *desk, const struct client *before)
{
    struct client after = *before;

    after.is_disabled = true;
    return update_client(desk, before, after, false, "disabled");
}

enum rc registry_enable_client(const struct registry_desk *desk, const struct client *before)
{
    struct client after = *before;

    after.is_disabled = false;
    return update_client(desk, before, after, true, "enabled");
}

enum rc registry_rotate_client_secret(const struct registry_desk *desk, const struct client *before,
                                      struct str hash, int64_t overlap_s, int64_t *out_until)
{
    struct client after = *before;
    enum rc rc;

    ASSERT(before->type == CLIENT_CONFIDENTIAL && overlap_s >= 0 &&
           overlap_s <= REGISTRY_OVERLAP_S_MAX);
    if (overlap_s > 0 && !secret_may_overlap(hash, before->secret_hash))
        return RC_INVALID;
    drop_previous(&after);
    after.secret_hash = hash;
    if (overlap_s > 0 && before->secret_hash.len > 0) {
        after.previous_secret_hash = before->secret_hash;
        after.previous_secret_until = desk->admin->now + overlap_s;
    }
    rc = update_client(desk, before, after, true, "secret replaced");
    if (rc == RC_OK && out_until != NULL)
        *out_until = after.previous_secret_until;
    return rc;
}

enum rc registry_end_overlap(const struct registry_desk *desk, const struct client *before)
{
    struct client after = *before;

    if (registry_overlap_until(before, desk->admin->now) == 0)
        return RC_NOT_FOUND;
    drop_previous(&after);
    return update_client(desk, before, after, false, "secret before ended");
}

/* ---- looking --------------------------------------------------------------------------------- */

enum rc registry_find_service(struct store *store, int64_t id, struct arena *arena,
                              struct service *out_service)
{
    return store_find_service(store, id, arena, out_service);
}

enum rc registry_find_client(struct store *store, int64_t id, struct arena *arena,
                             struct client *out_client)
{
    return store_find_client(store, id, arena, out_client);
}

enum rc registry_find_service_named(const struct oauth *oauth, struct str service_id,
                                    struct arena *arena, struct service *out_service)
{
    struct catalog_service *entry;
    int64_t id;
    enum rc rc = catalog_find_service(oauth->catalog, service_id, true, &entry);

    if (rc != RC_OK)
        return rc;
    id = entry->service.id;
    catalog_service_put(entry);
    return store_find_service(oauth->store, id, arena, out_service);
}

enum rc registry_search_services(struct store *store, struct str text, int64_t before_id,
                                 struct arena *arena, struct service *out_rows, size_t max,
                                 size_t *out_count)
{
    return store_search_services(store, text, before_id, arena, out_rows, max, out_count);
}

enum rc registry_find_client_named(const struct oauth *oauth, struct str client_id,
                                   struct arena *arena, struct client *out_client)
{
    struct catalog_client *entry;
    int64_t id;
    enum rc rc = catalog_find_client(oauth->catalog, client_id, true, &entry);

    if (rc != RC_OK)
        return rc;
    id = entry->client.id;
    catalog_client_put(entry);
    return store_find_client(oauth->store, id, arena, out_client);
}

enum rc registry_search_clients(struct store *store, struct str text, int64_t before_id,
                                struct arena *arena, struct client *out_rows, size_t max,
                                size_t *out_count)
{
    return store_search_clients(store, text, before_id, arena, out_rows, max, out_count);
}
