/*
 * Several stores open on one PostgreSQL: the order of the feed, the gate, locks in the way, and
 * connections that are cut.
 */
#include <stdatomic.h>

#include "fixture.h"

enum { WRITER_COUNT = 8, UNIT_COUNT = 60, PATIENCE_MS = 20 * 1000 };

/* A second server on the store of the fixture. */
static struct store *open_another(struct fixture *fixture)
{
    struct store *store = NULL;

    assert_int_equal(fixture_try_open(fixture, false, &store), RC_OK);
    return store;
}

static void pause_ms(long milliseconds)
{
    const struct timespec pause = { .tv_nsec = milliseconds * 1000000 };

    nanosleep(&pause, NULL);
}

/* Until a question to the engine is answered by a number that is not 0. */
static bool becomes_true(PGconn *conn, const char *question)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (cluster_run(conn, question) == 0) {
        if (clock_monotonic_ms() > until_ms)
            return false;
        pause_ms(2);
    }
    return true;
}

static bool becomes_writable(const struct store *store)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!store_is_writable(store) && clock_monotonic_ms() < until_ms)
        pause_ms(2);
    return store_is_writable(store);
}

/* Somebody else on the same store: a shell that somebody left open, say. */
static PGconn *stranger(const struct fixture *fixture)
{
    return cluster_connect(fixture->cluster.url);
}

static enum rc insert_token(struct store *store, int64_t id, int64_t now)
{
    struct token token = { .id = id,
                           .kind = TOKEN_ACCESS,
                           .format = TOKEN_OPAQUE,
                           .grant_id = 5,
                           .issued_at = now,
                           .expires_at = now + 3600 };
    struct store_unit unit;

    memset(token.digest, (int)(id & 0xff), sizeof(token.digest));
    store_unit_init(&unit);
    store_insert_token(&unit, &token);
    return store_commit(store, &unit);
}

static int64_t insert_grant(struct fixture *fixture)
{
    struct grant grant = sample_grant(fixture, true);

    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &grant), RC_OK);
    return grant.id;
}

/* ---- one thread that commits, and what it was answered -------------------------------------- */

struct commit {
    struct store *store;
    struct store_unit unit;
    pthread_t thread;
    enum rc answer;
};

static void *run_commit(void *context)
{
    struct commit *commit = context;

    commit->answer = store_commit(commit->store, &commit->unit);
    return NULL;
}

static void start_commit(struct commit *commit)
{
    assert_int_equal(pthread_create(&commit->thread, NULL, run_commit, commit), 0);
}

static enum rc finish_commit(struct commit *commit)
{
    pthread_join(commit->thread, NULL);
    return commit->answer;
}

/* ---- the feed ------------------------------------------------------------------------------- */

struct told {
    pthread_mutex_t lock;
    bool has_heard[WRITER_COUNT * UNIT_COUNT + 1];
    unsigned count;
};

static void note_told(void *context, const struct store_change *change)
{
    struct told *told = context;

    pthread_mutex_lock(&told->lock);
    if (change->kind == CHANGE_TOKEN_REVOKED && change->key > 0 &&
        change->key <= WRITER_COUNT * UNIT_COUNT && !told->has_heard[change->key]) {
        told->has_heard[change->key] = true;
        told->count++;
    }
    pthread_mutex_unlock(&told->lock);
}

static unsigned told_count(struct told *told)
{
    unsigned count;

    pthread_mutex_lock(&told->lock);
    count = told->count;
    pthread_mutex_unlock(&told->lock);
    return count;
}

struct revoker {
    struct store *store;
    pthread_t thread;
    int64_t first;
    int64_t now;
    int failure_count;
};

static void *revoke_many(void *context)
{
    struct revoker *revoker = context;
    int index;

    for (index = 0; index < UNIT_COUNT; index++) {
        struct store_unit unit;

        store_unit_init(&unit);
        store_revoke_token(&unit, revoker->first + index, revoker->now, revoker->now + 60);
        revoker->failure_count += store_commit(revoker->store, &unit) != RC_OK;
    }
    return NULL;
}

/* Reads as a follower does, behind the last number that it saw. */
static long long follow(PGconn *conn, long long *last)
{
    char text[128];
    long long count;

    snprintf(text, sizeof(text), "SELECT count(*) FROM change WHERE seq > %lld", *last);
    cluster_run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    count = cluster_run(conn, text);
    *last = cluster_run(conn, "SELECT coalesce(max(seq), 0) FROM change");
    cluster_run(conn, "COMMIT");
    return count;
}

/* Whoever reads behind the last number that it saw misses nothing, however the two run. */
static void test_feed_is_in_the_order_of_commits(void **state)
{
    struct fixture *fixture = *state;
    static struct told told;
    struct store *stores[2] = { fixture->store, open_another(fixture) };
    struct revoker revokers[WRITER_COUNT];
    PGconn *conn = stranger(fixture);
    long long last = 0;
    long long read_count = 0;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    int index;

    pthread_mutex_init(&told.lock, NULL);
    store_listen(stores[1], note_told, &told);
    for (index = 0; index < WRITER_COUNT; index++) {
        revokers[index] = (struct revoker){ .store = stores[index % 2],
                                            .first = 1 + index * UNIT_COUNT,
                                            .now = fixture->now };
        assert_int_equal(
            pthread_create(&revokers[index].thread, NULL, revoke_many, &revokers[index]), 0);
    }
    while (read_count < WRITER_COUNT * UNIT_COUNT && clock_monotonic_ms() < until_ms)
        read_count += follow(conn, &last);
    for (index = 0; index < WRITER_COUNT; index++) {
        pthread_join(revokers[index].thread, NULL);
        assert_int_equal(revokers[index].failure_count, 0);
    }
    assert_int_equal(read_count, WRITER_COUNT * UNIT_COUNT);
    while (told_count(&told) < WRITER_COUNT * UNIT_COUNT && clock_monotonic_ms() < until_ms)
        pause_ms(2);
    assert_int_equal(told_count(&told), WRITER_COUNT * UNIT_COUNT);
    PQfinish(conn);
    store_close(stores[1]);
}

/* ---- the gate ------------------------------------------------------------------------------- */

#define OTHERS_WAIT "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
#define GATE        "1246057520, hashtext(coalesce(current_schema(), ''))"

static void test_what_stands_beside_passes_what_stands_alone_waits(void **state)
{
    struct fixture *fixture = *state;
    struct account account = sample_account(fixture, "ada");
    struct commit commit = { .store = fixture->store };
    PGconn *other = stranger(fixture);
    PGconn *conn = stranger(fixture);

    cluster_run(other, "BEGIN");
    cluster_run(other, "SELECT 1 FROM (SELECT pg_advisory_xact_lock_shared(" GATE ")) AS l");
    assert_int_equal(insert_token(fixture->store, 101, fixture->now), RC_OK);
    store_unit_init(&commit.unit);
    store_insert_account(&commit.unit, &account);
    start_commit(&commit);
    assert_true(becomes_true(conn, OTHERS_WAIT));
    assert_int_equal(cluster_run(conn, "SELECT count(*) FROM account"), 0);
    cluster_run(other, "COMMIT");
    assert_int_equal(finish_commit(&commit), RC_OK);
    assert_int_equal(cluster_run(conn, "SELECT count(*) FROM account"), 1);
    PQfinish(conn);
    PQfinish(other);
}

static void test_nothing_passes_who_stands_alone(void **state)
{
    struct fixture *fixture = *state;
    struct token token = sample_token(fixture, 5, false);
    struct commit commit = { .store = fixture->store };
    PGconn *other = stranger(fixture);
    PGconn *conn = stranger(fixture);

    cluster_run(other, "BEGIN");
    cluster_run(other, "SELECT 1 FROM (SELECT pg_advisory_xact_lock(" GATE ")) AS l");
    store_unit_init(&commit.unit);
    store_insert_token(&commit.unit, &token);
    start_commit(&commit);
    assert_true(becomes_true(conn, OTHERS_WAIT));
    assert_int_equal(cluster_run(conn, "SELECT count(*) FROM token"), 0);
    cluster_run(other, "COMMIT");
    assert_int_equal(finish_commit(&commit), RC_OK);
    PQfinish(conn);
    PQfinish(other);
}

/* ---- in each other's way -------------------------------------------------------------------- */

struct toucher {
    struct store *store;
    pthread_t thread;
    int64_t grants[2];
    int64_t now;
    int busy_count;
    int fault_count;
};

static void *touch_many(void *context)
{
    struct toucher *toucher = context;
    int index;

    for (index = 1; index <= UNIT_COUNT; index++) {
        struct store_unit unit;
        enum rc rc;

        store_unit_init(&unit);
        store_touch_grant(&unit, toucher->grants[0], toucher->now + index);
        store_touch_grant(&unit, toucher->grants[1], toucher->now + index);
        rc = store_commit(toucher->store, &unit);
        toucher->busy_count += rc == RC_BUSY;
        toucher->fault_count += rc != RC_OK && rc != RC_BUSY;
    }
    return NULL;
}

/* Each waits for the other: the engine ends one of them, which is run again. */
static void test_batches_that_wait_for_each_other_end_well(void **state)
{
    struct fixture *fixture = *state;
    struct store *another = open_another(fixture);
    int64_t first = insert_grant(fixture);
    int64_t second = insert_grant(fixture);
    struct toucher touchers[2] = {
        { .store = fixture->store, .grants = { first, second }, .now = fixture->now },
        { .store = another, .grants = { second, first }, .now = fixture->now },
    };
    int index;

    for (index = 0; index < 2; index++)
        assert_int_equal(
            pthread_create(&touchers[index].thread, NULL, touch_many, &touchers[index]), 0);
    for (index = 0; index < 2; index++) {
        pthread_join(touchers[index].thread, NULL);
        assert_int_equal(touchers[index].fault_count, 0);
        /* Where the machine has other things to do, one may wait for too long. */
        assert_in_range(touchers[index].busy_count, 0, UNIT_COUNT / 20);
    }
    store_close(another);
}

#define ROW_WAITS                                                                                  \
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND"                     \
    " application_name = 'jeton' AND query LIKE 'UPDATE granted%' AND pid IN (SELECT l.pid FROM"   \
    " pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation JOIN pg_namespace AS n"               \
    " ON n.oid = c.relnamespace WHERE n.nspname = current_schema())"

static void hold_grant(PGconn *conn, int64_t grant_id)
{
    char text[128];

    snprintf(text, sizeof(text), "SELECT id FROM granted WHERE id = %lld FOR UPDATE",
             (long long)grant_id);
    cluster_run(conn, "BEGIN");
    cluster_run(conn, text);
}

static void test_held_row_refuses_its_unit_alone(void **state)
{
    enum { COUNT = 12 };

    struct fixture *fixture = *state;
    int64_t grant_id = insert_grant(fixture);
    static struct commit commits[COUNT + 1];
    PGconn *other = stranger(fixture);
    int index;

    hold_grant(other, grant_id);
    for (index = 0; index <= COUNT; index++) {
        struct token token = sample_token(fixture, grant_id, false);

        commits[index].store = fixture->store;
        store_unit_init(&commits[index].unit);
        if (index == COUNT / 2)
            store_touch_grant(&commits[index].unit, grant_id, fixture->now);
        else
            store_insert_token(&commits[index].unit, &token);
        start_commit(&commits[index]);
    }
    for (index = 0; index <= COUNT; index++)
        assert_int_equal(finish_commit(&commits[index]), index == COUNT / 2 ? RC_BUSY : RC_OK);
    cluster_run(other, "ROLLBACK");
    assert_int_equal(cluster_run(other, "SELECT count(*) FROM token"), COUNT);
    assert_int_equal(COMMIT_ONE(fixture, store_touch_grant, grant_id, fixture->now), RC_OK);
    PQfinish(other);
}

/* Of rows that are added many at a time, too, one that cannot be is refused by itself. */
static void test_one_of_many_rows_is_refused_alone(void **state)
{
    enum { COUNT = 24 };

    struct fixture *fixture = *state;
    struct token taken = sample_token(fixture, 5, false);
    static struct commit commits[COUNT];
    int index;
    int round;

    assert_int_equal(COMMIT_ONE(fixture, store_insert_token, &taken), RC_OK);
    for (round = 0; round < 3; round++) {
        for (index = 0; index < COUNT; index++) {
            struct token token = sample_token(fixture, 5, false);
            struct event event = { .at = 1, .kind = EVENT_TOKEN_ISSUED, .detail = STR("") };

            commits[index].store = fixture->store;
            store_unit_init(&commits[index].unit);
            store_insert_token(&commits[index].unit, index == 7 ? &taken : &token);
            store_insert_event(&commits[index].unit, &event);
        }
        for (index = 0; index < COUNT; index++)
            start_commit(&commits[index]);
        for (index = 0; index < COUNT; index++)
            assert_int_equal(finish_commit(&commits[index]), index == 7 ? RC_EXISTS : RC_OK);
    }
    assert_int_equal(cluster_run(fixture->cluster.conn, "SELECT count(*) FROM token"),
                     1 + 3 * (COUNT - 1));
    assert_int_equal(cluster_run(fixture->cluster.conn, "SELECT count(*) FROM event"),
                     3 * (COUNT - 1));
}

/* ---- connections that are cut --------------------------------------------------------------- */

#define CUT_WRITER                                                                                 \
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'" \
    " AND application_name = 'jeton' AND pid IN (SELECT l.pid FROM pg_locks AS l JOIN pg_class"    \
    " AS c ON c.oid = l.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace"                 \
    " WHERE n.nspname = current_schema())"

static void test_transaction_that_is_cut_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    int64_t grant_id = insert_grant(fixture);
    struct event event = { .at = fixture->now, .kind = EVENT_TOKEN_ISSUED, .detail = STR("") };
    struct commit commit = { .store = fixture->store };
    PGconn *other = stranger(fixture);
    PGconn *conn = stranger(fixture);

    hold_grant(other, grant_id);
    store_unit_init(&commit.unit);
    store_insert_event(&commit.unit, &event);
    store_touch_grant(&commit.unit, grant_id, fixture->now);
    start_commit(&commit);
    assert_true(becomes_true(conn, ROW_WAITS));
    assert_true(becomes_true(conn, CUT_WRITER));
    assert_int_equal(finish_commit(&commit), RC_UNAVAILABLE);
    assert_false(store_is_writable(fixture->store));
    cluster_run(other, "ROLLBACK");
    assert_int_equal(cluster_run(conn, "SELECT count(*) FROM event"), 0);
    assert_true(becomes_writable(fixture->store));
    assert_int_equal(COMMIT_ONE(fixture, store_touch_grant, grant_id, fixture->now), RC_OK);
    PQfinish(conn);
    PQfinish(other);
}

/* All of the store's sessions, by the lock that each of them holds. */
#define CUT_ALL                                                                                    \
    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"            \
    " AND classid = 1246057522 AND granted AND objid::bigint ="                                    \
    " (hashtext(current_schema())::bigint & 4294967295)"

static void test_reads_and_commits_go_on_after_a_cut(void **state)
{
    struct fixture *fixture = *state;
    int64_t grant_id = insert_grant(fixture);
    struct grant found;
    int round;

    for (round = 0; round < 5; round++) {
        assert_int_equal(store_find_grant(fixture->store, grant_id, &fixture->arena, &found),
                         RC_OK);
        assert_true(cluster_run(fixture->cluster.conn, CUT_ALL) >= 2);
        assert_true(becomes_true(fixture->cluster.conn,
                                 "SELECT CASE WHEN (" CUT_ALL ") = 0 THEN 1 ELSE 0 END"));
        assert_int_equal(store_find_grant(fixture->store, grant_id, &fixture->arena, &found),
                         RC_OK);
        assert_int_equal(COMMIT_ONE(fixture, store_touch_grant, grant_id, fixture->now + round),
                         RC_OK);
    }
}

/* ---- what the engine cannot keep ------------------------------------------------------------ */

static void test_text_that_cannot_be_kept_refuses_its_unit_alone(void **state)
{
    static const struct str texts[] = { { "a\0b", 3 }, { "\xff", 1 }, { "\xed\xa0\x80", 3 } };
    struct fixture *fixture = *state;
    struct account found;
    size_t index;

    for (index = 0; index < sizeof(texts) / sizeof(texts[0]); index++) {
        static struct commit commits[8];
        int number;

        for (number = 0; number < 8; number++) {
            struct event event = { .at = 1, .kind = EVENT_TOKEN_ISSUED, .detail = STR("good") };

            if (number == 3)
                event.detail = texts[index];
            commits[number].store = fixture->store;
            store_unit_init(&commits[number].unit);
            store_insert_event(&commits[number].unit, &event);
        }
        for (number = 0; number < 8; number++)
            start_commit(&commits[number]);
        for (number = 0; number < 8; number++)
            assert_int_equal(finish_commit(&commits[number]), number == 3 ? RC_INVALID : RC_OK);
        assert_int_equal(
            store_find_account_by_name(fixture->store, texts[index], &fixture->arena, &found),
            RC_NOT_FOUND);
    }
    assert_int_equal(cluster_run(fixture->cluster.conn, "SELECT count(*) FROM event"),
                     7 * (long long)index);
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_feed_is_in_the_order_of_commits),
        ON_STORE(test_what_stands_beside_passes_what_stands_alone_waits),
        ON_STORE(test_nothing_passes_who_stands_alone),
        ON_STORE(test_batches_that_wait_for_each_other_end_well),
        ON_STORE(test_held_row_refuses_its_unit_alone),
        ON_STORE(test_one_of_many_rows_is_refused_alone),
        ON_STORE(test_transaction_that_is_cut_leaves_nothing),
        ON_STORE(test_reads_and_commits_go_on_after_a_cut),
        ON_STORE(test_text_that_cannot_be_kept_refuses_its_unit_alone),
    };

    if (!fixture_has_cluster())
        return FIXTURE_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
