/* QR codes: the parts of a symbol that are always the same (ISO/IEC 18004 6.3), and limits. */
#include "codec/qr.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

enum { ARENA_BYTES = 64 * 1024, FINDER_WIDTH = 7, TEXT_BYTES_MAX = 2953 };

static const char *const finder[FINDER_WIDTH] = { "#######", "#     #", "# ### #", "# ### #",
                                                  "# ### #", "#     #", "#######" };

static void assert_finder(const struct qr *qr, size_t left, size_t top)
{
    for (size_t y = 0; y < FINDER_WIDTH; y++)
        for (size_t x = 0; x < FINDER_WIDTH; x++)
            assert_int_equal(qr->is_black[(top + y) * qr->width + left + x], finder[y][x] == '#');
}

static void test_symbol(void **state)
{
    struct arena arena = { 0 };
    struct qr qr;
    size_t far;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(qr_encode(STR("otpauth://totp/jeton:ada?secret=A"), &arena, &qr), RC_OK);
    assert_int_equal(qr.width, 29); /* version 3: 53 bytes at level L */
    far = qr.width - FINDER_WIDTH;
    assert_finder(&qr, 0, 0);
    assert_finder(&qr, far, 0);
    assert_finder(&qr, 0, far);
    for (size_t i = FINDER_WIDTH + 1; i < far - 1; i++) { /* timing patterns */
        assert_int_equal(qr.is_black[6 * qr.width + i], i % 2 == 0);
        assert_int_equal(qr.is_black[i * qr.width + 6], i % 2 == 0);
    }
    arena_deinit(&arena);
}

static void test_limits(void **state)
{
    static char text[TEXT_BYTES_MAX + 1];
    struct arena arena = { 0 };
    struct qr qr = { 0 };

    (void)state;
    memset(text, 'x', sizeof(text));
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(qr_encode(STR(""), &arena, &qr), RC_TOO_LARGE);
    assert_int_equal(qr_encode((struct str){ "a\0b", 3 }, &arena, &qr), RC_TOO_LARGE);
    assert_int_equal(qr_encode((struct str){ text, TEXT_BYTES_MAX + 1 }, &arena, &qr),
                     RC_TOO_LARGE);
    assert_int_equal(qr.width, 0);
    assert_int_equal(qr_encode((struct str){ text, TEXT_BYTES_MAX }, &arena, &qr), RC_OK);
    assert_int_equal(qr.width, 177);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbol),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
