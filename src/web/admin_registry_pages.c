#include "web/admin_registry_pages.h"

#include "crypto/digest.h"

/* What the pages of services and of clients share. */

enum { ROW_TEXT_BYTES_MAX = 160 };

static const char secret_form[] = "admin secret"; /* of handles in forms */

struct registry_desk admin_desk(struct page_call *page, const struct admin *admin)
{
    const struct oauth *oauth = page->call->oauth.oauth;

    return (struct registry_desk){ oauth->store, oauth->door->throttle, admin };
}

struct page_words admin_registry_error(struct page_call *page, const struct registry_faults *faults,
                                       enum registry_field field, const char *input)
{
    static const enum page_text texts[REGISTRY_PROBLEM_COUNT] = {
#define REGISTRY_PROBLEM(name, field, words) [REGISTRY_##name] = PAGE_TEXT_REGISTRY_##name,
#include "oauth/registry.def"
#undef REGISTRY_PROBLEM
    };

    for (size_t i = 0; i < faults->count; i++) {
        const struct registry_fault *fault = &faults->list[i];
        struct page_words words = { .text = texts[fault->problem],
                                    .value = fault->value,
                                    .number = fault->number };

        if (registry_problem_field(fault->problem) != field)
            continue;
        page_add_error(page, input, words);
        return words;
    }
    return page_say(PAGE_TEXT_NONE);
}

struct str admin_row_text(struct page_call *page, struct str text)
{
    if (text.len <= ROW_TEXT_BYTES_MAX) /* ids and scopes are ASCII: any place is a good one */
        return arena_copy(page->call->exchange->arena, text);
    return arena_format(page->call->exchange->arena, "%.*s…", (int)ROW_TEXT_BYTES_MAX, text.at);
}

int64_t admin_field_seconds(const struct page_call *page, struct str name)
{
    uint64_t number;

    return str_parse_u64(str_trim(page_field(page, name)), INT64_MAX, &number) ? (int64_t)number
                                                                               : -1;
}

struct str admin_on_one_line(struct page_call *page, struct str text)
{
    char *copy = arena_alloc(page->call->exchange->arena, text.len + 1);

    for (size_t i = 0; i < text.len; i++) {
        char byte = text.at[i];

        copy[i] = byte;
        if (byte == '\r' || byte == '\n' || byte == '\t')
            copy[i] = ' ';
    }
    return str_trim((struct str){ copy, text.len });
}

bool admin_is_ticked(const struct page_call *page, struct str name)
{
    return str_equal(page_field(page, name), STR("yes"));
}

void admin_return(struct page_call *page, struct str section, struct str id,
                  struct page_words words)
{
    page_redirect_notice(page,
                         arena_format(page->call->exchange->arena, "/admin/%.*s/%.*s",
                                      STR_ARGS(section), STR_ARGS(id)),
                         words);
}

/* ---- secrets --------------------------------------------------------------------------------- */

/* A number that stands for a stored form, and is another for the next one. */
static int64_t number_of(struct str stored_hash)
{
    unsigned char digest[SHA256_BYTES];
    uint64_t number = 0;

    digest_sha256(stored_hash, digest);
    for (size_t i = 0; i < sizeof(number); i++)
        number = number << 8 | digest[i];
    return (int64_t)(number >> 1);
}

static struct page_admin_secret values_of(struct page_call *page, const struct admin_secret *secret)
{
    return (struct page_admin_secret){ .frame = &page->frame,
                                       .section = secret->section,
                                       .id = secret->id,
                                       .owner = secret->owner,
                                       .old_until = secret->old_until,
                                       .may_overlap = secret->may_overlap };
}

void admin_ask_secret(struct page_call *page, const struct admin_secret *secret)
{
    struct page_admin_secret values = values_of(page, secret);

    values.form = page_handle_seal(page, secret_form, number_of(secret->stored_hash));
    page_admin_secret_render(&values, page->language, page_begin(page, 200));
}

void admin_show_secret(struct page_call *page, const struct admin_secret *secret,
                       const struct secret *value)
{
    struct page_admin_secret values = values_of(page, secret);

    values.value = value;
    page_admin_secret_render(&values, page->language, page_begin(page, 200));
}

bool admin_is_secret_form(struct page_call *page, const struct admin_secret *secret)
{
    int64_t number;

    if (page_handle_open(page, secret_form, page_field(page, STR("form")), &number) &&
        number == number_of(secret->stored_hash))
        return true;
    admin_return(page, secret->section, secret->id, page_say(PAGE_TEXT_SECRET_MADE_ALREADY));
    return false;
}
