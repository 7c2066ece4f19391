#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/field.h"
#include "fetch/wire.h"

struct pair {
    int ends[2];
    char *body;
};

static int setup(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));

    if (pair == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair->ends) != 0)
        return -1;
    pair->body = malloc(WIRE_BODY_BYTES_MAX);
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;

    close(pair->ends[0]);
    close(pair->ends[1]);
    free(pair->body);
    free(pair);
    return 0;
}

static struct wire_wait within(int64_t ms)
{
    return (struct wire_wait){ .deadline_ms = clock_monotonic_ms() + ms, .stop_fd = -1 };
}

static void test_a_frame_comes_through(void **state)
{
    struct pair *pair = *state;
    struct wire_head head;

    assert_true(wire_write(pair->ends[0], FETCH_MAIL, 7, STR("body"), within(10000)));
    assert_true(wire_write(pair->ends[0], 77, 8, STR(""), within(10000)));
    assert_true(wire_read(pair->ends[1], &head, pair->body, within(10000)));
    assert_true(head.kind == FETCH_MAIL && head.id == 7 && head.len == 4);
    assert_memory_equal(pair->body, "body", 4);
    assert_true(wire_read(pair->ends[1], &head, pair->body, within(10000)));
    assert_true(head.kind == 77 && head.id == 8 && head.len == 0);
}

static void *write_large(void *context)
{
    struct pair *pair = context;
    char *body = malloc(WIRE_BODY_BYTES_MAX);

    memset(body, 'x', WIRE_BODY_BYTES_MAX);
    assert_true(wire_write(pair->ends[0], FETCH_MAIL, 1, (struct str){ body, WIRE_BODY_BYTES_MAX },
                           within(30000)));
    free(body);
    return NULL;
}

/* More than the socket holds at once. */
static void test_the_largest_frame_comes_through(void **state)
{
    struct pair *pair = *state;
    struct wire_head head;
    pthread_t writer;

    assert_int_equal(pthread_create(&writer, NULL, write_large, pair), 0);
    assert_true(wire_read(pair->ends[1], &head, pair->body, within(30000)));
    pthread_join(writer, NULL);
    assert_int_equal(head.len, WIRE_BODY_BYTES_MAX);
    assert_true(pair->body[0] == 'x' && pair->body[WIRE_BODY_BYTES_MAX - 1] == 'x');
}

static void test_larger_is_refused_unread(void **state)
{
    struct pair *pair = *state;
    unsigned char bytes[WIRE_HEAD_BYTES];
    struct buffer lie = buffer_over(bytes, sizeof(bytes));
    struct wire_head head;

    field_put_number(&lie, FETCH_RESULT);
    field_put_number(&lie, 1);
    field_put_number(&lie, WIRE_BODY_BYTES_MAX + 1);
    assert_int_equal(write(pair->ends[0], bytes, sizeof(bytes)), sizeof(bytes));
    assert_false(wire_read(pair->ends[1], &head, pair->body, within(10000)));
}

static void test_the_other_end_goes(void **state)
{
    struct pair *pair = *state;
    struct wire_head head;

    assert_int_equal(write(pair->ends[0], "half", 4), 4);
    shutdown(pair->ends[0], SHUT_RDWR);
    assert_false(wire_read(pair->ends[1], &head, pair->body, within(10000)));
    assert_false(wire_write(pair->ends[1], 1, 1, STR("x"), within(10000)));
}

static void test_waiting_ends_at_its_deadline(void **state)
{
    struct pair *pair = *state;
    int64_t begin_ms = clock_monotonic_ms();
    struct wire_head head;

    assert_false(wire_read(pair->ends[1], &head, pair->body, within(30)));
    assert_true(clock_monotonic_ms() - begin_ms >= 30);
}

/* Not at once: what is under way may end in the time that is left. */
static void test_stopping_shortens_the_wait(void **state)
{
    struct pair *pair = *state;
    int64_t begin_ms = clock_monotonic_ms();
    struct wire_wait wait = within((int64_t)600 * 1000);
    struct wire_head head;

    wait.stop_fd = eventfd(1, EFD_CLOEXEC);
    wait.stop_ms = 50;
    assert_false(wire_read(pair->ends[1], &head, pair->body, wait));
    assert_in_range(clock_monotonic_ms() - begin_ms, 50, 60 * 1000);
    assert_true(wire_write(pair->ends[0], 1, 1, STR("x"), wait));
    assert_true(wire_read(pair->ends[1], &head, pair->body, wait));
    close(wait.stop_fd);
}

static void test_codes_have_words(void **state)
{
    char memory[16];

    (void)state;
    assert_true(str_equal(fetch_code_format(451, memory), STR("451")));
    assert_true(str_equal(fetch_code_format(0, memory), STR("-")));
    assert_true(str_equal(fetch_code_format(TROUBLE_TLS, memory), STR("no trusted TLS")));
    for (int64_t code = TROUBLE_PROTOCOL; code < 0; code++)
        assert_true(fetch_code_format(code, memory).at[0] != '-');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_frame_comes_through, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_largest_frame_comes_through, setup, teardown),
        cmocka_unit_test_setup_teardown(test_larger_is_refused_unread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_other_end_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_ends_at_its_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopping_shortens_the_wait, setup, teardown),
        cmocka_unit_test(test_codes_have_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
