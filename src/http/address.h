/*
 * http/address.h: who is at the other end, after the proxies that are trusted.
 *
 * X-Forwarded-For, or Forwarded (RFC 7239) when there is none of the former, is believed only when
 * it comes from a trusted peer, and read from the right: each trusted address hands on to the one
 * on its left. The first that is not trusted is the client. What is not an address ends the walk.
 */
#ifndef JETON_HTTP_ADDRESS_H
#define JETON_HTTP_ADDRESS_H

#include "http/http.h"

/* "192.0.2.1" or "2001:db8::1", without port or brackets. False when it is neither. */
bool address_parse(struct str text, struct http_address *out_address);

/* From a socket address of any family; what is neither IPv4 nor IPv6 is a Unix socket. */
struct http_address address_of(const struct sockaddr_storage *socket_address);

bool address_is_trusted(const struct http_address *address, const struct http_network *networks,
                        size_t network_count);

/*
 * Fills in request->client and is_from_trusted_proxy from request->peer and the headers.
 *
 * Source: RFC 7239 section 4 and 5.2
 */
void address_resolve_client(struct http_request *request, const struct http_network *networks,
                            size_t network_count);

#endif
