/* Whatever an Authorization header holds, what comes out is text without control characters. */
#include "codec/basic.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    struct arena *arena = fuzz_arena();
    struct str user;
    struct str password;
    struct str token;
    enum rc basic = basic_parse(input, arena, &user, &password);
    enum rc bearer = bearer_parse(input, &token);

    ASSERT(basic == RC_NOT_FOUND || bearer == RC_NOT_FOUND);
    if (basic == RC_OK) {
        ASSERT(fuzz_is_owned(user, input, arena));
        ASSERT(fuzz_is_owned(password, input, arena));
        ASSERT(str_index_of(user, ':') == user.len);
        ASSERT(str_is_utf8(user) && str_is_utf8(password));
        ASSERT(!str_has_control(user) && !str_has_control(password));
        ASSERT(user.len + password.len < 2 * size);
    }
    if (bearer == RC_OK) {
        ASSERT(fuzz_is_within(token, input));
        ASSERT(token.len > 0);
        ASSERT(token.at + token.len == input.at + input.len);
        ASSERT(!str_has_control(token) && str_index_of(token, ' ') == token.len);
    }
    return 0;
}
