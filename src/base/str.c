#include "base/str.h"

/* Eight bytes together, each in its lane: header names and values are looked at all the time. */
enum { OCTETS = sizeof(uint64_t) };

static const uint64_t octet_ones = UINT64_C(0x0101010101010101);
static const uint64_t octet_tops = UINT64_C(0x8080808080808080);

static inline uint64_t load_octets(const char *at)
{
    uint64_t octets;

    memcpy(&octets, at, sizeof(octets));
    return octets;
}

static unsigned char ascii_lower(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + 32) : byte;
}

static inline uint64_t octets_lower(uint64_t octets)
{
    uint64_t low_bits = octets & ~octet_tops;
    /* No sum exceeds 0xff, so none reaches the next lane; its top bit is the answer. */
    uint64_t from_a = low_bits + octet_ones * (0x80 - 'A');
    uint64_t beyond_z = low_bits + octet_ones * (0x7f - 'Z');
    uint64_t is_upper = (from_a ^ beyond_z) & ~octets & octet_tops;

    return octets | is_upper >> 2; /* 0x80 becomes 0x20, the difference between the cases */
}

static inline bool octets_equal_nocase(const char *a, const char *b)
{
    uint64_t left = load_octets(a);
    uint64_t right = load_octets(b);

    return left == right || octets_lower(left) == octets_lower(right);
}

bool str_equal_nocase_bytes(const char *a, const char *b, size_t len)
{
    if (len < OCTETS) {
        for (size_t i = 0; i < len; i++)
            if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i]))
                return false;
        return true;
    }
    for (size_t i = 0; i < len - OCTETS; i += OCTETS)
        if (!octets_equal_nocase(a + i, b + i))
            return false;
    /* The last eight, of which some may have been looked at already. */
    return octets_equal_nocase(a + len - OCTETS, b + len - OCTETS);
}

bool str_starts_with(struct str view, struct str prefix)
{
    return view.len >= prefix.len && str_equal((struct str){ view.at, prefix.len }, prefix);
}

bool str_ends_with(struct str view, struct str suffix)
{
    return view.len >= suffix.len && str_equal(str_from(view, view.len - suffix.len), suffix);
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

/* Most text is ASCII: how many bytes at the front surely are. */
static size_t ascii_octets(struct str view)
{
    size_t len = 0;

    while (view.len - len >= OCTETS && (load_octets(view.at + len) & octet_tops) == 0)
        len += OCTETS;
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

/* A lane below 0x20 borrows its top bit in the first difference, 0x7f does so in the second; a
 * borrow from the next lane only follows one that was found. */
static inline bool octets_have_control(uint64_t octets)
{
    uint64_t rubout = octets ^ octet_ones * 0x7f;
    uint64_t found = ((octets - octet_ones * 0x20) & ~octets) | ((rubout - octet_ones) & ~rubout);

    return (found & octet_tops) != 0;
}

bool str_has_control(struct str view)
{
    if (view.len < OCTETS) {
        for (size_t i = 0; i < view.len; i++)
            if ((unsigned char)view.at[i] < 0x20 || view.at[i] == 0x7f)
                return true;
        return false;
    }
    for (size_t i = 0; i < view.len - OCTETS; i += OCTETS)
        if (octets_have_control(load_octets(view.at + i)))
            return true;
    return octets_have_control(load_octets(view.at + view.len - OCTETS));
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
