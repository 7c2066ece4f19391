#include "web/api_admin.h"

/* Members of nouns: from JSON and to it. */

enum { CHOICE_COUNT_MAX = 8 };

static void *member_of(const struct api_field *field, void *noun)
{
    return (char *)noun + field->offset;
}

static bool is_choice(enum api_type type)
{
    return type >= API_CLIENT_TYPE;
}

/* The word of a choice; empty beyond those that may be chosen. */
static struct str choice_word(enum api_type type, unsigned value)
{
    static const struct str types[] = { [CLIENT_CONFIDENTIAL] = { "confidential", 12 },
                                        [CLIENT_PUBLIC] = { "public", 6 },
                                        [CLIENT_EMPTY_SECRET] = { "empty_secret", 12 } };

    if (type == API_CLIENT_TYPE)
        return value <= CLIENT_EMPTY_SECRET ? types[value] : STR("");
    if (type == API_AUTH_METHOD)
        return value < AUTH_METHOD_COUNT ? client_auth_method_format((enum client_auth_method)value)
                                         : STR("");
    if (type == API_TOKEN_FORMAT)
        return value < TOKEN_FORMAT_COUNT ? token_format_format((enum token_format)value) : STR("");
    return value < ALG_COUNT ? signing_alg_format((enum signing_alg)value) : STR("");
}

/* Keys and certificates come with the metadata; two formats are a dialect's own. */
static unsigned choice_count(enum api_type type)
{
    if (type == API_CLIENT_TYPE)
        return CLIENT_EMPTY_SECRET + 1;
    if (type == API_AUTH_METHOD)
        return AUTH_SECRET_POST + 1;
    return type == API_TOKEN_FORMAT ? TOKEN_JWT + 1 : ALG_COUNT;
}

/* ---- writing --------------------------------------------------------------------------------- */

void api_member_text(struct json_out *json, const char *name, struct str text)
{
    json_name(json, str_of(name));
    if (text.len > 0)
        json_text(json, text);
    else
        json_raw(json, STR("null"));
}

enum rc api_member_owner(struct api_admin *api, enum managed_kind kind, int64_t id,
                         struct json_out *json)
{
    struct str source = STR("");
    enum rc rc = admin_find_owner(api->store, kind, id, &api->arena, &source);

    if (rc == RC_OK)
        api_member_text(json, "managed_by", source);
    return rc;
}

void api_member_time(struct json_out *json, const char *name, int64_t at)
{
    json_name(json, str_of(name));
    if (at != 0)
        json_number(json, at);
    else
        json_raw(json, STR("null"));
}

static void format_lines(struct str lines, struct json_out *json)
{
    json_begin_array(json);
    while (lines.len > 0) {
        size_t len = str_index_of(lines, '\n');

        json_text(json, (struct str){ lines.at, len });
        lines = str_from(lines, len < lines.len ? len + 1 : len);
    }
    json_end_array(json);
}

static void format_grants(unsigned grants, struct json_out *json)
{
    json_begin_array(json);
    for (unsigned type = 0; type < GRANT_TYPE_COUNT; type++)
        if ((grants & 1u << type) != 0)
            json_text(json, grant_type_format((enum grant_type)type));
    json_end_array(json);
}

static void format_field(const struct api_field *field, const void *at, struct json_out *json)
{
    unsigned bits = 0;

    switch (field->type) {
    case API_TEXT:
        json_member_string(json, str_of(field->name), *(const struct str *)at);
        return;
    case API_WORDS:
        json_member_words(json, str_of(field->name), *(const struct str *)at);
        return;
    case API_LINES:
        json_name(json, str_of(field->name));
        format_lines(*(const struct str *)at, json);
        return;
    case API_NUMBER:
        json_member_number(json, str_of(field->name), *(const int64_t *)at);
        return;
    case API_TIME:
        api_member_time(json, field->name, *(const int64_t *)at);
        return;
    case API_FLAG:
        json_member_bool(json, str_of(field->name), *(const bool *)at);
        return;
    case API_GRANTS:
    case API_CLIENT_TYPE:
    case API_AUTH_METHOD:
    case API_TOKEN_FORMAT:
    case API_ALG:
        break;
    }
    memcpy(&bits, at, sizeof(bits));
    json_name(json, str_of(field->name));
    if (field->type == API_GRANTS)
        format_grants(bits, json);
    else
        json_text(json, choice_word(field->type, bits));
}

void api_fields_format(const struct api_fields *fields, const void *noun, struct json_out *json)
{
    for (size_t i = 0; i < fields->count; i++)
        format_field(&fields->rows[i], (const char *)noun + fields->rows[i].offset, json);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool refuse(struct api_admin *api, const struct api_field *field, const char *detail)
{
    api_answer_field(api->call, field->name, STR(""), detail);
    return false;
}

static bool is_item(enum api_type type, struct str text)
{
    return text.len > 0 && !str_has_control(text) &&
           (type == API_LINES || str_index_of(text, ' ') == text.len);
}

/* RFC 7396 2: null takes away what was there. */
static bool read_items(struct api_admin *api, const struct api_field *field,
                       const struct json_value *value, struct str *out_text)
{
    size_t bytes_max = api->call->exchange->request.body.len + 1; /* no item is longer than that */
    struct buffer text = buffer_over(arena_alloc(&api->arena, bytes_max), bytes_max);

    if (!json_is_array(value) && !json_is_null(value))
        return refuse(api, field, "this has to be an array of texts, or null");
    for (size_t i = 0; i < json_count(value); i++) {
        struct str item;

        if (json_get_string(json_item(value, i), &item) != RC_OK || !is_item(field->type, item))
            return refuse(api, field, "each item is a text, without blanks or control characters");
        if (text.len > 0)
            buffer_append_byte(&text, field->type == API_LINES ? '\n' : ' ');
        buffer_append_str(&text, item);
    }
    ASSERT(!text.overflow);
    *out_text = buffer_str(&text);
    return true;
}

static bool read_grants(struct api_admin *api, const struct api_field *field,
                        const struct json_value *value, unsigned *out_grants)
{
    unsigned grants = 0;

    if (!json_is_array(value))
        return refuse(api, field, "this has to be an array of grant types");
    for (size_t i = 0; i < json_count(value); i++) {
        enum grant_type type;
        struct str word;

        if (json_get_string(json_item(value, i), &word) != RC_OK ||
            grant_type_parse(word, &type) != RC_OK)
            return refuse(api, field, "each item is a grant type that this server knows");
        grants |= 1u << type;
    }
    *out_grants = grants;
    return true;
}

static bool read_choice(struct api_admin *api, const struct api_field *field,
                        const struct json_value *value, unsigned *out_choice)
{
    struct str word;

    for (unsigned i = 0; json_get_string(value, &word) == RC_OK && i < choice_count(field->type);
         i++) {
        if (str_equal(word, choice_word(field->type, i))) {
            *out_choice = i;
            return true;
        }
    }
    return refuse(api, field, "this is none of the words that there are");
}

static bool read_field(struct api_admin *api, const struct api_field *field,
                       const struct json_value *value, void *at)
{
    unsigned bits;

    if (field->type == API_TEXT) {
        struct str text = STR("");

        if (json_get_string(value, &text) != RC_OK && !json_is_null(value))
            return refuse(api, field, "this has to be a text, or null");
        *(struct str *)at = str_trim(text);
        return true;
    }
    if (field->type == API_WORDS || field->type == API_LINES)
        return read_items(api, field, value, at);
    if (field->type == API_NUMBER || field->type == API_TIME)
        return (json_get_number(value, at) == RC_OK && *(int64_t *)at >= 0) ||
               refuse(api, field, "this has to be a whole number, 0 or more");
    if (field->type == API_FLAG)
        return json_get_bool(value, at) == RC_OK ||
               refuse(api, field, "this has to be true or false");
    if (!(is_choice(field->type) ? read_choice(api, field, value, &bits)
                                 : read_grants(api, field, value, &bits)))
        return false;
    memcpy(at, &bits, sizeof(bits));
    return true;
}

/* A member that is not known is a mistake, as at /api/v1/tokens. */
static bool is_known(const struct api_fields *fields, struct str name)
{
    if (str_index_of(name, ' ') == name.len && str_has_word(fields->others, name))
        return true;
    for (size_t i = 0; i < fields->count; i++)
        if (str_equal(name, str_of(fields->rows[i].name)))
            return true;
    return false;
}

bool api_fields_read(struct api_admin *api, const struct api_fields *fields, unsigned may,
                     void *noun)
{
    struct str name;

    for (size_t i = 0; json_member(api->body, i, &name) != NULL; i++) {
        if (!is_known(fields, name)) {
            api_answer_field(api->call, "", name, "there is no such member here");
            return false;
        }
    }
    for (size_t i = 0; i < fields->count; i++) {
        const struct api_field *field = &fields->rows[i];
        const struct json_value *value = json_find(api->body, str_of(field->name));

        if (value == NULL)
            continue;
        if ((field->may & may) == 0)
            return refuse(api, field, "this cannot be set here");
        if (!read_field(api, field, value, member_of(field, noun)))
            return false;
    }
    return true;
}
