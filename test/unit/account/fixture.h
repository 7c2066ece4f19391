/*
 * A store, a throttle book and cheap hashes of their own for every test of the account room.
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

/* A moment to count from; nothing here looks at the clock. */
#define NOON ((int64_t)1800000000)

/* The least that the library hashes with: what is tested is the order of things. */
#define CHEAP  ((struct password_cost){ 64, 1 })
#define DEARER ((struct password_cost){ 128, 2 })

struct fixture {
    char dir[64];
    struct store *store;
    struct hmac_key *key;
    struct throttle_book *book;
    struct account_door door;
    struct arena arena;
    char error[512];
    struct buffer error_text;
};

static inline void fixture_open(struct fixture *fixture)
{
    struct store_config config = { .data_dir = str_of(fixture->dir) };

    fixture->error_text = buffer_over(fixture->error, sizeof(fixture->error));
    assert_int_equal(store_open(&config, &fixture->store, &fixture->error_text), RC_OK);
    fixture->book = throttle_book_new(fixture->store, fixture->key);
    fixture->door = (struct account_door){ fixture->store, fixture->book, CHEAP };
}

static inline void fixture_shut(struct fixture *fixture)
{
    throttle_book_free(fixture->book);
    store_close(fixture->store);
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
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    crypto_init();
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/jeton-account-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    fixture->key = hmac_key_new(key);
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
    hmac_key_free(fixture->key);
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

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

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

#endif
