/*
 * codec/network.h: IP addresses and networks as text.
 *
 * An address is 16 bytes: IPv6, or IPv4 mapped into it (::ffff:0:0/96), so that one comparison does
 * for both. A network is an address and how many of its leading bits count; an IPv4 network has 96
 * more than its text says.
 */
#ifndef JETON_CODEC_NETWORK_H
#define JETON_CODEC_NETWORK_H

#include "base/buffer.h"
#include "base/rc.h"

enum {
    NETWORK_ADDRESS_BYTES = 16,
    NETWORK_ADDRESS_TEXT_BYTES_MAX = 45, /* ffff:…:255.255.255.255 */
    NETWORK_TEXT_BYTES_MAX = NETWORK_ADDRESS_TEXT_BYTES_MAX + 4
};

struct network {
    unsigned char bytes[NETWORK_ADDRESS_BYTES];
    unsigned prefix_bits; /* of 128; what is behind them is zero */
};

/* "192.0.2.1" or "2001:db8::1", without port, brackets or zone. False when it is neither. */
bool network_parse_address(struct str text, unsigned char out_bytes[static NETWORK_ADDRESS_BYTES]);

/* Appends it in its shortest form; what is mapped as IPv4. */
void network_format_address(const unsigned char bytes[static NETWORK_ADDRESS_BYTES],
                            struct buffer *out_text);

/*
 * Parses "10.0.0.0/8", "2001:db8::/32", or a single address.
 *
 * Answers: RC_OK · RC_INVALID not a network, or "::/0" · RC_REFUSED bits are set behind the prefix,
 * which is more likely a mistake than a network: out_network is then the network without them
 */
enum rc network_parse(struct str text, struct network *out_network) MUST_CHECK;

/* Appends it as network_parse reads it; a single address without its prefix. */
void network_format(const struct network *network, struct buffer *out_text);

/* Whether an address begins with the network's bits. */
bool network_has(const struct network *network,
                 const unsigned char address[static NETWORK_ADDRESS_BYTES]);

#endif
