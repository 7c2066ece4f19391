/* When and from where a permanent token was used last. */
#include <dlfcn.h>
#include <pthread.h>

#include "permanent_fixture.h"

/* ---- the injector: it stands before the engine's library ------------------------------------ */

enum { ENGINE_FULL = 13 /* SQLITE_FULL: the store goes on when there is room again */ };

struct sqlite3_stmt;
int sqlite3_step(struct sqlite3_stmt *statement);

static _Atomic bool is_store_away;

int sqlite3_step(struct sqlite3_stmt *statement)
{
    static int (*_Atomic real_step)(struct sqlite3_stmt *);
    int (*step)(struct sqlite3_stmt *) = atomic_load(&real_step);

    if (step == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "sqlite3_step");

        memcpy(&step, &symbol, sizeof(step));
        atomic_store(&real_step, step);
    }
    return atomic_load(&is_store_away) ? ENGINE_FULL : step(statement);
}

/* ---- the last use --------------------------------------------------------------------------- */

static void test_to_be_found_is_no_use(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .addresses = "10.0.0.0/8" });
    struct token_presented presented = { .value = made.draft.value, .address = inside };
    struct token_view view;
    enum token_inactive why;
    struct last_use use;

    assert_int_equal(token_find(fixture->room, &presented, clock_now_s(), false, &view, &why),
                     RC_OK);
    token_view_put(fixture->room, &view);
    assert_wrong_address(fixture, &made, outside);
    assert_false(token_last_use(fixture->room, made.grant_id, &use));
    restart(fixture);
    assert_int_equal(saved(fixture, &made).last_used_at, 0);
}

/* Memory tells of a use at once; the store is not asked, and learns of it later. */
static void test_a_use_writes_nothing(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .addresses = "10.0.0.0/8" });
    int64_t now = clock_now_s() + 86400;
    struct store_counts before;
    struct store_counts after;

    store_counts(fixture->store, &before);
    for (int64_t i = 0; i < 1000; i++)
        assert_used(fixture, &made, inside, now + i);
    store_counts(fixture->store, &after);
    assert_int_equal(after.units, before.units);
    assert_last_use(fixture, &made, now + 999, inside);
    assert_int_equal(saved(fixture, &made).last_used_at, 0);
    assert_int_equal(save(fixture), RC_OK);
    assert_saved(fixture, &made, now + 999, inside);
    /* Nothing new: nothing to save. */
    store_counts(fixture->store, &before);
    assert_used(fixture, &made, inside, now + 999);
    assert_int_equal(save(fixture), RC_OK);
    store_counts(fixture->store, &after);
    assert_int_equal(after.units, before.units);
}

static void test_a_use_survives_the_close(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .addresses = "10.0.0.0/8" });
    struct made other = make(fixture, (struct wish){ .lifetime_s = 600 });
    int64_t now = clock_now_s();

    assert_used(fixture, &made, inside, now);
    assert_used(fixture, &other, NULL, now + 1);
    restart(fixture);
    assert_saved(fixture, &made, now, inside);
    assert_saved(fixture, &other, now + 1, nowhere);
    /* And is known to memory again, once the token is. */
    assert_used(fixture, &made, inside, now - 5);
    assert_last_use(fixture, &made, now, inside);
}

static void test_a_use_never_goes_back(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .addresses = "" });
    int64_t now = clock_now_s() + 86400;

    assert_used(fixture, &made, inside, now);
    assert_used(fixture, &made, outside, now - 1);
    assert_last_use(fixture, &made, now, inside);
    /* Of two in the same second the later one is told. */
    assert_used(fixture, &made, inside_v6, now);
    assert_last_use(fixture, &made, now, inside_v6);
    assert_int_equal(save(fixture), RC_OK);
    assert_saved(fixture, &made, now, inside_v6);
}

enum { MANY_COUNT = 3 * STORE_UNIT_STEP_COUNT_MAX + 1 };

/* Several in a commit; every one of them. */
static void test_many_are_saved_in_batches(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made[MANY_COUNT];
    int64_t now = clock_now_s();
    struct store_counts before;
    struct store_counts after;

    for (int i = 0; i < MANY_COUNT; i++) {
        made[i] = make(fixture, (struct wish){ .lifetime_s = 600 });
        assert_used(fixture, &made[i], inside, now + i % 7);
    }
    store_counts(fixture->store, &before);
    assert_int_equal(save(fixture), RC_OK);
    store_counts(fixture->store, &after);
    assert_int_equal(after.units - before.units, 4);
    for (int i = 0; i < MANY_COUNT; i++)
        assert_saved(fixture, &made[i], now + i % 7, inside);
}

/* With a store that is away the notes stay, and newer uses with them. */
static void test_a_store_that_is_away(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made[MANY_COUNT];
    int64_t now = clock_now_s();

    for (int i = 0; i < MANY_COUNT; i++) {
        made[i] = make(fixture, (struct wish){ .lifetime_s = 6000 });
        assert_used(fixture, &made[i], inside, now);
    }
    atomic_store(&is_store_away, true);
    assert_true(rc_is_fault(save(fixture)));
    for (int i = 0; i < MANY_COUNT; i += 2)
        assert_used(fixture, &made[i], outside, now + 5);
    assert_true(rc_is_fault(save(fixture)));
    atomic_store(&is_store_away, false);
    assert_int_equal(save(fixture), RC_OK);
    for (int i = 0; i < MANY_COUNT; i++)
        assert_saved(fixture, &made[i], i % 2 == 0 ? now + 5 : now, i % 2 == 0 ? outside : inside);
}

/* A close that cannot save gives everything back all the same. */
static void test_a_close_without_a_store(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .lifetime_s = 0 });

    assert_used(fixture, &made, inside, clock_now_s());
    atomic_store(&is_store_away, true);
    token_room_close(fixture->room);
    atomic_store(&is_store_away, false);
    catalog_free(fixture->catalog);
    store_close(fixture->store);
    fixture_open(fixture);
    assert_int_equal(saved(fixture, &made).last_used_at, 0);
}

/* ---- many at once --------------------------------------------------------------------------- */

enum { THREAD_COUNT = 4, USE_COUNT = 2000 };

struct crowd {
    struct room_fixture *fixture;
    const struct made *made;
    int64_t begun_at;
    _Atomic int64_t turn;
    _Atomic unsigned refused_count; /* or failed */
    _Atomic bool has_ended;         /* the end of the grant was answered */
    _Atomic unsigned late_count;
};

static enum rc use_next(struct crowd *crowd)
{
    int64_t turn = atomic_fetch_add(&crowd->turn, 1);
    enum token_inactive why;

    return use_from(crowd->fixture, crowd->made, turn % 2 == 0 ? inside : outside,
                    crowd->begun_at + turn, &why);
}

static void *use_again_and_again(void *context)
{
    struct crowd *crowd = context;

    for (int i = 0; i < USE_COUNT; i++)
        if (use_next(crowd) != RC_OK)
            atomic_fetch_add(&crowd->refused_count, 1);
    return NULL;
}

static void *use_until_refused(void *context)
{
    struct crowd *crowd = context;
    bool had_ended;
    enum rc rc;

    do {
        had_ended = atomic_load(&crowd->has_ended);
        rc = use_next(crowd);
    } while (rc == RC_OK && !had_ended);
    if (rc == RC_OK)
        atomic_fetch_add(&crowd->late_count, 1);
    if (rc == RC_NOT_FOUND)
        atomic_fetch_add(&crowd->refused_count, 1);
    return NULL;
}

static void begin_crowd(struct crowd *crowd, void *(*run)(void *), pthread_t *threads)
{
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, crowd), 0);
}

static void test_threads_that_use_one_token(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .addresses = "" });
    struct crowd crowd = { .fixture = fixture, .made = &made, .begun_at = clock_now_s() };
    int64_t last = (int64_t)THREAD_COUNT * USE_COUNT - 1;
    pthread_t threads[THREAD_COUNT];

    begin_crowd(&crowd, use_again_and_again, threads);
    while (atomic_load(&crowd.turn) < last)
        assert_int_equal(save(fixture), RC_OK);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.refused_count, 0);
    assert_last_use(fixture, &made, crowd.begun_at + last, last % 2 == 0 ? inside : outside);
    restart(fixture);
    assert_saved(fixture, &made, crowd.begun_at + last, last % 2 == 0 ? inside : outside);
}

/* From the answer on that it is revoked, no use is let in, whatever was under way. */
static void test_revoked_in_the_middle_of_uses(void **state)
{
    struct room_fixture *fixture = *state;
    struct made made = make(fixture, (struct wish){ .addresses = "" });
    struct crowd crowd = { .fixture = fixture, .made = &made, .begun_at = clock_now_s() };
    pthread_t threads[THREAD_COUNT];

    begin_crowd(&crowd, use_until_refused, threads);
    while (atomic_load(&crowd.turn) < USE_COUNT)
        continue;
    fixture_end_grant(fixture, made.grant_id);
    atomic_store(&crowd.has_ended, true);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.late_count, 0);
    assert_int_equal(crowd.refused_count, THREAD_COUNT);
    fixture_assert_inactive(fixture, made.draft.value, clock_now_s(), TOKEN_REVOKED);
    restart(fixture);
    fixture_assert_inactive(fixture, made.draft.value, clock_now_s(), TOKEN_REVOKED);
    assert_true(saved(fixture, &made).revoked_at != 0);
    assert_true(saved(fixture, &made).last_used_at >= crowd.begun_at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_to_be_found_is_no_use),         ROOM_TEST(test_a_use_writes_nothing),
        ROOM_TEST(test_a_use_survives_the_close),      ROOM_TEST(test_a_use_never_goes_back),
        ROOM_TEST(test_many_are_saved_in_batches),     ROOM_TEST(test_a_store_that_is_away),
        ROOM_TEST(test_a_close_without_a_store),       ROOM_TEST(test_threads_that_use_one_token),
        ROOM_TEST(test_revoked_in_the_middle_of_uses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
