#include "web/permanent_view.h"

enum permanent_state permanent_state_of(const struct permanent *permanent, int64_t now)
{
    bool has_end = permanent->expires_at != 0;

    if (permanent->revoked_at != 0)
        return PERMANENT_REVOKED;
    if (has_end && permanent->expires_at <= now)
        return PERMANENT_EXPIRED;
    if (permanent->replaced_by != 0)
        return PERMANENT_REPLACED;
    if (has_end && permanent->expires_at - now <= PERMANENT_SOON_S)
        return PERMANENT_EXPIRES_SOON;
    return PERMANENT_ACTIVE;
}

bool permanent_is_over(enum permanent_state state)
{
    return state == PERMANENT_EXPIRED || state == PERMANENT_REVOKED;
}

struct str permanent_last_used_from(const struct permanent *permanent, struct arena *arena)
{
    static const unsigned char nobody[16];
    struct http_address address = { .is_unix = false };
    char *text;

    if (permanent->last_used_at == 0 ||
        memcmp(permanent->last_used_address, nobody, sizeof(nobody)) == 0)
        return STR("");
    memcpy(address.bytes, permanent->last_used_address, sizeof(address.bytes));
    text = arena_alloc(arena, HTTP_ADDRESS_TEXT_BYTES);
    return http_address_format(&address, text);
}

struct str permanent_word_shown(struct str word)
{
    struct str prefix = STR(SCOPE_SERVICE_PREFIX);

    return str_starts_with(word, prefix) ? str_from(word, prefix.len) : word;
}

int64_t permanent_days_default(int64_t days_max)
{
    return days_max != 0 && days_max < PERMANENT_DAYS_DEFAULT ? days_max : PERMANENT_DAYS_DEFAULT;
}
