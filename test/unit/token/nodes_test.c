/*
 * Two servers' token rooms on one database. Only where an engine is shared:
 * JETON_TEST_STORE=postgresql.
 */
#include <pthread.h>
#include <sched.h>

#include "../store/cluster.h"
#include "../waiting.h"
#include "room_fixture.h"
#include "store/shared.h"

enum { NODE_COUNT = 3, SKIPPED = 77 };

struct node {
    struct room_fixture fixture; /* store, catalog, room; its folder is not used */
    struct cluster *cluster;
    pthread_t thread;
    pthread_barrier_t *barrier;
};

struct place {
    struct cluster cluster;
    struct node nodes[NODE_COUNT];
};

static void *open_node(void *context)
{
    struct node *node = context;
    struct room_fixture *fixture = &node->fixture;
    struct store_config config = { .database = str_of(node->cluster->url) };
    struct token_room_config room_config = { .master_key = fixture_master_key,
                                             .issuer = STR("http://127.0.0.1:8080") };
    char memory[512];
    struct buffer error = buffer_over(memory, sizeof(memory));

    arena_init(&fixture->arena, 4 << 20);
    pthread_barrier_wait(node->barrier);
    if (store_open(&config, &fixture->store, &error) != RC_OK) {
        print_message("%.*s\n", STR_ARGS(buffer_str(&error)));
        return NULL;
    }
    assert_int_equal(catalog_new(fixture->store, &fixture->catalog), RC_OK);
    room_config.store = fixture->store;
    room_config.catalog = fixture->catalog;
    assert_int_equal(token_room_open(&room_config, &fixture->room), RC_OK);
    return NULL;
}

/* All start at the same time, on a database with nothing in it. */
static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    pthread_barrier_t barrier;

    assert_non_null(place);
    crypto_init();
    cluster_make(&place->cluster);
    pthread_barrier_init(&barrier, NULL, NODE_COUNT);
    for (int i = 0; i < NODE_COUNT; i++) {
        place->nodes[i] = (struct node){ .cluster = &place->cluster, .barrier = &barrier };
        assert_int_equal(pthread_create(&place->nodes[i].thread, NULL, open_node, &place->nodes[i]),
                         0);
    }
    for (int i = 0; i < NODE_COUNT; i++) {
        assert_int_equal(pthread_join(place->nodes[i].thread, NULL), 0);
        assert_non_null(place->nodes[i].fixture.room);
    }
    pthread_barrier_destroy(&barrier);
    fixture_add_client(&place->nodes[0].fixture);
    for (int i = 1; i < NODE_COUNT; i++)
        place->nodes[i].fixture.client_id = place->nodes[0].fixture.client_id;
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;

    for (int i = 0; i < NODE_COUNT; i++) {
        fixture_close(&place->nodes[i].fixture);
        arena_deinit(&place->nodes[i].fixture.arena);
    }
    cluster_drop(&place->cluster);
    free(place);
    return 0;
}

#define WITH_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static unsigned count_keys(struct room_fixture *fixture, enum signing_alg alg)
{
    struct key *rows = arena_alloc(&fixture->arena, KEY_COUNT_MAX * sizeof(*rows));
    unsigned alg_count = 0;
    size_t count;

    assert_int_equal(store_list_keys(fixture->store, &fixture->arena, rows, KEY_COUNT_MAX, &count),
                     RC_OK);
    for (size_t i = 0; i < count; i++)
        alg_count += rows[i].alg == alg;
    return alg_count;
}

static void test_a_first_start_of_several(void **state)
{
    struct place *place = *state;
    struct room_fixture *first = &place->nodes[0].fixture;

    assert_int_equal(count_keys(first, ALG_ES256), 1);
    assert_int_equal(count_keys(first, ALG_EDDSA), 1);
    assert_int_equal(cluster_run(place->cluster.conn, "SELECT count(*) FROM sealed_value"), 1);
    assert_int_equal(cluster_run(place->cluster.conn, "SELECT count(*) FROM event"), 2);
}

static void *find_rsa(void *context)
{
    struct node *node = context;
    struct ring_key *key;

    pthread_barrier_wait(node->barrier);
    assert_int_equal(
        key_ring_find(token_room_keys(node->fixture.room), ALG_RS256, clock_now_s(), &key), RC_OK);
    ring_key_put(key);
    return NULL;
}

static void test_a_first_key_and_the_next_are_made_once(void **state)
{
    struct place *place = *state;
    pthread_barrier_t barrier;
    int64_t later = clock_now_s() + KEY_ROTATE_AFTER_S + 60;

    pthread_barrier_init(&barrier, NULL, NODE_COUNT);
    for (int i = 0; i < NODE_COUNT; i++) {
        place->nodes[i].barrier = &barrier;
        assert_int_equal(pthread_create(&place->nodes[i].thread, NULL, find_rsa, &place->nodes[i]),
                         0);
    }
    for (int i = 0; i < NODE_COUNT; i++)
        assert_int_equal(pthread_join(place->nodes[i].thread, NULL), 0);
    pthread_barrier_destroy(&barrier);
    assert_int_equal(count_keys(&place->nodes[0].fixture, ALG_RS256), 1);
    for (int i = 0; i < NODE_COUNT; i++)
        assert_int_equal(key_ring_tend(token_room_keys(place->nodes[i].fixture.room), later),
                         RC_OK);
    for (int alg = 0; alg < ALG_COUNT; alg++)
        assert_int_equal(count_keys(&place->nodes[0].fixture, (enum signing_alg)alg), 2);
}

/* A token of one is good at the other at once, and good for nothing a moment after it was revoked
 * there. */
static void test_a_token_of_another(void **state)
{
    struct place *place = *state;
    struct room_fixture *here = &place->nodes[0].fixture;
    struct room_fixture *there = &place->nodes[1].fixture;
    struct live_grant *grant;

    WAIT_UNTIL(store_is_trusted(here->store) && store_is_trusted(there->store));
    grant = fixture_grant(here, "a");
    for (int turn = 0; turn < 10; turn++) {
        struct token_draft draft = fixture_issue(here, grant, TOKEN_OPAQUE);
        int64_t begun_ms;

        assert_int_equal(fixture_find(there, draft.value, true), RC_OK);
        assert_int_equal(fixture_find(there, draft.value, false), RC_OK);
        fixture_revoke(there, &draft.row);
        assert_int_equal(fixture_find(there, draft.value, true), RC_NOT_FOUND);
        begun_ms = clock_monotonic_ms();
        WAIT_UNTIL(fixture_find(here, draft.value, false) == RC_NOT_FOUND);
        assert_true(clock_monotonic_ms() - begun_ms < STORE_TRUST_MS);
    }
    fixture_end_grant(there, grant->id);
    WAIT_UNTIL(grant_is_ended(grant));
    grant_put(token_room_grants(here->room), grant);
}

/* ---- a feed that is held up --- */

enum { ASKER_COUNT = 3 };

/* One that asks without a pause. */
struct asker {
    pthread_t thread;
    struct room_fixture *fixture;
    struct str value;
    _Atomic bool *is_over;
    _Atomic int64_t last_ok_ms; /* of an answer from memory that the token is good */
};

static void *ask(void *context)
{
    struct asker *asker = context;

    while (!atomic_load(asker->is_over)) {
        /* The moment of the question: the answer is not older. */
        int64_t now_ms = clock_monotonic_ms();

        if (fixture_find(asker->fixture, asker->value, false) == RC_OK)
            atomic_store(&asker->last_ok_ms, now_ms);
        sched_yield(); /* the feed's thread is to have its turn */
    }
    return NULL;
}

/* Whatever happens to the feed, a revoked token is good for no longer than memory is trusted. */
static void test_no_answer_is_older_than_the_trust(void **state)
{
    enum { SLACK_MS = 100 };
    struct place *place = *state;
    struct room_fixture *here = &place->nodes[0].fixture;
    struct room_fixture *there = &place->nodes[1].fixture;
    struct live_grant *grant = fixture_grant(here, "a");
    struct token_draft draft = fixture_issue(here, grant, TOKEN_OPAQUE);
    struct asker askers[ASKER_COUNT];
    _Atomic bool is_over = false;
    PGconn *conn = place->cluster.conn;
    char text[160];
    int64_t revoked_ms;

    for (int i = 0; i < ASKER_COUNT; i++) {
        askers[i] = (struct asker){ .fixture = here, .value = draft.value, .is_over = &is_over };
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
        WAIT_UNTIL(atomic_load(&askers[i].last_ok_ms) != 0);
    }
    /* Revoked, and nobody hears of it until the lock is gone. */
    cluster_run(conn, "BEGIN");
    cluster_run(conn, "LOCK TABLE change IN ACCESS EXCLUSIVE MODE");
    snprintf(text, sizeof(text), "INSERT INTO change (at, kind, key) VALUES (1, %d, %lld)",
             CHANGE_TOKEN_REVOKED, (long long)draft.row.id);
    cluster_run(conn, text);
    revoked_ms = clock_monotonic_ms();
    WAIT_UNTIL(!store_is_trusted(here->store) && !store_is_trusted(there->store));
    WAIT_UNTIL(clock_monotonic_ms() - revoked_ms > 2 * STORE_TRUST_MS);
    cluster_run(conn, "COMMIT");
    WAIT_UNTIL(store_is_trusted(here->store));
    for (int i = 0; i < ASKER_COUNT; i++)
        assert_true(atomic_load(&askers[i].last_ok_ms) - revoked_ms < STORE_TRUST_MS + SLACK_MS);
    atomic_store(&is_over, true);
    for (int i = 0; i < ASKER_COUNT; i++)
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
    grant_put(token_room_grants(here->room), grant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(test_a_first_start_of_several),
        WITH_PLACE(test_a_first_key_and_the_next_are_made_once),
        WITH_PLACE(test_a_token_of_another),
        WITH_PLACE(test_no_answer_is_older_than_the_trust),
    };
    const char *engine = getenv("JETON_TEST_STORE");

    if (engine == NULL || strcmp(engine, "postgresql") != 0)
        return SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
