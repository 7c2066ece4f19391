/*
 * oauth/client_auth.h: client authentication (RFC 6749 2.3), and that of services.
 */
#ifndef JETON_OAUTH_CLIENT_AUTH_H
#define JETON_OAUTH_CLIENT_AUTH_H

#include "oauth/oauth.h"

/* What a request carried. Secrets live in the arena. */
struct client_credentials {
    bool has_basic;
    struct str basic_id;
    const struct secret *basic_secret;
    bool has_body_id;
    struct str body_id;
    const struct secret *body_secret; /* NULL when the parameter was not sent */
};

/*
 * Authenticates the client, or identifies a public one.
 *
 * out_client  held: catalog_client_put
 *
 * Answers: RC_OK · RC_NOT_FOUND the request names no client at all · RC_REFUSED invalid_client or
 * invalid_request · RC_WOULD_BLOCK · RC_NEEDS_HASH.  Faults: store, RC_CRYPTO
 */
enum rc client_authenticate(struct oauth_call *call, const struct client_credentials *credentials,
                            struct catalog_client **out_client) MUST_CHECK;

/* A caller of introspection: a service, or a confidential client. Exactly one is set. */
struct caller {
    struct catalog_service *service;
    struct catalog_client *client;
};

/* The same answers, but that no credentials are refused with invalid_client. */
enum rc caller_authenticate(struct oauth_call *call, const struct client_credentials *credentials,
                            struct caller *out_caller) MUST_CHECK;
void caller_put(struct caller *caller);

#endif
