/*
 * Whatever our parser takes, a second parser takes too, with the same method, target, headers and
 * body: no proxy or server that reads the same bytes can come to another opinion about where a
 * request ends. The second parser is libhttp-parser (Debian's libhttp-parser-dev), used here only.
 *
 * Requests are made by changing good ones at random; the seed is fixed, or JETON_TEST_SEED.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/parse.h"

/* Both libraries have an enum http_method. */
#define http_method  oracle_http_method
#define HTTP_GET     ORACLE_GET
#define HTTP_HEAD    ORACLE_HEAD
#define HTTP_POST    ORACLE_POST
#define HTTP_PUT     ORACLE_PUT
#define HTTP_PATCH   ORACLE_PATCH
#define HTTP_DELETE  ORACLE_DELETE
#define HTTP_OPTIONS ORACLE_OPTIONS
#include <http_parser.h>
#undef http_method
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_PUT
#undef HTTP_PATCH
#undef HTTP_DELETE
#undef HTTP_OPTIONS

enum { ROUND_COUNT = 400 * 1000, INPUT_MAX = 1024 };

/* What the oracle made of the first request. */
struct opinion {
    bool is_whole;
    char target[INPUT_MAX];
    size_t target_len;
    char body[INPUT_MAX];
    size_t body_len;
    size_t header_count; /* of the head */
    bool in_trailer;
};

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct opinion *opinion = parser->data;

    memcpy(opinion->target + opinion->target_len, at, len);
    opinion->target_len += len;
    return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
    struct opinion *opinion = parser->data;

    (void)at;
    (void)len;
    opinion->header_count += opinion->in_trailer ? 0 : 1;
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct opinion *opinion = parser->data;

    opinion->in_trailer = true;
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct opinion *opinion = parser->data;

    memcpy(opinion->body + opinion->body_len, at, len);
    opinion->body_len += len;
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    struct opinion *opinion = parser->data;

    opinion->is_whole = true;
    http_parser_pause(parser, 1);
    return 0;
}

/* Where the oracle's first request ends; SIZE_MAX when it takes none. */
static size_t ask_oracle(struct str input, http_parser *parser, struct opinion *opinion)
{
    static const http_parser_settings SETTINGS = {
        .on_url = on_url,
        .on_header_value = on_header_value,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
    };
    size_t taken;

    *opinion = (struct opinion){ .is_whole = false };
    http_parser_init(parser, HTTP_REQUEST);
    parser->data = opinion;
    taken = http_parser_execute(parser, &SETTINGS, input.at, input.len);
    return opinion->is_whole ? taken : SIZE_MAX;
}

static void fail_with(const char *what, struct str input)
{
    print_error("%s:\n", what);
    for (size_t i = 0; i < input.len; i++)
        print_error(input.at[i] >= ' ' && input.at[i] < 0x7f ? "%c" : "\\x%02x",
                    (unsigned char)input.at[i]);
    print_error("\n");
    fail();
}

/*
 * What the oracle refuses and ours need not: methods that are not on its list, and names that only
 * begin like Transfer-Encoding, which it takes for the real one until it knows better.
 */
static bool is_known_difference(const struct http_request *request)
{
    static const struct str NAME = { "transfer-encoding", 17 };

    for (size_t i = 0; i < request->header_count; i++) {
        struct str name = request->headers[i].name;

        if (name.len > NAME.len && str_equal_nocase((struct str){ name.at, NAME.len }, NAME))
            return true;
    }
    return request->method == HTTP_OTHER;
}

/* True when ours took the request, and then the oracle agrees. */
static bool check(struct str input)
{
    static char buffer[PARSE_INPUT_BYTES_MAX];
    struct request_parser parser = { 0 };
    struct http_request request;
    struct opinion opinion;
    http_parser oracle;
    size_t len = input.len;
    size_t end;

    memcpy(buffer, input.at, input.len);
    if (request_parse(&parser, buffer, &len, &request) != PARSE_DONE)
        return false;
    if (is_known_difference(&request))
        return false;
    end = ask_oracle(input, &oracle, &opinion);
    if (end == SIZE_MAX)
        fail_with("the oracle refuses", input);
    if (input.len - end != len - parser.at)
        fail_with("the oracle ends elsewhere", input);
    if (!str_equal(str_of(http_method_str((enum oracle_http_method)oracle.method)),
                   request.method_text))
        fail_with("another method", input);
    if (!str_equal((struct str){ opinion.target, opinion.target_len }, request.target))
        fail_with("another target", input);
    if (!str_equal((struct str){ opinion.body, opinion.body_len }, request.body))
        fail_with("another body", input);
    if (opinion.header_count != request.header_count)
        fail_with("another number of headers", input);
    if (parser.is_http_1_0 != (oracle.http_minor == 0))
        fail_with("another version", input);
    return true;
}

static uint64_t random_state;

/* xorshift64*: the same rounds everywhere. */
static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 33) % limit;
}

#define CHUNKED_SEED                                                                               \
    "POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"                        \
    "3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n"

static const char *const SEEDS[] = {
    "GET /introspect?a=b HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n",
    "POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\ntoken=abcdefgGET / HTTP/1.1\r\n",
    CHUNKED_SEED,
    "PUT /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab",
    "\r\nDELETE /a/b%20c HTTP/1.1\r\nHost: [::1]:80\r\nX:\t a b \t\r\nExpect: 100-continue\r\n\r\n",
    "OPTIONS / HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nContent-Length: 0\r\n\r\n",
    "PATCH /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\nTE: trailers\r\n\r\n0\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
};

/* Pieces that matter to framing. */
static const char *const WORDS[] = {
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "0",
    "1",
    "a",
    "\r\n\r\n",
    "0\r\n\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Host: b\r\n",
    "Connection: upgrade\r\n",
    "X: y\r\n",
    "chunked",
    "HTTP/1.0",
    "HTTP/1.1",
    "GET ",
    "POST ",
    "\x80",
    "\x7f",
    "=\"a\"",
    "%41",
    "?",
    "/",
};

static void insert(struct buffer *input, size_t at, const char *bytes, size_t len)
{
    if (len > input->max_bytes - input->len)
        return;
    memmove(input->at + at + len, input->at + at, input->len - at);
    memcpy(input->at + at, bytes, len);
    input->len += len;
}

static void mutate(struct buffer *input)
{
    size_t at = random_below((uint32_t)input->len + 1);
    const char *word = WORDS[random_below(sizeof(WORDS) / sizeof(WORDS[0]))];
    char byte = (char)random_below(256);

    switch (random_below(4)) {
    case 0:
        if (at < input->len)
            input->at[at] = byte;
        break;
    case 1:
        insert(input, at, word, strlen(word));
        break;
    case 2:
        insert(input, at, &byte, 1);
        break;
    default:
        if (at < input->len) {
            memmove(input->at + at, input->at + at + 1, input->len - at - 1);
            input->len--;
        }
        break;
    }
}

static void test_seeds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(SEEDS) / sizeof(SEEDS[0]); i++)
        assert_true(check(str_of(SEEDS[i])));
}

static void test_mutations(void **state)
{
    const char *seed = getenv("JETON_TEST_SEED");
    const char *rounds = getenv("JETON_TEST_ROUNDS");
    uint64_t number = 20261122;
    uint64_t round_count = ROUND_COUNT;
    unsigned taken = 0;

    (void)state;
    if (seed != NULL)
        assert_true(str_parse_u64(str_of(seed), UINT64_MAX, &number));
    if (rounds != NULL)
        assert_true(str_parse_u64(str_of(rounds), UINT64_MAX, &round_count));
    random_state = number * 2 + 1;
    for (uint64_t round = 0; round < round_count; round++) {
        char text[INPUT_MAX];
        struct buffer input = buffer_over(text, sizeof(text));
        uint32_t changes = 1 + random_below(4);

        buffer_append_str(&input, str_of(SEEDS[random_below(sizeof(SEEDS) / sizeof(SEEDS[0]))]));
        while (changes-- > 0)
            mutate(&input);
        taken += check(buffer_str(&input)) ? 1 : 0;
    }
    /* Otherwise the test would prove nothing. */
    assert_true(taken > round_count / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
