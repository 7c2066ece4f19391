#include "account/admin.h"

#include "account/factor.h"
#include "account/notice.h"

struct str admin_detail(const struct admin *admin, const char *act)
{
    return arena_format(admin->arena, "%s by %.*s", act, STR_ARGS(admin->by));
}

struct act_note admin_note(const struct admin *admin, const char *act)
{
    return (struct act_note){ .detail = admin_detail(admin, act),
                              .address = admin->address,
                              .now = admin->now };
}

void admin_add_event(const struct admin *admin, struct event event, const char *act,
                     struct store_unit *unit)
{
    event.at = admin->now;
    event.detail = admin_detail(admin, act);
    if (admin->address != NULL)
        memcpy(event.address, admin->address, sizeof(event.address));
    store_insert_event(unit, &event);
    if (admin->source.len == 0)
        return;
    if (event.kind == EVENT_ACCOUNT_CHANGED)
        store_put_managed(unit, MANAGED_ACCOUNT, event.account_id, admin->source);
    else if (event.kind == EVENT_SERVICE_CHANGED || event.kind == EVENT_CLIENT_CHANGED)
        store_put_managed(unit,
                          event.kind == EVENT_SERVICE_CHANGED ? MANAGED_SERVICE : MANAGED_CLIENT,
                          event.client_id, admin->source);
}

static void add_change(const struct admin *admin, int64_t account_id, const char *act,
                       struct store_unit *unit)
{
    const struct event event = { .kind = EVENT_ACCOUNT_CHANGED, .account_id = account_id };

    admin_add_event(admin, event, act, unit);
}

/* At most six steps. */
static void forgive(struct throttle_book *throttle, const struct admin *admin,
                    const struct account *account, struct store_unit *unit)
{
    throttle_unlock(throttle, account->name, admin->now, unit);
    throttle_unlock(throttle, factor_throttle_name(admin->arena, account->id), admin->now, unit);
}

/* An address that somebody asked for before is not confirmed any more, also when the account is
 * enabled again. */
static void add_disabled(int64_t account_id, struct store_unit *unit)
{
    store_disable_account(unit, account_id);
    store_delete_links(unit, account_id, LINK_VERIFY);
}

enum rc admin_disable(struct store *store, const struct admin *admin, int64_t account_id,
                      const struct account *expected)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    if (expected != NULL)
        store_expect_account(&unit, expected);
    add_disabled(account_id, &unit);
    add_change(admin, account_id, "disabled", &unit);
    return store_commit(store, &unit);
}

enum rc admin_enable(struct store *store, struct throttle_book *throttle, const struct admin *admin,
                     const struct account *account, const struct account *expected)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    if (expected != NULL)
        store_expect_account(&unit, expected);
    store_enable_account(&unit, account->id);
    add_change(admin, account->id, "enabled", &unit);
    forgive(throttle, admin, account, &unit);
    return store_commit(store, &unit);
}

enum rc admin_unlock(struct store *store, struct throttle_book *throttle, const struct admin *admin,
                     const struct account *account)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    forgive(throttle, admin, account, &unit);
    add_change(admin, account->id, "unlocked", &unit);
    return store_commit(store, &unit);
}

static void change_email(const struct admin *admin, const struct account *account,
                         const struct admin_account_change *change, struct store_unit *unit)
{
    if (change->email.len > 0)
        store_verify_email(unit, account->id, change->email, admin->now);
    store_delete_all_links(unit, account->id);
    notice_add(change->notice, unit);
}

enum rc admin_change_account(struct store *store, const struct admin *admin,
                             const struct account *account,
                             const struct admin_account_change *change)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_expect_account(&unit, account);
    store_update_profile(&unit, account->id, change->full_name, change->email);
    add_change(admin, account->id, "name or address changed", &unit);
    if (!str_equal(account->email, change->email))
        change_email(admin, account, change, &unit);
    if (account->is_admin != change->is_admin) {
        store_set_admin(&unit, account->id, change->is_admin);
        add_change(admin, account->id,
                   change->is_admin ? "made an administrator" : "no administrator any more", &unit);
    }
    return store_commit(store, &unit);
}

enum rc admin_set_account(struct store *store, struct throttle_book *throttle,
                          const struct admin *admin, const struct account *before,
                          const struct account *after)
{
    const struct admin_account_change change = { .full_name = after->full_name,
                                                 .email = after->email,
                                                 .is_admin = after->is_admin };
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_expect_account(&unit, before);
    store_update_profile(&unit, before->id, after->full_name, after->email);
    if (!str_equal(before->email, after->email))
        change_email(admin, before, &change, &unit);
    if (before->is_admin != after->is_admin)
        store_set_admin(&unit, before->id, after->is_admin);
    if (before->password_hash.len == 0 && after->password_hash.len > 0)
        store_update_password_hash(&unit, before->id, STR(""), after->password_hash);
    if (after->is_disabled && !before->is_disabled)
        add_disabled(before->id, &unit);
    if (before->is_disabled && !after->is_disabled) {
        store_enable_account(&unit, before->id);
        forgive(throttle, admin, before, &unit);
    }
    add_change(admin, before->id, "changed", &unit);
    return store_commit(store, &unit);
}

enum rc admin_forgive_name(struct store *store, struct throttle_book *throttle, struct str name,
                           int64_t now)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    throttle_unlock(throttle, name, now, &unit);
    return store_commit(store, &unit);
}

enum rc admin_create_account(struct store *store, struct throttle_book *throttle,
                             const struct admin *admin, const struct account *draft,
                             const struct admin_factors *factors, int64_t *out_id)
{
    UNINITIALIZED struct store_unit unit;
    struct account account = *draft;
    enum rc rc = store_next_id(store, SEQUENCE_NOUN, &account.id);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_insert_account(&unit, &account);
    throttle_unlock(throttle, account.name, admin->now, &unit);
    add_change(admin, account.id, "added", &unit);
    for (size_t i = 0; factors != NULL && rc == RC_OK && i < factors->count; i++)
        rc = factor_put_totp(factors->keys, store, account.id, &factors->rows[i], admin->now,
                             admin->arena, &unit);
    if (rc == RC_OK)
        rc = store_commit(store, &unit);
    if (rc == RC_OK)
        *out_id = account.id;
    return rc;
}

/* ---- configuration files --------------------------------------------------------------------- */

enum rc admin_disown(struct store *store, const struct admin *admin, enum managed_kind kind,
                     int64_t noun_id)
{
    static const enum event_kind events[MANAGED_KIND_COUNT] = { EVENT_ACCOUNT_CHANGED,
                                                                EVENT_SERVICE_CHANGED,
                                                                EVENT_CLIENT_CHANGED };
    struct event event = { .kind = events[kind] };
    UNINITIALIZED struct store_unit unit;

    *(kind == MANAGED_ACCOUNT ? &event.account_id : &event.client_id) = noun_id;
    store_unit_init(&unit);
    admin_add_event(admin, event, "released", &unit);
    store_delete_managed(&unit, kind, noun_id);
    return store_commit(store, &unit);
}

/* ---- looking --------------------------------------------------------------------------------- */

enum rc admin_search_accounts(struct store *store, struct str text, int64_t before_id,
                              struct arena *arena, struct account *out_rows, size_t max,
                              size_t *out_count)
{
    return store_search_accounts(store, text, before_id, arena, out_rows, max, out_count);
}

enum rc admin_find_owner(struct store *store, enum managed_kind kind, int64_t noun_id,
                         struct arena *arena, struct str *out_source)
{
    enum rc rc = store_find_managed(store, kind, noun_id, arena, out_source);

    if (rc == RC_NOT_FOUND) {
        *out_source = STR("");
        rc = RC_OK;
    }
    return rc;
}
