#include "store/room.h"

/* ---- browser sessions ----------------------------------------------------------------------- */

void store_insert_browser_session(struct store_unit *unit, const struct browser_session *session)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_BROWSER_SESSION, RC_NOT_FOUND);

    ASSERT(session->id > 0 && session->device.len <= DEVICE_BYTES_MAX);
    step_int(step, session->id);
    step_int(step, session->account_id);
    step_own_blob(unit, step, session->digest, DIGEST_BYTES);
    step_int(step, session->stage);
    step_own_blob(unit, step, session->address, sizeof(session->address));
    step_text(step, session->device);
    step_int(step, session->created_at);
    step_int(step, session->proved_at);
    step_int(step, session->last_active_at);
    step_int(step, session->expires_at);
    step_int(step, session->login_id);
    step_int(step, session->methods);
}

void store_touch_browser_session(struct store_unit *unit, int64_t id, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_TOUCH_BROWSER_SESSION, RC_OK);

    step_int(step, id);
    step_int(step, at);
}

void store_delete_browser_session(struct store_unit *unit, int64_t id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_BROWSER_SESSION, RC_OK), id);
}

void store_replace_browser_session(struct store_unit *unit, int64_t id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_BROWSER_SESSION, RC_NOT_FOUND), id);
}

void store_delete_browser_sessions(struct store_unit *unit, int64_t account_id, int64_t except_id)
{
    struct store_step *step = unit_add(unit, STATEMENT_DELETE_BROWSER_SESSIONS, RC_OK);

    step_int(step, account_id);
    step_int(step, except_id);
}

void store_delete_waiting_sessions(struct store_unit *unit, int64_t account_id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_WAITING_SESSIONS, RC_OK), account_id);
}

/* ---- addresses ------------------------------------------------------------------------------ */

void store_verify_email(struct store_unit *unit, int64_t account_id, struct str email, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_VERIFY_EMAIL, RC_EXISTS);

    ASSERT(email.len > 0 && at > 0);
    step_int(step, account_id);
    step_text(step, email);
    step_int(step, at);
    unit_change(unit, CHANGE_ACCOUNT, account_id);
}

/* ---- links ---------------------------------------------------------------------------------- */

void store_insert_link(struct store_unit *unit, const struct link *link)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_LINK, RC_OK);

    ASSERT(link->id > 0 && link->expires_at > 0);
    step_int(step, link->id);
    step_own_blob(unit, step, link->digest, DIGEST_BYTES);
    step_int(step, link->purpose);
    step_int(step, link->account_id);
    step_text(step, link->email);
    step_text(step, link->name);
    step_text(step, link->full_name);
    step_text(step, link->password_hash);
    step_int(step, link->expires_at);
}

void store_spend_link(struct store_unit *unit, const struct link *link, int64_t now)
{
    struct store_step *step = unit_add(unit, STATEMENT_SPEND_LINK, RC_NOT_FOUND);

    step_own_blob(unit, step, link->digest, DIGEST_BYTES);
    step_int(step, link->purpose);
    step_int(step, now);
}

void store_delete_links(struct store_unit *unit, int64_t account_id, enum link_purpose purpose)
{
    struct store_step *step = unit_add(unit, STATEMENT_DELETE_LINKS, RC_OK);

    step_int(step, account_id);
    step_int(step, purpose);
}

void store_delete_all_links(struct store_unit *unit, int64_t account_id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_ALL_LINKS, RC_OK), account_id);
}

void store_count_mail(struct store_unit *unit, const unsigned char key[static DIGEST_BYTES],
                      int64_t count_max, int64_t window_s, int64_t at, enum rc answer_if_over)
{
    struct store_step *step = unit_add(unit, STATEMENT_COUNT_MAIL, answer_if_over);

    step_own_blob(unit, step, key, DIGEST_BYTES);
    step_int(step, at);
    step_int(step, count_max);
    step_int(step, window_s);
}

/* ---- passkeys ------------------------------------------------------------------------------- */

void store_insert_passkey(struct store_unit *unit, const struct credential_record *passkey)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_PASSKEY, RC_EXISTS);

    ASSERT(passkey->id > 0 && passkey->account_id > 0 && passkey->credential_id.len > 0);
    step_int(step, passkey->id);
    step_int(step, passkey->account_id);
    step_blob(step, passkey->credential_id);
    step_blob(step, passkey->user_handle);
    step_blob(step, passkey->public_key);
    step_text(step, passkey->transports);
    step_int(step, passkey->sign_count);
    step_int(step, passkey->is_user_verified);
    step_int(step, passkey->is_backup_eligible);
    step_int(step, passkey->is_backed_up);
}

void store_spend_passkey(struct store_unit *unit, const struct credential_record *checked,
                         int64_t sign_count, bool is_backed_up, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_SPEND_PASSKEY, RC_SPENT);

    step_int(step, checked->id);
    step_int(step, checked->sign_count);
    step_int(step, sign_count);
    step_int(step, is_backed_up);
    step = unit_add(unit, STATEMENT_TOUCH_FACTOR, RC_OK);
    step_int(step, checked->id);
    step_int(step, at);
}

/* ---- permanent tokens ----------------------------------------------------------------------- */

void store_insert_permanent(struct store_unit *unit, const struct permanent *permanent)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_PERMANENT, RC_TOO_LARGE);

    ASSERT(permanent->id > 0 && permanent->account_id > 0 && permanent->token_id > 0);
    step_int(step, permanent->id);
    step_int(step, permanent->account_id);
    step_int(step, permanent->token_id);
    step_text(step, permanent->name);
    step_text(step, permanent->scope);
    step_text(step, permanent->addresses);
    step_int(step, permanent->created_at);
    step_int(step, permanent->expires_at);
    step_int(step, permanent->replaced_by);
    step_int(step, permanent->last_used_at);
    step_own_blob(unit, step, permanent->last_used_address, sizeof(permanent->last_used_address));
    step_int(step, PERMANENT_LIVING_COUNT_MAX);
}

void store_update_permanent(struct store_unit *unit, const struct permanent *permanent)
{
    struct store_step *step = unit_add(unit, STATEMENT_UPDATE_PERMANENT, RC_NOT_FOUND);

    step_int(step, permanent->id);
    step_int(step, permanent->account_id);
    step_text(step, permanent->name);
}

void store_replace_permanent(struct store_unit *unit, int64_t account_id, int64_t id,
                             int64_t replaced_by)
{
    struct store_step *step = unit_add(unit, STATEMENT_REPLACE_PERMANENT, RC_SPENT);

    ASSERT(replaced_by > 0 && replaced_by != id);
    step_int(step, id);
    step_int(step, account_id);
    step_int(step, replaced_by);
}

void store_count_warning(struct store_unit *unit, int64_t id, int64_t warning)
{
    struct store_step *step = unit_add(unit, STATEMENT_COUNT_WARNING, RC_SPENT);

    step_int(step, id);
    step_int(step, warning);
}

void store_touch_permanent(struct store_unit *unit, int64_t id, int64_t at,
                           const unsigned char address[static 16])
{
    struct store_step *step = unit_add(unit, STATEMENT_TOUCH_PERMANENT, RC_OK);

    step_int(step, id);
    step_int(step, at);
    step_own_blob(unit, step, address, 16);
}
