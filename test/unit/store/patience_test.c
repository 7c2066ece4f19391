/* What a thread has waited for a shared store counts for the whole of its turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/room.h"

static const int64_t wait_ns = 3000000;

static void wait_once(void)
{
    int64_t from_ns = patience_from_ns();
    int64_t began_ns = clock_monotonic_ns();

    while (clock_monotonic_ns() - began_ns < wait_ns)
        continue;
    patience_end(from_ns);
}

static void waits_of_a_turn_add_up(void **state)
{
    (void)state;
    clock_begin_turn();
    assert_true(clock_monotonic_ns() - patience_from_ns() < wait_ns);
    wait_once();
    assert_true(clock_monotonic_ns() - patience_from_ns() >= wait_ns);
    wait_once();
    assert_true(clock_monotonic_ns() - patience_from_ns() >= 2 * wait_ns);
    clock_end_turn();
}

static void the_next_turn_begins_anew(void **state)
{
    int64_t from_ns;

    (void)state;
    clock_begin_turn();
    wait_once();
    clock_end_turn();
    clock_begin_turn();
    from_ns = patience_from_ns();
    assert_true(from_ns >= clock_turn_ns());
    clock_end_turn();
}

static void without_a_turn_each_wait_is_alone(void **state)
{
    int64_t before_ns;

    (void)state;
    wait_once();
    before_ns = clock_monotonic_ns();
    assert_true(patience_from_ns() >= before_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_of_a_turn_add_up),
        cmocka_unit_test(the_next_turn_begins_anew),
        cmocka_unit_test(without_a_turn_each_wait_is_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
