/*
 * daemon/check.h: whether a server would start with these settings (`serve --check`): files,
 * addresses, issuer, store and master key are looked at. Nothing is made, bound or changed, and a
 * server that runs is not disturbed.
 */
#ifndef JETON_DAEMON_CHECK_H
#define JETON_DAEMON_CHECK_H

#include "daemon/settings.h"

/* RC_OK, or any other code with one line in out_error. */
enum rc check_settings(const struct settings *settings, struct buffer *out_error) MUST_CHECK;

#endif
