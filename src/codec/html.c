#include "codec/html.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* What stands for an ASCII byte; an empty text for one that stands for itself. */
static struct str entity_of(unsigned char byte)
{
    switch (byte) {
    case '&':
        return STR("&amp;");
    case '<':
        return STR("&lt;");
    case '>':
        return STR("&gt;");
    case '"':
        return STR("&quot;");
    case '\'':
        return STR("&#39;");
    default:
        return byte < 0x20 || byte == 0x7f ? STR(REPLACEMENT) : STR("");
    }
}

/* Writes the character at the front of the text; returns the bytes it had. */
static size_t escape_one(struct str text, struct buffer *to)
{
    unsigned char byte = (unsigned char)text.at[0];
    size_t len = str_utf8_sequence(text);
    struct str entity = len == 0 ? STR(REPLACEMENT) : entity_of(byte);

    if (entity.len > 0)
        buffer_append_str(to, entity);
    else
        buffer_append(to, text.at, len);
    return len == 0 ? 1 : len;
}

void html_escape(struct str text, struct buffer *to)
{
    while (text.len > 0)
        text = str_from(text, escape_one(text, to));
}
