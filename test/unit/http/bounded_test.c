/* What is counted of addresses stays within its bounds, however many come (fault class 41). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../memory_use.h"
#include "crypto/digest.h"
#include "http/caps.h"

enum { CONNECTION_COUNT_MAX = 1000, SLACK_BYTES = 64 * 1024 };

static struct http_address network_of(uint64_t number)
{
    struct http_address address = { .bytes = { 0x20, 0x01 } };

    memcpy(address.bytes + 2, &number, 6); /* each in a network of its own */
    return address;
}

static void fc_41_addresses(void **state)
{
    struct caps *caps = caps_new(CONNECTION_COUNT_MAX, 1);
    size_t before = memory_in_use();

    (void)state;
    for (uint64_t i = 0; i < VALUE_COUNT; i++) {
        struct http_address come = network_of(i);

        if (i >= CONNECTION_COUNT_MAX) {
            struct http_address gone = network_of(i - CONNECTION_COUNT_MAX);

            caps_give_back(caps, &gone);
        }
        assert_true(caps_take(caps, &come));
        assert_false(caps_take(caps, &come));
    }
    assert_true(memory_in_use() < before + SLACK_BYTES);
    caps_free(caps);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(fc_41_addresses) };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
