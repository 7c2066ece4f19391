#include "codec/json.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

/* jansson's macros of these names give way to our functions. */
#undef json_is_object
#undef json_is_array
#undef json_is_string
#undef json_is_null

/* ---- writing ---- */

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* How an ASCII byte is written: ' ' as it is, 'u' as \u00XX, else that letter after a backslash. */
static const char escapes[128 + 1] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu"
                                     "  \"   u                     u u "
                                     "                            \\   "
                                     "                               u";

static bool is_plain(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte < 0x80 && escapes[byte] == ' ';
}

/* Writes one character that is_plain does not cover; returns the bytes it had. */
static size_t escape_one(struct str text, struct buffer *to)
{
    unsigned char byte = (unsigned char)text.at[0];
    size_t len;

    if (byte >= 0x80) {
        len = str_utf8_sequence(text);
        if (len == 0)
            BUFFER_APPEND_LITERAL(to, REPLACEMENT);
        else
            buffer_append(to, text.at, len);
        return len == 0 ? 1 : len;
    }
    if (escapes[byte] == 'u') {
        static const char digits[] = "0123456789abcdef";
        char escaped[6] = { '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] };

        buffer_append(to, escaped, sizeof(escaped));
    } else {
        buffer_append_byte(to, '\\');
        buffer_append_byte(to, escapes[byte]);
    }
    return 1;
}

void json_escape(struct str text, struct buffer *to)
{
    buffer_append_byte(to, '"');
    while (text.len > 0) {
        size_t plain = 0;

        while (plain < text.len && is_plain(text.at[plain]))
            plain++;
        buffer_append(to, text.at, plain);
        text = str_from(text, plain);
        if (text.len > 0)
            text = str_from(text, escape_one(text, to));
    }
    buffer_append_byte(to, '"');
}

static void begin_value(struct json_out *json)
{
    if (json->needs_comma)
        buffer_append_byte(json->to, ',');
    json->needs_comma = true;
}

void json_begin_object(struct json_out *json)
{
    begin_value(json);
    buffer_append_byte(json->to, '{');
    json->needs_comma = false;
}

void json_end_object(struct json_out *json)
{
    buffer_append_byte(json->to, '}');
    json->needs_comma = true;
}

void json_begin_array(struct json_out *json)
{
    begin_value(json);
    buffer_append_byte(json->to, '[');
    json->needs_comma = false;
}

void json_end_array(struct json_out *json)
{
    buffer_append_byte(json->to, ']');
    json->needs_comma = true;
}

void json_name(struct json_out *json, struct str name)
{
    begin_value(json);
    json_escape(name, json->to);
    buffer_append_byte(json->to, ':');
    json->needs_comma = false;
}

void json_text(struct json_out *json, struct str text)
{
    begin_value(json);
    json_escape(text, json->to);
}

void json_number(struct json_out *json, int64_t number)
{
    begin_value(json);
    if (number < 0)
        buffer_append_byte(json->to, '-');
    buffer_append_u64(json->to, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void json_bool(struct json_out *json, bool value)
{
    begin_value(json);
    buffer_append_str(json->to, value ? STR("true") : STR("false"));
}

void json_raw(struct json_out *json, struct str value)
{
    begin_value(json);
    buffer_append_str(json->to, value);
}

void json_member_string(struct json_out *json, struct str name, struct str text)
{
    json_name(json, name);
    json_text(json, text);
}

void json_member_number(struct json_out *json, struct str name, int64_t number)
{
    json_name(json, name);
    json_number(json, number);
}

void json_member_bool(struct json_out *json, struct str name, bool value)
{
    json_name(json, name);
    json_bool(json, value);
}

void json_member_words(struct json_out *json, struct str name, struct str words)
{
    struct str word;

    json_name(json, name);
    json_begin_array(json);
    while (str_next_word(&words, &word))
        json_text(json, word);
    json_end_array(json);
}

/* ---- reading ---- */

/*
 * A body may hold a password, so what jansson frees is wiped. The size stands before the block;
 * the union keeps the block aligned for any type.
 */
union block_head {
    size_t bytes;
    max_align_t align;
};

static void *block_alloc(size_t bytes)
{
    union block_head *head;

    if (bytes > SIZE_MAX - sizeof(*head))
        return NULL;
    head = malloc(sizeof(*head) + bytes);
    if (head == NULL)
        return NULL;
    head->bytes = bytes;
    return head + 1;
}

static void block_free(void *block)
{
    union block_head *head = block;

    if (head == NULL)
        return;
    head--;
    explicit_bzero(head, sizeof(*head) + head->bytes);
    free(head);
}

static void use_wiping_memory(void)
{
    json_set_alloc_funcs(block_alloc, block_free);
}

/*
 * Brackets are counted before jansson sees them: it recurses, and has its own, far deeper bound. A
 * text that is no JSON may be counted wrongly, which is of no matter: it is refused either way.
 */
static bool depth_is_allowed(struct str text)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
            return false;
        else if (!in_string && (c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return true;
}

/* jansson takes json_t without const where it only reads, and its documents are ours alone. */
static json_t *jansson_of(const struct json_value *value)
{
    return (json_t *)(uintptr_t)value;
}

static const struct json_value *value_of(const json_t *json)
{
    return (const struct json_value *)json;
}

enum rc json_parse(struct str text, struct json_document **out_document)
{
    static pthread_once_t memory_once = PTHREAD_ONCE_INIT;
    json_error_t error;
    json_t *root;

    /* jansson takes a NUL after a number for the end of the text. */
    if (text.len == 0 || str_index_of(text, '\0') < text.len || !depth_is_allowed(text))
        return RC_INVALID;
    pthread_once(&memory_once, use_wiping_memory);
    /* RFC 8259 4: names should be unique; RFC 8725 2.4 shows what duplicates are good for. */
    root = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL)
        return json_error_code(&error) == json_error_out_of_memory ? RC_SYSTEM : RC_INVALID;
    *out_document = (struct json_document *)root;
    return RC_OK;
}

void json_document_free(struct json_document *document)
{
    json_decref((json_t *)document);
}

const struct json_value *json_root(const struct json_document *document)
{
    return (const struct json_value *)document;
}

bool json_is_object(const struct json_value *value)
{
    return value != NULL && json_typeof(jansson_of(value)) == JSON_OBJECT;
}

bool json_is_array(const struct json_value *value)
{
    return value != NULL && json_typeof(jansson_of(value)) == JSON_ARRAY;
}

bool json_is_string(const struct json_value *value)
{
    return value != NULL && json_typeof(jansson_of(value)) == JSON_STRING;
}

bool json_is_null(const struct json_value *value)
{
    return value != NULL && json_typeof(jansson_of(value)) == JSON_NULL;
}

const struct json_value *json_find(const struct json_value *object, struct str name)
{
    if (!json_is_object(object))
        return NULL;
    /* The empty name is a name; jansson wants a pointer all the same. */
    return value_of(json_object_getn(jansson_of(object), name.len == 0 ? "" : name.at, name.len));
}

enum rc json_get_string(const struct json_value *value, struct str *out_text)
{
    if (value == NULL)
        return RC_NOT_FOUND;
    if (!json_is_string(value))
        return RC_INVALID;
    *out_text =
        (struct str){ json_string_value(jansson_of(value)), json_string_length(jansson_of(value)) };
    return RC_OK;
}

enum rc json_get_number(const struct json_value *value, int64_t *out_number)
{
    const double exact_max = 9007199254740992.0; /* 2^53: above it a double has no units */
    double real;

    if (value == NULL)
        return RC_NOT_FOUND;
    if (json_is_integer(jansson_of(value))) {
        *out_number = json_integer_value(jansson_of(value));
        return RC_OK;
    }
    if (!json_is_real(jansson_of(value)))
        return RC_INVALID;
    real = json_real_value(jansson_of(value));
    if (real < -exact_max || real > exact_max || (double)(int64_t)real != real)
        return RC_INVALID;
    *out_number = (int64_t)real;
    return RC_OK;
}

enum rc json_get_bool(const struct json_value *value, bool *out_value)
{
    if (value == NULL)
        return RC_NOT_FOUND;
    if (!json_is_boolean(jansson_of(value)))
        return RC_INVALID;
    *out_value = json_is_true(jansson_of(value));
    return RC_OK;
}

/* The shortest of 15 to 17 digits that reads back as the same number. */
static struct str format_real(double real, struct arena *arena)
{
    char text[32];
    int len = 0;

    for (int digit_count = 15; digit_count <= 17; digit_count++) {
        len = snprintf(text, sizeof(text), "%.*g", digit_count, real);
        if (strtod(text, NULL) == real)
            break;
    }
    return arena_copy(arena, (struct str){ text, (size_t)len });
}

enum rc json_format_scalar(const struct json_value *value, struct arena *arena,
                           struct str *out_text)
{
    const json_t *json = jansson_of(value);

    if (json_is_integer(json))
        *out_text = arena_format(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
    else if (json_is_real(json))
        *out_text = format_real(json_real_value(json), arena);
    else if (json_is_boolean(json))
        *out_text = arena_copy(arena, json_is_true(json) ? STR("true") : STR("false"));
    else
        return RC_INVALID;
    return RC_OK;
}

struct str json_format(const struct json_value *value, struct arena *arena)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t len = json_dumpb(jansson_of(value), NULL, 0, flags);
    char *text = arena_alloc(arena, len);

    ASSERT(len > 0 && json_dumpb(jansson_of(value), text, len, flags) == len);
    return (struct str){ text, len };
}

size_t json_count(const struct json_value *array_or_object)
{
    if (json_is_array(array_or_object))
        return json_array_size(jansson_of(array_or_object));
    return json_object_size(jansson_of(array_or_object));
}

const struct json_value *json_item(const struct json_value *array, size_t index)
{
    return value_of(json_array_get(jansson_of(array), index));
}

const struct json_value *json_member(const struct json_value *object, size_t index,
                                     struct str *out_name)
{
    json_t *json = jansson_of(object);
    void *at = json_object_iter(json);

    while (at != NULL && index-- > 0)
        at = json_object_iter_next(json, at);
    if (at == NULL)
        return NULL;
    *out_name = (struct str){ json_object_iter_key(at), json_object_iter_key_len(at) };
    return value_of(json_object_iter_value(at));
}
