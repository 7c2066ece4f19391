/*
 * store/newcomers.h: verbs of store/store.h for clients that no operator made: how many there may
 * be, which nobody uses, and what was decided about one a while before.
 */
#ifndef JETON_STORE_NEWCOMERS_H
#define JETON_STORE_NEWCOMERS_H

#include "store/store.h"

/* Changes nothing; RC_TOO_LARGE when as many clients have one of these bits of enum client_policy
 * already: for the unit that inserts one more. */
void store_expect_client_room(struct store_unit *unit, unsigned policy, int64_t count_max);

/* Changes nothing; RC_NOT_FOUND unless the client has that registration_digest and is not disabled:
 * for what was decided a while before. */
void store_expect_registration(struct store_unit *unit, int64_t client_id, struct str digest);

/* Changes nothing; RC_NOT_FOUND unless the client is there and nobody has allowed it anything that
 * is still remembered. */
void store_expect_idle_client(struct store_unit *unit, int64_t client_id);

/* The oldest client with one of these bits of enum client_policy that was made before a moment and
 * that nobody has allowed anything. */
enum rc store_find_idle_client(struct store *store, unsigned policy, int64_t before,
                               int64_t *out_id) MUST_CHECK;

#endif
