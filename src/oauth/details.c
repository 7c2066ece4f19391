#include "oauth/details.h"

#include "codec/json.h"

static enum rc refuse(struct oauth_call *call, const char *description)
{
    return oauth_refuse(call, OAUTH_INVALID_DETAILS, description, NULL);
}

/* RFC 9396 2.2: an array of strings, where it is sent. */
static bool is_absent_or_strings(const struct json_value *value)
{
    if (value == NULL)
        return true;
    for (size_t i = 0; i < json_count(value); i++)
        if (!json_is_string(json_item(value, i)))
            return false;
    return json_is_array(value);
}

static bool has_sound_members(const struct json_value *object)
{
    static const struct str arrays[] = {
        { "locations", 9 }, { "actions", 7 }, { "datatypes", 9 }, { "privileges", 10 }
    };
    const struct json_value *identifier = json_find(object, STR("identifier"));

    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
        if (!is_absent_or_strings(json_find(object, arrays[i])))
            return false;
    return identifier == NULL || json_is_string(identifier);
}

static enum rc check_object(struct oauth_call *call, const struct client_metadata *metadata,
                            const struct json_value *object)
{
    struct str type;

    if (json_get_string(json_find(object, STR("type")), &type) != RC_OK) /* RFC 9396 2 */
        return refuse(call, "every object of authorization_details needs a type");
    if (!str_has_word(metadata->details_types, type) &&
        !str_has_word(call->oauth->details_types, type)) /* RFC 9396 5 */
        return refuse(call, "a type of authorization_details is not offered to this client");
    if (!has_sound_members(object))
        return refuse(call, "a member of authorization_details is not what it has to be");
    return RC_OK;
}

static enum rc check_array(struct oauth_call *call, const struct client_metadata *metadata,
                           const struct json_value *array)
{
    enum rc rc = RC_OK;

    if (!json_is_array(array) || json_count(array) == 0)
        return refuse(call, "authorization_details is not an array of objects");
    if (json_count(array) > DETAILS_COUNT_MAX)
        return refuse(call, "authorization_details has too many objects");
    for (size_t i = 0; rc == RC_OK && i < json_count(array); i++)
        rc = check_object(call, metadata, json_item(array, i));
    return rc;
}

enum rc details_check(struct oauth_call *call, const struct client_metadata *metadata,
                      struct str text, struct str *out_details)
{
    struct json_document *document;
    enum rc rc;

    if (text.len > DETAILS_BYTES_MAX)
        return refuse(call, "authorization_details is too long");
    rc = json_parse(text, &document);
    if (rc == RC_INVALID)
        return refuse(call, "authorization_details is not JSON");
    if (rc != RC_OK)
        return rc;
    rc = check_array(call, metadata, json_root(document));
    if (rc == RC_OK)
        *out_details = json_format(json_root(document), call->arena);
    json_document_free(document);
    return rc;
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* The objects of an array, one by one; 0 for an empty text, and for anything else that was asked.
 */
static size_t split(struct str details, struct arena *arena,
                    struct str out_objects[static DETAILS_COUNT_MAX * 4])
{
    struct json_document *document;
    size_t count = 0;

    if (details.len == 0 || json_parse(details, &document) != RC_OK)
        return 0;
    while (json_is_array(json_root(document)) && count < json_count(json_root(document)) &&
           count < DETAILS_COUNT_MAX * 4) {
        out_objects[count] = json_format(json_item(json_root(document), count), arena);
        count++;
    }
    json_document_free(document);
    return count;
}

size_t details_list(struct str details, struct arena *arena,
                    struct detail out_rows[static DETAILS_COUNT_MAX])
{
    struct json_document *document;
    size_t count = 0;

    if (details.len == 0 || json_parse(details, &document) != RC_OK)
        return 0;
    while (json_is_array(json_root(document)) && count < json_count(json_root(document)) &&
           count < DETAILS_COUNT_MAX) {
        const struct json_value *object = json_item(json_root(document), count);
        struct str type = STR("");

        if (json_get_string(json_find(object, STR("type")), &type) != RC_OK)
            type = STR("");
        out_rows[count++] =
            (struct detail){ .type = arena_copy(arena, type), .json = json_format(object, arena) };
    }
    json_document_free(document);
    return count;
}

static bool is_among(const struct str *objects, size_t count, struct str object)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(objects[i], object))
            return true;
    return false;
}

bool details_contain(struct str whole, struct str part, struct arena *arena)
{
    struct str wholes[DETAILS_COUNT_MAX * 4], parts[DETAILS_COUNT_MAX * 4];
    size_t whole_count = split(whole, arena, wholes);
    size_t part_count = split(part, arena, parts);

    for (size_t i = 0; i < part_count; i++)
        if (!is_among(wholes, whole_count, parts[i]))
            return false;
    return part_count > 0 || part.len == 0;
}

struct str details_join(struct str one, struct str other, struct arena *arena)
{
    struct str ones[DETAILS_COUNT_MAX * 4], others[DETAILS_COUNT_MAX * 4];
    size_t one_count = split(one, arena, ones);
    size_t other_count = split(other, arena, others);
    size_t bytes_max = one.len + other.len + 2;
    struct buffer joined = buffer_over(arena_alloc(arena, bytes_max), bytes_max);
    struct json_out json = json_out_over(&joined);

    if (one_count + other_count == 0)
        return STR("");
    json_begin_array(&json);
    for (size_t i = 0; i < one_count; i++)
        json_raw(&json, ones[i]);
    for (size_t i = 0; i < other_count; i++)
        if (!is_among(ones, one_count, others[i]))
            json_raw(&json, others[i]);
    json_end_array(&json);
    ASSERT(!joined.overflow);
    return buffer_str(&joined);
}

enum rc details_check_same(struct oauth_call *call, struct str asked, struct str allowed)
{
    struct json_document *document;
    struct str text;
    enum rc rc;

    if (asked.len > DETAILS_BYTES_MAX)
        return refuse(call, "authorization_details is too long");
    rc = json_parse(asked, &document);
    if (rc == RC_INVALID)
        return refuse(call, "authorization_details is not JSON");
    if (rc != RC_OK)
        return rc;
    text = json_format(json_root(document), call->arena);
    json_document_free(document);
    if (!details_contain(allowed, text, call->arena) ||
        !details_contain(text, allowed, call->arena))
        return refuse(call, "authorization_details has to be what was allowed, or nothing");
    return RC_OK;
}
