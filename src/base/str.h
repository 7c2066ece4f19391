/*
 * base/str.h: views of text and bytes that came from outside.
 *
 * A struct str owns nothing and is not NUL-terminated; it is valid as long as whatever it points
 * into, which is the request arena unless the header that hands it out says otherwise. Secrets are
 * never a struct str for longer than the moment of parsing: see base/secret.h.
 */
#ifndef JETON_BASE_STR_H
#define JETON_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *at; /* may be NULL when len is 0 */
    size_t len;     /* bytes                     */
};

/* A view of a string literal; the size is known at compile time. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })

/* For printf: printf("%.*s", STR_ARGS(view)). Only for text that may be printed. */
#define STR_ARGS(view) (int)(view).len, (view).at

static inline struct str str_of(const char *text)
{
    return (struct str){ text, strlen(text) };
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* The view from start, which is at most its length. */
static inline struct str str_from(struct str view, size_t start)
{
    /* Nothing may be added to a NULL pointer, not even 0. */
    return start == 0 ? view : (struct str){ view.at + start, view.len - start };
}

/* What is left of str_equal_nocase when the lengths are equal. */
bool str_equal_nocase_bytes(const char *a, const char *b, size_t len);

/* ASCII letters compare without case; everything else exactly. */
static inline bool str_equal_nocase(struct str a, struct str b)
{
    return a.len == b.len && str_equal_nocase_bytes(a.at, b.at, a.len);
}

bool str_starts_with(struct str view, struct str prefix);

bool str_ends_with(struct str view, struct str suffix);

/* Index of the first byte, or view.len when it is not there. */
static inline size_t str_index_of(struct str view, char byte)
{
    const char *found = view.len == 0 ? NULL : memchr(view.at, byte, view.len);

    return found == NULL ? view.len : (size_t)(found - view.at);
}

/* The view without ASCII spaces, tabs, CR and LF at both ends. */
struct str str_trim(struct str view);

/* Length of the UTF-8 sequence at the front of a view that is not empty; 0 when it is malformed. */
size_t str_utf8_sequence(struct str view);

/* Well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool str_is_utf8(struct str view);

/* Holds a byte below 0x20, or 0x7f. */
bool str_has_control(struct str view);

/*
 * Takes the next word off the front of *rest, as words stand in a scope: separated by single or
 * several spaces. Returns false when there is none left.
 */
bool str_next_word(struct str *rest, struct str *out_word);

/* True when word is one of the space-separated words of list. */
bool str_has_word(struct str list, struct str word);

/* Digits only, no sign, at most max. Returns false otherwise; *out_number is then untouched. */
bool str_parse_u64(struct str text, uint64_t max, uint64_t *out_number);

#endif
