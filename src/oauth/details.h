/*
 * oauth/details.h: authorization_details (RFC 9396): what is asked for in objects instead of words.
 *
 * Jeton knows no type's meaning. It sees that a type may be used by the client, that the common
 * members are what they have to be, and that all of it is bounded; then the array is shown at the
 * consent, kept with what was allowed, and handed to resource servers as it is.
 */
#ifndef JETON_OAUTH_DETAILS_H
#define JETON_OAUTH_DETAILS_H

#include "oauth/client_metadata.h"

enum {
    DETAILS_BYTES_MAX = 8192,
    DETAILS_COUNT_MAX = 16 /* objects of one request */
};

/*
 * Judges a parameter authorization_details.
 *
 * out_details  the same array without white space, in the arena
 *
 * Answers: RC_OK · RC_REFUSED invalid_authorization_details
 * Source:  RFC 9396 2, 5
 */
enum rc details_check(struct oauth_call *call, const struct client_metadata *metadata,
                      struct str text, struct str *out_details) MUST_CHECK;

/* An object, for the person who is asked about it. */
struct detail {
    struct str type;
    struct str json; /* the whole object */
};

/* The objects of an array that details_check wrote; in the arena. */
size_t details_list(struct str details, struct arena *arena,
                    struct detail out_rows[static DETAILS_COUNT_MAX]);

/*
 * At the token endpoint: what is asked for must be what was allowed, all of it (RFC 9396 6).
 *
 * Answers: RC_OK · RC_REFUSED invalid_authorization_details
 */
enum rc details_check_same(struct oauth_call *call, struct str asked,
                           struct str allowed) MUST_CHECK;

/* Whether every object of `part` is one of `whole`, byte by byte; both as details_check wrote them,
 * or empty. */
bool details_contain(struct str whole, struct str part, struct arena *arena);

/* The objects of both, each once; in the arena. */
struct str details_join(struct str one, struct str other, struct arena *arena);

#endif
