#include "fetch/reach.h"

/* What is not to be reached in IPv4, as the special-purpose registry has it. */
static const struct {
    unsigned char bytes[4];
    unsigned prefix_bits;
} closed4[] = {
    { { 0, 0, 0, 0 }, 8 },       /* this network                      */
    { { 10, 0, 0, 0 }, 8 },      /* private (RFC 1918)                */
    { { 100, 64, 0, 0 }, 10 },   /* of carriers (RFC 6598)            */
    { { 127, 0, 0, 0 }, 8 },     /* loopback                          */
    { { 169, 254, 0, 0 }, 16 },  /* link-local; clouds' metadata      */
    { { 172, 16, 0, 0 }, 12 },   /* private                           */
    { { 192, 0, 0, 0 }, 24 },    /* protocol assignments              */
    { { 192, 0, 2, 0 }, 24 },    /* documentation                     */
    { { 192, 88, 99, 0 }, 24 },  /* 6to4 relays                       */
    { { 192, 168, 0, 0 }, 16 },  /* private                           */
    { { 198, 18, 0, 0 }, 15 },   /* benchmarks                        */
    { { 198, 51, 100, 0 }, 24 }, /* documentation                     */
    { { 203, 0, 113, 0 }, 24 },  /* documentation                     */
    { { 224, 0, 0, 0 }, 3 },     /* multicast, reserved and broadcast */
};

/* Of IPv6 only global unicast is open at all, and of that not these. */
static const struct network open6 = { { 0x20 }, 3 };
static const struct network closed6[] = {
    { { 0x20, 0x01 }, 23 },             /* protocol assignments: Teredo, ORCHID, and more */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 },             /* 6to4: an IPv4 address is inside */
    { { 0x3f, 0xff }, 20 },             /* documentation */
};

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

enum rc reach_parse(struct str networks, struct reach *out_reach)
{
    struct reach reach = { .network_count = 0 };
    struct str word;

    while (str_next_word(&networks, &word)) {
        if (reach.network_count == REACH_NETWORK_COUNT_MAX ||
            network_parse(word, &reach.networks[reach.network_count]) != RC_OK)
            return RC_INVALID;
        reach.network_count++;
    }
    *out_reach = reach;
    return RC_OK;
}

static bool is_open4(const unsigned char address[static NETWORK_ADDRESS_BYTES])
{
    for (size_t i = 0; i < sizeof(closed4) / sizeof(closed4[0]); i++) {
        struct network network = { .prefix_bits = 96 + closed4[i].prefix_bits };

        memcpy(network.bytes, mapped, sizeof(mapped));
        memcpy(network.bytes + sizeof(mapped), closed4[i].bytes, 4);
        if (network_has(&network, address))
            return false;
    }
    return true;
}

static bool is_open6(const unsigned char address[static NETWORK_ADDRESS_BYTES])
{
    for (size_t i = 0; i < sizeof(closed6) / sizeof(closed6[0]); i++)
        if (network_has(&closed6[i], address))
            return false;
    return network_has(&open6, address);
}

bool reach_allows(const struct reach *reach,
                  const unsigned char address[static NETWORK_ADDRESS_BYTES])
{
    struct str front = { (const char *)address, sizeof(mapped) };

    for (size_t i = 0; i < reach->network_count; i++)
        if (network_has(&reach->networks[i], address))
            return true;
    return str_equal(front, (struct str){ (const char *)mapped, sizeof(mapped) })
               ? is_open4(address)
               : is_open6(address);
}
