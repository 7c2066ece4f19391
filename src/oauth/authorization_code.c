#include "codec/base64url.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "oauth/authorization.h"
#include "oauth/id_token.h"
#include "store/authorized.h"

enum { CODE_RANDOM_BYTES = 32 };

/* RFC 8176: the words of what a person did. */
static struct str amr_of(unsigned methods)
{
    switch (methods & (METHOD_PASSWORD | METHOD_CODE | METHOD_PASSKEY)) {
    case METHOD_PASSWORD:
        return STR("pwd");
    case METHOD_PASSWORD | METHOD_CODE:
        return STR("pwd otp mfa");
    case METHOD_PASSKEY:
        return STR("hwk user mfa");
    case METHOD_PASSWORD | METHOD_PASSKEY:
        return STR("pwd hwk user mfa");
    case METHOD_PASSWORD | METHOD_CODE | METHOD_PASSKEY:
        return STR("pwd otp hwk user mfa");
    default:
        return STR("");
    }
}

enum rc authorization_draft(struct oauth_call *call, const struct client *client,
                            const struct client_metadata *metadata,
                            const struct authorization_person *person, int64_t lifetime_s,
                            struct authorization *out_authorization)
{
    const struct browser_session *session = person->session;
    struct authorization authorization = { .account_id = person->account->id,
                                           .client_id = client->id,
                                           .login_id = session->login_id,
                                           .sid = sid_of(call, session->login_id),
                                           .acr = acr_of(session->methods),
                                           .amr = amr_of(session->methods),
                                           .auth_time = session->proved_at,
                                           .created_at = call->now,
                                           .expires_at = call->now + lifetime_s };
    enum rc rc = store_next_id(call->oauth->store, SEQUENCE_NOUN, &authorization.id);

    if ((client->policy & CLIENT_IS_PAIRWISE) != 0)
        authorization.subject = subject_of(call, client, metadata, person->account->id);
    if (rc == RC_OK)
        *out_authorization = authorization;
    return rc;
}

/* ---- issuing --------------------------------------------------------------------------------- */

/* A code's row, and its value: 256 bits (CP-10). */
static enum rc draft_code(struct oauth_call *call, const struct authorization_request *request,
                          int64_t authorization_id, struct code *out_code, struct str *out_value)
{
    struct buffer value = buffer_over(arena_alloc(call->arena, CODE_BYTES), CODE_BYTES);
    unsigned char bytes[CODE_RANDOM_BYTES];
    struct code code = { .client_id = request->client->client.id,
                         .authorization_id = authorization_id,
                         .challenge = request->challenge,
                         .scope = request->permission.scope,
                         .audience = request->permission.audience,
                         .binding = request->binding,
                         .expires_at = call->now + CODE_LIFETIME_S };
    enum rc rc = store_next_id(call->oauth->store, SEQUENCE_NOUN, &code.id);

    /* RFC 6749 4.1.3: only what was sent has to be sent again. */
    if (request->has_redirect_uri)
        code.redirect_uri = request->redirect_uri;
    random_bytes(bytes, sizeof(bytes));
    base64url_encode((struct str){ (const char *)bytes, sizeof(bytes) }, &value);
    explicit_bzero(bytes, sizeof(bytes));
    digest_sha256(buffer_str(&value), code.digest);
    *out_code = code;
    *out_value = buffer_str(&value);
    return rc;
}

/* A request is good for one code (RFC 9126 4). */
static void spend_request(struct oauth_call *call, const struct authorization_request *request,
                          struct store_unit *unit)
{
    if (request->pushed_id != 0)
        store_spend_pushed_request(unit, request->pushed_id, call->now);
}

static enum rc refuse_used(struct oauth_call *call)
{
    return oauth_refuse(call, OAUTH_INVALID_REQUEST_URI, "the request was used or has expired",
                        NULL);
}

static void add_event(struct oauth_call *call, const struct authorization_request *request,
                      const struct authorization_person *person, enum event_kind kind,
                      struct str detail, struct store_unit *unit)
{
    struct event event = { .kind = kind,
                           .account_id = person->account->id,
                           .client_id = request->client->client.id,
                           .detail = detail };

    oauth_add_event(call, event, unit);
}

static enum rc issue_code(struct oauth_call *call, const struct authorization_request *request,
                          const struct authorization_person *person, bool was_asked,
                          struct str *out_code)
{
    const struct client *client = &request->client->client;
    struct authorization authorization;
    UNINITIALIZED struct store_unit unit;
    struct code code;
    struct str value;
    enum rc rc = authorization_draft(call, client, &request->metadata, person, CODE_LIFETIME_S,
                                     &authorization);

    if (rc == RC_OK)
        rc = draft_code(call, request, authorization.id, &code, &value);
    if (rc != RC_OK)
        return rc;
    authorization.nonce = request->nonce;
    authorization.claims = request->claims;
    authorization.details = request->details;
    store_unit_init(&unit);
    spend_request(call, request, &unit);
    store_insert_authorization(&unit, &authorization);
    store_insert_code(&unit, &code);
    if (was_asked)
        rc = consent_remember(call, client, person->account->id, request->consent_scope,
                              request->details, &unit);
    if (rc != RC_OK)
        return rc;
    add_event(call, request, person, EVENT_CONSENT_GIVEN, was_asked ? STR("") : STR("as before"),
              &unit);
    rc = store_commit(call->oauth->store, &unit);
    if (rc == RC_OK)
        *out_code = value;
    return rc == RC_SPENT ? refuse_used(call) : rc;
}

enum rc authorization_allow(struct oauth_call *call, const struct authorization_request *request,
                            const struct authorization_person *person, bool was_asked,
                            struct str *out_code)
{
    enum authorization_step step;
    enum rc rc = authorization_next(call, request, person, &step);

    if (rc != RC_OK)
        return rc;
    /* However the browser came here: nothing is left out. */
    if (step != STEP_NONE && !(step == STEP_CONSENT && was_asked))
        return oauth_refuse(call, OAUTH_CONSENT_REQUIRED, "the person has to be asked before that",
                            NULL);
    call->log_username = person->account->name;
    return issue_code(call, request, person, was_asked, out_code);
}

enum rc authorization_deny(struct oauth_call *call, const struct authorization_request *request,
                           const struct authorization_person *person)
{
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    spend_request(call, request, &unit);
    add_event(call, request, person, EVENT_CONSENT_DENIED, STR(""), &unit);
    rc = store_commit(call->oauth->store, &unit);
    call->is_recorded = rc == RC_OK;
    if (rc == RC_SPENT)
        return refuse_used(call);
    return rc == RC_OK ? oauth_refuse(call, OAUTH_ACCESS_DENIED, "the person said no", NULL) : rc;
}
