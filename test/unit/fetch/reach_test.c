/* HT-08: which addresses may be asked for documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fetch/reach.h"

static bool allows(const char *networks, const char *address)
{
    unsigned char bytes[NETWORK_ADDRESS_BYTES];
    struct reach reach;

    assert_int_equal(reach_parse(str_of(networks), &reach), RC_OK);
    assert_true(network_parse_address(str_of(address), bytes));
    return reach_allows(&reach, bytes);
}

static void test_ht_08_closed_networks(void **state)
{
    static const char *const closed[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.9.9",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::",
        "::1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
        if (allows("", closed[i]))
            fail_msg("%s may be asked", closed[i]);
}

static void test_the_world_is_open(void **state)
{
    static const char *const open[] = { "1.1.1.1",        "9.255.255.255", "11.0.0.0",
                                        "100.63.255.255", "100.128.0.0",   "172.15.0.1",
                                        "172.32.0.1",     "192.167.0.1",   "223.255.255.255",
                                        "2606:4700::1",   "2a00:1450::1",  "2001:4860:4860::8888" };

    (void)state;
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        if (!allows("", open[i]))
            fail_msg("%s may not be asked", open[i]);
}

static void test_exceptions(void **state)
{
    const char *networks = "10.1.0.0/16 127.0.0.1 fd00:1::/32";
    struct reach reach;

    (void)state;
    assert_true(allows(networks, "10.1.2.3"));
    assert_true(allows(networks, "127.0.0.1"));
    assert_true(allows(networks, "fd00:1::7"));
    assert_false(allows(networks, "10.2.0.1"));
    assert_false(allows(networks, "127.0.0.2"));
    assert_false(allows(networks, "::1"));
    assert_false(allows(networks, "fd00:2::7"));
    assert_int_equal(reach_parse(STR("10.1.0.0/16 nonsense"), &reach), RC_INVALID);
    assert_int_equal(reach_parse(STR("10.1.0.1/16"), &reach), RC_INVALID);
    assert_int_equal(reach_parse(STR("::/0"), &reach), RC_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ht_08_closed_networks),
        cmocka_unit_test(test_the_world_is_open),
        cmocka_unit_test(test_exceptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
