/*
 * codec/form.h: parameters of a request: application/x-www-form-urlencoded (WHATWG URL, RFC 6749
 * appendix B), and the flat JSON object that u-Auth's documentation shows.
 *
 * Split at '&', then each pair at its first '='; '+' is a space; names are case-sensitive. A name
 * that stands twice is marked, for the caller to refuse (RFC 6749 3.2). Broken escapes, NUL bytes
 * and text that is not UTF-8 are RC_INVALID.
 */
#ifndef JETON_CODEC_FORM_H
#define JETON_CODEC_FORM_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/rc.h"

struct form_field {
    struct str name;
    struct str value;
};

struct form {
    struct form_field fields[FORM_FIELD_COUNT_MAX];
    size_t field_count;
    bool has_duplicate;
    struct str duplicate_name;
};

/*
 * Names and values are views into the body; only those that hold an escape or a '+' are copied,
 * into the arena. Empty pairs are skipped; a pair without '=' has an empty value. A form that could
 * not be parsed holds no fields.
 *
 * Answers: RC_OK · RC_INVALID · RC_TOO_LARGE more than FORM_FIELD_COUNT_MAX fields
 */
enum rc form_parse(struct str body, struct arena *arena, struct form *out_form) MUST_CHECK;

/*
 * The members of a JSON object as fields: strings as they are, numbers and booleans as their JSON
 * text; null is as if absent. Everything is copied into the arena.
 *
 * Answers: RC_OK · RC_INVALID not a JSON object, or a member that is an array or object or that
 *          stands twice · RC_TOO_LARGE more than FORM_FIELD_COUNT_MAX members
 * Faults:  RC_SYSTEM no memory
 */
enum rc form_parse_json(struct str body, struct arena *arena, struct form *out_form) MUST_CHECK;

/* The field's value, or NULL when it was not sent. */
const struct str *form_find(const struct form *form, struct str name);

/* Whether a name other than these space-separated ones stands twice (RFC 8707 2 has one that may).
 */
bool form_has_repeated(const struct form *form, struct str repeatable);

/* All values of a name with spaces between them, empty ones left out; in the arena. RC_INVALID: a
 * value holds a space. */
enum rc form_join(const struct form *form, struct str name, struct arena *arena,
                  struct str *out_joined) MUST_CHECK;

/*
 * Decodes one name or value: '%' escapes, and '+' as a space. The text is the view itself when
 * there is nothing to decode, and lives in the arena otherwise.
 *
 * Answers: RC_OK · RC_INVALID a broken escape, a NUL byte, or not UTF-8
 * Source:  RFC 6749 appendix B
 */
enum rc form_decode(struct str encoded, struct arena *arena, struct str *out_text) MUST_CHECK;

#endif
