#include "oauth/client_auth.h"

#include "oauth/client_find.h"
#include "oauth/client_metadata.h"
#include "store/shared.h"

static const char *const authentication_failed = "client authentication failed";

enum presented_by { BY_NOTHING, BY_HEADER, BY_BODY, BY_ASSERTION };

/* The one way that counts, after the checks on how it was sent. A certificate is none of them: it
 * may be there for the token's sake (RFC 8705 3). */
struct presented {
    struct str id;
    enum presented_by by;
    const struct secret *secret; /* BY_HEADER, BY_BODY */
    struct str assertion;
};

/* What a secret is checked against. */
struct forms {
    struct secret_form current;
    struct secret_form previous;
    int64_t client_id; /* for the audit trail; 0: nobody's, or a service's */
};

static bool is_sent(const struct str *parameter)
{
    return parameter != NULL && parameter->len > 0;
}

/* RFC 7521 4.2, 4.2.1 */
static enum rc present_assertion(struct oauth_call *call,
                                 const struct client_credentials *credentials,
                                 struct presented *presented)
{
    if (!is_sent(credentials->assertion) || !is_sent(credentials->assertion_type))
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "client_assertion and client_assertion_type belong together", NULL);
    presented->by = BY_ASSERTION;
    presented->assertion = *credentials->assertion;
    if (!str_equal(*credentials->assertion_type,
                   STR("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")) ||
        client_assertion_read(call, presented->assertion, &presented->id) != RC_OK)
        return oauth_refuse_for(call, OAUTH_INVALID_CLIENT, REASON_WRONG_CLIENT,
                                authentication_failed, "assertion: not readable");
    /* client_id is not needed, and may not say something else. */
    if (credentials->has_body_id && !str_equal(credentials->body_id, presented->id))
        return oauth_refuse_for(call, OAUTH_INVALID_CLIENT, REASON_WRONG_CLIENT,
                                authentication_failed, "assertion: sub is not client_id");
    return RC_OK;
}

/* What is longer is nobody's id, and must not fill log, throttle and audit trail. */
static struct str cut_id(struct str id)
{
    if (id.len > CLIENT_ID_BYTES_MAX) {
        id.len = CLIENT_ID_BYTES_MAX;
        while (!str_is_utf8(id))
            id.len--;
    }
    return id;
}

static enum rc present(struct oauth_call *call, const struct client_credentials *credentials,
                       struct presented *out_presented)
{
    /* RFC 6749 3.2: without a value is as if omitted. */
    const struct secret *body_secret =
        credentials->body_secret != NULL && credentials->body_secret->len > 0
            ? credentials->body_secret
            : NULL;

    bool has_assertion = is_sent(credentials->assertion) || is_sent(credentials->assertion_type);
    enum rc rc;

    if (!credentials->has_basic && !credentials->has_body_id && !has_assertion) {
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
    if (has_assertion && (credentials->has_basic || body_secret != NULL))
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "use a secret or client_assertion, not both", NULL);
    if (has_assertion) {
        rc = present_assertion(call, credentials, out_presented);
        if (rc != RC_OK)
            return rc;
    } else if (credentials->has_basic) {
        *out_presented = (struct presented){ .id = credentials->basic_id,
                                             .by = BY_HEADER,
                                             .secret = credentials->basic_secret };
    } else {
        *out_presented = (struct presented){ .id = credentials->body_id,
                                             .by = body_secret != NULL ? BY_BODY : BY_NOTHING,
                                             .secret = body_secret };
    }
    call->log_client_id = cut_id(out_presented->id);
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
    bool is_evaluated = try->is_begun;
    struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = throttle_end(call->oauth->door->throttle, try, has_succeeded, call->now, &unit);
    if (rc != RC_OK)
        return rc;
    if (!has_succeeded && is_evaluated)
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
        rc = end_try(call, &try, false, forms->client_id);
        return rc == RC_OK ? refuse_client(call, "client throttled") : rc;
    }
    if (rc != RC_OK)
        return rc;
    verdict =
        secret_check_either(call->oauth->secrets, secret, &forms->current, &forms->previous, true);
    if (rc_is_fault(verdict)) {
        rc = throttle_cancel(throttle, &try, call->now);
        return rc == RC_OK ? verdict : rc;
    }
    rc = end_try(call, &try, verdict == RC_OK, forms->client_id);
    /* A success that cannot be put on record is one all the same: a store that is full or away must
     * not keep a service from what is in memory. What needs the store fails there. Where others
     * count in the store as well, none that it did not count is told. */
    if (rc != RC_OK && (verdict != RC_OK || store_is_shared(call->oauth->store)))
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

/* Whether a secret came the way that the client is registered for. */
static bool is_registered_way(enum client_auth_method method, enum presented_by by)
{
    return (by == BY_HEADER && (method == AUTH_SECRET || method == AUTH_SECRET_BASIC)) ||
           (by == BY_BODY && (method == AUTH_SECRET || method == AUTH_SECRET_POST));
}

/* CA-03; OpenID Connect Core 9: another method than the client's proves nothing. */
static enum rc refuse_method(struct oauth_call *call, const struct presented *presented,
                             const struct client *client)
{
    enum rc rc = check_in_vain(call, presented->secret, client->id);

    if (rc == RC_REFUSED && call->refusal.error == OAUTH_INVALID_CLIENT)
        call->refusal.log_detail = "not the client's authentication method";
    return rc;
}

static enum rc check_client_secret(struct oauth_call *call, struct catalog_client *entry,
                                   const struct presented *presented)
{
    const struct client *client = &entry->client;
    struct forms forms = { .current = { client->secret_hash, &entry->memory },
                           .client_id = client->id };

    if (presented->secret == NULL)
        return refuse_client(call, "no secret sent");
    if (!is_registered_way(client->auth_method, presented->by))
        return refuse_method(call, presented, client);
    if (call->now < client->previous_secret_until)
        forms.previous =
            (struct secret_form){ client->previous_secret_hash, &entry->previous_memory };
    return check_secret(call, presented->secret, &forms);
}

/* CA-03: the method that the client is registered for, and none beside it (RFC 7591 2). */
static enum rc check_confidential(struct oauth_call *call, struct catalog_client *entry,
                                  const struct presented *presented)
{
    const struct client *client = &entry->client;
    const char *why = NULL;
    enum rc rc = RC_OK;

    switch (client->auth_method) {
    case AUTH_PRIVATE_KEY_JWT:
        if (presented->by != BY_ASSERTION)
            return refuse_method(call, presented, client);
        rc = client_assertion_check(call, client, presented->assertion, &why);
        break;
    case AUTH_TLS:
    case AUTH_TLS_SELF_SIGNED:
        if (presented->by != BY_NOTHING)
            return refuse_method(call, presented, client);
        rc = client_certificate_check(call, client, &why);
        break;
    case AUTH_SECRET:
    case AUTH_SECRET_BASIC:
    case AUTH_SECRET_POST:
        return check_client_secret(call, entry, presented);
    case AUTH_METHOD_COUNT:
        ASSERT(false);
    }
    return rc == RC_REFUSED ? refuse_client(call, why) : rc;
}

static enum rc check_client(struct oauth_call *call, struct catalog_client *entry,
                            const struct presented *presented)
{
    const struct secret *secret = presented->secret;
    bool is_empty = secret == NULL || secret->len == 0;
    enum rc rc = RC_OK;

    if (presented->by == BY_ASSERTION && entry->client.type != CLIENT_CONFIDENTIAL)
        return refuse_client(call, "assertion: the client has no keys for it");
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

/* A secret that is not known here may be one that another node has stored a moment before. */
static enum rc present_up_to_date(struct oauth_call *call,
                                  const struct client_credentials *credentials,
                                  struct presented *out_presented)
{
    enum rc rc = present(call, credentials, out_presented);

    if (rc == RC_OK && call->may_hash && out_presented->secret != NULL)
        rc = store_catch_up(call->oauth->store);
    return rc;
}

enum rc client_authenticate(struct oauth_call *call, const struct client_credentials *credentials,
                            struct catalog_client **out_client)
{
    struct catalog_client *entry;
    struct presented presented = { 0 };
    const char *why;
    enum rc rc = present_up_to_date(call, credentials, &presented);

    if (rc != RC_OK)
        return rc;
    rc = client_find(call, presented.id, CLIENT_AS_KNOWN, &entry, &why);
    if (rc == RC_NOT_FOUND && client_id_is_document(presented.id) && presented.secret == NULL)
        return refuse_client(call, why);
    if (rc == RC_NOT_FOUND)
        return check_in_vain(call, presented.secret, 0);
    if (rc != RC_OK)
        return rc;
    rc = check_client(call, entry, &presented);
    if (rc != RC_OK) {
        catalog_client_put(entry);
        return rc;
    }
    call->is_fapi = client_is_fapi(&entry->client);
    *out_client = entry;
    return RC_OK;
}

enum rc client_require(struct oauth_call *call, const struct client_credentials *credentials,
                       struct catalog_client **out_client)
{
    enum rc rc = client_authenticate(call, credentials, out_client);

    return rc == RC_NOT_FOUND ? oauth_refuse_for(call, OAUTH_INVALID_CLIENT, REASON_NO_CLIENT,
                                                 "client authentication is required", "no client")
                              : rc;
}

enum rc client_auth_finish(struct oauth_call *call, enum rc rc)
{
    struct store_unit unit;
    enum rc put;

    if (!call->has_assertion || (rc != RC_OK && rc != RC_REFUSED))
        return rc;
    store_unit_init(&unit);
    put = oauth_commit(call, &unit);
    return put == RC_OK ? rc : put;
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
    enum rc rc = present_up_to_date(call, credentials, &presented);

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
