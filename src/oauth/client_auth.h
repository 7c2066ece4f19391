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
    const struct str *assertion_type; /* RFC 7521 4.2 */
    const struct str *assertion;      /* a JWT: longer than a struct secret may be */
};

enum { CLIENT_ASSERTION_LIFE_S_MAX = 3600, CLIENT_ASSERTION_SKEW_S = 10 };

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

/* The same where nobody is answered who names no client: RC_REFUSED invalid_client in the place of
 * RC_NOT_FOUND. */
enum rc client_require(struct oauth_call *call, const struct client_credentials *credentials,
                       struct catalog_client **out_client) MUST_CHECK;

/*
 * At the end of an endpoint that authenticated a client: puts its assertion on record, unless a
 * commit of the call did (oauth_commit). Passes on what the endpoint decided, or refuses.
 *
 * rc   RC_OK, RC_REFUSED or anything else, which is passed on as it is
 */
enum rc client_auth_finish(struct oauth_call *call, enum rc rc) MUST_CHECK;

/* ---- between the files of client authentication ---------------------------------------------- */

/*
 * Who an assertion says that it is from: its sub, still to be proven (RFC 7523 3). In the arena.
 * RC_OK, or RC_INVALID.
 */
enum rc client_assertion_read(struct oauth_call *call, struct str assertion,
                              struct str *out_client_id) MUST_CHECK;

/*
 * Checks an assertion in full (CA-06), and remembers that it has to go on record.
 *
 * out_why  for the log, with RC_REFUSED; no refusal is set
 *
 * Answers: RC_OK · RC_REFUSED · RC_WOULD_BLOCK.  Faults: the store's
 * Source:  RFC 7523 section 3; FAPI 2.0 Security Profile 5.3.2.1
 */
enum rc client_assertion_check(struct oauth_call *call, const struct client *client,
                               struct str assertion, const char **out_why) MUST_CHECK;

/* A client's assertion that it acts for somebody (RFC 7523 2.1). */
struct client_grant_assertion {
    struct str subject;                 /* in the arena */
    unsigned char digest[DIGEST_BYTES]; /* with until, for store_insert_seen: it is good once */
    int64_t until;
};

/*
 * Checks an assertion of the grant jwt-bearer in the same way, but for its subject, who is the
 * caller's to find.
 *
 * out_why  for the log, with RC_REFUSED; no refusal is set
 *
 * Answers: RC_OK · RC_REFUSED · RC_WOULD_BLOCK.  Faults: the store's
 * Source:  RFC 7523 section 3
 */
enum rc client_assertion_check_grant(struct oauth_call *call, const struct client *client,
                                     struct str assertion,
                                     struct client_grant_assertion *out_assertion,
                                     const char **out_why) MUST_CHECK;

/*
 * Checks the certificate that the request brings against what the client is registered with, for
 * the two methods of RFC 8705 2 (CA-09, MT-02). Answers: as client_assertion_check.
 */
enum rc client_certificate_check(struct oauth_call *call, const struct client *client,
                                 const char **out_why) MUST_CHECK;

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
