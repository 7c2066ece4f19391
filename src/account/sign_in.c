#include "account/account.h"
#include "account/grants_end.h"

static const char *const locked_out = "ended by too many failed tries";
static const char *const held_up = "the name is held up by failed tries";

/* One sign-in on its way. */
struct attempt {
    const struct account_door *door;
    const struct sign_in *sign_in;
    struct arena *arena;
    bool is_found;
    struct account account;  /* is_found */
    struct throttle_try try; /* of the name */
};

static void verdict_set(struct sign_in_result *result, enum sign_in_verdict verdict,
                        const char *why)
{
    result->verdict = verdict;
    result->why = why;
}

/* ---- what a failure leaves behind ---- */

static void add_event(const struct attempt *attempt, enum event_kind kind, const char *detail,
                      struct store_unit *unit)
{
    struct event event = { .at = attempt->sign_in->now,
                           .kind = kind,
                           .account_id = attempt->is_found ? attempt->account.id : 0,
                           .detail = str_of(detail) };

    memcpy(event.address, attempt->sign_in->address, sizeof(event.address));
    store_insert_event(unit, &event);
}

enum {
    GRANTS_WITH_LOCK = 6, /* that end in the unit of the lock: what most accounts have */
    /* Scope and audience of one grant at their longest. */
    GRANT_BYTES_MAX = SCOPE_BYTES_MAX + SCOPE_WORD_COUNT_MAX * (SERVICE_ID_BYTES_MAX + 1) + 64
};

/* Failures of the throttle, three events and a disabled account. */
_Static_assert(4 + 3 + 2 + (int)GRANTS_WITH_LOCK <= (int)STORE_UNIT_STEP_COUNT_MAX, "a lock fits");

/* Whose grants a lock ends: nobody's, where there is no account, so that as much is read (PW-07).
 */
static int64_t locked_id(const struct attempt *attempt)
{
    return attempt->is_found ? attempt->account.id : INT64_MAX;
}

/* The last of a row disables the account in the same unit, where that is the rule. */
static enum rc add_lock(const struct attempt *attempt, struct store_unit *unit)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct grant grants[GRANTS_WITH_LOCK];
    size_t count;
    enum rc rc;

    arena_init(&arena, (size_t)GRANTS_WITH_LOCK * GRANT_BYTES_MAX);
    rc = store_list_grants(attempt->door->store, locked_id(attempt), 0, INT64_MAX, &arena, grants,
                           GRANTS_WITH_LOCK, &count);
    if (rc != RC_OK || !attempt->is_found)
        return rc;
    if (!attempt->account.is_disabled) {
        store_disable_account(unit, attempt->account.id);
        add_event(attempt, EVENT_ACCOUNT_LOCKED, "disabled after too many failures in a row", unit);
    }
    for (size_t i = 0; i < count; i++)
        store_end_grant(unit, grants[i].id, attempt->sign_in->now);
    if (count > 0)
        add_event(attempt, EVENT_GRANT_ENDED, locked_out, unit);
    return RC_OK;
}

/*
 * Commits what a failed try of a name or a code leaves behind: one commit, whether a name is
 * unknown, or its account is locked by this and loses what was granted (PW-07).
 */
static enum rc commit_failure(const struct attempt *attempt, struct throttle_try *try,
                              enum event_kind kind, const char *why)
{
    UNINITIALIZED struct store_unit unit;
    const struct grants_filter all = { .account_id = locked_id(attempt) };
    size_t ended_count;
    bool is_locked_out;
    enum rc rc = RC_OK;

    store_unit_init(&unit);
    if (try->is_begun || try->is_refused)
        rc = throttle_end(attempt->door->throttle, try, false, attempt->sign_in->now, &unit);
    if (rc != RC_OK)
        return rc;
    add_event(attempt, kind, why, &unit);
    is_locked_out = try->is_locked_out && !(attempt->is_found && attempt->account.is_admin);
    if (is_locked_out)
        rc = add_lock(attempt, &unit);
    if (rc == RC_OK)
        rc = store_commit(attempt->door->store, &unit);
    /* What was granted meanwhile, or is more than the unit held (RT-10). */
    if (rc == RC_OK && is_locked_out)
        rc = grants_end(attempt->door->store, &all, str_of(locked_out), attempt->sign_in->now,
                        &ended_count);
    return rc;
}

/* ---- the password ---- */

/* Whether this door can ask for one of the account's second factors. */
static bool can_ask(const struct sign_in *sign_in, const struct account *account)
{
    return sign_in->asks_passkey || (sign_in->asks_code && account->has_code_factor);
}

/*
 * Hashes once, whatever is known of the account. may_succeed false: the answer is no, at the same
 * cost (PW-07).
 */
static enum rc check_password(const struct attempt *attempt, bool may_succeed,
                              struct sign_in_result *result)
{
    const struct account *account = &attempt->account;
    const struct secret *password = attempt->sign_in->password;
    bool has_hash = attempt->is_found && account->password_hash.len > 0;
    bool is_right;
    enum rc rc = RC_REFUSED;

    if (has_hash && password->len > 0)
        rc = password_verify(password, account->password_hash);
    else
        password_verify_nothing(password, attempt->door->cost);
    if (rc_is_fault(rc))
        return rc;
    is_right = rc == RC_OK;
    if (!may_succeed)
        verdict_set(result, SIGN_IN_WRONG, held_up);
    else if (!attempt->is_found)
        verdict_set(result, SIGN_IN_WRONG, "no such account");
    else if (account->is_disabled)
        verdict_set(result, is_right ? SIGN_IN_DISABLED : SIGN_IN_WRONG, "the account is disabled");
    else if (!has_hash)
        verdict_set(result, SIGN_IN_WRONG, "the account has no password");
    else if (!is_right)
        verdict_set(result, SIGN_IN_WRONG,
                    password->len == 0 ? "the password was empty" : "the password was wrong");
    else if (account->has_second_factor && !can_ask(attempt->sign_in, account))
        verdict_set(result, SIGN_IN_WRONG,
                    "the account has a second factor, which this door cannot ask for; its owner "
                    "needs a permanent token");
    else
        verdict_set(result, SIGN_IN_OK, "ok");
    return RC_OK;
}

/* A hash of too low a cost gives way while the password is at hand (PW-04). RC_REFUSED: the
 * password was changed meanwhile. */
static enum rc upgrade_hash(struct attempt *attempt)
{
    const struct account_door *door = attempt->door;
    const struct secret *password = attempt->sign_in->password;
    struct account *account = &attempt->account;
    UNINITIALIZED struct store_unit unit;
    char *hash;
    enum rc rc;

    if (!password_needs_upgrade(account->password_hash, door->cost))
        return RC_OK;
    hash = arena_alloc(attempt->arena, PASSWORD_HASH_BYTES_MAX);
    rc = password_hash(password, door->cost, hash);
    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_update_password_hash(&unit, account->id, account->password_hash, str_of(hash));
    rc = store_commit(door->store, &unit);
    if (rc == RC_NOT_FOUND) {
        /* Another sign-in upgraded it first, or the password was changed: what stands now decides.
         */
        rc = store_find_account(door->store, account->id, attempt->arena, account);
        if (rc == RC_OK)
            rc = password_verify(password, account->password_hash);
        return rc == RC_NOT_FOUND ? RC_REFUSED : rc;
    }
    if (rc == RC_OK)
        account->password_hash = str_of(hash);
    return rc;
}

/* ---- the code ---- */

/* Gives back a try of which nobody is told anything, because of a fault. One more says no more. */
static void forsake(const struct account_door *door, struct throttle_try *try, int64_t now)
{
    enum rc rc = try->is_begun ? throttle_cancel(door->throttle, try, now) : RC_OK;

    (void)rc;
}

/* The second factor, after the right password. */
static enum rc check_code(const struct attempt *attempt, struct store_unit *unit,
                          struct sign_in_result *result)
{
    const struct account_door *door = attempt->door;
    const struct sign_in *sign_in = attempt->sign_in;
    const struct account *account = &attempt->account;
    struct throttle_try try;
    enum rc begun;
    enum rc rc = RC_REFUSED;

    if (sign_in->code == NULL) {
        verdict_set(result, SIGN_IN_CODE_MISSING, "the code of the second factor is missing");
        return RC_OK;
    }
    begun =
        throttle_begin(door->throttle, factor_throttle_name(attempt->arena, account->id),
                       sign_in->address, account->is_admin, sign_in->now, &try, &result->wait_s);
    if (begun == RC_REFUSED) {
        verdict_set(result, SIGN_IN_WAIT, "the address is over its limit");
        return RC_OK;
    }
    if (begun != RC_OK && begun != RC_SPENT)
        return begun;
    if (begun == RC_OK)
        rc = factor_check(&door->factor_keys, door->store, account->id, *sign_in->code,
                          sign_in->address, sign_in->now, unit);
    if (rc_is_fault(rc)) {
        forsake(door, &try, sign_in->now);
        return rc;
    }
    if (rc == RC_OK) {
        rc = throttle_end(door->throttle, &try, true, sign_in->now, unit);
        if (rc != RC_OK || !try.is_late)
            return rc;
    }
    verdict_set(result, SIGN_IN_CODE_WRONG,
                begun == RC_OK && rc != RC_OK ? "the code of the second factor was wrong or used"
                                              : "the second factor is held up by failed tries");
    return commit_failure(attempt, &try, EVENT_FACTOR_FAILED, result->why);
}

/* ---- both ---- */

/* What the password, and where it was right the rest, come to. */
static enum rc evaluate(struct attempt *attempt, bool may_succeed, struct store_unit *unit,
                        struct sign_in_result *result)
{
    enum rc rc = check_password(attempt, may_succeed, result);

    if (rc != RC_OK || result->verdict != SIGN_IN_OK)
        return rc;
    rc = upgrade_hash(attempt);
    if (rc == RC_REFUSED) {
        verdict_set(result, SIGN_IN_WRONG, "the password was changed meanwhile");
        return RC_OK;
    }
    if (rc == RC_OK && attempt->account.has_second_factor)
        rc = check_code(attempt, unit, result);
    return rc;
}

/* Ends the try of the name as the verdict asks for. */
static enum rc conclude(struct attempt *attempt, struct store_unit *unit,
                        struct sign_in_result *result)
{
    struct throttle_book *throttle = attempt->door->throttle;
    struct throttle_try *try = &attempt->try;
    enum rc rc = RC_OK;

    if (result->verdict == SIGN_IN_OK)
        rc = throttle_end(throttle, try, true, attempt->sign_in->now, unit);
    else if (result->verdict == SIGN_IN_WRONG || result->verdict == SIGN_IN_DISABLED)
        rc = commit_failure(attempt, try, EVENT_PASSWORD_FAILED, result->why);
    else /* The password was right, but nobody has signed in: neither counted nor forgotten. */
        rc = throttle_cancel(throttle, try, attempt->sign_in->now);
    if (rc != RC_OK || !try->is_late || result->verdict == SIGN_IN_WRONG)
        return rc;
    if (result->verdict != SIGN_IN_DISABLED)
        rc = commit_failure(attempt, try, EVENT_PASSWORD_FAILED, held_up);
    verdict_set(result, SIGN_IN_WRONG, held_up);
    return rc;
}

enum rc account_authenticate(const struct account_door *door, const struct sign_in *sign_in,
                             struct arena *arena, struct store_unit *unit,
                             struct sign_in_result *out_result)
{
    struct attempt attempt = { .door = door, .sign_in = sign_in, .arena = arena };
    struct sign_in_result result = { 0 };
    enum rc begun;
    enum rc rc;

    /* First of all, as it says whether lockouts are for this name. */
    rc = store_find_account_by_name(door->store, sign_in->name, arena, &attempt.account);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    attempt.is_found = rc == RC_OK;
    begun = throttle_begin(door->throttle, sign_in->name, sign_in->address,
                           attempt.is_found && attempt.account.is_admin, sign_in->now, &attempt.try,
                           &result.wait_s);
    if (begun == RC_REFUSED) {
        verdict_set(&result, SIGN_IN_WAIT, "the address is over its limit");
        *out_result = result;
        return RC_OK;
    }
    if (begun != RC_OK && begun != RC_SPENT)
        return begun;
    rc = evaluate(&attempt, begun == RC_OK, unit, &result);
    if (rc == RC_OK)
        rc = conclude(&attempt, unit, &result);
    if (rc != RC_OK) {
        forsake(door, &attempt.try, sign_in->now);
        return rc;
    }
    if (result.verdict == SIGN_IN_OK || result.verdict == SIGN_IN_CODE_MISSING)
        result.account = attempt.account;
    *out_result = result;
    return RC_OK;
}

/* ---- the code, after a password that was right a while before -------------------------------- */

enum rc account_forget_failures(const struct account_door *door, const struct account *account,
                                const unsigned char *address, int64_t now, struct store_unit *unit)
{
    struct throttle_try try;
    int64_t wait_s;
    enum rc rc = throttle_begin(door->throttle, account->name, address, account->is_admin, now,
                                &try, &wait_s);

    if (rc == RC_OK)
        rc = throttle_end(door->throttle, &try, true, now, unit);
    return rc_is_fault(rc) ? rc : RC_OK;
}

enum rc account_authenticate_code(const struct account_door *door, const struct sign_in *sign_in,
                                  const struct account *account, struct arena *arena,
                                  struct store_unit *unit, struct sign_in_result *out_result)
{
    struct attempt attempt = {
        .door = door, .sign_in = sign_in, .arena = arena, .is_found = true, .account = *account
    };
    struct sign_in_result result = { 0 };
    enum rc rc;

    verdict_set(&result, SIGN_IN_OK, "ok");
    rc = check_code(&attempt, unit, &result);
    if (rc == RC_OK && result.verdict == SIGN_IN_OK)
        rc = account_forget_failures(door, account, sign_in->address, sign_in->now, unit);
    if (rc != RC_OK)
        return rc;
    if (result.verdict == SIGN_IN_OK)
        result.account = *account;
    *out_result = result;
    return RC_OK;
}
