/* Many threads at once, browser sessions: who takes a session's place is one, and nothing that ends
 * an account's sessions leaves one behind. */
#include <pthread.h>
#include <stdatomic.h>

#include "people.h"

enum { THREAD_COUNT = 32, ROUND_COUNT = 40 };

struct race {
    struct fixture *fixture;
    pthread_barrier_t start;
    pthread_barrier_t end;
    int64_t account_id;
    struct str password_hash; /* of the round */
    struct browser_session sessions[ROUND_COUNT];
    _Atomic int won[ROUND_COUNT];
    _Atomic int lost[ROUND_COUNT];
    _Atomic int strange;
};

static void run_threads(struct race *race, void *(*body)(void *), void *(*other)(void *))
{
    pthread_t threads[THREAD_COUNT];

    pthread_barrier_init(&race->start, NULL, THREAD_COUNT);
    pthread_barrier_init(&race->end, NULL, THREAD_COUNT);
    for (int index = 0; index < THREAD_COUNT; index++)
        assert_int_equal(pthread_create(&threads[index], NULL, index == 0 ? other : body, race), 0);
    for (int index = 0; index < THREAD_COUNT; index++)
        pthread_join(threads[index], NULL);
    pthread_barrier_destroy(&race->start);
    pthread_barrier_destroy(&race->end);
}

static size_t count_sessions(struct race *race)
{
    struct browser_session rows[THREAD_COUNT * 2];
    struct arena arena = { 0 };
    size_t count = 0;

    arena_init(&arena, (size_t)256 * 1024);
    assert_int_equal(store_list_browser_sessions(race->fixture->store, race->account_id, INT64_MAX,
                                                 &arena, rows, THREAD_COUNT * 2, &count),
                     RC_OK);
    arena_deinit(&arena);
    return count;
}

/* ---- SE-01 ---------------------------------------------------------------------------------- */

static void *replace_all(void *context)
{
    struct race *race = context;

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct browser_session fresh = sample_browser_session(race->fixture, race->account_id);
        struct store_unit unit;
        enum rc rc;

        store_unit_init(&unit);
        store_replace_browser_session(&unit, race->sessions[round].id);
        store_insert_browser_session(&unit, &fresh);
        pthread_barrier_wait(&race->start);
        rc = store_commit(race->fixture->store, &unit);
        atomic_fetch_add(rc == RC_OK          ? &race->won[round]
                         : rc == RC_NOT_FOUND ? &race->lost[round]
                                              : &race->strange,
                         1);
    }
    return NULL;
}

static void test_se_01_one_of_32_takes_the_place_of_a_session(void **state)
{
    struct race race = { .fixture = *state };

    race.account_id = insert_account(race.fixture, "ada").id;
    for (int round = 0; round < ROUND_COUNT; round++)
        race.sessions[round] = insert_browser_session(race.fixture, race.account_id);
    run_threads(&race, replace_all, replace_all);
    assert_int_equal(race.strange, 0);
    for (int round = 0; round < ROUND_COUNT; round++) {
        assert_int_equal(race.won[round], 1);
        assert_int_equal(race.lost[round], THREAD_COUNT - 1);
        assert_int_equal(find_browser_session(race.fixture, &race.sessions[round]), RC_NOT_FOUND);
    }
    assert_int_equal(count_sessions(&race), ROUND_COUNT);
}

/* ---- SE-06 ---------------------------------------------------------------------------------- */

/* Signs in with the password of the round, which is changed, or the account disabled, meanwhile. */
static void *sign_in_all(void *context)
{
    struct race *race = context;

    for (int round = 0; round < ROUND_COUNT; round++) {
        struct browser_session fresh = sample_browser_session(race->fixture, race->account_id);
        struct store_unit unit;
        enum rc rc;

        pthread_barrier_wait(&race->start);
        store_unit_init(&unit);
        store_expect_password_hash(&unit, race->account_id, race->password_hash);
        store_insert_browser_session(&unit, &fresh);
        rc = store_commit(race->fixture->store, &unit);
        if (rc != RC_OK && rc != RC_NOT_FOUND)
            atomic_fetch_add(&race->strange, 1);
        pthread_barrier_wait(&race->end);
    }
    return NULL;
}

static void *shut_out_all(void *context)
{
    static const char *const hashes[] = { "one", "two" };
    struct race *race = context;
    struct fixture *fixture = race->fixture;

    for (int round = 0; round < ROUND_COUNT; round++) {
        bool is_disabling = round % 4 >= 2;
        enum rc rc;

        race->password_hash = str_of(hashes[round % 2]);
        if (COMMIT_ONE(fixture, store_enable_account, race->account_id) != RC_OK ||
            COMMIT_ONE(fixture, store_set_password_hash, race->account_id, race->password_hash) !=
                RC_OK)
            atomic_fetch_add(&race->strange, 1);
        pthread_barrier_wait(&race->start);
        rc = is_disabling
                 ? COMMIT_ONE(fixture, store_disable_account, race->account_id)
                 : COMMIT_ONE(fixture, store_set_password_hash, race->account_id, STR("three"));
        pthread_barrier_wait(&race->end);
        if (rc != RC_OK || count_sessions(race) != 0)
            atomic_fetch_add(&race->strange, 1);
    }
    return NULL;
}

static void test_se_06_no_session_outlives_what_ends_them(void **state)
{
    struct race race = { .fixture = *state };

    race.account_id = insert_account(race.fixture, "ada").id;
    run_threads(&race, sign_in_all, shut_out_all);
    assert_int_equal(race.strange, 0);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_se_01_one_of_32_takes_the_place_of_a_session),
        ON_STORE(test_se_06_no_session_outlives_what_ends_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
