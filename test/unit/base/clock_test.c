/* The clocks, and the table of result codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rc.h"

static void assert_utc(int64_t unix_ms, const char *expected)
{
    char text[CLOCK_TEXT_BYTES];

    clock_format_utc(unix_ms, text);
    assert_string_equal(text, expected);
}

static void utc_text(void **state)
{
    (void)state;
    assert_utc(0, "1970-01-01T00:00:00.000Z");
    assert_utc(INT64_C(951782400999), "2000-02-29T00:00:00.999Z");
    assert_utc(INT64_C(2147483648000), "2038-01-19T03:14:08.000Z");
    assert_utc(INT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
    assert_utc(-1, "1970-01-01T00:00:00.000Z");
    assert_utc(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_utc(INT64_MIN, "1970-01-01T00:00:00.000Z");
}

static void clocks_agree(void **state)
{
    int64_t before_s = (int64_t)time(NULL);
    int64_t now_s = clock_now_s();
    int64_t now_ms = clock_now_ms();
    int64_t first_ns = clock_monotonic_ns();
    int64_t second_ns = clock_monotonic_ns();

    (void)state;
    /* time() may be a tick behind. */
    assert_in_range(now_s - before_s, 0, 5);
    assert_in_range(now_ms - now_s * 1000, 0, 5000);
    assert_true(second_ns >= first_ns);
    assert_in_range(clock_monotonic_ms() - first_ns / 1000000, 0, 5000);
}

static void a_turn(void **state)
{
    int64_t before_ns = clock_monotonic_ns();
    int64_t began_ns;

    (void)state;
    assert_true(clock_turn_ns() >= before_ns);
    clock_begin_turn();
    began_ns = clock_turn_ns();
    while (clock_monotonic_ns() == began_ns)
        continue;
    assert_int_equal(clock_turn_ns(), began_ns);
    clock_end_turn();
    assert_true(clock_turn_ns() > began_ns);
}

static void result_codes(void **state)
{
    static const enum rc faults[] = { RC_BUSY, RC_UNAVAILABLE, RC_CORRUPT, RC_SYSTEM, RC_CRYPTO };
    static const enum rc answers[] = { RC_OK,      RC_NOT_FOUND, RC_EXISTS,    RC_SPENT,
                                       RC_REFUSED, RC_INVALID,   RC_TOO_LARGE, RC_WOULD_BLOCK };

    (void)state;
    assert_int_equal(RC_OK, 0);
    assert_string_equal(rc_name(RC_NOT_FOUND), "NOT_FOUND");
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_true(rc_is_fault(faults[i]));
        assert_true(strlen(rc_words(faults[i])) > 0);
    }
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        assert_false(rc_is_fault(answers[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_text),
        cmocka_unit_test(clocks_agree),
        cmocka_unit_test(a_turn),
        cmocka_unit_test(result_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
