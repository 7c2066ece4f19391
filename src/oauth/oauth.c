#include "oauth/oauth.h"

#include <stdlib.h>

#include "codec/uri.h"
#include "store/authorized.h"
#include "store/shared.h"

/* One answer for every reason (PW-07). */
static const char *const wrong_password = "the user name or the password is wrong";

enum rc oauth_refuse_for(struct oauth_call *call, enum oauth_error error,
                         enum refusal_reason reason, const char *description,
                         const char *log_detail)
{
    call->refusal = (struct refusal){ .error = error,
                                      .description = str_of(description),
                                      .reason = reason,
                                      .log_detail = log_detail };
    return RC_REFUSED;
}

enum oauth_readiness oauth_check_ready(const struct oauth *oauth)
{
    struct store_feed_view view;

    if (!store_is_writable(oauth->store))
        return OAUTH_STORE_NOT_WRITABLE;
    if (!store_is_shared(oauth->store))
        return OAUTH_READY;
    store_view_feed(oauth->store, &view);
    if (!store_is_trusted(oauth->store))
        return OAUTH_FEED_BEHIND;
    return llabs(view.clock_offset_ms) > STORE_CLOCK_OFFSET_MS_MAX ? OAUTH_CLOCK_OFF : OAUTH_READY;
}

struct oauth_feed_meters oauth_read_feed_meters(const struct oauth *oauth)
{
    struct store_feed_view view;

    store_view_feed(oauth->store, &view);
    return (struct oauth_feed_meters){ .is_shared = view.is_shared,
                                       .age_ms = view.age_ms,
                                       .clock_offset_ms = view.clock_offset_ms,
                                       .changes = view.change_count,
                                       .losses = view.loss_count };
}

struct oauth_store_meters oauth_read_store_meters(const struct oauth *oauth)
{
    struct store_counts counts;

    store_counts(oauth->store, &counts);
    return (struct oauth_store_meters){ .commits = counts.commits,
                                        .units = counts.units,
                                        .unit_refusals = counts.unit_refusals,
                                        .faults = counts.faults,
                                        .swept_rows = counts.swept_rows,
                                        .queue_depth = counts.queue_depth,
                                        .commit_ns = counts.commit_ns,
                                        .retries = counts.retries,
                                        .connections = counts.connections,
                                        .disk_free_bytes = counts.disk_free_bytes,
                                        .disk_bytes = counts.disk_bytes };
}

enum rc oauth_refuse(struct oauth_call *call, enum oauth_error error, const char *description,
                     const char *log_detail)
{
    return oauth_refuse_for(call, error, REASON_NONE, description, log_detail);
}

void oauth_add_event(const struct oauth_call *call, struct event event, struct store_unit *unit)
{
    event.at = call->now;
    memcpy(event.address, call->address, sizeof(event.address));
    store_insert_event(unit, &event);
}

enum rc oauth_commit(struct oauth_call *call, struct store_unit *unit)
{
    unsigned step = unit->step_count;
    unsigned own_bytes_count = unit->own_bytes_count;
    enum rc rc;

    if (!call->has_assertion)
        return store_commit(call->oauth->store, unit);
    store_insert_seen(unit, call->assertion_digest, call->assertion_until);
    rc = store_commit(call->oauth->store, unit);
    if (rc == RC_OK) {
        call->has_assertion = false;
        return RC_OK;
    }
    /* The caller may try the rest of the unit again. */
    unit->step_count = step;
    unit->own_bytes_count = own_bytes_count;
    if (rc != RC_SPENT || unit->answered_step != step)
        return rc;
    return oauth_refuse_for(call, OAUTH_INVALID_CLIENT, REASON_WRONG_CLIENT,
                            "client authentication failed", "the assertion came before");
}

enum rc oauth_commit_request(struct oauth_call *call, const struct client *client,
                             struct store_unit *unit)
{
    enum rc rc;

    if (client->type != CLIENT_CONFIDENTIAL) /* an empty secret is anybody's, too */
        throttle_count_request(call->oauth->door->throttle, call->address, call->now, unit);
    rc = oauth_commit(call, unit);
    if (rc != RC_TOO_LARGE)
        return rc;
    rc = oauth_refuse(call, OAUTH_TOO_MANY_REQUESTS, "too many requests from this address", NULL);
    call->refusal.retry_after_s = THROTTLE_REQUEST_S;
    return rc;
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
    rc = oauth_commit(call, &unit);
    call->is_recorded = rc == RC_OK;
    return rc == RC_OK ? RC_REFUSED : rc;
}

/* ---- signing in ------------------------------------------------------------------------------ */

static enum rc refuse_sign_in(struct oauth_call *call, enum refusal_reason reason, const char *why)
{
    return oauth_refuse_for(call, OAUTH_INVALID_GRANT, reason, wrong_password, why);
}

static enum rc refuse_address(struct oauth_call *call, int64_t wait_s)
{
    enum rc rc = oauth_refuse(call, OAUTH_TOO_MANY_REQUESTS, "too many failures from this address",
                              "address throttled");

    call->refusal.retry_after_s = wait_s;
    return rc;
}

/* What is not OK. The account room puts failures on record; a try that has to wait, or that lacks
 * its code, is none. */
static enum rc refuse_verdict(struct oauth_call *call, const struct sign_in_result *result)
{
    call->is_recorded = result->verdict != SIGN_IN_WAIT && result->verdict != SIGN_IN_CODE_MISSING;
    switch (result->verdict) {
    case SIGN_IN_WAIT:
        return refuse_address(call, result->wait_s);
    case SIGN_IN_WRONG:
        return refuse_sign_in(call, REASON_WRONG_PASSWORD, result->why);
    case SIGN_IN_DISABLED:
        return refuse_sign_in(call, REASON_ACCOUNT_DISABLED, result->why);
    case SIGN_IN_CODE_MISSING:
        return refuse_sign_in(call, REASON_CODE_MISSING, result->why);
    case SIGN_IN_CODE_WRONG:
        return refuse_sign_in(call, REASON_CODE_WRONG, result->why);
    case SIGN_IN_OK:
        break;
    }
    ASSERT(false);
    return RC_SYSTEM;
}

enum rc oauth_sign_in(struct oauth_call *call, struct str name, const struct secret *password,
                      const struct str *code, bool asks_code, struct store_unit *unit,
                      struct account *out_account)
{
    struct sign_in sign_in = { .name = name,
                               .password = password,
                               .asks_code = asks_code,
                               .address = call->address,
                               .now = call->now };
    struct sign_in_result result;
    enum rc rc;

    call->log_username = name;
    if (!call->may_hash)
        return RC_NEEDS_HASH;
    /* RFC 6749 3.2: without a value is as if omitted. */
    if (asks_code && code != NULL && code->len > 0)
        sign_in.code = code;
    rc = account_authenticate(call->oauth->door, &sign_in, call->arena, unit, &result);
    if (rc != RC_OK)
        return rc;
    if (result.verdict != SIGN_IN_OK)
        return refuse_verdict(call, &result);
    *out_account = result.account;
    return RC_OK;
}

enum rc oauth_refuse_spent_code(struct oauth_call *call)
{
    return refuse_sign_in(call, REASON_CODE_WRONG, "the code was used a moment before");
}

/* ---- the built-in clients -------------------------------------------------------------------- */

/* Without a grant type: nobody gets a token by naming one. */
static enum rc insert_client(const struct oauth *oauth, struct str client_id, struct str name)
{
    struct client client = { .client_id = client_id, .name = name, .type = CLIENT_PUBLIC };
    struct store_unit unit;
    enum rc rc = store_next_id(oauth->store, SEQUENCE_NOUN, &client.id);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_insert_client(&unit, &client);
    rc = store_commit(oauth->store, &unit);
    /* Another server was quicker: it is in the catalog as soon as the feed has told it. */
    return rc == RC_EXISTS ? store_catch_up(oauth->store) : rc;
}

static enum rc prepare_client(const struct oauth *oauth, struct str client_id, struct str name)
{
    struct catalog_client *client;
    enum rc rc = catalog_find_client(oauth->catalog, client_id, true, &client);

    if (rc == RC_OK)
        catalog_client_put(client);
    return rc == RC_NOT_FOUND ? insert_client(oauth, client_id, name) : rc;
}

struct str oauth_root_of(struct str issuer)
{
    struct uri uri;

    if (uri_parse(issuer, &uri) == RC_OK)
        issuer.len -= uri.path.len;
    return issuer;
}

enum rc oauth_prepare(const struct oauth *oauth)
{
    enum rc rc = prepare_client(oauth, STR(OAUTH_PUBLIC_CLIENT_ID),
                                STR("Users of services that allow passwords"));

    return rc == RC_OK ? prepare_client(oauth, STR(OAUTH_SPECTRUM_CLIENT_ID),
                                        STR("Users of Spectrum's services"))
                       : rc;
}
