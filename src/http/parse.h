/*
 * http/parse.h: bytes to one request (RFC 9112), strictly.
 *
 * A pure function over a growing buffer: no socket, no clock, no memory of its own. It takes a
 * strict subset of HTTP/1.1 and HTTP/1.0 and refuses everything else with a status; the caller
 * closes the connection after a refusal, so nothing that follows is ever read as a request.
 *
 * What the subset is: lines end with CRLF, never LF alone; the method is a token; the target is
 * in origin-form; no folded lines; no space before the colon; no control byte in a value; exactly
 * one Host (HTTP/1.0 may leave it out); at most one Content-Length, digits only; no
 * Transfer-Encoding but "chunked" alone, and never both. Chunk extensions and trailer fields are
 * checked and skipped (RFC 9112 7.1.1, 7.1.2); what frames or routes a message is refused there.
 * Stricter than the standard: no tab inside a value, none behind a value that frames the message,
 * no absolute-form, no empty Host.
 *
 * How the bytes are cut into reads never changes the outcome: a line is judged when it is whole,
 * and a limit is passed at the same byte whether the rest is there or not.
 *
 * Lifetimes: the request's views point into the buffer, which must stay where it is from the first
 * call to the last use of the request. A chunked body is moved together in place.
 */
#ifndef JETON_HTTP_PARSE_H
#define JETON_HTTP_PARSE_H

#include "http/http.h"

enum {
    PARSE_METHOD_BYTES_MAX = 32,
    PARSE_CHUNK_LINE_BYTES_MAX = 256,       /* the size and its extensions                        */
    PARSE_CHUNK_EXTENSION_BYTES_MAX = 4096, /* of a whole body                              */
    PARSE_TRAILER_BYTES_MAX = 4096,
    /* Room for the longest request: head, body, and the framing that is not moved away yet. */
    PARSE_INPUT_BYTES_MAX = HTTP_HEAD_BYTES_MAX + HTTP_BODY_BYTES_MAX + 8 * 1024
};

enum parse_progress {
    PARSE_NEED_MORE,
    PARSE_DONE,   /* the request is whole; parser.at is the index of the byte after it */
    PARSE_REFUSED /* parser.status says how                                            */
};

enum parse_phase {
    PARSE_REQUEST_LINE,
    PARSE_HEADERS,
    PARSE_BODY,
    PARSE_CHUNK_SIZE,
    PARSE_CHUNK_DATA,
    PARSE_CHUNK_END,
    PARSE_TRAILERS
};

/* Zeroed is ready for the next request. */
struct request_parser {
    enum parse_phase phase;
    int status;            /* of a refusal: 400, 413, 414, 417, 431, 501 or 505                */
    size_t at;             /* index of the first byte not taken yet                            */
    size_t scanned;        /* no line feed stands before this index, counted from at           */
    size_t body_at;        /* index of the body; the head ends here                            */
    size_t content_length; /* bytes; 0 without the header                                      */
    size_t chunk_left;     /* bytes of this chunk still to come                                */
    size_t extension_bytes;
    size_t trailer_bytes;
    bool is_http_1_0;
    bool has_empty_line; /* one was skipped before the request line */
    bool has_content_length;
    bool has_transfer_encoding;
    bool is_chunked;
    bool says_close;
    bool says_keep_alive;
    bool expects_continue; /* and the client may be waiting for it */
};

/*
 * Goes on with the request whose bytes begin at `bytes`.
 *
 * bytes        the same address in every call for one request; only a chunked body is written to
 * len          how many bytes there are; less on return when chunk framing was taken out
 * out_request  filled in as the head is read; complete on PARSE_DONE. Of its fields, those that
 *              do not stand in the bytes (addresses, is_tls, id, …) are not touched.
 *
 * Source: RFC 9112 sections 2 to 7
 */
enum parse_progress request_parse(struct request_parser *parser, char *bytes, size_t *len,
                                  struct http_request *out_request) MUST_CHECK;

/* The head is whole: what is missing is body. */
static inline bool request_parser_has_head(const struct request_parser *parser)
{
    return parser->phase >= PARSE_BODY;
}

/* What the client wants to happen to the connection after the answer (RFC 9112 9.3). */
static inline bool request_parser_keeps_alive(const struct request_parser *parser)
{
    return !parser->says_close && (!parser->is_http_1_0 || parser->says_keep_alive);
}

#endif
