#include "store/authorized.h"
#include "store/newcomers.h"
#include "store/room.h"

/* ---- authorizations and codes --------------------------------------------------------------- */

void store_insert_authorization(struct store_unit *unit, const struct authorization *authorization)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_AUTHORIZATION, RC_OK);

    ASSERT(authorization->id > 0 && authorization->client_id > 0 && authorization->expires_at > 0);
    step_int(step, authorization->id);
    step_int(step, authorization->account_id);
    step_int(step, authorization->client_id);
    step_int(step, authorization->login_id);
    step_text(step, authorization->subject);
    step_text(step, authorization->sid);
    step_text(step, authorization->acr);
    step_text(step, authorization->amr);
    step_text(step, authorization->nonce);
    step_text(step, authorization->claims);
    step_text(step, authorization->details);
    step_text(step, authorization->actor);
    step_int(step, authorization->auth_time);
    step_int(step, authorization->created_at);
    step_int(step, authorization->expires_at);
}

void store_insert_code(struct store_unit *unit, const struct code *code)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_CODE, RC_OK);

    ASSERT(code->id > 0 && code->authorization_id > 0 && code->expires_at > 0);
    step_int(step, code->id);
    step_own_blob(unit, step, code->digest, DIGEST_BYTES);
    step_int(step, code->client_id);
    step_int(step, code->authorization_id);
    step_text(step, code->redirect_uri);
    step_text(step, code->challenge);
    step_text(step, code->scope);
    step_text(step, code->audience);
    step_int(step, code->expires_at);
    step_binding(unit, step, &code->binding);
}

void store_spend_code(struct store_unit *unit, int64_t code_id, int64_t grant_id, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_SPEND_CODE, RC_SPENT);

    ASSERT(grant_id >= 0 && at > 0); /* 0 would be: not yet */
    step->reason = STATEMENT_FIND_SPENT_CODE;
    step_int(step, code_id);
    step_int(step, grant_id);
    step_int(step, at);
}

/* ---- requests ------------------------------------------------------------------------------- */

void store_expect_login(struct store_unit *unit, int64_t account_id, int64_t login_id)
{
    struct store_step *step = unit_add(unit, STATEMENT_EXPECT_LOGIN, RC_NOT_FOUND);

    step_int(step, account_id);
    step_int(step, login_id);
}

void store_insert_pushed_request(struct store_unit *unit, const struct pushed_request *request)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_PUSHED_REQUEST, RC_OK);

    ASSERT(request->id > 0 && request->expires_at > 0);
    step_int(step, request->id);
    step_own_blob(unit, step, request->digest, DIGEST_BYTES);
    step_int(step, request->client_id);
    step_text(step, request->parameters);
    step_int(step, request->expires_at);
}

void store_spend_pushed_request(struct store_unit *unit, int64_t id, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_SPEND_PUSHED_REQUEST, RC_SPENT);

    step_int(step, id);
    step_int(step, at);
}

void store_insert_device_request(struct store_unit *unit, const struct device_request *request)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_DEVICE_REQUEST, RC_EXISTS);

    ASSERT(request->id > 0 && request->expires_at > 0);
    step_int(step, request->id);
    step_own_blob(unit, step, request->digest, DIGEST_BYTES);
    step_own_blob(unit, step, request->user_digest, DIGEST_BYTES);
    step_int(step, request->client_id);
    step_int(step, request->authorization_id);
    step_int(step, request->state);
    step_text(step, request->scope);
    step_text(step, request->audience);
    step_text(step, request->details);
    step_int(step, request->interval_s);
    step_int(step, request->polled_at);
    step_int(step, request->expires_at);
    step_binding(unit, step, &request->binding);
}

void store_answer_device_request(struct store_unit *unit, int64_t id, int64_t authorization_id,
                                 int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_ANSWER_DEVICE_REQUEST, RC_SPENT);

    step_int(step, id);
    step_int(step, authorization_id);
    step_int(step, at);
}

void store_poll_device_request(struct store_unit *unit, int64_t id, int64_t interval_s, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_POLL_DEVICE_REQUEST, RC_OK);

    step_int(step, id);
    step_int(step, interval_s);
    step_int(step, at);
}

void store_spend_device_request(struct store_unit *unit, int64_t id, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_SPEND_DEVICE_REQUEST, RC_SPENT);

    step->reason = STATEMENT_FIND_NO_ALLOWED_DEVICE;
    step_int(step, id);
    step_int(step, at);
}

void store_insert_seen(struct store_unit *unit, const unsigned char digest[static DIGEST_BYTES],
                       int64_t until)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_SEEN, RC_SPENT);

    step_own_blob(unit, step, digest, DIGEST_BYTES);
    step_int(step, until);
}

/* ---- consents ------------------------------------------------------------------------------- */

void store_put_consent(struct store_unit *unit, const struct consent *consent)
{
    struct store_step *step = unit_add(unit, STATEMENT_PUT_CONSENT, RC_OK);

    ASSERT(consent->id > 0 && consent->account_id > 0 && consent->client_id > 0);
    step_int(step, consent->id);
    step_int(step, consent->account_id);
    step_int(step, consent->client_id);
    step_text(step, consent->scope);
    step_text(step, consent->details);
    step_int(step, consent->at);
}

void store_delete_consents(struct store_unit *unit, int64_t account_id, int64_t client_id)
{
    struct store_step *step = unit_add(unit, STATEMENT_DELETE_CONSENTS, RC_OK);

    step_int(step, account_id);
    step_int(step, client_id);
}

/* ---- deliveries ----------------------------------------------------------------------------- */

void store_insert_delivery(struct store_unit *unit, const struct delivery *delivery)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_DELIVERY, RC_OK);

    ASSERT(delivery->id > 0 && delivery->until > 0);
    step_int(step, delivery->id);
    step_int(step, delivery->client_id);
    step_text(step, delivery->uri);
    step_text(step, delivery->content);
    step_int(step, delivery->at);
    step_int(step, delivery->until);
    step_int(step, delivery->next_at);
    unit_tell(unit, CHANGE_DELIVERY, delivery->id);
}

void store_claim_delivery(struct store_unit *unit, int64_t id, int64_t now, int64_t leased_until)
{
    struct store_step *step = unit_add(unit, STATEMENT_CLAIM_DELIVERY, RC_SPENT);

    ASSERT(leased_until > now);
    step_int(step, id);
    step_int(step, now);
    step_int(step, leased_until);
}

void store_postpone_delivery(struct store_unit *unit, int64_t id, int64_t leased_until,
                             int64_t next_at)
{
    struct store_step *step = unit_add(unit, STATEMENT_POSTPONE_DELIVERY, RC_OK);

    step_int(step, id);
    step_int(step, leased_until);
    step_int(step, next_at);
}

void store_delete_delivery(struct store_unit *unit, int64_t id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_DELIVERY, RC_OK), id);
}

/* ---- the end of a client -------------------------------------------------------------------- */

void store_delete_client(struct store_unit *unit, int64_t client_id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_NAME_OF_CLIENT, RC_NOT_FOUND), client_id);
    step_int(unit_add(unit, STATEMENT_DELETE_CLIENT, RC_NOT_FOUND), client_id);
    step_int(unit_add(unit, STATEMENT_DELETE_CONSENTS_TO_CLIENT, RC_OK), client_id);
    step_int(unit_add(unit, STATEMENT_DELETE_DELIVERIES_TO_CLIENT, RC_OK), client_id);
    unit_change(unit, CHANGE_CLIENT, client_id);
}

/* ---- clients that no operator made ---------------------------------------------------------- */

void store_expect_client_room(struct store_unit *unit, unsigned policy, int64_t count_max)
{
    struct store_step *step = unit_add(unit, STATEMENT_EXPECT_CLIENT_ROOM, RC_TOO_LARGE);

    step_int(step, policy);
    step_int(step, count_max);
}

void store_expect_registration(struct store_unit *unit, int64_t client_id, struct str digest)
{
    struct store_step *step = unit_add(unit, STATEMENT_EXPECT_REGISTRATION, RC_NOT_FOUND);

    step_int(step, client_id);
    step_text(step, digest);
}

void store_expect_idle_client(struct store_unit *unit, int64_t client_id)
{
    step_int(unit_add(unit, STATEMENT_EXPECT_IDLE_CLIENT, RC_NOT_FOUND), client_id);
}
