#include "codec/network.h"

#include <arpa/inet.h>

enum { ADDRESS_BITS = 8 * NETWORK_ADDRESS_BYTES, IPV4_START = 12, IPV4_PREFIX_BITS = 96 };

_Static_assert((int)NETWORK_ADDRESS_TEXT_BYTES_MAX == (int)INET6_ADDRSTRLEN - 1, "as inet_ntop");

static const unsigned char mapped[IPV4_START] = { [10] = 0xff, [11] = 0xff };

static bool is_ipv4(const unsigned char bytes[static NETWORK_ADDRESS_BYTES])
{
    return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

bool network_parse_address(struct str text, unsigned char out_bytes[static NETWORK_ADDRESS_BYTES])
{
    unsigned char bytes[NETWORK_ADDRESS_BYTES];
    char copy[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof(copy) || str_has_control(text))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, bytes + IPV4_START) == 1)
        memcpy(bytes, mapped, sizeof(mapped));
    else if (inet_pton(AF_INET6, copy, bytes) != 1)
        return false;
    memcpy(out_bytes, bytes, sizeof(bytes));
    return true;
}

void network_format_address(const unsigned char bytes[static NETWORK_ADDRESS_BYTES],
                            struct buffer *out_text)
{
    char text[INET6_ADDRSTRLEN];

    if (!is_ipv4(bytes)) {
        ASSERT(inet_ntop(AF_INET6, bytes, text, sizeof(text)) != NULL);
        buffer_append_str(out_text, str_of(text));
        return;
    }
    /* By hand: inet_ntop goes through sprintf, and a log line is written for every token. */
    for (size_t i = IPV4_START; i < NETWORK_ADDRESS_BYTES; i++) {
        if (i > IPV4_START)
            buffer_append_byte(out_text, '.');
        buffer_append_u64(out_text, bytes[i]);
    }
}

/* Clears what stands behind the prefix; true: there was something. */
static bool clear_host_bits(struct network *network)
{
    bool was_set = false;

    for (unsigned bit = network->prefix_bits; bit < ADDRESS_BITS; bit++) {
        unsigned char mask = (unsigned char)(0x80 >> bit % 8);

        was_set = was_set || (network->bytes[bit / 8] & mask) != 0;
        network->bytes[bit / 8] &= (unsigned char)~mask;
    }
    return was_set;
}

enum rc network_parse(struct str text, struct network *out_network)
{
    size_t slash = str_index_of(text, '/');
    struct str address = { text.at, slash };
    struct network network;
    uint64_t bits = ADDRESS_BITS;
    bool has_host_bits;

    if (!network_parse_address(address, network.bytes))
        return RC_INVALID;
    if (slash < text.len) {
        bool is_v4 = str_index_of(address, ':') == slash;

        if (!str_parse_u64(str_from(text, slash + 1), is_v4 ? 32 : ADDRESS_BITS, &bits))
            return RC_INVALID;
        bits += is_v4 ? IPV4_PREFIX_BITS : 0;
    }
    /* Every address there is: nobody who writes a network means that. */
    if (bits == 0)
        return RC_INVALID;
    network.prefix_bits = (unsigned)bits;
    has_host_bits = clear_host_bits(&network);
    *out_network = network;
    return has_host_bits ? RC_REFUSED : RC_OK;
}

void network_format(const struct network *network, struct buffer *out_text)
{
    bool is_v4 = is_ipv4(network->bytes) && network->prefix_bits >= IPV4_PREFIX_BITS;

    network_format_address(network->bytes, out_text);
    if (network->prefix_bits == ADDRESS_BITS)
        return;
    buffer_append_byte(out_text, '/');
    buffer_append_u64(out_text, network->prefix_bits - (is_v4 ? IPV4_PREFIX_BITS : 0));
}

bool network_has(const struct network *network,
                 const unsigned char address[static NETWORK_ADDRESS_BYTES])
{
    size_t whole_bytes = network->prefix_bits / 8;
    unsigned rest = network->prefix_bits % 8;

    ASSERT(network->prefix_bits <= ADDRESS_BITS);
    if (memcmp(network->bytes, address, whole_bytes) != 0)
        return false;
    return rest == 0 || (network->bytes[whole_bytes] ^ address[whole_bytes]) >> (8 - rest) == 0;
}
