/*
 * Browser sessions and permanent tokens with every column set.
 */
#ifndef JETON_TEST_STORE_PEOPLE_H
#define JETON_TEST_STORE_PEOPLE_H

#include "fixture.h"

static inline struct account insert_account(struct fixture *fixture, const char *name)
{
    struct account account = sample_account(fixture, name);

    if (COMMIT_ONE(fixture, store_insert_account, &account) != RC_OK)
        abort();
    return account;
}

static inline struct browser_session sample_browser_session(struct fixture *fixture,
                                                            int64_t account_id)
{
    struct browser_session session = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                                       .account_id = account_id,
                                       .stage = STAGE_SIGNED_IN,
                                       .address = { 0x20, 1, 0xd, 0xb8, [15] = 9 },
                                       .device = STR("Agent/1.0 (test)"),
                                       .created_at = fixture->now - 7,
                                       .proved_at = fixture->now - 6,
                                       .last_active_at = fixture->now - 5,
                                       .expires_at = fixture->now + 3600 };

    memcpy(session.digest, &session.id, sizeof(session.id));
    session.digest[DIGEST_BYTES - 1] = 0xa5;
    return session;
}

static inline struct browser_session insert_browser_session(struct fixture *fixture,
                                                            int64_t account_id)
{
    struct browser_session session = sample_browser_session(fixture, account_id);

    if (COMMIT_ONE(fixture, store_insert_browser_session, &session) != RC_OK)
        abort();
    return session;
}

static inline enum rc find_browser_session(struct fixture *fixture,
                                           const struct browser_session *like)
{
    struct browser_session found;

    return store_find_browser_session(fixture->store, like->digest, &fixture->arena, &found);
}

/* Grant, token and what its owner knows of it, as they are made in one unit. */
struct made_permanent {
    struct grant grant;
    struct token token;
    struct permanent permanent;
};

static inline struct made_permanent sample_permanent(struct fixture *fixture, int64_t account_id,
                                                     int64_t expires_at)
{
    struct made_permanent made = { .grant = sample_grant(fixture, true) };

    made.grant.account_id = account_id;
    made.grant.is_permanent = true;
    made.grant.expires_at = expires_at;
    made.token = sample_token(fixture, made.grant.id, true);
    made.token.kind = TOKEN_PERMANENT;
    made.token.expires_at = expires_at;
    made.permanent = (struct permanent){ .id = made.grant.id,
                                         .account_id = account_id,
                                         .token_id = made.token.id,
                                         .name = STR("nightly reports"),
                                         .scope = STR("read"),
                                         .addresses = STR("192.0.2.0/24 2001:db8::/32"),
                                         .created_at = fixture->now,
                                         .expires_at = expires_at };
    return made;
}

static inline void commit_permanent(struct fixture *fixture, const struct made_permanent *made)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_insert_grant(&unit, &made->grant);
    store_insert_token(&unit, &made->token);
    store_insert_permanent(&unit, &made->permanent);
    if (store_commit(fixture->store, &unit) != RC_OK)
        abort();
}

static inline struct made_permanent insert_permanent(struct fixture *fixture, int64_t account_id,
                                                     int64_t expires_at)
{
    struct made_permanent made = sample_permanent(fixture, account_id, expires_at);

    commit_permanent(fixture, &made);
    return made;
}

static inline struct permanent read_permanent(struct fixture *fixture, int64_t id)
{
    struct permanent found = { 0 };

    if (store_find_permanent(fixture->store, id, &fixture->arena, &found) != RC_OK)
        abort();
    return found;
}

#endif
