#include "codec/form.h"
#include "dialect/identity.h"
#include "dialect/spectrum.h"
#include "oauth/introspection.h"

/*
 * For a gateway before a service of Spectrum: it passes a request on when the token in it is good,
 * or, as Spectrum has it, the user name and password. Only here: the token routes take nothing
 * else. The query of this endpoint's own URL may demand a service and a scope, as that of the
 * generic one.
 */

static enum rc read_demand(struct dialect_call *call, struct bearer_demand *out_demand)
{
    struct form *form = arena_alloc(call->exchange->arena, sizeof(*form));
    const struct str *service;
    const struct str *scope;

    if (form_parse(call->exchange->request.query, call->exchange->arena, form) != RC_OK ||
        form->has_duplicate)
        return oauth_refuse(call->oauth, OAUTH_INVALID_REQUEST, "the query is malformed", NULL);
    /* RFC 9700 4.3.2: a token in a URL ends in logs. */
    if (form_find(form, STR("access_token")) != NULL)
        return oauth_refuse(call->oauth, OAUTH_INVALID_REQUEST,
                            "send the token in a header, not in the URL", NULL);
    service = form_find(form, STR("service"));
    scope = form_find(form, STR("scope"));
    *out_demand = (struct bearer_demand){ .service_id = service == NULL ? STR("") : *service,
                                          .scope = scope == NULL ? STR("") : *scope };
    return RC_OK;
}

static void answer_identity(struct dialect_call *call, const struct identity *identity)
{
    spectrum_answer(call, 200, STR(""));
    identity_add_headers(call->exchange, identity);
}

static enum rc check_token(struct dialect_call *call, const struct bearer_demand *demand)
{
    struct token_presented presented;
    struct token_view view;
    struct identity identity;
    enum rc rc = spectrum_presented(&call->exchange->request, &presented);

    /* RFC 9110 11.6.1: clients that send a password only when they are asked to are asked. */
    if (rc == RC_NOT_FOUND && call->settings->spectrum_basic)
        return oauth_refuse(call->oauth, OAUTH_INVALID_GRANT, "there is neither token nor user",
                            NULL);
    if (rc != RC_OK)
        return oauth_refuse(call->oauth, OAUTH_INVALID_TOKEN, "there is no token", NULL);
    rc = bearer_check(call->oauth, &presented, demand, &view);
    if (rc != RC_OK)
        return rc;
    identity = identity_of_token(&view);
    answer_identity(call, &identity);
    token_view_put(call->oauth->oauth->tokens, &view);
    return RC_OK;
}

/* A user may what an open token of this moment would allow. */
static enum rc check_permission(struct dialect_call *call, const struct bearer_demand *demand,
                                const struct permission *permission)
{
    if (demand->service_id.len > 0 && !str_has_word(permission->audience, demand->service_id))
        return oauth_refuse(call->oauth, OAUTH_INVALID_GRANT, "no access to this service",
                            "a service that is not open to users of Spectrum");
    if (!scope_contains(permission->scope, demand->scope))
        return oauth_refuse(call->oauth, OAUTH_INSUFFICIENT_SCOPE, "a required scope is missing",
                            NULL);
    return RC_OK;
}

static enum rc check_user(struct dialect_call *call, const struct bearer_demand *demand)
{
    struct catalog_client *client;
    struct permission permission;
    struct account account;
    enum rc rc = spectrum_sign_in(call, &account);

    if (rc == RC_OK)
        rc = spectrum_permit(call, &client, &permission);
    if (rc != RC_OK)
        return rc;
    catalog_client_put(client);
    rc = check_permission(call, demand, &permission);
    if (rc != RC_OK)
        return rc;
    answer_identity(
        call, &(struct identity){ .username = account.name,
                                  .subject = arena_format(call->exchange->arena, "account:%lld",
                                                          (long long)account.id),
                                  .client_id = STR(OAUTH_SPECTRUM_CLIENT_ID),
                                  .scope = permission.scope,
                                  .audience = permission.audience });
    return RC_OK;
}

/* By the scheme alone, which has no case: a malformed one is one too, and is refused as such. */
static bool has_basic(const struct http_request *request)
{
    const struct http_header *header = http_find_header(request, STR("authorization"));
    struct str scheme = STR("");

    if (header != NULL)
        scheme = (struct str){ header->value.at, str_index_of(header->value, ' ') };
    return str_equal_nocase(scheme, STR("Basic"));
}

enum rc spectrum_forward_auth(struct dialect_call *call)
{
    struct bearer_demand demand;
    enum rc rc;

    /* A proxy may ask with the method of the request that it holds: any will do. */
    spectrum_add_cors_headers(call);
    rc = read_demand(call, &demand);
    if (rc != RC_OK)
        return rc;
    if (call->settings->spectrum_basic && has_basic(&call->exchange->request))
        return check_user(call, &demand);
    return check_token(call, &demand);
}
