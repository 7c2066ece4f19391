/*
 * A store, a throttle book and cheap hashes of their own for every test of the account room. The
 * store is SQLite's unless JETON_TEST_STORE is "postgresql" (test/unit/store/fixture.h).
 */
#ifndef JETON_TEST_ACCOUNT_FIXTURE_H
#define JETON_TEST_ACCOUNT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/account.h"
#include "crypto/digest.h"
#include "unit/store/cluster.h"

/* A moment to count from; nothing here looks at the clock. */
#define NOON ((int64_t)2100000000)

/* The least that the library hashes with: what is tested is the order of things. */
#define CHEAP  ((struct password_cost){ 64, 1 })
#define DEARER ((struct password_cost){ 128, 2 })

struct fixture {
    bool is_shared; /* counts in the store alone, as where other processes do */
    char dir[64];
    struct cluster cluster; /* where there is no URL in it, the engine is SQLite */
    struct store *store;
    struct hmac_key *key;
    struct hmac_key *code_key;
    unsigned char master_key[32];
    struct lockout lockout; /* set it with fixture_set_lockout */
    struct throttle_book *book;
    struct account_door door;
    struct arena arena;
    char error[512];
    struct buffer error_text;
};

static inline struct store *fixture_open_store(struct fixture *fixture)
{
    struct store_config config = { .data_dir = str_of(fixture->dir),
                                   .database = str_of(fixture->cluster.url) };
    struct store *store = NULL;

    fixture->error_text = buffer_over(fixture->error, sizeof(fixture->error));
    assert_int_equal(store_open(&config, &store, &fixture->error_text), RC_OK);
    return store;
}

static inline void fixture_open(struct fixture *fixture)
{
    fixture->store = fixture_open_store(fixture);
    fixture->book = throttle_book_new(fixture->store, fixture->key);
    throttle_set_lockout(fixture->book, fixture->lockout);
    if (fixture->is_shared)
        throttle_set_shared(fixture->book);
    fixture->door = (struct account_door){ .store = fixture->store,
                                           .throttle = fixture->book,
                                           .cost = CHEAP,
                                           .factor_keys = { .master_key = fixture->master_key,
                                                            .code_key = fixture->code_key } };
}

static inline void fixture_shut(struct fixture *fixture)
{
    throttle_book_free(fixture->book);
    store_close(fixture->store);
}

/* From here on, and after every restart. */
static inline void fixture_set_lockout(struct fixture *fixture, enum lockout_mode mode,
                                       int64_t duration_s)
{
    fixture->lockout = (struct lockout){ mode, duration_s };
    throttle_set_lockout(fixture->book, fixture->lockout);
}

/* As after a restart: nothing is left but what is on disk. */
static inline void fixture_restart(struct fixture *fixture)
{
    fixture_shut(fixture);
    fixture_open(fixture);
}

static inline int fixture_setup(void **state)
{
    static const unsigned char key[32] = { 1, 2, 3 };
    static const unsigned char code_key[32] = { 4, 5, 6 };
    const char *engine = getenv("JETON_TEST_STORE");
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    crypto_init();
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/jeton-account-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    if (engine != NULL && strcmp(engine, "postgresql") == 0)
        cluster_make(&fixture->cluster);
    fixture->key = hmac_key_new(key);
    fixture->code_key = hmac_key_new(code_key);
    memset(fixture->master_key, 7, sizeof(fixture->master_key));
    arena_init(&fixture->arena, 1024 * 1024);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    struct dirent *entry;
    DIR *dir;

    fixture_shut(fixture);
    if (fixture->cluster.conn != NULL)
        cluster_drop(&fixture->cluster);
    hmac_key_free(fixture->key);
    hmac_key_free(fixture->code_key);
    arena_deinit(&fixture->arena);
    dir = opendir(fixture->dir);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(fixture->dir);
    free(fixture);
    return 0;
}

static inline int fixture_setup_shared(void **state)
{
    struct fixture *fixture;

    if (fixture_setup(state) != 0)
        return -1;
    fixture = *state;
    fixture->is_shared = true;
    throttle_set_shared(fixture->book);
    return 0;
}

/* Twice: with what counts in memory, and with what counts in the store. */
#define WITH_BOTH(test)                                                                            \
    WITH_STORE(test),                                                                              \
    {                                                                                              \
#test " (shared)", test, fixture_setup_shared, fixture_teardown, NULL                      \
    }
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

static inline void end_try(struct fixture *fixture, struct throttle_try *try, bool has_succeeded,
                           int64_t now, struct store_unit *unit)
{
    assert_int_equal(throttle_end(fixture->book, try, has_succeeded, now, unit), RC_OK);
}

static inline void cancel_try(struct fixture *fixture, struct throttle_try *try)
{
    assert_int_equal(throttle_cancel(fixture->book, try, NOON), RC_OK);
}

/* 192.0.2.<last>, as struct http_address has it. */
struct address {
    unsigned char bytes[16];
};

static inline struct address address_v4(unsigned char last)
{
    return (struct address){ { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = last } };
}

static inline struct secret secret_of(const char *text)
{
    struct secret secret = { 0 };

    assert_int_equal(secret_set(&secret, str_of(text)), RC_OK);
    return secret;
}

/* An account whose name is `name`. */
static inline int64_t make_account_of_cost(struct fixture *fixture, const char *name,
                                           const char *password, bool is_admin,
                                           struct password_cost cost)
{
    struct account draft = { .name = str_of(name), .is_admin = is_admin, .created_at = NOON };
    const struct act_note note = { .detail = STR("added"), .now = NOON };
    struct secret secret = secret_of(password);
    int64_t id = 0;

    assert_int_equal(
        account_create(fixture->store, &draft, &secret, cost, &note, &id, &fixture->error_text),
        RC_OK);
    assert_true(id > 0);
    return id;
}

static inline int64_t make_account(struct fixture *fixture, const char *name, const char *password,
                                   bool is_admin)
{
    return make_account_of_cost(fixture, name, password, is_admin, CHEAP);
}

static inline struct account read_account(struct fixture *fixture, int64_t id)
{
    struct account account;

    assert_int_equal(store_find_account(fixture->store, id, &fixture->arena, &account), RC_OK);
    return account;
}

/* A sign-in as a test means it. */
struct entry {
    const char *name;
    const char *password;
    const char *code; /* NULL: none is sent */
    bool is_dumb;     /* the door cannot ask for a code */
    unsigned char from;
    int64_t now;
};

/* A whole sign-in with its commit; out_why may be NULL. A code that was used a moment before is
 * wrong, as account.h has it. */
static inline enum sign_in_verdict enter(struct fixture *fixture, struct entry entry,
                                         const char **out_why)
{
    struct arena arena = { 0 };
    struct secret secret = secret_of(entry.password);
    struct str code = str_of(entry.code == NULL ? "" : entry.code);
    struct address from = address_v4(entry.from);
    struct sign_in sign_in = { .name = str_of(entry.name),
                               .password = &secret,
                               .code = entry.code == NULL ? NULL : &code,
                               .asks_code = !entry.is_dumb,
                               .address = from.bytes,
                               .now = entry.now };
    struct sign_in_result result;
    struct store_unit unit;
    enum rc rc;

    arena_init(&arena, 64 * 1024);
    store_unit_init(&unit);
    assert_int_equal(account_authenticate(&fixture->door, &sign_in, &arena, &unit, &result), RC_OK);
    assert_non_null(result.why);
    if (result.verdict == SIGN_IN_OK) {
        assert_true(str_equal_nocase(result.account.name, sign_in.name));
        assert_true(unit.step_count <= 10);
        rc = store_commit(fixture->store, &unit);
        if (rc == RC_SPENT)
            result.verdict = SIGN_IN_CODE_WRONG;
        else
            assert_int_equal(rc, RC_OK);
    }
    arena_deinit(&arena);
    if (out_why != NULL)
        *out_why = result.why;
    return result.verdict;
}

/* The newest event, its texts in the fixture's arena. */
static inline struct event last_event(struct fixture *fixture)
{
    struct event event = { 0 };
    size_t count;

    assert_int_equal(
        store_list_events(fixture->store, INT64_MAX, &fixture->arena, &event, 1, &count), RC_OK);
    return event;
}

/* How many of the newest events are of a kind. */
static inline unsigned count_events(struct fixture *fixture, enum event_kind kind)
{
    struct arena arena = { 0 };
    struct event rows[256];
    unsigned found = 0;
    size_t count;

    arena_init(&arena, 256 * 1024);
    assert_int_equal(store_list_events(fixture->store, INT64_MAX, &arena, rows, 256, &count),
                     RC_OK);
    for (size_t i = 0; i < count; i++)
        found += rows[i].kind == kind;
    arena_deinit(&arena);
    return found;
}

#endif
