/*
 * oauth/error.h: the protocol errors (RFC 6749 5.2 and others) and refusals.
 *
 * The table is oauth/error.def: wire name, status and source of each.
 */
#ifndef JETON_OAUTH_ERROR_H
#define JETON_OAUTH_ERROR_H

#include <stdint.h>

#include "base/str.h"

enum oauth_error {
#define OAUTH_ERROR(name, wire, status, source) OAUTH_##name,
#include "oauth/error.def"
#undef OAUTH_ERROR
    OAUTH_ERROR_COUNT
};

struct str oauth_error_wire(enum oauth_error error);
int oauth_error_status(enum oauth_error error);

/* Which rule said no, where a dialect has words of its own for it. */
enum refusal_reason {
    REASON_NONE, /* the error says enough */
    REASON_NO_CLIENT,
    REASON_WRONG_CLIENT, /* unknown, wrong secret or disabled */
    REASON_CLIENT_MISMATCH,
    REASON_NO_GRANT_TYPE,
    REASON_GRANT_TYPE_NOT_ALLOWED,
    REASON_WRONG_PASSWORD,   /* or unknown, throttled or locked */
    REASON_ACCOUNT_DISABLED, /* the password was right */
    REASON_CODE_MISSING,     /* the password was right */
    REASON_CODE_WRONG,
    REASON_SCOPE_UNKNOWN, /* a word that is unknown or not permitted: refusal.word */
    REASON_NO_REFRESH_TOKEN,
    REASON_REFRESH_UNKNOWN,
    REASON_REFRESH_NO_REFRESH_TOKEN, /* another kind of token of ours */
    REASON_REFRESH_OF_OTHER_CLIENT,
    REASON_REFRESH_EXPIRED,
    REASON_TOKEN_EXPIRED, /* of bearer_check; the value was right */
    REASON_REFRESH_ENDED  /* revoked, reused, or its account is gone or disabled */
};

/* An answer that says no. Public words and log-only words are kept apart. */
struct refusal {
    enum oauth_error error;
    struct str
        description; /* for the client's developer: RFC 6749 5.2's characters, no value echoed */
    enum refusal_reason reason;
    struct str word; /* REASON_SCOPE_UNKNOWN: as sent, sound (scope_is_sound); in the arena */
    const char *log_detail; /* why, for the log alone; may be NULL */
    int64_t retry_after_s;  /* > 0: a Retry-After header */
};

#endif
