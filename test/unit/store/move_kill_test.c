/* A move is killed between two of its system calls; the next one ends it. */
#include "moving.h"

/* Of calls: every one takes a minute and a half. */
enum { STEP = 5 };

static void copy_file(const char *from, const char *to)
{
    static char bytes[1024 * 1024];
    char path[96];
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "%s/jeton.db", from);
    fd = open(path, O_RDONLY);
    len = read(fd, bytes, sizeof(bytes));
    close(fd);
    assert_true(len > 0 && len < (ssize_t)sizeof(bytes));
    snprintf(path, sizeof(path), "%s/jeton.db", to);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, (size_t)len), len);
    close(fd);
}

static void remove_store(const char *dir)
{
    fixture_remove_files(dir);
    assert_int_equal(mkdir(dir, 0700), 0);
}

/* At every moment: killed there, one of the two at most is served; started again, it ends well. */
static void test_a_move_that_was_killed_goes_on(void **state)
{
    struct pair *pair = *state;
    char empty[64] = "/tmp/jeton-empty-XXXXXX";
    bool was_killed = true;
    int call_count;

    fill(pair, pair->other, 2, 1100);
    assert_non_null(mkdtemp(empty));
    assert_int_equal(open_served(pair, empty, false), RC_OK);
    for (call_count = 0; was_killed; call_count += STEP) {
        copy_file(pair->other, pair->from);
        copy_file(empty, pair->to);
        was_killed = run_killed(pair, pair->from, pair->to, call_count);
        if (open_served(pair, pair->from, false) == RC_OK &&
            open_served(pair, pair->to, false) == RC_OK)
            assert_false(has_rows(pair, pair->to, COPY_account));
        if (was_killed && complete_move(pair, pair->from, pair->to) != RC_OK)
            fail_msg("after %d calls: %s", call_count, pair->error);
        expect_same_rows(pair, pair->other, pair->to);
        assert_int_equal(open_served(pair, pair->to, false), RC_OK);
        expect_refused_to_serve(pair, pair->from, "this store has moved");
        remove_store(pair->from);
        remove_store(pair->to);
    }
    print_message("killed at every fifth of %d calls\n", call_count);
    assert_true(call_count > 50);
    fixture_remove_files(empty);
}

/* Again and again, a little later each time: what was copied once is not copied again. */
static void test_a_move_that_is_killed_often_comes_to_its_end(void **state)
{
    struct pair *pair = *state;
    int kill_count = 0;

    fill(pair, pair->from, 3, 40000);
    while (run_killed(pair, pair->from, pair->to, 500 + 10 * kill_count))
        kill_count++;
    print_message("killed %d times\n", kill_count);
    assert_true(kill_count > 1);
    expect_same_rows(pair, pair->from, pair->to);
    assert_int_equal(open_served(pair, pair->to, false), RC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_move_that_was_killed_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_move_that_is_killed_often_comes_to_its_end, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
