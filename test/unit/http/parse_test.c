/*
 * The request parser: what it takes, what it refuses and how, and that the way the bytes are cut
 * into reads changes nothing. The malformed requests are those that told packaged servers apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/parse.h"

struct outcome {
    enum parse_progress progress;
    struct request_parser parser;
    struct http_request request;
    size_t len; /* bytes in the buffer when it ended */
    size_t fed; /* bytes of the input taken into it  */
};

static char buffer[PARSE_INPUT_BYTES_MAX];

/* Feeds `first` bytes, then `step` at a time, as reads from a socket would. */
static struct outcome parse_in_pieces(struct str input, size_t first, size_t step)
{
    struct outcome outcome = { .progress = PARSE_NEED_MORE };

    while (outcome.progress == PARSE_NEED_MORE && outcome.fed < input.len) {
        size_t piece = outcome.fed == 0 ? first : step;

        if (piece > input.len - outcome.fed)
            piece = input.len - outcome.fed;
        if (piece > sizeof(buffer) - outcome.len)
            piece = sizeof(buffer) - outcome.len;
        assert_true(piece > 0);
        memcpy(buffer + outcome.len, input.at + outcome.fed, piece);
        outcome.len += piece;
        outcome.fed += piece;
        outcome.progress = request_parse(&outcome.parser, buffer, &outcome.len, &outcome.request);
    }
    return outcome;
}

static struct outcome parse_whole(struct str input)
{
    return parse_in_pieces(input, input.len, input.len);
}

static void assert_same_view(struct str a, struct str b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0)
        assert_memory_equal(a.at, b.at, a.len);
}

/* Everything that a caller can see, where views are compared before the buffer is used again. */
static void assert_same_outcome(const struct outcome *pieces, const struct outcome *whole,
                                const char *whole_bytes)
{
    const char *moved = whole_bytes;

    assert_int_equal(pieces->progress, whole->progress);
    if (whole->progress == PARSE_REFUSED)
        assert_int_equal(pieces->parser.status, whole->parser.status);
    if (whole->progress != PARSE_DONE)
        return;
    assert_int_equal(pieces->parser.at, whole->parser.at);
    assert_int_equal(pieces->fed - pieces->len, whole->fed - whole->len);
    assert_int_equal(pieces->request.method, whole->request.method);
    assert_int_equal(pieces->request.header_count, whole->request.header_count);
    assert_int_equal(pieces->request.body.len, whole->request.body.len);
    assert_int_equal(pieces->request.path.len, whole->request.path.len);
    assert_int_equal(pieces->request.query.len, whole->request.query.len);
    assert_memory_equal(buffer, moved, whole->parser.at);
    assert_int_equal(request_parser_keeps_alive(&pieces->parser),
                     request_parser_keeps_alive(&whole->parser));
}

/* The whole, every split into two, and byte by byte. Returns the outcome of the whole. */
static struct outcome parse_every_way(struct str input)
{
    struct outcome whole = parse_whole(input);
    char *whole_bytes = malloc(sizeof(buffer));

    assert_non_null(whole_bytes);
    memcpy(whole_bytes, buffer, sizeof(buffer));
    for (size_t first = 1; first < input.len; first++) {
        struct outcome pieces = parse_in_pieces(input, first, input.len);

        assert_same_outcome(&pieces, &whole, whole_bytes);
    }
    for (size_t step = 1; step <= 3; step++) {
        struct outcome pieces = parse_in_pieces(input, step, step);

        assert_same_outcome(&pieces, &whole, whole_bytes);
    }
    free(whole_bytes);
    return parse_whole(input);
}

#define HOST    "Host: a.example\r\n"
#define POST    "POST /introspect HTTP/1.1\r\n" HOST
#define GET     "GET /static HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define BYTES(literal)                                                                             \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

/* status 0: taken; -1: not complete yet, and rightly so. */
struct row {
    const char *name;
    struct str input;
    int status;
};

static const struct row ROWS[] = {
    { "valid POST", BYTES(POST "Content-Length: 13\r\n\r\ntoken=abcdefg"), 0 },
    { "pipelined POST and GET", BYTES(POST "Content-Length: 2\r\n\r\nab" GET "\r\n"), 0 },
    /* HT-01; RFC 9112 6.1; RFC 9112 6.3 */
    { "CL and TE, the CL covers a GET",
      BYTES(POST "Content-Length: 38\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET "\r\n"),
      400 },
    { "CL and TE, valid chunks",
      BYTES(POST "Content-Length: 18\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
      400 },
    { "TE and CL, in that order",
      BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
      400 },
    { "TE chunked", BYTES(CHUNKED "3\r\nabc\r\n0\r\n\r\n"), 0 },
    { "TE Chunked, the name without case",
      BYTES(POST "TRANSFER-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), 0 },
    { "TE xchunked and CL",
      BYTES(POST "Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc"), 400 },
    { "TE xchunked", BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n"), 501 },
    { "TE chunked, identity and CL",
      BYTES(POST "Transfer-Encoding: chunked, identity\r\nContent-Length: 3\r\n\r\nabc"), 400 },
    { "TE gzip, chunked", BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501 },
    { "TE identity and CL",
      BYTES(POST "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc"), 400 },
    { "TE empty", BYTES(POST "Transfer-Encoding:\r\n\r\n"), 501 },
    { "TE with a space before the colon, and CL",
      BYTES(POST "Transfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\nabc"), 400 },
    { "TE chunked in HTTP/1.0",
      BYTES("POST /introspect HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n0\r\n\r\n"),
      400 },
    { "two TE headers",
      BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
      400 },
    { "two TE headers, both chunked",
      BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      400 },
    { "TE with a vertical tab, and CL",
      BYTES(POST "Transfer-Encoding: \x0b"
                 "chunked\r\nContent-Length: 3\r\n\r\nabc"),
      400 },
    { "chunk extension ended by LF", BYTES(CHUNKED "3;a=b\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk extension", BYTES(CHUNKED "3;a=b;c;d=\"e;\\\"f\"\r\nabc\r\n0;z\r\n\r\n"), 0 },
    { "chunk extension without a name", BYTES(CHUNKED "3;\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk extension without its quote", BYTES(CHUNKED "3;a=\"b\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk extension with a control byte", BYTES(CHUNKED "3;a=\"\x01\"\r\nabc\r\n0\r\n\r\n"),
      400 },
    { "chunk extension without a value", BYTES(CHUNKED "3;a=\r\nabc\r\n0\r\n\r\n"), 400 },
    { "trailer that looks like a header",
      BYTES(CHUNKED "3\r\nabc\r\n0\r\nAuthorization: Basic eDp5\r\n\r\n"), 0 },
    /* RFC 9110 6.5.1 */
    { "Content-Length in the trailer", BYTES(CHUNKED "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"),
      400 },
    { "Host in the trailer", BYTES(CHUNKED "3\r\nabc\r\n0\r\nhost: b\r\n\r\n"), 400 },
    { "malformed trailer", BYTES(CHUNKED "3\r\nabc\r\n0\r\nno colon\r\n\r\n"), 400 },
    { "folded trailer", BYTES(CHUNKED "3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n"), 400 },
    { "trailer ended by LF", BYTES(CHUNKED "3\r\nabc\r\n0\r\nX: a\n\r\n"), 400 },
    { "CL twice, equal", BYTES(POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400 },
    { "CL twice, different", BYTES(POST "Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc"), 400 },
    { "CL 3,3", BYTES(POST "Content-Length: 3,3\r\n\r\nabc"), 400 },
    { "CL +3", BYTES(POST "Content-Length: +3\r\n\r\nabc"), 400 },
    { "CL -1", BYTES(POST "Content-Length: -1\r\n\r\nabc"), 400 },
    { "CL 0x3", BYTES(POST "Content-Length: 0x3\r\n\r\nabc"), 400 },
    { "CL 3abc", BYTES(POST "Content-Length: 3abc\r\n\r\nabc"), 400 },
    { "CL with a tab behind", BYTES(POST "Content-Length: 3 \t\r\n\r\nabc"), 400 },
    { "TE with a tab behind", BYTES(POST "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n"), 400 },
    { "CL with a space behind", BYTES(POST "Content-Length: 3  \r\n\r\nabc"), 0 },
    { "CL 3 3", BYTES(POST "Content-Length: 3 3\r\n\r\nabc"), 400 },
    { "CL 2^64+13", BYTES(POST "Content-Length: 18446744073709551629\r\n\r\n"), 413 },
    { "CL empty", BYTES(POST "Content-Length:\r\n\r\n"), 400 },
    { "CL 10 MB", BYTES(POST "Content-Length: 10000000\r\n\r\n"), 413 },
    { "CL 65537", BYTES(POST "Content-Length: 65537\r\n\r\n"), 413 },
    { "CL with leading zeros", BYTES(POST "Content-Length: 00000000000000000003\r\n\r\nabc"), 0 },
    { "POST without CL or TE: no body", BYTES(POST "\r\n"), 0 },
    /* RFC 9112 2.2; RFC 9112 5; RFC 9112 5.1; RFC 9112 5.2; RFC 9110 5.5; RFC 9110 5.6.2 */
    { "LF line ends", BYTES("GET /static HTTP/1.1\nHost: a\n\n"), 400 },
    { "LF between headers only", BYTES(GET "X: a\nY: b\r\n\r\n"), 400 },
    { "LF as the empty line", BYTES(GET "\n"), 400 },
    { "CR alone in a value", BYTES(GET "X: a\rb\r\n\r\n"), 400 },
    { "CR CR LF", BYTES(GET "X: a\r\r\n\r\n"), 400 },
    { "folded header", BYTES(GET "X: a\r\n b\r\n\r\n"), 400 },
    { "folded header, by a tab", BYTES(GET "X: a\r\n\tb\r\n\r\n"), 400 },
    { "folded TE, and CL",
      BYTES(POST "Transfer-Encoding:\r\n chunked\r\nContent-Length: 3\r\n\r\nabc"), 400 },
    { "space before the first header", BYTES("GET / HTTP/1.1\r\n " HOST "\r\n"), 400 },
    { "NUL in a value", BYTES(GET "X: a\0b\r\n\r\n"), 400 },
    { "NUL in a name", BYTES(GET "X\0Y: a\r\n\r\n"), 400 },
    { "NUL in the target", BYTES("GET /static\0x HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "NUL in the method", BYTES("GE\0T /static HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "0x01 in a value",
      BYTES(GET "X: a\x01"
                "b\r\n\r\n"),
      400 },
    { "0x7f in a value", BYTES(GET "X: abcdefghijk\x7f\r\n\r\n"), 400 },
    { "0x1f in the eighth byte of a value",
      BYTES(GET "X: abcdefg\x1f"
                "ijklmnop\r\n\r\n"),
      400 },
    { "tab inside a value", BYTES(GET "X: a\tb\r\n\r\n"), 400 },
    { "tabs around a value", BYTES(GET "X:\t a \t\r\n\r\n"), 0 },
    { "bytes above 0x7f in a value", BYTES(GET "X: \xc3\xa9\xff\x80\r\n\r\n"), 0 },
    { "header without a colon", BYTES(GET "no colon\r\n\r\n"), 400 },
    { "header of one word", BYTES(GET "word\r\n\r\n"), 400 },
    { "empty header name", BYTES(GET ": a\r\n\r\n"), 400 },
    { "space in a header name", BYTES(GET "X Y: a\r\n\r\n"), 400 },
    { "space before the colon", BYTES(GET "X : a\r\n\r\n"), 400 },
    { "parenthesis in a header name", BYTES(GET "X(Y): a\r\n\r\n"), 400 },
    { "byte above 0x7f in a header name", BYTES(GET "X\xe9: a\r\n\r\n"), 400 },
    /* RFC 9112 3.2 */
    { "no Host", BYTES("GET / HTTP/1.1\r\n\r\n"), 400 },
    { "two Hosts", BYTES(GET HOST "\r\n"), 400 },
    { "empty Host", BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400 },
    { "empty Host and another", BYTES("GET / HTTP/1.1\r\nHost:\r\n" HOST "\r\n"), 400 },
    { "Host with userinfo", BYTES("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), 400 },
    { "Host with a path", BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400 },
    { "Host with a space", BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400 },
    { "Host of IPv6 with a port", BYTES("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"), 0 },
    /* RFC 9112 2.3; RFC 9112 3 */
    { "HTTP/1.2", BYTES("GET / HTTP/1.2\r\n" HOST "\r\n"), 505 },
    { "HTTP/2.0", BYTES("GET / HTTP/2.0\r\n" HOST "\r\n"), 505 },
    { "HTTP/0.9 with its version", BYTES("GET / HTTP/0.9\r\n" HOST "\r\n"), 505 },
    { "HTTP/0.9", BYTES("GET /static\r\n"), 400 },
    { "HTTP/1.0 without Host", BYTES("GET / HTTP/1.0\r\n\r\n"), 0 },
    { "HTTP/1.0 with two Hosts", BYTES("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), 400 },
    { "http/1.1 in small letters", BYTES("GET / http/1.1\r\n" HOST "\r\n"), 400 },
    { "HTTP/1.10", BYTES("GET / HTTP/1.10\r\n" HOST "\r\n"), 400 },
    { "HTTP/11", BYTES("GET / HTTP/11\r\n" HOST "\r\n"), 400 },
    { "method in small letters", BYTES("get / HTTP/1.1\r\n" HOST "\r\n"), 0 },
    { "method FOO", BYTES("FOO / HTTP/1.1\r\n" HOST "\r\n"), 0 },
    { "method with a slash", BYTES("G/T / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "method of 33 bytes", BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n"),
      501 },
    { "no method", BYTES(" / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "two spaces after the method", BYTES("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "two spaces before the version", BYTES("GET /  HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "space after the version", BYTES("GET / HTTP/1.1 \r\n" HOST "\r\n"), 400 },
    { "tabs in the request line", BYTES("GET\t/\tHTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "one empty line first", BYTES("\r\n" GET "\r\n"), 0 },
    { "two empty lines first", BYTES("\r\n\r\n" GET "\r\n"), 400 },
    { "LF first", BYTES("\n" GET "\r\n"), 400 },
    /* RFC 9112 3.2.1 */
    { "absolute-form", BYTES("GET http://a.example/static HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "authority-form", BYTES("CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "asterisk-form", BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "%-encoded path", BYTES("GET /s%74atic HTTP/1.1\r\n" HOST "\r\n"), 0 },
    { "dot segments", BYTES("GET /a/../static HTTP/1.1\r\n" HOST "\r\n"), 0 },
    { "%00 in the path", BYTES("GET /static%00 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "bad escape in the path", BYTES("GET /static%zz HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "cut escape in the path", BYTES("GET /static%4 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "escape cut by the query", BYTES("GET /static%4?1 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "fragment", BYTES("GET /static#part HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "byte above 0x7f in the target", BYTES("GET /\xe9 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    /* RFC 9112 7.1; RFC 9112 7.1.1; RFC 9112 7.1.2 */
    { "chunk size 0x3", BYTES(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size huge", BYTES(CHUNKED "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 413 },
    { "chunk size negative", BYTES(CHUNKED "-3\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size empty", BYTES(CHUNKED "\r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size with a space", BYTES(CHUNKED "3 \r\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk size ended by LF", BYTES(CHUNKED "3\nabc\r\n0\r\n\r\n"), 400 },
    { "chunk data without CRLF", BYTES(CHUNKED "3\r\nabc0\r\n\r\n"), 400 },
    { "chunk data ended by LF", BYTES(CHUNKED "3\r\nabc\n0\r\n\r\n"), 400 },
    { "chunk data longer than said", BYTES(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), 400 },
    { "several chunks and a pipelined GET",
      BYTES(CHUNKED "3\r\nabc\r\n0A\r\n0123456789\r\n00\r\n\r\n" GET "\r\n"), 0 },
    /* RFC 9110 7.8; RFC 9110 10.1.1 */
    { "Expect: 100-continue", BYTES(POST "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc"),
      0 },
    { "Expect: something", BYTES(POST "Expect: something\r\nContent-Length: 3\r\n\r\nabc"), 417 },
    { "Upgrade: h2c is ignored",
      BYTES(GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"), 0 },
    { "preface of HTTP/2", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505 },
    { "TLS on a plain port", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"), 400 },
    { "random bytes", BYTES("\x8a\x11\xf3\x02\xe7\r\n\x90\x0d\x42\n"), 400 },
    { "not whole: request line", BYTES("GET / HT"), -1 },
    { "not whole: headers", BYTES(GET), -1 },
    { "not whole: body", BYTES(POST "Content-Length: 4\r\n\r\nabc"), -1 },
    { "not whole: chunk", BYTES(CHUNKED "4\r\nabc"), -1 },
    { "not whole: trailer", BYTES(CHUNKED "4\r\nabcd\r\n0\r\n"), -1 },
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct outcome outcome = parse_every_way(ROWS[i].input);
        int status = outcome.progress == PARSE_REFUSED     ? outcome.parser.status
                     : outcome.progress == PARSE_NEED_MORE ? -1
                                                           : 0;

        if (status != ROWS[i].status)
            print_error("%s: %d instead of %d\n", ROWS[i].name, status, ROWS[i].status);
        assert_int_equal(status, ROWS[i].status);
    }
}

static void test_request_is_understood(void **state)
{
    struct outcome outcome = parse_every_way(
        STR("PATCH /a%20b/c?d=e?f HTTP/1.1\r\nHost: a.example:8080\r\nX-A:  one two \t\r\n"
            "x-a:\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\n"));
    const struct http_request *request = &outcome.request;

    (void)state;
    assert_int_equal(outcome.progress, PARSE_DONE);
    assert_int_equal(request->method, HTTP_PATCH);
    assert_same_view(request->method_text, STR("PATCH"));
    assert_same_view(request->target, STR("/a%20b/c?d=e?f"));
    assert_same_view(request->path, STR("/a%20b/c"));
    assert_same_view(request->query, STR("d=e?f"));
    assert_same_view(request->host, STR("a.example:8080"));
    assert_int_equal(request->header_count, 4);
    assert_same_view(request->headers[1].name, STR("X-A"));
    assert_same_view(request->headers[1].value, STR("one two"));
    assert_same_view(request->headers[2].value, STR(""));
    assert_same_view(request->body, STR("body"));
    assert_int_equal(http_count_headers(request, STR("x-a")), 2);
    assert_same_view(http_find_header(request, STR("x-a"))->value, STR("one two"));
    assert_null(http_find_header(request, STR("x-b")));
    /* What comes behind is not touched. */
    assert_same_view((struct str){ buffer + outcome.parser.at, 5 }, STR("GET /"));
}

static void test_every_method(void **state)
{
    static const struct {
        const char *text;
        enum http_method method;
    } METHODS[] = {
        { "GET", HTTP_GET },         { "HEAD", HTTP_HEAD },      { "POST", HTTP_POST },
        { "PUT", HTTP_PUT },         { "PATCH", HTTP_PATCH },    { "DELETE", HTTP_DELETE },
        { "OPTIONS", HTTP_OPTIONS }, { "TRACE", HTTP_OTHER },    { "GETS", HTTP_OTHER },
        { "get", HTTP_OTHER },       { "PROPFIND", HTTP_OTHER },
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
        struct outcome outcome;
        int len = snprintf(text, sizeof(text), "%s / HTTP/1.0\r\n\r\n", METHODS[i].text);

        outcome = parse_whole((struct str){ text, (size_t)len });
        assert_int_equal(outcome.progress, PARSE_DONE);
        assert_int_equal(outcome.request.method, METHODS[i].method);
        assert_same_view(outcome.request.method_text, str_of(METHODS[i].text));
    }
}

static void test_chunks_become_one_body(void **state)
{
    struct outcome outcome = parse_every_way(
        STR(CHUNKED "3\r\nabc\r\n0A;x\r\n0123456789\r\n0\r\nCookie: evil\r\n\r\nGET /next"));

    (void)state;
    assert_int_equal(outcome.progress, PARSE_DONE);
    assert_same_view(outcome.request.body, STR("abc0123456789"));
    assert_int_equal(outcome.request.header_count, 2); /* the trailer is not among them */
    assert_same_view(outcome.request.host, STR("a.example"));
    assert_same_view((struct str){ buffer + outcome.parser.at, outcome.len - outcome.parser.at },
                     STR("GET /next"));
}

/* RFC 9112 9.3; RFC 9110 7.6.1 */
static void test_what_becomes_of_the_connection(void **state)
{
    static const struct {
        struct str input;
        bool keeps_alive;
    } CASES[] = {
        { BYTES(GET "\r\n"), true },
        { BYTES(GET "Connection: close\r\n\r\n"), false },
        { BYTES(GET "Connection: CLOSE\r\n\r\n"), false },
        { BYTES(GET "Connection: x , close,y\r\n\r\n"), false },
        { BYTES(GET "Connection: x\r\nConnection: close\r\n\r\n"), false },
        { BYTES(GET "Connection: keep-alive, close\r\n\r\n"), false },
        { BYTES(GET "Connection: closed\r\n\r\n"), true },
        { BYTES("GET / HTTP/1.0\r\n\r\n"), false },
        { BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), true },
        { BYTES("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct outcome outcome = parse_every_way(CASES[i].input);

        assert_int_equal(outcome.progress, PARSE_DONE);
        assert_int_equal(request_parser_keeps_alive(&outcome.parser), CASES[i].keeps_alive);
    }
}

/* A request with a target of so many bytes. */
static struct outcome parse_target_of(size_t bytes, size_t step)
{
    char *text = malloc(bytes + 200);
    struct outcome outcome;
    size_t len = 0;

    assert_non_null(text);
    memcpy(text, "GET /", 5);
    memset(text + 5, 'a', bytes - 1);
    len = 4 + bytes;
    memcpy(text + len, " HTTP/1.1\r\n" HOST "\r\n", sizeof(" HTTP/1.1\r\n" HOST "\r\n") - 1);
    len += sizeof(" HTTP/1.1\r\n" HOST "\r\n") - 1;
    outcome = parse_in_pieces((struct str){ text, len }, step, step);
    free(text);
    return outcome;
}

/* HT-02: one byte over */
static void test_target_limit(void **state)
{
    static const size_t STEPS[] = { 1, 1000, 200000 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct outcome outcome = parse_target_of(HTTP_TARGET_BYTES_MAX, STEPS[i]);

        assert_int_equal(outcome.progress, PARSE_DONE);
        outcome = parse_target_of(HTTP_TARGET_BYTES_MAX + 1, STEPS[i]);
        assert_int_equal(outcome.progress, PARSE_REFUSED);
        assert_int_equal(outcome.parser.status, 414);
        outcome = parse_target_of(70 * 1000, STEPS[i]);
        assert_int_equal(outcome.progress, PARSE_REFUSED);
        assert_int_equal(outcome.parser.status, 414);
    }
}

/* A head of exactly so many bytes, in one long header. */
static struct outcome parse_head_of(size_t bytes, size_t step)
{
    char *text = malloc(bytes);
    size_t start = sizeof(GET "X: ") - 1;
    struct outcome outcome;

    assert_non_null(text);
    memcpy(text, GET "X: ", start);
    memset(text + start, 'a', bytes - start - 4);
    memcpy(text + bytes - 4, "\r\n\r\n", 4);
    outcome = parse_in_pieces((struct str){ text, bytes }, step, step);
    free(text);
    return outcome;
}

static void test_head_limit(void **state)
{
    static const size_t STEPS[] = { 1, 1000, 200000 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct outcome outcome = parse_head_of(HTTP_HEAD_BYTES_MAX, STEPS[i]);

        assert_int_equal(outcome.progress, PARSE_DONE);
        for (size_t over = 1; over < 5; over++) {
            outcome = parse_head_of(HTTP_HEAD_BYTES_MAX + over, STEPS[i]);
            assert_int_equal(outcome.progress, PARSE_REFUSED);
            assert_int_equal(outcome.parser.status, 431);
        }
        outcome = parse_head_of(80 * 1000, STEPS[i]);
        assert_int_equal(outcome.parser.status, 431);
    }
}

/* RFC 6585 5 */
static void test_header_count_limit(void **state)
{
    char text[4096];

    (void)state;
    for (int count = HTTP_HEADER_COUNT_MAX; count <= HTTP_HEADER_COUNT_MAX + 1; count++) {
        struct buffer built = buffer_over(text, sizeof(text));
        struct outcome outcome;

        BUFFER_APPEND_LITERAL(&built, GET);
        for (int i = 1; i < count; i++)
            BUFFER_APPEND_LITERAL(&built, "X: y\r\n");
        BUFFER_APPEND_LITERAL(&built, "\r\n");
        outcome = parse_every_way(buffer_str(&built));
        if (count == HTTP_HEADER_COUNT_MAX) {
            assert_int_equal(outcome.progress, PARSE_DONE);
            assert_int_equal(outcome.request.header_count, HTTP_HEADER_COUNT_MAX);
        } else {
            assert_int_equal(outcome.progress, PARSE_REFUSED);
            assert_int_equal(outcome.parser.status, 431);
        }
    }
}

/* The longest head and the longest body, in chunks of chunk_bytes with that extension. */
static struct outcome parse_chunks_of(size_t chunk_bytes, size_t body_bytes, const char *extension)
{
    size_t room = HTTP_HEAD_BYTES_MAX + body_bytes * (strlen(extension) + 8) + 1000;
    char *text = malloc(room);
    struct buffer built = buffer_over(text, room);
    struct outcome outcome;
    size_t left = body_bytes;

    assert_non_null(text);
    BUFFER_APPEND_LITERAL(&built, POST "Transfer-Encoding: chunked\r\nX: ");
    while (built.len < HTTP_HEAD_BYTES_MAX - 4)
        buffer_append_byte(&built, 'a');
    BUFFER_APPEND_LITERAL(&built, "\r\n\r\n");
    while (left > 0) {
        size_t len = left < chunk_bytes ? left : chunk_bytes;

        buffer_append_format(&built, "%zx%s\r\n", len, extension);
        for (size_t i = 0; i < len; i++)
            buffer_append_byte(&built, (char)('a' + (left - i) % 26));
        BUFFER_APPEND_LITERAL(&built, "\r\n");
        left -= len;
    }
    BUFFER_APPEND_LITERAL(&built, "0\r\n\r\n");
    assert_false(built.overflow);
    outcome = parse_in_pieces(buffer_str(&built), 5000, 5000);
    free(text);
    return outcome;
}

/* Framing of several times the body's size does not fill the buffer up. */
static void test_body_limit_in_chunks(void **state)
{
    static const size_t CHUNKS[] = { 1, 7, 4096, HTTP_BODY_BYTES_MAX };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct outcome outcome = parse_chunks_of(CHUNKS[i], HTTP_BODY_BYTES_MAX, "");

        assert_int_equal(outcome.progress, PARSE_DONE);
        assert_int_equal(outcome.request.body.len, HTTP_BODY_BYTES_MAX);
        for (size_t at = 0; at < HTTP_BODY_BYTES_MAX; at++)
            assert_int_equal(outcome.request.body.at[at], 'a' + (HTTP_BODY_BYTES_MAX - at) % 26);
        outcome = parse_chunks_of(CHUNKS[i], HTTP_BODY_BYTES_MAX + 1, "");
        assert_int_equal(outcome.progress, PARSE_REFUSED);
        assert_int_equal(outcome.parser.status, 413);
    }
    assert_int_equal(parse_chunks_of(1, 2048, ";a").progress, PARSE_DONE);
    assert_int_equal(parse_chunks_of(1, 2049, ";a").parser.status, 400);
}

static void test_trailer_limit(void **state)
{
    char text[PARSE_TRAILER_BYTES_MAX + 1000];

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct buffer built = buffer_over(text, sizeof(text));
        struct outcome outcome;
        size_t start;

        BUFFER_APPEND_LITERAL(&built, CHUNKED "0\r\n");
        start = built.len;
        BUFFER_APPEND_LITERAL(&built, "X: ");
        while (built.len < start + PARSE_TRAILER_BYTES_MAX + over - 4)
            buffer_append_byte(&built, 'a');
        BUFFER_APPEND_LITERAL(&built, "\r\n\r\n");
        outcome = parse_every_way(buffer_str(&built));
        assert_int_equal(outcome.progress, over == 0 ? PARSE_DONE : PARSE_REFUSED);
        if (over == 1)
            assert_int_equal(outcome.parser.status, 431);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_request_is_understood),
        cmocka_unit_test(test_every_method),
        cmocka_unit_test(test_chunks_become_one_body),
        cmocka_unit_test(test_what_becomes_of_the_connection),
        cmocka_unit_test(test_target_limit),
        cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_header_count_limit),
        cmocka_unit_test(test_body_limit_in_chunks),
        cmocka_unit_test(test_trailer_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
