/*
 * oauth/scope.h: what may be granted: scope, audience, and the shape of the token.
 *
 * A scope word belongs to at most one service. "service_id=X" asks for service X as a whole. A word
 * that no service owns may be granted to a client that is registered for it; then, and when no word
 * names a service, the audience is the issuer. Nobody is granted more than client and service
 * allow; a request for more is refused, not narrowed. A request that names its resources gets what
 * is for those.
 */
#ifndef JETON_OAUTH_SCOPE_H
#define JETON_OAUTH_SCOPE_H

#include "oauth/oauth.h"

/* The prefix of a word that asks for a whole service (u-Auth). */
#define SCOPE_SERVICE_PREFIX "service_id="

/* Scope words of the issuer's own: their tokens administer this server by its API, all of it or
 * reading alone. A client has them for itself (RFC 6749 4.4) where an operator registered it for
 * them and it asks for them by name; a person only as a permanent token (oauth/permanent.h). */
#define SCOPE_ADMIN_WORD      "jeton:admin"
#define SCOPE_ADMIN_READ_WORD "jeton:admin:read"

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

/* What a request asks for, where it can say more than a scope. */
struct scope_demand {
    const struct str *scope; /* NULL: what the client is registered for           */
    struct str resources;    /* RFC 8707, space-separated; empty: none was named   */
    bool has_person;         /* a person allows it: OpenID Connect's words have a meaning */
    bool may_administer;     /* a client asks for itself: the words above may be granted */
    bool leaves_out;         /* a resource of which no word is left is left out, not refused */
};

/*
 * Decides what a request of a client gets. A resource names a service: by its service_id, or by an
 * https URI that is one, or "https://" before one. Then the audience is the services named and
 * nothing else, and words of other services are left out of the scope. The words of OpenID Connect
 * belong to nobody; a client may be granted those that it is registered for, by a person alone:
 * without one they are refused, or left out where no scope is named.
 *
 * Answers: those of scope_permit · RC_REFUSED invalid_target
 * Source:  RFC 8707 2; OpenID Connect Core 5.4, 11
 */
enum rc scope_permit_demand(struct oauth_call *call, const struct client *client,
                            const struct scope_demand *demand,
                            struct permission *out_permission) MUST_CHECK;

/* Whether the services that resources name are all of an audience; RC_REFUSED invalid_target. */
enum rc scope_check_resources(struct oauth_call *call, struct str audience,
                              struct str resources) MUST_CHECK;

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

/* What a person allowed a while ago, on its way to tokens. */
struct scope_allowed {
    struct str scope;
    struct str audience;
    struct str resources; /* the part that the first access token is for; empty: all of it */
};

/*
 * Whether all of it is permitted still, and what the first access token gets of it (RFC 8707 2.2).
 *
 * out_whole   of the grant
 * out_access  the part; the whole where none is named
 *
 * Answers: RC_OK · RC_NOT_FOUND not all of it is permitted any more · RC_REFUSED invalid_target ·
 * RC_WOULD_BLOCK.  Faults: the store's
 */
enum rc scope_permit_allowed(struct oauth_call *call, const struct client *client,
                             const struct scope_allowed *allowed, struct permission *out_whole,
                             struct permission *out_access) MUST_CHECK;

/* The service that owns a word, as people know it; in the arena. Empty: nobody owns it.
 * RC_WOULD_BLOCK
 */
enum rc scope_name_owner(struct oauth_call *call, struct str word, struct str *out_name) MUST_CHECK;

/* A service that is not disabled, without its secret; its texts are in the arena. RC_NOT_FOUND,
 * RC_WOULD_BLOCK */
enum rc scope_find_service(struct oauth_call *call, struct str service_id,
                           struct service *out_service) MUST_CHECK;

/* RFC 6749 3.3: words of the allowed characters with single spaces between them; SCOPE_BYTES_MAX.
 * An empty scope is sound, too. */
bool scope_is_sound(struct str scope);

/* SCOPE_ADMIN_WORD or SCOPE_ADMIN_READ_WORD. */
bool scope_is_admin_word(struct str word);

/* True when every word of `part` is one of `whole`. */
bool scope_contains(struct str whole, struct str part);

#endif
