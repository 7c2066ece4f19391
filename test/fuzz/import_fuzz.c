/*
 * Any bytes as the accounts of another server: each entry becomes a row with a name, and a hash of
 * a known kind or none, or a complaint; whatever it costs to check was looked at.
 */
#include <stdlib.h>

#include "crypto/password.h"
#include "daemon/import_read.h"
#include "fuzz.h"

static bool lies_in(struct str view, struct str text, const struct arena *arena)
{
    return view.len == 0 || (view.at >= text.at && view.at + view.len <= text.at + text.len) ||
           (view.at >= arena->slab && view.at + view.len <= arena->slab + arena->used_bytes);
}

struct check {
    struct str text;
    const struct arena *arena;
    bool is_json;
};

static void take(void *context, const struct import_row *row)
{
    const struct check *check = context;

    ASSERT(row->hash.len == 0 || password_is_known(row->hash));
    ASSERT(check->is_json || (lies_in(row->name, check->text, check->arena) &&
                              lies_in(row->full_name, check->text, check->arena) &&
                              lies_in(row->email, check->text, check->arena)));
}

static void complain(void *context, size_t number, struct str name, const char *words)
{
    (void)context;
    (void)number;
    ASSERT(words != NULL && (name.len == 0 || name.at != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = fuzz_arena();
    enum import_format format;
    struct check check;
    struct import_sink sink = { .context = &check, .take = take, .complain = complain };

    if (size == 0)
        return 0;
    /* The first byte says what it is. */
    format = (enum import_format)(data[0] % IMPORT_FORMAT_COUNT);
    check = (struct check){ .text = { (const char *)data + 1, size - 1 },
                            .arena = arena,
                            .is_json = format == IMPORT_KEYCLOAK };
    import_read(format, check.text, arena, &sink);
    ASSERT(arena->used_bytes == 0);
    return 0;
}
