/*
 * test/unit/dialect/fixture.h: a request to a dialect, and what it answered. No server, no store.
 */
#ifndef JETON_TEST_UNIT_DIALECT_FIXTURE_H
#define JETON_TEST_UNIT_DIALECT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dialect/spectrum.h"

struct fixture {
    struct arena arena;
    struct http_exchange exchange;
    struct oauth_call oauth;
    struct dialect_settings settings;
    struct dialect_call call;
    char headers[HTTP_ANSWER_HEADER_BYTES_MAX];
    char body[64 * 1024];
};

static inline void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .settings = dialect_settings_default };
    arena_init(&fixture->arena, 256 * 1024);
    fixture->exchange.arena = &fixture->arena;
    fixture->exchange.request.method_text = STR("GET");
    fixture->exchange.request.host = STR("tokens.example:8443");
    fixture->exchange.response.headers = buffer_over(fixture->headers, sizeof(fixture->headers));
    fixture->exchange.response.body = buffer_over(fixture->body, sizeof(fixture->body));
    fixture->oauth.arena = &fixture->arena;
    fixture->call = (struct dialect_call){ .oauth = &fixture->oauth,
                                           .exchange = &fixture->exchange,
                                           .settings = &fixture->settings };
}

static inline void fixture_deinit(struct fixture *fixture)
{
    arena_deinit(&fixture->arena);
}

/* Forgets the last answer and the request's headers. */
static inline void fixture_begin(struct fixture *fixture, enum http_method method)
{
    fixture->exchange.request.method = method;
    fixture->exchange.request.header_count = 0;
    fixture->exchange.response.status = 0;
    fixture->exchange.response.headers.len = 0;
    fixture->exchange.response.body.len = 0;
}

static inline void fixture_add_header(struct fixture *fixture, const char *name, const char *value)
{
    struct http_request *request = &fixture->exchange.request;

    request->headers[request->header_count++] =
        (struct http_header){ .name = str_of(name), .value = str_of(value) };
}

/* Whether the answer has just this line. */
static inline bool fixture_has_line(const struct fixture *fixture, const char *line)
{
    const struct buffer *headers = &fixture->exchange.response.headers;
    size_t len = strlen(line);

    for (const char *at = headers->at; at < headers->at + headers->len;) {
        const char *end = memmem(at, (size_t)(headers->at + headers->len - at), "\r\n", 2);

        assert_non_null(end);
        if ((size_t)(end - at) == len && memcmp(at, line, len) == 0)
            return true;
        at = end + 2;
    }
    return false;
}

static inline bool fixture_names(const struct fixture *fixture, const char *name)
{
    const struct buffer *headers = &fixture->exchange.response.headers;

    return memmem(headers->at, headers->len, name, strlen(name)) != NULL;
}

#endif
