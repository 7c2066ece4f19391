/*
 * codec/base64url.h: base64url without padding (RFC 7515 2, RFC 4648 5), and strict base64.
 *
 * Decoding is strict: no white space, no stray bits in the last character and no padding, so that
 * one byte string has one text. Only base64 may end in its full padding.
 */
#ifndef JETON_CODEC_BASE64URL_H
#define JETON_CODEC_BASE64URL_H

#include "base/buffer.h"
#include "base/rc.h"

#define BASE64URL_TEXT_BYTES(byte_count) (((byte_count)*4 + 2) / 3)

/* Appends the text. The bytes may not lie in the buffer. */
void base64url_encode(struct str bytes, struct buffer *out_text);

/*
 * Appends the bytes; the text may not lie in the buffer.
 *
 * Answers: RC_OK · RC_INVALID · RC_TOO_LARGE no room. The buffer is untouched unless RC_OK.
 */
enum rc base64url_decode(struct str text, struct buffer *out_bytes) MUST_CHECK;

/* The same for RFC 4648 4. The padding is whole or absent: old clients leave it out. */
enum rc base64_decode(struct str text, struct buffer *out_bytes) MUST_CHECK;

#endif
