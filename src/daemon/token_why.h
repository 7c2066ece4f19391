/*
 * daemon/token_why.h: `jeton token explain`: why a token is refused now, who ended it, and whether
 * it would do for a service, a scope or an address.
 */
#ifndef JETON_DAEMON_TOKEN_WHY_H
#define JETON_DAEMON_TOKEN_WHY_H

#include "daemon/command.h"
#include "oauth/token_facts.h"

/* Whether one of the options --service, --scope and --address is there. */
bool token_why_is_asked(const struct options *options);

/* Whether --address, if it is there, is one. */
bool token_why_has_address(const struct options *options);

/* Writes the reasons, and whether it is active; an exit status. The address has to be one.
 */
int token_why_explain(struct command_context *context, const struct options *options,
                      const struct token_facts *facts);

#endif
