/* What is kept of names, addresses and secrets stays within its bounds (fault class 41). */
#include "fixture.h"

#include "../memory_use.h"
#include "account/secret_check.h"

enum { SLACK_BYTES = 8 << 20 /* the store's page caches */ };

/* Names and addresses, each try of which is still under way with the next. */
static void fc_41_throttle(void **state)
{
    struct fixture *fixture = *state;
    struct throttle_try before_it = { 0 };
    size_t before = 0;

    for (int i = 0; i < VALUE_COUNT; i++) {
        struct address from = { { 0x20, 0x01 } };
        struct throttle_try try;
        int64_t wait_s;
        char name[32];

        snprintf(name, sizeof(name), "name%d", i);
        memcpy(from.bytes + 2, &i, sizeof(i));
        assert_int_equal(
            throttle_begin(fixture->book, str_of(name), from.bytes, false, NOON, &try, &wait_s),
            RC_OK);
        if (i > 0)
            assert_int_equal(throttle_cancel(fixture->book, &before_it, NOON), RC_OK);
        else
            before = memory_in_use();
        before_it = try;
    }
    assert_int_equal(throttle_cancel(fixture->book, &before_it, NOON), RC_OK);
    assert_true(memory_in_use() < before + SLACK_BYTES);
}

/* A client has room for one secret that was right, and none for those that were wrong. */
static void fc_41_secrets(void **state)
{
    struct fixture *fixture = *state;
    struct secret_checker checker = { .memory_key = fixture->key,
                                      .stored_key = fixture->code_key,
                                      .cost = CHEAP };
    struct secret_memory memory = { 0 };
    size_t before = memory_in_use();

    for (int i = 0; i < VALUE_COUNT; i++) {
        struct secret presented;
        char text[32];

        snprintf(text, sizeof(text), "secret%d", i);
        presented = secret_of(text);
        assert_int_equal(secret_check(&checker, &presented, STR("$argon2id$x"), &memory, false),
                         RC_WOULD_BLOCK);
    }
    assert_int_equal(atomic_load(&memory.state), 0);
    assert_true(memory_in_use() < before + SLACK_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fc_41_throttle, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(fc_41_secrets, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
