/*
 * oauth/authorization_parts.h: what the files share that read and judge a request for authorization
 * (oauth/authorization.h). For these alone.
 */
#ifndef JETON_OAUTH_AUTHORIZATION_PARTS_H
#define JETON_OAUTH_AUTHORIZATION_PARTS_H

#include "oauth/authorization.h"

/* A request on its way through the checks. */
struct authorization_reading {
    struct oauth_call *call;
    const struct form *parameters; /* those that count, wherever they came from */
    bool is_push;                  /* of a client that has authenticated: nobody is redirected */
    bool is_from_push;
    bool is_signed; /* they came in a request object */
    struct authorization_request request;
    bool can_redirect;
};

/* The value of a parameter; NULL where it was not sent or is empty (RFC 6749 3.1). */
const struct str *authorization_parameter(const struct form *parameters, struct str name);

/*
 * Reads a request of a client that is known: reading->request.client is set, and held by the
 * caller.
 *
 * Answers: RC_OK · RC_REFUSED · RC_WOULD_BLOCK.  Faults: the store's
 */
enum rc authorization_read_known(struct authorization_reading *reading) MUST_CHECK;

/*
 * Judges the parameters, wherever they came from; metadata and the redirect URI are known.
 *
 * Answers: RC_OK · RC_REFUSED · RC_WOULD_BLOCK.  Faults: the store's
 */
enum rc authorization_judge(struct authorization_reading *reading) MUST_CHECK;

/* Finds where the answer is to go, and how: before anything else, as errors go there too. */
enum rc authorization_judge_target(struct authorization_reading *reading) MUST_CHECK;

/*
 * Opens a request object: its parameters take the place of all others (RFC 9101 6.3).
 *
 * out_parameters  in the arena
 *
 * Answers: RC_OK · RC_REFUSED invalid_request_object, request_not_supported · RC_WOULD_BLOCK
 * Source:  RFC 9101 4, 6; FAPI 2.0 Message Signing 5.3.1
 */
enum rc request_object_open(struct oauth_call *call, const struct client *client,
                            const struct client_metadata *metadata, struct str jwt,
                            const struct form **out_parameters) MUST_CHECK;

/*
 * Finds the parameters of a pushed request by its request_uri.
 *
 * Answers: RC_OK · RC_REFUSED invalid_request_uri, request_uri_not_supported · RC_WOULD_BLOCK
 * Source:  RFC 9126 4
 */
enum rc pushed_request_open(struct oauth_call *call, const struct client *client, struct str uri,
                            const struct form **out_parameters, int64_t *out_id) MUST_CHECK;

/*
 * Judges the parameter claims: an object of objects (OpenID Connect Core 5.5), and takes from it
 * what the request has a place for: acr, and sub of the ID token. Of a person a client is told only
 * what belongs to a scope word that it is registered for; such a word is added to what the person
 * is asked to allow. Anything else is left out, as of what we do not know (5.5.1).
 *
 * Answers: RC_OK · RC_REFUSED invalid_request
 */
enum rc claims_read(struct oauth_call *call, struct str text,
                    struct authorization_request *request) MUST_CHECK;

/* A SHA-256 thumbprint as base64url (RFC 7638; RFC 9449 10); RC_INVALID. */
enum rc thumbprint_decode(struct str text,
                          unsigned char out_thumbprint[static DIGEST_BYTES]) MUST_CHECK;

#endif
