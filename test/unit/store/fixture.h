/*
 * A store of its own for every test. Only this file knows which engine it is: JETON_TEST_STORE
 * names one ("sqlite" unless it is set; "postgresql", in the cluster of JETON_TEST_DATABASE), and
 * the same suites run on each.
 */
#ifndef JETON_TEST_STORE_FIXTURE_H
#define JETON_TEST_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cluster.h"
#include "store/shared.h"
#include "store/store.h"

struct fixture {
    char dir[128];
    struct cluster cluster; /* where there is no URL in it, the engine is SQLite */
    struct store *store;
    struct arena arena;
    char error[512];
    struct store_change changes[256]; /* what the feed told, in order */
    unsigned change_count;
    int64_t now;
};

/* Where there is a feed, its thread tells it again. */
static inline void fixture_note_change(void *context, const struct store_change *change)
{
    struct fixture *fixture = context;
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof(name));
    if ((fixture->cluster.conn == NULL || strcmp(name, "store-feed") != 0) &&
        fixture->change_count < 256)
        fixture->changes[fixture->change_count++] = *change;
}

enum { FIXTURE_SKIPPED = 77 };

static inline bool fixture_is_shared(void)
{
    const char *engine = getenv("JETON_TEST_STORE");

    if (engine == NULL || strcmp(engine, "sqlite") == 0)
        return false;
    if (strcmp(engine, "postgresql") != 0) {
        fprintf(stderr, "JETON_TEST_STORE: no engine is called %s\n", engine);
        abort();
    }
    return true;
}

/* For tests of PostgreSQL alone, whatever engine the others are run on. */
static inline bool fixture_has_cluster(void)
{
    const char *url = getenv("JETON_TEST_DATABASE");

    return url != NULL && url[0] != '\0' && setenv("JETON_TEST_STORE", "postgresql", 1) == 0;
}

static inline struct store_config fixture_config(const struct fixture *fixture)
{
    return (struct store_config){ .data_dir = str_of(fixture->dir),
                                  .database = str_of(fixture->cluster.url) };
}

static inline enum rc fixture_try_open(struct fixture *fixture, bool is_read_only,
                                       struct store **out_store)
{
    struct store_config config = fixture_config(fixture);
    struct buffer error = buffer_over(fixture->error, sizeof(fixture->error) - 1);
    enum rc rc;

    config.is_read_only = is_read_only;
    memset(fixture->error, 0, sizeof(fixture->error));
    rc = store_open(&config, out_store, &error);
    if (rc != RC_OK && fixture->error[0] == '\0')
        abort(); /* every refusal says why */
    return rc;
}

static inline void fixture_open(struct fixture *fixture)
{
    enum rc rc = fixture_try_open(fixture, false, &fixture->store);

    if (rc != RC_OK)
        print_message("%s\n", fixture->error);
    assert_int_equal(rc, RC_OK);
    store_listen(fixture->store, fixture_note_change, fixture);
}

static inline void fixture_reopen(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture_open(fixture);
}

/* Where there is a feed, until it has told all that was written into it. */
static inline void fixture_await_feed(const struct fixture *fixture)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    struct store_feed_view view = { .change_count = 0 };
    int64_t until_ms = clock_monotonic_ms() + 10000;
    uint64_t row_count;

    if (fixture->cluster.conn == NULL)
        return;
    row_count = (uint64_t)cluster_run(fixture->cluster.conn, "SELECT count(*) FROM change");
    while (view.change_count < row_count && clock_monotonic_ms() < until_ms) {
        nanosleep(&pause, NULL);
        store_view_feed(fixture->store, &view);
    }
    assert_true(view.change_count >= row_count);
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/jeton-store-XXXXXX");
    if (mkdtemp(fixture->dir) == NULL)
        return -1;
    if (fixture_is_shared())
        cluster_make(&fixture->cluster);
    arena_init(&fixture->arena, (size_t)8 * 1024 * 1024);
    fixture->now = clock_now_s();
    *state = fixture;
    return 0;
}

static inline int fixture_setup_open(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    fixture_open(*state);
    return 0;
}

static inline void fixture_remove_files(const char *dir)
{
    DIR *listing = opendir(dir);
    struct dirent *entry;

    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(listing), entry->d_name, 0);
    }
    if (listing != NULL)
        closedir(listing);
    rmdir(dir);
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    if (fixture->cluster.conn != NULL)
        cluster_drop(&fixture->cluster);
    fixture_remove_files(fixture->dir);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static inline off_t fixture_file_bytes(const struct fixture *fixture, const char *name)
{
    char path[192];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
    return stat(path, &status) == 0 ? status.st_size : -1;
}

/* ---- nouns with every column set ------------------------------------------------------------ */

static inline int64_t fixture_id(struct fixture *fixture, enum store_sequence sequence)
{
    int64_t id = 0;

    if (store_next_id(fixture->store, sequence, &id) != RC_OK)
        abort();
    return id;
}

static inline struct account sample_account(struct fixture *fixture, const char *name)
{
    return (struct account){ .id = fixture_id(fixture, SEQUENCE_NOUN),
                             .name = str_of(name),
                             .full_name = STR("Ada Example"),
                             .email = STR("ada@example.org"),
                             .password_hash = STR("$argon2id$one"),
                             .is_admin = true,
                             .created_at = fixture->now };
}

static inline struct service sample_service(struct fixture *fixture, const char *service_id)
{
    return (struct service){ .id = fixture_id(fixture, SEQUENCE_NOUN),
                             .service_id = str_of(service_id),
                             .name = STR("A service"),
                             .scope = STR("alpha beta"),
                             .secret_hash = STR("hmac:00"),
                             .format = TOKEN_JWT,
                             .alg = ALG_RS256,
                             .lifetime_s = 3600,
                             .allows_password = true,
                             .expires_in_as_string = true,
                             .created_at = fixture->now };
}

static inline struct client sample_client(struct fixture *fixture, const char *client_id)
{
    return (struct client){ .id = fixture_id(fixture, SEQUENCE_NOUN),
                            .client_id = str_of(client_id),
                            .name = STR("A client"),
                            .type = CLIENT_EMPTY_SECRET,
                            .secret_hash = STR("hmac:11"),
                            .grant_types = 5,
                            .scope = STR("read write"),
                            .service_ids = STR("uslicer.example"),
                            .redirect_uris = STR("https://a.example/cb\nhttps://b.example/cb"),
                            .refresh_lifetime_s = 86400,
                            .refresh_idle_lifetime_s = 3600,
                            .auth_method = AUTH_PRIVATE_KEY_JWT,
                            .policy = CLIENT_IS_TRUSTED | CLIENT_BINDS_DPOP,
                            .metadata = STR("{\"client_uri\":\"https://a.example/\"}"),
                            .previous_secret_hash = STR("hmac:10"),
                            .previous_secret_until = fixture->now + 60,
                            .registration_digest = STR("registration"),
                            .created_at = fixture->now };
}

static inline struct grant sample_grant(struct fixture *fixture, bool is_family)
{
    return (struct grant){ .id = fixture_id(fixture, SEQUENCE_NOUN),
                           .account_id = 71,
                           .client_id = 72,
                           .scope = STR("read"),
                           .audience = STR("one.example two.example"),
                           .is_family = is_family,
                           .created_at = fixture->now };
}

static inline struct token sample_token(struct fixture *fixture, int64_t grant_id, bool is_long)
{
    struct token token = { .id =
                               fixture_id(fixture, is_long ? SEQUENCE_LONG_TOKEN : SEQUENCE_TOKEN),
                           .grant_id = grant_id,
                           .kind = is_long ? TOKEN_REFRESH : TOKEN_ACCESS,
                           .format = TOKEN_OPAQUE,
                           .issued_at = fixture->now,
                           .expires_at = fixture->now + 3600 };

    memset(token.digest, (int)(token.id & 0xff), sizeof(token.digest));
    return token;
}

/* Commits a unit that one verb fills. */
#define COMMIT_ONE(fixture, verb, ...)                                                             \
    __extension__({                                                                                \
        struct store_unit one_unit;                                                                \
                                                                                                   \
        store_unit_init(&one_unit);                                                                \
        verb(&one_unit, __VA_ARGS__);                                                              \
        store_commit((fixture)->store, &one_unit);                                                 \
    })

/* A family whose account exists, as it must for a token to be spent. Only the account is stored. */
static inline struct grant sample_family(struct fixture *fixture)
{
    struct grant family = sample_grant(fixture, true);
    struct account account;
    char name[32];

    snprintf(name, sizeof(name), "owner-%lld", (long long)family.id);
    account = sample_account(fixture, name);
    family.account_id = account.id;
    if (COMMIT_ONE(fixture, store_insert_account, &account) != RC_OK)
        abort();
    return family;
}

#define ASSERT_STR(view, text) assert_true(str_equal(view, str_of(text)))

#endif
