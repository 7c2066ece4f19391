#include "account/reset.h"

#include "account/grants_end.h"

enum rc reset_asks_code(struct store *store, const struct account *account, bool *out_asks_code)
{
    size_t code_count = 0;
    enum rc rc = RC_OK;

    if (account->has_second_factor && !account->has_code_factor)
        rc = store_count_recovery_codes(store, account->id, &code_count);
    if (rc == RC_OK)
        *out_asks_code = account->has_code_factor || code_count > 0;
    return rc;
}

/* The steps of the reset itself. */
static enum rc add_steps(const struct account_door *door, const struct browser *browser,
                         const struct reset *reset, struct arena *arena, struct store_unit *unit)
{
    char *hash = arena_alloc(arena, PASSWORD_HASH_BYTES_MAX);
    struct event event = { .at = browser->now,
                           .kind = EVENT_ACCOUNT_CHANGED,
                           .account_id = reset->account->id,
                           .detail = STR("password, by a link in a mail") };
    enum rc rc = password_hash(reset->wanted, door->cost, hash);

    if (rc != RC_OK)
        return rc;
    memcpy(event.address, browser->address, sizeof(event.address));
    store_spend_link(unit, reset->link, browser->now);
    store_set_password_hash(unit, reset->account->id, str_of(hash)); /* and ends sessions: SE-06 */
    store_insert_event(unit, &event);
    return RC_OK;
}

enum rc reset_prepare(const struct account_door *door, const struct browser *browser,
                      const struct reset *reset, bool asks_code, struct arena *arena,
                      struct store_unit *unit, struct reset_result *out_result)
{
    const struct account *account = reset->account;
    const struct password_owner owner = { .name = account->name,
                                          .email = account->email,
                                          .has_second_factor = account->has_second_factor };
    const struct sign_in sign_in = { .code = &reset->code,
                                     .address = browser->address,
                                     .now = browser->now };
    struct sign_in_result checked = { .verdict = SIGN_IN_OK, .why = "ok" };
    enum rc rc = RC_OK;

    *out_result = (struct reset_result){ .verdict = SIGN_IN_OK,
                                         .wanted = password_judge(reset->wanted, &owner) };
    if (out_result->wanted != PASSWORD_GOOD)
        return RC_OK;
    if (asks_code) /* PW-09 */
        rc = account_authenticate_code(door, &sign_in, account, arena, unit, &checked);
    if (rc != RC_OK)
        return rc;
    out_result->verdict = checked.verdict;
    out_result->why = checked.why;
    out_result->wait_s = checked.wait_s;
    return checked.verdict == SIGN_IN_OK ? add_steps(door, browser, reset, arena, unit) : RC_OK;
}

enum rc reset_conclude(struct store *store, const struct account *account, int64_t now)
{
    const struct grants_filter filter = { .account_id = account->id, .keeps_permanent = true };
    size_t count;

    return grants_end(store, &filter, STR("ended by a new password, by a link in a mail"), now,
                      &count);
}
