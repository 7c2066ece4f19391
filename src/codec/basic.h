/*
 * codec/basic.h: the Authorization header: Basic (RFC 7617), Bearer (RFC 6750 2.1), DPoP (RFC 9449
 * 7.1).
 */
#ifndef JETON_CODEC_BASIC_H
#define JETON_CODEC_BASIC_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

/*
 * Splits "Basic <base64>" at the first colon, raw: nothing is percent-decoded. The scheme word has
 * no case. Bytes that are not UTF-8 are read as ISO-8859-1, as old Java clients send them.
 *
 * Answers: RC_OK · RC_NOT_FOUND another scheme · RC_INVALID not base64, no colon, a control byte
 */
enum rc basic_parse(struct str header_value, struct arena *arena, struct str *out_user,
                    struct str *out_password) MUST_CHECK;

/*
 * The token of "Bearer <token>" as a view.
 *
 * Answers: RC_OK · RC_NOT_FOUND another scheme · RC_INVALID not a b64token
 * Source:  RFC 6750 2.1
 */
enum rc bearer_parse(struct str header_value, struct str *out_token) MUST_CHECK;

/*
 * The same of "DPoP <token>", too.
 *
 * out_is_dpop  which of the two schemes it is
 *
 * Source:  RFC 9449 7.1
 */
enum rc access_token_parse(struct str header_value, struct str *out_token,
                           bool *out_is_dpop) MUST_CHECK;

#endif
