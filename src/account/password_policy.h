/*
 * account/password_policy.h: which passwords people may choose for themselves (NIST SP 800-63B-4
 * 3.1.1.2; PW-01 to PW-03).
 *
 * Long enough, not one of those that are tried first, and not the account's own name or address. No
 * rules of composition; every character counts, whatever its script. Pure.
 */
#ifndef JETON_ACCOUNT_PASSWORD_POLICY_H
#define JETON_ACCOUNT_PASSWORD_POLICY_H

#include "base/secret.h"

enum {
    PASSWORD_CHARACTERS_MIN_ALONE = 15,
    PASSWORD_CHARACTERS_MIN_WITH_FACTOR = 8 /* with a second factor */
};

/* Sorted passwords in lower case, one behind the other; starts has one more at the end. */
struct common_passwords {
    const char *bytes;
    const uint32_t *starts;
    size_t count;
};
extern const struct common_passwords common_passwords;

enum password_verdict {
    PASSWORD_GOOD,
    PASSWORD_SHORT,
    PASSWORD_MALFORMED, /* not UTF-8, or with control characters */
    PASSWORD_COMMON,    /* on the list, or one of it, or a few characters, said again and again */
    PASSWORD_PERSONAL   /* the name or address, or the part of it before the @ */
};

/* Whose password it is to be. */
struct password_owner {
    struct str name;
    struct str email;
    bool has_second_factor;
};

/* How many characters it has to have. */
size_t password_characters_min(const struct password_owner *owner);

enum password_verdict password_judge(const struct secret *password,
                                     const struct password_owner *owner);

#endif
