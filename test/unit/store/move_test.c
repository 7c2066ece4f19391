/* A store is moved whole and once, and one of the two at most is served. */
#include "moving.h"

static void test_all_rows_arrive(void **state)
{
    struct pair *pair = *state;

    fill(pair, pair->from, 7, 40000); /* more than two transactions */
    assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_OK);
    assert_int_equal(pair->stage, MOVE_NEW);
    expect_same_rows(pair, pair->from, pair->to);
    assert_int_equal(open_served(pair, pair->to, false), RC_OK);
    expect_refused_to_serve(pair, pair->from, "this store has moved to /tmp/jeton-to-");
    /* A second time there is nothing to move. */
    assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_REFUSED);
    assert_non_null(strstr(pair->error, "has moved to /tmp/jeton-to-"));
    assert_int_equal(run_move(pair, pair->from, pair->other, "one"), RC_REFUSED);
}

static void test_ids_go_on_behind_those_that_were_given(void **state)
{
    struct pair *pair = *state;
    const struct store_config from = { .data_dir = str_of(pair->from) };
    const struct store_config to = { .data_dir = str_of(pair->to) };
    struct buffer error = buffer_over(pair->error, sizeof(pair->error));
    struct store *store;
    int64_t before[SEQUENCE_COUNT];
    int64_t after;
    int sequence;

    fill(pair, pair->from, 1, 1);
    assert_int_equal(store_open(&from, &store, &error), RC_OK);
    for (sequence = 0; sequence < SEQUENCE_COUNT; sequence++)
        assert_int_equal(store_next_id(store, (enum store_sequence)sequence, &before[sequence]),
                         RC_OK);
    store_close(store);
    assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_OK);
    assert_int_equal(store_open(&to, &store, &error), RC_OK);
    for (sequence = 0; sequence < SEQUENCE_COUNT; sequence++) {
        assert_int_equal(store_next_id(store, (enum store_sequence)sequence, &after), RC_OK);
        assert_true(after > before[sequence]);
    }
    store_close(store);
}

static void begin_anew(void **state)
{
    assert_int_equal(teardown(state), 0);
    assert_int_equal(setup(state), 0);
}

static void test_neither_is_served_while_it_is_not_complete(void **state)
{
    struct pair *pair = *state;

    fill(pair, pair->from, 2, 3000);
    kill_behind(pair, COPY_account);
    expect_refused_to_serve(pair, pair->to, "a move into this store from /tmp/jeton-from-");
    expect_refused_to_serve(pair, pair->from, "a move of this store to /tmp/jeton-to-");
    assert_non_null(strstr(pair->error, "is not complete"));
    /* Nor is either of them the source or target of another one. */
    assert_int_equal(run_move(pair, pair->to, pair->other, "one"), RC_REFUSED);
    fill(pair, pair->other, 1, 1);
    assert_int_equal(run_move(pair, pair->other, pair->to, "other"), RC_REFUSED);
    assert_non_null(strstr(pair->error, "belongs to the move of another store"));
    assert_int_equal(open_served(pair, pair->other, false), RC_OK);
    assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_OK);
    assert_int_equal(pair->stage, MOVE_RESUMED);
    expect_same_rows(pair, pair->from, pair->to);
}

static enum rc undo(struct pair *pair, const char *dir, bool *out_had_left)
{
    const struct move_place place = place_of(dir);
    struct buffer error = buffer_over(pair->error, sizeof(pair->error) - 1);

    memset(pair->error, 0, sizeof(pair->error));
    return move_undo(&place, out_had_left, &error);
}

/* What was copied before is old by then, even where the keys are the same. */
static void test_a_source_that_was_served_in_between_is_copied_anew(void **state)
{
    struct pair *pair = *state;
    bool had_left = true;

    fill(pair, pair->from, 2, 3000);
    kill_behind(pair, COPY_account);
    assert_int_equal(undo(pair, pair->to, &had_left), RC_REFUSED);
    assert_int_equal(undo(pair, pair->from, &had_left), RC_OK);
    assert_false(had_left);
    assert_int_equal(undo(pair, pair->from, &had_left), RC_NOT_FOUND);
    assert_int_equal(open_served(pair, pair->from, false), RC_OK);
    run_text(pair->from, "UPDATE account SET is_disabled = 1; DELETE FROM name");
    assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_OK);
    assert_int_equal(pair->stage, MOVE_ANEW);
    expect_same_rows(pair, pair->from, pair->to);
}

static void test_the_way_back(void **state)
{
    struct pair *pair = *state;
    bool had_left = false;

    fill(pair, pair->from, 2, 2000);
    assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_OK);
    run_text(pair->to, "UPDATE account SET is_disabled = 1; DELETE FROM token WHERE id < 500");
    assert_int_equal(run_move(pair, pair->to, pair->from, "one"), RC_OK);
    assert_int_equal(pair->stage, MOVE_BACK);
    expect_same_rows(pair, pair->from, pair->to);
    assert_int_equal(open_served(pair, pair->from, false), RC_OK);
    expect_refused_to_serve(pair, pair->to, "this store has moved to /tmp/jeton-from-");
    /* The explicit word makes the other one good again, and says that it had left. */
    assert_int_equal(undo(pair, pair->to, &had_left), RC_OK);
    assert_true(had_left);
    assert_int_equal(open_served(pair, pair->to, false), RC_OK);
}

/* Rows that others changed in the target are found before the end, and the move begins anew. */
static void test_what_differs_is_found(void **state)
{
    static const char *const changes[] = {
        "UPDATE token SET digest = x'00' WHERE id = 100",
        "INSERT INTO name (name) VALUES ('')",
        "UPDATE granted SET binding_thumbprint = x'' WHERE binding_thumbprint IS NULL",
    };
    size_t index;

    for (index = 0; index < sizeof(changes) / sizeof(changes[0]); index++) {
        struct pair *pair = *state;

        fill(pair, pair->from, 6, 1500);
        kill_behind(pair, COPY_long_token);
        run_text(pair->to, changes[index]);
        assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_CORRUPT);
        assert_int_equal(pair->stage, MOVE_RESUMED);
        expect_refused_to_serve(pair, pair->to, "is not complete");
        assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_OK);
        assert_int_equal(pair->stage, MOVE_ANEW);
        expect_same_rows(pair, pair->from, pair->to);
        begin_anew(state);
    }
}

static void test_refusals(void **state)
{
    struct pair *pair = *state;
    const struct store_config config = { .data_dir = str_of(pair->from) };
    char bytes[256];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    struct store *store;

    assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_INVALID);
    assert_non_null(strstr(pair->error, "there is no store in"));
    assert_int_equal(run_move(pair, "/tmp/jeton-none/none", pair->to, "one"), RC_INVALID);
    fill(pair, pair->from, 1, 1);
    fill(pair, pair->other, 1, 1);
    assert_int_equal(run_move(pair, pair->from, pair->other, "one"), RC_REFUSED);
    assert_non_null(strstr(pair->error, "is not empty"));
    assert_int_equal(run_move(pair, pair->from, "/tmp/jeton-none/none", "one"), RC_INVALID);
    assert_int_equal(run_move(pair, pair->from, pair->from, "one"), RC_EXISTS);
    assert_int_equal(store_open(&config, &store, &error), RC_OK);
    assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_EXISTS);
    assert_non_null(strstr(pair->error, "holds"));
    store_close(store);
    run_text(pair->from, "INSERT INTO schema_version (version, at) VALUES (99, 0)");
    assert_int_equal(run_move(pair, pair->from, pair->to, "one"), RC_INVALID);
    assert_non_null(strstr(pair->error, "schema 99"));
    run_text(pair->from, "DELETE FROM schema_version WHERE version = 99");
    assert_int_equal(open_served(pair, pair->from, false), RC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_rows_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_go_on_behind_those_that_were_given, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_neither_is_served_while_it_is_not_complete, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_source_that_was_served_in_between_is_copied_anew,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_way_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_differs_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
