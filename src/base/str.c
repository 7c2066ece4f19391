#include "base/str.h"

static unsigned char ascii_lower(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + 32) : byte;
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.at[i] != b.at[i] && ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
            return false;
    return true;
}

bool str_starts_with(struct str view, struct str prefix)
{
    return view.len >= prefix.len && str_equal((struct str){ view.at, prefix.len }, prefix);
}

bool str_ends_with(struct str view, struct str suffix)
{
    return view.len >= suffix.len && str_equal(str_from(view, view.len - suffix.len), suffix);
}

size_t str_index_of(struct str view, char byte)
{
    const char *found = view.len == 0 ? NULL : memchr(view.at, byte, view.len);

    return found == NULL ? view.len : (size_t)(found - view.at);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str view)
{
    while (view.len > 0 && is_blank(view.at[0]))
        view = str_from(view, 1);
    while (view.len > 0 && is_blank(view.at[view.len - 1]))
        view.len--;
    return view;
}

size_t str_utf8_sequence(struct str view)
{
    const unsigned char *at = (const unsigned char *)view.at;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t len;

    if (at[0] < 0x80)
        return 1;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        len = 2;
    else if (at[0] >= 0xe0 && at[0] <= 0xef)
        len = 3;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (view.len < len)
        return 0;
    /* Unicode 15, table 3-7: the second byte is narrower after these lead bytes. */
    if (at[0] == 0xe0)
        low = 0xa0;
    else if (at[0] == 0xed)
        high = 0x9f;
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    return len;
}

/* Most text is ASCII, so eight bytes are looked at together: how many at the front are. */
static size_t ascii_octets(struct str view)
{
    size_t len = 0;
    uint64_t octets;

    while (view.len - len >= sizeof(octets)) {
        memcpy(&octets, view.at + len, sizeof(octets));
        if ((octets & UINT64_C(0x8080808080808080)) != 0)
            break;
        len += sizeof(octets);
    }
    return len;
}

bool str_is_utf8(struct str view)
{
    view = str_from(view, ascii_octets(view));
    while (view.len > 0) {
        size_t len = str_utf8_sequence(view);

        if (len == 0)
            return false;
        view = str_from(view, len);
    }
    return true;
}

bool str_has_control(struct str view)
{
    for (size_t i = 0; i < view.len; i++) {
        unsigned char byte = (unsigned char)view.at[i];

        if (byte < 0x20 || byte == 0x7f)
            return true;
    }
    return false;
}

bool str_next_word(struct str *rest, struct str *out_word)
{
    size_t end;

    while (rest->len > 0 && rest->at[0] == ' ')
        *rest = str_from(*rest, 1);
    if (rest->len == 0)
        return false;
    end = str_index_of(*rest, ' ');
    *out_word = (struct str){ rest->at, end };
    *rest = str_from(*rest, end);
    return true;
}

bool str_has_word(struct str list, struct str word)
{
    struct str each;

    while (str_next_word(&list, &each))
        if (str_equal(each, word))
            return true;
    return false;
}

bool str_parse_u64(struct str text, uint64_t max, uint64_t *out_number)
{
    uint64_t number = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.at[i] - '0'), &number) || number > max)
            return false;
    }
    *out_number = number;
    return true;
}
