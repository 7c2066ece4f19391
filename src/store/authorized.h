/*
 * store/authorized.h: the store's verbs for what people authorize: authorizations, codes, pushed
 * requests, devices' requests, consents, and what may come once. The rest of store/store.h.
 */
#ifndef JETON_STORE_AUTHORIZED_H
#define JETON_STORE_AUTHORIZED_H

#include "store/store.h"

/* ---- writing -------------------------------------------------------------------------------- */

void store_insert_authorization(struct store_unit *unit, const struct authorization *authorization);

void store_insert_code(struct store_unit *unit, const struct code *code);

/*
 * Redeems a code for a grant (0: for nothing, as what came with it was wrong): RC_SPENT when it was
 * redeemed before; RC_NOT_FOUND when it has expired or gone, or its account is disabled or gone by
 * the time of the commit. One conditional update decides.
 */
void store_spend_code(struct store_unit *unit, int64_t code_id, int64_t grant_id, int64_t at);

void store_insert_pushed_request(struct store_unit *unit, const struct pushed_request *request);
/* Changes nothing; RC_NOT_FOUND when store_find_login says so by the time of the commit. */
void store_expect_login(struct store_unit *unit, int64_t account_id, int64_t login_id);
/* Uses it up; RC_SPENT when it has gone or expired. One conditional delete decides. */
void store_spend_pushed_request(struct store_unit *unit, int64_t id, int64_t at);
/* RC_EXISTS when the user code is taken, also by one that is not forgotten yet. */
void store_insert_device_request(struct store_unit *unit, const struct device_request *request);
/* The person's answer; RC_SPENT unless it waits and has not expired. authorization_id 0: denied. */
void store_answer_device_request(struct store_unit *unit, int64_t id, int64_t authorization_id,
                                 int64_t at);

/* Takes note of a poll at `at`, with the interval that holds from now on; never back in time, and
 * never a shorter interval. */
void store_poll_device_request(struct store_unit *unit, int64_t id, int64_t interval_s, int64_t at);

/* Redeems it: RC_SPENT unless it was allowed, not redeemed before, and has not expired;
 * RC_NOT_FOUND when its account is disabled or gone by the time of the commit (DV-06). */
void store_spend_device_request(struct store_unit *unit, int64_t id, int64_t at);

/* Notes an id that may come once until a moment (jti of assertions and proofs, by the SHA-256 of
 * whose it is and itself): RC_SPENT when it came before. One insert that a uniqueness rule lets win
 * decides. */
void store_insert_seen(struct store_unit *unit, const unsigned char digest[static DIGEST_BYTES],
                       int64_t until);
/* Writes the consent of (account_id, client_id), whether there was one or not. */
void store_put_consent(struct store_unit *unit, const struct consent *consent);
/* client_id 0: to all. */
void store_delete_consents(struct store_unit *unit, int64_t account_id, int64_t client_id);
/* ---- reading -------------------------------------------------------------------------------- */

enum rc store_find_authorization(struct store *store, int64_t id, struct arena *arena,
                                 struct authorization *out_authorization) MUST_CHECK;
/* Also one that is spent or has expired, as long as it is there. */
enum rc store_find_code(struct store *store, const unsigned char digest[static DIGEST_BYTES],
                        struct arena *arena, struct code *out_code) MUST_CHECK;
/* RC_NOT_FOUND also when it has expired. */
enum rc store_find_pushed_request(struct store *store,
                                  const unsigned char digest[static DIGEST_BYTES], int64_t now,
                                  struct arena *arena,
                                  struct pushed_request *out_request) MUST_CHECK;
/* By the device_code, in any state, as long as it is there; and by the user_code while it lives. */
enum rc store_find_device_request(struct store *store,
                                  const unsigned char digest[static DIGEST_BYTES],
                                  struct arena *arena,
                                  struct device_request *out_request) MUST_CHECK;
enum rc store_find_device_request_by_user_code(struct store *store,
                                               const unsigned char digest[static DIGEST_BYTES],
                                               int64_t now, struct arena *arena,
                                               struct device_request *out_request) MUST_CHECK;

#endif
