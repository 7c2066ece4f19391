/*
 * crypto/totp.h: time-based one-time passwords (RFC 6238 over RFC 4226) with HMAC-SHA-1, which is
 * what authenticator programs know.
 */
#ifndef JETON_CRYPTO_TOTP_H
#define JETON_CRYPTO_TOTP_H

#include "base/str.h"

enum { TOTP_SECRET_BYTES = 20, TOTP_STEP_S = 30, TOTP_DIGIT_COUNT = 6 };

/* The code of one time step: Unix seconds / TOTP_STEP_S. digit_count is 6 to 8; out_digits is not
 * terminated. */
void totp_format(struct str secret, int64_t step, int digit_count, char *out_digits);

#endif
