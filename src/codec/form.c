#include "codec/form.h"

#include "codec/json.h"

/* What a byte means to the parser; every other byte is plain. */
enum byte_class {
    BYTE_CODED = 1, /* '%' or '+': the part must be decoded    */
    BYTE_HIGH = 2,  /* not ASCII: the part must be UTF-8       */
    BYTE_NUL = 4,
    BYTE_AMPERSAND = 8, /* ends a pair                             */
    BYTE_EQUALS = 16    /* the first one of a pair ends its name   */
};

#define HIGH_4  BYTE_HIGH, BYTE_HIGH, BYTE_HIGH, BYTE_HIGH
#define HIGH_16 HIGH_4, HIGH_4, HIGH_4, HIGH_4
#define HIGH_64 HIGH_16, HIGH_16, HIGH_16, HIGH_16

static const unsigned char byte_classes[256] = {
    [0] = BYTE_NUL,
    ['%'] = BYTE_CODED,
    ['+'] = BYTE_CODED,
    ['&'] = BYTE_AMPERSAND,
    ['='] = BYTE_EQUALS,
    [0x80] = HIGH_64,
    HIGH_64,
};

/* Takes the bytes before the first one of class `stop` off *rest; out_seen gets their classes. */
static struct str take_until(unsigned stop, struct str *rest, unsigned *out_seen)
{
    const unsigned char *at = (const unsigned char *)rest->at;
    unsigned seen = 0;
    struct str taken;
    size_t i = 0;

    for (; i < rest->len; i++) {
        unsigned class = byte_classes[at[i]];

        if (class & stop)
            break;
        seen |= class;
    }
    taken = (struct str){ rest->at, i };
    *rest = str_from(*rest, i);
    *out_seen = seen;
    return taken;
}

/* -1 for another byte. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* RFC 6749 appendix B; a broken escape is refused, not passed through as browsers do. */
static enum rc percent_decode(struct str part, struct arena *arena, struct str *out_text)
{
    char *text = arena_alloc(arena, part.len);
    size_t len = 0;

    for (size_t i = 0; i < part.len; i++) {
        char c = part.at[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = part.len - i > 2 ? hex_value(part.at[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_value(part.at[i + 2]);

            if (low < 0 || (high | low) == 0)
                return RC_INVALID;
            c = (char)(high << 4 | low);
            i += 2;
        }
        text[len++] = c;
    }
    *out_text = (struct str){ text, len };
    return RC_OK;
}

static enum rc decode_part(struct str part, unsigned seen, struct arena *arena,
                           struct str *out_text)
{
    struct str text = part;
    enum rc rc;

    if (seen & BYTE_NUL)
        return RC_INVALID;
    if (seen & BYTE_CODED) {
        rc = percent_decode(part, arena, &text);
        if (rc != RC_OK)
            return rc;
    }
    if ((seen & (BYTE_CODED | BYTE_HIGH)) && !str_is_utf8(text))
        return RC_INVALID;
    *out_text = text;
    return RC_OK;
}

enum rc form_decode(struct str encoded, struct arena *arena, struct str *out_text)
{
    unsigned seen;
    struct str part = take_until(0, &encoded, &seen);

    return decode_part(part, seen, arena, out_text);
}

const struct str *form_find(const struct form *form, struct str name)
{
    for (size_t i = 0; i < form->field_count; i++)
        if (str_equal(form->fields[i].name, name))
            return &form->fields[i].value;
    return NULL;
}

bool form_has_repeated(const struct form *form, struct str repeatable)
{
    for (size_t i = 1; form->has_duplicate && i < form->field_count; i++) {
        struct str name = form->fields[i].name;

        if (form_find(form, name) != &form->fields[i].value && !str_has_word(repeatable, name))
            return true;
    }
    return false;
}

enum rc form_join(const struct form *form, struct str name, struct arena *arena,
                  struct str *out_joined)
{
    size_t bytes = 0;
    char *text;
    size_t len = 0;

    for (size_t i = 0; i < form->field_count; i++)
        if (str_equal(form->fields[i].name, name))
            bytes += form->fields[i].value.len + 1;
    text = arena_alloc(arena, bytes);
    for (size_t i = 0; i < form->field_count; i++) {
        struct str value = form->fields[i].value;

        if (!str_equal(form->fields[i].name, name) || value.len == 0)
            continue;
        if (str_index_of(value, ' ') < value.len)
            return RC_INVALID;
        if (len > 0)
            text[len++] = ' ';
        memcpy(text + len, value.at, value.len);
        len += value.len;
    }
    *out_joined = (struct str){ text, len };
    return RC_OK;
}

/* RFC 6749 3.1 and 3.2: a parameter that stands twice makes the request invalid; the caller says
 * so. */
static enum rc add_field(struct form *form, struct str name, struct str value)
{
    if (form->field_count == FORM_FIELD_COUNT_MAX)
        return RC_TOO_LARGE;
    if (!form->has_duplicate && form_find(form, name) != NULL) {
        form->has_duplicate = true;
        form->duplicate_name = name;
    }
    form->fields[form->field_count++] = (struct form_field){ name, value };
    return RC_OK;
}

static enum rc parse_pair(struct str *rest, struct arena *arena, struct form *form)
{
    struct str value = { NULL, 0 };
    unsigned name_seen;
    unsigned value_seen = 0;
    struct str name = take_until(BYTE_EQUALS | BYTE_AMPERSAND, rest, &name_seen);
    enum rc rc;

    if (rest->len > 0 && rest->at[0] == '=') {
        *rest = str_from(*rest, 1);
        value = take_until(BYTE_AMPERSAND, rest, &value_seen);
    }
    rc = decode_part(name, name_seen, arena, &name);
    if (rc == RC_OK)
        rc = decode_part(value, value_seen, arena, &value);
    if (rc == RC_OK)
        rc = add_field(form, name, value);
    return rc;
}

/* Only the counts: the fields are 2 KiB that need no clearing for each request. */
static void clear(struct form *form)
{
    form->field_count = 0;
    form->has_duplicate = false;
    form->duplicate_name = (struct str){ NULL, 0 };
}

enum rc form_parse(struct str body, struct arena *arena, struct form *out_form)
{
    struct str rest = body;
    enum rc rc = RC_OK;

    clear(out_form);
    while (rc == RC_OK && rest.len > 0) {
        if (rest.at[0] == '&')
            rest = str_from(rest, 1);
        else
            rc = parse_pair(&rest, arena, out_form);
    }
    if (rc != RC_OK)
        clear(out_form);
    return rc;
}

static enum rc add_member(struct form *form, struct arena *arena, struct str name,
                          const struct json_value *value)
{
    struct str text;
    enum rc rc;

    if (json_is_null(value))
        return RC_OK;
    rc = json_get_string(value, &text);
    if (rc == RC_OK)
        text = arena_copy(arena, text);
    else
        rc = json_format_scalar(value, arena, &text);
    if (rc != RC_OK)
        return rc;
    return add_field(form, arena_copy(arena, name), text);
}

enum rc form_parse_json(struct str body, struct arena *arena, struct form *out_form)
{
    struct json_document *document;
    const struct json_value *root;
    enum rc rc;

    clear(out_form);
    rc = json_parse(body, &document);
    if (rc != RC_OK)
        return rc;
    root = json_root(document);
    if (!json_is_object(root))
        rc = RC_INVALID;
    else if (json_count(root) > FORM_FIELD_COUNT_MAX)
        rc = RC_TOO_LARGE;
    for (size_t i = 0; rc == RC_OK && i < json_count(root); i++) {
        struct str name;
        const struct json_value *value = json_member(root, i, &name);

        rc = add_member(out_form, arena, name, value);
    }
    json_document_free(document);
    if (rc != RC_OK)
        clear(out_form);
    return rc;
}
