/*
 * oauth/registration.h: clients register themselves (RFC 7591; OpenID Connect Dynamic Client
 * Registration 1.0), and look after their registration (RFC 7592).
 *
 * What they may be is oauth/admission.h's to say, for a change as for a registration. The client_id
 * is a UUID of ours, so it is never an account's subject nor another's (JT-06). Secrets are ours,
 * and shown in the answer that makes them alone (CA-13). The registration access token is kept as a
 * digest; it stays the same until the client is deleted, as one that was rotated in an answer that
 * got lost would lock its client out. A client that an operator disabled cannot be managed.
 *
 * Answers of all: RC_OK · RC_REFUSED.  Faults: the store's. They block.
 */
#ifndef JETON_OAUTH_REGISTRATION_H
#define JETON_OAUTH_REGISTRATION_H

#include "oauth/admission.h"

/* The endpoint, below which each client has its own (RFC 7592 3). */
#define REGISTRATION_PATH "/oauth2/register"

/* What came in the Authorization header. */
struct registration_token {
    struct str value; /* empty: none came */
    bool is_dpop;
};

/* Registers a client; appends RFC 7591 3.2.1's answer. The token is an initial access token where
 * one is needed. */
enum rc registration_create(struct oauth_call *call, const struct registration_token *token,
                            struct str json, struct buffer *out_json) MUST_CHECK;

/* RFC 7592 2.1 to 2.3, each for whoever has the client's registration access token. Whatever is
 * wrong with token or client, the answer is the same invalid_token. */
enum rc registration_read(struct oauth_call *call, struct str client_id,
                          const struct registration_token *token,
                          struct buffer *out_json) MUST_CHECK;
/* Answers also: RC_NEEDS_HASH */
enum rc registration_update(struct oauth_call *call, struct str client_id,
                            const struct registration_token *token, struct str json,
                            struct buffer *out_json) MUST_CHECK;
enum rc registration_delete(struct oauth_call *call, struct str client_id,
                            const struct registration_token *token) MUST_CHECK;

#endif
