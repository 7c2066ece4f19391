#include "account/password_policy.h"

#include "base/limits.h"

enum { REPEATED_BYTES_MAX = 7 }; /* what is no password alone is none when it is repeated */

size_t password_characters_min(const struct password_owner *owner)
{
    return owner->has_second_factor ? PASSWORD_CHARACTERS_MIN_WITH_FACTOR
                                    : PASSWORD_CHARACTERS_MIN_ALONE;
}

static size_t count_characters(struct str text)
{
    size_t count = 0;

    /* Every byte but the continuations begins a character. */
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.at[i] & 0xc0) != 0x80;
    return count;
}

static int compare(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.at, b.at, len);

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

/* A word of the list, and how one comes from the one before it. */
struct listed {
    const unsigned char *at; /* of the next one */
    unsigned char bytes[2 * COMMON_PASSWORD_BYTES_MAX];
    size_t len;
};

static void read_next(struct listed *word)
{
    unsigned char head = *word->at++;
    size_t shared = head >> 4;
    size_t rest = head & 0x0f;

    if (head == 0xff) {
        shared = *word->at++;
        rest = *word->at++;
    }
    memcpy(word->bytes + shared, word->at, rest);
    word->at += rest;
    word->len = shared + rest;
}

static int compare_listed(struct str lower, const struct listed *word)
{
    return compare(lower, (struct str){ (const char *)word->bytes, word->len });
}

/* How the text stands to the first word of a block. */
static int compare_first(struct str lower, size_t block, struct listed *out_word)
{
    out_word->at = common_passwords.bytes + common_passwords.starts[block];
    read_next(out_word);
    return compare_listed(lower, out_word);
}

static bool is_listed(struct str lower)
{
    size_t block_count =
        (common_passwords.count + COMMON_PASSWORDS_BLOCK - 1) / COMMON_PASSWORDS_BLOCK;
    struct listed word;
    size_t low = 0;
    size_t high = block_count;
    size_t left;
    int order;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (compare_first(lower, middle, &word) < 0)
            high = middle;
        else
            low = middle;
    }
    order = compare_first(lower, low, &word);
    left = common_passwords.count - low * COMMON_PASSWORDS_BLOCK;
    if (left > COMMON_PASSWORDS_BLOCK)
        left = COMMON_PASSWORDS_BLOCK;
    while (order > 0 && --left > 0) {
        read_next(&word);
        order = compare_listed(lower, &word);
    }
    return order == 0;
}

/* The length of what the text says again and again; its own when it does not. */
static size_t period_of(struct str text)
{
    for (size_t period = 1; period <= text.len / 2; period++) {
        if (text.len % period == 0 && memcmp(text.at, text.at + period, text.len - period) == 0)
            return period;
    }
    return text.len;
}

static bool is_common(struct str lower)
{
    struct str once = { lower.at, period_of(lower) };

    return (once.len < lower.len && once.len <= REPEATED_BYTES_MAX) || is_listed(lower) ||
           is_listed(once);
}

static bool is_personal(struct str lower, const struct password_owner *owner)
{
    struct str local = { owner->email.at, str_index_of(owner->email, '@') };

    return str_equal_nocase(lower, owner->name) || str_equal_nocase(lower, owner->email) ||
           str_equal_nocase(lower, local);
}

enum password_verdict password_judge(const struct secret *password,
                                     const struct password_owner *owner)
{
    struct str text = secret_expose(password);
    AUTO(secret) folded = { .len = password->len };
    struct str lower = { (const char *)folded.bytes, folded.len };

    if (!str_is_utf8(text) || str_has_control(text))
        return PASSWORD_MALFORMED;
    if (count_characters(text) < password_characters_min(owner)) /* NIST SP 800-63B-4 3.1.1.2 */
        return PASSWORD_SHORT;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.at[i];

        folded.bytes[i] = (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
    }
    if (is_common(lower)) /* NIST SP 800-63B-4 3.1.1.2: a blocklist */
        return PASSWORD_COMMON;
    return is_personal(lower, owner) ? PASSWORD_PERSONAL : PASSWORD_GOOD;
}
