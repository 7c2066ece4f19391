#include "codec/uri.h"
#include "oauth/authorization_parts.h"

/*
 * Where an answer goes: to a registered redirect URI or nowhere. Until that is found no browser is
 * sent anywhere (AZ-04), so what is refused here is shown here.
 */

static enum rc refuse_target(struct oauth_call *call, const char *description, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_REQUEST, description, why);
}

/* Takes the first line off a text. */
static bool next_line(struct str *rest, struct str *out_line)
{
    size_t end;

    if (rest->len == 0)
        return false;
    end = str_index_of(*rest, '\n');
    *out_line = (struct str){ rest->at, end };
    *rest = str_from(*rest, end < rest->len ? end + 1 : end);
    return true;
}

/* RFC 8252 7.3: the literal addresses; not the name, which may resolve to anything (8.3). */
static bool is_loopback_address(const struct uri *uri)
{
    return str_equal_nocase(uri->scheme, STR("http")) &&
           (str_equal(uri->host, STR("127.0.0.1")) || str_equal(uri->host, STR("[::1]")));
}

/* The same but for the port, of a loopback redirect (AZ-02). Bytes are compared, not meanings. */
static bool is_same_but_port(struct str registered_text, struct str sent_text)
{
    struct uri registered, sent;

    return uri_parse(registered_text, &registered) == RC_OK &&
           uri_parse(sent_text, &sent) == RC_OK && is_loopback_address(&registered) &&
           str_equal(registered.scheme, sent.scheme) && str_equal(registered.host, sent.host) &&
           str_equal(registered.path, sent.path) && str_equal(registered.query, sent.query) &&
           registered.has_query == sent.has_query && !sent.has_fragment && !sent.has_userinfo;
}

/* RFC 9700 4.1.3: exact string comparison (AZ-01). */
static bool is_registered(const struct client *client, bool is_native, struct str uri)
{
    struct str rest = client->redirect_uris;
    struct str line;

    while (next_line(&rest, &line))
        if (str_equal(line, uri) || (is_native && is_same_but_port(line, uri)))
            return true;
    return false;
}

static enum rc find_redirect_uri(struct authorization_reading *reading)
{
    struct authorization_request *request = &reading->request;
    const struct client *client = &request->client->client;
    const struct str *sent = authorization_parameter(reading->parameters, STR("redirect_uri"));
    struct str only = client->redirect_uris;

    if (sent != NULL) {
        if (sent->len > REDIRECT_URI_BYTES_MAX ||
            !is_registered(client, request->metadata.is_native, *sent))
            return refuse_target(reading->call, "redirect_uri is not registered for this client",
                                 "redirect_uri not registered");
        only = *sent;
    } else if (only.len == 0 || str_index_of(only, '\n') < only.len) { /* RFC 6749 3.1.2.3 */
        return refuse_target(reading->call, "redirect_uri is missing", NULL);
    }
    request->redirect_uri = arena_copy(reading->call->arena, only);
    request->has_redirect_uri = sent != NULL;
    return RC_OK;
}

static bool may_have_mode(const struct client_metadata *metadata, struct str mode)
{
    return metadata->response_modes.len == 0 || str_has_word(metadata->response_modes, mode);
}

/* AZ-10. What is sent back by a mode that may not be is sent by one that may. */
static enum rc read_mode(struct authorization_reading *reading)
{
    struct authorization_request *request = &reading->request;
    const struct str *sent = authorization_parameter(reading->parameters, STR("response_mode"));
    struct str mode = sent == NULL ? STR("query") : *sent;

    request->mode =
        may_have_mode(&request->metadata, STR("query")) ? RESPONSE_QUERY : RESPONSE_FORM_POST;
    if (!may_have_mode(&request->metadata, mode))
        return refuse_target(reading->call, "response_mode is not allowed for this client", NULL);
    if (str_equal(mode, STR("form_post")))
        request->mode = RESPONSE_FORM_POST;
    else if (!str_equal(mode, STR("query")))
        return refuse_target(reading->call, "response_mode must be query or form_post", NULL);
    return RC_OK;
}

/* What no honest client sends is shown here: nothing as long is carried back (AZ-19). */
static enum rc check_lengths(struct authorization_reading *reading)
{
    static const struct {
        struct str name;
        size_t bytes_max;
        const char *words;
    } limits[] = {
        { { "state", 5 }, STATE_BYTES_MAX, "state is longer than 1024 bytes" },
        { { "nonce", 5 }, NONCE_BYTES_MAX, "nonce is longer than 512 bytes" },
        { { "scope", 5 }, SCOPE_BYTES_MAX, "scope is longer than 4096 bytes" },
    };

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const struct str *value = authorization_parameter(reading->parameters, limits[i].name);

        if (value != NULL && value->len > limits[i].bytes_max)
            return refuse_target(reading->call, limits[i].words, NULL);
    }
    return RC_OK;
}

enum rc authorization_judge_target(struct authorization_reading *reading)
{
    const struct str *state;
    enum rc rc = check_lengths(reading);

    if (rc == RC_OK)
        rc = find_redirect_uri(reading);
    if (rc != RC_OK)
        return rc;
    state = authorization_parameter(reading->parameters, STR("state"));
    if (state != NULL)
        reading->request.state = arena_copy(reading->call->arena, *state);
    reading->can_redirect = !reading->is_push;
    return read_mode(reading);
}
