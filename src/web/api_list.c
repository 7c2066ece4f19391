#include "codec/base64url.h"
#include "codec/uri.h"
#include "web/api_admin.h"

/* What paths and queries of /api/v1/admin name, and the pages of its lists. */

enum {
    HANDLE_TEXT_BYTES_MAX = 64,
    NUMBER_BYTES = 8,
    LIST_BYTES_MAX = HTTP_ANSWER_BYTES_MAX - 2048, /* leaves room for what follows the rows */
    LINK_BYTES_MAX = 3072
};

/* ---- handles --------------------------------------------------------------------------------- */

static struct str seal_name(struct api_admin *api, const char *kind)
{
    return arena_format(&api->arena, "api %s", kind);
}

struct str api_handle_seal(struct api_admin *api, const char *kind, int64_t id)
{
    char plain[NUMBER_BYTES];
    char memory[NUMBER_BYTES + SEAL_OVERHEAD_BYTES];
    struct buffer sealed = buffer_over(memory, sizeof(memory));
    struct buffer text =
        buffer_over(arena_alloc(&api->arena, HANDLE_TEXT_BYTES_MAX), HANDLE_TEXT_BYTES_MAX);

    memcpy(plain, &id, sizeof(plain)); /* only ever read by a machine of the same kind */
    ASSERT(seal(api->call->web->handle_key, seal_name(api, kind),
                (struct str){ plain, sizeof(plain) }, &sealed) == RC_OK);
    base64url_encode(buffer_str(&sealed), &text);
    return buffer_str(&text);
}

bool api_handle_open(struct api_admin *api, const char *kind, struct str handle, int64_t *out_id)
{
    char plain_memory[NUMBER_BYTES];
    char memory[HANDLE_TEXT_BYTES_MAX];
    struct buffer sealed = buffer_over(memory, sizeof(memory));
    struct buffer plain = buffer_over(plain_memory, sizeof(plain_memory));

    if (handle.len > HANDLE_TEXT_BYTES_MAX || base64url_decode(handle, &sealed) != RC_OK ||
        unseal(api->call->web->handle_key, seal_name(api, kind), buffer_str(&sealed), &plain) !=
            RC_OK ||
        plain.len != NUMBER_BYTES)
        return false;
    memcpy(out_id, plain_memory, NUMBER_BYTES);
    return true;
}

/* ---- paths ----------------------------------------------------------------------------------- */

static int hex_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* RFC 3986 2.1. Unlike in a form '+' is a plus: ids of clients may be addresses. */
enum rc api_path_text(struct api_admin *api, struct str *out_text)
{
    struct str rest = api->call->rest;
    char *text = arena_alloc(&api->arena, rest.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < rest.len; i++) {
        char byte = rest.at[i];

        if (byte == '/')
            return RC_NOT_FOUND;
        if (byte == '%') { /* http/parse.c saw that two digits follow */
            byte = (char)(hex_of(rest.at[i + 1]) << 4 | hex_of(rest.at[i + 2]));
            i += 2;
        }
        text[len++] = byte;
    }
    *out_text = (struct str){ text, len };
    return str_is_utf8(*out_text) && !str_has_control(*out_text) ? RC_OK : RC_NOT_FOUND;
}

enum rc api_account_find(struct api_admin *api, struct account *out_account)
{
    uint64_t id;
    enum rc rc = RC_NOT_FOUND;

    if (str_parse_u64(api->call->rest, INT64_MAX, &id))
        rc = account_find(api->store, (int64_t)id, &api->arena, out_account);
    if (rc == RC_NOT_FOUND)
        (void)!api_answer_missing(api);
    return rc;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static bool refuse_parameter(struct api_admin *api, struct str name, const char *detail)
{
    const struct problem problem = {
        .status = 400, .error = STR("invalid_request"), .detail = str_of(detail), .field = name
    };

    problem_answer(api->call->exchange, &problem);
    return false;
}

static bool read_parameter(struct api_admin *api, const struct form_field *field,
                           struct str filters, struct api_list *list)
{
    uint64_t number;

    if (str_equal(field->name, STR("limit"))) {
        if (!str_parse_u64(field->value, API_ROW_COUNT_MAX, &number) || number == 0)
            return refuse_parameter(api, field->name, "this has to be a number from 1 to 50");
        list->limit = (size_t)number;
        return true;
    }
    if (str_equal(field->name, STR("after")))
        return api_handle_open(api, list->kind, field->value, &list->before_id) ||
               refuse_parameter(api, field->name, "this is no place in this list");
    if (field->name.len == 0 || str_index_of(field->name, ' ') < field->name.len ||
        !str_has_word(filters, field->name))
        return refuse_parameter(api, STR(""), "the query has a parameter that is not known here");
    if (field->value.len > API_FILTER_BYTES_MAX || str_has_control(field->value))
        return refuse_parameter(api, field->name, "at most 255 bytes, no control characters");
    return true;
}

bool api_list_begin(struct api_admin *api, const char *kind, struct str filters,
                    struct api_list *out_list)
{
    struct form *query = &api->call->form;

    *out_list = (struct api_list){ .kind = kind, .before_id = INT64_MAX, .limit = API_ROW_COUNT };
    if (form_parse(api->call->exchange->request.query, api->call->oauth.arena, query) != RC_OK ||
        query->has_duplicate)
        return refuse_parameter(api, STR(""), "the query is malformed, or names something twice");
    for (size_t i = 0; i < query->field_count; i++)
        if (!read_parameter(api, &query->fields[i], filters, out_list))
            return false;
    return true;
}

enum rc api_account_list_begin(struct api_admin *api, const char *kind, struct str filters,
                               struct account *out_account, struct api_list *out_list)
{
    enum rc rc = api_account_find(api, out_account);

    if (rc == RC_OK)
        return api_list_begin(api, kind, filters, out_list) ? RC_OK : RC_REFUSED;
    return rc == RC_NOT_FOUND ? RC_REFUSED : rc;
}

struct str api_filter(struct api_admin *api, struct str name)
{
    const struct str *value = form_find(&api->call->form, name);

    return value == NULL ? STR("") : str_trim(*value);
}

/* The same query, from another place on. */
static struct str next_link(struct api_admin *api, const struct api_list *list)
{
    const struct form *query = &api->call->form;
    struct buffer link = buffer_over(arena_alloc(&api->arena, LINK_BYTES_MAX), LINK_BYTES_MAX);

    buffer_append_str(&link, api->call->exchange->request.path);
    buffer_append_byte(&link, '?');
    for (size_t i = 0; i < query->field_count; i++) {
        if (str_equal(query->fields[i].name, STR("after")))
            continue;
        buffer_append_str(&link, query->fields[i].name);
        buffer_append_byte(&link, '=');
        uri_encode(query->fields[i].value, &link);
        buffer_append_byte(&link, '&');
    }
    buffer_append_str(&link, STR("after="));
    buffer_append_str(&link, api_handle_seal(api, list->kind, list->next_id));
    return link.overflow ? STR("") : buffer_str(&link);
}

static void end_list(struct api_admin *api, const struct api_list *list, struct json_out *json)
{
    struct str link = list->next_id == 0 ? STR("") : next_link(api, list);

    json_end_array(json);
    api_member_text(json, "next", link);
    if (list->looked_back_until != 0)
        json_member_number(json, STR("looked_back_until"), list->looked_back_until);
    json_end_object(json);
    if (link.len > 0) /* RFC 8288 3 */
        http_add_header(api->call->exchange, STR("Link"),
                        arena_format(&api->arena, "<%.*s>; rel=\"next\"", STR_ARGS(link)));
}

enum rc api_list_answer(struct api_admin *api, struct api_list *list, api_format *format,
                        const void *rows, size_t row_bytes, size_t count, size_t id_offset)
{
    struct buffer *body = &api->call->exchange->response.body;
    struct json_out json = json_out_over(body);
    const char *row = rows;

    answer_json(api->call->exchange, 200);
    json_begin_object(&json);
    json_name(&json, STR("items"));
    json_begin_array(&json);
    for (size_t i = 0; i < count; i++, row += row_bytes) {
        size_t len = body->len;
        struct json_out before = json;
        enum rc rc = RC_OK;

        if (i < list->limit) {
            json_begin_object(&json);
            rc = format(api, row, &json);
            json_end_object(&json);
        }
        if (rc != RC_OK)
            return rc;
        if (i < list->limit && body->len <= LIST_BYTES_MAX && !body->overflow)
            continue;
        if (i == 0)
            return RC_TOO_LARGE;
        body->len = len; /* the others go to the next page */
        body->overflow = false;
        json = before;
        list->looked_back_until = 0;
        memcpy(&list->next_id, row - row_bytes + id_offset, sizeof(list->next_id));
        break;
    }
    end_list(api, list, &json);
    return RC_OK;
}
