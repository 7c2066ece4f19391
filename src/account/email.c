#include "account/email.h"

#include "account/notice.h"

static const struct str by_owner = { "name or address, by its owner",
                                     sizeof("name or address, by its owner") - 1 };

enum rc email_send_link(const struct account_door *door, const struct browser *browser,
                        const struct account *account, struct str full_name,
                        const struct link *link, const struct mail *notice)
{
    char bytes[32];
    struct buffer whom = buffer_over(bytes, sizeof(bytes));
    UNINITIALIZED struct store_unit unit;

    ASSERT(link->purpose == LINK_VERIFY && link->account_id == account->id);
    buffer_append_format(&whom, "verify of %lld", (long long)account->id);
    store_unit_init(&unit);
    store_update_profile(&unit, account->id, full_name, account->email);
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, account->id, by_owner, &unit);
    link_add(link, &unit);
    throttle_count_mail(door->throttle, buffer_str(&whom), browser->address, browser->now, &unit);
    notice_add(notice, &unit);
    return store_commit(door->store, &unit);
}

enum rc email_remove(struct store *store, const struct browser *browser,
                     const struct account *account, struct str full_name, const struct mail *notice)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_update_profile(&unit, account->id, full_name, STR(""));
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, account->id, by_owner, &unit);
    store_delete_all_links(&unit, account->id);
    notice_add(notice, &unit);
    return store_commit(store, &unit);
}

enum rc email_confirm(struct store *store, const struct browser *browser, const struct link *link,
                      const struct mail *const notices[static EMAIL_NOTICE_COUNT])
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_spend_link(&unit, link, browser->now);
    store_verify_email(&unit, link->account_id, link->email, browser->now);
    store_delete_all_links(&unit, link->account_id); /* they went to the old one */
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, link->account_id,
                      STR("address, by a link in a mail"), &unit);
    for (size_t i = 0; i < EMAIL_NOTICE_COUNT; i++)
        notice_add(notices[i], &unit);
    return store_commit(store, &unit);
}

enum rc email_find_pending(struct store *store, const struct account *account, int64_t now,
                           struct arena *arena, struct str *out_email)
{
    struct link link;
    enum rc rc = store_find_link_of_account(store, account->id, LINK_VERIFY, now, arena, &link);

    if (rc != RC_OK)
        return rc;
    if (str_equal(link.email, account->email))
        return RC_NOT_FOUND;
    *out_email = link.email;
    return RC_OK;
}

enum rc email_cancel_pending(struct store *store, const struct browser *browser, int64_t account_id)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_delete_links(&unit, account_id, LINK_VERIFY);
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, account_id,
                      STR("another address cancelled, by its owner"), &unit);
    return store_commit(store, &unit);
}
