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

/*
 * Sorted passwords in lower case, packed in blocks of sixteen. A word is a byte whose halves say
 * how many bytes it has in common with the one before it in its block and how many follow; where
 * one of them does not fit, the byte is 0xff and they are the next two.
 */
struct common_passwords {
    const unsigned char *bytes;
    const uint32_t *starts; /* of the blocks */
    size_t count;           /* of the words */
};
enum { COMMON_PASSWORDS_BLOCK = 16, COMMON_PASSWORD_BYTES_MAX = 255 };
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
