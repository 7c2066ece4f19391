/* Networks, and the client behind trusted proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/address.h"

static struct http_network network_of(const char *text)
{
    struct http_network network;

    assert_int_equal(http_network_parse(str_of(text), &network), RC_OK);
    return network;
}

static struct http_address address_of_text(const char *text)
{
    struct http_address address = { .is_unix = true };

    if (strcmp(text, "unix") != 0)
        assert_true(address_parse(str_of(text), &address));
    return address;
}

static void assert_formats(const struct http_address *address, const char *expected)
{
    char text[HTTP_ADDRESS_TEXT_BYTES];
    struct str formatted = http_address_format(address, text);

    if (!str_equal(formatted, str_of(expected)))
        print_error("%.*s instead of %s\n", STR_ARGS(formatted), expected);
    assert_true(str_equal(formatted, str_of(expected)));
}

static void test_networks(void **state)
{
    static const char *const REFUSED[] = {
        "",      "10.0.0.0/33",    "10.0.0.0/",      "10.0.0.0/-1", "10.0.0/8",     "10.0.0.1/8",
        "::/0",  "2001:db8::/129", "2001:db8::1/32", "a.example",   "10.0.0.0/8/8", "unix/8",
        "[::1]", " 10.0.0.0/8",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
        struct http_network network;

        if (http_network_parse(str_of(REFUSED[i]), &network) != RC_INVALID)
            fail_msg("%s was taken", REFUSED[i]);
    }
    assert_int_equal(network_of("10.0.0.0/8").prefix_bits, 104);
    assert_int_equal(network_of("192.0.2.7").prefix_bits, 128);
    assert_int_equal(network_of("2001:db8::/32").prefix_bits, 32);
    assert_int_equal(network_of("unix").prefix_bits, 0);
    assert_int_equal(network_of("0.0.0.0/0").prefix_bits, 96);
}

static void test_trust(void **state)
{
    static const struct {
        const char *network;
        const char *address;
        bool is_trusted;
    } CASES[] = {
        { "10.0.0.0/8", "10.255.0.1", true },
        { "10.0.0.0/8", "11.0.0.1", false },
        { "10.0.0.0/9", "10.127.0.1", true },
        { "10.0.0.0/9", "10.128.0.1", false },
        { "192.0.2.7", "192.0.2.7", true },
        { "192.0.2.7", "192.0.2.6", false },
        { "2001:db8::/33", "2001:db8::1", true },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "0.0.0.0/0", "203.0.113.9", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "unix", "unix", true },
        { "unix", "::", false },
        { "127.0.0.0/8", "unix", false },
        { "127.0.0.0/8", "::ffff:127.0.0.1", true },
        { "::1", "127.0.0.1", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct http_network network = network_of(CASES[i].network);
        struct http_address address = address_of_text(CASES[i].address);

        if (address_is_trusted(&address, &network, 1) != CASES[i].is_trusted)
            fail_msg("%s in %s", CASES[i].address, CASES[i].network);
    }
}

struct walk {
    const char *peer;
    const char *headers[6]; /* name, value, … */
    const char *client;
    bool is_from_proxy;
};

/* RFC 7239 4; RFC 7239 5.2; RFC 9110 5.3: from the right, as far as trust goes. */
static const struct walk WALKS[] = {
    { "203.0.113.5", { NULL }, "203.0.113.5", false },
    { "203.0.113.5", { "X-Forwarded-For", "192.0.2.1" }, "203.0.113.5", false },
    { "203.0.113.5", { "Forwarded", "for=192.0.2.1" }, "203.0.113.5", false },
    { "10.0.0.1", { NULL }, "10.0.0.1", true },
    { "10.0.0.1", { "X-Forwarded-For", "192.0.2.1" }, "192.0.2.1", true },
    { "10.0.0.1", { "x-forwarded-for", "198.51.100.9, 192.0.2.1" }, "192.0.2.1", true },
    { "10.0.0.1", { "X-Forwarded-For", "198.51.100.9, 192.0.2.1, 10.2.3.4" }, "192.0.2.1", true },
    { "10.0.0.1", { "X-Forwarded-For", "10.9.9.9,10.2.3.4" }, "10.9.9.9", true },
    { "10.0.0.1",
      { "X-Forwarded-For", "198.51.100.9", "X-Forwarded-For", "192.0.2.1,10.2.3.4" },
      "192.0.2.1",
      true },
    { "10.0.0.1",
      { "X-Forwarded-For", "192.0.2.1", "X-Forwarded-For", "10.2.3.4" },
      "192.0.2.1",
      true },
    { "10.0.0.1", { "X-Forwarded-For", "192.0.2.1, junk" }, "10.0.0.1", true },
    { "10.0.0.1", { "X-Forwarded-For", "192.0.2.1, junk, 10.2.3.4" }, "10.2.3.4", true },
    { "10.0.0.1", { "X-Forwarded-For", "192.0.2.1," }, "10.0.0.1", true },
    { "10.0.0.1", { "X-Forwarded-For", "unknown" }, "10.0.0.1", true },
    { "10.0.0.1", { "X-Forwarded-For", "192.0.2.1:4711" }, "192.0.2.1", true },
    { "10.0.0.1", { "X-Forwarded-For", "192.0.2.1:x" }, "10.0.0.1", true },
    { "10.0.0.1", { "X-Forwarded-For", "[2001:db8::1]:4711" }, "2001:db8::1", true },
    { "10.0.0.1", { "X-Forwarded-For", "[2001:db8::1" }, "10.0.0.1", true },
    { "10.0.0.1", { "X-Forwarded-For", "2001:db8::1" }, "2001:db8::1", true },
    { "2001:db8:1::1", { "X-Forwarded-For", "2001:db8::1" }, "2001:db8::1", true },
    { "unix", { "X-Forwarded-For", "192.0.2.1" }, "192.0.2.1", true },
    { "10.0.0.1", { "Forwarded", "for=192.0.2.1;proto=https;by=10.0.0.1" }, "192.0.2.1", true },
    { "10.0.0.1", { "Forwarded", "proto=https; For=\"192.0.2.1:80\"" }, "192.0.2.1", true },
    { "10.0.0.1", { "Forwarded", "for=\"[2001:db8::1]:4711\"" }, "2001:db8::1", true },
    { "10.0.0.1", { "Forwarded", "for=198.51.100.9, for=192.0.2.1" }, "192.0.2.1", true },
    { "10.0.0.1", { "Forwarded", "for=192.0.2.1;host=\"a,b\", for=10.1.1.1" }, "192.0.2.1", true },
    { "10.0.0.1", { "Forwarded", "for=_hidden" }, "10.0.0.1", true },
    { "10.0.0.1", { "Forwarded", "proto=https" }, "10.0.0.1", true },
    /* The two names are not mixed: a client could bring the other one along. */
    { "10.0.0.1",
      { "Forwarded", "for=198.51.100.9", "X-Forwarded-For", "192.0.2.1" },
      "192.0.2.1",
      true },
};

static void test_walks(void **state)
{
    const struct http_network networks[] = { network_of("10.0.0.0/8"),
                                             network_of("2001:db8:1::/48"), network_of("unix") };

    (void)state;
    for (size_t i = 0; i < sizeof(WALKS) / sizeof(WALKS[0]); i++) {
        struct http_request request = { .peer = address_of_text(WALKS[i].peer) };

        for (size_t at = 0; at < 6 && WALKS[i].headers[at] != NULL; at += 2)
            request.headers[request.header_count++] =
                (struct http_header){ str_of(WALKS[i].headers[at]),
                                      str_of(WALKS[i].headers[at + 1]) };
        address_resolve_client(&request, networks, 3);
        assert_formats(&request.client, WALKS[i].client);
        assert_int_equal(request.is_from_trusted_proxy, WALKS[i].is_from_proxy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_walks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
