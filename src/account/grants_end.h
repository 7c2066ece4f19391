/*
 * account/grants_end.h: ends all living grants of an account, a client or a service, and with them
 * every token (RT-10).
 */
#ifndef JETON_ACCOUNT_GRANTS_END_H
#define JETON_ACCOUNT_GRANTS_END_H

#include "store/store.h"

/* Whose grants: either those of this account, of this client (0: any), or those of a service. */
struct grants_filter {
    int64_t account_id;
    int64_t client_id;
    struct str service_id; /* not empty: of this service, whatever the two say */
    bool keeps_permanent;  /* permanent tokens stay, of an account */
};

/*
 * Ends them, a few in each unit, each with an event. To be called when the change that forbids new
 * ones is committed.
 *
 * detail      the events': who did it, in a few words
 * out_count   grants that were ended
 *
 * Faults: the store's; some may have been ended.  Blocks.
 */
enum rc grants_end(struct store *store, const struct grants_filter *filter, struct str detail,
                   int64_t now, size_t *out_count) MUST_CHECK;

#endif
