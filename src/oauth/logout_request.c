#include "oauth/logout.h"

static enum rc refuse(struct oauth_call *call, const char *description)
{
    return oauth_refuse(call, OAUTH_INVALID_REQUEST, description, NULL);
}

static struct str find(const struct form *parameters, struct str name)
{
    const struct str *value = form_find(parameters, name);

    return value == NULL ? STR("") : *value;
}

static enum rc find_client(struct oauth_call *call, struct str client_id,
                           struct logout_request *request)
{
    enum rc rc = client_id.len > CLIENT_ID_BYTES_MAX
                     ? RC_NOT_FOUND
                     : catalog_find_client(call->oauth->catalog, client_id, true, &request->client);

    if (rc == RC_NOT_FOUND)
        return refuse(call, "the client is unknown");
    if (rc != RC_OK)
        return rc;
    call->log_client_id = arena_copy(call->arena, client_id);
    if (request->client->client.is_disabled)
        return refuse(call, "the client is unknown");
    return client_metadata_read(&request->client->client, call->arena, &request->metadata);
}

/* OI-07; out_is_doubtful: there is one, and it is not to be believed. */
static enum rc read_hint(struct oauth_call *call, struct str jwt, struct str client_id,
                         struct logout_request *request, bool *out_is_doubtful)
{
    enum rc rc;

    *out_is_doubtful = false;
    if (jwt.len == 0)
        return RC_OK;
    rc = jwt.len > TOKEN_VALUE_BYTES_MAX ? RC_NOT_FOUND
                                         : id_token_hint_read(call, jwt, &request->hint);
    /* RP-Initiated Logout 2: whom it was issued to is who asks */
    if (rc == RC_OK && client_id.len > 0 && !str_equal(client_id, request->hint.audience)) {
        request->hint = (struct id_token_hint){ .subject = STR("") };
        rc = RC_NOT_FOUND;
    }
    *out_is_doubtful = rc == RC_NOT_FOUND;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* RP-Initiated Logout 3: by simple string comparison. */
static bool is_registered(struct str uris, struct str uri)
{
    while (uris.len > 0) {
        size_t end = str_index_of(uris, '\n');

        if (str_equal((struct str){ uris.at, end }, uri))
            return true;
        uris = str_from(uris, end < uris.len ? end + 1 : end);
    }
    return false;
}

/* Without a client nobody can say whose the address is: it is not heeded (OI-05). */
static enum rc read_target(struct oauth_call *call, const struct form *parameters,
                           struct logout_request *request, bool is_doubtful)
{
    struct str uri = find(parameters, STR("post_logout_redirect_uri"));
    struct str state = find(parameters, STR("state"));

    if (state.len > LOGOUT_STATE_BYTES_MAX)
        return refuse(call, "the state is too long");
    if (uri.len == 0 || request->client == NULL)
        return RC_OK;
    if (!is_registered(request->metadata.post_logout_redirect_uris, uri))
        return refuse(call, "the post_logout_redirect_uri is not registered for the client");
    if (is_doubtful)
        return RC_OK;
    request->redirect_uri = arena_copy(call->arena, uri);
    request->state = arena_copy(call->arena, state);
    return RC_OK;
}

static enum rc read_all(struct oauth_call *call, const struct form *parameters,
                        struct logout_request *request)
{
    struct str client_id = find(parameters, STR("client_id"));
    bool is_doubtful;
    enum rc rc;

    if (parameters->has_duplicate) /* RFC 6749 3.1 */
        return refuse(call, "a parameter was sent more than once");
    rc = read_hint(call, find(parameters, STR("id_token_hint")), client_id, request, &is_doubtful);
    if (rc == RC_OK && client_id.len == 0)
        client_id = request->hint.audience;
    if (rc == RC_OK && client_id.len > 0)
        rc = find_client(call, client_id, request);
    if (rc == RC_OK)
        rc = read_target(call, parameters, request, is_doubtful);
    request->ui_locales = find(parameters, STR("ui_locales"));
    return rc;
}

enum rc logout_read(struct oauth_call *call, const struct form *parameters,
                    struct logout_request *out_request)
{
    struct logout_request request = { .client = NULL };
    enum rc rc;

    if (!call->may_block)
        return RC_WOULD_BLOCK;
    rc = read_all(call, parameters, &request);
    if (rc == RC_OK)
        *out_request = request;
    else
        logout_put(&request);
    return rc;
}

void logout_put(struct logout_request *request)
{
    if (request->client != NULL)
        catalog_client_put(request->client);
    request->client = NULL;
}

bool logout_is_of(struct oauth_call *call, const struct logout_request *request,
                  const struct browser_session *session)
{
    if (request->client == NULL || request->hint.subject.len == 0)
        return false;
    if (request->hint.sid.len > 0 && str_equal(request->hint.sid, sid_of(call, session->login_id)))
        return true;
    return subject_is(call, &request->client->client, &request->metadata, session->account_id,
                      request->hint.subject);
}
