/* Bytes and their base64url text belong together one to one. */
#include "codec/base64url.h"
#include "fuzz.h"

static struct buffer arena_buffer(struct arena *arena, size_t max_bytes)
{
    return buffer_over(arena_alloc(arena, max_bytes), max_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    struct arena *arena = fuzz_arena();
    struct buffer text = arena_buffer(arena, BASE64URL_TEXT_BYTES(size));
    struct buffer decoded = arena_buffer(arena, size);
    struct buffer again = arena_buffer(arena, BASE64URL_TEXT_BYTES(size));

    base64url_encode(input, &text);
    ASSERT(!text.overflow && text.len == BASE64URL_TEXT_BYTES(size));
    ASSERT(base64url_decode(buffer_str(&text), &decoded) == RC_OK);
    ASSERT(str_equal(buffer_str(&decoded), input));

    decoded.len = 0;
    if (base64url_decode(input, &decoded) == RC_OK) {
        base64url_encode(buffer_str(&decoded), &again);
        ASSERT(str_equal(buffer_str(&again), input));
    } else {
        ASSERT(decoded.len == 0);
    }
    decoded.len = 0;
    if (base64_decode(input, &decoded) == RC_OK)
        ASSERT(decoded.len <= size / 4 * 3 + 2);
    else
        ASSERT(decoded.len == 0);
    return 0;
}
