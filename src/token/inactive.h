/*
 * token/inactive.h: why a presented value is no active access token, for the log and for dialects
 * that tell reasons apart.
 */
#ifndef JETON_TOKEN_INACTIVE_H
#define JETON_TOKEN_INACTIVE_H

enum token_inactive {
    TOKEN_UNKNOWN, /* no value of ours, a wrong secret, a refresh token, or gone for long */
    TOKEN_EXPIRED,
    TOKEN_REVOKED, /* itself or its grant */
    TOKEN_SESSION_MISSING,
    TOKEN_SESSION_WRONG,
    TOKEN_SESSION_IDLE,
    TOKEN_ADDRESS_WRONG
};

/* A few words for the log, and what an operator can do. Static. */
const char *token_inactive_words(enum token_inactive why);

#endif
