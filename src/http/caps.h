/*
 * http/caps.h: how many connections each address has.
 *
 * An IPv6 client owns a whole /64, so that is what is counted. Unix sockets are not counted.
 * Touched when a connection begins and ends, never by a request. Safe from any thread.
 */
#ifndef JETON_HTTP_CAPS_H
#define JETON_HTTP_CAPS_H

#include "http/http.h"

struct caps;

/* connection_count_max: of the whole server; no more addresses than that can be counted at once. */
struct caps *caps_new(unsigned connection_count_max, unsigned per_address_max);

void caps_free(struct caps *caps);

/* Counts one connection more; false, and nothing counted, when the address has its share. */
bool caps_take(struct caps *caps, const struct http_address *address);

/* One connection less, of an address that caps_take counted. */
void caps_give_back(struct caps *caps, const struct http_address *address);

#endif
