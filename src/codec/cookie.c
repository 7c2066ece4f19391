#include "codec/cookie.h"

/* RFC 6265 4.2.1 puts "; " between cookies, but old clients leave the space out or add more. */
static struct str take_pair(struct str *rest)
{
    size_t end = str_index_of(*rest, ';');
    struct str pair = str_trim((struct str){ rest->at, end });

    *rest = str_from(*rest, end < rest->len ? end + 1 : end);
    return pair;
}

bool cookie_find(struct str line, struct str name, struct str *out_value)
{
    while (line.len > 0) {
        struct str pair = take_pair(&line);
        size_t equals = str_index_of(pair, '=');
        struct str value;

        if (equals == pair.len || !str_equal(str_trim((struct str){ pair.at, equals }), name))
            continue;
        value = str_trim(str_from(pair, equals + 1));
        /* RFC 6265 4.1.1: the quotes are no part of what a Java client means by the value. */
        if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
            value = (struct str){ value.at + 1, value.len - 2 };
        *out_value = value;
        return true;
    }
    return false;
}
