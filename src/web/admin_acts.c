#include "web/admin_acts.h"

enum rc admin_act_end_grants(struct web_call *call, const struct admin *admin,
                             const struct grants_filter *filter)
{
    size_t count;

    return grants_end(call->oauth.oauth->store, filter, admin_detail(admin, "ended"), admin->now,
                      &count);
}

enum rc admin_act_disable_account(struct web_call *call, const struct admin *admin,
                                  int64_t account_id, const struct account *expected)
{
    const struct grants_filter filter = { .account_id = account_id };
    struct logout logout;
    enum rc rc = logout_note(&call->oauth, account_id, 0, 0, &logout);

    if (rc == RC_OK)
        rc = admin_disable(call->oauth.oauth->store, admin, account_id, expected);
    if (rc == RC_OK)
        rc = logout_finish(&call->oauth, &logout);
    return rc == RC_OK ? admin_act_end_grants(call, admin, &filter) : rc; /* RT-10 */
}

enum rc admin_act_end_sessions(struct web_call *call, const struct admin *admin,
                               const struct browser *browser, int64_t account_id)
{
    return logout_account(&call->oauth, browser, account_id, 0,
                          admin_detail(admin, "all sessions ended"));
}

enum rc admin_act_reset_factors(struct web_call *call, const struct admin *admin,
                                const struct browser *browser, int64_t account_id,
                                const struct mail *notice)
{
    struct act_note note = admin_note(admin, "second factors removed");
    /* First, while it is known which there are: their clients are told, their grants end. */
    enum rc rc = admin_act_end_sessions(call, admin, browser, account_id);

    note.notice = notice;
    return rc == RC_OK ? factor_remove_all(call->oauth.oauth->store, account_id, &note) : rc;
}

enum rc admin_act_disable_service(struct web_call *call, const struct registry_desk *desk,
                                  const struct service *before)
{
    const struct grants_filter filter = { .service_id = before->service_id };
    enum rc rc = registry_disable_service(desk, before);

    return rc == RC_OK ? admin_act_end_grants(call, desk->admin, &filter) : rc; /* RT-10 */
}

enum rc admin_act_disable_client(struct web_call *call, const struct registry_desk *desk,
                                 const struct client *before)
{
    const struct grants_filter filter = { .client_id = before->id };
    enum rc rc = registry_disable_client(desk, before);

    return rc == RC_OK ? admin_act_end_grants(call, desk->admin, &filter) : rc; /* RT-10 */
}

enum rc admin_act_rotate_keys(struct web_call *call, const struct admin *admin)
{
    struct key_ring *ring = token_room_keys(call->oauth.oauth->tokens);
    unsigned algs = key_ring_algs(ring);
    enum rc rc = RC_OK;

    for (unsigned alg = 0; rc == RC_OK && alg < ALG_COUNT; alg++) {
        if ((algs & 1u << alg) != 0)
            rc =
                key_ring_rotate(ring, (enum signing_alg)alg, admin->by, admin->address, admin->now);
    }
    return rc;
}
