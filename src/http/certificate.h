/*
 * http/certificate.h: the certificate that a client showed, to us or to a proxy before us.
 *
 * For this room. What it is worth is decided elsewhere (crypto/certificate.h).
 */
#ifndef JETON_HTTP_CERTIFICATE_H
#define JETON_HTTP_CERTIFICATE_H

#include "http/connection.h"

/*
 * Fills in a request's certificate, after address_resolve_client. From a trusted proxy that is to
 * hand them on, its header alone counts, and not the certificate that the proxy itself may have; a
 * header that anybody else sends is not looked at (CA-09).
 *
 * Source: RFC 9440 2
 */
void certificate_resolve(const struct http_config *config, const struct connection *connection,
                         struct http_request *request);

#endif
