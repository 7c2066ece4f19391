/*
 * web/admin_acts.h: what administrators do in several steps, in the pages and by the API alike. For
 * this room only.
 *
 * Whether they may is the caller's to see to. Each step is a transaction with its audit event; what
 * forbids something comes before what ends what there is already (RT-10).
 */
#ifndef JETON_WEB_ADMIN_ACTS_H
#define JETON_WEB_ADMIN_ACTS_H

#include "account/grants_end.h"
#include "oauth/logout.h"
#include "oauth/registry_admin.h"
#include "web/endpoint.h"
#include "web/letter.h"

/* Ends grants, and with them tokens. */
enum rc admin_act_end_grants(struct web_call *call, const struct admin *admin,
                             const struct grants_filter *filter) MUST_CHECK;

/* No sign-in any more; sessions, grants and tokens end, and the clients are told. RC_NOT_FOUND ·
 * RC_SPENT it is not as expected any more; NULL: whatever it is. */
enum rc admin_act_disable_account(struct web_call *call, const struct admin *admin,
                                  int64_t account_id, const struct account *expected) MUST_CHECK;

/* Ends all sessions of an account, and tells the clients. */
enum rc admin_act_end_sessions(struct web_call *call, const struct admin *admin,
                               const struct browser *browser, int64_t account_id) MUST_CHECK;

/* Removes every second factor, and ends all sessions. notice: a mail that tells of it, or NULL */
enum rc admin_act_reset_factors(struct web_call *call, const struct admin *admin,
                                const struct browser *browser, int64_t account_id,
                                const struct mail *notice) MUST_CHECK;

/* No tokens any more, and those that there are end. RC_SPENT. */
enum rc admin_act_disable_service(struct web_call *call, const struct registry_desk *desk,
                                  const struct service *before) MUST_CHECK;
enum rc admin_act_disable_client(struct web_call *call, const struct registry_desk *desk,
                                 const struct client *before) MUST_CHECK;

/* The next key of every algorithm that has one. RC_TOO_LARGE: there are as many as there may be. */
enum rc admin_act_rotate_keys(struct web_call *call, const struct admin *admin) MUST_CHECK;

#endif
