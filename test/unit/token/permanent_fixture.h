/*
 * Permanent tokens on a token room of its own: made, presented from somewhere, looked at.
 */
#ifndef JETON_TEST_TOKEN_PERMANENT_FIXTURE_H
#define JETON_TEST_TOKEN_PERMANENT_FIXTURE_H

#include "room_fixture.h"
#include "token/room.h"

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

static const unsigned char inside[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 7 };
static const unsigned char outside[16] = { [10] = 0xff, [11] = 0xff, [12] = 11, [15] = 7 };
static const unsigned char inside_v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 };
static const unsigned char nowhere[16];

struct made {
    int64_t grant_id;
    struct token_draft draft;
};

struct wish {
    const char *addresses;
    int64_t lifetime_s;
    enum token_format format;
    bool is_without_row;
};

static inline struct permanent row_of(const struct made *made, int64_t account_id,
                                      struct str addresses)
{
    return (struct permanent){ .id = made->grant_id,
                               .account_id = account_id,
                               .token_id = made->draft.row.id,
                               .name = STR("nightly"),
                               .scope = STR("read"),
                               .addresses = addresses,
                               .created_at = made->draft.row.issued_at,
                               .expires_at = made->draft.row.expires_at };
}

static inline struct made make(struct room_fixture *fixture, struct wish wish)
{
    struct grant_book *grants = token_room_grants(fixture->room);
    struct str addresses = str_of(wish.addresses == NULL ? "" : wish.addresses);
    struct permanent permanent = { .addresses = addresses };
    struct grant_tie tie = { .permanent = &permanent };
    struct token_shape shape = { .format = wish.format, .lifetime_s = wish.lifetime_s };
    struct grant like = { .client_id = fixture->client_id, .scope = STR("read") };
    int64_t now = clock_now_s();
    struct live_grant *grant;
    struct made made;
    struct store_unit unit;
    static _Atomic int account_count;
    char name[32];

    snprintf(name, sizeof(name), "owner-%d", atomic_fetch_add(&account_count, 1));
    like.account_id = fixture_add_account(fixture, name, false).id;
    store_unit_init(&unit);
    assert_int_equal(grant_draft_family(grants, &like, &tie, now, &unit, &grant), RC_OK);
    assert_int_equal(
        token_draft_permanent(fixture->room, grant, shape, now, &fixture->arena, &made.draft),
        RC_OK);
    made.grant_id = grant->id;
    permanent = row_of(&made, like.account_id, addresses);
    store_insert_token(&unit, &made.draft.row);
    if (!wish.is_without_row)
        store_insert_permanent(&unit, &permanent);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    token_enter(fixture->room, &made.draft, now);
    grant_put(grants, grant);
    return made;
}

static inline enum rc use_from(struct room_fixture *fixture, const struct made *made,
                               const unsigned char *address, int64_t now,
                               enum token_inactive *out_why)
{
    struct token_presented presented = { .value = made->draft.value, .address = address };

    return fixture_find_at(fixture, &presented, now, true, out_why);
}

static inline void assert_used(struct room_fixture *fixture, const struct made *made,
                               const unsigned char *address, int64_t now)
{
    enum token_inactive why;

    assert_int_equal(use_from(fixture, made, address, now, &why), RC_OK);
}

static inline void assert_wrong_address(struct room_fixture *fixture, const struct made *made,
                                        const unsigned char *address)
{
    enum token_inactive why = TOKEN_UNKNOWN;

    assert_int_equal(use_from(fixture, made, address, clock_now_s(), &why), RC_NOT_FOUND);
    assert_int_equal(why, TOKEN_ADDRESS_WRONG);
}

static inline struct permanent saved(struct room_fixture *fixture, const struct made *made)
{
    struct permanent row;

    assert_int_equal(store_find_permanent(fixture->store, made->grant_id, &fixture->arena, &row),
                     RC_OK);
    return row;
}

static inline void assert_saved(struct room_fixture *fixture, const struct made *made, int64_t at,
                                const unsigned char *address)
{
    struct permanent row = saved(fixture, made);

    assert_int_equal(row.last_used_at, at);
    assert_memory_equal(row.last_used_address, address, sizeof(row.last_used_address));
}

static inline void assert_last_use(struct room_fixture *fixture, const struct made *made,
                                   int64_t at, const unsigned char *address)
{
    struct last_use use;

    assert_true(token_last_use(fixture->room, made->grant_id, &use));
    assert_int_equal(use.at, at);
    assert_memory_equal(use.address, address, sizeof(use.address));
}

static inline enum rc save(struct room_fixture *fixture)
{
    return last_use_save(&fixture->room->last_uses, fixture->store,
                         token_room_grants(fixture->room));
}

static inline void restart(struct room_fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

#endif
