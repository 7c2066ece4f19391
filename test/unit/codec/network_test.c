/* Addresses and networks as text, and which address is in which network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/network.h"

static struct network network_of(const char *text, enum rc expected)
{
    struct network network = { .prefix_bits = 999 };
    enum rc rc = network_parse(str_of(text), &network);

    if (rc != expected)
        fail_msg("%s: %d instead of %d", text, (int)rc, (int)expected);
    return network;
}

static void assert_text(const struct network *network, const char *expected)
{
    char bytes[NETWORK_TEXT_BYTES_MAX];
    struct buffer text = buffer_over(bytes, sizeof(bytes));

    network_format(network, &text);
    assert_false(text.overflow);
    if (!str_equal(buffer_str(&text), str_of(expected)))
        fail_msg("%.*s instead of %s", STR_ARGS(buffer_str(&text)), expected);
}

/* However it is written, a network has one text, and that text is the same network. */
static void test_one_text_for_a_network(void **state)
{
    static const struct {
        const char *written;
        const char *text;
        unsigned bits;
    } cases[] = {
        { "10.0.0.0/8", "10.0.0.0/8", 104 },
        { "192.0.2.7", "192.0.2.7", 128 },
        { "192.0.2.7/32", "192.0.2.7", 128 },
        { "0.0.0.0/0", "0.0.0.0/0", 96 },
        { "::ffff:10.0.0.0/104", "10.0.0.0/8", 104 },
        { "::FFFF:192.0.2.7", "192.0.2.7", 128 },
        { "2001:DB8:0:0::/32", "2001:db8::/32", 32 },
        { "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1", 128 },
        { "2001:db8::1/128", "2001:db8::1", 128 },
        { "::1", "::1", 128 },
        { "8000::/1", "8000::/1", 1 },
        { "::/90", "::/90", 90 },
        { "::ffff:0.0.0.0/96", "0.0.0.0/0", 96 },
        { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct network network = network_of(cases[i].written, RC_OK);
        struct network again = network_of(cases[i].text, RC_OK);

        assert_int_equal(network.prefix_bits, cases[i].bits);
        assert_text(&network, cases[i].text);
        assert_int_equal(again.prefix_bits, network.prefix_bits);
        assert_memory_equal(again.bytes, network.bytes, sizeof(network.bytes));
    }
}

static void test_what_is_no_network(void **state)
{
    static const char *const malformed[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0/8",
        "10.0.0.0 /8",
        "10.0.0.0/8 ",
        " 10.0.0.0",
        "010.0.0.1",
        "10.0.0.0/8/8",
        "1.2.3",
        "1.2.3.4.5",
        "256.0.0.1",
        "::/0",
        "2001:db8::/129",
        "[::1]",
        ":::",
        "fe80::1%lo",
        "1:2:3:4:5:6:7",
        "a.example",
        "unix",
        "10.0.0.0\n",
        "::ffff:10.0.0.0/8/",
        "10.0.0.0/99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        struct network network = network_of(malformed[i], RC_INVALID);

        assert_int_equal(network.prefix_bits, 999); /* untouched */
    }
    assert_int_equal(network_parse(STR("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"),
                                   &(struct network){ 0 }),
                     RC_INVALID);
    assert_int_equal(network_parse((struct str){ "10.0.0.1\0", 9 }, &(struct network){ 0 }),
                     RC_INVALID);
}

/* A mistake is told from nonsense: it comes with what may be meant. */
static void test_bits_behind_the_prefix(void **state)
{
    static const struct {
        const char *written;
        const char *meant;
    } cases[] = {
        { "10.0.0.1/8", "10.0.0.0/8" },
        { "192.0.2.129/25", "192.0.2.128/25" },
        { "2001:db8::1/32", "2001:db8::/32" },
        { "1.2.3.4/0", "0.0.0.0/0" },
        { "::ffff:10.0.0.0/90", "::ffc0:0:0/90" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct network network = network_of(cases[i].written, RC_REFUSED);

        assert_text(&network, cases[i].meant);
    }
}

/* Every prefix length: the last bit that counts decides, the first that does not, does not. */
static void test_every_prefix(void **state)
{
    unsigned char address[16];
    struct network network;

    (void)state;
    memset(address, 0xa5, sizeof(address));
    for (unsigned bits = 1; bits <= 128; bits++) {
        unsigned char other[16];

        memset(&network, 0, sizeof(network));
        network.prefix_bits = bits;
        for (unsigned bit = 0; bit < bits; bit++)
            network.bytes[bit / 8] |= (unsigned char)(address[bit / 8] & 0x80 >> bit % 8);
        assert_true(network_has(&network, address));
        memcpy(other, address, sizeof(other));
        other[(bits - 1) / 8] ^= (unsigned char)(0x80 >> (bits - 1) % 8);
        assert_false(network_has(&network, other));
        if (bits == 128)
            continue;
        memcpy(other, address, sizeof(other));
        other[bits / 8] ^= (unsigned char)(0x80 >> bits % 8);
        assert_true(network_has(&network, other));
    }
}

/* IPv4 has a place of its own: no IPv6 address is in an IPv4 network. */
static void test_families_do_not_meet(void **state)
{
    struct network all_v4 = network_of("0.0.0.0/0", RC_OK);
    struct network v6 = network_of("2001:db8::/32", RC_OK);
    unsigned char v4_address[16];
    unsigned char v6_address[16];
    unsigned char compatible[16];

    (void)state;
    assert_true(network_parse_address(STR("203.0.113.9"), v4_address));
    assert_true(network_parse_address(STR("2001:db8::9"), v6_address));
    assert_true(network_parse_address(STR("::203.0.113.9"), compatible));
    assert_true(network_has(&all_v4, v4_address));
    assert_false(network_has(&all_v4, v6_address));
    assert_false(network_has(&all_v4, compatible));
    assert_true(network_has(&v6, v6_address));
    assert_false(network_has(&v6, v4_address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_text_for_a_network), cmocka_unit_test(test_what_is_no_network),
        cmocka_unit_test(test_bits_behind_the_prefix), cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_families_do_not_meet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
