/*
 * What the tests of lockouts share.
 */
#ifndef JETON_TEST_ACCOUNT_LOCKOUT_H
#define JETON_TEST_ACCOUNT_LOCKOUT_H

#include "two_factor.h"

#define LOCK_S 600

static const enum lockout_mode locking[] = { LOCKOUT_TIMED, LOCKOUT_DISABLE };

static inline enum sign_in_verdict sign_in_from(struct fixture *fixture, unsigned char from,
                                                const char *name, const char *password, int64_t now)
{
    return enter(fixture,
                 (struct entry){ .name = name, .password = password, .from = from, .now = now },
                 NULL);
}

static inline enum sign_in_verdict sign_in(struct fixture *fixture, const char *name,
                                           const char *password, int64_t now)
{
    return sign_in_from(fixture, 7, name, password, now);
}

/* What `user unlock` and `user enable` do. */
static inline void forgive(struct fixture *fixture, int64_t id, int64_t now)
{
    struct account account = read_account(fixture, id);
    struct store_unit unit;

    store_unit_init(&unit);
    store_enable_account(&unit, id);
    throttle_unlock(fixture->book, account.name, now, &unit);
    throttle_unlock(fixture->book, factor_throttle_name(&fixture->arena, id), now, &unit);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

static inline void set_disabled(struct fixture *fixture, int64_t id)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_disable_account(&unit, id);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

#endif
