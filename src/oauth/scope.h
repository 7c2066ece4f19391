/*
 * oauth/scope.h: what may be granted: scope, audience, and the shape of the token.
 *
 * A scope word belongs to at most one service. "service_id=X" asks for service X as a whole. A word
 * that no service owns may be granted to a client that is registered for it; then, and when no word
 * names a service, the audience is the issuer. Nobody is granted more than client and service
 * allow; a request for more is refused, not narrowed.
 */
#ifndef JETON_OAUTH_SCOPE_H
#define JETON_OAUTH_SCOPE_H

#include "oauth/oauth.h"

/* The prefix of a word that asks for a whole service (u-Auth). */
#define SCOPE_SERVICE_PREFIX "service_id="

struct permission {
    struct str scope;    /* in the arena, words in the order asked, each once */
    struct str audience; /* in the arena */
    struct token_shape shape;
    bool expires_in_as_string;
};

/*
 * Decides what a request gets.
 *
 * client     who asks
 * by_service true for the password grant without client authentication: only "service_id=" words,
 *            and only of services that allow passwords
 * requested  the scope parameter, or NULL when it was not sent: then what the client is registered
 *            for (and invalid_scope when by_service)
 *
 * Answers: RC_OK · RC_REFUSED invalid_scope · RC_WOULD_BLOCK.  Faults: the store's
 */
enum rc scope_permit(struct oauth_call *call, const struct client *client, bool by_service,
                     const struct str *requested, struct permission *out_permission) MUST_CHECK;

/*
 * What an account may give to a permanent token of its own: services that allow passwords, as a
 * whole or by single words of theirs.
 *
 * Answers: as scope_permit; an empty scope is refused
 */
enum rc scope_permit_owner(struct oauth_call *call, struct str requested,
                           struct permission *out_permission) MUST_CHECK;

/*
 * What a user gets who names no scope and no client (Spectrum): what `client` is registered for,
 * or, when it is registered for nothing, every service that allows passwords without a client. None
 * at all: the issuer is the audience.
 *
 * Answers: as scope_permit
 */
enum rc scope_permit_all(struct oauth_call *call, const struct client *client,
                         struct permission *out_permission) MUST_CHECK;

/* Every scope word that some service has, for the metadata.  RC_WOULD_BLOCK.  Faults: the store's
 */
enum rc scope_list_offered(struct oauth_call *call, struct buffer *out_words) MUST_CHECK;

/* RFC 6749 3.3: words of the allowed characters with single spaces between them; SCOPE_BYTES_MAX.
 * An empty scope is sound, too. */
bool scope_is_sound(struct str scope);

/* True when every word of `part` is one of `whole`. */
bool scope_contains(struct str whole, struct str part);

#endif
