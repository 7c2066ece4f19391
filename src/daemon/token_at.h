/*
 * daemon/token_at.h: `jeton token explain --at`: whether a token was valid at a moment that is
 * over, from its rows and the audit trail.
 */
#ifndef JETON_DAEMON_TOKEN_AT_H
#define JETON_DAEMON_TOKEN_AT_H

#include "daemon/command.h"
#include "oauth/token_facts.h"

/* Writes what is known, and what is not known any more; an exit status. */
int token_at_explain(struct command_context *context, const struct token_facts *facts, int64_t at);

#endif
