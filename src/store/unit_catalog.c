#include "store/room.h"

/* Services and clients share one namespace: the name's row decides. */
static void claim_name(struct store_unit *unit, struct str name)
{
    step_text(unit_add(unit, STATEMENT_INSERT_NAME, RC_EXISTS), name);
}

void store_insert_service(struct store_unit *unit, const struct service *service)
{
    struct store_step *step;

    ASSERT(service->id > 0);
    claim_name(unit, service->service_id);
    step = unit_add(unit, STATEMENT_INSERT_SERVICE, RC_OK);
    step_int(step, service->id);
    step_text(step, service->service_id);
    step_text(step, service->name);
    step_text(step, service->scope);
    step_text(step, service->secret_hash);
    step_int(step, service->format);
    step_int(step, service->alg);
    step_int(step, service->lifetime_s);
    step_int(step, service->allows_password);
    step_int(step, service->expires_in_as_string);
    step_int(step, service->is_disabled);
    step_int(step, service->created_at);
    unit_change(unit, CHANGE_SERVICE, service->id);
}

/* What an update sets, and what one expects. */
static void add_service(struct store_step *step, const struct service *service)
{
    step_int(step, service->id);
    step_text(step, service->name);
    step_text(step, service->scope);
    step_text(step, service->secret_hash);
    step_int(step, service->format);
    step_int(step, service->alg);
    step_int(step, service->lifetime_s);
    step_int(step, service->allows_password);
    step_int(step, service->expires_in_as_string);
    step_int(step, service->is_disabled);
}

void store_update_service(struct store_unit *unit, const struct service *service)
{
    add_service(unit_add(unit, STATEMENT_UPDATE_SERVICE, RC_NOT_FOUND), service);
    unit_change(unit, CHANGE_SERVICE, service->id);
}

void store_expect_service(struct store_unit *unit, const struct service *service)
{
    add_service(unit_add(unit, STATEMENT_EXPECT_SERVICE, RC_SPENT), service);
}

static void add_client_extras(struct store_step *step, const struct client *client)
{
    step_int(step, client->auth_method);
    step_int(step, client->policy);
    step_text(step, client->metadata);
    step_text(step, client->previous_secret_hash);
    step_int(step, client->previous_secret_until);
    step_text(step, client->registration_digest);
}

void store_insert_client(struct store_unit *unit, const struct client *client)
{
    struct store_step *step;

    ASSERT(client->id > 0);
    /* RFC 9700 4.15: whoever has such an id would be an account to a service. */
    ASSERT(!str_starts_with(client->client_id, STR("account:")));
    claim_name(unit, client->client_id);
    step = unit_add(unit, STATEMENT_INSERT_CLIENT, RC_OK);
    step_int(step, client->id);
    step_text(step, client->client_id);
    step_text(step, client->name);
    step_int(step, client->type);
    step_text(step, client->secret_hash);
    step_int(step, client->grant_types);
    step_text(step, client->scope);
    step_text(step, client->service_ids);
    step_text(step, client->redirect_uris);
    step_int(step, client->refresh_lifetime_s);
    step_int(step, client->refresh_idle_lifetime_s);
    step_int(step, client->is_disabled);
    add_client_extras(step, client);
    step_int(step, client->created_at);
    unit_change(unit, CHANGE_CLIENT, client->id);
}

static void add_client(struct store_step *step, const struct client *client)
{
    step_int(step, client->id);
    step_text(step, client->name);
    step_int(step, client->type);
    step_text(step, client->secret_hash);
    step_int(step, client->grant_types);
    step_text(step, client->scope);
    step_text(step, client->service_ids);
    step_text(step, client->redirect_uris);
    step_int(step, client->refresh_lifetime_s);
    step_int(step, client->refresh_idle_lifetime_s);
    step_int(step, client->is_disabled);
    add_client_extras(step, client);
}

void store_update_client(struct store_unit *unit, const struct client *client)
{
    add_client(unit_add(unit, STATEMENT_UPDATE_CLIENT, RC_NOT_FOUND), client);
    unit_change(unit, CHANGE_CLIENT, client->id);
}

void store_expect_client(struct store_unit *unit, const struct client *client)
{
    add_client(unit_add(unit, STATEMENT_EXPECT_CLIENT, RC_SPENT), client);
}
