/*
 * oauth/applications.h: what an account has allowed to clients, for its owner to look at and end
 * (SE-08).
 *
 * An application is a client with living grants of the account. Permanent tokens and sessions have
 * pages of their own and are none.
 */
#ifndef JETON_OAUTH_APPLICATIONS_H
#define JETON_OAUTH_APPLICATIONS_H

#include "oauth/oauth.h"

enum { APPLICATION_COUNT_MAX = 20 }; /* of one page */

struct application {
    int64_t client_id;      /* struct client.id */
    struct str name;        /* for people; the id again when there is none */
    struct str client_name; /* its client_id, the text */
    struct str scope;       /* of all its grants, each word once; cut at SCOPE_BYTES_MAX */
    int64_t created_at;     /* of the oldest grant that was looked at */
    int64_t last_used_at;   /* when it got or used a token for the account, see token_grant_last_use
                               (not what resource servers check by themselves) */
};

/*
 * One page, of the grants with id < before_id, newest first; each client once. Strings are in the
 * arena.
 *
 * out_before_id   where the next page begins; 0: this was the last
 */
enum rc applications_list(struct oauth_call *call, int64_t account_id, int64_t before_id,
                          struct application out_rows[static APPLICATION_COUNT_MAX],
                          size_t *out_count, int64_t *out_before_id) MUST_CHECK;

/* One by its client's id. RC_NOT_FOUND when there is no such client. */
enum rc application_find(struct oauth_call *call, int64_t client_id,
                         struct application *out_application) MUST_CHECK;

/* Ends all grants of the account to the client (0: to all), and with them every token, at once, and
 * forgets its consent; again is fine. */
enum rc application_revoke(struct oauth_call *call, int64_t account_id,
                           int64_t client_id) MUST_CHECK;

#endif
