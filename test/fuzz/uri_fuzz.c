/* A URI that parses is ASCII, and its parts put together are the URI. */
#include "codec/form.h"
#include "codec/uri.h"
#include "fuzz.h"

static void check_parts(struct str input, const struct uri *uri)
{
    size_t part_bytes =
        uri->scheme.len + uri->host.len + uri->port.len + uri->path.len + uri->query.len;

    ASSERT(fuzz_is_within(uri->scheme, input));
    ASSERT(fuzz_is_within(uri->host, input));
    ASSERT(fuzz_is_within(uri->port, input));
    ASSERT(fuzz_is_within(uri->path, input));
    ASSERT(fuzz_is_within(uri->query, input));
    ASSERT(uri->scheme.len > 0 && part_bytes < input.len);
    for (size_t i = 0; i < input.len; i++)
        ASSERT(input.at[i] > ' ' && input.at[i] < 0x7f && input.at[i] != '\\');
    ASSERT(str_starts_with(input, uri->scheme) && input.at[uri->scheme.len] == ':');
    ASSERT(uri->has_fragment == (str_index_of(input, '#') < input.len));
    ASSERT(uri->has_query || uri->query.len == 0);
    ASSERT(str_index_of(uri->host, '@') == uri->host.len);
    ASSERT(str_index_of(uri->host, '/') == uri->host.len);
    ASSERT(uri->host.len == 0 || uri->path.len == 0 || uri->path.at[0] == '/');
    /* Nothing lies between the parts but their delimiters. */
    if (!uri->has_userinfo && !uri->has_fragment) {
        size_t authority_bytes = uri->host.len + uri->port.len;
        size_t rest_bytes = input.len - part_bytes - 1 - uri->has_query;

        ASSERT(rest_bytes <= 3); /* "//" and ':' */
        ASSERT(authority_bytes == 0 || rest_bytes >= 2);
    }
}

static void check_encoding(struct str input, struct arena *arena)
{
    struct buffer text = buffer_over(arena_alloc(arena, 3 * input.len), 3 * input.len);
    struct str back;
    bool is_text = str_is_utf8(input) && str_index_of(input, '\0') == input.len;

    uri_encode(input, &text);
    ASSERT(!text.overflow);
    ASSERT((form_decode(buffer_str(&text), arena, &back) == RC_OK) == is_text);
    ASSERT(!is_text || str_equal(back, input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    struct uri uri;
    enum rc rc = uri_parse(input, &uri);

    if (rc == RC_OK)
        check_parts(input, &uri);
    if (issuer_check(input) == RC_OK) {
        ASSERT(rc == RC_OK && uri.host.len > 0);
        ASSERT(!uri.has_query && !uri.has_fragment && !uri.has_userinfo);
        ASSERT(input.at[size - 1] != '/');
    }
    check_encoding(input, fuzz_arena());
    return 0;
}
