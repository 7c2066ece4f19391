/*
 * oauth/grant_token_exchange.h: the parameters of a token exchange (RFC 8693 2.1).
 *
 * A token is given for another one: for other services, for a part of the scope, and for less long,
 * never for more (TX-02). It is off by default: a client needs the grant type, the services that it
 * may ask for (jeton_exchange_audiences), and, for tokens other than its own, whose (
 * jeton_exchange_subjects: clients that they were issued to, or services that they are for). Only
 * an operator gives these. The new token rests on a grant of its own that ends with the subject's.
 */
#ifndef JETON_OAUTH_GRANT_TOKEN_EXCHANGE_H
#define JETON_OAUTH_GRANT_TOKEN_EXCHANGE_H

#include "oauth/token_request.h"

#define TOKEN_TYPE_ACCESS "urn:ietf:params:oauth:token-type:access_token"
#define TOKEN_TYPE_JWT    "urn:ietf:params:oauth:token-type:jwt"

enum {
    EXCHANGE_DEPTH_MAX = 8,         /* exchanges of exchanged tokens */
    EXCHANGE_ACTOR_BYTES_MAX = 4096 /* of the claim act, with all actors before */
};

/* What was not sent is NULL; all live in the arena. */
struct token_exchange {
    const struct str *subject_token;
    const struct str *subject_token_type;
    const struct str *actor_token;
    const struct str *actor_token_type;
    const struct str *requested_token_type;
    struct str audiences; /* service ids, space-separated */
};

#endif
