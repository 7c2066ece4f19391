#include <regex.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "dialect/spectrum.h"

/*
 * The rule of Jetty's CrossOriginFilter, which Spectrum's settings are written for: an allowed
 * origin is compared as it stands, but one that holds a star is a pattern, in which a star is any
 * text and a dot is a dot; the rest of it is a regular expression.
 */

enum {
    ORIGIN_BYTES_MAX =
        255, /* a scheme, a host name of at most 253 bytes and a port fit nearly all */
    CORS_HEADERS_BYTES_MAX = 1024
};

/* ---- patterns ---------------------------------------------------------------------------------
 */

/* One compiled pattern. There are as many as the settings have, and they stay. */
struct origin_pattern {
    struct origin_pattern *next;
    char *text;
    regex_t compiled;
};

static _Atomic(struct origin_pattern *) patterns;

/* A reference to what a group matched needs backtracking, whose time an attacker could choose. */
static bool has_back_reference(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text != '\\')
            continue;
        text++;
        if (*text >= '1' && *text <= '9')
            return true;
        if (*text == '\0')
            return false;
    }
    return false;
}

static enum rc pattern_compile(const char *text, regex_t *out_compiled)
{
    char memory[2 * ORIGIN_BYTES_MAX + 1];
    struct buffer expression = buffer_over(memory, sizeof(memory) - 1);

    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '*')
            BUFFER_APPEND_LITERAL(&expression, ".*");
        else if (*at == '.')
            BUFFER_APPEND_LITERAL(&expression, "\\.");
        else
            buffer_append_byte(&expression, *at);
    }
    if (expression.overflow || has_back_reference(text))
        return RC_INVALID;
    memory[expression.len] = '\0';
    return regcomp(out_compiled, memory, REG_EXTENDED) == 0 ? RC_OK : RC_INVALID;
}

/* The leftmost match is the longest there (POSIX), so the whole text matches just when that is it.
 */
static bool pattern_matches(const struct origin_pattern *pattern, const char *origin, size_t len)
{
    regmatch_t match;

    return regexec(&pattern->compiled, origin, 1, &match, 0) == 0 && match.rm_so == 0 &&
           (size_t)match.rm_eo == len;
}

static struct origin_pattern *pattern_find_compiled(const char *text)
{
    for (struct origin_pattern *at = atomic_load(&patterns); at != NULL; at = at->next)
        if (strcmp(at->text, text) == 0)
            return at;
    return NULL;
}

/* The settings' check compiles all of them before there is a second thread; whoever comes after it
 * only finds. */
static enum rc pattern_find(const char *text, struct origin_pattern **out_pattern)
{
    struct origin_pattern *pattern = pattern_find_compiled(text);

    if (pattern == NULL) {
        pattern = calloc(1, sizeof(*pattern));
        ASSERT(pattern != NULL);
        if (pattern_compile(text, &pattern->compiled) != RC_OK) {
            free(pattern);
            return RC_INVALID;
        }
        pattern->text = strdup(text);
        ASSERT(pattern->text != NULL);
        pattern->next = atomic_load(&patterns);
        while (!atomic_compare_exchange_weak(&patterns, &pattern->next, pattern))
            ;
    }
    *out_pattern = pattern;
    return RC_OK;
}

static bool is_pattern(const char *allowed)
{
    return strchr(allowed, '*') != NULL;
}

/* ---- origins ----------------------------------------------------------------------------------
 */

bool spectrum_has_cors(const struct dialect_settings *settings)
{
    return settings->spectrum_cors_origins.count > 0;
}

static bool origin_matches(const char *allowed, const char *origin)
{
    struct origin_pattern *pattern;

    if (!is_pattern(allowed))
        return strcmp(allowed, origin) == 0;
    return pattern_find(allowed, &pattern) == RC_OK &&
           pattern_matches(pattern, origin, strlen(origin));
}

/* The Origin header when it is one that may call, else an empty view. */
static struct str find_allowed_origin(const struct dialect_call *call)
{
    const struct dialect_texts *allowed = &call->settings->spectrum_cors_origins;
    const struct http_header *header = http_find_header(&call->exchange->request, STR("origin"));
    char origin[ORIGIN_BYTES_MAX + 1];

    if (header == NULL || header->value.len == 0 || header->value.len > ORIGIN_BYTES_MAX ||
        http_count_headers(&call->exchange->request, STR("origin")) > 1)
        return STR("");
    memcpy(origin, header->value.at, header->value.len);
    origin[header->value.len] = '\0';
    for (size_t i = 0; i < allowed->count; i++)
        if (origin_matches(allowed->at[i], origin))
            return header->value;
    return STR("");
}

/* ---- answers ----------------------------------------------------------------------------------
 */

void spectrum_add_cors_headers(struct dialect_call *call)
{
    struct str origin;

    if (!spectrum_has_cors(call->settings))
        return;
    /* The answer depends on it whether it was sent or not: RFC 9110 12.5.5. */
    http_add_header(call->exchange, STR("Vary"), STR("Origin"));
    origin = find_allowed_origin(call);
    if (origin.len == 0)
        return;
    http_add_header(call->exchange, STR("Access-Control-Allow-Origin"), origin);
    http_add_header(call->exchange, STR("Access-Control-Allow-Credentials"), STR("true"));
}

/* Browsers ask without credentials, so this is answered before anybody authenticates. */
static void answer_preflight(struct dialect_call *call)
{
    bool is_allowed = find_allowed_origin(call).len > 0;

    spectrum_answer(call, 200, STR(""));
    if (!is_allowed)
        return;
    http_add_header_lines(call->exchange, STR("Access-Control-Allow-Methods: GET,POST,HEAD\r\n"
                                              "Access-Control-Max-Age: 1800\r\n"));
    http_add_header(call->exchange, STR("Access-Control-Allow-Headers"),
                    call->settings->spectrum_cors_headers);
}

bool spectrum_cors(struct dialect_call *call)
{
    const struct http_request *request = &call->exchange->request;

    spectrum_add_cors_headers(call);
    if (!spectrum_has_cors(call->settings) || request->method != HTTP_OPTIONS ||
        http_find_header(request, STR("access-control-request-method")) == NULL)
        return false;
    answer_preflight(call);
    return true;
}

static bool is_method_allowed(enum http_method method, enum spectrum_methods methods)
{
    return method == HTTP_GET || method == HTTP_HEAD ||
           (method == HTTP_POST && methods == SPECTRUM_GET_POST);
}

bool spectrum_begin(struct dialect_call *call, enum spectrum_methods methods)
{
    if (spectrum_cors(call))
        return true;
    if (is_method_allowed(call->exchange->request.method, methods))
        return false;
    spectrum_answer_message(call, 405, STR("Method Not Allowed"));
    /* RFC 9110 15.5.6: a 405 names the methods there are. */
    http_add_header(call->exchange, STR("Allow"),
                    methods == SPECTRUM_GET ? STR("GET, HEAD") : STR("GET, HEAD, POST"));
    return true;
}

/* ---- settings ---------------------------------------------------------------------------------
 */

/* Scheme, host and port, as a browser sends it, which ends without a slash. */
static bool is_origin(struct str text)
{
    const char *at = memmem(text.at, text.len, "://", 3);

    return at != NULL && at > text.at &&
           memchr(at + 3, '/', text.len - (size_t)(at + 3 - text.at)) == NULL &&
           !str_ends_with(text, STR("://"));
}

static bool is_pattern_sound(const char *text)
{
    struct origin_pattern *pattern;

    return pattern_find(text, &pattern) == RC_OK;
}

/*
 * Whoever may call gets the user's cookies and password along: an origin that nobody can have
 * (a reserved name), or that of a sandboxed frame, shows a pattern that leaves out none.
 */
static bool is_for_all(const char *text)
{
    static const char *const nobodys[] = { "null", "http://any.invalid", "https://any.invalid" };

    for (size_t i = 0; i < sizeof(nobodys) / sizeof(nobodys[0]); i++)
        if (origin_matches(text, nobodys[i]))
            return true;
    return false;
}

static enum rc check_origin(const char *origin, struct buffer *out_error)
{
    struct str text = str_of(origin);
    const char *words = NULL;

    if (text.len == 0 || text.len > ORIGIN_BYTES_MAX || str_has_control(text) ||
        str_index_of(text, ' ') < text.len)
        words = "one origin of at most 255 bytes";
    else if (is_pattern(origin) && !is_pattern_sound(origin))
        words = "a pattern that is a regular expression without back-references";
    else if (is_pattern(origin) && is_for_all(origin))
        words = "a pattern that leaves some origins out, as they are trusted with passwords";
    else if (!is_pattern(origin) && !is_origin(text))
        words = "an origin such as https://pages.example, or a pattern such as https://*.example";
    if (words != NULL)
        buffer_append_format(out_error, "spectrum-cors-origin must be %s", words);
    return words == NULL ? RC_OK : RC_INVALID;
}

enum rc spectrum_cors_check(const struct dialect_settings *settings, struct buffer *out_error)
{
    if (settings->spectrum_cors_headers.len > CORS_HEADERS_BYTES_MAX ||
        str_has_control(settings->spectrum_cors_headers)) {
        buffer_append_format(out_error, "spectrum-cors-headers must be a list of at most %d bytes",
                             CORS_HEADERS_BYTES_MAX);
        return RC_INVALID;
    }
    for (size_t i = 0; i < settings->spectrum_cors_origins.count; i++) {
        enum rc rc = check_origin(settings->spectrum_cors_origins.at[i], out_error);

        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}
