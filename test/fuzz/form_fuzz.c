/* A form that parses is clean text, and says the same when it is written down again. */
#include "codec/form.h"
#include "codec/uri.h"
#include "fuzz.h"

enum { TEXT_BYTES_MAX = 1024 * 1024 };

static void check_fields(const struct form *form, struct str input, const struct arena *arena)
{
    bool has_duplicate = false;

    ASSERT(form->field_count <= FORM_FIELD_COUNT_MAX);
    for (size_t i = 0; i < form->field_count; i++) {
        const struct form_field *field = &form->fields[i];

        ASSERT(fuzz_is_owned(field->name, input, arena));
        ASSERT(fuzz_is_owned(field->value, input, arena));
        ASSERT(str_is_utf8(field->name) && str_is_utf8(field->value));
        ASSERT(str_index_of(field->name, '\0') == field->name.len);
        ASSERT(str_index_of(field->value, '\0') == field->value.len);
        ASSERT(form_find(form, field->name) != NULL);
        has_duplicate |= form_find(form, field->name) != &field->value;
    }
    ASSERT(form->has_duplicate == has_duplicate);
}

static void check_same(const struct form *a, const struct form *b)
{
    ASSERT(a->field_count == b->field_count && a->has_duplicate == b->has_duplicate);
    for (size_t i = 0; i < a->field_count; i++) {
        ASSERT(str_equal(a->fields[i].name, b->fields[i].name));
        ASSERT(str_equal(a->fields[i].value, b->fields[i].value));
    }
}

static void check_form(struct str input, struct arena *arena)
{
    static struct form form;
    static struct form again;
    struct buffer text = buffer_over(arena_alloc(arena, TEXT_BYTES_MAX), TEXT_BYTES_MAX);

    if (form_parse(input, arena, &form) != RC_OK) {
        ASSERT(form.field_count == 0);
        return;
    }
    check_fields(&form, input, arena);
    for (size_t i = 0; i < form.field_count; i++) {
        uri_encode(form.fields[i].name, &text);
        buffer_append_byte(&text, '=');
        uri_encode(form.fields[i].value, &text);
        buffer_append_byte(&text, '&');
    }
    ASSERT(!text.overflow);
    ASSERT(form_parse(buffer_str(&text), arena, &again) == RC_OK);
    check_same(&form, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    struct arena *arena = fuzz_arena();
    struct str text;

    /* Escaped three times over it must fit the text. */
    if (size > 64 * 1024)
        return 0;
    check_form(input, arena);
    if (form_decode(input, arena, &text) == RC_OK)
        ASSERT(str_is_utf8(text) && str_index_of(text, '\0') == text.len && text.len <= size);
    return 0;
}
