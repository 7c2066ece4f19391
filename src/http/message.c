#include "http/message.h"

#include <time.h>

void message_format_id(uint64_t number, char out_id[static 17])
{
    static const char DIGITS[] = "0123456789abcdef";

    /* The finalizer of splitmix64 is a bijection. */
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    number ^= number >> 31;
    for (size_t i = 0; i < 16; i++)
        out_id[i] = DIGITS[number >> (60 - 4 * i) & 15];
    out_id[16] = '\0';
}

struct str message_reason(int status)
{
    static const struct {
        int status;
        struct str reason;
    } REASONS[] = {
        { 200, { "OK", 2 } },
        { 201, { "Created", 7 } },
        { 202, { "Accepted", 8 } },
        { 204, { "No Content", 10 } },
        { 301, { "Moved Permanently", 17 } },
        { 302, { "Found", 5 } },
        { 303, { "See Other", 9 } },
        { 304, { "Not Modified", 12 } },
        { 307, { "Temporary Redirect", 18 } },
        { 308, { "Permanent Redirect", 18 } },
        { 400, { "Bad Request", 11 } },
        { 401, { "Unauthorized", 12 } },
        { 403, { "Forbidden", 9 } },
        { 404, { "Not Found", 9 } },
        { 405, { "Method Not Allowed", 18 } },
        { 406, { "Not Acceptable", 14 } },
        { 408, { "Request Timeout", 15 } },
        { 409, { "Conflict", 8 } },
        { 410, { "Gone", 4 } },
        { 412, { "Precondition Failed", 19 } },
        { 413, { "Content Too Large", 17 } },
        { 414, { "URI Too Long", 12 } },
        { 415, { "Unsupported Media Type", 22 } },
        { 417, { "Expectation Failed", 18 } },
        { 422, { "Unprocessable Content", 21 } },
        { 423, { "Locked", 6 } },
        { 428, { "Precondition Required", 21 } },
        { 429, { "Too Many Requests", 17 } },
        { 431, { "Request Header Fields Too Large", 31 } },
        { 500, { "Internal Server Error", 21 } },
        { 501, { "Not Implemented", 15 } },
        { 502, { "Bad Gateway", 11 } },
        { 503, { "Service Unavailable", 19 } },
        { 504, { "Gateway Timeout", 15 } },
        { 505, { "HTTP Version Not Supported", 26 } },
    };

    for (size_t i = 0; i < sizeof(REASONS) / sizeof(REASONS[0]); i++)
        if (REASONS[i].status == status)
            return REASONS[i].reason;
    return STR("");
}

/* Two decimal digits; snprintf costs more than all the rest of the date. */
static void put_two(char *at, int number)
{
    at[0] = (char)('0' + number / 10 % 10);
    at[1] = (char)('0' + number % 10);
}

void message_format_date(int64_t unix_s, char out_text[static MESSAGE_DATE_BYTES])
{
    static const char DAYS[] = "SunMonTueWedThuFriSat";
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)unix_s;
    struct tm utc;

    memcpy(out_text, "Thu, 01 Jan 1970 00:00:00 GMT", MESSAGE_DATE_BYTES);
    if (gmtime_r(&seconds, &utc) == NULL)
        return;
    memcpy(out_text, DAYS + 3 * utc.tm_wday, 3);
    put_two(out_text + 5, utc.tm_mday);
    memcpy(out_text + 8, MONTHS + 3 * utc.tm_mon, 3);
    put_two(out_text + 12, (utc.tm_year + 1900) / 100);
    put_two(out_text + 14, utc.tm_year % 100);
    put_two(out_text + 17, utc.tm_hour);
    put_two(out_text + 20, utc.tm_min);
    put_two(out_text + 23, utc.tm_sec);
}

void message_format(const struct http_response *response, const char *date, bool is_head,
                    enum message_connection connection, struct str *out_bytes)
{
    char memory[MESSAGE_OWN_HEAD_BYTES_MAX];
    struct buffer own = buffer_over(memory, sizeof(memory));
    /* RFC 9110 8.6, 15.3.5, 15.4.5: no body, and no length that could be taken for one */
    bool has_length = response->status != 204 && response->status != 304;
    size_t body_bytes = is_head || !has_length ? 0 : response->body.len;
    size_t head_bytes;
    char *at;

    BUFFER_APPEND_LITERAL(&own, "HTTP/1.1 ");
    buffer_append_u64(&own, (uint64_t)response->status);
    buffer_append_byte(&own, ' ');
    buffer_append_str(&own, message_reason(response->status));
    BUFFER_APPEND_LITERAL(&own, "\r\nDate: ");
    buffer_append(&own, date, MESSAGE_DATE_BYTES - 1);
    if (has_length) {
        BUFFER_APPEND_LITERAL(&own, "\r\nContent-Length: ");
        buffer_append_u64(&own, response->body.len);
    }
    if (connection == MESSAGE_CLOSES)
        BUFFER_APPEND_LITERAL(&own, "\r\nConnection: close");
    else if (connection == MESSAGE_KEEPS_ALIVE)
        BUFFER_APPEND_LITERAL(&own, "\r\nConnection: keep-alive");
    BUFFER_APPEND_LITERAL(&own, "\r\n");
    ASSERT(!own.overflow && response->headers.len <= HTTP_ANSWER_HEADER_BYTES_MAX);

    head_bytes = own.len + response->headers.len + 2;
    at = response->body.at - head_bytes;
    memcpy(at, own.at, own.len);
    if (response->headers.len > 0)
        memcpy(at + own.len, response->headers.at, response->headers.len);
    memcpy(at + head_bytes - 2, "\r\n", 2);
    *out_bytes = (struct str){ at, head_bytes + body_bytes };
}

const struct http_header *http_find_header(const struct http_request *request, struct str name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (str_equal_nocase(request->headers[i].name, name))
            return &request->headers[i];
    return NULL;
}

size_t http_count_headers(const struct http_request *request, struct str name)
{
    size_t count = 0;

    for (size_t i = 0; i < request->header_count; i++)
        count += str_equal_nocase(request->headers[i].name, name) ? 1 : 0;
    return count;
}

void http_add_header(struct http_exchange *exchange, struct str name, struct str value)
{
    struct buffer *headers = &exchange->response.headers;

    ASSERT(!str_has_control(value));
    buffer_append_str(headers, name);
    BUFFER_APPEND_LITERAL(headers, ": ");
    buffer_append_str(headers, value);
    BUFFER_APPEND_LITERAL(headers, "\r\n");
}

void http_add_header_lines(struct http_exchange *exchange, struct str lines)
{
    buffer_append_str(&exchange->response.headers, lines);
}

void http_reset_response(struct http_exchange *exchange)
{
    struct http_response *response = &exchange->response;

    if (response->headers.len > 0)
        explicit_bzero(response->headers.at, response->headers.len);
    if (response->body.len > 0)
        explicit_bzero(response->body.at, response->body.len);
    response->headers.len = 0;
    response->headers.overflow = false;
    response->body.len = 0;
    response->body.overflow = false;
    response->status = 0;
    response->close = false;
}
