/*
 * Several stores on one database, each with its feed, as several servers have them. Only where an
 * engine is shared: JETON_TEST_STORE=postgresql.
 */
#include <pthread.h>

#include "../waiting.h"
#include "fixture.h"
#include "store/room.h"
#include "store/shared.h"

/* The connections of a test have a name by which they are told from those of others. */
static int set_up(void **state)
{
    struct fixture *fixture;
    size_t len;

    if (fixture_setup(state) != 0)
        return -1;
    fixture = *state;
    len = strlen(fixture->cluster.url);
    snprintf(fixture->cluster.url + len, sizeof(fixture->cluster.url) - len, "&application_name=%s",
             fixture->cluster.schema);
    fixture_open(fixture);
    return 0;
}

#define WITH_NODES(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)

enum { HEARD_MAX = 1 << 16 };

/* One more server. */
struct node {
    struct store *store;
    _Atomic unsigned all_count; /* times that everything was forgotten */
    _Atomic unsigned heard_count;
    int64_t heard[HEARD_MAX]; /* ids of tokens that were revoked, in order */
};

static void hear(void *context, const struct store_change *change)
{
    struct node *node = context;
    unsigned count = atomic_load(&node->heard_count);

    if (change->kind == CHANGE_ALL)
        atomic_fetch_add(&node->all_count, 1);
    if (change->kind != CHANGE_TOKEN_REVOKED || count == HEARD_MAX)
        return;
    node->heard[count] = change->key;
    atomic_store(&node->heard_count, count + 1);
}

static struct node *open_node(struct fixture *fixture)
{
    struct node *node = calloc(1, sizeof(*node));

    assert_non_null(node);
    assert_int_equal(fixture_try_open(fixture, false, &node->store), RC_OK);
    store_listen(node->store, hear, node);
    return node;
}

static void close_node(struct node *node)
{
    store_close(node->store);
    free(node);
}

static enum rc revoke_at(struct store *store, int64_t id)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_revoke_token(&unit, id, 1, INT64_C(4102444800));
    return store_commit(store, &unit);
}

static bool has_heard(const struct node *node, int64_t id)
{
    unsigned count = atomic_load(&node->heard_count);

    for (unsigned index = 0; index < count; index++)
        if (node->heard[index] == id)
            return true;
    return false;
}

/* ---- heard ----------------------------------------------------------------------------------- */

/* Mostly by the notice, long before the feed is read without one. */
static void test_others_hear_quickly(void **state)
{
    enum { TURN_COUNT = 20 };
    struct fixture *fixture = *state;
    struct node *node = open_node(fixture);
    int64_t total_ms = 0;

    for (int64_t id = 1; id <= TURN_COUNT; id++) {
        int64_t begun_ms;

        assert_int_equal(revoke_at(fixture->store, id), RC_OK);
        begun_ms = clock_monotonic_ms();
        WAIT_UNTIL(has_heard(node, id));
        total_ms += clock_monotonic_ms() - begun_ms;
    }
    assert_true(total_ms / TURN_COUNT < 150);
    close_node(node);
}

enum { WRITER_COUNT = 4, WRITE_COUNT = 250 };

struct writer {
    pthread_t thread;
    struct store *store;
    int64_t first_id;
};

static void *write_many(void *context)
{
    struct writer *writer = context;

    for (int64_t id = writer->first_id; id < writer->first_id + WRITE_COUNT; id++)
        assert_int_equal(revoke_at(writer->store, id), RC_OK);
    return NULL;
}

/* Nothing that was committed is missed, whoever commits beside whom, and one's own order stays. */
static void test_nothing_is_missed(void **state)
{
    struct fixture *fixture = *state;
    struct node *nodes[3] = { open_node(fixture), open_node(fixture), open_node(fixture) };
    struct writer writers[WRITER_COUNT];
    int64_t last[WRITER_COUNT] = { 0 };
    unsigned count = 0;

    for (int i = 0; i < WRITER_COUNT; i++) {
        writers[i] = (struct writer){ .store = nodes[i % 2]->store, .first_id = (i + 1) * 10000 };
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < WRITER_COUNT; i++)
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    /* The third writes nothing: it has all of it from the feed, each once. */
    WAIT_UNTIL(atomic_load(&nodes[2]->heard_count) >= WRITER_COUNT * WRITE_COUNT);
    count = atomic_load(&nodes[2]->heard_count);
    assert_int_equal(count, WRITER_COUNT * WRITE_COUNT);
    for (unsigned index = 0; index < count; index++) {
        int64_t id = nodes[2]->heard[index];
        int64_t writer = id / 10000 - 1;

        assert_true(id > last[writer]);
        last[writer] = id;
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(atomic_load(&nodes[i]->all_count), 0);
        close_node(nodes[i]);
    }
}

/* ---- late, lost ------------------------------------------------------------------------------ */

static void test_a_feed_that_is_held_up(void **state)
{
    struct fixture *fixture = *state;
    struct node *node = open_node(fixture);

    cluster_run(fixture->cluster.conn, "BEGIN");
    cluster_run(fixture->cluster.conn, "LOCK TABLE change IN ACCESS EXCLUSIVE MODE");
    WAIT_UNTIL(!store_is_trusted(node->store));
    assert_int_equal(revoke_at(node->store, 5), RC_UNAVAILABLE);
    cluster_run(fixture->cluster.conn, "INSERT INTO change (at, kind, key) VALUES (1, 5, 6)");
    assert_false(has_heard(node, 6));
    cluster_run(fixture->cluster.conn, "COMMIT");
    WAIT_UNTIL(store_is_trusted(node->store));
    assert_true(has_heard(node, 6));
    WAIT_UNTIL(revoke_at(node->store, 7) == RC_OK);
    assert_int_equal(atomic_load(&node->all_count), 0);
    close_node(node);
}

/* Every connection is cut, again and again, as a restart of the engine does it. */
static void test_connections_that_are_cut(void **state)
{
    enum { CUT_COUNT = 10 };
    struct fixture *fixture = *state;
    struct node *node = open_node(fixture);
    char text[192];

    snprintf(text, sizeof(text),
             "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
             " WHERE application_name = '%s'",
             fixture->cluster.schema);
    for (int64_t id = 1; id <= CUT_COUNT; id++) {
        uint64_t generation = atomic_load(&node->store->feed.generation);
        int64_t cut_ms = clock_monotonic_ms();

        assert_true(cluster_run(fixture->cluster.conn, text) > 0);
        WAIT_UNTIL(revoke_at(fixture->store, id) == RC_OK);
        assert_true(clock_monotonic_ms() - cut_ms < 2000);
        WAIT_UNTIL(atomic_load(&node->store->feed.generation) > generation);
        WAIT_UNTIL(has_heard(node, id) && store_is_trusted(node->store));
        WAIT_UNTIL(revoke_at(node->store, 100 + id) == RC_OK);
        assert_true(clock_monotonic_ms() - cut_ms < 4000);
        WAIT_UNTIL(store_is_writable(fixture->store) && store_is_writable(node->store));
    }
    assert_int_equal(atomic_load(&node->all_count), 0);
    close_node(node);
}

/* ---- the sweep ------------------------------------------------------------------------------- */

static enum rc write_nothing(struct store *store)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_touch_session(&unit, INT64_MAX, 1);
    return store_commit(store, &unit);
}

/* What is written pays for the sweep, of the one whose turn it is. */
static void test_one_sweeps(void **state)
{
    struct fixture *fixture = *state;
    struct node *node = open_node(fixture);
    struct store_counts counts[2];

    WAIT_UNTIL(cluster_run(fixture->cluster.conn, "SELECT count(*) FROM job") == 1);
    for (int64_t id = 1; id <= 300; id++) {
        UNINITIALIZED struct store_unit unit;

        store_unit_init(&unit);
        store_revoke_token(&unit, id, 1, 2);
        assert_int_equal(store_commit(id % 2 == 0 ? node->store : fixture->store, &unit), RC_OK);
    }
    WAIT_UNTIL(write_nothing(fixture->store) == RC_OK && write_nothing(node->store) == RC_OK &&
               cluster_run(fixture->cluster.conn, "SELECT count(*) FROM revoked") == 0);
    store_counts(fixture->store, &counts[0]);
    store_counts(node->store, &counts[1]);
    assert_int_equal(counts[0].swept_rows + counts[1].swept_rows, 300);
    assert_true(counts[0].swept_rows == 0 || counts[1].swept_rows == 0);
    close_node(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NODES(test_others_hear_quickly),
        WITH_NODES(test_nothing_is_missed),
        WITH_NODES(test_a_feed_that_is_held_up),
        WITH_NODES(test_connections_that_are_cut),
        WITH_NODES(test_one_sweeps),
    };

    if (!fixture_is_shared())
        return FIXTURE_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
