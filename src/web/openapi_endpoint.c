#include "web/api_page.h"

#include "codec/json.h"
#include "oauth/scope.h"

/*
 * The OpenAPI document: the endpoint table (web/endpoints.c) with the descriptions of
 * web/openapi.def, and the same as a page. A row without a description is not of it: pages,
 * dialects, metrics.
 */

#define METHOD_PATCH (1u << HTTP_PATCH)

enum row_kind { ROW_SCHEMA, ROW_MEMBER, ROW_OPERATION, ROW_FIELD, ROW_ANSWER, ROW_REFUSES };
enum value_type {
    STRING,
    INTEGER,
    BOOLEAN,
    ARRAY,
    OBJECT,
    ANY,
    STRING_OR_NULL,
    INTEGER_OR_NULL,
    STRINGS,
    STRINGS_OR_NULL,
    OBJECTS /* of row.schema */
};
enum value_need { OPTIONAL, NEEDED };
enum body_form { NO_BODY, FORM, JSON };
enum field_place { IN_BODY, IN_QUERY, IN_PATH, IN_HEADER };
enum answer_media { MEDIA_NONE, MEDIA_JSON, MEDIA_TEXT };
enum caller_kind { BY_NOBODY, BY_CLIENT, BY_CLIENT_OR_NOBODY, BY_BEARER, BY_BEARER_OR_NOBODY };
enum refusal_set {
    ERRORS_OF_CLIENT,
    ERRORS_OF_TOKEN,
    ERRORS_OF_REGISTRATION,
    ERRORS_OF_API,
    ERRORS_OF_ADMIN
};

/* Small: there are many. The enumerations above, in a byte each. */
struct openapi_row {
    const char *name; /* of the schema, the member, the endpoint's row, the field */
    const char *words;
    const char *schema;
    unsigned short method;
    short status;
    unsigned char kind;
    unsigned char caller;
    unsigned char body;
    unsigned char place;
    unsigned char type;
    unsigned char need;
    unsigned char media;
    unsigned char refusals;
};

/* clang-format off */
static const struct openapi_row rows[] = {
#define SCHEMA(its_name) { .kind = ROW_SCHEMA, .name = its_name },
#define MEMBER(its_name, its_type, its_need, its_words)                                            \
    { .kind = ROW_MEMBER, .name = its_name, .type = its_type, .need = its_need,                    \
      .words = its_words },
#define ITEMS(its_name, its_schema, its_words)                                                     \
    { .kind = ROW_MEMBER, .name = its_name, .type = OBJECTS, .need = NEEDED, .schema = its_schema, \
      .words = its_words },
#define OPERATION(row, its_method, its_caller, its_body, its_words)                                \
    { .kind = ROW_OPERATION, .name = row, .method = its_method, .caller = its_caller,              \
      .body = its_body, .words = its_words },
#define FIELD(where, its_name, its_type, its_need, its_words)                                      \
    { .kind = ROW_FIELD, .place = where, .name = its_name, .type = its_type, .need = its_need,     \
      .words = its_words },
#define ANSWER(its_status, its_media, its_schema, its_words)                                       \
    { .kind = ROW_ANSWER, .status = its_status, .media = its_media, .schema = its_schema,          \
      .words = its_words },
#define REFUSES(errors) { .kind = ROW_REFUSES, .refusals = errors },
#include "web/openapi.def"
};
/* clang-format on */

static const struct openapi_row *const rows_end = rows + sizeof(rows) / sizeof(rows[0]);

/* ---- values ---------------------------------------------------------------------------------- */

static void member(struct json_out *json, const char *name, const char *text)
{
    json_member_string(json, str_of(name), str_of(text));
}

static void begin_member(struct json_out *json, const char *name)
{
    json_name(json, str_of(name));
    json_begin_object(json);
}

static void format_reference(const char *schema, struct json_out *json)
{
    char memory[64];
    struct buffer path = buffer_over(memory, sizeof(memory));

    buffer_append_format(&path, "#/components/schemas/%s", schema);
    json_begin_object(json);
    json_member_string(json, STR("$ref"), buffer_str(&path));
    json_end_object(json);
}

/* An empty object is a schema of anything. */
static void format_type(const struct openapi_row *row, bool has_words, struct json_out *json)
{
    static const struct str types[] = { [STRING] = { "\"string\"", 8 },
                                        [INTEGER] = { "\"integer\"", 9 },
                                        [BOOLEAN] = { "\"boolean\"", 9 },
                                        [ARRAY] = { "\"array\"", 7 },
                                        [OBJECT] = { "\"object\"", 8 },
                                        [ANY] = { "", 0 },
                                        [STRING_OR_NULL] = { "[\"string\",\"null\"]", 17 },
                                        [INTEGER_OR_NULL] = { "[\"integer\",\"null\"]", 18 },
                                        [STRINGS] = { "\"array\"", 7 },
                                        [STRINGS_OR_NULL] = { "[\"array\",\"null\"]", 16 },
                                        [OBJECTS] = { "\"array\"", 7 } };

    json_begin_object(json);
    if (row->type != ANY) {
        json_name(json, STR("type"));
        json_raw(json, types[row->type]);
    }
    if (row->type == STRINGS || row->type == STRINGS_OR_NULL) {
        begin_member(json, "items");
        member(json, "type", "string");
        json_end_object(json);
    } else if (row->type == OBJECTS) {
        json_name(json, STR("items"));
        format_reference(row->schema, json);
    }
    if (has_words)
        member(json, "description", row->words);
    json_end_object(json);
}

/* Members of a schema, or fields of a body: those of a kind and place from a row on. */
static void format_object(const struct openapi_row *from, enum row_kind kind, bool is_form,
                          struct json_out *json)
{
    const struct openapi_row *row;

    json_begin_object(json);
    member(json, "type", "object");
    begin_member(json, "properties");
    for (row = from; row < rows_end && row->kind == kind; row++) {
        if (row->place != IN_BODY)
            continue;
        json_name(json, str_of(row->name));
        format_type(row, true, json);
    }
    json_end_object(json);
    if (is_form) { /* whatever else comes is ignored, if it comes once (RFC 6749 3.2) */
        begin_member(json, "additionalProperties");
        member(json, "type", "string");
        json_end_object(json);
    }
    json_name(json, STR("required"));
    json_begin_array(json);
    for (row = from; row < rows_end && row->kind == kind; row++)
        if (row->place == IN_BODY && row->need == NEEDED)
            json_text(json, str_of(row->name));
    json_end_array(json);
    json_end_object(json);
}

/* ---- an operation ---------------------------------------------------------------------------- */

static void format_parameters(const struct openapi_row *from, struct json_out *json)
{
    static const char *const places[] = {
        [IN_BODY] = "", [IN_QUERY] = "query", [IN_PATH] = "path", [IN_HEADER] = "header"
    };

    json_name(json, STR("parameters"));
    json_begin_array(json);
    for (const struct openapi_row *row = from; row < rows_end && row->kind == ROW_FIELD; row++) {
        if (row->place == IN_BODY)
            continue;
        json_begin_object(json);
        member(json, "name", row->name);
        member(json, "in", places[row->place]);
        json_member_bool(json, STR("required"), row->need == NEEDED);
        member(json, "description", row->words);
        json_name(json, STR("schema"));
        format_type(row, false, json);
        json_end_object(json);
    }
    json_end_array(json);
}

static void format_body(const struct openapi_row *operation, struct json_out *json)
{
    if (operation->body == NO_BODY)
        return;
    begin_member(json, "requestBody");
    json_member_bool(json, STR("required"), true);
    begin_member(json, "content");
    begin_member(json, operation->body == FORM ? "application/x-www-form-urlencoded"
                                               : "application/json");
    json_name(json, STR("schema"));
    format_object(operation + 1, ROW_FIELD, operation->body == FORM, json);
    json_end_object(json);
    json_end_object(json);
    json_end_object(json);
}

static void format_scheme(const char *name, struct json_out *json)
{
    json_begin_object(json);
    json_name(json, str_of(name));
    json_begin_array(json);
    json_end_array(json);
    json_end_object(json);
}

static void format_security(enum caller_kind caller, struct json_out *json)
{
    json_name(json, STR("security"));
    json_begin_array(json);
    if (caller == BY_CLIENT || caller == BY_CLIENT_OR_NOBODY)
        format_scheme("client", json);
    if (caller == BY_BEARER || caller == BY_BEARER_OR_NOBODY)
        format_scheme("token", json);
    if (caller == BY_CLIENT_OR_NOBODY || caller == BY_BEARER_OR_NOBODY || caller == BY_NOBODY) {
        json_begin_object(json);
        json_end_object(json);
    }
    json_end_array(json);
}

static void format_answer(int status, const char *media, const char *schema, const char *words,
                          struct json_out *json)
{
    char memory[4];
    struct buffer text = buffer_over(memory, sizeof(memory));

    buffer_append_u64(&text, (uint64_t)status);
    json_name(json, buffer_str(&text));
    json_begin_object(json);
    member(json, "description", words);
    if (media != NULL) {
        begin_member(json, "content");
        begin_member(json, media);
        if (schema[0] != '\0') {
            json_name(json, STR("schema"));
            format_reference(schema, json);
        }
        json_end_object(json);
        if (status == 400) { /* what is no HTTP gets no further than the parser */
            begin_member(json, "text/plain");
            json_end_object(json);
        }
        json_end_object(json);
    }
    json_end_object(json);
}

/* Which statuses the errors of oauth/error.def have at such an endpoint. */
#define OF_API (1u << ERRORS_OF_API | 1u << ERRORS_OF_ADMIN)
static void format_refusals(enum refusal_set set, struct json_out *json)
{
    static const struct {
        int status;
        unsigned sets;
        const char *words;
    } errors[] = {
        { 400,
          1u << ERRORS_OF_CLIENT | 1u << ERRORS_OF_TOKEN | 1u << ERRORS_OF_REGISTRATION | OF_API,
          "The request is malformed, or refused" },
        { 401,
          1u << ERRORS_OF_CLIENT | 1u << ERRORS_OF_TOKEN | 1u << ERRORS_OF_REGISTRATION | OF_API,
          "The caller is not authenticated" },
        { 403, 1u << ERRORS_OF_TOKEN | 1u << ERRORS_OF_REGISTRATION | OF_API,
          "The token is not enough" },
        { 404, OF_API, "There is no such thing" },
        { 409, OF_API, "It is in no state for that" },
        { 412, 1u << ERRORS_OF_ADMIN, "It was changed meanwhile" },
        { 415, OF_API, "The body has to be JSON" },
        { 422, OF_API, "A member is wrong" },
        { 429, 1u << ERRORS_OF_CLIENT | 1u << ERRORS_OF_REGISTRATION, "Too often from there" },
        { 503,
          1u << ERRORS_OF_CLIENT | 1u << ERRORS_OF_TOKEN | 1u << ERRORS_OF_REGISTRATION | OF_API,
          "Try again after Retry-After seconds" },
    };
    bool is_api = set == ERRORS_OF_API || set == ERRORS_OF_ADMIN;

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if ((errors[i].sets & 1u << set) != 0)
            format_answer(errors[i].status,
                          is_api ? "application/problem+json" : "application/json",
                          is_api ? "Problem" : "Error", errors[i].words, json);
}

static void format_answers(const struct openapi_row *from, struct json_out *json)
{
    static const char *const media[] = {
        [MEDIA_NONE] = NULL, [MEDIA_JSON] = "application/json", [MEDIA_TEXT] = "text/plain"
    };

    begin_member(json, "responses");
    for (const struct openapi_row *row = from;
         row < rows_end && row->kind != ROW_OPERATION && row->kind != ROW_SCHEMA; row++) {
        if (row->kind == ROW_ANSWER)
            format_answer(row->status, media[row->media], row->schema, row->words, json);
        else if (row->kind == ROW_REFUSES)
            format_refusals(row->refusals, json);
    }
    json_end_object(json);
}

static const char *method_name(unsigned method)
{
    switch (method) {
    case METHOD_GET:
        return "get";
    case METHOD_PUT:
        return "put";
    case METHOD_PATCH:
        return "patch";
    case METHOD_DELETE:
        return "delete";
    default:
        return "post";
    }
}

static void format_operation(const struct endpoint *endpoint, const struct openapi_row *operation,
                             struct json_out *json)
{
    const char *method = method_name(operation->method);
    char memory[64];
    struct buffer id = buffer_over(memory, sizeof(memory));

    ASSERT((endpoint->methods & operation->method) != 0); /* the two tables say the same */
    buffer_append_format(&id, "%s_%s", operation->name, method);
    begin_member(json, method);
    json_member_string(json, STR("operationId"), buffer_str(&id));
    member(json, "summary", operation->words);
    if (endpoint->source != NULL)
        member(json, "description", endpoint->source);
    format_parameters(operation + 1, json);
    format_body(operation, json);
    format_security(operation->caller, json);
    format_answers(operation + 1, json);
    json_end_object(json);
}

/* ---- the document ---------------------------------------------------------------------------- */

/* "/api/v1/tokens/{id}/rotate": what the row takes of the path is the operation's first field. */
static struct str path_of(struct web_call *call, const struct endpoint *endpoint,
                          const struct openapi_row *operation)
{
    if (!endpoint->takes_rest)
        return endpoint->path;
    ASSERT(operation[1].kind == ROW_FIELD && operation[1].place == IN_PATH);
    return arena_format(call->exchange->arena, "%.*s{%s}%.*s", STR_ARGS(endpoint->path),
                        operation[1].name, STR_ARGS(endpoint->tail));
}

static void format_path(struct web_call *call, const struct endpoint *endpoint,
                        struct json_out *json)
{
    bool has_begun = false;

    for (const struct openapi_row *row = rows; row < rows_end; row++) {
        if (row->kind != ROW_OPERATION || strcmp(row->name, endpoint->name) != 0)
            continue;
        if (!has_begun) {
            json_name(json, path_of(call, endpoint, row));
            json_begin_object(json);
        }
        has_begun = true;
        format_operation(endpoint, row, json);
    }
    if (has_begun)
        json_end_object(json);
}

static void format_components(struct json_out *json)
{
    begin_member(json, "components");
    begin_member(json, "securitySchemes");
    begin_member(json, "client");
    member(json, "type", "http");
    member(json, "scheme", "basic");
    json_end_object(json);
    begin_member(json, "token");
    member(json, "type", "http");
    member(json, "scheme", "bearer");
    json_end_object(json);
    json_end_object(json);
    begin_member(json, "schemas");
    for (const struct openapi_row *row = rows; row < rows_end; row++) {
        if (row->kind != ROW_SCHEMA)
            continue;
        json_name(json, str_of(row->name));
        format_object(row + 1, ROW_MEMBER, false, json);
    }
    json_end_object(json);
    json_end_object(json);
}

enum rc openapi_endpoint(struct web_call *call)
{
    struct json_out json = json_out_over(&call->exchange->response.body);

    json_begin_object(&json);
    member(&json, "openapi", "3.1.0");
    begin_member(&json, "info");
    member(&json, "title", "Jeton");
    member(&json, "version", JETON_VERSION);
    json_end_object(&json);
    json_name(&json, STR("servers"));
    json_begin_array(&json);
    json_begin_object(&json);
    json_member_string(&json, STR("url"), call->web->root);
    json_end_object(&json);
    json_end_array(&json);
    begin_member(&json, "paths");
    for (size_t i = 0; i < endpoint_count; i++)
        if (endpoint_is_offered(call->web, &endpoints[i]))
            format_path(call, &endpoints[i], &json);
    json_end_object(&json);
    format_components(&json);
    json_end_object(&json);
    answer_json(call->exchange, 200);
    return RC_OK;
}

/* ---- the page -------------------------------------------------------------------------------- */

enum { FIELDS_SHOWN_MAX = 32, ANSWERS_SHOWN_MAX = 4, OPERATIONS_SHOWN_MAX = 128 };

static const char *method_shown(unsigned method)
{
    switch (method) {
    case METHOD_GET:
        return "GET";
    case METHOD_PUT:
        return "PUT";
    case METHOD_PATCH:
        return "PATCH";
    case METHOD_DELETE:
        return "DELETE";
    default:
        return "POST";
    }
}

/* Fields and answers: the rows that follow. */
static void fill_operation(struct page_call *page, const struct openapi_row *row,
                           struct page_api_operations *shown)
{
    struct arena *arena = page->call->exchange->arena;
    struct page_api_operations_fields *fields =
        arena_alloc(arena, FIELDS_SHOWN_MAX * sizeof(*fields));
    struct page_api_operations_answers *answers =
        arena_alloc(arena, ANSWERS_SHOWN_MAX * sizeof(*answers));

    shown->fields = fields;
    shown->answers = answers;
    for (row++; row < rows_end && row->kind == ROW_FIELD; row++) {
        ASSERT(shown->fields_count < FIELDS_SHOWN_MAX);
        fields[shown->fields_count++] = (struct page_api_operations_fields){
            .name = str_of(row->name), .words = str_of(row->words), .is_needed = row->need == NEEDED
        };
    }
    for (; row < rows_end && (row->kind == ROW_ANSWER || row->kind == ROW_REFUSES); row++) {
        if (row->kind == ROW_REFUSES)
            continue;
        ASSERT(shown->answers_count < ANSWERS_SHOWN_MAX);
        answers[shown->answers_count++] =
            (struct page_api_operations_answers){ .status = row->status,
                                                  .words = str_of(row->words) };
    }
}

static void fill_endpoint(struct page_call *page, const struct endpoint *endpoint,
                          struct page_api_operations *shown, size_t *count)
{
    for (const struct openapi_row *row = rows; row < rows_end; row++) {
        struct str scope = STR("");

        if (row->kind != ROW_OPERATION || strcmp(row->name, endpoint->name) != 0)
            continue;
        ASSERT(*count < OPERATIONS_SHOWN_MAX);
        if (endpoint->resource != NULL)
            scope = row->method == METHOD_GET ? STR(SCOPE_ADMIN_READ_WORD) : STR(SCOPE_ADMIN_WORD);
        shown[*count] = (struct page_api_operations){ .method = str_of(method_shown(row->method)),
                                                      .path = path_of(page->call, endpoint, row),
                                                      .words = str_of(row->words),
                                                      .scope = scope };
        fill_operation(page, row, &shown[(*count)++]);
    }
}

enum rc api_page(struct page_call *page)
{
    struct web *web = page->call->web;
    struct page_api_operations *shown =
        arena_alloc(page->call->exchange->arena, OPERATIONS_SHOWN_MAX * sizeof(*shown));
    struct page_api values = { .frame = &page->frame, .operations = shown };

    for (size_t i = 0; i < endpoint_count; i++)
        if (endpoint_is_offered(web, &endpoints[i]))
            fill_endpoint(page, &endpoints[i], shown, &values.operations_count);
    page_api_render(&values, page->language, page_begin(page, 200));
    return RC_OK;
}
