#include "store/room.h"
#include "store/shared.h"

struct store_step *unit_add(struct store_unit *unit, enum statement statement,
                            enum rc answer_if_none)
{
    struct store_step *step;

    ASSERT(unit->step_count < STORE_UNIT_STEP_COUNT_MAX);
    step = &unit->steps[unit->step_count++];
    step->statement = (int)statement;
    step->answer_if_none = answer_if_none;
    step->reason = -1;
    step->out_number = NULL;
    step->param_count = 0;
    return step;
}

static struct store_param *next_param(struct store_step *step)
{
    ASSERT(step->param_count < STORE_PARAM_COUNT_MAX);
    return &step->params[step->param_count++];
}

void step_int(struct store_step *step, int64_t number)
{
    *next_param(step) = (struct store_param){ .type = STORE_INT, .number = number };
}

void step_text(struct store_step *step, struct str text)
{
    *next_param(step) = (struct store_param){ .type = STORE_TEXT, .bytes = text };
}

void step_blob(struct store_step *step, struct str bytes)
{
    *next_param(step) = (struct store_param){ .type = STORE_BLOB, .bytes = bytes };
}

static char *unit_own(struct store_unit *unit, size_t len)
{
    char *at = unit->own_bytes + unit->own_bytes_count;

    ASSERT(len <= sizeof(unit->own_bytes) - unit->own_bytes_count);
    unit->own_bytes_count += (unsigned)len;
    return at;
}

void step_own_blob(struct store_unit *unit, struct store_step *step, const void *bytes, size_t len)
{
    char *copy = unit_own(unit, len);

    memcpy(copy, bytes, len);
    step_blob(step, (struct str){ copy, len });
}

void step_binding(struct store_unit *unit, struct store_step *step, const struct binding *binding)
{
    step_int(step, binding->kind);
    if (binding->kind == BINDING_NONE)
        *next_param(step) = (struct store_param){ .type = STORE_NULL };
    else
        step_own_blob(unit, step, binding->thumbprint, DIGEST_BYTES);
}

void unit_change(struct store_unit *unit, enum store_change_kind kind, int64_t key)
{
    ASSERT(unit->change_count < STORE_UNIT_STEP_COUNT_MAX);
    unit->changes[unit->change_count++] = (struct store_change){ kind, key };
}

void unit_tell(struct store_unit *unit, enum store_change_kind kind, int64_t key)
{
    unit->told_changes |= 1u << unit->change_count;
    unit_change(unit, kind, key);
}

/*
 * Unicode's simple lower case of the scripts whose letters are two bytes of UTF-8, and whose lower
 * case is as well, so that a folded name is as long as the name.
 */
static unsigned fold_letter(unsigned letter)
{
    static const struct {
        unsigned short first, last;
        enum { STEP_BY, EVEN_TO_ODD, ODD_TO_EVEN } how;
        unsigned short step;
    } ranges[] = {
        { 0xc0, 0xd6, STEP_BY, 32 },      { 0xd8, 0xde, STEP_BY, 32 }, /* Latin-1 */
        { 0x100, 0x12f, EVEN_TO_ODD, 0 }, { 0x132, 0x137, EVEN_TO_ODD, 0 },
        { 0x139, 0x148, ODD_TO_EVEN, 0 }, { 0x14a, 0x177, EVEN_TO_ODD, 0 },
        { 0x179, 0x17e, ODD_TO_EVEN, 0 }, { 0x386, 0x386, STEP_BY, 38 }, /* Greek */
        { 0x388, 0x38a, STEP_BY, 37 },    { 0x38c, 0x38c, STEP_BY, 64 },
        { 0x38e, 0x38f, STEP_BY, 63 },    { 0x391, 0x3a1, STEP_BY, 32 },
        { 0x3a3, 0x3ab, STEP_BY, 32 },    { 0x400, 0x40f, STEP_BY, 80 }, /* Cyrillic */
        { 0x410, 0x42f, STEP_BY, 32 },    { 0x460, 0x481, EVEN_TO_ODD, 0 },
        { 0x48a, 0x4bf, EVEN_TO_ODD, 0 }, { 0x4c1, 0x4ce, ODD_TO_EVEN, 0 },
        { 0x4d0, 0x52f, EVEN_TO_ODD, 0 }, { 0x531, 0x556, STEP_BY, 48 }, /* Armenian */
    };
    size_t index;

    for (index = 0; index < sizeof(ranges) / sizeof(ranges[0]); index++) {
        if (letter < ranges[index].first || letter > ranges[index].last)
            continue;
        if (ranges[index].how == STEP_BY)
            return letter + ranges[index].step;
        return ranges[index].how == EVEN_TO_ODD ? letter | 1 : letter + (letter & 1);
    }
    return letter;
}

void store_fold_name(struct str name, char *out_folded)
{
    size_t index;

    for (index = 0; index < name.len; index++) {
        unsigned char byte = (unsigned char)name.at[index];
        unsigned char tail = index + 1 < name.len ? (unsigned char)name.at[index + 1] : 0;

        out_folded[index] = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
        if ((byte & 0xe0) == 0xc0 && (tail & 0xc0) == 0x80) {
            unsigned letter = fold_letter((unsigned)(byte & 0x1f) << 6 | (tail & 0x3fu));

            out_folded[index] = (char)(0xc0 | letter >> 6);
            out_folded[++index] = (char)(0x80 | (letter & 0x3f));
        }
    }
}

void store_insert_account(struct store_unit *unit, const struct account *account)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_ACCOUNT, RC_EXISTS);
    char *folded;

    ASSERT(account->id > 0 && account->name.len <= ACCOUNT_NAME_BYTES_MAX);
    folded = unit_own(unit, account->name.len);
    store_fold_name(account->name, folded);
    step_int(step, account->id);
    step_text(step, account->name);
    step_text(step, (struct str){ folded, account->name.len });
    step_text(step, account->full_name);
    step_text(step, account->email);
    step_text(step, account->password_hash);
    step_int(step, account->is_admin);
    step_int(step, account->is_disabled);
    step_int(step, account->created_at);
    step_int(step, account->email_verified_at);
    unit_change(unit, CHANGE_ACCOUNT, account->id);
}

void store_update_profile(struct store_unit *unit, int64_t account_id, struct str full_name,
                          struct str email)
{
    struct store_step *step = unit_add(unit, STATEMENT_UPDATE_PROFILE, RC_NOT_FOUND);

    step_int(step, account_id);
    step_text(step, full_name);
    step_text(step, email);
    unit_change(unit, CHANGE_ACCOUNT, account_id);
}

void store_expect_account(struct store_unit *unit, const struct account *account)
{
    struct store_step *step = unit_add(unit, STATEMENT_EXPECT_ACCOUNT, RC_SPENT);

    step_int(step, account->id);
    step_text(step, account->full_name);
    step_text(step, account->email);
    step_int(step, account->is_admin);
    step_int(step, account->is_disabled);
}

void store_set_admin(struct store_unit *unit, int64_t account_id, bool is_admin)
{
    struct store_step *step = unit_add(unit, STATEMENT_SET_ADMIN, RC_REFUSED);

    step->reason = STATEMENT_FIND_ACCOUNT;
    step_int(step, account_id);
    step_int(step, is_admin);
    unit_change(unit, CHANGE_ACCOUNT, account_id);
}

void store_disable_account(struct store_unit *unit, int64_t account_id)
{
    step_int(unit_add(unit, STATEMENT_DISABLE_ACCOUNT, RC_NOT_FOUND), account_id);
    unit_change(unit, CHANGE_ACCOUNT, account_id);
    store_delete_browser_sessions(unit, account_id, 0);
}

void store_enable_account(struct store_unit *unit, int64_t account_id)
{
    step_int(unit_add(unit, STATEMENT_ENABLE_ACCOUNT, RC_NOT_FOUND), account_id);
    unit_change(unit, CHANGE_ACCOUNT, account_id);
}

void store_set_password_hash(struct store_unit *unit, int64_t account_id, struct str hash)
{
    struct store_step *step = unit_add(unit, STATEMENT_SET_PASSWORD_HASH, RC_NOT_FOUND);

    step_int(step, account_id);
    step_text(step, hash);
    unit_change(unit, CHANGE_ACCOUNT, account_id);
    store_delete_browser_sessions(unit, account_id, 0);
}

void store_expect_password_hash(struct store_unit *unit, int64_t account_id, struct str hash)
{
    struct store_step *step = unit_add(unit, STATEMENT_EXPECT_PASSWORD_HASH, RC_NOT_FOUND);

    step_int(step, account_id);
    step_text(step, hash);
}

void store_update_password_hash(struct store_unit *unit, int64_t account_id, struct str old_hash,
                                struct str new_hash)
{
    struct store_step *step = unit_add(unit, STATEMENT_UPDATE_PASSWORD_HASH, RC_NOT_FOUND);

    step_int(step, account_id);
    step_text(step, old_hash);
    step_text(step, new_hash);
    unit_change(unit, CHANGE_ACCOUNT, account_id);
}

void store_insert_grant(struct store_unit *unit, const struct grant *grant)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_GRANT, RC_EXISTS);

    ASSERT(grant->id > 0 && (grant->is_family || !grant->is_permanent));
    ASSERT(grant->is_family ||
           (grant->authorization_id == 0 && grant->binding.kind == BINDING_NONE));
    step_int(step, grant->id);
    step_int(step, grant->account_id);
    step_int(step, grant->client_id);
    step_text(step, grant->scope);
    step_text(step, grant->audience);
    step_int(step, grant->is_family);
    step_int(step, grant->parent_id);
    step_int(step, grant->created_at);
    step_int(step, grant->expires_at);
    step_int(step, grant->ended_at);
    step_int(step, grant->is_session);
    step_int(step, grant->is_permanent);
    step_int(step, grant->authorization_id);
    step_binding(unit, step, &grant->binding);
}

void store_end_grant(struct store_unit *unit, int64_t grant_id, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_END_GRANT, RC_OK);

    step_int(step, grant_id);
    step_int(step, at);
    unit_change(unit, CHANGE_GRANT_ENDED, grant_id);
}

void store_touch_grant(struct store_unit *unit, int64_t grant_id, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_TOUCH_GRANT, RC_OK);

    step_int(step, grant_id);
    step_int(step, at);
}

static void fill_token(struct store_unit *unit, struct store_step *step, const struct token *token)
{
    ASSERT(token->id > 0);
    step_int(step, token->id);
    step_int(step, token->kind);
    step_int(step, token->format);
    step_int(step, token->grant_id);
    step_int(step, token->issued_at);
    step_int(step, token->expires_at);
    step_own_blob(unit, step, token->digest, DIGEST_BYTES);
}

void store_insert_token(struct store_unit *unit, const struct token *token)
{
    bool is_long = token->id >= STORE_LONG_TOKEN_FIRST;
    enum statement statement = is_long ? STATEMENT_INSERT_LONG_TOKEN : STATEMENT_INSERT_TOKEN;

    fill_token(unit, unit_add(unit, statement, RC_OK), token);
}

void store_insert_permitted_token(struct store_unit *unit, const struct token *token)
{
    bool is_long = token->id >= STORE_LONG_TOKEN_FIRST;
    enum statement statement =
        is_long ? STATEMENT_INSERT_PERMITTED_LONG_TOKEN : STATEMENT_INSERT_PERMITTED_TOKEN;

    fill_token(unit, unit_add(unit, statement, RC_NOT_FOUND), token);
}

void store_revoke_token(struct store_unit *unit, int64_t token_id, int64_t at, int64_t expires_at)
{
    struct store_step *step = unit_add(unit, STATEMENT_REVOKE_TOKEN, RC_OK);

    step_int(step, token_id);
    step_int(step, at);
    step_int(step, expires_at);
    unit_change(unit, CHANGE_TOKEN_REVOKED, token_id);
}

void store_spend_token(struct store_unit *unit, int64_t token_id, int64_t grant_id,
                       int64_t successor_id, int64_t at, int64_t expires_at)
{
    struct store_step *step = unit_add(unit, STATEMENT_SPEND_TOKEN, RC_SPENT);

    step->reason = STATEMENT_FIND_SPENT;
    step_int(step, token_id);
    step_int(step, grant_id);
    step_int(step, successor_id);
    step_int(step, at);
    step_int(step, expires_at);
    unit_tell(unit, CHANGE_TOKEN_REVOKED, token_id);
}

void store_insert_replay(struct store_unit *unit, int64_t successor_id, int64_t until,
                         struct str sealed)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_REPLAY, RC_OK);

    step_int(step, successor_id);
    step_int(step, until);
    step_blob(step, sealed);
}

void store_insert_event(struct store_unit *unit, const struct event *event)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_EVENT, RC_OK);

    step_int(step, event->at);
    step_int(step, event->kind);
    step_int(step, event->account_id);
    step_int(step, event->client_id);
    step_int(step, event->token_id);
    step_own_blob(unit, step, event->address, sizeof(event->address));
    step_text(step, event->detail);
}

static void add_key_columns(struct store_step *step, const struct key *key)
{
    ASSERT(key->id > 0);
    step_int(step, key->id);
    step_text(step, key->kid);
    step_int(step, key->alg);
    step_text(step, key->public_jwk);
    step_blob(step, key->sealed);
    step_int(step, key->created_at);
    step_int(step, key->signs_from);
    step_int(step, key->retires_at);
}

void store_insert_key(struct store_unit *unit, const struct key *key)
{
    add_key_columns(unit_add(unit, STATEMENT_INSERT_KEY, RC_EXISTS), key);
    unit_change(unit, CHANGE_KEYS, 0);
}

void store_insert_next_key(struct store_unit *unit, const struct key *key, int64_t newest_at)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_NEXT_KEY, RC_SPENT);

    add_key_columns(step, key);
    step_int(step, newest_at);
    unit_change(unit, CHANGE_KEYS, 0);
}

void store_retire_key(struct store_unit *unit, int64_t key_id, int64_t retires_at)
{
    struct store_step *step = unit_add(unit, STATEMENT_RETIRE_KEY, RC_NOT_FOUND);

    step_int(step, key_id);
    step_int(step, retires_at);
    unit_change(unit, CHANGE_KEYS, 0);
}

void store_delete_key(struct store_unit *unit, int64_t key_id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_KEY, RC_OK), key_id);
    unit_change(unit, CHANGE_KEYS, 0);
}

void store_insert_sealed_value(struct store_unit *unit, struct str name, struct str sealed)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_SEALED_VALUE, RC_EXISTS);

    step_text(step, name);
    step_blob(step, sealed);
}

/* ---- sessions, second factors, recovery codes ----------------------------------------------- */

void store_insert_session(struct store_unit *unit, const struct session *session)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_SESSION, RC_OK);

    ASSERT(session->id > 0 && session->address_bits <= 8 * sizeof(session->address) &&
           session->idle_s >= 0 && session->device.len <= DEVICE_BYTES_MAX);
    step_int(step, session->id);
    step_int(step, session->account_id);
    step_own_blob(unit, step, session->digest, DIGEST_BYTES);
    step_own_blob(unit, step, session->address, sizeof(session->address));
    step_int(step, session->address_bits);
    step_text(step, session->device);
    step_int(step, session->idle_s);
    step_int(step, session->created_at);
    step_int(step, session->last_active_at);
}

void store_touch_session(struct store_unit *unit, int64_t session_id, int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_TOUCH_SESSION, RC_OK);

    step_int(step, session_id);
    step_int(step, at);
}

/* One unit often changes several rows of one account, which is told once. */
static void unit_change_account(struct store_unit *unit, int64_t account_id)
{
    const struct store_change *last;

    if (unit->change_count > 0) {
        last = &unit->changes[unit->change_count - 1];
        if (last->kind == CHANGE_ACCOUNT && last->key == account_id)
            return;
    }
    unit_change(unit, CHANGE_ACCOUNT, account_id);
}

void store_insert_factor(struct store_unit *unit, const struct factor *factor)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_FACTOR, RC_OK);

    ASSERT(factor->id > 0 && factor->name.len <= FACTOR_NAME_BYTES_MAX);
    step_int(step, factor->id);
    step_int(step, factor->account_id);
    step_int(step, factor->kind);
    step_text(step, factor->name);
    step_blob(step, factor->sealed);
    step_int(step, factor->created_at);
    step_int(step, factor->last_step);
    step_int(step, factor->last_used_at);
    unit_change_account(unit, factor->account_id);
}

static void delete_factor(struct store_unit *unit, enum statement statement, int64_t factor_id,
                          int64_t account_id)
{
    struct store_step *step = unit_add(unit, statement, RC_NOT_FOUND);

    step_int(step, factor_id);
    step_int(step, account_id);
    step = unit_add(unit, STATEMENT_DELETE_PASSKEY, RC_OK); /* where it is one */
    step_int(step, factor_id);
    step_int(step, account_id);
    unit_change_account(unit, account_id);
}

void store_delete_factor(struct store_unit *unit, int64_t factor_id, int64_t account_id)
{
    delete_factor(unit, STATEMENT_DELETE_FACTOR, factor_id, account_id);
}

void store_delete_spare_factor(struct store_unit *unit, int64_t factor_id, int64_t account_id)
{
    delete_factor(unit, STATEMENT_DELETE_SPARE_FACTOR, factor_id, account_id);
}

void store_rename_factor(struct store_unit *unit, int64_t factor_id, int64_t account_id,
                         struct str name)
{
    struct store_step *step = unit_add(unit, STATEMENT_RENAME_FACTOR, RC_NOT_FOUND);

    step_int(step, factor_id);
    step_int(step, account_id);
    step_text(step, name);
}

void store_delete_factors(struct store_unit *unit, int64_t account_id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_FACTORS, RC_OK), account_id);
    step_int(unit_add(unit, STATEMENT_DELETE_PASSKEYS, RC_OK), account_id);
    store_delete_recovery_codes(unit, account_id);
}

void store_spend_step(struct store_unit *unit, int64_t factor_id, int64_t step, int64_t at)
{
    struct store_step *update = unit_add(unit, STATEMENT_SPEND_STEP, RC_SPENT);

    step_int(update, factor_id);
    step_int(update, step);
    step_int(update, at);
}

void store_insert_recovery_code(struct store_unit *unit, int64_t account_id,
                                const unsigned char digest[static DIGEST_BYTES])
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_RECOVERY_CODE, RC_EXISTS);

    step_int(step, account_id);
    step_own_blob(unit, step, digest, DIGEST_BYTES);
    unit_change_account(unit, account_id);
}

void store_delete_recovery_codes(struct store_unit *unit, int64_t account_id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_RECOVERY_CODES, RC_OK), account_id);
    unit_change_account(unit, account_id);
}

void store_spend_recovery_code(struct store_unit *unit, int64_t account_id,
                               const unsigned char digest[static DIGEST_BYTES], int64_t at)
{
    struct store_step *step = unit_add(unit, STATEMENT_SPEND_RECOVERY_CODE, RC_SPENT);

    ASSERT(at > 0); /* 0 would be: not yet */
    step_int(step, account_id);
    step_own_blob(unit, step, digest, DIGEST_BYTES);
    step_int(step, at);
}

/* ---- mails ---------------------------------------------------------------------------------- */

void store_insert_mail(struct store_unit *unit, const struct mail *mail)
{
    struct store_step *step = unit_add(unit, STATEMENT_INSERT_MAIL, RC_OK);

    ASSERT(mail->id > 0);
    step_int(step, mail->id);
    step_int(step, mail->at);
    step_int(step, mail->until);
    step_int(step, mail->next_at);
    step_blob(step, mail->sealed);
    unit_tell(unit, CHANGE_MAIL, mail->id);
}

void store_claim_mail(struct store_unit *unit, int64_t mail_id, int64_t now, int64_t leased_until)
{
    struct store_step *step = unit_add(unit, STATEMENT_CLAIM_MAIL, RC_SPENT);

    ASSERT(leased_until > now);
    step_int(step, mail_id);
    step_int(step, now);
    step_int(step, leased_until);
}

void store_postpone_mail(struct store_unit *unit, int64_t mail_id, int64_t leased_until,
                         int64_t next_at, int64_t code)
{
    struct store_step *step = unit_add(unit, STATEMENT_POSTPONE_MAIL, RC_OK);

    step_int(step, mail_id);
    step_int(step, leased_until);
    step_int(step, next_at);
    step_int(step, code);
}

void store_delete_mail(struct store_unit *unit, int64_t mail_id)
{
    step_int(unit_add(unit, STATEMENT_DELETE_MAIL, RC_OK), mail_id);
}

void store_hasten_mails(struct store_unit *unit, int64_t now)
{
    step_int(unit_add(unit, STATEMENT_HASTEN_MAILS, RC_OK), now);
    unit_tell(unit, CHANGE_MAIL, 0);
}
