#include "codec/basic.h"

#include "codec/alphabet.h"
#include "codec/base64url.h"

/*
 * Takes "<scheme> " off the front of *value. RC_NOT_FOUND when another scheme stands there.
 * RFC 9110 11.1: the scheme has no case; 11.4: one or several spaces follow it.
 */
static enum rc take_scheme(struct str scheme, struct str *value)
{
    size_t end = str_index_of(*value, ' ');

    if (!str_equal_nocase((struct str){ value->at, end }, scheme))
        return RC_NOT_FOUND;
    *value = str_from(*value, end);
    while (value->len > 0 && value->at[0] == ' ')
        *value = str_from(*value, 1);
    return value->len == 0 ? RC_INVALID : RC_OK;
}

/* ISO-8859-1 is the first 256 characters of Unicode: each becomes at most two bytes. */
static struct str latin1_to_utf8(struct str text, struct arena *arena)
{
    char *copy = arena_alloc(arena, text.len * 2 + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if (byte >= 0x80) {
            copy[len++] = (char)(0xc0 | byte >> 6);
            byte = 0x80 | (byte & 0x3f);
        }
        copy[len++] = (char)byte;
    }
    return (struct str){ copy, len };
}

enum rc basic_parse(struct str header_value, struct arena *arena, struct str *out_user,
                    struct str *out_password)
{
    struct buffer decoded;
    struct str pair;
    size_t colon;
    enum rc rc;

    rc = take_scheme(STR("Basic"), &header_value);
    if (rc != RC_OK)
        return rc;
    decoded = buffer_over(arena_alloc(arena, header_value.len), header_value.len);
    rc = base64_decode(header_value, &decoded);
    if (rc != RC_OK)
        return RC_INVALID;
    pair = buffer_str(&decoded);
    /* RFC 7617 2: neither part may hold a control character */
    if (str_has_control(pair))
        return RC_INVALID;
    if (!str_is_utf8(pair))
        pair = latin1_to_utf8(pair, arena);
    /* RFC 7617 2: the user-id holds no colon, the password may */
    colon = str_index_of(pair, ':');
    if (colon == pair.len)
        return RC_INVALID;
    *out_user = (struct str){ pair.at, colon };
    *out_password = str_from(pair, colon + 1);
    return RC_OK;
}

/* RFC 6750 2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
static const unsigned char b64token_bytes[256] = {
    ALPHABET_UPPER(0),       ALPHABET_LOWER(0),       ALPHABET_DIGITS(0),
    ['-'] = ALPHABET_MEMBER, ['.'] = ALPHABET_MEMBER, ['_'] = ALPHABET_MEMBER,
    ['~'] = ALPHABET_MEMBER, ['+'] = ALPHABET_MEMBER, ['/'] = ALPHABET_MEMBER,
};

static enum rc token_parse(struct str scheme, struct str header_value, struct str *out_token)
{
    size_t end = 0;
    enum rc rc;

    rc = take_scheme(scheme, &header_value);
    if (rc != RC_OK)
        return rc;
    while (end < header_value.len && b64token_bytes[(unsigned char)header_value.at[end]] != 0)
        end++;
    if (end == 0)
        return RC_INVALID;
    while (end < header_value.len && header_value.at[end] == '=')
        end++;
    if (end < header_value.len)
        return RC_INVALID;
    *out_token = header_value;
    return RC_OK;
}

enum rc bearer_parse(struct str header_value, struct str *out_token)
{
    return token_parse(STR("Bearer"), header_value, out_token);
}

enum rc access_token_parse(struct str header_value, struct str *out_token, bool *out_is_dpop)
{
    enum rc rc = bearer_parse(header_value, out_token);

    if (rc == RC_OK)
        *out_is_dpop = false;
    if (rc != RC_NOT_FOUND)
        return rc;
    rc = token_parse(STR("DPoP"), header_value, out_token);
    if (rc == RC_OK)
        *out_is_dpop = true;
    return rc;
}
