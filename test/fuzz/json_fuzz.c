/* What parses can be written, and reads the same again; any text can stand in a string. */
#include "base/limits.h"
#include "codec/json.h"
#include "fuzz.h"

static void write_value(struct json_out *json, const struct json_value *value, struct arena *arena,
                        size_t depth);

static void write_items(struct json_out *json, const struct json_value *value, struct arena *arena,
                        size_t depth)
{
    if (json_is_array(value)) {
        json_begin_array(json);
        for (size_t i = 0; i < json_count(value); i++)
            write_value(json, json_item(value, i), arena, depth);
        json_end_array(json);
        return;
    }
    json_begin_object(json);
    for (size_t i = 0; i < json_count(value); i++) {
        struct str name = { NULL, 0 };
        const struct json_value *member = json_member(value, i, &name);

        ASSERT(str_is_utf8(name) && str_index_of(name, '\0') == name.len);
        ASSERT(json_find(value, name) == member);
        json_name(json, name);
        write_value(json, member, arena, depth);
    }
    json_end_object(json);
}

static void write_value(struct json_out *json, const struct json_value *value, struct arena *arena,
                        size_t depth)
{
    struct str text;
    int64_t number;

    ASSERT(depth <= JSON_DEPTH_MAX);
    if (json_is_object(value) || json_is_array(value)) {
        write_items(json, value, arena, depth + 1);
    } else if (json_get_string(value, &text) == RC_OK) {
        ASSERT(str_is_utf8(text) && str_index_of(text, '\0') == text.len);
        json_text(json, text);
    } else if (json_is_null(value)) {
        json_raw(json, STR("null"));
    } else if (json_get_number(value, &number) == RC_OK) {
        json_number(json, number);
    } else {
        ASSERT(json_format_scalar(value, arena, &text) == RC_OK);
        json_raw(json, text);
    }
}

/* Each byte takes six at most, and a number may grow to some twenty. */
static struct buffer arena_buffer(struct arena *arena, size_t len)
{
    return buffer_over(arena_alloc(arena, 24 * len + 2), 24 * len + 2);
}

static struct str rewrite(const struct json_document *document, struct arena *arena, size_t len)
{
    struct buffer to = arena_buffer(arena, len);
    struct json_out json = json_out_over(&to);

    write_value(&json, json_root(document), arena, 0);
    ASSERT(!to.overflow);
    return buffer_str(&to);
}

static void check_document(struct str input, struct arena *arena)
{
    struct json_document *document;
    struct str first;
    struct str second;

    if (json_parse(input, &document) != RC_OK)
        return;
    first = rewrite(document, arena, input.len);
    json_document_free(document);
    ASSERT(json_parse(first, &document) == RC_OK);
    second = rewrite(document, arena, first.len);
    json_document_free(document);
    ASSERT(str_equal(first, second));
}

static void check_string(struct str input, struct arena *arena)
{
    struct buffer to = arena_buffer(arena, input.len);
    struct json_document *document;
    struct str back;

    json_escape(input, &to);
    ASSERT(!to.overflow && str_is_utf8(buffer_str(&to)) && !str_has_control(buffer_str(&to)));
    /* The reader takes no NUL, the writer does. */
    if (str_index_of(input, '\0') < input.len)
        return;
    ASSERT(json_parse(buffer_str(&to), &document) == RC_OK);
    ASSERT(json_get_string(json_root(document), &back) == RC_OK);
    ASSERT(str_equal(back, input) == str_is_utf8(input));
    json_document_free(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);

    if (size > 4096)
        return 0;
    check_document(input, fuzz_arena());
    check_string(input, fuzz_arena());
    return 0;
}
