#include "codec/uri.h"

#include <arpa/inet.h>

/*
 * RFC 3986 2: what an ASCII byte is. 'a' alpha, '0' digit, '-' the other unreserved ones,
 * '!' sub-delims, itself for the gen-delims that parts may hold, ' ' for all others.
 */
static const char byte_kinds[128 + 1] = "                                "
                                        " !  ! !!!!!!!--/0000000000:! ! ?"
                                        "@aaaaaaaaaaaaaaaaaaaaaaaaaa    -"
                                        " aaaaaaaaaaaaaaaaaaaaaaaaaa   - ";

static char kind_of(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte < 0x80 ? byte_kinds[byte] : ' ';
}

static bool is_hex(char c)
{
    return kind_of(c) == '0' || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* Every byte is of one of the kinds, or part of an escape: RFC 3986 2.1 */
static bool is_made_of(struct str part, const char *kinds)
{
    for (size_t i = 0; i < part.len; i++) {
        char kind = kind_of(part.at[i]);

        if (kind != ' ' && strchr(kinds, kind) != NULL)
            continue;
        if (part.at[i] != '%' || part.len - i < 3 || !is_hex(part.at[i + 1]) ||
            !is_hex(part.at[i + 2]))
            return false;
        i += 2;
    }
    return true;
}

#define KINDS_REG_NAME "a0-!"
#define KINDS_USERINFO "a0-!:"
#define KINDS_PATH     "a0-!:@/"
#define KINDS_QUERY    "a0-!:@/?"

/* RFC 3986 3.1: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static bool is_scheme(struct str scheme)
{
    if (scheme.len == 0 || kind_of(scheme.at[0]) != 'a')
        return false;
    for (size_t i = 1; i < scheme.len; i++) {
        char c = scheme.at[i];

        if (kind_of(c) != 'a' && kind_of(c) != '0' && c != '+' && c != '-' && c != '.')
            return false;
    }
    return true;
}

static bool is_address(int family, struct str text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (text.len >= sizeof(copy) || str_index_of(text, '\0') < text.len)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, &address) == 1;
}

/* Takes the view up to the first of the byte off *rest, and the byte too; all when there is none.
 */
static struct str take_before(char byte, struct str *rest)
{
    size_t end = str_index_of(*rest, byte);
    struct str taken = { rest->at, end };

    *rest = str_from(*rest, end < rest->len ? end + 1 : end);
    return taken;
}

/* RFC 3986 3.2.2: the brackets are part of the host. */
static bool parse_ip_literal(struct str authority, struct uri *uri, struct str *out_rest)
{
    size_t close = str_index_of(authority, ']');

    if (close == authority.len ||
        !is_address(AF_INET6, (struct str){ authority.at + 1, close - 1 }))
        return false;
    uri->host = (struct str){ authority.at, close + 1 };
    *out_rest = str_from(authority, close + 1);
    return true;
}

static bool parse_authority(struct str authority, struct uri *uri)
{
    struct str rest;

    uri->has_userinfo = str_index_of(authority, '@') < authority.len;
    if (uri->has_userinfo && !is_made_of(take_before('@', &authority), KINDS_USERINFO))
        return false;
    if (authority.len > 0 && authority.at[0] == '[') {
        if (!parse_ip_literal(authority, uri, &rest))
            return false;
    } else {
        uri->host = (struct str){ authority.at, str_index_of(authority, ':') };
        rest = str_from(authority, uri->host.len);
        if (!is_made_of(uri->host, KINDS_REG_NAME))
            return false;
    }
    if (rest.len == 0)
        return true;
    if (rest.at[0] != ':')
        return false;
    uri->port = str_from(rest, 1);
    for (size_t i = 0; i < uri->port.len; i++)
        if (kind_of(uri->port.at[i]) != '0')
            return false;
    return true;
}

static bool is_http(struct str scheme)
{
    return str_equal_nocase(scheme, STR("https")) || str_equal_nocase(scheme, STR("http"));
}

enum rc uri_parse(struct str text, struct uri *out_uri)
{
    struct uri uri = { 0 };
    struct str rest = text;

    uri.has_fragment = str_index_of(text, '#') < text.len;
    rest = take_before('#', &text);
    if (!is_made_of(text, KINDS_QUERY))
        return RC_INVALID;
    uri.has_query = str_index_of(rest, '?') < rest.len;
    uri.query = rest;
    rest = take_before('?', &uri.query);
    if (!is_made_of(uri.query, KINDS_QUERY))
        return RC_INVALID;
    if (str_index_of(rest, ':') == rest.len)
        return RC_INVALID;
    uri.scheme = take_before(':', &rest);
    if (!is_scheme(uri.scheme))
        return RC_INVALID;
    if (str_starts_with(rest, STR("//"))) {
        struct str authority;

        rest = str_from(rest, 2);
        authority = (struct str){ rest.at, str_index_of(rest, '/') };
        rest = str_from(rest, authority.len);
        if (!parse_authority(authority, &uri))
            return RC_INVALID;
    }
    /* RFC 9110 4.2.1 and 4.2.2: an empty host is refused */
    if (uri.host.len == 0 && is_http(uri.scheme))
        return RC_INVALID;
    uri.path = rest;
    if (!is_made_of(uri.path, KINDS_PATH))
        return RC_INVALID;
    *out_uri = uri;
    return RC_OK;
}

void uri_encode(struct str text, struct buffer *to)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        char kind = kind_of(text.at[i]);

        if (kind == 'a' || kind == '0' || kind == '-') {
            buffer_append_byte(to, text.at[i]);
        } else {
            char escape[3] = { '%', digits[byte >> 4], digits[byte & 15] };

            buffer_append(to, escape, sizeof(escape));
        }
    }
}

/* ---- one form for all that are equal --------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static unsigned hex_value(char c)
{
    return kind_of(c) == '0' ? (unsigned)(c - '0') : (unsigned)(lower(c) - 'a' + 10);
}

/* RFC 3986 6.2.2.1 and 6.2.2.2. The part was parsed, so that every '%' begins an escape. */
static void append_unescaped(struct str part, bool is_host, struct buffer *to)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < part.len; i++) {
        unsigned byte;
        char kind;

        if (part.at[i] != '%') {
            buffer_append_byte(to, is_host ? lower(part.at[i]) : part.at[i]);
            continue;
        }
        byte = hex_value(part.at[i + 1]) << 4 | hex_value(part.at[i + 2]);
        kind = kind_of((char)byte);
        i += 2;
        if (kind == 'a' || kind == '0' || kind == '-') {
            buffer_append_byte(to, is_host ? lower((char)byte) : (char)byte);
        } else {
            char escape[3] = { '%', digits[byte >> 4], digits[byte & 15] };

            buffer_append(to, escape, sizeof(escape));
        }
    }
}

/* RFC 3986 5.2.4 and 6.2.2.3, in place, on a path that begins with a slash: whole segments move to
 * the front, and ".." takes the last one back. */
static void remove_dot_segments(struct buffer *path, size_t start)
{
    struct str rest = str_from(buffer_str(path), start);
    size_t len = start;

    while (rest.len > 0) {
        struct str tail = str_from(rest, 1);
        struct str segment = { tail.at, str_index_of(tail, '/') };
        bool is_last = segment.len == tail.len;
        bool is_up = str_equal(segment, STR(".."));

        rest = str_from(tail, segment.len);
        if (is_up) {
            while (len > start && path->at[len - 1] != '/')
                len--;
            if (len > start)
                len--;
        }
        if (is_up || str_equal(segment, STR("."))) {
            if (is_last)
                path->at[len++] = '/';
            continue;
        }
        path->at[len] = '/';
        memmove(path->at + len + 1, segment.at, segment.len);
        len += 1 + segment.len;
    }
    path->len = len;
}

static bool is_default_port(struct str scheme, struct str port)
{
    uint64_t number;

    return port.len == 0 || (str_parse_u64(port, UINT16_MAX, &number) &&
                             number == (str_equal_nocase(scheme, STR("https")) ? 443 : 80));
}

static void append_port(struct str port, struct buffer *to)
{
    while (port.len > 1 && port.at[0] == '0')
        port = str_from(port, 1);
    buffer_append_byte(to, ':');
    buffer_append_str(to, port);
}

enum rc uri_normalise(struct str text, struct buffer *to)
{
    struct uri uri;
    size_t path_start;
    enum rc rc = uri_parse(text, &uri);

    if (rc != RC_OK || !is_http(uri.scheme) || uri.has_userinfo)
        return RC_INVALID;
    append_unescaped(uri.scheme, true, to);
    BUFFER_APPEND_LITERAL(to, "://");
    append_unescaped(uri.host, true, to);
    if (!is_default_port(uri.scheme, uri.port)) /* RFC 3986 6.2.3 */
        append_port(uri.port, to);
    path_start = to->len;
    if (uri.path.len == 0)
        buffer_append_byte(to, '/');
    append_unescaped(uri.path, false, to);
    if (to->overflow)
        return RC_TOO_LARGE;
    remove_dot_segments(to, path_start);
    return RC_OK;
}

/* RFC 8252 7.3 and 8.3: the loopback addresses, and the name that stands for them. */
static bool is_loopback(struct str host)
{
    return str_equal_nocase(host, STR("localhost")) || str_equal(host, STR("[::1]")) ||
           (str_starts_with(host, STR("127.")) && is_address(AF_INET, host));
}

enum rc redirect_uri_check(struct str text)
{
    struct uri uri;
    enum rc rc;

    rc = uri_parse(text, &uri);
    if (rc != RC_OK)
        return rc;
    if (uri.has_fragment || uri.has_userinfo)
        return RC_INVALID;
    if (str_equal_nocase(uri.scheme, STR("https")))
        return RC_OK;
    if (str_equal_nocase(uri.scheme, STR("http")))
        return is_loopback(uri.host) ? RC_OK : RC_INVALID;
    return str_index_of(uri.scheme, '.') < uri.scheme.len ? RC_OK : RC_INVALID;
}

enum rc issuer_check(struct str issuer)
{
    uint64_t port = 0;
    struct uri uri;
    enum rc rc;

    rc = uri_parse(issuer, &uri);
    if (rc != RC_OK)
        return rc;
    if (!str_equal(uri.scheme, STR("https")) &&
        !(str_equal(uri.scheme, STR("http")) && is_loopback(uri.host)))
        return RC_INVALID;
    if (uri.port.len > 0 && !str_parse_u64(uri.port, UINT16_MAX, &port))
        return RC_INVALID;
    /* RFC 8414 2: no query or fragment component */
    if (uri.host.len == 0 || uri.has_userinfo || uri.has_query || uri.has_fragment ||
        str_ends_with(issuer, STR("/")))
        return RC_INVALID;
    return RC_OK;
}
