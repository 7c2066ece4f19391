#include "account/reset.h"

#include "account/grants_end.h"
#include "account/notice.h"

/* ---- asking for a link ----------------------------------------------------------------------- */

enum rc reset_find_recipient(struct store *store, struct str login, struct arena *arena,
                             struct account *out_account)
{
    struct account found = { 0 };
    struct account named;
    struct account addressed;
    enum rc by_name = store_find_account_by_name(store, login, arena, &named);
    enum rc by_email = store_find_account_by_email(store, login, arena, &addressed);

    if (rc_is_fault(by_name) || rc_is_fault(by_email))
        return rc_is_fault(by_name) ? by_name : by_email;
    if (by_email == RC_OK)
        found = addressed;
    else if (by_name == RC_OK)
        found = named;
    if (found.is_disabled || found.email_verified_at == 0)
        found.id = 0;
    *out_account = found.id != 0 ? found : (struct account){ .name = login };
    return RC_OK;
}

enum rc reset_send_link(const struct account_door *door, const struct browser *browser,
                        const struct account *account, const struct link *link,
                        const struct mail *notice)
{
    char bytes[ACCOUNT_NAME_BYTES_MAX + 32];
    struct buffer whom = buffer_over(bytes, sizeof(bytes));
    UNINITIALIZED struct store_unit unit;

    if (account->id != 0)
        buffer_append_format(&whom, "reset of %lld", (long long)account->id);
    else
        buffer_append_format(&whom, "reset %.*s", STR_ARGS(account->name));
    store_unit_init(&unit);
    throttle_count_mail(door->throttle, buffer_str(&whom), browser->address, browser->now, &unit);
    link_add(link, &unit);
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, account->id,
                      STR("asked for a link for a new password"), &unit);
    if (account->id != 0)
        notice_add(notice, &unit);
    else
        notice_add_for_nobody(notice, &unit);
    return store_commit(door->store, &unit);
}

/* ---- using it -------------------------------------------------------------------------------- */

/* account_authenticate_code's, and add_steps. */
_Static_assert(10 + 6 <= (int)STORE_UNIT_STEP_COUNT_MAX, "a reset with a code fits");

static enum rc has_code(struct store *store, const struct account *account, bool *out_has_code)
{
    size_t code_count = 0;
    enum rc rc = RC_OK;

    if (account->has_second_factor && !account->has_code_factor)
        rc = store_count_recovery_codes(store, account->id, &code_count);
    if (rc == RC_OK)
        *out_has_code = account->has_code_factor || code_count > 0;
    return rc;
}

enum rc reset_find_account(struct store *store, const struct link *link, struct arena *arena,
                           struct account *out_account, bool *out_asks_code)
{
    struct account account;
    enum rc rc;

    if (link->purpose != LINK_RESET && link->purpose != LINK_INVITATION)
        return RC_NOT_FOUND;
    rc = store_find_account(store, link->account_id, arena, &account);
    if (rc != RC_OK)
        return rc;
    if (account.is_disabled || !str_equal(account.email, link->email))
        return RC_NOT_FOUND;
    rc = has_code(store, &account, out_asks_code);
    if (rc == RC_OK)
        *out_account = account;
    return rc;
}

/* The steps of the reset itself. */
static enum rc add_steps(const struct account_door *door, const struct browser *browser,
                         const struct reset *reset, struct arena *arena, struct store_unit *unit)
{
    const struct account *account = reset->account;
    char *hash = arena_alloc(arena, PASSWORD_HASH_BYTES_MAX);
    enum rc rc = password_hash(reset->wanted, door->cost, hash);

    if (rc != RC_OK)
        return rc;
    store_spend_link(unit, reset->link, browser->now);
    store_set_password_hash(unit, account->id, str_of(hash)); /* and ends sessions: SE-06 */
    store_delete_all_links(unit, account->id);
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, account->id,
                      reset->link->purpose == LINK_INVITATION
                          ? STR("password, by an invitation")
                          : STR("password, by a link in a mail"),
                      unit);
    notice_add(reset->notice, unit);
    return RC_OK;
}

/* Whoever tried the old password does not hold up whoever has the new one. In a unit of its own:
 * the first is full. */
static enum rc conclude(const struct account_door *door, const struct browser *browser,
                        const struct account *account)
{
    const struct grants_filter filter = { .account_id = account->id, .keeps_permanent = true };
    UNINITIALIZED struct store_unit unit;
    size_t count;
    enum rc rc;

    store_unit_init(&unit);
    throttle_unlock(door->throttle, account->name, browser->now, &unit);
    rc = store_commit(door->store, &unit);
    return rc == RC_OK ? grants_end(door->store, &filter,
                                    STR("ended by a new password, by a link in a mail"),
                                    browser->now, &count)
                       : rc;
}

static enum rc check_code(const struct account_door *door, const struct browser *browser,
                          const struct reset *reset, struct arena *arena, struct store_unit *unit,
                          struct reset_result *result)
{
    const struct sign_in sign_in = { .code = &reset->code,
                                     .address = browser->address,
                                     .now = browser->now };
    struct sign_in_result checked;
    enum rc rc = account_authenticate_code(door, &sign_in, reset->account, arena, unit, &checked);

    if (rc != RC_OK)
        return rc;
    result->verdict = checked.verdict;
    result->why = checked.why;
    result->wait_s = checked.wait_s;
    return RC_OK;
}

enum rc reset_password(const struct account_door *door, const struct browser *browser,
                       const struct reset *reset, struct arena *arena,
                       struct reset_result *out_result)
{
    const struct account *account = reset->account;
    const struct password_owner owner = { .name = account->name,
                                          .email = account->email,
                                          .has_second_factor = account->has_second_factor };
    struct reset_result result = { .verdict = SIGN_IN_OK,
                                   .wanted = password_judge(reset->wanted, &owner),
                                   .why = "ok" };
    UNINITIALIZED struct store_unit unit;
    enum rc rc = RC_OK;

    store_unit_init(&unit);
    if (result.wanted == PASSWORD_GOOD && reset->asks_code) /* PW-09 */
        rc = check_code(door, browser, reset, arena, &unit, &result);
    if (rc != RC_OK)
        return rc;
    if (result.wanted == PASSWORD_GOOD && result.verdict == SIGN_IN_OK) {
        rc = add_steps(door, browser, reset, arena, &unit);
        if (rc == RC_OK)
            rc = store_commit(door->store, &unit);
        if (rc == RC_SPENT) {
            result.verdict = SIGN_IN_CODE_WRONG;
            result.why = "the code was used a moment before";
        } else if (rc != RC_OK) {
            return rc;
        } else {
            rc = conclude(door, browser, account);
        }
    }
    if (rc == RC_OK || rc == RC_SPENT)
        *out_result = result;
    return rc == RC_SPENT ? RC_OK : rc;
}
