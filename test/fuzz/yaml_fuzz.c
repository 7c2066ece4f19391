/*
 * Any bytes as a YAML file: JSON that our reader takes, or one line that names a line of the file.
 */
#include <stdlib.h>

#include "codec/json.h"
#include "daemon/yaml_json.h"
#include "fuzz.h"

enum { JSON_BYTES = 32 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = fuzz_arena();
    char words[512];
    struct buffer error = buffer_over(words, sizeof(words));
    struct buffer json;
    struct json_document *document = NULL;

    if (size > 16 * 1024)
        return 0;
    json = buffer_over(arena_alloc(arena, JSON_BYTES), JSON_BYTES);
    if (yaml_to_json((struct str){ (const char *)data, size }, arena, &json, &error) == RC_OK)
        ASSERT(json.overflow || json_parse(buffer_str(&json), &document) == RC_OK);
    else
        ASSERT(str_starts_with(buffer_str(&error), STR("line ")) &&
               memchr(words, '\n', error.len) == NULL);
    json_document_free(document);
    return 0;
}
