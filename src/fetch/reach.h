/*
 * fetch/reach.h: which addresses a document may be fetched from (HT-08).
 *
 * Clients choose the URLs, so that a fetch must not reach what only this machine or its network
 * can: loopback, private and link-local networks, those of carriers, tests and relays, multicast,
 * and IPv6 that leads into IPv4. The operator may name networks that are an exception.
 */
#ifndef JETON_FETCH_REACH_H
#define JETON_FETCH_REACH_H

#include "codec/network.h"

enum { REACH_NETWORK_COUNT_MAX = 16 };

/* The networks of a setting. */
struct reach {
    struct network networks[REACH_NETWORK_COUNT_MAX];
    size_t network_count;
};

/* Reads networks with spaces between them. RC_OK, or RC_INVALID. */
enum rc reach_parse(struct str networks, struct reach *out_reach) MUST_CHECK;

/* Whether an address may be asked. Source: RFC 6890; the IANA special-purpose registries */
bool reach_allows(const struct reach *reach,
                  const unsigned char address[static NETWORK_ADDRESS_BYTES]);

#endif
