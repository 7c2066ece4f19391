/* The live-token table against a model, at its bounds, and under threads. */
#include <pthread.h>

#include "room_fixture.h"

enum { MODEL_ID_COUNT = 20000, SEGMENT_BYTES = 17 * 4096 };

static struct token row_of(int64_t id, int64_t expires_at)
{
    struct token row = { .id = id, .kind = TOKEN_ACCESS, .issued_at = 1, .expires_at = expires_at };

    memcpy(row.digest, &id, sizeof(id));
    return row;
}

static enum rc find(struct live_table *table, struct grant_book *grants, int64_t id, int64_t now)
{
    struct token row = row_of(id, 0);
    struct live_view view;
    enum token_inactive why;
    enum rc rc = live_find(table, id, row.digest, now, &view, &why);

    if (rc == RC_OK)
        grant_put(grants, view.grant);
    return rc;
}

/*
 * A cache may forget, but never lie: what it says is active was put and neither revoked nor
 * expired; what it says is dead was revoked or has expired.
 */
static void test_table_agrees_with_a_model(void **state)
{
    static struct {
        bool is_put;
        bool is_revoked;
        int64_t expires_at;
    } model[MODEL_ID_COUNT];
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "model");
    struct live_table *table = live_table_new(grants, (size_t)6 * SEGMENT_BYTES);
    uint64_t seed = 88172645463325252ULL;
    unsigned hits = 0;

    memset(model, 0, sizeof(model));
    for (int64_t now = 1, step = 0; step < 300000; step++, now += step % 100 == 0) {
        int64_t id;
        enum rc rc;

        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        /* Ids near a frontier that moves, as they do in life. */
        id = (step * MODEL_ID_COUNT / 300000 - (int64_t)(seed % 4000) + MODEL_ID_COUNT) %
             MODEL_ID_COUNT;
        switch (seed >> 32 & 3) {
        case 0:
            if (!model[id].is_put) {
                struct token row = row_of(id, now + 1 + (int64_t)(seed >> 40 & 1023));

                live_put(table, &row, grant, live_epoch(table), now);
                model[id].is_put = true;
                model[id].expires_at = row.expires_at;
            }
            break;
        case 1:
            if ((seed >> 50 & 7) == 0 && model[id].is_put) {
                live_mark_revoked(table, id);
                model[id].is_revoked = true;
            }
            break;
        default:
            rc = find(table, grants, id, now);
            hits += rc == RC_OK;
            if (rc == RC_OK)
                assert_true(model[id].is_put && !model[id].is_revoked &&
                            model[id].expires_at > now);
            if (rc == RC_NOT_FOUND)
                assert_true(model[id].is_revoked ||
                            (model[id].is_put && model[id].expires_at <= now));
        }
    }
    assert_true(hits > 1000);
    live_table_free(table);
    grant_put(grants, grant);
}

static void test_wrong_digest_is_refused(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "digest");
    struct live_table *table = live_table_new(grants, 0);
    struct token row = row_of(7, 100);
    struct live_view view;
    enum token_inactive why;

    live_put(table, &row, grant, live_epoch(table), 1);
    for (size_t i = 0; i < DIGEST_BYTES * 8; i++) {
        row.digest[i / 8] ^= (unsigned char)(1u << i % 8);
        assert_int_equal(live_find(table, 7, row.digest, 1, &view, &why), RC_NOT_FOUND);
        row.digest[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    live_table_free(table);
    grant_put(grants, grant);
}

/* Memory stays within what was allowed, whatever comes; both ranges of ids. */
static void test_table_stays_within_its_bound(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "bound");
    struct live_table *table = live_table_new(grants, (size_t)4 * SEGMENT_BYTES);
    size_t records;
    size_t bytes;

    for (int64_t id = 1; id < 200000; id++) {
        struct token row = row_of(id % 3 == 0 ? STORE_LONG_TOKEN_FIRST + id : id, 0);

        live_put(table, &row, grant, live_epoch(table), 1);
        if (id % 1000 == 0) {
            live_count(table, &records, &bytes);
            assert_true(bytes <= (size_t)4 * SEGMENT_BYTES);
            assert_true(records <= 4 * 1024);
        }
    }
    live_table_free(table);
    grant_put(grants, grant);
}

static size_t bytes_of(struct live_table *table)
{
    size_t records;
    size_t bytes;

    live_count(table, &records, &bytes);
    return bytes;
}

/* What has expired leaves soon, not only when the table is full. */
static void test_expired_segments_leave(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "leave");
    struct live_table *table = live_table_new(grants, (size_t)1 << 30);

    for (int64_t id = 1; id < 400000; id++) {
        int64_t now = id / 1000;
        struct token row = row_of(id, now + 10);

        live_put(table, &row, grant, live_epoch(table), now);
    }
    /* Ten seconds of tokens, and a few segments that were not looked at yet. */
    assert_true(bytes_of(table) <= (size_t)20 * SEGMENT_BYTES);
    live_table_free(table);
    grant_put(grants, grant);
}

static size_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    size_t kib = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtoul(line + 8, NULL, 10);
    assert_int_equal(fclose(file), 0);
    assert_true(kib > 0);
    return kib * 1024;
}

/* When nothing more is put in, what has expired leaves all the same; what has not stays. And the
 * system gets the memory back, though others have allocated theirs in between. */
static void test_tending_gives_memory_back(void **state)
{
    enum { SEGMENT_COUNT = 300 };
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "tended");
    struct live_table *table = live_table_new(grants, (size_t)1 << 30);
    void *between[SEGMENT_COUNT];
    size_t full;

    for (int64_t id = 0; id < (int64_t)SEGMENT_COUNT * 1024; id++) {
        struct token row = row_of(id % 2048 < 1024 ? STORE_LONG_TOKEN_FIRST + id : id, 10);

        if (id % 1024 == 0) {
            between[id / 1024] = malloc(64);
            assert_non_null(between[id / 1024]);
        }
        if (id == (int64_t)7 * 1024)
            row.expires_at = 20;
        live_put(table, &row, grant, live_epoch(table), 1);
    }
    full = resident_bytes();
    live_tend(table, 9);
    assert_int_equal(bytes_of(table), SEGMENT_COUNT * SEGMENT_BYTES);
    live_tend(table, 10);
    assert_int_equal(bytes_of(table), SEGMENT_BYTES);
    assert_int_equal(find(table, grants, (int64_t)7 * 1024, 10), RC_OK);
    assert_true(full - resident_bytes() > (size_t)(SEGMENT_COUNT - 20) * SEGMENT_BYTES);
    live_tend(table, 20);
    assert_int_equal(bytes_of(table), 0);
    live_tend(table, 20);
    for (size_t i = 0; i < SEGMENT_COUNT; i++)
        free(between[i]);
    live_table_free(table);
    grant_put(grants, grant);
}

/* Rotation after rotation: the spent ones leave, whatever their expiry. */
static void test_spent_tokens_leave(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "spent");
    struct live_table *table = live_table_new(grants, (size_t)1 << 30);
    unsigned hits = 0;

    for (int64_t id = STORE_LONG_TOKEN_FIRST; id < STORE_LONG_TOKEN_FIRST + 200000; id++) {
        struct token row = row_of(id, 30 * 86400);

        row.kind = TOKEN_REFRESH;
        live_put(table, &row, grant, live_epoch(table), 1);
        hits += find(table, grants, id, 1) == RC_OK;
        live_mark_revoked(table, id);
        assert_int_not_equal(find(table, grants, id, 1), RC_OK);
    }
    /* What drops a segment is not taken in itself: the epoch has moved on. */
    assert_true(hits > 199000);
    assert_true(bytes_of(table) <= (size_t)6 * SEGMENT_BYTES);
    live_table_free(table);
    grant_put(grants, grant);
}

/* Sessions that nobody goes on with do not fill the table for the life of their tokens. */
static void test_refresh_tokens_are_forgotten_after_two_hours(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "forgotten");
    struct live_table *table = live_table_new(grants, (size_t)1 << 30);

    for (int64_t index = 0; index < 100000; index++) {
        struct token row = row_of(STORE_LONG_TOKEN_FIRST + index, 30 * 86400);

        row.kind = TOKEN_REFRESH;
        row.issued_at = 1 + index;
        live_put(table, &row, grant, live_epoch(table), row.issued_at);
    }
    assert_true(bytes_of(table) <= (size_t)16 * SEGMENT_BYTES);
    assert_int_equal(find(table, grants, STORE_LONG_TOKEN_FIRST + 99999, 100000), RC_OK);
    assert_int_equal(find(table, grants, STORE_LONG_TOKEN_FIRST + 93000, 100000), RC_OK);
    assert_int_equal(find(table, grants, STORE_LONG_TOKEN_FIRST + 5, 100000), RC_WOULD_BLOCK);
    live_table_free(table);
    grant_put(grants, grant);
}

/* An id that stands where a newer one's segment is does not push it out. */
static void test_old_id_does_not_displace_newer_ones(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "window");
    struct live_table *table = live_table_new(grants, (size_t)64 * SEGMENT_BYTES);
    const int64_t window = (int64_t)262144 * 1024;
    struct token newer = row_of(window + 5, 0);
    struct token older = row_of(5, 0);

    live_put(table, &newer, grant, live_epoch(table), 1);
    live_put(table, &older, grant, live_epoch(table), 1);
    assert_int_equal(find(table, grants, newer.id, 1), RC_OK);
    assert_int_equal(find(table, grants, older.id, 1), RC_WOULD_BLOCK);
    live_table_free(table);
    grant_put(grants, grant);
}

/* A record that was read before something was dropped or revoked unseen is too late. */
static void test_stale_epoch_is_not_taken(void **state)
{
    struct room_fixture *fixture = *state;
    struct grant_book *grants = token_room_grants(fixture->room);
    struct live_grant *grant = fixture_grant(fixture, "epoch");
    struct live_table *table = live_table_new(grants, 0);
    struct token row = row_of(9, 0);
    struct live_epoch epoch = live_epoch(table);

    live_mark_revoked(table, 9);
    live_put(table, &row, grant, epoch, 1);
    assert_int_equal(find(table, grants, 9, 1), RC_WOULD_BLOCK);
    live_table_free(table);
    grant_put(grants, grant);
}

struct crowd {
    struct live_table *table;
    struct grant_book *grants;
    struct live_grant *grant;
    _Atomic int64_t next_id;
    _Atomic unsigned lie_count;
};

static void *put_find_revoke(void *context)
{
    struct crowd *crowd = context;

    for (int i = 0; i < 20000; i++) {
        int64_t id = atomic_fetch_add(&crowd->next_id, 1);
        struct token row = row_of(id, 1000);

        live_put(crowd->table, &row, crowd->grant, live_epoch(crowd->table), 1);
        if (find(crowd->table, crowd->grants, id, 1) == RC_NOT_FOUND)
            atomic_fetch_add(&crowd->lie_count, 1);
        live_mark_revoked(crowd->table, id);
        if (find(crowd->table, crowd->grants, id, 1) == RC_OK)
            atomic_fetch_add(&crowd->lie_count, 1);
        find(crowd->table, crowd->grants, id > 3000 ? id - 3000 : 1, 1);
    }
    return NULL;
}

static void test_threads_see_the_truth(void **state)
{
    struct room_fixture *fixture = *state;
    struct crowd crowd = { .grants = token_room_grants(fixture->room),
                           .grant = fixture_grant(fixture, "crowd") };
    pthread_t threads[4];

    crowd.table = live_table_new(crowd.grants, (size_t)8 * SEGMENT_BYTES);
    atomic_store(&crowd.next_id, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_find_revoke, &crowd), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.lie_count, 0);
    live_table_free(crowd.table);
    assert_int_equal(crowd.grant->reference_count, 1);
    grant_put(crowd.grants, crowd.grant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_agrees_with_a_model),
        cmocka_unit_test(test_wrong_digest_is_refused),
        cmocka_unit_test(test_table_stays_within_its_bound),
        cmocka_unit_test(test_expired_segments_leave),
        cmocka_unit_test(test_spent_tokens_leave),
        cmocka_unit_test(test_tending_gives_memory_back),
        cmocka_unit_test(test_refresh_tokens_are_forgotten_after_two_hours),
        cmocka_unit_test(test_old_id_does_not_displace_newer_ones),
        cmocka_unit_test(test_stale_epoch_is_not_taken),
        cmocka_unit_test(test_threads_see_the_truth),
    };

    return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
