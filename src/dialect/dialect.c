#include "dialect/dialect.h"

#include "dialect/spectrum.h"
#include "dialect/spectrum_wsdl.h"

enum { PREFIX_BYTES_MAX = 256, HOST_BYTES_MAX = 255, NAME_BYTES_MAX = 64, LIST_BYTES_MAX = 1024 };

#define VIEW(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

const struct dialect_settings dialect_settings_default = {
#define SWITCH(member, name, standard, words)                 .member = (standard),
#define NUMBER(member, name, standard, min, max, unit, words) .member = (standard),
#define TEXT(member, name, standard, argument, words)         .member = VIEW(standard),
#define CHOICE(member, name, standard, choices, words)        .member = (standard),
#include "dialect/settings.def"
};

/* ---- whose request it is --------------------------------------------------------------------- */

/* All bytes are letters, digits, or one of the others. */
static bool has_only(struct str text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.at[i];

        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
              (byte >= '0' && byte <= '9') || (byte != '\0' && strchr(others, byte) != NULL)))
            return false;
    }
    return true;
}

static bool is_authority(struct str text)
{
    return text.len > 0 && text.len <= HOST_BYTES_MAX && has_only(text, ".-_~:[]%");
}

/* The last of a list that proxies extend at its end: what the nearest one, which is trusted, said.
 */
static struct str last_of(const struct http_request *request, struct str name)
{
    struct str last = STR("");

    for (size_t i = request->header_count; i > 0 && last.len == 0; i--)
        if (str_equal_nocase(request->headers[i - 1].name, name))
            last = request->headers[i - 1].value;
    for (size_t at = str_index_of(last, ','); at < last.len; at = str_index_of(last, ','))
        last = str_from(last, at + 1);
    return str_trim(last);
}

/* RFC 7239 4: a parameter of the last element, without its quotes. */
static struct str forwarded(const struct http_request *request, struct str name)
{
    struct str element = last_of(request, STR("forwarded"));

    while (element.len > 0) {
        size_t end = str_index_of(element, ';');
        struct str pair = str_trim((struct str){ element.at, end });
        size_t at = str_index_of(pair, '=');

        if (at < pair.len && str_equal_nocase((struct str){ pair.at, at }, name)) {
            struct str value = str_from(pair, at + 1);

            if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
                value = (struct str){ value.at + 1, value.len - 2 };
            return value;
        }
        element = str_from(element, end < element.len ? end + 1 : end);
    }
    return STR("");
}

/* What a proxy says, in the newer header or the older one; empty when it is not believed. */
static struct str said_by_proxy(const struct http_request *request, struct str name,
                                struct str old_header)
{
    struct str value;

    if (!request->is_from_trusted_proxy)
        return STR("");
    value = last_of(request, old_header);
    return value.len > 0 ? value : forwarded(request, name);
}

/* Host and port as the client used them. */
static struct str used_authority(const struct http_request *request)
{
    struct str said = said_by_proxy(request, STR("host"), STR("x-forwarded-host"));

    return is_authority(said) ? said : request->host;
}

/* RFC 3986 3.2: an IPv6 literal has colons of its own, inside its brackets. */
static struct str without_port(struct str authority)
{
    size_t end = authority.len > 0 && authority.at[0] == '[' ? str_index_of(authority, ']')
                                                             : str_index_of(authority, ':');

    if (end < authority.len && authority.at[end] == ']')
        end++;
    return (struct str){ authority.at, end };
}

bool dialect_claims(const struct dialect *dialect, const struct dialect_settings *settings,
                    const struct http_request *request, struct str *out_path)
{
    struct str host = dialect->host(settings);
    struct str prefix = dialect->prefix(settings);

    if (!dialect->is_on(settings))
        return false;
    /* RFC 9110 4.2.3: the host has no case. */
    if (host.len > 0 && !str_equal_nocase(without_port(used_authority(request)), host))
        return false;
    if (!str_starts_with(request->path, prefix))
        return false;
    if (prefix.len > 0 && (request->path.len == prefix.len || request->path.at[prefix.len] != '/'))
        return false;
    *out_path = str_from(request->path, prefix.len);
    return true;
}

struct str dialect_base_url(const struct dialect_call *call)
{
    const struct http_request *request = &call->exchange->request;
    struct str authority = used_authority(request);
    struct str scheme = said_by_proxy(request, STR("proto"), STR("x-forwarded-proto"));
    bool is_https = request->is_tls;

    if (str_equal_nocase(scheme, STR("https")) || str_equal_nocase(scheme, STR("http")))
        is_https = str_equal_nocase(scheme, STR("https"));
    if (authority.len == 0) /* HTTP/1.0 may leave it out */
        authority = STR("localhost");
    return arena_format(call->exchange->arena, "%s://%.*s", is_https ? "https" : "http",
                        STR_ARGS(authority));
}

/* ---- the settings ---------------------------------------------------------------------------- */

static enum rc refuse(struct buffer *out_error, const char *name, const char *words)
{
    buffer_append_format(out_error, "%s must be %s", name, words);
    return RC_INVALID;
}

static bool is_prefix(struct str text)
{
    if (text.len == 0)
        return true;
    if (text.len > PREFIX_BYTES_MAX || text.at[0] != '/' || text.at[text.len - 1] == '/')
        return false;
    while (text.len > 0) {
        struct str rest = str_from(text, 1);
        struct str segment = { rest.at, str_index_of(rest, '/') };

        /* RFC 3986 5.2.4: clients resolve dots away before they ask. */
        if (segment.len == 0 || str_equal(segment, STR(".")) || str_equal(segment, STR("..")) ||
            !has_only(segment, "-._~"))
            return false;
        text = str_from(rest, segment.len);
    }
    return true;
}

/* A name or an address, without a port. */
static bool is_host(struct str text)
{
    if (text.len == 0)
        return true;
    if (text.at[0] == '[' && text.at[text.len - 1] != ']')
        return false;
    return is_authority(text) && without_port(text).len == text.len;
}

/* RFC 9110 5.6.2: names of headers with commas between them. */
static bool is_header_list(struct str text)
{
    return text.len <= LIST_BYTES_MAX && has_only(text, ", !#$%&'*+-.^_`|~");
}

/* An XML name without a prefix. */
static bool is_operation(struct str text)
{
    return text.len > 0 && text.len <= NAME_BYTES_MAX && has_only(text, "_-.") &&
           !(text.at[0] >= '0' && text.at[0] <= '9') && text.at[0] != '-' && text.at[0] != '.';
}

/* One that neither the token manager has by itself nor an earlier line has made. */
static bool is_new_operation(const struct dialect_texts *names, size_t index)
{
    struct str name = str_of(names->at[index]);

    for (size_t i = 0; i < index; i++)
        if (str_equal(name, str_of(names->at[i])))
            return false;
    return !str_equal(name, STR(SPECTRUM_EXPIRING_OPERATION)) &&
           !str_equal(name, STR(SPECTRUM_ENDLESS_OPERATION));
}

static enum rc check_places(const struct dialect_settings *settings, struct buffer *out_error)
{
    const struct {
        const char *prefix_name, *host_name;
        struct str prefix, host;
    } rows[] = {
        { "uauth-prefix", "uauth-host", settings->uauth_prefix, settings->uauth_host },
        { "spectrum-prefix", "spectrum-host", settings->spectrum_prefix, settings->spectrum_host },
        { "3dm-prefix", "3dm-host", settings->threedm_prefix, settings->threedm_host },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!is_prefix(rows[i].prefix))
            return refuse(out_error, rows[i].prefix_name,
                          "a path such as /old: a slash first, and none at its end");
        if (!is_host(rows[i].host))
            return refuse(out_error, rows[i].host_name, "a host name without a port");
    }
    return RC_OK;
}

enum rc dialect_settings_check(const struct dialect_settings *settings, struct buffer *out_error)
{
    enum rc rc = check_places(settings, out_error);

    if (rc == RC_OK)
        rc = spectrum_cors_check(settings, out_error);
    for (size_t i = 0; rc == RC_OK && i < settings->spectrum_soap_open.count; i++)
        if (!is_operation(str_of(settings->spectrum_soap_open.at[i])) ||
            !is_new_operation(&settings->spectrum_soap_open, i))
            rc = refuse(out_error, "spectrum-soap-open-operation",
                        "the name of a further operation, without a prefix");
    if (rc == RC_OK && !is_header_list(settings->spectrum_cors_headers))
        rc =
            refuse(out_error, "spectrum-cors-headers", "names of headers with commas between them");
    return rc;
}
