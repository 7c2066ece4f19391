/*
 * oauth/id_token.h: what a client learns of a person: subjects, claims, ID tokens (OpenID Connect
 * Core 2, 5, 8).
 */
#ifndef JETON_OAUTH_ID_TOKEN_H
#define JETON_OAUTH_ID_TOKEN_H

#include "codec/json.h"
#include "oauth/client_metadata.h"

/* sub of an account as a client knows it: "account:17", or a pairwise one (Core 8.1). In the arena.
 */
struct str subject_of(struct oauth_call *call, const struct client *client,
                      const struct client_metadata *metadata, int64_t account_id);

/* sid of a sign-in: the same for all clients, says nothing to them. In the arena. */
struct str sid_of(struct oauth_call *call, int64_t login_id);

enum claims_place { CLAIMS_USERINFO, CLAIMS_ID_TOKEN };

/* Appends the members that scope (Core 5.4) and the claims parameter (5.5) ask for at a place, as
 * far as the account has them: name, preferred_username, email, email_verified. Not updated_at:
 * accounts have no time of their last change. */
void claims_format(const struct account *account, struct str scope, struct str claims,
                   enum claims_place place, struct arena *arena, struct json_out *json);

struct id_token {
    const struct client *client;
    const struct client_metadata *metadata;
    const struct account *account;
    const struct authorization *authorization;
    struct str scope;
    struct str access_token; /* for at_hash */
    bool has_nonce;          /* of the first one alone, not after a refresh (Core 12.2) */
};

/* An ID token, signed as the client is registered. In the arena. RC_TOO_LARGE: it would be longer
 * than TOKEN_VALUE_BYTES_MAX. */
enum rc id_token_make(struct oauth_call *call, const struct id_token *id_token,
                      struct str *out_jwt) MUST_CHECK;

/*
 * Reads an id_token_hint: one of our ID tokens, also when it has expired (Core 3.1.2.1;
 * RP-Initiated Logout 2).
 *
 * Answers: RC_OK · RC_NOT_FOUND not ours, or no ID token.  Faults: the store's
 */
struct id_token_hint {
    struct str subject;
    struct str audience; /* client_id */
    struct str sid;
};
enum rc id_token_hint_read(struct oauth_call *call, struct str jwt,
                           struct id_token_hint *out_hint) MUST_CHECK;

/* The account that a subject of this client stands for; RC_NOT_FOUND. A pairwise one is known by
 * comparing it with the account that is at hand: */
bool subject_is(struct oauth_call *call, const struct client *client,
                const struct client_metadata *metadata, int64_t account_id, struct str subject);

#endif
