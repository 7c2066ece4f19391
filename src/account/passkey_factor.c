#include "account/passkey_factor.h"

#include "account/notice.h"
#include "codec/base32.h"
#include "codec/base64url.h"

enum {
    USER_HANDLE_BYTES_MAX = 64, /* WebAuthn 4 */
    ARENA_SLACK_BYTES = 16,     /* each piece is rounded up */
    RECORD_BYTES_MAX = (int)PASSKEY_CREDENTIAL_ID_BYTES_MAX + (int)USER_HANDLE_BYTES_MAX +
                       (int)PASSKEY_PUBLIC_KEY_BYTES_MAX + (int)PASSKEY_TRANSPORTS_BYTES_MAX +
                       4 * (int)ARENA_SLACK_BYTES,
    RECORDS_ARENA_BYTES = FACTOR_COUNT_MAX * (int)RECORD_BYTES_MAX,
    ANSWER_ARENA_BYTES = (int)PASSKEY_CREDENTIAL_ID_BYTES_MAX + (int)PASSKEY_CLIENT_DATA_BYTES_MAX +
                         (int)PASSKEY_ATTESTATION_BYTES_MAX + 4 * (int)ARENA_SLACK_BYTES +
                         (int)RECORD_BYTES_MAX,
    FACTORS_ARENA_BYTES = FACTOR_COUNT_MAX * (FACTOR_NAME_BYTES_MAX + 128),
    NAME_DIGEST_TEXT_BYTES = 52, /* base 32 of 32 bytes */
    THROTTLE_NAME_BYTES = 8 + (int)NAME_DIGEST_TEXT_BYTES
};

_Static_assert((int)PASSKEY_ATTESTATION_BYTES_MAX >
                   (int)PASSKEY_AUTHENTICATOR_DATA_BYTES_MAX + (int)PASSKEY_SIGNATURE_BYTES_MAX +
                       (int)USER_HANDLE_BYTES_MAX + 4 * (int)ARENA_SLACK_BYTES,
               "what signs in is less than what registers");
_Static_assert((int)FACTOR_COUNT_MAX *((int)BASE64URL_TEXT_BYTES(PASSKEY_CREDENTIAL_ID_BYTES_MAX) +
                                       (int)PASSKEY_TRANSPORTS_BYTES_MAX + 100) +
                       6 * 4 * (int)ACCOUNT_NAME_BYTES_MAX + 1024 <=
                   (int)PASSKEY_OPTIONS_BYTES_MAX,
               "options fit");

static const char *const no_challenge = "no challenge was open";
static const char *const undecodable = "not base64url, or too long";

/* ---- what both ceremonies share -------------------------------------------------------------- */

static void make_user_handle(const struct account_door *door, int64_t account_id,
                             unsigned char out_handle[static DIGEST_BYTES])
{
    char digits[24];
    struct buffer id = buffer_over(digits, sizeof(digits));

    buffer_append_u64(&id, (uint64_t)account_id);
    hmac_sha256(door->factor_keys.code_key, STR("user handle:"), buffer_str(&id), out_handle);
}

static enum challenge_use use_of(const struct passkey_visitor *visitor)
{
    bool is_signed_in = visitor->session != NULL && visitor->session->stage == STAGE_SIGNED_IN;

    return is_signed_in ? CHALLENGE_STEP_UP : CHALLENGE_SIGN_IN;
}

static struct passkey_ceremony ceremony_of(const struct passkey_site *site,
                                           const unsigned char challenge[static CHALLENGE_BYTES])
{
    return (struct passkey_ceremony){ .challenge = { (const char *)challenge, CHALLENGE_BYTES },
                                      .origins = &site->origin,
                                      .origin_count = 1,
                                      .rp_id = site->rp_id,
                                      .needs_user_verification = true };
}

static void add_event(const struct passkey_visitor *visitor, enum event_kind kind,
                      int64_t account_id, struct str detail, struct store_unit *unit)
{
    struct event event = {
        .at = visitor->browser.now, .kind = kind, .account_id = account_id, .detail = detail
    };

    memcpy(event.address, visitor->browser.address, sizeof(event.address));
    store_insert_event(unit, &event);
}

static bool decode(struct str text, size_t bytes_max, struct arena *arena, struct str *out_bytes)
{
    struct buffer bytes;

    if (text.len > BASE64URL_TEXT_BYTES(bytes_max))
        return false;
    bytes = buffer_over(arena_alloc(arena, bytes_max), bytes_max);
    if (base64url_decode(text, &bytes) != RC_OK)
        return false;
    *out_bytes = buffer_str(&bytes);
    return true;
}

/*
 * Uses up the challenge that an answer names (WebAuthn 13.4.3): before anything else of it is
 * looked at, so it is good for one.
 *
 * client_data   in base64url
 *
 * Answers: RC_OK · RC_NOT_FOUND none that is open
 */
static enum rc take_challenge(const struct account_door *door, const struct passkey_site *site,
                              const struct passkey_visitor *visitor, enum challenge_use use,
                              struct str client_data,
                              unsigned char out_challenge[static CHALLENGE_BYTES])
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    char bytes[PASSKEY_CHALLENGE_BYTES_MAX];
    struct buffer challenge = buffer_over(bytes, sizeof(bytes));
    struct str decoded;
    enum rc rc;

    arena_init(&arena, (int)PASSKEY_CLIENT_DATA_BYTES_MAX + (int)ARENA_SLACK_BYTES);
    if (!decode(client_data, PASSKEY_CLIENT_DATA_BYTES_MAX, &arena, &decoded))
        return RC_NOT_FOUND;
    rc = passkey_read_challenge(decoded, &challenge);
    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_NOT_FOUND : rc;
    rc = challenge_consume(site->challenge_key, door->store, visitor->owner, use,
                           visitor->browser.now, buffer_str(&challenge));
    if (rc == RC_OK)
        memcpy(out_challenge, bytes, CHALLENGE_BYTES);
    return rc;
}

static enum rc list_passkeys(struct store *store, int64_t account_id, struct arena *arena,
                             struct passkey_descriptor out_descriptors[static FACTOR_COUNT_MAX],
                             size_t *out_count)
{
    struct credential_record rows[FACTOR_COUNT_MAX];
    size_t count;
    enum rc rc = store_list_passkeys(store, account_id, arena, rows, &count);

    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < count; i++)
        out_descriptors[i] =
            (struct passkey_descriptor){ rows[i].credential_id, rows[i].transports };
    *out_count = count;
    return RC_OK;
}

/* ---- making one ------------------------------------------------------------------------------ */

static enum rc check_count(struct store *store, int64_t account_id)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct factor rows[FACTOR_COUNT_MAX];
    size_t count;
    enum rc rc;

    arena_init(&arena, FACTORS_ARENA_BYTES);
    rc = store_list_factors(store, account_id, &arena, rows, &count);
    return rc == RC_OK && count >= FACTOR_COUNT_MAX ? RC_EXISTS : rc;
}

enum rc passkey_begin_registration(const struct account_door *door, const struct passkey_site *site,
                                   const struct passkey_visitor *visitor,
                                   struct buffer *out_options)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct passkey_descriptor registered[FACTOR_COUNT_MAX];
    unsigned char handle[DIGEST_BYTES];
    unsigned char challenge[CHALLENGE_BYTES];
    struct passkey_creation creation = {
        .challenge = { (const char *)challenge, sizeof(challenge) },
        .rp_id = site->rp_id,
        .rp_name = site->rp_name,
        .user_handle = { (const char *)handle, PASSKEY_USER_HANDLE_BYTES },
        .user_name = visitor->account->name,
        .user_full_name = visitor->account->full_name,
        .registered = registered,
        .needs_user_verification = true,
    };
    enum rc rc = check_count(door->store, visitor->account->id);

    arena_init(&arena, RECORDS_ARENA_BYTES);
    if (rc == RC_OK)
        rc = list_passkeys(door->store, visitor->account->id, &arena, registered,
                           &creation.registered_count);
    if (rc != RC_OK)
        return rc;
    make_user_handle(door, visitor->account->id, handle);
    challenge_issue(site->challenge_key, visitor->owner, CHALLENGE_REGISTRATION,
                    visitor->browser.now, challenge);
    passkey_format_creation(&creation, out_options);
    return RC_OK;
}

/* Words of letters, digits and dashes, each behind one space (WebAuthn 5.8.4 may get more); empty
 * for anything else: they are but a hint. */
static struct str clean_transports(struct str words)
{
    bool is_at_start = true;

    if (words.len > PASSKEY_TRANSPORTS_BYTES_MAX)
        return STR("");
    for (size_t i = 0; i < words.len; i++) {
        char byte = words.at[i];
        bool is_letter =
            (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-';

        if (!is_letter && (byte != ' ' || is_at_start))
            return STR("");
        is_at_start = !is_letter;
    }
    return is_at_start ? STR("") : words;
}

/* Factor, record, sessions and event in one. */
static enum rc store_passkey(const struct account_door *door, const struct passkey_visitor *visitor,
                             const struct passkey *passkey, const struct passkey_new *answer,
                             const char **out_why)
{
    const struct account *account = visitor->account;
    unsigned char handle[DIGEST_BYTES];
    struct factor factor = { .account_id = account->id,
                             .kind = FACTOR_PASSKEY,
                             .name = answer->name,
                             .created_at = visitor->browser.now };
    struct credential_record record = {
        .account_id = account->id,
        .credential_id = passkey->credential_id,
        .user_handle = { (const char *)handle, PASSKEY_USER_HANDLE_BYTES },
        .public_key = passkey->public_key,
        .transports = clean_transports(answer->transports),
        .sign_count = passkey->sign_count,
        .is_user_verified = passkey->is_user_verified,
        .is_backup_eligible = passkey->is_backup_eligible,
        .is_backed_up = passkey->is_backed_up,
    };
    UNINITIALIZED struct store_unit unit;
    enum rc rc = store_next_id(door->store, SEQUENCE_NOUN, &factor.id);

    if (rc != RC_OK)
        return rc;
    record.id = factor.id;
    make_user_handle(door, account->id, handle);
    store_unit_init(&unit);
    /* Whoever was put out by a new password meanwhile leaves no passkey behind. */
    store_expect_password_hash(&unit, account->id, account->password_hash);
    store_insert_factor(&unit, &factor);
    store_insert_passkey(&unit, &record);
    /* OWASP ASVS 5.0 7.4.3 */
    store_delete_browser_sessions(&unit, account->id, visitor->session->id);
    add_event(visitor, EVENT_FACTOR_CHANGED, account->id, STR("a passkey was added by its owner"),
              &unit);
    notice_add(answer->notice, &unit);
    rc = store_commit(door->store, &unit);
    if (rc == RC_EXISTS) /* WebAuthn 7.1 step 26 */
        *out_why = "the credential is registered already";
    else if (rc == RC_NOT_FOUND)
        *out_why = "the account was changed meanwhile";
    return rc == RC_EXISTS || rc == RC_NOT_FOUND ? RC_REFUSED : rc;
}

static enum rc check_new(const struct passkey_site *site,
                         const unsigned char challenge[static CHALLENGE_BYTES],
                         const struct passkey_new *answer, struct arena *arena,
                         struct passkey *out_passkey, const char **out_why)
{
    const struct passkey_ceremony ceremony = ceremony_of(site, challenge);
    struct passkey_registration registration;
    struct passkey_registration_result result;
    enum rc rc;

    if (!decode(answer->credential_id, PASSKEY_CREDENTIAL_ID_BYTES_MAX, arena,
                &registration.credential_id) ||
        !decode(answer->client_data, PASSKEY_CLIENT_DATA_BYTES_MAX, arena,
                &registration.client_data) ||
        !decode(answer->attestation_object, PASSKEY_ATTESTATION_BYTES_MAX, arena,
                &registration.attestation_object)) {
        *out_why = undecodable;
        return RC_REFUSED;
    }
    rc = passkey_check_registration(&ceremony, &registration, &result);
    if (rc != RC_OK)
        return rc;
    if (result.verdict != PASSKEY_OK) {
        *out_why = passkey_verdict_words(result.verdict);
        return RC_REFUSED;
    }
    *out_passkey = result.passkey;
    return RC_OK;
}

enum rc passkey_finish_registration(const struct account_door *door,
                                    const struct passkey_site *site,
                                    const struct passkey_visitor *visitor,
                                    const struct passkey_new *answer, const char **out_why)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    unsigned char challenge[CHALLENGE_BYTES];
    struct passkey passkey;
    enum rc rc;

    ASSERT(answer->name.len <= FACTOR_NAME_BYTES_MAX);
    rc =
        take_challenge(door, site, visitor, CHALLENGE_REGISTRATION, answer->client_data, challenge);
    if (rc == RC_NOT_FOUND) {
        *out_why = no_challenge;
        return RC_REFUSED;
    }
    if (rc == RC_OK)
        rc = check_count(door->store, visitor->account->id);
    if (rc != RC_OK)
        return rc;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    rc = check_new(site, challenge, answer, &arena, &passkey, out_why);
    return rc == RC_OK ? store_passkey(door, visitor, &passkey, answer, out_why) : rc;
}

/* ---- signing in with one --------------------------------------------------------------------- */

enum rc passkey_begin_sign_in(const struct account_door *door, const struct passkey_site *site,
                              const struct passkey_visitor *visitor, struct buffer *out_options)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct passkey_descriptor allowed[FACTOR_COUNT_MAX];
    unsigned char challenge[CHALLENGE_BYTES];
    struct passkey_request request = { .challenge = { (const char *)challenge, sizeof(challenge) },
                                       .rp_id = site->rp_id,
                                       .allowed = allowed,
                                       .needs_user_verification = true };
    enum rc rc;

    if (visitor->account != NULL) {
        arena_init(&arena, RECORDS_ARENA_BYTES);
        rc = list_passkeys(door->store, visitor->account->id, &arena, allowed,
                           &request.allowed_count);
        if (rc != RC_OK || request.allowed_count == 0)
            return rc == RC_OK ? RC_NOT_FOUND : rc;
    }
    challenge_issue(site->challenge_key, visitor->owner, use_of(visitor), visitor->browser.now,
                    challenge);
    passkey_format_request(&request, out_options);
    return RC_OK;
}

/* One answer on its way. */
struct attempt {
    const struct account_door *door;
    const struct passkey_site *site;
    const struct passkey_visitor *visitor;
    unsigned char challenge[CHALLENGE_BYTES];
    struct throttle_try try;
    struct credential_record record;
    struct account account; /* whose it is */
    bool is_found;          /* the two are filled */
    struct passkey_assertion_result checked;
    const char *why; /* not; NULL: it is right */
};

static enum rc begin_try(struct attempt *attempt, struct str credential_id, int64_t *out_wait_s)
{
    const struct browser *browser = &attempt->visitor->browser;
    unsigned char digest[SHA256_BYTES];
    char name_bytes[THROTTLE_NAME_BYTES];
    struct buffer name = buffer_over(name_bytes, sizeof(name_bytes));

    digest_sha256(credential_id, digest);
    BUFFER_APPEND_LITERAL(&name, "passkey:"); /* no account's: those hold no colon */
    base32_encode((struct str){ (const char *)digest, sizeof(digest) }, &name);
    ASSERT(!name.overflow);
    return throttle_begin(attempt->door->throttle, buffer_str(&name), browser->address, true,
                          browser->now, &attempt->try, out_wait_s);
}

/* The record that the answer names, and its account; a stranger's is said by `why`. */
static enum rc find_owner(struct attempt *attempt, struct str credential_id, struct arena *records,
                          struct arena *arena)
{
    struct store *store = attempt->door->store;
    enum rc rc = store_find_passkey(store, credential_id, records, &attempt->record);

    if (rc == RC_OK)
        rc = store_find_account(store, attempt->record.account_id, arena, &attempt->account);
    attempt->is_found = rc == RC_OK;
    if (rc == RC_NOT_FOUND)
        attempt->why = "no such passkey";
    else if (rc == RC_OK && attempt->account.is_disabled)
        attempt->why = "the account is disabled";
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc check_answer(struct attempt *attempt, const struct passkey_assertion *assertion)
{
    const struct passkey_ceremony ceremony = ceremony_of(attempt->site, attempt->challenge);
    const struct credential_record *record = &attempt->record;
    const struct account *expected = attempt->visitor->account;
    struct passkey_owner owner = { .user_handle = record->user_handle };
    const struct passkey stored = { .credential_id = record->credential_id,
                                    .public_key = record->public_key,
                                    .sign_count = (uint32_t)record->sign_count,
                                    .is_user_verified = record->is_user_verified,
                                    .is_backup_eligible = record->is_backup_eligible,
                                    .is_backed_up = record->is_backed_up };
    enum rc rc;

    if (expected != NULL) {
        if (expected->id != record->account_id) { /* WebAuthn 7.2 step 6 */
            attempt->why = passkey_verdict_words(PASSKEY_USER);
            return RC_OK;
        }
        owner.expected_user_handle = record->user_handle;
    }
    rc = passkey_check_assertion(&ceremony, assertion, &stored, &owner, &attempt->checked);
    if (rc == RC_OK && attempt->checked.verdict != PASSKEY_OK)
        attempt->why = passkey_verdict_words(attempt->checked.verdict);
    return rc;
}

static enum rc evaluate(struct attempt *attempt, const struct passkey_answer *answer,
                        struct arena *arena)
{
    __attribute__((cleanup(arena_deinit))) struct arena own = { 0 };
    struct passkey_assertion assertion;
    enum rc rc;

    arena_init(&own, ANSWER_ARENA_BYTES);
    if (!decode(answer->credential_id, PASSKEY_CREDENTIAL_ID_BYTES_MAX, &own,
                &assertion.credential_id) ||
        !decode(answer->client_data, PASSKEY_CLIENT_DATA_BYTES_MAX, &own, &assertion.client_data) ||
        !decode(answer->authenticator_data, PASSKEY_AUTHENTICATOR_DATA_BYTES_MAX, &own,
                &assertion.authenticator_data) ||
        !decode(answer->signature, PASSKEY_SIGNATURE_BYTES_MAX, &own, &assertion.signature) ||
        !decode(answer->user_handle, USER_HANDLE_BYTES_MAX, &own, &assertion.user_handle)) {
        attempt->why = undecodable;
        return RC_OK;
    }
    rc = find_owner(attempt, assertion.credential_id, &own, arena);
    return rc == RC_OK && attempt->why == NULL ? check_answer(attempt, &assertion) : rc;
}

static enum rc commit_failure(struct attempt *attempt)
{
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = throttle_end(attempt->door->throttle, &attempt->try, false, attempt->visitor->browser.now,
                      &unit);
    if (rc != RC_OK)
        return rc;
    add_event(attempt->visitor, EVENT_FACTOR_FAILED, attempt->is_found ? attempt->account.id : 0,
              str_of(attempt->why), &unit);
    return store_commit(attempt->door->store, &unit);
}

static struct str success_words(const struct passkey_visitor *visitor)
{
    if (visitor->session == NULL)
        return STR("in a browser, with a passkey alone");
    return visitor->session->stage == STAGE_SIGNED_IN
               ? STR("in a browser, once more, with a passkey")
               : STR("in a browser, with a password and a passkey");
}

/* Counter, session, event, and the end of the tries, in one. */
static enum rc commit_success(struct attempt *attempt, struct browser_result *result)
{
    const struct passkey_visitor *visitor = attempt->visitor;
    const struct browser *browser = &visitor->browser;
    const struct account *account = &attempt->account;
    struct browser_begin begin = { .account_id = account->id,
                                   .stage = STAGE_SIGNED_IN,
                                   .address = browser->address,
                                   .device = browser->device,
                                   .now = browser->now,
                                   .methods = METHOD_PASSKEY };
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    if (visitor->session != NULL) {
        begin.replaces_id = visitor->session->id;
        begin.login_id = visitor->session->login_id;
        begin.methods |= visitor->session->methods;
        begin.password_hash = visitor->account->password_hash;
    }
    store_unit_init(&unit);
    rc = throttle_end(attempt->door->throttle, &attempt->try, true, browser->now, &unit);
    if (rc == RC_OK)
        rc = account_forget_failures(attempt->door, account, browser->address, browser->now, &unit);
    if (rc != RC_OK)
        return rc;
    store_spend_passkey(&unit, &attempt->record, attempt->checked.sign_count,
                        attempt->checked.is_backed_up, browser->now);
    rc =
        browser_session_begin(attempt->door->store, &begin, &unit, result->value, &result->session);
    if (rc != RC_OK)
        return rc;
    add_event(visitor, EVENT_SIGNED_IN, account->id, success_words(visitor), &unit);
    rc = store_commit(attempt->door->store, &unit);
    if (rc == RC_OK)
        return RC_OK;
    explicit_bzero(result->value, sizeof(result->value));
    result->verdict = rc == RC_SPENT ? SIGN_IN_CODE_WRONG : SIGN_IN_WRONG;
    result->why = rc == RC_SPENT ? "the passkey was used or removed a moment before"
                                 : "account or session changed meanwhile";
    return rc == RC_SPENT || rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc conclude(struct attempt *attempt, struct browser_result *result)
{
    if (attempt->why != NULL) {
        result->why = attempt->why;
        return commit_failure(attempt);
    }
    result->verdict = SIGN_IN_OK;
    result->why = "ok";
    return commit_success(attempt, result);
}

enum rc passkey_finish_sign_in(const struct account_door *door, const struct passkey_site *site,
                               const struct passkey_visitor *visitor,
                               const struct passkey_answer *answer, struct arena *arena,
                               struct browser_result *out_result, struct account *out_account)
{
    struct attempt attempt = { .door = door, .site = site, .visitor = visitor };
    struct browser_result result = { .verdict = SIGN_IN_CODE_WRONG, .why = no_challenge };
    enum rc rc = take_challenge(door, site, visitor, use_of(visitor), answer->client_data,
                                attempt.challenge);
    enum rc begun;

    if (rc == RC_NOT_FOUND) { /* too late, mostly, and cheap: no failure is counted */
        *out_result = result;
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    begun = begin_try(&attempt, answer->credential_id, &result.wait_s);
    if (begun == RC_REFUSED) {
        result.verdict = SIGN_IN_WAIT;
        result.why = "the address is over its limit";
        *out_result = result;
        return RC_OK;
    }
    if (begun == RC_SPENT)
        attempt.why = "the passkey is held up by failed tries";
    else if (begun != RC_OK)
        return begun;
    else
        rc = evaluate(&attempt, answer, arena);
    if (rc == RC_OK)
        rc = conclude(&attempt, &result);
    if (rc != RC_OK) {
        if (attempt.try.is_begun)
            begun = throttle_cancel(door->throttle, &attempt.try, visitor->browser.now);
        return rc_is_fault(begun) ? begun : rc;
    }
    if (result.verdict == SIGN_IN_OK)
        *out_account = attempt.account;
    *out_result = result;
    return RC_OK;
}
