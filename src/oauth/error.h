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
struct str oauth_error_source(enum oauth_error error);

/* An answer that says no. Public words and log-only words are kept apart. */
struct refusal {
    enum oauth_error error;
    struct str
        description; /* for the client's developer: RFC 6749 5.2's characters, no value echoed */
    const char *log_detail; /* why, for the log alone; may be NULL */
    int64_t retry_after_s;  /* > 0: a Retry-After header */
};

#endif
