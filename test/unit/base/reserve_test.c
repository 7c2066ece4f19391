/* Memory that is left when the system has none: here malloc says no as soon as a test wants it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_starved;

static void *starving_malloc(size_t bytes)
{
    return is_starved ? NULL : malloc(bytes);
}

static void *starving_calloc(size_t count, size_t bytes)
{
    return is_starved ? NULL : calloc(count, bytes);
}

static void *starving_realloc(void *old, size_t bytes)
{
    return is_starved ? NULL : realloc(old, bytes);
}

/* The functions under test, with the allocator that the test holds in its hand. */
#define malloc(bytes)        starving_malloc(bytes)
#define calloc(count, bytes) starving_calloc(count, bytes)
#define realloc(old, bytes)  starving_realloc(old, bytes)
#include "base/reserve.c"
#undef malloc
#undef calloc
#undef realloc

enum { LARGEST_BYTES = 2 << 20 };

static int set_up(void **state)
{
    (void)state;
    is_starved = false;
    return 0;
}

static bool is_all(const void *block, int value, size_t len)
{
    const unsigned char *bytes = block;

    for (size_t i = 0; i < len; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static void the_heap_comes_first(void **state)
{
    void *block = reserve_alloc(100);
    void *zeroed = reserve_zalloc(100);

    (void)state;
    assert_non_null(block);
    assert_false(is_own(block));
    assert_false(is_own(zeroed));
    assert_true(is_all(zeroed, 0, 100));
    reserve_free(block);
    reserve_free(zeroed);
    reserve_free(NULL);
}

static void without_a_heap_there_are_blocks_of_every_size(void **state)
{
    static const size_t wanted[] = { 1, 128, 129, 512, 4096, 4097, 32 << 10, 1 << 18, 1 << 21 };
    enum { COUNT = sizeof(wanted) / sizeof(wanted[0]) };
    void *blocks[COUNT];

    (void)state;
    is_starved = true;
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = i % 2 == 0 ? reserve_alloc(wanted[i]) : reserve_zalloc(wanted[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        assert_true(is_all(blocks[i], 0, wanted[i]));
        memset(blocks[i], i + 1, wanted[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(is_all(blocks[i], i + 1, wanted[i]));
        reserve_free(blocks[i]);
    }
    assert_null(reserve_alloc(LARGEST_BYTES + 1));
    assert_null(reserve_zalloc(LARGEST_BYTES + 1));
}

/* They hold what digests and signatures are made of. */
static void blocks_are_wiped_and_given_out_again(void **state)
{
    unsigned char *block;

    (void)state;
    is_starved = true;
    block = reserve_alloc(300);
    memset(block, 'x', 300);
    reserve_free(block);
    assert_true(is_all(block + sizeof(struct block), 0, 300 - sizeof(struct block)));
    assert_ptr_equal(reserve_zalloc(400), block);
    assert_true(is_all(block, 0, 400));
    reserve_free(block);
}

static void what_is_used_up_is_refused_and_comes_back(void **state)
{
    void *first = NULL;
    unsigned count = 0;
    void *block;

    (void)state;
    is_starved = true;
    /* Once the small ones are gone, a larger one serves. */
    while ((block = reserve_alloc(100)) != NULL) {
        *(void **)block = first;
        first = block;
        count++;
    }
    assert_in_range(count, (256 << 10) / 128 + 1, 10000);
    assert_null(reserve_alloc(1));
    assert_null(reserve_zalloc(LARGEST_BYTES));
    while (first != NULL) {
        block = first;
        first = *(void **)block;
        reserve_free(block);
        count--;
    }
    assert_int_equal(count, 0);
    block = reserve_alloc(LARGEST_BYTES);
    assert_non_null(block);
    reserve_free(block);
}

static void realloc_moves_between_heap_and_reserve(void **state)
{
    unsigned char *block = reserve_realloc(NULL, 40);
    unsigned char *moved;

    (void)state;
    assert_false(is_own(block));
    memset(block, 'h', 40);
    block = reserve_realloc(block, 80);
    assert_false(is_own(block));
    assert_true(is_all(block, 'h', 40));
    memset(block, 'h', 80);
    is_starved = true;
    moved = reserve_realloc(block, 1000);
    assert_true(is_own(moved));
    assert_true(is_all(moved, 'h', 80));
    assert_null(reserve_realloc(moved, LARGEST_BYTES + 1));
    assert_true(is_all(moved, 'h', 80)); /* the old one is still good */
    moved = reserve_realloc(moved, 20);  /* and a smaller one keeps what fits */
    assert_true(is_own(moved));
    assert_true(is_all(moved, 'h', 20));
    is_starved = false;
    moved = reserve_realloc(moved, 5000);
    assert_false(is_own(moved));
    assert_true(is_all(moved, 'h', 20));
    reserve_free(moved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_heap_comes_first, set_up),
        cmocka_unit_test_setup(without_a_heap_there_are_blocks_of_every_size, set_up),
        cmocka_unit_test_setup(blocks_are_wiped_and_given_out_again, set_up),
        cmocka_unit_test_setup(what_is_used_up_is_refused_and_comes_back, set_up),
        cmocka_unit_test_setup(realloc_moves_between_heap_and_reserve, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
