#include "codec/json.h"
#include "codec/soap.h"
#include "dialect/spectrum.h"

/* ---- answers ----------------------------------------------------------------------------------
 */

void spectrum_answer(struct dialect_call *call, int status, struct str content_type)
{
    call->exchange->response.status = status;
    if (content_type.len > 0)
        http_add_header(call->exchange, STR("Content-Type"), content_type);
    http_add_header_lines(call->exchange, STR("X-Content-Type-Options: nosniff\r\n"
                                              "Cache-Control: no-store\r\n"
                                              "Pragma: no-cache\r\n"));
}

static void answer_member(struct dialect_call *call, int status, struct str name, struct str text)
{
    struct json_out json = json_out_over(&call->exchange->response.body);

    spectrum_answer(call, status, STR("application/json"));
    json_begin_object(&json);
    json_member_string(&json, name, text);
    json_end_object(&json);
}

void spectrum_answer_message(struct dialect_call *call, int status, struct str message)
{
    answer_member(call, status, STR("message"), message);
}

/* ---- the session's cookie ---------------------------------------------------------------------
 */

/* Whether the client's own connection is TLS, ours or its proxy's. */
static bool is_secure(const struct dialect_call *call)
{
    return str_starts_with(dialect_base_url(call), STR("https:"));
}

/*
 * Raw, not base64 as later versions of Spring have it, and for all paths, as the services that it
 * is meant for stand elsewhere. Pages of other origins get it sent along only with SameSite=None,
 * which browsers take only with Secure; and they let no answer remove a cookie that they would not
 * take from it.
 */
static void add_cookie(struct dialect_call *call, struct str session_id, const char *attributes)
{
    bool has_secure = is_secure(call);
    bool is_cross_site = has_secure && spectrum_has_cors(call->settings);
    struct str value = arena_format(call->exchange->arena, "SESSION=%.*s; %s%s%s",
                                    STR_ARGS(session_id), attributes, has_secure ? "; Secure" : "",
                                    is_cross_site ? "; SameSite=None" : "");

    http_add_header(call->exchange, STR("Set-Cookie"), value);
}

void spectrum_add_session_cookie(struct dialect_call *call, struct str session_id)
{
    add_cookie(call, session_id, "Path=/; HttpOnly");
}

void spectrum_add_session_removal(struct dialect_call *call)
{
    add_cookie(call, STR(""), "Max-Age=0; Path=/");
}

/* ---- what the client takes --------------------------------------------------------------------
 */

/* Thousandths. What is not a weight counts as 1: no client is sent away for its Accept header. */
static unsigned weight_parse(struct str text)
{
    unsigned weight = 0;
    unsigned unit = 1000;

    if (text.len == 0 || text.at[0] == '1')
        return 1000;
    if (text.at[0] == '0')
        text = str_from(text, 1);
    if (text.len > 0 && text.at[0] != '.')
        return 1000;
    for (size_t i = 1; i < text.len && unit > 1; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return 1000;
        unit /= 10;
        weight += (unsigned)(text.at[i] - '0') * unit;
    }
    return weight;
}

/* Takes the part in front of a separator off the text; false when there is none left. */
static bool next_part(struct str *rest, char separator, struct str *out_part)
{
    size_t end = str_index_of(*rest, separator);

    if (rest->len == 0)
        return false;
    *out_part = str_trim((struct str){ rest->at, end });
    *rest = str_from(*rest, end == rest->len ? end : end + 1);
    return true;
}

/* "text/html;q=0.5" and, from old Java clients, "*; q=.2". */
static struct str range_parse(struct str range, unsigned *out_weight)
{
    struct str media_type = STR("");
    struct str parameter;
    bool has_type = next_part(&range, ';', &media_type);

    *out_weight = 1000;
    while (has_type && next_part(&range, ';', &parameter))
        if (str_starts_with(parameter, STR("q=")) || str_starts_with(parameter, STR("Q=")))
            *out_weight = weight_parse(str_from(parameter, 2));
    return media_type;
}

/* The greatest weight of a range that is one of the names; 0 when there is none. */
static unsigned find_weight(const struct http_request *request, const struct str *names,
                            size_t name_count)
{
    unsigned greatest = 0;

    for (size_t i = 0; i < request->header_count; i++) {
        struct str rest = request->headers[i].value;
        struct str range;

        if (!str_equal_nocase(request->headers[i].name, STR("accept")))
            continue;
        while (next_part(&rest, ',', &range)) {
            unsigned weight;
            struct str media_type = range_parse(range, &weight);

            for (size_t k = 0; k < name_count; k++)
                if (str_equal_nocase(media_type, names[k]) && weight > greatest)
                    greatest = weight;
        }
    }
    return greatest;
}

bool spectrum_accepts(const struct http_request *request, struct str media_type)
{
    return find_weight(request, &media_type, 1) > 0;
}

/* The query parameter _type, with which the framework overrides the Accept header. */
static struct str find_type_override(struct str query)
{
    struct str pair;

    while (next_part(&query, '&', &pair))
        if (str_starts_with(pair, STR("_type=")))
            return str_from(pair, sizeof("_type=") - 1);
    return STR("");
}

/* JSON, unless XML is named and JSON, or anything, is not as welcome. */
static bool prefers_xml(const struct http_request *request)
{
    const struct str xml[] = { STR("application/xml"), STR("text/xml") };
    const struct str json[] = { STR("application/json"), STR("application/*"), STR("*/*"),
                                STR("*") };
    struct str type = find_type_override(request->query);

    if (str_equal(type, STR("xml")) || str_equal(type, STR("json")))
        return str_equal(type, STR("xml"));
    return find_weight(request, xml, sizeof(xml) / sizeof(xml[0])) >
           find_weight(request, json, sizeof(json) / sizeof(json[0]));
}

/* ---- a token ----------------------------------------------------------------------------------
 */

void spectrum_append_element(struct buffer *xml, const char *name, struct str text)
{
    buffer_append_format(xml, "<%s>", name);
    xml_escape(text, xml);
    buffer_append_format(xml, "</%s>", name);
}

static void format_xml(const struct token_answer *answer, struct buffer *body)
{
    BUFFER_APPEND_LITERAL(body, "<tokenInfo>");
    spectrum_append_element(body, "access_token", answer->access_token);
    if (answer->session_id.len > 0)
        spectrum_append_element(body, "session", answer->session_id);
    spectrum_append_element(body, "username", answer->account->name);
    BUFFER_APPEND_LITERAL(body, "</tokenInfo>");
}

/* All of them strings: clients read them as such, by name. */
static void format_json(const struct token_answer *answer, struct buffer *body)
{
    struct json_out json = json_out_over(body);

    json_begin_object(&json);
    json_member_string(&json, STR("access_token"), answer->access_token);
    if (answer->session_id.len > 0)
        json_member_string(&json, STR("session"), answer->session_id);
    json_member_string(&json, STR("username"), answer->account->name);
    json_end_object(&json);
}

void spectrum_answer_token(struct dialect_call *call, const struct token_answer *answer)
{
    bool is_xml = prefers_xml(&call->exchange->request);

    spectrum_answer(call, 200, is_xml ? STR("application/xml") : STR("application/json"));
    if (is_xml)
        format_xml(answer, &call->exchange->response.body);
    else
        format_json(answer, &call->exchange->response.body);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

/* A script of a page asks its user itself; a challenge would make the browser ask (contracts 1.11).
 */
static bool is_of_script(const struct http_request *request)
{
    const struct http_header *header = http_find_header(request, STR("x-requested-with"));

    return header != NULL && str_equal_nocase(header->value, STR("XMLHttpRequest"));
}

/* RFC 9110 11.6.1: a 401 has a challenge; the exception is the one above. */
static void refuse_user(struct dialect_call *call)
{
    answer_member(call, 401, STR("reason"), STR("Unauthorized"));
    if (!is_of_script(&call->exchange->request))
        http_add_header(call->exchange, STR("WWW-Authenticate"), STR("Basic realm=\"Spectrum\""));
}

static void refuse_token(struct dialect_call *call)
{
    bool is_expired = call->oauth->refusal.reason == REASON_TOKEN_EXPIRED;

    spectrum_answer_message(call, 401, is_expired ? STR("expired token") : STR("invalid token"));
    http_add_header(call->exchange, STR("WWW-Authenticate"),
                    STR("Bearer realm=\"Spectrum\", error=\"invalid_token\"")); /* RFC 6750 3 */
}

static void refuse_scope(struct dialect_call *call)
{
    spectrum_answer_message(call, 403, STR("forbidden action"));
    http_add_header(call->exchange, STR("WWW-Authenticate"),
                    STR("Bearer realm=\"Spectrum\", error=\"insufficient_scope\""));
}

static void refuse_passing(struct dialect_call *call, const struct refusal *refusal)
{
    int status = oauth_error_status(refusal->error);
    char memory[24];
    struct buffer seconds = buffer_over(memory, sizeof(memory));

    buffer_append_u64(&seconds, refusal->retry_after_s > 0 ? (uint64_t)refusal->retry_after_s : 1);
    spectrum_answer_message(call, status,
                            status == 429 ? STR("Too Many Requests") : STR("Service Unavailable"));
    http_add_header(call->exchange, STR("Retry-After"), buffer_str(&seconds)); /* RFC 6585 4 */
}

static void answer_refusal(struct dialect_call *call)
{
    const struct refusal *refusal = &call->oauth->refusal;

    spectrum_add_cors_headers(call);
    if (spectrum_soap_refusal(call))
        return;
    switch ((int)refusal->error) { /* most errors have no shape of their own here */
    case OAUTH_INVALID_GRANT:      /* whatever was wrong with the user */
    case OAUTH_INVALID_CLIENT:
    case OAUTH_UNAUTHORIZED_CLIENT:
        refuse_user(call);
        break;
    case OAUTH_INVALID_TOKEN:
        refuse_token(call);
        break;
    case OAUTH_TOO_MANY_REQUESTS:
    case OAUTH_TEMPORARILY_UNAVAILABLE:
        refuse_passing(call, refusal);
        break;
    case OAUTH_SERVER_ERROR:
        spectrum_answer_message(call, 500, STR("Internal Server Error"));
        break;
    case OAUTH_INSUFFICIENT_SCOPE:
        refuse_scope(call);
        break;
    default:
        spectrum_answer_message(call, oauth_error_status(refusal->error), refusal->description);
        break;
    }
}

/* ---- the dialect ------------------------------------------------------------------------------
 */

static bool is_on(const struct dialect_settings *settings)
{
    return settings->spectrum;
}

static struct str prefix(const struct dialect_settings *settings)
{
    return settings->spectrum_prefix;
}

static struct str host(const struct dialect_settings *settings)
{
    return settings->spectrum_host;
}

const struct dialect dialect_spectrum = { .name = "spectrum",
                                          .is_on = is_on,
                                          .prefix = prefix,
                                          .host = host,
                                          .answer_refusal = answer_refusal };
