/*
 * account/admin.h: what administrators do to accounts, from the command line and in the pages.
 *
 * Whether somebody is an administrator is the caller's to see to. Every act is one transaction with
 * its audit event, which says who did it. Ending all grants is account/grants_end.h, removing
 * second factors factor_remove_all of account/factor.h; they take admin_detail and admin_note.
 */
#ifndef JETON_ACCOUNT_ADMIN_H
#define JETON_ACCOUNT_ADMIN_H

#include "account/factor.h"
#include "account/throttle.h"
#include "store/managed.h"

/* Who acts. */
struct admin {
    struct str by;                /* "uid 0", "administrator alice" */
    const unsigned char *address; /* 16 bytes, as struct http_address; NULL: none */
    int64_t now;
    struct arena *arena; /* for the events' words */
    struct str source;   /* a configuration file's name: what it changes is its own from then on
                            (store/managed.h); empty for everybody else */
};

/* "disabled by uid 0": what an audit event says of an act. In the arena. */
struct str admin_detail(const struct admin *admin, const char *act);

/* The same with its time and address. */
struct act_note admin_note(const struct admin *admin, const char *act);

/* Adds an event of now; its kind and ids are read. */
void admin_add_event(const struct admin *admin, struct event event, const char *act,
                     struct store_unit *unit);

/* Disables an account; its browser sessions end, its grants are the caller's to end (RT-10).
 * RC_NOT_FOUND · RC_SPENT it is not as expected any more; NULL: whatever it is. */
enum rc admin_disable(struct store *store, const struct admin *admin, int64_t account_id,
                      const struct account *expected) MUST_CHECK;

/* Takes a disabling back, and forgets failures: else the next one would disable it again.
 * RC_NOT_FOUND · RC_SPENT as above. */
enum rc admin_enable(struct store *store, struct throttle_book *throttle, const struct admin *admin,
                     const struct account *account, const struct account *expected) MUST_CHECK;

/* Forgets the failed sign-ins of an account and its wrong codes. */
enum rc admin_unlock(struct store *store, struct throttle_book *throttle, const struct admin *admin,
                     const struct account *account) MUST_CHECK;

/* What an administrator says of an account. */
struct admin_account_change {
    struct str full_name;
    struct str email; /* the administrator vouches for it: it counts as known */
    bool is_admin;
    const struct mail *notice; /* that tells of another address; NULL: none */
};

/*
 * Changes an account. Links that were sent to another address before end with it (PW-09).
 *
 * account   as it was read
 *
 * Answers: RC_OK · RC_NOT_FOUND · RC_EXISTS the address is another's · RC_REFUSED this is the
 * last administrator who may sign in · RC_SPENT it was changed since it was read, or is gone.
 * Faults: the store's
 */
enum rc admin_change_account(struct store *store, const struct admin *admin,
                             const struct account *account,
                             const struct admin_account_change *change) MUST_CHECK;

/* Makes of an account, as it was read, what it is to be: full name, address (as above), role, a
 * password hash where there is none, and whether it is disabled; then its grants are the caller's
 * to end. Answers as above. */
enum rc admin_set_account(struct store *store, struct throttle_book *throttle,
                          const struct admin *admin, const struct account *before,
                          const struct account *after) MUST_CHECK;

/* The name's failed tries from before there was an account do not hold up its owner. */
enum rc admin_forgive_name(struct store *store, struct throttle_book *throttle, struct str name,
                           int64_t now) MUST_CHECK;

/* Second factors that come along with an account. */
struct admin_factors {
    const struct factor_keys *keys;
    const struct factor_secret *rows;
    size_t count; /* at most FACTOR_COUNT_MAX */
};

/* Makes an account whose password hash was made elsewhere; its id is drawn here. Whoever calls
 * vouches for name, texts, hash and email_verified_at. factors: or NULL. RC_EXISTS. */
enum rc admin_create_account(struct store *store, struct throttle_book *throttle,
                             const struct admin *admin, const struct account *draft,
                             const struct admin_factors *factors, int64_t *out_id) MUST_CHECK;

/* Ends that a noun is a file's (MANAGED_…). */
enum rc admin_disown(struct store *store, const struct admin *admin, enum managed_kind kind,
                     int64_t noun_id) MUST_CHECK;

/* ---- looking --------------------------------------------------------------------------------- */

/* As store_search_accounts. */
enum rc admin_search_accounts(struct store *store, struct str text, int64_t before_id,
                              struct arena *arena, struct account *out_rows, size_t max,
                              size_t *out_count) MUST_CHECK;

/* Which configuration file owns the noun; empty: none does. */
enum rc admin_find_owner(struct store *store, enum managed_kind kind, int64_t noun_id,
                         struct arena *arena, struct str *out_source) MUST_CHECK;

#endif
