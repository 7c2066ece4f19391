/*
 * test/unit/vectors.h: reading the files of test/vectors in C tests, and keeping the tally of what
 * was checked and what was left out, by reason.
 */
#ifndef JETON_TEST_VECTORS_H
#define JETON_TEST_VECTORS_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rc.h"
#include "base/str.h"

static inline const char *vector_path(const char *name)
{
    static char path[4096];
    const char *root = getenv("JETON_SOURCE_ROOT");

    snprintf(path, sizeof(path), "%s/test/vectors/%s", root == NULL ? "." : root, name);
    return path;
}

/* The whole document; json_decref when done. */
static inline json_t *vector_load(const char *name)
{
    json_error_t error;
    json_t *document = json_load_file(vector_path(name), 0, &error);

    if (document == NULL)
        fprintf(stderr, "%s: %s\n", vector_path(name), error.text);
    ASSERT(document != NULL);
    return document;
}

/* The text of a file without its last newline, in static memory. */
static inline struct str vector_text(const char *name)
{
    static char text[65536];
    FILE *file = fopen(vector_path(name), "r");
    size_t len;

    ASSERT(file != NULL);
    len = fread(text, 1, sizeof(text), file);
    fclose(file);
    if (len > 0 && text[len - 1] == '\n')
        len--;
    return (struct str){ text, len };
}

static inline const char *vector_string(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    ASSERT(text != NULL);
    return text;
}

static inline int vector_int(const json_t *object, const char *name)
{
    return (int)json_integer_value(json_object_get(object, name));
}

/* The JSON text of a value, in static memory. */
static inline struct str vector_dump(const json_t *value)
{
    static char text[65536];
    size_t len = json_dumpb(value, text, sizeof(text), 0);

    ASSERT(len > 0 && len <= sizeof(text));
    return (struct str){ text, len };
}

struct bytes {
    unsigned char *at;
    size_t len;
};

static inline unsigned nibble_of(char digit)
{
    const char *digits = "0123456789abcdef";

    return (unsigned)(strchr(digits, digit) - digits);
}

/* Memory of exactly the right size, so that a sanitizer sees a read past it; free(bytes.at). */
static inline struct bytes hex_decode(const char *hex)
{
    struct bytes bytes = { .len = strlen(hex) / 2 };

    bytes.at = malloc(bytes.len == 0 ? 1 : bytes.len);
    ASSERT(bytes.at != NULL);
    for (size_t i = 0; i < bytes.len; i++)
        bytes.at[i] = (unsigned char)(nibble_of(hex[2 * i]) << 4 | nibble_of(hex[2 * i + 1]));
    return bytes;
}

static inline struct bytes vector_hex(const json_t *object, const char *name)
{
    return hex_decode(vector_string(object, name));
}

static inline struct str bytes_str(struct bytes bytes)
{
    return (struct str){ (const char *)bytes.at, bytes.len };
}

static inline bool vector_is_valid(const json_t *test)
{
    return strcmp(vector_string(test, "result"), "valid") == 0;
}

/* ---- tally ---- */

enum { TALLY_REASON_COUNT_MAX = 16 };

struct tally {
    unsigned checked;
    unsigned wrong;
    unsigned reason_count;
    struct {
        const char *words;
        unsigned count;
    } reasons[TALLY_REASON_COUNT_MAX];
};

static inline void tally_left_out(struct tally *tally, const char *reason, unsigned count)
{
    unsigned i = 0;

    while (i < tally->reason_count && strcmp(tally->reasons[i].words, reason) != 0)
        i++;
    ASSERT(i < TALLY_REASON_COUNT_MAX);
    tally->reasons[i].words = reason;
    tally->reasons[i].count += count;
    if (i == tally->reason_count)
        tally->reason_count++;
}

static inline void tally_verdict(struct tally *tally, const json_t *test, bool accepted,
                                 bool expected)
{
    tally->checked++;
    if (accepted == expected)
        return;
    tally->wrong++;
    fprintf(stderr, "case %d (%s): %s\n", vector_int(test, "tcId"), vector_string(test, "comment"),
            accepted ? "accepted" : "refused");
}

static inline void tally_print(const struct tally *tally, const char *name)
{
    printf("%s: %u checked, %u wrong\n", name, tally->checked, tally->wrong);
    for (unsigned i = 0; i < tally->reason_count; i++)
        printf("%s: %u left out: %s\n", name, tally->reasons[i].count, tally->reasons[i].words);
}

#endif
