#include "oauth/authorization_parts.h"
#include "oauth/client_find.h"

/*
 * A request is opened, from wherever its parameters come; then its client and redirect URI are
 * found beyond doubt, and what is wrong from there on is told to the client.
 */

const struct str *authorization_parameter(const struct form *parameters, struct str name)
{
    const struct str *value = form_find(parameters, name);

    return value == NULL || value->len == 0 ? NULL : value;
}

static enum rc refuse_request(struct oauth_call *call, const char *description, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_REQUEST, description, why);
}

/* RFC 6749 3.1: no parameter more than once, but resource (RFC 8707 2). */
static enum rc check_repeated(struct oauth_call *call, const struct form *parameters)
{
    return form_has_repeated(parameters, STR("resource"))
               ? refuse_request(call, "a parameter was sent more than once", NULL)
               : RC_OK;
}

/* ---- the client ------------------------------------------------------------------------------ */

static enum rc refuse_client(struct oauth_call *call, const char *why)
{
    return refuse_request(call, "the client is unknown", why);
}

static enum rc find_client(struct oauth_call *call, const struct form *parameters,
                           struct catalog_client **out_client)
{
    const struct str *client_id = authorization_parameter(parameters, STR("client_id"));
    struct catalog_client *entry;
    const char *why;
    enum rc rc;

    if (client_id == NULL)
        return refuse_request(call, "client_id is missing", NULL);
    if (client_id->len > CLIENT_ID_BYTES_MAX)
        return refuse_client(call, "client_id too long");
    rc = client_find(call, *client_id, CLIENT_AS_PUBLISHED, &entry, &why);
    if (rc == RC_NOT_FOUND)
        return refuse_client(call, why);
    if (rc != RC_OK)
        return rc;
    if (entry->client.is_disabled) {
        catalog_client_put(entry);
        return refuse_client(call, "the client is disabled");
    }
    call->log_client_id = arena_copy(call->arena, *client_id);
    *out_client = entry;
    return RC_OK;
}

/* ---- where the parameters come from ---------------------------------------------------------- */

/* What is wrong with a request object itself is told to the client, where a parameter beside it
 * names a redirect URI of its: else nobody would learn of it. */
static enum rc refuse_opened(struct authorization_reading *reading, enum rc rc)
{
    struct refusal refusal = reading->call->refusal;
    enum rc found;

    if (rc != RC_REFUSED || reading->is_push ||
        authorization_parameter(reading->parameters, STR("redirect_uri")) == NULL)
        return rc;
    found = authorization_judge_target(reading);
    reading->call->refusal = refusal;
    return rc_is_fault(found) || found == RC_WOULD_BLOCK ? found : rc;
}

/* RFC 9101 5: one of the two at most; and by reference only what was pushed: no URL is fetched. */
static enum rc open_parameters(struct authorization_reading *reading)
{
    struct oauth_call *call = reading->call;
    struct authorization_request *request = &reading->request;
    const struct client *client = &request->client->client;
    const struct str *object = authorization_parameter(reading->parameters, STR("request"));
    const struct str *uri = authorization_parameter(reading->parameters, STR("request_uri"));
    enum rc rc;

    if (object != NULL && uri != NULL)
        return refuse_request(call, "request and request_uri exclude each other", NULL);
    if (uri != NULL && reading->is_push) /* RFC 9126 2.1 */
        return refuse_request(call, "a pushed request cannot name a request_uri", NULL);
    if (uri != NULL) {
        rc = pushed_request_open(call, client, *uri, &reading->parameters, &request->pushed_id);
        reading->is_from_push = rc == RC_OK;
        return refuse_opened(reading, rc);
    }
    if (object == NULL)
        return RC_OK;
    rc = request_object_open(call, client, &request->metadata, *object, &reading->parameters);
    reading->is_signed = rc == RC_OK;
    return refuse_opened(reading, rc);
}

/* RFC 9126 2.1: the client that authenticated, where another way than client_id named it. */
static enum rc check_client_id(struct authorization_reading *reading)
{
    const struct str *client_id = authorization_parameter(reading->parameters, STR("client_id"));

    if (client_id == NULL || str_equal(*client_id, reading->request.client->client.client_id))
        return RC_OK;
    return refuse_request(reading->call, "client_id is not the client that authenticated", NULL);
}

enum rc authorization_read_known(struct authorization_reading *reading)
{
    struct authorization_request *request = &reading->request;
    enum rc rc = check_repeated(reading->call, reading->parameters);

    if (rc == RC_OK)
        rc = check_client_id(reading);
    if (rc == RC_OK)
        rc = client_metadata_read(&request->client->client, reading->call->arena,
                                  &request->metadata);
    if (rc == RC_OK)
        rc = open_parameters(reading);
    if (rc == RC_OK)
        rc = authorization_judge_target(reading);
    return rc == RC_OK ? authorization_judge(reading) : rc;
}

enum rc authorization_read(struct oauth_call *call, const struct form *parameters,
                           struct authorization_request *out_request, bool *out_can_redirect)
{
    struct authorization_reading reading = { .call = call, .parameters = parameters };
    enum rc rc;

    *out_can_redirect = false;
    rc = find_client(call, parameters, &reading.request.client);
    if (rc != RC_OK)
        return rc;
    rc = authorization_read_known(&reading);
    if (rc != RC_OK)
        catalog_client_put(reading.request.client);
    if (rc == RC_REFUSED)
        reading.request.client = NULL;
    if (rc == RC_OK || rc == RC_REFUSED) {
        *out_request = reading.request;
        *out_can_redirect = reading.can_redirect;
    }
    return rc;
}

void authorization_put(struct authorization_request *request)
{
    if (request->client != NULL)
        catalog_client_put(request->client);
    request->client = NULL;
}
