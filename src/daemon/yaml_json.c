#include "daemon/yaml_json.h"

#include <yaml.h>

#include "base/limits.h"
#include "codec/json.h"

enum { KEY_COUNT_MAX = 64, LINES_DEPTH = 3 };

/* A mapping or sequence that is open. */
struct level {
    bool is_mapping;
    bool has_key; /* its value comes next */
    bool has_lines;
    unsigned key_count;
    struct str keys[KEY_COUNT_MAX];
    int64_t lines[KEY_COUNT_MAX + 1]; /* its own, then those of the keys */
};

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct json_out json;
    struct buffer *error;
    struct level *levels;
    size_t depth;
    size_t line; /* of the event */
    bool has_document;
    bool is_done;
};

static enum rc refuse(struct reader *reader, const char *words)
{
    buffer_append_format(reader->error, "line %zu: %s", reader->line, words);
    return RC_INVALID;
}

static enum rc refuse_key(struct reader *reader, struct str key, const char *words)
{
    buffer_append_format(reader->error, "line %zu: %.*s: %s", reader->line, STR_ARGS(key), words);
    return RC_INVALID;
}

static struct level *top(struct reader *reader)
{
    return reader->depth == 0 ? NULL : &reader->levels[reader->depth - 1];
}

/* ---- scalars ---- */

static bool is_integer(struct str text)
{
    struct str digits = text.len > 0 && text.at[0] == '-' ? str_from(text, 1) : text;
    uint64_t number;

    return str_parse_u64(digits, INT64_MAX, &number) && (digits.at[0] != '0' || digits.len == 1);
}

static void write_scalar(struct reader *reader, struct str text, bool is_plain)
{
    if (is_plain && (text.len == 0 || str_equal(text, STR("~")) || str_equal(text, STR("null"))))
        json_raw(&reader->json, STR("null"));
    else if (is_plain &&
             (str_equal(text, STR("true")) || str_equal(text, STR("false")) || is_integer(text)))
        json_raw(&reader->json, text);
    else
        json_text(&reader->json, text);
}

static enum rc take_key(struct reader *reader, struct level *level, struct str key)
{
    for (unsigned i = 0; i < level->key_count; i++)
        if (str_equal(level->keys[i], key))
            return refuse_key(reader, key, "stands twice");
    if (key.len == 0 || str_equal(key, STR(YAML_LINES)))
        return refuse(reader, "a key may not be empty, nor " YAML_LINES);
    if (level->key_count == KEY_COUNT_MAX)
        return refuse_key(reader, key, "there are more than 64 keys");
    level->keys[level->key_count++] = arena_copy(reader->arena, key);
    level->lines[level->key_count] = (int64_t)reader->line;
    level->has_key = true;
    json_name(&reader->json, key);
    return RC_OK;
}

static enum rc take_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct level *level = top(reader);
    struct str text = { (const char *)event->data.scalar.value, event->data.scalar.length };
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
        return refuse(reader, "anchors and tags are not taken");
    if (memchr(text.at, '\0', text.len) != NULL)
        return refuse(reader, "a text may not hold a zero byte");
    if (level != NULL && level->is_mapping && !level->has_key)
        return take_key(reader, level, text);
    write_scalar(reader, text, is_plain);
    if (level != NULL)
        level->has_key = false;
    return RC_OK;
}

/* ---- mappings and sequences ---- */

static enum rc open_level(struct reader *reader, bool is_mapping)
{
    struct level *parent = top(reader);
    struct level *level;

    if (parent != NULL && parent->is_mapping && !parent->has_key)
        return refuse(reader, "a key must be one text");
    if (parent != NULL)
        parent->has_key = false;
    if (reader->depth == JSON_DEPTH_MAX - 1)
        return refuse(reader, "this lies too deep");
    ASSERT(reader->levels != NULL); /* an arena's memory, which the analyzer loses sight of */
    level = &reader->levels[reader->depth++];
    level->is_mapping = is_mapping;
    level->has_key = false;
    level->has_lines = is_mapping && (reader->depth == 1 || reader->depth == LINES_DEPTH);
    level->key_count = 0;
    level->lines[0] = (int64_t)reader->line;
    (is_mapping ? json_begin_object : json_begin_array)(&reader->json);
    return RC_OK;
}

static void close_level(struct reader *reader)
{
    struct level *level = &reader->levels[reader->depth - 1];

    if (level->has_lines) {
        json_name(&reader->json, STR(YAML_LINES));
        json_begin_array(&reader->json);
        for (unsigned i = 0; i <= level->key_count; i++)
            json_number(&reader->json, level->lines[i]);
        json_end_array(&reader->json);
    }
    (level->is_mapping ? json_end_object : json_end_array)(&reader->json);
    reader->depth--;
}

static enum rc take_event(struct reader *reader, const yaml_event_t *event)
{
    reader->line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(reader, event);
    case YAML_MAPPING_START_EVENT:
        if (event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL)
            return refuse(reader, "anchors and tags are not taken");
        return open_level(reader, true);
    case YAML_SEQUENCE_START_EVENT:
        if (event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL)
            return refuse(reader, "anchors and tags are not taken");
        return open_level(reader, false);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        close_level(reader);
        return RC_OK;
    case YAML_ALIAS_EVENT:
        return refuse(reader, "aliases are not taken");
    case YAML_DOCUMENT_START_EVENT:
        if (reader->has_document)
            return refuse(reader, "there is a second document");
        reader->has_document = true;
        return RC_OK;
    case YAML_STREAM_END_EVENT:
        reader->is_done = true;
        return RC_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return RC_OK;
}

static enum rc refuse_text(struct reader *reader)
{
    const char *problem = reader->parser.problem;

    reader->line = reader->parser.problem_mark.line + 1;
    return refuse(reader, problem != NULL ? problem : "this is no YAML");
}

enum rc yaml_to_json(struct str text, struct arena *arena, struct buffer *out_json,
                     struct buffer *out_error)
{
    struct reader reader = { .arena = arena,
                             .json = json_out_over(out_json),
                             .error = out_error,
                             .levels =
                                 arena_alloc(arena, JSON_DEPTH_MAX * sizeof(*reader.levels)) };
    enum rc rc = RC_OK;

    if (yaml_parser_initialize(&reader.parser) != 1)
        return RC_SYSTEM;
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.at, text.len);
    while (rc == RC_OK && !reader.is_done) {
        yaml_event_t event;

        if (yaml_parser_parse(&reader.parser, &event) != 1) {
            rc = refuse_text(&reader);
            break;
        }
        rc = take_event(&reader, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&reader.parser);
    if (rc == RC_OK && !reader.has_document)
        rc = refuse(&reader, "there is nothing in the file");
    return rc;
}
