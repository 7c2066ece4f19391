/*
 * codec/uuid.h: the text of a UUID (RFC 9562 4): 8-4-4-4-12 hex digits in lower case.
 */
#ifndef JETON_CODEC_UUID_H
#define JETON_CODEC_UUID_H

#include "base/rc.h"
#include "base/str.h"

enum { UUID_BYTES = 16, UUID_TEXT_BYTES = 36 };

void uuid_format(const unsigned char bytes[static UUID_BYTES],
                 char out_text[static UUID_TEXT_BYTES]);

/* RC_INVALID for anything but that form; digits of either case. */
enum rc uuid_parse(struct str text, unsigned char out_bytes[static UUID_BYTES]) MUST_CHECK;

/* Makes 16 random bytes a UUID of version 4 (RFC 9562 5.4). */
void uuid_mark_random(unsigned char bytes[static UUID_BYTES]);

#endif
