/*
 * Whatever path, query and headers say, Spectrum's handlers answer, or go on to ask for
 * credentials; nothing is taken from outside the request, and nobody is allowed who is not.
 *
 * The first line is the ttl of the path, the second the query, all others are "name: value".
 */
#include "dialect/spectrum.h"
#include "fuzz.h"

static struct http_exchange exchange;
static char headers[HTTP_ANSWER_HEADER_BYTES_MAX];
static char body[64 * 1024];

static struct str next_line(struct str *rest)
{
    struct str line = { rest->at, str_index_of(*rest, '\n') };

    *rest = str_from(*rest, line.len == rest->len ? line.len : line.len + 1);
    return line;
}

/* The HTTP engine lets no control byte through. */
static struct str sound_copy(struct str input, struct arena *arena)
{
    char *copy = arena_alloc(arena, input.len + 1);

    for (size_t i = 0; i < input.len; i++)
        copy[i] = input.at[i] != '\n' && ((unsigned char)input.at[i] < 0x20 || input.at[i] == 0x7f)
                      ? '?'
                      : input.at[i];
    return (struct str){ copy, input.len };
}

static void read_headers(struct str rest, struct http_request *request)
{
    while (rest.len > 0 && request->header_count < HTTP_HEADER_COUNT_MAX) {
        struct str line = next_line(&rest);
        size_t colon = str_index_of(line, ':');

        if (colon < line.len)
            request->headers[request->header_count++] =
                (struct http_header){ { line.at, colon }, str_trim(str_from(line, colon + 1)) };
    }
}

static void begin_answer(void)
{
    exchange.response = (struct http_response){ .headers = buffer_over(headers, sizeof(headers)),
                                                .body = buffer_over(body, sizeof(body)) };
}

static bool has_text(const struct buffer *buffer, const char *text)
{
    return memmem(buffer->at, buffer->len, text, strlen(text)) != NULL;
}

static void check_answer(enum rc rc)
{
    int status = exchange.response.status;

    ASSERT(rc == RC_REFUSED || rc == RC_NEEDS_HASH || rc == RC_OK);
    ASSERT(rc != RC_OK || status == 200 || status == 400 || status == 404 || status == 405);
    ASSERT(!exchange.response.headers.overflow && !exchange.response.body.overflow);
    if (has_text(&exchange.response.headers, "Access-Control-Allow-Origin: "))
        ASSERT(has_text(&exchange.response.headers, "Access-Control-Allow-Origin: https://a.") ||
               has_text(&exchange.response.headers, "Access-Control-Allow-Origin: http://b."));
}

static void check_presented(struct str input)
{
    struct token_presented presented;

    if (spectrum_presented(&exchange.request, &presented) != RC_OK)
        return;
    ASSERT(presented.value.len > 0);
    ASSERT(fuzz_is_within(presented.value, input) && fuzz_is_within(presented.session, input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct account account = { .name = { "alice", 5 } };
    const struct token_answer token = { .access_token = STR("t"), .account = &account };
    struct dialect_settings settings = dialect_settings_default;
    struct arena *arena = fuzz_arena();
    struct oauth_call oauth = { .arena = arena };
    struct str input = sound_copy(fuzz_input(data, size), arena);
    struct str rest = input;
    struct dialect_call call = { .oauth = &oauth, .exchange = &exchange, .settings = &settings };

    if (size > HTTP_HEAD_BYTES_MAX)
        return 0;
    settings.spectrum_cors_origins =
        (struct dialect_texts){ { "https://a.example", "http://b.*.[a-z]{2,3}" }, 2 };
    exchange = (struct http_exchange){ .arena = arena };
    exchange.request.method = size % 3 == 0 ? HTTP_OPTIONS : HTTP_GET;
    exchange.request.method_text = STR("GET");
    exchange.request.host = STR("tokens.example");
    call.rest = next_line(&rest);
    exchange.request.query = next_line(&rest);
    read_headers(rest, &exchange.request);
    begin_answer();
    check_answer(spectrum_session_token(&call));
    begin_answer();
    check_answer(spectrum_wadl(&call));
    begin_answer();
    spectrum_answer_token(&call, &token);
    check_answer(RC_OK);
    ASSERT(body[0] == '{' || body[0] == '<');
    check_presented(input);
    return 0;
}
