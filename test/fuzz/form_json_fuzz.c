/* A JSON form that parses is clean text of its own, and says the same when it is written again. */
#include "codec/form.h"
#include "codec/json.h"
#include "fuzz.h"

enum { TEXT_BYTES_MAX = 1024 * 1024 };

static void check_fields(const struct form *form, const struct arena *arena)
{
    ASSERT(form->field_count <= FORM_FIELD_COUNT_MAX && !form->has_duplicate);
    for (size_t i = 0; i < form->field_count; i++) {
        const struct form_field *field = &form->fields[i];

        ASSERT(fuzz_is_owned(field->name, STR(""), arena));
        ASSERT(fuzz_is_owned(field->value, STR(""), arena));
        ASSERT(str_is_utf8(field->name) && str_is_utf8(field->value));
        ASSERT(str_index_of(field->value, '\0') == field->value.len);
        ASSERT(form_find(form, field->name) == &field->value);
    }
}

static struct str write_again(const struct form *form, struct arena *arena)
{
    struct buffer text = buffer_over(arena_alloc(arena, TEXT_BYTES_MAX), TEXT_BYTES_MAX);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    for (size_t i = 0; i < form->field_count; i++)
        json_member_string(&json, form->fields[i].name, form->fields[i].value);
    json_end_object(&json);
    ASSERT(!text.overflow);
    return buffer_str(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct form form;
    static struct form again;
    struct arena *arena = fuzz_arena();

    if (size > 64 * 1024)
        return 0;
    if (form_parse_json(fuzz_input(data, size), arena, &form) != RC_OK) {
        ASSERT(form.field_count == 0 && !form.has_duplicate);
        return 0;
    }
    check_fields(&form, arena);
    ASSERT(form_parse_json(write_again(&form, arena), arena, &again) == RC_OK);
    ASSERT(again.field_count == form.field_count);
    for (size_t i = 0; i < form.field_count; i++) {
        ASSERT(str_equal(form.fields[i].name, again.fields[i].name));
        ASSERT(str_equal(form.fields[i].value, again.fields[i].value));
    }
    return 0;
}
