#include "http/parse.h"

enum {
    /* Method, two spaces, target, "HTTP/1.1", CRLF. */
    REQUEST_LINE_BYTES_MAX = PARSE_METHOD_BYTES_MAX + 1 + HTTP_TARGET_BYTES_MAX + 1 + 8 + 2
};

/* What a byte may be part of. */
enum byte_class {
    TOKEN = 1,  /* RFC 9110 5.6.2 */
    TARGET = 2, /* printable ASCII but '#': wider than RFC 3986, as browsers send "|" and "^" in
                   queries as they are */
    HOST = 4    /* RFC 3986 3.2.2 and 3.2.3: what a host and a port are written with */
};

/* clang-format off */
#define ALL   (TOKEN | TARGET | HOST)
#define ALL_4 ALL, ALL, ALL, ALL

static const unsigned char byte_classes[256] = {
    ['!'] = ALL, ['"'] = TARGET, ['#'] = TOKEN,
    ['$'] = ALL, ['%'] = ALL, ['&'] = ALL, ['\''] = ALL,
    ['('] = TARGET | HOST, [')'] = TARGET | HOST, ['*'] = ALL, ['+'] = ALL,
    [','] = TARGET | HOST, ['-'] = ALL, ['.'] = ALL, ['/'] = TARGET,
    ['0'] = ALL_4, ALL_4, ALL, ALL,
    [':'] = TARGET | HOST, [';'] = TARGET | HOST,
    ['<'] = TARGET, ['='] = TARGET | HOST, ['>'] = TARGET, ['?'] = TARGET, ['@'] = TARGET,
    ['A'] = ALL_4, ALL_4, ALL_4, ALL_4, ALL_4, ALL_4, ALL, ALL,
    ['['] = TARGET | HOST, ['\\'] = TARGET, [']'] = TARGET | HOST,
    ['^'] = TOKEN | TARGET, ['_'] = ALL, ['`'] = TOKEN | TARGET,
    ['a'] = ALL_4, ALL_4, ALL_4, ALL_4, ALL_4, ALL_4, ALL, ALL,
    ['{'] = TARGET, ['|'] = TOKEN | TARGET, ['}'] = TARGET, ['~'] = ALL,
};
/* clang-format on */

/* How many bytes at the front of the view are of the class. */
static size_t span(struct str view, enum byte_class class)
{
    const unsigned char *at = (const unsigned char *)view.at;
    size_t i = 0;

    while (i < view.len && (byte_classes[at[i]] & class) != 0)
        i++;
    return i;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static enum parse_progress refuse(struct request_parser *parser, int status)
{
    parser->status = status;
    return PARSE_REFUSED;
}

/*
 * Takes the next line. PARSE_DONE: *out_line is the line without its CRLF. bytes_max is what the
 * line may have with its end; a longer one is refused with status_too_long, seen whole or not.
 */
static enum parse_progress take_line(struct request_parser *parser, const char *bytes, size_t len,
                                     size_t bytes_max, int status_too_long, struct str *out_line)
{
    size_t from = parser->at + parser->scanned;
    const char *feed = len > from ? memchr(bytes + from, '\n', len - from) : NULL;
    size_t line_bytes = feed == NULL ? len - parser->at : (size_t)(feed + 1 - bytes) - parser->at;

    if (line_bytes > bytes_max || (feed == NULL && line_bytes == bytes_max))
        return refuse(parser, status_too_long);
    if (feed == NULL) {
        parser->scanned = line_bytes;
        return PARSE_NEED_MORE;
    }
    /* RFC 9112 2.2: a line feed alone may be taken for an end of line; here it is not. */
    if (line_bytes < 2 || feed[-1] != '\r')
        return refuse(parser, 400);
    *out_line = (struct str){ bytes + parser->at, line_bytes - 2 };
    parser->at += line_bytes;
    parser->scanned = 0;
    return PARSE_DONE;
}

static enum http_method method_of(struct str text)
{
    static const struct {
        struct str text;
        enum http_method method;
    } METHODS[] = {
        { { "GET", 3 }, HTTP_GET },         { { "POST", 4 }, HTTP_POST },
        { { "HEAD", 4 }, HTTP_HEAD },       { { "PUT", 3 }, HTTP_PUT },
        { { "PATCH", 5 }, HTTP_PATCH },     { { "DELETE", 6 }, HTTP_DELETE },
        { { "OPTIONS", 7 }, HTTP_OPTIONS },
    };

    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++)
        if (str_equal(text, METHODS[i].text))
            return METHODS[i].method;
    return HTTP_OTHER;
}

/* Every '%' of the path begins an escape, and none of them stands for NUL (RFC 3986 2.1). */
static bool path_escapes_are_good(struct str path)
{
    for (size_t i = str_index_of(path, '%'); i < path.len;
         i += 1 + str_index_of(str_from(path, i + 1), '%')) {
        if (path.len - i < 3 || hex_value(path.at[i + 1]) < 0 || hex_value(path.at[i + 2]) < 0)
            return false;
        if (path.at[i + 1] == '0' && path.at[i + 2] == '0')
            return false;
    }
    return true;
}

static enum parse_progress parse_target(struct request_parser *parser, struct str target,
                                        struct http_request *request)
{
    size_t query = str_index_of(target, '?');

    if (target.len > HTTP_TARGET_BYTES_MAX)
        return refuse(parser, 414);
    /* RFC 9112 3.2.1: origin-form; the other forms are for proxies and OPTIONS *. */
    if (target.len == 0 || target.at[0] != '/' || span(target, TARGET) != target.len)
        return refuse(parser, 400);
    request->target = target;
    request->path = (struct str){ target.at, query };
    request->query = query < target.len ? str_from(target, query + 1) : str_from(target, query);
    if (!path_escapes_are_good(request->path))
        return refuse(parser, 400);
    return PARSE_DONE;
}

/* RFC 9112 3: method SP request-target SP HTTP-version, with exactly one space. */
static enum parse_progress parse_request_line(struct request_parser *parser, struct str line,
                                              struct http_request *request)
{
    struct str method = { line.at, span(line, TOKEN) };
    struct str target;
    struct str version;

    if (method.len == 0 || method.len == line.len || line.at[method.len] != ' ')
        return refuse(parser, 400);
    if (method.len > PARSE_METHOD_BYTES_MAX)
        return refuse(parser, 501);
    target = str_from(line, method.len + 1);
    target.len = str_index_of(target, ' ');
    if (method.len + 1 + target.len == line.len)
        return refuse(parser, 400);
    version = str_from(line, method.len + 1 + target.len + 1);
    /* RFC 9112 2.3: HTTP-name "/" DIGIT "." DIGIT, and the name is case-sensitive */
    if (version.len != 8 || !str_starts_with(version, STR("HTTP/")) || version.at[6] != '.' ||
        version.at[5] < '0' || version.at[5] > '9' || version.at[7] < '0' || version.at[7] > '9')
        return refuse(parser, 400);
    if (version.at[5] != '1' || version.at[7] > '1')
        return refuse(parser, 505);
    parser->is_http_1_0 = version.at[7] == '0';
    request->method = method_of(method);
    request->method_text = method;
    request->header_count = 0;
    request->host = (struct str){ line.at, 0 };
    request->body = (struct str){ line.at, 0 };
    return parse_target(parser, target, request);
}

/* RFC 9112 5: field-name ":" OWS field-value OWS; no space before the colon, no folding. */
static bool parse_field(struct str line, struct http_header *out_header)
{
    size_t name_len = span(line, TOKEN);
    struct str value;

    /* A folded line begins with a space, which is no token byte either (RFC 9112 5.1, 5.2). */
    if (name_len == 0 || name_len == line.len || line.at[name_len] != ':')
        return false;
    value = str_from(line, name_len + 1);
    while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
        value = str_from(value, 1);
    while (value.len > 0 && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
        value.len--;
    if (str_has_control(value)) /* RFC 9110 5.5; a tab inside is refused as well */
        return false;
    *out_header = (struct http_header){ { line.at, name_len }, value };
    return true;
}

/* RFC 9110 7.6.1: a list of options; those that are not about the connection's end do not matter.
 */
static void parse_connection(struct request_parser *parser, struct str list)
{
    while (list.len > 0) {
        size_t end = str_index_of(list, ',');
        struct str option = str_trim((struct str){ list.at, end });

        if (str_equal_nocase(option, STR("close")))
            parser->says_close = true;
        else if (str_equal_nocase(option, STR("keep-alive")))
            parser->says_keep_alive = true;
        list = str_from(list, end < list.len ? end + 1 : end);
    }
}

/*
 * A tab behind a value is white space by the standard, but not to every parser that may stand in
 * front of this one; where it frames the message there must be one opinion. The line ends with CR.
 */
static bool is_followed_by_tab(struct str value)
{
    const char *at = value.at + value.len;

    while (*at == ' ')
        at++;
    return *at == '\t';
}

/* The status to refuse with, or 0. */
static int parse_content_length(struct request_parser *parser, struct str value)
{
    uint64_t length;

    /* RFC 9112 6.3: two lengths, even equal ones, are how requests are smuggled */
    if (parser->has_content_length || value.len == 0 || is_followed_by_tab(value))
        return 400;
    parser->has_content_length = true;
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] < '0' || value.at[i] > '9')
            return 400;
    if (!str_parse_u64(value, HTTP_BODY_BYTES_MAX, &length))
        return 413;
    parser->content_length = (size_t)length;
    return 0;
}

/* Looks at the headers that frame the message. The status to refuse with, or 0. */
static int note_header(struct request_parser *parser, struct str name, struct str value,
                       struct http_request *request)
{
    switch (name.len) {
    case 4:
        if (!str_equal_nocase(name, STR("host")))
            return 0;
        /* RFC 9112 3.2: more than one Host, or one that is not a host, is a bad request */
        if (request->host.len > 0 || value.len == 0 || span(value, HOST) != value.len)
            return 400;
        request->host = value;
        return 0;
    case 6:
        if (!str_equal_nocase(name, STR("expect")))
            return 0;
        /* RFC 9110 10.1.1: an expectation that is not known is 417 */
        if (!str_equal_nocase(value, STR("100-continue")))
            return parser->is_http_1_0 ? 0 : 417;
        parser->expects_continue = !parser->is_http_1_0;
        return 0;
    case 10:
        if (str_equal_nocase(name, STR("connection")))
            parse_connection(parser, value);
        return 0;
    case 14:
        return str_equal_nocase(name, STR("content-length")) ? parse_content_length(parser, value)
                                                             : 0;
    case 17:
        if (!str_equal_nocase(name, STR("transfer-encoding")))
            return 0;
        if (parser->has_transfer_encoding || is_followed_by_tab(value))
            return 400;
        parser->has_transfer_encoding = true;
        parser->is_chunked = str_equal_nocase(value, STR("chunked"));
        return 0;
    default:
        return 0;
    }
}

static enum parse_progress parse_header(struct request_parser *parser, struct str line,
                                        struct http_request *request)
{
    struct http_header *header = &request->headers[request->header_count];
    int status;

    if (request->header_count == HTTP_HEADER_COUNT_MAX)
        return refuse(parser, 431); /* RFC 6585 5 */
    if (!parse_field(line, header))
        return refuse(parser, 400);
    status = note_header(parser, header->name, header->value, request);
    if (status != 0)
        return refuse(parser, status);
    request->header_count++;
    return PARSE_DONE;
}

/* The empty line after the headers: what does the body look like? */
static enum parse_progress finish_head(struct request_parser *parser, struct http_request *request)
{
    if (request->host.len == 0 && !parser->is_http_1_0)
        return refuse(parser, 400); /* RFC 9112 3.2 */
    if (parser->has_transfer_encoding) {
        /* RFC 9112 6.1: both, or in HTTP/1.0, is an attempt at smuggling or a broken client */
        if (parser->has_content_length || parser->is_http_1_0)
            return refuse(parser, 400);
        if (!parser->is_chunked)
            return refuse(parser, 501); /* RFC 9112 6.1 */
    }
    parser->body_at = parser->at;
    parser->phase = parser->is_chunked ? PARSE_CHUNK_SIZE : PARSE_BODY;
    return PARSE_DONE;
}

static enum parse_progress parse_head(struct request_parser *parser, const char *bytes, size_t len,
                                      struct http_request *request)
{
    enum parse_progress progress = PARSE_DONE;
    struct str line;

    while (progress == PARSE_DONE && !request_parser_has_head(parser)) {
        if (parser->phase == PARSE_REQUEST_LINE) {
            progress = take_line(parser, bytes, len, REQUEST_LINE_BYTES_MAX, 414, &line);
            if (progress != PARSE_DONE)
                return progress;
            if (line.len == 0 && !parser->has_empty_line) {
                parser->has_empty_line = true; /* RFC 9112 2.2: at least one SHOULD be ignored */
                continue;
            }
            progress = parse_request_line(parser, line, request);
            parser->phase = PARSE_HEADERS;
            continue;
        }
        progress = take_line(parser, bytes, len, HTTP_HEAD_BYTES_MAX - parser->at, 431, &line);
        if (progress == PARSE_DONE)
            progress =
                line.len > 0 ? parse_header(parser, line, request) : finish_head(parser, request);
    }
    return progress;
}

/* The length of a quoted-string or a token at the front; 0 when there is neither. */
static size_t extension_value(struct str text)
{
    size_t i = 1;

    if (text.len == 0 || text.at[0] != '"')
        return span(text, TOKEN);
    while (i < text.len && text.at[i] != '"')
        i += text.at[i] == '\\' ? 2 : 1;
    return i < text.len ? i + 1 : 0;
}

/* RFC 9112 7.1.1: *( ";" name [ "=" value ] ); unknown ones are ignored, malformed ones are not. */
static bool chunk_extensions_are_good(struct str text)
{
    if (str_has_control(text))
        return false;
    while (text.len > 0) {
        size_t len;

        if (text.at[0] != ';')
            return false;
        text = str_from(text, 1);
        len = span(text, TOKEN);
        if (len == 0)
            return false;
        text = str_from(text, len);
        if (text.len == 0 || text.at[0] != '=')
            continue;
        text = str_from(text, 1);
        len = extension_value(text);
        if (len == 0)
            return false;
        text = str_from(text, len);
    }
    return true;
}

/* RFC 9112 7.1: chunk-size [ chunk-ext ] */
static enum parse_progress parse_chunk_size(struct request_parser *parser, struct str line,
                                            const struct http_request *request)
{
    size_t size = 0;
    size_t i = 0;

    for (; i < line.len && hex_value(line.at[i]) >= 0; i++) {
        size = size * 16 + (size_t)hex_value(line.at[i]);
        if (size > HTTP_BODY_BYTES_MAX - request->body.len)
            return refuse(parser, 413);
    }
    line = str_from(line, i);
    parser->extension_bytes += line.len;
    if (i == 0 || parser->extension_bytes > PARSE_CHUNK_EXTENSION_BYTES_MAX ||
        !chunk_extensions_are_good(line))
        return refuse(parser, 400);
    parser->chunk_left = size;
    parser->phase = size > 0 ? PARSE_CHUNK_DATA : PARSE_TRAILERS;
    return PARSE_DONE;
}

/* Moves what there is of the chunk to the end of the body. */
static enum parse_progress take_chunk_data(struct request_parser *parser, char *bytes, size_t len,
                                           struct http_request *request)
{
    size_t there = len - parser->at;
    size_t taken = there < parser->chunk_left ? there : parser->chunk_left;

    memmove(bytes + parser->body_at + request->body.len, bytes + parser->at, taken);
    request->body.len += taken;
    parser->at += taken;
    parser->chunk_left -= taken;
    if (parser->chunk_left > 0)
        return PARSE_NEED_MORE;
    parser->phase = PARSE_CHUNK_END;
    return PARSE_DONE;
}

/* RFC 9112 7.1: exactly CRLF stands after a chunk's data. */
static enum parse_progress take_chunk_end(struct request_parser *parser, const char *bytes,
                                          size_t len)
{
    if (len > parser->at && bytes[parser->at] != '\r')
        return refuse(parser, 400);
    if (len - parser->at < 2)
        return PARSE_NEED_MORE;
    if (bytes[parser->at + 1] != '\n')
        return refuse(parser, 400);
    parser->at += 2;
    parser->phase = PARSE_CHUNK_SIZE;
    return PARSE_DONE;
}

/* RFC 9110 6.5.1: what frames or routes a message MUST NOT stand in a trailer. */
static bool is_forbidden_in_trailer(struct str name)
{
    return str_equal_nocase(name, STR("content-length")) ||
           str_equal_nocase(name, STR("transfer-encoding")) || str_equal_nocase(name, STR("host"));
}

/* RFC 9112 7.1.2: trailer fields may be discarded; merging them would let them forge headers. */
static enum parse_progress take_trailer(struct request_parser *parser, const char *bytes,
                                        size_t len, bool *out_ended)
{
    struct http_header discarded;
    struct str line;
    enum parse_progress progress =
        take_line(parser, bytes, len, PARSE_TRAILER_BYTES_MAX - parser->trailer_bytes, 431, &line);

    if (progress != PARSE_DONE)
        return progress;
    parser->trailer_bytes += line.len + 2;
    if (line.len > 0 && (!parse_field(line, &discarded) || is_forbidden_in_trailer(discarded.name)))
        return refuse(parser, 400);
    *out_ended = line.len == 0;
    return PARSE_DONE;
}

/* Takes the framing that has been read out of the buffer, so that it holds body and news only. */
static void close_gap(struct request_parser *parser, char *bytes, size_t *len,
                      const struct http_request *request)
{
    size_t body_end = parser->body_at + request->body.len;
    size_t gap = parser->at - body_end;

    memmove(bytes + body_end, bytes + parser->at, *len - parser->at);
    parser->at -= gap;
    *len -= gap;
}

static enum parse_progress parse_chunked(struct request_parser *parser, char *bytes, size_t *len,
                                         struct http_request *request)
{
    enum parse_progress progress = PARSE_DONE;
    bool has_ended = false;
    struct str line;

    request->body.at = bytes + parser->body_at;
    while (progress == PARSE_DONE && !has_ended) {
        if (parser->phase == PARSE_CHUNK_SIZE) {
            progress = take_line(parser, bytes, *len, PARSE_CHUNK_LINE_BYTES_MAX, 400, &line);
            if (progress == PARSE_DONE)
                progress = parse_chunk_size(parser, line, request);
        } else if (parser->phase == PARSE_CHUNK_DATA) {
            progress = take_chunk_data(parser, bytes, *len, request);
        } else if (parser->phase == PARSE_CHUNK_END) {
            progress = take_chunk_end(parser, bytes, *len);
        } else {
            progress = take_trailer(parser, bytes, *len, &has_ended);
        }
    }
    if (progress != PARSE_REFUSED)
        close_gap(parser, bytes, len, request);
    return progress;
}

enum parse_progress request_parse(struct request_parser *parser, char *bytes, size_t *len,
                                  struct http_request *out_request)
{
    enum parse_progress progress = PARSE_DONE;

    ASSERT(parser->at <= *len);
    if (!request_parser_has_head(parser))
        progress = parse_head(parser, bytes, *len, out_request);
    if (progress != PARSE_DONE)
        return progress;
    if (parser->is_chunked)
        return parse_chunked(parser, bytes, len, out_request);
    if (*len - parser->body_at < parser->content_length)
        return PARSE_NEED_MORE;
    out_request->body = (struct str){ bytes + parser->body_at, parser->content_length };
    parser->at = parser->body_at + parser->content_length;
    return PARSE_DONE;
}
