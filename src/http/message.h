/*
 * http/message.h: the bytes of an answer (RFC 9112 section 4, RFC 9110 section 6.6.1).
 *
 * Pure formatting. The head is written right before the body, so that an answer leaves with one
 * send.
 */
#ifndef JETON_HTTP_MESSAGE_H
#define JETON_HTTP_MESSAGE_H

#include "http/http.h"

enum {
    /* The status line, Date, Content-Length, Connection and the empty line. */
    MESSAGE_OWN_HEAD_BYTES_MAX = 256,
    MESSAGE_HEAD_BYTES_MAX = MESSAGE_OWN_HEAD_BYTES_MAX + HTTP_ANSWER_HEADER_BYTES_MAX,
    MESSAGE_DATE_BYTES = 30 /* "Sun, 22 Nov 2026 06:13:28 GMT" and a NUL */
};

/* What the connection does after the answer. */
enum message_connection {
    MESSAGE_KEEPS_ALIVE_SILENTLY, /* HTTP/1.1's default: nothing is said */
    MESSAGE_KEEPS_ALIVE,
    MESSAGE_CLOSES
};

/* RFC 9110 5.6.7: IMF-fixdate. */
void message_format_date(int64_t unix_s, char out_text[static MESSAGE_DATE_BYTES]);

/*
 * Writes the head so that it ends where the body begins.
 *
 * response   its body has MESSAGE_HEAD_BYTES_MAX bytes of room in front of it
 * is_head    the request's method was HEAD: the body is left out, its length is told
 * out_bytes  the whole answer, ready to be sent
 */
void message_format(const struct http_response *response, const char *date, bool is_head,
                    enum message_connection connection, struct str *out_bytes);

/* A request's id: unique in the process, as the number is. */
void message_format_id(uint64_t number, char out_id[static 17]);

/* The words after the status code, or an empty view. */
struct str message_reason(int status);

#endif
