#include "account/audit.h"

enum {
    EVENTS_PER_READ = 16,
    EVENT_BYTES_MAX = 16 * 1024, /* the longest detail that the store has */
    ACCOUNT_BYTES_MAX = 4 * 1024,
    NAMES_BYTES_MAX = CLIENT_TEXTS_BYTES_MAX + SCOPE_BYTES_MAX + ACCOUNT_BYTES_MAX
};

/* ---- from names to numbers ------------------------------------------------------------------- */

static enum rc find_client_id(struct catalog *catalog, struct str text, int64_t *out_id)
{
    struct catalog_client *client;
    struct catalog_service *service;
    enum rc rc = catalog_find_client(catalog, text, true, &client);

    if (rc == RC_OK) {
        *out_id = client->client.id;
        catalog_client_put(client);
    } else if (rc == RC_NOT_FOUND) {
        rc = catalog_find_service(catalog, text, true, &service);
        if (rc == RC_OK) {
            *out_id = service->service.id;
            catalog_service_put(service);
        }
    }
    return rc;
}

static enum rc read_query(struct store *store, struct catalog *catalog,
                          const struct audit_query *query, struct event_filter *filter)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct account account;
    enum rc rc = RC_OK;

    *filter = (struct event_filter){ .kind = query->kind, .has_address = query->address != NULL };
    if (query->address != NULL)
        memcpy(filter->address, query->address, sizeof(filter->address));
    if (query->client.len > 0)
        rc = find_client_id(catalog, query->client, &filter->client_id);
    if (rc != RC_OK || query->account.len == 0)
        return rc;
    arena_init(&arena, ACCOUNT_BYTES_MAX);
    rc = store_find_account_by_name(store, query->account, &arena, &account);
    if (rc == RC_OK)
        filter->account_id = account.id;
    return rc;
}

/* ---- from numbers to names ------------------------------------------------------------------- */

static enum rc name_account(struct store *store, int64_t id, struct arena *arena,
                            struct str *out_name)
{
    struct account account;
    enum rc rc = store_find_account(store, id, arena, &account);

    if (rc == RC_OK)
        *out_name = account.name;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc name_client(struct store *store, int64_t id, struct arena *arena,
                           struct str *out_name)
{
    struct client client;
    struct service service;
    enum rc rc = store_find_client(store, id, arena, &client);

    if (rc == RC_OK) {
        *out_name = client.client_id;
        return RC_OK;
    }
    if (rc == RC_NOT_FOUND)
        rc = store_find_service(store, id, arena, &service);
    if (rc == RC_OK)
        *out_name = service.service_id;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static struct str cut(struct str text)
{
    if (text.len <= AUDIT_DETAIL_BYTES_MAX)
        return text;
    text.len = AUDIT_DETAIL_BYTES_MAX;
    while (!str_is_utf8(text))
        text.len--;
    return text;
}

static enum rc fill_row(struct store *store, const struct event *event, struct arena *arena,
                        struct audit_row *out_row)
{
    __attribute__((cleanup(arena_deinit))) struct arena names = { 0 };
    struct str account = STR("");
    struct str client = STR("");
    enum rc rc = RC_OK;

    arena_init(&names, NAMES_BYTES_MAX);
    if (event->account_id != 0)
        rc = name_account(store, event->account_id, &names, &account);
    if (rc == RC_OK && event->client_id != 0)
        rc = name_client(store, event->client_id, &names, &client);
    if (rc != RC_OK)
        return rc;
    *out_row = (struct audit_row){ .event = *event,
                                   .account = arena_copy(arena, account),
                                   .client = arena_copy(arena, client) };
    out_row->event.detail = arena_copy(arena, cut(event->detail));
    return RC_OK;
}

enum rc audit_list(struct store *store, struct catalog *catalog, const struct audit_query *query,
                   int64_t before_id, struct arena *arena, struct audit_row *out_rows, size_t max,
                   size_t *out_count)
{
    __attribute__((cleanup(arena_deinit))) struct arena read = { 0 };
    struct event events[EVENTS_PER_READ];
    struct event_filter filter;
    size_t total = 0;
    size_t count = 1;
    enum rc rc = read_query(store, catalog, query, &filter);

    arena_init(&read, (size_t)EVENTS_PER_READ * EVENT_BYTES_MAX);
    while (rc == RC_OK && count > 0 && total < max) {
        size_t left = max - total;

        arena_reset(&read);
        rc = store_search_events(store, &filter, before_id, &read, events,
                                 left < EVENTS_PER_READ ? left : EVENTS_PER_READ, &count);
        for (size_t i = 0; rc == RC_OK && i < count; i++) {
            rc = fill_row(store, &events[i], arena, &out_rows[total + i]);
            before_id = events[i].id;
        }
        total += rc == RC_OK ? count : 0;
    }
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    *out_count = total;
    return RC_OK;
}
