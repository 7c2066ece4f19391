#include "account/registration.h"

#include "account/notice.h"

enum {
    ACCOUNT_BYTES_MAX = ACCOUNT_NAME_BYTES_MAX + ACCOUNT_FULL_NAME_BYTES_MAX +
                        ACCOUNT_EMAIL_BYTES_MAX + PASSWORD_HASH_BYTES_MAX + 64
};

enum rc registration_find_owner(struct store *store, struct str email, struct arena *arena,
                                struct account *out_account)
{
    struct account account;
    enum rc rc = store_find_account_by_email(store, email, arena, &account);

    if (rc_is_fault(rc))
        return rc;
    *out_account = rc == RC_OK ? account : (struct account){ 0 };
    return RC_OK;
}

enum rc registration_send_link(const struct account_door *door, const struct browser *browser,
                               const struct link *link, int64_t owner_id, const struct mail *notice)
{
    char folded[ACCOUNT_EMAIL_BYTES_MAX];
    char bytes[ACCOUNT_EMAIL_BYTES_MAX + 16];
    struct buffer whom = buffer_over(bytes, sizeof(bytes));
    UNINITIALIZED struct store_unit unit;

    ASSERT(link->purpose == LINK_REGISTER && link->email.len <= sizeof(folded));
    store_fold_name(link->email, folded);
    buffer_append_format(&whom, "register %.*s", (int)link->email.len, folded);
    store_unit_init(&unit);
    throttle_count_mail(door->throttle, buffer_str(&whom), browser->address, browser->now, &unit);
    link_add(link, &unit);
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, owner_id,
                      STR("somebody asked for an account for an address"), &unit);
    notice_add(notice, &unit);
    return store_commit(door->store, &unit);
}

static enum rc find_taken(struct store *store, struct str name, bool *out_is_name_taken)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct account account;
    enum rc rc;

    arena_init(&arena, ACCOUNT_BYTES_MAX);
    rc = store_find_account_by_name(store, name, &arena, &account);
    if (rc_is_fault(rc))
        return rc;
    *out_is_name_taken = rc == RC_OK;
    return RC_EXISTS;
}

enum rc registration_finish(const struct account_door *door, const struct browser *browser,
                            const struct link *link, bool *out_is_name_taken)
{
    struct account account = { .name = link->name,
                               .full_name = link->full_name,
                               .email = link->email,
                               .password_hash = link->password_hash,
                               .created_at = browser->now };
    UNINITIALIZED struct store_unit unit;
    enum rc rc = store_next_id(door->store, SEQUENCE_NOUN, &account.id);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_spend_link(&unit, link, browser->now);
    store_insert_account(&unit, &account);
    store_verify_email(&unit, account.id, link->email, browser->now);
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, account.id, STR("made by its owner"), &unit);
    throttle_unlock(door->throttle, account.name, browser->now, &unit);
    rc = store_commit(door->store, &unit);
    return rc == RC_EXISTS ? find_taken(door->store, link->name, out_is_name_taken) : rc;
}
