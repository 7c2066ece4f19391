/*
 * oauth/revocation.h: ending a token before its time (RFC 7009).
 */
#ifndef JETON_OAUTH_REVOCATION_H
#define JETON_OAUTH_REVOCATION_H

#include "oauth/client_auth.h"

/*
 * Revokes a token of the authenticated client. An access token ends alone; with a refresh token its
 * whole family ends (RFC 7009 2.1); with a permanent token its grant, as with permanent_revoke. A
 * token that is unknown, gone or another client's is no error and is not touched. RC_OK only when
 * the end is on disk.
 *
 * token  as sent; NULL when the parameter was missing
 */
enum rc revocation_answer(struct oauth_call *call, const struct client_credentials *credentials,
                          const struct str *token) MUST_CHECK;

/* Ends a token that was read: for the command line too. */
enum rc revocation_end(struct oauth_call *call, const struct token_record *record) MUST_CHECK;

#endif
