/*
 * A move, a backup and a restore of which one call of the engine fails, each in its turn. The next
 * one that is undisturbed does what was to be done, whatever the first had got to.
 */
#include "moving.h"

#include "faulty.h"
#include "store/backup.h"
#include "store/restore.h"

/* All of the first and of the last calls of a shared engine, where most is decided, and some of
 * those between; the other has the same ones but for a few, and of them some are enough. */
enum { FIRST_CALLS = 14, LAST_CALLS = 8, STRIDE = 211, CALL_COUNT_MAX = 6000 };

static int next_call(int call, int count)
{
    if (!faulty.is_shared)
        return call + 2 * STRIDE;
    if (call < FIRST_CALLS || call >= count - LAST_CALLS)
        return call + 1;
    return call + STRIDE < count - LAST_CALLS ? call + STRIDE : count - LAST_CALLS;
}

static void make_empty(const char *dir)
{
    fixture_remove_files(dir);
    assert_int_equal(mkdir(dir, 0700), 0);
}

/* ---- moves ----------------------------------------------------------------------------------- */

static enum rc undo_move(struct pair *pair)
{
    const struct move_place place = place_of(pair->from);
    struct buffer error = buffer_over(pair->error, sizeof(pair->error) - 1);
    bool had_left;

    return move_undo(&place, &had_left, &error);
}

/* Whether there was such a call. */
static bool move_through(struct pair *pair, int call, enum rc fault, int *out_call_count)
{
    enum rc answer;
    bool has_failed;

    faulty_set(call, fault, false);
    answer = run_move(pair, pair->from, pair->to, "one");
    *out_call_count = atomic_load(&faulty.call_count);
    has_failed = faulty_end();
    if (!has_failed)
        assert_int_equal(answer, RC_OK);
    else if (answer != RC_OK && pair->error[0] == '\0')
        fail_msg("call %d: no word of what failed", call);
    assert_int_equal(complete_move(pair, pair->from, pair->to), RC_OK);
    expect_same_rows(pair, pair->from, pair->to);
    assert_int_equal(open_served(pair, pair->to, false), RC_OK);
    make_empty(pair->to);
    assert_int_equal(undo_move(pair), RC_OK);
    return has_failed;
}

static void fail_each_call_of_a_move(struct pair *pair, enum rc fault)
{
    int count = CALL_COUNT_MAX;
    int ignored;
    int call;

    fill(pair, pair->from, 2, 2);
    assert_false(move_through(pair, CALL_COUNT_MAX, fault, &count));
    for (call = 0; call < count; call = next_call(call, count))
        assert_true(move_through(pair, call, fault, &ignored));
}

static void test_move_of_which_a_call_fails_can_be_done_again(void **state)
{
    faulty.is_shared = false;
    fail_each_call_of_a_move(*state, RC_UNAVAILABLE);
}

static void test_move_between_shared_engines_likewise(void **state)
{
    faulty.is_shared = true;
    fail_each_call_of_a_move(*state, RC_CORRUPT);
    faulty.is_shared = false;
}

/* Somebody who is seen for a moment is waited for; who stays is told of, and no mark is left. */
static void test_store_that_is_not_had_alone_is_not_moved(void **state)
{
    struct pair *pair = *state;
    int call;

    faulty.is_shared = true;
    fill(pair, pair->from, 1, 1);
    for (call = 0; call < 8; call++) {
        int ignored;

        assert_true(move_through(pair, call, RC_EXISTS, &ignored));
    }
    faulty.is_shared = false;
}

static void test_undoing_that_fails_can_be_done_again(void **state)
{
    struct pair *pair = *state;
    int call = 0;
    bool has_failed = true;

    for (call = 0; has_failed; call++) {
        enum rc rc;

        fill(pair, pair->from, 1, 0);
        assert_int_equal(complete_move(pair, pair->from, pair->to), RC_OK);
        faulty_set(call, RC_UNAVAILABLE, false);
        rc = undo_move(pair);
        has_failed = faulty_end();
        if (has_failed) {
            assert_true(rc != RC_OK);
            assert_int_equal(undo_move(pair), RC_OK);
        }
        assert_int_equal(open_served(pair, pair->from, false), RC_OK);
        make_empty(pair->from);
        make_empty(pair->to);
    }
    assert_in_range(call, 10, 40);
}

/* ---- backups --------------------------------------------------------------------------------- */

enum { TAKEN_AT = 1000000 };

static enum rc pass_tables(struct move *move, struct restore *restore, struct buffer *error)
{
    unsigned table;
    enum rc rc = RC_OK;

    for (table = 0; rc == RC_OK && table < move_table_count(); table++) {
        uint64_t count = 1;

        rc = restore_table(restore, str_of(move_table_name(table)), backup_columns(table),
                           backup_types(table), error);
        while (rc == RC_OK && count > 0) {
            struct str rows;

            rc = move_read_some(move, MOVE_SOURCE, table, &rows, &count, error);
            if (rc == RC_OK)
                rc = restore_rows(restore, rows, (unsigned)count, error);
        }
    }
    return rc;
}

static enum rc revoke_some(struct restore *restore, struct buffer *error)
{
    static const enum restore_act acts[] = { RESTORE_END_TOKEN, RESTORE_END_GRANTS, RESTORE_DISABLE,
                                             RESTORE_FORGET_PASSWORD };
    enum rc rc = RC_OK;
    size_t index;

    for (index = 0; rc == RC_OK && index < sizeof(acts) / sizeof(acts[0]); index++)
        rc = restore_revoke(restore, acts[index], 100, TAKEN_AT, error);
    return rc;
}

/* From one store straight into the other. */
static enum rc back_up_and_restore(struct pair *pair, bool gives_up)
{
    const struct move_place from = place_of(pair->from);
    const struct move_place to = place_of(pair->to);
    struct buffer error = buffer_over(pair->error, sizeof(pair->error) - 1);
    char sealed[64];
    struct buffer value = buffer_over(sealed, sizeof(sealed));
    struct restore *restore = NULL;
    struct move *move = NULL;
    enum rc rc;

    memset(pair->error, 0, sizeof(pair->error));
    rc = backup_open(&from, &move, &error);
    if (rc == RC_OK)
        rc = move_find_sealed_value(move, STR("absent"), &value, &error);
    if (rc == RC_NOT_FOUND)
        rc = restore_open(&to, false, &restore, &error);
    if (rc == RC_OK)
        rc = pass_tables(move, restore, &error);
    if (rc == RC_OK)
        rc = revoke_some(restore, &error);
    if (rc == RC_OK)
        rc = restore_finish(restore, TAKEN_AT, TAKEN_AT - 1, STR("test"), &error);
    if (rc != RC_OK && restore != NULL && gives_up)
        restore_give_up(restore);
    restore_close(restore);
    move_close(move);
    return rc;
}

static bool restore_through(struct pair *pair, int call, bool gives_up, int *out_call_count)
{
    enum rc answer;
    bool has_failed;

    faulty_set(call, RC_UNAVAILABLE, false);
    answer = back_up_and_restore(pair, gives_up);
    *out_call_count = atomic_load(&faulty.call_count);
    has_failed = faulty_end();
    if (!has_failed)
        assert_int_equal(answer, RC_OK);
    if (answer != RC_OK) {
        assert_true(pair->error[0] != '\0');
        assert_int_equal(back_up_and_restore(pair, false), RC_OK);
    }
    assert_int_equal(open_served(pair, pair->to, false), RC_OK);
    make_empty(pair->to);
    return has_failed;
}

static void fail_each_call_of_a_restore(struct pair *pair)
{
    int count = CALL_COUNT_MAX;
    int ignored;
    int call;

    fill(pair, pair->from, 2, 2);
    assert_false(restore_through(pair, CALL_COUNT_MAX, false, &count));
    for (call = 0; call < count; call = next_call(call, count))
        assert_true(restore_through(pair, call, call % 2 == 0, &ignored));
}

static void test_restore_of_which_a_call_fails_can_be_done_again(void **state)
{
    faulty.is_shared = false;
    fail_each_call_of_a_restore(*state);
}

static void test_restore_into_a_shared_engine_likewise(void **state)
{
    faulty.is_shared = true;
    fail_each_call_of_a_restore(*state);
    faulty.is_shared = false;
}

/* An engine that is gone answers nothing more, not even that a half restore be emptied. */
static void test_restore_that_cannot_be_emptied_stays_marked(void **state)
{
    struct pair *pair = *state;
    const struct move_place to = place_of(pair->to);
    struct buffer error = buffer_over(pair->error, sizeof(pair->error) - 1);
    struct restore *restore;

    memset(pair->error, 0, sizeof(pair->error));
    assert_int_equal(restore_open(&to, true, &restore, &error), RC_OK);
    faulty_set(0, RC_UNAVAILABLE, true);
    restore_give_up(restore);
    assert_true(faulty_end());
    restore_close(restore);
    expect_refused_to_serve(pair, pair->to, "not complete");
    assert_int_equal(restore_open(&to, true, &restore, &error), RC_OK);
    restore_give_up(restore);
    restore_close(restore);
    assert_int_equal(open_served(pair, pair->to, false), RC_OK);
}

static int set_up(void **state)
{
    faulty_reset();
    return setup(state);
}

#define ON_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PAIR(test_move_of_which_a_call_fails_can_be_done_again),
        ON_PAIR(test_move_between_shared_engines_likewise),
        ON_PAIR(test_store_that_is_not_had_alone_is_not_moved),
        ON_PAIR(test_undoing_that_fails_can_be_done_again),
        ON_PAIR(test_restore_of_which_a_call_fails_can_be_done_again),
        ON_PAIR(test_restore_into_a_shared_engine_likewise),
        ON_PAIR(test_restore_that_cannot_be_emptied_stays_marked),
    };

    if (fixture_is_shared())
        return FIXTURE_SKIPPED; /* of the engine that stands in */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
