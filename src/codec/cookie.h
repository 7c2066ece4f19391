/*
 * codec/cookie.h: one line of the Cookie header (RFC 6265 5.4). A request may have several lines.
 */
#ifndef JETON_CODEC_COOKIE_H
#define JETON_CODEC_COOKIE_H

#include "base/str.h"

/*
 * The value of the first cookie of exactly that name, letters of the right case: a view into the
 * line, without the quotes that may stand around it. False when there is none.
 */
bool cookie_find(struct str line, struct str name, struct str *out_value);

#endif
