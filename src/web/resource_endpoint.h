/*
 * web/resource_endpoint.h: what is published of a service (RFC 9728). For the web room alone.
 *
 * The document of a service stands here, below a path with its id, as services have no documents
 * of their own here; challenges name it. A service's resource identifier is its id where that is a
 * URI, else "https://" and the id: what the parameter resource takes (RFC 8707).
 */
#ifndef JETON_WEB_RESOURCE_ENDPOINT_H
#define JETON_WEB_RESOURCE_ENDPOINT_H

#include "web/endpoint.h"

#define PROTECTED_RESOURCE_PATH "/.well-known/oauth-protected-resource/"

endpoint_handler protected_resource_endpoint;

#endif
