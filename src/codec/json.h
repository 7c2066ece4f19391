/*
 * codec/json.h: JSON out by a small writer, JSON in through jansson. Neither is a type system: a
 * reader copies what it needs into a typed struct at once.
 */
#ifndef JETON_CODEC_JSON_H
#define JETON_CODEC_JSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/rc.h"

/*
 * The writer appends to a buffer; commas are its business. Strings must be UTF-8 and are escaped
 * (RFC 8259 7: quotes, backslash, control bytes; also '<', '>' and '&', so that JSON may stand in
 * HTML); bytes that are not UTF-8 become U+FFFD.
 *
 *     struct json_out json = json_out_over(&body);
 *     json_begin_object(&json);
 *     json_member_string(&json, STR("token_type"), STR("Bearer"));
 *     json_end_object(&json);
 */
struct json_out {
    struct buffer *to;
    bool needs_comma;
};

static inline struct json_out json_out_over(struct buffer *to)
{
    return (struct json_out){ .to = to };
}

void json_begin_object(struct json_out *json);
void json_end_object(struct json_out *json);
void json_begin_array(struct json_out *json);
void json_end_array(struct json_out *json);
void json_name(struct json_out *json, struct str name); /* then a value, an object or an array */
void json_text(struct json_out *json, struct str text); /* jansson owns the name json_string */
void json_number(struct json_out *json, int64_t number);
void json_bool(struct json_out *json, bool value);
void json_raw(struct json_out *json, struct str value); /* a value that is JSON already */

void json_member_string(struct json_out *json, struct str name, struct str text);
void json_member_number(struct json_out *json, struct str name, int64_t number);
void json_member_bool(struct json_out *json, struct str name, bool value);

/* An array of the space-separated words. */
void json_member_words(struct json_out *json, struct str name, struct str words);

/* Appends the text escaped, with its quotes. */
void json_escape(struct str text, struct buffer *to);

/* ---- reading ---- */

struct json_value; /* one value inside a document */
struct json_document;

/*
 * Parses one value that is the whole text: UTF-8, at most JSON_DEPTH_MAX deep, no duplicate
 * members, no trailing bytes, no NUL in strings, numbers within int64_t or a finite double.
 * All memory of the document, its strings too, is wiped when it is freed.
 *
 * Answers: RC_OK · RC_INVALID
 * Faults:  RC_SYSTEM no memory
 * Source:  RFC 8259
 */
enum rc json_parse(struct str text, struct json_document **out_document) MUST_CHECK;

/* Takes NULL too. */
void json_document_free(struct json_document *document);

const struct json_value *json_root(const struct json_document *document);

bool json_is_object(const struct json_value *value);
bool json_is_array(const struct json_value *value);

/* The member of that name; NULL when it is absent or the value is not an object. */
const struct json_value *json_find(const struct json_value *object, struct str name);

/*
 * The value as that type. A view lives as long as the document. A number with a fraction or beyond
 * int64_t is none; 1.0 and 1e3 are numbers.
 *
 * Answers: RC_OK · RC_NOT_FOUND the value is NULL (absent) · RC_INVALID another type
 */
enum rc json_get_string(const struct json_value *value, struct str *out_text) MUST_CHECK;
enum rc json_get_number(const struct json_value *value, int64_t *out_number) MUST_CHECK;
enum rc json_get_bool(const struct json_value *value, bool *out_value) MUST_CHECK;

/* The JSON text of a number, true or false in the arena; RC_INVALID for any other type. */
enum rc json_format_scalar(const struct json_value *value, struct arena *arena,
                           struct str *out_text) MUST_CHECK;

/* Any value as JSON text without white space, members in the order sent; in the arena. */
struct str json_format(const struct json_value *value, struct arena *arena);

bool json_is_string(const struct json_value *value);
bool json_is_null(const struct json_value *value); /* the literal null, not absence */

/* 0 for anything else. */
size_t json_count(const struct json_value *array_or_object);

/* NULL beyond the end. */
const struct json_value *json_item(const struct json_value *array, size_t index);

/*
 * The index-th member of an object, in the order sent; NULL beyond the end. It walks from the
 * front, so for objects whose count is bounded.
 */
const struct json_value *json_member(const struct json_value *object, size_t index,
                                     struct str *out_name);

#endif
