/*
 * base/secret.h: the one type that a key, a password, a client secret or a token value may have.
 *
 * A struct secret owns its bytes, is wiped by its cleanup, is compared only in constant time, and
 * no printf conversion or str function takes it. Its pages are kept out of core dumps and swap by
 * the daemon (mlockall where the limit allows, PR_SET_DUMPABLE 0).
 */
#ifndef JETON_BASE_SECRET_H
#define JETON_BASE_SECRET_H

#include "base/rc.h"
#include "base/str.h"

enum {
    SECRET_BYTES_MAX = 1024 /* longest password in bytes; every other secret is far shorter */
};

struct secret {
    size_t len; /* bytes in use, 0..SECRET_BYTES_MAX */
    unsigned char bytes[SECRET_BYTES_MAX];
};

/* Copies; RC_TOO_LARGE when the view is longer than SECRET_BYTES_MAX. */
enum rc secret_set(struct secret *secret, struct str view) MUST_CHECK;

/* Wipes and sets the length to 0. */
void secret_wipe(struct secret *secret);

/* Time depends on the lengths only. */
bool secret_equal(const struct secret *a, const struct secret *b);

/* The same for any two byte ranges of equal length that are secret or depend on a secret. */
bool secret_bytes_equal(const void *a, const void *b, size_t len);

/* A view, for handing the bytes to a primitive or writing them to the one who may have them. */
static inline struct str secret_expose(const struct secret *secret)
{
    return (struct str){ (const char *)secret->bytes, secret->len };
}

/* For AUTO(secret). */
static inline void secret_cleanup(struct secret *secret)
{
    secret_wipe(secret);
}

#endif
