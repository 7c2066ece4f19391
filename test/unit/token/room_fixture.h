/*
 * A token room on a store of its own, for the tests of this room.
 */
#ifndef JETON_TEST_ROOM_FIXTURE_H
#define JETON_TEST_ROOM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "crypto/digest.h"
#include "token/token_room.h"

struct room_fixture {
    char folder[64];
    struct store *store;
    struct catalog *catalog;
    struct token_room *room;
    int64_t client_id;
    struct arena arena;
};

static const unsigned char fixture_master_key[SEAL_KEY_BYTES] = { 3, 1, 4, 1, 5 };

static inline void fixture_open(struct room_fixture *fixture)
{
    struct store_config config = { .data_dir = str_of(fixture->folder) };
    struct token_room_config room_config = { .master_key = fixture_master_key,
                                             .issuer = STR("http://127.0.0.1:8080") };
    char memory[512];
    struct buffer error = buffer_over(memory, sizeof(memory));

    assert_int_equal(store_open(&config, &fixture->store, &error), RC_OK);
    assert_int_equal(catalog_new(fixture->store, &fixture->catalog), RC_OK);
    room_config.store = fixture->store;
    room_config.catalog = fixture->catalog;
    assert_int_equal(token_room_open(&room_config, &fixture->room), RC_OK);
}

static inline void fixture_close(struct room_fixture *fixture)
{
    token_room_close(fixture->room);
    catalog_free(fixture->catalog);
    store_close(fixture->store);
}

static inline void fixture_add_client(struct room_fixture *fixture)
{
    struct client client = { .client_id = STR("demo"), .name = STR("Demo") };
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &client.id), RC_OK);
    store_unit_init(&unit);
    store_insert_client(&unit, &client);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    fixture->client_id = client.id;
}

static inline struct account fixture_add_account(struct room_fixture *fixture, const char *name,
                                                 bool is_admin)
{
    struct account account = { .name = str_of(name),
                               .full_name = STR("Alice \"Al\" Liddell"),
                               .is_admin = is_admin };
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &account.id), RC_OK);
    store_unit_init(&unit);
    store_insert_account(&unit, &account);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    return account;
}

static inline void fixture_add_service(struct room_fixture *fixture, struct service service)
{
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &service.id), RC_OK);
    service.name = service.service_id;
    store_unit_init(&unit);
    store_insert_service(&unit, &service);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

static inline int fixture_set_up(void **state)
{
    struct room_fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    crypto_init();
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/jeton-room-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    arena_init(&fixture->arena, 4 << 20);
    fixture_open(fixture);
    fixture_add_client(fixture);
    *state = fixture;
    return 0;
}

static inline int fixture_tear_down(void **state)
{
    struct room_fixture *fixture = *state;
    char command[128];

    fixture_close(fixture);
    arena_deinit(&fixture->arena);
    snprintf(command, sizeof(command), "rm -rf '%s'", fixture->folder);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static inline struct live_grant *fixture_grant(struct room_fixture *fixture, const char *scope)
{
    struct grant like = { .client_id = fixture->client_id,
                          .scope = str_of(scope),
                          .audience = STR("") };
    struct live_grant *grant;

    assert_int_equal(
        grant_find_standing(token_room_grants(fixture->room), &like, clock_now_s(), &grant), RC_OK);
    return grant;
}

/* A token that is committed and entered. */
static inline struct token_draft fixture_issue(struct room_fixture *fixture,
                                               struct live_grant *grant, enum token_format format)
{
    struct token_shape shape = { .format = format, .alg = ALG_ES256, .lifetime_s = 3600 };
    int64_t now = clock_now_s();
    struct token_draft draft;
    struct store_unit unit;

    assert_int_equal(token_draft_access(fixture->room, grant, shape, now, &fixture->arena, &draft),
                     RC_OK);
    store_unit_init(&unit);
    store_insert_token(&unit, &draft.row);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    token_enter(fixture->room, &draft, now);
    return draft;
}

/* Finds it and uses it. Sets *out_why on RC_NOT_FOUND. */
static inline enum rc fixture_find_at(struct room_fixture *fixture,
                                      const struct token_presented *presented, int64_t now,
                                      bool may_block, enum token_inactive *out_why)
{
    struct token_view view;
    enum rc rc = token_find(fixture->room, presented, now, may_block, &view, out_why);

    if (rc != RC_OK)
        return rc;
    rc = token_use(fixture->room, &view, presented->address, now, may_block);
    token_view_put(fixture->room, &view);
    return rc;
}

static inline enum rc fixture_find(struct room_fixture *fixture, struct str value, bool may_block)
{
    struct token_presented presented = { .value = value };
    enum token_inactive why;

    return fixture_find_at(fixture, &presented, clock_now_s(), may_block, &why);
}

/* RC_NOT_FOUND for this reason. */
static inline void fixture_assert_inactive(struct room_fixture *fixture, struct str value,
                                           int64_t now, enum token_inactive why)
{
    struct token_presented presented = { .value = value };
    enum token_inactive seen = TOKEN_ADDRESS_WRONG;

    assert_int_equal(fixture_find_at(fixture, &presented, now, true, &seen), RC_NOT_FOUND);
    assert_int_equal(seen, why);
}

static inline void fixture_end_grant(struct room_fixture *fixture, int64_t grant_id)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_end_grant(&unit, grant_id, clock_now_s());
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

static inline void fixture_revoke(struct room_fixture *fixture, const struct token *row)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_revoke_token(&unit, row->id, clock_now_s(), row->expires_at);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

#endif
