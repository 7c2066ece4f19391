#include "account/invitation.h"

#include "account/account.h"
#include "account/notice.h"

enum rc invitation_draft(struct store *store, struct account *account, struct link *out_link,
                         struct secret *out_value)
{
    int64_t id;
    enum rc rc = store_next_id(store, SEQUENCE_NOUN, &id);

    if (rc != RC_OK)
        return rc;
    account->id = id;
    account->email_verified_at = account->created_at;
    *out_link =
        (struct link){ .purpose = LINK_INVITATION, .account_id = id, .email = account->email };
    return link_draft(store, out_link, true, account->created_at, out_value);
}

enum rc invitation_send(struct store *store, struct throttle_book *throttle,
                        const struct admin *admin, const struct account *account,
                        const struct link *link, const struct mail *notice,
                        struct buffer *out_error)
{
    const struct event event = { .kind = EVENT_ACCOUNT_CHANGED, .account_id = account->id };
    UNINITIALIZED struct store_unit unit;
    enum rc rc = account_name_check(account->name, out_error);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_insert_account(&unit, account);
    admin_add_event(admin, event, "invited", &unit);
    link_add(link, &unit);
    notice_add(notice, &unit);
    throttle_unlock(throttle, account->name, admin->now, &unit);
    return store_commit(store, &unit);
}
