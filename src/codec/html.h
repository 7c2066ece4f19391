/*
 * codec/html.h: escaping for HTML text and quoted attribute values.
 */
#ifndef JETON_CODEC_HTML_H
#define JETON_CODEC_HTML_H

#include "base/buffer.h"

/* Appends with & < > " ' escaped, and U+FFFD for control bytes and broken UTF-8. */
void html_escape(struct str text, struct buffer *to);

#endif
