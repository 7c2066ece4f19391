/*
 * A request is the same however its bytes arrive, and whatever is taken keeps the promises of
 * http/http.h and http/parse.h.
 */
#include "fuzz.h"
#include "http/parse.h"

struct outcome {
    enum parse_progress progress;
    struct request_parser parser;
    struct http_request request;
    size_t len;   /* bytes in the buffer  */
    size_t taken; /* bytes read into it   */
};

/* As a connection would: reads of `step` bytes, and no more once the request is whole. */
static void parse_in_steps(struct str input, size_t step, char *bytes, struct outcome *out_outcome)
{
    *out_outcome = (struct outcome){ .progress = PARSE_NEED_MORE };
    while (out_outcome->progress == PARSE_NEED_MORE && out_outcome->taken < input.len) {
        size_t room = PARSE_INPUT_BYTES_MAX - out_outcome->len;
        size_t len = input.len - out_outcome->taken;

        len = len < step ? len : step;
        len = len < room ? len : room;
        ASSERT(len > 0); /* a request that is not whole always leaves room for more */
        memcpy(bytes + out_outcome->len, input.at + out_outcome->taken, len);
        out_outcome->len += len;
        out_outcome->taken += len;
        out_outcome->progress =
            request_parse(&out_outcome->parser, bytes, &out_outcome->len, &out_outcome->request);
    }
}

static void check_headers(const struct http_request *request, struct str head)
{
    size_t host_count = http_count_headers(request, STR("host"));

    ASSERT(request->header_count <= HTTP_HEADER_COUNT_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        struct str name = request->headers[i].name;
        struct str value = request->headers[i].value;

        ASSERT(fuzz_is_within(name, head) && fuzz_is_within(value, head));
        ASSERT(name.len > 0 && !str_has_control(name) && str_index_of(name, ' ') == name.len);
        ASSERT(!str_has_control(value) && str_equal(str_trim(value), value));
    }
    ASSERT(host_count <= 1 && (host_count == 1) == (request->host.len > 0));
    ASSERT(http_count_headers(request, STR("content-length")) +
               http_count_headers(request, STR("transfer-encoding")) <=
           1);
}

static void check_request(const struct outcome *outcome, const char *bytes)
{
    const struct http_request *request = &outcome->request;
    struct str head = { bytes, outcome->parser.body_at };

    ASSERT(outcome->parser.at <= outcome->len);
    ASSERT(head.len <= HTTP_HEAD_BYTES_MAX && str_ends_with(head, STR("\r\n\r\n")));
    ASSERT(request->target.len > 0 && request->target.len <= HTTP_TARGET_BYTES_MAX);
    ASSERT(request->target.at[0] == '/' && !str_has_control(request->target));
    ASSERT(request->path.at == request->target.at);
    ASSERT(fuzz_is_within(request->query, request->target));
    ASSERT(fuzz_is_within(request->method_text, head) && request->method_text.len > 0);
    ASSERT(request->body.len <= HTTP_BODY_BYTES_MAX);
    ASSERT(fuzz_is_within(request->body, (struct str){ bytes, outcome->parser.at }));
    check_headers(request, head);
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    ASSERT(a->progress == b->progress);
    if (a->progress == PARSE_REFUSED)
        ASSERT(a->parser.status == b->parser.status);
    if (a->progress != PARSE_DONE)
        return;
    ASSERT(a->parser.at == b->parser.at && a->taken - a->len == b->taken - b->len);
    ASSERT(a->request.header_count == b->request.header_count);
    ASSERT(str_equal(a->request.target, b->request.target));
    ASSERT(str_equal(a->request.body, b->request.body));
    ASSERT(request_parser_keeps_alive(&a->parser) == request_parser_keeps_alive(&b->parser));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char whole_bytes[PARSE_INPUT_BYTES_MAX];
    static char bytes[PARSE_INPUT_BYTES_MAX];
    static struct outcome whole;
    static struct outcome pieces;
    struct str input = fuzz_input(data, size);

    parse_in_steps(input, size, whole_bytes, &whole);
    if (whole.progress == PARSE_DONE)
        check_request(&whole, whole_bytes);
    if (whole.progress == PARSE_REFUSED)
        ASSERT(whole.parser.status >= 400 && whole.parser.status <= 505);
    for (size_t step = 1; step <= 7; step += 3) {
        parse_in_steps(input, step, bytes, &pieces);
        check_same(&pieces, &whole);
    }
    return 0;
}
