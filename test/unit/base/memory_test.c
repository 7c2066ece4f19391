/* Arena, buffer and secret: the three owners of memory that a request meets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/secret.h"

enum { SLAB_BYTES = 256 };

static bool is_zero(const void *at, size_t len)
{
    const unsigned char *bytes = at;

    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* True when the act ends its process by abort(); what it says meanwhile is thrown away. */
static bool aborts(void (*act)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void arena_hands_out_zeroed_aligned_memory(void **state)
{
    struct arena arena;
    char *first;
    char *second;

    (void)state;
    arena_init(&arena, SLAB_BYTES);
    first = arena_alloc(&arena, 3);
    second = arena_alloc(&arena, 20);
    assert_int_equal((uintptr_t)first % 16, 0);
    assert_int_equal((uintptr_t)second % 16, 0);
    assert_true(second >= first + 3);
    assert_true(is_zero(second, 20));
    memset(first, 'x', 3);
    memset(second, 'y', 20);
    arena_reset(&arena);
    /* Wiped, not only given back: request memory holds passwords. */
    assert_true(is_zero(arena.slab, SLAB_BYTES));
    assert_ptr_equal(arena_alloc(&arena, SLAB_BYTES), first);
    arena_deinit(&arena);
    assert_null(arena.slab);
    arena_deinit(&arena);
}

static void arena_takes_back_what_came_last(void **state)
{
    struct arena arena;
    size_t used_bytes;
    char *kept;
    char *later;

    (void)state;
    arena_init(&arena, SLAB_BYTES);
    kept = arena_alloc(&arena, 8);
    memcpy(kept, "kept", 5);
    used_bytes = arena.used_bytes;
    later = arena_alloc(&arena, 100);
    memset(later, 'x', 100);
    arena_rewind(&arena, used_bytes);
    assert_string_equal(kept, "kept");
    assert_true(is_zero(later, 100));
    assert_ptr_equal(arena_alloc(&arena, 100), later);
    arena_deinit(&arena);
}

static void arena_copies_and_formats(void **state)
{
    struct arena arena;
    struct str copy;
    struct str text;
    struct str empty;

    (void)state;
    arena_init(&arena, SLAB_BYTES);
    copy = arena_copy(&arena, STR("a\0b"));
    assert_true(str_equal(copy, STR("a\0b")));
    assert_int_equal(copy.at[copy.len], '\0');
    empty = arena_copy(&arena, (struct str){ NULL, 0 });
    assert_int_equal(empty.len, 0);
    assert_non_null(empty.at);
    text = arena_format(&arena, "%s=%d", "expires_in", 3600);
    assert_true(str_equal(text, STR("expires_in=3600")));
    arena_alloc(&arena, 16);
    assert_true(str_equal(text, STR("expires_in=3600")));
    assert_true(str_equal(copy, STR("a\0b")));
    arena_deinit(&arena);
}

static void overrun(void)
{
    struct arena arena;

    arena_init(&arena, SLAB_BYTES);
    arena_alloc(&arena, SLAB_BYTES - 16);
    arena_alloc(&arena, 17);
}

static void overrun_by_wrapping(void)
{
    struct arena arena;

    arena_init(&arena, SLAB_BYTES);
    arena_alloc(&arena, SIZE_MAX - 3);
}

static void overrun_by_format(void)
{
    struct arena arena;

    arena_init(&arena, SLAB_BYTES);
    arena_format(&arena, "%300d", 1);
}

static void arena_overrun_aborts(void **state)
{
    (void)state;
    assert_true(aborts(overrun));
    assert_true(aborts(overrun_by_wrapping));
    assert_true(aborts(overrun_by_format));
}

static void buffer_overflow_is_sticky(void **state)
{
    char memory[8] = "zzzzzzz";
    struct buffer buffer = buffer_over(memory, 5);

    (void)state;
    buffer_append_str(&buffer, STR("abc"));
    BUFFER_APPEND_LITERAL(&buffer, "de");
    assert_false(buffer.overflow);
    assert_true(str_equal(buffer_str(&buffer), STR("abcde")));
    buffer_append_byte(&buffer, 'f');
    assert_true(buffer.overflow);
    buffer_append(&buffer, "", 0);
    assert_true(buffer.overflow);
    assert_int_equal(buffer.len, 5);
    assert_memory_equal(memory, "abcdezz", 8);

    buffer = buffer_over(memory, 5);
    buffer_append_str(&buffer, STR("abcdef"));
    assert_true(buffer.overflow);
    assert_int_equal(buffer.len, 0);
    /* One byte would fit, but a chain that has overflowed writes nothing more. */
    buffer_append_byte(&buffer, 'x');
    assert_int_equal(buffer.len, 0);
}

static void buffer_numbers(void **state)
{
    char memory[24];
    char expected[24];

    (void)state;
    for (uint64_t power = 1; power <= UINT64_C(1000000000000000000); power *= 10)
        for (uint64_t number = power - 1; number <= power + 150; number++) {
            struct buffer buffer = buffer_over(memory, sizeof(memory));
            int len = snprintf(expected, sizeof(expected), "%" PRIu64, number);

            buffer_append_u64(&buffer, number);
            assert_int_equal(buffer.len, len);
            assert_memory_equal(memory, expected, buffer.len);
        }
}

static void buffer_formats(void **state)
{
    char memory[64];
    struct buffer buffer = buffer_over(memory, sizeof(memory));

    (void)state;
    buffer_append_u64(&buffer, 0);
    buffer_append_byte(&buffer, ' ');
    buffer_append_u64(&buffer, UINT64_MAX);
    buffer_append_format(&buffer, " %03d %s", 7, "x");
    assert_true(str_equal(buffer_str(&buffer), STR("0 18446744073709551615 007 x")));

    buffer = buffer_over(memory, 3);
    buffer_append_format(&buffer, "%d", 1234);
    assert_true(buffer.overflow);
    assert_int_equal(buffer.len, 0);
    buffer = buffer_over(memory, 0);
    buffer_append_format(&buffer, "%s", "x");
    assert_true(buffer.overflow);
}

static void secret_is_bounded_and_wiped(void **state)
{
    static const char long_text[SECRET_BYTES_MAX + 1];
    struct secret secret = { 0 };

    (void)state;
    assert_int_equal(secret_set(&secret, STR("correct horse")), RC_OK);
    assert_int_equal(secret_set(&secret, (struct str){ long_text, sizeof(long_text) }),
                     RC_TOO_LARGE);
    assert_true(str_equal(secret_expose(&secret), STR("correct horse")));
    /* The tail of a longer value that stood here before goes too. */
    assert_int_equal(secret_set(&secret, STR("ab")), RC_OK);
    secret_wipe(&secret);
    assert_int_equal(secret.len, 0);
    assert_true(is_zero(secret.bytes, sizeof(secret.bytes)));
    assert_int_equal(secret_set(&secret, (struct str){ NULL, 0 }), RC_OK);
    assert_int_equal(secret_set(&secret, (struct str){ long_text, SECRET_BYTES_MAX }), RC_OK);
    assert_int_equal(secret.len, SECRET_BYTES_MAX);
}

static void secret_cleanup_wipes(void **state)
{
    struct secret secret = { 0 };

    (void)state;
    assert_int_equal(secret_set(&secret, STR("correct horse")), RC_OK);
    secret_cleanup(&secret);
    assert_true(is_zero(&secret, sizeof(secret)));
}

static void secrets_compare(void **state)
{
    struct secret a = { 0 };
    struct secret b = { 0 };

    (void)state;
    assert_true(secret_equal(&a, &b));
    assert_int_equal(secret_set(&a, STR("pass\0word")), RC_OK);
    assert_int_equal(secret_set(&b, STR("pass\0word")), RC_OK);
    assert_true(secret_equal(&a, &b));
    for (size_t i = 0; i < b.len; i++) {
        b.bytes[i] ^= 0x80;
        assert_false(secret_equal(&a, &b));
        b.bytes[i] ^= 0x80;
    }
    b.len--;
    assert_false(secret_equal(&a, &b));
    assert_true(secret_bytes_equal("abc", "abd", 2));
    assert_false(secret_bytes_equal("abc", "abd", 3));
    assert_true(secret_bytes_equal("a", "b", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_hands_out_zeroed_aligned_memory),
        cmocka_unit_test(arena_takes_back_what_came_last),
        cmocka_unit_test(arena_copies_and_formats),
        cmocka_unit_test(arena_overrun_aborts),
        cmocka_unit_test(buffer_overflow_is_sticky),
        cmocka_unit_test(buffer_formats),
        cmocka_unit_test(buffer_numbers),
        cmocka_unit_test(secret_is_bounded_and_wiped),
        cmocka_unit_test(secret_cleanup_wipes),
        cmocka_unit_test(secrets_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
