/*
 * codec/base32.h: Base 32 (RFC 4648 6) without padding: secrets of authenticator programs, and
 * recovery codes that people write down.
 */
#ifndef JETON_CODEC_BASE32_H
#define JETON_CODEC_BASE32_H

#include "base/buffer.h"
#include "base/rc.h"
#include "base/str.h"

/* Appends upper-case letters and the digits 2 to 7. */
void base32_encode(struct str bytes, struct buffer *out_text);

/* Appends the bytes; letters of either case. RC_INVALID for any other character, an impossible
 * length, or bits behind the end that are not zero; RC_TOO_LARGE. */
enum rc base32_decode(struct str text, struct buffer *out_bytes) MUST_CHECK;

#endif
