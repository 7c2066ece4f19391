/* A cookie's value lies inside its line, holds no semicolon, and has no blanks around it. */
#include "codec/cookie.h"
#include "fuzz.h"

static void check(struct str line, struct str name)
{
    struct str value = STR("untouched");

    if (!cookie_find(line, name, &value)) {
        ASSERT(str_equal(value, STR("untouched")));
        return;
    }
    ASSERT(fuzz_is_within(value, line));
    ASSERT(str_index_of(value, ';') == value.len);
    /* Between quotes there may be blanks. */
    if (value.at == line.at || value.at[-1] != '"')
        ASSERT(str_equal(str_trim(value), value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str line = fuzz_input(data, size);

    check(line, STR("SESSION"));
    check(line, STR("spectrum.authentication.token"));
    check(line, (struct str){ line.at, str_index_of(line, '=') });
    return 0;
}
