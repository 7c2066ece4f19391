/* Escaped text is UTF-8 without markup or control characters. */
#include "codec/html.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    struct buffer to = buffer_over(arena_alloc(fuzz_arena(), 6 * size), 6 * size);
    struct str text;

    html_escape(input, &to);
    ASSERT(!to.overflow);
    text = buffer_str(&to);
    ASSERT(str_is_utf8(text) && !str_has_control(text));
    for (const char *c = "<>\"'"; *c != '\0'; c++)
        ASSERT(str_index_of(text, *c) == text.len);
    return 0;
}
