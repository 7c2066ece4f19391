/*
 * codec/field.h: fields one behind the other: 32-bit numbers, and bytes with their length before
 * them.
 *
 * What Jeton says to its own helper, and what it seals for itself. Numbers are little-endian.
 */
#ifndef JETON_CODEC_FIELD_H
#define JETON_CODEC_FIELD_H

#include "base/buffer.h"

enum { FIELD_NUMBER_BYTES = 4 };

void field_put_number(struct buffer *to, uint32_t number);
void field_put(struct buffer *to, struct str bytes);

/* Take one off the front of *rest; false when it is not there as a whole. The bytes are a view. */
bool field_take_number(struct str *rest, uint32_t *out_number);
bool field_take(struct str *rest, struct str *out_bytes);

#endif
