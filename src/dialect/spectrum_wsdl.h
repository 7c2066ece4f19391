/*
 * dialect/spectrum_wsdl.h: the names of Spectrum's SOAP services and their descriptions (WSDL 1.1).
 * For this room only.
 */
#ifndef JETON_DIALECT_SPECTRUM_WSDL_H
#define JETON_DIALECT_SPECTRUM_WSDL_H

#include "dialect/dialect.h"

enum spectrum_service { SPECTRUM_TOKEN_MANAGER, SPECTRUM_TOKEN_LOGOUT, SPECTRUM_SERVICE_COUNT };

/* The path of a service, behind the dialect's prefix. */
extern const struct str spectrum_service_paths[SPECTRUM_SERVICE_COUNT];

/* The namespaces, by their choice in the settings. Older servers have NAMESPACE_PB. */
enum { NAMESPACE_COUNT = 2 };
extern const struct str spectrum_namespaces[NAMESPACE_COUNT];

#define SPECTRUM_EXPIRING_OPERATION "getAccessExpiringToken"
#define SPECTRUM_ENDLESS_OPERATION  "getAccessToken"
#define SPECTRUM_LOGOUT_OPERATION   "logout"
#define SPECTRUM_LIFE_FIELD         "tokenLifeInMinutes"

/* Whether the query has the key, in any case, with any value or none. */
bool spectrum_query_has(struct str query, struct str key, struct str *out_value);

/*
 * Appends the WSDL of a service: document/literal wrapped, SOAP 1.1 over HTTP, with the names that
 * a JAX-WS server gives. Its target namespace is the settings' one; it imports the same service of
 * the other namespace (query ns=…), so that clients of older and newer servers both find theirs. A
 * document that was asked for by namespace imports nothing.
 *
 * query   of the request
 */
void spectrum_wsdl_format(const struct dialect_call *call, enum spectrum_service service,
                          struct str query, struct buffer *out_xml);

#endif
