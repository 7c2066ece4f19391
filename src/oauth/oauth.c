#include "oauth/oauth.h"

static const struct str public_client_id = { OAUTH_PUBLIC_CLIENT_ID,
                                             sizeof(OAUTH_PUBLIC_CLIENT_ID) - 1 };

enum rc oauth_refuse(struct oauth_call *call, enum oauth_error error, const char *description,
                     const char *log_detail)
{
    call->refusal = (struct refusal){ .error = error,
                                      .description = str_of(description),
                                      .log_detail = log_detail };
    return RC_REFUSED;
}

void oauth_add_event(const struct oauth_call *call, struct event event, struct store_unit *unit)
{
    event.at = call->now;
    memcpy(event.address, call->address, sizeof(event.address));
    store_insert_event(unit, &event);
}

enum rc oauth_record_refusal(struct oauth_call *call, int64_t client_id)
{
    struct str error = oauth_error_wire(call->refusal.error);
    const char *why = call->refusal.log_detail == NULL ? "" : call->refusal.log_detail;
    struct event event = { .kind = EVENT_DENIED, .client_id = client_id };
    struct store_unit unit;
    enum rc rc;

    if (call->is_recorded)
        return RC_REFUSED;
    event.detail =
        arena_format(call->arena, "%.*s%s%s", STR_ARGS(error), *why == '\0' ? "" : ": ", why);
    store_unit_init(&unit);
    oauth_add_event(call, event, &unit);
    rc = store_commit(call->oauth->store, &unit);
    return rc == RC_OK ? RC_REFUSED : rc;
}

static enum rc insert_public_client(const struct oauth *oauth)
{
    struct client client = { .client_id = public_client_id,
                             .name = STR("Users of services that allow passwords"),
                             .type = CLIENT_PUBLIC };
    struct store_unit unit;
    enum rc rc = store_next_id(oauth->store, SEQUENCE_NOUN, &client.id);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_insert_client(&unit, &client);
    rc = store_commit(oauth->store, &unit);
    return rc == RC_EXISTS ? RC_OK : rc; /* another node was quicker */
}

enum rc oauth_prepare(const struct oauth *oauth)
{
    struct catalog_client *client;
    enum rc rc = catalog_find_client(oauth->catalog, public_client_id, true, &client);

    if (rc == RC_OK)
        catalog_client_put(client);
    return rc == RC_NOT_FOUND ? insert_public_client(oauth) : rc;
}
