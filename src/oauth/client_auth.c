#include "oauth/client_auth.h"

static const char *const authentication_failed = "client authentication failed";

/* The one pair that counts, after the checks on how it was sent. */
struct presented {
    struct str id;
    const struct secret *secret;    /* NULL: none sent */
    enum client_auth_method method; /* AUTH_SECRET_BASIC or AUTH_SECRET_POST: how it was sent */
};

/* What a secret is checked against. */
struct forms {
    struct secret_form current;
    struct secret_form previous;
    int64_t client_id; /* for the audit trail; 0: nobody's, or a service's */
};

static enum rc present(struct oauth_call *call, const struct client_credentials *credentials,
                       struct presented *out_presented)
{
    /* RFC 6749 3.2: without a value is as if omitted. */
    const struct secret *body_secret =
        credentials->body_secret != NULL && credentials->body_secret->len > 0
            ? credentials->body_secret
            : NULL;

    if (!credentials->has_basic && !credentials->has_body_id) {
        if (body_secret == NULL)
            return RC_NOT_FOUND;
        return oauth_refuse_for(call, OAUTH_INVALID_REQUEST, REASON_NO_CLIENT,
                                "client_secret without client_id", NULL);
    }
    if (credentials->has_basic && credentials->has_body_id &&
        !str_equal(credentials->basic_id, credentials->body_id))
        return oauth_refuse_for(call, OAUTH_INVALID_REQUEST, REASON_CLIENT_MISMATCH,
                                "client_id is not the client of the Authorization header", NULL);
    /* RFC 6749 2.3: not more than one authentication method in a request. */
    if (credentials->has_basic && body_secret != NULL)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "use the Authorization header or client_secret, not both", NULL);
    if (credentials->has_basic)
        *out_presented = (struct presented){ credentials->basic_id, credentials->basic_secret,
                                             AUTH_SECRET_BASIC };
    else
        *out_presented = (struct presented){ credentials->body_id, body_secret, AUTH_SECRET_POST };
    /* What is longer is nobody's id, and must not fill log, throttle and audit trail. */
    call->log_client_id = out_presented->id;
    if (call->log_client_id.len > CLIENT_ID_BYTES_MAX)
        call->log_client_id.len = CLIENT_ID_BYTES_MAX;
    return RC_OK;
}

static enum rc refuse_client(struct oauth_call *call, const char *why)
{
    return oauth_refuse_for(call, OAUTH_INVALID_CLIENT, REASON_WRONG_CLIENT, authentication_failed,
                            why);
}

static enum rc end_try(struct oauth_call *call, struct throttle_try *try, bool has_succeeded,
                       int64_t client_id)
{
    struct event event = { .kind = EVENT_CLIENT_FAILED,
                           .client_id = client_id,
                           .detail = call->log_client_id };
    struct store_unit unit;

    store_unit_init(&unit);
    throttle_end(call->oauth->door->throttle, try, has_succeeded, call->now, &unit);
    if (!has_succeeded)
        oauth_add_event(call, event, &unit);
    return unit.step_count == 0 ? RC_OK : store_commit(call->oauth->store, &unit);
}

/* On the hash lane: evaluates under the throttle. */
static enum rc check_throttled(struct oauth_call *call, const struct secret *secret,
                               const struct forms *forms)
{
    struct throttle_book *throttle = call->oauth->door->throttle;
    struct throttle_try try;
    int64_t wait_s = 0;
    enum rc verdict;
    enum rc rc = throttle_begin(throttle, secret_throttle_name(call->arena, call->log_client_id),
                                call->address, true, call->now, &try, &wait_s);

    if (rc == RC_REFUSED) {
        rc = oauth_refuse(call, OAUTH_TOO_MANY_REQUESTS, "too many failures from this address",
                          "address throttled");
        call->refusal.retry_after_s = wait_s;
        return rc;
    }
    if (rc == RC_SPENT) {
        password_verify_nothing(secret, call->oauth->secrets->cost);
        return refuse_client(call, "client throttled");
    }
    if (rc != RC_OK)
        return rc;
    verdict =
        secret_check_either(call->oauth->secrets, secret, &forms->current, &forms->previous, true);
    if (rc_is_fault(verdict)) {
        throttle_cancel(throttle, &try);
        return verdict;
    }
    rc = end_try(call, &try, verdict == RC_OK, forms->client_id);
    /* A success that cannot be put on record is one all the same: a store that is full or away must
     * not keep a service from what is in memory. What needs the store fails there. */
    if (rc != RC_OK && verdict != RC_OK)
        return rc;
    return verdict == RC_REFUSED ? refuse_client(call, "wrong secret") : verdict;
}

/*
 * Checks a secret, quickly where it is known, else on the hash lane. Every failure costs one hash,
 * whether the client exists or not, and whether one secret of it is good or two (CA-05).
 */
static enum rc check_secret(struct oauth_call *call, const struct secret *secret,
                            const struct forms *forms)
{
    enum rc rc =
        secret_check_either(call->oauth->secrets, secret, &forms->current, &forms->previous, false);

    if (rc != RC_WOULD_BLOCK)
        return rc;
    if (!call->may_hash)
        return RC_NEEDS_HASH;
    return check_throttled(call, secret, forms);
}

/*
 * Where no secret would do, as for an id that is nobody's: the work of a check, then the same
 * refusal (CA-05). Without a secret there is no work for a confidential client either.
 */
static enum rc check_in_vain(struct oauth_call *call, const struct secret *secret,
                             int64_t client_id)
{
    const struct forms none = { .client_id = client_id };

    if (secret == NULL)
        return refuse_client(call, "no secret sent");
    return check_secret(call, secret, &none);
}

/* Whether a secret that was sent so is what the client is registered to authenticate with. */
static bool takes_method(const struct client *client, enum client_auth_method method)
{
    return client->auth_method == AUTH_SECRET || client->auth_method == method;
}

static enum rc check_confidential(struct oauth_call *call, struct catalog_client *entry,
                                  const struct presented *presented)
{
    const struct client *client = &entry->client;
    struct forms forms = { .current = { client->secret_hash, &entry->memory },
                           .client_id = client->id };
    enum rc rc;

    if (presented->secret == NULL)
        return refuse_client(call, "no secret sent");
    if (!takes_method(client, presented->method)) { /* CA-03; OpenID Connect Core 9 */
        rc = check_in_vain(call, presented->secret, client->id);
        if (rc == RC_REFUSED && call->refusal.error == OAUTH_INVALID_CLIENT)
            call->refusal.log_detail = "not the client's authentication method";
        return rc;
    }
    if (call->now < client->previous_secret_until)
        forms.previous =
            (struct secret_form){ client->previous_secret_hash, &entry->previous_memory };
    return check_secret(call, presented->secret, &forms);
}

static enum rc check_client(struct oauth_call *call, struct catalog_client *entry,
                            const struct presented *presented)
{
    const struct secret *secret = presented->secret;
    bool is_empty = secret == NULL || secret->len == 0;
    enum rc rc = RC_OK;

    switch (entry->client.type) {
    case CLIENT_CONFIDENTIAL:
        rc = check_confidential(call, entry, presented);
        break;
    case CLIENT_PUBLIC: /* CA-10: a secret that a public client sends proves nothing */
        if (!is_empty)
            rc = check_in_vain(call, secret, entry->client.id);
        break;
    case CLIENT_EMPTY_SECRET: /* RFC 6749 2.3.1: an empty secret may be left out */
        if (!is_empty)
            rc = check_in_vain(call, secret, entry->client.id);
        break;
    }
    if (rc == RC_OK && entry->client.is_disabled)
        return refuse_client(call, "client disabled");
    return rc;
}

enum rc client_authenticate(struct oauth_call *call, const struct client_credentials *credentials,
                            struct catalog_client **out_client)
{
    struct catalog_client *entry;
    struct presented presented = { 0 };
    enum rc rc = present(call, credentials, &presented);

    if (rc != RC_OK)
        return rc;
    rc = catalog_find_client(call->oauth->catalog, presented.id, call->may_block, &entry);
    if (rc == RC_NOT_FOUND)
        return check_in_vain(call, presented.secret, 0);
    if (rc != RC_OK)
        return rc;
    rc = check_client(call, entry, &presented);
    if (rc == RC_OK)
        *out_client = entry;
    else
        catalog_client_put(entry);
    return rc;
}

static enum rc check_service(struct oauth_call *call, struct catalog_service *entry,
                             const struct secret *secret)
{
    const struct forms forms = { .current = { entry->service.secret_hash, &entry->memory } };
    enum rc rc;

    if (secret == NULL)
        return refuse_client(call, "no secret sent");
    rc = check_secret(call, secret, &forms);
    if (rc == RC_OK && entry->service.is_disabled)
        return refuse_client(call, "service disabled");
    return rc;
}

/* Services and clients share one namespace, so at most one of them is found. */
enum rc caller_authenticate(struct oauth_call *call, const struct client_credentials *credentials,
                            struct caller *out_caller)
{
    struct catalog_service *service;
    struct presented presented = { 0 };
    struct caller caller = { NULL, NULL };
    enum rc rc = present(call, credentials, &presented);

    if (rc == RC_NOT_FOUND)
        return oauth_refuse_for(call, OAUTH_INVALID_CLIENT, REASON_NO_CLIENT, authentication_failed,
                                "no credentials");
    if (rc == RC_OK)
        rc = catalog_find_service(call->oauth->catalog, presented.id, call->may_block, &service);
    if (rc == RC_OK) {
        caller.service = service;
        rc = check_service(call, service, presented.secret);
    } else if (rc == RC_NOT_FOUND) {
        rc = client_authenticate(call, credentials, &caller.client);
        ASSERT(rc != RC_OK || caller.client != NULL);
        /* RFC 7662 2.1: naming oneself is not enough here. */
        if (rc == RC_OK && caller.client->client.type != CLIENT_CONFIDENTIAL)
            rc = refuse_client(call, "only confidential clients may introspect");
    }
    if (rc == RC_OK)
        *out_caller = caller;
    else
        caller_put(&caller);
    return rc;
}

void caller_put(struct caller *caller)
{
    if (caller->service != NULL)
        catalog_service_put(caller->service);
    if (caller->client != NULL)
        catalog_client_put(caller->client);
    *caller = (struct caller){ NULL, NULL };
}
