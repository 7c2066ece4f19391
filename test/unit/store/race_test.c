/* Many threads at once: who wins is one, what is told is true, nothing is told late. */
#include <pthread.h>
#include <stdatomic.h>

#include "fixture.h"

enum { THREAD_COUNT = 64, ROUND_COUNT = 40, UNIT_PER_THREAD_COUNT = 100 };

struct race {
    struct fixture *fixture;
    pthread_barrier_t start;
    int64_t grant_id;
    int64_t tokens[ROUND_COUNT];
    _Atomic int64_t winner[ROUND_COUNT]; /* the successor that won */
    _Atomic int won[ROUND_COUNT];
    _Atomic int lost[ROUND_COUNT];
    _Atomic int strange;
};

static void run_threads(struct race *race, void *(*body)(void *))
{
    pthread_t threads[THREAD_COUNT];
    int index;

    pthread_barrier_init(&race->start, NULL, THREAD_COUNT);
    for (index = 0; index < THREAD_COUNT; index++)
        assert_int_equal(pthread_create(&threads[index], NULL, body, race), 0);
    for (index = 0; index < THREAD_COUNT; index++)
        pthread_join(threads[index], NULL);
    pthread_barrier_destroy(&race->start);
}

/* ---- RT-03: parallel refreshes of one token have one successor ------------------------------ */

static void *spend_all(void *context)
{
    struct race *race = context;
    struct fixture *fixture = race->fixture;
    int round;

    for (round = 0; round < ROUND_COUNT; round++) {
        struct token successor = sample_token(fixture, race->grant_id, true);
        struct store_unit unit;
        enum rc rc;

        store_unit_init(&unit);
        store_spend_token(&unit, race->tokens[round], race->grant_id, successor.id, fixture->now,
                          fixture->now + 3600);
        store_insert_token(&unit, &successor);
        pthread_barrier_wait(&race->start);
        rc = store_commit(fixture->store, &unit);
        if (rc == RC_OK) {
            atomic_fetch_add(&race->won[round], 1);
            atomic_store(&race->winner[round], successor.id);
        } else if (rc == RC_SPENT) {
            struct token found;

            atomic_fetch_add(&race->lost[round], 1);
            if (store_find_token(fixture->store, successor.id, &found) != RC_NOT_FOUND)
                atomic_fetch_add(&race->strange, 1);
        } else {
            atomic_fetch_add(&race->strange, 1);
        }
    }
    return NULL;
}

static void test_rt_03_one_of_64_spends_a_token(void **state)
{
    struct fixture *fixture = *state;
    struct race race = { .fixture = fixture };
    struct grant family = sample_family(fixture);
    int round;

    race.grant_id = family.id;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    for (round = 0; round < ROUND_COUNT; round++) {
        struct token token = sample_token(fixture, family.id, true);

        race.tokens[round] = token.id;
        assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &token), RC_OK);
    }
    run_threads(&race, spend_all);
    assert_int_equal(race.strange, 0);
    for (round = 0; round < ROUND_COUNT; round++) {
        struct spent_token spent;
        struct token found;

        assert_int_equal(race.won[round], 1);
        assert_int_equal(race.lost[round], THREAD_COUNT - 1);
        assert_int_equal(store_find_spent(fixture->store, race.tokens[round], &spent), RC_OK);
        assert_int_equal(spent.successor_id, race.winner[round]);
        assert_int_equal(store_find_token(fixture->store, spent.successor_id, &found), RC_OK);
    }
}

/* ---- PW-11, RFC 6238 5.2: a code is good once ----------------------------------------------- */

static void count_spender(struct race *race, int round, enum rc rc, int64_t token_id)
{
    struct token found;

    atomic_fetch_add(rc == RC_OK      ? &race->won[round]
                     : rc == RC_SPENT ? &race->lost[round]
                                      : &race->strange,
                     1);
    /* What was to be given for the code is there only for the one that won. */
    if (store_find_token(race->fixture->store, token_id, &found) !=
        (rc == RC_OK ? RC_OK : RC_NOT_FOUND))
        atomic_fetch_add(&race->strange, 1);
}

static void *spend_steps(void *context)
{
    struct race *race = context;
    struct fixture *fixture = race->fixture;
    int round;

    for (round = 0; round < ROUND_COUNT; round++) {
        struct token token = sample_token(fixture, 5, false);
        struct store_unit unit;

        store_unit_init(&unit);
        store_spend_step(&unit, race->grant_id, 1000 + round, fixture->now);
        store_insert_token(&unit, &token);
        pthread_barrier_wait(&race->start);
        count_spender(race, round, store_commit(fixture->store, &unit), token.id);
    }
    return NULL;
}

static void test_one_of_64_spends_a_time_step(void **state)
{
    struct fixture *fixture = *state;
    struct race race = { .fixture = fixture };
    struct factor factor = { .id = fixture_id(fixture, SEQUENCE_NOUN),
                             .account_id = 71,
                             .name = STR("telephone"),
                             .sealed = STR("sealed"),
                             .last_step = 999 };
    struct factor found[FACTOR_COUNT_MAX];
    size_t count = 0;
    int round;

    race.grant_id = factor.id;
    assert_int_equal(COMMIT_ONE(fixture, store_insert_factor, &factor), RC_OK);
    run_threads(&race, spend_steps);
    assert_int_equal(race.strange, 0);
    for (round = 0; round < ROUND_COUNT; round++) {
        assert_int_equal(race.won[round], 1);
        assert_int_equal(race.lost[round], THREAD_COUNT - 1);
    }
    assert_int_equal(store_list_factors(fixture->store, 71, &fixture->arena, found, &count), RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(found[0].last_step, 1000 + ROUND_COUNT - 1);
}

static void *spend_recovery_codes(void *context)
{
    struct race *race = context;
    struct fixture *fixture = race->fixture;
    int round;

    for (round = 0; round < ROUND_COUNT; round++) {
        const unsigned char digest[DIGEST_BYTES] = { (unsigned char)round };
        struct token token = sample_token(fixture, 5, false);
        struct store_unit unit;

        store_unit_init(&unit);
        store_spend_recovery_code(&unit, 71, digest, fixture->now);
        store_insert_token(&unit, &token);
        pthread_barrier_wait(&race->start);
        count_spender(race, round, store_commit(fixture->store, &unit), token.id);
    }
    return NULL;
}

static void test_pw_11_one_of_64_spends_a_recovery_code(void **state)
{
    struct fixture *fixture = *state;
    struct race race = { .fixture = fixture };
    size_t count = 0;
    int round;

    for (round = 0; round < ROUND_COUNT; round++) {
        const unsigned char digest[DIGEST_BYTES] = { (unsigned char)round };

        assert_int_equal(COMMIT_ONE(fixture, store_insert_recovery_code, 71, digest), RC_OK);
    }
    run_threads(&race, spend_recovery_codes);
    assert_int_equal(race.strange, 0);
    for (round = 0; round < ROUND_COUNT; round++) {
        assert_int_equal(race.won[round], 1);
        assert_int_equal(race.lost[round], THREAD_COUNT - 1);
    }
    assert_int_equal(store_count_recovery_codes(fixture->store, 71, &count), RC_OK);
    assert_int_equal(count, 0);
}

/* ---- one name, one standing grant ----------------------------------------------------------- */

static void *take_names(void *context)
{
    struct race *race = context;
    struct fixture *fixture = race->fixture;
    static _Atomic int turn;
    bool is_client = atomic_fetch_add(&turn, 1) % 2 == 0;
    int round;

    for (round = 0; round < ROUND_COUNT; round++) {
        char name[24];
        struct store_unit unit;
        struct service service;
        struct client client;
        enum rc rc;

        snprintf(name, sizeof(name), "name-%d", round);
        service = sample_service(fixture, name);
        client = sample_client(fixture, name);
        store_unit_init(&unit);
        if (is_client)
            store_insert_client(&unit, &client);
        else
            store_insert_service(&unit, &service);
        pthread_barrier_wait(&race->start);
        rc = store_commit(fixture->store, &unit);
        atomic_fetch_add(rc == RC_OK       ? &race->won[round]
                         : rc == RC_EXISTS ? &race->lost[round]
                                           : &race->strange,
                         1);
    }
    return NULL;
}

static void test_one_of_64_takes_a_name(void **state)
{
    struct race race = { .fixture = *state };
    int round;

    run_threads(&race, take_names);
    assert_int_equal(race.strange, 0);
    for (round = 0; round < ROUND_COUNT; round++) {
        assert_int_equal(race.won[round], 1);
        assert_int_equal(race.lost[round], THREAD_COUNT - 1);
    }
}

static void *insert_standing_grants(void *context)
{
    struct race *race = context;
    struct fixture *fixture = race->fixture;
    int round;

    for (round = 0; round < ROUND_COUNT; round++) {
        struct grant grant = sample_grant(fixture, false);
        enum rc rc;

        grant.account_id = 1000 + round;
        pthread_barrier_wait(&race->start);
        rc = COMMIT_ONE(fixture, store_insert_grant, &grant);
        atomic_fetch_add(rc == RC_OK       ? &race->won[round]
                         : rc == RC_EXISTS ? &race->lost[round]
                                           : &race->strange,
                         1);
    }
    return NULL;
}

static void test_one_of_64_inserts_a_standing_grant(void **state)
{
    struct race race = { .fixture = *state };
    int round;

    run_threads(&race, insert_standing_grants);
    assert_int_equal(race.strange, 0);
    for (round = 0; round < ROUND_COUNT; round++)
        assert_int_equal(race.won[round], 1);
}

/* ---- RT-06: an end of the family and a refresh, either way, leave nothing alive ------------- */

static void *end_or_spend(void *context)
{
    struct race *race = context;
    struct fixture *fixture = race->fixture;
    static _Atomic int turn;
    bool ends = atomic_fetch_add(&turn, 1) % THREAD_COUNT == 0;
    int round;

    for (round = 0; round < ROUND_COUNT; round++) {
        struct store_unit unit;
        enum rc rc;

        store_unit_init(&unit);
        if (ends)
            store_end_grant(&unit, race->tokens[round], fixture->now);
        else
            store_spend_token(&unit, race->tokens[round], race->tokens[round], 1, fixture->now, 0);
        pthread_barrier_wait(&race->start);
        rc = store_commit(fixture->store, &unit);
        if (ends ? rc != RC_OK : rc != RC_OK && rc != RC_SPENT && rc != RC_NOT_FOUND)
            atomic_fetch_add(&race->strange, 1);
        if (!ends && rc == RC_OK)
            atomic_fetch_add(&race->won[round], 1);
    }
    return NULL;
}

static void test_rt_06_a_family_that_ended_stays_ended(void **state)
{
    struct fixture *fixture = *state;
    struct race race = { .fixture = fixture };
    int round;

    for (round = 0; round < ROUND_COUNT; round++) {
        struct grant family = sample_family(fixture);

        race.tokens[round] = family.id; /* a token of the same number, to keep it short */
        assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    }
    run_threads(&race, end_or_spend);
    assert_int_equal(race.strange, 0);
    for (round = 0; round < ROUND_COUNT; round++) {
        struct grant found;

        assert_true(race.won[round] <= 1);
        assert_int_equal(
            store_find_grant(fixture->store, race.tokens[round], &fixture->arena, &found), RC_OK);
        assert_true(found.ended_at != 0);
        assert_true(COMMIT_ONE(fixture, store_spend_token, race.tokens[round] + 1000000,
                               race.tokens[round], 1, fixture->now, 0) == RC_NOT_FOUND);
    }
}

/* ---- ids, and the feed before the answer ---------------------------------------------------- */

static _Atomic unsigned char id_was_given[THREAD_COUNT * UNIT_PER_THREAD_COUNT * 4];

static void *draw_ids(void *context)
{
    struct race *race = context;
    int index;

    pthread_barrier_wait(&race->start);
    for (index = 0; index < UNIT_PER_THREAD_COUNT; index++) {
        int64_t id = fixture_id(race->fixture, SEQUENCE_NOUN);

        if ((size_t)id >= sizeof(id_was_given) || atomic_fetch_add(&id_was_given[id], 1) != 0)
            atomic_fetch_add(&race->strange, 1);
    }
    return NULL;
}

static void test_ids_are_given_once_to_64_threads(void **state)
{
    struct race race = { .fixture = *state };

    run_threads(&race, draw_ids);
    assert_int_equal(race.strange, 0);
}

/* Whoever commits now and then never waits for a block of ids: the writer leases in time. */
static void test_ids_are_leased_before_they_run_out(void **state)
{
    enum { ID_COUNT = 5 * 4096, UNIT_INTERVAL = 512 };
    struct fixture *fixture = *state;
    struct event event = { .at = 1, .kind = EVENT_DENIED, .detail = STR("test") };
    int64_t last = fixture_id(fixture, SEQUENCE_LONG_TOKEN);
    struct store_counts before;
    struct store_counts after;
    int index;

    assert_int_equal(last, STORE_LONG_TOKEN_FIRST);
    store_counts(fixture->store, &before);
    for (index = 0; index < ID_COUNT; index++) {
        int64_t id = fixture_id(fixture, SEQUENCE_LONG_TOKEN);

        assert_int_equal(id, last + 1);
        last = id;
        if (index % UNIT_INTERVAL == 0)
            assert_int_equal(COMMIT_ONE(fixture, store_insert_event, &event), RC_OK);
    }
    store_counts(fixture->store, &after);
    assert_int_equal(after.units - before.units, ID_COUNT / UNIT_INTERVAL);
    /* A start begins behind everything that was leased. */
    fixture_reopen(fixture);
    assert_true(fixture_id(fixture, SEQUENCE_LONG_TOKEN) > last);
}

enum { LONG_ID_PER_THREAD_COUNT = 2048 };

static _Atomic unsigned char long_id_was_given[THREAD_COUNT * LONG_ID_PER_THREAD_COUNT * 2];

static void *draw_long_ids(void *context)
{
    struct race *race = context;
    struct event event = { .at = 1, .kind = EVENT_DENIED, .detail = STR("test") };
    int64_t last = 0;
    int index;

    pthread_barrier_wait(&race->start);
    for (index = 0; index < LONG_ID_PER_THREAD_COUNT; index++) {
        int64_t id = fixture_id(race->fixture, SEQUENCE_LONG_TOKEN);
        size_t place = (size_t)(id - STORE_LONG_TOKEN_FIRST);

        if (id <= last || place >= sizeof(long_id_was_given) ||
            atomic_fetch_add(&long_id_was_given[place], 1) != 0)
            atomic_fetch_add(&race->strange, 1);
        last = id;
        if (index % 256 == 0 && COMMIT_ONE(race->fixture, store_insert_event, &event) != RC_OK)
            atomic_fetch_add(&race->strange, 1);
    }
    return NULL;
}

static void test_leased_ids_only_grow_and_are_given_once(void **state)
{
    struct race race = { .fixture = *state };

    run_threads(&race, draw_long_ids);
    assert_int_equal(race.strange, 0);
}

static _Atomic unsigned char token_was_told[THREAD_COUNT * UNIT_PER_THREAD_COUNT * 4 + 4096];

static void note_told(void *context, const struct store_change *change)
{
    (void)context;
    if (change->kind == CHANGE_TOKEN_REVOKED && (size_t)change->key < sizeof(token_was_told))
        atomic_store(&token_was_told[change->key], 1);
}

/* RV-01: a revocation is seen by every reader, in memory or not, before it is acknowledged. */
static void *revoke_and_look(void *context)
{
    struct race *race = context;
    struct fixture *fixture = race->fixture;
    int index;

    pthread_barrier_wait(&race->start);
    for (index = 0; index < UNIT_PER_THREAD_COUNT; index++) {
        struct token token = sample_token(fixture, 5, false);
        struct token found;

        if (COMMIT_ONE(fixture, store_insert_token, &token) != RC_OK ||
            store_find_token(fixture->store, token.id, &found) != RC_OK || found.is_revoked ||
            COMMIT_ONE(fixture, store_revoke_token, token.id, fixture->now, token.expires_at) !=
                RC_OK ||
            atomic_load(&token_was_told[token.id]) != 1 ||
            store_find_token(fixture->store, token.id, &found) != RC_OK || !found.is_revoked)
            atomic_fetch_add(&race->strange, 1);
    }
    return NULL;
}

static void test_every_reader_sees_what_was_acknowledged(void **state)
{
    struct race race = { .fixture = *state };
    struct store_counts counts;

    store_listen(race.fixture->store, note_told, NULL);
    run_threads(&race, revoke_and_look);
    assert_int_equal(race.strange, 0);
    store_counts(race.fixture->store, &counts);
    /* Group commit: far fewer commits than units. */
    assert_true(counts.units >= 2 * THREAD_COUNT * UNIT_PER_THREAD_COUNT);
    assert_true(counts.commits * 2 < counts.units);
}

/* ---- one bad unit does not spoil its batch -------------------------------------------------- */

static void *mix_good_and_bad(void *context)
{
    struct race *race = context;
    struct fixture *fixture = race->fixture;
    static _Atomic int turn;
    bool is_bad = atomic_fetch_add(&turn, 1) % 8 == 0;
    int index;

    pthread_barrier_wait(&race->start);
    for (index = 0; index < UNIT_PER_THREAD_COUNT; index++) {
        struct event event = { .at = fixture->now, .kind = EVENT_DENIED, .detail = STR("") };
        struct token token = sample_token(fixture, 5, false);
        struct token found;
        struct store_unit unit;
        enum rc rc;

        store_unit_init(&unit);
        store_insert_token(&unit, &token);
        store_insert_event(&unit, &event);
        if (is_bad)
            store_insert_token(&unit, &token); /* a constraint that nobody expects */
        rc = store_commit(fixture->store, &unit);
        if (rc != (is_bad ? RC_EXISTS : RC_OK) ||
            store_find_token(fixture->store, token.id, &found) != (is_bad ? RC_NOT_FOUND : RC_OK))
            atomic_fetch_add(&race->strange, 1);
    }
    return NULL;
}

static void test_one_bad_unit_does_not_spoil_its_batch(void **state)
{
    struct race race = { .fixture = *state };

    run_threads(&race, mix_good_and_bad);
    assert_int_equal(race.strange, 0);
    assert_true(store_is_writable(race.fixture->store));
}

/* ---- all of it is there --------------------------------------------------------------------- */

static void *commit_many(void *context)
{
    struct race *race = context;
    struct fixture *fixture = race->fixture;
    int index;

    pthread_barrier_wait(&race->start);
    for (index = 0; index < UNIT_PER_THREAD_COUNT; index++) {
        struct token token = sample_token(fixture, 5, false);

        if (COMMIT_ONE(fixture, store_insert_token, &token) == RC_OK)
            atomic_fetch_add(&race->won[0], 1);
    }
    return NULL;
}

static void test_everything_acknowledged_is_there(void **state)
{
    struct race race = { .fixture = *state };
    struct token rows[STORE_LIST_ROW_COUNT_MAX];
    int64_t after_id = 0;
    size_t total = 0;
    size_t count;

    run_threads(&race, commit_many);
    fixture_reopen(race.fixture);
    do {
        assert_int_equal(store_list_tokens(race.fixture->store, after_id, 0, rows,
                                           STORE_LIST_ROW_COUNT_MAX, &count),
                         RC_OK);
        total += count;
        after_id = count == 0 ? after_id : rows[count - 1].id;
    } while (count > 0);
    assert_int_equal(race.strange, 0);
    assert_int_equal(race.won[0], THREAD_COUNT * UNIT_PER_THREAD_COUNT);
    assert_int_equal(total, race.won[0]);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_rt_03_one_of_64_spends_a_token),
        ON_STORE(test_one_of_64_spends_a_time_step),
        ON_STORE(test_pw_11_one_of_64_spends_a_recovery_code),
        ON_STORE(test_one_of_64_takes_a_name),
        ON_STORE(test_one_of_64_inserts_a_standing_grant),
        ON_STORE(test_rt_06_a_family_that_ended_stays_ended),
        ON_STORE(test_ids_are_given_once_to_64_threads),
        ON_STORE(test_ids_are_leased_before_they_run_out),
        ON_STORE(test_leased_ids_only_grow_and_are_given_once),
        ON_STORE(test_every_reader_sees_what_was_acknowledged),
        ON_STORE(test_one_bad_unit_does_not_spoil_its_batch),
        ON_STORE(test_everything_acknowledged_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
