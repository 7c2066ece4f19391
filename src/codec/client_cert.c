#include "codec/client_cert.h"

#include "codec/base64url.h"

enum { TEXT_BYTES_MAX = 24 * 1024 };

static const struct str begin = { "-----BEGIN CERTIFICATE-----", 27 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* '+' is itself: these are no form fields. */
static bool decode_percent(struct str text, struct buffer *to)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (c == '%') {
            if (text.len - i < 3 || hex_value(text.at[i + 1]) < 0 || hex_value(text.at[i + 2]) < 0)
                return false;
            c = (char)(hex_value(text.at[i + 1]) << 4 | hex_value(text.at[i + 2]));
            i += 2;
        }
        buffer_append_byte(to, c);
    }
    return !to->overflow;
}

/* The standard alphabet becomes the other; white space between lines and padding go. */
static bool translate(struct str base64, bool has_lines, char out_text[static TEXT_BYTES_MAX],
                      struct str *out_base64url)
{
    struct buffer to = buffer_over(out_text, TEXT_BYTES_MAX);
    size_t padding = 0;

    for (size_t i = 0; i < base64.len; i++) {
        char c = base64.at[i];

        if (has_lines && (c == '\n' || c == '\r' || c == ' ' || c == '\t'))
            continue;
        if (c == '=') {
            padding++;
            continue;
        }
        if (padding > 0 || c == '-' || c == '_')
            return false;
        if (c == '+')
            c = '-';
        else if (c == '/')
            c = '_';
        buffer_append_byte(&to, c);
    }
    if (to.overflow || to.len == 0 || padding > 2 || (to.len + padding) % 4 != 0)
        return false;
    *out_base64url = buffer_str(&to);
    return true;
}

/* What stands between the lines of PEM, or all when there are none. */
static struct str body_of(struct str text)
{
    text = str_trim(text);
    if (!str_starts_with(text, begin))
        return text;
    text = str_from(text, begin.len);
    return (struct str){ text.at, str_index_of(text, '-') };
}

enum rc client_cert_parse(struct str value, struct buffer *out_der)
{
    char memory[TEXT_BYTES_MAX];
    char translated[TEXT_BYTES_MAX];
    struct buffer text = buffer_over(memory, sizeof(memory));
    struct buffer der = *out_der;
    struct str base64;

    if (value.len > 2 && value.at[0] == ':' && value.at[value.len - 1] == ':') {
        base64 = (struct str){ value.at + 1, value.len - 2 };
        if (!translate(base64, false, translated, &base64))
            return RC_INVALID;
    } else if (!decode_percent(value, &text) ||
               !translate(body_of(buffer_str(&text)), true, translated, &base64)) {
        return RC_INVALID;
    }
    if (base64url_decode(base64, &der) != RC_OK)
        return RC_INVALID;
    *out_der = der;
    return RC_OK;
}
